/* ggml's blocks: values that PyPI's gguf 0.19 has for the same bytes, and what rounding is said to explain.
 */
#include "cognate/dtype.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>
/* The loops for any machine by a name of their own. */
#define CG_ANY_MACHINE
#define cg_ggml_decode portable_decode
#include "checkpoint/ggml_blocks.c"
#undef cg_ggml_decode

enum { BLOCKS = 3, LARGEST = 256, MOST_BYTES = 210, SAMPLES = 5, MANY = 3000 };

/* Of three blocks whose bytes are (31 i + 1) mod 251: elements 0, 17, the first block's last, the second's
 * sixth, and the last; and the sum over all of value i times (1 + i mod 7), in order. */
static const struct {
    enum cg_dtype dtype;
    double values[SAMPLES], sum;
} rows[] = {
    {CG_Q4_0, {0x1.c07p-5, -0x1.806p-6, -0x1.c07p-5, -0x1.0e4p+7, -0x0p+0}, -0x1.4d95f799bp+15},
    {CG_Q4_1, {0x1.8fda06p+8, 0x1.8fd204p+8, 0x1.8fca02p+8, -0x1.2d44dap+6, 0x1.cc0bdap+4}, 0x1.4c4d17c4p+15},
    {CG_Q5_0, {0x1.6058p-4, -0x1.806p-6, 0x1.2048p-4, -0x1.2d4p+8, 0x1.5b8p-8}, 0x1.3911b7c64p+14},
    {CG_Q5_1, {0x1.8ff20cp+8, 0x1.8fe208p+8, 0x1.8ffa0ep+8, 0x1.4d9fccp+6, 0x1.0b7066p+4}, 0x1.e2f6c269p+15},
    {CG_Q8_0, {0x1.f87ep-2, 0x1.6058p-1, 0x1.405p-3, 0x1.a58cp+9, -0x1.07acp-7}, 0x1.40045ba5d4p+15},
    {CG_Q2_K, {0x1.6fp-14, -0x1.084p+2, -0x1.ad657ep+4, 0x1.03d8p-5, -0x1.a7c10cp+4}, 0x1.0ac89d2c4e1ep+23},
    {CG_Q3_K, {-0x0p+0, 0x1.0accp+20, -0x1.c038p+19, 0x1.7a4p-6, -0x1.204p-6}, 0x1.953291d4f6fd8p+27},
    {CG_Q4_K,
     {-0x1.63fb8ep+14, -0x1.63ff5ep+14, -0x1.6a2398p+13, -0x1.836p-4, 0x1.39719cp+18},
     -0x1.e69b98032bp+25},
    {CG_Q5_K,
     {-0x1.63f3ecp+14, -0x1.63f7bcp+14, -0x1.69effap+13, -0x1.51de44p+16, 0x1.2ead72p+12},
     -0x1.7bfc301eca8p+26},
    {CG_Q6_K, {-0x1.a22acp+15, -0x1.7f61p+12, 0x1.9120cp+14, -0x1.42fdp+11, 0x1.3449p+6}, 0x1.3b7bd48p+20},
    {CG_MXFP4, {0x0p+0, 0x1.8p-126, -0x1.8p-124, 0x1p-100, 0x1p-76}, -0x1.b3ffff55p-70},
    {CG_IQ4_NL, {0x1.c471p-1, -0x1.1846p-2, -0x1.a068p-1, -0x1.51dp+10, -0x1.1c4p-11}, -0x1.0534feb36bp+19},
    {CG_IQ4_XS,
     {0x1.795e4p+1, -0x1.795e4p+4, -0x1.2c4bp-1, -0x1.21808p+20, 0x1.8975ap+8},
     -0x1.b5434130247p+27},
    {CG_TQ1_0, {0x1.9acp-13, 0x1.9acp-13, 0x1.9acp-13, -0x1.c6p-2, -0x1.fp+8}, -0x1.173a80c91p+14},
    {CG_IQ1_S, {-0x1.344dp-4, 0x1.8c63p-4, 0x1.2048p-7, -0x1.b675p+7, 0x1.c428p+15}, 0x1.8fd6581af7p+23},
    {CG_IQ1_M, {-0x1.7e8p+5, 0x1.474p+6, 0x1.32p+3, 0x1.3ed4p-1, 0x1.728cp-9}, 0x1.072ba673cp+12},
    {CG_IQ2_XXS, {-0x1.2c4bp-4, -0x1.806p-6, 0x1.9064p-6, -0x1.299eap+8, 0x1.fc914p+17}, 0x1.d964d962112p+23},
    {CG_IQ2_XS, {-0x1.775dcp-2, 0x1.f47dp-4, -0x1.004p-7, 0x1.d49a8p+7, 0x1.c3f8p+13}, 0x1.d10a32c305p+22},
    {CG_IQ2_S, {-0x1.8360cp-2, 0x1.f47dp-4, 0x1.004p-7, 0x1.2948p+4, 0x1.3248p+12}, -0x1.ee51672584p+18},
    {CG_IQ3_XXS, {-0x1.dc77p-1, 0x1.324c8p+0, -0x1.f07cp-3, 0x1.22028p+6, 0x1.6164p+10}, -0x1.e77d68b9p+17},
    {CG_IQ3_S, {0x1.9866p-2, -0x1.1044p-3, -0x1.e078p-4, 0x1.df51p+5, 0x1.2d38p+8}, 0x1.93656d44p+17},
    {CG_NVFP4, {-0x1.8p-8, -0x1p-4, 0x1.5p+6, -0x1.bp+8, 0x1.08p+2}, -0x1.ec2e5p+12},
    {CG_TQ2_0, {0x0p+0, 0x1.39p-13, 0x1.39p-12, 0x1.83cp-4, -0x1.0d4p+6}, 0x1.0e2d39615p+15},
};

