/* What a GGUF file says of its model's architecture, under the names that config.json has. */
#include "cognate/mem.h"
#include "file.h"
#include "gguf.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_KEY = 160, SHOWN_PATH = 320, SHOWN_NAME = 80 };

/* Where a fact stands, behind the architecture's name and a dot. The first row whose key is there wins. */
static const struct row {
    enum cg_fact fact;
    const char *key;
    int64_t implies; /* the fact's value when the key's is above 0; 0: the key's value itself */
    bool may_be_zero;
} rows[] = {
    {CG_HIDDEN_SIZE, "embedding_length", 0, false},
    {CG_INTERMEDIATE_SIZE, "feed_forward_length", 0, false},
    {CG_MOE_INTERMEDIATE_SIZE, "expert_feed_forward_length", 0, false},
    {CG_NUM_HIDDEN_LAYERS, "block_count", 0, false},
    {CG_NUM_ATTENTION_HEADS, "attention.head_count", 0, false},
    {CG_NUM_KEY_VALUE_HEADS, "attention.head_count_kv", 0, false},
    {CG_HEAD_DIM, "attention.key_length", 0, false},
    {CG_NUM_EXPERTS, "expert_count", 0, false},
    {CG_NUM_EXPERTS_PER_TOK, "expert_used_count", 0, false},
    {CG_NUM_SHARED_EXPERTS, "expert_shared_count", 0, true},
    {CG_NUM_SHARED_EXPERTS, "expert_shared_feed_forward_length", 1, false},
    {CG_VOCAB_SIZE, "vocab_size", 0, false},
    {CG_FIRST_K_DENSE, "leading_dense_block_count", 0, true},
    {CG_NUM_NEXTN_LAYERS, "nextn_predict_layers", 0, true},
};

/* Architectures that config.json's model_type spells otherwise; all others are called the same or have no
 * such name. */
static const struct spelling {
    const char *architecture, *model_type;
} spellings[] = {
    {"qwen2moe", "qwen2_moe"},
    {"qwen2vl", "qwen2_vl"},
    {"qwen3moe", "qwen3_moe"},
    {"qwen3next", "qwen3_next"},
    {"qwen3vl", "qwen3_vl"},
    {"qwen3vlmoe", "qwen3_vl_moe"},
    {"gptneox", "gpt_neox"},
    {"starcoder", "gpt_bigcode"},
    {"gpt-oss", "gpt_oss"},
    {"phi2", "phi"},
    {"gemma3", "gemma3_text"},
    {"command-r", "cohere"},
    {"glm4moe", "glm4_moe"},
    {"llama4", "llama4_text"},
    {"ernie4_5-moe", "ernie4_5_moe"},
    {"hunyuan-moe", "hunyuan_v1_moe"},
    {"hunyuan-dense", "hunyuan_v1_dense"},
    {"minimax-m2", "minimax_m2"},
    {"nomic-bert", "nomic_bert"},
};

/* What llama.cpp's converter changes beyond names, types and the order of rows, by architecture
 * (https://github.com/ggml-org/llama.cpp, convert_hf_to_gguf.py and conversion/). */
#define PLUS_ONE  "norm weights are stored plus one"
#define MINUS_EXP "A_log is stored as -exp(A_log), and not compared"
static const struct change {
    const char *architecture, *what;
} changes[] = {
    {"gemma", PLUS_ONE},
    {"gemma2", PLUS_ONE},
    {"gemma3", PLUS_ONE},
    {"gemma-embedding", PLUS_ONE},
    {"nemotron", PLUS_ONE},
    {"qwen3next", PLUS_ONE},
    {"qwen35", PLUS_ONE},
    {"qwen35moe", PLUS_ONE},
    {"minimax-m3", PLUS_ONE},
    {"step35", PLUS_ONE},
    {"plamo2", "norm weights are stored plus a constant"},
    {"plamo", "heads of queries are in another order"},
    {"chameleon", "norms of queries and keys are repeated for each head"},
    {"falcon-h1", "matrices are multiplied by the model's own constants"},
    {"jais", "embeddings are multiplied by the model's own constants"},
    {"bailingmoe", "columns of the output embedding may be normalised"},
    {"jamba", MINUS_EXP},
    {"mamba", MINUS_EXP},
    {"mamba2", MINUS_EXP},
    {"granitehybrid", MINUS_EXP},
    {"nemotron_h", MINUS_EXP},
    {"bitnet", "matrices are rounded to three values"},
};

