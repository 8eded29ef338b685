/* The naming table: what each family calls its tensors, and what must not pass for them. */
#include "known_names.h"
#include "models.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The same in a model that has norms behind its feed-forward blocks: Gemma 2 and 3, OLMo2. */
static const struct row with_post_norms[] = {
    {"model.layers.3.input_layernorm.weight", "layers.3.attn.norm"},
    {"model.layers.3.post_attention_layernorm.weight", "layers.3.attn.post_norm"},
    {"model.layers.3.post_attention_layernorm.bias", "layers.3.attn.post_norm.bias"},
    {"model.layers.3.pre_feedforward_layernorm.weight", "layers.3.ffn.norm"},
    {"model.layers.3.post_feedforward_layernorm.weight", "layers.3.ffn.post_norm"},
    {"model.layers.3.pre_mlp_layernorm.weight", "layers.3.ffn.norm"},
    {"language_model.model.layers.3.post_attention_layernorm.weight", "layers.3.attn.post_norm"},
    {"model.language_model.layers.3.pre_feedforward_layernorm.weight", "layers.3.ffn.norm"},
    {"blk.3.post_attention_norm.weight", "layers.3.attn.post_norm"},
    {"blk.3.attn_output_norm.bias", "layers.3.attn.post_norm.bias"},
    {"blk.3.ffn_norm.weight", "layers.3.ffn.norm"},
    {"blk.3.post_ffw_norm.weight", "layers.3.ffn.post_norm"},
    {"blk.3.layer_output_norm.weight", "layers.3.ffn.post_norm"},
};

