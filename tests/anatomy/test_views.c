/* Fused, packed and transposed tensors: the slots that they fill, and which of their elements each slot has.
 * The expected element is a formula of the row and column, from how the families' own code takes their
 * tensors apart. */
#include "models.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* H hidden, A heads, K key-value heads, D their size, I of an expert, E experts; no two products are alike.
 */
enum { H = 24, A = 6, K = 2, D = 5, I = 7, E = 3 };

/* The stored element of an expert's row r, column c. */
typedef int64_t (*element)(int64_t e, int64_t r, int64_t c);

/* clang-format off */
/* [q; k; v] rows of H columns, and their bias */
static int64_t q(int64_t e, int64_t r, int64_t c) { (void)e; return r * H + c; }
static int64_t k(int64_t e, int64_t r, int64_t c) { (void)e; return (A * D + r) * H + c; }
static int64_t v(int64_t e, int64_t r, int64_t c) { (void)e; return (A * D + K * D + r) * H + c; }
static int64_t q_bias(int64_t e, int64_t r, int64_t c) { (void)e; (void)r; return c; }
static int64_t k_bias(int64_t e, int64_t r, int64_t c) { (void)e; (void)r; return A * D + c; }
static int64_t v_bias(int64_t e, int64_t r, int64_t c) { (void)e; (void)r; return A * D + K * D + c; }
/* (K, A / K + 2, D) rows: the queries of a key-value head, its key, its value */
static int64_t group(int64_t h, int64_t slice, int64_t d) { return (h * (A / K + 2) + slice) * D + d; }
static int64_t grouped_q(int64_t e, int64_t r, int64_t c)
{ (void)e; return group(r / D / (A / K), r / D % (A / K), r % D) * H + c; }
static int64_t grouped_k(int64_t e, int64_t r, int64_t c) { (void)e; return group(r / D, A / K, r % D) * H + c; }
static int64_t grouped_v(int64_t e, int64_t r, int64_t c) { (void)e; return group(r / D, A / K + 1, r % D) * H + c; }
/* (A, 3, D): the same with as many key-value heads as heads; H = A * D' with D' = 4 */
static int64_t neox_q(int64_t e, int64_t r, int64_t c) { (void)e; return (r / 4 * 12 + r % 4) * H + c; }
static int64_t neox_k(int64_t e, int64_t r, int64_t c) { (void)e; return (r / 4 * 12 + 4 + r % 4) * H + c; }
static int64_t neox_v(int64_t e, int64_t r, int64_t c) { (void)e; return (r / 4 * 12 + 8 + r % 4) * H + c; }
static int64_t neox_k_bias(int64_t e, int64_t r, int64_t c) { (void)e; (void)r; return c / 4 * 12 + 4 + c % 4; }
/* (in, out) of GPT-2: q, k, v side by side */
static int64_t conv_q(int64_t e, int64_t r, int64_t c) { (void)e; return c * 3 * H + r; }
static int64_t conv_k(int64_t e, int64_t r, int64_t c) { (void)e; return c * 3 * H + H + r; }
static int64_t conv_v(int64_t e, int64_t r, int64_t c) { (void)e; return c * 3 * H + 2 * H + r; }
static int64_t conv_up(int64_t e, int64_t r, int64_t c) { (void)e; return c * 4 * H + r; }
static int64_t conv_down(int64_t e, int64_t r, int64_t c) { (void)e; return c * H + r; }
static int64_t conv_v_bias(int64_t e, int64_t r, int64_t c) { (void)e; (void)r; return 2 * H + c; }
/* gate above up */
static int64_t gate(int64_t e, int64_t r, int64_t c) { (void)e; return r * H + c; }
static int64_t up(int64_t e, int64_t r, int64_t c) { (void)e; return (I + r) * H + c; }
/* (E, H, 2I): halves, and alternating */
static int64_t in_gate(int64_t e, int64_t r, int64_t c) { return (e * H + c) * 2 * I + r; }
static int64_t in_up(int64_t e, int64_t r, int64_t c) { return (e * H + c) * 2 * I + I + r; }
static int64_t even(int64_t e, int64_t r, int64_t c) { return (e * H + c) * 2 * I + 2 * r; }
static int64_t odd(int64_t e, int64_t r, int64_t c) { return (e * H + c) * 2 * I + 2 * r + 1; }
static int64_t even_bias(int64_t e, int64_t r, int64_t c) { (void)r; return e * 2 * I + 2 * c; }
static int64_t odd_bias(int64_t e, int64_t r, int64_t c) { (void)r; return e * 2 * I + 2 * c + 1; }
static int64_t in_down(int64_t e, int64_t r, int64_t c) { return (e * I + c) * H + r; }
static int64_t down_bias(int64_t e, int64_t r, int64_t c) { (void)r; return e * H + c; }
/* (E, 2I, H), (E, H, I) */
static int64_t out_gate(int64_t e, int64_t r, int64_t c) { return (e * 2 * I + r) * H + c; }
static int64_t out_up(int64_t e, int64_t r, int64_t c) { return (e * 2 * I + I + r) * H + c; }
static int64_t out_down(int64_t e, int64_t r, int64_t c) { return (e * H + r) * I + c; }
/* GGUF: each head's rows 0 D/2 1 D/2+1 ..., with D' = 4 */
static int64_t paired_row(int64_t r) { return r / 4 * 4 + r % 2 * 2 + r % 4 / 2; }
static int64_t paired(int64_t e, int64_t r, int64_t c) { (void)e; return paired_row(r) * H + c; }
static int64_t paired_bias(int64_t e, int64_t r, int64_t c) { (void)e; (void)r; return paired_row(c); }
/* (A, H, D): keys of latent attention as llama.cpp stores them */
static int64_t latent_k(int64_t e, int64_t r, int64_t c) { (void)e; return (r / D * H + c) * D + r % D; }
/* (E, I, H) */
static int64_t expert_row(int64_t e, int64_t r, int64_t c) { return (e * I + r) * H + c; }
/* (E * I, H) */
static int64_t stacked(int64_t e, int64_t r, int64_t c) { return (e * I + r) * H + c; }
static int64_t stacked_down(int64_t e, int64_t r, int64_t c) { return (e * I + c) * H + r; }
/* clang-format on */

