"""Quantised models against what their own libraries make of them: equal in every slot, value by value."""

import hashlib

import numpy as np
import pytest

import checkpoints
import quantised
from checkpoints import bf16, stored

HIDDEN, INTER, VOCABULARY, LAYERS = 256, 384, 320, 2
SHAPES = {
    "self_attn.q_proj": (HIDDEN, HIDDEN),
    "self_attn.k_proj": (128, HIDDEN),
    "self_attn.v_proj": (128, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HIDDEN),
    "mlp.gate_proj": (INTER, HIDDEN),
    "mlp.up_proj": (INTER, HIDDEN),
    "mlp.down_proj": (HIDDEN, INTER),
}
CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": HIDDEN,
    "intermediate_size": INTER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "vocab_size": VOCABULARY,
    "tie_word_embeddings": True,
}


def compressed(form, **weights):
    return {
        "quant_method": "compressed-tensors",
        "format": form,
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
    }


def gptq(bits, group, version=1):
    form = "gptq" if version == 1 else "gptq_v2"
    return {"quant_method": "gptq", "bits": bits, "group_size": group or -1, "checkpoint_format": form}


AWQ = {"quant_method": "awq", "bits": 4, "group_size": 64, "version": "gemm", "zero_point": True}
BNB = {"quant_method": "bitsandbytes", "load_in_4bit": True}
INT8 = dict(num_bits=8, type="int", strategy="channel", symmetric=False)

# How a weight is made, and what config.json says of it.
FORMATS = {
    "fp8 block": (quantised.fp8_block, {"quant_method": "fp8", "weight_block_size": [128, 128]}),
    "fp8 tensor": (quantised.fp8_tensor, {"quant_method": "fp8", "activation_scheme": "static"}),
    "fbgemm": (quantised.fp8_rows, {"quant_method": "fbgemm_fp8"}),
    "float-quantized": (quantised.fp8_rows, compressed("float-quantized", num_bits=8, type="float")),
    "int-quantized": (quantised.int8_rows, compressed("int-quantized", **INT8)),
    "nvfp4": (quantised.nvfp4, compressed("nvfp4-pack-quantized", num_bits=4, type="float", group_size=16)),
    "mxfp4": (quantised.mxfp4, compressed("mxfp4-pack-quantized", num_bits=4, type="float", group_size=32)),
    "awq": (quantised.awq(64), AWQ),
    "awq, one group": (quantised.awq(None), AWQ | {"group_size": -1}),
    "nf4": (quantised.bnb_4bit("nf4", False), BNB),
    "nf4 nested": (quantised.bnb_4bit("nf4", True), BNB),
    "fp4 nested": (quantised.bnb_4bit("fp4", True, block=128, nested_block=64), BNB),
    "bnb int8": (quantised.bnb_int8, {"quant_method": "bitsandbytes", "load_in_8bit": True}),
}
for bits in (2, 3, 4, 8):
    for group, version, order in ((64, 1, False), (None, 2, False), (32, 1, True)):
        name = f"gptq {bits} bits, group {group}, v{version}{', act order' if order else ''}"
        FORMATS[name] = (quantised.gptq(bits, group, version, order), gptq(bits, group, version))
for bits in (4, 8, 3):
    for group, symmetric, order in ((64, True, False), (None, True, False), (32, False, False), (128, True, True)):
        name = f"packed {bits} bits, group {group}, {symmetric}, {order}"
        weights = dict(num_bits=bits, type="int", symmetric=symmetric, group_size=group)
        FORMATS[name] = (quantised.packed(bits, group, symmetric, order), compressed("pack-quantized", **weights))


def plain_parts(rng):
    """What no format quantises."""
    parts = {"model.embed_tokens.weight": bf16(rng.standard_normal((VOCABULARY, HIDDEN)).astype(np.float32))}
    for layer in range(LAYERS):
        for norm in ("input_layernorm", "post_attention_layernorm"):
            parts[f"model.layers.{layer}.{norm}.weight"] = bf16(rng.uniform(0.5, 2, HIDDEN).astype(np.float32))
    return parts


def make_pair(folder, make, quantization):
    """A quantised model and, as F32, what it stands for."""
    rng = np.random.default_rng(7)
    coded, values = plain_parts(rng), {}
    plain = dict(coded)
    for layer in range(LAYERS):
        for name, (rows, columns) in SHAPES.items():
            stem = f"model.layers.{layer}.{name}"
            tensors, values[stem] = make(rng, stem, rows, columns)
            assert values[stem].dtype == np.float32
            coded |= tensors
            plain[f"{stem}.weight"] = stored(values[stem])
    config = CONFIG | {"quantization_config": quantization}
    return checkpoints.make(folder / "coded", coded, config), checkpoints.make(folder / "plain", plain, CONFIG), coded


def check_equal(found, pair=0):
    tensors, root = found["tensors"], found[""]
    assert tensors["present"].all(), tensors["name"][~tensors["present"].astype(bool).all(axis=1)]
    unequal = tensors["name"][tensors["equal_values"][:, pair] != 1]
    assert len(unequal) == 0, unequal
    assert root["verdict"][pair] == "IDENTICAL"


@pytest.mark.parametrize("name", FORMATS)
def test_equals_its_values(cognate, tmp_path, name):
    coded, plain, tensors = make_pair(tmp_path, *FORMATS[name])
    found = cognate.compare(tmp_path / "r.h5", coded, plain, ranks=2 if "3" in name else 1)
    check_equal(found)
    assert found["run"]["bytes_read"].sum() == sum(len(t.data) for t in tensors.values()) + checkpoints.stored_bytes(
        checkpoints.read(plain)
    )
