#include "pair_512.h"
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)

#include "cognate/clones.h"
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f")))

enum { WIDTH = 8, VECTORS = CG_LANES / WIDTH };

/* The lanes of the five sums. */
struct lanes {
    __m512d sum[2][VECTORS], squares[2][VECTORS], product[VECTORS];
};

/* Adds eight values of each. Products of floats are exact in double, so that nothing is rounded but the sums.
 */
TARGET CG_ALWAYS_INLINE void add_eight(struct lanes *lanes, int k, __m256 a, __m256 b)
{
    __m512d v = _mm512_cvtps_pd(a), w = _mm512_cvtps_pd(b);
    lanes->sum[0][k] = _mm512_add_pd(lanes->sum[0][k], v);
    lanes->squares[0][k] = _mm512_fmadd_pd(v, v, lanes->squares[0][k]);
    lanes->sum[1][k] = _mm512_add_pd(lanes->sum[1][k], w);
    lanes->squares[1][k] = _mm512_fmadd_pd(w, w, lanes->squares[1][k]);
    lanes->product[k] = _mm512_fmadd_pd(v, w, lanes->product[k]);
}

/* As kernels.h says: 16 lanes, 8, 4, 2, 1. */
TARGET CG_ALWAYS_INLINE double fold(const __m512d lane[VECTORS])
{
    __m512d eight = _mm512_add_pd(lane[0], lane[1]);
    __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

TARGET CG_ALWAYS_INLINE void add_sixteen(struct lanes *lanes, const float *a, const float *b)
{
    for (int k = 0; k < VECTORS; k++)
        add_eight(lanes, k, _mm256_loadu_ps(a + WIDTH * k), _mm256_loadu_ps(b + WIDTH * k));
}

/* What is left behind the last sixteen is filled up with 0, which changes no lane: none is ever minus 0. */
TARGET static double pair_of(const float *restrict a, const float *restrict b, size_t n,
                             struct cg_block_moments *restrict out)
{
    struct lanes lanes = {0};
    float rest[2][CG_LANES] = {{0}};
    size_t whole = n - n % CG_LANES;
    for (size_t i = 0; i < whole; i += CG_LANES)
        add_sixteen(&lanes, a + i, b + i);
    memcpy(rest[0], a + whole, (n - whole) * sizeof *a);
    memcpy(rest[1], b + whole, (n - whole) * sizeof *b);
    add_sixteen(&lanes, rest[0], rest[1]);
    for (int m = 0; m < 2; m++) {
        out[m].sum = fold(lanes.sum[m]);
        out[m].squares = fold(lanes.squares[m]);
    }
    return fold(lanes.product);
}

bool cg_pair_512(const float *a, const float *b, size_t n, struct cg_block_moments *out, double *product)
{
    bool has = __builtin_cpu_supports("avx512f");
    if (has)
        *product = pair_of(a, b, n, out);
    return has;
}

#else

bool cg_pair_512(const float *a, const float *b, size_t n, struct cg_block_moments *out, double *product)
{
    (void)a;
    (void)b;
    (void)n;
    (void)out;
    (void)product;
    return false;
}

#endif
