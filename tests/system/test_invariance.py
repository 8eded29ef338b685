"""Forms of one model that say the same: whichever of a pair stands in which form and in which place, the verdict is
that of the plain two."""

import json

import numpy as np
import pytest

import checkpoints
import disguises
from test_views import phi3

FORMS = {
    "permuted": lambda w, rng: disguises.permute(w, rng, signs=True),
    "rotated": disguises.rotate,
    "both": lambda w, rng: disguises.rotate(disguises.permute(w, rng), rng),
    "f16": lambda w, rng: {name: x.astype(np.float16) for name, x in w.items()},
    "f64": lambda w, rng: w,
}
PACKINGS = ("sharded", "fused")
BASES = ("base-a", "base-b")


@pytest.fixture(scope="module")
def forms(examples, tmp_path_factory):
    """A function that writes a form of one of the examples, and gives its folder."""
    folder = tmp_path_factory.mktemp("forms")
    config = json.loads((examples / "base-a" / "config.json").read_text())
    tokenizer = json.loads((examples / "base-a" / "tokenizer.json").read_text())

    def pack(to, tensors, form):
        if form == "fused":
            changed = dict(config, model_type="phi3", architectures=["Phi3ForCausalLM"])
            return checkpoints.make(to, phi3(tensors), changed, tokenizer)
        checkpoints.make(to, tensors, config, tokenizer)
        (to / "model.safetensors").unlink()
        checkpoints.write_shards(to, tensors, 3)
        return to

    def write(name, form):
        to, tensors = folder / f"{name}-{form}", checkpoints.read(examples / name)
        if form in PACKINGS:
            return pack(to, tensors, form)
        w = FORMS[form]({key: x.values for key, x in tensors.items()}, np.random.default_rng(len(name + form)))
        keep = form in ("f16", "f64")
        stored = {key: checkpoints.stored(x if keep else x.astype(np.float32)) for key, x in w.items()}
        return checkpoints.make(to, stored, config, tokenizer)

    return write


@pytest.fixture(scope="module")
def folders(examples, forms):
    """(bases, children): plain ones and forms of both sides."""
    bases = [examples / name for name in BASES] + [forms(name, form) for name in BASES for form in ("both",)]
    return bases, [examples / "a-sft"] + [forms("a-sft", form) for form in (*FORMS, *PACKINGS)]


@pytest.mark.parametrize("turned", [False, True], ids=["as they came", "swapped"])
def test_no_form_changes_a_verdict(cognate, folders, tmp_path, turned):
    bases, children = folders
    rows = [(path, "target" if turned else "base") for path in bases]
    rows += [(path, "base" if turned else "target") for path in children]
    (tmp_path / "models.tsv").write_text("path\trole\n" + "".join(f"{path}\t{role}\n" for path, role in rows))
    found = cognate.compare(tmp_path / "r.h5", "--pca", "none", "--manifest", tmp_path / "models.tsv", ranks=2)[""]
    labels = found["model_label"]
    verdicts = {}
    for a, b, verdict in zip(found["pair_a"], found["pair_b"], found["verdict"]):
        base, child = (labels[b], labels[a]) if turned else (labels[a], labels[b])
        verdicts[base, child] = verdict
    assert len(verdicts) == len(bases) * len(children)
    for (base, child), verdict in verdicts.items():
        assert verdict == ("DERIVED" if base.startswith("base-a") else "NO EVIDENCE"), (base, child)
