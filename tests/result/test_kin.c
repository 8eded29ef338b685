/* Matched blocks judged: rates, controls, corrections, maps, on cells made by hand. Poisson tails are
 * scipy.stats.poisson's, the rest by hand. */
#include "result/kin.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { LAYERS = 4, CELLS = LAYERS * LAYERS, PAIRS = 5, UNITS = 352 };

/* Pairs of dense models of LAYERS layers; all cells show K = 0 and nothing else. Model 0 is in pairs 0 to 3,
 * pair 4 shares none with them. */
struct scene {
    struct cg_ffn_block blocks[LAYERS];
    struct cg_cell cells[PAIRS][CELLS];
    struct cg_kinship kinships[PAIRS];
    int32_t pairs[PAIRS][2];
    bool silent[PAIRS];
    struct cg_findings findings;
    struct cg_kin *kins;
};

static struct cg_cell *cell(struct scene *s, int p, int a, int b)
{
    return &s->cells[p][b * LAYERS + a];
}

static void set_up(struct scene *s)
{
    memset(s, 0, sizeof *s);
    for (int l = 0; l < LAYERS; l++)
        s->blocks[l] =
            (struct cg_ffn_block){.layer = l, .expert = -1, .norm = -1, .units = UNITS, .width = 128};
    for (int p = 0; p < PAIRS; p++) {
        for (int k = 0; k < CELLS; k++)
            s->cells[p][k] = (struct cg_cell){.a = k % LAYERS, .b = k / LAYERS, .units = UNITS, .gram = NAN};
        s->kinships[p] = (struct cg_kinship){.blocks = {s->blocks, s->blocks},
                                             .nblocks = {LAYERS, LAYERS},
                                             .ncells = CELLS,
                                             .cells = s->cells[p],
                                             .planted = UNITS,
                                             .planted_raw = 150,
                                             .planted_probe = 200,
                                             .token_gram = NAN};
        s->pairs[p][0] = p < 4 ? 0 : 8;
        s->pairs[p][1] = p + 1;
        s->silent[p] = true;
    }
    s->findings = (struct cg_findings){
        .pairs = (const int32_t(*)[2])s->pairs, .npairs = PAIRS, .kinships = s->kinships};
}

static const struct cg_kin *judged(struct scene *s, int p)
{
    struct cg_err err;
    assert_int_equal(cg_kins_judge(&s->kins, &s->findings, s->silent, &err), 0);
    return &s->kins[p];
}

static void tear_down(struct scene *s)
{
    cg_kins_release(s->kins, PAIRS);
}

static bool near(double x, double y)
{
    return fabs(x - y) < 1e-9 * fmax(1, fabs(y));
}

