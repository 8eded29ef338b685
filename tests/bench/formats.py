"""How fast each stored type is swept, by stored byte, against bf16.

For each type two unrelated models of a few large matrices are made with numpy, read once so that they lie in the page
cache, and compared with each other by the sweep alone: on one rank, where the processor's time counts, user and system,
which depends less than the clock on what else the machine does; and on a rank a core, as on a node, where the clock
counts, the program's own. Both beyond those of an all but empty run. Types take turns; the median of the rounds counts.
"""

import json
import math
import os
import resource
import shutil
import statistics
import struct
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

import checkpoints  # noqa: E402
import quantised  # noqa: E402
from checkpoints import Tensor, stored  # noqa: E402

SHAPE, SMALL = (14336, 4096), (512, 256)  # an expert's gate of Mixtral-8x7B; to see that the bench works
PLAIN, EMPTY = "bf16", "empty"


def random_bytes(rng, n):
    return rng.integers(0, 256, n, dtype=np.uint8)


def noise(rng, *shape):
    return 0.02 * rng.standard_normal(shape, dtype=np.float32)


def plain(kind):
    """Noise as a plain type."""

    def make(rng, stem, rows, columns):
        values = noise(rng, rows, columns)
        return {f"{stem}.weight": checkpoints.bf16(values) if kind == "bf16" else stored(values.astype(kind))}

    return make


def conv1d(rng, stem, rows, columns):
    """GPT-2's: (in, out)."""
    return {f"{stem}.weight": checkpoints.bf16(noise(rng, columns, rows))}


def packed_experts(rng, stem, rows, columns):
    """Llama-4's: (experts, in, gate and up beside each other)."""
    return {stem: checkpoints.bf16(noise(rng, 1, columns, 2 * rows))}


def compressed(form, **weights):
    return {
        "quant_method": "compressed-tensors",
        "format": form,
        "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}},
    }


FP8 = {"quant_method": "fp8", "weight_block_size": [128, 128]}
INT8 = compressed("int-quantized", num_bits=8, type="int", strategy="channel", symmetric=False)
MXFP4 = compressed("mxfp4-pack-quantized", num_bits=4, type="float", group_size=32)
NVFP4 = compressed("nvfp4-pack-quantized", num_bits=4, type="float", group_size=16)
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": True}
BNB = {"quant_method": "bitsandbytes", "load_in_4bit": True}


