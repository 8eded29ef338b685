/* The architecture: config.json's facts against the tensors' shapes, and what the shapes tell alone. */
#include "models.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LAYERS = 4, HIDDEN = 64, WIDTH = 160, EXPERT_WIDTH = 24, EXPERTS = 6, ROWS = 300, HEAD_DIM = 8 };

/* Dense, a mixture as GLM-4.5 with one dense layer, one as Mixtral; and the last with a layer of
 * multi-token prediction behind. */
enum kind { DENSE, MIXTURE, MIXTRAL, PREDICTION };

static void add_ffn(struct cg_checkpoint *model, int layer, int expert, enum kind kind)
{
    char stem[128];
    int width = expert < 0 ? WIDTH : EXPERT_WIDTH;
    if (expert < 0)
        snprintf(stem, sizeof stem, "model.layers.%d.mlp", layer);
    else
        snprintf(stem, sizeof stem, "model.layers.%d.%s.experts.%d", layer,
                 kind == MIXTRAL ? "block_sparse_moe" : "mlp", expert);
    MODEL_MATRIX(model, width, HIDDEN, "%s.%s.weight", stem, kind == MIXTRAL ? "w1" : "gate_proj");
    MODEL_MATRIX(model, width, HIDDEN, "%s.%s.weight", stem, kind == MIXTRAL ? "w3" : "up_proj");
    MODEL_MATRIX(model, HIDDEN, width, "%s.%s.weight", stem, kind == MIXTRAL ? "w2" : "down_proj");
}

static void add_layer(struct cg_checkpoint *model, int layer, enum kind kind)
{
    MODEL_VECTOR(model, HIDDEN, "model.layers.%d.input_layernorm.weight", layer);
    MODEL_MATRIX(model, 64, HIDDEN, "model.layers.%d.self_attn.q_proj.weight", layer);
    MODEL_MATRIX(model, 16, HIDDEN, "model.layers.%d.self_attn.k_proj.weight", layer);
    MODEL_MATRIX(model, 16, HIDDEN, "model.layers.%d.self_attn.v_proj.weight", layer);
    MODEL_MATRIX(model, HIDDEN, 64, "model.layers.%d.self_attn.o_proj.weight", layer);
    if (kind == DENSE || (kind != MIXTRAL && layer == 0)) {
        add_ffn(model, layer, -1, kind);
        return;
    }
    MODEL_MATRIX(model, EXPERTS, HIDDEN, "model.layers.%d.%s.gate.weight", layer,
                 kind == MIXTRAL ? "block_sparse_moe" : "mlp");
    for (int e = 0; e < EXPERTS; e++)
        add_ffn(model, layer, e, kind);
}

/* A model whose config.json agrees with its tensors. */
static struct cg_checkpoint *sound(enum kind kind)
{
    struct cg_checkpoint *model = model_new("LlamaForCausalLM", 0);
    MODEL_MATRIX(model, ROWS, HIDDEN, "model.embed_tokens.weight");
    MODEL_MATRIX(model, ROWS, HIDDEN, "lm_head.weight");
    for (int l = 0; l < LAYERS + (kind == PREDICTION); l++)
        add_layer(model, l, kind);
    if (kind == PREDICTION)
        MODEL_MATRIX(model, HIDDEN, 2 * HIDDEN, "model.layers.%d.eh_proj.weight", LAYERS);
    model_sort(model);
    int64_t *fact = model->config.fact;
    fact[CG_HIDDEN_SIZE] = HIDDEN;
    fact[CG_NUM_HIDDEN_LAYERS] = LAYERS;
    fact[CG_NUM_ATTENTION_HEADS] = 8;
    fact[CG_NUM_KEY_VALUE_HEADS] = 2;
    fact[CG_VOCAB_SIZE] = ROWS;
    fact[CG_INTERMEDIATE_SIZE] = kind == MIXTRAL ? EXPERT_WIDTH : WIDTH;
    if (kind != DENSE)
        fact[CG_NUM_EXPERTS] = EXPERTS;
    if (kind == MIXTURE || kind == PREDICTION)
        fact[CG_MOE_INTERMEDIATE_SIZE] = EXPERT_WIDTH;
    return model;
}

