/* Slots that hold the bytes of other slots: what counts, what is said, what comes of it. Digests by hand. */
#include "findings_fixture.h"
#include "result/origins.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

enum { LAYERS = 4, ROLES = 4, SIDE = 64, SLOTS = LAYERS * ROLES };

/* Four layers of q, o, up and norm; norms and matrices have 4096 elements; all digests differ. */
static void set_up(struct fixture *f)
{
    static const enum cg_role roles[ROLES] = {CG_ROLE_ATTN_Q, CG_ROLE_ATTN_O, CG_ROLE_FFN_UP,
                                              CG_ROLE_ATTN_NORM};
    fixture_begin(f);
    for (int l = 0; l < LAYERS; l++)
        for (int r = 0; r < ROLES; r++)
            fixture_slot(f, roles[r], l, r == 3 ? 1 : SIDE, r == 3 ? SIDE * SIDE : SIDE);
    fixture_settle(f);
    for (int64_t s = 0; s < SLOTS; s++)
        for (int m = 0; m < 2; m++)
            fixture_digest(f, s, m, (int)(100 * m + s));
}

static void move(struct fixture *f, int64_t to, int64_t from)
{
    fixture_digest(f, to, 1, (int)from);
}

static void move_layer(struct fixture *f, int to, int from)
{
    for (int r = 0; r < ROLES; r++)
        move(f, to * ROLES + r, from * ROLES + r);
}

static void nothing(struct fixture *f)
{
    set_up(f);
}
static void two_layers(struct fixture *f)
{
    set_up(f);
    move_layer(f, 2, 0);
    move_layer(f, 3, 1);
}
static void one_layer(struct fixture *f)
{
    set_up(f);
    move_layer(f, 0, 3);
}
static void one_role(struct fixture *f)
{
    set_up(f);
    move(f, 2, 6);
}
static void norms(struct fixture *f)
{
    set_up(f);
    move(f, 3, 7);
}
/* Equal values in the own slot are no move, wherever else a holds them. */
static void own_slot(struct fixture *f)
{
    set_up(f);
    fixture_set(f, 4, &SAME);
    for (int m = 0; m < 2; m++)
        fixture_digest(f, 4, m, 0);
}
static void constant(struct fixture *f)
{
    set_up(f);
    struct finding constant_in_both = CONSTANT; /* though of other values */
    constant_in_both.equal = constant_in_both.identical = false;
    fixture_set(f, 4, &constant_in_both);
    fixture_digest(f, 4, 0, 4);
    move(f, 4, 0);
}
static void other_type(struct fixture *f)
{
    set_up(f);
    move(f, 4, 0);
    f->plan.members[f->plan.bundles[f->plan.places[9].bundle].first_member + f->plan.places[9].position]
        .dtype = CG_F16;
}
/* Of another shape, though of as many elements. */
static void other_shape(struct fixture *f)
{
    set_up(f);
    move(f, 4, 3);
}
static void by_formula(struct fixture *f)
{
    fixture_begin(f);
    for (int l = 0; l < 2; l++) {
        fixture_slot(f, CG_ROLE_MAMBA_A_LOG, l, SIDE, SIDE);
        fixture_slot(f, CG_ROLE_OTHER, l, SIDE, SIDE);
        fixture_slot(f, CG_ROLE_POSITION_EMBED, l, SIDE, SIDE);
        fixture_slot(f, CG_ROLE_ATTN_Q, l, SIDE / 2, SIDE / 4); /* few elements */
    }
    fixture_settle(f);
    for (int64_t s = 0; s < 8; s++)
        for (int m = 0; m < 2; m++)
            fixture_digest(f, s, m, (int)(100 * m + s));
    for (int64_t s = 0; s < 4; s++)
        move(f, s, s + 4);
}
/* b ties its output embedding, whose bytes a holds as an up projection. */
static void tied(struct fixture *f)
{
    fixture_begin(f);
    fixture_slot(f, CG_ROLE_EMBED, -1, SIDE, SIDE);
    fixture_slot(f, CG_ROLE_FFN_UP, 0, SIDE, SIDE);
    synthetic_slot(&f->made, CG_ROLE_LM_HEAD, -1, -1);
    synthetic_member(&f->made, 0, CG_BF16, SIDE, SIDE);
    synthetic_tie(&f->made, 1, 0);
    fixture_settle(f);
    for (int64_t s = 0; s < 3; s++)
        fixture_digest(f, s, 0, (int)s);
    fixture_digest(f, 0, 1, 0);
    fixture_set(f, 0, &SAME);
    for (int m = 0; m < 2; m++)
        fixture_digest(f, 0, m, 0);
}
/* Experts of one layer that are all the dense block of a: a row each, with the first slot that holds it. */
static void upcycled(struct fixture *f)
{
    fixture_begin(f);
    for (int copy = 0; copy < 2; copy++) {
        synthetic_slot(&f->made, CG_ROLE_FFN_UP, copy, -1);
        synthetic_member(&f->made, 0, CG_BF16, SIDE, SIDE);
    }
    for (int e = 0; e < 3; e++) {
        synthetic_slot(&f->made, CG_ROLE_FFN_UP, 0, e);
        synthetic_member(&f->made, 1, CG_BF16, SIDE, SIDE);
    }
    fixture_settle(f);
    for (int64_t s = 0; s < 5; s++)
        fixture_digest(f, s, s < 2 ? 0 : 1, 7);
}
static void experts(struct fixture *f)
{
    fixture_begin(f);
    for (int e = 0; e < 3; e++)
        synthetic_alike(&f->made, CG_ROLE_FFN_UP, 0, e, CG_BF16, SIDE, SIDE);
    fixture_settle(f);
    for (int64_t s = 0; s < 3; s++)
        for (int m = 0; m < 2; m++)
            fixture_digest(f, s, m, (int)((s + m) % 3));
}

