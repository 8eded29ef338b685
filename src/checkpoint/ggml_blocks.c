/* Blocks of quantised elements as ggml lays them out: a scale, perhaps a minimum, perhaps scales of 16 or 32
 * elements as multiples of these, and codes of a few bits.
 * https://github.com/ggml-org/llama.cpp (ggml/src/ggml-common.h, gguf-py/gguf/quants.py) */
#include "ggml_blocks.h"
#include "ggml_avx2.h"
#include "ggml_iq.h"
#include <assert.h>

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

/* The same of 32 bytes, and above it, from bit `up` on, what is taken from 32 others. */
CG_ALWAYS_INLINE void unpack_two(bytes *low, int low_shift, unsigned low_mask, bytes *high, int high_shift,
                                 unsigned high_mask, int up, unsigned char out[32])
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    AS_A_LOOP
    for (int i = 0; i < 32; i += 8) {
        uint64_t a, b;
        __builtin_memcpy(&a, low + i, sizeof a);
        __builtin_memcpy(&b, high + i, sizeof b);
        a = (a >> low_shift & low_mask * each) | (b >> high_shift & high_mask * each) << up;
        __builtin_memcpy(out + i, &a, sizeof a);
    }
}

/* ---- Blocks of 32 ---- */

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

/* The halves at the same place of all blocks become floats together, well before they are needed: what was
 * just written in parts is slow to read as a whole. Places up to the next multiple of eight are NaN. */
CG_ALWAYS_INLINE void halves(bytes *at, int blocks, int size, float *out)
{
    uint32_t bits[MOST / SMALL];
    int end = (blocks + SOME - 1) / SOME * SOME;
    for (int k = 0; k < end; k++)
        bits[k] = k < blocks ? half_bits(at + k * size) : 0x7FFF;
    AS_A_LOOP
    for (int k = 0; k < end; k++)
        out[k] = cg_small_float(bits[k], 5, 10, 15, CG_ENDING_IEEE);
}

CG_ALWAYS_INLINE void scales_mxfp4(bytes *at, int blocks, float *out)
{
    int end = (blocks + SOME - 1) / SOME * SOME;
    for (int k = 0; k < end; k++)
        out[k] = k < blocks ? scale_mxfp4(at[17 * k]) : NAN;
}

/* ---- Blocks of 256, with a scale for each 16 or 32 elements ---- */

/* 16 bytes of scales and minima in nibbles, 64 of codes, the factors of both. */
CG_ALWAYS_INLINE void take_q2_k(bytes *b, struct run *run)
{
    run->factors = word_at(b + 80);
    unpack(b, 16, 0, 15, run->scale_code);
    unpack(b, 16, 4, 15, run->shift_code);
    run->twos = b + 16;
}

/* As Q2_K, and a third bit, bit e / 32 of byte e % 32 for element e: where it is clear, 4 is taken off. */
CG_ALWAYS_INLINE void take_q3_k(bytes *b, struct run *run)
{
    run->factors = half_bits(b + 108);
    scales_q3_k(b + 96, run->scale_code);
    for (int k = 0; k < 8; k++)
        unpack_two(b + 32 + k / 4 * 32, k % 4 * 2, 3, b, k, 1, 2, run->code + 32 * k);
}

CG_ALWAYS_INLINE void take_scales_q4_k(bytes *b, struct run *run)
{
    run->factors = word_at(b);
    scales_q4_k(b + 4, run->scale_code, run->shift_code);
}

CG_ALWAYS_INLINE void take_q4_k(bytes *b, struct run *run)
{
    take_scales_q4_k(b, run);
    for (int k = 0; k < 8; k++)
        unpack(b + 16 + k / 2 * 32, 32, k % 2 * 4, 15, run->code + 32 * k);
}

/* As Q4_K, and a fifth bit, bit `part` of byte i. */
CG_ALWAYS_INLINE void take_q5_k(bytes *b, struct run *run)
{
    take_scales_q4_k(b, run);
    for (int k = 0; k < 8; k++)
        unpack_two(b + 48 + k / 2 * 32, k % 2 * 4, 15, b + 16, k, 1, 4, run->code + 32 * k);
}