static const struct cg_gguf_value *find_in(const struct cg_gguf *gguf, const char *architecture,
                                           const char *key)
{
    char whole[LONGEST_KEY];
    int n = snprintf(whole, sizeof whole, "%s.%s", architecture, key);
    return n < (int)sizeof whole ? cg_gguf_find(gguf, whole) : NULL;
}

/* Zero where it is no count is how models without it say so: one of no experts, one of no attention. */
static int read_facts(struct cg_config *config, const struct cg_gguf *gguf, const char *architecture,
                      struct cg_err *err)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct cg_gguf_value *value = find_in(gguf, architecture, rows[i].key);
        if (!value || config->fact[rows[i].fact] >= 0)
            continue;
        if (value->number < 0)
            return cg_gguf_refuse(gguf, value->key, value->at, err, "must be a whole number of at least 0");
        if (value->number > 0 || rows[i].may_be_zero)
            config->fact[rows[i].fact] =
                value->number > 0 && rows[i].implies > 0 ? rows[i].implies : value->number;
    }
    return 0;
}

/* block_count counts the layers of multi-token prediction too. Latent attention is described as attention
 * with one key-value head of the latent size, as llama.cpp runs it. */
static int adapt_facts(struct cg_config *config, const struct cg_gguf *gguf, const char *architecture,
                       struct cg_err *err)
{
    int64_t *layers = &config->fact[CG_NUM_HIDDEN_LAYERS], more = config->fact[CG_NUM_NEXTN_LAYERS];
    if (more > 0 && *layers >= 0 && more >= *layers) {
        const struct cg_gguf_value *value = find_in(gguf, architecture, "nextn_predict_layers");
        return cg_gguf_refuse(gguf, value->key, value->at, err, "of %" PRId64 " layers none is left",
                              *layers);
    }
    if (more > 0 && *layers >= 0)
        *layers -= more;
    if (find_in(gguf, architecture, "attention.kv_lora_rank"))
        config->fact[CG_NUM_KEY_VALUE_HEADS] = config->fact[CG_HEAD_DIM] = -1;
    return 0;
}

/* Mixtral has Llama's architecture there. */
static const char *model_type_of(const struct cg_config *config, const char *architecture)
{
    if (strcmp(architecture, "llama") == 0 && config->fact[CG_NUM_EXPERTS] > 0)
        return "mixtral";
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        if (strcmp(spellings[i].architecture, architecture) == 0)
            return spellings[i].model_type;
    return architecture;
}

static int copy_into(char **out, const char *text, struct cg_err *err)
{
    *out = cg_copy_text(text, strlen(text), err);
    return *out ? 0 : -1;
}

static int warn_of_changes(struct cg_listing *listing, const struct cg_gguf *gguf, const char *architecture,
                           struct cg_err *err)
{
    char path[SHOWN_PATH], name[SHOWN_NAME];
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (strcmp(changes[i].architecture, architecture) == 0)
            return cg_buf_printf(&listing->warnings, err,
                                 "%s: llama.cpp changes what %s has: %s; compared as stored here\n",
                                 cg_printable(path, sizeof path, gguf->path),
                                 cg_printable(name, sizeof name, architecture), changes[i].what);
    return 0;
}

int cg_gguf_config(struct cg_listing *listing, const struct cg_gguf *gguf, struct cg_err *err)
{
    struct cg_config *config = &listing->config;
    const struct cg_gguf_value *architecture = cg_gguf_find(gguf, "general.architecture");
    if (config->present || !architecture)
        return 0;
    if (!architecture->text || !*architecture->text)
        return cg_gguf_refuse(gguf, architecture->key, architecture->at, err,
                              "must be the name of an architecture");
    for (int fact = 0; fact < CG_FACT_COUNT; fact++)
        config->fact[fact] = -1;
    const struct cg_gguf_value *causal = find_in(gguf, architecture->text, "attention.causal");
    config->tied = causal && causal->number == 0 ? -1 : 1;
    if (read_facts(config, gguf, architecture->text, err) < 0 ||
        adapt_facts(config, gguf, architecture->text, err) < 0 ||
        copy_into(&config->file, gguf->path, err) < 0 ||
        copy_into(&config->model_type, model_type_of(config, architecture->text), err) < 0 ||
        copy_into(&config->architecture, "", err) < 0 || copy_into(&config->quant_method, "", err) < 0 ||
        copy_into(&config->quant_format, "", err) < 0)
        return -1;
    config->present = true;
    return warn_of_changes(listing, gguf, architecture->text, err);
}
