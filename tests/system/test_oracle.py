"""Every number of the result against an independent computation in numpy and hashlib (oracle.py)."""

import h5py
import numpy as np
import pytest

import checkpoints
import oracle
from checkpoints import Tensor, bf16, stored

MODELS = ["base-a", "a-sft", "base-b"]
PAIRS = [(0, 1), (0, 2), (1, 2)]

# The rounding of a sum is relative to the sum of the magnitudes, not to the sum. For a cosine the magnitudes add
# up to at most 1 (Cauchy-Schwarz), for a mean to the mean magnitude. Where the true value cancels to nearly
# nothing a bound relative to it means nothing, so 1e-14 of that scale (some 50 units in the last place, for sums of up to
# 10^6 elements) is granted on top of the relative bound.
FLOOR = 1e-14


def close(found, expected, relative, scale=1.0):
    """found within `relative` of expected, or both absent. scale: the magnitudes that the sum ran over."""
    expected = float(expected)
    if np.isnan(expected):
        return np.isnan(found)
    return abs(found - expected) <= relative * abs(expected) + FLOOR * scale


def check_moments(tensors, row, model, member):
    expected = oracle.moments(member)
    found = {
        name: tensors[name][row, model]
        for name in ("sha256", "nonfinite", "l2norm", "mean", "std", "minimum", "maximum")
    }
    assert found["sha256"] == expected["sha256"]
    if "nonfinite" not in expected:  # BOOL and C64: hashed, not measured
        assert np.isnan([found["l2norm"], found["mean"], found["std"]]).all()
        return
    assert found["nonfinite"] == expected["nonfinite"]
    scale = float(expected.get("absolute_mean", 0))
    for name, relative in (("l2norm", 1e-12), ("mean", 1e-12), ("std", 1e-10)):
        assert close(found[name], expected.get(name, np.nan), relative, scale), (
            name,
            found[name],
            expected.get(name),
        )
    for name in ("minimum", "maximum"):
        assert np.array_equal(found[name], float(expected.get(name, np.nan)), equal_nan=True), name


def check_similarity(tensors, row, pair, a, b):
    expected = oracle.similarity(a, b)
    assert tensors["identical"][row, pair] == expected["identical"]
    assert tensors["equal_values"][row, pair] == expected["equal_values"]
    for name, relative in (("cosine", 1e-12), ("centred_cosine", 1e-10), ("relative_difference", 1e-12)):
        found = tensors[name][row, pair]
        assert close(found, expected[name], relative), (name, found, expected[name])


def check_null(tensors, row, pair, a, b, role):
    expected = oracle.shift_null(a, b, role)
    for name, relative in (("panel_cosine", 1e-10), ("null_mean", 1e-9), ("null_sd", 1e-9), ("t", 1e-8)):
        found = tensors[name][row, pair]
        # t is a difference over null_sd, so what the cosines lose to rounding grows by 1 / null_sd.
        scale = 1 / expected["null_sd"] if name == "t" else 1
        assert close(found, expected[name], relative, scale), (name, found, expected[name])


@pytest.fixture(scope="module")
def models(examples):
    return [checkpoints.read(examples / name) for name in MODELS]


@pytest.fixture(scope="module")
def rows(result):
    return {name: row for row, name in enumerate(result["tensors"]["name"])}


def test_every_tensor_has_its_slot(result, models, rows):
    assert len(rows) == len(models[0]) == len(result["tensors"]["name"])
    for name, member in models[0].items():
        canonical, role, layer = oracle.slot(name)
        row = rows[canonical]
        tensors = result["tensors"]
        assert (tensors["role"][row], tensors["layer"][row], tensors["expert"][row]) == (role, layer, -1)
        for model in range(3):
            assert tensors["source_name"][row, model] == name
            assert tensors["dtype"][row, model] == member.dtype
            assert tensors["present"][row, model] == 1
            assert (tensors["rows"][row, model], tensors["columns"][row, model]) == oracle.matrix_shape(member.shape)


