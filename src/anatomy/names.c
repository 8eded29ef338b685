#include "names.h"
#include "cognate/text.h"
#include "name_rows.h"
#include <string.h>

/* What may stand before a pattern; the first that fits is cut off. */
static const char *const prefixes[] = {
    "model.language_model.",
    "model.decoder.",
    "language_model.model.",
    "language_model.",
    "model.",
    "bert.",
    "roberta.",
    "electra.",
    "distilbert.transformer.",
    "distilbert.",
    "backbone.",
    "thinker.model.",
    "thinker.",
    "transformer.",
    "gpt_neox.",
};

/* What a model_type alone tells: how it lays out what others lay out otherwise under the same names. Packed
 * experts of a type that is not here are as transformers 5 has them in memory: (experts, 2I, H), (experts, H,
 * I), gate and up in halves. */
static const struct layout {
    const char *model_type;
    bool conv1d, linear, linear_qkv, qkv_by_head, paired, fused_up, other_qkv, own_width;
    struct cg_cut experts; /* the split that of gate and up */
} layouts[] = {
    /* Reordered or fused in GGUF files, by that model_type or, where it has none, ggml's architecture. */
    {"llama", .paired = true},
    {"mixtral", .paired = true},
    {"mistral3", .paired = true},
    {"minicpm", .paired = true},
    {"granite", .paired = true},
    {"granitemoe", .paired = true},
    {"granitehybrid", .paired = true},
    {"arcee", .paired = true},
    {"smollm3", .paired = true},
    {"deci", .paired = true},
    {"deepseek", .paired = true},
    {"arctic", .paired = true},
    {"olmo", .paired = true},
    {"internlm2", .paired = true},
    {"baichuan", .paired = true},
    {"xverse", .paired = true},
    {"bailingmoe", .paired = true},
    {"llada", .paired = true},
    {"llama-embed", .paired = true},
    {"chameleon", .paired = true},
    {"nanbeige", .paired = true},
    {"phi3", .fused_up = true},
    {"glm4", .fused_up = true},
    {"chatglm", .fused_up = true},
    {"qwen3_next", .other_qkv = true}, /* linear attention */
    {"qwen35", .other_qkv = true},
    {"qwen35moe", .other_qkv = true},
    {"openelm", .other_qkv = true}, /* heads by layer */
    {"gpt2", .conv1d = true},
    {"openai-gpt", .conv1d = true},
    {"jais", .conv1d = true},
    {"gpt_bigcode", .linear = true},
    {"gpt_neo", .linear = true},
    {"qwen", .linear = true, .linear_qkv = true, .own_width = true},
    {"recurrent_gemma", .own_width = true},
    {"lfm2", .own_width = true},
    {"minimax", .qkv_by_head = true},
    {"minimax_text_01", .qkv_by_head = true},
    {"minimax_m1", .qkv_by_head = true},
    {"gpt_oss", .experts = {CG_SPLIT_ALTERNATE, CG_STACK_AXIS, .transposed = true}},
    {"llama4", .experts = {CG_SPLIT_HALVES, CG_STACK_AXIS, .transposed = true}},
    {"llama4_text", .experts = {CG_SPLIT_HALVES, CG_STACK_AXIS, .transposed = true}},
    {"qwen3_vl_moe", .experts = {CG_SPLIT_HALVES, CG_STACK_AXIS, .transposed = true, .either = true}},
    {"qwen3_vl_moe_text", .experts = {CG_SPLIT_HALVES, CG_STACK_AXIS, .transposed = true, .either = true}},
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

/* A norm that only models with norms behind the feed-forward block have. Most tensors are none, which is seen
 * faster than what they are. */
static bool tells_post_norm(const struct cg_naming *plain, const char *name)
{
    if (!strstr(name, ".post_feedforward_layernorm.") && !strstr(name, ".post_ffw_norm.") &&
        !strstr(name, ".layer_output_norm.") && !strstr(name, ".pre_mlp_layernorm."))
        return false;
    enum cg_role role = cg_site_of(plain, name).role;
    return role == CG_ROLE_FFN_POST_NORM || role == CG_ROLE_FFN_NORM;
}

bool cg_has_kv_halves(const struct cg_checkpoint *model)
{
    for (size_t i = 0; i < model->ntensors; i++)
        if (cg_ends_with(model->tensors[i].name, ".attn_k_b.weight"))
            return true;
    return false;
}

struct cg_naming cg_naming_of(const struct cg_checkpoint *model)
{
    const struct cg_naming plain = {.experts = {.split = CG_SPLIT_HALVES, .stack = CG_STACK_AXIS}};
    struct cg_naming naming = plain;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        const struct layout *layout = &layouts[i];
        if (strcmp(layout->model_type, model->config.model_type) != 0)
            continue;
        naming.conv1d = layout->conv1d;
        naming.linear = layout->linear;
        naming.linear_qkv = layout->linear_qkv;
        naming.qkv_by_head = layout->qkv_by_head;
        naming.paired = layout->paired;
        naming.fused_up = layout->fused_up;
        naming.other_qkv = layout->other_qkv;
        naming.own_width = layout->own_width;
        if (layout->experts.stack != CG_STACK_NONE)
            naming.experts = layout->experts;
    }
    for (size_t i = 0; i < model->ntensors && !naming.post_ffn_norm; i++)
        naming.post_ffn_norm = tells_post_norm(&plain, model->tensors[i].name);
    naming.two_attn_norms = cg_checkpoint_find(model, "blk.0.attn_norm_2.weight") != NULL;
    return naming;
}

