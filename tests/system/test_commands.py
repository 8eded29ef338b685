"""Each command as a user types it: what it prints, where, and how it ends."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import checkpoints
import results

COMMANDS = ["compare", "inspect", "report", "verify", "plan"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two unrelated small models, a and b, in a folder of their own."""
    folder = tmp_path_factory.mktemp("small")
    for name, seed in (("a", 1), ("b", 2)):
        tensors = checkpoints.llama(np.random.default_rng(seed))
        checkpoints.make(folder / name, tensors, checkpoints.llama_config(tensors))
    return folder


def good(done):
    assert done.returncode == 0, done.stderr
    return done.stdout


# -- help, version ------------------------------------------------------------------------------------------------


def test_help(cognate):
    text = good(cognate.run("--help"))
    assert all(command in text for command in COMMANDS)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(cognate, command):
    done = cognate.run(command, "--help")
    text = good(done)
    assert f"cognate {command}" in text and done.stderr == ""
    assert max(map(len, text.splitlines())) <= 80


def test_compare_help_lists_its_options(cognate):
    text = good(cognate.run("compare", "--help"))
    for option in ("--output", "--manifest", "--pca", "--components", "--quiet", "--stall-timeout", "--buffer", "--skip-broken"):
        assert option in text, option


def kernels(cognate, **environment):
    return re.search(r"^OpenBLAS has kernels for (\S+)$", good(cognate.run("--version", environment=environment)), re.M)[1]


def test_version(cognate):
    assert re.fullmatch(r"cognate \d+\.\d+\S*\nOpenBLAS has kernels for \S+\n", good(cognate.run("--version")))


def test_openblas_takes_kernels_that_suit_the_processor(cognate):
    """Of one that it does not know it would take the oldest."""
    flags = Path("/proc/cpuinfo").read_text().split()
    if "OPENBLAS_CORETYPE" in os.environ or not {"avx2", "fma"} <= set(flags):
        pytest.skip("told which, or a processor without AVX2 and FMA")
    assert kernels(cognate) not in ("Prescott", "Barcelona", "Nehalem", "Sandybridge")
    assert kernels(cognate, OPENBLAS_CORETYPE="Prescott") == "Prescott"  # what the user says holds


def test_help_under_the_launcher_is_said_once(cognate):
    assert good(cognate.run("--version", ranks=2)).count("cognate ") == good(cognate.run("--version")).count(
        "cognate "
    )


# -- inspect, plan ------------------------------------------------------------------------------------------------


def leaves(thing):
    """All numbers and texts in a piece of JSON."""
    if not isinstance(thing, (dict, list)):
        return [thing]
    parts = thing.values() if isinstance(thing, dict) else thing
    return [leaf for part in parts for leaf in leaves(part)]


def test_inspect(cognate, examples):
    text = good(cognate.run("inspect", examples / "base-a", examples / "base-b"))
    tensors = checkpoints.read(examples / "base-a")
    assert re.search(f"{checkpoints.elements(tensors):,}".replace(",", "[, ]?"), text)
    assert str(len(tensors)) in text and "base-a" in text and "base-b" in text
    for number in ("128", "352", "2048"):
        assert re.search(rf"\b{number}\b|\b{int(number):,}\b", text), number


def test_inspect_json(cognate, examples):
    found = json.loads(good(cognate.run("inspect", "--json", examples / "base-a")))
    tensors = checkpoints.read(examples / "base-a")
    values = leaves(found)
    for expected in (checkpoints.elements(tensors), len(tensors), checkpoints.stored_bytes(tensors), 128, 352, 2048):
        assert expected in values, expected


def test_inspect_names_what_no_table_knows(cognate, tmp_path):
    tensors = checkpoints.llama(np.random.default_rng(1)) | {"mystery.blob": checkpoints.stored(np.ones(3))}
    checkpoints.make(tmp_path / "m", tensors)
    assert "mystery.blob" in good(cognate.run("inspect", tmp_path / "m"))


def test_inspect_escapes_names(cognate, tmp_path):
    checkpoints.make(tmp_path / "m", {"evil\x1b[31m\nname": checkpoints.stored(np.ones(3))})
    text = good(cognate.run("inspect", tmp_path / "m"))
    assert "\x1b" not in text and r"evil\x1B[31m\x0Aname" in text


