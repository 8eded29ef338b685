/* What rounding explains in blocks of ggml: of one block, in units of h^2 / 12 summed over its elements, and
 * the sum of many. */
#include "cognate/clones.h"
#include "ggml_blocks.h"
#include "ggml_iq.h"
#include "ggml_scales.h"

/* n (d scale)^2, given the sum of the squares of scales, which is whole: so is no bit lost on the way. */
CG_ALWAYS_INLINE double squares(int n, float d, int sum)
{
    return (double)d * (double)d * (double)(n * sum);
}

CG_ALWAYS_INLINE double rounding_q4_0(bytes *b)
{
    return squares(SMALL, half_at(b), 1);
}

CG_ALWAYS_INLINE double rounding_q2_k(bytes *b)
{
    int sum = 0;
    for (int part = 0; part < 16; part++)
        sum += (b[part] & 15) * (b[part] & 15);
    return squares(16, half_at(b + 80), sum);
}

CG_ALWAYS_INLINE double rounding_q3_k(bytes *b)
{
    int sum = 0;
    for (int part = 0; part < 16; part++)
        sum += scale_q3_k(b + 96, part) * scale_q3_k(b + 96, part);
    return squares(16, half_at(b + 108), sum);
}

CG_ALWAYS_INLINE double rounding_q4_k(bytes *b)
{
    int sum = 0;
    for (int part = 0; part < 8; part++) {
        int scale, minimum;
        scales_q4_k(b + 4, part, &scale, &minimum);
        sum += scale * scale;
    }
    return squares(32, half_at(b), sum);
}

CG_ALWAYS_INLINE double rounding_q6_k(bytes *b)
{
    int sum = 0;
    for (int part = 0; part < 16; part++)
        sum += (signed char)b[192 + part] * (signed char)b[192 + part];
    return squares(16, half_at(b + 208), sum);
}

/* Of a value with neighbours `below` and `above` away: in units of h^2 / 12, which it is where they are as
 * far. */
#define CELL(below, above) ((below) * (below) - (below) * (above) + (above) * (above))

/* Cells of codes, for tables of two codes in a byte. */
#define ROW(cell, high)                                                                                      \
    cell(0) + cell(high), cell(1) + cell(high), cell(2) + cell(high), cell(3) + cell(high),                  \
        cell(4) + cell(high), cell(5) + cell(high), cell(6) + cell(high), cell(7) + cell(high),              \
        cell(8) + cell(high), cell(9) + cell(high), cell(10) + cell(high), cell(11) + cell(high),            \
        cell(12) + cell(high), cell(13) + cell(high), cell(14) + cell(high), cell(15) + cell(high)
#define PAIRS(cell)                                                                                          \
    {                                                                                                        \
        ROW(cell, 0), ROW(cell, 1), ROW(cell, 2), ROW(cell, 3), ROW(cell, 4), ROW(cell, 5), ROW(cell, 6),    \
            ROW(cell, 7), ROW(cell, 8), ROW(cell, 9), ROW(cell, 10), ROW(cell, 11), ROW(cell, 12),           \
            ROW(cell, 13), ROW(cell, 14), ROW(cell, 15)                                                      \
    }

/* Of E2M1 doubled. Values up to 16 are rounded to 12, the largest; of weights, which are rare out there, few
 * lie beyond 15. */
enum {
    E2M1_0 = 1,
    E2M1_1 = 1,
    E2M1_2 = 1,
    E2M1_3 = 1,
    E2M1_4 = CELL(1, 2),
    E2M1_5 = CELL(2, 2),
    E2M1_6 = CELL(2, 4),
    E2M1_7 = CELL(4, 6),
    E2M1_8 = E2M1_0,
    E2M1_9 = E2M1_1,
    E2M1_10 = E2M1_2,
    E2M1_11 = E2M1_3,
    E2M1_12 = E2M1_4,
    E2M1_13 = E2M1_5,
    E2M1_14 = E2M1_6,
    E2M1_15 = E2M1_7
};
#define E2M1_CELL(k) E2M1_##k
static const unsigned short pairs_of_mxfp4[256] = PAIRS(E2M1_CELL);

/* The ends of the table as wide as their inner halves. */
enum {
    IQ4_0 = CELL(23, 23),
    IQ4_1 = CELL(23, 21),
    IQ4_2 = CELL(21, 18),
    IQ4_3 = CELL(18, 16),
    IQ4_4 = CELL(16, 14),
    IQ4_5 = CELL(14, 13),
    IQ4_6 = CELL(13, 12),
    IQ4_7 = CELL(12, 11),
    IQ4_8 = CELL(11, 12),
    IQ4_9 = CELL(12, 12),
    IQ4_10 = CELL(12, 13),
    IQ4_11 = CELL(13, 15),
    IQ4_12 = CELL(15, 16),
    IQ4_13 = CELL(16, 20),
    IQ4_14 = CELL(20, 24),
    IQ4_15 = CELL(24, 24)
};
#define IQ4_CELL(k) IQ4_##k
static const unsigned short pairs_of_iq4[256] = PAIRS(IQ4_CELL);

