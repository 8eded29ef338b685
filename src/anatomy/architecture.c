#include "cognate/anatomy.h"
#include "names.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NAME_ROOM = 256 };

/* What the axis of a role's matrix measures. */
struct measure {
    enum cg_role role;
    enum cg_residual axis;
    enum cg_fact fact, fact_of_experts;
};

static const struct measure measures[] = {
    {CG_ROLE_EMBED, CG_RESIDUAL_ROWS, CG_VOCAB_SIZE, CG_VOCAB_SIZE},
    {CG_ROLE_ROUTER, CG_RESIDUAL_ROWS, CG_NUM_EXPERTS, CG_NUM_EXPERTS},
    {CG_ROLE_FFN_GATE, CG_RESIDUAL_ROWS, CG_INTERMEDIATE_SIZE, CG_MOE_INTERMEDIATE_SIZE},
    {CG_ROLE_FFN_UP, CG_RESIDUAL_ROWS, CG_INTERMEDIATE_SIZE, CG_MOE_INTERMEDIATE_SIZE},
    {CG_ROLE_FFN_DOWN, CG_RESIDUAL_COLUMNS, CG_INTERMEDIATE_SIZE, CG_MOE_INTERMEDIATE_SIZE},
};

/* One model under examination. */
struct survey {
    struct cg_architecture *out;
    const struct cg_checkpoint *model;
    const struct cg_anatomy *anatomy;
    const struct cg_config *config;
    bool own_width; /* intermediate_size is not that of the matrices */
    bool dense_ffn; /* some layer has a feed-forward block that is no expert */
    struct {
        int64_t value;
        const struct cg_member *member; /* NULL: not measured */
    } measured[CG_FACT_COUNT];
};

static const struct cg_tensor *tensor_of(const struct survey *survey, const struct cg_member *member)
{
    return &survey->model->tensors[member->tensor];
}

/* Matrices of values, of blocks of them, or of codes that a scheme knows: other quantised ones have other
 * shapes, and of tensors with more axes only parts are matrices. */
static bool is_plain_matrix(const struct survey *survey, const struct cg_member *member)
{
    const struct cg_tensor *tensor = tensor_of(survey, member);
    enum cg_dtype d = tensor->dtype;
    bool matrix = member->view ? member->rows > 1 : tensor->axes == 2;
    bool plain = d == CG_F16 || d == CG_BF16 || d == CG_F32 || d == CG_F64 || d >= CG_FIRST_BLOCK_DTYPE;
    return member->quantised || (matrix && plain);
}

static int contradict(const struct survey *survey, enum cg_fact fact, const struct cg_tensor *tensor,
                      const char *has, int64_t value, struct cg_err *err)
{
    char file[CG_ERR_TEXT / 2], name[NAME_ROOM];
    return cg_fail(err, CG_EMISMATCH, "%s: %s: %s is %" PRId64 ", but %s %" PRId64,
                   cg_printable(file, sizeof file, survey->config->file),
                   cg_printable(name, sizeof name, tensor->name), cg_fact_name(fact),
                   survey->config->fact[fact], has, value);
}

/* Facts that may differ from layer to layer; config.json's number is the largest of them. */
static bool is_by_layer(enum cg_fact fact)
{
    return fact == CG_INTERMEDIATE_SIZE || fact == CG_MOE_INTERMEDIATE_SIZE || fact == CG_NUM_EXPERTS;
}

static int contradict_shape(const struct survey *survey, enum cg_fact fact, const struct cg_member *member,
                            int64_t value, struct cg_err *err)
{
    char has[112];
    snprintf(has, sizeof has, "the %s shape [%" PRId64 ", %" PRId64 "] says",
             member->view ? "part's" : "tensor's", member->rows, member->columns);
    return contradict(survey, fact, tensor_of(survey, member), has, value, err);
}

/* Takes down what a shape says of a fact, and holds it against config.json. Embeddings may have more rows
 * than vocab_size: padding, or rows for images. */
static int measure(struct survey *survey, enum cg_fact fact, int64_t value, const struct cg_member *member,
                   struct cg_err *err)
{
    if (!survey->measured[fact].member || (is_by_layer(fact) && value > survey->measured[fact].value)) {
        survey->measured[fact].value = value;
        survey->measured[fact].member = member;
    }
    int64_t stated = survey->config->fact[fact];
    bool wrong = value > stated ? fact != CG_VOCAB_SIZE : value < stated && !is_by_layer(fact);
    return stated >= 0 && wrong ? contradict_shape(survey, fact, member, value, err) : 0;
}

