/* config.json: facts under all their names, and values that no model has. */
#include "cognate/checkpoint.h"
#include "scratch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

static const struct {
    const char *what, *text;
    enum cg_fact fact;
    int64_t value;
    const char *message; /* NULL: accepted */
} rows[] = {
    {"plain", "{\"hidden_size\":4096}", CG_HIDDEN_SIZE, 4096, NULL},
    {"absent", "{}", CG_HIDDEN_SIZE, -1, NULL},
    {"null", "{\"hidden_size\":null}", CG_HIDDEN_SIZE, -1, NULL},
    {"null, then another name", "{\"hidden_size\":null,\"n_embd\":768}", CG_HIDDEN_SIZE, 768, NULL},
    {"two names, first row wins", "{\"n_embd\":768,\"hidden_size\":4096}", CG_HIDDEN_SIZE, 4096, NULL},
    {"GPT-2 layers", "{\"n_layer\":12}", CG_NUM_HIDDEN_LAYERS, 12, NULL},
    {"GPT-2 heads", "{\"n_head\":12}", CG_NUM_ATTENTION_HEADS, 12, NULL},
    {"heads imply no key-value heads", "{\"num_attention_heads\":32}", CG_NUM_KEY_VALUE_HEADS, -1, NULL},
    {"Mixtral", "{\"num_local_experts\":8}", CG_NUM_EXPERTS, 8, NULL},
    {"DeepSeek", "{\"n_routed_experts\":160}", CG_NUM_EXPERTS, 160, NULL},
    {"ERNIE", "{\"moe_num_experts\":64}", CG_NUM_EXPERTS, 64, NULL},
    {"DBRX experts", "{\"ffn_config\":{\"moe_num_experts\":16}}", CG_NUM_EXPERTS, 16, NULL},
    {"DBRX top k", "{\"ffn_config\":{\"moe_top_k\":4}}", CG_NUM_EXPERTS_PER_TOK, 4, NULL},
    {"experts by layer", "{\"num_experts\":[16,64,8]}", CG_NUM_EXPERTS, 64, NULL},
    {"Hunyuan top k by layer", "{\"moe_topk\":[8,8]}", CG_NUM_EXPERTS_PER_TOK, 8, NULL},
    {"no experts", "{\"num_experts\":0}", CG_NUM_EXPERTS, -1, NULL},
    {"shared experts", "{\"n_shared_experts\":2}", CG_NUM_SHARED_EXPERTS, 2, NULL},
    {"no shared experts", "{\"n_shared_experts\":0}", CG_NUM_SHARED_EXPERTS, 0, NULL},
    {"Qwen2-MoE's shared expert", "{\"shared_expert_intermediate_size\":20480}", CG_NUM_SHARED_EXPERTS, 1,
     NULL},
    {"Qwen2-MoE without one", "{\"shared_expert_intermediate_size\":0}", CG_NUM_SHARED_EXPERTS, 0, NULL},
    {"count before width", "{\"shared_expert_intermediate_size\":9,\"n_shared_experts\":3}",
     CG_NUM_SHARED_EXPERTS, 3, NULL},
    {"dense layers", "{\"first_k_dense_replace\":0}", CG_FIRST_K_DENSE, 0, NULL},
    {"nested", "{\"text_config\":{\"hidden_size\":5120}}", CG_HIDDEN_SIZE, 5120, NULL},
    {"nested under another name", "{\"llm_config\":{\"n_embd\":64}}", CG_HIDDEN_SIZE, 64, NULL},
    {"top level before nested", "{\"text_config\":{\"hidden_size\":1},\"n_embd\":2}", CG_HIDDEN_SIZE, 2,
     NULL},
    {"nested beside a vision model's",
     "{\"vision_config\":{\"hidden_size\":1},\"text_config\":{\"hidden_size\":2}}", CG_HIDDEN_SIZE, 2, NULL},
    {"Bart's decoder", "{\"num_hidden_layers\":12,\"decoder_layers\":6}", CG_NUM_HIDDEN_LAYERS, 6, NULL},
    {"OPT", "{\"ffn_dim\":96}", CG_INTERMEDIATE_SIZE, 96, NULL},
    {"ChatGLM", "{\"multi_query_group_num\":2}", CG_NUM_KEY_VALUE_HEADS, 2, NULL},
    {"text_config no object", "{\"text_config\":3}", CG_HIDDEN_SIZE, -1, NULL},
    {"other keys of any kind", "{\"rope\":{\"x\":[1.5,null,-1]},\"eps\":1e-05}", CG_HIDDEN_SIZE, -1, NULL},
    {"2^63 - 1", "{\"vocab_size\":9223372036854775807}", CG_VOCAB_SIZE, INT64_MAX, NULL},

    {"negative", "{\"hidden_size\":-1}", 0, 0,
     "config.json: hidden_size must be a whole number of at least 1, not -1"},
    {"embeddings of no size", "{\"embedding_size\":0}", 0, 0,
     "embedding_size must be a whole number of at least 1, not 0"},
    {"keys of no size", "{\"qk_nope_head_dim\":0}", 0, 0,
     "qk_nope_head_dim must be a whole number of at least 1, not 0"},
    {"embeddings of half a size", "{\"word_embed_proj_dim\":0.5}", 0, 0,
     "word_embed_proj_dim must be a whole number of at least 1, not 0.5"},
    {"zero", "{\"hidden_size\":0}", 0, 0, "hidden_size must be a whole number of at least 1, not 0"},
    {"1e308", "{\"hidden_size\":1e308}", 0, 0, "hidden_size must be a whole number of at least 1, not 1e308"},
    {"1e309", "{\"hidden_size\":1e309}", 0, 0, "real number overflow"},
    {"string", "{\"hidden_size\":\"4096\"}", 0, 0,
     "hidden_size must be a whole number of at least 1, not \"4096\""},
    {"real", "{\"hidden_size\":4096.0}", 0, 0,
     "hidden_size must be a whole number of at least 1, not 4096.0"},
    {"true", "{\"hidden_size\":true}", 0, 0, "hidden_size must be a whole number of at least 1, not true"},
    {"list where there is one number", "{\"hidden_size\":[4096]}", 0, 0,
     "hidden_size must be a whole number"},
    {"object", "{\"vocab_size\":{}}", 0, 0, "vocab_size must be a whole number of at least 1, not {}"},
    {"2^63", "{\"vocab_size\":9223372036854775808}", 0, 0, "too big integer"},
    {"list with a string", "{\"num_experts\":[8,\"8\"]}", 0, 0, "num_experts must be a whole number"},
    {"list with -1", "{\"num_experts\":[8,-1]}", 0, 0, "num_experts must be a whole number"},
    {"list without layers", "{\"intermediate_size\":[]}", 0, 0, "intermediate_size must be a whole number"},
    {"nested negative", "{\"text_config\":{\"num_hidden_layers\":-4}}", 0, 0, "num_hidden_layers must be"},
    {"experts negative", "{\"num_experts\":-8}", 0, 0,
     "num_experts must be a whole number of at least 0, not -8"},
    {"Llama-4's dense layers",
     "{\"text_config\":{\"intermediate_size\":8192,\"intermediate_size_mlp\":16384}}", CG_INTERMEDIATE_SIZE,
     16384, NULL},
    {"Llama-4's experts", "{\"text_config\":{\"intermediate_size\":8192,\"intermediate_size_mlp\":16384}}",
     CG_MOE_INTERMEDIATE_SIZE, 8192, NULL},
    {"experts like all others", "{\"intermediate_size\":8192}", CG_MOE_INTERMEDIATE_SIZE, -1, NULL},
    {"NaN", "{\"x\":NaN}", 0, 0, "config.json: invalid JSON: invalid token near 'NaN' (at byte 8)"},
    {"Infinity", "{\"x\":Infinity}", 0, 0, "invalid JSON: invalid token near 'Infinity'"},
    {"-Infinity", "{\"x\":-Infinity}", 0, 0, "invalid JSON"},
    {"duplicate key", "{\"hidden_size\":1,\"hidden_size\":1}", 0, 0, "duplicate object key"},
    {"empty", "", 0, 0, "invalid JSON"},
    {"list", "[1]", 0, 0, "the JSON is not an object"},
    {"cut", "{\"hidden_size\":4096", 0, 0, "invalid JSON"},
    {"model_type a number", "{\"model_type\":1}", 0, 0, "model_type must be text, not 1"},
    {"architectures text", "{\"architectures\":\"X\"}", 0, 0, "architectures must be a list, not \"X\""},
    {"architectures of numbers", "{\"architectures\":[1]}", 0, 0, "architectures must be text, not 1"},
    {"tied as text", "{\"tie_word_embeddings\":\"false\"}", 0, 0,
     "tie_word_embeddings must be true or false"},
    {"method a number", "{\"quantization_config\":{\"quant_method\":4}}", 0, 0,
     "quant_method must be text, not 4"},
};

