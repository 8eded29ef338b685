/* What GGUF files say besides their tensors: the architecture, and the vocabulary. */
#include "cognate/checkpoint.h"
#include "cognate/vocabulary.h"
#include "gguf_written.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

/* ---- what the keys say of the architecture ---- */

static const struct config {
    const char *what, *header;
    size_t n;
    const char *model_type;
    int tied;
    struct {
        enum cg_fact fact;
        int64_t value;
    } facts[6]; /* all zero: no more */
    const char *warning, *message;
} configs[] = {
    {"no architecture",
     P(HEAD("\1", "\1") U32("\15", "x.block_count", "\2") FOUR_FLOATS),
     NULL,
     -1,
     {{0}},
     "config.json: not there",
     NULL},
    {"llama",
     P(HEAD("\1", "\4") ARCHITECTURE("\5", "llama") U32("\26", "llama.embedding_length", "\4")
           U32("\21", "llama.block_count", "\2") U32("\24", "llama.attention.head", "\7") FOUR_FLOATS),
     "llama",
     1,
     {{CG_HIDDEN_SIZE, 4}, {CG_NUM_HIDDEN_LAYERS, 2}, {CG_NUM_ATTENTION_HEADS, -1}},
     NULL,
     NULL},
    {"experts make it Mixtral",
     P(HEAD("\1", "\2") ARCHITECTURE("\5", "llama") U32("\22", "llama.expert_count", "\10") FOUR_FLOATS),
     "mixtral",
     1,
     {{CG_NUM_EXPERTS, 8}},
     NULL,
     NULL},
    {"no experts",
     P(HEAD("\1", "\2") ARCHITECTURE("\5", "llama") U32("\22", "llama.expert_count", "\0") FOUR_FLOATS),
     "llama",
     1,
     {{CG_NUM_EXPERTS, -1}},
     NULL,
     NULL},
    {"another spelling",
     P(HEAD("\1", "\1") ARCHITECTURE("\7", "glm4moe") FOUR_FLOATS),
     "glm4_moe",
     1,
     {{0}},
     NULL,
     NULL},
    {"no other spelling",
     P(HEAD("\1", "\1") ARCHITECTURE("\3", "xyz") FOUR_FLOATS),
     "xyz",
     1,
     {{0}},
     NULL,
     NULL},
    {"a number for each layer",
     P(HEAD("\1", "\2") ARCHITECTURE("\1", "x") KEY("\26", "x.attention.head_count", "\11") N4("\4") N8("\3")
           N4("\2") N4("\5") N4("\0") FOUR_FLOATS),
     "x",
     1,
     {{CG_NUM_ATTENTION_HEADS, 5}},
     NULL,
     NULL},
    {"layers of multi-token prediction",
     P(HEAD("\1", "\3") ARCHITECTURE("\1", "x") U32("\15", "x.block_count", "\7")
           U32("\26", "x.nextn_predict_layers", "\1") FOUR_FLOATS),
     "x",
     1,
     {{CG_NUM_HIDDEN_LAYERS, 6}, {CG_NUM_NEXTN_LAYERS, 1}},
     NULL,
     NULL},
    {"latent attention",
     P(HEAD("\1", "\4") ARCHITECTURE("\1", "x") U32("\31", "x.attention.head_count_kv", "\1") U32(
         "\26", "x.attention.key_length", "\11") U32("\30", "x.attention.kv_lora_rank", "\7") FOUR_FLOATS),
     "x",
     1,
     {{CG_NUM_KEY_VALUE_HEADS, -1}, {CG_HEAD_DIM, -1}},
     NULL,
     NULL},
    {"shared experts by their width",
     P(HEAD("\1", "\2") ARCHITECTURE("\1", "x") U32("\43", "x.expert_shared_feed_forward_length", "\77")
           FOUR_FLOATS),
     "x",
     1,
     {{CG_NUM_SHARED_EXPERTS, 1}},
     NULL,
     NULL},
    {"no dense layer first",
     P(HEAD("\1", "\2") ARCHITECTURE("\1", "x") U32("\33", "x.leading_dense_block_count", "\0") FOUR_FLOATS),
     "x",
     1,
     {{CG_FIRST_K_DENSE, 0}, {CG_HIDDEN_SIZE, -1}},
     NULL,
     NULL},
    {"an output embedding",
     P(HEAD("\1", "\1") ARCHITECTURE("\1", "x") N8("\15") "output.weight" N4("\1") N8("\4") N4("\0")
           N8("\0")),
     "x",
     0,
     {{0}},
     NULL,
     NULL},
    {"an encoder",
     P(HEAD("\1", "\2") ARCHITECTURE("\1", "x") KEY("\22", "x.attention.causal", "\7") "\0" FOUR_FLOATS),
     "x",
     -1,
     {{0}},
     NULL,
     NULL},
    {"values that the converter changes",
     P(HEAD("\1", "\1") ARCHITECTURE("\6", "gemma2") FOUR_FLOATS),
     "gemma2",
     1,
     {{0}},
     "m.gguf: llama.cpp changes what gemma2 has: norm weights are stored plus one; compared as stored here\n",
     NULL},

    {"architecture a number",
     P(HEAD("\1", "\1") KEY("\24", "general.architecture", "\4") N4("\1") FOUR_FLOATS),
     NULL,
     0,
     {{0}},
     NULL,
     "general.architecture: must be the name of an architecture (at byte 24)"},
    {"architecture empty",
     P(HEAD("\1", "\1") ARCHITECTURE("\0", "") FOUR_FLOATS),
     NULL,
     0,
     {{0}},
     NULL,
     "must be the name of"},
    {"architecture no UTF-8",
     P(HEAD("\1", "\1") ARCHITECTURE("\1", "\377") FOUR_FLOATS),
     NULL,
     0,
     {{0}},
     NULL,
     "must be the name of"},
    {"hidden size -1",
     P(HEAD("\1", "\2") ARCHITECTURE("\1", "x")
           KEY("\22", "x.embedding_length", "\5") "\377\377\377\377" FOUR_FLOATS),
     NULL,
     0,
     {{0}},
     NULL,
     "x.embedding_length: must be a whole number of at least 0 (at byte 65)"},
    {"hidden size a text",
     P(HEAD("\1", "\2") ARCHITECTURE("\1", "x") KEY("\22", "x.embedding_length", "\10") TEXT("\1", "4")
           FOUR_FLOATS),
     NULL,
     0,
     {{0}},
     NULL,
     "x.embedding_length: must be a whole number"},
    {"hidden size 4.0",
     P(HEAD("\1", "\2") ARCHITECTURE("\1", "x")
           KEY("\22", "x.embedding_length", "\6") "\0\0\200\100" FOUR_FLOATS),
     NULL,
     0,
     {{0}},
     NULL,
     "x.embedding_length: must be a whole number"},
    {"nothing but prediction",
     P(HEAD("\1", "\3") ARCHITECTURE("\1", "x") U32("\15", "x.block_count", "\1")
           U32("\26", "x.nextn_predict_layers", "\1") FOUR_FLOATS),
     NULL,
     0,
     {{0}},
     NULL,
     "x.nextn_predict_layers: of 1 layers none is left"},
};