def test_plan(cognate, examples):
    models = [examples / "base-a", examples / "base-b"]
    text = good(cognate.run("plan", "--ranks", "5", *models))
    assert "imbalance" in text and "%" in text and re.search(r"\b5\b", text)
    assert "memory" in text.lower()


def test_plan_names_the_slot_that_bounds(cognate, tmp_path):
    """One tensor of one chunk next to crumbs cannot be split over 64 ranks: plan says which it is."""
    tensors = checkpoints.llama(np.random.default_rng(1), layers=1)
    tensors["lm_head.weight"] = checkpoints.bf16(np.zeros((16000, 64)))
    folders = [checkpoints.make(tmp_path / name, tensors) for name in "ab"]
    assert "lm_head" in good(cognate.run("plan", "--ranks", "64", *folders))


# -- compare: labels, manifests, where models lie ----------------------------------------------------------------


def test_summary_goes_to_stdout(triple):
    _, done = triple
    assert "DERIVED" in done.stdout and "NO EVIDENCE" in done.stdout
    assert done.stderr == ""


def test_progress_goes_to_stderr_without_escapes(cognate, small, tmp_path):
    done = cognate.run("compare", "-o", tmp_path / "r.h5", small / "a", small / "b", ranks=2)
    assert "\x1b" not in good(done) + done.stderr and "\r" not in done.stdout


def test_labels(cognate, small, tmp_path):
    result = cognate.compare(tmp_path / "r.h5", f"first={small / 'a'}", small / "b")
    assert result[""]["model_label"].tolist() == ["first", "b"]
    assert result[""]["model_path"].tolist() == [str(small / "a"), str(small / "b")]


def test_labels_are_made_unique(cognate, small, tmp_path):
    result = cognate.compare(tmp_path / "r.h5", small / "a", small / "a", small / "a")
    assert len(set(result[""]["model_label"])) == 3 and result[""]["model_label"][0] == "a"


def test_a_single_file(cognate, small, tmp_path):
    whole = cognate.compare(tmp_path / "r.h5", small / "a" / "model.safetensors", small / "b")
    assert whole[""]["compared_tensors"].tolist() == [21]


def test_manifest_with_roles(cognate, small, tmp_path):
    for name in "abc":
        shutil.copytree(small / ("a" if name == "c" else name), tmp_path / name)
    (tmp_path / "models.tsv").write_text(
        "# three models\nrole\tpath\tlabel\tfamily\ntarget\tc\tchild\tours\n"
        "# a comment\nbase\ta\tmother\ttheirs\nbase\tb\t\t\n"
    )
    result = cognate.compare(tmp_path / "r.h5", "--manifest", tmp_path / "models.tsv", ranks=2)
    root = result[""]
    assert root["model_label"].tolist() == ["child", "mother", "b"]
    assert root["model_family"].tolist() == ["ours", "theirs", ""]
    assert list(zip(root["pair_a"], root["pair_b"])) == [(1, 0), (2, 0)]
    assert root["verdict"][0] == "IDENTICAL" and root["verdict"][1] != "IDENTICAL"


def test_manifest_with_paths_alone(cognate, small, tmp_path):
    (tmp_path / "models.tsv").write_text(f"path\n{small / 'a'}\n{small / 'b'}\n")
    result = cognate.compare(tmp_path / "r.h5", "--manifest", tmp_path / "models.tsv")
    assert list(zip(result[""]["pair_a"], result[""]["pair_b"])) == [(0, 1)]


def test_names_in_a_download_cache(cognate, small, tmp_path):
    """ORG/NAME, laid out as hubs do: the snapshot holds links into a store of blobs. The newest snapshot counts."""
    store = tmp_path / "models--acme--tiny"
    (store / "blobs").mkdir(parents=True)
    for revision, name in (("1111", "a"), ("2222", "b")):
        snapshot = store / "snapshots" / revision
        snapshot.mkdir(parents=True)
        for file in os.listdir(small / name):
            shutil.copy(small / name / file, store / "blobs" / (revision + file))
            (snapshot / file).symlink_to(f"../../blobs/{revision}{file}")
    os.utime(store / "snapshots" / "1111", (1e9, 1e9))
    environment = {"HF_HUB_CACHE": str(tmp_path)}
    done = cognate.run(
        "compare", "--quiet", "-o", tmp_path / "r.h5", "acme/tiny", small / "b", cwd=tmp_path, environment=environment
    )
    assert "2222" in good(done)  # the summary says which snapshot it was
    assert results.load(tmp_path / "r.h5")[""]["verdict"].tolist() == ["IDENTICAL"]


