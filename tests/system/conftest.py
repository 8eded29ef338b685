"""The built program as its users start it: COGNATE names it, MPIRUN the launcher with its options."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

import results

# Open MPI's own words when a rank fails, and its consent to run in a container.
MPI_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
SECONDS = 180  # no run of these tests needs a tenth of it; a hang is a failure


class Cognate:
    """Runs the program. ranks=0: without a launcher, as one process."""

    def __init__(self, program, launcher):
        self.program, self.launcher = program, launcher

    @property
    def sanitized(self):
        """Whether it was built with AddressSanitizer, which wants memory and the first place among libraries."""
        return "libasan" in subprocess.run(["ldd", self.program], capture_output=True, text=True).stdout

    def command(self, *arguments, ranks=0, wrapper=()):
        launch = [*self.launcher, "-n", str(ranks)] if ranks else []
        return [*launch, *wrapper, self.program, *map(str, arguments)]

    def run(self, *arguments, ranks=0, wrapper=(), environment=None, **options):
        return subprocess.run(
            self.command(*arguments, ranks=ranks, wrapper=wrapper),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=SECONDS,
            env=os.environ | MPI_ENVIRONMENT | (environment or {}),
            **options
        )

    def compare(self, output, *arguments, **options):
        """A comparison that must succeed; returns the result, loaded."""
        done = self.run("compare", "--quiet", "-o", output, *arguments, **options)
        assert done.returncode == 0, done.stderr
        return results.load(output)


@pytest.fixture(scope="session")
def cognate():
    program = os.environ.get("COGNATE")
    if not program:
        pytest.exit("COGNATE must name the program under test", returncode=2)
    return Cognate(program, shlex.split(os.environ.get("MPIRUN", "mpirun --oversubscribe")))


@pytest.fixture(scope="session")
def examples():
    given = os.environ.get("EXAMPLES")
    return Path(given) if given else Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def triple(cognate, examples, tmp_path_factory):
    """Where the result of base-a, a-sft and base-b lies, made once on two ranks, with the run's own words."""
    path = tmp_path_factory.mktemp("triple") / "result.h5"
    models = [examples / name for name in ("base-a", "a-sft", "base-b")]
    done = cognate.run("compare", "--quiet", "-o", path, *models, ranks=2)
    assert done.returncode == 0, done.stderr
    return path, done


@pytest.fixture(scope="session")
def result(triple):
    """That result, loaded. Pairs: base-a a-sft, base-a base-b, a-sft base-b."""
    return results.load(triple[0])


@pytest.fixture(scope="session")
def interposed(cognate, tmp_path_factory):
    """Environment that makes one call fail, see interpose.c: interposed("pread model.safetensors 2 5")."""
    compiler = shutil.which(os.environ.get("CC", "cc").split()[0])
    if cognate.sanitized or not compiler:
        pytest.skip("needs a C compiler and a program without sanitizers")
    library = tmp_path_factory.mktemp("interpose") / "interpose.so"
    source = os.path.join(os.path.dirname(__file__), "interpose.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)

    def environment(fault, **more):
        return {"LD_PRELOAD": str(library), "FAULT": fault} | more

    return environment
