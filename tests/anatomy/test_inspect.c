/* What inspect counts, on models small enough to count by hand. */
#include "cmd/inspect.h"
#include "models.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Two models: 6 slots and 96 parameters; 6 slots and 95 parameters. Both tie nothing. */
static void set_up(struct cg_models *in, struct cg_checkpoint *models[2])
{
    for (int m = 0; m < 2; m++) {
        models[m] = model_new("", 0);
        MODEL_MATRIX(models[m], m == 0 ? 10 : 12, 4, "model.embed_tokens.weight");
        MODEL_VECTOR(models[m], 4, "model.layers.0.input_layernorm.weight");
        MODEL_VECTOR(models[m], 4, "model.layers.2.input_layernorm.weight")->dtype =
            m == 0 ? CG_BF16 : CG_F32;
        MODEL_MATRIX(models[m], 3, 4, "model.layers.2.mlp.experts.0.up_proj.weight");
        MODEL_MATRIX(models[m], m == 0 ? 3 : 5, 4, "model.layers.2.mlp.experts.1.up_proj.weight");
    }
    MODEL_MATRIX(models[0], 6, 4, "model.layers.0.mlp.up_proj.weight");
    MODEL_VECTOR(models[1], 7, "mystery")->dtype = CG_U8;
    struct cg_err err;
    for (int m = 0; m < 2; m++)
        model_sort(models[m]);
    memset(in, 0, sizeof *in);
    assert_int_equal(cg_anatomy_build(&in->anatomy, (const struct cg_checkpoint *const *)models, 2, &err), 0);
    in->n = 2;
    assert_non_null(in->checkpoints = calloc(2, sizeof *in->checkpoints));
    for (int m = 0; m < 2; m++)
        in->checkpoints[m] = *models[m];
}

static void tear_down(struct cg_models *in, struct cg_checkpoint *models[2])
{
    cg_anatomy_release(&in->anatomy);
    free(in->checkpoints);
    model_free(models[0]);
    model_free(models[1]);
}

static void test_groups(void **state)
{
    (void)state;
    static const struct slot_group expected[] = {
        {CG_ROLE_EMBED, 10, 4, 1, -1, -1, 1, -1, -1, "BF16", -1},
        {CG_ROLE_ATTN_NORM, 1, 4, 2, 0, 2, 2, -1, -1, "BF16", -1},
        {CG_ROLE_FFN_UP, 6, 4, 1, 0, 0, 1, -1, -1, "BF16", -1},
        {CG_ROLE_FFN_UP, 3, 4, 2, 2, 2, 1, 0, 1, "BF16", -1},
        {CG_ROLE_EMBED, 12, 4, 1, -1, -1, 1, -1, -1, "BF16", -1},
        {CG_ROLE_ATTN_NORM, 1, 4, 1, 0, 0, 1, -1, -1, "BF16", -1},
        {CG_ROLE_ATTN_NORM, 1, 4, 1, 2, 2, 1, -1, -1, "F32", -1},
        {CG_ROLE_FFN_UP, 3, 4, 1, 2, 2, 1, 0, 0, "BF16", -1},
        {CG_ROLE_FFN_UP, 5, 4, 1, 2, 2, 1, 1, 1, "BF16", -1},
    };
    struct cg_models in;
    struct cg_checkpoint *models[2];
    struct cg_err err;
    set_up(&in, models);
    for (int m = 0; m < 2; m++) {
        struct slot_group *groups;
        size_t n;
        assert_int_equal(inspect_group_slots(&in, m, &groups, &n, &err), 0);
        assert_int_equal(n, 4 + m);
        for (size_t i = 0; i < n; i++) {
            const struct slot_group *a = &groups[i], *b = &expected[4 * (size_t)m + i];
            assert_int_equal(a->role, b->role);
            assert_int_equal(a->rows, b->rows);
            assert_int_equal(a->columns, b->columns);
            assert_int_equal(a->slots, b->slots);
            assert_int_equal(a->first_layer, b->first_layer);
            assert_int_equal(a->last_layer, b->last_layer);
            assert_int_equal(a->layers, b->layers);
            assert_int_equal(a->first_expert, b->first_expert);
            assert_int_equal(a->last_expert, b->last_expert);
            assert_string_equal(a->stored, b->stored);
            assert_int_equal(a->part_of, b->part_of);
        }
        free(groups);
    }
    assert_int_equal(inspect_count_unknown(&in, 0), 0);
    assert_int_equal(inspect_count_unknown(&in, 1), 1);
    int64_t dtypes[CG_DTYPE_COUNT];
    inspect_count_dtypes(models[1], dtypes);
    assert_int_equal(dtypes[CG_BF16], 4);
    assert_int_equal(dtypes[CG_U8], 1);
    assert_int_equal(dtypes[CG_F32], 1);
    tear_down(&in, models);
}