# -- compare: the same model stored in another way ---------------------------------------------------------------


def test_resharded_is_identical(cognate, examples, tmp_path):
    tensors = checkpoints.read(examples / "base-a")
    shutil.copytree(examples / "base-a", tmp_path / "m", ignore=shutil.ignore_patterns("*.safetensors"))
    checkpoints.write_shards(tmp_path / "m", tensors, 3)
    result = cognate.compare(tmp_path / "r.h5", examples / "base-a", tmp_path / "m", ranks=2)
    root = result[""]
    assert (root["verdict"][0], root["relation"][0]) == ("IDENTICAL", "same bytes")
    assert root["identical_tensors"][0] == root["compared_tensors"][0] == len(tensors)
    assert root["mean_cosine"][0] == pytest.approx(1, abs=1e-14)
    assert result["tensors"]["equal_values"].all() and (result["tensors"]["relative_difference"] == 0).all()


def test_f32_copy_is_identical_in_another_type(cognate, examples, tmp_path):
    tensors = checkpoints.read(examples / "base-a")
    wide = {name: checkpoints.stored(member.values.astype(np.float32)) for name, member in tensors.items()}
    shutil.copytree(examples / "base-a", tmp_path / "m", ignore=shutil.ignore_patterns("*.safetensors"))
    checkpoints.write(tmp_path / "m" / "model.safetensors", wide)
    result = cognate.compare(tmp_path / "r.h5", examples / "base-a", tmp_path / "m", ranks=2)
    assert result[""]["verdict"][0] == "IDENTICAL" and "other type" in result[""]["relation"][0]
    assert result["tensors"]["equal_values"].all() and not result["tensors"]["identical"].any()
    assert set(result["tensors"]["dtype"][:, 1]) == {"F32"}


def test_one_changed_element_is_not_identical(cognate, small, tmp_path):
    tensors = checkpoints.read(small / "a")
    name = "model.layers.1.mlp.up_proj.weight"
    values = tensors[name].values.copy()
    values[95, 63] += 1
    config = checkpoints.llama_config(tensors)
    checkpoints.make(tmp_path / "m", tensors | {name: checkpoints.bf16(values)}, config)
    result = cognate.compare(tmp_path / "r.h5", small / "a", tmp_path / "m", ranks=2)
    assert result[""]["verdict"][0] != "IDENTICAL"
    assert result[""]["identical_tensors"][0] == len(tensors) - 1
    changed = result["tensors"]["name"][~result["tensors"]["equal_values"][:, 0].astype(bool)]
    assert changed.tolist() == ["layers.1.ffn.up"]


def test_tied_embeddings(cognate, small, tmp_path):
    """Without lm_head.weight the embedding serves in its place, where the other model has one of its own."""
    tensors = checkpoints.read(small / "a")
    tied = {name: member for name, member in tensors.items() if name != "lm_head.weight"}
    checkpoints.make(tmp_path / "m", tied, checkpoints.llama_config(tensors, tie_word_embeddings=True))
    result = cognate.compare(tmp_path / "r.h5", small / "a", tmp_path / "m")
    tensors, rows = result["tensors"], result["tensors"]["name"].tolist()
    head, embedding = rows.index("lm_head"), rows.index("embed")
    assert tensors["present"][head].tolist() == [1, 1]
    assert tensors["source_name"][head].tolist() == ["lm_head.weight", "model.embed_tokens.weight"]
    assert tensors["sha256"][head, 1] == tensors["sha256"][embedding, 1]
    assert result[""]["num_tensors"].tolist() == [21, 20]
    assert result["run"]["bytes_read"] == result[""]["stored_bytes"].sum()


