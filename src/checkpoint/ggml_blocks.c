/* Blocks of quantised elements as ggml lays them out: a scale, perhaps a minimum, perhaps scales of 16 or 32
 * elements as multiples of these, and codes of a few bits.
 * https://github.com/ggml-org/llama.cpp (ggml/src/ggml-common.h, gguf-py/gguf/quants.py) */
#include "ggml_blocks.h"
#include "cognate/clones.h"
#include "cognate/small_float.h"
#include "ggml_iq.h"
#include <assert.h>

enum { SMALL = 32, LARGE = 256 }; /* elements of a block */

typedef const unsigned char bytes;

/* Before a loop that gcc would unroll first and then turn into narrower vectors. */
#ifdef __clang__
#define AS_A_LOOP
#else
#define AS_A_LOOP _Pragma("GCC unroll 1")
#endif

CG_ALWAYS_INLINE float half_at(bytes *at)
{
    return cg_small_float((uint32_t)(at[0] | at[1] << 8), 5, 10, 15, CG_ENDING_IEEE);
}

CG_ALWAYS_INLINE uint32_t bits_at(bytes *at)
{
    uint32_t bits;
    __builtin_memcpy(&bits, at, sizeof bits);
    return bits;
}

/* ---- Blocks of 32: low nibbles are elements 0 to 15, high ones 16 to 31 ---- */

/* d * (code - offset) for each code of 4 bits. */
CG_ALWAYS_INLINE void decode_nibbles(bytes *codes, float d, int offset, float *values)
{
    for (int i = 0; i < SMALL / 2; i++) {
        values[i] = d * (float)((codes[i] & 15) - offset);
        values[i + SMALL / 2] = d * (float)((codes[i] >> 4) - offset);
    }
}

CG_ALWAYS_INLINE void block_q4_0(bytes *b, float *values)
{
    decode_nibbles(b + 2, half_at(b), 8, values);
}

CG_ALWAYS_INLINE void block_q4_1(bytes *b, float *values)
{
    float d = half_at(b), m = half_at(b + 2);
    for (int i = 0; i < SMALL / 2; i++) {
        values[i] = d * (float)(b[4 + i] & 15) + m;
        values[i + SMALL / 2] = d * (float)(b[4 + i] >> 4) + m;
    }
}

/* The codes of 5 bits: the fifth of element i is bit i of `high`. */
CG_ALWAYS_INLINE void codes_q5(bytes *codes, uint32_t high, int code[SMALL])
{
    for (int i = 0; i < SMALL / 2; i++) {
        code[i] = (codes[i] & 15) | (int)(high >> i & 1) << 4;
        code[i + SMALL / 2] = codes[i] >> 4 | (int)(high >> (i + SMALL / 2) & 1) << 4;
    }
}

CG_ALWAYS_INLINE void block_q5_0(bytes *b, float *values)
{
    float d = half_at(b);
    int code[SMALL];
    codes_q5(b + 6, bits_at(b + 2), code);
    for (int i = 0; i < SMALL; i++)
        values[i] = d * (float)(code[i] - 16);
}

CG_ALWAYS_INLINE void block_q5_1(bytes *b, float *values)
{
    float d = half_at(b), m = half_at(b + 2);
    int code[SMALL];
    codes_q5(b + 8, bits_at(b + 4), code);
    for (int i = 0; i < SMALL; i++)
        values[i] = d * (float)code[i] + m;
}

/* By way of whole numbers gcc makes wider vectors of it. */
CG_ALWAYS_INLINE void block_q8_0(bytes *b, float *values)
{
    float d = half_at(b);
    int code[SMALL];
    for (int i = 0; i < SMALL; i++)
        code[i] = (signed char)b[2 + i];
    for (int i = 0; i < SMALL; i++)
        values[i] = (float)code[i] * d;
}

/* Half of the scale, since the codes stand for E2M1 doubled, which is whole. */
CG_ALWAYS_INLINE float scale_mxfp4(bytes *b)
{
    return cg_float_of_bits(*b < 2 ? 0x00200000u << *b : (uint32_t)(*b - 1) << 23);
}

