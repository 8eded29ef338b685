"""The page that `cognate report --html` writes: parsed as XML, every number and every picture held against the file."""

import hashlib
import html.parser
import math
import os
import re
import resource
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import checkpoints
import results
from conftest import NASTY

WRITE_SAMPLE = os.path.join(os.environ["CG_BUILD"], "tests", "result", "write_sample")
HEAT_LEVELS = 20


class Page:
    """A page, parsed; elements are found by tag and class."""

    def __init__(self, text):
        self.text = text
        assert text.startswith("<!DOCTYPE html>\n")
        self.root = ElementTree.fromstring(text.partition("\n")[2])

    def all(self, tag, name=None, within=None):
        within = self.root if within is None else within
        return [item for item in within.iter(tag) if name is None or name in item.get("class", "").split()]

    def pair(self, number):
        return next(item for item in self.all("div", "anchor") if item.get("id") == f"pair-{number}")

    def rows(self, name, within=None):
        """The texts of a table's body; {} where there is no such table."""
        return [
            [words(cell) for cell in row]
            for table in self.all("table", name, within)
            for body in table.iter("tbody")
            for row in body
        ]

    def facts(self, within):
        """{dt: dd} of the first list there."""
        items = list(next(within.iter("dl")))
        return {words(name): words(value) for name, value in zip(items[::2], items[1::2])}

    def picture(self, title, within=None):
        """The one SVG of that title, None when there is none."""
        within = self.root if within is None else within
        found = [svg for svg in within.iter("svg") if svg.find("title") is not None and svg.find("title").text == title]
        assert len(found) <= 1
        return found[0] if found else None


def words(element):
    return " ".join("".join(element.itertext()).split())


def made(cognate, path):
    done = cognate.run("report", "--html", "-", path)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return Page(done.stdout)


@pytest.fixture(scope="module")
def altered(triple, tmp_path_factory):
    """The result of the three examples, where numbers that are often the same are made to differ."""
    path = tmp_path_factory.mktemp("altered") / "result.h5"
    shutil.copy(triple[0], path)
    before = results.load(path)
    results.edit(path, tensors__panel_cosine=0.5 * before["tensors"]["centred_cosine"] + 0.1,
                 embeddings__token_centred_cosine=0.25 - before["embeddings"]["token_cosine"] / 2,
                 constant_tensors=[0, 3, 5], rounding_ratio=[1.25, math.nan, math.nan])
    return path


@pytest.fixture(scope="module")
def result(altered):
    return results.load(altered)


@pytest.fixture(scope="module")
def page(cognate, altered):
    return made(cognate, altered)


# -- a page as such -----------------------------------------------------------------------------------------------


def check_page(page):
    """No script, nothing from elsewhere, every link leads somewhere, and an HTML parser sees what an XML parser sees."""
    ids = [item.get("id") for item in page.root.iter() if item.get("id")]
    assert len(ids) == len(set(ids))
    assert page.all("script") == [] and page.all("link") == [] and page.all("iframe") == []
    for item in page.root.iter():
        for key, value in item.attrib.items():
            assert key not in ("src", "srcset", "data", "style", "{http://www.w3.org/1999/xlink}href"), key
            assert not key.startswith("on"), key
            assert key != "href" or (value[0] == "#" and value[1:] in ids), value
            assert "$" not in item.tag
    for css in page.all("style"):
        assert not re.search(r"url\(|@import|https?:|//", css.text)
    assert not re.search(r"(nan|inf)[\s\"<,LM]", re.sub("<style>.*?</style>", "", page.text, flags=re.S))

    class Texts(html.parser.HTMLParser):
        seen = []

        def handle_data(self, data):
            self.seen.append(data)

    parser = Texts()
    parser.seen = []
    parser.feed(page.text)
    assert "".join("".join(parser.seen).split()) == "".join("".join(page.root.itertext()).split())


