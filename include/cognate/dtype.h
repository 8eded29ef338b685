/* Element types: what a stored element is and which plain value it stands for. */
#ifndef COGNATE_DTYPE_H
#define COGNATE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* enumerator, name as safetensors spells it, elements and bytes of a grain, has a plain real value.
 * BOOL is a truth value and C64 a complex one: both are hashed, neither enters similarity. */
#define CG_PLAIN_DTYPE_LIST(X)                                                                               \
    X(CG_BOOL, "BOOL", 1, 1, false)                                                                          \
    X(CG_U8, "U8", 1, 1, true)                                                                               \
    X(CG_I8, "I8", 1, 1, true)                                                                               \
    X(CG_U16, "U16", 1, 2, true)                                                                             \
    X(CG_I16, "I16", 1, 2, true)                                                                             \
    X(CG_U32, "U32", 1, 4, true)                                                                             \
    X(CG_I32, "I32", 1, 4, true)                                                                             \
    X(CG_U64, "U64", 1, 8, true)                                                                             \
    X(CG_I64, "I64", 1, 8, true)                                                                             \
    X(CG_F16, "F16", 1, 2, true)                                                                             \
    X(CG_BF16, "BF16", 1, 2, true)                                                                           \
    X(CG_F32, "F32", 1, 4, true)                                                                             \
    X(CG_F64, "F64", 1, 8, true)                                                                             \
    X(CG_C64, "C64", 1, 8, false)                                                                            \
    X(CG_F8_E4M3, "F8_E4M3", 1, 1, true)                                                                     \
    X(CG_F8_E5M2, "F8_E5M2", 1, 1, true)                                                                     \
    X(CG_F8_E4M3FNUZ, "F8_E4M3FNUZ", 1, 1, true)                                                             \
    X(CG_F8_E5M2FNUZ, "F8_E5M2FNUZ", 1, 1, true)                                                             \
    X(CG_F8_E8M0, "F8_E8M0", 1, 1, true)                                                                     \
    X(CG_F4, "F4", 2, 1, true)                                                                               \
    X(CG_F6_E2M3, "F6_E2M3", 4, 3, true)                                                                     \
    X(CG_F6_E3M2, "F6_E3M2", 4, 3, true)

/* ggml's types, as GGUF files name them: a grain is a block of elements that share their scales. Those of no
 * real value are made from tables of code words, or need a scale from elsewhere: they are hashed, no more.
 * https://github.com/ggml-org/llama.cpp (ggml/src/ggml-common.h, gguf-py/gguf/constants.py) */
#define CG_BLOCK_DTYPE_LIST(X)                                                                               \
    X(CG_Q4_0, "Q4_0", 32, 18, true)                                                                         \
    X(CG_Q4_1, "Q4_1", 32, 20, true)                                                                         \
    X(CG_Q5_0, "Q5_0", 32, 22, true)                                                                         \
    X(CG_Q5_1, "Q5_1", 32, 24, true)                                                                         \
    X(CG_Q8_0, "Q8_0", 32, 34, true)                                                                         \
    X(CG_Q2_K, "Q2_K", 256, 84, true)                                                                        \
    X(CG_Q3_K, "Q3_K", 256, 110, true)                                                                       \
    X(CG_Q4_K, "Q4_K", 256, 144, true)                                                                       \
    X(CG_Q5_K, "Q5_K", 256, 176, true)                                                                       \
    X(CG_Q6_K, "Q6_K", 256, 210, true)                                                                       \
    X(CG_MXFP4, "MXFP4", 32, 17, true)                                                                       \
    X(CG_IQ4_NL, "IQ4_NL", 32, 18, true)                                                                     \
    X(CG_IQ4_XS, "IQ4_XS", 256, 136, true)                                                                   \
    X(CG_TQ1_0, "TQ1_0", 256, 54, true)                                                                      \
    X(CG_TQ2_0, "TQ2_0", 256, 66, true)                                                                      \
    X(CG_IQ1_S, "IQ1_S", 256, 50, true)                                                                      \
    X(CG_IQ1_M, "IQ1_M", 256, 56, true)                                                                      \
    X(CG_IQ2_XXS, "IQ2_XXS", 256, 66, true)                                                                  \
    X(CG_IQ2_XS, "IQ2_XS", 256, 74, true)                                                                    \
    X(CG_IQ2_S, "IQ2_S", 256, 82, true)                                                                      \
    X(CG_IQ3_XXS, "IQ3_XXS", 256, 98, true)                                                                  \
    X(CG_IQ3_S, "IQ3_S", 256, 110, true)                                                                     \
    X(CG_NVFP4, "NVFP4", 64, 36, true)

#define CG_DTYPE_LIST(X)                                                                                     \
    CG_PLAIN_DTYPE_LIST(X)                                                                                   \
    CG_BLOCK_DTYPE_LIST(X)

enum cg_dtype {
#define CG_DTYPE_ENUM(id, name, elements, bytes, real) id,
    CG_DTYPE_LIST(CG_DTYPE_ENUM)
#undef CG_DTYPE_ENUM
        CG_DTYPE_COUNT,
    CG_FIRST_BLOCK_DTYPE = CG_Q4_0
};

const char *cg_dtype_name(enum cg_dtype dtype);
bool cg_dtype_is_real(enum cg_dtype dtype);

/* The plain dtype of that name, or -1. */
int cg_dtype_of_name(const char *name);

/* The smallest run of elements that fills whole bytes: one of most types, two of 4 bits, a block with its
 * scales of the types that have such. */
struct cg_grain {
    int32_t elements, bytes;
};
struct cg_grain cg_dtype_grain(enum cg_dtype dtype);

/* The bytes of n elements, a whole number of grains (asserted). */
int64_t cg_grain_bytes(struct cg_grain grain, int64_t n);
int64_t cg_dtype_bytes(enum cg_dtype dtype, int64_t n);

/* What scales tell of n elements: the sum of the squared errors to be expected from having rounded them to
 * this type, and that no finite value lies beyond low and high. Values are taken as evenly spread within the
 * cell that rounds to an element: a cell that reaches from v - a to v + b gives (a^2 - a b + b^2) / 3, which
 * is h^2 / 12 between codes h apart (Bennett, "Spectra of quantized signals", 1948). Only scales are looked
 * at where all codes are as far apart; scales that are not finite add nothing. Plain types have no scales: 0,
 * and no bounds. */
struct cg_outline {
    double rounding, low, high;
};

/* Writes the values of n elements at `stored` (no alignment asked) to values[n]. Exact for every plain type
 * but 64-bit integers beyond 2^53, which round to nearest even; the values of blocks are float32, computed in
 * the order of gguf-py's quants.py. n is a whole number of grains. The dtype must be real. */
struct cg_outline cg_dtype_decode(enum cg_dtype dtype, const void *stored, size_t n, double *values);

/* Whether every value is a float: all real types but F64 and the integers of 32 and 64 bits. These are
 * decoded the same as floats. */
bool cg_dtype_is_float(enum cg_dtype dtype);
struct cg_outline cg_dtype_decode_floats(enum cg_dtype dtype, const void *stored, size_t n, float *values);

#endif
