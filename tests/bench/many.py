"""Many models in one manifest against the same models two by two, and against one sweep of each."""

import csv
import resource
import sys

import h5py
import numpy as np

import make_checkpoint

SWEEP = ("compare", "--evidence", "quick", "--pca", "none", "--no-journal")
SHAPE = dict(hidden_size=1024, intermediate_size=3584, num_hidden_layers=2, num_attention_heads=8, num_key_value_heads=2)
LARGE, SMALL = dict(SHAPE, vocab_size=8192), dict(SHAPE, hidden_size=256, intermediate_size=512, vocab_size=100)


def make_models(folder, number, shape):
    """Models of one shape and no descent; large ones have 88 MB."""
    config = dict(make_checkpoint.FAMILIES["llama-3-8b"], **shape)
    models = [folder / f"many-{i}" for i in range(number)]
    for seed, model in enumerate(models):
        if not (model / "model.safetensors").exists():
            make_checkpoint.make(model, config, seed, limit=1 << 62)
    return models


def timed(bench, run, *command):
    """(the run's own seconds, those of its sweep, the processors' in user mode, bytes read) on 2 ranks. A
    fingerprint does not tell its sweep's."""
    output = bench.folder / "many.h5"
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    run(bench.mpi(2, bench.program, *command, "--quiet", "-o", output))
    user = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    with h5py.File(output, "r") as file:
        attributes = file["run"].attrs
        sweep = attributes.get("sweep_seconds", np.float64("nan")).item()
        return attributes["wall_seconds"].item(), sweep, user, int(attributes["bytes_read"].item())


def bench_many(bench, run, models, rounds):
    """The least of some rounds. The sweep is without startup, evidence and the result file; a run's own seconds
    are with them, of all pairs."""
    if len(models) % 2:
        sys.exit("bench: --many wants an even number of models")
    manifest = bench.folder / "many.tsv"
    with open(manifest, "w", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([["path"], *[[model] for model in models]])

    def least(*command):
        each = [timed(bench, run, *command) for _ in range(rounds)]
        return [min(column) for column in zip(*each)]

    def added(commands):
        return [sum(column) for column in zip(*[least(*command) for command in commands])]

    together = least(*SWEEP, "--manifest", manifest)
    ways = {
        "in one run": together,
        f"in {len(models) // 2} runs of two": added([(*SWEEP, *models[i : i + 2]) for i in range(0, len(models), 2)]),
        "as fingerprints": added([("fingerprint", model) for model in models]),
    }
    print(f"{len(models)} models on 2 ranks, warm, the least of {rounds}; in brackets what one run takes of that:")
    print(f"  {'':<20}{'own clock':>18}{'sweep':>18}{'processors':>18}{'bytes read':>15}")
    for name, numbers in ways.items():
        times = "".join(f"{x:9.2f} s ({y / x:4.2f})" if x > 0 else f"{'-':>18}" for x, y in zip(numbers[:3], together))
        print(f"  {name:<20}{times}{numbers[3]:>15,}")
