"""Feed-forward layers without a gate, under GPT-2's and GPT-NeoX's names: relatives in disguise, and strangers."""

import json

import numpy as np
import pytest

import checkpoints
import disguises

ORDER = [3, 1, 0, 2, 7, 5, 6, 4]
HEADS = 8


def pair(found, a, b):
    labels = list(found[""]["model_label"])
    return list(zip(found[""]["pair_a"], found[""]["pair_b"])).index((labels.index(a), labels.index(b)))


def told(found, a, b):
    return found[""]["verdict"][pair(found, a, b)], found[""]["relation"][pair(found, a, b)]


@pytest.fixture(scope="module")
def plain(examples):
    """Three models without gates, under Llama's names: base-a, its child, and base-b."""
    names = {"base-a": 1, "a-sft": 1, "base-b": 2}
    loaded = {name: {key: tensor.values for key, tensor in checkpoints.read(examples / name).items()} for name in names}
    return {name: disguises.ungated(loaded[name], np.random.default_rng(seed)) for name, seed in names.items()}


@pytest.fixture(scope="module")
def write(examples, tmp_path_factory):
    """A function that writes such a model under GPT-2's or GPT-NeoX's names."""
    config = json.loads((examples / "base-a" / "config.json").read_text())
    tokenizer = json.loads((examples / "base-a" / "tokenizer.json").read_text())
    folder = tmp_path_factory.mktemp("ungated")

    def write(name, w, family):
        renamed = disguises.gpt2(w, HEADS, np.random.default_rng(3)) if family == "gpt2" else disguises.neox(w, HEADS)
        tensors = {key: checkpoints.stored(np.ascontiguousarray(x, np.float32)) for key, x in renamed.items()}
        return checkpoints.make(folder / name, tensors, tokenizer=tokenizer, config=dict(
            config, model_type=family, architectures=None, num_key_value_heads=HEADS, num_hidden_layers=disguises.depth(w),
            intermediate_size=len(w["model.layers.0.mlp.up_proj.bias"])))

    return write


@pytest.fixture(scope="module")
def children(plain):
    rng = np.random.default_rng(5)
    sft = plain["a-sft"]
    stirred = disguises.permute(disguises.layers(sft, ORDER), rng)
    return {
        "permuted": disguises.permute(sft, rng),
        "moved": disguises.layers(sft, ORDER),
        "narrow": disguises.permute(sft, rng, keep=256),
        "rotated": disguises.rotate(sft, rng),
        "stirred": stirred,
        "turned": disguises.rotate(stirred, rng),
    }


@pytest.fixture(scope="module")
def found(cognate, plain, children, write, tmp_path_factory):
    """Bases under GPT-2's names, children under both."""
    scratch = tmp_path_factory.mktemp("ungated-found")
    rows = [f"{write(name, plain[name], 'gpt2')}\tbase" for name in ("base-a", "base-b")]
    rows += [f"{write(name, w, 'gpt2' if k % 2 else 'gpt_neox')}\ttarget" for k, (name, w) in enumerate(children.items())]
    (scratch / "models.tsv").write_text("path\trole\n" + "\n".join(rows) + "\n")
    return cognate.compare(scratch / "r.h5", "--pca", "none", "--manifest", scratch / "models.tsv", ranks=2)


@pytest.mark.parametrize(
    "child, relation, order",
    [
        ("permuted", "units permuted, fine-tuned", range(8)),
        ("moved", "layers moved, fine-tuned", ORDER),
        ("narrow", "width-pruned, fine-tuned", range(8)),
        ("rotated", "rotated, fine-tuned", range(8)),
        ("stirred", "layers moved, units permuted, fine-tuned", ORDER),
        ("turned", "layers moved, units permuted, rotated, fine-tuned", ORDER),
    ],
)
def test_relatives_without_a_gate(found, child, relation, order):
    assert told(found, "base-a", child) == ("DERIVED", relation)
    p = pair(found, "base-a", child)
    assert found["layers"]["layer_map"][p].tolist() == list(order)
    assert (found["layers"]["layer_log10_p"][p] < -12).all()


@pytest.mark.parametrize("child", "permuted moved narrow rotated stirred turned".split())
def test_strangers_without_a_gate(found, child):
    assert told(found, "base-b", child) == ("NO EVIDENCE", "")
    p = pair(found, "base-b", child)
    assert found[""]["log10_p"][p] > -6
    assert (found["layers"]["layer_map"][p] == -1).all()


