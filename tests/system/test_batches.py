"""Many models in one run: every broken one is told before the sweep, or left out and recorded; each is read once."""

import json
import os
import shutil
import struct
import xml.etree.ElementTree

import numpy as np
import pytest
import xarray

import checkpoints
import results

WEIGHTS = "model.safetensors"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 4865522496\n"


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def cut_header(folder):
    os.truncate(folder / WEIGHTS, 100)


def miss_a_shard(folder):
    tensors = checkpoints.read(folder)
    (folder / WEIGHTS).unlink()
    checkpoints.write_shards(folder, tensors, 2)
    (folder / "model-00002-of-00002.safetensors").unlink()


def contradict_a_shape(folder):
    change_config(folder, hidden_size=4096)


def contradict_a_fused_tensor(folder):
    """Only the taking apart of qkv_proj shows that the heads cannot be these."""
    tensors = checkpoints.read(folder)
    for name in [name for name in tensors if name.endswith("q_proj.weight")]:
        parts = [tensors.pop(name.replace("q_proj", part)) for part in ("q_proj", "k_proj", "v_proj")]
        fused = np.concatenate([part.values for part in parts]).astype(np.float32)
        tensors[name.replace("q_proj", "qkv_proj")] = checkpoints.stored(fused)
    checkpoints.write(folder / WEIGHTS, tensors)
    change_config(folder, model_type="phi3", num_attention_heads=5, num_key_value_heads=5, head_dim=16)


# What is done to a sound model, and what its line must say.
BROKEN = {
    "cut-header": (cut_header, [WEIGHTS, "100"]),
    "no-shard": (miss_a_shard, ["model-00002-of-00002.safetensors"]),
    "lfs-pointer": (lambda folder: (folder / WEIGHTS).write_text(LFS), [WEIGHTS, "LFS"]),
    "other-shape": (contradict_a_shape, ["config.json", "hidden_size", "4096"]),
    "other-heads": (contradict_a_fused_tensor, ["config.json", "qkv_proj"]),
    "no-folder": (shutil.rmtree, ["no such file or folder"]),
    "broken-config": (lambda folder: os.truncate(folder / "config.json", 9), ["config.json", "at byte"]),
    "nested-header": (
        lambda folder: (folder / WEIGHTS).write_bytes(struct.pack("<Q", 9**5) + b"[" * 9**5),
        [WEIGHTS, "nested|deep"],
    ),
}


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """Two sound models and one of each kind that is not, with a manifest of all: sound ones first and last."""
    folder = tmp_path_factory.mktemp("family")
    for seed, name in enumerate(("first", *BROKEN, "last")):
        tensors = checkpoints.llama(np.random.default_rng(seed))
        checkpoints.make(folder / name, tensors, checkpoints.llama_config(tensors))
    for name, (damage, _) in BROKEN.items():
        damage(folder / name)
    (folder / "models.tsv").write_text("path\n" + "".join(f"{name}\n" for name in ("first", *BROKEN, "last")))
    return folder


def lines_of(done, kind):
    start = f"cognate: {kind}: "
    return [line.removeprefix(start) for line in done.stderr.splitlines() if line.startswith(start)]


def check_told(lines):
    """A line for each, in the order of the manifest, that names the file and the fault."""
    assert len(lines) == len(BROKEN)
    for line, (name, (_, words)) in zip(lines, BROKEN.items()):
        assert name in line
        for word in words:
            assert any(part in line for part in word.split("|")), line


@pytest.mark.parametrize("ranks", [0, 3])
def test_all_faults_are_told_at_once(cognate, family, tmp_path, ranks):
    (tmp_path / "r.h5").write_bytes(b"older")
    done = cognate.run("compare", "-o", tmp_path / "r.h5", "--manifest", family / "models.tsv", ranks=ranks)
    assert done.returncode == 1 and done.stdout == ""
    *lines, last = lines_of(done, "error")
    check_told(lines)
    assert "--skip-broken" in last
    assert os.listdir(tmp_path) == ["r.h5"] and (tmp_path / "r.h5").read_bytes() == b"older"


