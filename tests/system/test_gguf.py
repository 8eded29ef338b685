"""GGUF files as PyPI's gguf writes them: a model converted by llama.cpp's rules is the model it was made from."""

import json
import re

import numpy as np
import pytest

import checkpoints

gguf = pytest.importorskip("gguf")
import gguf_writer  # noqa: E402
from gguf import GGMLQuantizationType as Type  # noqa: E402

HALVES = [Type.F32, Type.BF16]


def assert_identical(found, relation):
    table, root = found["tensors"], found[""]
    assert table["present"].all() and table["equal_values"].all(), table["name"][~table["equal_values"].all(axis=1)]
    assert root["verdict"].tolist() == ["IDENTICAL"] and root["relation"].tolist() == [relation]


def f16(values):
    return checkpoints.stored(values.astype(np.float16))


# -- the same model -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize("kind", HALVES, ids=lambda kind: kind.name)
def test_an_example(cognate, examples, tmp_path, kind, ranks):
    """Grouped queries, so that keys have fewer heads; the tokens are those of tokenizer.json."""
    gguf_writer.convert(tmp_path / "model.gguf", examples / "base-a", kind)
    found = cognate.compare(tmp_path / "r.h5", examples / "base-a", tmp_path / "model.gguf", ranks=ranks)
    assert_identical(found, "other type")
    tokens = json.loads((examples / "base-a" / "tokenizer.json").read_text())["model"]["vocab"]
    assert found["embeddings"]["shared_tokens"].tolist() == [len(tokens)]
    assert found["embeddings"]["same_id_tokens"].tolist() == [len(tokens)]
    folders = [checkpoints.read(examples / "base-a"), gguf.GGUFReader(tmp_path / "model.gguf").tensors]
    stored = checkpoints.stored_bytes(folders[0]) + sum(int(tensor.n_bytes) for tensor in folders[1])
    assert found["run"]["bytes_read"].sum() == stored


@pytest.mark.parametrize("values, kind", [(checkpoints.stored, Type.F32), (f16, Type.F16)], ids=["F32", "F16"])
def test_types(cognate, tmp_path, values, kind):
    tensors = checkpoints.llama(np.random.default_rng(1), values=values)
    folder = checkpoints.make(tmp_path / "model", tensors, checkpoints.llama_config(tensors))
    gguf_writer.convert(tmp_path / "model.gguf", folder, kind)
    found = cognate.compare(tmp_path / "r.h5", folder, tmp_path / "model.gguf")
    assert_identical(found, "same values, other container" if kind == Type.F32 else "other type")


def test_parts(cognate, examples, tmp_path):
    (tmp_path / "parts").mkdir()
    gguf_writer.convert(tmp_path / "parts" / "model.gguf", examples / "base-a", Type.BF16, parts=20)
    names = sorted(path.name for path in (tmp_path / "parts").iterdir())
    assert len(names) > 2 and names[0] == f"model-00001-of-{len(names):05d}.gguf"
    for given in (tmp_path / "parts", tmp_path / "parts" / names[0]):
        found = cognate.compare(tmp_path / "r.h5", examples / "base-a", given)
        assert_identical(found, "other type")


def noise(rng, *shape):
    return checkpoints.bf16((0.02 * rng.standard_normal(shape)).astype(np.float32))


def experts(rng, layers=2, hidden=64, width=32, count=4):
    """A small GLM-4.5: the first layer dense, then experts, a shared one, and a router with a bias."""
    tensors = checkpoints.llama(rng, layers, hidden)
    for layer in range(1, layers):
        prefix = f"model.layers.{layer}.mlp."
        for name in [name for name in tensors if name.startswith(prefix)]:
            del tensors[name]
        tensors[prefix + "gate.weight"] = noise(rng, count, hidden)
        tensors[prefix + "gate.e_score_correction_bias"] = checkpoints.stored(rng.standard_normal(count).astype("f4"))
        for place in ["shared_experts.", *(f"experts.{e}." for e in range(count))]:
            tensors[f"{prefix}{place}gate_proj.weight"] = noise(rng, width, hidden)
            tensors[f"{prefix}{place}up_proj.weight"] = noise(rng, width, hidden)
            tensors[f"{prefix}{place}down_proj.weight"] = noise(rng, hidden, width)
    config = checkpoints.llama_config(tensors, model_type="glm4_moe", architectures=["Glm4MoeForCausalLM"])
    config |= dict(moe_intermediate_size=width, n_routed_experts=count, n_shared_experts=1)
    return tensors, config | dict(num_experts_per_tok=2, first_k_dense_replace=1)


