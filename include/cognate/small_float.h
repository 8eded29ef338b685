/* Floating-point formats of few bits, in a form that loops over them vectorise. */
#ifndef COGNATE_SMALL_FLOAT_H
#define COGNATE_SMALL_FLOAT_H

#include "cognate/clones.h"
#include <math.h>
#include <stdint.h>

CG_ALWAYS_INLINE float cg_float_of_bits(uint32_t bits)
{
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

/* What the largest patterns of a small format mean. */
enum cg_ending {
    CG_ENDING_FINITE, /* numbers like all others */
    CG_ENDING_IEEE,   /* the largest exponent is infinity and NaN */
    CG_ENDING_FN,     /* all ones is NaN, there is no infinity */
    CG_ENDING_FNUZ    /* minus zero is NaN, there is no infinity */
};

/* The value of a floating-point format of up to 16 bits: sign, exponent, mantissa, from the top. The fields
 * move to their places in a float and the exponent is rebiased. A subnormal gets a leading one by taking the
 * smallest normal exponent, and loses it again by a subtraction, which is exact. No branch, so that loops
 * over it vectorise. */
CG_ALWAYS_INLINE float cg_small_float(uint32_t x, int exponent_bits, int mantissa_bits, int bias,
                                      enum cg_ending ending)
{
    uint32_t mask = (1u << (exponent_bits + mantissa_bits)) - 1, top = (1u << exponent_bits) - 1;
    uint32_t magnitude = x & mask, exponent = magnitude >> mantissa_bits;
    uint32_t rebias = (uint32_t)(127 - bias) + (exponent == 0);
    if (ending == CG_ENDING_IEEE)
        rebias = exponent == top ? 255 - top : rebias;
    float leading_one = cg_float_of_bits(exponent == 0 ? (uint32_t)(128 - bias) << 23 : 0);
    float value = cg_float_of_bits((magnitude << (23 - mantissa_bits)) + (rebias << 23)) - leading_one;
    if (ending == CG_ENDING_FN)
        value = magnitude == mask ? NAN : value;
    if (ending == CG_ENDING_FNUZ)
        value = x == mask + 1 ? NAN : value;
    return x > mask ? -value : value;
}

#endif