static void check_config(const struct config *row, const struct cg_checkpoint *checkpoint, const char *path)
{
    const struct cg_config *config = &checkpoint->config;
    const char *said = checkpoint->warnings.data ? checkpoint->warnings.data : "";
    assert_int_equal(config->present, row->model_type != NULL);
    assert_string_equal(config->model_type, row->model_type ? row->model_type : "");
    assert_string_equal(config->architecture, "");
    assert_string_equal(config->quant_method, "");
    assert_string_equal(config->quant_format, "");
    if (config->tied != row->tied)
        fail_msg("%s: tied %d", row->what, config->tied);
    if (row->model_type)
        assert_string_equal(config->file, path);
    for (size_t f = 0; f < 6 && (row->facts[f].fact != 0 || row->facts[f].value != 0); f++)
        if (config->fact[row->facts[f].fact] != row->facts[f].value)
            fail_msg("%s: %s is %" PRId64, row->what, cg_fact_name(row->facts[f].fact),
                     config->fact[row->facts[f].fact]);
    if (row->warning ? !strstr(said, row->warning) : *said)
        fail_msg("%s: said \"%s\"", row->what, said);
}

static void test_configs(void **state)
{
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        const struct config *row = &configs[i];
        struct cg_checkpoint checkpoint = {0};
        struct cg_err err = {0};
        int64_t data = row->warning && strstr(row->warning, "IQ2_XXS") ? 66 : 16;
        gguf_write(*state, "m.gguf", row->header, row->n, data, 0);
        const char *path = scratch_path(*state, "m.gguf");
        int result = cg_checkpoint_open(&checkpoint, path, &err);
        if (row->message ? result == 0 : result < 0)
            fail_msg("%s: %s", row->what, row->message ? "accepted" : err.text);
        if (row->message)
            gguf_check_refusal(row->what, &err, row->message);
        else
            check_config(row, &checkpoint, path);
        cg_checkpoint_release(&checkpoint);
    }
}