def llama(rows, columns, **more):
    sizes = dict(hidden_size=columns, intermediate_size=rows, num_attention_heads=4, num_key_value_heads=2)
    names = dict(model_type="llama", architectures=["LlamaForCausalLM"], tie_word_embeddings=True)
    return names | sizes | dict(head_dim=columns // 4, vocab_size=256) | more


def llama4(rows, columns):
    return llama(rows, columns, model_type="llama4_text", architectures=["Llama4ForCausalLM"], num_local_experts=1)


def gpt2(rows, columns):
    return dict(model_type="gpt2", architectures=["GPT2LMHeadModel"], n_embd=columns, n_inner=rows, n_head=4)


GATE = "model.layers.{}.mlp.gate_proj"


def scheme(make, quantization):
    return make, lambda rows, columns: llama(rows, columns, quantization_config=quantization), GATE


def packed(bits):
    """compressed-tensors' integers."""
    scheme_of = compressed("pack-quantized", num_bits=bits, type="int", symmetric=True, group_size=128)
    return scheme(quantised.packed(bits, 128, True), scheme_of)


def gptq(bits, order=False):
    scheme_of = {"quant_method": "gptq", "bits": bits, "group_size": 128, "checkpoint_format": "gptq"}
    return scheme(quantised.gptq(bits, 128, 1, order=order), scheme_of)


# How a matrix is made, config.json, and the matrix's name in a layer.
FORMATS = {
    "bf16": (plain("bf16"), llama, GATE),
    "f16": (plain("f2"), llama, GATE),
    "f32": (plain("f4"), llama, GATE),
    "f64": (plain("f8"), llama, GATE),
    "conv1d": (conv1d, gpt2, "h.{}.mlp.c_fc"),
    "experts": (packed_experts, llama4, "model.layers.{}.feed_forward.experts.gate_up_proj"),
    "fp8": scheme(quantised.fp8_block, FP8),
    "int8": scheme(quantised.int8_rows, INT8),
    "int2": packed(2),
    "int3": packed(3),
    "int4": packed(4),
    "int6": packed(6),
    "nvfp4": scheme(quantised.nvfp4, NVFP4),
    "mxfp4": scheme(quantised.mxfp4, MXFP4),
    "gptq": gptq(4),
    "gptq-order": gptq(4, order=True),
    "gptq2": gptq(2),
    "gptq3": gptq(3),
    "gptq3-order": gptq(3, order=True),
    "gptq8": gptq(8),
    "awq": scheme(quantised.awq(128), AWQ),
    "nf4": scheme(quantised.bnb_4bit("nf4", False), BNB),
    "nf4-nested": scheme(quantised.bnb_4bit("nf4", True), BNB),
    "bnb-int8": scheme(quantised.bnb_int8, {"quant_method": "bitsandbytes", "load_in_8bit": True}),
}

# ggml's number of a type, elements and bytes of a block, and where in it scales of 16 bits stand.
GGML = {
    "Q4_0": (2, 32, 18, [0]), "Q4_1": (3, 32, 20, [0, 2]), "Q5_0": (6, 32, 22, [0]), "Q5_1": (7, 32, 24, [0, 2]),
    "Q8_0": (8, 32, 34, [0]), "Q2_K": (10, 256, 84, [80, 82]), "Q3_K": (11, 256, 110, [108]),
    "Q4_K": (12, 256, 144, [0, 2]), "Q5_K": (13, 256, 176, [0, 2]), "Q6_K": (14, 256, 210, [208]),
    "IQ4_NL": (20, 32, 18, [0]), "IQ4_XS": (23, 256, 136, [0]), "TQ1_0": (34, 256, 54, [52]),
    "TQ2_0": (35, 256, 66, [64]), "MXFP4": (39, 32, 17, []), "IQ1_S": (19, 256, 50, [0]), "IQ2_XXS": (16, 256, 66, [0]),
    "IQ2_XS": (17, 256, 74, [0]), "IQ2_S": (22, 256, 82, [0]), "IQ3_XXS": (18, 256, 98, [0]),
    "IQ3_S": (21, 256, 110, [0]),
}  # fmt: skip


def ggml_blocks(rng, kind, shape):
    """A matrix of blocks of any codes, scales near 2^-10."""
    _, elements, size, halves = GGML[kind]
    blocks = random_bytes(rng, math.prod(shape) // elements * size).reshape(-1, size)
    for at in halves:
        blocks[:, at + 1] = 0x14 | blocks[:, at + 1] & 3
    if kind == "MXFP4":
        blocks[:, 0] = 110 + blocks[:, 0] % 16
    return blocks.tobytes()


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def write_gguf(path, kind, data, layers, shape):
    """A file of llama.cpp's, as large as need be; gguf-py would want the values themselves."""
    number, alignment, (rows, columns) = GGML[kind][0], 32, shape
    pairs = {"llama.block_count": layers, "llama.embedding_length": columns, "llama.feed_forward_length": rows,
             "llama.attention.head_count": 4}  # fmt: skip
    head = b"GGUF" + struct.pack("<IQQ", 3, layers, 1 + len(pairs))
    head += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    for key, value in pairs.items():
        head += text(key) + struct.pack("<II", 4, value)
    step = -(-len(data) // alignment) * alignment
    for layer in range(layers):
        head += text(f"blk.{layer}.ffn_gate.weight") + struct.pack("<IQQIQ", 2, columns, rows, number, layer * step)
    with open(path, "wb") as out:
        out.write(head + bytes(-len(head) % alignment))
        for _ in range(layers):
            out.write(data + bytes(step - len(data)))


def make_one(folder, name, seed, size, shape):
    """A model of so many layers that it has about `size` bytes; all its layers are the same matrix."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    if name in GGML:
        data = ggml_blocks(rng, name, shape)
        write_gguf(folder / "model.gguf", name, data, math.ceil(size / len(data)), shape)
        return
    make, config, stem = FORMATS[name]
    made = make(rng, stem, *shape)
    tensors = made[0] if isinstance(made, tuple) else made
    layers = math.ceil(size / checkpoints.stored_bytes(tensors))
    all_of_them = {key.format(layer): tensor for layer in range(layers) for key, tensor in tensors.items()}
    checkpoints.make(folder, all_of_them, config(*shape) | dict(num_hidden_layers=layers, n_layer=layers))


def model_path(folder, name):
    return folder / "model.gguf" if name in GGML else folder


def make_pair(folder, name, size, shape):
    """Two models of one type; what an earlier run of the same size left is taken as it is."""
    models = []
    for seed in (1, 2):
        model = folder / f"{name}-{size}-{seed}"
        if not model.exists():
            begun = folder / "begun"
            shutil.rmtree(begun, ignore_errors=True)
            make_one(begun, name, seed, size, shape)
            begun.rename(model)
        models.append(model_path(model, name))
    return models


def make_empty(folder):
    """Two models of next to nothing."""
    models = []
    for seed in (1, 2):
        models.append(folder / f"{EMPTY}-{seed}")
        checkpoints.make(models[-1], plain("bf16")(np.random.default_rng(seed), GATE.format(0), 64, 64))
    return models


def stored_in(model):
    """Its bytes, which are in the page cache afterwards."""
    file = model if model.is_file() else model / "model.safetensors"
    with open(file, "rb") as stream:
        while stream.read(1 << 20):
            pass
        return stream.tell()


def seconds_of(command, output):
    """(the processor's, user and system, of the command and all that it started; the program's own)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    with h5py.File(output, "r") as file:
        clock = float(file["run"].attrs["wall_seconds"].item())
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, clock


def measure(programs, folder, models, rounds):
    """{(program, type): median seconds beyond those of an all but empty run: of the processor, of the clock}."""
    output, cores = folder / "formats.h5", os.cpu_count()
    options = ["compare", "--quiet", "--pca", "none", "--evidence", "quick", "-o", output]
    times = {(program, name): [] for program in programs for name in models}
    for _ in range(rounds):
        for name in models:
            for program, on_ranks in programs.items():
                alone, _ = seconds_of([*on_ranks(1), *options, *models[name]], output)
                _, clock = seconds_of([*on_ranks(cores), *options, *models[name]], output)
                times[program, name].append((alone, clock))
    typical = {key: [statistics.median(kind) for kind in zip(*each)] for key, each in times.items()}
    return {
        (program, name): [own - empty for own, empty in zip(seconds, typical[program, EMPTY])]
        for (program, name), seconds in typical.items()
    }


def bench_formats(programs, folder, names, rounds, size, shape=SHAPE):
    """programs: {title: ranks to command}. Prints a row for each type, and for each program nanoseconds a stored byte, of
    the processor and of the clock, and bf16's over them."""
    unknown = set(names) - FORMATS.keys() - GGML.keys()
    if unknown:
        sys.exit(f"bench: no such type: {', '.join(sorted(unknown))}; there are {', '.join([*FORMATS, *GGML])}")
    names = [PLAIN, *(name for name in names or [*FORMATS, *GGML] if name != PLAIN)]
    models = {name: make_pair(folder, name, size, shape) for name in names} | {EMPTY: make_empty(folder)}
    bytes_of = {name: sum(map(stored_in, pair)) for name, pair in models.items()}  # reads them, too
    seconds = measure(programs, folder, models, rounds)
    print(f"The sweep alone, {size / 1e6:.0f} MB a model, warm, median of {rounds}: ns a stored byte, and bf16's over them.")
    kinds = ("1 rank, processor", f"{os.cpu_count()} ranks, clock")
    print(" " * 14 + "".join(f"{title:>44}" for title in programs))
    print(f"  {'type':<12}" + "".join(f"{kind:>22}" for kind in kinds) * len(programs))
    for name in names:
        row = f"  {name:<12}"
        for program in programs:
            for kind in range(2):
                each, unit = (seconds[program, key][kind] / bytes_of[key] * 1e9 for key in (name, PLAIN))
                row += f"{each:15.3f}{unit / each:7.2f}"
        print(row, flush=True)
