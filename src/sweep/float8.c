#include "float8.h"
#include <math.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__)

#include "cognate/clones.h"
#include <immintrin.h>

/* All processors with AVX2 turn floats of 16 bits into those of 32. */
#define TARGET __attribute__((target("avx2,f16c")))

enum { MANY = 32, EIGHT = 8 }; /* codes at a time, and lanes of the sum */

/* E4M3 in the fields of a float of 16 bits is 2^8 times too small: its bias is 7, not 15. */
static const float BIAS = 256;

/* Floats of 16 codes, 2^8 times too small. */
TARGET CG_ALWAYS_INLINE void halves_of(const uint8_t *codes, __m256 out[2])
{
    __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)codes));
    __m256i half = _mm256_and_si256(_mm256_slli_epi16(wide, 7), _mm256_set1_epi16((short)0xBF80));
    out[0] = _mm256_cvtph_ps(_mm256_castsi256_si128(half));
    out[1] = _mm256_cvtph_ps(_mm256_extracti128_si256(half, 1));
}

/* The squared steps of 32 codes, as floats in order. Those of exponent e are 2^(2e - 20), those of subnormals
 * as if e were 1; three quarters of it at a power of two that has smaller ones below (codes.h). All have two
 * bytes that are not 0: e + 53, and the bits of 1 or of 3/4. */
TARGET CG_ALWAYS_INLINE void squares_of(__m256i codes, __m256 out[4])
{
    const __m256i one = _mm256_set1_epi8(1), none = _mm256_setzero_si256();
    __m256i ordered = _mm256_permutevar8x32_epi32(codes, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
    __m256i exponent = _mm256_and_si256(_mm256_srli_epi16(ordered, 3), _mm256_set1_epi8(15));
    __m256i power = _mm256_cmpeq_epi8(_mm256_and_si256(ordered, _mm256_set1_epi8(7)), none);
    __m256i less = _mm256_and_si256(power, _mm256_cmpgt_epi8(exponent, one));
    __m256i top = _mm256_add_epi8(_mm256_max_epu8(exponent, one), _mm256_set1_epi8(53));
    __m256i next =
        _mm256_sub_epi8(_mm256_set1_epi8((char)0x80), _mm256_and_si256(less, _mm256_set1_epi8(0x40)));
    const __m256i words[2] = {_mm256_unpacklo_epi8(next, top), _mm256_unpackhi_epi8(next, top)};
    for (int k = 0; k < 2; k++) {
        out[2 * k] = _mm256_castsi256_ps(_mm256_unpacklo_epi16(none, words[k]));
        out[2 * k + 1] = _mm256_castsi256_ps(_mm256_unpackhi_epi16(none, words[k]));
    }
}

/* Codes first to end - 1, of one block. Adds their squared steps to *lanes, and to *most the largest
 * magnitude of each byte. */
TARGET CG_ALWAYS_INLINE void take_block(const uint8_t *codes, float scale, size_t first, size_t end,
                                        float *restrict values, __m256 *lanes, __m256i *most)
{
    const __m256 scales = _mm256_set1_ps(scale * BIAS), weight = _mm256_set1_ps(cg_code_weight(scale));
    for (size_t i = first; i < end; i += MANY) {
        __m256i stored = _mm256_loadu_si256((const __m256i *)(const void *)(codes + i));
        __m256 value[4], square[4];
        *most = _mm256_max_epu8(*most, _mm256_and_si256(stored, _mm256_set1_epi8(0x7F)));
        halves_of(codes + i, value);
        halves_of(codes + i + MANY / 2, value + 2);
        squares_of(stored, square);
        for (int k = 0; k < 4; k++) {
            _mm256_storeu_ps(values + i + EIGHT * k, _mm256_mul_ps(value[k], scales));
            *lanes = _mm256_add_ps(*lanes, _mm256_mul_ps(square[k], weight));
        }
    }
}

/* As the portable loops fold. */
TARGET static double fold(__m256 lanes)
{
    __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(lanes)),
            high = _mm256_cvtps_pd(_mm256_extractf128_ps(lanes, 1));
    double sum[4];
    _mm256_storeu_pd(sum, _mm256_add_pd(low, high));
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

TARGET static bool take(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                        float *values, double *sum)
{
    const __m256i nan = _mm256_set1_epi8(0x7F);
    __m256 lanes = _mm256_setzero_ps();
    __m256i most = _mm256_setzero_si256();
    size_t i = 0, b = 0;
    for (size_t end = blocks->length - blocks->skip; i < n; end += blocks->length, b++) {
        size_t stop = end < n ? end : n;
        if (blocks->zero[b] != 0 || fabsf(blocks->scale[b]) > 0x1p119F)
            return false;
        take_block(run->bytes, blocks->scale[b], i, stop, values, &lanes, &most);
        i = stop;
    }
    *sum = fold(lanes);
    return _mm256_movemask_epi8(_mm256_cmpeq_epi8(most, nan)) == 0;
}

bool cg_float8_take(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                    float *values, double *sum)
{
    return run->kind == CG_CODE_F8_E4M3 && (blocks->length | blocks->skip | n) % MANY == 0 &&
           __builtin_cpu_supports("avx2") && take(run, blocks, n, values, sum);
}

#else

bool cg_float8_take(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
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