/* K of one cell, what it makes of b's layer; 48 tests and a rate of 5. */
static void test_counts(void **state)
{
    (void)state;
    static const struct {
        int k;
        double log10_p; /* before correction */
        bool passes;
    } rows[] = {{0, 0, false},
                {9, -1.1668934833057008, false},
                {30, -13.550133359993698, false}, /* p < 1e-12 only before correction */
                {36, -18.516309912488041, true},
                {352, -501.31165967118911, true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int method = CG_BY_RAW; method <= CG_BY_PROBE; method++) {
            struct scene s;
            set_up(&s);
            *(method == CG_BY_RAW ? &cell(&s, 0, 2, 1)->raw : &cell(&s, 0, 2, 1)->probe) = rows[i].k;
            const struct cg_kin *kin = judged(&s, 0);
            assert_int_equal(kin->tests, 3 * CELLS);
            double expected = fmin(0, rows[i].log10_p + log10(3 * CELLS));
            assert_true(near(kin->layer_log10_p[1], expected));
            assert_int_equal(kin->from[1], rows[i].passes ? 2 : -1);
            assert_int_equal(kin->passing[method], rows[i].passes);
            assert_int_equal(kin->from[0], -1);
            tear_down(&s);
        }
}

/* Where most cells agree on something, that is no sign of descent. */
static void test_other_cells_are_controls(void **state)
{
    (void)state;
    struct scene s;
    set_up(&s);
    for (int k = 0; k < CELLS; k++)
        s.cells[0][k].raw = 10;
    cell(&s, 0, 1, 1)->raw = 60;
    const struct cg_kin *kin = judged(&s, 0);
    assert_true(near(kin->rate[CG_BY_RAW], 45));
    assert_true(near(kin->rate[CG_BY_PROBE], 5));
    assert_int_equal(kin->from[1], -1);
    tear_down(&s);
}

/* A control pair vetoes; one that passes itself, is not silent in its slots or shares no model does not. */
static void test_control_pairs(void **state)
{
    (void)state;
    static const struct {
        int pair, k;
        bool silent;
        double rate;
    } rows[] = {{1, 20, true, 20}, {1, 20, false, 5}, {1, 300, true, 5}, {4, 20, true, 5}, {1, 2, true, 5}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        set_up(&s);
        cell(&s, rows[i].pair, 0, 3)->raw = rows[i].k;
        s.silent[rows[i].pair] = rows[i].silent;
        cell(&s, 0, 3, 3)->raw = 60;
        const struct cg_kin *kin = judged(&s, 0);
        assert_true(near(kin->rate[CG_BY_RAW], rows[i].rate));
        assert_int_equal(kin->from[3], rows[i].rate < 10 ? 3 : -1);
        tear_down(&s);
    }
}

/* Inner products of tokens need three controls, and half of what is left to 1 above three quarters of them.
 */
static void test_token_bound(void **state)
{
    (void)state;
    static const struct {
        double own, control[3];
        bool passes;
    } rows[] = {{0.84, {0.2, 0.4, 0.5}, true},
                {0.74, {0.2, 0.4, 0.5}, false},
                {0.84, {0.2, 0.4, 0.7}, false},
                {0.99, {0.2, 0.4, NAN}, false},
                {NAN, {0.2, 0.4, 0.5}, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        set_up(&s);
        s.kinships[0].token_gram = rows[i].own;
        for (int c = 0; c < 3; c++)
            s.kinships[1 + c].token_gram = rows[i].control[c];
        assert_int_equal(judged(&s, 0)->tokens, rows[i].passes);
        tear_down(&s);
    }
}

static void test_exact_and_gram(void **state)
{
    (void)state;
    struct scene s;
    set_up(&s);
    cell(&s, 0, 0, 0)->sample = cell(&s, 0, 1, 1)->sample = UNITS;
    cell(&s, 0, 0, 0)->fixed[0] = UNITS;
    cell(&s, 0, 0, 0)->fixed[1] = 18; /* 1/18! after correction for 53 tests: 1e-14 */
    cell(&s, 0, 1, 1)->fixed[0] = 14; /* 1/14!: not enough */
    cell(&s, 0, 3, 2)->gram = 40;
    cell(&s, 0, 2, 2)->gram = 9;
    s.kinships[0].columns = 128;
    s.kinships[0].fixed_columns = 20;
    const struct cg_kin *kin = judged(&s, 0);
    assert_int_equal(kin->tests, 3 * CELLS + 4 + 1);
    assert_int_equal(kin->tested_exactly, 2);
    assert_int_equal(kin->exact[0], 1);
    assert_int_equal(kin->exact[1], 1);
    assert_int_equal(kin->from[0], 0);
    assert_int_equal(kin->from[1], -1);
    assert_int_equal(kin->from[2], 3);
    assert_true(kin->columns);
    assert_true(near(kin->columns_log10_p, -18.386124616877712 + log10(53)));
    assert_true(near(kin->strongest, -745.18382399617642 + log10(53)));
    tear_down(&s);
}

/* A layer of a may be the origin of several; of alike cells the one in the same place counts. */
static void test_layer_map(void **state)
{
    (void)state;
    struct scene s;
    set_up(&s);
    static const int origin[LAYERS] = {0, 1, 1, 2};
    for (int b = 0; b < LAYERS; b++) {
        struct cg_cell *c = cell(&s, 0, origin[b], b);
        c->raw = 340;
        c->raw_cosine = 0.9;
    }
    struct cg_cell *twin = cell(&s, 0, 0, 1), *weaker = cell(&s, 0, 3, 3);
    twin->raw = weaker->raw = 340;
    twin->raw_cosine = 0.901;
    weaker->raw_cosine = 0.7;
    const struct cg_kin *kin = judged(&s, 0);
    for (int b = 0; b < LAYERS; b++)
        assert_int_equal(kin->from[b], origin[b]);
    assert_true(near(cg_cell_likeness(weaker), 340 * 0.7 / UNITS));
    tear_down(&s);
}

static void test_power(void **state)
{
    (void)state;
    static const struct {
        int planted_raw, planted_probe, first_raw;
        bool power;
    } rows[] = {{150, 200, 0, true},
                {10, 200, 0, true},
                {150, 10, 0, true},
                {10, 10, 0, false},
                {150, 10, -1, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scene s;
        set_up(&s);
        s.kinships[0].planted_raw = rows[i].planted_raw;
        s.kinships[0].planted_probe = rows[i].planted_probe;
        s.cells[0][0].raw = rows[i].first_raw;
        assert_int_equal(cg_kin_has_power(judged(&s, 0)), rows[i].power);
        tear_down(&s);
    }
    assert_false(cg_kin_has_power(&(struct cg_kin){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),         cmocka_unit_test(test_other_cells_are_controls),
        cmocka_unit_test(test_control_pairs),  cmocka_unit_test(test_token_bound),
        cmocka_unit_test(test_exact_and_gram), cmocka_unit_test(test_layer_map),
        cmocka_unit_test(test_power),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
