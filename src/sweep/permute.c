#include "permute.h"
#include <math.h>

#if defined(__x86_64__) && defined(__GNUC__)

#include "places_512.h"

#define TARGET __attribute__((target("avx2")))

enum { MANY = 32, EIGHT = 8 }; /* codes at a time, and in a vector */

/* What all codes of a block stand for. */
TARGET CG_ALWAYS_INLINE __m256 eight_values(const struct cg_code_run *run, float scale, float zero)
{
    __m256i codes =
        _mm256_sub_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(run->offset));
    __m256 numbers = _mm256_sub_ps(_mm256_cvtepi32_ps(codes), _mm256_set1_ps(zero));
    return _mm256_mul_ps(numbers, _mm256_set1_ps(scale));
}

/* Those of fewer than four bits several times over, so that what lies above a code makes no difference. */
TARGET_512 CG_ALWAYS_INLINE __m512 sixteen_values(const struct cg_code_run *run, int bits, float scale,
                                                  float zero)
{
    const __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i codes = _mm512_sub_epi32(_mm512_and_si512(places, _mm512_set1_epi32((1 << bits) - 1)),
                                     _mm512_set1_epi32(run->offset));
    __m512 numbers = _mm512_sub_ps(_mm512_cvtepi32_ps(codes), _mm512_set1_ps(zero));
    return _mm512_mul_ps(numbers, _mm512_set1_ps(scale));
}

/* The squared steps of n codes of a block. */
static inline double squares_of(float scale, size_t n)
{
    return isfinite(scale) ? (double)n * ((double)scale * (double)scale) : 0;
}

/* Sixteen codes fill as many bytes as twice their bits. No byte beyond them is read: of three bits the second
 * eight lie in the upper bits of the last four bytes. */
TARGET CG_ALWAYS_INLINE void pick_sixteen(const uint8_t *bytes, int bits, __m256 table, float *values)
{
    const __m256i places =
        _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(bits));
    __m256i next = _mm256_add_epi32(places, _mm256_set1_epi32(bits == 2 ? 16 : 8));
    __m256i first = _mm256_set1_epi32(cg_word_at(bytes)),
            second = _mm256_set1_epi32(cg_word_at(bytes + 2 * bits - 4));
    first = _mm256_srlv_epi32(first, places);
    second = _mm256_srlv_epi32(second, next);
    if (bits == 2) {
        _mm256_storeu_ps(values, _mm256_permutevar_ps(table, first));
        _mm256_storeu_ps(values + EIGHT, _mm256_permutevar_ps(table, second));
    } else {
        _mm256_storeu_ps(values, _mm256_permutevar8x32_ps(table, first));
        _mm256_storeu_ps(values + EIGHT, _mm256_permutevar8x32_ps(table, second));
    }
}

TARGET CG_ALWAYS_INLINE double take(const struct cg_code_run *run, int bits,
                                    const struct cg_code_blocks *blocks, size_t n, float *restrict values)
{
    double sum = 0;
    size_t i = 0, b = 0;
    for (size_t end = blocks->length - blocks->skip; i < n; end += blocks->length, b++) {
        size_t stop = end < n ? end : n;
        __m256 table = eight_values(run, blocks->scale[b], blocks->zero[b]);
        if (bits == 2) /* its four, in both halves */
            table = _mm256_permute2f128_ps(table, table, 0);
        sum += squares_of(blocks->scale[b], stop - i);
        for (; i < stop; i += SIXTEEN)
            pick_sixteen(run->bytes + i / EIGHT * (size_t)bits, bits, table, values + i);
    }
    return sum;
}

TARGET_512 CG_ALWAYS_INLINE double take_512(const struct cg_code_run *run, int bits, bool halves,
                                            const struct cg_code_blocks *blocks, size_t n,
                                            float *restrict values)
{
    const __m128i down = _mm_cvtsi32_si128(run->shift);
    double sum = 0;
    size_t i = 0, b = 0;
    for (size_t end = blocks->length - blocks->skip; i < n; end += blocks->length, b++) {
        size_t stop = end < n ? end : n;
        __m512 table = sixteen_values(run, bits, blocks->scale[b], blocks->zero[b]);
        sum += squares_of(blocks->scale[b], stop - i);
        for (; i < stop; i += MANY) {
            __m512i places[2];
            if (halves)
                bytes_in_order(run->bytes + i, places);
            for (size_t k = 0; k < 2; k++)
                places[k] = halves ? _mm512_srl_epi32(places[k], down)
                                   : sixteen_places(run->bytes + (i / SIXTEEN + k) * 2 * (size_t)bits, bits);
            for (int k = 0; k < 2; k++)
                _mm512_storeu_ps(values + i + SIXTEEN * k, _mm512_permutexvar_ps(places[k], table));
        }
    }
    return sum;
}

#define TAKER(name, target, call)                                                                            \
    target static double name(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,  \
                              float *values)                                                                 \
    {                                                                                                        \
        return call;                                                                                         \
    }

TAKER(take_twos, TARGET, take(run, 2, blocks, n, values))
TAKER(take_threes, TARGET, take(run, 3, blocks, n, values))
TAKER(take_twos_512, TARGET_512, take_512(run, 2, false, blocks, n, values))
TAKER(take_threes_512, TARGET_512, take_512(run, 3, false, blocks, n, values))
TAKER(take_nibbles_512, TARGET_512, take_512(run, 4, false, blocks, n, values))
TAKER(take_halves_512, TARGET_512, take_512(run, 4, true, blocks, n, values))

typedef double (*taker)(const struct cg_code_run *, const struct cg_code_blocks *, size_t, float *);

/* NULL where there is none for the kind on this processor. */
static taker taker_of(enum cg_code_kind kind)
{
    bool avx2 = __builtin_cpu_supports("avx2"), avx512 = HAS_512;
    switch (kind) {
    case CG_CODE_TWOS:
        return avx512 ? take_twos_512 : avx2 ? take_twos : NULL;
    case CG_CODE_THREES:
        return avx512 ? take_threes_512 : avx2 ? take_threes : NULL;
    case CG_CODE_NIBBLES:
        return avx512 ? take_nibbles_512 : NULL;
    case CG_CODE_HALVES:
        return avx512 ? take_halves_512 : NULL;
    default:
        return NULL;
    }
}

bool cg_permute_take(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                     float *values, double *sum)
{
    taker take_run = (blocks->length | blocks->skip | n) % MANY == 0 ? taker_of(run->kind) : NULL;
    if (take_run)
        *sum = take_run(run, blocks, n, values);
    return take_run != NULL;
}

#else

bool cg_permute_take(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                     float *values, double *sum)
{
    (void)run;
    (void)blocks;
    (void)n;
    (void)values;
    (void)sum;
    return false;
}

#endif
