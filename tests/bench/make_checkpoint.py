#!/usr/bin/env python3
"""Makes a checkpoint with the names and shapes of a published model: filled with bf16 noise, or sparse.

A sparse one is a hole with a header: 205 GB take a few megabytes of disk and read as zeros. A filled one draws
its matrices from a pool of noise made by the seed, so that two seeds are two unrelated models.
"""

import argparse
import json
import math
import shutil
import struct
import sys
from pathlib import Path

import numpy as np

FAMILIES = {
    "mixtral-8x7b": dict(
        architectures=["MixtralForCausalLM"],
        model_type="mixtral",
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        num_local_experts=8,
        num_experts_per_tok=2,
        vocab_size=32000,
    ),
    "solar-open-100b": dict(
        architectures=["SolarOpenForCausalLM"],
        model_type="solar_open",
        hidden_size=4096,
        intermediate_size=10240,
        moe_intermediate_size=1280,
        num_hidden_layers=48,
        num_attention_heads=64,
        num_key_value_heads=8,
        head_dim=128,
        n_routed_experts=128,
        n_shared_experts=1,
        num_experts_per_tok=8,
        first_k_dense_replace=0,
        vocab_size=196608,
    ),
    "glm-4.5-air": dict(
        architectures=["Glm4MoeForCausalLM"],
        model_type="glm4_moe",
        attention_bias=True,
        hidden_size=4096,
        intermediate_size=10944,
        moe_intermediate_size=1408,
        num_hidden_layers=46,
        num_nextn_predict_layers=1,
        num_attention_heads=96,
        num_key_value_heads=8,
        head_dim=128,
        n_routed_experts=128,
        n_shared_experts=1,
        num_experts_per_tok=8,
        first_k_dense_replace=1,
        vocab_size=151552,
    ),
    "deepseek-v2": dict(
        architectures=["DeepseekV2ForCausalLM"],
        model_type="deepseek_v2",
        hidden_size=5120,
        intermediate_size=12288,
        moe_intermediate_size=1536,
        num_hidden_layers=60,
        num_attention_heads=128,
        num_key_value_heads=128,
        q_lora_rank=1536,
        kv_lora_rank=512,
        qk_nope_head_dim=128,
        qk_rope_head_dim=64,
        v_head_dim=128,
        n_routed_experts=160,
        n_shared_experts=2,
        num_experts_per_tok=6,
        first_k_dense_replace=1,
        vocab_size=102400,
    ),
    "qwen2-57b-a14b": dict(
        architectures=["Qwen2MoeForCausalLM"],
        model_type="qwen2_moe",
        hidden_size=3584,
        intermediate_size=18944,
        moe_intermediate_size=2560,
        shared_expert_intermediate_size=20480,
        num_hidden_layers=28,
        num_attention_heads=28,
        num_key_value_heads=4,
        num_experts=64,
        num_experts_per_tok=8,
        vocab_size=151936,
    ),
    "phi-3.5-moe": dict(
        architectures=["PhiMoEForCausalLM"],
        model_type="phimoe",
        attention_bias=True,
        lm_head_bias=True,
        hidden_size=4096,
        intermediate_size=6400,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        num_local_experts=16,
        num_experts_per_tok=2,
        vocab_size=32064,
    ),
    "llama-3-8b": dict(
        architectures=["LlamaForCausalLM"],
        model_type="llama",
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=128256,
    ),
}
POOL = 1 << 23  # elements of noise, more than any cache holds


def linear(name, rows, columns, bias=False):
    yield f"{name}.weight", (rows, columns)
    if bias:
        yield f"{name}.bias", (rows,)


def norm(config, name):
    """Phi-3.5-MoE has LayerNorm with a bias, all others RMSNorm."""
    yield f"{name}.weight", (config["hidden_size"],)
    if config["model_type"] == "phimoe":
        yield f"{name}.bias", (config["hidden_size"],)


