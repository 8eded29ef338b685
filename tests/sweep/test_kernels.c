/* The order of summation that the header promises, followed value by value, and every instruction set's copy
 * against it: the same bits. */
#include "noise.h"
#include "sweep/kernels.h"
#include "sweep/pair_512.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

/* The kernels once more, compiled for one instruction set each. The library picks its own copy at start. */
#define COGNATE_CLONES_H
#define cg_block_moments(x, n, out) plain_moments(x, n, out) /* the struct keeps its name */
#define cg_block_product            plain_product
#define cg_block_difference         plain_difference
#define cg_block_signed_add         plain_signed_add
#define cg_block_hash               plain_hash
#define hash_of                     plain_hash_of
#define cg_single_moments           plain_single_moments
#define cg_single_product           plain_single_product
#define cg_single_pair              plain_single_pair
#define cg_single_difference        plain_single_difference
#define cg_single_signed_add        plain_single_signed_add
#define cg_single_signed_add_single plain_singles_signed_add
#define cg_single_join              plain_single_join
#define cg_block_weighted_squares   plain_weighted
#define cg_single_weighted_squares  plain_single_weighted
#define fold                        plain_fold
#define cg_single_spread            plain_single_spread
#define cg_single_extremes          plain_single_extremes
#define vector                      plain_vector
#define WIDTH                       PLAIN_WIDTH
#define RUNNING                     PLAIN_RUNNING
#define SPAN                        PLAIN_SPAN
#define CG_CLONES                   static
#include "sweep/kernels.c"
#undef CG_CLONES
#if defined(__x86_64__) && !defined(__clang__)
#define HAVE_WIDE __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
#define CG_CLONES __attribute__((target("arch=haswell"))) static
#else
#define HAVE_WIDE false
#define CG_CLONES static
#endif
#undef cg_block_moments
#undef cg_block_product
#undef cg_block_difference
#undef cg_block_signed_add
#undef cg_block_hash
#undef hash_of
#undef cg_single_moments
#undef cg_single_product
#undef cg_single_pair
#undef cg_single_difference
#undef cg_single_signed_add
#undef cg_single_signed_add_single
#undef cg_single_join
#undef cg_block_weighted_squares
#undef cg_single_weighted_squares
#undef fold
#undef cg_single_spread
#undef cg_single_extremes
#undef vector
#undef WIDTH
#undef RUNNING
#undef SPAN
#undef DIFFERENCE
#undef SIGNED_ADD
#undef WEIGHTED_SQUARES
#undef CONTRACT
#undef WIDEN
#define cg_block_moments(x, n, out) wide_moments(x, n, out)
#define cg_block_product            wide_product
#define cg_block_difference         wide_difference
#define cg_block_signed_add         wide_signed_add
#define cg_block_hash               wide_hash
#define hash_of                     wide_hash_of
#define cg_single_moments           wide_single_moments
#define cg_single_product           wide_single_product
#define cg_single_pair              wide_single_pair
#define cg_single_difference        wide_single_difference
#define cg_single_signed_add        wide_single_signed_add
#define cg_single_signed_add_single wide_singles_signed_add
#define cg_single_join              wide_single_join
#define cg_block_weighted_squares   wide_weighted
#define cg_single_weighted_squares  wide_single_weighted
#define fold                        wide_fold
#define cg_single_spread            wide_single_spread
#define cg_single_extremes          wide_single_extremes
#define vector                      wide_vector
#define WIDTH                       WIDE_WIDTH
#define RUNNING                     WIDE_RUNNING
#define SPAN                        WIDE_SPAN
#include "sweep/kernels.c"
#undef cg_block_moments
#undef cg_block_product
#undef cg_block_difference
#undef cg_block_signed_add
#undef cg_block_hash
#undef hash_of
#undef cg_single_moments
#undef cg_single_product
#undef cg_single_pair
#undef cg_single_difference
#undef cg_single_signed_add
#undef cg_single_signed_add_single
#undef cg_single_join
#undef cg_block_weighted_squares
#undef cg_single_weighted_squares
#undef fold
#undef cg_single_spread
#undef cg_single_extremes
#undef vector
#undef WIDTH
#undef RUNNING
#undef SPAN
#undef DIFFERENCE
#undef SIGNED_ADD
#undef WEIGHTED_SQUARES
#undef CONTRACT
#undef WIDEN

