"""Mistakes and bad input as a user meets them: one line that says what, where and why, and nothing half-written."""

import errno
import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess

import numpy as np
import pytest

import checkpoints
import results
from checkpoints import stored

WEIGHTS = "model.safetensors"
TENSOR = "model.layers.1.mlp.up_proj.weight"
OLD = b"the result of an older run"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    for name, seed in (("a", 1), ("b", 2)):
        tensors = checkpoints.llama(np.random.default_rng(seed))
        checkpoints.make(folder / name, tensors, checkpoints.llama_config(tensors))
    return folder


@pytest.fixture
def bad(small, tmp_path):
    """A copy of b, for a test to spoil."""
    return shutil.copytree(small / "b", tmp_path / "bad")


@pytest.fixture
def output(tmp_path):
    """Where an older result lies; a failed run leaves it and its folder as they are."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "r.h5").write_bytes(OLD)
    return folder / "r.h5"


def own_lines(done):
    """What cognate itself said; a launcher adds words of its own."""
    return [line for line in done.stderr.splitlines() if line.startswith("cognate: ")]


def check_refused(done, *words, status=(1,), alone=True, warned=False):
    assert done.returncode in status, done.stderr
    lines = [line for line in own_lines(done) if not (warned and line.startswith("cognate: warning: "))]
    assert len(lines) == 1 and lines[0].startswith("cognate: error: "), done.stderr
    if alone and not warned:
        assert done.stderr == lines[0] + "\n"
    for word in words:
        assert re.search(word, lines[0]), (word, lines[0])
    assert done.stdout == ""


def check_untouched(output):
    assert output.read_bytes() == OLD
    assert os.listdir(output.parent) == [output.name]


# -- wrong usage --------------------------------------------------------------------------------------------------

USAGE = [
    ([], "command"),
    (["frobnicate"], "frobnicate"),
    (["--frobnicate"], "--frobnicate"),
    (["compare"], "-o|--output"),
    (["compare", "A", "B"], "-o|--output"),
    (["compare", "-o", "OUT"], "model"),
    (["compare", "-o", "OUT", "A"], "two models"),
    (["compare", "-o", "OUT", "--frobnicate", "A", "B"], "--frobnicate"),
    (["compare", "-o"], "-o|--output"),
    (["compare", "-o", "OUT", "--pca", "tail:5", "A", "B"], "--pca.*tail:5"),
    (["compare", "-o", "OUT", "--pca", "head:0", "A", "B"], "--pca.*head:0"),
    (["compare", "-o", "OUT", "--pca", "head:", "A", "B"], "--pca"),
    (["compare", "-o", "OUT", "--pca", "sketch:12x", "A", "B"], "--pca.*12x"),
    (["compare", "-o", "OUT", "--components", "0", "A", "B"], "--components"),
    (["compare", "-o", "OUT", "--components", "many", "A", "B"], "--components.*many"),
    (["compare", "-o", "OUT", "--buffer", "-1", "A", "B"], "--buffer"),
    (["compare", "-o", "OUT", "--stall-timeout", "soon", "A", "B"], "--stall-timeout.*soon"),
    (["inspect"], "model"),
    (["inspect", "--frobnicate", "A"], "--frobnicate"),
    (["plan", "A"], "--ranks"),
    (["plan", "--ranks", "0", "A"], "--ranks"),
    (["plan", "--ranks", "99999999999999999999", "A"], "--ranks"),
    (["report"], "RESULT|result"),
    (["report", "A", "B"], "B|one"),
    (["verify"], "RESULT|result"),
]


@pytest.mark.parametrize("arguments, word", USAGE, ids=[" ".join(row[0]) or "nothing" for row in USAGE])
def test_wrong_usage(cognate, small, output, arguments, word):
    places = {"A": small / "a", "B": small / "b", "OUT": output}
    done = cognate.run(*(places.get(argument, argument) for argument in arguments))
    check_refused(done, word, status=(2,))
    check_untouched(output)


def test_wrong_usage_on_several_ranks(cognate):
    check_refused(cognate.run("compare", "--frobnicate", ranks=3), "--frobnicate", status=(2,), alone=False)


# -- models that are broken ---------------------------------------------------------------------------------------


def rewrite_header(folder, change):
    """The header of the weights, changed as JSON or as text."""
    path = folder / WEIGHTS
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    text = change(data[8 : 8 + length].decode())
    path.write_bytes(struct.pack("<Q", len(text.encode())) + text.encode() + data[8 + length :])


def entry(change):
    """Spoils the header's entry of TENSOR."""

    def apply(text):
        entries = json.loads(text)
        change(entries[TENSOR])
        return json.dumps(entries)

    return lambda folder: rewrite_header(folder, apply)


