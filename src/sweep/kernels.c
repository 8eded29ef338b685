#include "kernels.h"
#include "cognate/clones.h"
#include <string.h>

/* Halves meet: 16 lanes, 8, 4, 2, 1. */
static inline double fold(double *lane)
{
    for (int width = CG_LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            lane[i] += lane[i + width];
    return lane[0];
}

CG_CLONES void cg_block_moments(const double *restrict x, size_t n, struct cg_block_moments *restrict out)
{
    double sum[CG_LANES] = {0}, squares[CG_LANES] = {0}, low[CG_LANES], high[CG_LANES];
    for (int l = 0; l < CG_LANES; l++)
        low[l] = high[l] = x[0];
    size_t whole = n - n % CG_LANES;
    for (size_t i = 0; i < whole; i += CG_LANES)
        for (int l = 0; l < CG_LANES; l++) {
            double v = x[i + (size_t)l];
            sum[l] += v;
            squares[l] += v * v;
            low[l] = v < low[l] ? v : low[l];
            high[l] = v > high[l] ? v : high[l];
        }
    for (size_t i = whole; i < n; i++) {
        size_t l = i - whole;
        sum[l] += x[i];
        squares[l] += x[i] * x[i];
        low[l] = x[i] < low[l] ? x[i] : low[l];
        high[l] = x[i] > high[l] ? x[i] : high[l];
    }
    for (int l = 1; l < CG_LANES; l++) {
        low[0] = low[l] < low[0] ? low[l] : low[0];
        high[0] = high[l] > high[0] ? high[l] : high[0];
    }
    *out = (struct cg_block_moments){fold(sum), fold(squares), low[0], high[0]};
}

CG_CLONES double cg_block_product(const double *restrict a, const double *restrict b, size_t n)
{
    double sum[CG_LANES] = {0};
    size_t whole = n - n % CG_LANES;
    for (size_t i = 0; i < whole; i += CG_LANES)
        for (int l = 0; l < CG_LANES; l++)
            sum[l] += a[i + (size_t)l] * b[i + (size_t)l];
    for (size_t i = whole; i < n; i++)
        sum[i - whole] += a[i] * b[i];
    return fold(sum);
}

CG_CLONES double cg_block_weighted_squares(const double *restrict x, const float *restrict weight, size_t n)
{
    double sum[CG_LANES] = {0};
    size_t whole = n - n % CG_LANES;
    for (size_t i = 0; i < whole; i += CG_LANES)
        for (int l = 0; l < CG_LANES; l++) {
            double v = x[i + (size_t)l] * (double)weight[i + (size_t)l];
            sum[l] += v * v;
        }
    for (size_t i = whole; i < n; i++) {
        double v = x[i] * (double)weight[i];
        sum[i - whole] += v * v;
    }
    return fold(sum);
}

CG_CLONES double cg_block_difference(const double *restrict a, const double *restrict b, size_t n)
{
    double sum[CG_LANES] = {0};
    size_t whole = n - n % CG_LANES;
    for (size_t i = 0; i < whole; i += CG_LANES)
        for (int l = 0; l < CG_LANES; l++) {
            double d = b[i + (size_t)l] - a[i + (size_t)l];
            sum[l] += d * d;
        }
    for (size_t i = whole; i < n; i++)
        sum[i - whole] += (b[i] - a[i]) * (b[i] - a[i]);
    return fold(sum);
}

/* The bits of a 1 whose sign is the one wanted: whole numbers alone, since turning 64-bit ones into doubles is
 * slow without AVX-512. */
CG_CLONES static void one_by_sign(const uint64_t *restrict bits, uint64_t *restrict ones)
{
    for (size_t w = 0; w < CG_BLOCK / 64; w++)
        for (size_t i = 0; i < 64; i++)
            ones[64 * w + i] = UINT64_C(0x3FF0000000000000) | (bits[w] >> i & 1) << 63;
}

void cg_block_signs(const uint64_t *bits, double *signs)
{
    uint64_t ones[CG_BLOCK];
    one_by_sign(bits, ones);
    memcpy(signs, ones, sizeof ones);
}

CG_CLONES void cg_block_signed_add(double *restrict sums, const double *restrict x,
                                   const double *restrict signs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sums[i] += x[i] * signs[i];
}
