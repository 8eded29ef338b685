/* Scales in the blocks of ggml, for ggml_blocks.c. */
#ifndef COGNATE_CHECKPOINT_GGML_SCALES_H
#define COGNATE_CHECKPOINT_GGML_SCALES_H

#include "cognate/small_float.h"

enum { SMALL = 32, LARGE = 256 }; /* elements of a block */

typedef const unsigned char bytes;

CG_ALWAYS_INLINE uint32_t half_bits(bytes *at)
{
    return (uint32_t)(at[0] | at[1] << 8);
}

CG_ALWAYS_INLINE float half_at(bytes *at)
{
    return cg_small_float(half_bits(at), 5, 10, 15, CG_ENDING_IEEE);
}

/* Half of the scale, since the codes stand for E2M1 doubled. */
CG_ALWAYS_INLINE float scale_mxfp4(uint32_t exponent)
{
    return cg_float_of_bits(exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23);
}

CG_ALWAYS_INLINE uint32_t word_at(bytes *at)
{
    uint32_t word;
    __builtin_memcpy(&word, at, sizeof word);
    return word;
}

CG_ALWAYS_INLINE void put_word(uint32_t word, unsigned char *at)
{
    __builtin_memcpy(at, &word, sizeof word);
}

/* 16 scales of 6 bits, four a word: their low nibbles in 8 bytes, their upper two bits in 4. */
CG_ALWAYS_INLINE void scales_q3_k(bytes *s, unsigned char scale[16])
{
    uint32_t nibble = 0x0F0F0F0F, two = 0x03030303, high = word_at(s + 8);
    for (int k = 0; k < 4; k++)
        put_word((word_at(s + k % 2 * 4) >> k / 2 * 4 & nibble) | (high >> 2 * k & two) << 4, scale + 4 * k);
}

/* 8 scales and 8 minima of 6 bits in 12 bytes: the first four of each, whole, then the nibbles of the others,
 * whose upper two bits are those of the first eight bytes. */
CG_ALWAYS_INLINE void scales_q4_k(bytes *s, unsigned char scale[8], unsigned char minimum[8])
{
    uint32_t six = 0x3F3F3F3F, nibble = 0x0F0F0F0F, two = 0x03030303;
    put_word(word_at(s) & six, scale);
    put_word(word_at(s + 4) & six, minimum);
    put_word((word_at(s + 8) & nibble) | (word_at(s) >> 6 & two) << 4, scale + 4);
    put_word((word_at(s + 8) >> 4 & nibble) | (word_at(s + 4) >> 6 & two) << 4, minimum + 4);
}

/* 8 scales of 6 bits: their upper two bits in 2 bytes, their low nibbles in 4. */
CG_ALWAYS_INLINE void scales_iq4_xs(bytes *s, unsigned char scale[8])
{
    for (int k = 0; k < 8; k++)
        scale[k] = (unsigned char)((s[2 + k / 2] >> k % 2 * 4 & 15) | (s[k / 4] >> k % 4 * 2 & 3) << 4);
}

#endif