@pytest.mark.parametrize("kind", HALVES, ids=lambda kind: kind.name)
def test_experts(cognate, tmp_path, kind):
    tensors, config = experts(np.random.default_rng(2))
    folder = checkpoints.make(tmp_path / "model", tensors, config)
    gguf_writer.convert(tmp_path / "model.gguf", folder, kind)
    found = cognate.compare(tmp_path / "r.h5", folder, tmp_path / "model.gguf", ranks=2)
    assert_identical(found, "other type")
    sources = dict(zip(found["tensors"]["name"], found["tensors"]["source_name"][:, 1]))
    assert sources["layers.1.experts.3.ffn.up"] == "blk.1.ffn_up_exps.weight"
    assert sources["layers.1.router.bias"] == "blk.1.exp_probs_b.bias"


def test_fused_rows(cognate, tmp_path):
    """Phi-3 keeps its fused rows in GGUF, under names that others have for rows of one kind."""
    rng = np.random.default_rng(3)
    tensors, kept = checkpoints.llama(rng), {}
    for name, tensor in tensors.items():
        if not re.search(r"(q|k|v|gate|up)_proj", name):
            kept[name] = tensor
    for layer in range(2):
        kept[f"model.layers.{layer}.self_attn.qkv_proj.weight"] = noise(rng, 3 * 64, 64)
        kept[f"model.layers.{layer}.mlp.gate_up_proj.weight"] = noise(rng, 2 * 96, 64)
    config = checkpoints.llama_config(tensors, model_type="phi3", architectures=["Phi3ForCausalLM"])
    folder = checkpoints.make(tmp_path / "model", kept, config)
    gguf_writer.convert(tmp_path / "model.gguf", folder, Type.BF16)
    found = cognate.compare(tmp_path / "r.h5", folder, tmp_path / "model.gguf")
    assert_identical(found, "other type")
    assert "layers.1.ffn.gate" in found["tensors"]["name"]


def test_tied_embeddings(cognate, tmp_path):
    """Without output.weight, token_embd serves beside a model that has both."""
    tensors = checkpoints.llama(np.random.default_rng(4))
    tied = {name: tensor for name, tensor in tensors.items() if name != "lm_head.weight"}
    both = checkpoints.make(tmp_path / "both", tensors, checkpoints.llama_config(tensors))
    config = checkpoints.llama_config(tied, tie_word_embeddings=True)
    gguf_writer.convert(tmp_path / "tied.gguf", checkpoints.make(tmp_path / "tied", tied, config), Type.BF16)
    found = cognate.compare(tmp_path / "r.h5", both, tmp_path / "tied.gguf")["tensors"]
    assert found["source_name"][found["name"].tolist().index("lm_head"), 1] == "token_embd.weight"


@pytest.mark.parametrize("ranks", [1, 2])
def test_latent_attention_in_halves(cognate, tmp_path, ranks):
    """As llama.cpp's converter cuts kv_b: view(heads, nope + v, rank), split along the second axis, the first part with
    its last axes swapped. A third model, which has it whole, too, falls in two as well."""
    heads, nope, v, rank = 4, 6, 10, 16
    rng = np.random.default_rng(9)
    whole = rng.standard_normal((heads * (nope + v), rank)).astype(np.float32)
    k, values = np.split(whole.reshape(heads, nope + v, rank), [nope], axis=1)
    halves = {"blk.0.attn_k_b.weight": np.ascontiguousarray(k.swapaxes(1, 2)), "blk.0.attn_v_b.weight": values.copy()}
    gguf_writer.write(tmp_path / "m.gguf", {n: (t, None) for n, t in halves.items()}, "deepseek2", lambda w: w.add_head_count(heads))
    config = dict(model_type="deepseek_v2", num_attention_heads=heads, qk_nope_head_dim=nope, v_head_dim=v)
    tensors = {"model.layers.0.self_attn.kv_b_proj.weight": checkpoints.stored(whole)}
    folder = checkpoints.make(tmp_path / "model", tensors, config)
    found = cognate.compare(tmp_path / "r.h5", folder, tmp_path / "m.gguf", ranks=ranks)
    assert found["tensors"]["name"].tolist() == ["layers.0.attn.k_b", "layers.0.attn.v_b"]
    assert_identical(found, "same values, other container")
    alone = cognate.compare(tmp_path / "r.h5", folder, folder)["tensors"]
    assert alone["name"].tolist() == ["layers.0.attn.kv_b"]
    unknown = checkpoints.make(tmp_path / "unknown", tensors, dict(model_type="deepseek_v2"))
    done = cognate.run("inspect", unknown, tmp_path / "m.gguf")
    assert "kv_b_proj.weight: the number and the size of its heads are not known" in " ".join(done.stdout.split())


