/* Element types: what a stored element is and which plain value it stands for. */
#ifndef COGNATE_DTYPE_H
#define COGNATE_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* enumerator, name as safetensors spells it, bits an element, has a plain real value.
 * BOOL is a truth value and C64 a complex one: both are hashed, neither enters similarity. */
#define CG_DTYPE_LIST(X)                                                                                     \
    X(CG_BOOL, "BOOL", 8, false)                                                                             \
    X(CG_U8, "U8", 8, true)                                                                                  \
    X(CG_I8, "I8", 8, true)                                                                                  \
    X(CG_U16, "U16", 16, true)                                                                               \
    X(CG_I16, "I16", 16, true)                                                                               \
    X(CG_U32, "U32", 32, true)                                                                               \
    X(CG_I32, "I32", 32, true)                                                                               \
    X(CG_U64, "U64", 64, true)                                                                               \
    X(CG_I64, "I64", 64, true)                                                                               \
    X(CG_F16, "F16", 16, true)                                                                               \
    X(CG_BF16, "BF16", 16, true)                                                                             \
    X(CG_F32, "F32", 32, true)                                                                               \
    X(CG_F64, "F64", 64, true)                                                                               \
    X(CG_C64, "C64", 64, false)                                                                              \
    X(CG_F8_E4M3, "F8_E4M3", 8, true)                                                                        \
    X(CG_F8_E5M2, "F8_E5M2", 8, true)                                                                        \
    X(CG_F8_E4M3FNUZ, "F8_E4M3FNUZ", 8, true)                                                                \
    X(CG_F8_E5M2FNUZ, "F8_E5M2FNUZ", 8, true)                                                                \
    X(CG_F8_E8M0, "F8_E8M0", 8, true)                                                                        \
    X(CG_F4, "F4", 4, true)                                                                                  \
    X(CG_F6_E2M3, "F6_E2M3", 6, true)                                                                        \
    X(CG_F6_E3M2, "F6_E3M2", 6, true)

enum cg_dtype {
#define CG_DTYPE_ENUM(id, name, bits, real) id,
    CG_DTYPE_LIST(CG_DTYPE_ENUM)
#undef CG_DTYPE_ENUM
        CG_DTYPE_COUNT
};

const char *cg_dtype_name(enum cg_dtype dtype);
int cg_dtype_bits(enum cg_dtype dtype);
bool cg_dtype_is_real(enum cg_dtype dtype);

/* The dtype of that name, or -1. */
int cg_dtype_of_name(const char *name);

/* The bytes of n elements; n times the bits must be a multiple of 8 (asserted). */
int64_t cg_dtype_bytes(enum cg_dtype dtype, int64_t n);

/* Writes the values of n elements at `stored` (no alignment asked) to values[n]. Exact for every type but
 * 64-bit integers beyond 2^53, which round to nearest even. n must be a multiple of 8 for types under 8 bits
 * unless it ends the tensor. The dtype must be real. */
void cg_dtype_decode(enum cg_dtype dtype, const void *stored, size_t n, double *values);

#endif
