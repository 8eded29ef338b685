"""The result has the same bits whatever the number of ranks; /run differs, /pca has a tolerance."""

import numpy as np
import pytest

import checkpoints
import results
from checkpoints import stored

RANKS = [2, 3, 4, 7, 16]
PCA = ("--pca", "sketch:200")  # more than one of ScaLAPACK's blocks each way


def check_same(reference, other):
    """Two result files: all but /run and /pca bit for bit, /pca within what is promised."""
    expected, found = results.fingerprint(reference), results.fingerprint(other)
    assert expected.keys() == found.keys()
    assert [place for place in expected if expected[place] != found[place]] == []
    a, b = results.load(reference), results.load(other)
    assert ("pca" in a) == ("pca" in b)
    if "pca" in a:
        a, b = a["pca"], b["pca"]
        np.testing.assert_allclose(b["explained_variance"], a["explained_variance"], rtol=1e-9)
        np.testing.assert_allclose(b["score"], a["score"], rtol=0, atol=1e-6 * np.abs(a["score"]).max())
        for name in ("sample_model", "sample_layer", "sample_expert", "sample_role"):
            assert np.array_equal(a[name], b[name])


@pytest.fixture(scope="module")
def models(examples):
    return [examples / name for name in ("base-a", "a-sft", "base-b")]


@pytest.fixture(scope="module")
def alone(cognate, models, tmp_path_factory):
    """The result of a single rank."""
    path = tmp_path_factory.mktemp("alone") / "r.h5"
    cognate.compare(path, *models, *PCA, ranks=1)
    return path


def test_the_comparison_can_fail(alone, cognate, models, tmp_path):
    """Another question gives another file: the walk over the file does see its numbers."""
    cognate.compare(tmp_path / "r.h5", *reversed(models), *PCA)
    assert results.fingerprint(alone) != results.fingerprint(tmp_path / "r.h5")


@pytest.mark.parametrize("ranks", RANKS)
def test_any_number_of_ranks(cognate, models, alone, tmp_path, ranks):
    found = cognate.compare(tmp_path / "r.h5", *models, *PCA, ranks=ranks)
    assert found["run"]["ranks"] == ranks
    check_same(alone, tmp_path / "r.h5")


def test_without_a_launcher(cognate, models, alone, tmp_path):
    cognate.compare(tmp_path / "r.h5", *models, *PCA)
    check_same(alone, tmp_path / "r.h5")


def test_small_buffer(cognate, models, alone, tmp_path):
    cognate.compare(tmp_path / "r.h5", *models, *PCA, "--buffer", "4194304", ranks=3)
    check_same(alone, tmp_path / "r.h5")


@pytest.fixture(scope="module")
def lopsided(tmp_path_factory):
    """Two models of one tensor of 60 MB and a few small ones: no rank may wait for the large one, so it is
    split. Some elements are not finite, and the rows do not fill the chunks."""
    folder = tmp_path_factory.mktemp("lopsided")
    for name, seed in (("a", 1), ("b", 2)):
        rng = np.random.default_rng(seed)
        tensors = checkpoints.llama(rng, layers=1, hidden=1000, intermediate=300, vocabulary=10)
        table = rng.standard_normal((15001, 1000), dtype=np.float32)
        table[rng.integers(0, 15001, 20), rng.integers(0, 1000, 20)] = np.nan
        tensors["lm_head.weight"] = stored(table)
        checkpoints.make(folder / name, tensors)
    return [folder / "a", folder / "b"]


@pytest.fixture(scope="module")
def lopsided_alone(cognate, lopsided, tmp_path_factory):
    path = tmp_path_factory.mktemp("lopsided-alone") / "r.h5"
    cognate.compare(path, *lopsided, ranks=1)
    return path


@pytest.mark.parametrize("ranks", RANKS)
def test_a_slot_split_over_ranks(cognate, lopsided, lopsided_alone, tmp_path, ranks):
    cognate.compare(tmp_path / "r.h5", *lopsided, ranks=ranks)
    check_same(lopsided_alone, tmp_path / "r.h5")