def test_the_page_stands_alone(page):
    check_page(page)
    assert len(page.text) < 150_000


def test_a_file_holds_the_same(cognate, altered, page, tmp_path):
    out = tmp_path / "page.html"
    done = cognate.run("report", "--html", out, altered)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert out.read_text(encoding="utf-8") == page.text
    assert os.listdir(tmp_path) == ["page.html"]


def test_locale_and_terminal_change_nothing(cognate, altered, page):
    for locale in ("C", "C.UTF-8"):
        done = cognate.run("report", "--html", "-", altered, environment={"LC_ALL": locale, "TERM": "xterm"})
        assert done.stdout == page.text


@pytest.mark.parametrize("kind", ["full", "empty", "no-pca", "large"])
def test_any_result_makes_a_page(cognate, tmp_path, kind):
    path = str(tmp_path / "r.h5")
    subprocess.run([WRITE_SAMPLE, path, kind], check=True)
    page = made(cognate, path)
    check_page(page)
    assert ("pca" in [item.get("id") for item in page.root.iter()]) == (kind != "no-pca")


def test_names_are_escaped(cognate, mapped):
    page = made(cognate, mapped)
    check_page(page)
    assert "<script" not in page.text
    assert [item.text for item in page.all("bdi")].count(NASTY) >= 4
    assert NASTY in page.all("title")[0].text


# -- numbers ------------------------------------------------------------------------------------------------------


def shows(text, value, decimals=4):
    """Whether a text says the number, to as many decimals at least; never as 0 or 1 unless it is."""
    if math.isnan(value):
        return text == "-"
    shown = float(text.replace(",", ""))
    if "e" in text:
        return abs(value) < 0.5 * 10.0**-decimals and abs(shown / value - 1) < 0.5
    found = len(text.partition(".")[2])
    near = abs(shown - value) <= 0.5 * 10.0**-found + 1e-12
    cut = 0.999999 <= abs(value) < 1 and shown == math.copysign(0.999999, value)
    return found >= decimals and (near or cut) and (abs(shown) < 1 or abs(value) >= 1) and (shown != 0) == (value != 0)


def shows_t(text, value):
    return text == "-" if math.isnan(value) else "." in text and abs(float(text) - value) <= 0.05 + 1e-12


def shows_score(text, value):
    return text == "-" if math.isnan(value) else float(text) == pytest.approx(value, rel=6e-3, abs=1e-300)


def shows_p(text, log10_p):
    """Rounded up."""
    if math.isnan(log10_p):
        return text == "-"
    if log10_p > -3:
        return float(text) == pytest.approx(10**log10_p, rel=0.06)
    return text == f"1e{math.ceil(log10_p)}"


def count(value):
    return f"{value:,}" if value >= 0 else "-"


def test_models(page, result):
    root = result[""]
    for m, row in enumerate(page.rows("models")):
        assert row[:5] == [f"{m + 1} {root['model_label'][m]}", root["model_type"][m], count(root["parameters"][m]),
                           count(root["num_tensors"][m]), f"{root['stored_bytes'][m] / 1e6:.1f} MB"]
        assert row[5] == root["model_path"][m]
    traits = {row[0].removesuffix(" \u2260"): row[1:] for row in page.rows("traits")}
    for name, variable in (("hidden size", "hidden_size"), ("layers", "num_hidden_layers"),
                           ("attention heads", "num_attention_heads"), ("key-value heads", "num_key_value_heads"),
                           ("FFN width", "intermediate_size"), ("vocabulary", "vocab_size")):
        assert traits.pop(name) == [count(value) for value in root[variable]]
    assert traits == {}


