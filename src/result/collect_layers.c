#include "cognate/mem.h"
#include "collect.h"
#include "origins.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GROUP_ATTENTION, GROUP_FFN, GROUP_NORM, GROUP_ALL, GROUPS };

/* Sums over the slots of one layer. */
struct layer {
    double sum[GROUPS], matrix_sum;
    int64_t n[GROUPS], matrices;
};

static int report_group(enum cg_role role)
{
    switch (cg_role_group(role)) {
    case CG_GROUP_ATTENTION:
        return GROUP_ATTENTION;
    case CG_GROUP_FFN:
        return GROUP_FFN;
    case CG_GROUP_NORM:
        return GROUP_NORM;
    default:
        return GROUP_ALL;
    }
}

static void add_slot(struct layer *layer, const struct cg_slot *slot, const struct cg_comparison *comparison)
{
    if (isnan(comparison->cosine))
        return;
    int group = report_group(slot->role);
    layer->sum[GROUP_ALL] += comparison->cosine;
    layer->n[GROUP_ALL]++;
    if (group != GROUP_ALL) {
        layer->sum[group] += comparison->cosine;
        layer->n[group]++;
    }
    if (comparison->matrix) {
        layer->matrix_sum += comparison->cosine;
        layer->matrices++;
    }
}

static void set_layer(struct cg_result *out, int64_t p, int64_t l, const struct layer *layer)
{
    int64_t layers = out->size[CG_DIM_LAYER_B], at = p * layers + l;
    for (int g = 0; g < GROUPS; g++)
        out->layers.cosine[at * GROUPS + g] = layer->n[g] > 0 ? layer->sum[g] / (double)layer->n[g] : NAN;
    if (layer->matrices > 0 && l < out->size[CG_DIM_LAYER_A])
        out->layers.similarity[(p * out->size[CG_DIM_LAYER_A] + l) * layers + l] =
            layer->matrix_sum / (double)layer->matrices;
}

static void set_pair(struct cg_result *out, const struct cg_findings *findings,
                     const struct cg_comparisons *all, int64_t p, struct layer *layers)
{
    int64_t n = out->size[CG_DIM_LAYER_B];
    memset(layers, 0, (size_t)n * sizeof *layers);
    for (int64_t s = 0; s < findings->anatomy->nslots; s++) {
        const struct cg_slot *slot = &findings->anatomy->slots[s];
        if (slot->layer >= 0 && slot->layer < n)
            add_slot(&layers[slot->layer], slot, cg_comparison_at(all, s, p));
    }
    for (int64_t l = 0; l < n; l++)
        set_layer(out, p, l, &layers[l]);
}

static void set_origins(struct cg_result *out, const struct cg_origins *origins, int64_t p)
{
    int64_t layers = out->size[CG_DIM_LAYER_B];
    for (int32_t l = 0; l < origins->layers; l++) {
        out->layers.layer_map[p * layers + l] = origins->from[l];
        out->layers.layer_log10_p[p * layers + l] = origins->log10_p[l];
    }
}

static double *similarity_at(struct cg_result *out, int64_t p, int64_t a, int64_t b)
{
    return &out->layers.similarity[(p * out->size[CG_DIM_LAYER_A] + a) * out->size[CG_DIM_LAYER_B] + b];
}

/* Off the diagonal, and where no slot of the same index compares: the mean over all roles by sketches, or
 * what matched units show where that is more. */