def units(x):
    x = x - x.mean(1, keepdims=True)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def likeness(first, second):
    """Of two blocks, [projection][unit, element]: K times the mean of both cosines, over the units of the smaller."""
    sides = []
    for by in (first, second):
        one, other = units(by[0]), units(by[1])
        other = other - (one * other).sum(1, keepdims=True) * one
        sides.append((one, other / np.linalg.norm(other, axis=1, keepdims=True)))
    cosine = [a @ b.T for a, b in zip(*sides)]
    best = [c.argmax(1) for c in cosine]
    rows = np.arange(len(best[0]))
    agree = best[0] == best[1]
    for c, to in zip(cosine, best):
        agree &= (c.argmax(0)[to] == rows) & (c[rows, to] > 0)
    return sum((c[rows, to] * agree).sum() / 2 for c, to in zip(cosine, best)) / min(cosine[0].shape)


def vectors(w, layer):
    """Each unit's row of up, with the gain, and its column of down."""
    prefix = f"model.layers.{layer}."
    return (w[prefix + "mlp.up_proj.weight"] * w[prefix + "post_attention_layernorm.weight"],
            w[prefix + "mlp.down_proj.weight"].T)


def check_likeness(similarity, expected):
    """The picture shows matched units where they say more than sketches: in layers that moved, they do."""
    for b, a in enumerate(ORDER):
        if a != b:
            assert expected(a, b) > 0.8
            np.testing.assert_allclose(similarity[a, b], expected(a, b), atol=1e-4)
    others = [(a, b) for a in range(8) for b in range(8) if a not in (b, ORDER[b])]
    for a, b in others:
        assert expected(a, b) - 1e-4 < similarity[a, b] < 0.2


def test_rows_and_columns_by_numpy(found, plain, children):
    check_likeness(found["layers"]["similarity"][pair(found, "base-a", "stirred")],
                   lambda a, b: likeness(vectors(plain["base-a"], a), vectors(children["stirred"], b)))


def test_answers_to_tokens_by_numpy(found, plain, children):
    """256 shared tokens, evenly spread: what a unit reads from them, and what it writes towards them."""
    p = pair(found, "base-a", "turned")
    ids = found["embeddings"]["token_id_a"][found["embeddings"]["token_pair"] == p]
    ids = ids[np.arange(256) * len(ids) // 256]
    rows, answers = [], []
    for w in (plain["base-a"], children["turned"]):
        rows.append([vectors(w, layer) for layer in range(8)])
        probes = w["model.embed_tokens.weight"][ids]
        probes = probes - probes.mean(1, keepdims=True)
        probes /= np.sqrt((probes**2).mean(1, keepdims=True))
        answers.append([[v @ probes.T for v in by] for by in rows[-1]])
    check_likeness(found["layers"]["similarity"][p], lambda a, b: max(likeness(x[0][a], x[1][b]) for x in (rows, answers)))


def test_reasons_name_what_was_matched(found):
    reasons = found[""]["reasons"]
    assert "8 by their rows and columns" in reasons[pair(found, "base-a", "permuted")]
    assert "8 by the products of up and down" in reasons[pair(found, "base-a", "rotated")]
    assert "By rows and columns" in reasons[pair(found, "base-b", "permuted")]


def test_strangers_whose_rows_resemble_their_columns(cognate, write, tmp_path):
    """In a layer of each what a unit writes is nearly what it reads; two matchings of one thing prove nothing."""
    models = []
    for seed in (11, 12):
        rng = np.random.default_rng(seed)
        w = disguises.ungated({key: x.values for key, x in checkpoints.llama(rng, layers=3, vocabulary=2048, hidden=128,
                                                                            intermediate=256).items()}, rng)
        up = w["model.layers.1.mlp.up_proj.weight"]
        w["model.layers.1.mlp.down_proj.weight"] = up.T + 0.3 * up.std() * rng.standard_normal(up.T.shape)
        models.append(write(f"tied-{seed}", w, "gpt_neox"))
    result = cognate.compare(tmp_path / "r.h5", "--pca", "none", *models, ranks=2)
    assert result[""]["verdict"][0] == "NO EVIDENCE"
    assert (result["layers"]["layer_map"][0] == -1).all()


def test_a_gate_is_no_up(cognate, plain, write, examples, tmp_path):
    """Blocks with and without a gate are not held against each other."""
    result = cognate.compare(tmp_path / "r.h5", "--pca", "none", examples / "base-b", write("other", plain["base-a"], "gpt2"))
    assert result[""]["verdict"][0] in ("NO EVIDENCE", "INCONCLUSIVE")
    assert "units of a cell agree" not in result[""]["reasons"][0]