def test_verdicts(page, result):
    root = result[""]
    rows = page.rows("verdicts")
    assert len(rows) == 3 and page.all("table", "matrix") == []
    for p, (names, verdict, relation, probability, limit, cosine) in enumerate(rows):
        labels = [f"{m + 1} {root['model_label'][m]}" for m in (root["pair_a"][p], root["pair_b"][p])]
        assert names == "\u2192".join(labels)
        assert (verdict, relation) == (root["verdict"][p], root["relation"][p])
        assert shows_p(probability, root["log10_p"][p])
        assert shows(limit, root["detection_limit"][p]) and shows(cosine, root["mean_cosine"][p])


def test_facts_of_a_pair(page, result):
    root = result[""]
    for p in range(3):
        facts = page.facts(page.pair(p + 1))
        assert facts["Why"].replace(" ", "") == root["reasons"][p].replace("\n", "").replace(" ", "")
        assert shows_p(facts["p-value"].split()[0], root["log10_p"][p])
        assert shows(re.search(r"cosine (\S+)", facts["Detection limit"])[1], root["detection_limit"][p])
        assert f"would say: {root['band'][p]}." in facts["Plain method"]
        found = re.search(r"Mean cosine (\S+), by elements (\S+), matrices (\S+?)\. For", facts["Plain method"])
        for text, name in zip(found.groups(), ("mean_cosine", "weighted_cosine", "matrix_cosine")):
            assert shows(text, root[name][p]), name
        assert facts["Tensors"].startswith(
            f"{root['identical_tensors'][p]} of {root['compared_tensors'][p]} compared are identical"
            + (f", {root['constant_tensors'][p]} of them constant: no proof; " if p else "; "))
        assert ("Rounding" in facts) == (p == 0) and "1.25 times" in facts.get("Rounding", "1.25 times")


def check_layers(page, pair, result, p):
    layers = result["layers"]
    order = [list(layers["role_group"]).index(name) for name in ("attention", "ffn", "all", "norm")]
    rows = page.rows("layers", pair)
    assert len(rows) == layers["layer_map"].shape[1]
    for b, (index, origin, probability, similarity, *profile) in enumerate(rows):
        source = layers["layer_map"][p, b]
        assert (index, origin) == (str(b), count(source))
        assert shows_p(probability, layers["layer_log10_p"][p, b])
        assert shows(similarity, layers["similarity"][p, source, b] if source >= 0 else math.nan)
        assert all(shows(text, layers["cosine"][p, b, g]) for text, g in zip(profile, order)), (profile, b)


def test_layers(cognate, page, result, mapped):
    for p in range(3):
        check_layers(page, page.pair(p + 1), result, p)
    other = made(cognate, mapped)
    check_layers(other, other.pair(1), results.load(mapped), 0)


def test_norms(page, result):
    tensors = result["tensors"]
    norms = [role.endswith("norm") for role in tensors["role"]]
    assert sum(norms) == 17
    for p in range(3):
        rows = page.rows("norms", page.pair(p + 1))
        for row, name, right in zip(rows, ("cosine", "centred_cosine", "panel_cosine", "t"), (shows,) * 3 + (shows_t,)):
            values = tensors[name][norms, p]
            values = values[~np.isnan(values)]
            assert row[1] == str(len(values))
            for text, value in zip(row[2:], (values.mean(), values.min(), values.max())):
                assert right(text, value), (name, text, value)


def test_experts(cognate, mapped):
    experts = results.load(mapped)["experts"]
    rows = made(cognate, mapped).rows("experts")
    assert len(rows) == 12
    for i, (layer_b, expert_b, layer_a, expert_a, cosine, probability, routed) in enumerate(rows):
        assert [layer_b, expert_b, layer_a] == [str(experts[name][i]) for name in ("layer_b", "expert_b", "layer_a")]
        assert expert_a == ("dense" if experts["expert_a"][i] < 0 else str(experts["expert_a"][i]))
        assert shows(cosine, experts["cosine"][i]) and shows_p(probability, experts["log10_p"][i])
        assert routed == ("–" if experts["router_expert_a"][i] < 0 else str(experts["router_expert_a"][i]))


