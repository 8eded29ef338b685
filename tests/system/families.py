"""Small random models of each family by transformers' own code, and what their forward functions take them for.

A family is the settings of its config and, for parameters that no other family has, the roles that the library's forward
function gives them: a name, or a function that takes the parameter apart as that forward function does.
"""

import re

import torch

SMALL = dict(
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=128,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
    max_position_embeddings=64,
    tie_word_embeddings=False,
)
MOE = dict(moe_intermediate_size=32, num_experts_per_tok=2)
HEAD = dict(head_dim=16)
MLA = dict(q_lora_rank=24, kv_lora_rank=16, qk_nope_head_dim=16, qk_rope_head_dim=8, v_head_dim=16, num_key_value_heads=4)
ROUTED = dict(MOE, n_routed_experts=4, n_shared_experts=1, first_k_dense_replace=1, n_group=1, topk_group=1)
GPT2 = dict(n_embd=64, n_layer=2, n_head=4)
SSM = dict(mamba_n_heads=8, mamba_d_head=16, mamba_d_state=8, mamba_n_groups=1)
DELTA = dict(
    HEAD,
    num_hidden_layers=4,
    linear_num_value_heads=4,
    linear_num_key_heads=2,
    linear_key_head_dim=16,
    linear_value_head_dim=16,
)


# --- how forward functions take parameters apart: {role: part}, of packed ones {(role, expert): part}


def text(config):
    return config.get_text_config()


def head_dim(config):
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def qkv(config, w):
    """split((heads * d, kv * d, kv * d)) along the output: Phi-3, GPT-2 (transposed), DBRX, MPT."""
    kv = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    if config.model_type == "dbrx":
        kv = config.attn_config.kv_n_heads
    d = head_dim(config)
    return dict(zip(("attn.q", "attn.k", "attn.v"), w.split((config.num_attention_heads * d, kv * d, kv * d))))


def qkv_conv1d(config, w):
    return qkv(config, w.t() if w.dim() == 2 else w)


def qkv_by_head(config, w):
    """view(heads, 3 * d).chunk(3): GPT-NeoX, BLOOM, Persimmon, MiniMax, old Falcon."""
    parts = w.view(config.num_attention_heads, 3, -1, *w.shape[1:]).unbind(1)
    return {role: part.flatten(0, 1) for role, part in zip(("attn.q", "attn.k", "attn.v"), parts)}


