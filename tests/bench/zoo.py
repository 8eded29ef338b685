#!/usr/bin/env python3
"""Truth against verdict, over all pairs of a folder of models whose descent is known.

Usage: zoo.py [--ranks N] [--apart | --search]      COGNATE: the program; MPIRUN: launcher and options; COGNATE_ZOO: the folder

The folder holds a model a subfolder, and lineage.tsv with the columns model, parents, relation. Where variants.py
stands in it, the variants that it makes take part. All pairs are one run, so that models serve each other as
controls; --apart runs every pair by itself. --search makes a fingerprint of every model, searches each among the
others, and prints where a verdict is not that of the one run.
"""

import argparse
import csv
import itertools
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import h5py

ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OPENBLAS_NUM_THREADS": "1",
}

# What the relation of a pair of parent and child must name, by the lineage's word for it.
NAMES = {
    "fine-tuned": ("fine-tuned", "low-rank"),
    "continued": ("continued",),
    "depth-upscaled": ("depth-upscaled",),
    "depth-pruned": ("depth-pruned",),
    "width-pruned": ("width-pruned",),
    "upcycled": ("upcycled",),
    "identical": ("same bytes", "same values", "other type"),
    "recast": ("recast",),
    "disguised": ("permuted", "rotated"),
    "merged": ("merged",),
    "partial": ("replaced",),
}


class Lineage:
    def __init__(self, path):
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        self.parents = {row["model"]: (row["parents"] or "").split() for row in rows}
        self.relation = {row["model"]: row["relation"] for row in rows}

    def values(self, model):
        """The model whose values this one holds unchanged."""
        return self.values(self.parents[model][0]) if self.relation[model] == "identical" else model

    def bases(self, model, donors=True):
        """Models trained from scratch that it has weights of; of a graft the host comes first."""
        parents = self.parents[model]
        if self.relation[model] == "partial" and not donors:
            parents = parents[:1]
        return set().union(*(self.bases(parent, donors) for parent in parents)) if parents else {model}

    def parts(self, model):
        """Of a graft, what comes from which base; of others everything from their own."""
        if self.relation[model] != "partial":
            return {(base, "all") for base in self.bases(model)}
        host, donor = self.parents[model]
        part = "embedding" if "embedding" in model else "ffn"
        return {(host, "all"), (donor, part)}

    def expected(self, a, b):
        if self.values(a) == self.values(b):
            return {"IDENTICAL"}
        if self.bases(a, donors=False) & self.bases(b, donors=False):
            return {"DERIVED"}
        for base, part in self.parts(a):
            for other, other_part in self.parts(b):
                if base == other and (part == other_part or "all" in (part, other_part)):
                    return {"DERIVED", "PARTIAL"}
        return {"NO EVIDENCE"}


def find_models(zoo, scratch):
    folders = {path.parent.name: path.parent for path in sorted(zoo.glob("*/config.json"))}
    if (zoo / "variants.py").exists():
        subprocess.run([sys.executable, "variants.py", zoo, scratch], cwd=zoo, check=True, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
        folders.update({path.parent.name: path.parent for path in sorted(Path(scratch).glob("*/config.json"))})
    return folders


def text(rows):
    return [bytes(row).split(b"\0")[0].decode() for row in rows]


def call(ranks, *arguments):
    command = shlex.split(os.environ.get("MPIRUN", "mpirun --oversubscribe")) + ["-n", str(ranks)]
    subprocess.run([*command, os.environ.get("COGNATE", "cognate"), *arguments], check=True, stdout=subprocess.DEVNULL,
                   env=dict(ENVIRONMENT, **os.environ))


def pairs_of(output):
    with h5py.File(output) as file:
        names = text(file["model_label"][:])
        pairs = zip(file["pair_a"][:], file["pair_b"][:], text(file["verdict"][:]), text(file["relation"][:]),
                    file["log10_p"][:])
        return [(names[a], names[b], verdict, relation, p) for a, b, verdict, relation, p in pairs]


def run(ranks, folders, names, output):
    call(ranks, "compare", "--quiet", "--pca", "none", "-o", output, *(f"{name}={folders[name]}" for name in names))
    return pairs_of(output)


def search(ranks, folders, names, scratch, found):
    """Each model among the fingerprints of the others: how many verdicts are not those found."""
    known = {(a, b): row for a, b, *row in found} | {(b, a): row for a, b, *row in found}
    prints = {name: f"{scratch}/{name}.h5" for name in names}
    for name in names:
        call(ranks, "fingerprint", "--quiet", "-o", prints[name], f"{name}={folders[name]}")
    count = unlike = relations = 0
    for name in names:
        library = Path(scratch) / f"all-but-{name}"
        library.mkdir()
        for other in set(names) - {name}:
            (library / f"{other}.h5").symlink_to(prints[other])
        call(ranks, "search", "--quiet", "-o", f"{scratch}/s.h5", "--library", str(library), prints[name])
        for a, b, verdict, relation, p in pairs_of(f"{scratch}/s.h5"):
            count += 1
            relations += relation != known[a, b][1]
            if verdict != known[a, b][0]:
                unlike += 1
                print(f"{a:20}{b:20}compare: {known[a, b][0]:14}search: {verdict:14}{p:8.0f}  {relation}")
    print(f"{count} searched pairs, {unlike} verdicts unlike compare's; {relations} relations in other words")
    return unlike


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--apart", action="store_true")
    parser.add_argument("--search", action="store_true")
    options = parser.parse_args()
    zoo = Path(os.environ["COGNATE_ZOO"])
    lineage = Lineage(zoo / "lineage.tsv")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folders = find_models(zoo, scratch)
        names = [name for name in lineage.parents if name in folders]
        groups = itertools.combinations(names, 2) if options.apart else [names]
        found = [row for group in groups for row in run(options.ranks, folders, list(group), f"{scratch}/r.h5")]
        unlike = search(options.ranks, folders, names, scratch, found) if options.search else 0
    wrong, named, cells = [], [], Counter()
    print(f"{'a':20}{'b':20}{'expected':18}{'verdict':14}{'log10 p':>8}  relation")
    for a, b, verdict, relation, p in found:
        expected = lineage.expected(a, b)
        right = verdict in expected
        cells["/".join(sorted(expected)), verdict] += 1
        wrong += [] if right else [(a, b)]
        note = "" if right else "  WRONG"
        if a in lineage.parents[b][:1] and verdict != "NO EVIDENCE":
            good = any(name in relation for name in NAMES[lineage.relation[b]])
            named.append(good)
            note += "" if good else f"  NOT NAMED {lineage.relation[b]}"
        print(f"{a:20}{b:20}{'/'.join(sorted(expected)):18}{verdict:14}{p:8.0f}  {relation}{note}")
    print()
    for (expected, verdict), n in sorted(cells.items()):
        print(f"{n:5} of expected {expected:18} came out {verdict}")
    print(f"{len(found)} pairs, {len(wrong)} wrong; relations named right in {sum(named)} of {len(named)} pairs of parent "
          f"and child; {time.monotonic() - start:.0f} s")
    return 1 if wrong or unlike else 0


if __name__ == "__main__":
    sys.exit(main())
