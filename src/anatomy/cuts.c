#include "cuts.h"
#include "cognate/text.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NAME_ROOM = 256, MOST_EXPERTS = 65536 };

bool cg_is_cut(const struct cg_site *site)
{
    return site->cut.split != CG_SPLIT_NONE || site->cut.stack != CG_STACK_NONE || site->cut.transposed;
}

struct cg_view cg_part_view(const struct cg_parts *parts, int64_t expert, int part)
{
    struct cg_view view = parts->part[part].view;
    view.base += expert * parts->expert_stride;
    return view;
}

/* One expert's matrix, or vector, as it is stored. */
struct stored {
    bool vector; /* a bias: its one axis is `out` */
    int64_t out, in, out_stride, in_stride;
};

/* What is left to find out, and where to say what is wrong. */
struct cutting {
    struct cg_parts *parts;
    const struct cg_site *site;
    const struct cg_tensor *tensor;
    const struct cg_checkpoint *model;
    const int64_t *fact; /* of config.json */
    struct stored stored;
    int64_t head_step; /* outputs from one head to the next, where heads are stacked */
    bool plain;        /* the tensor's shape is that of its values */
    const char *whole;
};

/* The tensor's sizes are not those that config.json leads one to expect. Quantised weights are stored in
 * sizes of their own. */
static int refuse(struct cutting *c, const char *why, int64_t expected, int64_t found, struct cg_err *err)
{
    if (*c->model->config.quant_method && !c->plain) {
        c->whole = "quantised, in sizes of another make";
        return 0;
    }
    char file[CG_ERR_TEXT / 2], name[NAME_ROOM];
    return cg_fail(err, CG_EMISMATCH, "%s: %s: %s %" PRId64 ", but the tensor's shape says %" PRId64,
                   cg_printable(file, sizeof file, c->model->config.file),
                   cg_printable(name, sizeof name, c->tensor->name), why, expected, found);
}

/* Takes the experts off the shape; what is left are one or two axes. */
static int unstack(struct cutting *c, int64_t axis[2], int *axes, struct cg_err *err)
{
    const struct cg_tensor *tensor = c->tensor;
    enum cg_stack stack = c->site->cut.stack;
    int first = stack == CG_STACK_AXIS || stack == CG_STACK_HEADS;
    int64_t stated = c->fact[CG_NUM_EXPERTS];
    c->parts->experts = 1;
    *axes = tensor->axes - first;
    if (*axes != (cg_ends_with(tensor->name, "bias") ? 1 : 2)) {
        c->whole = "not of the shape that its name says";
        return 0;
    }
    for (int a = 0; a < *axes; a++)
        axis[a] = tensor->shape[first + a];
    if (stack == CG_STACK_AXIS)
        c->parts->experts = tensor->shape[0];
    if (stack == CG_STACK_ROWS && stated > 0) {
        c->parts->experts = stated;
        if (axis[0] % stated != 0)
            return refuse(c, "rows of experts: a multiple of num_experts", stated, axis[0], err);
        axis[0] /= stated;
    }
    if ((stack == CG_STACK_ROWS && stated <= 0) || c->parts->experts < 1 || c->parts->experts > MOST_EXPERTS)
        c->whole = "the number of its experts is not known";
    else if (stack == CG_STACK_AXIS && stated > 0 && c->parts->experts > stated)
        return refuse(c, "num_experts is", stated, c->parts->experts, err);
    return 0;
}

/* Whether the axis that should be hidden_size is not, and the other one is. */
static bool is_turned(const int64_t axis[2], bool by_rows, bool transposed, int64_t hidden)
{
    int expected = by_rows == transposed; /* hidden_size is the output's where the role goes by rows */
    return axis[expected] != hidden && axis[1 - expected] == hidden;
}

/* Which axis is the output: as the cut says, unless its writers disagree and hidden_size settles it. Where
 * gate and up together are square, the down projection beside them settles it. */