struct copy {
    const char *name;
    void (*moments)(const double *x, size_t n, struct cg_block_moments *out);
    double (*product)(const double *a, const double *b, size_t n);
    double (*difference)(const double *a, const double *b, size_t n);
    void (*signed_add)(double *sums, const double *x, const uint64_t *bits, size_t n);
    void (*single_moments)(const float *x, size_t n, struct cg_block_moments *out);
    void (*single_extremes)(const float *x, size_t n, struct cg_block_moments *out);
    double (*single_product)(const float *a, const float *b, size_t n);
    double (*single_pair)(const float *a, const float *b, size_t n, struct cg_block_moments *out);
    double (*single_difference)(const float *a, const float *b, size_t n);
    void (*single_signed_add)(double *sums, const float *x, const uint64_t *bits, size_t n);
    void (*singles_signed_add)(float *sums, const float *x, const uint64_t *bits, size_t n);
    void (*single_join)(double *sums, float *x, size_t n);
    double (*weighted)(const double *x, const float *weight, size_t n);
    double (*single_weighted)(const float *x, const float *weight, size_t n);
    double (*single_spread)(const float *x, double mean, size_t n);
    uint64_t (*hash)(struct cg_values x, uint64_t first, size_t n);
};

/* Where the processor has the instructions. */
static double pair_by_512(const float *a, const float *b, size_t n, struct cg_block_moments *out)
{
    double product;
    return cg_pair_512(a, b, n, out, &product) ? product : cg_single_pair(a, b, n, out);
}

static const struct copy copies[] = {
    {"library", cg_block_moments, cg_block_product, cg_block_difference, cg_block_signed_add,
     cg_single_moments, cg_single_extremes, cg_single_product, cg_single_pair, cg_single_difference,
     cg_single_signed_add, cg_single_signed_add_single, cg_single_join, cg_block_weighted_squares,
     cg_single_weighted_squares, cg_single_spread, cg_block_hash},
    {"512", cg_block_moments, cg_block_product, cg_block_difference, cg_block_signed_add, cg_single_moments,
     cg_single_extremes, cg_single_product, pair_by_512, cg_single_difference, cg_single_signed_add,
     cg_single_signed_add_single, cg_single_join, cg_block_weighted_squares, cg_single_weighted_squares,
     cg_single_spread, cg_block_hash},
    {"plain", plain_moments, plain_product, plain_difference, plain_signed_add, plain_single_moments,
     plain_single_extremes, plain_single_product, plain_single_pair, plain_single_difference,
     plain_single_signed_add, plain_singles_signed_add, plain_single_join, plain_weighted,
     plain_single_weighted, plain_single_spread, plain_hash},
    {"wide", wide_moments, wide_product, wide_difference, wide_signed_add, wide_single_moments,
     wide_single_extremes, wide_single_product, wide_single_pair, wide_single_difference,
     wide_single_signed_add, wide_singles_signed_add, wide_single_join, wide_weighted, wide_single_weighted,
     wide_single_spread, wide_hash},
};

static size_t count_copies(void)
{
    return HAVE_WIDE ? 4 : 3;
}

/* Lanes `first`, `first + step`, ...: the even ones before the odd ones. */
static double tree(const double *lane, int first, int step)
{
    if (step == 16)
        return lane[first];
    volatile double left = tree(lane, first, 2 * step), right = tree(lane, first + step, 2 * step);
    return left + right;
}

enum sum { SUM, SQUARES, PRODUCT, DIFFERENCE };

/* One value of a sum, without contraction: every step is stored. */
static double term(enum sum sum, double a, double b)
{
    volatile double d = sum == DIFFERENCE ? b - a : sum == SUM ? 1 : a;
    volatile double e = sum == DIFFERENCE ? d : sum == PRODUCT ? b : a;
    volatile double t = d * e;
    return t;
}

