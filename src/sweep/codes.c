#include "codes.h"
#include "cognate/clones.h"
#include "cognate/small_float.h"
#include "float8.h"
#include "nibbles.h"
#include "permute.h"
#include "spread.h"
#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

typedef uint8_t sixteen_bytes __attribute__((vector_size(16)));

const uint8_t cg_awq_nibble[8] = {0, 4, 1, 5, 2, 6, 3, 7};

/* ---- Eight codes at a time. Spelled out as vectors, since of the same loops over elements gcc makes none
 * for instructions older than AVX-512. Comparisons of vectors give -1. ---- */

enum { EIGHT = 8 };
typedef int32_t eight_ints __attribute__((vector_size(EIGHT * sizeof(int32_t))));
typedef uint32_t eight_naturals __attribute__((vector_size(EIGHT * sizeof(uint32_t))));
typedef float eight_floats __attribute__((vector_size(EIGHT * sizeof(float))));

/* The nibbles of a word, each lowest in its place. What lies above them stays. */
CG_ALWAYS_INLINE void nibbles_of(const uint8_t *bytes, bool high_first, eight_ints *out)
{
    const eight_ints low = {0, 4, 8, 12, 16, 20, 24, 28}, high = {4, 0, 12, 8, 20, 16, 28, 24};
    int32_t w = cg_word_at(bytes);
    *out = (eight_ints){w, w, w, w, w, w, w, w} >> (high_first ? high : low);
}

/* Whole words of zero points of four bits. */
CG_CLONES static void zeros_of_words(const uint8_t *bytes, int add, bool awq, size_t n, float *restrict zero)
{
    const eight_ints in_order = {0, 4, 8, 12, 16, 20, 24, 28}, by_awq = {0, 16, 4, 20, 8, 24, 12, 28};
    for (size_t i = 0; i < n; i += EIGHT) {
        int32_t w = cg_word_at(bytes + i / 2);
        eight_ints x = (eight_ints){w, w, w, w, w, w, w, w} >> (awq ? by_awq : in_order);
        eight_floats number = __builtin_convertvector((x + add) & 15, eight_floats);
        memcpy(zero + i, &number, sizeof number);
    }
}

void cg_zeros_of_bits(const uint8_t *bytes, size_t first, int bits, int add, bool awq, size_t n, float *zero)
{
    if (bits == 4 && (first | n) % EIGHT == 0) {
        zeros_of_words(bytes + first / 2, add, awq, n, zero);
        return;
    }
    uint8_t code[CG_MOST_CODES];
    assert(!awq && n <= CG_MOST_CODES); /* else its words would be cut */
    cg_spread_bits(bytes, first * (size_t)bits, bits, n, code);
    for (size_t i = 0; i < n; i++)
        zero[i] = (float)((code[i] + add) & ((1 << bits) - 1));
}

/* The same of eight codes of two or three bits. */
CG_ALWAYS_INLINE void few_bits_of(const uint8_t *b, int bits, eight_ints *out)
{
    int32_t w = b[0] | b[1] << 8 | (bits == 3 ? b[2] << 16 : 0);
    *out = (eight_ints){w, w, w, w, w, w, w, w} >> (eight_ints){0, 1, 2, 3, 4, 5, 6, 7} * bits;
}

CG_ALWAYS_INLINE void bytes_of(const uint8_t *b, eight_ints *out)
{
    *out = (eight_ints){b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]};
}

/* Of each place the lowest four bits count. */
CG_ALWAYS_INLINE void look_up(const float *table, const eight_ints *places, eight_floats *out)
{
#ifdef __clang__
    for (int k = 0; k < EIGHT; k++)
        (*out)[k] = table[(*places)[k] & 15];
#else
    eight_floats low, high;
    memcpy(&low, table, sizeof low);
    memcpy(&high, table + EIGHT, sizeof high);
    *out = __builtin_shuffle(low, high, *places);
#endif
}

