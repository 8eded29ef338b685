"""examples/analysis.ipynb: its cells run in order, and what they draw is what the file holds."""

import contextlib
import io
import json
import os

import numpy as np
import pytest

import results
from conftest import MPI_ENVIRONMENT

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(scope="module")
def notebook(examples):
    return json.loads((examples / "analysis.ipynb").read_text(encoding="utf-8"))


def cells(notebook):
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def run(notebook, monkeypatch, examples):
    """Runs all cells on a result; returns their names, the figures and what they printed."""

    def run(path):
        monkeypatch.setenv("COGNATE_RESULT", str(path))
        monkeypatch.chdir(examples)
        names, said = {}, io.StringIO()
        with contextlib.redirect_stdout(said):
            for number, source in enumerate(cells(notebook)):
                exec(compile(source, f"cell {number}", "exec"), names)
        figures = [plt.figure(number) for number in plt.get_fignums()]
        for figure in figures:
            figure.canvas.draw()
        return names, figures, said.getvalue()

    yield run
    plt.close("all")


def test_the_notebook_is_sound_and_bare(notebook):
    assert notebook["nbformat"] == 4
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
        assert max(map(len, "".join(cell["source"]).splitlines())) <= 130


def images(figure):
    return [axis.images[0].get_array() for axis in figure.axes if axis.images]


def same(drawn, values):
    return np.array_equal(np.ma.filled(drawn, np.nan), values, equal_nan=True)


def test_dense_models(run, triple, result):
    names, (maps, scatter, tree), said = run(triple[0])
    assert "No experts" in said
    for drawn, values in zip(images(maps), result["layers"]["similarity"], strict=True):
        assert same(drawn, values)
    dots = maps.axes[0].lines[0]
    assert dots.get_ydata().tolist() == result["layers"]["layer_map"][0].tolist() == list(range(8))
    assert len(maps.axes[1].lines[0].get_ydata()) == 0
    pca = result["pca"]
    for model, points in enumerate(scatter.axes[0].collections):
        assert np.array_equal(points.get_offsets(), pca["score"][pca["sample_model"] == model, :2])
    near = 1 - np.trace(result["layers"]["similarity"][0]) / 8
    assert sorted(names["tree"][0, :2]) == [0, 1] and names["tree"][0, 2] == pytest.approx(near)
    assert names["tree"][1, 2] == 1
    assert {text.get_text() for text in tree.axes[0].get_yticklabels()} == {"base-a", "a-sft", "base-b"}


def test_experts(run, mapped):
    names, figures, said = run(mapped)
    result, experts = results.load(mapped), results.load(mapped)["experts"]
    assert said == ""
    assert same(images(figures[0])[0], result["layers"]["similarity"][0])
    (drawn,) = images(figures[1])
    assert np.array_equal(drawn[experts["layer_b"], experts["expert_b"]], experts["cosine"])
    texts = [text.get_text() for text in figures[1].axes[0].texts]
    assert texts == [("" if a == b else f"{a}.") + ("d" if e < 0 else str(e))
                     for a, b, e in zip(experts["layer_a"], experts["layer_b"], experts["expert_a"])]
    kept = np.clip([result["layers"]["similarity"][0, a, b] for a, b in ((2, 0), (0, 2))], 0, 1).sum() / 3
    assert names["tree"][0, 2] == pytest.approx(1 - kept)


def test_a_run_without_components(run, cognate, examples, tmp_path):
    cognate.compare(tmp_path / "r.h5", "--pca", "none", examples / "base-a", examples / "base-b")
    _, figures, said = run(tmp_path / "r.h5")
    assert "--pca none" in said and len(figures) == 2


def test_it_makes_its_own_result(run, cognate, tmp_path, monkeypatch, result):
    for name, value in MPI_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", os.path.dirname(cognate.program) + os.pathsep + os.environ["PATH"])
    names, figures, _ = run(tmp_path / "new.h5")
    assert len(figures) == 3
    assert names["label"].tolist() == ["base-a", "a-sft", "base-b"]
    assert results.load(tmp_path / "new.h5")[""]["verdict"].tolist() == result[""]["verdict"].tolist()