static void test_facts(void **state)
{
    (void)state;
    /* one fact changed; `says` is what the message must hold, NULL where the model is accepted */
    static const struct {
        enum kind kind;
        enum cg_fact fact;
        int64_t value;
        const char *says;
    } rows[] = {
        {DENSE, CG_HIDDEN_SIZE, HIDDEN, NULL},
        {MIXTURE, CG_HIDDEN_SIZE, HIDDEN, NULL},
        {MIXTRAL, CG_HIDDEN_SIZE, HIDDEN, NULL},
        {PREDICTION, CG_HIDDEN_SIZE, HIDDEN, NULL},
        {DENSE, CG_HIDDEN_SIZE, 63,
         "models/model/config.json: model.embed_tokens.weight: hidden_size is 63, but the tensor's shape "
         "[300, 64] says 64"},
        {DENSE, CG_HIDDEN_SIZE, 128, "hidden_size is 128, but the tensor's shape [300, 64] says 64"},
        {DENSE, CG_HIDDEN_SIZE, 0, "hidden_size is 0"},
        {DENSE, CG_HIDDEN_SIZE, -1, NULL},
        {DENSE, CG_VOCAB_SIZE, ROWS - 1, NULL}, /* padded rows */
        {DENSE, CG_VOCAB_SIZE, ROWS + 1, "model.embed_tokens.weight: vocab_size is 301"},
        {DENSE, CG_VOCAB_SIZE, INT64_MAX, "vocab_size is 9223372036854775807"},
        {DENSE, CG_VOCAB_SIZE, -1, NULL},
        {DENSE, CG_NUM_HIDDEN_LAYERS, LAYERS + 1, "num_hidden_layers is 5, but the layers found are 4"},
        {DENSE, CG_NUM_HIDDEN_LAYERS, LAYERS - 1, "num_hidden_layers is 3, but the layers found are 4"},
        {DENSE, CG_NUM_HIDDEN_LAYERS, 0, "num_hidden_layers is 0"},
        {DENSE, CG_NUM_HIDDEN_LAYERS, -1, NULL},
        {PREDICTION, CG_NUM_HIDDEN_LAYERS, LAYERS + 1, "num_hidden_layers is 5, but the layers found are 4"},
        {PREDICTION, CG_NUM_HIDDEN_LAYERS, LAYERS - 1, "num_hidden_layers is 3, but the layers found are 4"},
        {PREDICTION, CG_NUM_NEXTN_LAYERS, 1, NULL},
        {DENSE, CG_NUM_NEXTN_LAYERS, 1, NULL}, /* left out on the disk */
        {DENSE, CG_INTERMEDIATE_SIZE, WIDTH + 1,
         "model.layers.0.mlp.gate_proj.weight: intermediate_size is 161, but the tensor's shape [160, 64] "
         "says 160"},
        {MIXTURE, CG_INTERMEDIATE_SIZE, EXPERT_WIDTH,
         "model.layers.0.mlp.gate_proj.weight: intermediate_size"},
        {MIXTURE, CG_MOE_INTERMEDIATE_SIZE, WIDTH,
         "model.layers.1.mlp.experts.0.gate_proj.weight: moe_intermediate_size is 160"},
        {MIXTURE, CG_MOE_INTERMEDIATE_SIZE, -1, NULL},
        {MIXTRAL, CG_INTERMEDIATE_SIZE, WIDTH,
         "model.layers.0.block_sparse_moe.experts.0.w1.weight: intermediate_size is 160"},
        {MIXTRAL, CG_MOE_INTERMEDIATE_SIZE, EXPERT_WIDTH, NULL},
        {MIXTURE, CG_NUM_EXPERTS, EXPERTS + 1, "model.layers.1.mlp.gate.weight: num_experts is 7"},
        {MIXTURE, CG_NUM_EXPERTS, EXPERTS - 1, "model.layers.1.mlp.gate.weight: num_experts is 5"},
        {MIXTURE, CG_NUM_EXPERTS, -1, NULL},
        {DENSE, CG_NUM_EXPERTS, 8, NULL}, /* a key left over */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_checkpoint *model = sound(rows[i].kind);
        model->config.fact[rows[i].fact] = rows[i].value;
        struct cg_architecture architecture;
        struct cg_err err = {0};
        int result = cg_architecture_of(&architecture, model, &err);
        if (result != (rows[i].says ? -1 : 0) || (rows[i].says && !strstr(err.text, rows[i].says)))
            fail_msg("row %zu: %d, %s", i, result, err.text);
        if (rows[i].says)
            assert_int_equal(err.code, CG_EMISMATCH);
        model_free(model);
    }
}

