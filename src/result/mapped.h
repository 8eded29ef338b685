/* What the sketches of a pair's layers come to (maps.h), judged beside the other pairs of the run. Pure.
 *
 * A cell passes with p < 1e-12 after correction for all cells of the pair, where
 *     z = (cosine - floor) / sd,  p = exp(-z^2 / 2),
 * and the floor is CG_STRANGE_COSINE, or the largest cosine in a cell of the control pairs where that is
 * more: pairs of the run in which nothing passes, and that share a model with this one.
 */
#ifndef COGNATE_RESULT_MAPPED_H
#define COGNATE_RESULT_MAPPED_H

#include "kin.h"

struct cg_mapped {
    const struct cg_maps *of; /* NULL: no sketches were taken */
    double floor;
    int64_t tests;
    int32_t layers;                  /* of b that have matrices */
    int32_t *from[CG_MAP_GROUPS];    /* [layers] the layer of a, -1: none passes */
    double *log10_p[CG_MAP_GROUPS];  /* [layers] corrected, of the best cell; NaN: none */
    int32_t passing[CG_MAP_GROUPS];  /* layers of b in which a cell passes */
    bool role_passed[CG_ROLE_COUNT]; /* alone, in some cell */
    double strongest;                /* log10 p, corrected; NaN: nothing was compared */
};

/* [npairs], in *out. `silent` says of each pair that nothing else passes; a pair in which a cell does is
 * taken out of it. */
int cg_mapped_judge(struct cg_mapped **out, const struct cg_findings *findings, bool *silent,
                    struct cg_err *err);

/* Again, with the floors that the pairs still silent give to those that share a model with them. */
void cg_mapped_control(struct cg_mapped *mapped, const struct cg_findings *findings, const bool *silent);

void cg_mapped_release(struct cg_mapped *mapped, int64_t npairs);

#endif
