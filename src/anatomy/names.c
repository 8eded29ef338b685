#include "names.h"
#include "cognate/text.h"
#include <string.h>

/* Which models a row is for. */
enum models {
    ALL,
    WITH_POST_FFN_NORM,
    WITH_CONV1D,
    WITH_QKV_BY_HEAD,
    WITH_PAIRED_ROWS,
    WITH_FUSED_UP,
    WITHOUT_OTHER_QKV,
    WITH_TWO_ATTN_NORMS
};

struct row {
    const char
        *pattern; /* the whole name behind its prefix; # is a layer's number, the second # an expert's */
    size_t length;
    enum models models;
    bool packed; /* the model's own cut of experts; `cut` counts for nothing */
    bool buffer;
    struct cg_cut cut;
    enum cg_role parts[CG_MOST_PARTS];
};

#define PATTERN(text) .pattern = text, .length = sizeof(text) - 1
#define ROW(name, role)                                                                                      \
    {                                                                                                        \
        PATTERN(name), .parts = { CG_ROLE_##role }                                                           \
    }
#define ROW_IN(which, name, role)                                                                            \
    {                                                                                                        \
        PATTERN(name), .models = which, .parts = { CG_ROLE_##role }                                          \
    }
/* A linear layer or a norm with its bias. */
#define PAIR(stem, role) ROW(stem ".weight", role), ROW(stem ".bias", role##_BIAS)
/* A norm as TensorFlow's BERT named it, too. */
#define OLD_NORM(stem, role) PAIR(stem, role), ROW(stem ".gamma", role), ROW(stem ".beta", role##_BIAS)

/* Several roles in one tensor: queries, keys and values; gate and up. The bias is cut as the weight is. */
#define QKV(which, how, name, bias)                                                                          \
    {                                                                                                        \
        PATTERN(name), .models = which, .cut = {.split = CG_SPLIT_##how}, .parts = {                         \
            CG_ROLE_ATTN_Q##bias,                                                                            \
            CG_ROLE_ATTN_K##bias,                                                                            \
            CG_ROLE_ATTN_V##bias                                                                             \
        }                                                                                                    \
    }
#define QKV_PAIR(which, how, stem) QKV(which, how, stem ".weight", ), QKV(which, how, stem ".bias", _BIAS)
#define GATE_UP(which, name, bias)                                                                           \
    {                                                                                                        \
        PATTERN(name), .models = which, .cut = {.split = CG_SPLIT_HALVES}, .parts = {                        \
            CG_ROLE_FFN_GATE##bias,                                                                          \
            CG_ROLE_FFN_UP##bias                                                                             \
        }                                                                                                    \
    }
/* All experts of a layer in one tensor, as the model packs them; or one below the other. */
#define PACKED(name, ...)                                                                                    \
    {                                                                                                        \
        PATTERN(name), .packed = true, .parts = { __VA_ARGS__ }                                              \
    }
#define STACKED(name, is_transposed, role)                                                                   \
    {                                                                                                        \
        PATTERN(name), .cut = {.stack = CG_STACK_ROWS, .transposed = is_transposed}, .parts = {              \
            CG_ROLE_##role                                                                                   \
        }                                                                                                    \
    }
/* A linear layer of GPT-2, stored (in, out). */
#define CONV1D(stem, role)                                                                                   \
    {PATTERN(stem ".weight"), .models = WITH_CONV1D, .cut = {.transposed = true},                            \
     .parts = {CG_ROLE_##role}},                                                                             \
        ROW_IN(WITH_CONV1D, stem ".bias", role##_BIAS)
/* GGUF: queries or keys whose rows the converter has reordered; all experts of a layer on an axis of their
 * own, in whatever model. */
#define PAIRED(name, role)                                                                                   \
    {                                                                                                        \
        PATTERN(name), .models = WITH_PAIRED_ROWS, .cut = {.split = CG_SPLIT_PAIRED}, .parts = {             \
            CG_ROLE_##role                                                                                   \
        }                                                                                                    \
    }
#define EXPERTS(stem, role)                                                                                  \
    {PATTERN(stem ".weight"), .cut = {.stack = CG_STACK_AXIS}, .parts = {CG_ROLE_##role}},                   \
    {                                                                                                        \
        PATTERN(stem ".bias"), .cut = {.stack = CG_STACK_AXIS}, .parts = { CG_ROLE_##role##_BIAS }           \
    }
/* No weight, though it is stored as one. */
#define BUFFER(name)                                                                                         \
    {                                                                                                        \
        PATTERN(name), .buffer = true, .parts = { CG_ROLE_OTHER }                                            \
    }

/* What may stand before a pattern; the first that fits is cut off. */
static const char *const prefixes[] = {
    "model.language_model.",
    "language_model.model.",
    "language_model.",
    "model.",
    "bert.",
    "transformer.",
    "gpt_neox.",
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
    BUFFER("layers.#.self_attn.rotary_emb.inv_freq"),
    BUFFER("rotary_emb.inv_freq"),

    /* Phi-3, GLM-4: fused rows. MiniMax's linear attention has the same name for another order. */
    QKV_PAIR(WITH_QKV_BY_HEAD, QKV_BY_HEAD, "layers.#.self_attn.qkv_proj"),
    QKV_PAIR(ALL, QKV, "layers.#.self_attn.qkv_proj"),
    GATE_UP(ALL, "layers.#.mlp.gate_up_proj.weight", ),
    GATE_UP(ALL, "layers.#.mlp.gate_up_proj.bias", _BIAS),
    PAIR("layers.#.self_attn.out_proj", ATTN_O),
    ROW("layers.#.self_attn.output_gate.weight", ATTN_GATE),
    ROW("layers.#.self_attn.norm.weight", ATTN_INNER_NORM),

    /* Gemma 2 and 3, OLMo2: norms behind each block. There, and only there, post_attention_layernorm is
     * what its name says; in all others it stands before the feed-forward block. */
    PAIR("layers.#.pre_feedforward_layernorm", FFN_NORM),
    PAIR("layers.#.post_feedforward_layernorm", FFN_POST_NORM),
    ROW_IN(WITH_POST_FFN_NORM, "layers.#.post_attention_layernorm.weight", ATTN_POST_NORM),
    ROW_IN(WITH_POST_FFN_NORM, "layers.#.post_attention_layernorm.bias", ATTN_POST_NORM_BIAS),
    PAIR("layers.#.post_attention_layernorm", FFN_NORM),
    PAIR("layers.#.post_self_attn_layernorm", ATTN_POST_NORM), /* GLM-4 of 2025: norms behind, too */
    PAIR("layers.#.post_mlp_layernorm", FFN_POST_NORM),

    /* Mixtral, Phi-3.5-MoE, MiniMax */
    ROW("layers.#.block_sparse_moe.gate.weight", ROUTER),
    ROW("layers.#.block_sparse_moe.experts.#.w1.weight", FFN_GATE),
    ROW("layers.#.block_sparse_moe.experts.#.w2.weight", FFN_DOWN),
    ROW("layers.#.block_sparse_moe.experts.#.w3.weight", FFN_UP),
    ROW("layers.#.block_sparse_moe.e_score_correction_bias", ROUTER_BIAS),

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

    /* ERNIE-4.5, Hunyuan */
    ROW("layers.#.mlp.moe_statics.e_score_correction_bias", ROUTER_BIAS),
    ROW("layers.#.mlp.gate.wg.weight", ROUTER),
    ROW("layers.#.mlp.shared_mlp.gate_proj.weight", SHARED_GATE),
    ROW("layers.#.mlp.shared_mlp.up_proj.weight", SHARED_UP),
    ROW("layers.#.mlp.shared_mlp.down_proj.weight", SHARED_DOWN),
    ROW("layers.#.self_attn.query_layernorm.weight", ATTN_Q_NORM),
    ROW("layers.#.self_attn.key_layernorm.weight", ATTN_K_NORM),

    /* Packed experts: gpt-oss, Qwen3-VL-MoE, whatever transformers 5 saves as it lies in memory */
    PACKED("layers.#.mlp.experts.gate_up_proj", CG_ROLE_FFN_GATE, CG_ROLE_FFN_UP),
    PACKED("layers.#.mlp.experts.gate_up_proj_bias", CG_ROLE_FFN_GATE_BIAS, CG_ROLE_FFN_UP_BIAS),
    PACKED("layers.#.mlp.experts.down_proj", CG_ROLE_FFN_DOWN),
    PACKED("layers.#.mlp.experts.down_proj_bias", CG_ROLE_FFN_DOWN_BIAS),
    PAIR("layers.#.mlp.router", ROUTER),
    ROW("layers.#.self_attn.sinks", ATTN_SINKS),

    /* Llama-4, Jamba */
    PACKED("layers.#.feed_forward.experts.gate_up_proj", CG_ROLE_FFN_GATE, CG_ROLE_FFN_UP),
    PACKED("layers.#.feed_forward.experts.down_proj", CG_ROLE_FFN_DOWN),
    ROW("layers.#.feed_forward.experts.#.gate_proj.weight", FFN_GATE),
    ROW("layers.#.feed_forward.experts.#.up_proj.weight", FFN_UP),
    ROW("layers.#.feed_forward.experts.#.down_proj.weight", FFN_DOWN),
    ROW("layers.#.feed_forward.router.weight", ROUTER),
    ROW("layers.#.feed_forward.shared_expert.gate_proj.weight", SHARED_GATE),
    ROW("layers.#.feed_forward.shared_expert.up_proj.weight", SHARED_UP),
    ROW("layers.#.feed_forward.shared_expert.down_proj.weight", SHARED_DOWN),
    ROW("layers.#.feed_forward.gate_proj.weight", FFN_GATE),
    ROW("layers.#.feed_forward.up_proj.weight", FFN_UP),
    ROW("layers.#.feed_forward.down_proj.weight", FFN_DOWN),
    ROW("layers.#.pre_ff_layernorm.weight", FFN_NORM),
    ROW("final_layernorm.weight", FINAL_NORM),
    PAIR("layers.#.mamba.in_proj", MAMBA_IN),
    PAIR("layers.#.mamba.conv1d", MAMBA_CONV),
    ROW("layers.#.mamba.x_proj.weight", MAMBA_X),
    ROW("layers.#.mamba.dt_layernorm.weight", MAMBA_DT_NORM),
    ROW("layers.#.mamba.b_layernorm.weight", MAMBA_B_NORM),
    ROW("layers.#.mamba.c_layernorm.weight", MAMBA_C_NORM),
    PAIR("layers.#.mamba.dt_proj", MAMBA_DT),
    ROW("layers.#.mamba.A_log", MAMBA_A_LOG),
    ROW("layers.#.mamba.D", MAMBA_D),
    PAIR("layers.#.mamba.out_proj", MAMBA_OUT),

    /* DBRX */
    ROW("blocks.#.norm_attn_norm.norm_1.weight", ATTN_NORM),
    QKV(ALL, QKV, "blocks.#.norm_attn_norm.attn.Wqkv.weight", ),
    ROW("blocks.#.norm_attn_norm.attn.out_proj.weight", ATTN_O),
    ROW("blocks.#.norm_attn_norm.norm_2.weight", FFN_NORM),
    ROW("blocks.#.ffn.router.layer.weight", ROUTER),
    STACKED("blocks.#.ffn.experts.mlp.w1", false, FFN_GATE),
    STACKED("blocks.#.ffn.experts.mlp.v1", false, FFN_UP),
    STACKED("blocks.#.ffn.experts.mlp.w2", true, FFN_DOWN),
    ROW("norm_f.weight", FINAL_NORM),

    /* Grok-1 as ported to PyTorch, by expert */
    ROW("in_out_embed.weight", EMBED),
    ROW("decoder_layer.#.multi_head_attention.query.weight", ATTN_Q),
    ROW("decoder_layer.#.multi_head_attention.key.weight", ATTN_K),
    ROW("decoder_layer.#.multi_head_attention.value.weight", ATTN_V),
    ROW("decoder_layer.#.multi_head_attention.linear.weight", ATTN_O),
    ROW("decoder_layer.#.rms_norm.weight", ATTN_NORM),
    ROW("decoder_layer.#.rms_norm_1.weight", ATTN_POST_NORM),
    ROW("decoder_layer.#.rms_norm_2.weight", FFN_NORM),
    ROW("decoder_layer.#.rms_norm_3.weight", FFN_POST_NORM),
    ROW("rms_norm.weight", FINAL_NORM),
    ROW("decoder_layer.#.router.weight", ROUTER),
    ROW("decoder_layer.#.moe.#.linear.weight", FFN_GATE),
    ROW("decoder_layer.#.moe.#.linear_v.weight", FFN_UP),
    ROW("decoder_layer.#.moe.#.linear_1.weight", FFN_DOWN),

    /* GPT-2 */
    ROW("wte.weight", EMBED),
    ROW("wpe.weight", POSITION_EMBED),
    PAIR("h.#.ln_1", ATTN_NORM),
    {PATTERN("h.#.attn.c_attn.weight"), .models = WITH_CONV1D,
     .cut = {.split = CG_SPLIT_QKV, .transposed = true},
     .parts = {CG_ROLE_ATTN_Q, CG_ROLE_ATTN_K, CG_ROLE_ATTN_V}},
    QKV(WITH_CONV1D, QKV, "h.#.attn.c_attn.bias", _BIAS),
    CONV1D("h.#.attn.c_proj", ATTN_O),
    PAIR("h.#.ln_2", FFN_NORM),
    CONV1D("h.#.mlp.c_fc", FFN_UP),
    CONV1D("h.#.mlp.c_proj", FFN_DOWN),
    PAIR("ln_f", FINAL_NORM),
    BUFFER("h.#.attn.bias"),
    BUFFER("h.#.attn.masked_bias"),

    /* GPT-NeoX, Pythia */
    ROW("embed_in.weight", EMBED),
    QKV_PAIR(ALL, QKV_BY_HEAD, "layers.#.attention.query_key_value"),
    PAIR("layers.#.attention.dense", ATTN_O),
    PAIR("layers.#.mlp.dense_h_to_4h", FFN_UP),
    PAIR("layers.#.mlp.dense_4h_to_h", FFN_DOWN),
    PAIR("final_layer_norm", FINAL_NORM),
    ROW("embed_out.weight", LM_HEAD),
    BUFFER("layers.#.attention.bias"),
    BUFFER("layers.#.attention.masked_bias"),
    BUFFER("layers.#.attention.rotary_emb.inv_freq"),

    /* Falcon, BLOOM */
    ROW("word_embeddings.weight", EMBED),
    PAIR("word_embeddings_layernorm", EMBED_NORM),
    PAIR("h.#.input_layernorm", ATTN_NORM),
    PAIR("h.#.ln_attn", ATTN_NORM),
    QKV_PAIR(ALL, QKV_BY_HEAD, "h.#.self_attention.query_key_value"),
    PAIR("h.#.self_attention.dense", ATTN_O),
    PAIR("h.#.post_attention_layernorm", FFN_NORM),
    PAIR("h.#.ln_mlp", FFN_NORM),
    PAIR("h.#.mlp.dense_h_to_4h", FFN_UP),
    PAIR("h.#.mlp.dense_4h_to_h", FFN_DOWN),

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
    BUFFER("embeddings.position_ids"),
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

    /* GGUF (https://github.com/ggml-org/llama.cpp, gguf-py/gguf/constants.py and tensor_mapping.py) */
    ROW("token_embd.weight", EMBED),
    ROW("position_embd.weight", POSITION_EMBED),
    ROW("token_types.weight", TYPE_EMBED),
    PAIR("token_embd_norm", EMBED_NORM),
    PAIR("output_norm", FINAL_NORM),
    PAIR("output", LM_HEAD),
    BUFFER("rope_freqs.weight"),
    BUFFER("rope_factors_long.weight"),
    BUFFER("rope_factors_short.weight"),
    BUFFER("blk.#.rope_freqs.weight"),
    BUFFER("blk.#.attn_rot_embd.weight"),
    PAIR("blk.#.attn_norm_2", ATTN_NORM),
    ROW_IN(WITH_TWO_ATTN_NORMS, "blk.#.attn_norm.weight", FFN_NORM),
    ROW_IN(WITH_TWO_ATTN_NORMS, "blk.#.attn_norm.bias", FFN_NORM_BIAS),
    PAIR("blk.#.attn_norm", ATTN_NORM),
    PAIRED("blk.#.attn_q.weight", ATTN_Q),
    PAIRED("blk.#.attn_k.weight", ATTN_K),
    PAIRED("blk.#.attn_q.bias", ATTN_Q_BIAS),
    PAIRED("blk.#.attn_k.bias", ATTN_K_BIAS),
    PAIR("blk.#.attn_q", ATTN_Q),
    PAIR("blk.#.attn_k", ATTN_K),
    PAIR("blk.#.attn_v", ATTN_V),
    QKV_PAIR(WITHOUT_OTHER_QKV, QKV, "blk.#.attn_qkv"),
    PAIR("blk.#.attn_output", ATTN_O),
    ROW("blk.#.attn_sinks.weight", ATTN_SINKS),
    ROW("blk.#.attn_q_norm.weight", ATTN_Q_NORM),
    ROW("blk.#.attn_k_norm.weight", ATTN_K_NORM),
    PAIR("blk.#.attn_q_a", ATTN_Q_A),
    ROW("blk.#.attn_q_a_norm.weight", ATTN_Q_A_NORM),
    ROW("blk.#.attn_q_b.weight", ATTN_Q_B),
    PAIR("blk.#.attn_kv_a_mqa", ATTN_KV_A),
    ROW("blk.#.attn_kv_a_norm.weight", ATTN_KV_A_NORM),
    ROW("blk.#.attn_kv_b.weight", ATTN_KV_B),
    /* Where there is none behind the feed-forward block, the norm behind attention is the one before it. */
    ROW_IN(WITH_POST_FFN_NORM, "blk.#.post_attention_norm.weight", ATTN_POST_NORM),
    ROW_IN(WITH_POST_FFN_NORM, "blk.#.post_attention_norm.bias", ATTN_POST_NORM_BIAS),
    PAIR("blk.#.post_attention_norm", FFN_NORM),
    ROW_IN(WITH_POST_FFN_NORM, "blk.#.attn_output_norm.weight", ATTN_POST_NORM),
    ROW_IN(WITH_POST_FFN_NORM, "blk.#.attn_output_norm.bias", ATTN_POST_NORM_BIAS),
    PAIR("blk.#.attn_output_norm", FFN_NORM),
    PAIR("blk.#.ssm_in", MAMBA_IN),
    PAIR("blk.#.ssm_conv1d", MAMBA_CONV),
    ROW("blk.#.ssm_x.weight", MAMBA_X),
    ROW("blk.#.ssm_dt_norm.weight", MAMBA_DT_NORM),
    ROW("blk.#.ssm_b_norm.weight", MAMBA_B_NORM),
    ROW("blk.#.ssm_c_norm.weight", MAMBA_C_NORM),
    PAIR("blk.#.ssm_dt", MAMBA_DT),
    ROW("blk.#.ssm_d", MAMBA_D),
    PAIR("blk.#.ssm_out", MAMBA_OUT),
    PAIR("blk.#.ffn_norm", FFN_NORM),
    PAIR("blk.#.post_ffw_norm", FFN_POST_NORM),
    PAIR("blk.#.layer_output_norm", FFN_POST_NORM),
    GATE_UP(WITH_FUSED_UP, "blk.#.ffn_up.weight", ),
    GATE_UP(WITH_FUSED_UP, "blk.#.ffn_up.bias", _BIAS),
    PAIR("blk.#.ffn_gate", FFN_GATE),
    PAIR("blk.#.ffn_up", FFN_UP),
    PAIR("blk.#.ffn_down", FFN_DOWN),
    PAIR("blk.#.ffn_gate_inp", ROUTER),
    ROW("blk.#.exp_probs_b.bias", ROUTER_BIAS),
    ROW("blk.#.exp_probs_b", ROUTER_BIAS),
    EXPERTS("blk.#.ffn_gate_exps", FFN_GATE),
    EXPERTS("blk.#.ffn_up_exps", FFN_UP),
    EXPERTS("blk.#.ffn_down_exps", FFN_DOWN),
    {PATTERN("blk.#.ffn_gate_up_exps.weight"), .cut = {.split = CG_SPLIT_HALVES, .stack = CG_STACK_AXIS},
     .parts = {CG_ROLE_FFN_GATE, CG_ROLE_FFN_UP}},
    ROW("blk.#.ffn_gate.#.weight", FFN_GATE),
    ROW("blk.#.ffn_up.#.weight", FFN_UP),
    ROW("blk.#.ffn_down.#.weight", FFN_DOWN),
    ROW("blk.#.ffn_gate_shexp.weight", SHARED_GATE),
    ROW("blk.#.ffn_up_shexp.weight", SHARED_UP),
    ROW("blk.#.ffn_down_shexp.weight", SHARED_DOWN),
    ROW("blk.#.ffn_gate_inp_shexp.weight", SHARED_ROUTER),
    ROW("blk.#.nextn.enorm.weight", MTP_EMBED_NORM),
    ROW("blk.#.nextn.hnorm.weight", MTP_HIDDEN_NORM),
    ROW("blk.#.nextn.eh_proj.weight", MTP_JOIN),
    ROW("blk.#.nextn.embed_tokens.weight", MTP_EMBED),
    ROW("blk.#.nextn.shared_head_norm.weight", MTP_HEAD_NORM),
    ROW("blk.#.nextn.shared_head_head.weight", MTP_HEAD),
};

/* What a model_type alone tells: how it lays out what others lay out otherwise under the same names. Packed
 * experts of a type that is not here are as transformers 5 has them in memory: (experts, 2I, H), (experts, H,
 * I), gate and up in halves. */
static const struct layout {
    const char *model_type;
    bool conv1d, qkv_by_head, paired, fused_up, other_qkv;
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

/* Most tensors are none, which is seen faster than what they are. */
static bool may_be_post_norm(const char *name)
{
    return strstr(name, ".post_feedforward_layernorm.") || strstr(name, ".post_ffw_norm.") ||
           strstr(name, ".layer_output_norm.");
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
        naming.qkv_by_head = layout->qkv_by_head;
        naming.paired = layout->paired;
        naming.fused_up = layout->fused_up;
        naming.other_qkv = layout->other_qkv;
        if (layout->experts.stack != CG_STACK_NONE)
            naming.experts = layout->experts;
    }
    for (size_t i = 0; i < model->ntensors && !naming.post_ffn_norm; i++)
        naming.post_ffn_norm = may_be_post_norm(model->tensors[i].name) &&
                               cg_site_of(&plain, model->tensors[i].name).role == CG_ROLE_FFN_POST_NORM;
    naming.two_attn_norms = cg_checkpoint_find(model, "blk.0.attn_norm_2.weight") != NULL;
    return naming;
}

static bool is_for(const struct row *row, const struct cg_naming *naming)
{
    switch (row->models) {
    case WITH_POST_FFN_NORM:
        return naming->post_ffn_norm;
    case WITH_CONV1D:
        return naming->conv1d;
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

static struct cg_cut cut_of(const struct row *row, const struct cg_naming *naming)
{
    struct cg_cut cut = row->packed ? naming->experts : row->cut;
    if (row->packed && row->parts[1] == 0) /* a single role: nothing to split */
        cut.split = CG_SPLIT_NONE;
    return cut;
}

struct cg_site cg_site_of(const struct cg_naming *naming, const char *name)
{
    struct cg_site site = {.role = CG_ROLE_OTHER, .layer = -1, .expert = -1};
    struct shape_of_name shape;
    if (!shape_name(&shape, name) || (shape.numbers > 0 && shape.number[0] >= MOST_LAYERS) ||
        (shape.numbers > 1 && shape.number[1] >= MOST_EXPERTS))
        return site;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct row *row = &table[i];
        if (row->length != shape.length || memcmp(row->pattern, shape.text, shape.length) != 0 ||
            !is_for(row, naming))
            continue;
        site.role = row->parts[0];
        site.buffer = row->buffer;
        site.cut = cut_of(row, naming);
        memcpy(site.parts, row->parts, sizeof site.parts);
        if (!row->buffer) {
            site.layer = shape.numbers > 0 ? shape.number[0] : -1;
            site.expert = shape.numbers > 1 ? shape.number[1] : -1;
        }
        break;
    }
    return site;
}