/* What no row may take. */
static const char *const unknown[] = {
    /* more or less than a whole name */
    "",
    ".",
    "..",
    "weight",
    "model.",
    "model",
    "bert.",
    "layers.3",
    "model.layers.3.self_attn.q_proj.weight.extra",
    "model.layers.3.self_attn.q_proj.weight.",
    "model.layers.3.self_attn.q_proj.weigh",
    "model.layers.3.self_attn.q_proj",
    "xmodel.layers.3.self_attn.q_proj.weight",
    ".model.layers.3.self_attn.q_proj.weight",
    "model..layers.3.self_attn.q_proj.weight",
    "model.model.layers.3.self_attn.q_proj.weight",
    "model.language_model.model.layers.3.self_attn.q_proj.weight",
    "Model.layers.3.self_attn.q_proj.weight",
    "model.layers.3.self_attn.Q_proj.weight",
    "model.layers.3.self_attn.q_proj.weight ",
    "model/layers/3/self_attn/q_proj/weight",
    "base_model.model.model.layers.3.self_attn.q_proj.weight",
    /* numbers */
    "model.layers.self_attn.q_proj.weight",
    "model.layers..self_attn.q_proj.weight",
    "model.layers.x.self_attn.q_proj.weight",
    "model.layers.#.self_attn.q_proj.weight",
    "model.layers.##.self_attn.q_proj.weight",
    "model.layers.3.mlp.experts.#.up_proj.weight",
    "model.layers.03.self_attn.q_proj.weight",
    "model.layers.00.self_attn.q_proj.weight",
    "model.layers.-1.self_attn.q_proj.weight",
    "model.layers.+1.self_attn.q_proj.weight",
    "model.layers. 1.self_attn.q_proj.weight",
    "model.layers.1e1.self_attn.q_proj.weight",
    "model.layers.0x1.self_attn.q_proj.weight",
    "model.layers.3a.self_attn.q_proj.weight",
    "model.layers.1024.self_attn.q_proj.weight",
    "model.layers.2147483647.self_attn.q_proj.weight",
    "model.layers.1024.mlp.experts.1.up_proj.weight",
    "model.layers.2147483648.self_attn.q_proj.weight",
    "model.layers.4294967299.self_attn.q_proj.weight",
    "model.layers.99999999999999.self_attn.q_proj.weight",
    "model.layers.18446744073709551619.self_attn.q_proj.weight",
    "model.layers.3.3.self_attn.q_proj.weight",
    "model.layers.3.mlp.experts.007.up_proj.weight",
    "model.layers.3.mlp.experts.65536.up_proj.weight",
    "model.layers.3.mlp.experts.2147483647.up_proj.weight",
    "model.layers.3.mlp.experts.4294967296.up_proj.weight",
    "model.layers.3.mlp.experts.1.2.up_proj.weight",
    "model.layers.3.mlp.experts.1.up_proj.2.weight",
    "model.layers.3.mlp.experts.up_proj.weight",
    "model.3.norm.weight",
    "0.1.2.3.4.5.6.7.8.9",
    "model.norm.3.weight",
    /* buffers, adapters, quantised parts */
    "model.layers.3.self_attn.rotary_emb.inv_freq",
    "model.rotary_emb.inv_freq",
    "bert.embeddings.position_ids",
    "model.layers.3.self_attn.q_proj.lora_A.weight",
    "model.layers.3.self_attn.q_proj.qweight",
    "model.layers.3.self_attn.q_proj.weight_scale_inv",
    "model.layers.3.self_attn.q_proj.weight.absmax",
    /* other families, other parts */
    "cls.seq_relationship.weight",
    "cls.predictions.transform.weight",
    "transformer.h.3.attn.c_attn.weight",
    "model.layers.3.self_attn.qkv_proj.weight",
    "model.layers.3.mlp.gate_up_proj.weight",
    "model.layers.3.mlp.gate.bias",
    "model.layers.3.mlp.experts.gate_up_proj",
    "h.3.attn.c_proj.weight",
    "h.3.mlp.c_fc.weight",
    "transformer.decoder_layer.3.moe.linear.weight",
    "model.layers.3.mamba.x_proj.bias",
    "model.layers.3.mamba.a_log",
    "model.layers.3.self_attn.sinks.weight",
    "model.layers.3.block_sparse_moe.experts.1.w4.weight",
    "model.layers.3.block_sparse_moe.w1.weight",
    "model.layers.3.self_attn.q_norm.beta",
    "encoder.layers.3.attention.self.query.weight",
    "bert.encoder.layer.3.attention.self.query.gamma",
    "vision_tower.vision_model.encoder.layers.3.self_attn.q_proj.weight",
    "vision_model.embeddings.position_embedding.weight",
    "model.visual.blocks.3.norm1.weight",
    "model.layers.3.embed_norm.weight",
    "score.weight",
    "blk.3.attn_qkv.weight",
    "blk.3.ffn_gate_exps.weight",
    "blk.3.attn_q.scale",
    "v.blk.3.attn_q.weight",
    "model.blk.attn_q.weight",
    "rope_freqs.weight",
    "dec.blk.3.attn_q.weight",
};

/* The slot that the tensor gets, beside a norm behind the feed-forward block of another layer if asked. */
static void check(const char *name, const char *slot, bool post_norms)
{
    struct cg_checkpoint *model = model_new("", -1);
    MODEL_VECTOR(model, 8, "%s", name);
    if (post_norms)
        MODEL_VECTOR(model, 8, "model.layers.1000.post_feedforward_layernorm.weight");
    model_sort(model);
    struct cg_anatomy anatomy;
    struct cg_err err;
    assert_int_equal(cg_anatomy_build(&anatomy, (const struct cg_checkpoint *const *)&model, 1, &err), 0);
    assert_int_equal(anatomy.nslots, post_norms ? 2 : 1);
    for (int64_t s = 0; s < anatomy.nslots; s++)
        if (strcmp(model->tensors[anatomy.members[s].tensor].name, name) == 0)
            assert_string_equal(anatomy.slots[s].name, slot);
    cg_anatomy_release(&anatomy);
    model_free(model);
}

static void test_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        check(known[i].name, known[i].slot, false);
}

static void test_post_norms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof with_post_norms / sizeof *with_post_norms; i++)
        check(with_post_norms[i].name, with_post_norms[i].slot, true);
}