static void test_config_json_beside(void **state)
{
    struct scratch scratch;
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    static const char header[] = HEAD("\1", "\1") ARCHITECTURE("\1", "x") FOUR_FLOATS;
    (void)state;
    scratch_make(&scratch);
    gguf_write(&scratch, "x.gguf", P(header), 16, 0);
    scratch_text(&scratch, "config.json", "{\"hidden_size\":9,\"model_type\":\"llama\"}");
    assert_int_equal(cg_checkpoint_open(&checkpoint, scratch.folder, &err), 0);
    assert_string_equal(checkpoint.config.model_type, "x");
    assert_int_equal(checkpoint.config.fact[CG_HIDDEN_SIZE], -1);
    assert_non_null(strstr(checkpoint.warnings.data, "/config.json: not read: the model's own file states"));
    cg_checkpoint_release(&checkpoint);
    scratch_remove(&scratch);
}

/* ---- vocabularies ---- */

#define MODEL(length, name) KEY("\24", "tokenizer.ggml.model", "\10") TEXT(length, name)
#define TOKENS(count)       KEY("\25", "tokenizer.ggml.tokens", "\11") N4("\10") N8(count)
#define TYPES(count)        KEY("\31", "tokenizer.ggml.token_type", "\11") N4("\5") N8(count)

/* `tokens`: id, a mark for special (!) or a byte (#), and the bytes; NULL: not present. */
static const struct {
    const char *what, *header;
    size_t n;
    const char *tokens, *warning;
} vocabularies[] = {
    {"SentencePiece",
     P(HEAD("\1", "\3") MODEL("\5", "llama") TOKENS("\7") TEXT("\5", "<unk>") TEXT("\3", "<s>")
           TEXT("\6", "<0x41>") TEXT("\4", "\xE2\x96\x81"
                                           "a") TEXT("\3", "[0]") TEXT("\5", "[PAD]") TEXT("\6", "<0x42>")
               TYPES("\7") N4("\2") N4("\3") N4("\6") N4("\1") N4("\4") N4("\5") N4("\1") FOUR_FLOATS),
     "0!<unk>;1!<s>;2#A;3 a;4[0];6<0x42>;", NULL},
    {"byte-level",
     P(HEAD("\1", "\3") MODEL("\4", "gpt2") TOKENS("\3") TEXT("\4", "\xC4\xA0"
                                                                    "ab") TEXT("\3", "<s>")
           TEXT("\4", "\xC4\xA0"
                      "cd") TYPES("\3") N4("\1") N4("\3") N4("\4") FOUR_FLOATS),
     "0 ab;1!<s>;2\xC4\xA0"
     "cd;",
     NULL},
    {"WordPiece",
     P(HEAD("\1", "\3") MODEL("\4", "bert") TOKENS("\3") TEXT("\5", "[CLS]") TEXT("\4", "\xE2\x96\x81"
                                                                                        "a") TEXT("\1", "b")
           TYPES("\3") N4("\3") N4("\1") N4("\1") FOUR_FLOATS),
     "0![CLS];1 a;2b;", NULL},
    {"no types", P(HEAD("\1", "\2") MODEL("\4", "gpt2") TOKENS("\1") TEXT("\1", "a") FOUR_FLOATS), "0a;",
     NULL},
    {"a token no UTF-8",
     P(HEAD("\1", "\2") MODEL("\4", "gpt2") TOKENS("\2") TEXT("\1", "\377") TEXT("\1", "a") FOUR_FLOATS),
     "1a;", "1 tokens left out: no usable text or id"},

    {"no vocabulary", P(HEAD("\1", "\0") FOUR_FLOATS), NULL,
     "its tokenizer is of a kind that cognate does not read: none"},
    {"another kind", P(HEAD("\1", "\2") MODEL("\4", "rwkv") TOKENS("\1") TEXT("\1", "a") FOUR_FLOATS), NULL,
     "does not read: rwkv (at byte 24); no token is compared"},
    {"no tokens", P(HEAD("\1", "\1") MODEL("\4", "gpt2") FOUR_FLOATS), NULL,
     "tokenizer.ggml.tokens: must be a list of texts"},
    {"tokens numbers",
     P(HEAD("\1", "\2") MODEL("\4", "gpt2") KEY("\25", "tokenizer.ggml.tokens", "\11") N4("\4") N8("\1")
           N4("\1") FOUR_FLOATS),
     NULL, "tokenizer.ggml.tokens: must be a list of texts"},
    {"tokens a text",
     P(HEAD("\1", "\2") MODEL("\4", "gpt2") KEY("\25", "tokenizer.ggml.tokens", "\10") TEXT("\1", "a")
           FOUR_FLOATS),
     NULL, "must be a list of texts"},
    {"fewer types",
     P(HEAD("\1", "\3") MODEL("\4", "gpt2") TOKENS("\1") TEXT("\1", "a") TYPES("\0") FOUR_FLOATS), NULL,
     "tokenizer.ggml.token_type: must be an I32 for each of the 1 tokens"},
    {"broken file", P("GGUF"), NULL, "is of a version of GGUF before 2"},
};