/* The blocks, at an odd address, in memory that ends with them. */
static unsigned char *make_blocks(struct cg_grain grain)
{
    size_t n = (size_t)(BLOCKS * grain.bytes);
    unsigned char *memory = malloc(n + 1);
    assert_non_null(memory);
    for (size_t i = 0; i < n; i++)
        memory[1 + i] = (unsigned char)((31 * i + 1) % 251);
    return memory;
}

static void test_values(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct cg_grain grain = cg_dtype_grain(rows[r].dtype);
        int e = grain.elements, samples[SAMPLES] = {0, 17, e - 1, e + 5, BLOCKS * e - 1};
        unsigned char *memory = make_blocks(grain);
        double values[BLOCKS * LARGEST + 1], sum = 0;
        size_t n = (size_t)(BLOCKS * e);
        values[n] = -77.25;
        cg_dtype_decode(rows[r].dtype, memory + 1, n, values);
        assert_true(values[n] == -77.25);
        for (int s = 0; s < SAMPLES; s++)
            if (values[samples[s]] != rows[r].values[s])
                fail_msg("%s, element %d: %a", cg_dtype_name(rows[r].dtype), samples[s], values[samples[s]]);
        for (size_t i = 0; i < n; i++)
            sum += values[i] * (double)(1 + i % 7);
        if (sum != rows[r].sum)
            fail_msg("%s: %a in all", cg_dtype_name(rows[r].dtype), sum);
        free(memory);
    }
    assert_int_equal(sizeof rows / sizeof *rows, CG_DTYPE_COUNT - CG_FIRST_BLOCK_DTYPE);
}

static void test_one_by_one(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct cg_grain grain = cg_dtype_grain(rows[r].dtype);
        unsigned char *memory = make_blocks(grain);
        size_t e = (size_t)grain.elements;
        double all[BLOCKS * LARGEST], one[LARGEST], rounding = 0;
        struct cg_outline whole = cg_dtype_decode(rows[r].dtype, memory + 1, BLOCKS * e, all), block;
        for (size_t b = 0; b < BLOCKS; b++) {
            block = cg_dtype_decode(rows[r].dtype, memory + 1 + b * (size_t)grain.bytes, e, one);
            assert_memory_equal(one, all + b * e, e * sizeof *one);
            assert_true(whole.low <= block.low && block.high <= whole.high);
            rounding += block.rounding;
        }
        assert_true(whole.rounding > 0 && whole.rounding > rounding * (1 - 1e-14) &&
                    whole.rounding < rounding * (1 + 1e-14));
        free(memory);
    }
}

