/* config.json: the facts of an architecture under the names that families give them. */
#include "cognate/mem.h"
#include "file.h"
#include "json.h"
#include "quantisation.h"
#include "reader.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_VALUE = 80, SHOWN_PATH = 320 };

/* Where a fact stands, keys joined by dots. The first row whose key is there and not null wins. */
static const struct row {
    enum cg_fact fact;
    const char *key;
    int64_t implies; /* the fact's value when the key's is above 0; 0: the key's value itself */
} rows[] = {
    {CG_HIDDEN_SIZE, "hidden_size", 0},
    {CG_HIDDEN_SIZE, "n_embd", 0},
    {CG_HIDDEN_SIZE, "d_model", 0},
    {CG_INTERMEDIATE_SIZE, "intermediate_size_mlp", 0}, /* Llama-4, whose intermediate_size is its experts' */
    {CG_INTERMEDIATE_SIZE, "intermediate_size", 0},
    {CG_INTERMEDIATE_SIZE, "n_inner", 0},
    {CG_INTERMEDIATE_SIZE, "ffn_dim", 0},
    {CG_INTERMEDIATE_SIZE, "decoder_ffn_dim", 0},
    {CG_INTERMEDIATE_SIZE, "ffn_hidden_size", 0},
    {CG_INTERMEDIATE_SIZE, "ffn_config.ffn_hidden_size", 0},
    {CG_MOE_INTERMEDIATE_SIZE, "moe_intermediate_size", 0},
    {CG_NUM_HIDDEN_LAYERS, "decoder_layers", 0}, /* Bart, whose num_hidden_layers is its encoder's */
    {CG_NUM_HIDDEN_LAYERS, "num_hidden_layers", 0},
    {CG_NUM_HIDDEN_LAYERS, "n_layer", 0},
    {CG_NUM_HIDDEN_LAYERS, "n_layers", 0},
    {CG_NUM_HIDDEN_LAYERS, "num_layers", 0},
    {CG_NUM_ATTENTION_HEADS, "decoder_attention_heads", 0},
    {CG_NUM_ATTENTION_HEADS, "num_attention_heads", 0},
    {CG_NUM_ATTENTION_HEADS, "n_head", 0},
    {CG_NUM_ATTENTION_HEADS, "n_heads", 0},
    {CG_NUM_KEY_VALUE_HEADS, "num_key_value_heads", 0},
    {CG_NUM_KEY_VALUE_HEADS, "num_kv_heads", 0},
    {CG_NUM_KEY_VALUE_HEADS, "multi_query_group_num", 0},
    {CG_NUM_KEY_VALUE_HEADS, "attn_config.kv_n_heads", 0},
    {CG_NUM_EXPERTS, "num_experts", 0},
    {CG_NUM_EXPERTS, "num_local_experts", 0},
    {CG_NUM_EXPERTS, "n_routed_experts", 0},
    {CG_NUM_EXPERTS, "moe_num_experts", 0},
    {CG_NUM_EXPERTS, "ffn_config.moe_num_experts", 0},
    {CG_NUM_EXPERTS_PER_TOK, "num_experts_per_tok", 0},
    {CG_NUM_EXPERTS_PER_TOK, "moe_topk", 0},
    {CG_NUM_EXPERTS_PER_TOK, "moe_top_k", 0},
    {CG_NUM_EXPERTS_PER_TOK, "moe_k", 0},
    {CG_NUM_EXPERTS_PER_TOK, "num_selected_experts", 0},
    {CG_NUM_EXPERTS_PER_TOK, "ffn_config.moe_top_k", 0},
    {CG_NUM_SHARED_EXPERTS, "n_shared_experts", 0},
    {CG_NUM_SHARED_EXPERTS, "num_shared_experts", 0},
    {CG_NUM_SHARED_EXPERTS, "num_shared_expert", 0},
    {CG_NUM_SHARED_EXPERTS, "moe_num_shared_experts", 0},
    {CG_NUM_SHARED_EXPERTS, "shared_expert_intermediate_size", 1},
    {CG_VOCAB_SIZE, "vocab_size", 0},
    {CG_VOCAB_SIZE, "padded_vocab_size", 0},
    {CG_HEAD_DIM, "head_dim", 0},
    {CG_HEAD_DIM, "kv_channels", 0},
    {CG_FIRST_K_DENSE, "first_k_dense_replace", 0},
    {CG_NUM_NEXTN_LAYERS, "num_nextn_predict_layers", 0},
};

/* Models that see or hear keep their language model's facts one level down. */
static const char *const places[] = {"", "text_config.", "llm_config.", "language_config."};