static bool is_transposed(const struct cutting *c, const int64_t axis[2])
{
    bool transposed = c->site->cut.transposed;
    bool by_rows = cg_role_residual(c->site->role) == CG_RESIDUAL_ROWS;
    int64_t hidden = c->fact[CG_HIDDEN_SIZE];
    char name[NAME_ROOM];
    if (!c->site->cut.either || hidden < 0)
        return transposed;
    const char *at = strstr(c->tensor->name, ".gate_up_proj");
    if (axis[0] == axis[1] && at) {
        snprintf(name, sizeof name, "%.*s.down_proj", (int)(at - c->tensor->name), c->tensor->name);
        const struct cg_tensor *down = cg_checkpoint_find(c->model, name);
        if (down && down->axes == 3)
            return is_turned(down->shape + 1, true, transposed, hidden) != transposed;
    }
    return is_turned(axis, by_rows, transposed, hidden) != transposed;
}

static void orient(struct cutting *c, const int64_t axis[2], int axes)
{
    struct stored *s = &c->stored;
    int64_t stride[CG_MAX_AXES];
    cg_tensor_strides(c->tensor, stride);
    const int64_t *step = stride + c->tensor->axes - axes; /* of the axes that are left */
    if (axes == 1)
        *s = (struct stored){.vector = true, .out = axis[0], .in = 1, .out_stride = step[0], .in_stride = 1};
    else if (is_transposed(c, axis))
        *s = (struct stored){.out = axis[1], .in = axis[0], .out_stride = step[1], .in_stride = step[0]};
    else
        *s = (struct stored){.out = axis[0], .in = axis[1], .out_stride = step[0], .in_stride = step[1]};
    if (c->site->cut.stack == CG_STACK_HEADS)
        c->head_step = stride[0] / s->out_stride;
    else if (c->site->cut.stack != CG_STACK_NONE)
        c->parts->expert_stride = c->site->cut.stack == CG_STACK_ROWS ? axis[0] * stride[0] : stride[0];
}

/* A part holds, in each of `groups` of `length` outputs, `size` of them from `offset` on, `step` apart; and
 * where there are several `runs`, as many again from the next output on. */
struct share {
    int64_t groups, length, offset, size, step, runs;
};

/* head_dim, as config.json says it or leaves it to be worked out; -1 where neither. */
static int64_t head_dim_of(const struct cutting *c)
{
    int64_t dim = c->fact[CG_HEAD_DIM], heads = c->fact[CG_NUM_ATTENTION_HEADS],
            hidden = c->fact[CG_HIDDEN_SIZE];
    return dim < 0 && heads > 0 && hidden > 0 && hidden % heads == 0 ? hidden / heads : dim;
}

/* Each head's first half on its even rows, its second half on the odd ones. */
static int share_pairs(struct cutting *c, struct share share[CG_MOST_PARTS], struct cg_err *err)
{
    int64_t dim = head_dim_of(c), out = c->stored.out;
    if (dim < 0 || dim % 2 != 0) {
        c->whole = "the size of its heads is not known";
        return 0;
    }
    if (out % dim != 0)
        return refuse(c, "rows of queries or keys: a multiple of head_dim", dim, out, err);
    share[0] = (struct share){out / dim, dim, 0, dim / 2, 2, 2};
    c->parts->per_expert = 1;
    return 0;
}

