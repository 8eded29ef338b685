/* From tensors to slots: order, the union of models, collisions, tied embeddings; counts by arithmetic. */
#include "models.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void build(struct cg_anatomy *anatomy, struct cg_checkpoint **models, int n)
{
    struct cg_err err;
    const struct cg_checkpoint *all[32];
    for (int m = 0; m < n; m++) {
        model_sort(models[m]);
        all[m] = models[m];
    }
    assert_int_equal(cg_anatomy_build(anatomy, all, n, &err), 0);
    assert_int_equal(anatomy->models, n);
}

/* The tensor that the model has in the slot; "" when none, NULL when there is no such slot. */
static const char *tensor_in(const struct cg_anatomy *anatomy, const char *slot,
                             struct cg_checkpoint **models, int m)
{
    int64_t s = slot_named(anatomy, slot);
    if (s < 0)
        return NULL;
    int32_t tensor = cg_member_of(anatomy, s, m)->tensor;
    return tensor < 0 ? "" : models[m]->tensors[tensor].name;
}

static void test_order(void **state)
{
    (void)state;
    static const char *const names[] = {
        "zeta",
        "lm_head.weight",
        "model.norm.weight",
        "model.layers.10.mlp.experts.2.up_proj.weight",
        "model.layers.10.mlp.experts.10.gate_proj.weight",
        "model.layers.10.mlp.experts.2.gate_proj.weight",
        "model.layers.10.enorm.weight",
        "model.layers.2.self_attn.q_proj.weight",
        "model.layers.2.input_layernorm.weight",
        "model.layers.2.mlp.down_proj.weight",
        "model.embed_tokens.weight",
        "bert.embeddings.LayerNorm.weight",
        "alpha",
        "Zeta",
    };
    static const char *const slots[] = {
        "embed",
        "embed.norm",
        "layers.2.attn.norm",
        "layers.2.attn.q",
        "layers.2.ffn.down",
        "layers.10.mtp.embed_norm",
        "layers.10.experts.2.ffn.gate",
        "layers.10.experts.10.ffn.gate",
        "layers.10.experts.2.ffn.up",
        "final.norm",
        "lm_head",
        "Zeta",
        "alpha",
        "zeta",
    };
    struct cg_checkpoint *model = model_new("", -1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        MODEL_VECTOR(model, 4, "%s", names[i]);
    struct cg_anatomy anatomy;
    build(&anatomy, &model, 1);
    assert_int_equal(anatomy.nslots, sizeof slots / sizeof *slots);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        assert_string_equal(anatomy.slots[i].name, slots[i]);
    assert_int_equal(anatomy.slots[7].layer, 10);
    assert_int_equal(anatomy.slots[7].expert, 10);
    assert_int_equal(anatomy.slots[9].layer, -1);
    cg_anatomy_release(&anatomy);
    cg_anatomy_release(&anatomy);
    model_free(model);
}

static void test_shapes(void **state)
{
    (void)state;
    static const struct {
        int axes;
        int64_t shape[CG_MAX_AXES], rows, columns;
    } rows[] = {
        {0, {0}, 1, 1},
        {1, {7}, 1, 7},
        {1, {0}, 1, 0},
        {2, {3, 5}, 3, 5},
        {2, {0, 5}, 0, 5},
        {2, {5, 0}, 5, 0},
        {3, {2, 3, 5}, 2, 15},
        {4, {2, 3, 5, 7}, 2, 105},
        {3, {0, INT64_MAX, INT64_MAX}, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_checkpoint *model = model_new("", -1);
        model_add(model, CG_F32, rows[i].axes, rows[i].shape, "x");
        struct cg_anatomy anatomy;
        build(&anatomy, &model, 1);
        assert_int_equal(anatomy.members[0].rows, rows[i].rows);
        assert_int_equal(anatomy.members[0].columns, rows[i].columns);
        cg_anatomy_release(&anatomy);
        model_free(model);
    }
}

static void test_union(void **state)
{
    (void)state;
    struct cg_checkpoint *models[] = {model_new("", -1), model_new("", -1), model_new("", -1)};
    MODEL_MATRIX(models[0], 10, 4, "model.embed_tokens.weight");
    MODEL_VECTOR(models[0], 4, "model.norm.weight");
    MODEL_VECTOR(models[0], 4, "mine");
    MODEL_MATRIX(models[1], 12, 6, "embeddings.word_embeddings.weight");
    MODEL_VECTOR(models[1], 4, "ours");
    MODEL_VECTOR(models[2], 4, "ours");
    MODEL_VECTOR(models[2], 4, "norm.weight");
    struct cg_anatomy anatomy;
    build(&anatomy, models, 3);
    assert_int_equal(anatomy.nslots, 4);
    static const char *const expected[4][4] = {
        {"embed", "model.embed_tokens.weight", "embeddings.word_embeddings.weight", ""},
        {"final.norm", "model.norm.weight", "", "norm.weight"},
        {"mine", "mine", "", ""},
        {"ours", "", "ours", "ours"},
    };
    for (int64_t s = 0; s < 4; s++) {
        assert_string_equal(anatomy.slots[s].name, expected[s][0]);
        for (int m = 0; m < 3; m++)
            assert_string_equal(tensor_in(&anatomy, expected[s][0], models, m), expected[s][m + 1]);
    }
    assert_int_equal(cg_member_of(&anatomy, 0, 1)->rows, 12);
    assert_int_equal(cg_member_of(&anatomy, 0, 1)->columns, 6);
    cg_anatomy_release(&anatomy);
    for (int m = 0; m < 3; m++)
        model_free(models[m]);
}

/* Norms mean what the model they are in says, not what another model of the run does. */
static void test_naming_by_model(void **state)
{
    (void)state;
    struct cg_checkpoint *models[] = {model_new("", -1), model_new("", -1)};
    for (int m = 0; m < 2; m++)
        MODEL_VECTOR(models[m], 4, "model.layers.0.post_attention_layernorm.weight");
    MODEL_VECTOR(models[1], 4, "model.layers.0.post_feedforward_layernorm.weight");
    struct cg_anatomy anatomy;
    build(&anatomy, models, 2);
    assert_int_equal(anatomy.nslots, 3);
    assert_string_not_equal(tensor_in(&anatomy, "layers.0.ffn.norm", models, 0), "");
    assert_string_equal(tensor_in(&anatomy, "layers.0.ffn.norm", models, 1), "");
    assert_string_equal(tensor_in(&anatomy, "layers.0.attn.post_norm", models, 0), "");
    assert_string_not_equal(tensor_in(&anatomy, "layers.0.attn.post_norm", models, 1), "");
    cg_anatomy_release(&anatomy);
    model_free(models[0]);
    model_free(models[1]);
}

/* Two tensors of a model for one slot: the first by name has it, the others keep their names. */
static void test_collisions(void **state)
{
    (void)state;
    struct cg_checkpoint *models[] = {model_new("", -1), model_new("", -1)};
    MODEL_VECTOR(models[0], 4, "norm.weight");
    MODEL_VECTOR(models[0], 4, "model.norm.weight");
    MODEL_VECTOR(models[0], 4, "language_model.norm.weight");
    MODEL_VECTOR(models[0], 4, "cls.predictions.bias");
    MODEL_VECTOR(models[0], 4, "cls.predictions.decoder.bias");
    MODEL_VECTOR(models[1], 4, "norm.weight");
    MODEL_VECTOR(models[1], 4, "unknown");
    struct cg_anatomy anatomy;
    build(&anatomy, models, 2);
    assert_int_equal(anatomy.nslots, 6);
    assert_string_equal(tensor_in(&anatomy, "final.norm", models, 0), "language_model.norm.weight");
    assert_string_equal(tensor_in(&anatomy, "final.norm", models, 1), "norm.weight");
    assert_string_equal(tensor_in(&anatomy, "lm_head.bias", models, 0), "cls.predictions.bias");
    assert_string_equal(tensor_in(&anatomy, "model.norm.weight", models, 0), "model.norm.weight");
    assert_string_equal(tensor_in(&anatomy, "norm.weight", models, 0), "norm.weight");
    assert_string_equal(tensor_in(&anatomy, "norm.weight", models, 1), "");
    assert_string_equal(tensor_in(&anatomy, "cls.predictions.decoder.bias", models, 0),
                        "cls.predictions.decoder.bias");
    assert_int_equal(anatomy.slots[slot_named(&anatomy, "norm.weight")].role, CG_ROLE_OTHER);
    cg_anatomy_release(&anatomy);
    model_free(models[0]);
    model_free(models[1]);
}

/* A tensor that is called like a canonical slot does not take that slot, nor its name. */
static void test_names_stay_unique(void **state)
{
    (void)state;
    struct cg_checkpoint *model = model_new("", -1);
    static const char *const names[] = {"model.norm.weight",      "final.norm", "other.final.norm",
                                        "other.other.final.norm", "embed",      "other."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        MODEL_VECTOR(model, 4, "%s", names[i]);
    struct cg_anatomy anatomy;
    build(&anatomy, &model, 1);
    assert_int_equal(anatomy.nslots, 6);
    assert_string_equal(tensor_in(&anatomy, "final.norm", &model, 0), "model.norm.weight");
    assert_string_equal(tensor_in(&anatomy, "other.final.norm", &model, 0), "final.norm");
    assert_string_equal(tensor_in(&anatomy, "embed", &model, 0), "embed");
    for (int64_t s = 0; s < anatomy.nslots; s++)
        assert_int_equal(slot_named(&anatomy, anatomy.slots[s].name), s);
    cg_anatomy_release(&anatomy);
    model_free(model);
}

static void test_tied(void **state)
{
    (void)state;
    static const struct {
        const char *architecture;
        int tied;
        bool embed, head, other_head; /* what the model and the other one have */
        bool ties, filled;            /* the model ties; its slot lm_head is a tied one */
    } rows[] = {
        {"LlamaForCausalLM", 1, true, false, true, true, true},
        {"LlamaForCausalLM", -1, true, false, true, true, true},
        {"", 1, true, false, true, true, true},
        {"LlamaForCausalLM", 0, true, false, true, false, false},
        {"LlamaModel", -1, true, false, true, false, false},
        {"", -1, true, false, true, false, false},
        {"ForCausalLMHead", -1, true, false, true, false, false},
        {"LlamaForCausalLM", 1, true, false, false, true, false},
        {"LlamaForCausalLM", 1, true, true, true, false, false},
        {"LlamaForCausalLM", 1, false, false, true, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_checkpoint *models[] = {model_new(rows[i].architecture, rows[i].tied), model_new("", 0)};
        MODEL_VECTOR(models[0], 4, "model.norm.weight");
        if (rows[i].embed)
            MODEL_MATRIX(models[0], 10, 4, "model.embed_tokens.weight");
        if (rows[i].head)
            MODEL_MATRIX(models[0], 10, 4, "lm_head.weight");
        MODEL_MATRIX(models[1], 12, 4, "model.embed_tokens.weight");
        if (rows[i].other_head)
            MODEL_MATRIX(models[1], 12, 4, "lm_head.weight");
        struct cg_anatomy anatomy;
        build(&anatomy, models, 2);
        assert_int_equal(cg_ties_embeddings(models[0]), rows[i].ties);
        int64_t head = slot_named(&anatomy, "lm_head");
        assert_int_equal(head >= 0, rows[i].head || rows[i].other_head);
        if (head >= 0) {
            const struct cg_member *member = cg_member_of(&anatomy, head, 0);
            assert_int_equal(member->tied, rows[i].filled);
            assert_int_equal(member->tensor >= 0, rows[i].filled || rows[i].head);
            if (rows[i].filled) {
                assert_string_equal(tensor_in(&anatomy, "lm_head", models, 0), "model.embed_tokens.weight");
                assert_int_equal(member->rows, 10);
            }
            assert_false(cg_member_of(&anatomy, head, 1)->tied);
        }
        cg_anatomy_release(&anatomy);
        model_free(models[0]);
        model_free(models[1]);
    }
}

/* A mixture of experts by the names that GLM-4.5 and Solar-Open have. */
static struct cg_checkpoint *mixture(int layers, int dense, int experts, bool qkv_bias)
{
    static const char *const attention[] = {"q", "k", "v", "o"}, *const ffn[] = {"gate", "up", "down"};
    struct cg_checkpoint *model = model_new("", 0);
    MODEL_VECTOR(model, 1, "model.embed_tokens.weight");
    MODEL_VECTOR(model, 1, "model.norm.weight");
    MODEL_VECTOR(model, 1, "lm_head.weight");
    for (int l = 0; l < layers; l++) {
        MODEL_VECTOR(model, 1, "model.layers.%d.input_layernorm.weight", l);
        MODEL_VECTOR(model, 1, "model.layers.%d.post_attention_layernorm.weight", l);
        for (int i = 0; i < 4; i++)
            MODEL_VECTOR(model, 1, "model.layers.%d.self_attn.%s_proj.weight", l, attention[i]);
        for (int i = 0; i < 3 && qkv_bias; i++)
            MODEL_VECTOR(model, 1, "model.layers.%d.self_attn.%s_proj.bias", l, attention[i]);
        if (l >= dense) {
            MODEL_VECTOR(model, 1, "model.layers.%d.mlp.gate.weight", l);
            MODEL_VECTOR(model, 1, "model.layers.%d.mlp.gate.e_score_correction_bias", l);
        }
        for (int i = 0; i < 3; i++) {
            if (l < dense)
                MODEL_VECTOR(model, 1, "model.layers.%d.mlp.%s_proj.weight", l, ffn[i]);
            else
                MODEL_VECTOR(model, 1, "model.layers.%d.mlp.shared_experts.%s_proj.weight", l, ffn[i]);
            for (int e = 0; e < experts && l >= dense; e++)
                MODEL_VECTOR(model, 1, "model.layers.%d.mlp.experts.%d.%s_proj.weight", l, e, ffn[i]);
        }
    }
    return model;
}

/* Solar-Open-100B has 3 + 48 * (6 + 2 + 3 * 128 + 3) = 18,963 tensors; GLM-4.5-Air 3 + 12 + 45 * 398 =
 * 17,925. Together: layer 0 holds 395 + 6 slots, layers 1 to 45 hold 398, layers 46 and 47 hold 395. */
static void test_large(void **state)
{
    (void)state;
    struct cg_checkpoint *models[20];
    models[0] = mixture(48, 0, 128, false);
    models[1] = mixture(46, 1, 128, true);
    assert_int_equal(models[0]->ntensors, 18963);
    assert_int_equal(models[1]->ntensors, 17925);
    struct cg_anatomy anatomy;
    build(&anatomy, models, 1);
    assert_int_equal(anatomy.nslots, 18963);
    assert_int_not_equal(anatomy.slots[18962].role, CG_ROLE_OTHER);
    cg_anatomy_release(&anatomy);
    for (int m = 2; m < 20; m++)
        models[m] = models[m % 2];
    build(&anatomy, models, 20);
    assert_int_equal(anatomy.nslots, 3 + 401 + 45 * 398 + 2 * 395);
    int64_t filled[20] = {0};
    for (int64_t s = 0; s < anatomy.nslots; s++)
        for (int m = 0; m < 20; m++)
            filled[m] += cg_member_of(&anatomy, s, m)->tensor >= 0;
    for (int m = 0; m < 20; m++)
        assert_int_equal(filled[m], models[m]->ntensors);
    cg_anatomy_release(&anatomy);
    model_free(models[0]);
    model_free(models[1]);
}

static void test_nothing(void **state)
{
    (void)state;
    struct cg_checkpoint *model = model_new("LlamaForCausalLM", 1);
    struct cg_anatomy anatomy;
    build(&anatomy, &model, 1);
    assert_int_equal(anatomy.nslots, 0);
    cg_anatomy_release(&anatomy);
    model_free(model);
}

/* Tensors that no row cuts, stored transposed or with gaps: views of their own. */
static void test_whole_strided(void **state)
{
    (void)state;
    static const struct {
        int axes;
        int64_t shape[4], stride[4], rows, columns;
        struct cg_view view;
    } rows[] = {
        {2, {3, 5}, {1, 3}, 3, 5, {0, 2, {3, 5}, {1, 3}}},
        {3, {3, 1, 5}, {1, 7, 3}, 3, 5, {0, 2, {3, 5}, {1, 3}}},
        {4, {1, 3, 5, 1}, {9, 1, 3, 9}, 1, 15, {0, 2, {3, 5}, {1, 3}}},
        {3, {2, 3, 5}, {15, 1, 3}, 2, 15, {0, 3, {2, 3, 5}, {15, 1, 3}}},
        {4, {2, 4, 3, 5}, {60, 15, 1, 3}, 2, 60, {0, 3, {8, 3, 5}, {15, 1, 3}}},
        {2, {3, 5}, {20, 1}, 3, 5, {0, 2, {3, 5}, {20, 1}}},
        {2, {3, 5}, {10, 2}, 3, 5, {0, 1, {15}, {2}}},
        {1, {5}, {7}, 1, 5, {0, 1, {5}, {7}}},
        {4, {2, 3, 4, 5}, {1, 2, 6, 24}, 2, 60, {0, 4, {2, 3, 4, 5}, {1, 2, 6, 24}}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_checkpoint *model = model_new("", 0);
        struct cg_tensor *tensor = model_add(model, CG_F32, rows[i].axes, rows[i].shape, "mystery");
        tensor->stride = malloc(sizeof rows[i].stride);
        assert_non_null(tensor->stride);
        memcpy(tensor->stride, rows[i].stride, sizeof rows[i].stride);
        struct cg_anatomy anatomy;
        build(&anatomy, &model, 1);
        const struct cg_member *member = &anatomy.members[0];
        assert_int_equal(member->rows, rows[i].rows);
        assert_int_equal(member->columns, rows[i].columns);
        assert_int_equal(member->bytes, 4 * model->tensors[0].elements);
        assert_non_null(member->view);
        assert_int_equal(member->view->base, 0);
        assert_int_equal(member->view->axes, rows[i].view.axes);
        assert_memory_equal(member->view->extent, rows[i].view.extent, sizeof rows[i].view.extent);
        assert_memory_equal(member->view->stride, rows[i].view.stride, sizeof rows[i].view.stride);
        cg_anatomy_release(&anatomy);
        model_free(model);
    }
}

/* Masks and frequencies are no weights, and no unknown tensors either. */
static void test_buffers(void **state)
{
    (void)state;
    static const struct {
        const char *tensor;
        bool buffer;
    } rows[] = {
        {"transformer.h.3.attn.bias", true},
        {"h.3.attn.masked_bias", true},
        {"gpt_neox.layers.3.attention.bias", true},
        {"gpt_neox.layers.3.attention.masked_bias", true},
        {"gpt_neox.layers.3.attention.rotary_emb.inv_freq", true},
        {"model.layers.3.self_attn.rotary_emb.inv_freq", true},
        {"model.rotary_emb.inv_freq", true},
        {"bert.embeddings.position_ids", true},
        {"model.layers.3.attn.other", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_checkpoint *model = model_new("", -1);
        const struct cg_checkpoint *models[] = {model};
        struct cg_anatomy anatomy;
        struct cg_err err = {0};
        MODEL_VECTOR(model, 8, "%s", rows[i].tensor);
        assert_int_equal(cg_anatomy_build(&anatomy, models, 1, &err), 0);
        assert_int_equal(anatomy.slots[0].role, CG_ROLE_OTHER);
        assert_string_equal(anatomy.slots[0].name, rows[i].tensor);
        assert_int_equal(anatomy.slots[0].buffer, rows[i].buffer);
        cg_anatomy_release(&anatomy);
        model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),      cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_union),      cmocka_unit_test(test_naming_by_model),
        cmocka_unit_test(test_collisions), cmocka_unit_test(test_names_stay_unique),
        cmocka_unit_test(test_tied),       cmocka_unit_test(test_large),
        cmocka_unit_test(test_nothing),    cmocka_unit_test(test_whole_strided),
        cmocka_unit_test(test_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