/* One part of a tensor; the next rows with no name are its other parts. */
struct part {
    const char *model_type, *tensor;
    int axes;
    int64_t shape[3];
    const char *slot; /* %d an expert */
    int64_t rows, columns;
    element element;
};

#define PACKED_SLOT "layers.1.experts.%d."

static const struct part parts[] = {
    {"phi3",
     "model.layers.1.self_attn.qkv_proj.weight",
     2,
     {(A + 2 * K) * D, H},
     "layers.1.attn.q",
     A *D,
     H,
     q},
    {.slot = "layers.1.attn.k", .rows = K * D, .columns = H, .element = k},
    {.slot = "layers.1.attn.v", .rows = K * D, .columns = H, .element = v},
    {"phi3",
     "model.layers.1.self_attn.qkv_proj.bias",
     1,
     {(A + 2 * K) * D},
     "layers.1.attn.q.bias",
     1,
     A *D,
     q_bias},
    {.slot = "layers.1.attn.k.bias", .rows = 1, .columns = K * D, .element = k_bias},
    {.slot = "layers.1.attn.v.bias", .rows = 1, .columns = K * D, .element = v_bias},
    {"glm4", "model.layers.1.mlp.gate_up_proj.weight", 2, {2 * I, H}, "layers.1.ffn.gate", I, H, gate},
    {.slot = "layers.1.ffn.up", .rows = I, .columns = H, .element = up},
    {"dbrx",
     "transformer.blocks.1.norm_attn_norm.attn.Wqkv.weight",
     2,
     {(A + 2 * K) * D, H},
     "layers.1.attn.q",
     A *D,
     H,
     q},
    {.slot = "layers.1.attn.k", .rows = K * D, .columns = H, .element = k},
    {.slot = "layers.1.attn.v", .rows = K * D, .columns = H, .element = v},
    {"falcon",
     "transformer.h.1.self_attention.query_key_value.weight",
     2,
     {(A + 2 * K) * D, H},
     "layers.1.attn.q",
     A *D,
     H,
     grouped_q},
    {.slot = "layers.1.attn.k", .rows = K * D, .columns = H, .element = grouped_k},
    {.slot = "layers.1.attn.v", .rows = K * D, .columns = H, .element = grouped_v},
    {"minimax",
     "model.layers.1.self_attn.qkv_proj.weight",
     2,
     {(A + 2 * K) * D, H},
     "layers.1.attn.q",
     A *D,
     H,
     grouped_q},
    {.slot = "layers.1.attn.k", .rows = K * D, .columns = H, .element = grouped_k},
    {.slot = "layers.1.attn.v", .rows = K * D, .columns = H, .element = grouped_v},
    {"gpt_neox",
     "gpt_neox.layers.1.attention.query_key_value.weight",
     2,
     {3 * H, H},
     "layers.1.attn.q",
     H,
     H,
     neox_q},
    {.slot = "layers.1.attn.k", .rows = H, .columns = H, .element = neox_k},
    {.slot = "layers.1.attn.v", .rows = H, .columns = H, .element = neox_v},
    {"gpt_neox",
     "gpt_neox.layers.1.attention.query_key_value.bias",
     1,
     {3 * H},
     "layers.1.attn.k.bias",
     1,
     H,
     neox_k_bias},
    {"gpt2", "transformer.h.1.attn.c_attn.weight", 2, {H, 3 * H}, "layers.1.attn.q", H, H, conv_q},
    {.slot = "layers.1.attn.k", .rows = H, .columns = H, .element = conv_k},
    {.slot = "layers.1.attn.v", .rows = H, .columns = H, .element = conv_v},
    {"gpt2", "h.1.attn.c_attn.bias", 1, {3 * H}, "layers.1.attn.v.bias", 1, H, conv_v_bias},
    {"gpt2", "h.1.mlp.c_fc.weight", 2, {H, 4 * H}, "layers.1.ffn.up", 4 * H, H, conv_up},
    {"gpt2", "h.1.mlp.c_proj.weight", 2, {4 * H, H}, "layers.1.ffn.down", H, 4 * H, conv_down},
    {"llama4",
     "language_model.model.layers.1.feed_forward.experts.gate_up_proj",
     3,
     {E, H, 2 * I},
     PACKED_SLOT "ffn.gate",
     I,
     H,
     in_gate},
    {.slot = PACKED_SLOT "ffn.up", .rows = I, .columns = H, .element = in_up},
    {"llama4_text",
     "model.layers.1.feed_forward.experts.down_proj",
     3,
     {E, I, H},
     PACKED_SLOT "ffn.down",
     H,
     I,
     in_down},
    {"gpt_oss",
     "model.layers.1.mlp.experts.gate_up_proj",
     3,
     {E, H, 2 * I},
     PACKED_SLOT "ffn.gate",
     I,
     H,
     even},
    {.slot = PACKED_SLOT "ffn.up", .rows = I, .columns = H, .element = odd},
    {"gpt_oss",
     "model.layers.1.mlp.experts.gate_up_proj_bias",
     2,
     {E, 2 * I},
     PACKED_SLOT "ffn.gate.bias",
     1,
     I,
     even_bias},
    {.slot = PACKED_SLOT "ffn.up.bias", .rows = 1, .columns = I, .element = odd_bias},
    {"gpt_oss", "model.layers.1.mlp.experts.down_proj", 3, {E, I, H}, PACKED_SLOT "ffn.down", H, I, in_down},
    {"gpt_oss",
     "model.layers.1.mlp.experts.down_proj_bias",
     2,
     {E, H},
     PACKED_SLOT "ffn.down.bias",
     1,
     H,
     down_bias},
    {"qwen3_vl_moe",
     "model.language_model.layers.1.mlp.experts.gate_up_proj",
     3,
     {E, H, 2 * I},
     PACKED_SLOT "ffn.gate",
     I,
     H,
     in_gate},
    {.slot = PACKED_SLOT "ffn.up", .rows = I, .columns = H, .element = in_up},
    {"qwen3_vl_moe",
     "model.language_model.layers.1.mlp.experts.down_proj",
     3,
     {E, I, H},
     PACKED_SLOT "ffn.down",
     H,
     I,
     in_down},
    {"qwen3_vl_moe",
     "model.language_model.layers.1.mlp.experts.gate_up_proj",
     3,
     {E, 2 * I, H},
     PACKED_SLOT "ffn.gate",
     I,
     H,
     out_gate},
    {.slot = PACKED_SLOT "ffn.up", .rows = I, .columns = H, .element = out_up},
    {"qwen3_vl_moe",
     "model.language_model.layers.1.mlp.experts.down_proj",
     3,
     {E, H, I},
     PACKED_SLOT "ffn.down",
     H,
     I,
     out_down},
    {"mixtral",
     "model.layers.1.mlp.experts.gate_up_proj",
     3,
     {E, 2 * I, H},
     PACKED_SLOT "ffn.gate",
     I,
     H,
     out_gate},
    {.slot = PACKED_SLOT "ffn.up", .rows = I, .columns = H, .element = out_up},
    {"mixtral", "model.layers.1.mlp.experts.down_proj", 3, {E, H, I}, PACKED_SLOT "ffn.down", H, I, out_down},
    {"jamba",
     "model.layers.1.feed_forward.experts.gate_up_proj",
     3,
     {E, 2 * I, H},
     PACKED_SLOT "ffn.gate",
     I,
     H,
     out_gate},
    {.slot = PACKED_SLOT "ffn.up", .rows = I, .columns = H, .element = out_up},
    {"dbrx", "transformer.blocks.1.ffn.experts.mlp.w1", 2, {E * I, H}, PACKED_SLOT "ffn.gate", I, H, stacked},
    {"dbrx", "transformer.blocks.1.ffn.experts.mlp.v1", 2, {E * I, H}, PACKED_SLOT "ffn.up", I, H, stacked},
    {"dbrx",
     "transformer.blocks.1.ffn.experts.mlp.w2",
     2,
     {E * I, H},
     PACKED_SLOT "ffn.down",
     H,
     I,
     stacked_down},

    /* clang-format off */
    {"gpt_bigcode", "transformer.h.1.attn.c_attn.weight", 2, {(A + 2 * K) * D, H}, "layers.1.attn.q", A * D, H, grouped_q},
    {.slot = "layers.1.attn.k", .rows = K * D, .columns = H, .element = grouped_k},
    {.slot = "layers.1.attn.v", .rows = K * D, .columns = H, .element = grouped_v},
    {"qwen", "transformer.h.1.attn.c_attn.weight", 2, {(A + 2 * K) * D, H}, "layers.1.attn.q", A * D, H, q},
    {.slot = "layers.1.attn.k", .rows = K * D, .columns = H, .element = k},
    {.slot = "layers.1.attn.v", .rows = K * D, .columns = H, .element = v},
    {"persimmon", "model.layers.1.self_attn.query_key_value.weight", 2, {(A + 2 * K) * D, H}, "layers.1.attn.q", A * D, H, grouped_q},
    {.slot = "layers.1.attn.k", .rows = K * D, .columns = H, .element = grouped_k},
    {.slot = "layers.1.attn.v", .rows = K * D, .columns = H, .element = grouped_v},
    {"internlm2", "model.layers.1.attention.wqkv.weight", 2, {(A + 2 * K) * D, H}, "layers.1.attn.q", A * D, H, grouped_q},
    {.slot = "layers.1.attn.k", .rows = K * D, .columns = H, .element = grouped_k},
    {.slot = "layers.1.attn.v", .rows = K * D, .columns = H, .element = grouped_v},
    {"baichuan", "model.layers.1.self_attn.W_pack.weight", 2, {(A + 2 * K) * D, H}, "layers.1.attn.q", A * D, H, q},
    {.slot = "layers.1.attn.k", .rows = K * D, .columns = H, .element = k},
    {.slot = "layers.1.attn.v", .rows = K * D, .columns = H, .element = v},
    {"mpt", "transformer.blocks.1.attn.Wqkv.weight", 2, {(A + 2 * K) * D, H}, "layers.1.attn.q", A * D, H, q},
    {.slot = "layers.1.attn.k", .rows = K * D, .columns = H, .element = k},
    {.slot = "layers.1.attn.v", .rows = K * D, .columns = H, .element = v},
    {"modernbert", "model.layers.1.attn.Wqkv.weight", 2, {(A + 2 * K) * D, H}, "layers.1.attn.q", A * D, H, q},
    {.slot = "layers.1.attn.k", .rows = K * D, .columns = H, .element = k},
    {.slot = "layers.1.attn.v", .rows = K * D, .columns = H, .element = v},
    {"chatglm", "transformer.encoder.layers.1.self_attention.query_key_value.weight", 2, {(A + 2 * K) * D, H}, "layers.1.attn.q", A * D, H, q},
    {.slot = "layers.1.attn.k", .rows = K * D, .columns = H, .element = k},
    {.slot = "layers.1.attn.v", .rows = K * D, .columns = H, .element = v},
    {"modernbert", "model.layers.1.mlp.Wi.weight", 2, {2 * I, H}, "layers.1.ffn.gate", I, H, gate},
    {.slot = "layers.1.ffn.up", .rows = I, .columns = H, .element = up},
    {"chatglm", "transformer.encoder.layers.1.mlp.dense_h_to_4h.weight", 2, {2 * I, H}, "layers.1.ffn.gate", I, H, gate},
    {.slot = "layers.1.ffn.up", .rows = I, .columns = H, .element = up},
    {"granitemoeshared", "model.layers.1.shared_mlp.input_linear.weight", 2, {2 * I, H}, "layers.1.shared.gate", I, H, gate},
    {.slot = "layers.1.shared.up", .rows = I, .columns = H, .element = up},
    {"granitemoe", "model.layers.1.block_sparse_moe.input_linear.weight", 3, {E, 2 * I, H}, PACKED_SLOT "ffn.gate", I, H, out_gate},
    {.slot = PACKED_SLOT "ffn.up", .rows = I, .columns = H, .element = out_up},
    {"granitemoe", "model.layers.1.block_sparse_moe.output_linear.weight", 3, {E, H, I}, PACKED_SLOT "ffn.down", H, I, out_down},
    {"deepseek2", "blk.1.attn_k_b.weight", 3, {A, H, D}, "layers.1.attn.k_b", A * D, H, latent_k},
    {"deepseek2", "blk.1.attn_v_b.weight", 3, {A, D, H}, "layers.1.attn.v_b", A * D, H, gate},
    {"llama", "layers.1.attention.wq.weight", 2, {H, H}, "layers.1.attn.q", H, H, paired},
    {"llama", "layers.1.attention.wk.weight", 2, {8, H}, "layers.1.attn.k", 8, H, paired},
    /* clang-format on */

    {"llama", "blk.1.attn_q.weight", 2, {H, H}, "layers.1.attn.q", H, H, paired},
    {"llama", "blk.1.attn_k.weight", 2, {8, H}, "layers.1.attn.k", 8, H, paired},
    {"llama", "blk.1.attn_k.bias", 1, {8}, "layers.1.attn.k.bias", 1, 8, paired_bias},
    {"phi3", "blk.1.attn_qkv.weight", 2, {(A + 2 * K) * D, H}, "layers.1.attn.q", A *D, H, q},
    {NULL, NULL, 0, {0}, "layers.1.attn.k", K *D, H, k},
    {NULL, NULL, 0, {0}, "layers.1.attn.v", K *D, H, v},
    {"phi3", "blk.1.ffn_up.weight", 2, {2 * I, H}, "layers.1.ffn.gate", I, H, gate},
    {NULL, NULL, 0, {0}, "layers.1.ffn.up", I, H, up},
    {"mixtral", "blk.1.ffn_gate_exps.weight", 3, {E, I, H}, PACKED_SLOT "ffn.gate", I, H, expert_row},
    {"gpt_oss", "blk.1.ffn_up_exps.weight", 3, {E, I, H}, PACKED_SLOT "ffn.up", I, H, expert_row},
    {"gpt_oss", "blk.1.ffn_down_exps.weight", 3, {E, H, I}, PACKED_SLOT "ffn.down", H, I, out_down},
    {"gpt_oss", "blk.1.ffn_down_exps.bias", 2, {E, H}, PACKED_SLOT "ffn.down.bias", 1, H, down_bias},
    {"mixtral", "blk.1.ffn_gate_up_exps.weight", 3, {E, 2 * I, H}, PACKED_SLOT "ffn.gate", I, H, out_gate},
    {NULL, NULL, 0, {0}, PACKED_SLOT "ffn.up", I, H, out_up},
};

