/* One block of every member of a bundle: decoded, measured, and made finite. */
#ifndef COGNATE_SWEEP_BLOCK_H
#define COGNATE_SWEEP_BLOCK_H

#include "cognate/dtype.h"
#include "cognate/err.h"
#include "kernels.h"
#include <stdbool.h>

struct cg_block_member {
    double *values;                  /* [CG_BLOCK]; a NaN or an infinity stands as 0 */
    struct cg_block_moments moments; /* of the finite values; minimum and maximum NaN when there is none */
    double rounding;                 /* sum of the squared errors that rounding to the stored type explains */
    size_t nonfinite;
    uint64_t mask[CG_BLOCK / 64]; /* which values were not finite; valid when nonfinite > 0 */
    uint64_t oddities; /* a hash of where which kind of non-finite value stood; 0 when all are finite */
};

struct cg_block {
    int members;
    size_t n; /* values in use, <= CG_BLOCK */
    struct cg_block_member *member;
    double *memory;
};

int cg_block_init(struct cg_block *block, int members, struct cg_err *err);
void cg_block_release(struct cg_block *block);

/* Fills member m from n elements at `stored`; n >= 1. Sets block->n. */
void cg_block_decode(struct cg_block *block, int m, enum cg_dtype dtype, const void *stored, size_t n);

/* The same when its n values are already there, with what rounding explains of them. */
void cg_block_measure(struct cg_block *block, int m, size_t n, double rounding);

static inline bool cg_mask_bit(const uint64_t *mask, size_t i)
{
    return mask[i / 64] >> i % 64 & 1;
}

#endif
