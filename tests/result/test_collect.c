/* What a result says of findings made by hand: tallies, bands, layers, experts. */
#include "findings_fixture.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static struct finding at(double cosine)
{
    return (struct finding){.cosine = cosine, .t = 0.5, .sd = 0.005};
}

static bool near(double x, double y)
{
    return fabs(x - y) < 1e-12;
}

static void test_bands(void **state)
{
    (void)state;
    static const struct {
        double cosine;
        const char *band;
    } table[] = {{1, "almost certainly fine-tuned"},
                 {0.95000000000000007, "almost certainly fine-tuned"},
                 {0.95, "fine-tuned or continued pre-training"},
                 {0.8, "fine-tuned or continued pre-training"},
                 {0.79999999999999993, "partial reuse possible"},
                 {0.5, "partial reuse possible"},
                 {0.49999999999999994, "probably from scratch"},
                 {-1, "probably from scratch"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fixture f;
        fixture_begin(&f);
        fixture_slot(&f, CG_ROLE_ATTN_Q, 0, 64, 64);
        fixture_settle(&f);
        struct finding finding = at(table[i].cosine);
        fixture_set(&f, 0, &finding);
        fixture_collect(&f);
        assert_true(*f.result.root.mean_cosine == table[i].cosine);
        assert_string_equal(*f.result.root.band, table[i].band);
        fixture_release(&f);
    }
}

/* Matrices of one cosine a layer, and norms that are alike in each: patterns are those of the matrices. */
static void test_patterns(void **state)
{
    (void)state;
    enum { MOST = 6 };
    static const struct {
        int layers;
        double cosine[MOST];
        const char *pattern;
    } table[] = {
        {0, {0}, "incomparable"},
        {1, {0.8}, "alike throughout"},
        {6, {0.8, 0.9, 0.8, 0.99, 1, 0.8}, "alike throughout"},
        {6, {0.8, 0.9, 0.79, 0.99, 1, 0.8}, "some layers alike"},
        {1, {0.49}, "low throughout"},
        {6, {0.4, 0.3, 0, -1, 0.2, 0.49}, "low throughout"},
        {6, {0.4, 0.3, 0, -1, 0.2, 0.5}, "some layers alike"},
        {1, {0.5}, "some layers alike"},
        {6, {0.9, 0.9, 0.7, 0.6, 0.5, 0.4}, "early layers alike, late layers less"},
        {6, {0.5, 0.5, 0.5, 0.4, 0.4, 0.39}, "early layers alike, late layers less"},
        {6, {0.5, 0.5, 0.5, 0.4, 0.4, 0.41}, "some layers alike"},
        {6, {0.49, 0.5, 0.5, 0.4, 0.1, 0.1}, "some layers alike"},
        {6, {0.4, 0.5, 0.6, 0.7, 0.9, 0.9}, "some layers alike"},
        {6, {0.1, 0.1, 0.9, 0.9, 0.1, 0.1}, "some layers alike"},
        {2, {0.9, 0.7}, "early layers alike, late layers less"},
        {6, {0.9, 0.9, 0.2, 0.9, 0.7, 0.7}, "early layers alike, late layers less"},
        {2, {0.7, 0.9}, "some layers alike"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fixture f;
        fixture_begin(&f);
        for (int l = 0; l < MOST; l++) {
            fixture_slot(&f, CG_ROLE_ATTN_NORM, l, 1, 64);
            if (l < table[i].layers)
                fixture_slot(&f, CG_ROLE_ATTN_Q, l, 64, 64);
        }
        fixture_settle(&f);
        for (int64_t s = 0; s < f.made.anatomy.nslots; s++) {
            const struct cg_slot *slot = &f.made.anatomy.slots[s];
            struct finding finding = at(slot->role == CG_ROLE_ATTN_Q ? table[i].cosine[slot->layer] : 0.999);
            fixture_set(&f, s, &finding);
        }
        fixture_collect(&f);
        if (strcmp(*f.result.root.layer_pattern, table[i].pattern) != 0)
            fail_msg("row %zu: %s", i, *f.result.root.layer_pattern);
        fixture_release(&f);
    }
}

/* embed 10 x 4 at 0.5; norm of 4 at 0.9; q 4 x 4 constant and equal; up of other shapes, 6 x 4 and 8 x 4; a
 * mask that cosine has nothing to say of (zeros); o of a alone. */
static void test_tallies(void **state)
{
    (void)state;
    struct fixture f;
    fixture_begin(&f);
    fixture_slot(&f, CG_ROLE_EMBED, -1, 10, 4);
    fixture_slot(&f, CG_ROLE_ATTN_NORM, 0, 1, 4);
    fixture_slot(&f, CG_ROLE_ATTN_Q, 0, 4, 4);
    synthetic_slot(&f.made, CG_ROLE_ATTN_O, 0, -1);
    synthetic_member(&f.made, 0, CG_BF16, 4, 4);
    synthetic_slot(&f.made, CG_ROLE_FFN_UP, 0, -1);
    synthetic_member(&f.made, 0, CG_BF16, 6, 4);
    synthetic_member(&f.made, 1, CG_BF16, 8, 4);
    fixture_slot(&f, CG_ROLE_OTHER, -1, 2, 2);
    fixture_settle(&f);
    struct finding half = at(0.5), most = at(0.9), zeros = CONSTANT;
    fixture_set(&f, 0, &half);
    fixture_set(&f, 1, &most);
    fixture_set(&f, 2, &CONSTANT);
    fixture_set(&f, 5, &zeros);
    int64_t pair = cg_sweep_pair(&f.sweep, f.plan.places[10].bundle, 0, 1);
    f.sweep.products[pair] = (struct cg_products){.elements = 4};
    fixture_collect(&f);
    assert_int_equal(*f.result.root.compared_tensors, 4);
    assert_int_equal(*f.result.root.identical_tensors, 2);
    assert_int_equal(*f.result.root.constant_tensors, 2);
    assert_true(near(*f.result.root.mean_cosine, (0.5 + 0.9 + 1) / 3));
    assert_true(near(*f.result.root.weighted_cosine, (40 * 0.5 + 4 * 0.9 + 16 * 1) / 60));
    assert_true(near(*f.result.root.matrix_cosine, (0.5 + 1) / 2));
    assert_true(near(*f.result.root.comparable_fraction, 64.0 / 96));
    assert_int_equal(*f.result.embeddings.rows_a, 10);
    assert_int_equal(*f.result.embeddings.shared_tokens, -1); /* no vocabularies */
    assert_false(*f.result.root.same_architecture);
    fixture_release(&f);
}

/* b ties its output embedding: compared with a's, but no parameter of b twice. */
static void test_tied(void **state)
{
    (void)state;
    struct fixture f;
    fixture_begin(&f);
    fixture_slot(&f, CG_ROLE_EMBED, -1, 10, 4);
    synthetic_slot(&f.made, CG_ROLE_FFN_UP, 0, -1);
    synthetic_member(&f.made, 1, CG_BF16, 10, 4);
    synthetic_slot(&f.made, CG_ROLE_LM_HEAD, -1, -1);
    synthetic_member(&f.made, 0, CG_BF16, 10, 4);
    synthetic_tie(&f.made, 1, 0);
    fixture_settle(&f);
    fixture_collect(&f);
    assert_int_equal(*f.result.root.compared_tensors, 2);
    assert_true(near(*f.result.root.comparable_fraction, 0.5));
    fixture_release(&f);
}

static void test_layers(void **state)
{
    (void)state;
    enum { ATTENTION, FFN, NORM, ALL, GROUPS };
    struct fixture f;
    fixture_begin(&f);
    for (int l = 0; l < 2; l++) {
        fixture_slot(&f, CG_ROLE_ATTN_NORM, l, 1, 64);
        fixture_slot(&f, CG_ROLE_ATTN_Q, l, 64, 64);
        fixture_slot(&f, CG_ROLE_ATTN_Q_BIAS, l, 1, 64);
        fixture_slot(&f, CG_ROLE_FFN_UP, l, 160, 64);
    }
    synthetic_slot(&f.made, CG_ROLE_FFN_UP, 2, -1); /* a layer that a has alone */
    synthetic_member(&f.made, 0, CG_BF16, 160, 64);
    fixture_settle(&f);
    double cosine[] = {0.99, 0.2, 0.4, 0.6, 0.98, 0.5, 0.3, 0.9};
    for (int64_t s = 0; s < 8; s++) {
        struct finding finding = at(cosine[s]);
        finding.t = s == 3 ? 60 : 0.5;
        fixture_set(&f, s, &finding);
    }
    fixture_collect(&f);
    assert_int_equal(f.result.size[CG_DIM_LAYER_A], 3);
    assert_int_equal(f.result.size[CG_DIM_LAYER_B], 2);
    static const double expected[2][GROUPS] = {{0.3, 0.6, 0.99, 2.19 / 4}, {0.4, 0.9, 0.98, 2.68 / 4}};
    for (int l = 0; l < 2; l++)
        for (int g = 0; g < GROUPS; g++)
            assert_true(near(f.result.layers.cosine[l * GROUPS + g], expected[l][g]));
    assert_string_equal(f.result.layers.role_group[FFN], "ffn");
    /* similarity is that of matrices, on the diagonal alone */
    double similarity[3][2] = {{0.4, NAN}, {NAN, 0.7}, {NAN, NAN}};
    for (int a = 0; a < 3; a++)
        for (int b = 0; b < 2; b++) {
            double value = f.result.layers.similarity[a * 2 + b];
            assert_true(isnan(similarity[a][b]) ? isnan(value) : near(value, similarity[a][b]));
        }
    assert_string_equal(*f.result.root.layer_pattern, "some layers alike");
    assert_int_equal(f.result.layers.layer_map[0], 0);
    assert_int_equal(f.result.layers.layer_map[1], -1);
    assert_true(near(f.result.layers.layer_log10_p[0], cg_t_log10_tail(60, 30) + log10(4)));
    assert_true(near(f.result.layers.layer_log10_p[1], 0));
    fixture_release(&f);
}

/* Experts in canonical order: roles first, so that an expert's slots lie apart. Those that pass are listed.
 */
static void test_experts(void **state)
{
    (void)state;
    struct fixture f;
    fixture_begin(&f);
    for (int l = 0; l < 2; l++)
        for (int role = 0; role < 2; role++)
            for (int e = 0; e < 3; e++)
                synthetic_alike(&f.made, role == 0 ? CG_ROLE_FFN_GATE : CG_ROLE_FFN_UP, l, e, CG_BF16, 32,
                                64);
    fixture_settle(&f);
    struct finding kin = KIN;
    fixture_set(&f, 1, &kin); /* layer 0, gate of expert 1; its up (slot 4) stays independent */
    kin.cosine = 0.7;
    fixture_set(&f, 8, &kin); /* layer 1, expert 2: gate and up */
    fixture_set(&f, 11, &kin);
    fixture_collect(&f);
    assert_int_equal(f.result.size[CG_DIM_EXPERT_MATCH], 2);
    static const struct {
        int layer, expert;
        double cosine;
    } expected[] = {{0, 1, (0.9 + 0.01) / 2}, {1, 2, 0.7}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(f.result.experts.layer_a[i], expected[i].layer);
        assert_int_equal(f.result.experts.layer_b[i], expected[i].layer);
        assert_int_equal(f.result.experts.expert_a[i], expected[i].expert);
        assert_int_equal(f.result.experts.expert_b[i], expected[i].expert);
        assert_true(near(f.result.experts.cosine[i], expected[i].cosine));
        assert_true(near(f.result.experts.log10_p[i], cg_t_log10_tail(60, 30) + log10(12)));
    }
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bands), cmocka_unit_test(test_patterns), cmocka_unit_test(test_tallies),
        cmocka_unit_test(test_tied),  cmocka_unit_test(test_layers),   cmocka_unit_test(test_experts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