def attention(config):
    """(name, shape) of a layer's attention."""
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    size = config.get("head_dim", hidden // heads)
    queries, keys = heads * size, config["num_key_value_heads"] * size
    bias = config["model_type"] in ("glm4_moe", "phimoe", "qwen2_moe")
    for name, rows in (("q_proj", queries), ("k_proj", keys), ("v_proj", keys)):
        yield from linear(f"self_attn.{name}", rows, hidden, bias)
    yield from linear("self_attn.o_proj", hidden, queries, config["model_type"] == "phimoe")


def latent_attention(config):
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    queries, latent = config["q_lora_rank"], config["kv_lora_rank"]
    plain, rotated, value = (config[f"{part}_head_dim"] for part in ("qk_nope", "qk_rope", "v"))
    yield from linear("self_attn.q_a_proj", queries, hidden)
    yield "self_attn.q_a_layernorm.weight", (queries,)
    yield from linear("self_attn.q_b_proj", heads * (plain + rotated), queries)
    yield from linear("self_attn.kv_a_proj_with_mqa", latent + rotated, hidden)
    yield "self_attn.kv_a_layernorm.weight", (latent,)
    yield from linear("self_attn.kv_b_proj", heads * (plain + value), latent)
    yield from linear("self_attn.o_proj", hidden, heads * value)


def gated(block, units, hidden, names=("gate_proj", "up_proj", "down_proj")):
    """A feed-forward block: gate, up and down."""
    gate, up, down = names
    yield from linear(f"{block}.{gate}", units, hidden)
    yield from linear(f"{block}.{up}", units, hidden)
    yield from linear(f"{block}.{down}", hidden, units)


def mixtral_experts(config):
    hidden, experts = config["hidden_size"], config["num_local_experts"]
    yield from linear("block_sparse_moe.gate", experts, hidden)
    for expert in range(experts):
        block = f"block_sparse_moe.experts.{expert}"
        yield from gated(block, config["intermediate_size"], hidden, ("w1", "w3", "w2"))


def deepseek_experts(config):
    """Those of DeepSeek-V2, Qwen2-MoE, Solar-Open and GLM-4.5."""
    hidden, units, kind = config["hidden_size"], config["moe_intermediate_size"], config["model_type"]
    experts = config["num_experts" if kind == "qwen2_moe" else "n_routed_experts"]
    yield from linear("mlp.gate", experts, hidden)
    if kind in ("solar_open", "glm4_moe"):
        yield "mlp.gate.e_score_correction_bias", (experts,)
    for expert in range(experts):
        yield from gated(f"mlp.experts.{expert}", units, hidden)
    if kind == "qwen2_moe":
        yield from gated("mlp.shared_expert", config["shared_expert_intermediate_size"], hidden)
        yield from linear("mlp.shared_expert_gate", 1, hidden)
    else:
        yield from gated("mlp.shared_experts", units * config["n_shared_experts"], hidden)


def feed_forward(config, layer):
    if config["model_type"] in ("mixtral", "phimoe"):
        return mixtral_experts(config)
    if config["model_type"] == "llama" or layer < config.get("first_k_dense_replace", 0):
        return gated("mlp", config["intermediate_size"], config["hidden_size"])
    return deepseek_experts(config)


def prediction(config):
    """What a layer of multi-token prediction has beside a layer proper's tensors."""
    hidden, vocabulary = config["hidden_size"], config["vocab_size"]
    yield from linear("embed_tokens", vocabulary, hidden)
    yield "enorm.weight", (hidden,)
    yield "hnorm.weight", (hidden,)
    yield from linear("eh_proj", hidden, 2 * hidden)
    yield "shared_head.norm.weight", (hidden,)
    yield from linear("shared_head.head", vocabulary, hidden)


def layer_tensors(config, layer):
    yield from norm(config, "input_layernorm")
    yield from norm(config, "post_attention_layernorm")
    yield from latent_attention(config) if "kv_lora_rank" in config else attention(config)
    yield from feed_forward(config, layer)
    if layer >= config["num_hidden_layers"]:
        yield from prediction(config)


def tensors(config):
    """(name, shape) of every tensor, in the order of the layers."""
    hidden, vocabulary = config["hidden_size"], config["vocab_size"]
    yield from linear("model.embed_tokens", vocabulary, hidden)
    for layer in range(config["num_hidden_layers"] + config.get("num_nextn_predict_layers", 0)):
        for name, shape in layer_tensors(config, layer):
            yield f"model.layers.{layer}.{name}", shape
    yield from norm(config, "model.norm")
    yield from linear("lm_head", vocabulary, hidden, config.get("lm_head_bias", False))


def shards(entries, limit):
    """The tensors in files of at most `limit` bytes."""
    parts, size = [[]], 0
    for name, shape in entries:
        need = 2 * math.prod(shape)
        if parts[-1] and size + need > limit:
            parts.append([])
            size = 0
        parts[-1].append((name, shape))
        size += need
    return parts


def bf16(values):
    """Cut to bfloat16: noise needs no rounding."""
    return (np.asarray(values, np.float32).view(np.uint32) >> 16).astype("<u2")


class Noise:
    """Writes tensors of noise: norms near one, matrices near zero."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.pool = bf16(0.02 * self.random.standard_normal(POOL, dtype=np.float32))

    def write(self, out, shape):
        if len(shape) == 1:
            out.write(bf16(1 + 0.1 * self.random.standard_normal(shape)).tobytes())
            return
        left = math.prod(shape)
        while left:
            start = int(self.random.integers(0, POOL // 2))
            part = self.pool[start : start + left]
            out.write(part)
            left -= len(part)


def write_shard(path, entries, noise):
    header, at = {}, 0
    for name, shape in entries:
        end = at + 2 * math.prod(shape)
        header[name] = dict(dtype="BF16", shape=list(shape), data_offsets=[at, end])
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        if noise is None:
            out.truncate(8 + len(text) + at)
        else:
            for _, shape in entries:
                noise.write(out, shape)


def make(folder, config, seed=None, limit=5 * 10**9):
    """Writes the checkpoint; without a seed it is sparse. Returns (parameters, tensors, shards)."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    entries = list(tensors(config))
    parameters = sum(math.prod(shape) for _, shape in entries)
    if seed is not None and 2 * parameters > shutil.disk_usage(folder).free:
        sys.exit(f"{folder}: {2 * parameters / 1e9:.1f} GB do not fit; fewer layers, or sparse without a seed")
    parts, weight_map = shards(entries, limit), {}
    noise = None if seed is None else Noise(seed)
    for k, part in enumerate(parts):
        file = f"model-{k + 1:05d}-of-{len(parts):05d}.safetensors" if len(parts) > 1 else "model.safetensors"
        write_shard(folder / file, part, noise)
        weight_map.update((name, file) for name, _ in part)
    if len(parts) > 1:
        index = dict(metadata=dict(total_size=2 * parameters), weight_map=weight_map)
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps(dict(config, torch_dtype="bfloat16", tie_word_embeddings=False)))
    return parameters, len(entries), len(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("family", choices=FAMILIES)
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, help="fill with noise of this seed; without it the files are sparse")
    parser.add_argument("--shard", type=int, default=5 * 10**9, metavar="BYTES", help="largest file (default 5e9)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=N", help="another size, as config.json calls it"
    )
    options = parser.parse_args()
    config = dict(FAMILIES[options.family])
    for assignment in options.set:
        key, _, value = assignment.partition("=")
        if key not in config:
            parser.error(f"{options.family} has no {key}")
        config[key] = int(value)
    parameters, count, files = make(options.folder, config, options.seed, options.shard)
    print(f"{options.family}: {parameters:,} parameters, {count:,} tensors, {files} files")


if __name__ == "__main__":
    main()
