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

CG_ALWAYS_INLINE float half_of(uint32_t bits)
{
    return cg_small_float(bits, 5, 10, 15, CG_ENDING_IEEE);
}

CG_ALWAYS_INLINE float half_at(bytes *at)
{
    return half_of(half_bits(at));
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

/* What is written in parts is slow to read as a whole. */
CG_ALWAYS_INLINE void put_two_words(uint32_t first, uint32_t second, unsigned char *at)
{
    uint64_t both = first | (uint64_t)second << 32;
    __builtin_memcpy(at, &both, sizeof both);
}

/* 16 scales of 6 bits, four a word: their low nibbles in 8 bytes, their upper two bits in 4. */
CG_ALWAYS_INLINE void scales_q3_k(bytes *s, unsigned char scale[16])
{
    uint32_t nibble = 0x0F0F0F0F, two = 0x03030303, low[2] = {word_at(s), word_at(s + 4)},
             high = word_at(s + 8);
    for (int k = 0; k < 4; k += 2)
        put_two_words((low[0] >> 2 * k & nibble) | (high >> 2 * k & two) << 4,
                      (low[1] >> 2 * k & nibble) | (high >> (2 * k + 2) & two) << 4, scale + 4 * k);
}

/* 8 scales and 8 minima of 6 bits in 12 bytes: the first four of each, whole, then the nibbles of the others,
 * whose upper two bits are those of the first eight bytes. */
CG_ALWAYS_INLINE void scales_q4_k(bytes *s, unsigned char scale[8], unsigned char minimum[8])
{
    uint32_t six = 0x3F3F3F3F, nibble = 0x0F0F0F0F, two = 0x03030303;
    uint32_t a = word_at(s), b = word_at(s + 4), c = word_at(s + 8);
    put_two_words(a & six, (c & nibble) | (a >> 6 & two) << 4, scale);
    put_two_words(b & six, (c >> 4 & nibble) | (b >> 6 & two) << 4, minimum);
}

/* 8 scales of 6 bits: their upper two bits in 2 bytes, their low nibbles in 4. */
CG_ALWAYS_INLINE void scales_iq4_xs(bytes *s, unsigned char scale[8])
{
    uint64_t all = 0;
    for (int k = 0; k < 8; k++)
        all |= (uint64_t)((s[2 + k / 2] >> k % 2 * 4 & 15) | (s[k / 4] >> k % 4 * 2 & 3) << 4) << 8 * k;
    __builtin_memcpy(scale, &all, sizeof all);
}

#endif
