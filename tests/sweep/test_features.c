/* Features: the head as it stands, the sketch by what it is for. */
#include "../plan/synthetic.h"
#include "noise.h"
#include "sweep/features.h"
#include "sweep/kernels.h"
#include "sweep/sketches.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { MOST = 20000 };

/* Feeds n values in runs of `run`, as doubles and, where they are such, as floats. */
static void feed(enum cg_feature_kind kind, int64_t length, double *row, const double *values, int64_t n,
                 int64_t run)
{
    struct cg_sweep_options options = {.feature_kind = kind, .feature_length = length};
    static float single[MOST];
    memset(row, 0, (size_t)length * sizeof *row);
    for (int64_t at = 0; at < n; at += run) {
        bool floats = at / run % 2 == 1;
        size_t some = (size_t)(n - at < run ? n - at : run);
        for (size_t i = 0; i < some; i++) {
            single[i] = (float)values[at + (int64_t)i];
            floats = floats && (double)single[i] == values[at + (int64_t)i];
        }
        struct cg_values given =
            floats ? (struct cg_values){.single = single} : (struct cg_values){.wide = values + at};
        struct cg_signs signs = {0};
        cg_features_take(&options, row, &(struct cg_elements){at, some, given, &signs});
    }
}

/* A sketch that is taken in runs of any length, its floats meeting as floats first: as the same in double,
 * but for the last digit of a float; begun again it knows nothing of what was before. */
static void floats_meet(void **state)
{
    (void)state;
    static const int64_t runs[] = {1, 63, 777, 2048, 5000};
    static float single[MOST];
    static double values[MOST], wanted[4096], scale[4096];
    struct cg_sketch sketch;
    struct cg_err err;
    uint64_t seed = 11;
    for (int i = 0; i < MOST; i++)
        values[i] = (double)(single[i] = (float)noise(&seed));
    assert_int_equal(cg_sketch_init(&sketch, 4096, &err), 0);
    for (int64_t length = 256; length <= 4096; length += length < 1024 ? 128 : 1024)
        for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
            bool exact = r % 2 == 1; /* doubles go to their sums at once */
            feed(CG_FEATURES_SKETCH, length, wanted, values, MOST, MOST);
            memset(scale, 0, sizeof scale);
            for (int i = 0; i < MOST; i++)
                scale[i % length] += fabs(values[i]);
            cg_sketch_begin(&sketch, length);
            for (int64_t at = 0; at < MOST; at += runs[r]) {
                struct cg_signs signs = {0};
                size_t n = (size_t)(MOST - at < runs[r] ? MOST - at : runs[r]);
                struct cg_values given = {exact ? NULL : single + at, exact ? values + at : NULL};
                cg_sketch_add(&sketch, &(struct cg_elements){at, n, given, &signs});
            }
            cg_sketch_end(&sketch);
            for (int64_t k = 0; k < length; k++)
                assert_true(fabs(sketch.sums[k] - wanted[k]) <=
                            (exact ? 1e-14 : 0x1p-24 * (CG_SKETCH_FEW + 4)) * scale[k]);
        }
    cg_sketch_release(&sketch);
}

/* Folding gives what a sketch of that length would be; whole numbers, so that all sums are exact. */
static void fold(void **state)
{
    (void)state;
    static double values[MOST], longer[2048], folded[2048], wanted[2048];
    uint64_t seed = 5;
    for (int i = 0; i < MOST; i++)
        values[i] = round(100 * noise(&seed));
    for (int64_t length = 1; length <= 2048; length *= 2) {
        feed(CG_FEATURES_SKETCH, 2048, longer, values, MOST, 1024);
        feed(CG_FEATURES_SKETCH, length, wanted, values, MOST, 1024);
        cg_sketch_fold(folded, length, longer, 2048);
        assert_memory_equal(folded, wanted, (size_t)length * sizeof *folded);
        cg_sketch_fold(longer, length, longer, 2048);
        assert_memory_equal(longer, wanted, (size_t)length * sizeof *folded);
    }
}

static void ones(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 1000, 1024, 5000, MOST};
    static double values[MOST], wanted[512];
    float got[512];
    struct cg_err err;
    for (int i = 0; i < MOST; i++)
        values[i] = 1;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        feed(CG_FEATURES_SKETCH, 512, wanted, values, sizes[i], 1024);
        assert_int_equal(cg_sketch_of_ones(got, 512, sizes[i], &err), 0);
        for (int k = 0; k < 512; k++)
            assert_true((double)got[k] == wanted[k]);
    }
}

