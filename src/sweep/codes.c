#include "codes.h"
#include "cognate/clones.h"
#include "cognate/small_float.h"
#include "kernels.h"
#include <string.h>

const uint8_t cg_awq_nibble[8] = {0, 4, 1, 5, 2, 6, 3, 7};

/* A loop over codes of 4 bits, a word of eight at a time; `take` is said of i, the element, and x, its code.
 * `order` swaps the nibbles of each byte where the first is the high one. */
#define FOR_NIBBLES(bytes, n, order, take)                                                                   \
    do {                                                                                                     \
        size_t whole = (n) - (n) % 8;                                                                        \
        for (size_t at = 0; at < whole; at += 8) {                                                           \
            uint32_t word;                                                                                   \
            __builtin_memcpy(&word, (bytes) + at / 2, sizeof word);                                          \
            for (size_t k = 0; k < 8; k++) {                                                                 \
                uint32_t x = word >> (4 * (k ^ (order))) & 0xF;                                              \
                size_t i = at + k;                                                                           \
                take;                                                                                        \
            }                                                                                                \
        }                                                                                                    \
        for (size_t i = whole; i < (n); i++) {                                                               \
            uint32_t x = (uint32_t)(bytes)[i / 2] >> (4 * ((i ^ (order)) % 2)) & 0xF;                        \
            take;                                                                                            \
        }                                                                                                    \
    } while (0)

CG_CLONES static void nibbles(const uint8_t *restrict bytes, int offset, size_t n, float *restrict code)
{
    FOR_NIBBLES(bytes, n, 0, code[i] = (float)((int)x - offset));
}

CG_CLONES static void whole_bytes(const uint8_t *restrict bytes, int offset, size_t n, float *restrict code)
{
    for (size_t i = 0; i < n; i++)
        code[i] = (float)(bytes[i] - offset);
}

/* Codes that may lie across two bytes; the second is touched only when they do. */
static void any_bits(const uint8_t *bytes, size_t first, int bits, int offset, size_t n, float *code)
{
    for (size_t i = 0; i < n; i++, first += (size_t)bits) {
        size_t at = first / 8, shift = first % 8;
        unsigned high = shift + (size_t)bits > 8 ? bytes[at + 1] : 0;
        unsigned both = (bytes[at] | high << 8) >> shift;
        code[i] = (float)((int)(both & ((1u << bits) - 1)) - offset);
    }
}

void cg_codes_of_bits(const uint8_t *bytes, size_t first, int bits, int offset, size_t n, float *code)
{
    if (bits == 8)
        whole_bytes(bytes + first / 8, offset, n, code);
    else if (bits == 4 && first % 8 == 0)
        nibbles(bytes + first / 8, offset, n, code);
    else
        any_bits(bytes, first, bits, offset, n, code);
}

CG_CLONES void cg_codes_of_awq(const uint8_t *restrict words, int k, size_t n, float *restrict code)
{
    int shift = 4 * k;
    for (size_t i = 0; i < n; i++) {
        uint32_t word;
        __builtin_memcpy(&word, words + i * sizeof word, sizeof word);
        code[i] = (float)(int)(word >> shift & 0xF);
    }
}

/* The cell of a small float is its last place, h, wide; but below a power of two codes are half as far apart,
 * and its cell, from h/4 below to h/2 above, has three quarters of that moment. */
CG_ALWAYS_INLINE float cell_of(uint32_t x, int exponent_bits, int mantissa_bits, int bias)
{
    uint32_t magnitude = x & ((1u << (exponent_bits + mantissa_bits)) - 1);
    uint32_t exponent = magnitude >> mantissa_bits, mantissa = magnitude & ((1u << mantissa_bits) - 1);
    int place = (int)(exponent > 0 ? exponent : 1) - bias - mantissa_bits;
    float square = cg_float_of_bits((uint32_t)(127 + 2 * place) << 23);
    return mantissa == 0 && exponent > 1 ? 0.75f * square : square;
}

CG_CLONES void cg_codes_of_e2m1(const uint8_t *restrict bytes, size_t n, float *restrict code,
                                float *restrict cell)
{
    FOR_NIBBLES(bytes, n, 0, (code[i] = cg_small_float(x, 2, 1, 1, CG_ENDING_FINITE), cell[i] = cell_of(x, 2, 1, 1)));
}