def test_two_tied_models_have_no_second_slot(cognate, small, tmp_path):
    tensors = checkpoints.read(small / "a")
    tensors.pop("lm_head.weight")
    config = checkpoints.llama_config(tensors, tie_word_embeddings=True)
    folders = [checkpoints.make(tmp_path / name, tensors, config) for name in "ab"]
    result = cognate.compare(tmp_path / "r.h5", *folders)
    assert "lm_head" not in result["tensors"]["name"]
    assert result[""]["compared_tensors"].tolist() == [20]


# -- each byte read once -----------------------------------------------------------------------------------------

WRAPPER = """#!/bin/sh
# Runs the program as a child; what a child read is its parent's account once it has been waited for.
"$@"
status=$?
cat /proc/$$/io > "$(mktemp "$IO_FOLDER/XXXXXX")"
exit $status
"""


def rchar(folder):
    """All bytes that went through read and its kin, over all ranks."""
    return sum(int(re.search(r"rchar: (\d+)", (folder / name).read_text())[1]) for name in os.listdir(folder))


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="no /proc/self/io here")
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_every_stored_byte_is_read_once(cognate, tmp_path, ranks):
    rng = np.random.default_rng(1)
    tensors = checkpoints.llama(rng, layers=4, hidden=512, intermediate=1408, vocabulary=2048)
    folders = [checkpoints.make(tmp_path / name, tensors) for name in "abc"]
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(WRAPPER)
    wrapper.chmod(0o755)
    seen = []
    for models in (
        folders,
        [checkpoints.make(tmp_path / str(i), checkpoints.llama(rng, layers=4, hidden=8)) for i in range(3)],
    ):
        io = tmp_path / f"io{len(seen)}"
        io.mkdir()
        result = cognate.compare(
            tmp_path / f"r{len(seen)}.h5",
            *models,
            "--pca",
            "none",
            "--evidence",
            "quick",
            ranks=ranks,
            wrapper=[wrapper],
            environment={"IO_FOLDER": str(io)},
        )
        assert result["run"]["bytes_read"] == result[""]["stored_bytes"].sum()
        seen.append(rchar(io) - result[""]["stored_bytes"].sum())
    # What is left is libraries, MPI and the finished file: as much for large models as for tiny ones.
    assert abs(seen[0] - seen[1]) < 0.02 * 3 * checkpoints.stored_bytes(tensors), seen


# -- the result in other hands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
@pytest.mark.parametrize("group", [None, "tensors", "layers", "experts", "embeddings", "pca", "run"])
def test_xarray_opens_every_group(triple, engine, group):
    pytest.importorskip(dict(h5netcdf="h5netcdf", netcdf4="netCDF4")[engine])
    xarray = pytest.importorskip("xarray")
    with xarray.open_dataset(triple[0], engine=engine, group=group) as data:
        data.load()
        if group is None:
            assert dict(data.sizes) == {"model": 3, "pair": 3, "skipped": 0}
            assert [str(text) for text in data.model_label.astype(str).values] == ["base-a", "a-sft", "base-b"]
            assert data.same_architecture.dtype == bool
            assert data.attrs["Conventions"] == "CF-1.11, ACDD-1.3" and data.attrs["cognate_schema"] == 1
            assert data.attrs["source"].startswith("cognate ") and data.attrs["title"] and data.attrs["references"]
        if group == "tensors":
            assert dict(data.sizes) == {"tensor": 75, "model": 3, "pair": 3}
            assert data.cosine.dims == ("tensor", "pair") and data.cosine.dtype == np.float64
        if group == "run":
            assert data.attrs["status"] == "complete" and data.attrs["ranks"] == 2
        assert all(variable.attrs.get("long_name") for variable in data.data_vars.values())


@pytest.mark.parametrize("ranks", [1, 2])
def test_run_attributes(cognate, small, tmp_path, ranks):
    run = cognate.compare(tmp_path / "r.h5", small / "a", small / "b", ranks=ranks)["run"]
    assert run["ranks"] == ranks and run["hosts"] == 1 and run["status"] == "complete"
    assert "compare" in run["history"] and re.match(r"\d{4}-\d\d-\d\d", run["date_created"])
    assert 0 < run["sweep_seconds"] <= run["wall_seconds"] < 100 and 0 <= run["read_seconds_mean"] <= run["read_seconds_max"] < 100
    assert 1e6 < run["peak_rss_bytes_max"] < 1e9