/* One block of bytes that are 0 but for some; the sum of h^2 / 12, worked out by hand. */
static const struct {
    enum cg_dtype dtype;
    struct {
        int at, byte;
    } bytes[4];
    double rounding;
} roundings[] = {
    {CG_Q4_0, {{1, 0x40}}, 32 * 4.0 / 12},              /* d = 2 */
    {CG_Q4_0, {{1, 0xC0}}, 32 * 4.0 / 12},              /* d = -2 */
    {CG_Q5_1, {{1, 0x40}, {3, 0x44}}, 32 * 4.0 / 12},   /* m counts for nothing */
    {CG_Q8_0, {{1, 0x3C}}, 32 / 12.0},                  /* d = 1 */
    {CG_Q2_K, {{81, 0x40}, {0, 0xF3}}, 16 * 36.0 / 12}, /* d = 2, one scale of 3 */
    {CG_Q3_K, {{109, 0x3C}, {104, 0xAA}, {105, 0xAA}, {106, 0xAA}}, 4 * 16 * 1024.0 / 12},
    {CG_Q4_K, {{1, 0x40}, {4, 3}, {8, 63}}, 32 * 36.0 / 12}, /* d = 2, scale 3, a minimum of 63 */
    {CG_Q5_K, {{1, 0x3C}, {8, 0}, {12, 0x05}, {4, 0x40}}, 32 * 21.0 * 21 / 12}, /* scale 5: 0x15 */
    {CG_Q6_K, {{209, 0x3C}, {192, 0xFE}, {207, 3}}, 16 * (4 + 9.0) / 12},
    {CG_MXFP4, {{0, 128}}, 32 / 12.0},                       /* 2^1 / 2, all codes 0 */
    {CG_MXFP4, {{0, 128}, {1, 0x64}}, 30 / 12.0 + 0.25 + 1}, /* 4: from 3.5 to 5; 8: from 7 to 10 */
    {CG_MXFP4, {{0, 128}, {1, 0xF7}}, (30 + 2 * 28) / 12.0}, /* 12 and -12: from 10 to 15 */
    {CG_IQ4_NL, {{1, 0x3C}}, 32 * 23.0 * 23 / 12},           /* -127 with -104 beside it */
    {CG_TQ2_0, {{65, 0x3C}}, 256 / 12.0},
    /* codes of a group among as many as would fill the box of their values; 2^(15/8) = 3.66801617... */
    {CG_IQ2_XXS, {{1, 0x3C}}, 256 * (0.125 * 102 / 3.6680161728) * (0.125 * 102 / 3.6680161728) / 12},
    {CG_IQ2_XS, {{1, 0x3C}, {66, 0x10}}, (240 + 16 * 9) * (0.125 * 25.5) * (0.125 * 25.5) / 12},
    {CG_IQ2_S, {{1, 0x3C}}, 256 * (0.125 * 102 / 4.7568284600) * (0.125 * 102 / 4.7568284600) / 12},
    {CG_IQ3_XXS, {{1, 0x3C}}, 256 * (0.25 * 132 / 7.3360323456) * (0.25 * 132 / 7.3360323456) / 12},
    {CG_IQ3_S, {{1, 0x3C}}, 256 * (32 / 9.5136569200) * (32 / 9.5136569200) / 12},
    {CG_IQ1_S, {{1, 0x3C}}, 256 * (3 / 2.5936791093) * (3 / 2.5936791093) / 12},
    {CG_IQ1_M, {{53, 0xC0}, {55, 0x30}}, 256 * (3 / 2.5936791093) * (3 / 2.5936791093) / 12},
    {CG_NVFP4, {{0, 0x40}}, 16 / 12.0}, /* 2 / 2, all codes 0 */
    {CG_NVFP4,
     {{0, 0x40}, {4, 0x75}},
     (14 + 4 + 16) / 12.0}, /* 6: from 5 to 7; 12: from 10 on, none beyond */
};

static void test_rounding(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof roundings / sizeof *roundings; r++) {
        unsigned char block[MOST_BYTES] = {0};
        for (int k = 0; k < 4; k++)
            if (roundings[r].bytes[k].byte)
                block[roundings[r].bytes[k].at] = (unsigned char)roundings[r].bytes[k].byte;
        size_t e = (size_t)cg_dtype_grain(roundings[r].dtype).elements;
        double values[LARGEST], found = cg_dtype_decode(roundings[r].dtype, block, e, values).rounding;
        if (found < roundings[r].rounding * (1 - 1e-12) || found > roundings[r].rounding * (1 + 1e-12))
            fail_msg("%s, row %zu: %.17g, not %.17g", cg_dtype_name(roundings[r].dtype), r, found,
                     roundings[r].rounding);
    }
    double value;
    struct cg_outline plain = cg_dtype_decode(CG_BF16, "\0\100", 1, &value);
    assert_true(plain.rounding == 0 && plain.low == -INFINITY && plain.high == INFINITY);
}