def test_experts_of_another_pair(cognate, mapped, tmp_path):
    path = tmp_path / "r.h5"
    shutil.copy(mapped, path)
    results.edit(path, experts__pair=[0] * 5 + [1] * 7)
    page = made(cognate, path)
    assert len(page.rows("experts")) == 5
    assert len(heat(page, page.picture("Cosine of every expert of b with the one it comes from"))[0]) == 5


def test_tokens(page, result):
    embeddings = result["embeddings"]
    for p in range(3):
        mine = embeddings["token_pair"] == p
        cosines = embeddings["token_cosine"][mine]
        section = next(s for s in page.all("section", within=page.pair(p + 1)) if "token" in words(s.find("h4")))
        facts = page.facts(section)
        assert facts["Shared tokens"].startswith(count(embeddings["shared_tokens"][p]) + ", of which")
        plain, centred = re.fullmatch(r"(\S+) plain, (\S+) centred", facts["Cosine"]).groups()
        assert shows(plain, embeddings["cosine"][p]) and shows(centred, embeddings["centred_cosine"][p])
        numbers = re.search(r"below (\S+), median (\S+), 5 % above (\S+)\.", words(section)).groups()
        assert all(shows(text, value) for text, value in zip(numbers, np.quantile(cosines, (0.05, 0.5, 0.95))))
        rows = page.rows("tokens", section)
        order = np.sort(cosines)
        for row, value in zip(rows, [*order[:-6:-1], *order[4::-1]], strict=True):
            assert shows(row[1], value) and shows(row[2], 0.25 - value / 2)


def test_components(page, result):
    pca = result["pca"]
    for k, (number, variance, share) in enumerate(page.rows("components")):
        assert number == str(k + 1) and shows_score(variance, pca["explained_variance"][k])
        assert float(share.removesuffix(" %")) == pytest.approx(100 * pca["explained_variance_ratio"][k], abs=0.051)
    for m, row in enumerate(page.rows("scores")):
        scores = pca["score"][pca["sample_model"] == m, :2]
        expected = [scores[:, 0].mean(), scores[:, 0].std(ddof=1), scores[:, 1].mean(), scores[:, 1].std(ddof=1)]
        assert row[1] == str(len(scores))
        assert all(shows_score(text, value) for text, value in zip(row[2:], expected))


def test_provenance(page, result):
    run = result["run"]
    section = next(item for item in page.all("section") if item.get("id") == "provenance")
    facts = page.facts(section)
    assert facts["Made by"] == result["attributes"]["source"] and facts["Made"] == run["date_created"]
    assert facts["Command"] == " ".join(run["history"].split())
    assert facts["Ranks"] == f"{run['ranks']} on {run['hosts']} hosts"
    assert facts["Time"].startswith(f"{run['wall_seconds']:.2f} s;")
    assert facts["Read"] == f"{count(run['bytes_read'])} bytes, {count(run['bytes_reread'])} of them again"
    check_digests(page, result)


def check_digests(page, result):
    for m, (_, slots, different, digest) in enumerate(page.rows("digests")):
        digests = [text for text in result["tensors"]["sha256"][:, m] if text]
        assert (slots, different) == (str(len(digests)), str(len(set(digests))))
        assert digest == hashlib.sha256("".join(digests).encode()).hexdigest()


def test_digests_of_absent_and_of_equal_tensors(cognate, tmp_path):
    short, long = (checkpoints.llama(np.random.default_rng(1), layers=n) for n in (1, 2))
    long["model.layers.1.self_attn.k_proj.weight"] = long["model.layers.0.self_attn.q_proj.weight"]
    models = [checkpoints.make(tmp_path / str(len(model)), model) for model in (short, long)]
    result = cognate.compare(tmp_path / "r.h5", *models)
    assert (result["tensors"]["sha256"] == "").sum() == 9
    page = made(cognate, tmp_path / "r.h5")
    check_digests(page, result)
    assert [row[1:3] for row in page.rows("digests")] == [["12", "12"], ["21", "20"]]


