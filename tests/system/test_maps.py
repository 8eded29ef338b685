"""Layers found in whatever place by sketches of their matrices; the sketches redone in numpy."""

import json
import math

import numpy as np
import pytest

import checkpoints
import disguises
import results

ORDER = [3, 1, 0, 2, 7, 5, 6, 4]
ATTENTION = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"]
FFN = ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
LENGTH = 2048


def mix(x):
    """SplitMix64's finaliser on an array of uint64."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        return x ^ x >> np.uint64(31)


def signs(n):
    words = mix(np.uint64(0x636F676E617465) ^ mix(np.arange(-(-n // 64), dtype=np.uint64)))
    return 1 - 2.0 * np.unpackbits(words.view(np.uint8), bitorder="little")[:n]


def sketch(x):
    """Centred, of unit length."""
    x = (x - x.mean()).ravel() * signs(x.size)
    x = np.pad(x, (0, -x.size % LENGTH)).reshape(-1, LENGTH).sum(0)
    return x / np.linalg.norm(x)


def cell(a, b, roles):
    """Mean cosine and its sd under the null, over the roles of two layers given as {role: sketch}."""
    products = [a[role] * b[role] for role in roles]
    return sum(p.sum() for p in products) / len(roles), math.sqrt(sum((p ** 2).sum() for p in products)) / len(roles)


def sketches(w, roles):
    return [{role: sketch(w[f"model.layers.{l}.{role}.weight"]) for role in roles} for l in range(disguises.depth(w))]


def load(folder):
    return {name: tensor.values for name, tensor in checkpoints.read(folder).items()}


def store(folder, w, config, tokenizer=None):
    return checkpoints.make(folder, {name: checkpoints.stored(x.astype(np.float32)) for name, x in w.items()}, config, tokenizer)


def trained_on(w, rng, share=0.3):
    """Every matrix changed by noise of that share of its deviation."""
    return {name: x + share * x.std() * rng.standard_normal(x.shape) if x.ndim == 2 else x for name, x in w.items()}


@pytest.fixture(scope="module")
def transplanted(cognate, examples, tmp_path_factory):
    """base-b with the attention of base-a, its layers in another order and trained on; base-a and that, base-b and that."""
    folder = tmp_path_factory.mktemp("maps")
    config = json.loads((examples / "base-a" / "config.json").read_text())
    rng = np.random.default_rng(11)
    a, b = load(examples / "base-a"), load(examples / "base-b")
    w = disguises.graft(b, trained_on(disguises.layers(a, ORDER), rng), "self_attn")
    store(folder / "b", w, config)
    rows = [f"{examples / name}\tbase" for name in ("base-a", "base-b")] + [f"{folder / 'b'}\ttarget"]
    (folder / "models.tsv").write_text("path\trole\n" + "\n".join(rows) + "\n")
    result = cognate.compare(folder / "r.h5", "--pca", "none", "--manifest", folder / "models.tsv", ranks=2)
    return a, {name: x.astype(np.float32).astype(float) for name, x in w.items()}, result


def test_attention_in_other_places(transplanted):
    a, b, result = transplanted
    assert (result[""]["verdict"][0], result[""]["relation"][0]) == ("PARTIAL", "attention of layers 0 to 7")
    assert result["layers"]["layer_map"][0].tolist() == ORDER
    assert "By sketches the attention of 8 of b's 8 layers is a's" in result[""]["reasons"][0]
    assert "layer 0 that of layer 3, layer 2 that of layer 0" in result[""]["reasons"][0]
    assert (result[""]["verdict"][1], result[""]["relation"][1]) == ("DERIVED", "attention of layers 0 to 7 replaced, fine-tuned")


def test_sketches_against_numpy(transplanted):
    """Similarity off the diagonal, and p of each layer, where nothing else was found."""
    a, b, result = transplanted
    of_a, of_b = sketches(a, ATTENTION + FFN), sketches(b, ATTENTION + FFN)
    similarity = result["layers"]["similarity"][0]
    for i in range(8):
        for j in range(8):
            if i != j:
                expected = cell(of_a[i], of_b[j], ATTENTION + FFN)[0]
                assert similarity[i, j] == pytest.approx(max(expected, 0), abs=2e-6) or similarity[i, j] < 0.03 > expected
    tests = 2 * 64 + 7 * 64  # both groups, and each role alone
    for j, i in enumerate(ORDER):
        cosine, sd = cell(of_a[i], of_b[j], ATTENTION)
        log10_p = -((cosine - 0.1) / sd) ** 2 / (2 * math.log(10)) + math.log10(tests)
        assert result["layers"]["layer_log10_p"][0, j] == pytest.approx(log10_p, rel=1e-4) and log10_p < -100


def nemotron(rng, layers=6, hidden=64, units=160):
    """Nemotron's names: a feed-forward part without a gate."""
    w = {"model.embed_tokens.weight": rng.standard_normal((300, hidden)), "lm_head.weight": rng.standard_normal((300, hidden))}
    for l in range(layers):
        prefix = f"model.layers.{l}."
        w[prefix + "input_layernorm.weight"] = 1 + 0.1 * rng.standard_normal(hidden)
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            w[f"{prefix}self_attn.{name}.weight"] = rng.standard_normal((hidden, hidden))
        w[prefix + "mlp.up_proj.weight"] = rng.standard_normal((units, hidden))
        w[prefix + "mlp.down_proj.weight"] = rng.standard_normal((hidden, units))
    w["model.norm.weight"] = 1 + 0.1 * rng.standard_normal(hidden)
    return w


