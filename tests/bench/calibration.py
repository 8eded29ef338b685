#!/usr/bin/env python3
"""Whether the tests' p-values of strangers are what their nulls say.

Usage: calibration.py [--ranks N] [--result FILE] [--seeds N]   COGNATE, MPIRUN, COGNATE_ZOO as for zoo.py

The folder holds a model a subfolder, and lineage.tsv with the columns model, parents, relation. Strangers are of two
kinds: models of the folder that share no ancestor, and copies of its base models whose every matrix has its rows and
columns permuted, or is rotated from both sides, by a seed: exchangeable by construction. Pairs whose models have the
same ancestors repeat each other's numbers; of each such family of pairs the first stands for all, so that the tests
counted are nearly independent. --result takes the first kind from a result file of the whole folder instead of
running it.

Each row is a statistic: how many tests, how often p was at most 0.1, 0.01 and 0.001, the smallest p, and the verdict,
which fails when it is smaller than its null allows with a chance below 1e-4:
  F      fixed points of the exact tests; p is the stated bound 1/F!. One-sided binomial tests of the share with F >= k
         against 1/k! for k = 2 to 6, and of the mean of F against 1, the mean of a uniform permutation (variance 1)
  t      one-sided Kolmogorov-Smirnov test that t is no larger than Student's t with 30 degrees of freedom, and
         binomial tests of the three shares
  K      one-sided binomial tests of the three shares against the tail of a Poisson distribution of rate 5
and of each the smallest p, corrected for all tests. All are corrected for their number, but not the rows for each other.
"""

import argparse
import json
import math
import os
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
from scipy import stats

import zoo

LEVELS = (0.1, 0.01, 0.001)
FAILS = 1e-4


