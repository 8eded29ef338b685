#include "codes.h"
#include "cognate/clones.h"
#include "cognate/small_float.h"
#include "kernels.h"
#include <assert.h>
#include <string.h>

const uint8_t cg_awq_nibble[8] = {0, 4, 1, 5, 2, 6, 3, 7};

CG_CLONES static void nibbles(const uint8_t *restrict bytes, int offset, size_t n, float *restrict code)
{
    for (size_t i = 0; i < n / 2; i++) {
        code[2 * i] = (float)((bytes[i] & 0xF) - offset);
        code[2 * i + 1] = (float)((bytes[i] >> 4) - offset);
    }
    if (n % 2 != 0)
        code[n - 1] = (float)((bytes[n / 2] & 0xF) - offset);
}

CG_CLONES static void whole_bytes(const uint8_t *restrict bytes, int offset, size_t n, float *restrict code)
{
    for (size_t i = 0; i < n; i++)
        code[i] = (float)(bytes[i] - offset);
}

/* Eight codes fill as many bytes as they have bits. */
CG_CLONES static void eights(const uint8_t *restrict bytes, int bits, int offset, size_t n,
                             float *restrict code)
{
    for (size_t i = 0; i + 8 <= n; i += 8, bytes += bits) {
        uint64_t word = 0;
        for (int b = 0; b < bits; b++)
            word |= (uint64_t)bytes[b] << 8 * b;
        for (int k = 0; k < 8; k++)
            code[i + (size_t)k] = (float)((int)(word >> k * bits & ((1u << bits) - 1)) - offset);
    }
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
    size_t done = 0;
    if (first % 8 == 0 && (bits == 8 || bits == 4)) {
        (bits == 8 ? whole_bytes : nibbles)(bytes + first / 8, offset, n, code);
        return;
    }
    if (first % 8 == 0) {
        eights(bytes + first / 8, bits, offset, n, code);
        done = n - n % 8;
    }
    any_bits(bytes, first + done * (size_t)bits, bits, offset, n - done, code + done);
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

/* Bytes are widened first: comparisons of bytes among loops over floats cost twice the time. */
CG_CLONES static void widen(const uint8_t *restrict bytes, size_t n, uint32_t *restrict wide)
{
    for (size_t i = 0; i < n; i++)
        wide[i] = bytes[i];
}

CG_CLONES static void widen_nibbles(const uint8_t *restrict bytes, size_t n, uint32_t *restrict wide)
{
    for (size_t i = 0; i < (n + 1) / 2; i++) {
        wide[2 * i] = bytes[i] & 0xF;
        wide[2 * i + 1] = bytes[i] >> 4;
    }
}

#define SMALL_FLOATS(name, ...)                                                                              \
    CG_CLONES static void name(const uint32_t *restrict x, size_t n, float *restrict code)                   \
    {                                                                                                        \
        for (size_t i = 0; i < n; i++)                                                                       \
            code[i] = cg_small_float(x[i], __VA_ARGS__);                                                     \
    }

SMALL_FLOATS(e4m3, 4, 3, 7, CG_ENDING_FN)
SMALL_FLOATS(e5m2, 5, 2, 15, CG_ENDING_IEEE)
SMALL_FLOATS(e4m3fnuz, 4, 3, 8, CG_ENDING_FNUZ)
SMALL_FLOATS(e5m2fnuz, 5, 2, 16, CG_ENDING_FNUZ)

/* The digits of the constant are twice the magnitudes: 0, 0.5, 1, 1.5, 2, 3, 4, 6. */
CG_CLONES static void e2m1(const uint32_t *restrict x, size_t n, float *restrict code)
{
    for (size_t i = 0; i < n; i++) {
        float magnitude = 0.5f * (float)(int)(0xC8643210 >> 4 * (x[i] & 7) & 0xF);
        uint32_t bits;
        __builtin_memcpy(&bits, &magnitude, sizeof bits);
        code[i] = cg_float_of_bits(bits | (x[i] & 8) << 28);
    }
}

CG_CLONES static void integers(const uint32_t *restrict x, size_t n, float *restrict code)
{
    for (size_t i = 0; i < n; i++)
        code[i] = (float)(int8_t)x[i];
}

void cg_codes_of_e2m1(const uint8_t *bytes, size_t n, float *code)
{
    uint32_t wide[CG_MOST_CODES + 1];
    assert(n <= CG_MOST_CODES);
    widen_nibbles(bytes, n, wide);
    e2m1(wide, n, code);
}

void cg_codes_of_bytes(enum cg_dtype dtype, const uint8_t *bytes, size_t n, float *code)
{
    uint32_t wide[CG_MOST_CODES];
    assert(n <= CG_MOST_CODES);
    widen(bytes, n, wide);
    switch (dtype) {
    case CG_F8_E4M3:
        e4m3(wide, n, code);
        break;
    case CG_F8_E5M2:
        e5m2(wide, n, code);
        break;
    case CG_F8_E4M3FNUZ:
        e4m3fnuz(wide, n, code);
        break;
    case CG_F8_E5M2FNUZ:
        e5m2fnuz(wide, n, code);
        break;
    default:
        assert(dtype == CG_I8);
        integers(wide, n, code);
    }
}

void cg_codes_of_table(const uint8_t *restrict bytes, const struct cg_code_pair pair[256], size_t n,
                       float *restrict code, float *restrict step)
{
    for (size_t i = 0; i < n / 2; i++) {
        memcpy(code + 2 * i, pair[bytes[i]].code, sizeof pair->code);
        memcpy(step + 2 * i, pair[bytes[i]].step, sizeof pair->step);
    }
    if (n % 2 != 0) {
        code[n - 1] = pair[bytes[n / 2]].code[0];
        step[n - 1] = pair[bytes[n / 2]].step[0];
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

/* The lanes meet in double, in one fixed tree. */
static inline double fold(const float *lane)
{
    double sum[CG_LANES];
    for (size_t l = 0; l < CG_LANES; l++)
        sum[l] = (double)lane[l];
    for (size_t width = CG_LANES / 2; width > 0; width /= 2)
        for (size_t l = 0; l < width; l++)
            sum[l] += sum[l + width];
    return sum[0];
}

CG_CLONES double cg_sum_steps(const float *restrict step, const float *restrict scale, size_t n)
{
    float sum[CG_LANES] = {0};
    size_t whole = n - n % CG_LANES;
    for (size_t i = 0; i < whole; i += CG_LANES)
        for (size_t l = 0; l < CG_LANES; l++)
            sum[l] += (step[i + l] * scale[i + l]) * (step[i + l] * scale[i + l]);
    for (size_t i = whole; i < n; i++)
        sum[i - whole] += (step[i] * scale[i]) * (step[i] * scale[i]);
    return fold(sum);
}

/* The square of the step at a code. Below a power of two codes are half as far apart: the cell around it has
 * three quarters of the moment that it would have between two codes of its own power. */
CG_ALWAYS_INLINE float place_squared(float code, float least, float scale)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &code, sizeof bits);
    float place = cg_float_of_bits(bits & 0x7F800000);
    float share = (bits & 0x7FFFFF) == 0 && place > least ? 0.75f : 1;
    float step = (place < least ? least : place) * scale;
    return share * (step * step);
}

CG_CLONES double cg_sum_places(const float *restrict code, float least, const float *restrict scale, size_t n)
{
    float sum[CG_LANES] = {0};
    size_t whole = n - n % CG_LANES;
    for (size_t i = 0; i < whole; i += CG_LANES)
        for (size_t l = 0; l < CG_LANES; l++)
            sum[l] += place_squared(code[i + l], least, scale[i + l]);
    for (size_t i = whole; i < n; i++)
        sum[i - whole] += place_squared(code[i], least, scale[i]);
    return fold(sum);
}
