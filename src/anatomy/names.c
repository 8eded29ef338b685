#include "names.h"
#include "cognate/text.h"
#include <string.h>

/* Which models a row is for. */
enum models { ALL, WITH_POST_FFN_NORM };

struct row {
    const char
        *pattern; /* the whole name behind its prefix; # is a layer's number, the second # an expert's */
    size_t length;
    enum cg_role role;
    enum models models;
};

#define ROW(pattern, role)                                                                                   \
    {                                                                                                        \
        pattern, sizeof(pattern) - 1, CG_ROLE_##role, ALL                                                    \
    }
#define ROW_IN(models, pattern, role)                                                                        \
    {                                                                                                        \
        pattern, sizeof(pattern) - 1, CG_ROLE_##role, models                                                 \
    }
/* A linear layer or a norm with its bias. */
#define PAIR(stem, role) ROW(stem ".weight", role), ROW(stem ".bias", role##_BIAS)
/* A norm as TensorFlow's BERT named it, too. */
#define OLD_NORM(stem, role) PAIR(stem, role), ROW(stem ".gamma", role), ROW(stem ".beta", role##_BIAS)

/* What may stand before a pattern; the first that fits is cut off. */
static const char *const prefixes[] = {
    "model.language_model.", "language_model.model.", "language_model.", "model.", "bert.",
};

/* The first row that fits and is for the model counts. */
static const struct row table[] = {
    /* Llama, Mistral, Qwen2, Qwen3, Gemma, OLMo2, and what all later families share with them */
    ROW("embed_tokens.weight", EMBED),
    PAIR("norm", FINAL_NORM),
    PAIR("lm_head", LM_HEAD),
    PAIR("layers.#.input_layernorm", ATTN_NORM),
    PAIR("layers.#.self_attn.q_proj", ATTN_Q),
    PAIR("layers.#.self_attn.k_proj", ATTN_K),
    PAIR("layers.#.self_attn.v_proj", ATTN_V),
    PAIR("layers.#.self_attn.o_proj", ATTN_O),
    ROW("layers.#.self_attn.q_norm.weight", ATTN_Q_NORM),
    ROW("layers.#.self_attn.k_norm.weight", ATTN_K_NORM),
    PAIR("layers.#.mlp.gate_proj", FFN_GATE),
    PAIR("layers.#.mlp.up_proj", FFN_UP),
    PAIR("layers.#.mlp.down_proj", FFN_DOWN),

    /* Gemma 2 and 3, OLMo2: norms behind each block. There, and only there, post_attention_layernorm is
     * what its name says; in all others it stands before the feed-forward block. */
    PAIR("layers.#.pre_feedforward_layernorm", FFN_NORM),
    PAIR("layers.#.post_feedforward_layernorm", FFN_POST_NORM),
    ROW_IN(WITH_POST_FFN_NORM, "layers.#.post_attention_layernorm.weight", ATTN_POST_NORM),
    ROW_IN(WITH_POST_FFN_NORM, "layers.#.post_attention_layernorm.bias", ATTN_POST_NORM_BIAS),
    PAIR("layers.#.post_attention_layernorm", FFN_NORM),

    /* Mixtral, Phi-3.5-MoE */
    ROW("layers.#.block_sparse_moe.gate.weight", ROUTER),
    ROW("layers.#.block_sparse_moe.experts.#.w1.weight", FFN_GATE),
    ROW("layers.#.block_sparse_moe.experts.#.w2.weight", FFN_DOWN),
    ROW("layers.#.block_sparse_moe.experts.#.w3.weight", FFN_UP),

    /* DeepSeek-V2 and V3, GLM-4.5, Solar-Open, Qwen2-MoE, Qwen3-MoE, OLMoE */
    ROW("layers.#.mlp.gate.weight", ROUTER),
    ROW("layers.#.mlp.gate.e_score_correction_bias", ROUTER_BIAS),
    ROW("layers.#.mlp.experts.#.gate_proj.weight", FFN_GATE),
    ROW("layers.#.mlp.experts.#.up_proj.weight", FFN_UP),
    ROW("layers.#.mlp.experts.#.down_proj.weight", FFN_DOWN),
    ROW("layers.#.mlp.shared_experts.gate_proj.weight", SHARED_GATE),
    ROW("layers.#.mlp.shared_experts.up_proj.weight", SHARED_UP),
    ROW("layers.#.mlp.shared_experts.down_proj.weight", SHARED_DOWN),
    ROW("layers.#.mlp.shared_expert.gate_proj.weight", SHARED_GATE),
    ROW("layers.#.mlp.shared_expert.up_proj.weight", SHARED_UP),
    ROW("layers.#.mlp.shared_expert.down_proj.weight", SHARED_DOWN),
    ROW("layers.#.mlp.shared_expert_gate.weight", SHARED_ROUTER),

    /* Multi-head latent attention */
    PAIR("layers.#.self_attn.q_a_proj", ATTN_Q_A),
    ROW("layers.#.self_attn.q_a_layernorm.weight", ATTN_Q_A_NORM),
    ROW("layers.#.self_attn.q_b_proj.weight", ATTN_Q_B),
    PAIR("layers.#.self_attn.kv_a_proj_with_mqa", ATTN_KV_A),
    ROW("layers.#.self_attn.kv_a_layernorm.weight", ATTN_KV_A_NORM),
    ROW("layers.#.self_attn.kv_b_proj.weight", ATTN_KV_B),

    /* Multi-token prediction: further layers behind the last one */
    ROW("layers.#.enorm.weight", MTP_EMBED_NORM),
    ROW("layers.#.hnorm.weight", MTP_HIDDEN_NORM),
    ROW("layers.#.eh_proj.weight", MTP_JOIN),
    ROW("layers.#.embed_tokens.weight", MTP_EMBED),
    ROW("layers.#.shared_head.norm.weight", MTP_HEAD_NORM),
    ROW("layers.#.shared_head.head.weight", MTP_HEAD),

    /* BERT */
    ROW("embeddings.word_embeddings.weight", EMBED),
    ROW("embeddings.position_embeddings.weight", POSITION_EMBED),
    ROW("embeddings.token_type_embeddings.weight", TYPE_EMBED),
    OLD_NORM("embeddings.LayerNorm", EMBED_NORM),
    PAIR("encoder.layer.#.attention.self.query", ATTN_Q),
    PAIR("encoder.layer.#.attention.self.key", ATTN_K),
    PAIR("encoder.layer.#.attention.self.value", ATTN_V),
    PAIR("encoder.layer.#.attention.output.dense", ATTN_O),
    OLD_NORM("encoder.layer.#.attention.output.LayerNorm", ATTN_POST_NORM),
    PAIR("encoder.layer.#.intermediate.dense", FFN_UP),
    PAIR("encoder.layer.#.output.dense", FFN_DOWN),
    OLD_NORM("encoder.layer.#.output.LayerNorm", FFN_POST_NORM),
    PAIR("pooler.dense", POOLER),
    PAIR("cls.predictions.transform.dense", HEAD_TRANSFORM),
    OLD_NORM("cls.predictions.transform.LayerNorm", HEAD_NORM),
    PAIR("cls.predictions.decoder", LM_HEAD),
    ROW("cls.predictions.bias", LM_HEAD_BIAS),
};