/* A tensor of role other keeps its name, so the role must be looked at, too. */
static void test_unknown(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        struct cg_checkpoint *model = model_new("", -1);
        MODEL_VECTOR(model, 8, "%s", unknown[i]);
        struct cg_anatomy anatomy;
        struct cg_err err;
        assert_int_equal(cg_anatomy_build(&anatomy, (const struct cg_checkpoint *const *)&model, 1, &err), 0);
        assert_int_equal(anatomy.nslots, 1);
        if (anatomy.slots[0].role != CG_ROLE_OTHER)
            fail_msg("%s became %s", unknown[i], anatomy.slots[0].name);
        assert_string_equal(anatomy.slots[0].name, unknown[i]);
        assert_int_equal(anatomy.slots[0].layer, -1);
        assert_int_equal(anatomy.slots[0].expert, -1);
        cg_anatomy_release(&anatomy);
        model_free(model);
    }
}

/* No length of a name may overrun anything. */
static void test_long_names(void **state)
{
    (void)state;
    char name[600];
    for (size_t length = 1; length < sizeof name; length++) {
        memset(name, 'a', length);
        name[length] = '\0';
        check(name, name, false);
        for (size_t i = 1; i < length; i += 2)
            name[i] = '.';
        check(name, name, false);
    }
}

/* Names that mean different things by architecture, or by what else is there. */
static const struct {
    const char *model_type, *beside, *name, *slot;
} conditional[] = {
    {"falcon", NULL, "blk.0.attn_norm.weight", "layers.0.attn.norm"},
    {"falcon", "blk.0.attn_norm_2.weight", "blk.0.attn_norm.weight", "layers.0.ffn.norm"},
    {"falcon", "blk.0.attn_norm_2.weight", "blk.0.attn_norm.bias", "layers.0.ffn.norm.bias"},
    {"falcon", "blk.0.attn_norm.weight", "blk.0.attn_norm_2.weight", "layers.0.attn.norm"},
    {"qwen3_next", NULL, "blk.0.attn_qkv.weight", "blk.0.attn_qkv.weight"},
    {"openelm", NULL, "blk.0.attn_qkv.bias", "blk.0.attn_qkv.bias"},
    {"qwen2", NULL, "blk.0.ffn_up.weight", "layers.0.ffn.up"},
    {"qwen2", NULL, "blk.0.attn_q.weight", "layers.0.attn.q"},
    {"gpt_bigcode", NULL, "transformer.h.0.mlp.c_fc.weight", "layers.0.ffn.up"},
    {"gpt_neo", NULL, "transformer.h.0.mlp.c_proj.bias", "layers.0.ffn.down.bias"},
    {"qwen", NULL, "transformer.h.0.attn.c_proj.weight", "layers.0.attn.o"},
    {"", NULL, "transformer.h.0.attn.c_proj.weight", "transformer.h.0.attn.c_proj.weight"},
    {"afmoe", "model.layers.0.pre_mlp_layernorm.weight", "model.layers.0.post_attention_layernorm.weight",
     "layers.0.attn.post_norm"},
};

static void test_conditional(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conditional / sizeof *conditional; i++) {
        struct cg_checkpoint *model = model_new("", -1);
        struct cg_anatomy anatomy;
        struct cg_err err;
        free(model->config.model_type);
        model->config.model_type = strdup(conditional[i].model_type);
        MODEL_VECTOR(model, 8, "%s", conditional[i].name);
        if (conditional[i].beside)
            MODEL_VECTOR(model, 8, "%s", conditional[i].beside);
        model_sort(model);
        assert_int_equal(cg_anatomy_build(&anatomy, (const struct cg_checkpoint *const *)&model, 1, &err), 0);
        assert_int_equal(anatomy.warnings[0].size, 0);
        for (int64_t s = 0; s < anatomy.nslots; s++)
            if (strcmp(model->tensors[anatomy.members[s].tensor].name, conditional[i].name) == 0)
                assert_string_equal(anatomy.slots[s].name, conditional[i].slot);
        cg_anatomy_release(&anatomy);
        model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),   cmocka_unit_test(test_conditional), cmocka_unit_test(test_post_norms),
        cmocka_unit_test(test_unknown), cmocka_unit_test(test_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
