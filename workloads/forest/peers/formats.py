"""Compares scores that other engines gave for the rows in a directory with our own: equal within 1e-6 relative.

ONNX is scored here by onnxruntime; JPMML's scores are in the file `jpmml`, one a line.
"""
import sys

import numpy
import onnxruntime

directory = sys.argv[1]
ours = numpy.fromfile(f"{directory}/scores", "<f8")
rows = numpy.fromfile(f"{directory}/rows", "<f4").reshape(len(ours), -1)
session = onnxruntime.InferenceSession(f"{directory}/forest.onnx", providers=["CPUExecutionProvider"])
theirs = {
    f"onnxruntime {onnxruntime.__version__}": session.run(None, {"rows": rows})[0].ravel(),
    "JPMML": numpy.loadtxt(f"{directory}/jpmml"),
}
failed = len(ours) < 10_000
for engine, scores in theirs.items():
    difference = numpy.max(numpy.abs(scores - ours) / numpy.maximum(numpy.abs(scores), numpy.abs(ours)))
    print(f"{engine}: {len(scores)} scores, largest relative difference {difference:.1e}")
    failed |= len(scores) != len(ours) or not difference <= 1e-6
sys.exit(failed)