/* E2M1 doubled: 0 1 2 3 4 6 8 12 and their negatives. In bytes, so that 16 or more are worked out at once. */
CG_ALWAYS_INLINE signed char e2m1_doubled(unsigned char code)
{
    unsigned char m = code & 7, more = m > 4 ? (unsigned char)(m - 4) : 0, last = m == 7 ? 2 : 0;
    signed char value = (signed char)(m + more + last);
    return code & 8 ? (signed char)-value : value;
}

CG_ALWAYS_INLINE void block_mxfp4(bytes *b, float *values)
{
    float d = scale_mxfp4(b);
    signed char code[SMALL];
    AS_A_LOOP
    for (int i = 0; i < SMALL / 2; i++)
        code[i] = e2m1_doubled(b[1 + i] & 15);
    AS_A_LOOP
    for (int i = 0; i < SMALL / 2; i++)
        code[i + SMALL / 2] = e2m1_doubled(b[1 + i] >> 4);
    AS_A_LOOP
    for (int i = 0; i < SMALL; i++)
        values[i] = d * (float)code[i];
}

/* What the codes of IQ4 stand for. */
static const signed char iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                           1,    13,   25,  38,  53,  69,  89,  113};

CG_ALWAYS_INLINE void decode_iq4(bytes *codes, float d, float *values)
{
    for (int i = 0; i < SMALL / 2; i++) {
        values[i] = d * (float)iq4_values[codes[i] & 15];
        values[i + SMALL / 2] = d * (float)iq4_values[codes[i] >> 4];
    }
}

CG_ALWAYS_INLINE void block_iq4_nl(bytes *b, float *values)
{
    decode_iq4(b + 2, half_at(b), values);
}

/* ---- Blocks of 256, with a scale for each 16 or 32 elements ---- */

/* 16 bytes of scales and minima in nibbles, 64 of codes, the factors of both. Element 128 c + 32 s + i is in
 * bits 2s of byte 32 c + i. */
CG_ALWAYS_INLINE void block_q2_k(bytes *b, float *values)
{
    float d = half_at(b + 80), m = half_at(b + 82);
    for (int part = 0; part < 16; part++) {
        bytes *codes = b + 16 + part / 8 * 32 + part % 2 * 16;
        int shift = part / 2 % 4 * 2;
        float scale = d * (float)(b[part] & 15), minimum = m * (float)(b[part] >> 4);
        for (int i = 0; i < 16; i++)
            values[16 * part + i] = scale * (float)(codes[i] >> shift & 3) - minimum;
    }
}

/* Scales of 6 bits: their low nibbles in 8 bytes, their upper two bits in 4. */
CG_ALWAYS_INLINE int scale_q3_k(bytes *scales, int part)
{
    int low = scales[part % 8] >> (part / 8 * 4) & 15, high = scales[8 + part % 4] >> (part / 4 * 2) & 3;
    return (low | high << 4) - 32;
}

/* As Q2_K, and a third bit, bit e / 32 of byte e % 32 for element e: where it is clear, 4 is taken off. */
CG_ALWAYS_INLINE void block_q3_k(bytes *b, float *values)
{
    float d = half_at(b + 108);
    for (int part = 0; part < 16; part++) {
        bytes *codes = b + 32 + part / 8 * 32 + part % 2 * 16, *third = b + part % 2 * 16;
        int shift = part / 2 % 4 * 2, bit = part / 2;
        float scale = d * (float)scale_q3_k(b + 96, part);
        for (int i = 0; i < 16; i++) {
            int code = (codes[i] >> shift & 3) - (~third[i] >> bit & 1) * 4;
            values[16 * part + i] = scale * (float)code;
        }
    }
}

/* 8 scales and 8 minima of 6 bits in 12 bytes: the first four of each, whole, then the nibbles of the others,
 * whose upper two bits are those of the first eight bytes. */
