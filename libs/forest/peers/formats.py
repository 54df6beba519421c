"""Compares scores that other engines gave for the rows in a directory with our own, raw and calibrated: equal within 1e-6
relative, and the same rows alert at any of the budgets.

ONNX is scored here by onnxruntime; JPMML's scores are in the file `jpmml`, a pair a line.
"""
import sys

import numpy
import onnxruntime

# Records per million that may alert.
BUDGETS = (100, 1_000, 5_000, 10_000, 100_000)

directory = sys.argv[1]
ours = numpy.fromfile(f"{directory}/scores", "<f8").reshape(-1, 2)
rows = numpy.fromfile(f"{directory}/rows", "<f4").reshape(len(ours), -1)
session = onnxruntime.InferenceSession(f"{directory}/forest.onnx", providers=["CPUExecutionProvider"])
theirs = {
    f"onnxruntime {onnxruntime.__version__}": numpy.hstack(session.run(["raw", "score"], {"rows": rows})),
    "JPMML": numpy.loadtxt(f"{directory}/jpmml"),
}
failed = len(ours) < 10_000
for engine, scores in theirs.items():
    failed |= scores.shape != ours.shape
    for column, kind in enumerate(["raw", "calibrated"]):
        one, other = scores[:, column], ours[:, column]
        difference = numpy.max(numpy.abs(one - other) / numpy.maximum(numpy.abs(one), numpy.abs(other)))
        print(f"{engine}: {len(scores)} {kind} scores, largest relative difference {difference:.1e}")
        failed |= not difference <= 1e-6
    for budget in BUDGETS:
        alerts, expected = (calibrated[:, 1] > 1 - budget / 1e6 for calibrated in (scores, ours))
        different = numpy.count_nonzero(alerts != expected)
        print(f"{engine}: {numpy.count_nonzero(expected)} rows alert at {budget} per million, {different} differently")
        failed |= different > 0 or not 0 < numpy.count_nonzero(expected) < len(ours)
sys.exit(failed)