/* When all is measured: facts that config.json is silent about, and by-layer ones that no layer reaches. */
static int settle(const struct survey *survey, struct cg_err *err)
{
    for (int f = 0; f < CG_FACT_COUNT; f++) {
        const struct cg_member *member = survey->measured[f].member;
        int64_t value = survey->measured[f].value;
        if (!member)
            continue;
        if (survey->config->fact[f] < 0) {
            survey->out->fact[f] = value;
            survey->out->from_shapes[f] = true;
        } else if (is_by_layer((enum cg_fact)f) && value < survey->config->fact[f] && !survey->model->alone) {
            return contradict_shape(survey, (enum cg_fact)f, member, value, err);
        }
    }
    return 0;
}

/* Embeddings that are projected to the residual stream, and back. */
static bool has_own_embedding(const struct survey *survey, const struct cg_slot *slot)
{
    return survey->config->embedding_size > 0 && cg_role_group(slot->role) == CG_GROUP_EMBEDDING;
}

static int measure_member(struct survey *survey, const struct cg_slot *slot, const struct cg_member *member,
                          struct cg_err *err)
{
    enum cg_residual residual = cg_role_residual(slot->role);
    if (!is_plain_matrix(survey, member))
        return 0;
    if (residual != CG_RESIDUAL_NONE && !has_own_embedding(survey, slot) &&
        measure(survey, CG_HIDDEN_SIZE, residual == CG_RESIDUAL_ROWS ? member->rows : member->columns, member,
                err) < 0)
        return -1;
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++) {
        if (measures[i].role != slot->role ||
            (survey->own_width && cg_role_group(slot->role) == CG_GROUP_FFN))
            continue;
        enum cg_fact fact = slot->expert < 0 ? measures[i].fact : measures[i].fact_of_experts;
        int64_t size = measures[i].axis == CG_RESIDUAL_ROWS ? member->rows : member->columns;
        if (measure(survey, fact, size, member, err) < 0)
            return -1;
        /* Mixtral and its like, all experts and no moe_intermediate_size: intermediate_size is theirs. */
        if (fact == CG_MOE_INTERMEDIATE_SIZE && survey->config->fact[fact] < 0 && !survey->dense_ffn &&
            survey->config->fact[CG_INTERMEDIATE_SIZE] >= 0 &&
            measure(survey, CG_INTERMEDIATE_SIZE, size, member, err) < 0)
            return -1;
    }
    return 0;
}

/* The highest expert's index must lie below num_experts. */
static int count_experts(const struct survey *survey, struct cg_err *err)
{
    const struct cg_slot *last = NULL;
    const struct cg_tensor *tensor = NULL;
    for (int64_t s = 0; s < survey->anatomy->nslots; s++) {
        const struct cg_slot *slot = &survey->anatomy->slots[s];
        if (slot->expert >= 0 && (!last || slot->expert > last->expert)) {
            last = slot;
            tensor = &survey->model->tensors[cg_member_of(survey->anatomy, s, 0)->tensor];
        }
    }
    if (!last)
        return 0;
    struct cg_architecture *out = survey->out;
    if (out->fact[CG_NUM_EXPERTS] < 0) {
        out->fact[CG_NUM_EXPERTS] = (int64_t)last->expert + 1;
        out->from_shapes[CG_NUM_EXPERTS] = true;
    }
    int64_t stated = survey->config->fact[CG_NUM_EXPERTS];
    if (stated < 0 || last->expert < stated)
        return 0;
    return contradict(survey, CG_NUM_EXPERTS, tensor, "the tensor's name says at least",
                      (int64_t)last->expert + 1, err);
}

static bool is_prediction_role(enum cg_role role)
{
    return role >= CG_ROLE_MTP_EMBED_NORM && role <= CG_ROLE_MTP_HEAD;
}

struct layers {
    int64_t main, prediction; /* layers proper; those of multi-token prediction behind them */
    bool unknown;             /* there are tensors that no row knows: layers may consist of them */
    const struct cg_tensor *last;
};

/* Slots come layer by layer, and prediction roles first within one. */
static struct layers find_layers(const struct survey *survey)
{
    struct layers layers = {0};
    int32_t layer = -1;
    for (int64_t s = 0; s < survey->anatomy->nslots; s++) {
        const struct cg_slot *slot = &survey->anatomy->slots[s];
        layers.unknown = layers.unknown || slot->role == CG_ROLE_OTHER;
        if (slot->layer < 0 || slot->layer == layer)
            continue;
        layer = slot->layer;
        if (is_prediction_role(slot->role))
            layers.prediction++;
        else
            layers.main++;
        layers.last = &survey->model->tensors[cg_member_of(survey->anatomy, s, 0)->tensor];
    }
    return layers;
}

