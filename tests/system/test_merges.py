"""Models that are weighted sums of others: which, of which, and with what weights, against numpy's least squares."""

import html
import json
import re

import numpy as np
import pytest

import checkpoints

LAYERS, WIDTH, UNITS, TOKENS = 4, 64, 96, 256
CONFIG = dict(model_type="llama", architectures=["LlamaForCausalLM"], hidden_size=WIDTH, num_hidden_layers=LAYERS,
              intermediate_size=UNITS, num_attention_heads=4, num_key_value_heads=4, vocab_size=TOKENS)
PARTS = {"self_attn.q_proj": (WIDTH, WIDTH), "self_attn.k_proj": (WIDTH, WIDTH), "self_attn.v_proj": (WIDTH, WIDTH),
         "self_attn.o_proj": (WIDTH, WIDTH), "mlp.gate_proj": (UNITS, WIDTH), "mlp.up_proj": (UNITS, WIDTH),
         "mlp.down_proj": (WIDTH, UNITS)}
SHAPES = {"model.embed_tokens.weight": (TOKENS, WIDTH), "lm_head.weight": (TOKENS, WIDTH)} | {
    f"model.layers.{layer}.{part}.weight": shape for layer in range(LAYERS) for part, shape in PARTS.items()}


def layer_of(name):
    return int(name.split(".")[2]) if ".layers." in name else -1


def draw(seed, scale=0.02):
    rng = np.random.default_rng(seed)
    return {name: scale * rng.standard_normal(shape) for name, shape in SHAPES.items()}


def mix(*terms):
    """The sum of weight * model; a weight may be a function of the tensor's name."""
    return {name: sum((w(name) if callable(w) else w) * model[name] for w, model in terms) for name in SHAPES}


O, STRANGER = draw(0), draw(1)
X, Y, Z = (mix((1, O), (1, draw(seed, 0.02 * size))) for seed, size in ((2, 0.3), (3, 0.2), (4, 0.5)))
X2 = mix((1, X), (1, draw(5, 1e-4)))  # next to nothing away from X
HALF_X = {name: X[name] if layer_of(name) < 2 else O[name] for name in SHAPES}  # layers 2 and 3 were not trained
POOL = dict(o=O, x=X, y=Y, z=Z, stranger=STRANGER)


def task(*terms):
    """The base and weighted differences from it."""
    return mix((1 - sum(w for w, _ in terms), O), *terms)


def by_layer(name):
    return (layer_of(name) + 1) / (LAYERS + 1)


def by_matrix(name):
    return 0.5 + 0.1 * np.random.default_rng(len(name) + layer_of(name)).standard_normal()


MERGES = [  # name, how it was made, base, parents, with what it was made
    ("mean", mix((0.5, X), (0.5, Y)), None, "xy", {}),
    ("of the base", mix((0.3, O), (0.7, X)), None, "ox", {}),
    ("linear", mix((0.2, X), (0.3, Y), (0.5, Z)), None, "xyz", {}),
    ("arithmetic", task((0.4, X), (0.3, Y)), "o", "xy", {}),
    ("sum", task((1, X), (1, Y)), "o", "xy", {}),
    ("negative", task((1, X), (-0.6, Y)), "o", "xy", {}),
    ("three", task((0.6, X), (0.5, Y), (0.4, Z)), "o", "xyz", {}),
    ("graded", mix((lambda name: 1 - by_layer(name), X), (by_layer, Y)), None, "xy", {}),
    ("passed through", mix((lambda name: layer_of(name) % 2, X), (lambda name: 1 - layer_of(name) % 2, Z)), None, "xz", {}),
    ("trained on", mix((0.5, X), (0.5, Y), (1, draw(6, 6e-4))), None, "xy", {}),
    ("by matrix", mix((by_matrix, X), (lambda name: 1 - by_matrix(name), Y)), None, "xy", {}),
    ("without the base", task((0.7, X), (0.3, Y)), None, "xy", dict(leave_out="o")),
    ("in bf16", mix((0.5, X), (0.5, Y)), None, "xy", dict(dtype="BF16")),
]
OTHERS = [
    ("a sibling", mix((1, O), (1, draw(7, 4e-3)))),
    ("a child of a parent", mix((1, X), (1, draw(8, 4e-3)))),
    ("a copy", X),
    ("another stranger", draw(9)),
    ("half a sibling", mix((0.5, O), (0.5, X), (1, draw(10, 2e-3)))),  # two thirds of its way are its own
    ("dropped out", mix((1, O), *((lambda name, m=m: 2 * np.random.default_rng(m).integers(0, 2, SHAPES[name]), {
        name: 0.5 * (model[name] - O[name]) for name in SHAPES}) for m, model in ((0, X), (1, Y))))),
]