static double in_lanes(enum sum sum, const double *a, const double *b, size_t n)
{
    double lane[16] = {0};
    for (size_t i = 0; i < n; i++) {
        volatile double next = lane[i % 16] + term(sum, a[i], b[i]);
        lane[i % 16] = next;
    }
    return tree(lane, 0, 1);
}

static void assert_bits(double got, double wanted)
{
    assert_memory_equal(&got, &wanted, sizeof got);
}

/* Within the error that any order of n additions may have. */
static void assert_close(double got, enum sum sum, const double *a, const double *b, size_t n)
{
    long double exact = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        long double d = sum == DIFFERENCE ? (long double)b[i] - a[i] : sum == SUM ? 1 : a[i];
        long double t = d * (sum == DIFFERENCE ? d : sum == PRODUCT ? b[i] : a[i]);
        exact += t;
        size += fabsl(t);
    }
    assert_true(fabsl(got - exact) <= (long double)(n + 2) * 0x1p-52L * size);
}

static void check_copy(const struct copy *copy, const double *a, const double *b, size_t n)
{
    if (n > 0) {
        struct cg_block_moments moments;
        double minimum = INFINITY, maximum = -INFINITY;
        for (size_t i = 0; i < n; i++) {
            minimum = fmin(minimum, a[i]);
            maximum = fmax(maximum, a[i]);
        }
        copy->moments(a, n, &moments);
        assert_bits(moments.sum, in_lanes(SUM, a, b, n));
        assert_bits(moments.squares, in_lanes(SQUARES, a, b, n));
        assert_true(moments.minimum == minimum && moments.maximum == maximum);
        assert_close(moments.sum, SUM, a, b, n);
        assert_close(moments.squares, SQUARES, a, b, n);
    }
    assert_bits(copy->product(a, b, n), in_lanes(PRODUCT, a, b, n));
    assert_bits(copy->difference(a, b, n), in_lanes(DIFFERENCE, a, b, n));
    assert_close(copy->product(a, b, n), PRODUCT, a, b, n);
    assert_close(copy->difference(a, b, n), DIFFERENCE, a, b, n);
}

/* All lengths of a few vectors, some longer; aligned or not; values of like and of very unlike size. */
static void sums_in_lanes(void **state)
{
    (void)state;
    static _Alignas(64) double a[2048], b[2048];
    uint64_t seed = 42;
    for (int wide = 0; wide < 2; wide++)
        for (size_t step = 0; step < 76; step++) {
            static const size_t longer[] = {127, 1000, 1023, 1024, 2040};
            size_t n = step <= 70 ? step : longer[step - 71], shift = step % 5;
            for (size_t i = 0; i < 2048; i++) {
                a[i] = wide ? noise_wide(&seed) : noise(&seed);
                b[i] = wide ? noise_wide(&seed) : noise(&seed);
            }
            for (size_t c = 0; c < count_copies(); c++)
                check_copy(&copies[c], a + shift, b + (shift + 2) % 5, n);
        }
}

static void assert_same(const struct cg_block_moments *got, const struct cg_block_moments *wanted)
{
    assert_bits(got->sum, wanted->sum);
    assert_bits(got->squares, wanted->squares);
    assert_true(got->minimum == wanted->minimum && got->maximum == wanted->maximum);
}

/* Floats give the bits of the same values as doubles. */
static void check_singles(const struct copy *copy, const float *a, const float *b, const double *wide_a,
                          const double *wide_b, size_t n)
{
    if (n > 0) {
        struct cg_block_moments one, pair[2], wanted[2];
        cg_block_moments(wide_a, n, &wanted[0]);
        cg_block_moments(wide_b, n, &wanted[1]);
        copy->single_moments(a, n, &one);
        copy->single_extremes(a, n, &one);
        assert_same(&one, &wanted[0]);
        assert_bits(copy->single_pair(a, b, n, pair), cg_block_product(wide_a, wide_b, n));
        copy->single_extremes(a, n, &pair[0]);
        copy->single_extremes(b, n, &pair[1]);
        assert_same(&pair[0], &wanted[0]);
        assert_same(&pair[1], &wanted[1]);
    }
    assert_bits(copy->single_product(a, b, n), cg_block_product(wide_a, wide_b, n));
    assert_bits(copy->single_difference(a, b, n), cg_block_difference(wide_a, wide_b, n));
    double mean[2048];
    for (size_t i = 0; i < n; i++)
        mean[i] = wide_b[0];
    assert_bits(copy->single_spread(a, wide_b[0], n), cg_block_difference(mean, wide_a, n));
}