# -- pictures -----------------------------------------------------------------------------------------------------


def axis(svg, along):
    """A function from places to values, out of the ticks' own labels."""
    ticks = []
    for text in svg.iter("text"):
        name = text.get("class", "")
        if text.text and re.fullmatch(r"-?[\d.]+", text.text) and name == ("mid" if along == "x" else "end"):
            ticks.append((float(text.get(along)) - (0 if along == "x" else 3.5), float(text.text)))
    (first, low), (last, high) = ticks[0], ticks[-1]
    return lambda place: low + (place - first) * (high - low) / (last - first)


def points(path):
    """[(x, y)] of a path's M and L."""
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path.get("d"))]


def check_profile(page, pair, result, p):
    svg = page.picture("Mean cosine by layer and role group", pair)
    x, y = axis(svg, "x"), axis(svg, "y")
    for g, name in enumerate(result["layers"]["role_group"]):
        values = result["layers"]["cosine"][p, :, g]
        for path in page.all("path", name, svg):
            found = [(x(px), y(py)) for px, py in points(path)]
            known = [(layer, value) for layer, value in enumerate(values) if not math.isnan(value)]
            assert np.allclose(found, known, atol=0.003), name


def test_profiles(cognate, page, result, mapped):
    for p in range(3):
        check_profile(page, page.pair(p + 1), result, p)
    other = made(cognate, mapped)
    check_profile(other, other.pair(1), results.load(mapped), 0)
    broken = other.all("path", "ffn", other.picture("Mean cosine by layer and role group"))[0]
    assert broken.get("d").count("M") == 2  # a gap where layer 1 has no value


def heat(page, svg):
    """{(row, column): level} and {column: row with a dot}."""
    cells = {}
    for path in page.all("path", within=page.all("g", "cells", svg)[0]):
        level = int(path.get("class").removeprefix("h"))
        for column, row, length in re.findall(r"M(\d+) (\d+)h(\d+)", path.get("d")):
            for k in range(int(column), int(column) + int(length)):
                assert (int(row), k) not in cells
                cells[int(row), k] = level
    dots = [re.findall(r"M(\d+)\.5 (-?\d+)h0", path.get("d")) for path in page.all("path", "core", svg)]
    return cells, {int(column): int(row) for column, row in (dots[0] if dots else [])}


def levels(values):
    return {place: min(max(int(value * HEAT_LEVELS), 0), HEAT_LEVELS - 1)
            for place, value in np.ndenumerate(values) if not math.isnan(value)}


def test_layer_maps(cognate, page, result, mapped):
    title = "Similarity of every layer of a with every layer of b"
    for this, found in ((page, result), (made(cognate, mapped), results.load(mapped))):
        for p in range(len(found[""]["verdict"])):
            cells, dots = heat(this, this.picture(title, this.pair(p + 1)))
            assert cells == levels(found["layers"]["similarity"][p])
            assert dots == {b: a for b, a in enumerate(found["layers"]["layer_map"][p]) if a >= 0}


def test_expert_map(cognate, page, mapped):
    title = "Cosine of every expert of b with the one it comes from"
    assert page.picture(title) is None
    this, experts = made(cognate, mapped), results.load(mapped)["experts"]
    svg = this.picture(title)
    cells, dots = heat(this, svg)
    places = list(zip(experts["layer_b"], experts["expert_b"]))
    assert dots == {} and cells == {place: int(c * HEAT_LEVELS) for place, c in zip(places, experts["cosine"])}
    labels = [("" if a == b else f"L{a}.") + ("d" if e < 0 else str(e))
              for a, b, e in zip(experts["layer_a"], experts["layer_b"], experts["expert_a"])]
    numbers = [text.text for text in svg.iter("text") if set(text.get("class").split()) & {"lo", "me", "hi"}]
    assert numbers == labels and "L2." in "".join(labels) and "d" in labels


