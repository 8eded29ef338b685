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

#define WEIGHTED_SQUARES(name, type)                                                                         \
    CG_CLONES double name(const type *restrict x, const float *restrict weight, size_t n)                    \
    {                                                                                                        \
        double sum[CG_LANES] = {0};                                                                          \
        size_t whole = n - n % CG_LANES;                                                                     \
        for (size_t i = 0; i < whole; i += CG_LANES)                                                         \
            for (int l = 0; l < CG_LANES; l++) {                                                             \
                double v = (double)x[i + (size_t)l] * (double)weight[i + (size_t)l];                         \
                sum[l] += v * v;                                                                             \
            }                                                                                                \
        for (size_t i = whole; i < n; i++) {                                                                 \
            double v = (double)x[i] * (double)weight[i];                                                     \
            sum[i - whole] += v * v;                                                                         \
        }                                                                                                    \
        return fold(sum);                                                                                    \
    }

WEIGHTED_SQUARES(cg_block_weighted_squares, double)
WEIGHTED_SQUARES(cg_single_weighted_squares, float)

CG_CLONES double cg_single_spread(const float *restrict x, double mean, size_t n)
{
    double sum[CG_LANES] = {0};
    size_t whole = n - n % CG_LANES;
    for (size_t i = 0; i < whole; i += CG_LANES)
        for (int l = 0; l < CG_LANES; l++) {
            double d = (double)x[i + (size_t)l] - mean;
            sum[l] += d * d;
        }
    for (size_t i = whole; i < n; i++)
        sum[i - whole] += ((double)x[i] - mean) * ((double)x[i] - mean);
    return fold(sum);
}

#define DIFFERENCE(name, type)                                                                               \
    CG_CLONES double name(const type *restrict a, const type *restrict b, size_t n)                          \
    {                                                                                                        \
        double sum[CG_LANES] = {0};                                                                          \
        size_t whole = n - n % CG_LANES;                                                                     \
        for (size_t i = 0; i < whole; i += CG_LANES)                                                         \
            for (int l = 0; l < CG_LANES; l++) {                                                             \
                double d = (double)b[i + (size_t)l] - (double)a[i + (size_t)l];                              \
                sum[l] += d * d;                                                                             \
            }                                                                                                \
        for (size_t i = whole; i < n; i++) {                                                                 \
            double d = (double)b[i] - (double)a[i];                                                          \
            sum[i - whole] += d * d;                                                                         \
        }                                                                                                    \
        return fold(sum);                                                                                    \
    }

DIFFERENCE(cg_block_difference, double)
DIFFERENCE(cg_single_difference, float)

/* ---- On floats: four lanes are a vector, and two of the four vectors run at a time, which fit the registers
 * of every instruction set with all their sums ---- */

enum { WIDTH = 4, RUNNING = 2, SPAN = WIDTH * RUNNING };
typedef double vector __attribute__((vector_size(WIDTH * sizeof(double))));

/* Exact products make a multiplication and an addition in one instruction worth allowing. */
#ifdef __clang__
#define CONTRACT
#else
#define CONTRACT __attribute__((optimize("fp-contract=fast")))
#endif

#define WIDEN(x) ((vector){(double)(x)[0], (double)(x)[1], (double)(x)[2], (double)(x)[3]})

CG_CLONES void cg_single_extremes(const float *restrict x, size_t n, struct cg_block_moments *restrict out)
{
    enum { MANY = 2 * CG_LANES };
    float low[MANY], high[MANY];
    for (int l = 0; l < MANY; l++)
        low[l] = high[l] = x[0];
    size_t whole = n - n % MANY;
    for (size_t i = 0; i < whole; i += MANY)
        for (size_t l = 0; l < MANY; l++) {
            low[l] = x[i + l] < low[l] ? x[i + l] : low[l];
            high[l] = x[i + l] > high[l] ? x[i + l] : high[l];
        }
    for (size_t i = whole; i < n; i++) {
        low[0] = x[i] < low[0] ? x[i] : low[0];
        high[0] = x[i] > high[0] ? x[i] : high[0];
    }
    for (int l = 1; l < MANY; l++) {
        low[0] = low[l] < low[0] ? low[l] : low[0];
        high[0] = high[l] > high[0] ? high[l] : high[0];
    }
    out->minimum = (double)low[0];
    out->maximum = (double)high[0];
}

CG_CLONES CONTRACT void cg_single_moments(const float *restrict x, size_t n,
                                          struct cg_block_moments *restrict out)
{
    double sum[CG_LANES], squares[CG_LANES];
    size_t whole = n - n % CG_LANES;
    for (size_t first = 0; first < CG_LANES; first += SPAN) {
        vector s[RUNNING] = {{0}}, q[RUNNING] = {{0}};
        for (size_t i = first; i < whole; i += CG_LANES)
            for (int k = 0; k < RUNNING; k++) {
                vector v = WIDEN(x + i + WIDTH * k);
                s[k] += v;
                q[k] += v * v;
            }
        memcpy(sum + first, s, sizeof s);
        memcpy(squares + first, q, sizeof q);
    }
    for (size_t i = whole; i < n; i++) {
        double v = (double)x[i];
        sum[i - whole] += v;
        squares[i - whole] += v * v;
    }
    out->sum = fold(sum);
    out->squares = fold(squares);
}

