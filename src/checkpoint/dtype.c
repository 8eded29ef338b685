#include "cognate/dtype.h"
#include "cognate/clones.h"
#include "cognate/small_float.h"
#include "ggml_blocks.h"
#include <assert.h>
#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    struct cg_grain grain;
    bool real;
} dtypes[CG_DTYPE_COUNT] = {
#define CG_DTYPE_ROW(id, name, elements, bytes, real) [id] = {name, {elements, bytes}, real},
    CG_DTYPE_LIST(CG_DTYPE_ROW)
#undef CG_DTYPE_ROW
};

const char *cg_dtype_name(enum cg_dtype dtype)
{
    return dtypes[dtype].name;
}

struct cg_grain cg_dtype_grain(enum cg_dtype dtype)
{
    return dtypes[dtype].grain;
}

bool cg_dtype_is_real(enum cg_dtype dtype)
{
    return dtypes[dtype].real;
}

int cg_dtype_of_name(const char *name)
{
    for (int dtype = 0; dtype < CG_FIRST_BLOCK_DTYPE; dtype++)
        if (strcmp(dtypes[dtype].name, name) == 0)
            return dtype;
    return -1;
}

int64_t cg_grain_bytes(struct cg_grain grain, int64_t n)
{
    if (grain.elements == 1)
        return n * grain.bytes;
    assert(n % grain.elements == 0);
    return n / grain.elements * grain.bytes;
}

int64_t cg_dtype_bytes(enum cg_dtype dtype, int64_t n)
{
    return cg_grain_bytes(dtypes[dtype].grain, n);
}

/* A loop over elements of one type; `value` says in terms of the element x what it stands for. */
#define DECODER(name, type, to, value)                                                                       \
    CG_CLONES static void decode_##name(const unsigned char *restrict stored, size_t n, to *restrict values) \
    {                                                                                                        \
        for (size_t i = 0; i < n; i++) {                                                                     \
            type x;                                                                                          \
            __builtin_memcpy(&x, stored + i * sizeof x, sizeof x);                                           \
            values[i] = (to)(value);                                                                         \
        }                                                                                                    \
    }

DECODER(u32, uint32_t, double, x)
DECODER(i32, int32_t, double, x)
DECODER(u64, uint64_t, double, x)
DECODER(i64, int64_t, double, x)
DECODER(f64, double, double, x)
DECODER(u8, uint8_t, float, x)
DECODER(i8, int8_t, float, x)
DECODER(u16, uint16_t, float, x)
DECODER(i16, int16_t, float, x)
DECODER(f32, float, float, x)

/* Definitions: OCP Microscaling Formats (MX) v1.0 for F4, F6 and F8_E8M0, arXiv 2209.05433 for F8_E4M3 and
 * F8_E5M2, arXiv 2206.02915 for FNUZ, as the list of dtypes in safetensors/src/tensor.rs cites
 * them. Values of all patterns compared with PyPI's ml_dtypes 0.6 and numpy. */
DECODER(bf16, uint16_t, float, cg_float_of_bits((uint32_t)x << 16))
DECODER(f16, uint16_t, float, cg_small_float(x, 5, 10, 15, CG_ENDING_IEEE))
DECODER(f8_e4m3, uint8_t, float, cg_small_float(x, 4, 3, 7, CG_ENDING_FN))
DECODER(f8_e5m2, uint8_t, float, cg_small_float(x, 5, 2, 15, CG_ENDING_IEEE))
DECODER(f8_e4m3fnuz, uint8_t, float, cg_small_float(x, 4, 3, 8, CG_ENDING_FNUZ))
DECODER(f8_e5m2fnuz, uint8_t, float, cg_small_float(x, 5, 2, 16, CG_ENDING_FNUZ))
/* 2^-127 is a subnormal float, 0xFF is NaN: both have the first bit of the mantissa set. Spelled out in 32
 * bits, since comparisons of bytes would have to be widened one by one. */
CG_ALWAYS_INLINE uint32_t bits_of_e8m0(uint32_t x)
{
    uint32_t either = (((x + 1) & 0xFE) - 1) >> 31; /* 1 for 0 and for 0xFF */
    return x << 23 | either << 22;
}

DECODER(f8_e8m0, uint8_t, float, cg_float_of_bits(bits_of_e8m0(x)))