static void check_tally(const struct pairing *pairing, enum cg_role role, bool expert, int64_t same,
                        int64_t other, int64_t only_a, int64_t only_b)
{
    const struct role_tally *tally = &pairing->tally[role][expert];
    assert_int_equal(tally->same_shape, same);
    assert_int_equal(tally->other_shape, other);
    assert_int_equal(tally->only_a, only_a);
    assert_int_equal(tally->only_b, only_b);
}

static void test_pair(void **state)
{
    (void)state;
    struct cg_models in;
    struct cg_checkpoint *models[2];
    struct pairing pairing;
    set_up(&in, models);
    inspect_pair(&in, 0, 1, &pairing);
    assert_int_equal(pairing.slots_a, 6);
    assert_int_equal(pairing.slots_b, 6);
    assert_int_equal(pairing.parameters_a, 96);
    assert_int_equal(pairing.parameters_b, 95);
    assert_int_equal(pairing.same_shape, 3);
    assert_int_equal(pairing.same_a, 20);
    assert_int_equal(pairing.same_b, 20);
    check_tally(&pairing, CG_ROLE_EMBED, false, 0, 1, 0, 0);
    check_tally(&pairing, CG_ROLE_ATTN_NORM, false, 2, 0, 0, 0);
    check_tally(&pairing, CG_ROLE_FFN_UP, false, 0, 0, 1, 0);
    check_tally(&pairing, CG_ROLE_FFN_UP, true, 1, 1, 0, 0);
    check_tally(&pairing, CG_ROLE_OTHER, false, 0, 0, 0, 1);
    check_tally(&pairing, CG_ROLE_LM_HEAD, false, 0, 0, 0, 0);
    /* embed and one expert; ffn.up outside experts and the mystery */
    static const int64_t obstacles[OBSTACLE_COUNT] = {[OBSTACLE_SIZE] = 2, [OBSTACLE_ROLE] = 2};
    assert_memory_equal(pairing.obstacles, obstacles, sizeof obstacles);
    assert_int_equal(pairing.tally[CG_ROLE_FFN_UP][true].a.rows, 3);
    assert_int_equal(pairing.tally[CG_ROLE_FFN_UP][true].b.rows, 5);
    tear_down(&in, models);
}