/* What a fact's value may be. */
enum zero { ZERO_IS_WRONG, ZERO_IS_NONE, ZERO_IS_A_COUNT };
static const struct rule {
    enum zero zero; /* ZERO_IS_NONE: a dense model that says so, as if it had not said it */
    bool by_layer;  /* may be a list with a number for each layer, of which the largest counts */
} rules[CG_FACT_COUNT] = {
    [CG_INTERMEDIATE_SIZE] = {ZERO_IS_WRONG, true},    [CG_MOE_INTERMEDIATE_SIZE] = {ZERO_IS_NONE, true},
    [CG_NUM_EXPERTS] = {ZERO_IS_NONE, true},           [CG_NUM_EXPERTS_PER_TOK] = {ZERO_IS_NONE, true},
    [CG_NUM_SHARED_EXPERTS] = {ZERO_IS_A_COUNT, true}, [CG_FIRST_K_DENSE] = {ZERO_IS_A_COUNT, false},
    [CG_NUM_NEXTN_LAYERS] = {ZERO_IS_A_COUNT, false},
};

const char *cg_fact_name(enum cg_fact fact)
{
    static const char *const names[] = {
#define CG_FACT_NAME(id, name) #name,
        CG_FACT_LIST(CG_FACT_NAME)
#undef CG_FACT_NAME
    };
    return names[fact];
}

/* The value at a dotted key below one place; NULL where it is absent or null. */
static const json_t *value_at(const json_t *root, const char *place, const char *key)
{
    char path[64];
    snprintf(path, sizeof path, "%s%s", place, key);
    const json_t *at = root;
    char *rest = path, *step;
    while (at && (step = strsep(&rest, ".")))
        at = json_object_get(at, step);
    return json_is_null(at) ? NULL : at;
}

/* The value of a key that may stand at any place. */
static const json_t *value_of(const json_t *root, const char *key)
{
    const json_t *value = NULL;
    for (size_t i = 0; !value && i < sizeof places / sizeof *places; i++)
        value = value_at(root, places[i], key);
    return value;
}

static int refuse(const char *path, const char *key, const json_t *value, const char *rule,
                  struct cg_err *err)
{
    char shown[SHOWN_VALUE];
    return cg_fail_at(err, CG_EFORMAT, path, NULL, -1, "%s must be %s, not %s", key, rule,
                      cg_json_shown(shown, sizeof shown, value));
}

/* A whole number that the rule of its fact allows, or a list of such. */
static bool number_in(int64_t *out, const json_t *value, const struct rule *rule)
{
    if (!json_is_array(value) || !rule->by_layer)
        return cg_json_count(value, out) && (*out > 0 || rule->zero != ZERO_IS_WRONG);
    for (size_t i = 0; i < json_array_size(value); i++) {
        int64_t number;
        if (!cg_json_count(json_array_get(value, i), &number))
            return false;
        *out = number > *out ? number : *out;
    }
    return *out > 0 || rule->zero != ZERO_IS_WRONG;
}

static int read_fact(struct cg_config *config, const struct row *row, const json_t *value, const char *path,
                     struct cg_err *err)
{
    const struct rule *rule = &rules[row->fact];
    int64_t number = 0;
    if (!number_in(&number, value, rule))
        return refuse(path, row->key, value,
                      rule->zero == ZERO_IS_WRONG ? "a whole number of at least 1"
                                                  : "a whole number of at least 0",
                      err);
    if (number == 0 && rule->zero == ZERO_IS_NONE)
        return 0;
    config->fact[row->fact] = number > 0 && row->implies > 0 ? row->implies : number;
    return 0;
}

/* Top level first, all rows of a fact; then the same one level down. */
static int read_facts(struct cg_config *config, const json_t *root, const char *path, struct cg_err *err)
{
    bool known[CG_FACT_COUNT] = {false};
    for (size_t place = 0; place < sizeof places / sizeof *places; place++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            const json_t *value = known[rows[i].fact] ? NULL : value_at(root, places[place], rows[i].key);
            if (value && read_fact(config, &rows[i], value, path, err) < 0)
                return -1;
            known[rows[i].fact] |= value != NULL;
        }
    return 0;
}

/* Llama-4: where intermediate_size_mlp is that of dense layers, intermediate_size is that of experts. */
static int read_llama4(struct cg_config *config, const json_t *root, const char *path, struct cg_err *err)
{
    static const struct row row = {CG_MOE_INTERMEDIATE_SIZE, "intermediate_size", 0};
    const json_t *value = value_of(root, row.key);
    if (!value || !value_of(root, "intermediate_size_mlp") || config->fact[row.fact] >= 0)
        return 0;
    return read_fact(config, &row, value, path, err);
}