def shift(by):
    def change(found):
        found["data_offsets"] = [offset + by for offset in found["data_offsets"]]

    return entry(change)


def config(**changes):
    def apply(folder):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return apply


def in_place_of_weights(content):
    return lambda folder: (folder / WEIGHTS).write_bytes(content)


def index(change):
    """Two shards with an index, spoilt."""

    def apply(folder):
        tensors = checkpoints.read(folder)
        (folder / WEIGHTS).unlink()
        checkpoints.write_shards(folder, tensors, 2)
        path = folder / "model.safetensors.index.json"
        found = json.loads(path.read_text())
        text = change(folder, found["weight_map"])
        path.write_text(text or json.dumps(found))

    return apply


def outside(folder, weight_map):
    shutil.move(folder / weight_map[TENSOR], folder.parent / "x.safetensors")
    for name, file in list(weight_map.items()):
        weight_map[name] = "../x.safetensors" if file == weight_map[TENSOR] else file


def special(make):
    def apply(folder):
        (folder / WEIGHTS).unlink()
        make(folder / WEIGHTS)

    return apply


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 4865522496\n"

BROKEN = {
    "weights missing": (lambda folder: (folder / WEIGHTS).unlink(), ["bad"]),
    "folder missing": (shutil.rmtree, ["bad"]),
    "empty file": (in_place_of_weights(b""), [WEIGHTS]),
    "seven bytes": (in_place_of_weights(b"1234567"), [WEIGHTS]),
    "Git-LFS pointer": (in_place_of_weights(LFS), [WEIGHTS, "LFS"]),
    "web page": (in_place_of_weights(b"<!DOCTYPE html><html><body>Sign in</body></html>"), [WEIGHTS, "HTML"]),
    "header longer than the file": (in_place_of_weights(struct.pack("<Q", 10**6) + b"{}"), [WEIGHTS, "1000000"]),
    "header of 2^63": (in_place_of_weights(struct.pack("<Q", 1 << 63) + b"{}"), [WEIGHTS]),
    "header is an array": (in_place_of_weights(struct.pack("<Q", 2) + b"[]"), [WEIGHTS, "at byte"]),
    "header nested deeply": (in_place_of_weights(struct.pack("<Q", 100000) + b"[" * 100000), [WEIGHTS]),
    "cut by one byte": (
        lambda folder: os.truncate(folder / WEIGHTS, (folder / WEIGHTS).stat().st_size - 1),
        [WEIGHTS],
    ),
    "trailing byte": (lambda folder: (folder / WEIGHTS).open("ab").write(b"x"), [WEIGHTS]),
    "unknown type": (entry(lambda e: e.update(dtype="F7")), [WEIGHTS, TENSOR, "F7"]),
    "shape not the range": (entry(lambda e: e.update(shape=[97, 64])), [WEIGHTS, TENSOR, "97|12416"]),
    "size of 2^64 - 2": (entry(lambda e: e.update(shape=[2, 2**64 - 2])), [WEIGHTS, "18446744073709551614"]),
    "shape overflows": (entry(lambda e: e.update(shape=[2**32, 2**32])), [WEIGHTS, TENSOR]),
    "rank 1000": (entry(lambda e: e.update(shape=[1] * 1000)), [WEIGHTS, TENSOR]),
    "shape missing": (entry(lambda e: e.pop("shape")), [WEIGHTS, TENSOR, "shape"]),
    "overlap": (shift(-2), [WEIGHTS, "overlap"]),
    "hole": (shift(2), [WEIGHTS, "at byte"]),
    "duplicate tensor": (
        lambda folder: rewrite_header(folder, lambda text: text.replace("layers.0.", "layers.1.")),
        [WEIGHTS],
    ),
    "FIFO": (special(os.mkfifo), [WEIGHTS]),
    "folder in place of a file": (special(os.mkdir), [WEIGHTS]),
    "device": (special(lambda path: path.symlink_to("/dev/zero")), [WEIGHTS]),
    "hidden_size against shapes": (config(hidden_size=128), ["hidden_size", "128", "64"]),
    "hidden_size is text": (config(hidden_size="64"), ["config.json", "hidden_size"]),
    "hidden_size is negative": (config(hidden_size=-1), ["config.json", "hidden_size", "-1"]),
    "config is cut": (lambda folder: os.truncate(folder / "config.json", 20), ["config.json", "at byte"]),
    "config with NaN": (
        lambda folder: (folder / "config.json").write_text('{"hidden_size": NaN}'),
        ["config.json", "at byte"],
    ),
    "shard missing": (index(lambda folder, names: (folder / names[TENSOR]).unlink()), ["model-0000[12]-of-00002"]),
    "shard outside": (index(outside), [r"\.\./x"]),
    "mapped tensor absent": (index(lambda folder, names: names.update(ghost=names[TENSOR])), ["ghost"]),
    "tensor not in the index": (index(lambda folder, names: names.pop(TENSOR) and None), [TENSOR]),
    "name twice in the index": (
        index(lambda folder, names: json.dumps(dict(weight_map=names)).replace("layers.0.", "layers.1.")),
        ["index.json"],
    ),
}