static bool is_for(const struct cg_name_row *row, const struct cg_naming *naming)
{
    switch (row->models) {
    case WITH_POST_FFN_NORM:
        return naming->post_ffn_norm;
    case WITH_CONV1D:
        return naming->conv1d;
    case WITH_LINEAR:
        return naming->linear;
    case WITH_LINEAR_QKV:
        return naming->linear && naming->linear_qkv;
    case WITH_KV_HALVES:
        return naming->kv_halves;
    case WITH_QKV_BY_HEAD:
        return naming->qkv_by_head;
    case WITH_PAIRED_ROWS:
        return naming->paired;
    case WITH_FUSED_UP:
        return naming->fused_up;
    case WITHOUT_OTHER_QKV:
        return !naming->other_qkv;
    case WITH_TWO_ATTN_NORMS:
        return naming->two_attn_norms;
    default:
        return true;
    }
}

static struct cg_cut cut_of(const struct cg_name_row *row, const struct cg_naming *naming)
{
    struct cg_cut cut = row->packed ? naming->experts : row->cut;
    if (row->packed && row->parts[1] == 0) /* a single role: nothing to split */
        cut.split = CG_SPLIT_NONE;
    return cut;
}

static const struct cg_name_row *find_row(const struct cg_name_table *table,
                                          const struct shape_of_name *shape, const struct cg_naming *naming)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct cg_name_row *row = &table->rows[i];
        if (row->length == shape->length && memcmp(row->pattern, shape->text, shape->length) == 0 &&
            is_for(row, naming))
            return row;
    }
    return NULL;
}

struct cg_site cg_site_of(const struct cg_naming *naming, const char *name)
{
    struct cg_site site = {.role = CG_ROLE_OTHER, .layer = -1, .expert = -1};
    struct shape_of_name shape;
    if (!shape_name(&shape, name) || (shape.numbers > 0 && shape.number[0] >= MOST_LAYERS) ||
        (shape.numbers > 1 && shape.number[1] >= MOST_EXPERTS))
        return site;
    const struct cg_name_row *row = find_row(&cg_family_names, &shape, naming);
    if (!row)
        row = find_row(&cg_gguf_names, &shape, naming);
    if (!row)
        return site;
    site.role = row->parts[0];
    site.buffer = row->buffer;
    site.cut = cut_of(row, naming);
    memcpy(site.parts, row->parts, sizeof site.parts);
    if (!row->buffer) {
        site.layer = shape.numbers > 0 ? shape.number[0] : -1;
        site.expert = shape.numbers > 1 ? shape.number[1] : -1;
    }
    return site;
}
