#include "mapped.h"
#include "cognate/mem.h"
#include "weigh.h"
#include <math.h>
#include <stdlib.h>

static double p_of(const struct cg_mapped *mapped, const struct cg_map_cell *cell)
{
    if (cell->roles == 0)
        return NAN;
    double z = fmax(0, (cell->cosine - mapped->floor) / cell->sd);
    return cg_bonferroni(-z * z / (2 * log(10)), mapped->tests);
}

/* The layer of a in which a layer of b finds its likeness. */
static void map_layer(struct cg_mapped *mapped, int group, int32_t b)
{
    const struct cg_maps *of = mapped->of;
    int32_t best = -1;
    double best_p = NAN;
    for (int32_t a = 0; a < of->layers[0]; a++) {
        double p = p_of(mapped, &of->cell[group][(int64_t)a * of->layers[1] + b]);
        if (!isnan(p) && (best < 0 || p < best_p)) {
            best = a;
            best_p = p;
        }
    }
    bool passes = best_p < CG_PASS_LOG10_P;
    mapped->from[group][b] = passes ? best : -1;
    mapped->log10_p[group][b] = best_p;
    mapped->passing[group] += passes;
    mapped->strongest = fmin(mapped->strongest, best_p);
}

static void judge(struct cg_mapped *mapped)
{
    mapped->strongest = NAN;
    for (int group = 0; group < CG_MAP_GROUPS; group++) {
        mapped->passing[group] = 0;
        for (int32_t b = 0; b < mapped->layers; b++)
            map_layer(mapped, group, b);
    }
    for (int role = 0; role < CG_ROLE_COUNT; role++)
        mapped->role_passed[role] = p_of(mapped, &mapped->of->role[role]) < CG_PASS_LOG10_P;
}

static int mapped_init(struct cg_mapped *mapped, const struct cg_maps *of, struct cg_err *err)
{
    *mapped = (struct cg_mapped){.of = of, .floor = CG_STRANGE_COSINE, .layers = of->layers[1]};
    int64_t cells = (int64_t)of->layers[0] * of->layers[1];
    for (int group = 0; group < CG_MAP_GROUPS; group++) {
        for (int64_t c = 0; c < cells; c++)
            mapped->tests += of->cell[group][c].roles > 0;
        if (!(mapped->from[group] = cg_new((size_t)mapped->layers, sizeof(int32_t), err)) ||
            !(mapped->log10_p[group] = cg_new((size_t)mapped->layers, sizeof(double), err)))
            return -1;
    }
    for (int role = 0; role < CG_ROLE_COUNT; role++)
        mapped->tests += of->role[role].roles > 0 ? cells : 0;
    return 0;
}

int cg_mapped_judge(struct cg_mapped **out, const struct cg_findings *findings, bool *silent,
                    struct cg_err *err)
{
    if (!(*out = cg_new((size_t)findings->npairs, sizeof **out, err)))
        return -1;
    for (int64_t p = 0; findings->maps && p < findings->npairs; p++) {
        if (mapped_init(&(*out)[p], &findings->maps[p], err) < 0)
            return -1;
        judge(&(*out)[p]);
        silent[p] &= !((*out)[p].strongest < CG_PASS_LOG10_P);
    }
    return 0;
}

static double largest_cosine(const struct cg_maps *of)
{
    double largest = 0;
    for (int group = 0; group < CG_MAP_GROUPS; group++)
        for (int64_t c = 0; c < (int64_t)of->layers[0] * of->layers[1]; c++)
            largest = fmax(largest, of->cell[group][c].cosine);
    return largest;
}

void cg_mapped_control(struct cg_mapped *mapped, const struct cg_findings *findings, const bool *silent)
{
    for (int64_t q = 0; findings->maps && q < findings->npairs; q++) {
        double largest = silent[q] ? largest_cosine(&findings->maps[q]) : 0;
        for (int64_t p = 0; largest > CG_STRANGE_COSINE && p < findings->npairs; p++)
            if (p != q && cg_pairs_share_a_model(findings->pairs[p], findings->pairs[q]))
                mapped[p].floor = fmax(mapped[p].floor, largest);
    }
    for (int64_t p = 0; findings->maps && p < findings->npairs; p++)
        judge(&mapped[p]);
}

void cg_mapped_release(struct cg_mapped *mapped, int64_t npairs)
{
    for (int64_t p = 0; mapped && p < npairs; p++)
        for (int group = 0; group < CG_MAP_GROUPS; group++) {
            free(mapped[p].from[group]);
            free(mapped[p].log10_p[group]);
        }
    free(mapped);
}