/* All lengths of a few vectors, some longer; aligned or not; values from the least to the greatest that there
 * are. */
static void floats_as_doubles(void **state)
{
    (void)state;
    static _Alignas(64) float a[2048], b[2048];
    static double wide_a[2048], wide_b[2048];
    uint64_t seed = 43;
    for (int kind = 0; kind < 3; kind++)
        for (size_t step = 0; step < 76; step++) {
            static const size_t longer[] = {127, 1000, 1023, 1024, 2040};
            size_t n = step <= 70 ? step : longer[step - 71], shift = step % 5, other = (shift + 2) % 5;
            for (size_t i = 0; i < 2048; i++) {
                int low = kind == 2 ? -149 : -40, high = kind == 0 ? -40 : kind == 1 ? 40 : 127;
                a[i] =
                    (float)ldexp(noise(&seed), low + (int)(noise_bits(&seed) % (unsigned)(high - low + 1)));
                b[i] =
                    (float)ldexp(noise(&seed), low + (int)(noise_bits(&seed) % (unsigned)(high - low + 1)));
                wide_a[i] = (double)a[i];
                wide_b[i] = (double)b[i];
            }
            for (size_t c = 0; c < count_copies(); c++)
                check_singles(&copies[c], a + shift, b + other, wide_a + shift, wide_b + other, n);
        }
}

/* The squares of values that are multiplied by their weights first. */
static void squares_by_weight(void **state)
{
    (void)state;
    static double x[CG_BLOCK + 4], weighted[CG_BLOCK];
    static float single[CG_BLOCK + 4], weight[CG_BLOCK + 4];
    uint64_t seed = 44;
    for (size_t step = 0; step < 74; step++) {
        static const size_t longer[] = {127, 1000, CG_BLOCK};
        size_t n = step <= 70 ? step : longer[step - 71], shift = step % 4;
        for (size_t i = 0; i < CG_BLOCK + 4; i++) {
            single[i] = (float)noise_wide(&seed);
            x[i] = noise_wide(&seed);
            weight[i] = (float)noise(&seed);
        }
        for (size_t c = 0; c < count_copies(); c++) {
            for (size_t i = 0; i < n; i++) {
                volatile double value = x[shift + i] * (double)weight[i];
                weighted[i] = value;
            }
            assert_bits(copies[c].weighted(x + shift, weight, n), in_lanes(SQUARES, weighted, weighted, n));
            for (size_t i = 0; i < n; i++)
                weighted[i] = (double)single[shift + i] * (double)weight[i];
            assert_bits(copies[c].single_weighted(single + shift, weight, n),
                        in_lanes(SQUARES, weighted, weighted, n));
        }
    }
}

static void signs_of_bits(void **state)
{
    (void)state;
    uint64_t bits[CG_BLOCK / 64], seed = 7;
    double x[CG_BLOCK], sums[CG_BLOCK], wanted[CG_BLOCK];
    float single[CG_BLOCK], single_sums[CG_BLOCK], single_wanted[CG_BLOCK];
    for (size_t w = 0; w < CG_BLOCK / 64; w++)
        bits[w] = w == 0 ? 0 : w == 1 ? UINT64_MAX : w == 2 ? UINT64_C(1) << 63 | 1 : noise_bits(&seed);
    for (size_t c = 0; c < count_copies(); c++)
        for (size_t n = 0; n <= CG_BLOCK; n += n < 70 ? 1 : 159) {
            for (size_t i = 0; i < CG_BLOCK; i++) {
                x[i] = noise(&seed);
                wanted[i] = sums[i] = noise_wide(&seed);
            }
            for (size_t i = 0; i < n; i++)
                wanted[i] = bits[i / 64] >> i % 64 & 1 ? sums[i] - x[i] : sums[i] + x[i];
            copies[c].signed_add(sums, x, bits, n);
            assert_memory_equal(sums, wanted, sizeof sums);
            for (size_t i = 0; i < n; i++) {
                single[i] = (float)x[i];
                wanted[i] =
                    bits[i / 64] >> i % 64 & 1 ? sums[i] - (double)single[i] : sums[i] + (double)single[i];
            }
            copies[c].single_signed_add(sums, single, bits, n);
            assert_memory_equal(sums, wanted, sizeof sums);
            for (size_t i = 0; i < CG_BLOCK; i++)
                single_wanted[i] = single_sums[i] = (float)sums[i];
            for (size_t i = 0; i < n; i++)
                single_wanted[i] += bits[i / 64] >> i % 64 & 1 ? -single[i] : single[i];
            copies[c].singles_signed_add(single_sums, single, bits, n);
            assert_memory_equal(single_sums, single_wanted, sizeof single_sums);
            for (size_t i = 0; i < n; i++) {
                wanted[i] = sums[i] + (double)single_sums[i];
                single_wanted[i] = 0;
            }
            copies[c].single_join(sums, single_sums, n);
            assert_memory_equal(sums, wanted, sizeof sums);
            assert_memory_equal(single_sums, single_wanted, sizeof single_sums);
        }
}

