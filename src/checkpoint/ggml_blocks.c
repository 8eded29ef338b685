/* Blocks of quantised elements as ggml lays them out: a scale, perhaps a minimum, perhaps scales of 16 or 32
 * elements as multiples of these, and codes of a few bits.
 * https://github.com/ggml-org/llama.cpp (ggml/src/ggml-common.h, gguf-py/gguf/quants.py) */
#include "ggml_blocks.h"
#include "cognate/clones.h"
#include "ggml_iq.h"
#include "ggml_scales.h"
#include <assert.h>

enum { SOME = LARGE / SMALL }; /* small blocks done at once */

/* Before a loop that gcc would unroll first and then turn into narrower vectors. */
#ifdef __clang__
#define AS_A_LOOP
#else
#define AS_A_LOOP _Pragma("GCC unroll 1")
#endif

/* What `shift` and `mask` take from each of `n` bytes, eight at once: no instruction shifts vectors of bytes.
 */
CG_ALWAYS_INLINE void unpack(bytes *from, int n, int shift, unsigned mask, unsigned char *out)
{
    AS_A_LOOP
    for (int i = 0; i < n; i += 8) {
        uint64_t word;
        __builtin_memcpy(&word, from + i, sizeof word);
        word = word >> shift & mask * UINT64_C(0x0101010101010101);
        __builtin_memcpy(out + i, &word, sizeof word);
    }
}

/* d * (code - offset) for each of `n` codes, 32 or more. */
CG_ALWAYS_INLINE void scale_codes(bytes *code, int n, float d, int offset, float *values)
{
    AS_A_LOOP
    for (int i = 0; i < n; i++)
        values[i] = d * (float)(code[i] - offset);
}

/* d * code + m for each of 32 codes. */
CG_ALWAYS_INLINE void scale_and_move(bytes *code, float d, float m, float *values)
{
    AS_A_LOOP
    for (int i = 0; i < SMALL; i++)
        values[i] = d * (float)code[i] + m;
}

/* `set` where the mask is all ones, `clear` where it is 0. */
CG_ALWAYS_INLINE unsigned char pick(unsigned char mask, unsigned char clear, unsigned char set)
{
    return (unsigned char)(clear ^ (mask & (clear ^ set)));
}

CG_ALWAYS_INLINE unsigned char one_of_4(const unsigned char mask[4], bytes *table)
{
    return pick(mask[1], pick(mask[0], table[0], table[1]), pick(mask[0], table[2], table[3]));
}

CG_ALWAYS_INLINE unsigned char one_of_8(const unsigned char mask[4], bytes *table)
{
    return pick(mask[2], one_of_4(mask, table), one_of_4(mask, table + 4));
}

/* Replaces `n` codes of 4 bits by what a constant table has for them: bit by bit, as vectors have no tables.
 */
CG_ALWAYS_INLINE void look_up(bytes table[16], unsigned char *code, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = code[i];
        const unsigned char mask[4] = {c & 1 ? 255 : 0, c & 2 ? 255 : 0, c & 4 ? 255 : 0, c & 8 ? 255 : 0};
        code[i] = pick(mask[3], one_of_8(mask, table), one_of_8(mask, table + 8));
    }
}

/* ---- Blocks of 32 ----
 * Some at a time are unpacked, and then scaled: what was just written in parts is slow to read as a whole. */

struct blocks {
    unsigned char code[LARGE];
    float d[SOME], m[SOME]; /* of each block */
};

/* Low nibbles are elements 0 to 15, high ones 16 to 31. */
CG_ALWAYS_INLINE void nibbles(bytes *codes, unsigned char code[SMALL])
{
    unpack(codes, SMALL / 2, 0, 15, code);
    unpack(codes, SMALL / 2, 4, 15, code + SMALL / 2);
}

/* Codes of 5 bits: the fifth of element i is bit i of `fifth`. A byte in eight places keeps a bit in each,
 * which a sum carries to the top. */
CG_ALWAYS_INLINE void codes_q5(bytes *fifth, bytes *codes, unsigned char code[SMALL])
{
    static const unsigned char bits[8] = {1, 2, 4, 8, 16, 32, 64, 128},
                               rests[8] = {127, 126, 124, 120, 112, 96, 64, 0};
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t bit, rest;
    __builtin_memcpy(&bit, bits, sizeof bit);
    __builtin_memcpy(&rest, rests, sizeof rest);
    AS_A_LOOP
    for (int i = 0; i < SMALL / 8; i++) {
        uint64_t word;
        __builtin_memcpy(&word, codes + i % 2 * 8, sizeof word);
        word = (word >> (i / 2 * 4) & 15 * each) | ((((fifth[i] * each & bit) + rest) & 128 * each) >> 3);
        __builtin_memcpy(code + 8 * i, &word, sizeof word);
    }
}

