/* The naming table: what each family calls its tensors, and what must not pass for them. */
#include "models.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
    const char *name, *slot;
};

/* Names as the families' published checkpoints have them. */
static const struct row known[] = {
    /* Llama, Mistral, Qwen2 */
    {"model.embed_tokens.weight", "embed"},
    {"model.norm.weight", "final.norm"},
    {"lm_head.weight", "lm_head"},
    {"model.layers.0.input_layernorm.weight", "layers.0.attn.norm"},
    {"model.layers.31.post_attention_layernorm.weight", "layers.31.ffn.norm"},
    {"model.layers.7.self_attn.q_proj.weight", "layers.7.attn.q"},
    {"model.layers.7.self_attn.k_proj.weight", "layers.7.attn.k"},
    {"model.layers.7.self_attn.v_proj.weight", "layers.7.attn.v"},
    {"model.layers.7.self_attn.o_proj.weight", "layers.7.attn.o"},
    {"model.layers.27.self_attn.q_proj.bias", "layers.27.attn.q.bias"},
    {"model.layers.27.self_attn.k_proj.bias", "layers.27.attn.k.bias"},
    {"model.layers.27.self_attn.v_proj.bias", "layers.27.attn.v.bias"},
    {"model.layers.27.self_attn.o_proj.bias", "layers.27.attn.o.bias"},
    {"model.layers.12.mlp.gate_proj.weight", "layers.12.ffn.gate"},
    {"model.layers.12.mlp.up_proj.weight", "layers.12.ffn.up"},
    {"model.layers.12.mlp.down_proj.weight", "layers.12.ffn.down"},
    {"model.layers.12.mlp.gate_proj.bias", "layers.12.ffn.gate.bias"},
    {"model.layers.12.mlp.up_proj.bias", "layers.12.ffn.up.bias"},
    {"model.layers.12.mlp.down_proj.bias", "layers.12.ffn.down.bias"},
    {"model.layers.1023.mlp.up_proj.weight", "layers.1023.ffn.up"},
    {"model.layers.3.mlp.experts.65535.up_proj.weight", "layers.3.experts.65535.ffn.up"},
    /* Qwen3, Gemma 3 */
    {"model.layers.35.self_attn.q_norm.weight", "layers.35.attn.q.norm"},
    {"model.layers.35.self_attn.k_norm.weight", "layers.35.attn.k.norm"},
    /* without the causal model around it */
    {"embed_tokens.weight", "embed"},
    {"norm.weight", "final.norm"},
    {"layers.3.self_attn.q_proj.weight", "layers.3.attn.q"},
    /* the language model of a larger one */
    {"language_model.model.embed_tokens.weight", "embed"},
    {"language_model.model.layers.4.mlp.up_proj.weight", "layers.4.ffn.up"},
    {"language_model.lm_head.weight", "lm_head"},
    {"model.language_model.embed_tokens.weight", "embed"},
    {"model.language_model.layers.4.mlp.up_proj.weight", "layers.4.ffn.up"},
    {"model.language_model.norm.weight", "final.norm"},
    /* Mixtral */
    {"model.layers.5.block_sparse_moe.gate.weight", "layers.5.router"},
    {"model.layers.5.block_sparse_moe.experts.0.w1.weight", "layers.5.experts.0.ffn.gate"},
    {"model.layers.5.block_sparse_moe.experts.7.w2.weight", "layers.5.experts.7.ffn.down"},
    {"model.layers.5.block_sparse_moe.experts.7.w3.weight", "layers.5.experts.7.ffn.up"},
    /* Phi-3.5-MoE */
    {"model.layers.31.input_layernorm.bias", "layers.31.attn.norm.bias"},
    {"model.layers.31.post_attention_layernorm.bias", "layers.31.ffn.norm.bias"},
    {"model.layers.31.block_sparse_moe.experts.15.w1.weight", "layers.31.experts.15.ffn.gate"},
    {"model.norm.bias", "final.norm.bias"},
    {"lm_head.bias", "lm_head.bias"},
    /* DeepSeek-V2 and V3 */
    {"model.layers.59.self_attn.q_a_proj.weight", "layers.59.attn.q_a"},
    {"model.layers.59.self_attn.q_a_proj.bias", "layers.59.attn.q_a.bias"},
    {"model.layers.59.self_attn.q_a_layernorm.weight", "layers.59.attn.q_a.norm"},
    {"model.layers.59.self_attn.q_b_proj.weight", "layers.59.attn.q_b"},
    {"model.layers.59.self_attn.kv_a_proj_with_mqa.weight", "layers.59.attn.kv_a"},
    {"model.layers.59.self_attn.kv_a_proj_with_mqa.bias", "layers.59.attn.kv_a.bias"},
    {"model.layers.59.self_attn.kv_a_layernorm.weight", "layers.59.attn.kv_a.norm"},
    {"model.layers.59.self_attn.kv_b_proj.weight", "layers.59.attn.kv_b"},
    {"model.layers.0.mlp.gate_proj.weight", "layers.0.ffn.gate"},
    {"model.layers.1.mlp.gate.weight", "layers.1.router"},
    {"model.layers.3.mlp.gate.e_score_correction_bias", "layers.3.router.bias"},
    {"model.layers.1.mlp.experts.159.gate_proj.weight", "layers.1.experts.159.ffn.gate"},
    {"model.layers.1.mlp.experts.159.up_proj.weight", "layers.1.experts.159.ffn.up"},
    {"model.layers.1.mlp.experts.159.down_proj.weight", "layers.1.experts.159.ffn.down"},
    {"model.layers.1.mlp.shared_experts.gate_proj.weight", "layers.1.shared.gate"},
    {"model.layers.1.mlp.shared_experts.up_proj.weight", "layers.1.shared.up"},
    {"model.layers.1.mlp.shared_experts.down_proj.weight", "layers.1.shared.down"},
    /* multi-token prediction, of DeepSeek-V3 and GLM-4.5 */
    {"model.layers.61.enorm.weight", "layers.61.mtp.embed_norm"},
    {"model.layers.61.hnorm.weight", "layers.61.mtp.hidden_norm"},
    {"model.layers.61.eh_proj.weight", "layers.61.mtp.join"},
    {"model.layers.61.embed_tokens.weight", "layers.61.mtp.embed"},
    {"model.layers.46.shared_head.norm.weight", "layers.46.mtp.head_norm"},
    {"model.layers.46.shared_head.head.weight", "layers.46.mtp.head"},
    {"model.layers.46.mlp.experts.3.up_proj.weight", "layers.46.experts.3.ffn.up"},
    /* Qwen2-MoE */
    {"model.layers.9.mlp.shared_expert.gate_proj.weight", "layers.9.shared.gate"},
    {"model.layers.9.mlp.shared_expert.up_proj.weight", "layers.9.shared.up"},
    {"model.layers.9.mlp.shared_expert.down_proj.weight", "layers.9.shared.down"},
    {"model.layers.9.mlp.shared_expert_gate.weight", "layers.9.shared.router"},
    /* BERT */
    {"bert.embeddings.word_embeddings.weight", "embed"},
    {"bert.embeddings.position_embeddings.weight", "embed.position"},
    {"bert.embeddings.token_type_embeddings.weight", "embed.type"},
    {"bert.embeddings.LayerNorm.weight", "embed.norm"},
    {"bert.embeddings.LayerNorm.bias", "embed.norm.bias"},
    {"bert.embeddings.LayerNorm.gamma", "embed.norm"},
    {"bert.embeddings.LayerNorm.beta", "embed.norm.bias"},
    {"embeddings.word_embeddings.weight", "embed"},
    {"embeddings.LayerNorm.beta", "embed.norm.bias"},
    {"bert.encoder.layer.11.attention.self.query.weight", "layers.11.attn.q"},
    {"bert.encoder.layer.11.attention.self.query.bias", "layers.11.attn.q.bias"},
    {"encoder.layer.11.attention.self.key.weight", "layers.11.attn.k"},
    {"encoder.layer.11.attention.self.key.bias", "layers.11.attn.k.bias"},
    {"encoder.layer.11.attention.self.value.weight", "layers.11.attn.v"},
    {"bert.encoder.layer.11.attention.self.value.bias", "layers.11.attn.v.bias"},
    {"bert.encoder.layer.11.attention.output.dense.weight", "layers.11.attn.o"},
    {"bert.encoder.layer.11.attention.output.dense.bias", "layers.11.attn.o.bias"},
    {"bert.encoder.layer.11.attention.output.LayerNorm.weight", "layers.11.attn.post_norm"},
    {"bert.encoder.layer.11.attention.output.LayerNorm.gamma", "layers.11.attn.post_norm"},
    {"bert.encoder.layer.11.attention.output.LayerNorm.beta", "layers.11.attn.post_norm.bias"},
    {"bert.encoder.layer.0.intermediate.dense.weight", "layers.0.ffn.up"},
    {"bert.encoder.layer.0.intermediate.dense.bias", "layers.0.ffn.up.bias"},
    {"bert.encoder.layer.0.output.dense.weight", "layers.0.ffn.down"},
    {"bert.encoder.layer.0.output.dense.bias", "layers.0.ffn.down.bias"},
    {"bert.encoder.layer.0.output.LayerNorm.gamma", "layers.0.ffn.post_norm"},
    {"encoder.layer.0.output.LayerNorm.bias", "layers.0.ffn.post_norm.bias"},
    {"bert.pooler.dense.weight", "pooler"},
    {"pooler.dense.bias", "pooler.bias"},
    {"cls.predictions.transform.dense.weight", "head.transform"},
    {"cls.predictions.transform.dense.bias", "head.transform.bias"},
    {"cls.predictions.transform.LayerNorm.weight", "head.norm"},
    {"cls.predictions.transform.LayerNorm.gamma", "head.norm"},
    {"cls.predictions.transform.LayerNorm.beta", "head.norm.bias"},
    {"cls.predictions.decoder.weight", "lm_head"},
    {"cls.predictions.decoder.bias", "lm_head.bias"},
    {"cls.predictions.bias", "lm_head.bias"},
    /* Phi-3, GLM-4, MiniMax, Hunyuan, ERNIE-4.5 */
    {"model.layers.5.self_attn.out_proj.weight", "layers.5.attn.o"},
    {"model.layers.5.self_attn.output_gate.weight", "layers.5.attn.gate"},
    {"model.layers.5.self_attn.norm.weight", "layers.5.attn.inner_norm"},
    {"model.layers.5.block_sparse_moe.experts.31.w1.weight", "layers.5.experts.31.ffn.gate"},
    {"model.layers.5.post_self_attn_layernorm.weight", "layers.5.attn.post_norm"},
    {"model.layers.5.post_mlp_layernorm.weight", "layers.5.ffn.post_norm"},
    {"model.layers.5.post_attention_layernorm.weight", "layers.5.ffn.norm"},
    {"model.layers.5.self_attn.query_layernorm.weight", "layers.5.attn.q.norm"},
    {"model.layers.5.self_attn.key_layernorm.weight", "layers.5.attn.k.norm"},
    {"model.layers.5.block_sparse_moe.e_score_correction_bias", "layers.5.router.bias"},
    {"model.layers.5.mlp.gate.wg.weight", "layers.5.router"},
    {"model.layers.5.mlp.shared_mlp.gate_proj.weight", "layers.5.shared.gate"},
    {"model.layers.5.mlp.shared_mlp.up_proj.weight", "layers.5.shared.up"},
    {"model.layers.5.mlp.shared_mlp.down_proj.weight", "layers.5.shared.down"},
    {"model.layers.5.mlp.moe_statics.e_score_correction_bias", "layers.5.router.bias"},
    /* gpt-oss, Llama-4, Jamba */
    {"model.layers.5.mlp.router.weight", "layers.5.router"},
    {"model.layers.5.mlp.router.bias", "layers.5.router.bias"},
    {"model.layers.5.self_attn.sinks", "layers.5.attn.sinks"},
    {"language_model.model.layers.5.feed_forward.router.weight", "layers.5.router"},
    {"model.layers.5.feed_forward.shared_expert.gate_proj.weight", "layers.5.shared.gate"},
    {"model.layers.5.feed_forward.shared_expert.up_proj.weight", "layers.5.shared.up"},
    {"model.layers.5.feed_forward.shared_expert.down_proj.weight", "layers.5.shared.down"},
    {"model.layers.5.feed_forward.gate_proj.weight", "layers.5.ffn.gate"},
    {"model.layers.5.feed_forward.up_proj.weight", "layers.5.ffn.up"},
    {"model.layers.5.feed_forward.down_proj.weight", "layers.5.ffn.down"},
    {"model.layers.5.feed_forward.experts.15.gate_proj.weight", "layers.5.experts.15.ffn.gate"},
    {"model.layers.5.feed_forward.experts.15.up_proj.weight", "layers.5.experts.15.ffn.up"},
    {"model.layers.5.feed_forward.experts.15.down_proj.weight", "layers.5.experts.15.ffn.down"},
    {"model.layers.5.pre_ff_layernorm.weight", "layers.5.ffn.norm"},
    {"model.final_layernorm.weight", "final.norm"},
    {"model.layers.5.mamba.in_proj.weight", "layers.5.mamba.in"},
    {"model.layers.5.mamba.in_proj.bias", "layers.5.mamba.in.bias"},
    {"model.layers.5.mamba.conv1d.weight", "layers.5.mamba.conv"},
    {"model.layers.5.mamba.conv1d.bias", "layers.5.mamba.conv.bias"},
    {"model.layers.5.mamba.x_proj.weight", "layers.5.mamba.x"},
    {"model.layers.5.mamba.dt_proj.weight", "layers.5.mamba.dt"},
    {"model.layers.5.mamba.dt_proj.bias", "layers.5.mamba.dt.bias"},
    {"model.layers.5.mamba.A_log", "layers.5.mamba.a_log"},
    {"model.layers.5.mamba.D", "layers.5.mamba.d"},
    {"model.layers.5.mamba.out_proj.weight", "layers.5.mamba.out"},
    {"model.layers.5.mamba.out_proj.bias", "layers.5.mamba.out.bias"},
    {"model.layers.5.mamba.dt_layernorm.weight", "layers.5.mamba.dt.norm"},
    {"model.layers.5.mamba.b_layernorm.weight", "layers.5.mamba.b.norm"},
    {"model.layers.5.mamba.c_layernorm.weight", "layers.5.mamba.c.norm"},
    /* DBRX */
    {"transformer.wte.weight", "embed"},
    {"transformer.blocks.5.norm_attn_norm.norm_1.weight", "layers.5.attn.norm"},
    {"transformer.blocks.5.norm_attn_norm.attn.out_proj.weight", "layers.5.attn.o"},
    {"transformer.blocks.5.norm_attn_norm.norm_2.weight", "layers.5.ffn.norm"},
    {"transformer.blocks.5.ffn.router.layer.weight", "layers.5.router"},
    {"transformer.norm_f.weight", "final.norm"},
    /* Grok-1 */
    {"transformer.in_out_embed.weight", "embed"},
    {"transformer.decoder_layer.5.rms_norm.weight", "layers.5.attn.norm"},
    {"transformer.decoder_layer.5.rms_norm_1.weight", "layers.5.attn.post_norm"},
    {"transformer.decoder_layer.5.rms_norm_2.weight", "layers.5.ffn.norm"},
    {"transformer.decoder_layer.5.rms_norm_3.weight", "layers.5.ffn.post_norm"},
    {"transformer.decoder_layer.5.multi_head_attention.query.weight", "layers.5.attn.q"},
    {"transformer.decoder_layer.5.multi_head_attention.key.weight", "layers.5.attn.k"},
    {"transformer.decoder_layer.5.multi_head_attention.value.weight", "layers.5.attn.v"},
    {"transformer.decoder_layer.5.multi_head_attention.linear.weight", "layers.5.attn.o"},
    {"transformer.decoder_layer.5.router.weight", "layers.5.router"},
    {"transformer.decoder_layer.5.moe.7.linear.weight", "layers.5.experts.7.ffn.gate"},
    {"transformer.decoder_layer.5.moe.7.linear_v.weight", "layers.5.experts.7.ffn.up"},
    {"transformer.decoder_layer.5.moe.7.linear_1.weight", "layers.5.experts.7.ffn.down"},
    {"transformer.rms_norm.weight", "final.norm"},
    /* GPT-2; its linear layers only under its model_type */
    {"wte.weight", "embed"},
    {"transformer.wpe.weight", "embed.position"},
    {"h.5.ln_1.weight", "layers.5.attn.norm"},
    {"transformer.h.5.ln_1.bias", "layers.5.attn.norm.bias"},
    {"h.5.ln_2.weight", "layers.5.ffn.norm"},
    {"h.5.ln_2.bias", "layers.5.ffn.norm.bias"},
    {"ln_f.weight", "final.norm"},
    {"transformer.ln_f.bias", "final.norm.bias"},
    /* GPT-NeoX, Pythia */
    {"gpt_neox.embed_in.weight", "embed"},
    {"gpt_neox.layers.5.input_layernorm.bias", "layers.5.attn.norm.bias"},
    {"gpt_neox.layers.5.post_attention_layernorm.weight", "layers.5.ffn.norm"},
    {"gpt_neox.layers.5.attention.dense.weight", "layers.5.attn.o"},
    {"gpt_neox.layers.5.attention.dense.bias", "layers.5.attn.o.bias"},
    {"gpt_neox.layers.5.mlp.dense_h_to_4h.weight", "layers.5.ffn.up"},
    {"gpt_neox.layers.5.mlp.dense_4h_to_h.bias", "layers.5.ffn.down.bias"},
    {"gpt_neox.final_layer_norm.weight", "final.norm"},
    {"embed_out.weight", "lm_head"},
    /* Falcon, BLOOM */
    {"transformer.word_embeddings.weight", "embed"},
    {"transformer.word_embeddings_layernorm.weight", "embed.norm"},
    {"transformer.h.5.input_layernorm.weight", "layers.5.attn.norm"},
    {"transformer.h.5.ln_attn.weight", "layers.5.attn.norm"},
    {"transformer.h.5.ln_mlp.bias", "layers.5.ffn.norm.bias"},
    {"h.5.post_attention_layernorm.weight", "layers.5.ffn.norm"},
    {"transformer.h.5.self_attention.dense.weight", "layers.5.attn.o"},
    {"transformer.h.5.mlp.dense_h_to_4h.weight", "layers.5.ffn.up"},
    {"transformer.h.5.mlp.dense_4h_to_h.weight", "layers.5.ffn.down"},
    /* GGUF */
    {"token_embd.weight", "embed"},
    {"token_embd_norm.bias", "embed.norm.bias"},
    {"position_embd.weight", "embed.position"},
    {"token_types.weight", "embed.type"},
    {"output_norm.weight", "final.norm"},
    {"output.weight", "lm_head"},
    {"blk.3.attn_norm.weight", "layers.3.attn.norm"},
    {"blk.3.attn_q.weight", "layers.3.attn.q"},
    {"blk.3.attn_k.bias", "layers.3.attn.k.bias"},
    {"blk.3.attn_v.weight", "layers.3.attn.v"},
    {"blk.3.attn_output.weight", "layers.3.attn.o"},
    {"blk.3.attn_q_norm.weight", "layers.3.attn.q.norm"},
    {"blk.3.attn_sinks.weight", "layers.3.attn.sinks"},
    {"blk.3.ssm_in.weight", "layers.3.mamba.in"},
    {"blk.3.ssm_conv1d.bias", "layers.3.mamba.conv.bias"},
    {"blk.3.ssm_x.weight", "layers.3.mamba.x"},
    {"blk.3.ssm_dt_norm.weight", "layers.3.mamba.dt.norm"},
    {"blk.3.ssm_dt.bias", "layers.3.mamba.dt.bias"},
    {"blk.3.ssm_d", "layers.3.mamba.d"},
    {"blk.3.ssm_out.weight", "layers.3.mamba.out"},
    {"blk.3.attn_k_norm.weight", "layers.3.attn.k.norm"},
    {"blk.3.attn_q_a.weight", "layers.3.attn.q_a"},
    {"blk.3.attn_q_a_norm.weight", "layers.3.attn.q_a.norm"},
    {"blk.3.attn_q_b.weight", "layers.3.attn.q_b"},
    {"blk.3.attn_kv_a_mqa.weight", "layers.3.attn.kv_a"},
    {"blk.3.attn_kv_a_norm.weight", "layers.3.attn.kv_a.norm"},
    {"blk.3.attn_kv_b.weight", "layers.3.attn.kv_b"},
    {"blk.3.post_attention_norm.weight", "layers.3.ffn.norm"},
    {"blk.3.attn_output_norm.weight", "layers.3.ffn.norm"},
    {"blk.3.ffn_norm.weight", "layers.3.ffn.norm"},
    {"blk.3.ffn_gate.weight", "layers.3.ffn.gate"},
    {"blk.3.ffn_up.weight", "layers.3.ffn.up"},
    {"blk.3.ffn_down.bias", "layers.3.ffn.down.bias"},
    {"blk.3.ffn_gate.7.weight", "layers.3.experts.7.ffn.gate"},
    {"blk.3.ffn_up.7.weight", "layers.3.experts.7.ffn.up"},
    {"blk.3.ffn_down.7.weight", "layers.3.experts.7.ffn.down"},
    {"blk.3.ffn_gate_inp.weight", "layers.3.router"},
    {"blk.3.ffn_gate_inp.bias", "layers.3.router.bias"},
    {"blk.3.exp_probs_b.bias", "layers.3.router.bias"},
    {"blk.3.ffn_gate_shexp.weight", "layers.3.shared.gate"},
    {"blk.3.ffn_up_shexp.weight", "layers.3.shared.up"},
    {"blk.3.ffn_down_shexp.weight", "layers.3.shared.down"},
    {"blk.3.ffn_gate_inp_shexp.weight", "layers.3.shared.router"},
    {"blk.46.nextn.enorm.weight", "layers.46.mtp.embed_norm"},
    {"blk.46.nextn.hnorm.weight", "layers.46.mtp.hidden_norm"},
    {"blk.46.nextn.eh_proj.weight", "layers.46.mtp.join"},
    {"blk.46.nextn.embed_tokens.weight", "layers.46.mtp.embed"},
    {"blk.46.nextn.shared_head_norm.weight", "layers.46.mtp.head_norm"},
    {"blk.46.nextn.shared_head_head.weight", "layers.46.mtp.head"},
};