CG_CLONES void cg_codes_of_table(const uint8_t *restrict bytes, const float *restrict table,
                                 const float *restrict cells, size_t n, float *restrict code,
                                 float *restrict cell)
{
    FOR_NIBBLES(bytes, n, 1, (code[i] = table[x], cell[i] = cells[x]));
}

#define BYTE_CODES(name, value, width)                                                                       \
    CG_CLONES static void name(const uint8_t *restrict bytes, size_t n, float *restrict code,                \
                               float *restrict cell)                                                         \
    {                                                                                                        \
        for (size_t i = 0; i < n; i++) {                                                                     \
            uint32_t x = bytes[i];                                                                           \
            code[i] = (value);                                                                               \
            cell[i] = (width);                                                                               \
        }                                                                                                    \
    }

BYTE_CODES(i8, (float)(int8_t)x, 1)
BYTE_CODES(e4m3, cg_small_float(x, 4, 3, 7, CG_ENDING_FN), cell_of(x, 4, 3, 7))
BYTE_CODES(e5m2, cg_small_float(x, 5, 2, 15, CG_ENDING_IEEE), cell_of(x, 5, 2, 15))
BYTE_CODES(e4m3fnuz, cg_small_float(x, 4, 3, 8, CG_ENDING_FNUZ), cell_of(x, 4, 3, 8))
BYTE_CODES(e5m2fnuz, cg_small_float(x, 5, 2, 16, CG_ENDING_FNUZ), cell_of(x, 5, 2, 16))

void cg_codes_of_bytes(enum cg_dtype dtype, const uint8_t *bytes, size_t n, float *code, float *cell)
{
    switch (dtype) {
    case CG_F8_E4M3:
        e4m3(bytes, n, code, cell);
        break;
    case CG_F8_E5M2:
        e5m2(bytes, n, code, cell);
        break;
    case CG_F8_E4M3FNUZ:
        e4m3fnuz(bytes, n, code, cell);
        break;
    case CG_F8_E5M2FNUZ:
        e5m2fnuz(bytes, n, code, cell);
        break;
    default:
        i8(bytes, n, code, cell);
    }
}

/* Sixteen at a time: blocks are that long or a multiple of it, nearly always. */
CG_CLONES void cg_spread(const float *restrict block, size_t skip, size_t length, size_t n,
                         float *restrict out)
{
    size_t i = 0;
    for (size_t end = length - skip; i < n; end += length, block++) {
        float value = *block;
        size_t stop = end < n ? end : n;
        for (; i + 16 <= stop; i += 16)
            for (size_t l = 0; l < 16; l++)
                out[i + l] = value;
        for (; i < stop; i++)
            out[i] = value;
    }
}

CG_CLONES static void scale_plain(const float *restrict code, const float *restrict scale, float factor,
                                  size_t n, double *restrict values)
{
    for (size_t i = 0; i < n; i++)
        values[i] = (double)(code[i] * scale[i] * factor);
}

CG_CLONES static void scale_shifted(const float *restrict code, const float *restrict zero,
                                    const float *restrict scale, float factor, size_t n,
                                    double *restrict values)
{
    for (size_t i = 0; i < n; i++)
        values[i] = (double)((code[i] - zero[i]) * scale[i] * factor);
}

void cg_scale_codes(const float *code, const float *zero, const float *scale, float factor, size_t n,
                    double *values)
{
    if (zero)
        scale_shifted(code, zero, scale, factor, n, values);
    else
        scale_plain(code, scale, factor, n, values);
}

CG_CLONES double cg_sum_cells(const float *restrict cell, const float *restrict scale, size_t n)
{
    double sum[CG_LANES] = {0};
    size_t whole = n - n % CG_LANES;
    for (size_t i = 0; i < whole; i += CG_LANES)
        for (size_t l = 0; l < CG_LANES; l++) {
            double s = (double)scale[i + l];
            sum[l] += (double)cell[i + l] * (s * s);
        }
    for (size_t i = whole; i < n; i++)
        sum[i - whole] += (double)cell[i] * ((double)scale[i] * (double)scale[i]);
    for (size_t width = CG_LANES / 2; width > 0; width /= 2)
        for (size_t l = 0; l < width; l++)
            sum[l] += sum[l + width];
    return sum[0];
}