CG_ALWAYS_INLINE void scales_q4_k(bytes *s, int part, int *scale, int *minimum)
{
    *scale = part < 4 ? s[part] & 63 : (s[part + 4] & 15) | (s[part - 4] >> 6) << 4;
    *minimum = part < 4 ? s[part + 4] & 63 : s[part + 4] >> 4 | (s[part] >> 6) << 4;
}

CG_ALWAYS_INLINE void block_q4_k(bytes *b, float *values)
{
    float d = half_at(b), m = half_at(b + 2);
    for (int part = 0; part < 8; part++) {
        bytes *codes = b + 16 + part / 2 * 32;
        int s, t, shift = part % 2 * 4;
        scales_q4_k(b + 4, part, &s, &t);
        float scale = d * (float)s, minimum = m * (float)t;
        for (int i = 0; i < 32; i++)
            values[32 * part + i] = scale * (float)(codes[i] >> shift & 15) - minimum;
    }
}

/* As Q4_K, and a fifth bit, bit `part` of byte i. */
CG_ALWAYS_INLINE void block_q5_k(bytes *b, float *values)
{
    float d = half_at(b), m = half_at(b + 2);
    for (int part = 0; part < 8; part++) {
        bytes *fifth = b + 16, *codes = b + 48 + part / 2 * 32;
        int s, t, shift = part % 2 * 4;
        scales_q4_k(b + 4, part, &s, &t);
        float scale = d * (float)s, minimum = m * (float)t;
        for (int i = 0; i < 32; i++) {
            int code = (codes[i] >> shift & 15) | (fifth[i] >> part & 1) << 4;
            values[32 * part + i] = scale * (float)code - minimum;
        }
    }
}