static void sketch_lengths(void **state)
{
    (void)state;
    static const struct {
        int32_t expert;
        int64_t rows, columns, length;
    } table[] = {{-1, 4096, 4096, 2048}, {3, 4096, 1408, 512}, {-1, 2, 2, 4},   {-1, 32, 64, 2048},
                 {-1, 2047, 1, 1024},    {0, 15, 34, 256},     {0, 16, 32, 512}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct cg_slot slot = {.expert = table[i].expert};
        assert_int_equal(cg_sketch_length(&slot, table[i].rows, table[i].columns), table[i].length);
    }
}

static const int64_t lengths[] = {1, 2, 3, 100, 512, 1000, 1023, 1024, 1025, 3000, 8192};
static const int64_t runs[] = {1, 7, 64, 1000, 1024};

static void head(void **state)
{
    (void)state;
    static double values[MOST], row[8192];
    for (int i = 0; i < MOST; i++)
        values[i] = i + 1;
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
            feed(CG_FEATURES_HEAD, lengths[l], row, values, 8192, runs[r]);
            assert_memory_equal(row, values, (size_t)lengths[l] * sizeof *row);
        }
}

/* Each element goes to its own bucket, by a sign; the signs are the same for every length. */
static void sketch_of_one(void **state)
{
    (void)state;
    static double values[MOST], row[8192], sign[MOST];
    double sum = 0, neighbours = 0, colliding = 0;
    for (int e = 0; e < MOST; e += 1) {
        values[e] = 1;
        struct cg_sweep_options options = {.feature_kind = CG_FEATURES_SKETCH, .feature_length = 1};
        row[0] = 0;
        struct cg_signs signs = {0};
        cg_features_take(&options, row, &(struct cg_elements){e, 1, {.wide = values + e}, &signs});
        sign[e] = row[0];
        assert_true(sign[e] == 1 || sign[e] == -1);
        sum += sign[e];
        neighbours += e > 0 ? sign[e] * sign[e - 1] : 0;
        colliding += e >= 1024 ? sign[e] * sign[e - 1024] : 0;
        values[e] = 0;
    }
    /* fair and independent: five standard deviations */
    assert_true(fabs(sum) < 5 * sqrt(MOST) && fabs(neighbours) < 5 * sqrt(MOST) &&
                fabs(colliding) < 5 * sqrt(MOST));
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (int e = 0; e < MOST; e += 977) {
            values[e] = 3;
            feed(CG_FEATURES_SKETCH, lengths[l], row, values, MOST, 1024);
            for (int64_t k = 0; k < lengths[l]; k++)
                assert_true(row[k] == (k == e % lengths[l] ? 3 * sign[e] : 0));
            values[e] = 0;
        }
}

/* In whatever pieces, the same bits. */
static void sketch_piecewise(void **state)
{
    (void)state;
    static double values[MOST], once[8192], pieces[8192];
    uint64_t seed = 8;
    for (int i = 0; i < MOST; i++)
        values[i] = noise_wide(&seed);
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (int64_t n = MOST - 1500; n <= MOST; n += 500) {
            feed(CG_FEATURES_SKETCH, lengths[l], once, values, n, n);
            for (size_t r = 0; r < sizeof runs / sizeof *runs; r++) {
                feed(CG_FEATURES_SKETCH, lengths[l], pieces, values, n, runs[r]);
                assert_memory_equal(once, pieces, (size_t)lengths[l] * sizeof *once);
            }
        }
}

/* Inner products of sketches scatter about those of the matrices by |x| |y| / sqrt(N), and no further. */
static void sketch_keeps_products(void **state)
{
    (void)state;
    enum { ELEMENTS = 6000, PAIRS = 300 };
    static double x[ELEMENTS], y[ELEMENTS], row_x[1024], row_y[1024];
    static const int64_t widths[] = {64, 512, 1000};
    uint64_t seed = 21;
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        double mean = 0, square = 0, sd = 1 / sqrt((double)widths[w]);
        for (int p = 0; p < PAIRS; p++) {
            double exact = 0, squares_x = 0, squares_y = 0, sketched = 0;
            for (int i = 0; i < ELEMENTS; i++) {
                x[i] = noise(&seed);
                y[i] = noise(&seed) + p % 3 * x[i];
                exact += x[i] * y[i];
                squares_x += x[i] * x[i];
                squares_y += y[i] * y[i];
            }
            feed(CG_FEATURES_SKETCH, widths[w], row_x, x, ELEMENTS, 1024);
            feed(CG_FEATURES_SKETCH, widths[w], row_y, y, ELEMENTS, 1024);
            for (int64_t k = 0; k < widths[w]; k++)
                sketched += row_x[k] * row_y[k];
            double off = (sketched - exact) / sqrt(squares_x * squares_y);
            mean += off / PAIRS;
            square += off * off / PAIRS;
        }
        assert_true(fabs(mean) < 5 * sqrt(2) * sd / sqrt(PAIRS));
        assert_true(sqrt(square) > 0.7 * sd && sqrt(square) < 2 * sd);
    }
}