static int count_layers(const struct survey *survey, struct cg_err *err)
{
    struct layers layers = find_layers(survey);
    if (!layers.last)
        return 0;
    struct cg_architecture *out = survey->out;
    int64_t stated = survey->config->fact[CG_NUM_HIDDEN_LAYERS];
    int64_t more = survey->config->fact[CG_NUM_NEXTN_LAYERS];
    if (stated < 0) {
        out->fact[CG_NUM_HIDDEN_LAYERS] = layers.main;
        out->from_shapes[CG_NUM_HIDDEN_LAYERS] = true;
    }
    if (more < 0 && layers.prediction > 0) {
        out->fact[CG_NUM_NEXTN_LAYERS] = layers.prediction;
        out->from_shapes[CG_NUM_NEXTN_LAYERS] = true;
    }
    bool few = layers.main < stated && !layers.unknown && !survey->model->alone;
    bool many = stated >= 0 && layers.main - stated > (more > 0 ? more : 0);
    if (!few && !many)
        return 0;
    return contradict(survey, CG_NUM_HIDDEN_LAYERS, layers.last, "the layers found are", layers.main, err);
}

/* The rows of the first plain matrix of that role, or -1. */
static int64_t rows_of(const struct survey *survey, enum cg_role role)
{
    for (int64_t s = 0; s < survey->anatomy->nslots; s++) {
        const struct cg_member *member = cg_member_of(survey->anatomy, s, 0);
        if (survey->anatomy->slots[s].role == role && is_plain_matrix(survey, member))
            return member->rows;
    }
    return -1;
}

static void derive(struct cg_architecture *out, enum cg_fact fact, int64_t rows, int64_t divisor)
{
    if (out->fact[fact] >= 0 || rows <= 0 || divisor <= 0 || rows % divisor != 0)
        return;
    out->fact[fact] = rows / divisor;
    out->from_shapes[fact] = true;
}

/* q and k have heads times head_dim rows: two of the three give the third. */
static void derive_heads(const struct survey *survey)
{
    struct cg_architecture *out = survey->out;
    int64_t q = rows_of(survey, CG_ROLE_ATTN_Q), k = rows_of(survey, CG_ROLE_ATTN_K);
    if (k < 0)
        return; /* latent attention: q's rows are of another make */
    derive(out, CG_NUM_ATTENTION_HEADS, q, out->fact[CG_HEAD_DIM]);
    derive(out, CG_HEAD_DIM, q, out->fact[CG_NUM_ATTENTION_HEADS]);
    derive(out, CG_NUM_KEY_VALUE_HEADS, k, out->fact[CG_HEAD_DIM]);
}

static bool has_dense_ffn(const struct cg_anatomy *anatomy)
{
    for (int64_t s = 0; s < anatomy->nslots; s++) {
        enum cg_role role = anatomy->slots[s].role;
        if (anatomy->slots[s].expert < 0 && (role == CG_ROLE_FFN_UP || role == CG_ROLE_FFN_DOWN))
            return true;
    }
    return false;
}

int cg_architecture_of(struct cg_architecture *out, const struct cg_checkpoint *model, struct cg_err *err)
{
    int result = -1;
    struct cg_anatomy anatomy = {0};
    *out = (struct cg_architecture){0};
    memcpy(out->fact, model->config.fact, sizeof out->fact);
    CG_TRY(cg_anatomy_build(&anatomy, &model, 1, err));
    struct survey survey = {.out = out,
                            .model = model,
                            .anatomy = &anatomy,
                            .config = &model->config,
                            .own_width = cg_naming_of(model).own_width,
                            .dense_ffn = has_dense_ffn(&anatomy)};
    CG_TRY(count_layers(&survey, err));
    for (int64_t s = 0; s < anatomy.nslots; s++)
        CG_TRY(measure_member(&survey, &anatomy.slots[s], cg_member_of(&anatomy, s, 0), err));
    CG_TRY(settle(&survey, err));
    CG_TRY(count_experts(&survey, err));
    derive_heads(&survey);
    result = 0;
done:
    cg_anatomy_release(&anatomy);
    return result;
}

bool cg_architecture_same(const struct cg_architecture *a, const struct cg_architecture *b)
{
    static const enum cg_fact facts[] = {CG_HIDDEN_SIZE, CG_NUM_HIDDEN_LAYERS, CG_NUM_ATTENTION_HEADS,
                                         CG_NUM_KEY_VALUE_HEADS, CG_VOCAB_SIZE};
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (a->fact[facts[i]] < 0 || a->fact[facts[i]] != b->fact[facts[i]])
            return false;
    int64_t experts_a = a->fact[CG_NUM_EXPERTS], experts_b = b->fact[CG_NUM_EXPERTS];
    return experts_a == experts_b || (experts_a <= 0 && experts_b <= 0);
}
