"""`cognate plan` against arithmetic redone from shapes alone, and against what a run really sends."""

import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

import checkpoints

sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir, "bench"))
import make_checkpoint

SYSTEMS = ["solar-open-100b", "mixtral-8x7b", "deepseek-v2", "qwen2-57b-a14b", "llama-3-8b"]
RANKS = [2**k for k in range(13)]
HASH, MEMORY, BANDWIDTH, NODE = 3.5e9, 3e11, 1e11, 64


def planned(cognate, *arguments):
    done = cognate.run("plan", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module", params=SYSTEMS)
def system(request, cognate, tmp_path_factory):
    """The shapes of a published model, and the plans of two of it."""
    config = make_checkpoint.FAMILIES[request.param]
    folder = tmp_path_factory.mktemp("sparse") / request.param
    make_checkpoint.make(folder, config)
    plan = planned(cognate, "--ranks", "1,2,4,...,4096", "--hash-rate", "3.5G", "--memory-rate", "300G",
                   "--bandwidth", "100G", "--ranks-per-node", NODE, folder, folder)
    shutil.rmtree(folder)
    return [shape for _, shape in make_checkpoint.tensors(config)], list(make_checkpoint.tensors(config)), plan


def is_sample(name, shape):
    return ".layers." in name and len(shape) == 2 and min(shape) > 1


def test_what_is_read_and_hashed(system):
    shapes, _, plan = system
    stored = 2 * 2 * sum(map(math.prod, shapes))
    assert plan["stored_bytes"] == stored and plan["slots"] == len(shapes)
    assert [row["ranks"] for row in plan["plans"]] == RANKS
    for row in plan["plans"]:
        ranks = row["ranks"]
        assert row["nodes"] == math.ceil(ranks / NODE)
        assert row["bytes_hashed"] == stored
        assert stored <= row["bytes_read"] <= 2 * stored
        assert (row["bytes_read"] == stored) == (row["split_slots"] == 0)
        assert row["bytes_hashed_most"] >= stored / ranks and row["bytes_read_most"] >= row["bytes_read"] / ranks
        assert row["bytes_hashed_most"] <= row["bytes_read_most"] <= row["node_bytes_read_most"]
    assert plan["plans"][0]["bytes_hashed_most"] == stored


def test_imbalance(system):
    """Loads by the prices of src/plan/deal.c: read 2, hash 6, an element of each member 6, a task 2^17."""
    shapes, _, plan = system
    whole = sum(4 * math.prod(shape) * (2 + 6) + 2 * 6 * math.prod(shape) + 2**17 for shape in shapes)
    for row in plan["plans"]:
        assert row["load"] == whole
        best = max(whole / row["ranks"], row["load_largest"])
        assert row["load_largest"] == max(2 * math.prod(shape) * (2 + 11) + 2**17 for shape in shapes)
        assert row["imbalance"] == pytest.approx(row["load_most"] / best - 1, abs=1e-12)


def test_reductions(system):
    """A pair's slot: 2 members of 6 sums, 1 pair of 2, a null of 3 numbers, two digests."""
    shapes, _, plan = system
    for row in plan["plans"]:
        sent, ranks = row["reductions"], row["ranks"]
        assert sent["digests"] == dict(calls=1, bytes=2 * 32 * len(shapes))
        assert sent["nulls"] == dict(calls=1, bytes=3 * 8 * len(shapes))
        assert sent["embeddings"] == dict(calls=0, bytes=0)
        chunks = sum(math.ceil(math.prod(shape) / 2**21) + 1 for shape in shapes)
        assert sent["table"]["calls"] == 1
        assert 14 * 8 * len(shapes) <= sent["table"]["bytes"] <= 14 * 8 * 2 * chunks
        assert (sent["table"]["bytes"] == 14 * 8 * len(shapes)) == (row["split_slots"] == 0)
        assert row["panels"]["messages"] <= row["split_slots"]
        assert row["panels"]["bytes"] <= 4 * 2**18 * row["panels"]["messages"]
        assert row["messages"] == 3 * ranks * 2 * math.ceil(math.log2(ranks)) + row["panels"]["messages"]
        whole = sum(part["bytes"] for part in sent.values())
        assert row["message_bytes"] == 2 * (ranks - 1) * whole + row["panels"]["bytes"]


def test_samples_and_memory(system):
    _, tensors, plan = system
    samples = 2 * sum(is_sample(name, shape) for name, shape in tensors)
    for row in plan["plans"]:
        rows = min(math.isqrt(row["ranks"]), 1024 // 32)
        assert row["samples"] == samples
        assert row["feature_bytes"] == samples * (1024 + rows) * 8
        features = math.ceil(samples / row["ranks"]) * 1024 * 8
        assert row["memory_bytes"] >= 2**27 + sum(row["reductions"][part]["bytes"] for part in row["reductions"])
        if row["ranks"] == 1:
            alone = row["memory_bytes"] - features
            assert 2**27 < alone < 2**27 + 2**25
        assert row["memory_bytes"] >= 2**27 + features


def test_bounds(system):
    _, _, plan = system
    assert (plan["hash_rate"], plan["memory_rate"], plan["bandwidth"]) == (HASH, MEMORY, BANDWIDTH)
    for row in plan["plans"]:
        seconds = row["seconds"]
        assert seconds["sha256"] == pytest.approx(row["bytes_hashed_most"] / HASH, rel=1e-12)
        assert seconds["memory"] == pytest.approx(3 * row["node_bytes_read_most"] / MEMORY, rel=1e-12)
        assert seconds["file_system"] == pytest.approx(row["bytes_read"] / BANDWIDTH, rel=1e-12)
        assert seconds["work"] == pytest.approx(row["load_most"] / 6 / HASH, rel=1e-12)
        assert row["bound"] == max(("sha256", "memory", "file_system"), key=seconds.get)


def test_rates_are_measured(cognate, examples):
    """Not asked for, they come from this machine: hashing within reach of hashlib's."""
    data, start = bytes(1 << 24), time.process_time()
    hashlib.sha256(data)
    rate = len(data) / (time.process_time() - start)
    plan = planned(cognate, "--ranks", "3", examples / "base-a", examples / "base-b")
    assert rate / 4 < plan["hash_rate"] < 8 * rate
    assert plan["copy_rate"] > 1e8 and plan["memory_rate"] is None and plan["bandwidth"] is None
    seconds = plan["plans"][0]["seconds"]
    assert seconds["file_system"] is None and seconds["memory"] > 0


LISTS = {
    "1": [1],
    "8,2,3": [8, 2, 3],
    "1,2,3,...,6": [1, 2, 3, 4, 5, 6],
    "1,2,4,...,32": [1, 2, 4, 8, 16, 32],
    "4,12,20,...,44,100": [4, 12, 20, 28, 36, 44, 100],
    "1,10,100,...,100": [1, 10, 100],
    "1048576": [1048576],
    "": None,
    "0": None,
    "-1": None,
    "x": None,
    "1,": None,
    ",1": None,
    "1,,2": None,
    "1048577": None,
    "1,2,...,8": None,
    "...,8": None,
    "1,2,4,...": None,
    "1,2,4,...,...,8": None,
    "1,2,4,...,33": None,
    "1,3,4,...,16": None,
    "4,2,1,...,8": None,
    "1,2,3,...,9999": None,
}


@pytest.mark.parametrize("text", LISTS)
def test_lists_of_ranks(cognate, examples, text):
    options = ["--hash-rate", "1G", "--memory-rate", "1G", "--json"]
    done = cognate.run("plan", *options, "--ranks", text, examples / "base-a")
    if LISTS[text] is None:
        assert done.returncode == 2 and "--ranks" in done.stderr and done.stdout == ""
    else:
        assert [row["ranks"] for row in json.loads(done.stdout)["plans"]] == LISTS[text]


@pytest.mark.parametrize("option", ["--hash-rate", "--memory-rate", "--bandwidth", "--ranks-per-node"])
@pytest.mark.parametrize("value", ["", "0", "-5", "fast", "5X", "5GG", "nan", "inf"])
def test_rates_that_are_none(cognate, examples, option, value):
    done = cognate.run("plan", "--ranks", "2", option, value, examples / "base-a")
    assert done.returncode == 2 and option in done.stderr and done.stdout == ""


def test_the_table_says_the_same(cognate, examples):
    arguments = ["--ranks", "1,2,4,...,64", "--hash-rate", "2M", "--memory-rate", "3M", "--bandwidth", "8M",
                 "--ranks-per-node", "16", examples / "base-a", examples / "a-sft"]
    plan = planned(cognate, *arguments)
    lines = cognate.run("plan", *arguments).stdout.splitlines()
    rows = [line.split() for line in lines if line.split() and line.split()[0].isdigit()][-7:]
    for row, of in zip(rows, plan["plans"]):
        assert [int(row[0]), int(row[1]), int(row[3])] == [of["ranks"], of["nodes"], of["messages"]]
        assert float(row[2].rstrip("%")) == pytest.approx(100 * of["imbalance"], abs=0.0051)
        assert float(row[4]) == pytest.approx((of["message_bytes"] + of["feature_bytes"]) / 1e6, abs=0.051)
        assert float(row[5]) == pytest.approx(of["memory_bytes"] / 2**20, abs=0.51)
        for text, name in zip(row[6:10], ("sha256", "memory", "file_system", "work")):
            assert float(text) == pytest.approx(of["seconds"][name], rel=0.01, abs=0.00051)
        assert " ".join(row[10:]) == dict(sha256="SHA-256", memory="memory", file_system="file system")[of["bound"]]


@pytest.fixture(scope="module")
def counted(cognate, interposed, tmp_path_factory):
    """Runs on three ranks and returns what each said: [(call, bytes)] by rank."""
    folder = tmp_path_factory.mktemp("counted")
    library = folder / "mpi_calls.so"
    source = os.path.join(os.path.dirname(__file__), "mpi_calls.c")
    compiler = os.environ.get("CC", "cc").split()[0]
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)

    def run(name, *arguments):
        calls = folder / name
        environment = {"LD_PRELOAD": str(library), "CALLS": str(calls)}
        done = cognate.run("compare", "-q", "-o", folder / f"{name}.h5", *arguments, ranks=3, environment=environment)
        assert done.returncode == 0, done.stderr
        texts = [(folder / f"{name}.{rank}").read_text() for rank in range(3)]
        return [[(line.split()[0], int(line.split()[1])) for line in text.splitlines()] for text in texts]

    return run


def test_what_a_run_really_sends(cognate, counted, tmp_path):
    """With a slot so large that ranks stream its members apart: the very calls, in their order and size."""
    models = []
    for seed in range(2):
        tensors = checkpoints.llama(np.random.default_rng(seed), layers=1)
        tensors["lm_head.weight"] = checkpoints.bf16(np.full((70000, 64), 0.5 + seed))
        models.append(checkpoints.make(tmp_path / f"m{seed}", tensors, checkpoints.llama_config(tensors, vocab_size=128)))
    row = planned(cognate, "--ranks", "3", *models)["plans"][0]
    assert row["split_slots"] == 1 and row["panels"]["messages"] == 1
    said = counted("quick", "--evidence", "quick", "--pca", "none", *models)
    parts = row["reductions"]
    kept = parts["embeddings"]["bytes"] // parts["embeddings"]["calls"]
    wanted = [parts["table"]["bytes"], parts["nulls"]["bytes"], parts["digests"]["bytes"], kept, kept]
    for calls in said:
        assert [size for call, size in calls if call == "allreduce"] == wanted
    sends = [size for calls in said for call, size in calls if call == "send"]
    assert len(sends) == row["panels"]["messages"] and sum(sends) == row["panels"]["bytes"]
    said = counted("pca", "--evidence", "quick", *models)
    assert sum(size for calls in said for call, size in calls if call == "alltoallv") == row["feature_bytes"]
