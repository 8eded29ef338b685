/* Gram matrices of a pair's cells against common shifts of their units (blocks.h). */
#ifndef COGNATE_EVIDENCE_GRAMS_H
#define COGNATE_EVIDENCE_GRAMS_H

#include "cognate/blocks.h"

struct cg_grams {
    const float *squares[2]; /* of either side's blocks, by place, each square^2: the n x n Gram matrix, from
                                the first element on, n = min(units, square) */
    const int32_t *place[2]; /* [nblocks] of either side */
    int64_t square;
};

/* Adds t of each cell to t[ncells], all 0, those that are this rank's share; NaN, by rank 0, where the two
 * blocks differ in units or kind, and where n - 1 < CG_SHIFTS. No cell's bits depend on the others or on the
 * number of ranks. Local. Memory: 8 MiB. */
int cg_grams_compare(const struct cg_comm *comm, const struct cg_kinship *of, const struct cg_grams *grams,
                     double *t, struct cg_err *err);

#endif