/* The same of a table whose second half is the first with the other sign. */
CG_ALWAYS_INLINE void look_up_signed(const float *table, const eight_ints *places, eight_floats *out)
{
#ifdef __clang__
    look_up(table, places, out);
#else
    eight_floats half;
    memcpy(&half, table, sizeof half);
    *out = (eight_floats)((eight_ints)__builtin_shuffle(half, *places) ^ ((*places & 8) << 28));
#endif
}

/* The fields of floats of eight bits. */
struct f8 {
    int mantissa_bits, bias;
    enum cg_ending ending;
};

CG_ALWAYS_INLINE struct f8 f8_of(enum cg_code_kind kind)
{
    return kind == CG_CODE_F8_E4M3       ? (struct f8){3, 7, CG_ENDING_FN}
           : kind == CG_CODE_F8_E5M2     ? (struct f8){2, 15, CG_ENDING_IEEE}
           : kind == CG_CODE_F8_E4M3FNUZ ? (struct f8){3, 8, CG_ENDING_FNUZ}
                                         : (struct f8){2, 16, CG_ENDING_FNUZ};
}

/* cg_small_float of eight bytes. */
CG_ALWAYS_INLINE void f8_values(struct f8 f8, const eight_ints *bytes, eight_ints *value)
{
    const int32_t least_normal = 1 << f8.mantissa_bits;
    eight_ints magnitude = *bytes & 0x7F, subnormal = magnitude < least_normal;
    eight_ints bits = (magnitude << (23 - f8.mantissa_bits)) + (((127 - f8.bias) - subnormal) << 23);
    eight_ints leading_one = subnormal & ((128 - f8.bias) << 23);
    *value = (eight_ints)((eight_floats)bits - (eight_floats)leading_one);
    if (f8.ending == CG_ENDING_IEEE) /* the largest exponent */
        *value |= (magnitude >= 0x7F >> f8.mantissa_bits << f8.mantissa_bits) & 0x7F800000;
    if (f8.ending == CG_ENDING_FN)
        *value |= (magnitude == 0x7F) & 0x7FC00000;
    if (f8.ending == CG_ENDING_FNUZ)
        *value |= (*bytes == 0x80) & 0x7FC00000;
    *value |= (*bytes & 0x80) << 24;
}

/* The squares of their steps, all powers of two or three quarters of one. Below a power of two codes are half
 * as far apart: the cell around it has three quarters of the moment that it would have between two codes of
 * its own power. What is not finite has no step. */
CG_ALWAYS_INLINE void f8_squares(struct f8 f8, const eight_ints *value, eight_ints *squares)
{
    const uint32_t one = 127u << 23;
    const int32_t quarter_less = 1 << 22, infinite = 255 << 23;
    const int32_t least = (128 - f8.bias) << 23;
    eight_ints power = *value & infinite, above = power > least;
    eight_ints halved = ((*value & 0x007FFFFF) == 0) & above;
    eight_ints place = (power & above) | (least & ~above);
    /* past int32 where it is masked */
    eight_naturals twice = 2 * (eight_naturals)(place - (f8.mantissa_bits << 23));
    *squares = (eight_ints)(twice - one - (eight_naturals)(halved & quarter_less)) & (power != infinite);
}

CG_ALWAYS_INLINE bool is_f8(enum cg_code_kind kind)
{
    return kind >= CG_CODE_F8_E4M3;
}

CG_ALWAYS_INLINE bool is_table(enum cg_code_kind kind)
{
    return kind == CG_CODE_TABLE_LOW || kind == CG_CODE_TABLE_HIGH;
}

/* The bits of a code of those that share bytes. */
CG_ALWAYS_INLINE int bits_of(enum cg_code_kind kind)
{
    return kind == CG_CODE_TWOS                        ? 2
           : kind == CG_CODE_THREES                    ? 3
           : kind == CG_CODE_NIBBLES || is_table(kind) ? 4
                                                       : 8;
}

/* How many codes begin with a byte of their own and end with one. */
CG_ALWAYS_INLINE size_t codes_together(enum cg_code_kind kind)
{
    return kind == CG_CODE_THREES ? 8 : 8 / (size_t)bits_of(kind);
}