# -- quantised ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Type.Q8_0, Type.Q5_1, Type.Q4_0, Type.MXFP4], ids=lambda kind: kind.name)
def test_a_quantised_example_is_derived(cognate, examples, tmp_path, kind):
    gguf_writer.convert(tmp_path / "model.gguf", examples / "base-a", kind)
    found = cognate.compare(tmp_path / "r.h5", examples / "base-a", tmp_path / "model.gguf")
    assert found[""]["verdict"].tolist() == ["DERIVED"] and found[""]["relation"].tolist() == ["quantised"]
    matrices = np.char.find(found["tensors"]["name"].astype(str), "norm") < 0
    assert (found["tensors"]["cosine"][matrices, 0] > 0.99).all()
    assert found["tensors"]["equal_values"][~matrices, 0].all()


@pytest.mark.parametrize("name, within", [("Q8_0", 0.05), ("Q5_0", 0.05), ("Q4_1", 0.05), ("Q4_0", 0.05), ("MXFP4", 0.1)])
def test_rounding_explains_the_error(cognate, tmp_path, name, within):
    """Of normal values quantised by the package the error is as large as the format's cells say."""
    values = np.random.default_rng(8).standard_normal((128, 1024)).astype(np.float32)
    data = gguf.quants.quantize(values, Type[name])
    gguf_writer.write(tmp_path / "blocks.gguf", {"w": (data, Type[name])}, "x")
    checkpoints.write(tmp_path / "values.safetensors", {"w": checkpoints.stored(values)})
    found = cognate.compare(tmp_path / "r.h5", tmp_path / "values.safetensors", tmp_path / "blocks.gguf")["tensors"]
    error = np.linalg.norm(gguf.quants.dequantize(data, Type[name]).astype(float) - values)
    explained = found["rounding_error"][0, 1] * found["l2norm"][0, 1]
    assert abs(error / explained - 1) < within


# The scales of a block, each as the bytes of a float16 at that offset; of MXFP4 one byte.
SCALES = dict(Q4_0=[0], Q4_1=[0, 2], Q5_0=[0], Q5_1=[0, 2], Q8_0=[0], Q2_K=[80, 82], Q3_K=[108], Q4_K=[0, 2])
SCALES |= dict(Q5_K=[0, 2], Q6_K=[208], IQ4_NL=[0], IQ4_XS=[0], TQ1_0=[52], TQ2_0=[64], IQ1_S=[0])
SCALES |= dict(IQ2_XXS=[0], IQ2_XS=[0], IQ2_S=[0], IQ3_XXS=[0], IQ3_S=[0])


