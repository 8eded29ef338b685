#include "kin.h"
#include "cognate/mem.h"
#include "weigh.h"
#include <math.h>
#include <stdlib.h>

enum { LEAST_CONTROLS = 3 };
static const double ALIKE = 0.01; /* likeness of cells that differ by less is the same */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int32_t count_of(const struct cg_cell *cell, int method)
{
    return method == CG_BY_RAW ? cell->raw : cell->probe;
}

static double p_of_count(const struct cg_kin *kin, const struct cg_cell *cell, int method)
{
    int32_t count = count_of(cell, method);
    return count < 0 ? NAN : cg_poisson_log10_tail(count, kin->rate[method]);
}

static double p_of(const struct cg_kin *kin, const struct cg_cell *cell, enum cg_method method)
{
    switch (method) {
    case CG_BY_RAW:
        return p_of_count(kin, cell, CG_BY_RAW);
    case CG_BY_PROBE:
        return p_of_count(kin, cell, CG_BY_PROBE);
    case CG_BY_GRAM:
        return cg_t_log10_tail(cell->gram, CG_SHIFTS - 1);
    default:
        return cell->sample == 0 ? NAN
                                 : fmin(cg_fixed_log10_p(cell->fixed[0]), cg_fixed_log10_p(cell->fixed[1]));
    }
}

double cg_cell_log10_p(const struct cg_kin *kin, const struct cg_cell *cell, enum cg_method method)
{
    double p = p_of(kin, cell, method);
    return isnan(p) ? NAN : cg_bonferroni(p, kin->tests);
}

static bool passes(const struct cg_kin *kin, const struct cg_cell *cell, enum cg_method method)
{
    return cg_cell_log10_p(kin, cell, method) < CG_PASS_LOG10_P;
}

static bool passes_anyhow(const struct cg_kin *kin, const struct cg_cell *cell)
{
    for (int method = 0; method < CG_METHODS; method++)
        if (passes(kin, cell, (enum cg_method)method))
            return true;
    return false;
}

double cg_cell_likeness(const struct cg_cell *cell)
{
    double raw = cell->raw > 0 ? cell->raw * cell->raw_cosine : 0;
    double probe = cell->probe > 0 ? cell->probe * cell->probe_cosine : 0;
    return cell->units > 0 ? fmax(raw, probe) / cell->units : 0;
}

/* The median K of the pair's cells, by raw or by probe. */
static int median_count(double *out, const struct cg_kinship *of, int method, struct cg_err *err)
{
    double *counts = cg_new((size_t)of->ncells, sizeof *counts, err);
    int64_t n = 0;
    if (!counts)
        return -1;
    for (int64_t c = 0; c < of->ncells; c++)
        if (count_of(&of->cells[c], method) >= 0)
            counts[n++] = count_of(&of->cells[c], method);
    if (n > 0)
        qsort(counts, (size_t)n, sizeof *counts, by_value);
    *out = n > 0 ? counts[(n - 1) / 2] : 0;
    free(counts);
    return 0;
}

static int64_t count_tests(const struct cg_kinship *of)
{
    int64_t exact = 0;
    for (int64_t c = 0; c < of->ncells; c++)
        exact += of->cells[c].sample > 0;
    return 3 * (of->thinned ? of->all_cells : of->ncells) + 2 * exact + (of->columns > 0);
}

static int kin_init(struct cg_kin *kin, const struct cg_kinship *of, struct cg_err *err)
{
    *kin = (struct cg_kin){
        .of = of, .tests = count_tests(of), .token_bound = NAN, .naming_log10_p = NAN, .naming_bound = NAN};
    for (int method = 0; method < 2; method++) {
        double median;
        if (median_count(&median, of, method, err) < 0)
            return -1;
        kin->rate[method] = CG_LARGEST_CONTROL + 4 * median;
    }
    for (int32_t i = 0; i < of->nblocks[1]; i++)
        if (of->blocks[1][i].layer >= kin->layers)
            kin->layers = of->blocks[1][i].layer + 1;
    size_t blocks = (size_t)of->nblocks[1], layers = (size_t)kin->layers;
    if (!(kin->origin = cg_new(blocks, sizeof *kin->origin, err)) ||
        !(kin->log10_p = cg_new(blocks, sizeof *kin->log10_p, err)) ||
        !(kin->from = cg_new(layers, sizeof *kin->from, err)) ||
        !(kin->layer_log10_p = cg_new(layers, sizeof *kin->layer_log10_p, err)))
        return -1;
    kin->columns_log10_p =
        of->columns > 0 ? cg_bonferroni(cg_fixed_log10_p(of->fixed_columns), kin->tests) : NAN;
    kin->columns = kin->columns_log10_p < CG_PASS_LOG10_P;
    return 0;
}

static bool is_silent(const struct cg_kin *kin)
{
    if (kin->columns)
        return false;
    for (int64_t c = 0; c < kin->of->ncells; c++)
        if (passes_anyhow(kin, &kin->of->cells[c]))
            return false;
    return true;
}