def test_models_and_pairs(result, models, examples):
    root = result[""]
    assert root["model_label"].tolist() == MODELS
    assert root["model_path"].tolist() == [str(examples / name) for name in MODELS]
    assert root["model_type"].tolist() == ["llama"] * 3
    assert list(zip(root["pair_a"], root["pair_b"])) == PAIRS
    for name, value in dict(
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=4,
        vocab_size=2048,
    ).items():
        assert root[name].tolist() == [value] * 3, name
    for name in ("num_experts", "moe_intermediate_size", "num_shared_experts"):
        assert (root[name] <= 0).all(), name
    assert root["parameters"].tolist() == [checkpoints.elements(model) for model in models]
    assert root["num_tensors"].tolist() == [len(model) for model in models]
    assert root["stored_bytes"].tolist() == [checkpoints.stored_bytes(model) for model in models]
    assert root["same_architecture"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("model", range(3), ids=MODELS)
def test_moments_and_hashes(result, models, rows, model):
    for name, member in models[model].items():
        check_moments(result["tensors"], rows[oracle.slot(name)[0]], model, member)


@pytest.mark.parametrize("pair", range(3), ids=["base-a:a-sft", "base-a:base-b", "a-sft:base-b"])
def test_similarity_and_shift_null(result, models, rows, pair):
    a, b = (models[i] for i in PAIRS[pair])
    for name in a:
        canonical, role, _ = oracle.slot(name)
        check_similarity(result["tensors"], rows[canonical], pair, a[name], b[name])
        check_null(result["tensors"], rows[canonical], pair, a[name], b[name], role)


@pytest.mark.parametrize("pair", range(3))
def test_pair_summaries(result, models, pair):
    a, b = (models[i] for i in PAIRS[pair])
    each = {name: oracle.similarity(a[name], b[name]) for name in a}
    cosines = np.array([float(similar["cosine"]) for similar in each.values()])
    sizes = np.array([len(member.values.ravel()) for member in a.values()])
    matrices = np.array([min(member.shape) > 1 and len(member.shape) > 1 for member in a.values()])
    root = result[""]
    assert root["compared_tensors"][pair] == len(a)
    assert root["identical_tensors"][pair] == sum(similar["identical"] for similar in each.values())
    assert root["comparable_fraction"][pair] == 1
    assert close(root["mean_cosine"][pair], cosines.mean(), 1e-12)
    assert close(root["weighted_cosine"][pair], (cosines * sizes).sum() / sizes.sum(), 1e-12)
    assert close(root["matrix_cosine"][pair], cosines[matrices].mean(), 1e-12)
    assert root["band"][pair] == oracle.band(cosines.mean())


@pytest.mark.parametrize("pair", range(3))
def test_profile_over_depth(result, models, pair):
    a, b = (models[i] for i in PAIRS[pair])
    groups = result["layers"]["role_group"].tolist()
    assert groups == ["attention", "ffn", "norm", "all"]
    profile = result["layers"]["cosine"][pair]
    assert len(profile) == 8
    for layer in range(8):
        cosines = {name: [] for name in groups}
        for name in a:
            _, role, where = oracle.slot(name)
            if where == layer:
                found = float(oracle.cosine(a[name].values, b[name].values))
                cosines[oracle.group(role)].append(found)
                cosines["all"].append(found)
        for g, name in enumerate(groups):
            assert close(profile[layer, g], np.mean(cosines[name]), 1e-12), (layer, name)


def check_embedding(result, pair, folders, weights):
    vocabularies = [oracle.vocabulary(folder / "tokenizer.json") for folder in folders]
    tables = [model["model.embed_tokens.weight"].values for model in weights]
    ids = oracle.shared_tokens(*vocabularies)
    expected = oracle.embedding(tables[0][ids[:, 0]], tables[1][ids[:, 1]])
    found = result["embeddings"]
    assert (found["rows_a"][pair], found["rows_b"][pair]) == (len(tables[0]), len(tables[1]))
    assert found["shared_tokens"][pair] == len(ids)
    assert found["same_id_tokens"][pair] == (ids[:, 0] == ids[:, 1]).sum()
    assert close(found["cosine"][pair], expected["cosine"], 1e-12)
    assert close(found["centred_cosine"][pair], expected["centred_cosine"], 1e-10)
    mine = found["token_pair"] == pair
    assert np.array_equal(np.stack([found["token_id_a"][mine], found["token_id_b"][mine]], 1), ids)
    for name, relative in (("token_cosine", 1e-12), ("token_centred_cosine", 1e-10)):
        assert all(close(x, y, relative) for x, y in zip(found[name][mine], expected[name])), name


@pytest.mark.parametrize("pair", range(3))
def test_embeddings_token_by_token(result, models, examples, pair):
    check_embedding(result, pair, [examples / MODELS[i] for i in PAIRS[pair]], [models[i] for i in PAIRS[pair]])


def byte_tokenizer(ids):
    """A tokenizer of 256 one-byte tokens and one special; token i has the id ids[i]."""
    characters = sorted(oracle.byte_map(), key=oracle.byte_map().get)
    return dict(
        version="1.0",
        added_tokens=[dict(id=int(ids[256]), content="<s>", special=True)],
        pre_tokenizer=dict(type="ByteLevel"),
        decoder=dict(type="ByteLevel"),
        model=dict(type="BPE", vocab={c: int(ids[i]) for i, c in enumerate(characters)}, merges=[]),
    )


def test_embeddings_of_other_ids(cognate, tmp_path):
    """The second model holds the first one's rows under shuffled ids, with rows beyond the vocabulary besides."""
    rng = np.random.default_rng(3)
    a = checkpoints.llama(rng, vocabulary=257)
    order = rng.permutation(257)
    table = a["model.embed_tokens.weight"].values
    shuffled = np.zeros((300, 64))
    shuffled[order] = table
    b = dict(a, **{"model.embed_tokens.weight": bf16(shuffled), "lm_head.weight": bf16(shuffled)})
    folders = [
        checkpoints.make(tmp_path / "a", a, checkpoints.llama_config(a), byte_tokenizer(range(257))),
        checkpoints.make(tmp_path / "b", b, checkpoints.llama_config(b), byte_tokenizer(order)),
    ]
    result = cognate.compare(tmp_path / "r.h5", *folders, ranks=2)
    check_embedding(result, 0, folders, [a, b])
    assert result["embeddings"]["shared_tokens"][0] == 257
    assert result["embeddings"]["cosine"][0] == pytest.approx(1, abs=1e-12)
    row = result["tensors"]["name"].tolist().index("embed")
    assert np.isnan(result["tensors"]["cosine"][row, 0])  # 257 rows against 300: not slot by slot


@pytest.mark.parametrize("evidence", ["quick", "full"])
def test_large_embeddings_are_read_again(cognate, tmp_path, evidence):
    """Two of 17 MB are not kept: full evidence reads them four times more, for the tokens' cosines
    and for two tests over them; quick leaves their tokens out and says so."""
    models, folders = [], []
    for seed in (4, 5):
        models.append({"model.embed_tokens.weight": stored(np.random.default_rng(seed).standard_normal((257, 17000)).astype("f4"))})
        folders.append(checkpoints.make(tmp_path / str(seed), models[-1], tokenizer=byte_tokenizer(range(257))))
    result = cognate.compare(tmp_path / "r.h5", "--evidence", evidence, *folders, ranks=2)
    run = h5py.File(tmp_path / "r.h5")["run"].attrs
    notes = h5py.File(tmp_path / "r.h5").attrs["notes"]
    if evidence == "full":
        check_embedding(result, 0, folders, models)
        assert run["bytes_reread"] == 4 * result[""]["stored_bytes"].sum()
    else:
        assert len(result["embeddings"]["token_pair"]) == 0 and run["bytes_reread"] == 0
    assert ("rows of shared tokens are not compared" in notes) == (evidence == "quick")


def integers(rng, dtype, shape):
    bounds = np.iinfo(dtype)
    return stored(rng.integers(bounds.min, bounds.max, shape, dtype, endpoint=True))


def codes(dtype, rng, shape, per_byte=1):
    """All 256 codes of a small type, and noise behind them; F4 has two elements a byte."""
    count = int(np.prod(shape)) // per_byte
    data = np.concatenate([np.arange(256, dtype=np.uint8), rng.integers(0, 256, count, dtype=np.uint8)])[:count]
    return Tensor(dtype, shape, rng.permutation(data).tobytes())


def every_type(rng):
    """A tensor of each type that PyPI's safetensors writes, under names that no table knows."""
    shape = (48, 64)
    tensors = {f"odd.{t}": integers(rng, t, shape) for t in ("u1", "i1", "u2", "i2", "u4", "i4")}
    # 64-bit integers beyond 2^53 are rounded on their way to double, here and there.
    tensors["odd.i8"] = stored(rng.integers(-(2**62), 2**62, shape))
    tensors["odd.u8"] = stored(rng.integers(0, 2**63, shape, np.uint64))
    tensors |= {f"odd.{t}": stored(rng.standard_normal(shape).astype(t)) for t in ("f2", "f4", "f8")}
    tensors["odd.bf16"] = bf16(rng.standard_normal(shape))
    for name in ("F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"):
        tensors["odd." + name] = codes(name, rng, shape)
    # Full range would square to over 2^254: still finite.
    tensors["odd.F8_E8M0"] = codes("F8_E8M0", rng, shape)
    tensors["odd.F4"] = codes("F4", rng, shape, per_byte=2)
    tensors["odd.bool"] = stored(rng.integers(0, 2, shape).astype(bool))
    tensors["odd.c64"] = stored((rng.standard_normal(shape) + 1j).astype(np.complex64))
    return tensors


def awkward(rng):
    """Shapes and values at the edges: what is not a matrix, not finite, not centred, or not there."""
    noise = rng.standard_normal((40, 50)).astype(np.float32)
    infinite = noise.copy()
    infinite[rng.integers(0, 40, 30), rng.integers(0, 50, 30)] = rng.choice([np.nan, np.inf, -np.inf], 30)
    denormal = (noise * np.float32(1e-41)).astype(np.float32)
    return {
        "odd.scalar": stored(np.float32(2.5)),
        "odd.one": stored(np.array([[-3.0]], np.float32)),
        "odd.empty": stored(np.zeros((0, 7), np.float32)),
        "odd.empty_row": stored(np.zeros((3, 0), np.float32)),
        "odd.vector": stored(rng.standard_normal(1237).astype(np.float32)),
        "odd.column": stored(rng.standard_normal((1237, 1)).astype(np.float32)),
        "odd.cube": stored(rng.standard_normal((5, 7, 11)).astype(np.float16)),
        "odd.five_axes": stored(rng.standard_normal((3, 1, 5, 2, 7)).astype(np.float32)),
        "odd.prime": stored(rng.standard_normal((1009, 31)).astype(np.float32)),
        "odd.wide": stored(rng.standard_normal((2, 70001)).astype(np.float32)),
        "odd.zeros": stored(np.zeros((9, 9), np.float32)),
        "odd.minus_zero": stored(np.where(noise > 0, -0.0, noise).astype(np.float32)),
        "odd.constant": stored(np.full((40, 40), 1.1, np.float32)),
        "odd.infinite": stored(infinite),
        "odd.all_nan": stored(np.full(20, np.nan, np.float32)),
        "odd.denormal": stored(denormal),
        "odd.huge": stored((noise * np.float32(1e37)).astype(np.float32)),
        # One pass over the elements: what the mean is in standard deviations costs its square in precision.
        "odd.far_from_zero": stored((1 + 0.01 * noise).astype(np.float32)),
        "odd.newline\n\x1b[31m/../x": stored(noise),
    }


def slots_with_types(rng):
    """Known roles in other types than bf16: the panel is taken from decoded values."""
    prefix = "model.layers.0."
    return {
        "model.embed_tokens.weight": stored(rng.standard_normal((130, 64)).astype(np.float16)),
        prefix + "self_attn.q_proj.weight": codes("F4", rng, (64, 64), per_byte=2),
        prefix + "self_attn.q_proj.bias": stored(rng.standard_normal(64).astype(np.float32)),
        prefix + "self_attn.q_norm.weight": stored(rng.standard_normal(64).astype(np.float32)),
        prefix + "self_attn.o_proj.weight": stored(rng.standard_normal((64, 96))),
        prefix + "input_layernorm.weight": bf16(1 + 0.1 * rng.standard_normal(64)),
        prefix + "post_attention_layernorm.weight": bf16(np.ones(64)),
        prefix + "mlp.up_proj.weight": integers(rng, "i1", (77, 64)),
        prefix + "mlp.down_proj.weight": stored(rng.standard_normal((64, 77)).astype(np.float32)),
        # 2^18 elements to the last: kept whole. The next ones: every so many lines.
        "lm_head.weight": stored(rng.standard_normal((4096, 64)).astype(np.float32)),
        "model.layers.1.self_attn.q_proj.weight": stored(rng.standard_normal((10007, 64)).astype(np.float32)),
        "model.layers.1.mlp.down_proj.weight": bf16(rng.standard_normal((64, 5003))),
    }


def short_axis(rng):
    """A residual axis of 31: too short to shift."""
    return {
        "model.embed_tokens.weight": stored(rng.standard_normal((100, 31)).astype(np.float32)),
        "model.norm.weight": stored(rng.standard_normal(31).astype(np.float32)),
    }


def test_f4_shape_on_disk(tmp_path):
    """What PyPI's package makes of F4 is what `checkpoints` believes: the header holds the logical shape."""
    tensor = codes("F4", np.random.default_rng(1), (48, 64), per_byte=2)
    checkpoints.make(tmp_path / "m", {"x": tensor}, writer=checkpoints.write_by_package)
    assert checkpoints.read(tmp_path / "m") == {"x": tensor}


@pytest.mark.parametrize("build", [every_type, awkward, slots_with_types, short_axis])
def test_files_by_the_package(cognate, tmp_path, build):
    """Models written by PyPI's safetensors: the second of the pair differs, its third is the first again."""
    models = [build(np.random.default_rng(seed)) for seed in (1, 2, 1)]
    folders = [
        checkpoints.make(tmp_path / name, model, writer=checkpoints.write_by_package)
        for name, model in zip("abc", models)
    ]
    result = cognate.compare(tmp_path / "r.h5", *folders, "--pca", "none", ranks=2)
    tensors = result["tensors"]
    assert len(tensors["name"]) == len(models[0])
    for name in models[0]:
        canonical, role, _ = oracle.slot(name)
        row = tensors["name"].tolist().index(canonical)
        for m, model in enumerate(models):
            check_moments(tensors, row, m, model[name])
        for p, (i, j) in enumerate(PAIRS):
            a, b = models[i][name], models[j][name]
            if a.dtype in ("BOOL", "C64"):
                assert np.isnan(tensors["cosine"][row, p])
                assert tensors["identical"][row, p] == (a.data == b.data)
                continue
            check_similarity(tensors, row, p, a, b)
            check_null(tensors, row, p, a, b, role)
    assert result[""]["parameters"].tolist() == [checkpoints.elements(model) for model in models]


def test_types_that_differ(cognate, tmp_path):
    """F32 against F16 against BF16 of the same slot, and a slot that only one model fills."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal((64, 64)).astype(np.float32)
    name = "model.layers.0.self_attn.q_proj.weight"
    models = [{name: stored(x), "only.here": stored(x)}, {name: stored(x.astype(np.float16))}, {name: bf16(x)}]
    folders = [checkpoints.make(tmp_path / n, m) for n, m in zip("abc", models)]
    result = cognate.compare(tmp_path / "r.h5", *folders)
    tensors = result["tensors"]
    row = tensors["name"].tolist().index("layers.0.attn.q")
    for p, (i, j) in enumerate(PAIRS):
        check_similarity(tensors, row, p, models[i][name], models[j][name])
        check_null(tensors, row, p, models[i][name], models[j][name], "attn.q")
    other = tensors["name"].tolist().index("only.here")
    assert tensors["present"][other].tolist() == [1, 0, 0]
    assert tensors["sha256"][other].tolist()[1:] == ["", ""]
    assert np.isnan(tensors["l2norm"][other, 1:]).all() and np.isnan(tensors["cosine"][other]).all()
    assert tensors["rows"][other].tolist() == [64, -1, -1]
    assert result[""]["compared_tensors"].tolist() == [1, 1, 1]
    assert result[""]["comparable_fraction"].tolist() == [1, 1, 1]  # of b's parameters