static struct cg_checkpoint *model_of(const char *model_type)
{
    bool d_is_five = strcmp(model_type, "gpt2") != 0 && strcmp(model_type, "gpt_neox") != 0 &&
                     strcmp(model_type, "llama") != 0;
    struct cg_checkpoint *model = model_new("", -1);
    free(model->config.model_type);
    model->config.model_type = strdup(model_type);
    assert_non_null(model->config.model_type);
    model->config.fact[CG_HIDDEN_SIZE] = H;
    model->config.fact[CG_NUM_ATTENTION_HEADS] = A;
    model->config.fact[CG_NUM_EXPERTS] = E;
    if (d_is_five) {
        model->config.fact[CG_NUM_KEY_VALUE_HEADS] = K;
        model->config.fact[CG_HEAD_DIM] = D;
    }
    return model;
}

/* Where an element lies when the last two axes of its tensor lie the other way round. */
static int64_t turned(const struct cg_tensor *tensor, int64_t index)
{
    int64_t rows = tensor->shape[tensor->axes - 2], columns = tensor->shape[tensor->axes - 1];
    int64_t matrix = index / (rows * columns), within = index % (rows * columns);
    return matrix * rows * columns + within % columns * rows + within / columns;
}

/* Every element of the member, in order. */
static void check_member(const struct cg_member *member, const struct cg_tensor *tensor,
                         const struct part *part, int expert)
{
    const struct cg_view *view = member->view;
    int64_t at[CG_VIEW_AXES] = {0}, n = 1;
    assert_int_equal(member->rows, part->rows);
    assert_int_equal(member->columns, part->columns);
    assert_non_null(view);
    assert_in_range(view->axes, 1, CG_VIEW_AXES);
    for (int a = 0; a < view->axes; a++)
        n *= view->extent[a];
    assert_int_equal(n, part->rows * part->columns);
    for (int64_t i = 0; i < n; i++) {
        int64_t found = view->base;
        for (int a = 0; a < view->axes; a++)
            found += at[a] * view->stride[a];
        int64_t expected = part->element(expert, i / part->columns, i % part->columns);
        assert_int_equal(found, tensor->stride ? turned(tensor, expected) : expected);
        for (int a = view->axes - 1; a >= 0 && ++at[a] == view->extent[a]; a--)
            at[a] = 0;
    }
    for (int a = 1; a < view->axes; a++) /* neighbours that could be one axis are */
        assert_int_not_equal(view->stride[a - 1], view->extent[a] * view->stride[a]);
}

