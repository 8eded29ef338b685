"""Quantised models against what their own libraries make of them: equal in every slot, value by value."""

import hashlib

import numpy as np
import pytest

import checkpoints
import quantised
import results
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


def write_pair(folder, coded, values, quantization, **config):
    """A quantised model and, as F32, what it stands for; both with the same plain parts."""
    parts = plain_parts(np.random.default_rng(1))
    plain = parts | {name: stored(np.ascontiguousarray(each)) for name, each in values.items()}
    for each in values.values():
        assert each.dtype == np.float32
    config = CONFIG | config
    return (
        checkpoints.make(folder / "coded", parts | coded, config | {"quantization_config": quantization}),
        checkpoints.make(folder / "plain", plain, config),
    )


def make_pair(folder, make, quantization, shapes=None):
    rng, coded, values = np.random.default_rng(7), {}, {}
    for layer in range(LAYERS):
        for name, shape in (shapes or SHAPES).items():
            stem = f"model.layers.{layer}.{name}"
            tensors, values[f"{stem}.weight"] = make(rng, stem, *shape)
            coded |= tensors
    return coded, values


def check_equal(found, pair=0):
    tensors, root = found["tensors"], found[""]
    assert tensors["present"].all(), tensors["name"][~tensors["present"].astype(bool).all(axis=1)]
    unequal = tensors["name"][tensors["equal_values"][:, pair] != 1]
    assert len(unequal) == 0, unequal
    assert root["verdict"][pair] == "IDENTICAL"


@pytest.mark.parametrize("name", FORMATS)
def test_equals_its_values(cognate, tmp_path, name):
    """Every slot; and no stored byte is read twice."""
    make, quantization = FORMATS[name]
    coded, plain = write_pair(tmp_path, *make_pair(tmp_path, make, quantization), quantization)
    found = cognate.compare(tmp_path / "r.h5", coded, plain, "--pca", "none", ranks=2 if "3" in name else 1)
    check_equal(found)
    stored_bytes = sum(checkpoints.stored_bytes(checkpoints.read(model)) for model in (coded, plain))
    assert found["run"]["bytes_read"].sum() == stored_bytes
    matrices = np.char.find(found["tensors"]["name"].astype(str), "_proj") >= 0
    assert np.all(np.isfinite(found["tensors"]["rounding_error"][matrices, 0]))


FUSED = {"self_attn.qkv_proj": (512, HIDDEN), "mlp.gate_up_proj": (2 * INTER, HIDDEN)}


@pytest.mark.parametrize(
    "name",
    [
        "fp8 block",
        "fbgemm",
        "fp8 tensor",
        "int-quantized",
        "nvfp4",
        "awq",
        "nf4 nested",
        "gptq 4 bits, group 64, v1",
        "gptq 8 bits, group 32, v1, act order",
        "packed 4 bits, group 64, True, False",
        "packed 4 bits, group 32, False, False",
        "packed 4 bits, group 128, True, True",
    ],
)
def test_fused(cognate, tmp_path, name):
    """Phi-3's: queries, keys and values in one, gate and up in one; cut by rows, scales and zero points with them."""
    make, quantization = FORMATS[name]
    coded, values = make_pair(tmp_path, make, quantization, FUSED)
    apart = {}
    for stem, each in values.items():
        if "qkv" in stem:
            parts = dict(zip(("q_proj", "k_proj", "v_proj"), np.split(each, [256, 384])))
        else:
            parts = dict(zip(("gate_proj", "up_proj"), np.split(each, 2)))
        fused = "qkv_proj" if "qkv" in stem else "gate_up_proj"
        apart |= {stem.replace(fused, part): part_values for part, part_values in parts.items()}
    model = dict(model_type="phi3", architectures=["Phi3ForCausalLM"])
    pair = write_pair(tmp_path, coded, apart, quantization, **model)
    check_equal(cognate.compare(tmp_path / "r.h5", *pair, "--pca", "none"))


def test_fused_that_stay_whole(cognate, tmp_path):
    """Zero points of 3 bits lie across words: their rows cannot be told apart."""
    make, quantization = FORMATS["gptq 3 bits, group 64, v1"]
    coded, values = make_pair(tmp_path, make, quantization, FUSED)
    coded, _ = write_pair(tmp_path, coded, values, quantization, model_type="phi3")
    done = cognate.run("inspect", coded)
    assert done.returncode == 0, done.stderr
    assert "mlp.gate_up_proj.qweight: of parts that share scales or words" in " ".join(done.stdout.split())


