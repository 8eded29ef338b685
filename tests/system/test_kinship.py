"""Relatives in disguise, and strangers in the same: verdicts, relations and maps against how they were made."""

import json

import numpy as np
import pytest

import checkpoints
import disguises

ORDER = [3, 1, 0, 2, 7, 5, 6, 4]
UPSCALED = [0, 1, 2, 3, 4, 5, 2, 3, 4, 5, 6, 7]
PRUNED = [1, 3, 4, 6]


def load(folder):
    return {name: tensor.values for name, tensor in checkpoints.read(folder).items()}


def spoil(x, share, rng):
    """A matrix of which noise of its own size takes that share of the variance."""
    if x.ndim < 2:
        return x
    return np.sqrt(1 - share) * x + np.sqrt(share) * x.std() * rng.standard_normal(x.shape)


def only_attention(w, rng):
    return {name: x if "self_attn" in name else spoil(x, 1, rng) for name, x in w.items()}


@pytest.fixture(scope="module")
def models(examples, tmp_path_factory):
    """A function that writes {name: array} as a model with the examples' tokenizer."""
    config = json.loads((examples / "base-a" / "config.json").read_text())
    tokenizer = json.loads((examples / "base-a" / "tokenizer.json").read_text())
    folder = tmp_path_factory.mktemp("disguised")

    def write(name, w, **changes):
        tensors = {key: checkpoints.stored(x.astype(np.float32)) for key, x in w.items()}
        return checkpoints.make(folder / name, tensors, config=dict(config, **changes), tokenizer=tokenizer)

    return write


@pytest.fixture(scope="module")
def found(cognate, examples, models, tmp_path_factory):
    """One run: base-a and base-b, each against what was made of them."""
    rng = np.random.default_rng(5)
    a, sft, b = (load(examples / name) for name in ("base-a", "a-sft", "base-b"))
    folders = [
        models("rotated", disguises.rotate(sft, rng)),
        models("permuted", disguises.permute(sft, rng, signs=True)),
        models("both", disguises.rotate(disguises.permute(sft, rng), rng)),
        models("moved", disguises.layers(sft, ORDER)),
        models("upscaled", disguises.layers(sft, UPSCALED), num_hidden_layers=12),
        models("pruned", disguises.rotate(disguises.layers(sft, PRUNED), rng), num_hidden_layers=4),
        models("narrow", disguises.permute(sft, rng, keep=256), intermediate_size=256),
        models("upcycled", disguises.experts(a, rng, 3), model_type="qwen3_moe", architectures=["Qwen3MoeForCausalLM"],
               num_experts=3, num_experts_per_tok=1, moe_intermediate_size=352),
        models("spoilt", {name: spoil(x, 0.6, rng) for name, x in disguises.rotate(disguises.permute(sft, rng), rng).items()}),
        models("attention", disguises.rotate(only_attention(sft, rng), rng)),
        models("grafted", disguises.rotate(disguises.graft(b, a, r"layers\.[2-5]\.mlp\."), rng)),
    ]
    scratch = tmp_path_factory.mktemp("kinship")
    rows = [f"{examples / name}\tbase" for name in ("base-a", "base-b")] + [f"{folder}\ttarget" for folder in folders]
    (scratch / "models.tsv").write_text("path\trole\n" + "\n".join(rows) + "\n")
    return cognate.compare(scratch / "r.h5", "--pca", "none", "--manifest", scratch / "models.tsv", ranks=2)


def pair(found, a, b):
    labels = list(found[""]["model_label"])
    pairs = list(zip(found[""]["pair_a"], found[""]["pair_b"]))
    return pairs.index((labels.index(a), labels.index(b)))


def told(found, a, b):
    p = pair(found, a, b)
    return found[""]["verdict"][p], found[""]["relation"][p]


def layer_map(found, a, b):
    return found["layers"]["layer_map"][pair(found, a, b)]


@pytest.mark.parametrize(
    "child, relation",
    [
        ("rotated", "rotated, fine-tuned"),
        ("permuted", "units permuted, fine-tuned"),
        ("both", "units permuted, rotated, fine-tuned"),
        ("moved", "layers moved, fine-tuned"),
        ("upscaled", "depth-upscaled, fine-tuned"),
        ("pruned", "depth-pruned, rotated, fine-tuned"),
        ("narrow", "width-pruned, fine-tuned"),
        ("upcycled", "upcycled, fine-tuned"),
        ("spoilt", "units permuted, rotated, shared ancestry"),
    ],
)
def test_disguises_are_seen_through(found, child, relation):
    assert told(found, "base-a", child) == ("DERIVED", relation)


def test_a_graft_in_another_basis(found):
    """Neither rows nor tokens see it: the host's embedding is foreign, and its basis."""
    assert told(found, "base-a", "grafted") == ("PARTIAL", "ffn of layers 2 to 5")
    assert told(found, "base-b", "grafted")[0] == "DERIVED"