/* The same in a model that has norms behind its feed-forward blocks: Gemma 2 and 3, OLMo2. */
static const struct row with_post_norms[] = {
    {"model.layers.3.input_layernorm.weight", "layers.3.attn.norm"},
    {"model.layers.3.post_attention_layernorm.weight", "layers.3.attn.post_norm"},
    {"model.layers.3.post_attention_layernorm.bias", "layers.3.attn.post_norm.bias"},
    {"model.layers.3.pre_feedforward_layernorm.weight", "layers.3.ffn.norm"},
    {"model.layers.3.post_feedforward_layernorm.weight", "layers.3.ffn.post_norm"},
    {"language_model.model.layers.3.post_attention_layernorm.weight", "layers.3.attn.post_norm"},
    {"model.language_model.layers.3.pre_feedforward_layernorm.weight", "layers.3.ffn.norm"},
    {"blk.3.post_attention_norm.weight", "layers.3.attn.post_norm"},
    {"blk.3.attn_output_norm.bias", "layers.3.attn.post_norm.bias"},
    {"blk.3.ffn_norm.weight", "layers.3.ffn.norm"},
    {"blk.3.post_ffw_norm.weight", "layers.3.ffn.post_norm"},
    {"blk.3.layer_output_norm.weight", "layers.3.ffn.post_norm"},
};

