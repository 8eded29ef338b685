"""Experts named twice, by their matrices and by their routers' rows, against scipy and against how they were made."""

import json
import math
import re

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

import checkpoints

LAYERS, EXPERTS, HIDDEN, UNITS = 4, 8, 64, 64
ORDER = [2, 0, 3, 1]
TOKENS = 256  # whose answers are taken
CONFIG = dict(model_type="mixtral", hidden_size=HIDDEN, num_attention_heads=4, num_key_value_heads=4, vocab_size=2048,
              intermediate_size=UNITS, num_experts_per_tok=1)


def moe(rng, experts=EXPERTS, gain=0.2, layers=LAYERS):
    """{name: array} under Mixtral's names."""
    w = {name: tensor.values for name, tensor in checkpoints.llama(rng, layers, HIDDEN, UNITS, 2048).items() if ".mlp." not in name}
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        w[prefix + "block_sparse_moe.gate.weight"] = rng.standard_normal((experts, HIDDEN))
        w[prefix + "post_attention_layernorm.weight"] = 1 + gain * rng.standard_normal(HIDDEN)
        for expert in range(experts):
            for name, shape in (("w1", (UNITS, HIDDEN)), ("w2", (HIDDEN, UNITS)), ("w3", (UNITS, HIDDEN))):
                w[f"{prefix}block_sparse_moe.experts.{expert}.{name}.weight"] = rng.standard_normal(shape)
    return w


def router(w, layer):
    return w[f"model.layers.{layer}.block_sparse_moe.gate.weight"]


def arrange(w, orders, layers=range(LAYERS)):
    """Layer l of the new model is layer layers[l] of the old, its expert e expert orders[l][e] there, with its router's row."""
    out = {name: x for name, x in w.items() if ".layers." not in name}
    for layer, of in enumerate(layers):
        for name, x in w.items():
            if f".layers.{of}." in name and ".experts." not in name:
                out[name.replace(f".layers.{of}.", f".layers.{layer}.")] = x
        for expert, old in enumerate(orders[layer]):
            for name in ("w1", "w2", "w3"):
                out[f"model.layers.{layer}.block_sparse_moe.experts.{expert}.{name}.weight"] = w[
                    f"model.layers.{of}.block_sparse_moe.experts.{old}.{name}.weight"]
        out[f"model.layers.{layer}.block_sparse_moe.gate.weight"] = router(w, of)[orders[layer]]
    return out


def noisy(w, rng):
    return {name: x + 0.1 * x.std() * rng.standard_normal(x.shape) for name, x in w.items()}


def rerouted(w, rng):
    return {name: rng.standard_normal(x.shape) if "moe.gate" in name else x for name, x in w.items()}


def rotated(w, rng):
    """Another basis; every gain of w is 1."""
    q, _ = np.linalg.qr(rng.standard_normal((HIDDEN, HIDDEN)))
    return {name: x if x.ndim == 1 else q.T @ x if ("w2" in name or "o_proj" in name) else x @ q for name, x in w.items()}


@pytest.fixture(scope="module")
def made():
    """Models and, of those made from base, which expert of which layer each expert was: [layer][expert]."""
    rng = np.random.default_rng(1)
    base = moe(rng)
    orders = {name: [rng.permutation(EXPERTS)[:n] for _ in range(LAYERS)]
              for name, n in dict(shuffled=8, moved=8, transplanted=8, fewer=6, fewer_rerouted=6).items()}
    alike = moe(rng)
    for name in [name for name in alike if ".experts." in name]:
        first = alike[name.replace(f".experts.{name.split('.')[5]}.", ".experts.0.")]
        alike[name] = first + 0.001 * rng.standard_normal(first.shape)
    level = moe(rng, gain=0)
    models = {
        "base": base,
        "shuffled": noisy(arrange(base, orders["shuffled"]), rng),
        "moved": noisy(arrange(base, orders["moved"], ORDER), rng),
        "transplanted": rerouted(arrange(base, orders["transplanted"]), rng),
        "fewer": noisy(arrange(base, orders["fewer"]), rng),
        "fewer_rerouted": rerouted(arrange(base, orders["fewer_rerouted"]), rng),
        "silent": {name: 0 * x if "moe.gate" in name else x for name, x in noisy(base, rng).items()},
        "alike": alike,
        "alike-child": noisy(arrange(alike, [rng.permutation(EXPERTS) for _ in range(LAYERS)]), rng),
        "single": moe(rng, experts=1),
        "level": level,
    }
    models["single-child"] = noisy(models["single"], rng)
    models["turned"] = rotated(arrange(level, [rng.permutation(EXPERTS) for _ in range(LAYERS)]), rng)
    return models, orders