def qkv_by_group(config, w):
    """view(kv, heads / kv + 2, d): Falcon, with one key-value head when multi_query, and StarCoder."""
    kv = getattr(config, "num_kv_heads", 1) if getattr(config, "new_decoder_architecture", False) else 1
    d = config.hidden_size // config.num_attention_heads
    grouped = w.view(kv, config.num_attention_heads // kv + 2, d, *w.shape[1:])
    parts = grouped[:, :-2].flatten(0, 1), grouped[:, -2], grouped[:, -1]
    return {role: part.flatten(0, 1) for role, part in zip(("attn.q", "attn.k", "attn.v"), parts)}


def halves(first, second):
    return lambda config, w: dict(zip((first, second), w.chunk(2)))


def conv1d(role):
    return lambda config, w: {role: w.t() if w.dim() == 2 else w}


def gate_up(config, w):
    """Of each expert linear(x, w).chunk(2, -1)."""
    return {
        (role, e): part for e, one in enumerate(w) for role, part in zip(("ffn.gate", "ffn.up"), one.chunk(2, dim=0))
    }


def gate_up_of_columns(config, w):
    """The same for x @ w, as in Llama-4."""
    return gate_up(config, w.mT)


def gate_up_alternating(config, w):
    """gpt-oss: gate = (x @ w)[..., ::2], up = [..., 1::2]; and of the bias."""
    rows = w.mT if w.dim() == 3 else w
    return {
        (role, e): one[k::2] for e, one in enumerate(rows) for k, role in enumerate(("ffn.gate", "ffn.up"))
    }


def down(config, w):
    return {("ffn.down", e): one for e, one in enumerate(w)}


def down_of_columns(config, w):
    return down(config, w.mT if w.dim() == 3 else w)


def stacked(role, transposed=False):
    """DBRX: view(-1, I, H)[expert], the second matrix used as x @ w."""

    def take(config, w):
        experts = w.view(-1, config.ffn_config.ffn_hidden_size, w.shape[1])
        return {(role, e): one.t() if transposed else one for e, one in enumerate(experts)}

    return take


def mamba(stem):
    names = dict(in_proj="in", conv1d="conv", x_proj="x", dt_proj="dt", A_log="a_log", D="d", norm="norm", out_proj="out",
                 dt_layernorm="dt.norm", b_layernorm="b.norm", c_layernorm="c.norm", dt_bias="dt.bias")
    return {f"{stem}.{name}": "mamba." + role for name, role in names.items()}


LLAMA = {
    "embed_tokens": "embed",
    "norm": "final.norm",
    "lm_head": "lm_head",
    "layers.#.input_layernorm": "attn.norm",
    "layers.#.post_attention_layernorm": "ffn.norm",
    "layers.#.self_attn.q_proj": "attn.q",
    "layers.#.self_attn.k_proj": "attn.k",
    "layers.#.self_attn.v_proj": "attn.v",
    "layers.#.self_attn.o_proj": "attn.o",
    "layers.#.self_attn.q_norm": "attn.q.norm",
    "layers.#.self_attn.k_norm": "attn.k.norm",
    "layers.#.mlp.gate_proj": "ffn.gate",
    "layers.#.mlp.up_proj": "ffn.up",
    "layers.#.mlp.down_proj": "ffn.down",
    "layers.#.mlp.gate": "router",
    "layers.#.mlp.gate.e_score_correction_bias": "router.bias",
    "layers.#.mlp.experts.gate_up_proj": gate_up,
    "layers.#.mlp.experts.down_proj": down,
    "layers.#.mlp.shared_experts.gate_proj": "shared.gate",
    "layers.#.mlp.shared_experts.up_proj": "shared.up",
    "layers.#.mlp.shared_experts.down_proj": "shared.down",
    "layers.#.self_attn.q_a_proj": "attn.q_a",
    "layers.#.self_attn.q_a_layernorm": "attn.q_a.norm",
    "layers.#.self_attn.q_b_proj": "attn.q_b",
    "layers.#.self_attn.kv_a_proj_with_mqa": "attn.kv_a",
    "layers.#.self_attn.kv_a_layernorm": "attn.kv_a.norm",
    "layers.#.self_attn.kv_b_proj": "attn.kv_b",
}
POST = {
    "layers.#.post_attention_layernorm": "attn.post_norm",
    "layers.#.pre_feedforward_layernorm": "ffn.norm",
    "layers.#.post_feedforward_layernorm": "ffn.post_norm",
}
BERT = {
    "embeddings.word_embeddings": "embed",
    "embeddings.position_embeddings": "embed.position",
    "embeddings.token_type_embeddings": "embed.type",
    "embeddings.LayerNorm": "embed.norm",
    "encoder.layer.#.attention.self.query": "attn.q",
    "encoder.layer.#.attention.self.key": "attn.k",
    "encoder.layer.#.attention.self.value": "attn.v",
    "encoder.layer.#.attention.output.dense": "attn.o",
    "encoder.layer.#.attention.output.LayerNorm": "attn.post_norm",
    "encoder.layer.#.intermediate.dense": "ffn.up",
    "encoder.layer.#.output.dense": "ffn.down",
    "encoder.layer.#.output.LayerNorm": "ffn.post_norm",
    "cls.predictions.transform.dense": "head.transform",
    "cls.predictions.transform.LayerNorm": "head.norm",
    "cls.predictions": "lm_head",
    "cls.predictions.decoder": "lm_head",
    "lm_head.dense": "head.transform",
    "lm_head.layer_norm": "head.norm",
    "lm_head.decoder": "lm_head",
}
NEOX = {
    "embed_in": "embed",
    "final_layer_norm": "final.norm",
    "layers.#.attention.query_key_value": qkv_by_head,
    "layers.#.attention.dense": "attn.o",
    "layers.#.mlp.dense_h_to_4h": "ffn.up",
    "layers.#.mlp.dense_4h_to_h": "ffn.down",
}
BLOOM = {
    "word_embeddings": "embed",
    "word_embeddings_layernorm": "embed.norm",
    "ln_f": "final.norm",
    "h.#.input_layernorm": "attn.norm",
    "h.#.ln_attn": "attn.norm",
    "h.#.self_attention.query_key_value": qkv_by_head,
    "h.#.self_attention.dense": "attn.o",
    "h.#.post_attention_layernorm": "ffn.norm",
    "h.#.ln_mlp": "ffn.norm",
    "h.#.mlp.dense_h_to_4h": "ffn.up",
    "h.#.mlp.dense_4h_to_h": "ffn.down",
}
FALCON = BLOOM | {"h.#.self_attention.query_key_value": qkv_by_group}
GPT = {
    "wte": "embed",
    "wpe": "embed.position",
    "ln_f": "final.norm",
    "h.#.ln_1": "attn.norm",
    "h.#.ln_2": "ffn.norm",
    "h.#.mlp.c_fc": "ffn.up",
    "h.#.mlp.c_proj": "ffn.down",
    "h.#.attn.c_proj": "attn.o",
    "h.#.mlp.fc_in": "ffn.up",
    "h.#.mlp.fc_out": "ffn.down",
    "h.#.attn.q_proj": "attn.q",
    "h.#.attn.k_proj": "attn.k",
    "h.#.attn.v_proj": "attn.v",
    "h.#.attn.out_proj": "attn.o",
    "h.#.attn.attention.q_proj": "attn.q",
    "h.#.attn.attention.k_proj": "attn.k",
    "h.#.attn.attention.v_proj": "attn.v",
    "h.#.attn.attention.out_proj": "attn.o",
}
OPT = {
    "decoder.embed_tokens": "embed",
    "decoder.embed_positions": "embed.position",
    "decoder.layernorm_embedding": "embed.norm",
    "decoder.final_layer_norm": "final.norm",
    "decoder.layers.#.self_attn_layer_norm": "attn.norm",
    "decoder.layers.#.self_attn.q_proj": "attn.q",
    "decoder.layers.#.self_attn.k_proj": "attn.k",
    "decoder.layers.#.self_attn.v_proj": "attn.v",
    "decoder.layers.#.self_attn.out_proj": "attn.o",
    "decoder.layers.#.final_layer_norm": "ffn.norm",
    "decoder.layers.#.fc1": "ffn.up",
    "decoder.layers.#.fc2": "ffn.down",
}
MAMBA = {"embeddings": "embed", "norm_f": "final.norm", "layers.#.norm": "attn.norm"} | mamba("layers.#.mixer")
JAMBA = mamba("layers.#.mamba") | {
    "final_layernorm": "final.norm",
    "layers.#.pre_ff_layernorm": "ffn.norm",
    "layers.#.feed_forward.gate_proj": "ffn.gate",
    "layers.#.feed_forward.up_proj": "ffn.up",
    "layers.#.feed_forward.down_proj": "ffn.down",
    "layers.#.feed_forward.router": "router",
    "layers.#.feed_forward.experts.gate_up_proj": gate_up,
    "layers.#.feed_forward.experts.down_proj": down,
}
LLAMA4 = JAMBA | {
    "layers.#.feed_forward.experts.gate_up_proj": gate_up_of_columns,
    "layers.#.feed_forward.experts.down_proj": down_of_columns,
    "layers.#.feed_forward.shared_expert.gate_proj": "shared.gate",
    "layers.#.feed_forward.shared_expert.up_proj": "shared.up",
    "layers.#.feed_forward.shared_expert.down_proj": "shared.down",
}
FUSED = {"layers.#.self_attn.qkv_proj": qkv, "layers.#.mlp.gate_up_proj": halves("ffn.gate", "ffn.up")}
FC = {"layers.#.self_attn.dense": "attn.o", "layers.#.mlp.fc1": "ffn.up", "layers.#.mlp.fc2": "ffn.down",
      "final_layernorm": "final.norm"}
SHARED_EXPERT = {
    "layers.#.mlp.shared_expert.gate_proj": "shared.gate",
    "layers.#.mlp.shared_expert.up_proj": "shared.up",
    "layers.#.mlp.shared_expert.down_proj": "shared.down",
    "layers.#.mlp.shared_expert_gate": "shared.router",
}
HUNYUAN = {
    "layers.#.self_attn.query_layernorm": "attn.q.norm",
    "layers.#.self_attn.key_layernorm": "attn.k.norm",
    "layers.#.mlp.gate.wg": "router",
    "layers.#.mlp.shared_mlp.gate_proj": "shared.gate",
    "layers.#.mlp.shared_mlp.up_proj": "shared.up",
    "layers.#.mlp.shared_mlp.down_proj": "shared.down",
}
GRANITE = {
    "layers.#.block_sparse_moe.router": "router",
    "layers.#.block_sparse_moe.experts.gate_up_proj": gate_up,
    "layers.#.block_sparse_moe.experts.down_proj": down,
    "layers.#.shared_mlp.input_linear": halves("shared.gate", "shared.up"),
    "layers.#.shared_mlp.output_linear": "shared.down",
} | mamba("layers.#.mamba")
GPT_OSS = {
    "layers.#.mlp.experts.gate_up_proj": gate_up_alternating,
    "layers.#.mlp.experts.gate_up_proj_bias": gate_up_alternating,
    "layers.#.mlp.experts.down_proj": down_of_columns,
    "layers.#.mlp.experts.down_proj_bias": down_of_columns,
    "layers.#.mlp.router": "router",
    "layers.#.self_attn.sinks": "attn.sinks",
}
DBRX = {
    "wte": "embed",
    "norm_f": "final.norm",
    "blocks.#.norm_attn_norm.norm_1": "attn.norm",
    "blocks.#.norm_attn_norm.attn.Wqkv": qkv,
    "blocks.#.norm_attn_norm.attn.out_proj": "attn.o",
    "blocks.#.norm_attn_norm.norm_2": "ffn.norm",
    "blocks.#.ffn.router.layer": "router",
    "blocks.#.ffn.experts.mlp.w1": stacked("ffn.gate"),
    "blocks.#.ffn.experts.mlp.v1": stacked("ffn.up"),
    "blocks.#.ffn.experts.mlp.w2": stacked("ffn.down", transposed=True),
}
MPT = {
    "wte": "embed",
    "norm_f": "final.norm",
    "blocks.#.norm_1": "attn.norm",
    "blocks.#.attn.Wqkv": qkv,
    "blocks.#.attn.out_proj": "attn.o",
    "blocks.#.norm_2": "ffn.norm",
    "blocks.#.ffn.up_proj": "ffn.up",
    "blocks.#.ffn.down_proj": "ffn.down",
}
MINIMAX = {
    "layers.#.self_attn.qkv_proj": qkv_by_head,
    "layers.#.self_attn.out_proj": "attn.o",
    "layers.#.self_attn.output_gate": "attn.gate",
    "layers.#.self_attn.norm": "attn.inner_norm",
    "layers.#.mlp.e_score_correction_bias": "router.bias",
}
LINEAR = {
    "layers.#.linear_attn.in_proj_qkvz": "mamba.in",
    "layers.#.linear_attn.in_proj_qkv": "mamba.in",
    "layers.#.linear_attn.in_proj_z": "attn.gate",
    "layers.#.linear_attn.conv1d": "mamba.conv",
    "layers.#.linear_attn.A_log": "mamba.a_log",
    "layers.#.linear_attn.dt_bias": "mamba.dt.bias",
    "layers.#.linear_attn.norm": "mamba.norm",
    "layers.#.linear_attn.out_proj": "mamba.out",
}
LFM2 = {
    "embedding_norm": "final.norm",
    "layers.#.operator_norm": "attn.norm",
    "layers.#.ffn_norm": "ffn.norm",
    "layers.#.self_attn.q_layernorm": "attn.q.norm",
    "layers.#.self_attn.k_layernorm": "attn.k.norm",
    "layers.#.self_attn.out_proj": "attn.o",
    "layers.#.feed_forward.w1": "ffn.gate",
    "layers.#.feed_forward.w3": "ffn.up",
    "layers.#.feed_forward.w2": "ffn.down",
    "layers.#.feed_forward.gate": "router",
    "layers.#.feed_forward.expert_bias": "router.bias",
    "layers.#.feed_forward.experts.gate_up_proj": gate_up,
    "layers.#.feed_forward.experts.down_proj": down,
}
AFMOE = {
    "layers.#.post_attention_layernorm": "attn.post_norm",
    "layers.#.pre_mlp_layernorm": "ffn.norm",
    "layers.#.post_mlp_layernorm": "ffn.post_norm",
    "layers.#.self_attn.gate_proj": "attn.gate",
    "layers.#.mlp.expert_bias": "router.bias",
    "layers.#.mlp.router.gate": "router",
}
MODERN_BERT = {
    "embeddings.tok_embeddings": "embed",
    "embeddings.norm": "embed.norm",
    "final_norm": "final.norm",
    "layers.#.attn_norm": "attn.norm",
    "layers.#.attn.Wqkv": qkv,
    "layers.#.attn.Wo": "attn.o",
    "layers.#.mlp_norm": "ffn.norm",
    "layers.#.mlp.Wi": halves("ffn.gate", "ffn.up"),
    "layers.#.mlp.Wo": "ffn.down",
    "head.dense": "head.transform",
    "head.norm": "head.norm",
    "decoder": "lm_head",
}
DISTIL_BERT = BERT | {
    "transformer.layer.#.attention.q_lin": "attn.q",
    "transformer.layer.#.attention.k_lin": "attn.k",
    "transformer.layer.#.attention.v_lin": "attn.v",
    "transformer.layer.#.attention.out_lin": "attn.o",
    "transformer.layer.#.sa_layer_norm": "attn.post_norm",
    "transformer.layer.#.ffn.lin1": "ffn.up",
    "transformer.layer.#.ffn.lin2": "ffn.down",
    "transformer.layer.#.output_layer_norm": "ffn.post_norm",
    "vocab_transform": "head.transform",
    "vocab_layer_norm": "head.norm",
    "vocab_projector": "lm_head",
}
VISION = dict(hidden_size=32, depth=1, num_heads=2, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48,
              patch_size=14, image_size=28, embed_dim=32, out_hidden_size=64)


def see(kind, settings=None, **vision):
    """A model with eyes: `kind` is its language model's."""
    return dict(text_config=SMALL | dict(model_type=kind) | (settings or {}), vision_config=VISION | vision)


# model_type, perhaps with a variant's name behind @: settings, names, what has no role
FAMILIES = {
    "llama": ({}, {}),
    "mistral": ({}, {}),
    "qwen2": ({}, {}),
    "qwen3": (HEAD, {}),
    "gemma": (HEAD, {}),
    "gemma2": (HEAD, POST),
    "gemma3_text": (HEAD, POST),
    "olmo": ({}, {}),
    "olmo2": ({}, POST),
    "olmo3": ({}, POST),
    "cohere2": (HEAD, {}),
    "exaone4": (dict(HEAD, layer_types=["full_attention"] * 2), POST),
    "stablelm": ({}, {}),
    "nemotron": ({}, {}),
    "phi3": ({}, FUSED),
    "glm": (HEAD, FUSED),
    "glm4": (HEAD, FUSED | {"layers.#.post_self_attn_layernorm": "attn.post_norm",
                            "layers.#.post_mlp_layernorm": "ffn.post_norm"}),
    "phi": ({}, FC),
    "persimmon": ({}, NEOX | FC | {"layers.#.self_attn.query_key_value": qkv_by_head,
                                   "layers.#.self_attn.q_layernorm": "attn.q.norm",
                                   "layers.#.self_attn.k_layernorm": "attn.k.norm"}),
    "starcoder2": ({}, {"layers.#.mlp.c_fc": "ffn.up", "layers.#.mlp.c_proj": "ffn.down"}),
    "gpt2": (GPT2, GPT | {"h.#.attn.c_attn": qkv_conv1d, "h.#.attn.c_proj": conv1d("attn.o"),
                          "h.#.mlp.c_fc": conv1d("ffn.up"), "h.#.mlp.c_proj": conv1d("ffn.down")}),
    "gpt_bigcode": (GPT2, GPT | {"h.#.attn.c_attn": qkv_by_group}),
    "gpt_bigcode@all_heads": (dict(GPT2, multi_query=False), GPT | {"h.#.attn.c_attn": qkv_by_head}),
    "gpt_neo": (dict(num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]]), GPT),
    "gptj": (dict(GPT2, rotary_dim=8), GPT),
    "gpt_neox": ({}, NEOX),
    "falcon": (dict(multi_query=True, new_decoder_architecture=False), FALCON),
    "falcon@40b": (dict(new_decoder_architecture=True, num_kv_heads=2), FALCON),
    "falcon@rw": (dict(multi_query=False, new_decoder_architecture=False, parallel_attn=False, bias=True, alibi=True),
                  BLOOM),
    "bloom": (dict(n_layer=2, n_head=4), BLOOM),
    "mpt": (dict(d_model=64, n_heads=4, n_layers=2), MPT),
    "opt": (dict(ffn_dim=96, word_embed_proj_dim=64), OPT),
    "opt@projected": (dict(ffn_dim=96, word_embed_proj_dim=32, do_layer_norm_before=False), OPT, "project_(in|out)"),
    "bert": ({}, BERT, "cls.predictions.decoder.bias"),
    "roberta": ({}, BERT, "lm_head.decoder.bias"),
    "distilbert": (dict(dim=64, n_layers=2, n_heads=4, hidden_dim=96), DISTIL_BERT),
    "electra": (dict(embedding_size=32), BERT, "embeddings_project|generator_"),
    "modernbert": (dict(num_key_value_heads=4), MODERN_BERT),
    "deepseek_v2": (MLA | ROUTED, {}),
    "deepseek_v2@lite": (MLA | ROUTED | dict(q_lora_rank=None), {}),
    "deepseek_v3": (MLA | ROUTED, {}),
    "glm4_moe": (dict(ROUTED, **HEAD, attention_bias=True), {}),
    "solar_open": (dict(ROUTED, **HEAD), {}),
    "dots1": (ROUTED, {}),
    "mixtral": (dict(num_local_experts=4), {}),
    "phimoe": (dict(num_local_experts=4), {"layers.#.mlp.router": "router"}),
    "minimax": (dict(HEAD, num_local_experts=4), MINIMAX, "slope_rate|_decay"),
    "minimax_m2": (dict(HEAD, num_local_experts=4), MINIMAX),
    "qwen2_moe": (dict(MOE, num_experts=4, shared_expert_intermediate_size=48), SHARED_EXPERT),
    "qwen3_moe": (dict(MOE, **HEAD, num_experts=4), {}),
    "qwen3_next": (dict(MOE, **DELTA, num_experts=4, shared_expert_intermediate_size=48), LINEAR | SHARED_EXPERT,
                   "in_proj_ba"),
    "qwen3_5_text": (DELTA, LINEAR, "in_proj_[ab]"),
    "olmoe": (dict(num_experts=4), {}),
    "flex_olmo": (dict(num_experts=4), POST),
    "ernie4_5": (HEAD, {}),
    "ernie4_5_moe": (dict(MOE, moe_num_experts=4, moe_k=2, moe_num_shared_experts=1, moe_layer_start_index=1),
                     {"layers.#.mlp.gate.moe_statics.e_score_correction_bias": "router.bias"}),
    "hunyuan_v1_dense": (HEAD, HUNYUAN),
    "hunyuan_v1_moe": (dict(HEAD, num_experts=4, moe_topk=2), HUNYUAN),
    "jamba": (dict(num_experts=4, num_experts_per_tok=2, num_hidden_layers=4, attn_layer_period=2, attn_layer_offset=1,
                   expert_layer_period=2, expert_layer_offset=1, mamba_d_state=8, mamba_d_conv=4, mamba_dt_rank=8), JAMBA),
    "mamba": (dict(state_size=8, time_step_rank=8), MAMBA),
    "mamba2": (dict(num_heads=8, head_dim=16, state_size=8, expand=2, n_groups=1), MAMBA),
    "bamba": (dict(SSM, attn_layer_indices=[1]), JAMBA),
    "falcon_h1": (dict(SSM, **HEAD, mamba_d_ssm=128), JAMBA),
    "granitemoe": (dict(num_local_experts=4), GRANITE),
    "granitemoehybrid": (dict(SSM, num_local_experts=4, shared_intermediate_size=48, layer_types=["mamba", "attention"]),
                         GRANITE),
    "lfm2_moe": (dict(MOE, num_experts=4, num_dense_layers=1, layer_types=["conv", "full_attention"]), LFM2, r"\.conv\."),
    "afmoe": (dict(MOE, **HEAD, num_experts=4, num_shared_experts=1, num_dense_layers=1), AFMOE),
    "gpt_oss": (dict(HEAD, num_local_experts=4, layer_types=["sliding_attention", "full_attention"]), GPT_OSS),
    "llama4_text": (dict(HEAD, num_local_experts=4, intermediate_size_mlp=80, interleave_moe_layer_step=2), LLAMA4),
    "dbrx": (dict(d_model=64, n_heads=4, n_layers=2, attn_config=dict(kv_n_heads=2, clip_qkv=8, rope_theta=1e4),
                  ffn_config=dict(ffn_hidden_size=96, moe_num_experts=4, moe_top_k=2)), DBRX),
    "t5": (dict(d_model=64, d_kv=16, d_ff=96, num_layers=2, num_heads=4), {"shared": "embed"}, "(en|de)coder"),
    "bart": (dict(d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
                  encoder_ffn_dim=96, decoder_ffn_dim=96), OPT, "encoder"),
    "llava": (see("llama", model_type="clip_vision_model"), {}, "vision|projector"),
    "qwen2_vl": (see("qwen2_vl_text"), {}, "visual"),
    "mistral3": (see("mistral", model_type="pixtral"), {}, "vision|projector"),
    "gemma3": (see("gemma3_text", HEAD, model_type="siglip_vision_model"), POST, "vision|projector"),
    "qwen3_vl_moe": (see("qwen3_vl_moe_text", dict(MOE, **HEAD, num_experts=4)), {}, "visual"),
    "llama4": (see("llama4_text", dict(HEAD, num_local_experts=4, intermediate_size_mlp=80, interleave_moe_layer_step=2)),
               LLAMA4, "vision|projector"),
}