@pytest.mark.parametrize("damage, words", BROKEN.values(), ids=BROKEN.keys())
def test_broken_model(cognate, small, bad, output, damage, words):
    damage(bad)
    done = cognate.run("compare", "-o", output, small / "a", bad)
    check_refused(done, *words, warned=True)
    check_untouched(output)


@pytest.mark.parametrize("case", ["cut by one byte", "FIFO", "hidden_size against shapes", "folder missing"])
def test_broken_model_on_several_ranks(cognate, small, bad, output, case):
    damage, words = BROKEN[case]
    damage(bad)
    check_refused(cognate.run("compare", "-o", output, small / "a", bad, ranks=3), *words, alone=False, warned=True)
    check_untouched(output)


@pytest.mark.parametrize("command", [["inspect"], ["inspect", "--json"], ["plan", "--ranks", "4"]])
def test_broken_model_inspected(cognate, bad, command):
    BROKEN["unknown type"][0](bad)
    check_refused(cognate.run(*command, bad), WEIGHTS, TENSOR, "F7", warned=True)


def test_terminal_escapes_in_an_error(cognate, small, tmp_path, output):
    checkpoints.make(tmp_path / "m", {"evil\x1b[31m\nname": checkpoints.Tensor("F32", (3,), b"12345678")})
    done = cognate.run("compare", "-o", output, small / "a", tmp_path / "m")
    check_refused(done, r"evil\\x1B\[31m\\x0Aname", warned=True)
    assert "\x1b" not in done.stderr


def test_wrong_total_size_is_a_warning(cognate, small, bad, tmp_path):
    index(lambda folder, names: json.dumps(dict(metadata=dict(total_size=7), weight_map=names)))(bad)
    done = cognate.run("compare", "-o", tmp_path / "r.h5", small / "b", bad)
    assert done.returncode == 0
    assert any(
        line.startswith("cognate: warning: ") and "total_size" in line for line in own_lines(done)
    ), done.stderr
    assert results.load(tmp_path / "r.h5")[""]["verdict"].tolist() == ["IDENTICAL"]


def test_nothing_finite_is_a_warning(cognate, small, bad, tmp_path):
    tensors = checkpoints.read(bad)
    checkpoints.write(bad / WEIGHTS, tensors | {TENSOR: stored(np.full((96, 64), np.nan, np.float32))})
    done = cognate.run("compare", "-o", tmp_path / "r.h5", small / "a", bad)
    assert done.returncode == 0
    assert any("warning" in line and TENSOR in line or "finite" in line for line in own_lines(done)), done.stderr


