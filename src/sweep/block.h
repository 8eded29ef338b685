/* One block of every member of a bundle: decoded, measured, and made finite. */
#ifndef COGNATE_SWEEP_BLOCK_H
#define COGNATE_SWEEP_BLOCK_H

#include "cognate/dtype.h"
#include "cognate/err.h"
#include "products.h"
#include <stdbool.h>

struct cg_block_member {
    struct cg_values values; /* [CG_BLOCK]; a NaN or an infinity stands as 0; floats may lie elsewhere */
    struct cg_block_moments moments; /* of the finite values; minimum and maximum NaN when there is none */
    double low, high;                /* known before: no value lies beyond */
    double least, greatest;          /* of the chunk's blocks so far; NaN before the first */
    double rounding;                 /* sum of the squared errors that rounding to the stored type explains */
    size_t nonfinite;
    uint64_t mask[CG_BLOCK / 64]; /* which values were not finite; valid when nonfinite > 0 */
    uint64_t oddities; /* a hash of where which kind of non-finite value stood; 0 when all are finite */
};

struct cg_block {
    int members; /* in use */
    bool single; /* values are floats */
    size_t n;    /* values in use, <= CG_BLOCK */
    struct cg_block_member *member;
    double *products; /* [pairs] */
    float *singles;
    double *wides, *lanes;
};

/* Room for that many members. */
int cg_block_init(struct cg_block *block, int members, struct cg_err *err);
void cg_block_release(struct cg_block *block);

/* Takes up that many members, at most those of init. Floats, where all values are such, halve the work on
 * each member. The sums are the same. */
void cg_block_begin(struct cg_block *block, int members, bool floats);

/* The next block is the first of a chunk. */
void cg_block_begin_chunk(struct cg_block *block);

/* Where the values of member m go; the first only when the block is single, else the second. */
float *cg_block_singles(struct cg_block *block, int m);
double *cg_block_wides(struct cg_block *block, int m);

/* Fills member m, with its rounding and bounds, from n elements at `stored`; n >= 1. */
void cg_block_decode(struct cg_block *block, int m, enum cg_dtype dtype, const void *stored, size_t n);

/* When all members have their n values, in their places or pointed to, their rounding and their bounds.
 * Extremes are not looked for where the bounds lie within those of the chunk so far, which stand for the
 * block's then. */
void cg_block_measure(struct cg_block *block, size_t n);

/* The sums of the products of every two members' values, [cg_pair_index(i, j)]; valid until the next call.
 * Measured before. */
const double *cg_block_multiply(struct cg_block *block);

static inline bool cg_mask_bit(const uint64_t *mask, size_t i)
{
    return mask[i / 64] >> i % 64 & 1;
}

#endif