static void test_vocabularies(void **state)
{
    for (size_t i = 0; i < sizeof vocabularies / sizeof *vocabularies; i++) {
        struct cg_vocabulary vocabulary = {0};
        struct cg_buf warnings = {0};
        struct cg_err err = {0};
        char shown[300] = "";
        size_t at = 0;
        gguf_write(*state, "m.gguf", vocabularies[i].header, vocabularies[i].n, 16, 0);
        assert_int_equal(cg_vocabulary_load(&vocabulary, scratch_path(*state, "m.gguf"), &warnings, &err), 0);
        for (size_t t = 0; t < vocabulary.ntokens; t++) {
            const struct cg_token *token = &vocabulary.tokens[t];
            at += (size_t)snprintf(shown + at, sizeof shown - at, "%" PRId64 "%s%s;", token->id,
                                   token->special ? "!"
                                   : token->byte  ? "#"
                                                  : "",
                                   vocabulary.bytes + token->offset);
        }
        if (vocabulary.present != (vocabularies[i].tokens != NULL) ||
            strcmp(shown, vocabularies[i].tokens ? vocabularies[i].tokens : "") != 0)
            fail_msg("%s: %s", vocabularies[i].what, shown);
        const char *said = warnings.data ? warnings.data : "";
        if (vocabularies[i].warning ? !strstr(said, vocabularies[i].warning) : *said)
            fail_msg("%s: said \"%s\"", vocabularies[i].what, said);
        cg_vocabulary_release(&vocabulary);
        cg_buf_release(&warnings);
    }
}

static void test_where_the_vocabulary_is(void **state)
{
    struct cg_checkpoint checkpoint = {0};
    struct cg_err err = {0};
    char *name;
    const char *format;
    static const char header[] = HEAD("\1", "\1") ARCHITECTURE("\1", "x") FOUR_FLOATS;
    gguf_write(*state, "m.gguf", P(header), 16, 0);
    assert_int_equal(cg_checkpoint_open(&checkpoint, scratch_path(*state, "m.gguf"), &err), 0);
    assert_string_equal(cg_checkpoint_vocabulary(&checkpoint), scratch_path(*state, "m.gguf"));
    assert_int_equal(cg_vocabulary_find(&name, &format, cg_checkpoint_vocabulary(&checkpoint), &err), 0);
    assert_string_equal(name, "m.gguf");
    assert_string_equal(format, "GGUF");
    free(name);
    cg_checkpoint_release(&checkpoint);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_configs),
        cmocka_unit_test(test_config_json_beside),
        cmocka_unit_test(test_vocabularies),
        cmocka_unit_test(test_where_the_vocabulary_is),
    };
    return cmocka_run_group_tests(tests, scratch_set_up, scratch_tear_down);
}
