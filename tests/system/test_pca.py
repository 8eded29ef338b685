"""/pca against scikit-learn on the same samples."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

import checkpoints
import oracle

MODELS = ["base-a", "a-sft", "base-b"]


@pytest.fixture(scope="module")
def folders(examples):
    return [examples / name for name in MODELS]


@pytest.fixture(scope="module")
def matrices(folders, result):
    """[(model, layer, role, values)] of every matrix inside a layer: by model, then in canonical order."""
    order = {name: row for row, name in enumerate(result["tensors"]["name"])}
    found = []
    for m, folder in enumerate(folders):
        named = [(*oracle.slot(name), member) for name, member in checkpoints.read(folder).items()]
        for _, role, layer, member in sorted(named, key=lambda each: order[each[0]]):
            if layer >= 0 and len(member.shape) == 2:
                found.append((m, layer, role, member.values.ravel()))
    return found


@pytest.fixture(scope="module", params=[1000, 200])
def head(request, cognate, folders, tmp_path_factory):
    """Of 168 samples: by their inner products, and by the features' covariance."""
    output = tmp_path_factory.mktemp("head") / "r.h5"
    return cognate.compare(output, *folders, "--pca", f"head:{request.param}", ranks=2)["pca"]


def check_labels(pca, matrices):
    assert pca["sample_model"].tolist() == [each[0] for each in matrices]
    assert pca["sample_layer"].tolist() == [each[1] for each in matrices]
    assert pca["sample_role"].tolist() == [each[2] for each in matrices]
    assert set(pca["sample_expert"]) == {-1}


def check_signs(vectors):
    largest = np.abs(vectors).argmax(axis=1)
    assert (vectors[np.arange(len(vectors)), largest] > 0).all()


def test_head_equals_scikit_learn(head, matrices):
    features = len(head["feature_mean"])
    samples = np.array([each[3][:features] for each in matrices])
    expected = PCA(n_components=10, svd_solver="full").fit(samples)
    check_labels(head, matrices)
    np.testing.assert_allclose(head["explained_variance"], expected.explained_variance_, rtol=1e-8)
    np.testing.assert_allclose(head["explained_variance_ratio"], expected.explained_variance_ratio_, rtol=1e-8)
    np.testing.assert_allclose(head["feature_mean"], samples.mean(0), rtol=1e-12, atol=1e-16)
    signs = np.sign((head["component_vector"] * expected.components_).sum(1))
    scores = expected.transform(samples) * signs
    np.testing.assert_allclose(head["score"], scores, rtol=0, atol=1e-6 * np.abs(scores).max())
    vectors = expected.components_ * signs[:, None]
    np.testing.assert_allclose(head["component_vector"], vectors, rtol=0, atol=1e-6)
    assert f"head:{features}" in head["features"]


def test_signs_and_orthonormality(head, result):
    for pca in (head, result["pca"]):
        vectors = pca["component_vector"]
        check_signs(vectors)
        np.testing.assert_allclose(vectors @ vectors.T, np.eye(len(vectors)), atol=1e-12)


def test_smaller_matrices_stay_out(cognate, tmp_path):
    """Attention's matrices have 256 elements, the FFN's 384; embeddings lie in no layer."""
    models = [checkpoints.llama(np.random.default_rng(seed), hidden=16, intermediate=24) for seed in (1, 2)]
    folders = [checkpoints.make(tmp_path / name, model) for name, model in zip("ab", models)]
    pca = cognate.compare(tmp_path / "r.h5", *folders, "--pca", "head:300", "--components", "3", ranks=3)["pca"]
    assert pca["sample_role"].tolist() == ["ffn.gate", "ffn.up", "ffn.down"] * 4
    assert pca["sample_layer"].tolist() == [0, 0, 0, 1, 1, 1] * 2
    assert pca["score"].shape == (12, 3)
    assert pca["component_vector"].shape == (3, 300)


def test_sketch_is_the_default(result, matrices):
    pca = result["pca"]
    assert "sketch:1024" in pca["features"]
    check_labels(pca, matrices)
    assert pca["score"].shape == (len(matrices), 10) and pca["component_vector"].shape == (10, 1024)
    assert (np.diff(pca["explained_variance"]) <= 0).all()
    assert 0 < pca["explained_variance_ratio"].sum() <= 1


def test_sketch_keeps_distances(cognate, folders, matrices, tmp_path):
    """With all components kept, the distance of two samples is that of their sketches, and a sign sketch keeps
    the distance of two matrices: its square within sqrt(2 / 1024) = 4.4%, one standard deviation."""
    kept = [each for each in matrices if each[0] < 2]
    pca = cognate.compare(
        tmp_path / "r.h5", *folders[:2], "--pca", "sketch:1024", "--components", str(len(kept) - 1)
    )["pca"]
    half = len(kept) // 2
    sketched = np.square(pca["score"][:half] - pca["score"][half:]).sum(1)
    true = [np.square(a[3] - b[3]).sum() for a, b in zip(kept[:half], kept[half:])]
    ratio = sketched / np.array(true)
    ratio /= np.median(ratio)  # whatever the scale of the sketch
    assert ratio.std() < 0.08 and np.abs(ratio - 1).max() < 0.25


def test_sketch_sees_descent(result):
    """Relatives lie on top of each other, independent models apart: over all components kept."""
    score, model = result["pca"]["score"], result["pca"]["sample_model"]
    base, tuned, other = (score[model == m] for m in range(3))
    assert np.linalg.norm(base - tuned) < 0.3 * np.linalg.norm(base - other)


def test_sketch_is_repeatable(cognate, folders, result, tmp_path):
    again = cognate.compare(tmp_path / "r.h5", *folders, "--pca", "sketch:1024", ranks=2)["pca"]
    np.testing.assert_array_equal(again["score"], result["pca"]["score"])


def test_components(cognate, folders, tmp_path):
    pca = cognate.compare(tmp_path / "r.h5", *folders[:2], "--components", "4")["pca"]
    assert pca["score"].shape[1] == len(pca["explained_variance"]) == 4


def test_more_components_than_samples(cognate, tmp_path):
    tensors = checkpoints.llama(np.random.default_rng(1), layers=1)
    folders = [checkpoints.make(tmp_path / name, tensors) for name in "ab"]
    pca = cognate.compare(tmp_path / "r.h5", *folders, "--components", "100")["pca"]
    assert pca["score"].shape == (14, 13)


def test_none_leaves_no_group(cognate, folders, tmp_path):
    assert "pca" not in cognate.compare(tmp_path / "r.h5", *folders[:2], "--pca", "none")
