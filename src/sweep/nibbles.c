#include "nibbles.h"
#include "cognate/small_float.h"
#include "nibbles_avx2.h"
#include <assert.h>
#include <math.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)

/* Whole numbers from LEAST_NUMBER on as floats: the highest byte and the one below it; the others are 0. */
enum { LEAST_NUMBER = -32, NUMBERS = 64 };
static const uint8_t highest[NUMBERS] = {
    0xC2, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1,
    0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC0, 0xC0, 0xC0, 0xC0, 0xC0, 0xC0, 0xBF,
    0x00, 0x3F, 0x40, 0x40, 0x40, 0x40, 0x40, 0x40, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41,
    0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41, 0x41};
static const uint8_t second[NUMBERS] = {
    0x00, 0xF8, 0xF0, 0xE8, 0xE0, 0xD8, 0xD0, 0xC8, 0xC0, 0xB8, 0xB0, 0xA8, 0xA0, 0x98, 0x90, 0x88,
    0x80, 0x70, 0x60, 0x50, 0x40, 0x30, 0x20, 0x10, 0x00, 0xE0, 0xC0, 0xA0, 0x80, 0x40, 0x00, 0x80,
    0x00, 0x80, 0x00, 0x40, 0x80, 0xA0, 0xC0, 0xE0, 0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70,
    0x80, 0x88, 0x90, 0x98, 0xA0, 0xA8, 0xB0, 0xB8, 0xC0, 0xC8, 0xD0, 0xD8, 0xE0, 0xE8, 0xF0, 0xF8};

enum { SHORT = MANY / 2 }; /* blocks that go two at a time */