/* Two models that are alike but for one tensor of the second, and why that cannot be compared. */
static void test_obstacles(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t rows, columns;
    } common[] = {
        {"model.embed_tokens.weight", 10, 4},
        {"model.layers.0.self_attn.o_proj.weight", 4, 4},
        {"model.layers.1.self_attn.q_proj.weight", 4, 4},
        {"model.layers.1.mlp.experts.0.up_proj.weight", 3, 4},
    };
    static const struct {
        const char *name;
        int64_t rows, columns;
        enum obstacle obstacle; /* COUNT: none */
    } rows[] = {
        {"model.embed_tokens.weight", 10, 5, OBSTACLE_HIDDEN_SIZE},
        {"model.embed_tokens.weight", 11, 4, OBSTACLE_SIZE},
        {"model.embed_tokens.weight", 11, 5, OBSTACLE_HIDDEN_SIZE},
        {"model.layers.0.self_attn.o_proj.weight", 5, 4, OBSTACLE_HIDDEN_SIZE},
        {"model.layers.0.self_attn.o_proj.weight", 4, 9, OBSTACLE_SIZE},
        {"model.layers.0.self_attn.o_proj.weight", 4, 4, OBSTACLE_COUNT},
        {"model.layers.0.self_attn.q_proj.weight", 4, 4, OBSTACLE_LAYOUT},
        {"model.layers.0.self_attn.k_proj.weight", 4, 4, OBSTACLE_ROLE},
        {"model.layers.1.mlp.experts.1.up_proj.weight", 3, 4, OBSTACLE_EXPERT},
        {"model.layers.1.mlp.experts.0.up_proj.weight", 4, 4, OBSTACLE_SIZE},
        {"model.layers.1.mlp.up_proj.weight", 3, 4, OBSTACLE_ROLE},
        {"model.layers.0.mlp.experts.0.up_proj.weight", 3, 4, OBSTACLE_LAYOUT},
        {"model.layers.2.mlp.experts.1.up_proj.weight", 3, 4, OBSTACLE_LAYER},
        {"model.layers.2.mlp.up_proj.weight", 3, 4, OBSTACLE_ROLE},
        {"mystery", 4, 4, OBSTACLE_ROLE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_models in = {.n = 2};
        struct cg_checkpoint *models[2] = {model_new("", 0), model_new("", 0)};
        for (size_t t = 0; t < sizeof common / sizeof *common; t++) {
            MODEL_MATRIX(models[0], common[t].rows, common[t].columns, "%s", common[t].name);
            if (strcmp(common[t].name, rows[i].name) != 0)
                MODEL_MATRIX(models[1], common[t].rows, common[t].columns, "%s", common[t].name);
        }
        MODEL_MATRIX(models[1], rows[i].rows, rows[i].columns, "%s", rows[i].name);
        for (int m = 0; m < 2; m++)
            model_sort(models[m]);
        struct cg_err err;
        assert_int_equal(cg_anatomy_build(&in.anatomy, (const struct cg_checkpoint *const *)models, 2, &err),
                         0);
        for (int a = 0; a < 2; a++) {
            struct pairing pairing;
            inspect_pair(&in, a, 1 - a, &pairing);
            for (int o = 0; o < OBSTACLE_COUNT; o++)
                assert_int_equal(pairing.obstacles[o], o == (int)rows[i].obstacle);
        }
        tear_down(&in, models);
    }
}

/* A tied output embedding can be compared, but is no slot or parameter of its own. */
static void test_tied(void **state)
{
    (void)state;
    struct cg_models in = {.n = 2};
    struct cg_checkpoint *models[2] = {model_new("", 1), model_new("", 0)};
    for (int m = 0; m < 2; m++)
        MODEL_MATRIX(models[m], 10, 4, "model.embed_tokens.weight");
    MODEL_MATRIX(models[1], 10, 4, "lm_head.weight");
    model_sort(models[1]);
    struct cg_err err;
    assert_int_equal(cg_anatomy_build(&in.anatomy, (const struct cg_checkpoint *const *)models, 2, &err), 0);
    struct pairing pairing;
    inspect_pair(&in, 0, 1, &pairing);
    assert_int_equal(pairing.slots_a, 1);
    assert_int_equal(pairing.slots_b, 2);
    assert_int_equal(pairing.same_shape, 2);
    assert_int_equal(pairing.parameters_a, 40);
    assert_int_equal(pairing.parameters_b, 80);
    assert_int_equal(pairing.same_a, 40);
    assert_int_equal(pairing.same_b, 80);
    tear_down(&in, models);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_obstacles),
        cmocka_unit_test(test_tied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