/* The mean cosine of the names that a pair's routers give by answers to tokens; NaN: none. */
static double mean_answer(const struct cg_kinship *of)
{
    double sum = 0;
    int64_t n = 0;
    for (int32_t i = 0; of->routed && i < of->nblocks[1]; i++)
        if (of->routed[i].expert >= 0 && of->routed[i].by_tokens) {
            sum += of->routed[i].cosine;
            n++;
        }
    return n > 0 ? sum / (double)n : NAN;
}

bool cg_pairs_share_a_model(const int32_t a[2], const int32_t b[2])
{
    return a[0] == b[0] || a[0] == b[1] || a[1] == b[0] || a[1] == b[1];
}

/* What the control pairs of pair p show: a rate for K, bounds for token_gram and routers' answers. */
static int learn_controls(struct cg_kin *kins, const struct cg_findings *findings, const bool *control,
                          int64_t p, struct cg_err *err)
{
    int64_t n = 0;
    double *grams = cg_new((size_t)findings->npairs, sizeof *grams, err);
    if (!grams)
        return -1;
    for (int64_t q = 0; q < findings->npairs; q++) {
        if (q == p || !control[q] || !cg_pairs_share_a_model(findings->pairs[p], findings->pairs[q]))
            continue;
        const struct cg_kinship *of = kins[q].of;
        for (int64_t c = 0; c < of->ncells; c++)
            for (int method = 0; method < 2; method++)
                kins[p].rate[method] = fmax(kins[p].rate[method], count_of(&of->cells[c], method));
        kins[p].naming_bound = fmax(kins[p].naming_bound, mean_answer(of));
        if (!isnan(of->token_gram))
            grams[n++] = of->token_gram;
    }
    if (n >= LEAST_CONTROLS) {
        qsort(grams, (size_t)n, sizeof *grams, by_value);
        kins[p].token_bound = (1 + grams[(3 * n) / 4]) / 2;
        kins[p].tokens = kins[p].of->token_gram > kins[p].token_bound;
    }
    free(grams);
    return 0;
}

/* Whether cell c is a better account of its block's origin than cell d: by how alike they are, then by the
 * Gram test, then by the same place. */
static bool is_better(const struct cg_kinship *of, const struct cg_cell *c, const struct cg_cell *d)
{
    double x = cg_cell_likeness(c), y = cg_cell_likeness(d);
    if (fabs(x - y) > ALIKE)
        return x > y;
    const struct cg_ffn_block *block = &of->blocks[1][c->b];
    bool here_c = of->blocks[0][c->a].layer == block->layer && of->blocks[0][c->a].expert == block->expert,
         here_d = of->blocks[0][d->a].layer == block->layer && of->blocks[0][d->a].expert == block->expert;
    if (x < 0.1 && y < 0.1) /* told by the Gram test alone */
        return c->gram > d->gram;
    return here_c != here_d ? here_c : x > y;
}

static void take_cell(struct cg_kin *kin, int64_t c, bool *layer_passes)
{
    const struct cg_cell *cell = &kin->of->cells[c];
    for (int method = 0; method < CG_METHODS; method++) {
        double p = cg_cell_log10_p(kin, cell, (enum cg_method)method);
        kin->log10_p[cell->b] = fmin(kin->log10_p[cell->b], p);
        if (p < CG_PASS_LOG10_P)
            layer_passes[kin->of->blocks[1][cell->b].layer * CG_METHODS + method] = true;
    }
    if (cell->sample > 0) {
        kin->tested_exactly++;
        for (int half = 0; half < 2; half++)
            kin->exact[half] +=
                cg_bonferroni(cg_fixed_log10_p(cell->fixed[half]), kin->tests) < CG_PASS_LOG10_P;
    }
    int64_t *origin = &kin->origin[cell->b];
    if (passes_anyhow(kin, cell) && (*origin < 0 || is_better(kin->of, cell, &kin->of->cells[*origin])))
        *origin = c;
}

/* A layer comes from where the best of its blocks does. */
static void map_layers(struct cg_kin *kin)
{
    const struct cg_kinship *of = kin->of;
    for (int32_t l = 0; l < kin->layers; l++) {
        kin->from[l] = -1;
        kin->layer_log10_p[l] = NAN;
        int64_t best = -1;
        for (int32_t i = 0; i < of->nblocks[1]; i++) {
            int64_t c = kin->origin[i];
            if (of->blocks[1][i].layer != l)
                continue;
            kin->layer_log10_p[l] = fmin(kin->layer_log10_p[l], kin->log10_p[i]);
            if (c >= 0 && (best < 0 || is_better(of, &of->cells[c], &of->cells[best])))
                best = c;
        }
        if (best >= 0)
            kin->from[l] = of->blocks[0][of->cells[best].a].layer;
        kin->strongest = fmin(kin->strongest, kin->layer_log10_p[l]);
    }
}

