"""Many models in one manifest against the same models two by two."""

import csv
import resource
import sys

import h5py

import make_checkpoint

SWEEP = ("--evidence", "quick", "--pca", "none", "--no-journal", "--quiet")
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


def sweep(bench, run, *arguments):
    """(seconds of the sweep, the processors' in user mode, bytes read) of one comparison on 2 ranks."""
    output = bench.folder / "many.h5"
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    run(bench.mpi(2, bench.program, "compare", *SWEEP, "-o", output, *arguments))
    user = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    with h5py.File(output, "r") as file:
        return file["run"].attrs["sweep_seconds"].item(), user, int(file["run"].attrs["bytes_read"].item())


def bench_many(bench, run, models, rounds):
    """The least of some rounds; startup, evidence and the result file count in the processors' seconds alone."""
    if len(models) % 2:
        sys.exit("bench: --many wants an even number of models")
    manifest = bench.folder / "many.tsv"
    with open(manifest, "w", newline="") as file:
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows([["path"], *[[model] for model in models]])

    def least(*arguments):
        each = [sweep(bench, run, *arguments) for _ in range(rounds)]
        return [min(column) for column in zip(*each)]

    together = least("--manifest", manifest)
    pairs = [least(*models[i : i + 2]) for i in range(0, len(models), 2)]
    apart = [sum(column) for column in zip(*pairs)]
    print(f"{len(models)} models on 2 ranks, the sweep alone, warm, the least of {rounds}:")
    for name, (seconds, user, size) in (("in one run", together), (f"in {len(pairs)} runs of two", apart)):
        print(f"  {name:<20}{seconds:8.2f} s of sweep{user:8.2f} s of processors{size:>15,} bytes read")
    print(f"  ratio               {together[0] / apart[0]:8.2f}           {together[1] / apart[1]:8.2f}")