def make(family):
    """A model of that family with random parameters that bfloat16 can hold."""
    import transformers

    model_type = family.split("@")[0]
    settings = FAMILIES[family][0]
    known = transformers.AutoConfig.for_model(model_type)
    small = {key: value for key, value in SMALL.items() if hasattr(known, key) and "text_config" not in settings}
    config = transformers.AutoConfig.for_model(model_type, **small | settings)
    for kind in ("CausalLM", "Seq2SeqLM", "MaskedLM", "ImageTextToText", "Model"):
        auto = getattr(transformers, "AutoModelFor" + kind, transformers.AutoModel)
        if type(config) in auto._model_mapping and not ("bert" in model_type and kind == "CausalLM"):
            break
    torch.manual_seed(11)
    model = auto.from_config(config)
    for parameter in model.parameters():
        values = 0.05 * torch.randn(parameter.shape)
        parameter.data.copy_(values.bfloat16())
    return model


def slots(family, model, state):
    """Of what lies in memory {slot: values} where it has a role, by the forward functions, else {name: values}."""
    names, left = (*FAMILIES[family][1:], None)[:2]
    names = LLAMA | names
    config = text(model.config)
    known, rest = {}, {}
    for name, values in state.items():
        stem, suffix = re.fullmatch(r"(?:model\.|language_model\.|%s\.)*(.*?)(\.weight|\.bias|_bias)?"
                                    % re.escape(model.base_model_prefix or "model"), name).groups()
        if left and re.search(left, name):
            rest[name] = values
            continue
        pattern = re.sub(r"\.\d+(?=\.|$)", ".#", stem)
        if pattern not in names:
            stem, suffix = stem + (suffix or ""), None
            pattern = re.sub(r"\.\d+(?=\.|$)", ".#", stem)
        role = names[pattern]
        layer = re.search(r"\.(\d+)\.", stem)
        parts = {role: values} if isinstance(role, str) else role(config, values)
        for part, own in parts.items():
            part, expert = part if isinstance(part, tuple) else (part, None)
            place = f"layers.{layer[1]}." if layer else ""
            place += f"experts.{expert}." if expert is not None else ""
            known[place + part + (".bias" if suffix in (".bias", "_bias") else "")] = own
    return known, rest