CG_ALWAYS_INLINE void take_q4_0(bytes *b, struct blocks *out, size_t k)
{
    out->d[k] = half_at(b);
    nibbles(b + 2, out->code + SMALL * k);
}

CG_ALWAYS_INLINE void take_q4_1(bytes *b, struct blocks *out, size_t k)
{
    out->d[k] = half_at(b);
    out->m[k] = half_at(b + 2);
    nibbles(b + 4, out->code + SMALL * k);
}

CG_ALWAYS_INLINE void take_q5_0(bytes *b, struct blocks *out, size_t k)
{
    out->d[k] = half_at(b);
    codes_q5(b + 2, b + 6, out->code + SMALL * k);
}

CG_ALWAYS_INLINE void take_q5_1(bytes *b, struct blocks *out, size_t k)
{
    out->d[k] = half_at(b);
    out->m[k] = half_at(b + 2);
    codes_q5(b + 4, b + 8, out->code + SMALL * k);
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

/* E2M1 doubled, which is whole, and 12 more, for each code: 0 1 2 3 4 6 8 12 with signs. */
CG_ALWAYS_INLINE void double_e2m1(unsigned char *code, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char m = code[i] & 7, more = m > 4 ? (unsigned char)(m - 4) : 0, last = m == 7 ? 2 : 0;
        unsigned char value = (unsigned char)(m + more + last);
        code[i] = code[i] & 8 ? (unsigned char)(12 - value) : (unsigned char)(12 + value);
    }
}

CG_ALWAYS_INLINE void take_mxfp4(bytes *b, struct blocks *out, size_t k)
{
    out->d[k] = scale_mxfp4(b);
    nibbles(b + 1, out->code + SMALL * k);
}

/* What the codes of IQ4 stand for, and 127 more. */
static const unsigned char of_iq4[16] = {0,   23,  44,  62,  78,  92,  105, 117,
                                         128, 140, 152, 165, 180, 196, 216, 240};

CG_ALWAYS_INLINE void take_iq4_nl(bytes *b, struct blocks *out, size_t k)
{
    out->d[k] = half_at(b);
    nibbles(b + 2, out->code + SMALL * k);
}

/* ---- Blocks of 256, with a scale for each 16 or 32 elements ---- */

/* Parts of 16 in twos, codes by themselves and then scaled: vectors of so few bytes would be of as few
 * floats.
 */
CG_ALWAYS_INLINE void scale_parts(bytes *code, int offset, const float d[16], const float m[16],
                                  float *values)
{
    AS_A_LOOP
    for (int two = 0; two < 8; two++) {
        float whole[32];
        scale_codes(code + 32 * two, 32, 1, offset, whole);
        for (int half = 0; half < 2; half++) {
            int part = 2 * two + half;
            AS_A_LOOP
            for (int i = 0; i < 16; i++)
                values[16 * part + i] =
                    m ? whole[16 * half + i] * d[part] - m[part] : whole[16 * half + i] * d[part];
        }
    }
}

/* Element 128 c + 32 s + i is in bits 2s of byte 32 c + i. */
CG_ALWAYS_INLINE void unpack_twos(bytes *codes, unsigned char code[LARGE])
{
    for (int quarter = 0; quarter < 8; quarter++)
        unpack(codes + quarter / 4 * 32, 32, quarter % 4 * 2, 3, code + 32 * quarter);
}

/* 16 bytes of scales and minima in nibbles, 64 of codes, the factors of both. */
CG_ALWAYS_INLINE void block_q2_k(bytes *b, float *values)
{
    unsigned char scale[16], minimum[16], code[LARGE];
    unpack(b, 16, 0, 15, scale);
    unpack(b, 16, 4, 15, minimum);
    unpack_twos(b + 16, code);
    float d = half_at(b + 80), m = half_at(b + 82), scales[16], minima[16];
    AS_A_LOOP
    for (int part = 0; part < 16; part++) {
        scales[part] = d * (float)scale[part];
        minima[part] = m * (float)minimum[part];
    }
    scale_parts(code, 0, scales, minima, values);
}

