/* What is computed of all pairs at a time against the same of one pair after the other: the same bits. */
#include "noise.h"
#include "sweep/products.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { MOST = 21, PAIRS = MOST * (MOST - 1) / 2 };

static void assert_bits(double got, double wanted)
{
    assert_memory_equal(&got, &wanted, sizeof got);
}

static _Alignas(64) double values[MOST * CG_STRIDE], lanes[PAIRS * CG_LANES];

/* Floats, or doubles whose products are not exact. */
static void fill(bool floats)
{
    uint64_t seed = 11;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        double x = noise(&seed) * exp2((double)(i % 40) - 20);
        values[i] = floats ? (double)(float)x : x;
    }
}

static void products_of_pairs(void **state)
{
    (void)state;
    static const size_t lengths[] = {CG_BLOCK, CG_BLOCK - 1, CG_BLOCK - 7, 520, 64, 33, 17, 16, 15, 3, 1};
    double out[PAIRS];
    for (int floats = 0; floats < 2; floats++) {
        fill(floats);
        for (int32_t members = 1; members <= MOST; members++)
            for (size_t c = 0; c < sizeof lengths / sizeof *lengths; c++) {
                cg_block_products(values, members, lengths[c], floats, lanes, out);
                for (int32_t j = 0; j < members; j++)
                    for (int32_t i = 0; i < j; i++)
                        assert_bits(
                            out[cg_pair_index(i, j)],
                            cg_block_product(values + i * CG_STRIDE, values + j * CG_STRIDE, lengths[c]));
            }
    }
}

static void far_differences(void **state)
{
    (void)state;
    static const struct {
        double a, b, product, difference;
    } cases[] = {
        {1, 2, 0.5, 2},        {1, 1, 1, -1},        {1, 1, 0.75, 0.5}, {1, 1, 0.95, -1},
        {0, 0, 0, -1},         {4, 0, 0, 4},         {1, 1, -1, 4},     {NAN, 1, 0, -1},
        {INFINITY, 1, 0, -1},  {1, INFINITY, 5, -1}, {1, 1, NAN, -1},   {1e308, 1e308, -1e308, -1},
        {1, 1, -INFINITY, -1},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const double squares[] = {cases[c].a, cases[c].b, 1, 3},
                     products[] = {cases[c].product, 0, 0, 1, -1, 0};
        double out[6];
        cg_far_differences(squares, 4, products, 0.1, out);
        assert_bits(out[0], cases[c].difference);
        assert_bits(out[3], isfinite(cases[c].a) ? cases[c].a + 3 - 2 : -1);
    }
}

/* In long doubles the sum of the sums and of what they lost is the sum of all. */
static void wide_additions(void **state)
{
    (void)state;
    enum { N = 23, TIMES = 200 };
    static double x[TIMES][N];
    double sum[N] = {0}, lost[N] = {0};
    uint64_t seed = 2;
    for (int t = 0; t < TIMES; t++) {
        for (int i = 0; i < N; i++)
            x[t][i] = noise(&seed) * exp2((double)((t * 7 + i) % 60 - 30));
        cg_wide_add(sum, lost, x[t], N);
    }
    for (int i = 0; i < N; i++) {
        volatile double plain = 0;
        long double all = 0;
        for (int t = 0; t < TIMES; t++) {
            plain += x[t][i];
            all += x[t][i];
        }
        assert_bits(sum[i], plain);
        assert_true(fabsl((long double)sum[i] + lost[i] - all) <= 1e-18L * exp2l(30));
        assert_true(lost[i] != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_of_pairs),
        cmocka_unit_test(far_differences),
        cmocka_unit_test(wide_additions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
