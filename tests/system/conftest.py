"""The built program as its users start it: COGNATE names it, MPIRUN the launcher with its options."""

import math
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import checkpoints
import results

# Open MPI's own words when a rank fails, and its consent to run in a container.
MPI_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
NASTY = """<script>alert("1")&amp;'x'--><b>"""  # a label
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
        """A comparison that must succeed; returns the result, loaded. Of few features unless told otherwise: by
        default components take longer than all else of a small model."""
        few = [] if "--pca" in arguments else ["--pca", "sketch:32"]
        done = self.run("compare", "--quiet", *few, "-o", output, *arguments, **options)
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


@pytest.fixture(scope="session")
def mapped(cognate, tmp_path_factory):
    """Two MoE models of one origin whose layers and experts are then said to come from elsewhere."""
    folder = tmp_path_factory.mktemp("moe")
    config = dict(model_type="mixtral", hidden_size=64, num_hidden_layers=3, num_attention_heads=4, vocab_size=128,
                  num_key_value_heads=4, intermediate_size=32, num_local_experts=4, num_experts_per_tok=2)
    first = checkpoints.moe(np.random.default_rng(1))
    second = first | {"lm_head.weight": checkpoints.bf16(np.ones((128, 64), np.float32))}
    models = [checkpoints.make(folder / "a", first, config), checkpoints.make(folder / "b", second, config)]
    path = folder / "r.h5"
    before = cognate.compare(path, f"{NASTY}={models[0]}", models[1])
    n = len(before["experts"]["pair"])
    assert n == 12
    rng = np.random.default_rng(2)
    similarity = rng.uniform(-0.3, 1, (1, 3, 3))
    similarity[0, 1] = [math.nan, 1, 0.05]
    cosine = before["layers"]["cosine"]
    cosine[0, 1, 1] = math.nan
    cosine[0, 2, 0] = -0.31
    expert_a = rng.permutation(12) % 4
    expert_a[3] = -1
    layer_a = before["experts"]["layer_b"].copy()
    layer_a[5] = 2
    results.edit(path, layers__similarity=similarity, layers__layer_map=[[2, -1, 0]], layers__cosine=cosine,
         layers__layer_log10_p=[[-123.4, math.nan, -0.5]], experts__expert_a=expert_a, experts__layer_a=layer_a,
         experts__cosine=rng.uniform(0.2, 1, n))
    return path
