"""The bench works, on shapes too small to say anything of speed; its checkpoints have the published shapes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import checkpoints
from conftest import MPI_ENVIRONMENT

BENCH = Path(__file__).resolve().parents[1] / "bench"


def script(name, *arguments, **more):
    return subprocess.run(
        [sys.executable, BENCH / name, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | MPI_ENVIRONMENT | more,
    )


def test_bench_runs(cognate, tmp_path):
    done = script(
        "bench.py",
        "--quick",
        "--rounds",
        "1",
        "--folder",
        tmp_path,
        COGNATE=cognate.program,
        MPIRUN=" ".join(cognate.launcher),
    )
    assert done.returncode == 0, done.stderr
    for row in (
        "2 x openssl dgst -sha256",
        "cognate, 2 ranks, the sweep alone",
        "cognate, 1 rank, the sweep alone",
        "journal, user and system CPU",
        "journal, wall",
        "no slot shared (once)",
        "with PCA (once)",
        "with PCA, full evidence (once)",
        "hashlib (once)",
        "2 x cat",
        "peak memory a rank, 2 ranks",
        "inspect",
        "plan --ranks 1024",
    ):
        assert row in done.stdout, (row, done.stdout)


def test_bench_of_many(cognate, tmp_path):
    """Together, two by two and one by one, every byte is read once."""
    environment = dict(COGNATE=cognate.program, MPIRUN=" ".join(cognate.launcher))
    options = ["--quick", "--rounds", "1", "--folder", tmp_path, "--many"]
    done = script("bench.py", *options, **environment)
    assert done.returncode == 0, done.stderr
    size = 0
    for path in tmp_path.glob("many-*/model.safetensors"):
        size += path.stat().st_size - 8 - int.from_bytes(path.read_bytes()[:8], "little")
    rows = [re.split(r"  +", line.strip()) for line in done.stdout.splitlines()[-3:]]
    assert [row[0] for row in rows] == ["in one run", "in 2 runs of two", "as fingerprints"], done.stdout
    assert [row[-1] for row in rows] == 3 * [f"{size:,}"], done.stdout
    odd = script("bench.py", *options, tmp_path / "many-0", **environment)
    assert odd.returncode != 0 and "even number" in odd.stderr


def test_bench_of_formats(cognate, tmp_path):
    """A row for each type asked for; one that there is not is named."""
    environment = dict(COGNATE=cognate.program, MPIRUN=" ".join(cognate.launcher))
    options = ["--quick", "--rounds", "1", "--folder", tmp_path, "--formats"]
    names = ["bf16", "conv1d", "experts", "int4", "awq", "nf4", "Q4_K"]
    done = script("bench.py", *options, *names[1:], **environment)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[-len(names) :]] == names, done.stdout
    refused = script("bench.py", *options, "int5", **environment)
    assert refused.returncode != 0 and "no such type: int5" in refused.stderr


def test_bench_of_a_library(cognate, tmp_path):
    """A library once made is taken as it is, and cut to the number asked for."""
    environment = dict(COGNATE=cognate.program, MPIRUN=" ".join(cognate.launcher))
    for count in (3, 2):
        done = script(
            "bench.py", "--quick", "--rounds", 1, "--folder", tmp_path, "--library", count, **environment
        )
        assert done.returncode == 0, done.stderr
        for row in (
            f"One model in {count} fingerprints",
            "2 x openssl dgst -sha256",
            "cognate search, 2 ranks",
            "cognate search, 1 rank",
            "peak memory a rank",
        ):
            assert row in done.stdout, (row, done.stdout)
    assert len(list((tmp_path / "library").glob("*.h5"))) == 2


def test_filled_checkpoint(cognate, tmp_path):
    """The filled files are sound, and the same seed gives the same bytes."""
    sizes = [
        word
        for pair in (
            ("hidden_size", 64),
            ("intermediate_size", 96),
            ("vocab_size", 100),
            ("num_hidden_layers", 2),
            ("num_local_experts", 3),
        )
        for word in ("--set", "{}={}".format(*pair))
    ]
    for name in "ab":
        done = script("make_checkpoint.py", "mixtral-8x7b", tmp_path / name, "--seed", 5, "--shard", 100000, *sizes)
        assert done.returncode == 0, done.stderr
    tensors = checkpoints.read(tmp_path / "a")
    assert f"{checkpoints.elements(tensors):,} parameters, {len(tensors)} tensors" in done.stdout
    assert len(json.loads((tmp_path / "a" / "model.safetensors.index.json").read_text())["weight_map"]) == len(
        tensors
    )
    result = cognate.compare(tmp_path / "r.h5", tmp_path / "a", tmp_path / "b", ranks=2)
    assert result[""]["verdict"][0] == "IDENTICAL"
    assert result[""]["parameters"][0] == checkpoints.elements(tensors)
    assert result[""]["num_experts"][0] == 3
    assert (
        sum(
            role.startswith("ffn.") and expert >= 0
            for role, expert in zip(result["tensors"]["role"], result["tensors"]["expert"])
        )
        == 2 * 3 * 3
    )


def test_large_model_by_its_headers(cognate, tmp_path):
    """205 GB of holes: the published parameters and tensors, in no time and hardly any memory."""
    made = script("make_checkpoint.py", "solar-open-100b", tmp_path / "solar")
    assert "102,651,799,552 parameters, 18,963 tensors" in made.stdout
    done = cognate.run("inspect", tmp_path / "solar")
    assert done.returncode == 0, done.stderr
    assert re.search("102[, ]?651[, ]?799[, ]?552", done.stdout) and re.search("18[, ]?963", done.stdout)
    done = cognate.run("plan", "--ranks", "1024", tmp_path / "solar", tmp_path / "solar")
    assert done.returncode == 0, done.stderr
    imbalance = re.search(r"imbalance\D*([\d.]+) ?%", done.stdout)
    assert imbalance and (float(imbalance[1]) <= 5 or "lm_head" in done.stdout or "embed" in done.stdout)


def test_memory_does_not_grow_with_the_model(cognate, tmp_path):
    """Two sparse models of 1.3 GB each, 256 MiB a rank on top of what MPI takes (less than 64 MiB on one machine)."""
    if cognate.sanitized:
        pytest.skip("AddressSanitizer takes memory of its own")
    for name in "ab":
        script(
            "make_checkpoint.py",
            "mixtral-8x7b",
            tmp_path / name,
            "--set",
            "num_hidden_layers=1",
            "--set",
            "num_local_experts=2",
        )
    stats = [(tmp_path / name / "model.safetensors").stat() for name in "ab"]
    assert min(stat.st_size for stat in stats) > 1.3e9 and max(stat.st_blocks for stat in stats) * 512 < 1e6
    run = cognate.compare(tmp_path / "r.h5", tmp_path / "a", tmp_path / "b", ranks=2)["run"]
    assert run["peak_rss_bytes_max"] < (256 + 64) * 2**20