static void check_parts(bool transposed)
{
    for (size_t i = 0, next; i < sizeof parts / sizeof *parts; i = next) {
        struct cg_checkpoint *model = model_of(parts[i].model_type);
        model_add(model, CG_BF16, parts[i].axes, parts[i].shape, "%s", parts[i].tensor);
        if (transposed && parts[i].axes > 1)
            model_turn(&model->tensors[0]);
        const struct cg_checkpoint *models[] = {model};
        struct cg_anatomy anatomy;
        struct cg_err err = {0};
        if (cg_anatomy_build(&anatomy, models, 1, &err) < 0)
            fail_msg("%s: %s", parts[i].tensor, err.text);
        assert_int_equal(anatomy.warnings[0].size, 0);
        int64_t elements = 0;
        for (int64_t s = 0; s < anatomy.nslots; s++)
            elements += anatomy.members[s].rows * anatomy.members[s].columns;
        assert_int_equal(elements, model->tensors[0].elements);
        for (next = i; next == i || (next < sizeof parts / sizeof *parts && !parts[next].tensor); next++)
            for (int e = 0; e < (strchr(parts[next].slot, '%') ? E : 1); e++) {
                char name[100];
                snprintf(name, sizeof name, parts[next].slot, e);
                int64_t slot = slot_named(&anatomy, name);
                if (slot < 0)
                    fail_msg("%s: no slot %s", parts[i].tensor, name);
                check_member(&anatomy.members[slot], &model->tensors[0], &parts[next], e);
            }
        cg_anatomy_release(&anatomy);
        model_free(model);
    }
}

