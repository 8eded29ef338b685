"""p-values of strangers keep to their nulls: the bench's checks, on two small models and permuted and rotated copies."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
import calibration  # noqa: E402

import h5py  # noqa: E402


@pytest.fixture(scope="module")
def found(cognate, examples, tmp_path_factory):
    """What the tests show between base-a, base-b and seeded copies of which only the numbers are left."""
    scratch = tmp_path_factory.mktemp("calibration")
    bases = [examples / "base-a", examples / "base-b"]
    copies = [calibration.strangers(base, scratch, 1) for base in bases]
    rows = [f"{base}\tbase" for base in bases] + [f"{copy}\ttarget" for made in copies for copy in made.values()]
    rows.append(f"{bases[1]}\ttarget")
    (scratch / "models.tsv").write_text("path\trole\n" + "\n".join(rows) + "\n")
    result = cognate.compare(scratch / "r.h5", "--pca", "none", "--manifest", scratch / "models.tsv", ranks=2)
    strange = np.flatnonzero(result[""]["verdict"] != "IDENTICAL")  # base-b is there twice, to meet base-a
    assert len(strange) == 9 and (result[""]["verdict"][strange] == "NO EVIDENCE").all()
    with h5py.File(scratch / "r.h5") as file:
        return calibration.tests_of(file, strange)


@pytest.mark.parametrize("name, tests", [("F, gate", 72), ("F, up", 72), ("F, embedding columns", 9), ("t, shift null", 522),
                                         ("t, products of gate and up", 576), ("K, by rows", 576), ("K, by tokens", 576)])
def test_strangers_keep_to_the_null(found, name, tests):
    assert len(found[name]) == tests
    p, chance, note = calibration.judge(name, found[name])
    assert chance >= calibration.FAILS, note
    assert p.min() > 1e-7


@pytest.mark.parametrize("name, draw, holds", [
    ("F", lambda rng: rng.poisson(1, 2000), True),
    ("F", lambda rng: rng.poisson(1.2, 2000), False),
    ("F", lambda rng: np.append(np.zeros(500, int), 12), False),  # once, but 1 / 12! is next to never
    ("t", lambda rng: rng.standard_t(30, 5000), True),
    ("t", lambda rng: 1.25 * rng.standard_t(30, 5000), False),
    ("t", lambda rng: 0.15 + rng.standard_t(30, 5000), False),
    ("K", lambda rng: rng.poisson(5, 5000), True),
    ("K", lambda rng: rng.poisson(6, 5000), False),
])
def test_what_would_not_hold(name, draw, holds):
    p, chance, _ = calibration.judge(name, draw(np.random.default_rng(1)))
    assert (chance >= calibration.FAILS) == holds


def test_cells_are_those_of_the_verdict(cognate, examples, tmp_path):
    """Of relatives every block finds itself; every cell of strangers and relatives stands once, by b and then by a."""
    result = cognate.compare(tmp_path / "r.h5", "--pca", "none", examples / "base-a", examples / "a-sft")
    cells = result["cells"]
    places = list(zip(cells["layer_b"].tolist(), cells["layer_a"].tolist()))
    assert places == [(b, a) for b in range(8) for a in range(8)]
    assert (cells["expert_a"] == -1).all() and (cells["expert_b"] == -1).all() and (cells["pair"] == 0).all()
    same = cells["layer_a"] == cells["layer_b"]
    assert (cells["by_rows"][same] == 352).all() and (cells["by_rows"][~same] < 35).all() and (cells["units"] == 352).all()
    assert (cells["fixed_gate"][same] == 352).all() and (cells["fixed_up"][same] == 352).all()
    assert (cells["fixed_gate"][~same] == -1).all() and (cells["products_t"][same] > 20).all()
    assert stats.t.sf(cells["products_t"][~same].max(), 30) > 1e-6
    embeddings = result["embeddings"]
    assert embeddings["columns"][0] == embeddings["fixed_columns"][0] == 128 and embeddings["token_gram"][0] > 0.99
