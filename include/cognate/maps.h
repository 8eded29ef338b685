/* Layers of a pair held against each other by sketches of their matrices, in whatever place they stand.
 *
 * Every matrix of attention, and of feed-forward blocks outside experts, is held against every one of the
 * other model that has its role and shape. x and y are their sketches (features.h), each less its mean times
 * the sketch of ones, of unit length; then
 *
 *     c = sum x_k y_k,  v = sum x_k^2 y_k^2 (over buckets k),
 *
 * and of two layers, over the n roles that both have in one shape: cosine = sum c / n, sd = sqrt(sum v) / n.
 * Survives moved layers and what training changes; not another basis, permuted heads or other shapes.
 *
 * Null: the signs of the sketches make x_k y_k symmetric about 0 for matrices that have nothing to do with
 * each other, so P(cosine / sd >= z) <= exp(-z^2 / 2) (Hoeffding 1963, doi 10.1080/01621459.1963.10500830,
 * with the sums self-normalised). Strangers that read the same text may resemble each other a little, so z
 * is taken from a cosine of CG_STRANGE_COSINE on, or more where controls show more (result/mapped.h).
 */
#ifndef COGNATE_MAPS_H
#define COGNATE_MAPS_H

#include "cognate/anatomy.h"
#include "cognate/comm.h"
#include "cognate/plan.h"
#include "cognate/sweep.h"
#include <stdint.h>

#define CG_STRANGE_COSINE 0.1

struct cg_map_cell {
    int32_t roles;     /* n; 0: nothing to compare */
    double cosine, sd; /* NaN where roles is 0 */
};

enum cg_map_group { CG_MAP_ATTENTION, CG_MAP_FFN, CG_MAP_GROUPS };

/* Of a pair; the same on every rank. */
struct cg_maps {
    int32_t layers[2];                       /* one more than the highest of a, of b */
    struct cg_map_cell *cell[CG_MAP_GROUPS]; /* [layers[0] * layers[1]] */
    struct cg_map_cell role[CG_ROLE_COUNT];  /* of each role alone the cell of the largest cosine / sd */
};

/* Collective, agreed. Memory a rank while it runs: the sketches of both models outside experts. Work: a few
 * operations a bucket, role and pair of layers. */
int cg_maps_find(const struct cg_comm *comm, const struct cg_checkpoint *const *models,
                 const struct cg_anatomy *anatomy, const struct cg_plan *plan, const struct cg_sweep *sweep,
                 int a, int b, struct cg_maps *out, struct cg_err *err);
void cg_maps_release(struct cg_maps *maps);

#endif