static void test_parts(void **state)
{
    (void)state;
    check_parts(false);
}

/* The same tensors, stored transposed: every part is the same elements in other places. */
static void test_parts_of_transposed(void **state)
{
    (void)state;
    check_parts(true);
}

/* Tensors whose sizes contradict config.json. */
static const struct {
    const char *model_type, *tensor;
    int axes;
    int64_t shape[3];
    const char *text;
} contradictions[] = {
    /* clang-format off */
    {"phi3", "model.layers.1.self_attn.qkv_proj.weight", 2, {(A + 2 * K) * D + 1, H},
     "a multiple of head_dim 5, but"},
    {"phi3", "model.layers.1.self_attn.qkv_proj.weight", 2, {(A + 4 * K) * D, H},
     "keys and values together are 4, but the tensor's shape says 8"},
    {"phi3", "model.layers.1.self_attn.qkv_proj.weight", 2, {(A + 2 * K) * D, H + 1},
     "hidden_size is 24, but the tensor's shape says 25"},
    {"phi3", "model.layers.1.self_attn.qkv_proj.weight", 2, {D, H},
     "num_attention_heads is 6, but the tensor's shape says 1"},
    {"falcon", "transformer.h.1.self_attention.query_key_value.weight", 2, {A * D, H},
     "num_attention_heads is 6"},
    {"falcon", "transformer.h.1.self_attention.query_key_value.weight", 2, {(A + 2 * 4) * D, H},
     "num_attention_heads is 6"},
    {"gpt2", "h.1.attn.c_attn.weight", 2, {3 * H, H}, ""},
    {"gpt_oss", "model.layers.1.mlp.experts.gate_up_proj", 3, {E, 2 * I, H}, "hidden_size is 24"},
    {"llama4", "model.layers.1.feed_forward.experts.down_proj", 3, {E, H, I}, "hidden_size is 24"},
    {"mixtral", "model.layers.1.mlp.experts.gate_up_proj", 3, {E, H, 2 * I}, "hidden_size is 24"},
    {"qwen3_vl_moe", "model.layers.1.mlp.experts.gate_up_proj", 3, {E, 2 * I, 2 * I}, "hidden_size is 24"},
    {"mixtral", "model.layers.1.mlp.experts.down_proj", 3, {E + 1, H, I},
     "num_experts is 3, but the tensor's shape says 4"},
    {"dbrx", "transformer.blocks.1.ffn.experts.mlp.w1", 2, {E * I + 1, H}, "a multiple of num_experts"},
    {"llama", "blk.1.attn_q.weight", 2, {H + 2, H},
     "a multiple of head_dim 4, but the tensor's shape says 26"},
    {"llama", "blk.1.attn_k.weight", 2, {8, H + 1}, "hidden_size is 24, but the tensor's shape says 25"},
    /* clang-format on */
};