/* What no row may take. */
static const char *const unknown[] = {
    /* more or less than a whole name */
    "",
    ".",
    "..",
    "weight",
    "model.",
    "model",
    "bert.",
    "layers.3",
    "model.layers.3.self_attn.q_proj.weight.extra",
    "model.layers.3.self_attn.q_proj.weight.",
    "model.layers.3.self_attn.q_proj.weigh",
    "model.layers.3.self_attn.q_proj",
    "xmodel.layers.3.self_attn.q_proj.weight",
    ".model.layers.3.self_attn.q_proj.weight",
    "model..layers.3.self_attn.q_proj.weight",
    "model.model.layers.3.self_attn.q_proj.weight",
    "model.language_model.model.layers.3.self_attn.q_proj.weight",
    "Model.layers.3.self_attn.q_proj.weight",
    "model.layers.3.self_attn.Q_proj.weight",
    "model.layers.3.self_attn.q_proj.weight ",
    "model/layers/3/self_attn/q_proj/weight",
    "base_model.model.model.layers.3.self_attn.q_proj.weight",
    /* numbers */
    "model.layers.self_attn.q_proj.weight",
    "model.layers..self_attn.q_proj.weight",
    "model.layers.x.self_attn.q_proj.weight",
    "model.layers.#.self_attn.q_proj.weight",
    "model.layers.##.self_attn.q_proj.weight",
    "model.layers.3.mlp.experts.#.up_proj.weight",
    "model.layers.03.self_attn.q_proj.weight",
    "model.layers.00.self_attn.q_proj.weight",
    "model.layers.-1.self_attn.q_proj.weight",
    "model.layers.+1.self_attn.q_proj.weight",
    "model.layers. 1.self_attn.q_proj.weight",
    "model.layers.1e1.self_attn.q_proj.weight",
    "model.layers.0x1.self_attn.q_proj.weight",
    "model.layers.3a.self_attn.q_proj.weight",
    "model.layers.1024.self_attn.q_proj.weight",
    "model.layers.2147483647.self_attn.q_proj.weight",
    "model.layers.1024.mlp.experts.1.up_proj.weight",
    "model.layers.2147483648.self_attn.q_proj.weight",
    "model.layers.4294967299.self_attn.q_proj.weight",
    "model.layers.99999999999999.self_attn.q_proj.weight",
    "model.layers.18446744073709551619.self_attn.q_proj.weight",
    "model.layers.3.3.self_attn.q_proj.weight",
    "model.layers.3.mlp.experts.007.up_proj.weight",
    "model.layers.3.mlp.experts.65536.up_proj.weight",
    "model.layers.3.mlp.experts.2147483647.up_proj.weight",
    "model.layers.3.mlp.experts.4294967296.up_proj.weight",
    "model.layers.3.mlp.experts.1.2.up_proj.weight",
    "model.layers.3.mlp.experts.1.up_proj.2.weight",
    "model.layers.3.mlp.experts.up_proj.weight",
    "model.3.norm.weight",
    "0.1.2.3.4.5.6.7.8.9",
    "model.norm.3.weight",
    /* buffers, adapters, quantised parts */
    "model.layers.3.self_attn.rotary_emb.inv_freq",
    "model.rotary_emb.inv_freq",
    "bert.embeddings.position_ids",
    "model.layers.3.self_attn.q_proj.lora_A.weight",
    "model.layers.3.self_attn.q_proj.qweight",
    "model.layers.3.self_attn.q_proj.weight_scale_inv",
    "model.layers.3.self_attn.q_proj.weight.absmax",
    /* other families, other parts */
    "cls.seq_relationship.weight",
    "cls.predictions.transform.weight",
    "transformer.h.3.attn.c_attn.weight",
    "model.layers.3.self_attn.qkv_proj.weight",
    "model.layers.3.mlp.gate_up_proj.weight",
    "model.layers.3.mlp.gate.bias",
    "model.layers.3.mlp.experts.gate_up_proj",
    "h.3.attn.c_proj.weight",
    "h.3.mlp.c_fc.weight",
    "transformer.decoder_layer.3.moe.linear.weight",
    "model.layers.3.mamba.x_proj.bias",
    "model.layers.3.mamba.a_log",
    "model.layers.3.self_attn.sinks.weight",
    "model.layers.3.norm.weight",
    "model.layers.3.block_sparse_moe.experts.1.w4.weight",
    "model.layers.3.block_sparse_moe.w1.weight",
    "model.layers.3.self_attn.q_norm.bias",
    "encoder.layers.3.attention.self.query.weight",
    "bert.encoder.layer.3.attention.self.query.gamma",
    "vision_tower.vision_model.encoder.layers.3.self_attn.q_proj.weight",
    "vision_model.embeddings.position_embedding.weight",
    "model.visual.blocks.3.norm1.weight",
    "model.layers.3.embed_norm.weight",
    "score.weight",
    "blk.3.attn_qkv.weight",
    "blk.3.ffn_gate_exps.weight",
    "blk.3.attn_k_b.weight",
    "blk.3.ssm_a",
    "blk.3.attn_v_b.weight",
    "blk.3.attn_q.scale",
    "v.blk.3.attn_q.weight",
    "model.blk.attn_q.weight",
    "rope_freqs.weight",
    "dec.blk.3.attn_q.weight",
};

