"""Published models by their true names and shapes: what inspect says of them, and small filled ones compared.

The sparse ones are headers with holes behind them; the filled ones have the same names, few layers and experts.
"""

import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import checkpoints

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
import make_checkpoint  # noqa: E402

FAMILIES = make_checkpoint.FAMILIES

# Published: parameters, tensors, and per layer the slots of the routed experts; hidden size, layers, heads,
# key-value heads, experts, vocabulary.
PUBLISHED = {
    "solar-open-100b": (102_651_799_552, 18_963, 3 * 48 * 128, (4096, 48, 64, 8, 128, 196608)),
    "mixtral-8x7b": (46_702_792_704, 995, 3 * 32 * 8, (4096, 32, 32, 8, 8, 32000)),
    "deepseek-v2": (235_741_434_880, 29_102, 3 * 59 * 160, (5120, 60, 128, 128, 160, 102400)),
    "qwen2-57b-a14b": (57_408_658_944, 5_771, 3 * 28 * 64, (3584, 28, 28, 4, 64, 151936)),
    "llama-3-8b": (8_030_261_248, 291, 0, (4096, 32, 32, 8, None, 128256)),
    "glm-4.5-air": (110_468_824_832, 18_329, 3 * 46 * 128, (4096, 46, 96, 8, 128, 151552)),
    "phi-3.5-moe": (41_873_153_344, 1_957, 3 * 32 * 16, (4096, 32, 32, 8, 16, 32064)),
    "glm-4.5-air without prediction": (106_852_251_264, 17_925, 3 * 45 * 128, (4096, 46, 96, 8, 128, 151552)),
}
FACTS = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "num_experts",
    "vocab_size",
)


@pytest.fixture(scope="module")
def systems(tmp_path_factory):
    """The published models, sparse."""
    folder = tmp_path_factory.mktemp("systems")
    for name in PUBLISHED:
        config = FAMILIES[name.split()[0]]
        if name.endswith("without prediction"):
            config = dict(config, num_nextn_predict_layers=0)
        make_checkpoint.make(folder / name, config)
    return folder