/* Low nibbles in 128 bytes, upper two bits in 64, 16 signed scales. */
CG_ALWAYS_INLINE void take_q6_k(bytes *b, struct run *run)
{
    run->factors = half_bits(b + 208);
    __builtin_memcpy(run->scale_code, b + 192, 16);
    for (int k = 0; k < 8; k++)
        unpack_two(b + k / 4 * 64 + k % 2 * 32, k / 2 % 2 * 4, 15, b + 128 + k / 4 * 32, k % 4 * 2, 3, 4,
                   run->code + 32 * k);
}

CG_ALWAYS_INLINE void take_iq4_xs(bytes *b, struct run *run)
{
    run->factors = half_bits(b);
    scales_iq4_xs(b + 2, run->scale_code);
    for (int part = 0; part < 8; part++)
        nibbles(b + 8 + 16 * part, run->code + 32 * part);
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

CG_ALWAYS_INLINE void same_scale(bytes *half, struct run *run)
{
    run->factors = half_bits(half);
    memset(run->scale_code, 1, SOME);
}

CG_ALWAYS_INLINE void take_tq1_0(bytes *b, struct run *run)
{
    unpack_ternary(b, 32, 5, run->code);
    unpack_ternary(b + 32, 16, 5, run->code + 160);
    unpack_ternary(b + 48, 4, 4, run->code + 240);
    same_scale(b + 52, run);
}

CG_ALWAYS_INLINE void take_tq2_0(bytes *b, struct run *run)
{
    run->twos = b;
    same_scale(b + 64, run);
}

/* ---- All blocks ---- */

/* A decoder, given how it does its parts: what comes first, and how the codes of a run are taken. */
#define BODY(how, elements, size, first, take, ...)                                                          \
    {                                                                                                        \
        const struct form form = {__VA_ARGS__};                                                              \
        struct scales scales;                                                                                \
        first;                                                                                               \
        for (int done = 0; done < n; done += LARGE) {                                                        \
            int part = done / form.length;                                                                   \
            int some = (elements) == LARGE || n - done >= LARGE ? LARGE : n - done;                          \
            struct run run;                                                                                  \
            run.scale = scales.scale + part;                                                                 \
            run.shift = scales.shift + part;                                                                 \
            run.cells = scales.cells + part;                                                                 \
            bytes *block = stored + done / (elements) * (size);                                              \
            take;                                                                                            \
            if ((elements) == LARGE)                                                                         \
                how##_scales(&run, form);                                                                    \
            if (form.table)                                                                                  \
                how##_look_up(form.table, some / SMALL, &run);                                               \
            if (form.twos)                                                                                   \
                how##_scale_twos(&run, form, values + done);                                                 \
            else                                                                                             \
                how##_scale(&run, form, some / form.length, values + done);                                  \
        }                                                                                                    \
        return how##_outline(&scales, n / form.length, form);                                                \
    }

typedef struct cg_outline decode(bytes *restrict stored, int n, float *restrict values);

/* The last arguments are fields of struct form. */
#if defined(AVX2) && !defined(CG_ANY_MACHINE)
#define DECODER(name, ...)                                                                                   \
    static struct cg_outline plain_##name(bytes *restrict stored, int n, float *restrict values)             \
        BODY(plain, __VA_ARGS__)                                                                             \
            AVX2 static struct cg_outline avx2_##name(bytes *restrict stored, int n, float *restrict values) \
                BODY(avx2, __VA_ARGS__) static struct cg_outline decode_##name(                              \
                    bytes *restrict stored, int n, float *restrict values)                                   \
    {                                                                                                        \
        return (__builtin_cpu_supports("avx2") ? avx2_##name : plain_##name)(stored, n, values);             \
    }
#else
#define DECODER(name, ...)                                                                                   \
    static struct cg_outline decode_##name(bytes *restrict stored, int n, float *restrict values)            \
        BODY(plain, __VA_ARGS__)
#endif

/* Of small blocks, the scales of all and then the codes of each. */
#define SMALL_DECODER(name, size, scales, codes, ...)                                                        \
    DECODER(name, SMALL, size, scales, for (int k = 0; k < some / SMALL; k++, block += (size)) codes,        \
            .length = 32, __VA_ARGS__)
#define LARGE_DECODER(name, size, ...)                                                                       \
    DECODER(name, LARGE, size, (void)0, take_##name(block, &run), __VA_ARGS__)

/* The scales of small blocks, at the beginning of each, and what is added, behind; where the codes of block k
 * go. */
#define D(size)       halves(stored, n / SMALL, size, scales.scale)
#define D_AND_M(size) (D(size), halves(stored + 2, n / SMALL, size, scales.shift))
#define CODE          (run.code + SMALL * k)

SMALL_DECODER(q4_0, 18, D(18), nibbles(block + 2, CODE), .offset = 8, .least = -8, .most = 7)
SMALL_DECODER(q4_1, 20, D_AND_M(20), nibbles(block + 4, CODE), .most = 15, .shifted = true)
SMALL_DECODER(q5_0, 22, D(22), codes_q5(block + 2, block + 6, CODE), .offset = 16, .least = -16, .most = 15)
SMALL_DECODER(q5_1, 24, D_AND_M(24), codes_q5(block + 4, block + 8, CODE), .most = 31, .shifted = true)
SMALL_DECODER(q8_0, 34, D(34), __builtin_memcpy(CODE, block + 2, SMALL), .least = -128, .most = 127)
SMALL_DECODER(mxfp4, 17, scales_mxfp4(stored, n / SMALL, scales.scale), nibbles(block + 1, CODE),
              .least = -12, .most = 12, .table = &e2m1)
SMALL_DECODER(iq4_nl, 18, D(18), nibbles(block + 2, CODE), .least = -127, .most = 113, .table = &iq4)
LARGE_DECODER(q2_k, 84, .length = 16, .most = 3, .shifted = true, .twos = true)
LARGE_DECODER(q3_k, 110, .length = 16, .scale_offset = 32, .offset = 4, .least = -4, .most = 3)
LARGE_DECODER(q4_k, 144, .length = 32, .most = 15, .shifted = true)
LARGE_DECODER(q5_k, 176, .length = 32, .most = 31, .shifted = true)
LARGE_DECODER(q6_k, 210, .length = 16, .offset = 32, .least = -32, .most = 31)
LARGE_DECODER(iq4_xs, 136, .length = 32, .scale_offset = 32, .least = -127, .most = 113, .table = &iq4)
LARGE_DECODER(tq1_0, 54, .length = 32, .offset = 1, .least = -1, .most = 1)
LARGE_DECODER(tq2_0, 66, .length = 32, .offset = 1, .least = -1, .most = 2, .twos = true)

static decode *const decoders[CG_DTYPE_COUNT] = {
    [CG_Q4_0] = decode_q4_0,        [CG_Q4_1] = decode_q4_1,      [CG_Q5_0] = decode_q5_0,
    [CG_Q5_1] = decode_q5_1,        [CG_Q8_0] = decode_q8_0,      [CG_Q2_K] = decode_q2_k,
    [CG_Q3_K] = decode_q3_k,        [CG_Q4_K] = decode_q4_k,      [CG_Q5_K] = decode_q5_k,
    [CG_Q6_K] = decode_q6_k,        [CG_MXFP4] = decode_mxfp4,    [CG_IQ4_NL] = decode_iq4_nl,
    [CG_IQ4_XS] = decode_iq4_xs,    [CG_TQ1_0] = decode_tq1_0,    [CG_TQ2_0] = decode_tq2_0,
    [CG_IQ1_S] = cg_decode_iq1_s,   [CG_IQ1_M] = cg_decode_iq1_m, [CG_IQ2_XXS] = cg_decode_iq2_xxs,
    [CG_IQ2_XS] = cg_decode_iq2_xs, [CG_IQ2_S] = cg_decode_iq2_s, [CG_IQ3_XXS] = cg_decode_iq3_xxs,
    [CG_IQ3_S] = cg_decode_iq3_s,   [CG_NVFP4] = cg_decode_nvfp4,
};

struct cg_outline cg_ggml_decode(enum cg_dtype dtype, const unsigned char *stored, size_t n, float *values)
{
    struct cg_grain grain = cg_dtype_grain(dtype);
    struct cg_outline all = {0, INFINITY, -INFINITY};
    assert(n % (size_t)grain.elements == 0);
    for (size_t done = 0; done < n; done += MOST) {
        int some = n - done < MOST ? (int)(n - done) : MOST;
        struct cg_outline outline = decoders[dtype](stored, some, values + done);
        all.rounding += outline.rounding;
        all.low = outline.low < all.low ? outline.low : all.low;
        all.high = outline.high > all.high ? outline.high : all.high;
        stored += some / grain.elements * grain.bytes;
    }
    return all;
}
