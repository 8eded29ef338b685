/* The arithmetic of the sweep on one block of decoded values.
 *
 * A block is up to CG_BLOCK values, 64-byte aligned where the caller can. Every sum runs in 16 double lanes:
 * element i belongs to lane i % 16, a lane adds in the order of its elements, and the lanes fold as
 * ((0+8)+(4+12)) + ... in one fixed tree. With no contraction (-ffp-contract=off) the bits are the same for
 * every instruction set and every compiler. Products of floats are exact in double: there contraction changes
 * nothing, and the functions on floats give the bits of those on the same values as doubles.
 * All functions local and pure.
 */
#ifndef COGNATE_SWEEP_KERNELS_H
#define COGNATE_SWEEP_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* The size of a block is part of the order of the sums: a journal names it. */
enum { CG_BLOCK = 2048, CG_LANES = 16 };

/* Values as the one type or the other; the other pointer is NULL. */
struct cg_values {
    const float *single;
    const double *wide;
};

static inline double cg_value(struct cg_values x, size_t i)
{
    return x.single ? (double)x.single[i] : x.wide[i];
}

struct cg_block_moments {
    double sum, squares, minimum, maximum; /* of n >= 1 finite values */
};

/* With a NaN or an infinity among the values `squares` is not finite, and nothing else is promised. */
void cg_block_moments(const double *x, size_t n, struct cg_block_moments *out);

/* Of floats: sum and squares alone, minimum and maximum alone. */
void cg_single_moments(const float *x, size_t n, struct cg_block_moments *out);
void cg_single_extremes(const float *x, size_t n, struct cg_block_moments *out);

/* The sum of a[i] * b[i]; n of any size. */
double cg_block_product(const double *a, const double *b, size_t n);
double cg_single_product(const float *a, const float *b, size_t n);

/* Sums and squares of both, out[2], and the product, in one pass. */
double cg_single_pair(const float *a, const float *b, size_t n, struct cg_block_moments *out);

/* The sum of (x[i] * weight[i])^2; n of any size. */
double cg_block_weighted_squares(const double *x, const float *weight, size_t n);
double cg_single_weighted_squares(const float *x, const float *weight, size_t n);

/* The sum of (x[i] - mean)^2; n of any size. */
double cg_single_spread(const float *x, double mean, size_t n);

/* The sum of (b[i] - a[i])^2. */
double cg_block_difference(const double *a, const double *b, size_t n);
double cg_single_difference(const float *a, const float *b, size_t n);

/* The sum, modulo 2^64, over n values of a hash of the value and its index, which begins at `first`; 0 and
 * minus 0 are the same. The hash h of bits b at index i, all modulo 2^64:
 *     h = b + i 0x9E3779B97F4A7C15,  h = (h ^ h >> 32) 0xD6E8FEB86659FD93,  twice;  h ^ h >> 32. */
uint64_t cg_block_hash(struct cg_values x, uint64_t first, size_t n);

/* Adds x[i] to sums[i], or takes it away where bit i of bits (bits[i / 64] >> i % 64) is set. */
void cg_block_signed_add(double *sums, const double *x, const uint64_t *bits, size_t n);
void cg_single_signed_add(double *sums, const float *x, const uint64_t *bits, size_t n);
void cg_single_signed_add_single(float *sums, const float *x, const uint64_t *bits, size_t n);

/* Adds each of n floats to the sum in its place, and leaves 0. */
void cg_single_join(double *sums, float *x, size_t n);

#endif