def random_blocks(rng, kind, rows, columns):
    """Any codes at all, with scales as weights have them."""
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = rng.integers(0, 256, (rows * columns // elements, size), dtype=np.uint8)
    for at in SCALES.get(kind.name, []):
        blocks[:, at : at + 2] = (0.01 * rng.standard_normal((len(blocks), 1))).astype("<f2").view(np.uint8)
    if kind == Type.MXFP4:
        blocks[:, 0] = rng.integers(0, 250, len(blocks))
    if kind == Type.IQ1_M:  # four bits of the scale in each of four words; no NaN, no infinity
        blocks[:, 55] &= 0xBF
    return blocks.reshape(rows, -1)


@pytest.mark.parametrize("name", [*SCALES, "MXFP4", "NVFP4", "IQ1_M"])
def test_values_of_blocks(cognate, tmp_path, name):
    """Bit for bit those of the package; statistics follow from them."""
    kind = Type[name]
    data = random_blocks(np.random.default_rng(5), kind, 48, 512)
    values = gguf.quants.dequantize(data, kind)
    gguf_writer.write(tmp_path / "blocks.gguf", {"w": (data, kind)}, "x")
    checkpoints.write(tmp_path / "values.safetensors", {"w": checkpoints.stored(values)})
    found = cognate.compare(tmp_path / "r.h5", tmp_path / "values.safetensors", tmp_path / "blocks.gguf", ranks=2)
    table, values = found["tensors"], values.astype(float)
    assert table["equal_values"].all() and table["dtype"][0].tolist() == ["F32", name]
    assert np.isclose(table["l2norm"][0, 1], np.linalg.norm(values), rtol=1e-12)
    assert np.isclose(table["mean"][0, 1], values.mean(), rtol=1e-9, atol=1e-15 * np.abs(values).max())
    assert table["minimum"][0, 1] == values.min() and table["maximum"][0, 1] == values.max()


def test_quantised_experts_and_heads(cognate, tmp_path):
    """Parts of tensors in blocks: experts, and the reordered rows of queries."""
    rng = np.random.default_rng(6)
    arrays = {"blk.0.attn_q.weight": (8, 64), "blk.0.ffn_up_exps.weight": (3, 4, 64)}
    blocks = {name: random_blocks(rng, Type.Q4_K, int(np.prod(shape[:-1])), 256) for name, shape in arrays.items()}
    shaped = {name: data.reshape(*arrays[name][:-1], -1) for name, data in blocks.items()}

    def fill(writer):
        writer.add_head_count(2)
        writer.add_key_length(4)
        writer.add_expert_count(3)

    gguf_writer.write(tmp_path / "m.gguf", {name: (data, Type.Q4_K) for name, data in shaped.items()}, "llama", fill)
    q, up = (gguf.quants.dequantize(data, Type.Q4_K) for data in shaped.values())
    rows = q.reshape(2, 2, 2, 256).swapaxes(1, 2).reshape(8, 256)
    tensors = {"model.layers.0.self_attn.q_proj.weight": checkpoints.stored(rows)}
    for e in range(3):
        tensors[f"model.layers.0.block_sparse_moe.experts.{e}.w3.weight"] = checkpoints.stored(up[e])
    checkpoints.write(tmp_path / "m.safetensors", tensors)
    found = cognate.compare(tmp_path / "r.h5", tmp_path / "m.safetensors", tmp_path / "m.gguf", ranks=3)
    assert found["tensors"]["present"].all() and found["tensors"]["equal_values"].all()


def rounded_by_codebook(values, kind, scale):
    """Blocks of IQ2_S or IQ3_S: of each group of eight or four the nearest entry, with one scale for all."""
    kind.init_grid()
    magnitudes = np.asarray(kind.grid, float).reshape(kind.grid_shape)
    aims = np.abs(values / scale).reshape(-1, magnitudes.shape[1])
    entry = np.argmin((magnitudes**2).sum(1) - 2 * aims @ magnitudes.T, axis=1).reshape(len(values), -1)
    low, signs = (entry & 255).astype(np.uint8), np.packbits(values < 0, axis=1, bitorder="little")
    step = scale / 0.125 if kind is gguf.quants.IQ2_S else scale
    d = np.full((len(values), 1), step, "<f2").view(np.uint8)
    if kind is gguf.quants.IQ2_S:
        high = (entry >> 8).reshape(len(values), 8, 4) << np.array([0, 2, 4, 6])
        parts = [d, low, signs, high.sum(2).astype(np.uint8), np.zeros((len(values), 8), np.uint8)]
    else:
        high = np.packbits((entry >> 8).astype(bool), axis=1, bitorder="little")
        parts = [d, low, high, signs, np.zeros((len(values), 4), np.uint8)]
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("name, scale", [("IQ2_S", 0.045), ("IQ3_S", 0.17)])
def test_rounding_by_a_codebook(cognate, tmp_path, name, scale):
    """Of normal values rounded to the nearest entries the error is about what the format's cells say."""
    values = np.random.default_rng(8).standard_normal((512, 256)).astype(np.float32)
    data = rounded_by_codebook(values, vars(gguf.quants)[name], scale)
    gguf_writer.write(tmp_path / "blocks.gguf", {"w": (data, Type[name])}, "x")
    checkpoints.write(tmp_path / "values.safetensors", {"w": checkpoints.stored(values)})
    found = cognate.compare(tmp_path / "r.h5", tmp_path / "values.safetensors", tmp_path / "blocks.gguf")["tensors"]
    read = gguf.quants.dequantize(data, Type[name]).astype(float)
    assert np.corrcoef(read.ravel(), values.ravel())[0, 1] > 0.95
    error, explained = np.linalg.norm(read - values), found["rounding_error"][0, 1] * found["l2norm"][0, 1]
    assert 0.7 < error / explained < 1.2


# -- what is refused ----------------------------------------------------------------------------------------------


def refusal(cognate, path, tmp_path):
    done = cognate.run("compare", "--quiet", "-o", tmp_path / "r.h5", path, path)
    assert done.returncode == 1 and not (tmp_path / "r.h5").exists() and done.stdout == ""
    first, second, last = done.stderr.splitlines()  # the same file twice, then what can be done about it
    assert first == second and "--skip-broken" in last
    return first


def test_cut_anywhere(cognate, tmp_path):
    gguf_writer.write(tmp_path / "m.gguf", {"w": (np.ones((2, 64), np.float32), None)}, "llama")
    whole = (tmp_path / "m.gguf").read_bytes()
    for length in range(0, len(whole) - 32, 37):
        (tmp_path / "m.gguf").write_bytes(whole[:length])
        assert "m.gguf: " in refusal(cognate, tmp_path / "m.gguf", tmp_path)


def test_two_models_in_a_folder(cognate, tmp_path):
    for name in ("a-Q4_0.gguf", "a-Q8_0.gguf"):
        gguf_writer.write(tmp_path / name, {"w": (np.ones((2, 64), np.float32), None)}, "llama")
    assert "holds several models: a-Q4_0.gguf, a-Q8_0.gguf; give one" in refusal(cognate, tmp_path, tmp_path)
