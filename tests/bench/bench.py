#!/usr/bin/env python3
"""How fast cognate compares two checkpoints, against openssl on the same files and a script in Python.

Makes two unrelated one-layer Mixtral 8x7B checkpoints (3.4 GB each), reads them once so that they lie in the page
cache, and takes turns: two `openssl dgst -sha256` side by side, cognate on 2 ranks and on 1 rank, `cat`; the median
of the rounds counts. cognate's own seconds run from after MPI_Init to the finished file; the launcher's start and end
are what the whole process takes beyond that. Then what the journal costs; and, on sparse files of Solar-Open-100B's
true shapes, inspect and plan.
With --formats instead: how fast each stored type is swept, by stored byte, against bf16 (formats.py).
With --many instead: twenty models in one run against ten runs of two (many.py).
With --library N instead: a search of one model among N fingerprints of small ones (library.py).
COGNATE names the program, MPIRUN the launcher with its options.
"""

import argparse
import json
import os
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py

import make_checkpoint
import many
from formats import SHAPE, SMALL, bench_formats
from library import bench_library

HERE = Path(__file__).resolve().parent
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
QUICK = dict(hidden_size=256, intermediate_size=512, vocab_size=1000, num_local_experts=2)
MIB = 1 << 20

# What a notebook would do: one tensor after the other, its hashes, its cosine.
SCRIPT = """
import hashlib, sys
from safetensors import safe_open
if sys.argv[3] == "torch":
    import torch
    raw = lambda x: x.flatten().view(torch.uint8).numpy()
    cosine = lambda a, b: torch.nn.functional.cosine_similarity(a.flatten().double(), b.flatten().double(), dim=0).item()
else:
    import numpy
    raw = lambda x: x
    def wide(x):
        return (x.view(numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32).astype(numpy.float64).ravel()
    def cosine(a, b):
        a, b = wide(a), wide(b)
        return a @ b / numpy.sqrt((a @ a) * (b @ b))
def tensors(path):
    if sys.argv[3] == "torch":
        with safe_open(path, framework="pt") as file:
            for name in file.keys():
                yield name, file.get_tensor(name)
    else:
        import json, struct
        with open(path, "rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            entries = json.loads(file.read(length))
            for name in sorted(entries):
                begin, end = entries[name]["data_offsets"]
                file.seek(8 + length + begin)
                yield name, numpy.fromfile(file, numpy.uint8, end - begin)
for (name, a), (_, b) in zip(tensors(sys.argv[1]), tensors(sys.argv[2])):
    print(name, hashlib.sha256(raw(a)).hexdigest(), hashlib.sha256(raw(b)).hexdigest(), cosine(a, b))
"""


def seconds_of(*commands):
    """Wall seconds of commands that run side by side and must succeed."""
    start = time.perf_counter()
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | ENVIRONMENT) for command in commands
    ]
    if any([process.wait() for process in running]):
        sys.exit(f"bench: failed: {shlex.join(map(str, commands[0]))}")
    return time.perf_counter() - start


class Bench:
    def __init__(self, program, launcher, folder):
        self.program, self.launcher, self.folder = program, launcher, folder

    def mpi(self, ranks, *command):
        return [*self.launcher, "-n", str(ranks), *map(str, command)]

    def compare(self, ranks, models, *options):
        """(its own seconds, the whole process's, peak bytes of a rank)."""
        output = self.folder / "result.h5"
        whole = seconds_of(self.mpi(ranks, self.program, "compare", "--quiet", *options, "-o", output, *models))
        with h5py.File(output, "r") as file:
            run = {name: float(file["run"].attrs[name].item()) for name in ("wall_seconds", "peak_rss_bytes_max")}
        return run["wall_seconds"], whole, run["peak_rss_bytes_max"]

    def bare_mpi(self):
        """Peak bytes of a rank that only starts and ends MPI; None without a compiler."""
        compiler = shutil.which(shlex.split(os.environ.get("MPICC") or "mpicc")[0])
        if not compiler:
            return None
        program = self.folder / "bare_mpi"
        subprocess.run([compiler, "-o", program, HERE / "bare_mpi.c"], check=True)
        done = subprocess.run(
            self.mpi(2, program), capture_output=True, text=True, check=True, env=os.environ | ENVIRONMENT
        )
        return max(map(int, done.stdout.split()))


