/* Panels against the matrix they are taken from, and the shift null against rolls made by hand. */
#include "noise.h"
#include "sweep/panel.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { READS = CG_ROLE_ATTN_Q, WRITES = CG_ROLE_ATTN_O, NEITHER = CG_ROLE_ATTN_Q_BIAS };

static void shapes(void **state)
{
    (void)state;
    static const struct {
        int role;
        int64_t rows, columns, residual, lines, all;
    } cases[] = {
        {READS, 100, 64, 64, 100, 100},           /* whole */
        {WRITES, 64, 100, 64, 100, 100},          /* whole, across */
        {CG_ROLE_ATTN_NORM, 1, 4096, 4096, 1, 1}, /* a vector is one line */
        {READS, 32000, 4096, 4096, 64, 32000},    /* 2^18 / 2^12 */
        {WRITES, 4096, 14336, 4096, 64, 14336},
        {READS, 5000, 1000, 1000, 262, 5000}, /* 262.144 */
        {READS, 10, 262144, 262144, 1, 10},   /* the longest line */
        {READS, 10, 262145, 0, 0, 0},         /* too long */
        {READS, 5, 31, 0, 0, 0},              /* too short for 31 shifts */
        {READS, 5, 32, 32, 5, 5},
        {READS, 5, 33, 33, 5, 5},
        {WRITES, 31, 5, 0, 0, 0},
        {WRITES, 32, 5, 32, 5, 5},
        {WRITES, 5, 100, 0, 0, 0}, /* the other axis does not count */
        {NEITHER, 100, 100, 0, 0, 0},
        {CG_ROLE_OTHER, 100, 100, 0, 0, 0},
        {READS, 0, 64, 0, 0, 0}, /* empty */
        {READS, 64, 0, 0, 0, 0},
        {WRITES, 64, 0, 0, 0, 0},
        {WRITES, 0, 64, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cg_panel_shape shape =
            cg_panel_shape_of((enum cg_role)cases[i].role, cases[i].rows, cases[i].columns);
        assert_int_equal(shape.residual, cases[i].residual);
        assert_int_equal(shape.lines * (shape.residual > 0), cases[i].lines);
        if (shape.residual > 0)
            assert_int_equal(shape.all, cases[i].all);
        if (shape.residual > 0)
            assert_int_equal(shape.by_rows, cases[i].role == WRITES);
    }
}

/* Feeds the matrix in runs of many lengths, as doubles and as floats; element e has the value e + 1. */
static void feed(const struct cg_panel_shape *shape, float *panel, int64_t elements, int64_t run)
{
    double values[CG_BLOCK];
    float single[CG_BLOCK];
    for (int64_t at = 0; at < elements;) {
        int64_t n = elements - at < run ? elements - at : run;
        for (int64_t i = 0; i < n; i++)
            single[i] = (float)(values[i] = (double)(at + i + 1));
        struct cg_values given =
            at / run % 2 == 0 ? (struct cg_values){.wide = values} : (struct cg_values){.single = single};
        cg_panel_take(shape, panel, at, given, (size_t)n);
        at += n;
    }
}

/* panel[i][k]: line i * all / lines, k along the residual axis. Values are below 2^24: exact as float. */
static void taken_from_matrix(void **state)
{
    (void)state;
    static const struct {
        int role;
        int64_t rows, columns;
    } cases[] = {
        {READS, 100, 64},    {WRITES, 64, 100},    {READS, 1, 4096},   {WRITES, 4096, 1},
        {READS, 3000, 1000}, {WRITES, 1000, 3000}, {READS, 700, 4100}, {WRITES, 4100, 700},
        {READS, 40, 200000}, {WRITES, 200000, 40}, {READS, 9000, 33},  {WRITES, 33, 9000},
    };
    static const int64_t runs[] = {1024, 1000, 64, 7};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
            int64_t rows = cases[i].rows, columns = cases[i].columns;
            struct cg_panel_shape shape = cg_panel_shape_of((enum cg_role)cases[i].role, rows, columns);
            float *panel = calloc((size_t)(shape.lines * shape.residual), sizeof *panel);
            assert_non_null(panel);
            feed(&shape, panel, rows * columns, runs[r]);
            bool across = cases[i].role == WRITES;
            int64_t all = across ? columns : rows, residual = across ? rows : columns;
            int64_t lines = (1 << 18) / residual < all ? (1 << 18) / residual : all;
            assert_true(shape.lines == lines && shape.residual == residual);
            int64_t wrong = 0;
            for (int64_t l = 0; l < lines; l++)
                for (int64_t k = 0; k < residual; k++) {
                    int64_t line = l * all / lines,
                            element = across ? k * columns + line : line * columns + k;
                    wrong += panel[l * residual + k] != (float)(element + 1);
                }
            assert_int_equal(wrong, 0);
            free(panel);
        }
}

