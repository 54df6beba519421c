"""Writes made tables with known anomalies below a directory, one npz each: `made.py GENERATORS DIRECTORY EVERY`.

GENERATORS has `dependence.py` and `stress.py`. Of the one come all tables, in `dependence` and `independent`; of the other one set
in EVERY, in `stress`, and as many in `nearly-constant`, of a kind of normal rows that it lacks: half of the columns are constant but for a
few rows, so few that a learner may trim all of them.
"""
import itertools
import pathlib
import sys

import numpy

generators, directory, every = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
sys.path.insert(0, generators)

import dependence  # noqa: E402
import stress  # noqa: E402

ONE_IN = 300


def nearly_constant(random, rows, columns):
    """Clusters in half of the columns; in the others 0, and a number with a long tail in one row of so many."""
    table = stress.clusters(random, rows, columns)
    for column in range(columns // 2):
        few = random.random(rows) < 1 / ONE_IN
        table[:, column] = numpy.where(few, numpy.exp(random.normal(3, 1, rows)), 0)
    return table


def write(family, name, table, labels):
    (directory / family).mkdir(parents=True, exist_ok=True)
    numpy.savez(directory / family / f"{name}.npz", X=table.astype(numpy.float32), y=labels.astype(numpy.uint8))


def write_stress(family, normal):
    kinds = itertools.product(stress.COLUMNS, normal, stress.ANOMALIES, stress.PER_MILLION)
    for kind in itertools.islice(kinds, 0, None, every):
        write(family, "-".join(map(str, kind)), *stress.make(*kind))


for name in dependence.TABLES:
    family = "independent" if name.startswith("independent") else "dependence"
    write(family, name, *dependence.make(name)[:2])
write_stress("stress", list(stress.NORMAL))
stress.NORMAL[nearly_constant.__name__] = nearly_constant
write_stress("nearly-constant", [nearly_constant.__name__])