@pytest.fixture(scope="module")
def compare(cognate, tmp_path_factory):
    """A function that runs {label: model} and returns the result and the values as they were stored."""
    scratch = tmp_path_factory.mktemp("merges")

    def run(models, dtype="F32"):
        folders, stored = [], {}
        for label, model in models.items():
            tensors = {name: checkpoints.stored(x.astype(np.float32)) if dtype == "F32" else
                       checkpoints.bf16(x.astype(np.float32)) for name, x in model.items()}
            stored[label] = {name: tensor.values for name, tensor in tensors.items()}
            folders.append(f"{label}={checkpoints.make(scratch / f'{label}-{dtype}', tensors, config=CONFIG)}")
        return cognate.compare(scratch / "r.h5", "--evidence", "quick", "--pca", "none", *folders), stored

    run.path = scratch / "r.h5"

    return run


def rows_of(result, child):
    merges, labels = result["merges"], list(result[""]["model_label"])
    return np.flatnonzero(merges["child"] == labels.index(child)) if child in labels else []


def least_squares(child, parents, base, layer):
    """Weights, their standard errors by matrices as clusters, and what is left, of plain numpy."""
    names = [name for name in SHAPES if layer_of(name) == layer]
    origin, free = (base, parents) if base else (parents[0], parents[1:])
    columns = {name: np.stack([(p[name] - origin[name]).ravel() for p in free], axis=1) for name in names}
    targets = {name: (child[name] - origin[name]).ravel() for name in names}
    x, y = np.concatenate([columns[name] for name in names]), np.concatenate([targets[name] for name in names])
    w = np.linalg.lstsq(x, y, rcond=None)[0]
    scores = np.stack([columns[name].T @ (targets[name] - columns[name] @ w) for name in names])
    bread, n, k = np.linalg.inv(x.T @ x), len(names), len(free)
    covariance = n / max(n - k, 1e-9) * bread @ (scores.T @ scores) @ bread
    errors, rest = np.sqrt(np.diag(covariance)), ((y - x @ w) ** 2).sum()
    if not base:
        w, errors = np.append(1 - w.sum(), w), np.append(np.sqrt(covariance.sum()), errors)
    return w, errors, rest