/* The documented null, in long doubles, with b rolled element by element. */
static struct cg_shift_null by_hand(const float *a, const float *b, int64_t lines, int64_t n)
{
    long double mean_a = 0, mean_b = 0, squares_a = 0, squares_b = 0, cosine[32] = {0};
    for (int64_t i = 0; i < lines * n; i++) {
        mean_a += a[i];
        mean_b += b[i];
    }
    mean_a /= (long double)(lines * n);
    mean_b /= (long double)(lines * n);
    for (int64_t i = 0; i < lines * n; i++) {
        squares_a += (a[i] - mean_a) * (a[i] - mean_a);
        squares_b += (b[i] - mean_b) * (b[i] - mean_b);
    }
    for (int64_t s = 0; s <= 31; s++) {
        int64_t shift = s == 0 ? 0 : 1 + (s - 1) * (n - 1) / 31;
        for (int64_t l = 0; l < lines; l++)
            for (int64_t k = 0; k < n; k++) /* what stood at k now stands at k + shift */
                cosine[s] += (a[l * n + (k + shift) % n] - mean_a) * (b[l * n + k] - mean_b);
        cosine[s] /= sqrtl(squares_a * squares_b);
    }
    long double mean = 0, spread = 0;
    for (int s = 1; s <= 31; s++)
        mean += cosine[s] / 31;
    for (int s = 1; s <= 31; s++)
        spread += (cosine[s] - mean) * (cosine[s] - mean) / 30;
    return (struct cg_shift_null){(double)cosine[0], (double)mean, (double)sqrtl(spread),
                                  (double)((cosine[0] - mean) / sqrtl(spread * (1 + 1 / 31.0L)))};
}

static void assert_near(double got, double wanted, double tolerance)
{
    if (!(fabs(got - wanted) <= tolerance))
        print_error("%.17g is not %.17g\n", got, wanted);
    assert_true(fabs(got - wanted) <= tolerance);
}

static double *aligned(int64_t doubles)
{
    double *memory = aligned_alloc(64, ((size_t)doubles + 8) / 8 * 64);
    assert_non_null(memory);
    return memory;
}

/* Lengths that Fourier transforms take, products of two, of four, of other primes, and two that they do not
 * (74, 4 * 37; a prime), which are rolled by hand. */
static void null_by_hand(void **state)
{
    (void)state;
    static const struct {
        int64_t lines, residual;
        double common, offset; /* how much b has of a; added to all values */
    } cases[] = {
        {1, 32, 0, 0},
        {1, 32, 0.5, 0},
        {1, 33, 0.5, 0},
        {5, 62, 0, 0},
        {7, 63, 0.3, 0},
        {3, 64, 0, 100},
        {40, 100, 0, 0},
        {40, 100, 0.02, 0},
        {40, 100, 1, 3},
        {2, 1000, -0.4, 0},
        {100, 512, 0.1, 0},
        {1, 32, -1, 0},
        {9, 31 * 4 + 1, 0.2, -7},
        {3, 74, 0.4, 1},
        {11, 4 * 37, 0, 1},
        {2, 1009, 0.1, 5},
        {8, 96, 0.1, 0},
        {16, 128, 0.9, 0},
        {9, 31 * 29, 0.1, 2},
        {1, 4096, 0.1, 1},
        {7, 343, -0.2, 0},
        {4, 2 * 11 * 13, 0.1, 0},
    };
    uint64_t seed = 99;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int64_t n = cases[c].residual, size = cases[c].lines * n;
        float *a = malloc((size_t)size * sizeof *a), *b = malloc((size_t)size * sizeof *b);
        struct cg_panel_shape shape = {.residual = n, .lines = cases[c].lines, .all = cases[c].lines};
        double *scratch = aligned(cg_panels_scratch(&shape, (struct cg_meeting){2, 0}));
        assert_true(a && b);
        for (int64_t i = 0; i < size; i++) {
            a[i] = (float)(noise(&seed) + cases[c].offset);
            b[i] = (float)(noise(&seed) + cases[c].offset + cases[c].common * a[i]);
        }
        struct cg_panel of[2] = {cg_panel_of(&shape, a), cg_panel_of(&shape, b)};
        struct cg_shift_null got;
        cg_panels_compare(&shape, of, (struct cg_meeting){2, 0}, scratch, &got);
        struct cg_shift_null wanted = by_hand(a, b, cases[c].lines, n);
        assert_near(got.cosine, wanted.cosine, 1e-12);
        assert_near(got.mean, wanted.mean, 1e-12);
        assert_near(got.sd, wanted.sd, 1e-12);
        assert_near(got.t, wanted.t, 1e-9 * (1 + fabs(wanted.t)));
        free(a);
        free(b);
        free(scratch);
    }
}