/* Codes i to i + 7, and the squared steps of floats. */
CG_ALWAYS_INLINE void eight_codes(enum cg_code_kind kind, const struct cg_code_run *run, size_t i,
                                  eight_floats *code, eight_floats *squares)
{
    const uint8_t *bytes = run->bytes;
    eight_ints x, value, square;
    if (kind == CG_CODE_TWOS || kind == CG_CODE_THREES)
        few_bits_of(bytes + i * (size_t)bits_of(kind) / 8, bits_of(kind), &x);
    else if (bits_of(kind) == 4)
        nibbles_of(bytes + i / 2, kind == CG_CODE_TABLE_HIGH, &x);
    else if (kind == CG_CODE_WORDS)
        memcpy(&x, bytes + 4 * i, sizeof x);
    else
        bytes_of(bytes + i, &x);
    if (kind == CG_CODE_TABLE_LOW) {
        look_up_signed(run->table, &x, code);
    } else if (kind == CG_CODE_TABLE_HIGH) {
        look_up(run->table, &x, code);
    } else if (is_f8(kind)) {
        f8_values(f8_of(kind), &x, &value);
        f8_squares(f8_of(kind), &value, &square);
        memcpy(code, &value, sizeof value);
        memcpy(squares, &square, sizeof square);
    } else {
        if (kind == CG_CODE_INTEGERS)
            x = x << 24 >> 24;
        if (kind == CG_CODE_TWOS)
            x = (x & 3) - run->offset;
        if (kind == CG_CODE_THREES)
            x = (x & 7) - run->offset;
        if (kind == CG_CODE_NIBBLES)
            x = (x & 15) - run->offset;
        if (kind == CG_CODE_WORDS)
            x = (x >> run->shift & 15) - run->offset;
        if (kind == CG_CODE_OCTETS)
            x = x - run->offset;
        *code = __builtin_convertvector(x, eight_floats);
    }
}

/* Code i alone, as the first of eight. */
CG_ALWAYS_INLINE void one_code(enum cg_code_kind kind, const struct cg_code_run *run, size_t i, float *code,
                               float *square)
{
    uint8_t eight[EIGHT * sizeof(int32_t)] = {0};
    struct cg_code_run one = *run;
    size_t bits = (size_t)bits_of(kind), at = i * bits / 8, shift = i * bits % 8;
    one.bytes = eight;
    if (kind == CG_CODE_WORDS)
        memcpy(eight, run->bytes + 4 * i, 4);
    else if (kind == CG_CODE_TABLE_HIGH)
        eight[0] = (uint8_t)(run->bytes[at] << shift);
    else
        eight[0] = (uint8_t)((run->bytes[at] | (shift + bits > 8 ? run->bytes[at + 1] : 0) << 8) >> shift);
    eight_floats codes, squares = {0};
    eight_codes(kind, &one, 0, &codes, &squares);
    *code = codes[0];
    *square = squares[0];
}

/* The lanes meet in double, in one fixed tree. */
CG_ALWAYS_INLINE double fold(const eight_floats *lane)
{
    double sum[EIGHT];
    for (int l = 0; l < EIGHT; l++)
        sum[l] = (double)(*lane)[l];
    for (int width = EIGHT / 2; width > 0; width /= 2)
        for (int l = 0; l < width; l++)
            sum[l] += sum[l + width];
    return sum[0];
}

/* NaN is passed over. */
CG_ALWAYS_INLINE void widen_bounds(const eight_floats *value, eight_floats *low, eight_floats *high)
{
    eight_ints under = *value<*low, over = *value> * high, bits = (eight_ints)*value;
    *low = (eight_floats)((bits & under) | ((eight_ints)*low & ~under));
    *high = (eight_floats)((bits & over) | ((eight_ints)*high & ~over));
}