def make_models(folder, options):
    """Two filled checkpoints, and a third that shares no slot with them; what an earlier run of the same shapes left is taken as it is."""
    config = dict(make_checkpoint.FAMILIES["mixtral-8x7b"], num_hidden_layers=1)
    config.update(QUICK if options.quick else {})
    for key, value in (("num_hidden_layers", options.layers), ("num_local_experts", options.experts)):
        config.update({key: value} if value else {})
    models = []
    narrow = dict(config, hidden_size=config["hidden_size"] * 3 // 4)
    for seed, config in ((1, config), (2, config), (3, narrow)):
        model = folder / f"mixtral-{seed}"
        made = json.dumps([config, seed])
        if not (model / "made").exists() or (model / "made").read_text() != made:
            shutil.rmtree(model, ignore_errors=True)
            make_checkpoint.make(model, config, seed, limit=1 << 62)
            (model / "made").write_text(made)
        models.append(model)
    return models


def row(name, seconds, size, openssl=None, note=""):
    ratio = f"{seconds / openssl:8.2f}" if openssl else " " * 8
    print(f"  {name:<48}{seconds:9.2f} s{size / 1e9 / seconds:8.2f} GB/s{ratio}  {note}".rstrip())


def bench_compare(bench, models, stranger, rounds):
    files = [model / "model.safetensors" for model in models]
    size = sum(file.stat().st_size for file in files)
    cat = [["cat", file] for file in files]
    openssl = [["openssl", "dgst", "-sha256", file] for file in files]
    for command in cat:  # into the page cache
        seconds_of(command)
    times = {name: [] for name in ("openssl", "cat", 1, 2)}
    for _ in range(rounds):
        times["openssl"].append(seconds_of(*openssl))
        for ranks in (2, 1):
            times[ranks].append(bench.compare(ranks, models, "--pca", "none", "--evidence", "quick"))
        times["cat"].append(seconds_of(*cat))
    typical = {name: statistics.median(times[name]) for name in ("openssl", "cat")}
    own = {ranks: statistics.median(each[0] for each in times[ranks]) for ranks in (1, 2)}
    whole = {ranks: statistics.median(each[1] for each in times[ranks]) for ranks in (1, 2)}

    print(
        f"Two checkpoints, {size / 1e9:.2f} GB together, warm, median of {rounds}. Last column: times openssl's seconds."
    )
    row("2 x openssl dgst -sha256", typical["openssl"], size, typical["openssl"])
    for ranks in (2, 1):
        launcher = f"{whole[ranks] - own[ranks]:.2f} s more for the launcher"
        row(f"cognate, {ranks} rank{'s' * (ranks > 1)}, the sweep alone", own[ranks], size, typical["openssl"], launcher)
    sweep = ["--evidence", "quick", "--pca", "none"]
    for name, options in (
        ("with PCA", ["--evidence", "quick"]),
        ("with PCA, full evidence", []),
    ):
        seconds, all_of_it, _ = bench.compare(2, models, *options)
        note = f"{all_of_it - seconds:.2f} s more for the launcher"
        row(f"cognate, 2 ranks, {name} (once)", seconds, size, typical["openssl"], note)
    seconds, _, _ = bench.compare(2, [models[0], stranger], *sweep)
    unshared = sum((model / "model.safetensors").stat().st_size for model in (models[0], stranger))
    row("cognate, 2 ranks, no slot shared (once)", seconds, unshared, None, "two models of other widths")
    library = (
        "torch"
        if subprocess.run([sys.executable, "-c", "import torch"], stderr=subprocess.DEVNULL).returncode == 0
        else "numpy"
    )
    script = seconds_of([sys.executable, "-c", SCRIPT, *files, library])
    row(f"script: {library} cosine, hashlib (once)", script, size, typical["openssl"])
    row("2 x cat", typical["cat"], size, typical["openssl"])
    print(
        f"  2 ranks are {own[1] / own[2]:.2f} times as fast as 1; the script takes {script / own[2]:.1f} times as long as 2 ranks."
    )

    bare = bench.bare_mpi()
    for ranks in (1, 2):
        peak = max(each[2] for each in times[ranks])
        beyond = f", {(peak - bare) / MIB:.0f} MiB beyond what MPI alone takes ({bare / MIB:.0f} MiB)" if bare else ""
        print(f"  peak memory a rank, {ranks} rank{'s' * (ranks > 1)}: {peak / MIB:.0f} MiB{beyond}")


def bench_journal(bench, models, rounds):
    """What a journal costs, with and without in turn: put on disk each second, five times as often as by default. One
    rank, which never waits for others; the least of the rounds, since whatever else runs only adds to it."""
    files = [model / "model.safetensors" for model in models]
    size = sum(file.stat().st_size for file in files)
    for file in files:
        seconds_of(["cat", file])
    ways = {"with": ["--journal-every", "1"], "without": ["--no-journal"]}
    found = {way: [] for way in ways}
    for _ in range(rounds):
        for way, options in ways.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            wall, _, _ = bench.compare(1, models, "--evidence", "quick", "--pca", "none", *options)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found[way].append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall))
    print(f"A journal on disk each second, 1 rank, {size / 1e9:.2f} GB, least of {rounds}. Last column: with over without.")
    for k, name in enumerate(("user and system CPU", "wall")):
        least = {way: min(each[k] for each in found[way]) for way in ways}
        print(f"  journal, {name:<39}{least['with']:9.2f} s{least['without']:9.2f} s{least['with'] / least['without']:8.3f}")