CG_ALWAYS_INLINE double rounding_by_code(const unsigned short pairs[256], bytes *codes, float d)
{
    int sum = 0;
    for (int i = 0; i < SMALL / 2; i++)
        sum += pairs[codes[i]];
    return squares(1, d, sum);
}

CG_ALWAYS_INLINE double rounding_mxfp4(bytes *b)
{
    return rounding_by_code(pairs_of_mxfp4, b + 1, scale_mxfp4(b));
}

CG_ALWAYS_INLINE double rounding_iq4_nl(bytes *b)
{
    return rounding_by_code(pairs_of_iq4, b + 2, half_at(b));
}

CG_ALWAYS_INLINE double rounding_iq4_xs(bytes *b)
{
    double sum = 0;
    for (int part = 0; part < 8; part++)
        sum += rounding_by_code(pairs_of_iq4, b + 8 + 16 * part, scale_iq4_xs(b, part));
    return sum;
}

CG_ALWAYS_INLINE double rounding_tq1_0(bytes *b)
{
    return squares(LARGE, half_at(b + 52), 1);
}

CG_ALWAYS_INLINE double rounding_tq2_0(bytes *b)
{
    return squares(LARGE, half_at(b + 64), 1);
}

#define ROUNDING(name, size, of_a_block)                                                                     \
    CG_CLONES static double sum_##name(bytes *stored, size_t blocks)                                         \
    {                                                                                                        \
        double sum = 0;                                                                                      \
        for (size_t block = 0; block < blocks; block++)                                                      \
            sum += of_a_block(stored + block * (size));                                                      \
        return sum;                                                                                          \
    }

ROUNDING(q4_0, 18, rounding_q4_0)
ROUNDING(q4_1, 20, rounding_q4_0)
ROUNDING(q5_0, 22, rounding_q4_0)
ROUNDING(q5_1, 24, rounding_q4_0)
ROUNDING(q8_0, 34, rounding_q4_0)
ROUNDING(q2_k, 84, rounding_q2_k)
ROUNDING(q3_k, 110, rounding_q3_k)
ROUNDING(q4_k, 144, rounding_q4_k)
ROUNDING(q5_k, 176, rounding_q4_k)
ROUNDING(q6_k, 210, rounding_q6_k)
ROUNDING(mxfp4, 17, rounding_mxfp4)
ROUNDING(iq4_nl, 18, rounding_iq4_nl)
ROUNDING(iq4_xs, 136, rounding_iq4_xs)
ROUNDING(tq1_0, 54, rounding_tq1_0)
ROUNDING(tq2_0, 66, rounding_tq2_0)
ROUNDING(iq1_s, 50, cg_rounding_iq1_s)
ROUNDING(iq1_m, 56, cg_rounding_iq1_m)
ROUNDING(iq2_xxs, 66, cg_rounding_iq2_xxs)
ROUNDING(iq2_xs, 74, cg_rounding_iq2_xs)
ROUNDING(iq2_s, 82, cg_rounding_iq2_s)
ROUNDING(iq3_xxs, 98, cg_rounding_iq3_xxs)
ROUNDING(iq3_s, 110, cg_rounding_iq3_s)
ROUNDING(nvfp4, 36, cg_rounding_nvfp4)

static double (*const sums[CG_DTYPE_COUNT])(bytes *stored, size_t blocks) = {
    [CG_Q4_0] = sum_q4_0,     [CG_Q4_1] = sum_q4_1,   [CG_Q5_0] = sum_q5_0,
    [CG_Q5_1] = sum_q5_1,     [CG_Q8_0] = sum_q8_0,   [CG_Q2_K] = sum_q2_k,
    [CG_Q3_K] = sum_q3_k,     [CG_Q4_K] = sum_q4_k,   [CG_Q5_K] = sum_q5_k,
    [CG_Q6_K] = sum_q6_k,     [CG_MXFP4] = sum_mxfp4, [CG_IQ4_NL] = sum_iq4_nl,
    [CG_IQ4_XS] = sum_iq4_xs, [CG_TQ1_0] = sum_tq1_0, [CG_TQ2_0] = sum_tq2_0,
    [CG_IQ1_S] = sum_iq1_s,   [CG_IQ1_M] = sum_iq1_m, [CG_IQ2_XXS] = sum_iq2_xxs,
    [CG_IQ2_XS] = sum_iq2_xs, [CG_IQ2_S] = sum_iq2_s, [CG_IQ3_XXS] = sum_iq3_xxs,
    [CG_IQ3_S] = sum_iq3_s,   [CG_NVFP4] = sum_nvfp4,
};

double cg_ggml_rounding(enum cg_dtype dtype, const unsigned char *stored, size_t n)
{
    return sums[dtype](stored, n / (size_t)cg_dtype_grain(dtype).elements) / 12;
}
