/* The arithmetic of quantised members on a run of codes: pure and local. */
#ifndef COGNATE_SWEEP_CODES_H
#define COGNATE_SWEEP_CODES_H

#include "cognate/dtype.h"
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CG_MOST_CODES = 2048 }; /* in a run */

/* In which nibble of a word AWQ has element k of eight. */
extern const uint8_t cg_awq_nibble[8];

/* How the codes of a run lie, and what they stand for. */
enum cg_code_kind {
    CG_CODE_TWOS,    /* of two bits each, from the lowest up, less `offset` */
    CG_CODE_THREES,  /* of three */
    CG_CODE_NIBBLES, /* of four */
    CG_CODE_WORDS,   /* of each word of 32 bits the nibble at bit `shift`, less `offset` */
    CG_CODE_HALVES,  /* the same of words that cg_words_split (nibbles.h) has split: at bit 0 or 4 of bytes */
    CG_CODE_OCTETS,  /* bytes, less `offset` */
    CG_CODE_INTEGERS,   /* signed bytes */
    CG_CODE_TABLE_LOW,  /* two a byte, the low one first: E2M1, by its table, with steps of one digit */
    CG_CODE_TABLE_HIGH, /* the high one first: places of any table, with steps of all digits */
    CG_CODE_F8_E4M3,
    CG_CODE_F8_E5M2,
    CG_CODE_F8_E4M3FNUZ,
    CG_CODE_F8_E5M2FNUZ,
    CG_CODE_KINDS
};

/* The squared steps of a table's places, h^2 where codes are h apart; and as whole numbers of `unit`, digit
 * by digit. */
enum { CG_CODE_DIGITS = 3 };
struct cg_code_steps {
    double square[16], unit;
    int digits; /* in use: 1 or all */
    uint8_t digit[CG_CODE_DIGITS][16];
};
void cg_code_steps_init(struct cg_code_steps *steps, const double squares[16], int digits);

struct cg_code_run {
    enum cg_code_kind kind;
    const uint8_t *bytes; /* where the first code begins */
    int offset, shift;
    const float *table; /* [16] */
    const struct cg_code_steps *steps;
};

/* What codes have in common: code i belongs to block (skip + i) / length; skip < length. Tables have zero
 * points of 0, and all but signed bytes a factor of 1. */
struct cg_code_blocks {
    const float *scale, *zero;
    size_t skip, length;
    float factor;
    bool whole; /* zero points are whole numbers, and no more than 16 from 0 */
};

/* What the squared steps of a block count: the square of its scale. */
static inline float cg_code_weight(float scale)
{
    float weight = scale * scale;
    return isfinite(weight) ? weight : 0;
}

/* The sum over n blocks of a whole number, in two parts that make less than 2^52, times the weight of its
 * scale: in four lanes, block b in lane b % 4, which fold as (0+2)+(1+3). */
double cg_sum_of_blocks(const int64_t (*whole)[2], const float *scale, size_t n);

/* Widens *low and *high to where finite values can lie, whatever the codes between `least` and `most`; of
 * many small blocks it tells nothing. */
void cg_code_bounds(float least, float most, const struct cg_code_blocks *blocks, size_t n, float *low,
                    float *high);

/* Four bytes as a word. */
static inline int32_t cg_word_at(const uint8_t *bytes)
{
    int32_t word;
    __builtin_memcpy(&word, bytes, sizeof word);
    return word;
}

/* values[i] = (code[i] - zero) * scale * factor, in float. Halves: as cg_words_split_fit says. Returns the
 * sum of the squares of step * scale, where steps are 1 but for tables and floats. A float's step is that of
 * its power of two; at a power of two itself, where the step below is half of that above, what makes h^2 / 12
 * the moment of the cell. Codes and scales that are not finite add nothing. Of tables the sum is that of
 * cg_sum_of_blocks, and behind it what is left of blocks that 16 do not divide. */
double cg_take_codes(const struct cg_code_run *run, const struct cg_code_blocks *blocks, size_t n,
                     float *values);

/* Zero points of `bits` each, from number `first` on, `add` added within their bits; or AWQ's: whole words.
 */
void cg_zeros_of_bits(const uint8_t *bytes, size_t first, int bits, int add, bool awq, size_t n, float *zero);

#endif
