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

#define CG_DTYPE_LIST(X) CG_PLAIN_DTYPE_LIST(X)

enum cg_dtype {
#define CG_DTYPE_ENUM(id, name, elements, bytes, real) id,
    CG_DTYPE_LIST(CG_DTYPE_ENUM)
#undef CG_DTYPE_ENUM
        CG_DTYPE_COUNT
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

/* Writes the values of n elements at `stored` (no alignment asked) to values[n]. Exact for every type but
 * 64-bit integers beyond 2^53, which round to nearest even. n is a whole number of grains. The
 * dtype must be real. */
void cg_dtype_decode(enum cg_dtype dtype, const void *stored, size_t n, double *values);

#endif