def test_no_gate(cognate, tmp_path):
    """Skipped and repeated layers of a model whose feed-forward part has no gate, and strangers of one shape."""
    rng = np.random.default_rng(4)
    order = [0, 2, 3, 4, 5, 2, 3]
    config = dict(model_type="nemotron", hidden_size=64, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=4,
                  vocab_size=300, intermediate_size=160)
    a, other = nemotron(rng), nemotron(rng)
    child = trained_on(disguises.layers(a, order), rng)
    child["model.embed_tokens.weight"], child["lm_head.weight"] = other["model.embed_tokens.weight"], other["lm_head.weight"]
    folders = [store(tmp_path / name, w, dict(config, num_hidden_layers=disguises.depth(w))) for name, w in
               (("a", a), ("child", child), ("other", other))]
    result = cognate.compare(tmp_path / "r.h5", "--pca", "none", *folders, ranks=3)
    assert (result[""]["verdict"][0], result[""]["relation"][0]) == ("DERIVED", "depth-upscaled, fine-tuned")
    assert result["layers"]["layer_map"][0].tolist() == order
    assert result["layers"]["layer_map"][1].tolist() == [-1] * 7  # the stranger
    assert result[""]["verdict"][1] == "NO EVIDENCE"


LAYERS, EXPERTS = 8, 33  # 264 blocks a model: 69,696 cells, more than are matched
PLACES = [(layer, expert) for layer in range(LAYERS) for expert in range(EXPERTS)]


def mixture(rng, hidden=32, units=64):
    w = {"model.embed_tokens.weight": rng.standard_normal((256, hidden)), "lm_head.weight": rng.standard_normal((256, hidden))}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            w[f"{prefix}{norm}.weight"] = 1 + 0.1 * rng.standard_normal(hidden)
        for name in "qkvo":
            w[f"{prefix}self_attn.{name}_proj.weight"] = rng.standard_normal((hidden, hidden))
        w[prefix + "block_sparse_moe.gate.weight"] = rng.standard_normal((EXPERTS, hidden))
        for expert in range(EXPERTS):
            for name, shape in (("w1", (units, hidden)), ("w2", (hidden, units)), ("w3", (units, hidden))):
                w[f"{prefix}block_sparse_moe.experts.{expert}.{name}.weight"] = rng.standard_normal(shape)
    w["model.norm.weight"] = 1 + 0.1 * rng.standard_normal(hidden)
    return w


def test_experts_beyond_all_cells(cognate, tmp_path):
    """Experts of a that moved to any place of a host, and were trained on; a stranger; on one rank and on three."""
    rng = np.random.default_rng(9)
    a, host = mixture(rng), mixture(rng)
    turned = [PLACES[i] for i in rng.permutation(len(PLACES))]
    b = dict(host)
    for to, of in zip(PLACES, turned):
        for name in ("w1", "w2", "w3"):
            where = "model.layers.{}.block_sparse_moe.experts.{}." + name + ".weight"
            x = a[where.format(*of)]
            b[where.format(*to)] = x + 0.3 * rng.standard_normal(x.shape)
    config = dict(model_type="mixtral", hidden_size=32, num_hidden_layers=LAYERS, num_attention_heads=4, vocab_size=256,
                  num_key_value_heads=4, intermediate_size=64, num_local_experts=EXPERTS, num_experts_per_tok=2)
    rows = [f"{store(tmp_path / name, w, config)}\t{role}" for name, w, role in
            (("a", a, "base"), ("b", b, "target"), ("host", host, "target"))]
    (tmp_path / "models.tsv").write_text("path\trole\n" + "\n".join(rows) + "\n")
    paths = [tmp_path / f"{ranks}.h5" for ranks in (1, 3)]
    result, _ = [cognate.compare(path, "--pca", "none", "--manifest", tmp_path / "models.tsv", ranks=ranks)
                 for path, ranks in zip(paths, (1, 3))]
    assert results.fingerprint(paths[0]) == results.fingerprint(paths[1])
    assert list(result[""]["verdict"]) == ["PARTIAL", "NO EVIDENCE"]
    assert "Of 69696 cells of blocks" in result[""]["reasons"][0] and "for 264 of b's 264 blocks" in result[""]["reasons"][0]
    assert "for 0 of b's 264 blocks" in result[""]["reasons"][1]
    experts = result["experts"]
    assert (experts["pair"] == 0).all()
    found = {(l, e): (k, f) for l, e, k, f in zip(*(experts[n] for n in ("layer_b", "expert_b", "layer_a", "expert_a")))}
    assert found == dict(zip(PLACES, turned))
    assert (experts["log10_p"] < -12).all() and (experts["cosine"] > 0.8).all()