def strangers(folder, out, seeds):
    """Copies of a model of which nothing is left but the numbers, or their spectra: {label: folder}."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
    import checkpoints

    made = {}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        for how in ("permuted", "rotated"):
            tensors = {}
            for name, tensor in checkpoints.read(folder).items():
                x = tensor.values
                if x.ndim == 2 and how == "permuted":
                    x = x[rng.permutation(x.shape[0])][:, rng.permutation(x.shape[1])]
                elif x.ndim == 2:
                    for axis in (0, 1):
                        q, r = np.linalg.qr(rng.standard_normal((x.shape[axis],) * 2))
                        q *= np.sign(np.diag(r))
                        x = q @ x if axis == 0 else x @ q
                tensors[name] = checkpoints.stored(x.astype(np.float32))
            config, tokenizer = (json.loads((folder / f"{part}.json").read_text()) if (folder / f"{part}.json").exists()
                                 else None for part in ("config", "tokenizer"))
            label = f"{folder.name}-{how}-{seed}"
            made[label] = checkpoints.make(Path(out) / label, tensors, config=config, tokenizer=tokenizer)
    return made


def run(ranks, folders, output):
    zoo.run(ranks, folders, list(folders), output)


def tests_of(file, pairs):
    """{statistic: values} of some pairs of a result. Slots of norms and vectors carry no weight and are left out."""
    cells, tensors = file["cells"], file["tensors"]
    here = np.isin(cells["pair"][:], pairs)
    matrix = (tensors["rows"][:].max(axis=1) > 1) & (tensors["columns"][:].max(axis=1) > 1)
    norm = np.array(["norm" in role for role in zoo.text(tensors["role"][:])])
    gate, up = (cells[f"fixed_{half}"][:][here] for half in ("gate", "up"))
    columns = file["embeddings/fixed_columns"][:][pairs][file["embeddings/columns"][:][pairs] > 0]
    return {
        "F, gate": gate[gate >= 0], "F, up": up[up >= 0], "F, embedding columns": columns,
        "t, shift null": finite(tensors["t"][:][matrix & ~norm][:, pairs].ravel()),
        "t, products of gate and up": finite(cells["products_t"][:][here]),
        "K, by rows": taken(cells["by_rows"][:][here]), "K, by tokens": taken(cells["by_tokens"][:][here]),
    }


def finite(x):
    return x[np.isfinite(x)]


def taken(k):
    return k[k >= 0]


def excess(count, n, p):
    """The chance of `count` or more of n."""
    return stats.binom.sf(count - 1, n, min(p, 1)) if n else 1.0


def judge(name, x):
    """p of each test, and the smallest chance, corrected, that the null gives to what was seen."""
    n = len(x)
    if name.startswith("F"):
        p = np.array([1 / math.factorial(min(int(f), 170)) for f in x])
        chances = [excess((x >= k).sum(), n, 1 / math.factorial(k)) for k in range(2, 7)]
        chances.append(stats.norm.sf((x.mean() - 1) * math.sqrt(n)))
        note = f"mean {x.mean():.3f}, of 1"
    elif name.startswith("t"):
        p = stats.t.sf(x, 30)
        chances = [excess((p <= level).sum(), n, level) for level in LEVELS]
        chances.append(stats.kstest(x, stats.t(30).cdf, alternative="less").pvalue)
        note = f"sd {x.std():.3f}, of {stats.t(30).std():.3f}"
    else:
        p = stats.poisson.sf(x - 1, 5)
        chances = [excess((p <= level).sum(), n, level) for level in LEVELS]
        note = f"largest {x.max()}"
    chances.append(n * p.min())
    return p, min(1.0, min(chances) * len(chances)), note


def report(kinds):
    """{kind: {statistic: values}} as a table; whether all holds."""
    good = True
    print(f"{'strangers':12}{'statistic':28}{'tests':>7}" + "".join(f"{f'p<={level:g}':>9}" for level in LEVELS)
          + f"{'smallest':>10}{'chance':>9}  verdict")
    for kind, statistics in kinds.items():
        for name, x in statistics.items():
            if len(x) == 0:
                continue
            p, chance, note = judge(name, x)
            holds = chance >= FAILS
            good &= holds
            shares = "".join(f"{(p <= level).mean():9.5f}" for level in LEVELS)
            print(f"{kind:12}{name:28}{len(x):7}{shares}{p.min():10.1e}{chance:9.1e}  {'holds' if holds else 'TOO SMALL'}; {note}")
    return good


def join(parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def independent(file, lineage, names):
    """Of each pair of families without a common ancestor the first pair of the result."""
    chosen = {}
    for p, (a, b) in enumerate(zip(file["pair_a"][:], file["pair_b"][:])):
        bases = lineage.bases(names[a]), lineage.bases(names[b])
        if not bases[0] & bases[1] and all(len(x) == 1 for x in bases):
            chosen.setdefault(frozenset(map(frozenset, bases)), p)
    return sorted(chosen.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--result")
    options = parser.parse_args()
    folder = Path(os.environ["COGNATE_ZOO"])
    lineage = zoo.Lineage(folder / "lineage.tsv")
    kinds = {}
    with tempfile.TemporaryDirectory() as scratch:
        folders = {path.parent.name: path.parent for path in sorted(folder.glob("*/config.json"))}
        bases = [name for name in lineage.parents if not lineage.parents[name] and name in folders]
        result = options.result
        if not result:
            result = f"{scratch}/r.h5"
            run(options.ranks, {name: folders[name] for name in bases}, result)
        with h5py.File(result) as file:
            kinds["independent"] = tests_of(file, independent(file, lineage, zoo.text(file["model_label"][:])))
        parts = {"permuted": [], "rotated": []}
        for base in bases:
            made = strangers(folders[base], scratch, options.seeds)
            run(options.ranks, {base: folders[base]} | made, f"{scratch}/s.h5")
            with h5py.File(f"{scratch}/s.h5") as file:
                names = zoo.text(file["model_label"][:])
                pairs = list(zip(file["pair_a"][:], file["pair_b"][:]))
                for how in parts:
                    mine = [p for p, pair in enumerate(pairs) if pair[0] == 0 and how in names[pair[1]]]
                    parts[how].append(tests_of(file, mine))
        kinds |= {how: join(found) for how, found in parts.items()}
    return 0 if report(kinds) else 1


if __name__ == "__main__":
    sys.exit(main())
