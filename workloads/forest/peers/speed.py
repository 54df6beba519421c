"""What the peers take for the same work, as a line of JSON: `speed.py fit DIRECTORY COLUMNS` seconds of a random forest of
real against synthetic rows, `speed.py score DIRECTORY COLUMNS` records a second with the exported forest."""
import json
import sys
import time

import numpy

work, directory, columns = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows = numpy.fromfile(f"{directory}/rows", "<f4").reshape(-1, columns)


def seconds(run):
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if work == "fit":
    import ydf
    from sklearn.ensemble import RandomForestClassifier

    random = numpy.random.default_rng(1)
    synthetic = numpy.stack([random.choice(rows[:, column], len(rows) // 10) for column in range(columns)], axis=1)
    both = numpy.vstack([rows, synthetic])
    labels = numpy.r_[numpy.zeros(len(rows), int), numpy.ones(len(synthetic), int)]
    forest = RandomForestClassifier(n_estimators=10, max_depth=15, n_jobs=-1, random_state=1)
    learner = ydf.RandomForestLearner(label="label", num_trees=10, max_depth=15, compute_oob_performances=False, discretize_numerical_columns=True, num_discretized_numerical_bins=50)
    answer = {
        "scikit-learn": seconds(lambda: forest.fit(both, labels)),
        "YDF": seconds(lambda: learner.train({"label": labels, "features": both}, verbose=0)),
    }
else:
    import onnxruntime

    session = onnxruntime.InferenceSession(f"{directory}/forest.onnx", providers=["CPUExecutionProvider"])
    session.run(None, {"rows": rows[:1000]})
    answer = {"onnxruntime": len(rows) / min(seconds(lambda: session.run(None, {"rows": rows})) for _ in range(3))}
print(json.dumps(answer))