/* Sizes that are no facts of reports. ELECTRA, ALBERT and OPT project their embeddings to and from the
 * residual stream. */
static int read_sizes(struct cg_config *config, const json_t *root, const char *path, struct cg_err *err)
{
    const struct {
        int64_t *size;
        const char *key;
    } sizes[] = {
        {&config->embedding_size, "embedding_size"},
        {&config->embedding_size, "word_embed_proj_dim"},
        {&config->qk_nope_head_dim, "qk_nope_head_dim"},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const json_t *value = value_of(root, sizes[i].key);
        if (value && (!cg_json_count(value, sizes[i].size) || *sizes[i].size < 1))
            return refuse(path, sizes[i].key, value, "a whole number of at least 1", err);
    }
    return 0;
}

/* Text on the heap, "" where there is none. */
static int read_text(char **out, const json_t *value, const char *key, const char *path, struct cg_err *err)
{
    if (value && !json_is_string(value))
        return refuse(path, key, value, "text", err);
    const char *text = value ? json_string_value(value) : "";
    *out = cg_copy_text(text, strlen(text), err);
    return *out ? 0 : -1;
}

/* compression_config is what compressed-tensors wrote before quantization_config. */
static int read_quantisation(struct cg_config *config, const json_t *root, const char *path,
                             struct cg_err *err)
{
    const json_t *value = value_of(root, "quantization_config");
    if (!value)
        value = value_of(root, "compression_config");
    if (read_text(&config->quant_method, NULL, "", path, err) < 0 ||
        read_text(&config->quant_format, NULL, "", path, err) < 0)
        return -1;
    return value ? cg_quantisation_take(config, value, path, err) : 0;
}

static int read_rest(struct cg_config *config, const json_t *root, const char *path, struct cg_err *err)
{
    const json_t *tied = value_of(root, "tie_word_embeddings");
    const json_t *architectures = value_at(root, "", "architectures");
    if (architectures && !json_is_array(architectures))
        return refuse(path, "architectures", architectures, "a list", err);
    if (tied && !json_is_boolean(tied))
        return refuse(path, "tie_word_embeddings", tied, "true or false", err);
    config->tied = tied ? json_is_true(tied) : -1;
    if (read_text(&config->model_type, value_at(root, "", "model_type"), "model_type", path, err) < 0 ||
        read_text(&config->architecture, json_array_get(architectures, 0), "architectures", path, err) < 0)
        return -1;
    return read_quantisation(config, root, path, err);
}

/* A folder without config.json is read as if it held an empty one. */
int cg_config_read(struct cg_config *config, const char *folder, struct cg_buf *warnings, struct cg_err *err)
{
    int result = -1;
    json_t *root = NULL;
    for (int fact = 0; fact < CG_FACT_COUNT; fact++)
        config->fact[fact] = -1;
    char *path = config->file = cg_path_of_member(folder, "config.json", err);
    if (!path)
        goto done;
    root = cg_json_read(path, err);
    config->present = root != NULL;
    if (!root && err->code == CG_EMISSING) {
        *err = (struct cg_err){0};
        char shown[SHOWN_PATH];
        CG_TRY(cg_buf_printf(warnings, err, "%s: not there; the architecture is read from the shapes alone\n",
                             cg_printable(shown, sizeof shown, path)));
        root = json_object();
        if (!root)
            cg_fail(err, CG_ENOMEM, "out of memory");
    }
    if (!root)
        goto done;
    CG_TRY(read_facts(config, root, path, err));
    CG_TRY(read_llama4(config, root, path, err));
    CG_TRY(read_sizes(config, root, path, err));
    CG_TRY(read_rest(config, root, path, err));
    result = *config->quant_method ? 0 : cg_quantisation_read(config, folder, err);
done:
    json_decref(root);
    return result;
}

int cg_config_leave(const char *folder, struct cg_buf *warnings, struct cg_err *err)
{
    char shown[SHOWN_PATH];
    char *path = cg_path_join(folder, "config.json", err);
    if (!path)
        return -1;
    int result =
        access(path, F_OK) < 0
            ? 0
            : cg_buf_printf(warnings, err, "%s: not read: the model's own file states the architecture\n",
                            cg_printable(shown, sizeof shown, path));
    free(path);
    return result;
}

void cg_config_release(struct cg_config *config)
{
    free(config->file);
    free(config->model_type);
    free(config->architecture);
    free(config->quant_method);
    free(config->quant_format);
    *config = (struct cg_config){0};
}