@pytest.mark.parametrize("command", [["inspect"], ["plan", "--ranks", "4"]])
def test_other_commands_tell_all_faults(cognate, family, command):
    done = cognate.run(*command, *(family / name for name in ("first", *BROKEN)))
    assert done.returncode == 1 and done.stdout == ""
    *lines, last = lines_of(done, "error")
    check_told(lines)
    assert last == f"{len(BROKEN)} models are broken"


@pytest.fixture(scope="module")
def skipped(cognate, family, tmp_path_factory):
    """The result of a run without the broken ones, and its words."""
    path = tmp_path_factory.mktemp("skipped") / "r.h5"
    done = cognate.run("compare", "--skip-broken", "-o", path, "--manifest", family / "models.tsv", ranks=2)
    assert done.returncode == 0, done.stderr
    return path, done


def test_the_result_without_broken_models(cognate, family, skipped, tmp_path):
    """All else is what a run of the sound ones alone gives, but for netCDF's numbers of dimensions."""
    path, done = skipped
    check_told([line.split(": ", 1)[1] for line in lines_of(done, "warning") if "left out" in line])
    cognate.compare(tmp_path / "r.h5", family / "first", family / "last")
    alone, found = results.fingerprint(tmp_path / "r.h5"), results.fingerprint(path)
    ours = [place for place in alone if "skipped" not in place and "@_Netcdf4" not in place]
    assert len(ours) > 500 and [place for place in ours if alone[place] != found[place]] == []
    root = results.load(path)[""]
    assert root["skipped_label"].tolist() == list(BROKEN)
    assert root["skipped_path"].tolist() == [str(family / name) if (family / name).exists() else name for name in BROKEN]
    check_told(root["skipped_error"])
    for engine in ("h5netcdf", "netcdf4"):
        with xarray.open_dataset(path, engine=engine) as read:
            assert read.skipped_label.values.astype(str).tolist() == list(BROKEN)


def test_what_is_shown_of_broken_models(cognate, skipped):
    path, done = skipped
    errors = results.load(path)[""]["skipped_error"].tolist()
    text = " ".join(done.stdout.split("Broken models, left out")[1].split("Architecture")[0].split())
    for label, error in zip(BROKEN, errors):
        assert f"{label}: {' '.join(error.split())}".replace(" ", "") in text.replace(" ", "")
    shown = json.loads(cognate.run("report", "--json", path).stdout)["skipped"]
    assert [row["skipped_label"] for row in shown] == list(BROKEN)
    assert [row["skipped_error"] for row in shown] == errors
    page = cognate.run("report", "--html", "-", path).stdout.partition("\n")[2]
    table = [item for item in xml.etree.ElementTree.fromstring(page).iter() if item.get("class") == "skipped"]
    rows = [["".join(cell.itertext()) for cell in row] for row in table[0].iter() if row.tag.endswith("tr")]
    assert [row[0] for row in rows[1:]] == list(BROKEN) and [row[2] for row in rows[1:]] == errors


def test_nothing_to_skip(cognate, family, tmp_path):
    result = cognate.compare(tmp_path / "r.h5", "--skip-broken", family / "first", family / "last")
    assert result[""]["skipped_label"].shape == (0,)
    assert "left out" not in cognate.run("report", tmp_path / "r.h5").stdout


def test_broken_models_given_as_arguments(cognate, family, tmp_path):
    result = cognate.compare(
        tmp_path / "r.h5", "--skip-broken", *(family / name for name in ("first", "no-shard", "last")), ranks=2
    )
    assert result[""]["skipped_label"].tolist() == ["no-shard"]
    assert result[""]["model_label"].tolist() == ["first", "last"]