/* Rounding keeps the order of values, so the outermost codes have the outermost ones. */
CG_CLONES void cg_code_bounds(float least, float most, const struct cg_code_blocks *blocks, size_t n,
                              float *restrict low, float *restrict high)
{
    size_t count = (blocks->skip + n - 1) / blocks->length + 1;
    eight_floats below = (eight_floats){0} + *low, above = (eight_floats){0} + *high;
    for (size_t b = 0; b < count; b += EIGHT) {
        eight_floats scale = {0}, zero = {0}, value;
        size_t some = count - b;
        if (some >= EIGHT) {
            memcpy(&scale, blocks->scale + b, sizeof scale);
            memcpy(&zero, blocks->zero + b, sizeof zero);
        } else { /* the last once more */
            for (size_t l = 0; l < EIGHT; l++) {
                scale[l] = blocks->scale[b + (l < some ? l : some - 1)];
                zero[l] = blocks->zero[b + (l < some ? l : some - 1)];
            }
        }
        value = (least - zero) * scale * blocks->factor;
        widen_bounds(&value, &below, &above);
        value = (most - zero) * scale * blocks->factor;
        widen_bounds(&value, &below, &above);
    }
    for (int l = 0; l < EIGHT; l++) {
        *low = below[l] < *low ? below[l] : *low;
        *high = above[l] > *high ? above[l] : *high;
    }
}

/* Block after block: eight codes at a time as far as they go, from whole bytes on. */
CG_ALWAYS_INLINE double take(enum cg_code_kind kind, const struct cg_code_run *run,
                             const struct cg_code_blocks *blocks, size_t n, float *restrict values)
{
    eight_floats lanes = {0};
    double sum = 0;
    size_t i = 0, b = 0;
    for (size_t end = blocks->length - blocks->skip; i < n; end += blocks->length, b++) {
        float scale = blocks->scale[b], zero = blocks->zero[b], factor = blocks->factor;
        float weight = cg_code_weight(scale), square;
        size_t stop = end < n ? end : n;
        if (!is_f8(kind) && !is_table(kind))
            sum += isfinite(scale) ? (double)(stop - i) * ((double)scale * (double)scale) : 0;
        size_t eights = i % codes_together(kind) != 0 ? 0 : (stop - i) / EIGHT;
        CG_UNROLL(4)
        for (size_t k = 0; k < eights; k++, i += EIGHT) {
            eight_floats code, squares;
            eight_codes(kind, run, i, &code, &squares);
            code = is_table(kind) ? code * scale : (code - zero) * scale;
            if (kind == CG_CODE_INTEGERS)
                code = code * factor;
            memcpy(values + i, &code, sizeof code);
            if (is_f8(kind))
                lanes += squares * weight;
        }
        for (; i < stop; i++) {
            float code;
            one_code(kind, run, i, &code, &square);
            values[i] = (code - zero) * scale * factor;
            sum += is_f8(kind) ? (double)(square * weight) : 0;
        }
    }
    return sum + fold(&lanes);
}

#define TAKER(name, kind)                                                                                    \
    CG_CLONES static double name(const struct cg_code_run *run, const struct cg_code_blocks *blocks,         \
                                 size_t n, float *restrict values)                                           \
    {                                                                                                        \
        return take(kind, run, blocks, n, values);                                                           \
    }

TAKER(take_twos, CG_CODE_TWOS)
TAKER(take_threes, CG_CODE_THREES)
TAKER(take_nibbles, CG_CODE_NIBBLES)
TAKER(take_words, CG_CODE_WORDS)
TAKER(take_octets, CG_CODE_OCTETS)
TAKER(take_integers, CG_CODE_INTEGERS)
TAKER(take_table_low, CG_CODE_TABLE_LOW)
TAKER(take_table_high, CG_CODE_TABLE_HIGH)
TAKER(take_e4m3, CG_CODE_F8_E4M3)
TAKER(take_e5m2, CG_CODE_F8_E5M2)
TAKER(take_e4m3fnuz, CG_CODE_F8_E4M3FNUZ)
TAKER(take_e5m2fnuz, CG_CODE_F8_E5M2FNUZ)

/* Numbers of 21 bits in three digits of 7, of which two add within a byte; of E2M1, whose squares are 1 to 16
 * quarters, one digit is all. */