/* A pair's null has the same bits whoever else is compared, and is that of the pair. */
static void without_regard_to_others(void **state)
{
    (void)state;
    enum { MOST = 8, LINES = 11 };
    static const int64_t lengths[] = {32, 37, 48, 126};
    static float values[MOST][LINES * 126];
    uint64_t seed = 5;
    for (int m = 0; m < MOST; m++)
        for (int i = 0; i < LINES * 126; i++)
            values[m][i] = (float)(noise(&seed) + m);
    for (size_t c = 0; c < sizeof lengths / sizeof *lengths; c++) {
        struct cg_panel_shape shape = {.residual = lengths[c], .lines = LINES, .all = LINES};
        double *scratch = aligned(cg_panels_scratch(&shape, (struct cg_meeting){MOST, 0}));
        struct cg_panel panel[MOST];
        struct cg_shift_null many[MOST * (MOST - 1) / 2], two;
        for (int m = 0; m < MOST; m++)
            panel[m] = cg_panel_of(&shape, values[m]);
        for (int members = 2; members <= MOST; members++) {
            cg_panels_compare(&shape, panel, (struct cg_meeting){members, 0}, scratch, many);
            for (int j = 0; j < members; j++)
                for (int i = 0; i < j; i++) {
                    struct cg_panel pair[2] = {panel[i], panel[j]};
                    cg_panels_compare(&shape, pair, (struct cg_meeting){2, 0}, scratch, &two);
                    assert_memory_equal(&two, &many[cg_pair_index(i, j)], sizeof two);
                }
        }
        free(scratch);
    }
}

/* No null for panels that do not vary; a panel is wholly like itself. */
static void constants(void **state)
{
    (void)state;
    enum { N = 40, LINES = 3 };
    static float zero[N * LINES], one[N * LINES], alternating[N * LINES], noisy[N * LINES];
    static const struct {
        const float *a, *b;
        bool nan;
    } cases[] = {
        {zero, zero, true}, {one, one, true},      {zero, noisy, true},
        {noisy, one, true}, {noisy, noisy, false}, {alternating, noisy, false},
    };
    uint64_t seed = 1;
    for (int i = 0; i < N * LINES; i++) {
        one[i] = 1;
        alternating[i] = (float)(i % 2);
        noisy[i] = (float)noise(&seed);
    }
    struct cg_panel_shape shape = {.residual = N, .lines = LINES, .all = LINES};
    double *scratch = aligned(cg_panels_scratch(&shape, (struct cg_meeting){2, 0}));
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct cg_panel of[2] = {cg_panel_of(&shape, cases[c].a), cg_panel_of(&shape, cases[c].b)};
        struct cg_shift_null null;
        cg_panels_compare(&shape, of, (struct cg_meeting){2, 0}, scratch, &null);
        assert_int_equal(isnan(null.cosine) != 0, cases[c].nan);
        assert_int_equal(isnan(null.mean) && isnan(null.sd) && isnan(null.t), cases[c].nan);
        if (cases[c].a == noisy && cases[c].b == noisy)
            assert_near(null.cosine, 1, 1e-14);
    }
    free(scratch);
}

static void t_of_cosine(void **state)
{
    (void)state;
    static const struct {
        double cosine, mean, sd, t;
    } cases[] = {
        {0.5, 0, 0.1, 4.921254921257382}, /* 5 / sqrt(32 / 31) */
        {0.1, 0.1, 0.1, 0},
        {-0.3, 0.1, 0.2, -1.9685019685029528},
        {0.5, 0, 0, NAN},
        {0.5, 0, NAN, NAN},
        {NAN, NAN, NAN, NAN},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double t = cg_shift_t(cases[c].cosine, cases[c].mean, cases[c].sd);
        assert_true(isnan(cases[c].t) ? isnan(t) : fabs(t - cases[c].t) <= 1e-14);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),       cmocka_unit_test(taken_from_matrix),
        cmocka_unit_test(null_by_hand), cmocka_unit_test(without_regard_to_others),
        cmocka_unit_test(constants),    cmocka_unit_test(t_of_cosine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
