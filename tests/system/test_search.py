"""Fingerprints and searches: what a fingerprint holds against numpy and hashlib, verdicts against compare's, and files
that are no fingerprints or broken ones."""

import hashlib
import json
import shutil

import h5py
import numpy as np
import pytest
import xarray

import checkpoints
import results

NAMES = ("base-a", "a-sft", "base-b")
MASK = (1 << 64) - 1


@pytest.fixture(scope="module")
def library(cognate, examples, tmp_path_factory):
    """A folder of fingerprints of the three examples, two of them in a sub-folder."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "more").mkdir()
    for name in NAMES:
        path = folder / f"{name}.h5" if name == "a-sft" else folder / "more" / f"{name}.h5"
        done = cognate.run("fingerprint", "--quiet", "-o", path, examples / name, ranks=2)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def print_a(library):
    return results.load(library / "more" / "base-a.h5")


@pytest.fixture(scope="module")
def values_a(examples):
    return {name: np.float64(tensor.values) for name, tensor in checkpoints.read(examples / "base-a").items()}


def search(cognate, output, folder, query, *options, ranks=2):
    return cognate.run("search", "--quiet", "-o", output, "--library", folder, *options, query, ranks=ranks)


def told(result):
    """{label of the other model: (verdict, relation)}; a model's own fingerprint in a library is its -2."""
    root = result[""]
    return {
        root["model_label"][b]: (root["verdict"][p], root["relation"][p])
        for p, b in enumerate(root["pair_b"])
    }


# ---- what a fingerprint holds


@pytest.mark.parametrize("ranks", [1, 3, 4])
def test_same_bits_on_any_ranks(cognate, examples, library, tmp_path, ranks):
    path = tmp_path / "f.h5"
    done = cognate.run("fingerprint", "--quiet", "-o", path, examples / "base-a", ranks=ranks)
    assert done.returncode == 0, done.stderr
    assert results.fingerprint(path) == results.fingerprint(library / "more" / "base-a.h5")


def test_verified(cognate, library):
    done = cognate.run("verify", library / "a-sft.h5")
    assert (done.returncode, done.stderr) == (0, "")
    assert "sound" in done.stdout


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
@pytest.mark.parametrize("group", ["/", "/checkpoint", "/slots", "/blocks", "/tokens"])
def test_opens_in_xarray(library, engine, group):
    with xarray.open_dataset(library / "a-sft.h5", engine=engine, group=group) as dataset:
        for variable in dataset.variables.values():
            assert variable.attrs["long_name"] and variable.attrs["units"]


def test_sums_and_digests(print_a, values_a, examples):
    slots, stored = print_a["slots"], print_a["checkpoint"]["name"]
    raw = checkpoints.read(examples / "base-a")
    for s in range(len(slots["name"])):
        tensor = raw[stored[slots["tensor"][s]]]
        x = np.float64(tensor.values).ravel()
        assert slots["sum"][s] == pytest.approx(x.sum(), rel=1e-9, abs=1e-9)
        assert slots["squares"][s] == pytest.approx((x * x).sum(), rel=1e-12)
        assert (slots["minimum"][s], slots["maximum"][s]) == (x.min(), x.max())
        assert slots["sha256"][s] == hashlib.sha256(tensor.data).hexdigest()
        assert slots["values_hash"][s] == "%016x" % hash_of(x)