@pytest.fixture(scope="module")
def folders(made, examples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("routers")
    tokenizer = json.loads((examples / "base-a" / "tokenizer.json").read_text())
    for name, w in made[0].items():
        tensors = {key: checkpoints.stored(x.astype(np.float32)) for key, x in w.items()}
        config = dict(CONFIG, num_hidden_layers=LAYERS, num_local_experts=len(router(w, 0)))
        checkpoints.make(folder / name, tensors, config, tokenizer if name in ("base", "level", "turned") else None)
    return folder


@pytest.fixture(scope="module")
def compared(cognate, folders, tmp_path_factory):
    """A function: two models to the rows of /experts, and the reasons."""
    scratch = tmp_path_factory.mktemp("routers-found")

    def compared(*names, ranks=1):
        found = cognate.compare(scratch / "r.h5", "--pca", "none", *[folders / name for name in names], ranks=ranks)
        rows = found["experts"]["pair"] == 0
        return {name: x[rows] for name, x in found["experts"].items() if x.shape == rows.shape}, found[""]["reasons"][0]

    return compared


def names_by_scipy(a, b, layer_a, layer_b):
    """For each expert of b the expert of a, and the cosine of their rows."""
    sides = []
    for w, layer in ((a, layer_a), (b, layer_b)):
        x = router(w, layer) * w[f"model.layers.{layer}.post_attention_layernorm.weight"]
        x = x - x.mean(0)
        x = x - x.mean(1, keepdims=True)
        sides.append(x / np.linalg.norm(x, axis=1, keepdims=True))
    cosine = sides[1] @ sides[0].T
    to = dict(zip(*linear_sum_assignment(-cosine)))
    return {e: (to[e], cosine[e, to[e]]) for e in to if cosine[e, to[e]] > 0}


def bound(agreeing, layers):
    return agreeing * math.log10(layers) - math.lgamma(agreeing + 1) / math.log(10)


@pytest.mark.parametrize("child, layers", [("shuffled", range(LAYERS)), ("moved", ORDER), ("fewer", range(LAYERS))])
def test_both_maps_agree(compared, made, child, layers):
    experts, reasons = compared("base", child, ranks=2)
    models, orders = made
    n = len(experts["pair"])
    assert n == sum(map(len, orders[child])) and experts["maps_agree"].all()
    for i in range(n):
        layer, expert = experts["layer_b"][i], experts["expert_b"][i]
        assert experts["layer_a"][i] == layers[layer]
        assert experts["expert_a"][i] == experts["router_expert_a"][i] == orders[child][layer][expert]
        name, cosine = names_by_scipy(models["base"], models[child], layers[layer], layer)[expert]
        assert name == experts["router_expert_a"][i]
        assert abs(cosine - experts["router_cosine"][i]) < 1e-5
    assert f"name the same partner for {n} of {n} experts, by chance with p = 1e{bound(n, LAYERS):.0f}." in reasons
    assert "another router" not in reasons


@pytest.mark.parametrize("a, b", [("base", "transplanted"), ("base", "fewer_rerouted"), ("fewer_rerouted", "base")])
def test_experts_under_another_router(compared, made, a, b):
    experts, reasons = compared(a, b)
    models, orders = made
    same = named = 0
    for i in range(len(experts["pair"])):
        layer, expert = experts["layer_b"][i], experts["expert_b"][i]
        name, cosine = names_by_scipy(models[a], models[b], layer, layer).get(expert, (-1, np.nan))
        assert experts["router_expert_a"][i] == name
        np.testing.assert_allclose(experts["router_cosine"][i], cosine, atol=1e-5)
        order = orders[b if a == "base" else a][layer]
        origin = order[expert] if a == "base" else list(order).index(expert)
        assert experts["expert_a"][i] == origin and experts["maps_agree"][i] == (origin == name)
        same, named = same + (origin == name), named + (name >= 0)
    assert named > 12 and same < named / 2
    assert f"name the same partner for {same} of {named} experts" in reasons
    if bound(named, LAYERS) < -12:
        assert "The experts lie under another router." in reasons


def test_answers_to_tokens_name_experts_in_another_basis(compared, made):
    experts, reasons = compared("level", "turned")
    assert len(experts["pair"]) == LAYERS * EXPERTS
    assert experts["maps_agree"].all() and (experts["router_cosine"] > 0.999).all()
    assert "Routers, by their answers to tokens, and matrices" in reasons and "by chance" not in reasons.split("Routers")[1].split("\n")[0]


def cosine_of_answers(a, b, ids):
    """Of the first layers' routers: the mean cosine of the names that their answers to those tokens give."""
    sides = []
    for w in (a, b):
        probes = w["model.embed_tokens.weight"][ids]
        probes = probes / np.sqrt((probes**2).mean(1, keepdims=True))
        x = (router(w, 0) * w["model.layers.0.post_attention_layernorm.weight"]) @ probes.T
        x = x - x.mean(0)
        x = x - x.mean(1, keepdims=True)
        sides.append(x / np.linalg.norm(x, axis=1, keepdims=True))
    cosine = sides[1] @ sides[0].T
    named = cosine[linear_sum_assignment(-cosine)]
    return named[named > 0].mean()


def test_answers_stand_beside_those_of_strangers(cognate, examples, tmp_path):
    """Of one layer, so that strangers' routers have one partner to be matched with."""
    rng = np.random.default_rng(7)
    level = moe(rng, gain=0, layers=1)
    models = {"level": level, "turned": rotated(arrange(level, [rng.permutation(EXPERTS)], range(1)), rng),
              "stranger": moe(rng, layers=1)}
    tokenizer = json.loads((examples / "base-a" / "tokenizer.json").read_text())
    for name, w in models.items():
        tensors = {key: checkpoints.stored(x.astype(np.float32)) for key, x in w.items()}
        checkpoints.make(tmp_path / name, tensors, dict(CONFIG, num_hidden_layers=1, num_local_experts=EXPERTS), tokenizer)
    found = cognate.compare(tmp_path / "r.h5", *(tmp_path / name for name in models))
    level, turned, stranger = models.values()
    ids = found["embeddings"]["token_id_a"][found["embeddings"]["token_pair"] == 0]
    ids = ids[np.arange(TOKENS) * len(ids) // TOKENS]
    said = re.search(r"by their answers to tokens.* mean cosine of (\S+); strangers in this run reach (\S+)\.$",
                     found[""]["reasons"][0], re.M)
    reached = max(cosine_of_answers(level, stranger, ids), cosine_of_answers(turned, stranger, ids))
    assert abs(float(said[1]) - cosine_of_answers(level, turned, ids)) < 6e-4
    assert abs(float(said[2]) - reached) < 6e-4 and 0.05 < reached < 0.5
    assert not any("strangers in this run" in reasons for reasons in found[""]["reasons"][1:])


@pytest.mark.parametrize("a, b", [("base", "silent"), ("alike", "alike-child"), ("single", "single-child")])
def test_nothing_is_read_into_ties(compared, a, b):
    """A router of zeros, experts of one dense block, one expert a layer."""
    experts, reasons = compared(a, b)
    assert len(experts["pair"]) > 0 and (experts["expert_a"] >= 0).all()
    assert (experts["router_expert_a"] == -1).all() and np.isnan(experts["router_cosine"]).all()
    assert not experts["maps_agree"].any() and "Routers" not in reasons


def test_strangers_name_nothing(compared):
    experts, reasons = compared("base", "level")
    assert len(experts["pair"]) == 0 and "Routers" not in reasons


def test_exact_tests_are_counted(cognate, tmp_path):
    """More blocks than are tested exactly: how many of how many is said."""
    rng = np.random.default_rng(3)
    base = {}
    for layer in range(33):
        for expert in range(8):
            for name, shape in (("w1", (48, 48)), ("w2", (48, 48)), ("w3", (48, 48))):
                base[f"model.layers.{layer}.block_sparse_moe.experts.{expert}.{name}.weight"] = rng.standard_normal(shape)
    for name, w in (("a", base), ("b", noisy(base, rng))):
        checkpoints.make(tmp_path / name, {key: checkpoints.stored(x.astype(np.float32)) for key, x in w.items()})
    found = cognate.compare(tmp_path / "r.h5", "--pca", "none", tmp_path / "a", tmp_path / "b")
    assert "of 132 blocks pass, evenly spread over the 264 that could be tested." in found[""]["reasons"][0]


def test_page_and_summary_say_it(cognate, folders, tmp_path):
    done = cognate.run("compare", "--quiet", "--pca", "none", "-o", tmp_path / "r.h5", folders / "base", folders / "shuffled")
    assert done.returncode == 0, done.stderr
    assert "name the same expert for 32 of 32" in " ".join(done.stdout.split())
    done = cognate.run("report", "--html", tmp_path / "r.html", tmp_path / "r.h5")
    assert done.returncode == 0, done.stderr
    assert "name the same partner for 32 of 32 experts" in (tmp_path / "r.html").read_text()