/* The slot that the tensor gets, beside a norm behind the feed-forward block of another layer if asked. */
static void check(const char *name, const char *slot, bool post_norms)
{
    struct cg_checkpoint *model = model_new("", -1);
    MODEL_VECTOR(model, 8, "%s", name);
    if (post_norms)
        MODEL_VECTOR(model, 8, "model.layers.1000.post_feedforward_layernorm.weight");
    model_sort(model);
    struct cg_anatomy anatomy;
    struct cg_err err;
    assert_int_equal(cg_anatomy_build(&anatomy, (const struct cg_checkpoint *const *)&model, 1, &err), 0);
    assert_int_equal(anatomy.nslots, post_norms ? 2 : 1);
    for (int64_t s = 0; s < anatomy.nslots; s++)
        if (strcmp(model->tensors[anatomy.members[s].tensor].name, name) == 0)
            assert_string_equal(anatomy.slots[s].name, slot);
    cg_anatomy_release(&anatomy);
    model_free(model);
}

static void test_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        check(known[i].name, known[i].slot, false);
}

static void test_post_norms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof with_post_norms / sizeof *with_post_norms; i++)
        check(with_post_norms[i].name, with_post_norms[i].slot, true);
}

/* A tensor of role other keeps its name, so the role must be looked at, too. */
static void test_unknown(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        struct cg_checkpoint *model = model_new("", -1);
        MODEL_VECTOR(model, 8, "%s", unknown[i]);
        struct cg_anatomy anatomy;
        struct cg_err err;
        assert_int_equal(cg_anatomy_build(&anatomy, (const struct cg_checkpoint *const *)&model, 1, &err), 0);
        assert_int_equal(anatomy.nslots, 1);
        if (anatomy.slots[0].role != CG_ROLE_OTHER)
            fail_msg("%s became %s", unknown[i], anatomy.slots[0].name);
        assert_string_equal(anatomy.slots[0].name, unknown[i]);
        assert_int_equal(anatomy.slots[0].layer, -1);
        assert_int_equal(anatomy.slots[0].expert, -1);
        cg_anatomy_release(&anatomy);
        model_free(model);
    }
}