def test_gpt_oss(cognate, tmp_path):
    """Experts in blocks of 32, rows of gate and up in turn; beside it the same in bf16's layout, (in, out)."""
    rng, experts, inter = np.random.default_rng(3), 4, 64
    coded, values = {}, {}
    for layer in range(LAYERS):
        stem = f"model.layers.{layer}.mlp.experts."
        for name, (rows, columns) in dict(gate_up_proj=(2 * inter, HIDDEN), down_proj=(HIDDEN, inter)).items():
            codes = rng.integers(0, 256, (experts, rows, columns // 32, 16), dtype=np.uint8)
            exponents = rng.integers(110, 125, (experts, rows, columns // 32), dtype=np.uint8)
            coded |= {f"{stem}{name}_blocks": stored(codes), f"{stem}{name}_scales": stored(exponents)}
            both = np.stack([quantised.E2M1[codes & 15], quantised.E2M1[codes >> 4]], axis=-1)
            each = both.reshape(*exponents.shape, 32) * np.exp2(exponents.astype(np.float32) - 127)[..., None]
            values[stem + name] = each.reshape(experts, rows, columns).transpose(0, 2, 1)
            bias = bf16(rng.standard_normal((experts, rows)).astype(np.float32))
            coded[f"{stem}{name}_bias"] = bias
            values[f"{stem}{name}_bias"] = bias.values.astype(np.float32)
    model = dict(model_type="gpt_oss", intermediate_size=inter, num_local_experts=experts, num_experts_per_tok=2)
    pair = write_pair(tmp_path, coded, values, {"quant_method": "mxfp4"}, **model)
    found = cognate.compare(tmp_path / "r.h5", *pair, "--pca", "none", ranks=2)
    check_equal(found)
    assert "layers.1.experts.3.ffn.gate" in found["tensors"]["name"]


def test_packed_fp8(cognate, tmp_path):
    """All experts in one tensor with all their scales, as transformers 5 saves them; beside it, expert by expert."""
    rng, experts, inter = np.random.default_rng(4), 3, 128
    coded, values = {}, {}
    for layer in range(LAYERS):
        stem = f"model.layers.{layer}.mlp.experts."
        for name, (rows, columns) in dict(gate_up_proj=(2 * inter, HIDDEN), down_proj=(HIDDEN, inter)).items():
            codes = quantised.f8_codes(rng, experts, rows, columns)
            s = quantised.scales(rng, experts, rows // 128, columns // 128)
            coded |= {f"{stem}{name}": quantised.f8(codes), f"{stem}{name}_scale_inv": stored(s)}
            for e in range(experts):
                each = quantised.F8[codes[e]] * quantised.spread(s[e], (rows, columns), (128, 128))
                for part, rows_of in zip(name.replace("_up_proj", "_proj up_proj").split(), np.split(each, rows // 128 if "gate" in name else 1)):
                    values[f"{stem}{e}.{part}.weight"] = rows_of
    model = dict(model_type="qwen3_moe", num_experts=experts, moe_intermediate_size=inter, intermediate_size=None)
    pair = write_pair(tmp_path, coded, values, {"quant_method": "fp8", "weight_block_size": [128, 128]}, **model)
    check_equal(cognate.compare(tmp_path / "r.h5", *pair, "--pca", "none"))


def test_hash(cognate, tmp_path):
    """SHA-256 over what lies in the file in the order of the names, the codes row by row."""
    make, quantization = FORMATS["gptq 4 bits, group 32, v1, act order"]
    coded, values = make_pair(tmp_path, make, quantization)
    pair = write_pair(tmp_path, coded, values, quantization)
    tensors = cognate.compare(tmp_path / "r.h5", *pair, "--pca", "none")["tensors"]
    k = list(tensors["name"]).index("layers.1.ffn.down")
    stem = "model.layers.1.mlp.down_proj."
    words = np.frombuffer(coded[stem + "qweight"].data, "<i4").reshape(coded[stem + "qweight"].shape)
    parts = [coded[stem + "g_idx"].data, np.ascontiguousarray(words.T).tobytes()]
    parts += [coded[stem + "qzeros"].data, coded[stem + "scales"].data]
    assert tensors["sha256"][k, 0] == hashlib.sha256(b"".join(parts)).hexdigest()


@pytest.mark.parametrize("name", ["awq", "gptq 4 bits, group 32, v1, act order", "nf4 nested", "fp8 block", "nvfp4"])
def test_split_over_ranks(cognate, tmp_path, name):
    """A matrix of several chunks on its own: all ranks work on it, and the result has the same bits."""
    make, quantization = FORMATS[name]
    coded, values = make_pair(tmp_path, make, quantization, {"mlp.up_proj": (9216, HIDDEN * 4)})
    pair = write_pair(tmp_path, coded, values, quantization, hidden_size=None, intermediate_size=None)
    paths = [tmp_path / f"{ranks}.h5" for ranks in (1, 3)]
    for path, ranks in zip(paths, (1, 3)):
        check_equal(cognate.compare(path, *pair, "--pca", "none", "--buffer", "20M", ranks=ranks))
    assert results.fingerprint(paths[0]) == results.fingerprint(paths[1])


def test_padded_rows(cognate, tmp_path):
    """Rows that end within a word stay whole, with a warning; all else is compared."""
    make, quantization = quantised.packed(4, None, True), compressed("pack-quantized", num_bits=4, type="int")
    shapes = SHAPES | {"mlp.up_proj": (INTER - 4, HIDDEN), "mlp.gate_proj": (INTER - 4, HIDDEN), "mlp.down_proj": (HIDDEN, INTER - 4)}
    coded, values = make_pair(tmp_path, make, quantization, shapes)
    pair = write_pair(tmp_path, coded, values, quantization, intermediate_size=INTER - 4)
    found = cognate.compare(tmp_path / "r.h5", *pair, "--pca", "none", ranks=2)["tensors"]
    whole = np.char.find(found["name"].astype(str), "down") >= 0
    assert found["equal_values"][~whole, 0].all() and not found["present"][whole].all(axis=1).any()
    done = cognate.run("inspect", pair[0])
    assert "mlp.down_proj.weight_packed: codes with padding at the end of each row" in " ".join(done.stdout.split())
