"""How long a search of one model in a library of fingerprints takes, against openssl on the library's bytes.

The models are filled with noise, of 1.5 to 7 million parameters, with two vocabularies that share half of their
tokens: most have the query's shapes, others are deeper, shallower or wider, or have experts. Every eighth has the
query's own first layers.
"""

import json
import resource
import shutil
import statistics

import h5py

import make_checkpoint

MIB = 1 << 20
DENSE = dict(
    make_checkpoint.FAMILIES["llama-3-8b"],
    hidden_size=128,
    intermediate_size=352,
    num_hidden_layers=8,
    num_attention_heads=8,
    num_key_value_heads=4,
    head_dim=16,
    vocab_size=2048,
)
EXPERTS = dict(
    make_checkpoint.FAMILIES["solar-open-100b"],
    hidden_size=128,
    intermediate_size=352,
    moe_intermediate_size=96,
    num_hidden_layers=6,
    num_attention_heads=8,
    num_key_value_heads=4,
    head_dim=16,
    n_routed_experts=8,
    num_experts_per_tok=2,
    vocab_size=2048,
)
WIDE = dict(hidden_size=256, intermediate_size=704, num_attention_heads=16, num_key_value_heads=8)
KINDS = (
    DENSE,
    dict(DENSE, num_hidden_layers=12),
    DENSE,
    dict(DENSE, vocab_size=1792),
    DENSE,
    EXPERTS,
    dict(DENSE, **WIDE),
    dict(DENSE, num_hidden_layers=6),
)
SMALL = dict(DENSE, num_hidden_layers=1)


def vocabulary(size):
    """Pieces by id: the smaller vocabulary has every second one of the larger, and others."""
    pieces = [f"piece{i if size == 2048 or i % 2 else -i}" for i in range(size)]
    return dict(model=dict(type="BPE", vocab={piece: i for i, piece in enumerate(pieces)}, merges=[]))


def print_model(bench, output, config, seed, seconds_of):
    model = bench.folder / "model"
    make_checkpoint.make(model, config, seed)
    (model / "tokenizer.json").write_text(json.dumps(vocabulary(config["vocab_size"])))
    seconds_of(bench.mpi(1, bench.program, "fingerprint", "--quiet", "-o", output, f"{output.stem}={model}"))
    shutil.rmtree(model)


def make_library(bench, count, quick, seconds_of):
    """The fingerprints; what an earlier run of this program made is taken as it is. Returns the query's and the folder."""
    library, query = bench.folder / "library", bench.folder / "query.h5"
    library.mkdir(exist_ok=True)
    kinds = (SMALL,) if quick else KINDS
    if not query.exists():
        print_model(bench, query, kinds[0], 0, seconds_of)
    for i in range(count):
        output = library / f"model-{i:04}.h5"
        if not output.exists():
            print_model(bench, output, kinds[i % len(kinds)], i + 1 if i % 8 < 7 else 0, seconds_of)
    for extra in sorted(library.glob("*.h5"))[count:]:
        extra.unlink()
    return query, library


def processor_seconds(run):
    """(wall, processor) seconds of what `run` waits for; its own return value is the wall time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def bench_library(bench, count, rounds, quick, seconds_of):
    query, library = make_library(bench, count, quick, seconds_of)
    files = sorted(library.glob("*.h5"))
    size = sum(file.stat().st_size for file in files)
    output = bench.folder / "found.h5"
    openssl = [["openssl", "dgst", "-sha256", *part] for part in (files[::2], files[1::2])]
    commands = {
        "2 x openssl dgst -sha256": openssl,
        **{
            f"cognate search, {ranks} rank{'s' * (ranks > 1)}": [
                bench.mpi(ranks, bench.program, "search", "--quiet", "-o", output, "--library", library, query)
            ]
            for ranks in (2, 1)
        },
    }
    seconds_of(*openssl)  # into the page cache
    times = {name: [] for name in commands}
    for _ in range(rounds):
        for name, group in commands.items():
            times[name].append(processor_seconds(lambda group=group: seconds_of(*group)))
    typical = [statistics.median(wall for wall, _ in times["2 x openssl dgst -sha256"])]
    print(f"One model in {len(files)} fingerprints, {size / 1e6:.0f} MB, warm, median of {rounds}, launcher and all.")
    print(f"  {'':<36}{'seconds':>10}{'of processors':>16}{'times openssl':>16}")
    for name, pairs in times.items():
        wall, used = (statistics.median(column) for column in zip(*pairs))
        print(f"  {name:<36}{wall:10.2f}{used:16.2f}{wall / typical[0]:16.1f}")
    with h5py.File(output) as file:
        peak = float(file["run"].attrs["peak_rss_bytes_max"].item())
    print(f"  peak memory a rank: {peak / MIB:.0f} MiB")
