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
}
POOL = 1 << 23  # elements of noise, more than any cache holds


def attention(config):
    """(name, shape) of a layer's norms and attention."""
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    size = config.get("head_dim", hidden // heads)
    queries, keys = heads * size, config["num_key_value_heads"] * size
    yield "input_layernorm.weight", (hidden,)
    yield "post_attention_layernorm.weight", (hidden,)
    yield "self_attn.q_proj.weight", (queries, hidden)
    yield "self_attn.k_proj.weight", (keys, hidden)
    yield "self_attn.v_proj.weight", (keys, hidden)
    yield "self_attn.o_proj.weight", (hidden, queries)


def mixtral_experts(config):
    hidden, units = config["hidden_size"], config["intermediate_size"]
    yield "block_sparse_moe.gate.weight", (config["num_local_experts"], hidden)
    for expert in range(config["num_local_experts"]):
        for name, shape in (("w1", (units, hidden)), ("w2", (hidden, units)), ("w3", (units, hidden))):
            yield f"block_sparse_moe.experts.{expert}.{name}.weight", shape


def solar_experts(config):
    hidden, units = config["hidden_size"], config["moe_intermediate_size"]
    yield "mlp.gate.weight", (config["n_routed_experts"], hidden)
    yield "mlp.gate.e_score_correction_bias", (config["n_routed_experts"],)
    blocks = [(f"experts.{expert}", units) for expert in range(config["n_routed_experts"])]
    for block, width in [*blocks, ("shared_experts", units * config["n_shared_experts"])]:
        yield f"mlp.{block}.gate_proj.weight", (width, hidden)
        yield f"mlp.{block}.up_proj.weight", (width, hidden)
        yield f"mlp.{block}.down_proj.weight", (hidden, width)


def tensors(config):
    """(name, shape) of every tensor, in the order of the layers."""
    experts = mixtral_experts if config["model_type"] == "mixtral" else solar_experts
    yield "model.embed_tokens.weight", (config["vocab_size"], config["hidden_size"])
    for layer in range(config["num_hidden_layers"]):
        for part in (attention, experts):
            for name, shape in part(config):
                yield f"model.layers.{layer}.{name}", shape
    yield "model.norm.weight", (config["hidden_size"],)
    yield "lm_head.weight", (config["vocab_size"], config["hidden_size"])


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