static void test_contradictions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof contradictions / sizeof *contradictions; i++) {
        struct cg_checkpoint *model = model_of(contradictions[i].model_type);
        const struct cg_checkpoint *models[] = {model};
        struct cg_anatomy anatomy;
        struct cg_err err = {0};
        model_add(model, CG_BF16, contradictions[i].axes, contradictions[i].shape, "%s",
                  contradictions[i].tensor);
        if (cg_anatomy_build(&anatomy, models, 1, &err) == 0)
            fail_msg("row %zu was taken", i);
        assert_int_equal(err.code, CG_EMISMATCH);
        if (!strstr(err.text, contradictions[i].tensor) || !strstr(err.text, contradictions[i].text))
            fail_msg("row %zu: %s", i, err.text);
        cg_anatomy_release(&anatomy);
        model_free(model);
    }
}

/* Tensors that stay whole, with a warning. */
static const struct {
    const char *model_type, *tensor;
    enum cg_fact unknown; /* a fact taken away */
    enum cg_dtype dtype;
    const char *quant_method;
    int axes;
    int64_t shape[3];
    const char *text;
} uncut[] = {
    /* clang-format off */
    {"phi3", "model.layers.1.self_attn.qkv_proj.weight", CG_NUM_ATTENTION_HEADS, CG_BF16, "", 2, {(A + 2 * K) * D, H},
     "heads are not known"},
    {"", "model.layers.1.mlp.experts.gate_up_proj", CG_NUM_HIDDEN_LAYERS, CG_BF16, "", 3, {E, 2 * I, H},
     "model_type that is not known"},
    {"dbrx", "transformer.blocks.1.ffn.experts.mlp.w1", CG_NUM_EXPERTS, CG_BF16, "", 2, {E * I, H},
     "number of its experts is not known"},
    {"phi3", "model.layers.1.self_attn.qkv_proj.weight", CG_NUM_HIDDEN_LAYERS, CG_U8, "bitsandbytes", 2, {777, 1},
     "codes without their weight.absmax"},
    {"mixtral", "model.layers.1.mlp.experts.down_proj", CG_NUM_HIDDEN_LAYERS, CG_BF16, "", 2, {E * H, I},
     "not of the shape"},
    {"phi3", "model.layers.1.mlp.gate_up_proj.weight", CG_NUM_HIDDEN_LAYERS, CG_BF16, "", 2, {2 * I + 1, H},
     "odd number"},
    {"phi3", "model.layers.1.mlp.gate_up_proj.weight", CG_NUM_HIDDEN_LAYERS, CG_BF16, "", 2, {0, H}, "empty"},
    {"gpt2", "h.1.mlp.c_fc.weight", CG_NUM_HIDDEN_LAYERS, CG_F4, "", 2, {H, 4 * H}, "that share bytes"},
    {"mixtral", "model.layers.1.mlp.experts.down_proj", CG_NUM_EXPERTS, CG_BF16, "", 3, {100000, H, I},
     "experts is not known"},
    /* clang-format on */
};