/* Queries, keys and values from the heads: outputs in all are (heads + 2 kv) head_dim. */
static int share_heads(struct cutting *c, struct share share[CG_MOST_PARTS], struct cg_err *err)
{
    int64_t heads = c->fact[CG_NUM_ATTENTION_HEADS], kv = c->fact[CG_NUM_KEY_VALUE_HEADS];
    int64_t dim = head_dim_of(c), out = c->stored.out;
    bool by_head = c->site->cut.split == CG_SPLIT_QKV_BY_HEAD;
    if (heads < 0 || dim < 0) {
        c->whole = "the number and the size of its heads are not known";
        return 0;
    }
    /* Falcon's config.json states key-value heads that its multi-query models do not have. */
    if (kv < 0 || by_head)
        kv = (out / dim - heads) / 2;
    if (out % dim != 0)
        return refuse(c, "rows of queries, keys and values: a multiple of head_dim", dim, out, err);
    if (heads > out / dim || kv > heads || kv < 1 || heads % kv != 0)
        return refuse(c, "num_attention_heads is", heads, out / dim, err);
    if (out / dim - heads != 2 * kv)
        return refuse(c, "heads of keys and values together are", 2 * kv, out / dim - heads, err);
    int64_t groups = by_head ? kv : 1, queries = heads / groups * dim, keys = kv / groups * dim;
    int64_t length = queries + 2 * keys;
    share[0] = (struct share){groups, length, 0, queries, 1, 1};
    share[1] = (struct share){groups, length, queries, keys, 1, 1};
    share[2] = (struct share){groups, length, queries + keys, keys, 1, 1};
    c->parts->per_expert = 3;
    return 0;
}

/* Latent attention: each head's keys, then its values. */
static int share_latent(struct cutting *c, struct share share[CG_MOST_PARTS], struct cg_err *err)
{
    int64_t heads = c->fact[CG_NUM_ATTENTION_HEADS], key = c->model->config.qk_nope_head_dim;
    int64_t out = c->stored.out;
    if (heads < 1 || key < 1) {
        c->whole = "the number and the size of its heads are not known";
        return 0;
    }
    if (out % heads != 0 || out / heads <= key)
        return refuse(c, "rows of keys and values: more than qk_nope_head_dim for each head", key, out, err);
    share[0] = (struct share){heads, out / heads, 0, key, 1, 1};
    share[1] = (struct share){heads, out / heads, key, out / heads - key, 1, 1};
    c->parts->per_expert = 2;
    return 0;
}

static int share_out(struct cutting *c, struct share share[CG_MOST_PARTS], struct cg_err *err)
{
    int64_t out = c->stored.out;
    enum cg_split split = c->site->cut.split;
    if (split == CG_SPLIT_QKV || split == CG_SPLIT_QKV_BY_HEAD)
        return share_heads(c, share, err);
    if (split == CG_SPLIT_PAIRED)
        return share_pairs(c, share, err);
    if (split == CG_SPLIT_KV_BY_HEAD)
        return share_latent(c, share, err);
    c->parts->per_expert = split == CG_SPLIT_NONE ? 1 : 2;
    if (out % c->parts->per_expert != 0) {
        c->whole = "of an odd number of rows";
        return 0;
    }
    int64_t half = out / 2;
    if (split == CG_SPLIT_NONE)
        share[0] = c->head_step > 0 ? (struct share){c->tensor->shape[0], c->head_step, 0, out, 1, 1}
                                    : (struct share){1, out, 0, out, 1, 1};
    for (int p = 0; split != CG_SPLIT_NONE && p < 2; p++)
        share[p] = split == CG_SPLIT_HALVES ? (struct share){1, out, p * half, half, 1, 1}
                                            : (struct share){1, out, p, half, 2, 1};
    return 0;
}

/* Drops axes of one element and joins those that follow each other without a gap. */
void cg_view_join(struct cg_view *view)
{
    int kept = 0;
    for (int a = 0; a < view->axes; a++) {
        if (view->extent[a] == 1 && view->axes > 1)
            continue;
        if (kept > 0 && view->stride[kept - 1] == view->extent[a] * view->stride[a]) {
            view->extent[kept - 1] *= view->extent[a];
            view->stride[kept - 1] = view->stride[a];
        } else {
            view->extent[kept] = view->extent[a];
            view->stride[kept++] = view->stride[a];
        }
    }
    if (kept == 0) {
        view->extent[kept] = 1;
        view->stride[kept++] = 1;
    }
    for (int a = kept; a < CG_VIEW_AXES; a++)
        view->extent[a] = view->stride[a] = 0;
    view->axes = kept;
}