def test_rugs_of_norms(page, result):
    norms = [role.endswith("norm") for role in result["tensors"]["role"]]
    for p in range(3):
        svg = page.picture("Cosines of the norm slots", page.pair(p + 1))
        x = axis(svg, "x")
        rugs = page.all("path", "rug", svg)
        for path, name in zip(rugs, ("cosine", "centred_cosine", "panel_cosine"), strict=True):
            found = [x(float(place)) for place in re.findall(r"M(-?[\d.]+) ", path.get("d"))]
            assert np.allclose(found, result["tensors"][name][norms, p], atol=0.003)


def test_histograms_of_tokens(page, result):
    for p in range(3):
        svg = page.picture("Tokens by cosine", page.pair(p + 1))
        x, y = axis(svg, "x"), axis(svg, "y")
        bars = re.findall(r"M(-?[\d.]+) (\d+)V([\d.]+)h", page.all("path", "bars", svg)[0].get("d"))
        cosines = result["embeddings"]["token_cosine"][result["embeddings"]["token_pair"] == p]
        low = -1 if cosines.min() < 0 else 0
        expected, edges = np.histogram(cosines, bins=50, range=(low, 1))
        found = {int((x(float(left)) - low) / (1 - low) * 50): y(float(top)) for left, _, top in bars}
        assert set(found) == set(np.flatnonzero(expected))
        assert all(abs(found[i] - expected[i]) <= 0.01 * max(expected) + 0.5 for i in found)


def test_scatter(page, result):
    """Every sample has a mark of its model, and every mark a sample."""
    svg = page.picture("Scores on the first two components")
    x, y = axis(svg, "x"), axis(svg, "y")
    pca = result["pca"]
    grain = 0.51 * (x(1) - x(0)), 0.51 * (y(0) - y(1))  # places are half units
    for m, path in enumerate(page.all("path", "scatter", svg)):
        marks = np.array([(x(px), y(py)) for px, py in points(path)])
        scores = pca["score"][pca["sample_model"] == m, :2]
        apart = np.abs(marks[:, None] - scores[None]) / grain
        near = (apart <= 1.02).all(axis=2)
        assert near.any(axis=0).all() and near.any(axis=1).all()
    looks = {(path.get("class"), path.get("d").partition("h")[2][:5]) for path in page.all("path", "scatter", svg)}
    assert len(looks) == 3


# -- many pairs ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crowd(cognate, tmp_path_factory):
    """21 models of one layer, 210 pairs, of which one pair is the same model twice."""
    folder = tmp_path_factory.mktemp("crowd")
    models = []
    for seed in [*range(20), 7]:
        tensors = checkpoints.llama(np.random.default_rng(seed), layers=1, vocabulary=64)
        config = checkpoints.llama_config(tensors)
        models.append(checkpoints.make(folder / f"m{len(models)}", tensors, config))
    cognate.compare(folder / "r.h5", *models)
    return folder / "r.h5"


def check_matrix(page, result):
    root = result[""]
    letters = {"IDENTICAL": "I", "DERIVED": "D", "PARTIAL": "P", "NO EVIDENCE": "n", "INCONCLUSIVE": "?"}
    rows, columns = sorted(set(root["pair_a"])), sorted(set(root["pair_b"]))
    verdict = dict(zip(zip(root["pair_a"], root["pair_b"]), root["verdict"]))
    expected = [[letters[verdict[a, b]] if (a, b) in verdict else "" for b in columns] for a in rows]
    assert [row[1:] for row in page.rows("matrix")] == expected
    for a, row in zip(rows, page.rows("matrix")):
        assert row[0] == f"{a + 1} {root['model_label'][a]}"