/* Whether another expert of the same layer of a is as like the block as cell c's. Cells stand by b. */
static bool is_one_of_several(const struct cg_kinship *of, int64_t c)
{
    const struct cg_cell *cells = of->cells;
    double likeness = cg_cell_likeness(&cells[c]);
    for (int step = -1; step <= 1; step += 2)
        for (int64_t d = c + step; d >= 0 && d < of->ncells && cells[d].b == cells[c].b; d += step)
            if (of->blocks[0][cells[d].a].layer == of->blocks[0][cells[c].a].layer &&
                of->blocks[0][cells[d].a].expert >= 0 && likeness - cg_cell_likeness(&cells[d]) <= ALIKE)
                return true;
    return false;
}

enum cg_names cg_kin_names(const struct cg_kin *kin, int32_t i)
{
    const struct cg_kinship *of = kin->of;
    if (!of || !of->routed || kin->origin[i] < 0 || of->routed[i].expert < 0)
        return CG_NAMES_UNTOLD;
    const struct cg_ffn_block *a = &of->blocks[0][of->cells[kin->origin[i]].a];
    if (a->expert < 0 || a->layer != of->routed[i].layer || is_one_of_several(of, kin->origin[i]))
        return CG_NAMES_UNTOLD;
    return a->expert == of->routed[i].expert ? CG_NAMES_AGREE : CG_NAMES_DIFFER;
}

static void count_names(struct cg_kin *kin)
{
    int32_t last[2] = {-1, -1};
    for (int32_t i = 0; i < kin->of->nblocks[1]; i++) {
        enum cg_names names = cg_kin_names(kin, i);
        if (names == CG_NAMES_UNTOLD)
            continue;
        int by = kin->of->routed[i].by_tokens;
        struct cg_naming *naming = &kin->naming[by];
        naming->named++;
        naming->layers += kin->of->blocks[1][i].layer != last[by];
        last[by] = kin->of->blocks[1][i].layer;
        if (names == CG_NAMES_AGREE) {
            naming->same++;
            naming->cosine += kin->of->routed[i].cosine;
        }
    }
    for (int by = 0; by < 2; by++)
        kin->naming[by].cosine =
            kin->naming[by].same > 0 ? kin->naming[by].cosine / kin->naming[by].same : NAN;
    kin->naming_log10_p =
        kin->naming[0].named > 0 ? cg_agreement_log10_p(kin->naming[0].same, kin->naming[0].layers) : NAN;
}

static int judge(struct cg_kin *kin, struct cg_err *err)
{
    bool *layer_passes = cg_new((size_t)kin->layers * CG_METHODS, sizeof *layer_passes, err);
    if (!layer_passes)
        return -1;
    for (int32_t i = 0; i < kin->of->nblocks[1]; i++) {
        kin->origin[i] = -1;
        kin->log10_p[i] = NAN;
    }
    for (int64_t c = 0; c < kin->of->ncells; c++)
        take_cell(kin, c, layer_passes);
    for (int32_t l = 0; l < kin->layers; l++)
        for (int method = 0; method < CG_METHODS; method++)
            kin->passing[method] += layer_passes[l * CG_METHODS + method];
    free(layer_passes);
    kin->strongest = kin->columns_log10_p;
    map_layers(kin);
    count_names(kin);
    return 0;
}

int cg_kins_judge(struct cg_kin **out, const struct cg_findings *findings, const bool *silent,
                  struct cg_err *err)
{
    size_t n = (size_t)findings->npairs;
    bool *control = cg_new(n, sizeof *control, err);
    int result = control && (*out = cg_new(n, sizeof **out, err)) ? 0 : -1;
    for (size_t p = 0; result == 0 && findings->kinships && p < n; p++) {
        result = kin_init(&(*out)[p], &findings->kinships[p], err);
        control[p] = result == 0 && silent[p] && is_silent(&(*out)[p]);
    }
    for (size_t p = 0; result == 0 && findings->kinships && p < n; p++)
        if ((result = learn_controls(*out, findings, control, (int64_t)p, err)) == 0)
            result = judge(&(*out)[p], err);
    free(control);
    return result;
}

void cg_kins_release(struct cg_kin *kins, int64_t npairs)
{
    for (int64_t p = 0; kins && p < npairs; p++) {
        free(kins[p].origin);
        free(kins[p].log10_p);
        free(kins[p].from);
        free(kins[p].layer_log10_p);
    }
    free(kins);
}

bool cg_kin_gated(const struct cg_kin *kin)
{
    return kin->of && kin->of->nblocks[1] > 0 && kin->of->blocks[1][0].gated;
}

bool cg_kin_has_power(const struct cg_kin *kin)
{
    if (!kin->of || kin->of->ncells == 0)
        return false;
    int32_t covered = 0;
    for (int32_t l = 0; l < kin->layers; l++)
        covered += !isnan(kin->layer_log10_p[l]);
    int32_t planted[2] = {kin->of->planted_raw, kin->of->planted_probe};
    bool seen = false, taken[2] = {kin->of->cells[0].raw >= 0, kin->of->cells[0].probe >= 0};
    for (int method = 0; method < 2; method++)
        seen |= taken[method] && cg_bonferroni(cg_poisson_log10_tail(planted[method], kin->rate[method]),
                                               kin->tests) < CG_PASS_LOG10_P;
    return seen && 2 * covered >= kin->layers;
}