/* No length of a name may overrun anything. */
static void test_long_names(void **state)
{
    (void)state;
    char name[600];
    for (size_t length = 1; length < sizeof name; length++) {
        memset(name, 'a', length);
        name[length] = '\0';
        check(name, name, false);
        for (size_t i = 1; i < length; i += 2)
            name[i] = '.';
        check(name, name, false);
    }
}

/* GGUF's names that mean different things by architecture, or by what else is there. */
static const struct {
    const char *model_type, *beside, *name, *slot;
} conditional[] = {
    {"falcon", NULL, "blk.0.attn_norm.weight", "layers.0.attn.norm"},
    {"falcon", "blk.0.attn_norm_2.weight", "blk.0.attn_norm.weight", "layers.0.ffn.norm"},
    {"falcon", "blk.0.attn_norm_2.weight", "blk.0.attn_norm.bias", "layers.0.ffn.norm.bias"},
    {"falcon", "blk.0.attn_norm.weight", "blk.0.attn_norm_2.weight", "layers.0.attn.norm"},
    {"qwen3_next", NULL, "blk.0.attn_qkv.weight", "blk.0.attn_qkv.weight"},
    {"openelm", NULL, "blk.0.attn_qkv.bias", "blk.0.attn_qkv.bias"},
    {"qwen2", NULL, "blk.0.ffn_up.weight", "layers.0.ffn.up"},
    {"qwen2", NULL, "blk.0.attn_q.weight", "layers.0.attn.q"},
};

static void test_conditional(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof conditional / sizeof *conditional; i++) {
        struct cg_checkpoint *model = model_new("", -1);
        struct cg_anatomy anatomy;
        struct cg_err err;
        free(model->config.model_type);
        model->config.model_type = strdup(conditional[i].model_type);
        MODEL_VECTOR(model, 8, "%s", conditional[i].name);
        if (conditional[i].beside)
            MODEL_VECTOR(model, 8, "%s", conditional[i].beside);
        model_sort(model);
        assert_int_equal(cg_anatomy_build(&anatomy, (const struct cg_checkpoint *const *)&model, 1, &err), 0);
        assert_int_equal(anatomy.warnings[0].size, 0);
        for (int64_t s = 0; s < anatomy.nslots; s++)
            if (strcmp(model->tensors[anatomy.members[s].tensor].name, conditional[i].name) == 0)
                assert_string_equal(anatomy.slots[s].name, conditional[i].slot);
        cg_anatomy_release(&anatomy);
        model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),   cmocka_unit_test(test_conditional), cmocka_unit_test(test_post_norms),
        cmocka_unit_test(test_unknown), cmocka_unit_test(test_long_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
