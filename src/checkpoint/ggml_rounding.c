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

/* Of E2M1 doubled. Values up to 16 are rounded to 12, the largest; of weights, which are rare out there, few
 * lie beyond 15. */
static const unsigned short cells_of_mxfp4[16] = {1, 1, 1, 1, CELL(1, 2), CELL(2, 2), CELL(2, 4), CELL(4, 6),
                                                  1, 1, 1, 1, CELL(1, 2), CELL(2, 2), CELL(2, 4), CELL(4, 6)};

/* The ends of the table as wide as their inner halves. */
static const unsigned short cells_of_iq4[16] = {CELL(23, 23), CELL(23, 21), CELL(21, 18), CELL(18, 16),
                                                CELL(16, 14), CELL(14, 13), CELL(13, 12), CELL(12, 11),
                                                CELL(11, 12), CELL(12, 12), CELL(12, 13), CELL(13, 15),
                                                CELL(15, 16), CELL(16, 20), CELL(20, 24), CELL(24, 24)};

/* Of two codes at once. */
struct pairs {
    unsigned short cells[256];
};

static struct pairs pair_up(const unsigned short cells[16])
{
    struct pairs pairs;
    for (int k = 0; k < 256; k++)
        pairs.cells[k] = (unsigned short)(cells[k & 15] + cells[k >> 4]);
    return pairs;
}

CG_ALWAYS_INLINE double rounding_by_code(const struct pairs *pairs, bytes *codes, float d)
{
    int sum = 0;
    for (int i = 0; i < SMALL / 2; i++)
        sum += pairs->cells[codes[i]];
    return squares(1, d, sum);
}

static double sum_mxfp4(bytes *stored, size_t blocks)
{
    struct pairs pairs = pair_up(cells_of_mxfp4);
    double sum = 0;
    for (bytes *b = stored; b < stored + 17 * blocks; b += 17)
        sum += rounding_by_code(&pairs, b + 1, scale_mxfp4(b));
    return sum;
}

static double sum_iq4_nl(bytes *stored, size_t blocks)
{
    struct pairs pairs = pair_up(cells_of_iq4);
    double sum = 0;
    for (bytes *b = stored; b < stored + 18 * blocks; b += 18)
        sum += rounding_by_code(&pairs, b + 2, half_at(b));
    return sum;
}

static double sum_iq4_xs(bytes *stored, size_t blocks)
{
    struct pairs pairs = pair_up(cells_of_iq4);
    double sum = 0;
    for (bytes *b = stored; b < stored + 136 * blocks; b += 136) {
        double block = 0;
        for (int part = 0; part < 8; part++)
            block += rounding_by_code(&pairs, b + 8 + 16 * part, scale_iq4_xs(b, part));
        sum += block;
    }
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