static void test_moves(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*make)(struct fixture *f);
        int moved, first_b, first_a;
        const char *verdict, *relation, *reason;
        int map[LAYERS]; /* -2: the model has no such layer */
    } table[] = {
        {"nothing", nothing, 0, 0, 0, "NO EVIDENCE", "", NULL, {-1, -1, -1, -1}},
        {"two layers",
         two_layers,
         8,
         8,
         0,
         "DERIVED",
         "fine-tuned",
         "8 slots of b hold the very bytes of other slots of a: layers 2 to 3 those of layers 0 to 1.",
         {-1, -1, 0, 1}},
        {"one layer",
         one_layer,
         4,
         0,
         12,
         "DERIVED",
         "fine-tuned",
         "4 slots of b hold the very bytes of other slots of a: layer 0 that of layer 3.",
         {3, -1, -1, -1}},
        {"one role",
         one_role,
         1,
         2,
         6,
         "PARTIAL",
         "ffn of layer 0",
         "1 slot of b holds the very bytes of other slots of a: layer 0 that of layer 1.",
         {-1, -1, -1, -1}},
        {"norms carry no weight", norms, 1, 3, 7, "NO EVIDENCE", "", "1 slot of b holds", {-1, -1, -1, -1}},
        {"own slot", own_slot, 0, 0, 0, "PARTIAL", "attention of layer 1", NULL, {-1, 1, -1, -1}},
        {"constant", constant, 0, 0, 0, "NO EVIDENCE", "", NULL, {-1, -1, -1, -1}},
        {"other type", other_type, 0, 0, 0, "NO EVIDENCE", "", NULL, {-1, -1, -1, -1}},
        {"other shape", other_shape, 0, 0, 0, "NO EVIDENCE", "", NULL, {-1, -1, -1, -1}},
        {"by formula", by_formula, 0, 0, 0, "NO EVIDENCE", "", NULL, {-1, -1, -2, -2}},
        {"tied", tied, 0, 0, 0, "PARTIAL", "embedding", NULL, {-1, -2, -2, -2}},
        {"upcycled",
         upcycled,
         3,
         2,
         0,
         "PARTIAL",
         "ffn of layer 0",
         "3 slots of b hold the very bytes of other slots of a, 3 of them of the same layer.",
         {0, -2, -2, -2}},
        {"experts",
         experts,
         3,
         0,
         1,
         "PARTIAL",
         "ffn of layer 0",
         "3 slots of b hold the very bytes of other slots of a, 3 of them of the same layer.",
         {0, -2, -2, -2}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fixture f;
        table[i].make(&f);
        fixture_collect(&f);
        const struct cg_result *r = &f.result;
        if (*r->root.moved_tensors != table[i].moved || r->size[CG_DIM_IDENTITY] != table[i].moved ||
            strcmp(*r->root.verdict, table[i].verdict) != 0 ||
            strcmp(*r->root.relation, table[i].relation) != 0)
            fail_msg("%s: %d moved, %s: %s", table[i].name, (int)*r->root.moved_tensors, *r->root.verdict,
                     *r->root.relation);
        if (table[i].moved > 0 && (*r->identities.tensor_b != table[i].first_b ||
                                   *r->identities.tensor_a != table[i].first_a || *r->identities.pair != 0))
            fail_msg("%s: slot %d of b, %d of a", table[i].name, (int)*r->identities.tensor_b,
                     (int)*r->identities.tensor_a);
        if (!strstr(*r->root.reasons, table[i].reason ? table[i].reason : "") ||
            !strstr(*r->root.reasons, "very bytes") != !table[i].reason)
            fail_msg("%s: %s", table[i].name, *r->root.reasons);
        for (int l = 0; l < LAYERS && table[i].map[l] > -2; l++)
            if (r->layers.layer_map[l] != table[i].map[l])
                fail_msg("%s: layer %d from %d", table[i].name, l, (int)r->layers.layer_map[l]);
        fixture_release(&f);
    }
}

/* Sixteen members in each model that may be found again. */
static void test_p(void **state)
{
    (void)state;
    struct fixture f;
    one_layer(&f);
    fixture_collect(&f);
    double expected = 2 * log10(SLOTS) - 256 * log10(2);
    assert_true(fabs(f.result.layers.layer_log10_p[0] - expected) < 1e-9);
    assert_true(fabs(*f.result.root.log10_p - expected) < 1e-9);
    fixture_release(&f);
}

static void test_expert_map(void **state)
{
    (void)state;
    static const int from[] = {1, 2, 0};
    struct fixture f;
    experts(&f);
    fixture_collect(&f);
    assert_int_equal(f.result.size[CG_DIM_EXPERT_MATCH], 3);
    for (int e = 0; e < 3; e++) {
        assert_int_equal(f.result.experts.expert_b[e], e);
        assert_int_equal(f.result.experts.expert_a[e], from[e]);
        assert_true(f.result.experts.cosine[e] == 1);
    }
    fixture_release(&f);
    upcycled(&f);
    fixture_collect(&f);
    assert_int_equal(f.result.size[CG_DIM_EXPERT_MATCH], 3);
    assert_int_equal(f.result.experts.expert_a[2], -1);
    assert_int_equal(f.result.experts.layer_a[2], 0);
    fixture_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_p),
        cmocka_unit_test(test_expert_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
