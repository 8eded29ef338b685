/* The arithmetic of the sweep on all pairs of a block's members at a time, which many models make most of the
 * work. The pair of members i < j has the index cg_pair_index(i, j). Local and pure.
 */
#ifndef COGNATE_SWEEP_PRODUCTS_H
#define COGNATE_SWEEP_PRODUCTS_H

#include "kernels.h"
#include <math.h>
#include <stdbool.h>

/* From one member's values to the next one's: not a power of two, for then they would share places in the
 * cache. */
enum { CG_STRIDE = CG_BLOCK + 8 };

static inline int64_t cg_pairs(int32_t members)
{
    return (int64_t)members * (members - 1) / 2;
}

static inline int64_t cg_pair_index(int32_t i, int32_t j)
{
    return i < j ? (int64_t)j * (j - 1) / 2 + i : (int64_t)i * (i - 1) / 2 + j;
}

/* out[pair] is cg_block_product of the n values at x + i * CG_STRIDE and at x + j * CG_STRIDE, n <= CG_BLOCK,
 * with its very bits. `floats`: all values are floats, whose products are exact. lanes[pairs * CG_LANES] is
 * scratch. */
void cg_block_products(const double *x, int32_t members, size_t n, bool floats, double *lanes, double *out);

/* out[pair] is |a|^2 + |b|^2 - 2 a b where that is finite and more than the share `close` of the first two;
 * else -1.
 */
void cg_far_differences(const double *squares, int32_t members, const double *products, double close,
                        double *out);

/* Adds x to *sum, and to *lost the rounding error of that (Neumaier 1974, doi 10.1002/zamm.19740540106). */
static inline void cg_wide_add_one(double *sum, double *lost, double x)
{
    double total = *sum + x, of_x = (*sum - total) + x, of_sum = (x - total) + *sum;
    *lost += fabs(*sum) >= fabs(x) ? of_x : of_sum;
    *sum = total;
}

/* The same of n sums. */
void cg_wide_add(double *sum, double *lost, const double *x, size_t n);

#endif