struct cg_view cg_strided_view(const struct cg_tensor *tensor)
{
    struct cg_view view = {0};
    int64_t extent[CG_MAX_AXES], stride[CG_MAX_AXES];
    view.axes = cg_tensor_joined(tensor, extent, stride);
    assert(view.axes <= CG_VIEW_AXES);
    memcpy(view.extent, extent, (size_t)view.axes * sizeof *extent);
    memcpy(view.stride, stride, (size_t)view.axes * sizeof *stride);
    return view;
}

static void make_part(struct cg_part *part, const struct stored *s, const struct share *share,
                      enum cg_role role)
{
    int64_t outputs = share->groups * share->runs * share->size;
    *part = (struct cg_part){
        .role = role, .rows = s->vector ? 1 : outputs, .columns = s->vector ? outputs : s->in};
    part->view = (struct cg_view){
        .base = share->offset * s->out_stride,
        .axes = 4,
        .extent = {share->groups, share->runs, share->size, s->in},
        .stride = {share->length * s->out_stride, s->out_stride, share->step * s->out_stride, s->in_stride}};
    cg_view_join(&part->view);
}

/* What runs over the residual stream is hidden_size long. */
static int check_hidden(struct cutting *c, const struct cg_part *part, struct cg_err *err)
{
    enum cg_residual axis = cg_role_residual(part->role);
    int64_t size = axis == CG_RESIDUAL_ROWS ? part->rows : part->columns, hidden = c->fact[CG_HIDDEN_SIZE];
    if (axis == CG_RESIDUAL_NONE || hidden < 0 || size == hidden || c->whole)
        return 0;
    return refuse(c, "hidden_size is", hidden, size, err);
}

/* Elements that share a byte or a scale can be told apart only by whole grains. */
static bool is_apart(const struct cg_parts *parts, enum cg_dtype dtype)
{
    int64_t grain = cg_dtype_grain(dtype).elements;
    for (int p = 0; grain > 1 && p < parts->per_expert; p++) {
        const struct cg_view *view = &parts->part[p].view;
        bool apart = view->base % grain == 0 && parts->expert_stride % grain == 0 &&
                     view->stride[view->axes - 1] == 1 && view->extent[view->axes - 1] % grain == 0;
        for (int a = 0; a < view->axes - 1; a++)
            apart = apart && view->stride[a] % grain == 0;
        if (!apart)
            return false;
    }
    return true;
}

int cg_cut(struct cg_parts *out, const struct cg_site *site, const struct cg_tensor *tensor,
           const struct cg_checkpoint *model, bool plain, const char **whole, struct cg_err *err)
{
    *out = (struct cg_parts){0};
    struct cutting c = {.parts = out,
                        .site = site,
                        .tensor = tensor,
                        .model = model,
                        .fact = model->config.fact,
                        .plain = plain};
    struct share share[CG_MOST_PARTS];
    int64_t axis[2];
    int axes, result = -1;
    if (site->cut.stack == CG_STACK_AXIS && *model->config.model_type == '\0')
        c.whole = "of a model_type that is not known";
    if (!c.whole)
        CG_TRY(unstack(&c, axis, &axes, err));
    if (!c.whole && tensor->elements == 0)
        c.whole = "empty";
    if (!c.whole) {
        orient(&c, axis, axes);
        CG_TRY(share_out(&c, share, err));
    }
    for (int p = 0; !c.whole && p < out->per_expert; p++) {
        make_part(&out->part[p], &c.stored, &share[p], site->parts[p]);
        CG_TRY(check_hidden(&c, &out->part[p], err));
    }
    if (!c.whole && !is_apart(out, tensor->dtype))
        c.whole = "of elements that share bytes";
    *whole = c.whole;
    result = 0;
done:
    return result;
}