CG_CLONES CONTRACT double cg_single_product(const float *restrict a, const float *restrict b, size_t n)
{
    double sum[CG_LANES];
    size_t whole = n - n % CG_LANES;
    for (size_t first = 0; first < CG_LANES; first += SPAN) {
        vector s[RUNNING] = {{0}};
        for (size_t i = first; i < whole; i += CG_LANES)
            for (int k = 0; k < RUNNING; k++)
                s[k] += WIDEN(a + i + WIDTH * k) * WIDEN(b + i + WIDTH * k);
        memcpy(sum + first, s, sizeof s);
    }
    for (size_t i = whole; i < n; i++)
        sum[i - whole] += (double)a[i] * (double)b[i];
    return fold(sum);
}

static inline uint64_t hash_of(double value, uint64_t index)
{
    uint64_t hash;
    value += 0.0; /* of minus 0: 0 */
    __builtin_memcpy(&hash, &value, sizeof hash);
    hash += index * UINT64_C(0x9E3779B97F4A7C15);
    hash = (hash ^ hash >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    hash = (hash ^ hash >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return hash ^ hash >> 32;
}

CG_CLONES uint64_t cg_block_hash(struct cg_values x, uint64_t first, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; x.single && i < n; i++)
        sum += hash_of((double)x.single[i], first + i);
    for (size_t i = 0; x.wide && i < n; i++)
        sum += hash_of(x.wide[i], first + i);
    return sum;
}

CG_CLONES CONTRACT double cg_single_pair(const float *restrict a, const float *restrict b, size_t n,
                                         struct cg_block_moments *restrict out)
{
    double sum[2][CG_LANES], squares[2][CG_LANES], product[CG_LANES];
    size_t whole = n - n % CG_LANES;
    for (size_t first = 0; first < CG_LANES; first += SPAN) {
        vector sa[RUNNING] = {{0}}, qa[RUNNING] = {{0}}, sb[RUNNING] = {{0}}, qb[RUNNING] = {{0}},
               p[RUNNING] = {{0}};
        for (size_t i = first; i < whole; i += CG_LANES)
            for (int k = 0; k < RUNNING; k++) {
                vector v = WIDEN(a + i + WIDTH * k), w = WIDEN(b + i + WIDTH * k);
                sa[k] += v;
                qa[k] += v * v;
                sb[k] += w;
                qb[k] += w * w;
                p[k] += v * w;
            }
        memcpy(sum[0] + first, sa, sizeof sa);
        memcpy(squares[0] + first, qa, sizeof qa);
        memcpy(sum[1] + first, sb, sizeof sb);
        memcpy(squares[1] + first, qb, sizeof qb);
        memcpy(product + first, p, sizeof p);
    }
    for (size_t i = whole; i < n; i++) {
        double v = (double)a[i], w = (double)b[i];
        sum[0][i - whole] += v;
        squares[0][i - whole] += v * v;
        sum[1][i - whole] += w;
        squares[1][i - whole] += w * w;
        product[i - whole] += v * w;
    }
    for (int m = 0; m < 2; m++) {
        out[m].sum = fold(sum[m]);
        out[m].squares = fold(squares[m]);
    }
    return fold(product);
}

#define SIGNED_ADD(name, type)                                                                               \
    CG_CLONES void name(double *restrict sums, const type *restrict x, const uint64_t *restrict bits,        \
                        size_t n)                                                                            \
    {                                                                                                        \
        for (size_t i = 0; i < n; i++)                                                                       \
            sums[i] += bits[i / 64] >> i % 64 & 1 ? -(double)x[i] : (double)x[i];                            \
    }

SIGNED_ADD(cg_block_signed_add, double)
SIGNED_ADD(cg_single_signed_add, float)

/* Half a word at a time: 32 bits are shifted where vectors have no shifts of 64. */
CG_CLONES void cg_single_signed_add_single(float *restrict sums, const float *restrict x,
                                           const uint64_t *restrict bits, size_t n)
{
    enum { MANY = 32 };
    size_t whole = n - n % MANY;
    for (size_t i = 0; i < whole; i += MANY) {
        uint32_t half = (uint32_t)(bits[i / 64] >> i % 64);
        for (size_t k = 0; k < MANY; k++) {
            uint32_t value;
            float changed;
            __builtin_memcpy(&value, x + i + k, sizeof value);
            value ^= half << (MANY - 1 - k) & UINT32_C(1) << 31;
            __builtin_memcpy(&changed, &value, sizeof changed);
            sums[i + k] += changed;
        }
    }
    for (size_t i = whole; i < n; i++)
        sums[i] += bits[i / 64] >> i % 64 & 1 ? -x[i] : x[i];
}

CG_CLONES void cg_single_join(double *restrict sums, float *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sums[i] += (double)x[i];
    memset(x, 0, n * sizeof *x);
}