# -- manifests ----------------------------------------------------------------------------------------------------

MANIFESTS = {
    "empty": ("", ["models.tsv"]),
    "no path column": ("label\tfamily\nx\ty\n", ["models.tsv", "path"]),
    "unknown column": ("path\tcolour\na\tred\n", ["models.tsv", "colour"]),
    "unknown role": ("path\trole\na\tbase\nb\tcousin\n", ["models.tsv", "cousin", "3"]),
    "one model": ("path\na\n", ["two models"]),
    "no target": ("path\trole\na\tbase\nb\tbase\n", ["target"]),
    "a model that is not there": ("path\na\nnowhere\n", ["nowhere"]),
}


@pytest.mark.parametrize("text, words", MANIFESTS.values(), ids=MANIFESTS.keys())
def test_manifest(cognate, small, tmp_path, output, text, words):
    for name in "ab":
        (tmp_path / name).symlink_to(small / name)
    (tmp_path / "models.tsv").write_text(text)
    check_refused(cognate.run("compare", "-o", output, "--manifest", tmp_path / "models.tsv"), *words, status=(1, 2))
    check_untouched(output)


# -- where the result goes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["nowhere/r.h5", "out", "out/r.h5/r.h5", "/proc/r.h5"])
def test_output_that_cannot_be(cognate, small, tmp_path, output, place):
    done = cognate.run("compare", "-o", tmp_path / place, small / "a", small / "b")
    check_refused(done, re.escape(place.split("/")[0] or "/proc"), status=(1, 2))
    check_untouched(output)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_output_folder_without_permission(cognate, small, output):
    output.parent.chmod(0o555)
    try:
        check_refused(cognate.run("compare", "-o", output, small / "a", small / "b"), "ermission")
    finally:
        output.parent.chmod(0o755)
    check_untouched(output)


def test_output_replaces_an_older_one(cognate, small, output):
    cognate.compare(output, small / "a", small / "b")
    assert os.listdir(output.parent) == ["r.h5"]


def test_file_size_limit(cognate, small, output):
    """A limit of 20 kB on what a process may write stands for a full disk."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    done = cognate.run(
        "compare",
        "--no-journal",
        "-o",
        output,
        small / "a",
        small / "b",
        environment={"PMIX_MCA_gds": "hash"},
        preexec_fn=limit,
        restore_signals=False,
    )
    check_refused(done, "r.h5", alone=False)
    check_untouched(output)


# -- the machine fails --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crumbs(tmp_path_factory):
    """Two models of two tensors: few calls to fail."""
    folder = tmp_path_factory.mktemp("crumbs")
    for name, seed in (("a", 1), ("b", 2)):
        rng = np.random.default_rng(seed)
        tensors = {
            "model.norm.weight": stored(rng.standard_normal(64)),
            "lm_head.weight": stored(rng.standard_normal((99, 64))),
        }
        checkpoints.make(folder / name, tensors)
    return [folder / "a", folder / "b"]


def growing():
    """1, 2, 3, 5, 8, ...: which call to fail next."""
    k, step = 1, 1
    while True:
        yield k
        k, step = k + step, k


@pytest.mark.parametrize(
    "call, error, part",
    [
        ("pread", errno.EIO, WEIGHTS),
        ("write", errno.ENOSPC, ".tmp"),
        ("fsync", errno.EIO, "out"),
        ("rename", errno.EACCES, "out/"),
    ],
)
def test_every_call_that_may_fail(cognate, crumbs, output, interposed, call, error, part):
    """The k-th call fails, for growing k, until a run passes: each failure is refused, names the file and leaves
    the older result or, when only the last step was left to do, a good new one."""
    for k in growing():
        done = cognate.run(
            "compare", "--quiet", "--no-journal", "-o", output, *crumbs,
            environment=interposed(f"{call} {part} {k} {error}"),
        )
        if done.returncode == 0:
            break
        check_refused(done, WEIGHTS if call == "pread" else "r.h5|out", alone=False)
        assert os.listdir(output.parent) == ["r.h5"]
        assert output.read_bytes() == OLD or cognate.run("verify", output).returncode == 0
    assert k > 1, "no call was made to fail"
    assert cognate.run("verify", output).returncode == 0


@pytest.fixture
def disk(tmp_path):
    """A file system of a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs leave to mount a tmpfs")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("free", [0, 30000, 1000000])