# -- report, verify ----------------------------------------------------------------------------------------------


def test_report_is_the_summary(cognate, triple):
    """compare ends with one line more: where the result lies."""
    path, done = triple
    assert good(cognate.run("report", path)) + f"Result: {path}\n" == done.stdout


@pytest.mark.parametrize("locale, ascii_only", [("C", True), ("C.UTF-8", False)])
def test_report_fits_the_locale(cognate, triple, locale, ascii_only):
    text = good(cognate.run("report", triple[0], environment={"LC_ALL": locale}))
    assert text.isascii() == ascii_only
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    for word in ("base-a", "a-sft", "base-b", "DERIVED", "NO EVIDENCE", "hidden size", "vocabulary"):
        assert word in text, word


def test_report_colours_only_a_terminal(cognate, triple):
    """Under a pseudo-terminal there is colour; with NO_COLOR there is none."""
    script = shutil.which("script")
    if not script:
        pytest.skip("script(1) is not here")
    import shlex
    import subprocess

    command = shlex.join(cognate.command("report", triple[0]))
    for name, colour in (("", True), ("1", False)):
        environment = os.environ | {"TERM": "xterm", "LC_ALL": "C.UTF-8"} | ({"NO_COLOR": name} if name else {})
        done = subprocess.run(
            [script, "-qec", command, "/dev/null"], capture_output=True, env=environment, timeout=60
        )
        assert done.returncode == 0
        assert (b"\x1b[" in done.stdout) == colour


def test_report_json(cognate, triple, result):
    found = json.loads(good(cognate.run("report", "--json", triple[0])))
    values = leaves(found)
    for expected in ("base-a", "DERIVED", "NO EVIDENCE"):
        assert expected in values, expected
    assert any(isinstance(v, float) and v == pytest.approx(result[""]["mean_cosine"][0], rel=1e-6) for v in values)


def test_verify_good(cognate, triple):
    assert cognate.run("verify", triple[0]).returncode == 0


@pytest.fixture
def damaged(triple, tmp_path):
    path = tmp_path / "damaged.h5"
    shutil.copy(triple[0], path)
    return path


def refused(done, *words):
    assert done.returncode == 1
    assert re.fullmatch(r"cognate: error: .*\n", done.stderr), done.stderr
    assert all(word in done.stderr for word in words), done.stderr


@pytest.mark.parametrize(
    "variable", ["model_label", "tensors/cosine", "tensors/sha256", "pca/score", "embeddings/token_cosine"]
)
def test_verify_sees_a_flipped_bit(cognate, damaged, variable):
    import h5py

    with h5py.File(damaged, "r") as file:
        dataset = file[variable]
        assert dataset.chunks is None or dataset.id.get_num_chunks() > 0
        offset = dataset.id.get_offset() if dataset.chunks is None else dataset.id.get_chunk_info(0).byte_offset
    with open(damaged, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 4]))
    refused(cognate.run("verify", damaged), "damaged.h5", variable.split("/")[-1])


@pytest.mark.parametrize("keep", [0, 100, 0.5, -1])
def test_verify_sees_a_cut(cognate, damaged, keep):
    size = damaged.stat().st_size
    os.truncate(damaged, int(size * keep) if isinstance(keep, float) else keep if keep >= 0 else size + keep)
    refused(cognate.run("verify", damaged), "damaged.h5")


def test_verify_sees_a_missing_variable(cognate, damaged):
    import h5py

    with h5py.File(damaged, "r+") as file:
        del file["tensors/t"]
    refused(cognate.run("verify", damaged), "damaged.h5", "tensors/t")


def test_verify_refuses_another_file(cognate, examples):
    refused(cognate.run("verify", examples / "base-a" / "model.safetensors"), "model.safetensors")


def test_report_refuses_another_file(cognate, examples):
    refused(cognate.run("report", examples / "base-a" / "config.json"), "config.json")
