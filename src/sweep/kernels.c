#include "kernels.h"
#include "cognate/clones.h"

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

CG_CLONES uint64_t cg_block_hash(const double *x, uint64_t first, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        double value = x[i] + 0.0; /* of minus 0: 0 */
        uint64_t hash;
        __builtin_memcpy(&hash, &value, sizeof hash);
        hash += (first + i) * UINT64_C(0x9E3779B97F4A7C15);
        hash = (hash ^ hash >> 32) * UINT64_C(0xD6E8FEB86659FD93);
        hash = (hash ^ hash >> 32) * UINT64_C(0xD6E8FEB86659FD93);
        sum += hash ^ hash >> 32;
    }
    return sum;
}

CG_CLONES void cg_block_signs(const uint64_t *restrict bits, double *restrict signs)
{
    for (size_t w = 0; w < CG_BLOCK / 64; w++)
        for (size_t i = 0; i < 64; i++)
            signs[64 * w + i] = 1.0 - 2.0 * (double)(int64_t)(bits[w] >> i & 1);
}

CG_CLONES void cg_block_signed_add(double *restrict sums, const double *restrict x,
                                   const double *restrict signs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sums[i] += x[i] * signs[i];
}