/* Low nibbles in 128 bytes, upper two bits in 64, 16 signed scales. */
CG_ALWAYS_INLINE void block_q6_k(bytes *b, float *values)
{
    float d = half_at(b + 208);
    signed char code[LARGE];
    for (int quarter = 0; quarter < 8; quarter++) {
        bytes *low = b + quarter / 4 * 64 + quarter % 2 * 32, *high = b + 128 + quarter / 4 * 32;
        int low_shift = quarter / 2 % 2 * 4, high_shift = quarter % 4 * 2;
        for (int i = 0; i < 32; i++)
            code[32 * quarter + i] =
                (signed char)(((low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4) - 32);
    }
    for (int part = 0; part < 16; part++) {
        float scale = d * (float)(signed char)b[192 + part];
        AS_A_LOOP
        for (int i = 0; i < 16; i++)
            values[16 * part + i] = scale * (float)code[16 * part + i];
    }
}

CG_ALWAYS_INLINE float scale_iq4_xs(bytes *b, int part)
{
    int low = b[4 + part / 2] >> (part % 2 * 4) & 15, high = (b[2] | b[3] << 8) >> (part * 2) & 3;
    return half_at(b) * (float)((low | high << 4) - 32);
}

CG_ALWAYS_INLINE void block_iq4_xs(bytes *b, float *values)
{
    for (int part = 0; part < 8; part++)
        decode_iq4(b + 8 + 16 * part, scale_iq4_xs(b, part), values + 32 * part);
}

/* ---- Blocks of 256 ternary elements: d times -1, 0 or 1 ---- */

/* `count` elements that stand `at` the first byte of theirs on, one power of three deep: a byte is a fraction
 * of 256 whose digits to the base of three are the codes, the upper one first. */
CG_ALWAYS_INLINE void decode_ternary(bytes *codes, int count, unsigned power, float d, float *values)
{
    for (int i = 0; i < count; i++)
        values[i] = d * (float)((int)((codes[i] * power & 0xFF) * 3 >> 8) - 1);
}

CG_ALWAYS_INLINE void block_tq1_0(bytes *b, float *values)
{
    static const unsigned powers[5] = {1, 3, 9, 27, 81};
    float d = half_at(b + 52);
    for (int k = 0; k < 5; k++)
        decode_ternary(b, 32, powers[k], d, values + 32 * k);
    for (int k = 0; k < 5; k++)
        decode_ternary(b + 32, 16, powers[k], d, values + 160 + 16 * k);
    for (int k = 0; k < 4; k++)
        decode_ternary(b + 48, 4, powers[k], d, values + 240 + 4 * k);
}

CG_ALWAYS_INLINE void block_tq2_0(bytes *b, float *values)
{
    float d = half_at(b + 64);
    for (int part = 0; part < 8; part++)
        for (int i = 0; i < 32; i++) {
            int code = b[part / 4 * 32 + i] >> (part % 4 * 2) & 3;
            values[32 * part + i] = d * (float)(code - 1);
        }
}

/* ---- Rounding: of one block, in units of h^2 / 12 summed over its elements ---- */

static double square(float x)
{
    return (double)x * (double)x;
}

static double rounding_q4_0(bytes *b)
{
    return SMALL * square(half_at(b));
}

static double rounding_q2_k(bytes *b)
{
    double sum = 0;
    for (int part = 0; part < 16; part++)
        sum += 16 * square(half_at(b + 80) * (float)(b[part] & 15));
    return sum;
}

static double rounding_q3_k(bytes *b)
{
    double sum = 0;
    for (int part = 0; part < 16; part++)
        sum += 16 * square(half_at(b + 108) * (float)scale_q3_k(b + 96, part));
    return sum;
}

static double rounding_q4_k(bytes *b)
{
    double sum = 0;
    for (int part = 0; part < 8; part++) {
        int scale, minimum;
        scales_q4_k(b + 4, part, &scale, &minimum);
        sum += 32 * square(half_at(b) * (float)scale);
    }
    return sum;
}

static double rounding_q6_k(bytes *b)
{
    double sum = 0;
    for (int part = 0; part < 16; part++)
        sum += 16 * square(half_at(b + 208) * (float)(signed char)b[192 + part]);
    return sum;
}

/* Of a value with neighbours `below` and `above` away: in units of h^2 / 12, which it is where they are as
 * far. */
static double cell(double below, double above)
{
    return below * below - below * above + above * above;
}

/* Values up to 16 are rounded to 12, the largest; of weights, which are rare out there, few lie beyond 15. */
static double rounding_mxfp4(bytes *b)
{
    const double cells[8] = {1, 1, 1, 1, cell(1, 2), cell(2, 2), cell(2, 4), cell(4, 6)};
    double sum = 0;
    for (int i = 0; i < SMALL / 2; i++)
        sum += cells[b[1 + i] & 7] + cells[b[1 + i] >> 4 & 7];
    return sum * square(scale_mxfp4(b));
}

/* The ends of the table as wide as their inner halves. */
static double rounding_iq4(bytes *codes, float d)
{
    double cells[16], sum = 0;
    for (int k = 0; k < 16; k++) {
        double below = k > 0 ? iq4_values[k] - iq4_values[k - 1] : iq4_values[1] - iq4_values[0];
        double above = k < 15 ? iq4_values[k + 1] - iq4_values[k] : iq4_values[15] - iq4_values[14];
        cells[k] = cell(below, above);
    }
    for (int i = 0; i < SMALL / 2; i++)
        sum += cells[codes[i] & 15] + cells[codes[i] >> 4];
    return sum * square(d);
}

static double rounding_iq4_nl(bytes *b)
{
    return rounding_iq4(b + 2, half_at(b));
}

static double rounding_iq4_xs(bytes *b)
{
    double sum = 0;
    for (int part = 0; part < 8; part++)
        sum += rounding_iq4(b + 8 + 16 * part, scale_iq4_xs(b, part));
    return sum;
}

static double rounding_tq1_0(bytes *b)
{
    return LARGE * square(half_at(b + 52));
}

static double rounding_tq2_0(bytes *b)
{
    return LARGE * square(half_at(b + 64));
}

/* ---- All blocks ---- */

#define DECODER(name, elements, size)                                                                        \
    CG_CLONES static void decode_##name(bytes *restrict stored, size_t n, float *restrict values)            \
    {                                                                                                        \
        for (size_t block = 0; block < n / (elements); block++)                                              \
            block_##name(stored + block * (size), values + block * (elements));                              \
    }

DECODER(q4_0, SMALL, 18)
DECODER(q4_1, SMALL, 20)
DECODER(q5_0, SMALL, 22)
DECODER(q5_1, SMALL, 24)
DECODER(q8_0, SMALL, 34)
DECODER(mxfp4, SMALL, 17)
DECODER(iq4_nl, SMALL, 18)
DECODER(q2_k, LARGE, 84)
DECODER(q3_k, LARGE, 110)
DECODER(q4_k, LARGE, 144)
DECODER(q5_k, LARGE, 176)
DECODER(q6_k, LARGE, 210)
DECODER(iq4_xs, LARGE, 136)
DECODER(tq1_0, LARGE, 54)
DECODER(tq2_0, LARGE, 66)

static const struct kind {
    void (*decode)(bytes *restrict stored, size_t n, float *restrict values);
    double (*rounding)(bytes *block);
} kinds[CG_DTYPE_COUNT] = {
    [CG_Q4_0] = {decode_q4_0, rounding_q4_0},
    [CG_Q4_1] = {decode_q4_1, rounding_q4_0},
    [CG_Q5_0] = {decode_q5_0, rounding_q4_0},
    [CG_Q5_1] = {decode_q5_1, rounding_q4_0},
    [CG_Q8_0] = {decode_q8_0, rounding_q4_0},
    [CG_Q2_K] = {decode_q2_k, rounding_q2_k},
    [CG_Q3_K] = {decode_q3_k, rounding_q3_k},
    [CG_Q4_K] = {decode_q4_k, rounding_q4_k},
    [CG_Q5_K] = {decode_q5_k, rounding_q4_k},
    [CG_Q6_K] = {decode_q6_k, rounding_q6_k},
    [CG_MXFP4] = {decode_mxfp4, rounding_mxfp4},
    [CG_IQ4_NL] = {decode_iq4_nl, rounding_iq4_nl},
    [CG_IQ4_XS] = {decode_iq4_xs, rounding_iq4_xs},
    [CG_TQ1_0] = {decode_tq1_0, rounding_tq1_0},
    [CG_TQ2_0] = {decode_tq2_0, rounding_tq2_0},
    [CG_IQ1_S] = {cg_decode_iq1_s, cg_rounding_iq1_s},
    [CG_IQ1_M] = {cg_decode_iq1_m, cg_rounding_iq1_m},
    [CG_IQ2_XXS] = {cg_decode_iq2_xxs, cg_rounding_iq2_xxs},
    [CG_IQ2_XS] = {cg_decode_iq2_xs, cg_rounding_iq2_xs},
    [CG_IQ2_S] = {cg_decode_iq2_s, cg_rounding_iq2_s},
    [CG_IQ3_XXS] = {cg_decode_iq3_xxs, cg_rounding_iq3_xxs},
    [CG_IQ3_S] = {cg_decode_iq3_s, cg_rounding_iq3_s},
    [CG_NVFP4] = {cg_decode_nvfp4, cg_rounding_nvfp4},
};

void cg_ggml_decode(enum cg_dtype dtype, const unsigned char *stored, size_t n, float *values)
{
    assert(n % (size_t)cg_dtype_grain(dtype).elements == 0);
    kinds[dtype].decode(stored, n, values);
}

double cg_ggml_rounding(enum cg_dtype dtype, const unsigned char *stored, size_t n)
{
    struct cg_grain grain = cg_dtype_grain(dtype);
    double sum = 0;
    for (size_t block = 0; kinds[dtype].rounding && block < n / (size_t)grain.elements; block++)
        sum += kinds[dtype].rounding(stored + block * (size_t)grain.bytes);
    return sum / 12;
}