@pytest.mark.parametrize("name, model, base, parents, how", MERGES, ids=[row[0] for row in MERGES])
def test_weights_are_those_of_numpy(compare, name, model, base, parents, how):
    pool = {label: other for label, other in POOL.items() if label != how.get("leave_out")} | {"merged": model}
    result, stored = compare(pool, how.get("dtype", "F32"))
    labels, merges, rows = list(pool), result["merges"], rows_of(result, "merged")
    assert set(merges["child"]) == {labels.index("merged")}
    assert {labels[i] for i in merges["parent"][rows]} == set(parents)
    assert set(merges["base"][rows]) == {labels.index(base) if base else -1}
    assert (merges["alike"][rows] == -1).all()
    members = parents + (base or "")
    apart = {m: sum(((stored["merged"][n] - stored[m][n]) ** 2).sum() for n in SHAPES if layer_of(n) >= 0) for m in members}
    nearest = min(apart, key=apart.get)
    left = 0
    for layer in range(-1, LAYERS):
        w, errors, rest = least_squares(stored["merged"], [stored[p] for p in parents], base and stored[base], layer)
        at = rows[merges["layer"][rows] == layer]
        assert [labels[i] for i in merges["parent"][at]] == list(parents)
        assert (merges["matrices"][at] == (2 if layer < 0 else 7)).all()
        np.testing.assert_allclose(merges["weight"][at], w, rtol=1e-9, atol=1e-9)
        if len(w) - (base is None) < merges["matrices"][at[0]]:
            np.testing.assert_allclose(merges["standard_error"][at], errors, rtol=1e-3, atol=1e-9)
        else:
            assert np.isnan(merges["standard_error"][at]).all()
        whole = sum(((stored["merged"][n] - stored[nearest][n]) ** 2).sum() for n in SHAPES if layer_of(n) == layer)
        np.testing.assert_allclose(merges["unexplained"][at], rest / whole if whole > 0 else 0, rtol=1e-6, atol=1e-12)
        left += rest if layer >= 0 else 0
    np.testing.assert_allclose(merges["unexplained_in_all"][rows], left / apart[nearest], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name, model", OTHERS, ids=[row[0] for row in OTHERS])
def test_what_is_no_merge(compare, name, model):
    result, _ = compare(POOL | {"other": model})
    assert len(result["merges"]["child"]) == 0
    assert not any("merge" in relation for relation in result[""]["relation"])


def test_what_a_reader_is_told(cognate, compare, tmp_path):
    models = POOL | {"merged": task((0.4, X), (0.3, Y))}
    result, _ = compare(models)
    labels = list(models)
    told = {(labels[a], labels[b]): (relation, reasons) for a, b, relation, reasons in zip(
        *(result[""][name] for name in ("pair_a", "pair_b", "relation", "reasons")))}
    assert told["o", "merged"][0] == "merge of x and y, fine-tuned"
    assert told["x", "merged"][0] == "merged with y, fine-tuned"
    assert told["z", "merged"][0] == told["x", "y"][0] == "continued pre-training"
    for pair in (("o", "merged"), ("y", "merged")):
        assert "b is a weighted sum of models of this run: 0.400 of x (0.400 to 0.400 by layer" in told[pair][1]
        assert "and 0.300 of y (0.300" in told[pair][1] and "and the rest of o" in told[pair][1]
    assert "weighted sum" not in told["z", "merged"][1]

    text = cognate.run("report", compare.path).stdout
    assert re.search(r"6 merged +2 x +0\.400 +0\.400 +0\.400 +\S+ +1 o +under 0\.1 %\n +3 y +0\.300", text), text
    rows = json.loads(cognate.run("report", "--json", compare.path).stdout)["merges"]
    assert [(row["child"], row["base"], row["parent"], row["layer"]) for row in rows] == [
        (5, 0, parent, None if layer < 0 else layer) for parent in (1, 2) for layer in range(-1, LAYERS)]
    assert all(abs(row["weight"] - (0.4 if row["parent"] == 1 else 0.3)) < 1e-6 for row in rows)
    page = tmp_path / "page.html"
    assert cognate.run("report", "--html", page, compare.path).returncode == 0
    section = page.read_text().split('<section id="merges">')[1].split("</section>")[0]
    cells = [html.unescape(re.sub("<[^>]*>", " ", row)).split() for row in re.findall("<tr>.*?</tr>", section.replace("\n", ""))]
    assert cells[1][:7] == ["6", "merged", "2", "x", "0.400", "0.400", "0.400"] and cells[1][8:10] == ["1", "o"]
    assert cells[-1][:6] == ["6", "merged", "3", "y", "3", "0.300"] and len(cells) == 2 + 2 + 2 * (LAYERS + 1)


def test_parents_that_cannot_be_told_apart(compare):
    """Of two that are nearly one, the weight is that of either; where they are one, there is none."""
    models = dict(o=O, x=X, x2=X2, y=Y, merged=mix((0.25, X), (0.25, X2), (0.5, Y)))
    result, _ = compare(models, "BF16")
    labels, merges = list(models), result["merges"]
    rows = rows_of(result, "merged")
    parents = {labels[i] for i in merges["parent"][rows]}
    assert parents in ({"x", "y"}, {"x2", "y"})
    np.testing.assert_allclose(merges["weight"][rows], 0.5, atol=1e-3)
    alike = {(labels[a], labels[b]) for a, b in zip(merges["parent"][rows], merges["alike"][rows]) if b >= 0}
    assert alike in ({("x", "x2")}, {("x2", "x")})
    assert any("explains as much: which of the two took part cannot be told" in text for text in result[""]["reasons"])

    models = dict(o=O, half=HALF_X, y=Y, merged=mix((0.5, O), (0.3, HALF_X), (0.2, Y)))
    result, _ = compare(models)
    merges, rows = result["merges"], rows_of(result, "merged")
    trained = merges["layer"][rows] < 2
    assert np.isnan(merges["weight"][rows][~trained]).all() and np.isnan(merges["standard_error"][rows][~trained]).all()
    weights = dict(zip(merges["parent"][rows][trained], merges["weight"][rows][trained].round(3)))
    assert weights == {1: 0.3, 2: 0.2}
    assert any("In 2 of 4 layers these models are equal or too nearly on one line" in text for text in result[""]["reasons"])


def test_merges_of_merges(compare):
    """Two on one line are both made of its ends, and no model of what is made of it."""
    inner, nested = mix((0.3, X), (0.7, Y)), mix((0.5, X), (0.5, Y))
    models = dict(x=X, inner=inner, y=Y, nested=nested, z=Z, last=mix((0.5, nested), (0.5, Z)))
    result, _ = compare(models)
    labels, merges = list(models), result["merges"]
    made = {label: {labels[i] for i in merges["parent"][rows_of(result, label)]} for label in labels}
    assert made == dict(x=set(), y=set(), z=set(), inner=set("xy"), nested=set("xy"), last={"nested", "z"})


def test_one_of_two_that_would_do(compare):
    """A parallelogram says nothing of which corner came last: that of the run is taken, and it is said."""
    models = dict(o=O, x=X, y=Y, sum=task((1, X), (1, Y)))
    result, _ = compare(models)
    assert set(result["merges"]["child"]) == {3} and result["merges"]["ambiguous"].all()
    assert any("would do as well as the sum of the rest" in text for text in result[""]["reasons"])