static void test_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof uncut / sizeof *uncut; i++) {
        struct cg_checkpoint *model = model_of(uncut[i].model_type);
        const struct cg_checkpoint *models[] = {model};
        struct cg_anatomy anatomy;
        struct cg_err err = {0};
        model->config.fact[uncut[i].unknown] = -1;
        free(model->config.quant_method);
        model->config.quant_method = strdup(uncut[i].quant_method);
        model_add(model, uncut[i].dtype, uncut[i].axes, uncut[i].shape, "%s", uncut[i].tensor);
        if (cg_anatomy_build(&anatomy, models, 1, &err) < 0)
            fail_msg("row %zu: %s", i, err.text);
        assert_int_equal(anatomy.nslots, 1);
        assert_int_equal(anatomy.slots[0].role, CG_ROLE_OTHER);
        assert_string_equal(anatomy.slots[0].name, uncut[i].tensor);
        assert_null(anatomy.members[0].view);
        if (!anatomy.warnings[0].data || !strstr(anatomy.warnings[0].data, uncut[i].text))
            fail_msg("row %zu: %s", i, anatomy.warnings[0].data ? anatomy.warnings[0].data : "no warning");
        cg_anatomy_release(&anatomy);
        model_free(model);
    }
}

/* Rows of four-bit elements in whole bytes can be told apart; a fused tensor beside its parts stays whole. */
static void test_meetings(void **state)
{
    (void)state;
    struct cg_checkpoint *model = model_of("phi3");
    const struct cg_checkpoint *models[] = {model};
    struct cg_anatomy anatomy;
    struct cg_err err = {0};
    model_add(model, CG_F4, 2, (int64_t[]){2 * I, H}, "model.layers.0.mlp.gate_up_proj.weight");
    MODEL_MATRIX(model, K * D, H, "model.layers.1.self_attn.k_proj.weight");
    MODEL_MATRIX(model, (A + 2 * K) * D, H, "model.layers.1.self_attn.qkv_proj.weight");
    model_sort(model);
    assert_int_equal(cg_anatomy_build(&anatomy, models, 1, &err), 0);
    static const char *const slots[] = {"layers.0.ffn.gate", "layers.0.ffn.up", "layers.1.attn.k",
                                        "model.layers.1.self_attn.qkv_proj.weight"};
    assert_int_equal(anatomy.nslots, 4);
    for (int s = 0; s < 4; s++)
        assert_string_equal(anatomy.slots[s].name, slots[s]);
    assert_int_equal(anatomy.members[1].view->base, I * H);
    assert_null(anatomy.members[2].view);
    assert_null(anatomy.members[3].view);
    cg_anatomy_release(&anatomy);
    model_free(model);
}