static int open_with(struct cg_checkpoint *checkpoint, struct scratch *scratch, const char *config,
                     struct cg_err *err)
{
    scratch_text(scratch, "config.json", config);
    return cg_checkpoint_open(checkpoint, scratch->folder, err);
}

static void test_rows(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_checkpoint checkpoint = {0};
        struct cg_err err = {0};
        int result = open_with(&checkpoint, *state, rows[i].text, &err);
        if ((result == 0) != (rows[i].message == NULL))
            fail_msg("%s: %s%s", rows[i].what, result == 0 ? "accepted" : "refused: ", err.text);
        assert_int_equal(err.code == CG_OK, result == 0);
        if (result == 0 && checkpoint.config.fact[rows[i].fact] != rows[i].value)
            fail_msg("%s: %s is %lld", rows[i].what, cg_fact_name(rows[i].fact),
                     (long long)checkpoint.config.fact[rows[i].fact]);
        if (result < 0 && !strstr(err.text, rows[i].message))
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].what, err.text, rows[i].message);
        cg_checkpoint_release(&checkpoint);
    }
}

static void test_texts(void **state)
{
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    assert_int_equal(
        open_with(&checkpoint, *state,
                  "{\"model_type\":\"deepseek_v3\",\"architectures\":[\"A\",\"B\"],"
                  "\"tie_word_embeddings\":false,\"quantization_config\":{\"quant_method\":\"fp8\"}}",
                  &err),
        0);
    assert_true(checkpoint.config.present);
    assert_string_equal(checkpoint.config.model_type, "deepseek_v3");
    assert_string_equal(checkpoint.config.architecture, "A");
    assert_string_equal(checkpoint.config.quant_method, "fp8");
    assert_int_equal(checkpoint.config.tied, 0);
    cg_checkpoint_release(&checkpoint);
    assert_int_equal(open_with(&checkpoint, *state,
                               "{\"architectures\":[],\"text_config\":{\"tie_word_embeddings\":true}}", &err),
                     0);
    assert_string_equal(checkpoint.config.architecture, "");
    assert_int_equal(checkpoint.config.tied, 1);
    cg_checkpoint_release(&checkpoint);
}

static int make(void **state)
{
    static struct scratch scratch;
    scratch_make(&scratch);
    scratch_safetensors(&scratch, "model.safetensors", -1,
                        "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1);
    *state = &scratch;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests_name("config", tests, make, scratch_tear_down);
}
