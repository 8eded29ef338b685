#include "nibbles.h"
#include "cognate/small_float.h"
#include <assert.h>
#include <math.h>
#include <string.h>

enum { MANY = 32 }; /* codes at a time */

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))

bool cg_nibbles_fit(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n)
{
    bool paired =
        run->kind == CG_CODE_NIBBLES || run->kind == CG_CODE_TABLE_LOW || run->kind == CG_CODE_TABLE_HIGH;
    return paired && (blocks->length | blocks->skip | n) % MANY == 0 && __builtin_cpu_supports("avx2");
}

/* A table of 16 floats as the tables of their four bytes, the lowest first, in both halves of a vector: bytes
 * are looked up in one cycle, floats in several. Of numbers of 16 bits the lower two are 0. */
struct planes {
    __m256i of[4];
};

TARGET CG_ALWAYS_INLINE void split_table(const float *table, struct planes *out)
{
    const __m128i by_byte = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m128i four[4];
    for (int k = 0; k < 4; k++)
        four[k] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(table + 4 * k)), by_byte);
    for (int half = 0; half < 2; half++) { /* bytes 0 and 1, then 2 and 3, of floats 0 to 7 and of 8 to 15 */
        __m128i a = half == 0 ? _mm_unpacklo_epi32(four[0], four[1]) : _mm_unpackhi_epi32(four[0], four[1]);
        __m128i b = half == 0 ? _mm_unpacklo_epi32(four[2], four[3]) : _mm_unpackhi_epi32(four[2], four[3]);
        out->of[2 * half] = _mm256_broadcastsi128_si256(_mm_unpacklo_epi64(a, b));
        out->of[2 * half + 1] = _mm256_broadcastsi128_si256(_mm_unpackhi_epi64(a, b));
    }
}

/* 32 codes, a byte each. Interleaving works within halves of vectors, so four codes go to the lower half and
 * four to the upper, in turn. */
TARGET CG_ALWAYS_INLINE __m256i places_of(const uint8_t *bytes, bool high_first)
{
    const __m256i spread = _mm256_setr_epi8(0, 0, 1, 1, 4, 4, 5, 5, 8, 8, 9, 9, 12, 12, 13, 13, /* upper */
                                            2, 2, 3, 3, 6, 6, 7, 7, 10, 10, 11, 11, 14, 14, 15, 15);
    const __m256i upper_nibble = _mm256_set1_epi16((short)(high_first ? 0x00FF : 0xFF00));
    __m256i stored = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)bytes));
    __m256i twice = _mm256_shuffle_epi8(stored, spread);
    __m256i either = _mm256_blendv_epi8(twice, _mm256_srli_epi16(twice, 4), upper_nibble);
    return _mm256_and_si256(either, _mm256_set1_epi8(15));
}

/* Their floats, in order. */
TARGET CG_ALWAYS_INLINE void floats_at(const struct planes *planes, bool wide, __m256i places, __m256 out[4])
{
    __m256i second = _mm256_shuffle_epi8(planes->of[2], places);
    __m256i first = _mm256_shuffle_epi8(planes->of[3], places);
    __m256i low[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    __m256i high[2] = {_mm256_unpacklo_epi8(second, first), _mm256_unpackhi_epi8(second, first)};
    if (wide) {
        __m256i last = _mm256_shuffle_epi8(planes->of[0], places);
        __m256i third = _mm256_shuffle_epi8(planes->of[1], places);
        low[0] = _mm256_unpacklo_epi8(last, third);
        low[1] = _mm256_unpackhi_epi8(last, third);
    }
    for (int k = 0; k < 2; k++) {
        out[2 * k] = _mm256_castsi256_ps(_mm256_unpacklo_epi16(low[k], high[k]));
        out[2 * k + 1] = _mm256_castsi256_ps(_mm256_unpackhi_epi16(low[k], high[k]));
    }
}

/* The digits of a block's squared steps, each added up in four places, as a number in two parts. */
TARGET CG_ALWAYS_INLINE void put_whole(const __m256i *digit_sum, int digits, int64_t whole[2])
{
    __m256i four = digit_sum[0];
    for (int d = 1; d < digits; d++)
        four = _mm256_add_epi64(four, _mm256_slli_epi64(digit_sum[d], 7 * d));
    __m128i two = _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
    _mm_storeu_si128((__m128i *)(void *)whole, two);
}

/* Numbers have no digits: their steps are 1. */
TARGET CG_ALWAYS_INLINE double take(const struct cg_code_run *run, const float *table, bool high_first,
                                    bool wide, int digits, const struct cg_code_blocks *blocks, size_t n,
                                    float *restrict values)
{
    struct planes planes;
    __m256i digit[CG_CODE_DIGITS];
    double sum = 0;
    int64_t whole[CG_MOST_CODES / MANY][2];
    split_table(table, &planes);
    for (int d = 0; d < digits; d++)
        digit[d] =
            _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)run->steps->digit[d]));
    size_t i = 0, b = 0;
    for (size_t end = blocks->length - blocks->skip; i < n; end += blocks->length, b++) {
        float scale = blocks->scale[b];
        size_t stop = end < n ? end : n;
        __m256 scales = _mm256_set1_ps(scale), zeros = _mm256_set1_ps(blocks->zero[b]), code[4];
        __m256i digit_sum[CG_CODE_DIGITS] = {_mm256_setzero_si256(), _mm256_setzero_si256(),
                                             _mm256_setzero_si256()};
        if (digits == 0 && isfinite(scale))
            sum += (double)(stop - i) * ((double)scale * (double)scale);
        for (; i < stop; i += MANY) {
            __m256i places = places_of(run->bytes + i / 2, high_first);
            floats_at(&planes, wide, places, code);
            for (int k = 0; k < 4; k++) {
                __m256 number = digits == 0 ? _mm256_sub_ps(code[k], zeros) : code[k];
                _mm256_storeu_ps(values + i + 8 * k, _mm256_mul_ps(number, scales));
            }
            for (int d = 0; d < digits; d++)
                digit_sum[d] =
                    _mm256_add_epi64(digit_sum[d], _mm256_sad_epu8(_mm256_shuffle_epi8(digit[d], places),
                                                                   _mm256_setzero_si256()));
        }
        if (digits > 0)
            put_whole(digit_sum, digits, whole[b]);
    }
    return digits > 0 ? cg_sum_of_blocks((const int64_t(*)[2])whole, blocks->scale, b) * run->steps->unit
                      : sum;
}

TARGET static double take_numbers(const struct cg_code_run *run, const struct cg_code_blocks *blocks,
                                  size_t n, float *values)
{
    float table[16];
    for (int k = 0; k < 16; k++)
        table[k] = (float)(k - run->offset);
    return take(run, table, false, false, 0, blocks, n, values);
}

TARGET static double take_low(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                              float *values)
{
    return take(run, run->table, false, false, 1, blocks, n, values);
}

TARGET static double take_high(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                               float *values)
{
    return take(run, run->table, true, true, CG_CODE_DIGITS, blocks, n, values);
}

double cg_nibbles_take(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                       float *values)
{
    return run->kind == CG_CODE_NIBBLES     ? take_numbers(run, blocks, n, values)
           : run->kind == CG_CODE_TABLE_LOW ? take_low(run, blocks, n, values)
                                            : take_high(run, blocks, n, values);
}

#else

bool cg_nibbles_fit(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n)
{
    (void)run;
    (void)blocks;
    (void)n;
    return false;
}

double cg_nibbles_take(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                       float *values)
{
    (void)run;
    (void)blocks;
    (void)n;
    (void)values;
    assert(!"no run fits");
    return 0;
}

#endif