void cg_code_steps_init(struct cg_code_steps *steps, const double squares[16], int digits)
{
    double most = 0;
    for (int k = 0; k < 16; k++)
        most = squares[k] > most ? squares[k] : most;
    steps->digits = digits;
    steps->unit = most / (digits == 1 ? 16 : (1 << 21) - 1);
    for (int k = 0; k < 16; k++) {
        steps->square[k] = squares[k];
        int whole = most > 0 ? (int)lround(squares[k] / steps->unit) : 0;
        for (int digit = 0; digit < digits; digit++)
            steps->digit[digit][k] = whole >> 7 * digit & 127;
    }
}

typedef int64_t four_wholes __attribute__((vector_size(4 * sizeof(int64_t))));
typedef double four_doubles __attribute__((vector_size(4 * sizeof(double))));
typedef float four_floats __attribute__((vector_size(4 * sizeof(float))));
typedef int32_t four_ints __attribute__((vector_size(4 * sizeof(int32_t))));

/* Four blocks' sums. Turning wholes into doubles is slow without AVX-512: they get the bits of 2^52, whose
 * last place counts units. */
CG_ALWAYS_INLINE void add_four(const int64_t (*whole)[2], const float *scale, four_doubles *lanes)
{
    four_wholes first, second;
    four_floats weight;
    memcpy(&first, whole, sizeof first);
    memcpy(&second, whole + 2, sizeof second);
    four_wholes sum = __builtin_shufflevector(first, second, 0, 4, 2, 6) +
                      __builtin_shufflevector(first, second, 1, 5, 3, 7);
    sum = __builtin_shufflevector(sum, sum, 0, 2, 1, 3) | INT64_C(0x433) << 52;
    memcpy(&weight, scale, sizeof weight);
    weight *= weight;
    four_ints finite = weight - weight == 0;
    weight = (four_floats)((four_ints)weight & finite);
    four_doubles wide = {(double)weight[0], (double)weight[1], (double)weight[2], (double)weight[3]};
    *lanes += ((four_doubles)sum - 0x1p52) * wide;
}