def test_what_is_not_seen_is_said(found):
    """Attention alone in another basis: nothing here looks for it, and the verdict does not claim to."""
    assert told(found, "base-a", "attention") == ("NO EVIDENCE", "")
    reasons = found[""]["reasons"][pair(found, "base-a", "attention")]
    assert "Of another basis they hold for answers to tokens" in reasons and "nor would attention alone" in reasons


@pytest.mark.parametrize("child", "rotated permuted both moved upscaled pruned narrow upcycled spoilt".split())
def test_strangers_are_not_accused(found, child):
    """With power to say so, whatever their shapes."""
    assert told(found, "base-b", child) == ("NO EVIDENCE", "")
    p = pair(found, "base-b", child)
    assert found[""]["log10_p"][p] > -6
    assert (layer_map(found, "base-b", child) == -1).all()


@pytest.mark.parametrize(
    "child, order", [("rotated", range(8)), ("moved", ORDER), ("upscaled", UPSCALED), ("pruned", PRUNED), ("narrow", range(8))]
)
def test_layers_are_mapped(found, child, order):
    order = list(order)
    assert layer_map(found, "base-a", child)[: len(order)].tolist() == order
    p = pair(found, "base-a", child)
    assert (found["layers"]["layer_log10_p"][p, : len(order)] < -12).all()
    similarity = found["layers"]["similarity"][p]
    for layer, origin in enumerate(order):
        if layer != origin:
            assert similarity[origin, layer] > 0.8
    others = [similarity[a, b] for b in range(len(order)) for a in range(8) if a != order[b]]
    assert np.nanmax(np.abs(others)) < 0.2


def test_experts_of_a_dense_block(found):
    experts, p = found["experts"], pair(found, "base-a", "upcycled")
    rows = experts["pair"] == p
    assert rows.sum() == 24
    assert (experts["expert_a"][rows] == -1).all()
    assert (experts["layer_a"][rows] == experts["layer_b"][rows]).all()
    assert (experts["log10_p"][rows] < -12).all() and (experts["cosine"][rows] > 0.9).all()
    assert not (experts["pair"] == pair(found, "base-b", "upcycled")).any()


def test_what_a_host_had_replaced(cognate, examples, models, tmp_path):
    """Seen from the host, a graft is the host with a part from elsewhere."""
    a, b = load(examples / "base-a"), load(examples / "base-b")
    ffn = models("ffn-of-a", disguises.graft(b, a, r"layers\.[2-5]\.mlp\."))
    embedding = models("embedding-of-a", disguises.graft(b, a, "embed_tokens"))
    attention = models("attention-of-a", disguises.graft(b, a, "self_attn"))
    result = cognate.compare(tmp_path / "r.h5", "--pca", "none", examples / "base-b", ffn, embedding, attention, ranks=2)
    assert told(result, "base-b", "ffn-of-a") == ("DERIVED", "ffn of layers 2 to 5 replaced, fine-tuned")
    assert told(result, "base-b", "embedding-of-a") == ("DERIVED", "input embedding replaced, fine-tuned")
    assert told(result, "base-b", "attention-of-a") == ("DERIVED", "attention of layers 0 to 7 replaced, fine-tuned")


def test_a_low_rank_update(cognate, examples, models, tmp_path):
    rng = np.random.default_rng(8)
    a = load(examples / "base-a")
    for name in [name for name in a if "q_proj" in name or "v_proj" in name]:
        rows, columns = a[name].shape
        a[name] = a[name] + 0.5 * a[name].std() * rng.standard_normal((rows, 6)) @ rng.standard_normal((6, columns))
    result = cognate.compare(tmp_path / "r.h5", "--pca", "none", examples / "base-a", models("lora", a), ranks=2)
    assert told(result, "base-a", "lora") == ("DERIVED", "low-rank update (rank 6)")


def test_a_swap_changes_no_verdict(cognate, examples, models, tmp_path, found):
    """b against a is a against b, and pruning read backwards is up-scaling."""
    rng = np.random.default_rng(6)
    sft = load(examples / "a-sft")
    both = models("turned", disguises.rotate(disguises.permute(sft, rng), rng))
    pruned = models("short", disguises.layers(sft, PRUNED), num_hidden_layers=4)
    result = cognate.compare(tmp_path / "r.h5", "--pca", "none", both, pruned, examples / "base-a", examples / "base-b", ranks=2)
    assert told(result, "turned", "base-a")[0] == told(result, "short", "base-a")[0] == "DERIVED"
    assert told(result, "turned", "base-b")[0] == told(result, "short", "base-b")[0] == "NO EVIDENCE"
    assert layer_map(result, "short", "base-a").tolist() == [-1, 0, -1, 1, 2, -1, 3, -1]


def test_quick_is_the_sweep_alone(cognate, examples, models, tmp_path):
    rotated = models("turned-away", disguises.rotate(load(examples / "a-sft"), np.random.default_rng(7)))
    result = cognate.compare(tmp_path / "r.h5", "--evidence", "quick", "--pca", "none", examples / "base-a", rotated)
    assert told(result, "base-a", "turned-away")[0] == "NO EVIDENCE"
    assert "in their own basis" in result[""]["reasons"][0]