static void set_likeness(struct cg_result *out, const struct cg_maps *maps, const struct cg_kinship *blocks,
                         int64_t p)
{
    for (int64_t a = 0; maps && a < maps->layers[0]; a++)
        for (int64_t b = 0; b < maps->layers[1]; b++) {
            double sum = 0, *similarity = similarity_at(out, p, a, b);
            int32_t roles = 0;
            for (int group = 0; group < CG_MAP_GROUPS; group++) {
                const struct cg_map_cell *cell = &maps->cell[group][a * maps->layers[1] + b];
                sum += cell->roles > 0 ? cell->roles * cell->cosine : 0;
                roles += cell->roles;
            }
            if (roles > 0 && (a != b || isnan(*similarity)))
                *similarity = sum / roles;
        }
    for (int64_t c = 0; blocks && c < blocks->ncells; c++) {
        const struct cg_cell *cell = &blocks->cells[c];
        int64_t a = blocks->blocks[0][cell->a].layer, b = blocks->blocks[1][cell->b].layer;
        double *similarity = similarity_at(out, p, a, b);
        if (a != b || isnan(*similarity))
            *similarity = fmax(*similarity, cg_cell_likeness(cell));
    }
}

/* How the mean cosine of a layer's matrices runs over depth; norms say nothing. Alike is 0.8, low is 0.5. */
static const char *pattern_of(const double *diagonal, int64_t n)
{
    double lowest = INFINITY, highest = -INFINITY, early = 0, late = 0;
    int64_t known = 0, third;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(diagonal[i]))
            known++;
    third = known > 2 ? known / 3 : 1;
    for (int64_t i = 0, seen = 0; i < n; i++) {
        if (isnan(diagonal[i]))
            continue;
        lowest = fmin(lowest, diagonal[i]);
        highest = fmax(highest, diagonal[i]);
        early += seen < third ? diagonal[i] / (double)third : 0;
        late += seen >= known - third ? diagonal[i] / (double)third : 0;
        seen++;
    }
    return known == 0                           ? "incomparable"
           : lowest >= 0.8                      ? "alike throughout"
           : highest < 0.5                      ? "low throughout"
           : early - late > 0.1 && early >= 0.5 ? "early layers alike, late layers less"
                                                : "some layers alike";
}

static int set_pattern(struct cg_result *out, int64_t p, double *diagonal, struct cg_err *err)
{
    int64_t layers_a = out->size[CG_DIM_LAYER_A], layers_b = out->size[CG_DIM_LAYER_B];
    int64_t n = layers_a < layers_b ? layers_a : layers_b;
    for (int64_t l = 0; l < n; l++)
        diagonal[l] = out->layers.similarity[(p * layers_a + l) * layers_b + l];
    return cg_result_text(&out->root.layer_pattern[p], pattern_of(diagonal, n), err);
}

int cg_collect_layers(struct cg_result *out, const struct cg_findings *findings,
                      const struct cg_comparisons *all, struct cg_err *err)
{
    static const char *const names[GROUPS] = {"attention", "ffn", "norm", "all"};
    int64_t most[2] = {0, 0};
    for (int64_t p = 0; p < findings->npairs; p++) {
        most[0] = all->origins[p].layers_a > most[0] ? all->origins[p].layers_a : most[0];
        most[1] = all->origins[p].layers > most[1] ? all->origins[p].layers : most[1];
    }
    out->size[CG_DIM_LAYER_A] = most[0];
    out->size[CG_DIM_LAYER_B] = most[1];
    out->size[CG_DIM_ROLE_GROUP] = GROUPS;
    struct layer *layers = NULL;
    double *diagonal = NULL;
    int result = -1;
    CG_TRY(cg_result_allocate(out, "/layers", err));
    for (int g = 0; g < GROUPS; g++)
        CG_TRY(cg_result_text(&out->layers.role_group[g], names[g], err));
    if (!(layers = cg_new((size_t)most[1], sizeof *layers, err)) ||
        !(diagonal = cg_new((size_t)most[1], sizeof *diagonal, err)))
        goto done;
    for (int64_t p = 0; p < findings->npairs; p++) {
        set_pair(out, findings, all, p, layers);
        CG_TRY(set_pattern(out, p, diagonal, err));
        set_origins(out, &all->origins[p], p);
        set_likeness(out, all->mapped[p].of, all->kins[p].of, p);
    }
    result = 0;
done:
    free(layers);
    free(diagonal);
    return result;
}