/* Tables are sized by these numbers: what lies beyond no model has. */
enum { MOST_LAYERS = 1024, MOST_EXPERTS = 65536 };

/* A name with each number in it, between two dots, replaced by #. */
struct shape_of_name {
    char text[128]; /* longer than any pattern */
    size_t length;
    int32_t number[2];
    int numbers;
};

/* A decimal number of `length` digits as indices are written: no leading zero, within int32; else -1. */
static int32_t index_of(const char *digits, size_t length)
{
    int64_t value = 0;
    if (length == 0 || length > 10 || (digits[0] == '0' && length > 1))
        return -1;
    for (size_t i = 0; i < length; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return -1;
        value = 10 * value + (digits[i] - '0');
    }
    return value <= INT32_MAX ? (int32_t)value : -1;
}

static const char *without_prefix(const char *name)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (cg_starts_with(name, prefixes[i]))
            return name + strlen(prefixes[i]);
    return name;
}

/* False when the name can match no pattern: too long, too many numbers, or a # of its own. */
static bool shape_name(struct shape_of_name *out, const char *name)
{
    out->length = 0;
    out->numbers = 0;
    if (strchr(name, '#'))
        return false;
    for (const char *part = without_prefix(name);;) {
        size_t length = strcspn(part, ".");
        int32_t number = index_of(part, length);
        if (out->length + length + 1 >= sizeof out->text || (number >= 0 && out->numbers == 2))
            return false;
        if (number >= 0)
            out->number[out->numbers++] = number;
        memcpy(out->text + out->length, number >= 0 ? "#" : part, number >= 0 ? 1 : length);
        out->length += number >= 0 ? 1 : length;
        if (part[length] == '\0')
            return true;
        out->text[out->length++] = '.';
        part += length + 1;
    }
}

struct cg_naming cg_naming_of(const struct cg_checkpoint *model)
{
    struct cg_naming naming = {0};
    for (size_t i = 0; i < model->ntensors && !naming.post_ffn_norm; i++)
        naming.post_ffn_norm =
            cg_site_of((struct cg_naming){0}, model->tensors[i].name).role == CG_ROLE_FFN_POST_NORM;
    return naming;
}

struct cg_site cg_site_of(struct cg_naming naming, const char *name)
{
    struct cg_site site = {CG_ROLE_OTHER, -1, -1};
    struct shape_of_name shape;
    if (!shape_name(&shape, name) || (shape.numbers > 0 && shape.number[0] >= MOST_LAYERS) ||
        (shape.numbers > 1 && shape.number[1] >= MOST_EXPERTS))
        return site;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct row *row = &table[i];
        if (row->length != shape.length || memcmp(row->pattern, shape.text, shape.length) != 0 ||
            (row->models == WITH_POST_FFN_NORM && !naming.post_ffn_norm))
            continue;
        site.role = row->role;
        site.layer = shape.numbers > 0 ? shape.number[0] : -1;
        site.expert = shape.numbers > 1 ? shape.number[1] : -1;
        break;
    }
    return site;
}