/* One tensor changed. */
static void test_shapes(void **state)
{
    (void)state;
    static const struct {
        enum kind kind;
        const char *tensor;
        enum cg_dtype dtype;
        int64_t rows, columns; /* columns 0: a vector */
        const char *says;
    } rows[] = {
        {DENSE, "model.layers.1.input_layernorm.weight", CG_BF16, HIDDEN - 1, 0, NULL}, /* no matrix */
        {DENSE, "model.layers.1.mlp.up_proj.weight", CG_BF16, 2 * WIDTH, 0, NULL},
        {DENSE, "model.embed_tokens.weight", CG_F32, ROWS + 20, HIDDEN, NULL},
        {DENSE, "model.embed_tokens.weight", CG_F32, HIDDEN, ROWS, "hidden_size is 64"},
        {DENSE, "lm_head.weight", CG_F16, ROWS, HIDDEN / 2, "lm_head.weight: hidden_size is 64"},
        {DENSE, "model.layers.2.self_attn.o_proj.weight", CG_BF16, 65, 64,
         "model.layers.2.self_attn.o_proj.weight: hidden_size is 64, but the tensor's shape [65, 64] says "
         "65"},
        {DENSE, "model.layers.2.self_attn.q_proj.weight", CG_BF16, 65, 64, NULL}, /* heads may be cut */
        {DENSE, "model.layers.3.mlp.down_proj.weight", CG_F64, 64, 161, "intermediate_size is 160"},
        {DENSE, "model.layers.3.mlp.down_proj.weight", CG_F64, 64, 159, NULL}, /* widths by layer */
        {DENSE, "model.layers.3.mlp.down_proj.weight", CG_U8, 64, 80, NULL},   /* packed */
        {DENSE, "model.layers.3.mlp.down_proj.weight", CG_I32, 20, 64, NULL},
        {MIXTURE, "model.layers.2.mlp.gate.weight", CG_F32, EXPERTS + 1, HIDDEN,
         "model.layers.2.mlp.gate.weight: num_experts is 6, but the tensor's shape [7, 64] says 7"},
        {MIXTURE, "model.layers.3.mlp.experts.5.up_proj.weight", CG_F32, 25, HIDDEN,
         "model.layers.3.mlp.experts.5.up_proj.weight: moe_intermediate_size is 24"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_checkpoint *model = sound(rows[i].kind);
        struct cg_tensor *tensor = model_tensor(model, rows[i].tensor);
        tensor->dtype = rows[i].dtype;
        tensor->axes = rows[i].columns > 0 ? 2 : 1;
        tensor->shape[0] = rows[i].rows;
        tensor->shape[1] = rows[i].columns;
        struct cg_architecture architecture;
        struct cg_err err = {0};
        int result = cg_architecture_of(&architecture, model, &err);
        if (result != (rows[i].says ? -1 : 0) || (rows[i].says && !strstr(err.text, rows[i].says)))
            fail_msg("row %zu: %d, %s", i, result, err.text);
        model_free(model);
    }
}

/* Experts that the router does not know, and layers that only a name of its own kind shows. */
static void test_indices(void **state)
{
    (void)state;
    struct cg_architecture architecture;
    struct cg_err err = {0};
    struct cg_checkpoint *model = sound(MIXTURE);
    add_ffn(model, 2, EXPERTS, MIXTURE);
    model_sort(model);
    assert_int_equal(cg_architecture_of(&architecture, model, &err), -1);
    assert_non_null(strstr(err.text, "num_experts is 6, but the tensor's name says at least 7"));
    model_free(model);

    model = sound(DENSE);
    MODEL_VECTOR(model, HIDDEN, "model.layers.1023.input_layernorm.weight");
    model_sort(model);
    assert_int_equal(cg_architecture_of(&architecture, model, &err), -1);
    assert_non_null(strstr(err.text, "model.layers.1023.input_layernorm.weight: num_hidden_layers"));
    model_free(model);

    /* A shard alone has some of the layers; another width is wrong all the same. */
    model = sound(MIXTURE);
    model->config.fact[CG_NUM_HIDDEN_LAYERS] = 40;
    assert_int_equal(cg_architecture_of(&architecture, model, &err), -1);
    model->alone = true;
    assert_int_equal(cg_architecture_of(&architecture, model, &err), 0);
    assert_int_equal(architecture.fact[CG_NUM_HIDDEN_LAYERS], 40);
    model->config.fact[CG_INTERMEDIATE_SIZE] = 2 * WIDTH;
    assert_int_equal(cg_architecture_of(&architecture, model, &err), 0);
    model->config.fact[CG_HIDDEN_SIZE] = 2 * HIDDEN;
    assert_int_equal(cg_architecture_of(&architecture, model, &err), -1);
    assert_non_null(strstr(err.text, "hidden_size is 128"));
    model_free(model);

    /* A layer of which no name is known may be one all the same. */
    model = sound(DENSE);
    MODEL_MATRIX(model, 4, 4, "model.layers.4.mixer.weight");
    model_sort(model);
    model->config.fact[CG_NUM_HIDDEN_LAYERS] = LAYERS + 1;
    assert_int_equal(cg_architecture_of(&architecture, model, &err), 0);
    model_free(model);

    /* The last layer predicts further tokens, though no name says so. */
    model = sound(DENSE);
    model->config.fact[CG_NUM_HIDDEN_LAYERS] = LAYERS - 1;
    model->config.fact[CG_NUM_NEXTN_LAYERS] = 1;
    assert_int_equal(cg_architecture_of(&architecture, model, &err), 0);
    model_free(model);

    /* Where there are dense blocks, intermediate_size is theirs, and experts may be wider. */
    model = sound(DENSE);
    MODEL_MATRIX(model, 2 * WIDTH, HIDDEN, "model.layers.1.mlp.experts.0.up_proj.weight");
    model_sort(model);
    assert_int_equal(cg_architecture_of(&architecture, model, &err), 0);
    assert_int_equal(architecture.fact[CG_INTERMEDIATE_SIZE], WIDTH);
    assert_int_equal(architecture.fact[CG_MOE_INTERMEDIATE_SIZE], 2 * WIDTH);
    assert_int_equal(architecture.fact[CG_NUM_EXPERTS], 1);
    model_free(model);
}

static void check_from_shapes(enum kind kind, const int64_t expected[CG_FACT_COUNT])
{
    struct cg_checkpoint *model = sound(kind);
    for (int f = 0; f < CG_FACT_COUNT; f++)
        model->config.fact[f] = f == CG_HEAD_DIM && kind != DENSE ? HEAD_DIM : -1;
    struct cg_architecture architecture;
    struct cg_err err = {0};
    assert_int_equal(cg_architecture_of(&architecture, model, &err), 0);
    for (int f = 0; f < CG_FACT_COUNT; f++) {
        if (architecture.fact[f] != expected[f])
            fail_msg("kind %d, %s: %d", (int)kind, cg_fact_name((enum cg_fact)f), (int)architecture.fact[f]);
        assert_int_equal(architecture.from_shapes[f],
                         expected[f] >= 0 && (f != CG_HEAD_DIM || kind == DENSE));
    }
    model_free(model);
}

/* Without config.json; heads need head_dim. */
static void test_from_shapes(void **state)
{
    (void)state;
    int64_t expected[CG_FACT_COUNT];
    for (int f = 0; f < CG_FACT_COUNT; f++)
        expected[f] = -1;
    expected[CG_HIDDEN_SIZE] = HIDDEN;
    expected[CG_NUM_HIDDEN_LAYERS] = LAYERS;
    expected[CG_VOCAB_SIZE] = ROWS;
    expected[CG_INTERMEDIATE_SIZE] = WIDTH;
    check_from_shapes(DENSE, expected);
    expected[CG_HEAD_DIM] = HEAD_DIM;
    expected[CG_NUM_ATTENTION_HEADS] = 8;
    expected[CG_NUM_KEY_VALUE_HEADS] = 2;
    expected[CG_NUM_EXPERTS] = EXPERTS;
    expected[CG_MOE_INTERMEDIATE_SIZE] = EXPERT_WIDTH;
    check_from_shapes(MIXTURE, expected);
    expected[CG_NUM_NEXTN_LAYERS] = 1;
    check_from_shapes(PREDICTION, expected);
    expected[CG_NUM_NEXTN_LAYERS] = -1;
    expected[CG_INTERMEDIATE_SIZE] = -1;
    check_from_shapes(MIXTRAL, expected);
}

/* The embedding says what the hidden size is, the widest layer what the intermediate size is. */
static void test_first_and_largest(void **state)
{
    (void)state;
    struct cg_checkpoint *model = sound(DENSE);
    for (int f = 0; f < CG_FACT_COUNT; f++)
        model->config.fact[f] = -1;
    model_tensor(model, "model.layers.2.mlp.up_proj.weight")->shape[0] = WIDTH + 1;
    model_tensor(model, "model.layers.2.self_attn.o_proj.weight")->shape[0] = HIDDEN + 1;
    struct cg_architecture architecture;
    struct cg_err err = {0};
    assert_int_equal(cg_architecture_of(&architecture, model, &err), 0);
    assert_int_equal(architecture.fact[CG_HIDDEN_SIZE], HIDDEN);
    assert_int_equal(architecture.fact[CG_INTERMEDIATE_SIZE], WIDTH + 1);
    model_free(model);
}

/* Heads stated, key-value heads and head_dim not, as in older configurations. */
static void test_heads(void **state)
{
    (void)state;
    struct cg_checkpoint *model = sound(DENSE);
    model->config.fact[CG_NUM_KEY_VALUE_HEADS] = -1;
    struct cg_architecture architecture;
    struct cg_err err = {0};
    assert_int_equal(cg_architecture_of(&architecture, model, &err), 0);
    assert_int_equal(architecture.fact[CG_HEAD_DIM], 8);
    assert_int_equal(architecture.fact[CG_NUM_KEY_VALUE_HEADS], 2);
    assert_true(architecture.from_shapes[CG_NUM_KEY_VALUE_HEADS]);
    assert_false(architecture.from_shapes[CG_NUM_ATTENTION_HEADS]);
    model->config.fact[CG_NUM_ATTENTION_HEADS] = 7; /* 64 rows are no 7 heads */
    assert_int_equal(cg_architecture_of(&architecture, model, &err), 0);
    assert_int_equal(architecture.fact[CG_HEAD_DIM], -1);
    assert_int_equal(architecture.fact[CG_NUM_KEY_VALUE_HEADS], -1);
    model_free(model);

    /* Latent attention: q's rows hold more than one kind of dimensions. */
    model = model_new("", -1);
    MODEL_MATRIX(model, 64, HIDDEN, "model.layers.0.self_attn.q_proj.weight");
    model->config.fact[CG_NUM_ATTENTION_HEADS] = 8;
    assert_int_equal(cg_architecture_of(&architecture, model, &err), 0);
    assert_int_equal(architecture.fact[CG_HEAD_DIM], -1);
    model_free(model);
}

static void test_nothing(void **state)
{
    (void)state;
    struct cg_checkpoint *model = model_new("", -1);
    struct cg_architecture architecture;
    struct cg_err err = {0};
    assert_int_equal(cg_architecture_of(&architecture, model, &err), 0);
    for (int f = 0; f < CG_FACT_COUNT; f++)
        assert_int_equal(architecture.fact[f], -1);
    model_free(model);
}

static void test_same(void **state)
{
    (void)state;
    static const struct {
        enum cg_fact fact;
        int64_t a, b;
        bool same;
    } rows[] = {
        {CG_HIDDEN_SIZE, 64, 64, true},
        {CG_HIDDEN_SIZE, 64, 65, false},
        {CG_HIDDEN_SIZE, -1, -1, false},
        {CG_HIDDEN_SIZE, 64, -1, false},
        {CG_NUM_HIDDEN_LAYERS, 4, 5, false},
        {CG_NUM_ATTENTION_HEADS, 8, 4, false},
        {CG_NUM_KEY_VALUE_HEADS, 2, 1, false},
        {CG_NUM_KEY_VALUE_HEADS, -1, -1, false},
        {CG_VOCAB_SIZE, 300, 301, false},
        {CG_NUM_EXPERTS, -1, -1, true},
        {CG_NUM_EXPERTS, 8, 8, true},
        {CG_NUM_EXPERTS, -1, 8, false},
        {CG_NUM_EXPERTS, 0, -1, true},
        {CG_INTERMEDIATE_SIZE, 160, 24, true},
        {CG_MOE_INTERMEDIATE_SIZE, 24, 8, true},
        {CG_NUM_EXPERTS_PER_TOK, 2, 8, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_architecture a = {{64, 160, 24, 4, 8, 2, -1, -1, -1, 300, 8, -1, -1}, {false}}, b = a;
        a.fact[rows[i].fact] = rows[i].a;
        b.fact[rows[i].fact] = rows[i].b;
        if (cg_architecture_same(&a, &b) != rows[i].same || cg_architecture_same(&b, &a) != rows[i].same)
            fail_msg("row %zu", i);
    }
}

/* Embeddings of another width than hidden_size, and widths that intermediate_size does not state. */
static void test_own_sizes(void **state)
{
    (void)state;
    static const struct {
        int64_t embedding_size;
        const char *model_type, *says;
    } rows[] = {
        {HIDDEN / 2, "lfm2", NULL},
        {0, "lfm2", "model.embed_tokens.weight: hidden_size is 64, but the tensor's shape [300, 32] says 32"},
        {HIDDEN / 2, "llama", "model.layers.0.mlp.gate_proj.weight: intermediate_size is 161"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_checkpoint *model = sound(DENSE);
        struct cg_architecture found;
        struct cg_err err = {0};
        for (size_t t = 0; t < model->ntensors; t++)
            if (model->tensors[t].shape[0] == ROWS) {
                model->tensors[t].shape[1] /= 2;
                model->tensors[t].elements /= 2;
            }
        free(model->config.model_type);
        model->config.model_type = strdup(rows[i].model_type);
        model->config.embedding_size = rows[i].embedding_size;
        model->config.fact[CG_INTERMEDIATE_SIZE] = WIDTH + 1;
        assert_int_equal(cg_architecture_of(&found, model, &err), rows[i].says ? -1 : 0);
        if (rows[i].says && !strstr(err.text, rows[i].says))
            fail_msg("row %zu: %s", i, err.text);
        model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_indices),
        cmocka_unit_test(test_from_shapes),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_first_and_largest),
        cmocka_unit_test(test_same),
        cmocka_unit_test(test_own_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
