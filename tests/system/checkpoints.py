"""Checkpoints without the program under test: a reader, decoders to float64, and two writers.

`write` lays a safetensors file out by hand; `write_by_package` leaves that to PyPI's safetensors.
"""

import json
import math
import os
import struct
from typing import NamedTuple

import numpy as np
import safetensors


class Tensor(NamedTuple):
    """One stored tensor: the type as safetensors spells it, its shape, its bytes."""

    dtype: str
    shape: tuple
    data: bytes

    @property
    def values(self):
        """The elements as float64 in the stored shape."""
        return DECODERS[self.dtype](self.data).astype(np.float64).reshape(self.shape)


def minifloat(exponent_bits, mantissa_bits, bias):
    """The values of all codes of a small float, special codes not yet seen to."""
    values = np.empty(1 << (1 + exponent_bits + mantissa_bits))
    for code in range(len(values)):
        sign = -1.0 if code >> (exponent_bits + mantissa_bits) else 1.0
        exponent = code >> mantissa_bits & ((1 << exponent_bits) - 1)
        mantissa = (code & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
        scaled = 2.0 ** (1 - bias) * mantissa if exponent == 0 else 2.0 ** (exponent - bias) * (1 + mantissa)
        values[code] = sign * scaled
    return values


def table_of(values, **special):
    """A decoder by table; special maps a value's name to the codes that stand for it."""
    table = values.copy()
    for name, codes in special.items():
        table[codes] = dict(nan=np.nan, inf=np.inf, minus_inf=-np.inf)[name]
    return lambda data: table[np.frombuffer(data, np.uint8)]


def decode_f4(data):
    codes = np.frombuffer(data, np.uint8)
    return minifloat(2, 1, 1)[np.stack([codes & 15, codes >> 4], axis=-1).ravel()]


def plain(dtype):
    return lambda data: np.frombuffer(data, dtype)


DECODERS = {
    "U8": plain("u1"),
    "I8": plain("i1"),
    "U16": plain("<u2"),
    "I16": plain("<i2"),
    "U32": plain("<u4"),
    "I32": plain("<i4"),
    "U64": plain("<u8"),
    "I64": plain("<i8"),
    "F16": plain("<f2"),
    "F32": plain("<f4"),
    "F64": plain("<f8"),
    "BF16": lambda data: (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32),
    "F8_E4M3": table_of(minifloat(4, 3, 7), nan=[0x7F, 0xFF]),
    "F8_E5M2": table_of(minifloat(5, 2, 15), nan=[0x7D, 0x7E, 0x7F, 0xFD, 0xFE, 0xFF], inf=[0x7C], minus_inf=[0xFC]),
    "F8_E4M3FNUZ": table_of(minifloat(4, 3, 8), nan=[0x80]),
    "F8_E5M2FNUZ": table_of(minifloat(5, 2, 16), nan=[0x80]),
    "F8_E8M0": table_of(2.0 ** (np.arange(256.0) - 127), nan=[0xFF]),
    "F4": decode_f4,
}

# What PyPI's safetensors calls the types. F6 it does not write.
PACKAGE_NAMES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "U16": "uint16",
    "I16": "int16",
    "U32": "uint32",
    "I32": "int32",
    "U64": "uint64",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
    "F4": "float4_e2m1fn_x2",
}