def test_a_small_disk(cognate, crumbs, disk, free):
    """The journal ends with a warning where it does not fit; a result that does not fit leaves nothing."""
    (disk / "r.h5").write_bytes(OLD)
    room = os.statvfs(disk)
    filler = bytes(max(0, room.f_bavail * room.f_frsize - free))
    (disk / "filler").write_bytes(filler)
    done = cognate.run("compare", "--journal-every", "0.000001", "-o", disk / "r.h5", *crumbs, ranks=2)
    if free < 1000000:
        errors = [line for line in own_lines(done) if line.startswith("cognate: error: ")]
        assert done.returncode == 1 and len(errors) == 1 and "r.h5" in errors[0] and "o space left" in errors[0]
        assert (disk / "r.h5").read_bytes() == OLD
    else:
        assert done.returncode == 0, done.stderr
    assert ("keeps no journal" in done.stderr) == (free == 0)
    shutil.rmtree(disk / "r.h5.journal", ignore_errors=True)
    assert sorted(os.listdir(disk)) == ["filler", "r.h5"]


def test_a_disk_that_stays_full(cognate, crumbs, output, interposed):
    done = cognate.run(
        "compare", "--quiet", "--no-journal", "-o", output, *crumbs, ranks=2,
        environment=interposed(f"write out/ 0 {errno.ENOSPC}"),
    )
    check_refused(done, "r.h5", "[Nn]o space", alone=False)
    check_untouched(output)


@pytest.mark.parametrize("action", ["short", str(errno.EINTR)])
def test_short_and_interrupted_reads_are_gone_on_with(cognate, crumbs, tmp_path, interposed, action):
    cognate.compare(tmp_path / "r.h5", *crumbs)
    k = 0 if action == "short" else 3  # every read interrupted would never end
    cognate.compare(tmp_path / "s.h5", *crumbs, environment=interposed(f"pread {WEIGHTS} {k} {action}"))
    assert results.fingerprint(tmp_path / "r.h5") == results.fingerprint(tmp_path / "s.h5")


def test_lines_that_one_call_reads(cognate, tmp_path, output, interposed):
    """Of a matrix stored (in, out) whole lines come by one call: cut short they are gone on with, failed refused."""
    models = []
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        tensors = {"h.0.mlp.c_fc.weight": checkpoints.bf16(rng.standard_normal((40, 640)))}
        config = dict(model_type="gpt2", n_embd=40, n_head=4, n_layer=1, n_inner=640)
        checkpoints.make(tmp_path / f"gpt2-{seed}", tensors, config)
        models.append(tmp_path / f"gpt2-{seed}")
    cognate.compare(tmp_path / "r.h5", *models)
    cognate.compare(tmp_path / "s.h5", *models, environment=interposed(f"preadv {WEIGHTS} 0 short"))
    assert results.fingerprint(tmp_path / "r.h5") == results.fingerprint(tmp_path / "s.h5")
    failed = cognate.run("compare", "-o", output, *models, environment=interposed(f"preadv {WEIGHTS} 2 {errno.EIO}"))
    check_refused(failed, f"gpt2-2/{WEIGHTS}", "h.0.mlp.c_fc.weight", "Input/output error", alone=False)
    check_untouched(output)


@pytest.mark.parametrize("action, ranks", [("replace", 0), ("replace", 2), ("cut", 0), ("cut", 2)])
def test_a_shard_that_changes_during_the_run(cognate, small, bad, tmp_path, output, interposed, action, ranks):
    """At the second read of its tensors the file is exchanged for another of the same size, or cut."""
    shutil.copy(small / "a" / WEIGHTS, tmp_path / "other")
    environment = interposed(f"pread bad/{WEIGHTS} 4 {action}", FAULT_FILE=str(tmp_path / "other"), FAULT_RANK="0")
    command = ["compare", "--quiet", "--no-journal", "-o", output, small / "a", bad]
    done = cognate.run(*command, environment=environment, ranks=ranks, cwd=tmp_path)
    check_refused(done, f"bad/{WEIGHTS}", "changed|replaced|ends|short|cut", alone=False)
    check_untouched(output)