def test_of_very_many_pairs_those_with_evidence_are_in_full(cognate, crowd):
    page, result = made(cognate, crowd), results.load(crowd)
    check_page(page)
    check_matrix(page, result)
    p = [list(pair) for pair in zip(result[""]["pair_a"], result[""]["pair_b"])].index([7, 20])
    assert result[""]["verdict"][p] == "IDENTICAL"
    assert [item.get("id") for item in page.all("div", "anchor")] == [f"pair-{p + 1}"]
    assert "1 of 210 pairs in full" in page.text
    assert len(page.rows("verdicts")) == 210 and len(page.text) < 300_000
    assert len(page.rows("traits")) == 21  # models one below the other


def test_no_more_than_200_pairs_are_in_full(cognate, tmp_path):
    model = checkpoints.llama(np.random.default_rng(1), layers=1, vocabulary=64)
    models = [checkpoints.make(tmp_path / f"m{i}", model) for i in range(21)]
    cognate.compare(tmp_path / "r.h5", "--pca", "none", *models)
    page = made(cognate, tmp_path / "r.h5")
    check_page(page)
    assert [item.get("id") for item in page.all("div", "anchor")] == [f"pair-{p + 1}" for p in range(200)]
    assert "200 of 210 pairs in full" in page.text and len(page.text) < 2_000_000


def test_bases_against_targets(cognate, examples, tmp_path):
    table = "path\trole\n" + "".join(
        f"{examples / name}\t{role}\n" for name, role in (("base-a", "base"), ("base-b", "base"), ("a-sft", "target"),
                                                          ("base-a/model.safetensors", "target")))
    (tmp_path / "models.tsv").write_text(table)
    result = cognate.compare(tmp_path / "r.h5", "--manifest", tmp_path / "models.tsv")
    page = made(cognate, tmp_path / "r.h5")
    check_matrix(page, result)
    assert [item.get("id") for item in page.all("div", "anchor")] == [f"pair-{p + 1}" for p in range(4)]
    assert all(item.get("open") is None for item in page.all("details", "pair"))


# -- faults -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, status, message", [
    (["--html"], 2, "wants a value"),
    (["--html", "x.html"], 2, "one result file"),
    (["--json", "--html", "x.html", "RESULT"], 2, "not both"),
    (["--html", "RESULT", "RESULT"], 2, "names the result itself"),
    (["--html", ".", "RESULT"], 1, "is a folder"),
    (["--html", "/dev/full", "RESULT"], 1, "/dev/full: is no regular file"),
    (["--html", "nowhere/x.html", "RESULT"], 1, "nowhere/x.html: cannot create a file in its folder"),
    (["--html", "x.html", "nowhere.h5"], 1, "nowhere.h5"),
])
def test_refusals(cognate, triple, tmp_path, arguments, status, message):
    before = triple[0].read_bytes()
    arguments = [triple[0] if argument == "RESULT" else argument for argument in arguments]
    done = cognate.run("report", *arguments, cwd=tmp_path)
    assert done.returncode == status and done.stdout == ""
    assert done.stderr.startswith("cognate: error: ") and done.stderr.count("\n") == 1 and message in done.stderr
    assert os.listdir(tmp_path) == [] and triple[0].read_bytes() == before


@pytest.mark.parametrize("limit", [0, 1000, 40_000])
def test_a_full_disk_leaves_the_older_page(cognate, triple, tmp_path, limit):
    out = tmp_path / "page.html"
    out.write_text("older")
    done = subprocess.run(cognate.command("report", "--html", out, triple[0]), capture_output=True, text=True,
                          restore_signals=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"cognate: error: {out}: ") and "File too large" in done.stderr
    assert os.listdir(tmp_path) == ["page.html"] and out.read_text() == "older"


def test_a_full_standard_output(cognate, triple):
    with open("/dev/full", "w") as full:
        done = subprocess.run(cognate.command("report", "--html", "-", triple[0]), stdout=full,
                              stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "No space left" in done.stderr