def bf16(values):
    """Rounds to bfloat16, ties to even; finite values only."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return Tensor("BF16", np.shape(values), ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").tobytes())


def stored(values):
    """A numpy array of a plain type as a tensor."""
    values = np.asarray(values)
    code = {
        "f2": "F16",
        "f4": "F32",
        "f8": "F64",
        "i1": "I8",
        "u1": "U8",
        "i2": "I16",
        "u2": "U16",
        "i4": "I32",
        "u4": "U32",
        "i8": "I64",
        "u8": "U64",
        "b1": "BOOL",
        "c8": "C64",
    }[values.dtype.str[1:]]
    return Tensor(code, values.shape, values.tobytes())


def header(tensors, metadata=None):
    """The header of a safetensors file that stores `tensors` one behind the other, its length in front."""
    entries, at = {} if metadata is None else {"__metadata__": metadata}, 0
    for name, tensor in tensors.items():
        entries[name] = dict(dtype=tensor.dtype, shape=list(tensor.shape), data_offsets=[at, at + len(tensor.data)])
        at += len(tensor.data)
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def write(path, tensors):
    with open(path, "wb") as out:
        out.write(header(tensors, {"format": "pt"}))
        for tensor in tensors.values():
            out.write(tensor.data)


def write_by_package(path, tensors):
    buffers = {name: np.frombuffer(tensor.data, np.uint8) for name, tensor in tensors.items()}
    specs = {
        # The package counts bytes of F4, and doubles the last axis itself.
        name: safetensors.TensorSpec(
            dtype=PACKAGE_NAMES[tensor.dtype],
            shape=[*tensor.shape[:-1], tensor.shape[-1] // 2] if tensor.dtype == "F4" else list(tensor.shape),
            data_ptr=buffers[name].ctypes.data,
            data_len=len(tensor.data),
        )
        for name, tensor in tensors.items()
    }
    safetensors.serialize_file(specs, path)


def write_shards(folder, tensors, shards):
    """The tensors dealt to several files, with an index."""
    names = list(tensors)
    weight_map = {}
    for k in range(shards):
        file = f"model-{k + 1:05d}-of-{shards:05d}.safetensors"
        part = {name: tensors[name] for name in names[k::shards]}
        write(folder / file, part)
        weight_map.update(dict.fromkeys(part, file))
    total = sum(len(tensor.data) for tensor in tensors.values())
    index = dict(metadata=dict(total_size=total), weight_map=weight_map)
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def read(folder):
    """{name: Tensor} of a folder's safetensors files, sorted by name."""
    tensors = {}
    for file in sorted(f for f in os.listdir(folder) if f.endswith(".safetensors")):
        with open(os.path.join(folder, file), "rb") as stream:
            length = struct.unpack("<Q", stream.read(8))[0]
            entries = json.loads(stream.read(length))
            entries.pop("__metadata__", None)
            buffer = stream.read()
        for name, entry in entries.items():
            begin, end = entry["data_offsets"]
            tensors[name] = Tensor(entry["dtype"], tuple(entry["shape"]), buffer[begin:end])
    return dict(sorted(tensors.items()))


def llama(rng, layers=2, hidden=64, intermediate=96, vocabulary=128, values=bf16):
    """A small model with Llama's names, filled with noise; norms near one, as trained ones are."""

    def matrix(rows, columns):
        return values((0.02 * rng.standard_normal((rows, columns))).astype(np.float32))

    def norm():
        return values((1 + 0.1 * rng.standard_normal(hidden)).astype(np.float32))

    tensors = {"model.embed_tokens.weight": matrix(vocabulary, hidden)}
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        tensors[prefix + "input_layernorm.weight"] = norm()
        for name in "qkvo":
            tensors[f"{prefix}self_attn.{name}_proj.weight"] = matrix(hidden, hidden)
        tensors[prefix + "post_attention_layernorm.weight"] = norm()
        tensors[prefix + "mlp.gate_proj.weight"] = matrix(intermediate, hidden)
        tensors[prefix + "mlp.up_proj.weight"] = matrix(intermediate, hidden)
        tensors[prefix + "mlp.down_proj.weight"] = matrix(hidden, intermediate)
    tensors["model.norm.weight"] = norm()
    tensors["lm_head.weight"] = matrix(vocabulary, hidden)
    return tensors


def llama_config(tensors, **changes):
    """config.json for a model made by llama()."""
    vocabulary, hidden = tensors["model.embed_tokens.weight"].shape
    intermediate = tensors["model.layers.0.mlp.up_proj.weight"].shape[0]
    layers = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("model.layers."))
    config = dict(
        architectures=["LlamaForCausalLM"],
        model_type="llama",
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=hidden // 4,
        vocab_size=vocabulary,
        tie_word_embeddings=False,
    )
    config.update(changes)
    return {key: value for key, value in config.items() if value is not None}


def moe(rng, layers=3, hidden=64, experts=4):
    """The same with experts, under Mixtral's names."""
    tensors = llama(rng, layers=layers, hidden=hidden)
    for name in [name for name in tensors if ".mlp." in name]:
        del tensors[name]
    for layer in range(layers):
        prefix = f"model.layers.{layer}.block_sparse_moe."
        tensors[prefix + "gate.weight"] = bf16(rng.standard_normal((experts, hidden), np.float32))
        for expert in range(experts):
            for name, shape in (("w1", (32, hidden)), ("w2", (hidden, 32)), ("w3", (32, hidden))):
                values = bf16(rng.standard_normal(shape, np.float32))
                tensors[f"{prefix}experts.{expert}.{name}.weight"] = values
    return tensors


def make(folder, tensors, config=None, tokenizer=None, writer=write):
    """A model folder: weights, and what else is given."""
    os.makedirs(folder, exist_ok=True)
    writer(os.path.join(folder, "model.safetensors"), tensors)
    for name, content in (("config.json", config), ("tokenizer.json", tokenizer)):
        if content is not None:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                json.dump(content, out)
    return folder


def elements(tensors):
    return sum(math.prod(tensor.shape) for tensor in tensors.values())


def stored_bytes(tensors):
    return sum(len(tensor.data) for tensor in tensors.values())