/* As Q2_K, and a third bit, bit e / 32 of byte e % 32 for element e: where it is clear, 4 is taken off. */
CG_ALWAYS_INLINE void block_q3_k(bytes *b, float *values)
{
    float d = half_at(b + 108), scales[16];
    for (int part = 0; part < 16; part++)
        scales[part] = d * (float)scale_q3_k(b + 96, part);
    unsigned char code[LARGE], third[LARGE];
    unpack_twos(b + 32, code);
    for (int quarter = 0; quarter < 8; quarter++)
        unpack(b, 32, quarter, 1, third + 32 * quarter);
    for (int i = 0; i < LARGE; i++)
        code[i] |= (unsigned char)(third[i] * 4);
    scale_parts(code, 4, scales, NULL, values);
}

CG_ALWAYS_INLINE void scale_and_move_parts(bytes *b, bytes code[LARGE], float *values)
{
    float d = half_at(b), m = half_at(b + 2), scales[8], minima[8];
    for (int part = 0; part < 8; part++) {
        int scale, minimum;
        scales_q4_k(b + 4, part, &scale, &minimum);
        scales[part] = d * (float)scale;
        minima[part] = m * (float)minimum;
    }
    AS_A_LOOP
    for (int part = 0; part < 8; part++)
        scale_and_move(code + 32 * part, scales[part], -minima[part], values + 32 * part);
}

CG_ALWAYS_INLINE void unpack_nibbles(bytes *codes, unsigned char code[LARGE])
{
    for (int part = 0; part < 8; part++)
        unpack(codes + part / 2 * 32, 32, part % 2 * 4, 15, code + 32 * part);
}

CG_ALWAYS_INLINE void block_q4_k(bytes *b, float *values)
{
    unsigned char code[LARGE];
    unpack_nibbles(b + 16, code);
    scale_and_move_parts(b, code, values);
}

/* As Q4_K, and a fifth bit, bit `part` of byte i. */
CG_ALWAYS_INLINE void block_q5_k(bytes *b, float *values)
{
    unsigned char code[LARGE], fifth[LARGE];
    unpack_nibbles(b + 48, code);
    for (int part = 0; part < 8; part++)
        unpack(b + 16, 32, part, 1, fifth + 32 * part);
    for (int i = 0; i < LARGE; i++)
        code[i] |= (unsigned char)(fifth[i] * 16);
    scale_and_move_parts(b, code, values);
}

/* Low nibbles in 128 bytes, upper two bits in 64, 16 signed scales. */
CG_ALWAYS_INLINE void block_q6_k(bytes *b, float *values)
{
    float d = half_at(b + 208), scales[16];
    for (int part = 0; part < 16; part++)
        scales[part] = d * (float)(signed char)b[192 + part];
    unsigned char code[LARGE], high[LARGE];
    for (int part = 0; part < 8; part++)
        unpack(b + part / 4 * 64 + part % 2 * 32, 32, part / 2 % 2 * 4, 15, code + 32 * part);
    unpack_twos(b + 128, high);
    for (int i = 0; i < LARGE; i++)
        code[i] |= (unsigned char)(high[i] * 16);
    scale_parts(code, 32, scales, NULL, values);
}

CG_ALWAYS_INLINE void block_iq4_xs(bytes *b, float *values)
{
    unsigned char code[LARGE];
    float scales[8];
    for (int part = 0; part < 8; part++) {
        scales[part] = scale_iq4_xs(b, part);
        nibbles(b + 8 + 16 * part, code + 32 * part);
    }
    look_up(of_iq4, code, LARGE);
    AS_A_LOOP
    for (int part = 0; part < 8; part++)
        scale_codes(code + 32 * part, SMALL, scales[part], 127, values + 32 * part);
}

/* ---- Blocks of 256 ternary elements: d times -1, 0 or 1 ---- */

/* `digits` times `count` elements: a byte is a fraction of 256 whose digits to the base of three are the
 * codes, the upper one first. */
CG_ALWAYS_INLINE void unpack_ternary(bytes *codes, int count, int digits, unsigned char *code)
{
    unsigned char rest[32];
    __builtin_memcpy(rest, codes, (size_t)count);
    AS_A_LOOP
    for (int k = 0; k < digits; k++) {
        AS_A_LOOP
        for (int i = 0; i < count; i++) {
            code[count * k + i] = (unsigned char)((rest[i] > 85) + (rest[i] > 170));
            rest[i] = (unsigned char)(rest[i] * 3);
        }
    }
}

CG_ALWAYS_INLINE void block_tq1_0(bytes *b, float *values)
{
    unsigned char code[LARGE];
    unpack_ternary(b, 32, 5, code);
    unpack_ternary(b + 32, 16, 5, code + 160);
    unpack_ternary(b + 48, 4, 4, code + 240);
    scale_codes(code, LARGE, half_at(b + 52), 1, values);
}

