/* Scales in the blocks of ggml, for ggml_blocks.c, which decodes them, and ggml_rounding.c. */
#ifndef COGNATE_CHECKPOINT_GGML_SCALES_H
#define COGNATE_CHECKPOINT_GGML_SCALES_H

#include "cognate/small_float.h"

enum { SMALL = 32, LARGE = 256 }; /* elements of a block */

typedef const unsigned char bytes;

CG_ALWAYS_INLINE float half_at(bytes *at)
{
    return cg_small_float((uint32_t)(at[0] | at[1] << 8), 5, 10, 15, CG_ENDING_IEEE);
}

/* Half of the scale, since the codes stand for E2M1 doubled. */
CG_ALWAYS_INLINE float scale_mxfp4(bytes *b)
{
    return cg_float_of_bits(*b < 2 ? 0x00200000u << *b : (uint32_t)(*b - 1) << 23);
}

/* Scales of 6 bits: their low nibbles in 8 bytes, their upper two bits in 4. */
CG_ALWAYS_INLINE int scale_q3_k(bytes *scales, int part)
{
    int low = scales[part % 8] >> (part / 8 * 4) & 15, high = scales[8 + part % 4] >> (part / 4 * 2) & 3;
    return (low | high << 4) - 32;
}

/* 8 scales and 8 minima of 6 bits in 12 bytes: the first four of each, whole, then the nibbles of the others,
 * whose upper two bits are those of the first eight bytes. */
CG_ALWAYS_INLINE void scales_q4_k(bytes *s, int part, int *scale, int *minimum)
{
    *scale = part < 4 ? s[part] & 63 : (s[part + 4] & 15) | (s[part - 4] >> 6) << 4;
    *minimum = part < 4 ? s[part + 4] & 63 : s[part + 4] >> 4 | (s[part] >> 6) << 4;
}

CG_ALWAYS_INLINE float scale_iq4_xs(bytes *b, int part)
{
    int low = b[4 + part / 2] >> (part % 2 * 4) & 15, high = (b[2] | b[3] << 8) >> (part * 2) & 3;
    return half_at(b) * (float)((low | high << 4) - 32);
}

#endif