CG_CLONES double cg_sum_of_blocks(const int64_t (*whole)[2], const float *scale, size_t n)
{
    four_doubles lanes = {0};
    size_t fours = n - n % 4, left = n - fours;
    for (size_t b = 0; b < fours; b += 4)
        add_four(whole + b, scale + b, &lanes);
    if (left > 0) {
        int64_t rest[4][2] = {{0}};
        float scales[4] = {0};
        memcpy(rest, whole + fours, left * sizeof *rest);
        memcpy(scales, scale + fours, left * sizeof *scales);
        add_four((const int64_t(*)[2])rest, scales, &lanes);
    }
    return (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

typedef uint16_t eight_words __attribute__((vector_size(16)));

/* Adds the digits of both nibbles of 16 bytes, two bytes a word. */
CG_ALWAYS_INLINE void add_digits(const uint8_t digit[16], const sixteen_bytes *bytes, eight_words *sum)
{
    sixteen_bytes low = *bytes & 15, high = *bytes >> 4, both;
#ifdef __clang__
    for (int k = 0; k < 16; k++)
        both[k] = (uint8_t)(digit[low[k]] + digit[high[k]]);
#else
    sixteen_bytes table;
    memcpy(&table, digit, sizeof table);
    both = __builtin_shuffle(table, low) + __builtin_shuffle(table, high);
#endif
    *sum += ((eight_words)both & 255) + ((eight_words)both >> 8);
}

/* The squared steps of bytes first to end - 1, a whole number of sixteens. */
CG_ALWAYS_INLINE int64_t add_sixteens(const struct cg_code_run *run, int digits, size_t first, size_t end)
{
    eight_words sum[CG_CODE_DIGITS] = {{0}};
    for (; first < end; first += 16) {
        sixteen_bytes bytes;
        memcpy(&bytes, run->bytes + first, sizeof bytes);
        for (int digit = 0; digit < digits; digit++)
            add_digits(run->steps->digit[digit], &bytes, &sum[digit]);
    }
    int64_t whole = 0;
    for (int digit = 0; digit < digits; digit++)
        for (int k = 0; k < 8; k++)
            whole += (int64_t)sum[digit][k] << 7 * digit;
    return whole;
}

/* The same of eight bytes: taken twice, they add up to twice as much. */
CG_ALWAYS_INLINE int64_t add_eight(const struct cg_code_run *run, int digits, size_t first)
{
    uint8_t twice[16];
    struct cg_code_run own = *run;
    memcpy(twice, run->bytes + first, 8);
    memcpy(twice + 8, run->bytes + first, 8);
    own.bytes = twice;
    return add_sixteens(&own, digits, 0, 16) / 2;
}

/* Codes i to stop - 1 of a table, one by one. */
static double add_steps(const struct cg_code_run *run, size_t i, size_t stop)
{
    int first = run->kind == CG_CODE_TABLE_HIGH ? 4 : 0;
    double sum = 0;
    for (; i < stop; i++)
        sum += run->steps->square[run->bytes[i / 2] >> (i % 2 == 0 ? first : 4 - first) & 15];
    return sum;
}

CG_ALWAYS_INLINE double sum_table(const struct cg_code_run *run, int digits,
                                  const struct cg_code_blocks *blocks, size_t n)
{
    int64_t whole[CG_MOST_CODES][2];
    double rest = 0;
    size_t i = 0, b = 0;
    for (size_t end = blocks->length - blocks->skip; i < n; end += blocks->length, b++) {
        size_t stop = end < n ? end : n, bytes = i % 2 == 0 ? (stop - i) / 16 * 8 : 0;
        size_t sixteens = bytes / 16 * 16;
        whole[b][0] = sixteens > 0 ? add_sixteens(run, digits, i / 2, i / 2 + sixteens) : 0;
        whole[b][1] = sixteens < bytes ? add_eight(run, digits, i / 2 + sixteens) : 0;
        if (i + 2 * bytes < stop)
            rest += add_steps(run, i + 2 * bytes, stop) * (double)cg_code_weight(blocks->scale[b]);
        i = stop;
    }
    return cg_sum_of_blocks((const int64_t(*)[2])whole, blocks->scale, b) * run->steps->unit + rest;
}

CG_CLONES static double sum_table_one(const struct cg_code_run *run, const struct cg_code_blocks *blocks,
                                      size_t n)
{
    return sum_table(run, 1, blocks, n);
}

CG_CLONES static double sum_table_all(const struct cg_code_run *run, const struct cg_code_blocks *blocks,
                                      size_t n)
{
    return sum_table(run, CG_CODE_DIGITS, blocks, n);
}

static double sum_steps(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n)
{
    return run->steps->digits == 1 ? sum_table_one(run, blocks, n) : sum_table_all(run, blocks, n);
}

double cg_take_codes(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                     float *values)
{
    static double (*const takers[CG_CODE_KINDS])(const struct cg_code_run *, const struct cg_code_blocks *,
                                                 size_t, float *restrict) = {
        [CG_CODE_TWOS] = take_twos,
        [CG_CODE_THREES] = take_threes,
        [CG_CODE_NIBBLES] = take_nibbles,
        [CG_CODE_WORDS] = take_words,
        [CG_CODE_OCTETS] = take_octets,
        [CG_CODE_INTEGERS] = take_integers,
        [CG_CODE_TABLE_LOW] = take_table_low,
        [CG_CODE_TABLE_HIGH] = take_table_high,
        [CG_CODE_F8_E4M3] = take_e4m3,
        [CG_CODE_F8_E5M2] = take_e5m2,
        [CG_CODE_F8_E4M3FNUZ] = take_e4m3fnuz,
        [CG_CODE_F8_E5M2FNUZ] = take_e5m2fnuz,
    };
    double sum;
    if (cg_permute_take(run, blocks, n, values, &sum) || cg_float8_take(run, blocks, n, values, &sum))
        return sum;
    if (cg_nibbles_fit(run, blocks, n))
        return cg_nibbles_take(run, blocks, n, values);
    assert(takers[run->kind]);
    sum = takers[run->kind](run, blocks, n, values);
    return is_table(run->kind) ? sum_steps(run, blocks, n) : sum;
}