static bool is_within(struct cg_outline outline, const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i]) && ((double)values[i] < outline.low || (double)values[i] > outline.high))
            return false;
    return true;
}

/* Any bytes, and any number of blocks: what this machine makes of them is what any makes. */
static void test_portable(void **state)
{
    (void)state;
    uint32_t bits = 1;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct cg_grain grain = cg_dtype_grain(rows[r].dtype);
        for (int n = 1; n * grain.elements < MANY; n += 1 + n / 4) {
            unsigned char stored[MANY * 2];
            float found[MANY], expected[MANY];
            size_t elements = (size_t)(n * grain.elements);
            for (int i = 0; i < n * grain.bytes; i++)
                stored[i] = (unsigned char)((bits = bits * 1664525 + 1013904223) >> 24);
            struct cg_outline here = cg_dtype_decode_floats(rows[r].dtype, stored, elements, found);
            struct cg_outline any = portable_decode(rows[r].dtype, stored, elements, expected);
            assert_true(here.rounding == any.rounding && here.rounding >= 0);
            assert_true(here.low == any.low && here.high == any.high);
            assert_true(is_within(here, found, elements));
            for (size_t i = 0; i < elements; i++)
                assert_true(memcmp(&found[i], &expected[i], sizeof *found) == 0 ||
                            (isnan(found[i]) && isnan(expected[i])));
        }
    }
}

/* One block of codes that are all alike but for a scale of 1: values at a bound, and the other one. */
static const struct {
    enum cg_dtype dtype;
    int fill, half, other; /* where the scale stands, and a minimum, or -1 */
    double low, high;
} bounds[] = {
    {CG_Q4_0, 0x00, 0, -1, -8, 7},         {CG_Q4_0, 0xFF, 0, -1, -8, 7},
    {CG_Q4_1, 0xFF, 0, 2, 1, 16},          {CG_Q5_0, 0x00, 0, -1, -16, 15},
    {CG_Q5_1, 0xFF, 0, 2, 1, 32},          {CG_Q8_0, 0x80, 0, -1, -128, 127},
    {CG_Q2_K, 0xFF, 80, 82, -15, 30},      {CG_Q3_K, 0x00, 108, -1, -96, 128},
    {CG_Q4_K, 0xFF, 0, 2, -63, 882},       {CG_Q5_K, 0xFF, 0, 2, -63, 1890},
    {CG_Q6_K, 0x80, 208, -1, -3968, 4096}, {CG_IQ4_NL, 0x00, 0, -1, -127, 113},
    {CG_IQ4_XS, 0xFF, 0, -1, -3937, 3503}, {CG_TQ1_0, 0x00, 52, -1, -1, 1},
    {CG_TQ2_0, 0xFF, 64, -1, -1, 2},       {CG_IQ3_S, 0xFF, 0, -1, -465, 465},
};

static void test_bounds(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof bounds / sizeof *bounds; r++) {
        unsigned char block[MOST_BYTES];
        float values[LARGEST];
        memset(block, bounds[r].fill, sizeof block);
        for (int k = 0; k < 2; k++) {
            int at = k ? bounds[r].other : bounds[r].half;
            if (at >= 0)
                memcpy(block + at, "\0\x3C", 2);
        }
        size_t n = (size_t)cg_dtype_grain(bounds[r].dtype).elements;
        struct cg_outline found = cg_dtype_decode_floats(bounds[r].dtype, block, n, values);
        if (found.low != bounds[r].low || found.high != bounds[r].high || !is_within(found, values, n))
            fail_msg("%s, row %zu: %g to %g", cg_dtype_name(bounds[r].dtype), r, found.low, found.high);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (int dtype = CG_FIRST_BLOCK_DTYPE; dtype < CG_DTYPE_COUNT; dtype++)
        assert_int_equal(cg_dtype_of_name(cg_dtype_name((enum cg_dtype)dtype)), -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),   cmocka_unit_test(test_one_by_one), cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_portable), cmocka_unit_test(test_bounds),     cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