CG_ALWAYS_INLINE void block_tq2_0(bytes *b, float *values)
{
    unsigned char code[LARGE];
    unpack_twos(b, code);
    scale_codes(code, LARGE, half_at(b + 64), 1, values);
}

/* ---- All blocks ---- */

/* What first becomes of all unpacked codes, and then of those of a block. */
#define AS_STORED (void)codes
#define SCALED(offset)                                                                                       \
    scale_codes(blocks.code + SMALL * k, SMALL, blocks.d[k], offset, values + SMALL * (done + k))
#define MOVED scale_and_move(blocks.code + SMALL * k, blocks.d[k], blocks.m[k], values + SMALL * (done + k))

#define SMALL_DECODER(name, size, replace, values_of_a_block)                                                \
    CG_CLONES static void decode_##name(bytes *restrict stored, size_t n, float *restrict values)            \
    {                                                                                                        \
        for (size_t done = 0, some; done < n / SMALL; done += some) {                                        \
            struct blocks blocks;                                                                            \
            some = n / SMALL - done < SOME ? n / SMALL - done : SOME;                                        \
            for (size_t k = 0; k < some; k++)                                                                \
                take_##name(stored + (done + k) * (size), &blocks, k);                                       \
            size_t codes = some * SMALL;                                                                     \
            replace;                                                                                         \
            for (size_t k = 0; k < some; k++)                                                                \
                values_of_a_block;                                                                           \
        }                                                                                                    \
    }

#define DECODER(name, elements, size)                                                                        \
    CG_CLONES static void decode_##name(bytes *restrict stored, size_t n, float *restrict values)            \
    {                                                                                                        \
        for (size_t block = 0; block < n / (elements); block++)                                              \
            block_##name(stored + block * (size), values + block * (elements));                              \
    }

SMALL_DECODER(q4_0, 18, AS_STORED, SCALED(8))
SMALL_DECODER(q4_1, 20, AS_STORED, MOVED)
SMALL_DECODER(q5_0, 22, AS_STORED, SCALED(16))
SMALL_DECODER(q5_1, 24, AS_STORED, MOVED)
DECODER(q8_0, SMALL, 34)
SMALL_DECODER(mxfp4, 17, double_e2m1(blocks.code, codes), SCALED(12))
SMALL_DECODER(iq4_nl, 18, look_up(of_iq4, blocks.code, codes), SCALED(127))
DECODER(q2_k, LARGE, 84)
DECODER(q3_k, LARGE, 110)
DECODER(q4_k, LARGE, 144)
DECODER(q5_k, LARGE, 176)
DECODER(q6_k, LARGE, 210)
DECODER(iq4_xs, LARGE, 136)
DECODER(tq1_0, LARGE, 54)
DECODER(tq2_0, LARGE, 66)

static void (*const decoders[CG_DTYPE_COUNT])(bytes *restrict stored, size_t n, float *restrict values) = {
    [CG_Q4_0] = decode_q4_0,        [CG_Q4_1] = decode_q4_1,      [CG_Q5_0] = decode_q5_0,
    [CG_Q5_1] = decode_q5_1,        [CG_Q8_0] = decode_q8_0,      [CG_Q2_K] = decode_q2_k,
    [CG_Q3_K] = decode_q3_k,        [CG_Q4_K] = decode_q4_k,      [CG_Q5_K] = decode_q5_k,
    [CG_Q6_K] = decode_q6_k,        [CG_MXFP4] = decode_mxfp4,    [CG_IQ4_NL] = decode_iq4_nl,
    [CG_IQ4_XS] = decode_iq4_xs,    [CG_TQ1_0] = decode_tq1_0,    [CG_TQ2_0] = decode_tq2_0,
    [CG_IQ1_S] = cg_decode_iq1_s,   [CG_IQ1_M] = cg_decode_iq1_m, [CG_IQ2_XXS] = cg_decode_iq2_xxs,
    [CG_IQ2_XS] = cg_decode_iq2_xs, [CG_IQ2_S] = cg_decode_iq2_s, [CG_IQ3_XXS] = cg_decode_iq3_xxs,
    [CG_IQ3_S] = cg_decode_iq3_s,   [CG_NVFP4] = cg_decode_nvfp4,
};

void cg_ggml_decode(enum cg_dtype dtype, const unsigned char *stored, size_t n, float *values)
{
    assert(n % (size_t)cg_dtype_grain(dtype).elements == 0);
    decoders[dtype](stored, n, values);
}
