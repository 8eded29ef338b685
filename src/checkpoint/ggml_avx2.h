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

/* cg_small_float of halves. A product makes normal numbers of subnormal ones. */
AVX2 CG_ALWAYS_INLINE __m128 floats_of_halves(__m128i halves)
{
    __m128i magnitude = _mm_and_si128(halves, _mm_set1_epi32(0x7FFF));
    __m128i ending =
        _mm_and_si128(_mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7BFF)), _mm_set1_epi32(0x7F800000));
    __m128i sign = _mm_slli_epi32(_mm_srli_epi32(halves, 15), 31);
    __m128 small = _mm_castsi128_ps(_mm_slli_epi32(magnitude, 13));
    __m128 value = _mm_mul_ps(small, _mm_set1_ps(0x1p112F));
    return _mm_or_ps(value, _mm_castsi128_ps(_mm_or_si128(sign, ending)));
}

AVX2 CG_ALWAYS_INLINE __m256 times_eight(__m256 factor, const unsigned char *codes, int offset)
{
    __m256i code = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)codes));
    return _mm256_mul_ps(factor, _mm256_cvtepi32_ps(_mm256_sub_epi32(code, _mm256_set1_epi32(offset))));
}

AVX2 CG_ALWAYS_INLINE void avx2_scales(struct run *run, struct form form)
{
    __m128 factors = floats_of_halves(_mm_cvtepu16_epi32(_mm_cvtsi32_si128((int)run->factors)));
    __m256 d = _mm256_broadcastss_ps(factors);
    __m256 m = _mm256_broadcastss_ps(_mm_xor_ps(_mm_movehdup_ps(factors), _mm_set1_ps(-0.0F)));
    for (int part = 0; part < LARGE / form.length; part += 8) {
        _mm256_storeu_ps(run->scale + part, times_eight(d, run->scale_code + part, form.scale_offset));
        if (form.shifted)
            _mm256_storeu_ps(run->shift + part, times_eight(m, run->shift_code + part, 0));
    }
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

/* A part's four values, in both halves: what a permutation picks by the lowest two bits of each place. */
AVX2 CG_ALWAYS_INLINE __m256 four_values(const struct run *run, struct form form, int part)
{
    const __m256i codes = _mm256_broadcastsi128_si256(_mm_setr_epi32(0, 1, 2, 3));
    __m256 code = _mm256_cvtepi32_ps(_mm256_sub_epi32(codes, _mm256_set1_epi32(form.offset)));
    __m256 value = _mm256_mul_ps(code, _mm256_set1_ps(run->scale[part]));
    return form.shifted ? _mm256_add_ps(value, _mm256_set1_ps(run->shift[part])) : value;
}

/* Eight bytes hold eight codes of each of four quarters. */
AVX2 CG_ALWAYS_INLINE void avx2_scale_twos(const struct run *run, struct form form, float *values)
{
    for (int half = 0; half < 2; half++, values += LARGE / 2)
        for (int i = 0; i < SMALL; i += form.length) {
            __m256 four[4];
            for (int quarter = 0; quarter < 4; quarter++)
                four[quarter] =
                    four_values(run, form, (LARGE / 2 * half + SMALL * quarter + i) / form.length);
            for (int k = i; k < i + form.length; k += 8) {
                __m256i code =
                    _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)(run->twos + SMALL * half + k)));
                for (int quarter = 0; quarter < 4; quarter++) {
                    __m256i place = _mm256_srli_epi32(code, 2 * quarter);
                    _mm256_storeu_ps(values + SMALL * quarter + k,
                                     _mm256_permutevar_ps(four[quarter], place));
                }
            }
        }
}

/* What is not finite becomes 0. */
AVX2 CG_ALWAYS_INLINE __m128 finite_of(__m128 scales)
{
    return _mm_and_ps(scales, _mm_cmp_ps(_mm_sub_ps(scales, scales), _mm_setzero_ps(), _CMP_EQ_OQ));
}

/* The squares of scales, in eight sums. */
AVX2 CG_ALWAYS_INLINE void sum_squares(const struct scales *scales, int parts, struct form form,
                                       bool all_finite, double sum[8])
{
    __m256d sums[2] = {_mm256_setzero_pd(), _mm256_setzero_pd()};
    for (int part = 0; part < parts; part += 8)
        for (int k = 0; k < 2; k++) {
            __m128 scale = _mm_loadu_ps(scales->scale + part + 4 * k);
            __m256d wide = _mm256_cvtps_pd(all_finite ? scale : finite_of(scale));
            __m256d square = _mm256_mul_pd(wide, wide);
            if (form.table)
                square = _mm256_mul_pd(square, _mm256_cvtepi32_pd(sixteen_at(scales->cells + part + 4 * k)));
            sums[k] = _mm256_add_pd(sums[k], square);
        }
    memcpy(sum, sums, sizeof sums);
}

/* The outermost of eight, none of which is NaN. */
AVX2 CG_ALWAYS_INLINE float least_of(__m256 eight)
{
    __m128 four = _mm_min_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_min_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_min_ss(two, _mm_movehdup_ps(two)));
}

AVX2 CG_ALWAYS_INLINE float most_of(__m256 eight)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

/* Behind the last part, up to a multiple of eight, scales are NaN. */
AVX2 CG_ALWAYS_INLINE struct cg_outline avx2_outline(const struct scales *scales, int parts, struct form form)
{
    const __m256 least = _mm256_set1_ps((float)form.least), most = _mm256_set1_ps((float)form.most);
    __m256 low = _mm256_set1_ps(INFINITY), high = _mm256_set1_ps(-INFINITY);
    for (int part = 0; part < parts; part += 8) {
        __m256 scale = _mm256_loadu_ps(scales->scale + part);
        __m256 a = _mm256_mul_ps(scale, least), b = _mm256_mul_ps(scale, most);
        if (form.shifted) {
            a = _mm256_add_ps(a, _mm256_loadu_ps(scales->shift + part));
            b = _mm256_add_ps(b, _mm256_loadu_ps(scales->shift + part));
        }
        low = _mm256_min_ps(b, _mm256_min_ps(a, low)); /* the second where the first is NaN */
        high = _mm256_max_ps(b, _mm256_max_ps(a, high));
    }
    double sum[8];
    sum_squares(scales, parts, form, true, sum);
    if (!isfinite(fold_eight(sum)))
        sum_squares(scales, parts, form, false, sum);
    double rounding = fold_eight(sum) * (form.table ? 1 : form.length) / 12;
    return (struct cg_outline){rounding, (double)least_of(low), (double)most_of(high)};
}

#endif
#endif