struct sample_case {
    enum cg_dtype dtype;
    int64_t rows, columns;
    int32_t layer;
    bool head, sketch; /* is a sample of head:1000, of any sketch */
};

static void samples(void **state)
{
    (void)state;
    static const struct sample_case cases[] = {
        {CG_BF16, 50, 20, 3, true, true},    {CG_BF16, 50, 19, 3, false, true}, /* too short */
        {CG_BF16, 50, 20, -1, false, false},                                    /* not in a layer */
        {CG_BF16, 1, 5000, 3, false, false}, {CG_BF16, 5000, 1, 3, false, false},
        {CG_BOOL, 50, 20, 3, false, false},  {CG_C64, 50, 20, 3, false, false},
        {CG_F4, 50, 20, 3, true, true},      {CG_BF16, 0, 20, 3, false, false},
    };
    for (int kind = CG_FEATURES_NONE; kind <= CG_FEATURES_SKETCH; kind++) {
        struct cg_sweep_options options = {.feature_kind = (enum cg_feature_kind)kind,
                                           .feature_length = 1000};
        struct synthetic made;
        struct cg_samples numbered;
        struct cg_err err = {0};
        enum { N = sizeof cases / sizeof *cases };
        synthetic_begin(&made, 3); /* the second has no tensor at all, the third ties */
        for (size_t c = 0; c < N; c++) {
            int64_t slot = synthetic_slot(&made, CG_ROLE_OTHER, cases[c].layer, -1);
            synthetic_member(&made, 0, cases[c].dtype, cases[c].rows, cases[c].columns);
            synthetic_member(&made, 2, cases[c].dtype, cases[c].rows, cases[c].columns);
            synthetic_tie(&made, 2, slot);
        }
        assert_int_equal(cg_samples_number(&numbered, &made.anatomy, made.models, &options, &err), 0);
        int64_t n = 0;
        for (size_t c = 0; c < N; c++) {
            bool sample = kind == CG_FEATURES_HEAD     ? cases[c].head
                          : kind == CG_FEATURES_SKETCH ? cases[c].sketch
                                                       : false;
            assert_int_equal(numbered.index[c * 3], sample ? n++ : -1);
            assert_int_equal(numbered.index[c * 3 + 1], -1);
            assert_int_equal(numbered.index[c * 3 + 2], -1);
        }
        assert_int_equal(numbered.n, n);
        cg_samples_release(&numbered);
        synthetic_release(&made);
    }
}

/* By model first, then in the order of the slots. */
static void sample_order(void **state)
{
    (void)state;
    struct cg_sweep_options options = {.feature_kind = CG_FEATURES_SKETCH, .feature_length = 8};
    struct synthetic made;
    struct cg_samples numbered;
    struct cg_err err = {0};
    synthetic_begin(&made, 2);
    for (int layer = 0; layer < 4; layer++)
        synthetic_alike(&made, CG_ROLE_ATTN_Q, layer, -1, CG_BF16, 4, 4);
    assert_int_equal(cg_samples_number(&numbered, &made.anatomy, made.models, &options, &err), 0);
    for (int64_t i = 0; i < 8; i++)
        assert_int_equal(numbered.index[i], i % 2 * 4 + i / 2);
    cg_samples_release(&numbered);
    synthetic_release(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head),
        cmocka_unit_test(sketch_of_one),
        cmocka_unit_test(floats_meet),
        cmocka_unit_test(fold),
        cmocka_unit_test(ones),
        cmocka_unit_test(sketch_lengths),
        cmocka_unit_test(sketch_piecewise),
        cmocka_unit_test(sketch_keeps_products),
        cmocka_unit_test(samples),
        cmocka_unit_test(sample_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