@pytest.mark.parametrize("action", ["replace", "cut"])
def test_a_file_that_changes_after_the_sweep(cognate, examples, tmp_path, output, interposed, action):
    """While its rows are read again, for the evidence."""
    bad = shutil.copytree(examples / "a-sft", tmp_path / "bad")
    shutil.copy(examples / "base-a" / WEIGHTS, tmp_path / "other")
    environment = interposed(f"pread bad/{WEIGHTS} 100 {action}", FAULT_FILE=str(tmp_path / "other"))
    done = cognate.run(
        "compare", "--pca", "none", "-o", output, examples / "base-a", bad, environment=environment, cwd=tmp_path
    )
    check_refused(done, f"bad/{WEIGHTS}", "changed|replaced|ends|short|cut", alone=False)
    assert output.read_bytes() == OLD


@pytest.mark.parametrize("rank", ["0", "1", "2"])
def test_a_killed_rank_ends_the_run(cognate, small, output, interposed, rank):
    done = cognate.run(
        "compare",
        "--quiet",
        "-o",
        output,
        small / "a",
        small / "b",
        ranks=3,
        environment=interposed(f"pread {WEIGHTS} 3 kill", FAULT_RANK=rank),
    )
    assert done.returncode != 0
    assert output.read_bytes() == OLD


def test_a_kill_while_writing_leaves_the_old_result(cognate, crumbs, output, interposed):
    """The next run clears what the killed one left behind."""
    environment = interposed("fsync out/ 1 kill")
    assert cognate.run("compare", "--quiet", "-o", output, *crumbs, environment=environment).returncode != 0
    assert output.read_bytes() == OLD
    cognate.compare(output, *crumbs)
    assert os.listdir(output.parent) == ["r.h5"]


@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_stopped_rank_is_noticed(cognate, small, output, interposed, rank):
    """SIGSTOP on one rank: another names it, and the run ends by itself. Rank 0 watches all, rank 1 watches rank 0."""
    done = cognate.run(
        "compare",
        "--quiet",
        "--stall-timeout",
        "2",
        "-o",
        output,
        small / "a",
        small / "b",
        ranks=3,
        environment=interposed(f"pread {WEIGHTS} 3 stop", FAULT_RANK=rank),
    )
    assert done.returncode != 0
    assert any(re.search(f"rank {rank} has given no sign", line) for line in own_lines(done)), done.stderr
    assert output.read_bytes() == OLD


@pytest.mark.parametrize(
    "action, rank, says",
    [
        ("stop", 2, r"rank 0: rank 2 has given no sign of life for 6 s \(evidence\); it was reading "),
        ("hold", 0, r"rank 0: no answer to a read for 1 s: "),
        ("hold", 1, r"rank 1: no answer to a read for 1 s: "),
    ],
)
def test_a_rank_that_stalls_after_the_sweep(cognate, examples, output, interposed, tmp_path, action, rank, says):
    """Stopped, or in a read that hangs, while files are read again. The next start sweeps nothing again."""
    (tmp_path / "gate").touch()
    fault = interposed(
        f"pread {WEIGHTS} 200 {action}", FAULT_RANK=str(rank), FAULT_FILE=str(tmp_path / "gate")
    )
    command = ["compare", "--pca", "none", "-o", output, examples / "base-a", examples / "a-sft"]
    done = cognate.run(*command, "--stall-timeout", "1", ranks=3, environment=fault)
    assert done.returncode != 0 and output.read_bytes() == OLD
    assert any(re.search(says + r".*(base-a|a-sft)/model.safetensors \(at byte \d+\)", line) for line in own_lines(done))
    assert "75 of 75 tasks are done" in cognate.run(*command, ranks=3).stderr