def bench_large(bench, quick):
    """Metadata alone: sparse files of the true shapes."""
    config = dict(make_checkpoint.FAMILIES["solar-open-100b"])
    config.update(dict(num_hidden_layers=2, n_routed_experts=4) if quick else {})
    models = [bench.folder / f"solar-{i}" for i in (1, 2)]
    for model in models:
        parameters, tensors, files = make_checkpoint.make(model, config)
    print(
        f"Sparse Solar-Open-100B{' (cut down)' * quick}: {parameters:,} parameters, {tensors:,} tensors, {files} files"
    )
    print(f"  inspect                           {seconds_of([bench.program, 'inspect', models[0]]):9.2f} s")
    plan = [bench.program, "plan", "--ranks", "1024", *models]
    print(f"  plan --ranks 1024, two of them    {seconds_of(plan):9.2f} s")
    for model in models:
        shutil.rmtree(model)


def processor():
    """The processor, and whether it has instructions for SHA-256."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "unknown processor"
    name = next(
        (line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")),
        "unknown processor",
    )
    return f"{name}, {'with' if ' sha_ni' in text or ' sha2' in text else 'no'} SHA instructions"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--folder", help="where the checkpoints go and stay for the next time (default: a temporary folder)"
    )
    parser.add_argument("--layers", type=int, help="layers of the filled checkpoints (default 1)")
    parser.add_argument("--experts", type=int, help="experts a layer (default 8)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (default 3)")
    parser.add_argument("--formats", nargs="*", metavar="TYPE", help="stored types against bf16: these, or all")
    parser.add_argument("--against", metavar="PROGRAM", help="with --formats: another build, measured in turn")
    parser.add_argument("--megabytes", type=int, default=256, help="with --formats: of each model (default 256)")
    parser.add_argument("--many", nargs="*", metavar="MODEL", help="many models in one run: these, or twenty made")
    parser.add_argument("--library", type=int, metavar="N", help="a search among N fingerprints")
    parser.add_argument("--quick", action="store_true", help="tiny shapes: does the bench itself work?")
    options = parser.parse_args()
    program = os.environ.get("COGNATE") or shutil.which("cognate")
    if not program:
        sys.exit("bench: COGNATE must name the program")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[
        0
    ]
    print(f"{version}; {os.cpu_count()} cores, {processor()}")
    with tempfile.TemporaryDirectory(prefix="cognate-bench-") as scratch:
        folder = Path(options.folder or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(program, shlex.split(os.environ.get("MPIRUN") or "mpirun"), folder)
        if options.formats is not None:
            os.environ.update(ENVIRONMENT)
            programs = {"cognate": lambda ranks: bench.mpi(ranks, program)}
            if options.against:
                programs["against"] = lambda ranks: bench.mpi(ranks, options.against)
            size, shape = (10**6, SMALL) if options.quick else (options.megabytes * 10**6, SHAPE)
            bench_formats(programs, folder, options.formats, options.rounds, size, shape)
            return
        if options.many is not None:
            number, shape = (4, many.SMALL) if options.quick else (20, many.LARGE)
            models = [Path(model).resolve() for model in options.many]
            models = models or many.make_models(folder, number, shape)
            many.bench_many(bench, seconds_of, models, options.rounds)
            return
        if options.library:
            bench_library(bench, options.library, options.rounds, options.quick, seconds_of)
            return
        *models, stranger = make_models(folder, options)
        bench_compare(bench, models, stranger, options.rounds)
        bench_journal(bench, models, options.rounds)
        bench_large(bench, options.quick)


if __name__ == "__main__":
    main()
