/* Floating-point formats of up to 16 bits, decoded without a branch, so that loops over them vectorise. */
#ifndef COGNATE_CHECKPOINT_SMALL_FLOAT_H
#define COGNATE_CHECKPOINT_SMALL_FLOAT_H

#include <math.h>
#include <stdint.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

ALWAYS_INLINE float float_of_bits(uint32_t bits)
{
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

/* What the largest patterns of a small format mean. */
enum ending {
    FINITE, /* numbers like all others */
    IEEE,   /* the largest exponent is infinity and NaN */
    FN,     /* all ones is NaN, there is no infinity */
    FNUZ    /* minus zero is NaN, there is no infinity */
};

/* The value of a floating-point format of up to 16 bits: sign, exponent, mantissa, from the top. The fields
 * move to their places in a float and the exponent is rebiased. A subnormal gets a leading one by taking the
 * smallest normal exponent, and loses it again by a subtraction, which is exact. */
ALWAYS_INLINE float small_float(uint32_t x, int exponent_bits, int mantissa_bits, int bias,
                                enum ending ending)
{
    uint32_t mask = (1u << (exponent_bits + mantissa_bits)) - 1, top = (1u << exponent_bits) - 1;
    uint32_t magnitude = x & mask, exponent = magnitude >> mantissa_bits;
    uint32_t rebias = (uint32_t)(127 - bias) + (exponent == 0);
    if (ending == IEEE)
        rebias = exponent == top ? 255 - top : rebias;
    float leading_one = float_of_bits(exponent == 0 ? (uint32_t)(128 - bias) << 23 : 0);
    float value = float_of_bits((magnitude << (23 - mantissa_bits)) + (rebias << 23)) - leading_one;
    if (ending == FN)
        value = magnitude == mask ? NAN : value;
    if (ending == FNUZ)
        value = x == mask + 1 ? NAN : value;
    return x > mask ? -value : value;
}

#endif