/* Gate and up together square, so that only the down projection tells which axis is the output. */
static void test_square(void **state)
{
    (void)state;
    for (int by_columns = 0; by_columns < 2; by_columns++) {
        struct cg_checkpoint *model = model_of("qwen3_vl_moe");
        const struct cg_checkpoint *models[] = {model};
        struct cg_anatomy anatomy;
        struct cg_err err = {0};
        model_add(model, CG_BF16, 3, (int64_t[]){E, by_columns ? H / 2 : H, by_columns ? H : H / 2},
                  "model.layers.1.mlp.experts.down_proj");
        model_add(model, CG_BF16, 3, (int64_t[]){E, H, H}, "model.layers.1.mlp.experts.gate_up_proj");
        assert_int_equal(cg_anatomy_build(&anatomy, models, 1, &err), 0);
        for (int64_t s = 0; s < anatomy.nslots; s++) {
            const struct cg_view *view = cg_member_of(&anatomy, s, 0)->view;
            if (anatomy.slots[s].role == CG_ROLE_FFN_UP)
                assert_int_equal(view->base % (H * H), by_columns ? H / 2 : H / 2 * H);
        }
        assert_int_equal(anatomy.nslots, 3 * E);
        cg_anatomy_release(&anatomy);
        model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),          cmocka_unit_test(test_parts_of_transposed),

        cmocka_unit_test(test_contradictions), cmocka_unit_test(test_whole),
        cmocka_unit_test(test_meetings),       cmocka_unit_test(test_square),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
