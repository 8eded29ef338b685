"""Nothing lost: a run that is cut off goes on where it stood and ends in the same bits; one run at a time."""

import errno
import functools
import os
import random
import signal
import subprocess
import time

import numpy as np
import pytest

import results
from conftest import MPI_ENVIRONMENT

WEIGHTS = "model.safetensors"
PCA = ("--pca", "sketch:64")
EAGER = ("--journal-every", "0.000001", *PCA)  # every task goes to disk as it ends
TEMPORARY = 75
KILLS = int(os.environ.get("COGNATE_KILLS", "3"))


@pytest.fixture(scope="module")
def models(examples):
    return [examples / name for name in ("base-a", "a-sft")]


@pytest.fixture(scope="module")
def undisturbed(cognate, models, tmp_path_factory):
    """The result of a run that nothing happened to."""
    path = tmp_path_factory.mktemp("undisturbed") / "r.h5"
    return results.fingerprint(path) if cognate.compare(path, *models) else None


@pytest.fixture
def output(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "r.h5"


def start(cognate, output, models, *options, **more):
    return cognate.run("compare", *EAGER, *options, "-o", output, *models, **more)


def check_whole(output, undisturbed):
    found = results.fingerprint(output)
    assert [place for place in undisturbed if undisturbed[place] != found.get(place)] == []
    assert os.listdir(output.parent) == ["r.h5"]


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_killed_again_and_again(cognate, models, undisturbed, interposed, output, ranks):
    """SIGKILL of a rank at random reads; each start goes on from the last, and the bits are those of one run."""
    rng = random.Random(ranks)
    starts = resumed = 0
    while not output.exists():
        environment = {}
        if starts < 4:
            fault = f"pread {WEIGHTS} {rng.randrange(3, 24)} kill"
            environment = interposed(fault, FAULT_RANK=str(rng.randrange(ranks)))
        done = start(cognate, output, models, ranks=ranks, environment=environment)
        resumed += "going on where an earlier run stood" in done.stderr
        starts += 1
        assert (done.returncode == 0) == output.exists()
    assert starts >= 2 and resumed >= 1
    check_whole(output, undisturbed)


def ranks_of(launcher):
    """Process numbers of the ranks that a launcher has started."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as file:
                name, _, rest = file.read().rpartition(")")
        except OSError:
            continue  # it has ended meanwhile
        if int(rest.split()[1]) == launcher and "cognate" in name:
            found.append(int(entry))
    return sorted(found)


@pytest.fixture(scope="module")
def timed(cognate, models, tmp_path_factory):
    """Where the undisturbed result on so many ranks lies, and how long it took."""

    @functools.cache
    def make(ranks, evidence):
        path, start = tmp_path_factory.mktemp("timed") / "r.h5", time.monotonic()
        cognate.compare(path, *PCA, "--evidence", evidence, *models, ranks=ranks)
        return path, time.monotonic() - start

    return make


@pytest.mark.parametrize("kill", range(KILLS))
def test_killed_at_a_random_moment(cognate, models, timed, tmp_path, kill):
    """Of 1 to 4 ranks one gets SIGKILL at any time from the start of a run to after its end. Many such kills:
    COGNATE_KILLS=50."""
    rng = random.Random(f"kill {kill}")
    ranks, evidence = 1 + kill % 4, rng.choice(["quick", "quick", "full"])
    undisturbed, seconds = timed(ranks, evidence)
    command = ["compare", *EAGER, "--evidence", evidence, "-o", tmp_path / "r.h5", *models]
    run = subprocess.Popen(
        cognate.command(*command, ranks=ranks),
        env=os.environ | MPI_ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(rng.uniform(0, 1.1 * seconds))
    alive = ranks_of(run.pid)
    if alive:
        os.kill(rng.choice(alive), signal.SIGKILL)
    try:
        status = run.wait(60)
    except subprocess.TimeoutExpired:  # Open MPI's launcher itself, of a rank that died as it was starting
        run.kill()
        status = run.wait()
    assert status != 0 or (tmp_path / "r.h5").exists()
    done = cognate.run(*command, ranks=ranks)
    assert done.returncode == 0, done.stderr
    print(f"kill {kill}: {ranks} ranks, {evidence}, {len(alive)} alive, status {status}, then", *done.stderr.splitlines())
    wanted, found = results.fingerprint(undisturbed), results.fingerprint(tmp_path / "r.h5")
    assert [place for place in wanted if wanted[place] != found.get(place)] == []
    assert os.listdir(tmp_path) == ["r.h5"]
    pca = [results.load(path)["pca"] for path in (undisturbed, tmp_path / "r.h5")]
    for name in ("score", "explained_variance", "component_vector"):  # ScaLAPACK itself differs in its last bits
        np.testing.assert_allclose(pca[1][name], pca[0][name], rtol=0, atol=1e-9 * np.abs(pca[0][name]).max())


def test_what_is_done_is_not_read_again(cognate, models, interposed, output):
    whole = sum((model / WEIGHTS).stat().st_size for model in models)
    start(cognate, output, models, environment=interposed(f"pread {WEIGHTS} 100 kill"))
    done = start(cognate, output, models)
    assert done.returncode == 0, done.stderr
    assert 0 < results.load(output)["run"]["bytes_read"] < 0.9 * whole


@pytest.mark.parametrize("ranks", [0, 3])
def test_a_signal_stops_in_good_order(cognate, models, undisturbed, interposed, output, ranks):
    fault = interposed(f"pread {WEIGHTS} 40 usr1", FAULT_RANK="0")
    done = start(cognate, output, models, ranks=ranks, environment=fault)
    assert done.returncode == TEMPORARY, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("cognate: error: ")]
    assert lines == [
        "cognate: error: stopped by a signal (User defined signal 1); the same command goes on from here"
    ]
    assert done.stdout == "" and not output.exists()
    done = start(cognate, output, models, ranks=ranks)
    assert done.returncode == 0 and "going on where" in done.stderr
    check_whole(output, undisturbed)


@pytest.mark.parametrize("ranks, rank, read", [(0, 0, 400), (3, 2, 200)])
def test_a_signal_after_the_sweep(cognate, models, undisturbed, interposed, output, ranks, rank, read):
    """While files are read again for the evidence: the journal holds all tasks, and nothing is swept again."""
    fault = interposed(f"pread {WEIGHTS} {read} usr1", FAULT_RANK=str(rank))
    command = ["compare", "-o", output, *models]
    done = cognate.run(*command, ranks=ranks, environment=fault)
    assert done.returncode == TEMPORARY, done.stderr
    assert done.stderr.count("stopped by a signal (User defined signal 1); the same command goes on") == 1
    assert done.stdout == "" and not output.exists()
    done = cognate.run(*command, ranks=ranks)
    assert done.returncode == 0 and "75 of 75 tasks are done" in done.stderr
    assert results.load(output)["run"]["bytes_read"] == 0
    check_whole(output, undisturbed)


def test_a_signal_without_a_journal(cognate, models, interposed, output):
    done = start(cognate, output, models, "--no-journal", environment=interposed(f"pread {WEIGHTS} 40 usr1"))
    assert done.returncode == TEMPORARY and "no journal is kept" in done.stderr
    assert [name for name in os.listdir(output.parent) if not name.startswith(".")] == []


def interrupted(cognate, output, models, interposed):
    """A journal of some tasks. Returns its one file."""
    done = start(cognate, output, models, environment=interposed(f"pread {WEIGHTS} 100 usr1"))
    assert done.returncode == TEMPORARY, done.stderr
    return output.parent / "r.h5.journal" / "rank-0"


@pytest.mark.parametrize("change", ["option", "input", "order", "ranks"])
def test_another_run_starts_anew(cognate, models, interposed, output, tmp_path, change):
    copies = []
    for model in models:
        copies.append(tmp_path / model.name)
        copies[-1].mkdir()
        for file in model.iterdir():
            (copies[-1] / file.name).write_bytes(file.read_bytes())
    interrupted(cognate, output, copies, interposed)
    options, ranks = [], 0
    if change == "option":
        options = ["--pca", "sketch:65"]
    if change == "input":
        os.utime(copies[1] / WEIGHTS)
    if change == "order":
        copies.reverse()
    if change == "ranks":
        ranks = 2
    done = start(cognate, output, copies, *options, ranks=ranks)
    assert done.returncode == 0, done.stderr
    assert "of other inputs or options: starting anew" in done.stderr and "going on" not in done.stderr
    cognate.compare(tmp_path / "anew.h5", *copies, *options, ranks=ranks)
    check_whole(output, results.fingerprint(tmp_path / "anew.h5"))


@pytest.mark.parametrize("damage", ["cut", "flip", "flip the header", "empty", "foreign"])
def test_a_damaged_journal(cognate, models, undisturbed, interposed, output, damage):
    """Whole records before the damage count, nothing behind it."""
    journal = interrupted(cognate, output, models, interposed)
    content = bytearray(journal.read_bytes())
    if damage == "cut":
        content = content[: len(content) * 95 // 100]
    if damage == "flip":
        content[len(content) * 95 // 100] ^= 1
    if damage == "flip the header":
        content[20] ^= 1
    if damage == "empty":
        content = b""
    if damage == "foreign":
        content = os.urandom(5000)
    journal.write_bytes(content)
    done = start(cognate, output, models)
    assert done.returncode == 0, done.stderr
    assert ("going on" in done.stderr) == (damage in ("cut", "flip"))
    check_whole(output, undisturbed)


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_journal_that_cannot_be_written(cognate, models, undisturbed, interposed, output, call):
    """One warning, and the run goes on without; what failed is not tried again."""
    done = start(cognate, output, models, environment=interposed(f"{call} journal/ 3 {errno.ENOSPC}"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("this run keeps no journal from here on") == 1
    check_whole(output, undisturbed)


def test_two_runs_on_one_result(cognate, models, undisturbed, interposed, output):
    """The second is refused while the first lives, and goes on where it stood when it is dead."""
    environment = os.environ | MPI_ENVIRONMENT | interposed(f"pread {WEIGHTS} 100 stop")
    first = subprocess.Popen(
        cognate.command("compare", *EAGER, "-o", output, *models), env=environment, stderr=subprocess.PIPE
    )
    try:
        while open(f"/proc/{first.pid}/stat").read().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.01)
        second = start(cognate, output, models)
        assert second.returncode == 1
        assert f"another run is writing this result: process {first.pid} on " in second.stderr
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    done = start(cognate, output, models)
    assert done.returncode == 0 and "going on where" in done.stderr
    check_whole(output, undisturbed)
