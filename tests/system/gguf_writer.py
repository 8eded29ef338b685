"""GGUF files of models with Hugging Face's names, as llama.cpp's convert_hf_to_gguf.py would write them.

PyPI's gguf writes the file and quantises; what happens to names, rows and types is done here by that script's rules.
"""

import json
import re

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

import checkpoints

ARCHITECTURES = {"llama": "llama", "mixtral": "llama", "glm4_moe": "glm4moe", "qwen2_moe": "qwen2moe", "phi3": "phi3"}
PERMUTED = ("llama",)
NAMES = {
    r"model\.embed_tokens\.": "token_embd.",
    r"model\.norm\.": "output_norm.",
    r"lm_head\.": "output.",
    r"model\.layers\.(\d+)\.input_layernorm\.": r"blk.\1.attn_norm.",
    r"model\.layers\.(\d+)\.post_attention_layernorm\.": r"blk.\1.ffn_norm.",
    r"model\.layers\.(\d+)\.self_attn\.([qkv])_proj\.": r"blk.\1.attn_\2.",
    r"model\.layers\.(\d+)\.self_attn\.qkv_proj\.": r"blk.\1.attn_qkv.",
    r"model\.layers\.(\d+)\.self_attn\.o_proj\.": r"blk.\1.attn_output.",
    r"model\.layers\.(\d+)\.mlp\.gate_up_proj\.": r"blk.\1.ffn_up.",
    r"model\.layers\.(\d+)\.mlp\.(gate|up|down)_proj\.": r"blk.\1.ffn_\2.",
    r"model\.layers\.(\d+)\.mlp\.gate\.e_score_correction_bias$": r"blk.\1.exp_probs_b.bias",
    r"model\.layers\.(\d+)\.mlp\.gate\.": r"blk.\1.ffn_gate_inp.",
    r"model\.layers\.(\d+)\.mlp\.shared_experts?\.(gate|up|down)_proj\.": r"blk.\1.ffn_\2_shexp.",
    r"model\.layers\.(\d+)\.mlp\.shared_expert_gate\.": r"blk.\1.ffn_gate_inp_shexp.",
    r"model\.layers\.(\d+)\.mlp\.experts\.(gate|up|down)_proj\.": r"blk.\1.ffn_\2_exps.",
}
EXPERT = re.compile(r"(model\.layers\.\d+\.mlp\.experts\.)\d+\.(\w+_proj\.weight)")


def name_of(name, architecture):
    for pattern, replacement in NAMES.items():
        if re.match(pattern, name):
            name = re.sub(pattern, replacement, name)
            return name.replace("ffn_norm", "post_attention_norm") if architecture == "glm4moe" else name
    raise KeyError(name)


def permute(rows, heads):
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def converted(tensors, config):
    """{GGUF's name: float32 array} of a model's tensors."""
    architecture, experts, result = ARCHITECTURES[config["model_type"]], {}, {}
    for name, tensor in tensors.items():
        values = tensor.values.astype(np.float32)
        if architecture in PERMUTED and re.search(r"q_proj\.(weight|bias)$", name):
            values = permute(values, config["num_attention_heads"])
        if architecture in PERMUTED and re.search(r"k_proj\.(weight|bias)$", name):
            values = permute(values, config["num_key_value_heads"])
        if match := EXPERT.fullmatch(name):
            experts.setdefault(match[1] + match[2], {})[int(name.split(".")[5])] = values
            continue
        result[name_of(name, architecture)] = values
    for name, parts in experts.items():
        result[name_of(name, architecture)] = np.stack([parts[e] for e in range(len(parts))])
    return result


def encode(values, kind):
    """The bytes of an array in a type of ggml, in the shape that the writer wants, and that type."""
    if kind in (Type.F32, Type.F16) or values.ndim == 1:
        return values.astype(np.float16 if kind == Type.F16 and values.ndim > 1 else np.float32), None
    return gguf.quants.quantize(values, kind), kind


def add_config(writer, config, tensors):
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config.get("rms_norm_eps", 1e-5))
    for key, add in (
        ("vocab_size", writer.add_vocab_size),
        ("head_dim", writer.add_key_length),
        ("moe_intermediate_size", writer.add_expert_feed_forward_length),
        ("num_experts_per_tok", writer.add_expert_used_count),
        ("n_routed_experts", writer.add_expert_count),
        ("num_experts", writer.add_expert_count),
        ("n_shared_experts", writer.add_expert_shared_count),
        ("first_k_dense_replace", writer.add_leading_dense_block_count),
    ):
        if key in config:
            add(config[key])


def add_vocabulary(writer, tokenizer):
    """tokenizer.json as get_vocab_base of the script takes it in; byte-level BPE."""
    vocabulary = tokenizer["model"]["vocab"]
    added = {token["id"]: token for token in tokenizer["added_tokens"]}
    texts = {number: text for text, number in vocabulary.items()} | {n: token["content"] for n, token in added.items()}
    tokens, types = [], []
    for number in range(max(texts) + 1):
        special = number in added and added[number]["special"]
        tokens.append(texts.get(number, f"[PAD{number}]"))
        kinds = gguf.TokenType
        types.append(
            kinds.UNUSED
            if number not in texts
            else kinds.CONTROL if special else kinds.USER_DEFINED if number in added else kinds.NORMAL
        )
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(["a b"])


def write(path, arrays, architecture, fill=lambda writer: None, parts=0):
    """A file of {name: (array, type)}; in several parts where `parts` says how many tensors one has."""
    writer = gguf.GGUFWriter(path, architecture, split_max_tensors=parts)
    fill(writer)
    for name, (values, kind) in arrays.items():
        writer.add_tensor(name, values, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def convert(path, folder, kind, parts=0):
    """The model of a folder as one file, matrices in a type of ggml; returns what was written."""
    config = json.loads((folder / "config.json").read_text())
    tokenizer = folder / "tokenizer.json"

    def fill(writer):
        add_config(writer, config, checkpoints.read(folder))
        if tokenizer.exists():
            add_vocabulary(writer, json.loads(tokenizer.read_text()))

    arrays = {name: encode(values, kind) for name, values in converted(checkpoints.read(folder), config).items()}
    write(path, arrays, ARCHITECTURES[config["model_type"]], fill, parts)
    return arrays
