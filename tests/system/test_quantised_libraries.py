"""Quantised models that the public libraries wrote themselves, against what they read back from them.

compressed-tensors, bitsandbytes and transformers run where they are installed. AutoGPTQ and AutoAWQ want a GPU when they
are imported as a whole; of them single files run that need none (pip install --no-deps auto-gptq autoawq).
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import checkpoints
from checkpoints import Tensor
from test_quantised import CONFIG, LAYERS, SHAPES, check_equal, compressed, plain_parts

torch = pytest.importorskip("torch")

NAMES = {
    "torch.float32": "F32",
    "torch.float16": "F16",
    "torch.bfloat16": "BF16",
    "torch.uint8": "U8",
    "torch.int8": "I8",
    "torch.int32": "I32",
    "torch.int64": "I64",
    "torch.float8_e4m3fn": "F8_E4M3",
    "torch.float8_e8m0fnu": "F8_E8M0",
}


def tensor_of(values):
    values = values.detach().cpu().contiguous()
    data = values.reshape(-1).view(torch.uint8).numpy().tobytes()
    return Tensor(NAMES[str(values.dtype)], tuple(values.shape), data)


def compare(cognate, folder, quantise, quantization):
    """quantise(weight) is what the library stores, by suffix, and what it reads back. Against both that and the weights
    before; the second comparison is returned."""
    torch.manual_seed(5)
    coded = plain_parts(np.random.default_rng(1))
    decoded, before = dict(coded), dict(coded)
    for layer in range(LAYERS):
        for name, shape in SHAPES.items():
            stem, weight = f"model.layers.{layer}.{name}", torch.randn(shape) * 0.02
            state, values = quantise(weight)
            coded |= {f"{stem}.{suffix}": tensor_of(values) for suffix, values in state.items()}
            decoded[f"{stem}.weight"] = tensor_of(values.to(torch.float32))
            before[f"{stem}.weight"] = tensor_of(weight)
    models = [
        checkpoints.make(folder / "coded", coded, CONFIG | {"quantization_config": quantization}),
        checkpoints.make(folder / "decoded", decoded, CONFIG),
        checkpoints.make(folder / "before", before, CONFIG),
    ]
    check_equal(cognate.compare(folder / "r.h5", *models[:2], "--pca", "none"))
    return cognate.compare(folder / "r.h5", models[2], models[0], "--pca", "none")


def check_rounding(found, low=0.85, high=1.1):
    """What is lost is what rounding explains, and every matrix is seen to be the same. Codes of 4 bits are so few that
    the weights are not spread evenly between two of them."""
    root = found[""]
    assert low < root["rounding_ratio"][0] < high
    assert root["verdict"][0] == "DERIVED"


# --- compressed-tensors

SCHEMES = {
    "pack-quantized": [
        dict(num_bits=4, type="int", strategy="group", group_size=64, symmetric=True),
        dict(num_bits=4, type="int", strategy="group", group_size=128, symmetric=False),
        dict(num_bits=8, type="int", strategy="channel", symmetric=True),
        dict(num_bits=3, type="int", strategy="group", group_size=32, symmetric=False),
    ],
    "int-quantized": [
        dict(num_bits=8, type="int", strategy="channel", symmetric=True),
        dict(num_bits=8, type="int", strategy="channel", symmetric=False),
        dict(num_bits=8, type="int", strategy="tensor", symmetric=True),
    ],
    "float-quantized": [
        dict(num_bits=8, type="float", strategy="channel", symmetric=True),
        dict(num_bits=8, type="float", strategy="tensor", symmetric=True),
        dict(num_bits=8, type="float", strategy="block", block_structure=[128, 128], symmetric=True),
    ],
    "naive-quantized": [dict(num_bits=8, type="float", strategy="group", group_size=64, symmetric=True)],
    "nvfp4-pack-quantized": [dict(num_bits=4, type="float", strategy="tensor_group", group_size=16, symmetric=True)],
    "mxfp4-pack-quantized": [dict(num_bits=4, type="float", strategy="group", group_size=32, symmetric=True)],
    "mxfp8-quantized": [dict(num_bits=8, type="float", strategy="group", group_size=32, symmetric=True)],
}


def blocks_of(weight, weights):
    """The weight as (row blocks, column blocks, elements of one)."""
    rows, columns = weight.shape
    size = {
        "tensor": (rows, columns),
        "channel": (1, columns),
        "block": weights.get("block_structure"),
    }.get(weights["strategy"]) or (1, weights["group_size"])
    four = weight.reshape(rows // size[0], size[0], columns // size[1], size[1])
    return four.transpose(1, 2).flatten(2)


def by_compressed_tensors(form, weights):
    pytest.importorskip("compressed_tensors")
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.compressors.nvfp4.helpers import unpack_fp4_from_uint8
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
    from compressed_tensors.quantization.lifecycle.forward import dequantize
    from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam

    mx = form.startswith("mxfp")
    args = QuantizationArgs(**weights, **({"scale_dtype": torch.uint8} if mx else {}))
    scheme = QuantizationScheme(targets=["Linear"], weights=args, format=form)
    compressor = BaseCompressor.get_value_from_registry(form)

    def quantise(weight):
        blocks = blocks_of(weight, weights)
        low, high = blocks.amin(2), blocks.amax(2)
        whole = generate_gparam(low.min(), high.max()) if form.startswith("nvfp4") else None
        scale, zero = calculate_qparams(low, high, args, global_scale=whole)
        state = {"weight": weight, "weight_scale": scale.to(torch.float32), "weight_zero_point": zero}
        if whole is not None:
            state["weight_global_scale"] = whole
        state = compressor.compress(state, scheme)
        if whole is None:
            return state, compressor.decompress(state, scheme)["weight"]
        codes = unpack_fp4_from_uint8(state["weight_packed"], *weight.shape, dtype=torch.float32)
        scale = state["weight_scale"].to(torch.float32)
        return state, dequantize(codes, scale, args=args, global_scale=whole)  # its decompress rounds to bfloat16

    return quantise


@pytest.mark.parametrize("form, weights", [(form, each) for form, all in SCHEMES.items() for each in all])
def test_compressed_tensors(cognate, tmp_path, form, weights):
    check_rounding(compare(cognate, tmp_path, by_compressed_tensors(form, weights), compressed(form, **weights)))


# --- bitsandbytes


def by_bitsandbytes(kind, nested):
    functional = pytest.importorskip("bitsandbytes.functional")

    def quantise(weight):
        codes, state = functional.quantize_4bit(weight, blocksize=64, compress_statistics=nested, quant_type=kind)
        parts = {f"weight.{suffix}": values for suffix, values in state.as_dict(packed=True).items()}
        return {"weight": codes} | parts, functional.dequantize_4bit(codes, state)

    return quantise


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
@pytest.mark.parametrize("nested", [False, True])
def test_bitsandbytes_4bit(cognate, tmp_path, kind, nested):
    config = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": kind}
    check_rounding(compare(cognate, tmp_path, by_bitsandbytes(kind, nested), config))


def test_bitsandbytes_8bit(cognate, tmp_path):
    functional = pytest.importorskip("bitsandbytes.functional")

    def quantise(weight):
        codes, scales, _ = functional.int8_vectorwise_quant(weight.to(torch.float16))
        values = functional.int8_vectorwise_dequant(codes, scales)
        return {"weight": codes, "SCB": scales, "weight_format": torch.tensor(0, dtype=torch.uint8)}, values

    check_rounding(compare(cognate, tmp_path, quantise, {"quant_method": "bitsandbytes", "load_in_8bit": True}))


# --- transformers


def test_transformers_fp8(cognate, tmp_path):
    fp8 = pytest.importorskip("transformers.integrations.finegrained_fp8")

    def quantise(weight):
        blocks = weight.reshape(weight.shape[0] // 128, 128, weight.shape[1] // 128, 128)
        scale = blocks.abs().amax((1, 3)) / 448
        codes = (blocks / scale[:, None, :, None]).reshape(weight.shape).to(torch.float8_e4m3fn)
        values = fp8.Fp8Dequantize(None)._dequantize_one(codes, scale)
        return {"weight": codes, "weight_scale_inv": scale}, values

    config = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    check_rounding(compare(cognate, tmp_path, quantise, config))


def test_transformers_mxfp4(cognate, tmp_path):
    """gpt-oss's experts as transformers unpacks them."""
    mxfp4 = pytest.importorskip("transformers.integrations.mxfp4")
    torch.manual_seed(6)
    coded = plain_parts(np.random.default_rng(1))
    plain = dict(coded)
    for layer in range(LAYERS):
        stem = f"model.layers.{layer}.mlp.experts."
        for name, (rows, columns) in dict(gate_up_proj=(128, 256), down_proj=(256, 64)).items():
            blocks = torch.randint(0, 256, (4, rows, columns // 32, 16), dtype=torch.uint8)
            scales = torch.randint(100, 130, (4, rows, columns // 32), dtype=torch.uint8)
            coded |= {f"{stem}{name}_blocks": tensor_of(blocks), f"{stem}{name}_scales": tensor_of(scales)}
            plain[stem + name] = tensor_of(mxfp4.convert_moe_packed_tensors(blocks, scales))
    config = CONFIG | dict(model_type="gpt_oss", intermediate_size=64, num_local_experts=4)
    quantization = {"quantization_config": {"quant_method": "mxfp4"}}
    found = cognate.compare(
        tmp_path / "r.h5",
        checkpoints.make(tmp_path / "coded", coded, config | quantization),
        checkpoints.make(tmp_path / "plain", plain, config),
        "--pca",
        "none",
    )
    check_equal(found)


# --- one format against another


def test_formats_against_each_other(cognate, tmp_path):
    """The same weights in two formats, and as they were: what is told of each pair is what numpy tells of the values that
    the libraries read back."""
    pack = dict(num_bits=4, type="int", strategy="group", group_size=64, symmetric=True)
    ways = {
        "packed": (by_compressed_tensors("pack-quantized", pack), compressed("pack-quantized", **pack)),
        "nf4": (by_bitsandbytes("nf4", True), {"quant_method": "bitsandbytes", "load_in_4bit": True}),
        "before": (lambda weight: ({"weight": weight}, weight), None),
    }
    models, values = [], []
    for way, (quantise, quantization) in ways.items():
        torch.manual_seed(5)
        parts, read = plain_parts(np.random.default_rng(1)), {}
        for layer in range(LAYERS):
            for name, shape in SHAPES.items():
                stem = f"model.layers.{layer}.{name}"
                state, read[stem] = quantise(torch.randn(shape) * 0.02)
                parts |= {f"{stem}.{suffix}": tensor_of(each) for suffix, each in state.items()}
        config = CONFIG | ({"quantization_config": quantization} if quantization else {})
        models.append(checkpoints.make(tmp_path / way, parts, config))
        values.append(read)
    found = cognate.compare(tmp_path / "r.h5", *models, "--pca", "none", ranks=2)
    table, root = found["tensors"], found[""]
    assert root["verdict"].tolist() == 3 * ["DERIVED"] and root["relation"].tolist() == 3 * ["quantised"]
    assert 0.85 < root["rounding_ratio"][1] < 1.1 and 0.85 < root["rounding_ratio"][2] < 1.1
    row = table["name"].tolist().index("layers.1.ffn.up")
    up = [read["model.layers.1.mlp.up_proj"].double().numpy().ravel() for read in values]
    for pair, (a, b) in enumerate(((0, 1), (0, 2), (1, 2))):
        cosine = up[a] @ up[b] / np.linalg.norm(up[a]) / np.linalg.norm(up[b])
        assert abs(table["cosine"][row, pair] - cosine) < 1e-12
        assert 0.98 < cosine < 0.999


# --- AutoGPTQ and AutoAWQ


def part_of(package, file):
    """One file of an installed package, without the package around it."""
    found = importlib.util.find_spec(package)
    if not found:
        pytest.skip(f"could not find {package}")
    spec = importlib.util.spec_from_file_location("part", Path(found.submodule_search_locations[0]) / file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def grid(weight, groups, top):
    """Scales and zero points (rows, groups) of a group of columns each; no zero point is 0, which AutoGPTQ's format
    cannot hold beside other codes."""
    low = torch.stack([weight[:, of].amin(1).clamp(max=0) for of in groups], 1)
    high = torch.stack([weight[:, of].amax(1).clamp(min=0) for of in groups], 1)
    scale = (high - low) / top
    return scale, (-low / scale).round().clamp(1, top)


@pytest.mark.parametrize(
    "bits, group, order",
    [(4, 128, False), (4, 64, True), (8, 32, True), (3, 64, True), (2, 32, False), (4, -1, False)],
)
def test_autogptq(cognate, tmp_path, bits, group, order):
    library = part_of("auto_gptq", "nn_modules/qlinear/qlinear_cuda.py")

    def quantise(weight):
        rows, columns = weight.shape
        size = columns if group == -1 else group
        of_column = torch.arange(columns, dtype=torch.int32) // size
        if order:
            of_column = of_column[torch.randperm(columns)]
        scale, zero = grid(weight, [of_column == g for g in range(columns // size)], 2**bits - 1)
        layer = library.QuantLinear(bits, group, columns, rows, False, weight_dtype=torch.float32)
        linear = torch.nn.Linear(columns, rows, bias=False)
        linear.weight.data = weight
        layer.pack(linear, scale, zero, of_column)
        state = {name: getattr(layer, name) for name in ("qweight", "qzeros", "scales", "g_idx")}
        return state, layer(torch.eye(columns)).t()

    config = {"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": order, "checkpoint_format": "gptq"}
    compare(cognate, tmp_path, quantise, config)


@pytest.mark.parametrize("group", [32, 64, 128])
def test_autoawq(cognate, tmp_path, group):
    library = part_of("awq", "utils/packing_utils.py")

    def words(codes):
        """Eight columns a word, as awq/modules/linear/gemm.py packs them: it wants its kernels to be imported."""
        eight = codes.reshape(codes.shape[0], -1, 8)[:, :, library.AWQ_ORDER].to(torch.int64)
        whole = (eight << (4 * torch.arange(8))).sum(2)
        return torch.where(whole >= 2**31, whole - 2**32, whole).to(torch.int32)

    def quantise(weight):
        columns = weight.shape[1]
        scale, zero = grid(weight, [torch.arange(columns) // group == g for g in range(columns // group)], 15)
        of_column = torch.arange(columns) // group
        codes = (weight / scale[:, of_column] + zero[:, of_column]).round().clamp(0, 15)
        state = {"qweight": words(codes.t()), "qzeros": words(zero.t()), "scales": scale.t().to(torch.float16)}
        values = library.dequantize_gemm(state["qweight"], state["qzeros"], state["scales"].to(torch.float32), 4, group)
        return state, values.t()

    compare(cognate, tmp_path, quantise, {"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm"})