# Models and roles of which no pair is left.
TOO_FEW = {
    "one model": "path\nfirst\nlfs-pointer\n",
    "none": "path\nlfs-pointer\nno-shard\n",
    "no base": "path\trole\nfirst\ttarget\nlast\ttarget\nlfs-pointer\tbase\n",
    "no target": "path\trole\nfirst\tbase\nlast\t\nlfs-pointer\ttarget\n",
}


@pytest.mark.parametrize("text", TOO_FEW.values(), ids=TOO_FEW.keys())
def test_no_pair_is_left(cognate, family, tmp_path, text):
    manifest = family / f"{tmp_path.name}.tsv"
    manifest.write_text(text)
    done = cognate.run("compare", "--quiet", "--skip-broken", "-o", tmp_path / "r.h5", "-m", manifest, ranks=2)
    assert done.returncode == 1 and done.stdout == ""
    *lines, last = lines_of(done, "error")
    assert len(lines) == sum(name in text for name in BROKEN) and "LFS" in " ".join(lines)
    assert "no two are left" in last
    assert os.listdir(tmp_path) == []


def test_what_breaks_in_the_run_ends_it(cognate, family, tmp_path, interposed):
    """Reading fails after the metadata: nobody was told that the model would be missing."""
    fault = interposed(f"pread last/{WEIGHTS} 4 cut")
    shutil.copytree(family / "last", tmp_path / "last")
    done = cognate.run(
        "compare", "--skip-broken", "-o", tmp_path / "r.h5", family / "first", tmp_path / "last", environment=fault
    )
    assert done.returncode == 1 and not (tmp_path / "r.h5").exists()
    assert any(f"last/{WEIGHTS}" in line for line in lines_of(done, "error"))


def test_models_that_share_no_slot(cognate, tmp_path):
    """Nothing is read but their own bytes, once, and nothing compared: no inner product, no null, no split."""
    models = []
    for seed, hidden in enumerate((64, 96, 128)):
        tensors = checkpoints.llama(np.random.default_rng(seed), hidden=hidden)
        models.append(checkpoints.make(tmp_path / f"m{hidden}", tensors, checkpoints.llama_config(tensors)))
    result = cognate.compare(tmp_path / "r.h5", "--evidence", "quick", "--pca", "none", *models, ranks=2)
    assert result[""]["compared_tensors"].tolist() == [0, 0, 0]
    assert result["run"]["bytes_read"] == result[""]["stored_bytes"].sum() and result["run"]["bytes_reread"] == 0
    plan = json.loads(cognate.run("plan", "--json", "--ranks", "2", *models).stdout)["plans"][0]
    assert plan["reductions"]["nulls"]["bytes"] == 0
    assert plan["reductions"]["table"]["bytes"] == 6 * 8 * result[""]["num_tensors"].sum()


@pytest.mark.skipif(not os.environ.get("COGNATE_ZOO"), reason="COGNATE_ZOO is not set")
def test_every_model_of_many_is_read_once(cognate, tmp_path):
    """Twenty models of which most share slots: all the bytes stored in their tensors, and not one more."""
    zoo = os.environ["COGNATE_ZOO"]
    names = sorted(name for name in os.listdir(zoo) if os.path.exists(os.path.join(zoo, name, WEIGHTS)))
    paths = [os.path.join(zoo, name) for name in names] + [os.path.join(zoo, name) for name in names[:2]]
    (tmp_path / "models.tsv").write_text("path\n" + "".join(f"{path}\n" for path in paths))
    result = cognate.compare(
        tmp_path / "r.h5", "--evidence", "quick", "--pca", "none", "-m", tmp_path / "models.tsv", ranks=2
    )
    whole = sum(
        len(tensor.data) for path in paths for tensor in checkpoints.read(tmp_path / path).values()
    )
    assert len(paths) == 20 and result["run"]["bytes_read"] == whole
    assert result["run"]["bytes_reread"] == 0 and len(result[""]["verdict"]) == 190