/* Two elements in a byte, the first in the low nibble (torch's float4_e2m1fn_x2 packs so). */
CG_CLONES static void decode_f4(const unsigned char *restrict stored, size_t n, float *restrict values)
{
    for (size_t i = 0; i < n; i++)
        values[i] = cg_small_float(stored[i / 2] >> (i % 2 * 4) & 0xF, 2, 1, 1, CG_ENDING_FINITE);
}

/* Element k in bits 6k to 6k + 5, counted from the lowest bit of the first byte. No program is known to write
 * these types yet; the order is that of F4 carried over. */
CG_ALWAYS_INLINE uint32_t six_bits(const unsigned char *stored, size_t k)
{
    size_t byte = k * 6 / 8, shift = k * 6 % 8;
    uint32_t high = shift > 2 ? stored[byte + 1] : 0;
    return (stored[byte] | high << 8) >> shift & 0x3F;
}

static void decode_f6_e2m3(const unsigned char *restrict stored, size_t n, float *restrict values)
{
    for (size_t i = 0; i < n; i++)
        values[i] = cg_small_float(six_bits(stored, i), 2, 3, 1, CG_ENDING_FINITE);
}

static void decode_f6_e3m2(const unsigned char *restrict stored, size_t n, float *restrict values)
{
    for (size_t i = 0; i < n; i++)
        values[i] = cg_small_float(six_bits(stored, i), 3, 2, 3, CG_ENDING_FINITE);
}

typedef void decode_floats(const unsigned char *restrict stored, size_t n, float *restrict values);
typedef void decode_doubles(const unsigned char *restrict stored, size_t n, double *restrict values);

static decode_floats *const floats[CG_FIRST_BLOCK_DTYPE] = {
    [CG_U8] = decode_u8,
    [CG_I8] = decode_i8,
    [CG_U16] = decode_u16,
    [CG_I16] = decode_i16,
    [CG_F16] = decode_f16,
    [CG_BF16] = decode_bf16,
    [CG_F32] = decode_f32,
    [CG_F8_E4M3] = decode_f8_e4m3,
    [CG_F8_E5M2] = decode_f8_e5m2,
    [CG_F8_E4M3FNUZ] = decode_f8_e4m3fnuz,
    [CG_F8_E5M2FNUZ] = decode_f8_e5m2fnuz,
    [CG_F8_E8M0] = decode_f8_e8m0,
    [CG_F4] = decode_f4,
    [CG_F6_E2M3] = decode_f6_e2m3,
    [CG_F6_E3M2] = decode_f6_e3m2,
};

static decode_doubles *const doubles[CG_FIRST_BLOCK_DTYPE] = {
    [CG_U32] = decode_u32, [CG_I32] = decode_i32, [CG_U64] = decode_u64,
    [CG_I64] = decode_i64, [CG_F64] = decode_f64,
};

bool cg_dtype_is_float(enum cg_dtype dtype)
{
    return dtypes[dtype].real && (dtype >= CG_FIRST_BLOCK_DTYPE || floats[dtype]);
}

static const struct cg_outline unknown = {0, -INFINITY, INFINITY};

struct cg_outline cg_dtype_decode_floats(enum cg_dtype dtype, const void *stored, size_t n, float *values)
{
    assert(cg_dtype_is_float(dtype));
    if (dtype >= CG_FIRST_BLOCK_DTYPE)
        return cg_ggml_decode(dtype, stored, n, values);
    floats[dtype](stored, n, values);
    return unknown;
}

CG_CLONES static void widen(const float *restrict from, size_t n, double *restrict to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (double)from[i];
}

struct cg_outline cg_dtype_decode(enum cg_dtype dtype, const void *stored, size_t n, double *values)
{
    enum { SOME = 1024 }; /* whole grains of every type */
    float single[SOME];
    struct cg_outline all = {0, INFINITY, -INFINITY};
    assert(dtypes[dtype].real);
    if (!cg_dtype_is_float(dtype)) {
        doubles[dtype](stored, n, values);
        return unknown;
    }
    for (size_t done = 0; done < n; done += SOME) {
        size_t some = n - done < SOME ? n - done : SOME;
        struct cg_outline outline = cg_dtype_decode_floats(
            dtype, (const char *)stored + cg_dtype_bytes(dtype, (int64_t)done), some, single);
        widen(single, some, values + done);
        all.rounding += outline.rounding;
        all.low = outline.low < all.low ? outline.low : all.low;
        all.high = outline.high > all.high ? outline.high : all.high;
    }
    return all;
}