/* The sum of squares is the alarm: whatever is not finite, wherever it stands, sets it off. */
static void alarm_by_squares(void **state)
{
    (void)state;
    static const double odd[] = {NAN, -NAN, INFINITY, -INFINITY};
    static const size_t lengths[] = {1, 15, 16, 17, 70, CG_BLOCK};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (size_t at = 0; at < lengths[l]; at++)
            for (size_t c = 0; c < count_copies(); c++) {
                double x[CG_BLOCK];
                struct cg_block_moments moments;
                for (size_t i = 0; i < lengths[l]; i++)
                    x[i] = (double)i;
                copies[c].moments(x, lengths[l], &moments);
                assert_true(isfinite(moments.squares));
                x[at] = odd[at % 4];
                copies[c].moments(x, lengths[l], &moments);
                assert_true(!isfinite(moments.squares));
                struct cg_block_moments pair[2];
                float single[CG_BLOCK], others[CG_BLOCK] = {0};
                for (size_t i = 0; i < lengths[l]; i++)
                    single[i] = (float)x[i];
                copies[c].single_moments(single, lengths[l], &moments);
                assert_true(!isfinite(moments.squares));
                copies[c].single_pair(single, others, lengths[l], pair);
                assert_true(!isfinite(pair[0].squares) && pair[1].squares == 0);
                copies[c].single_pair(others, single, lengths[l], pair);
                assert_true(pair[0].squares == 0 && !isfinite(pair[1].squares));
            }
}

/* By the formula of the header, in Python's integers; and whatever the order and the parts. */
static void hash_of_values(void **state)
{
    (void)state;
    static const double x[] = {1.0, -0.0, 2.5, 1e-300, -3.0};
    static const float y[] = {1.0F, -0.0F, 2.5F};
    for (size_t c = 0; c < count_copies(); c++) {
        uint64_t (*hash)(struct cg_values, uint64_t, size_t) = copies[c].hash;
        struct cg_values wide = {.wide = x}, single = {.single = y}, rest = {.wide = x + 2};
        double zero = 0;
        assert_true(hash(wide, 7, 5) == UINT64_C(0xF8497A1FE4029449));
        assert_true(hash(wide, 0, 1) == UINT64_C(0xE1E0C94D49D9B6C1));
        assert_true(hash(wide, 7, 2) + hash(rest, 9, 3) == hash(wide, 7, 5));
        assert_true(hash(wide, 8, 5) != hash(wide, 7, 5));
        assert_true(hash(wide, 7, 0) == 0);
        assert_true(hash(single, 7, 3) == hash(wide, 7, 3));
        assert_true(hash((struct cg_values){.wide = &zero}, 8, 1) ==
                    hash((struct cg_values){.wide = x + 1}, 8, 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_in_lanes),     cmocka_unit_test(floats_as_doubles),
        cmocka_unit_test(squares_by_weight), cmocka_unit_test(signs_of_bits),
        cmocka_unit_test(alarm_by_squares),  cmocka_unit_test(hash_of_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
