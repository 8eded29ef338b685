"""What the program says of models whose descent is known.

The examples come with the program. COGNATE_ZOO may name a folder of more: base-c, trained like base-a and base-b on
other text; moe-a and moe-b, two independent mixtures of experts; a-cpt, base-a trained on at full rate.
"""

import os
from pathlib import Path

import numpy as np
import pytest

ZOO = os.environ.get("COGNATE_ZOO")


def spread_of_t(result, pair):
    t = result["tensors"]["t"][:, pair]
    return np.std(t[np.isfinite(t)], ddof=1)


def verdict(result, pair):
    return result[""]["verdict"][pair]


def test_fine_tuned_is_derived(result):
    assert verdict(result, 0) == "DERIVED"
    assert result[""]["log10_p"][0] < -12
    assert result[""]["band"][0] == "almost certainly fine-tuned"
    assert result[""]["layer_pattern"][0] != ""
    assert result[""]["reasons"][0] != ""


@pytest.mark.parametrize("pair", [1, 2])
def test_independent_shows_no_evidence(result, pair):
    """Norms of a cosine of 0.997, and still nothing."""
    assert verdict(result, pair) == "NO EVIDENCE"
    role, cosine = result["tensors"]["role"], result["tensors"]["cosine"][:, pair]
    assert cosine[np.isin(role, ["attn.norm", "ffn.norm", "final.norm"])].min() > 0.9


def test_the_null_is_calibrated(result):
    assert 0.8 < spread_of_t(result, 1) < 1.4
    t = result["tensors"]["t"][:, 1]
    assert np.nanmax(np.abs(t)) < 5


def test_the_null_sees_a_relative(result):
    t = result["tensors"]["t"][:, 0]
    assert np.nanmean(t) > 40


zoo = pytest.mark.skipif(not ZOO, reason="COGNATE_ZOO is not set")


@pytest.fixture(scope="module")
def dense(cognate, tmp_path_factory):
    names = ("base-a", "base-b", "base-c", "a-cpt")
    return cognate.compare(tmp_path_factory.mktemp("dense") / "r.h5", *(Path(ZOO) / name for name in names), ranks=2)


@zoo
@pytest.mark.parametrize("a, b", [(0, 1), (0, 2), (1, 2)], ids=["base-a:base-b", "base-a:base-c", "base-b:base-c"])
def test_independent_dense_models(dense, a, b):
    pair = list(zip(dense[""]["pair_a"], dense[""]["pair_b"])).index((a, b))
    assert 0.8 < spread_of_t(dense, pair) < 1.4
    assert verdict(dense, pair) == "NO EVIDENCE"


@zoo
def test_continued_at_full_rate(dense):
    """Matrices at a cosine of 0.7 to 0.8 with the base's."""
    pair = list(zip(dense[""]["pair_a"], dense[""]["pair_b"])).index((0, 3))
    assert verdict(dense, pair) == "DERIVED"


@zoo
def test_independent_experts(cognate, tmp_path):
    result = cognate.compare(tmp_path / "r.h5", Path(ZOO) / "moe-a", Path(ZOO) / "moe-b", ranks=2)
    assert 0.8 < spread_of_t(result, 0) < 1.4
    assert verdict(result, 0) == "NO EVIDENCE"
    tensors = result["tensors"]
    routed = [name for name in tensors["name"] if ".experts." in name]
    assert len(set(routed)) == len(routed) == 3 * 8 * len(set(tensors["layer"][tensors["expert"] >= 0]))
    assert sorted(set(tensors["expert"])) == list(range(-1, 8))


@zoo
def test_shapes_that_differ_say_nothing(cognate, tmp_path):
    """Another width of every FFN: what can be compared is, and the verdict accuses nobody of nothing."""
    result = cognate.compare(tmp_path / "r.h5", Path(ZOO) / "base-a", Path(ZOO) / "a-width-pruned", ranks=2)
    assert 0 < result[""]["comparable_fraction"][0] < 1
    assert verdict(result, 0) in ("DERIVED", "INCONCLUSIVE")