bool cg_nibbles_fit(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n)
{
    bool four_bits = run->kind == CG_CODE_NIBBLES || run->kind == CG_CODE_HALVES ||
                     run->kind == CG_CODE_TABLE_LOW || run->kind == CG_CODE_TABLE_HIGH;
    bool whole = (blocks->length | blocks->skip | n) % MANY == 0;
    if (run->kind == CG_CODE_TABLE_LOW && blocks->length == SHORT)
        whole = (blocks->skip | n % MANY) == 0;
    return four_bits && whole && __builtin_cpu_supports("avx2");
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

/* The floats of 32 places, in order. */
TARGET CG_ALWAYS_INLINE void floats_at(const struct planes *planes, bool wide, __m256i places, __m256 out[4])
{
    __m256i next = _mm256_shuffle_epi8(planes->of[2], places);
    __m256i first = _mm256_shuffle_epi8(planes->of[3], places);
    __m256i low[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    __m256i high[2] = {_mm256_unpacklo_epi8(next, first), _mm256_unpackhi_epi8(next, first)};
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

/* What the nibbles of a run stand for. */
enum meaning { NUMBER, WHOLE_NUMBER, PLACE_OF_ONE_DIGIT, PLACE };

/* The digits of tables' squared steps; those of numbers are 1. */
TARGET CG_ALWAYS_INLINE double take(const struct cg_code_run *run, enum source source, enum meaning meaning,
                                    const struct cg_code_blocks *blocks, size_t n, float *restrict values)
{
    const int digits = meaning < PLACE_OF_ONE_DIGIT ? 0 : meaning == PLACE ? CG_CODE_DIGITS : 1;
    struct planes planes;
    __m256i digit[CG_CODE_DIGITS];
    float numbers[16];
    double sum = 0;
    int64_t whole[CG_MOST_CODES / MANY][2];
    for (int k = 0; k < 16; k++)
        numbers[k] = (float)(k - run->offset);
    split_table(digits > 0 ? run->table : numbers, &planes);
    for (int d = 0; d < digits; d++)
        digit[d] = plane_at(run->steps->digit[d]);
    size_t i = 0, b = 0;
    for (size_t end = blocks->length - blocks->skip; i < n; end += blocks->length, b++) {
        float scale = blocks->scale[b];
        size_t stop = end < n ? end : n;
        __m256 scales = _mm256_set1_ps(scale), zeros = _mm256_set1_ps(blocks->zero[b]), code[4];
        __m256i digit_sum[CG_CODE_DIGITS] = {_mm256_setzero_si256(), _mm256_setzero_si256(),
                                             _mm256_setzero_si256()};
        if (digits == 0 && isfinite(scale))
            sum += (double)(int)(stop - i) * ((double)scale * (double)scale);
        if (meaning == WHOLE_NUMBER) {
            int first = -LEAST_NUMBER - run->offset - (int)blocks->zero[b];
            planes.of[2] = plane_at(second + first);
            planes.of[3] = plane_at(highest + first);
        }
        for (; i < stop; i += MANY) {
            __m256i places = places_of(run->bytes, source, i);
            floats_at(&planes, meaning == PLACE, places, code);
            for (int k = 0; k < 4; k++) {
                __m256 number = meaning == NUMBER ? _mm256_sub_ps(code[k], zeros) : code[k];
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

/* Blocks of 16 by a table with steps of one digit, two at a time: of the four places in which digits add up
 * the first and third are of the first block. */
TARGET static double take_short(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                                float *restrict values)
{
    const __m256i none = _mm256_setzero_si256(), digit = plane_at(run->steps->digit[0]);
    struct planes planes;
    int64_t whole[CG_MOST_CODES / SHORT][2];
    split_table(run->table, &planes);
    for (size_t i = 0, b = 0; i < n; i += MANY, b += 2) {
        __m256i places = places_of(run->bytes, LOW_FIRST, i);
        __m256i four = _mm256_sad_epu8(_mm256_shuffle_epi8(digit, places), none);
        __m128i two = _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
        __m256 code[4];
        floats_at(&planes, false, places, code);
        for (int k = 0; k < 4; k++)
            _mm256_storeu_ps(values + i + 8 * k,
                             _mm256_mul_ps(code[k], _mm256_set1_ps(blocks->scale[b + (size_t)k / 2])));
        _mm_storeu_si128((__m128i *)(void *)whole[b], _mm_move_epi64(two));
        _mm_storeu_si128((__m128i *)(void *)whole[b + 1], _mm_unpackhi_epi64(two, _mm_setzero_si128()));
    }
    return cg_sum_of_blocks((const int64_t(*)[2])whole, blocks->scale, n / SHORT) * run->steps->unit;
}

#define TAKER(name, source, meaning)                                                                         \
    TARGET static double name(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,  \
                              float *values)                                                                 \
    {                                                                                                        \
        return take(run, source, meaning, blocks, n, values);                                                \
    }

TAKER(take_numbers, LOW_FIRST, NUMBER)
TAKER(take_whole_numbers, LOW_FIRST, WHOLE_NUMBER)
TAKER(take_low_halves, LOW_HALVES, NUMBER)
TAKER(take_high_halves, HIGH_HALVES, NUMBER)
TAKER(take_whole_low_halves, LOW_HALVES, WHOLE_NUMBER)
TAKER(take_whole_high_halves, HIGH_HALVES, WHOLE_NUMBER)
TAKER(take_low, LOW_FIRST, PLACE_OF_ONE_DIGIT)
TAKER(take_high, HIGH_FIRST, PLACE)

static double take_halves(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                          float *values)
{
    if (run->shift == 0)
        return blocks->whole ? take_whole_low_halves(run, blocks, n, values)
                             : take_low_halves(run, blocks, n, values);
    return blocks->whole ? take_whole_high_halves(run, blocks, n, values)
                         : take_high_halves(run, blocks, n, values);
}

double cg_nibbles_take(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                       float *values)
{
    if (run->kind == CG_CODE_HALVES)
        return take_halves(run, blocks, n, values);
    if (run->kind == CG_CODE_NIBBLES)
        return blocks->whole ? take_whole_numbers(run, blocks, n, values)
                             : take_numbers(run, blocks, n, values);
    if (blocks->length == SHORT)
        return take_short(run, blocks, n, values);
    return run->kind == CG_CODE_TABLE_LOW ? take_low(run, blocks, n, values)
                                          : take_high(run, blocks, n, values);
}

bool cg_words_split_fit(int64_t columns, int64_t block)
{
    return (columns | block) % MANY == 0 && __builtin_cpu_supports("avx2");
}

/* Of four words that lie together the bytes in the same place side by side, then those of all 32. */
TARGET void cg_words_split(const uint8_t *words, size_t n, uint8_t *planes, size_t pitch)
{
    const __m256i by_byte =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    for (size_t i = 0; i < n; i += MANY) {
        __m256i four[4], plane[4];
        for (size_t k = 0; k < 4; k++) {
            const void *from = words + 4 * i + MANY * k;
            four[k] = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)from), by_byte);
        }
        for (int half = 0; half < 2; half++) {
            __m256i a =
                half == 0 ? _mm256_unpacklo_epi32(four[0], four[1]) : _mm256_unpackhi_epi32(four[0], four[1]);
            __m256i b =
                half == 0 ? _mm256_unpacklo_epi32(four[2], four[3]) : _mm256_unpackhi_epi32(four[2], four[3]);
            plane[2 * half] = _mm256_unpacklo_epi64(a, b);
            plane[2 * half + 1] = _mm256_unpackhi_epi64(a, b);
        }
        for (size_t k = 0; k < 4; k++)
            _mm256_storeu_si256((__m256i *)(void *)(planes + k * pitch + i), plane[k]);
    }
}

#else

bool cg_words_split_fit(int64_t columns, int64_t block)
{
    (void)columns;
    (void)block;
    return false;
}

void cg_words_split(const uint8_t *words, size_t n, uint8_t *planes, size_t pitch)
{
    (void)words;
    (void)n;
    (void)planes;
    (void)pitch;
    assert(!"nothing fits");
}

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
