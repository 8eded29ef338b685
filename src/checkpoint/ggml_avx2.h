/* What ggml_run.h has for any machine, with AVX2: bytes are looked up in one cycle, and widened on their way
 * from memory. The same bits. Without AVX2 in the compiler's reach, nothing. */
#ifndef COGNATE_CHECKPOINT_GGML_AVX2_H
#define COGNATE_CHECKPOINT_GGML_AVX2_H

#include "ggml_run.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

AVX2 CG_ALWAYS_INLINE __m128i sixteen_at(const void *from)
{
    return _mm_loadu_si128(from);
}

/* The sum of what a table has for each of 32 codes, in two places. */
AVX2 CG_ALWAYS_INLINE __m128i cells_of(const unsigned char *table, __m128i a, __m128i b)
{
    const __m128i from = sixteen_at(table), zero = _mm_setzero_si128();
    return _mm_add_epi64(_mm_sad_epu8(_mm_shuffle_epi8(from, a), zero),
                         _mm_sad_epu8(_mm_shuffle_epi8(from, b), zero));
}

AVX2 CG_ALWAYS_INLINE void avx2_look_up(const struct uneven *table, int parts, struct run *run)
{
    const __m128i values = sixteen_at(table->value);
    for (int part = 0; part < parts; part++) {
        __m128i *code = (__m128i *)(void *)(run->code + SMALL * part);
        __m128i a = sixteen_at(code), b = sixteen_at(code + 1), sum = cells_of(table->low, a, b);
        if (table->two)
            sum = _mm_add_epi64(sum, _mm_slli_epi64(cells_of(table->high, a, b), 8));
        run->cells[part] = _mm_cvtsi128_si32(_mm_add_epi64(sum, _mm_unpackhi_epi64(sum, sum)));
        _mm_storeu_si128(code, _mm_shuffle_epi8(values, a));
        _mm_storeu_si128(code + 1, _mm_shuffle_epi8(values, b));
    }
}

AVX2 CG_ALWAYS_INLINE void avx2_scale(const struct run *run, struct form form, int parts, float *values)
{
    const __m256i offset = _mm256_set1_epi32(form.offset);
#ifndef __clang__
#pragma GCC unroll 4
#endif
    for (int part = 0; part < parts; part++) {
        __m256 scale = _mm256_set1_ps(run->scale[part]), shift = _mm256_set1_ps(run->shift[part]);
        const unsigned char *codes = run->code + part * form.length;
        for (int i = 0; i < form.length; i += 8) {
            __m256i code = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)(codes + i)));
            if (form.offset != 0)
                code = _mm256_sub_epi32(code, offset);
            __m256 value = _mm256_mul_ps(_mm256_cvtepi32_ps(code), scale);
            if (form.shifted)
                value = _mm256_add_ps(value, shift);
            _mm256_storeu_ps(values + part * form.length + i, value);
        }
    }
}

/* Of four scales, finite ones alone. */
AVX2 CG_ALWAYS_INLINE __m256d squares_of(const float *scale, const int32_t *cells)
{
    __m128 scales = _mm_loadu_ps(scale);
    const __m128 finite = _mm_cmp_ps(_mm_sub_ps(scales, scales), _mm_setzero_ps(), _CMP_EQ_OQ);
    __m256d wide = _mm256_cvtps_pd(_mm_and_ps(scales, finite));
    __m256d square = _mm256_mul_pd(wide, wide);
    return cells ? _mm256_mul_pd(square, _mm256_cvtepi32_pd(sixteen_at(cells))) : square;
}

/* Behind the last part, up to a multiple of eight, scales are NaN. */
AVX2 CG_ALWAYS_INLINE struct cg_outline avx2_outline(const struct scales *scales, int parts, struct form form)
{
    const __m256 least = _mm256_set1_ps((float)form.least), most = _mm256_set1_ps((float)form.most);
    __m256 low = _mm256_set1_ps(INFINITY), high = _mm256_set1_ps(-INFINITY);
    __m256d sums[2] = {_mm256_setzero_pd(), _mm256_setzero_pd()};
    for (int part = 0; part < parts; part += 8) {
        __m256 scale = _mm256_loadu_ps(scales->scale + part);
        __m256 a = _mm256_mul_ps(scale, least), b = _mm256_mul_ps(scale, most);
        if (form.shifted) {
            a = _mm256_add_ps(a, _mm256_loadu_ps(scales->shift + part));
            b = _mm256_add_ps(b, _mm256_loadu_ps(scales->shift + part));
        }
        low = _mm256_min_ps(b, _mm256_min_ps(a, low)); /* the second where the first is NaN */
        high = _mm256_max_ps(b, _mm256_max_ps(a, high));
        for (int k = 0; k < 2; k++) {
            const int32_t *cells = form.table ? scales->cells + part + 4 * k : NULL;
            sums[k] = _mm256_add_pd(sums[k], squares_of(scales->scale + part + 4 * k, cells));
        }
    }
    double sum[8];
    float lows[8], highs[8];
    memcpy(sum, sums, sizeof sum);
    _mm256_storeu_ps(lows, low);
    _mm256_storeu_ps(highs, high);
    for (int l = 1; l < 8; l++) {
        lows[0] = lows[l] < lows[0] ? lows[l] : lows[0];
        highs[0] = highs[l] > highs[0] ? highs[l] : highs[0];
    }
    double rounding = fold_eight(sum) * (form.table ? 1 : form.length) / 12;
    return (struct cg_outline){rounding, (double)lows[0], (double)highs[0]};
}

#endif
#endif