def hash_of(x):
    """The formula of src/sweep/kernels.h, in numpy's 64-bit integers."""
    with np.errstate(over="ignore"):
        h = (x + 0.0).view(np.uint64) + np.arange(x.size, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        for _ in range(2):
            h = (h ^ h >> np.uint64(32)) * np.uint64(0xD6E8FEB86659FD93)
        return int((h ^ h >> np.uint64(32)).sum(dtype=np.uint64))


def test_sketches_keep_products(print_a, values_a):
    """Of a slot no longer than its sketch every element stands alone, under a sign; of others the squares stay."""
    slots, stored = print_a["slots"], print_a["checkpoint"]["name"]
    ratios = []
    for s in range(len(slots["name"])):
        x = values_a[stored[slots["tensor"][s]]].ravel()
        sketch = np.float64(slots["sketch"][s])
        if x.size <= sketch.size:
            np.testing.assert_allclose(np.abs(sketch[: x.size]), np.abs(x), rtol=1e-6)
            assert not sketch[x.size :].any()
        else:
            ratios.append((sketch * sketch).sum() / (x * x).sum())
    assert len(ratios) > 50
    assert abs(np.mean(ratios) - 1) < 0.05 and np.std(ratios) < 4 * np.sqrt(2 / 2048)


def test_panels(print_a, values_a):
    slots, stored = print_a["slots"], print_a["checkpoint"]["name"]
    for s, name in enumerate(slots["name"]):
        x = values_a[stored[slots["tensor"][s]]]
        x = x[None] if x.ndim == 1 else x
        if slots["role"][s] in ("attn.o", "ffn.down"):
            x = x.T
        first, scale = slots["panel_first"][s], np.float64(slots["panel_scale"][s])
        lines = min(x.shape[0], (1 << 14) // x.shape[1])
        wanted = x[[i * x.shape[0] // lines for i in range(lines)]].ravel()
        kept = np.float64(slots["panel"][first : first + wanted.size]) * scale
        assert first >= 0, name
        assert np.abs(kept - wanted).max() <= 0.51 * scale, name


def mix(x):
    x = x + 0x9E3779B97F4A7C15 & MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def test_tokens(print_a, values_a):
    tokens = print_a["tokens"]
    text = tokens["bytes"].tobytes()
    words = [text[f : f + n] for f, n in zip(tokens["first"], tokens["length"])]

    def key(i):
        hashed = mix(0x746F6B656E + int(tokens["special"][i]))
        for byte in words[i]:
            hashed = mix(hashed ^ byte)
        return hashed, tokens["id"][i]

    order = sorted(range(len(words)), key=key)[: len(tokens["sample_id"])]
    assert len(order) == 1024
    np.testing.assert_array_equal(tokens["sample_id"], tokens["id"][order])
    rows = values_a["model.embed_tokens.weight"][tokens["sample_id"]]
    scale = np.float64(tokens["row_scale"])[:, None]
    assert (np.abs(tokens["row"] * scale - rows) <= 0.51 * scale).all()
    first = rows[:512] - rows[:512].mean(0)
    gram = tokens["gram"] * np.float64(tokens["gram_scale"])[:, None]
    np.testing.assert_allclose(gram, first @ first.T, atol=1e-3 * np.abs(gram).max())


def test_blocks(print_a, values_a):
    """Rows for the exact test are rows of the model, in their order; products are products of some of them."""
    blocks = print_a["blocks"]
    gain = values_a["model.layers.2.post_attention_layernorm.weight"]
    places = {}
    for half, name in enumerate(("gate", "up")):
        w = values_a[f"model.layers.2.mlp.{name}_proj.weight"] * gain
        at = slice((2 * 2 + half) * 256, (2 * 2 + half + 1) * 256)
        kept = blocks["exact"][at] * np.float64(blocks["exact_scale"][at])[:, None]
        near = ((kept[:, None] - w[None]) ** 2).sum(2)
        places[name] = near.argmin(1)
        assert near.min(1).max() < 1e-4 * (w * w).sum(1).mean()
        assert (np.diff(places[name]) > 0).all()
        at = slice((2 * 2 + half) * 192, (2 * 2 + half + 1) * 192)
        raw = blocks["raw"][at] * np.float64(blocks["raw_scale"][at])[:, None]
        np.testing.assert_allclose((raw * raw).sum(1), 1, atol=1e-3)
    np.testing.assert_array_equal(places["gate"], places["up"])


# ---- searches


@pytest.fixture(scope="module")
def found(cognate, examples, library, tmp_path_factory):
    path = tmp_path_factory.mktemp("found") / "r.h5"
    done = search(cognate, path, library, examples / "a-sft")
    assert done.returncode == 0, done.stderr
    return path, done.stdout


def test_verdicts_are_those_of_compare(cognate, examples, found, tmp_path):
    compared = cognate.compare(tmp_path / "c.h5", "--pca", "none", *(examples / n for n in ("a-sft", "base-a", "base-b")))
    there = {compared[""]["model_label"][b]: (compared[""]["verdict"][p], compared[""]["relation"][p])
             for p, (a, b) in enumerate(zip(compared[""]["pair_a"], compared[""]["pair_b"])) if a == 0}
    result = results.load(found[0])
    here = told(result)
    assert here.pop("a-sft-2") == ("IDENTICAL", "same bytes")
    assert here == there
    assert there["base-a"][0] == "DERIVED" and there["base-b"][0] == "NO EVIDENCE"


def test_ranked(found):
    root = results.load(found[0])[""]
    np.testing.assert_array_equal(root["rank"], [1, 2, 3])
    assert list(root["model_label"][root["pair_b"]]) == ["a-sft-2", "base-a", "base-b"]
    assert "the nearest first" in found[1]
    assert all("From fingerprints" in reasons for reasons in root["reasons"])


def test_estimates(found, cognate, examples, tmp_path):
    """Cosines within four of the standard errors that the reasons tell; t of the same panels far on the same side."""
    compared = cognate.compare(tmp_path / "c.h5", "--pca", "none", *(examples / n for n in ("a-sft", "base-a", "base-b")))
    result = results.load(found[0])
    for label in ("base-a", "base-b"):
        p = list(result[""]["model_label"][result[""]["pair_b"]]).index(label)
        q = list(compared[""]["model_label"][compared[""]["pair_b"][:2]]).index(label)
        exact, estimate = compared["tensors"]["cosine"][:, q], result["tensors"]["cosine"][:, p]
        spread = (1 - exact**2) / np.sqrt(2048)
        assert (np.abs(estimate - exact) <= 4 * spread + 1e-6).all()
        assert np.abs(estimate - exact).max() > 0


@pytest.mark.parametrize("ranks, query", [(1, "model"), (3, "fingerprint"), (4, "model")])
def test_query_either_way(cognate, examples, library, found, tmp_path, ranks, query):
    path = tmp_path / "r.h5"
    given = examples / "a-sft" if query == "model" else library / "a-sft.h5"
    done = search(cognate, path, library, given, ranks=ranks)
    assert done.returncode == 0, done.stderr
    assert results.fingerprint(path) == results.fingerprint(found[0])


def test_report(cognate, found, tmp_path):
    path, page = found[0], tmp_path / "r.html"
    assert cognate.run("verify", path).returncode == 0
    pairs = json.loads(cognate.run("report", "--json", path).stdout)["pairs"]
    assert [pair["rank"] for pair in pairs] == [1, 2, 3]
    assert cognate.run("report", "--html", page, path).returncode == 0
    assert "base-b" in page.read_text()


# ---- files that are none, or broken


def cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def newer(path):
    with h5py.File(path, "r+") as file:
        file.attrs.modify("cognate_fingerprint", np.int32(2))


def changed(path):
    with h5py.File(path, "r+") as file:
        file["slots/sum"][0] += 1


BREAKS = {"cut": (cut, "cannot open: truncated file"), "newer": (newer, "has version 2"), "changed": (changed, "SHA-256")}


@pytest.mark.parametrize("kind", BREAKS)
def test_broken_ones(cognate, library, tmp_path, kind):
    """They end the search with their names, or are left out and recorded."""
    folder = tmp_path / "library"
    folder.mkdir()
    shutil.copy(library / "more" / "base-a.h5", folder)
    shutil.copy(library / "a-sft.h5", folder / "broken.h5")
    BREAKS[kind][0](folder / "broken.h5")
    query = library / "more" / "base-b.h5"
    done = search(cognate, tmp_path / "r.h5", folder, query, ranks=1)
    assert done.returncode == 1 and not (tmp_path / "r.h5").exists()
    errors = [line for line in done.stderr.splitlines() if line.startswith("cognate: error:")]
    assert len(errors) == 1 and "broken.h5" in errors[0] and BREAKS[kind][1] in errors[0]
    done = search(cognate, tmp_path / "r.h5", folder, query, "--skip-broken", ranks=2)
    assert done.returncode == 0, done.stderr
    root = results.load(tmp_path / "r.h5")[""]
    assert [path.endswith("broken.h5") for path in root["skipped_path"]] == [True]
    assert BREAKS[kind][1] in root["skipped_error"][0] and list(root["rank"]) == [1]


def test_other_files_are_noted(cognate, library, tmp_path):
    """HDF5 of another kind and what is no HDF5 at all have no part in the search."""
    folder = tmp_path / "library"
    folder.mkdir()
    shutil.copy(library / "more" / "base-a.h5", folder)
    with h5py.File(folder / "other.h5", "w") as file:
        file["x"] = 1
    (folder / "text.h5").write_text("cognate_fingerprint")
    done = search(cognate, tmp_path / "r.h5", folder, library / "more" / "base-b.h5", ranks=2)
    assert done.returncode == 0, done.stderr
    result = results.load(tmp_path / "r.h5")
    assert [f"{name}.h5 is no fingerprint" in result["attributes"]["notes"] for name in ("other", "text", "base-a")] == [
        True,
        True,
        False,
    ]
    assert len(result[""]["rank"]) == 1


WILD = [
    dict(tokens__sample_id=-5),
    dict(tokens__first=1 << 40),
    dict(tokens__length=-1),
    dict(tokens__row_scale=np.nan),
    dict(blocks__units=100000),
    dict(blocks__units=0),
    dict(blocks__raw_scale=np.inf),
    dict(slots__panel_first=1 << 40),
    dict(slots__tensor=10**6),
    dict(slots__rows=-1),
    dict(slots__sketch=np.nan),
    dict(slots__elements=7),
    dict(checkpoint__tensor_file=99),
    dict(checkpoint__shape=1 << 40),
    dict(checkpoint__axes=9),
    dict(checkpoint__bytes=1),
    dict(root__size_value=-1),
    dict(root__size_value=1 << 40),
    dict(root__fact_given=1 << 60),
]


@pytest.mark.parametrize("change", WILD, ids=lambda change: "-".join(map(str, change.items())))
def test_wild_numbers(cognate, library, tmp_path, change):
    """Digests that fit do not make a number right."""
    path = shutil.copy(library / "a-sft.h5", tmp_path / "f.h5")
    (name, value), = change.items()
    name = name.removeprefix("root__")
    with h5py.File(path) as file:
        shape = file[name.replace("__", "/")].shape
    results.edit(path, **{name: np.full(shape, value)})
    done = cognate.run("verify", path)
    assert done.returncode == 1, done.stdout
    assert len(done.stderr.splitlines()) == 1 and "f.h5" in done.stderr


def test_flipped_bytes(cognate, library, tmp_path):
    """Whatever byte is wrong, nothing crashes; of the samples' bytes none passes unnoticed."""
    rng = np.random.default_rng(4)
    whole = bytearray((library / "a-sft.h5").read_bytes())
    refused = 0
    for at in np.concatenate([rng.integers(0, 8192, 20), rng.integers(0, len(whole), 20)]):
        broken = whole.copy()
        broken[at] ^= 1 << int(rng.integers(8))
        path = tmp_path / "f.h5"
        path.write_bytes(broken)
        done = cognate.run("verify", path)
        assert done.returncode in (0, 1), (at, done.returncode, done.stderr)
        refused += done.returncode
    assert refused >= 20


USAGE = [
    (["fingerprint", "-o", "f.h5"], 2, "wants one model"),
    (["fingerprint", "-o", "f.h5", "a", "b"], 2, "wants one model"),
    (["fingerprint", "a"], 2, "give -o"),
    (["fingerprint", "-o", "f.h5", "--library", "d", "a"], 2, "takes no --library"),
    (["search", "-o", "r.h5", "a"], 2, "give --library"),
    (["search", "-o", "r.h5", "--library", "d", "-m", "t", "a"], 2, "takes no --manifest"),
    (["compare", "-o", "r.h5", "--library", "d", "a", "b"], 2, "takes no --library"),
    (["fingerprint", "-o", "f.h5", "/nowhere"], 1, "/nowhere"),
]


@pytest.mark.parametrize("arguments, status, words", USAGE, ids=lambda value: str(value)[:40])
def test_usage(cognate, tmp_path, arguments, status, words):
    done = cognate.run(*arguments, ranks=1, cwd=tmp_path)
    assert done.returncode == status and words in done.stderr
    assert not list(tmp_path.glob("*.h5"))


def test_empty_library(cognate, library, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "text.h5").write_text("no HDF5")
    done = search(cognate, tmp_path / "r.h5", tmp_path / "x", library / "a-sft.h5")
    assert done.returncode == 1 and "holds no sound fingerprint" in done.stderr