@pytest.fixture(scope="module")
def found(cognate, systems):
    done = cognate.run("inspect", "--json", *PUBLISHED, cwd=systems)
    assert done.returncode == 0, done.stderr
    return {model["label"]: model for model in json.loads(done.stdout)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_numbers(found, name):
    parameters, tensors, experts, facts = PUBLISHED[name]
    model = found[name]
    assert (model["parameters"], model["tensors"]) == (parameters, tensors)
    assert model["stored_bytes"] == 2 * parameters
    assert tuple(model["architecture"][fact] for fact in FACTS) == facts
    assert model["unknown_tensors"] == 0 and model["warnings"] == []
    assert sum(slot["slots"] for slot in model["slots"]) == tensors
    assert sum(slot["slots"] for slot in model["slots"] if slot["first_expert"] is not None) == experts


def comparable(a, b):
    """(slots of the same shape, parameters in them) of two configs, by the tensors' names.

    Models whose experts or shared experts have other names, and are the same slots, differ in their sizes here.
    """
    shapes = [dict(make_checkpoint.tensors(config)) for config in (a, b)]
    same = [shape for name, shape in shapes[0].items() if shapes[1].get(name) == shape]
    return len(same), sum(int(np.prod(shape)) for shape in same)


@pytest.mark.parametrize("a, b", combinations(FAMILIES, 2), ids=lambda name: name)
def test_what_can_be_compared(found, a, b):
    """What inspect says of a pair is what names and shapes say; every other slot has a reason."""
    order = list(PUBLISHED)
    a, b = sorted((a, b), key=order.index)
    pair = next(pair for pair in found[b]["pairs"] if pair["with"] == a)
    assert (pair["same_shape"], pair["same_shape_parameters"]) == comparable(FAMILIES[a], FAMILIES[b])
    assert not pair["same_architecture"]
    union = sum(sum(role.values()) for role in pair["roles"].values())
    assert sum(pair["not_compared"].values()) == union - pair["same_shape"]
    widths = FAMILIES[a]["hidden_size"] == FAMILIES[b]["hidden_size"]
    assert (pair["not_compared"]["hidden_size"] == 0) == widths
    deeper = PUBLISHED[a][3][1] != PUBLISHED[b][3][1]
    assert (pair["not_compared"]["no_such_layer"] > 0) == deeper


def test_prediction_layer_is_all_that_glm_has_besides(found):
    """With and without its layer of multi-token prediction: that layer, and nothing else."""
    pair = next(p for p in found["glm-4.5-air without prediction"]["pairs"] if p["with"] == "glm-4.5-air")
    assert pair["same_architecture"] and pair["same_shape"] == 17_925
    assert pair["not_compared"]["no_such_layer"] + pair["not_compared"]["no_such_role"] == 18_329 - 17_925


def test_text_of_a_comparison(cognate, systems):
    """The table of architectures, and of each pair the reasons why slots cannot be compared."""
    names = [name for name in PUBLISHED if name in FAMILIES]
    done = cognate.run("inspect", *names, cwd=systems)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    for a, b in combinations(names, 2):
        assert f"{a} and {b} architecture differs: " in text
    solar_and_mixtral = text[text.index("solar-open-100b and mixtral-8x7b architecture") :]
    assert "129 slots of the same shape, of 18,963 and 995" in solar_and_mixtral
    reasons = solar_and_mixtral[solar_and_mixtral.index("not compared") :]
    assert reasons.startswith(
        "not compared 866 slots differ in heads, width, experts or vocabulary; 192 have a role that only one has;"
        " 6,256 lie in layers that only one has; 11,520 belong to experts that only one has role"
    )
    assert "hidden_size ! 4,096 4,096 5,120 3,584" in text and "vocab_size ! 196,608 32,000 102,400 151,936" in text


SMALL = dict(
    hidden_size=64,
    intermediate_size=96,
    moe_intermediate_size=48,
    shared_expert_intermediate_size=80,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    q_lora_rank=48,
    kv_lora_rank=32,
    qk_nope_head_dim=16,
    qk_rope_head_dim=8,
    v_head_dim=16,
    n_routed_experts=5,
    num_experts=5,
    num_local_experts=5,
    num_experts_per_tok=2,
    vocab_size=160,
)


def small(family):
    config = FAMILIES[family]
    return config | {key: value for key, value in SMALL.items() if key in config}


def perturb(tensors, rng):
    """Each tensor with noise of a third of its deviation."""
    out = {}
    for name, tensor in tensors.items():
        noise = rng.standard_normal(tensor.shape) * tensor.values.std() / 3
        out[name] = checkpoints.bf16((tensor.values + noise).astype(np.float32))
    return out


@pytest.mark.parametrize("family", FAMILIES)
def test_descent(cognate, tmp_path, family):
    """A model, a perturbed copy and an independent one: the copy is found, the stranger is not accused."""
    config = small(family)
    for name, seed in (("model", 11), ("stranger", 12)):
        make_checkpoint.make(tmp_path / name, config, seed)
    tensors = checkpoints.read(tmp_path / "model")
    text = json.loads((tmp_path / "model" / "config.json").read_text())
    copy = checkpoints.make(tmp_path / "copy", perturb(tensors, np.random.default_rng(13)), text)
    result = cognate.compare(tmp_path / "r.h5", tmp_path / "model", copy, tmp_path / "stranger", ranks=2)
    root, slots = result[""], result["tensors"]
    assert root["verdict"][0] == "DERIVED", root["reasons"][0]
    for pair in (1, 2):
        assert root["verdict"][pair] in ("NO EVIDENCE", "INCONCLUSIVE"), root["reasons"][pair]
    assert root["comparable_fraction"].tolist() == [1, 1, 1] and root["same_architecture"].all()
    assert len(slots["name"]) == len(tensors) and "other" not in slots["role"]
    routed = [name for name in tensors if ".experts." in name]
    assert (slots["expert"] >= 0).sum() == len(routed) == len(set(slots["name"][slots["expert"] >= 0]))
    assert set(slots["expert"]) == ({-1, 0, 1, 2, 3, 4} if routed else {-1})
