"""Fits scikit-learn's IsolationForest, as it is by default, on rows that a request names, and scores and judges others.

A request is a line: number of columns, seed, directory. There lie `training` and `scored`, rows of 32-bit floats, and
`labels`, a byte for each scored row. `scores` is written beside them as 64-bit floats, higher for what is more anomalous, and
the answer is a line: AUROC and average precision of the scores by scikit-learn's own metrics.
"""
import sys

import numpy
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

for line in sys.stdin:
    columns, seed, directory = line.strip().split(" ", 2)
    training, scored = (
        numpy.fromfile(f"{directory}/{name}", "<f4").reshape(-1, int(columns)) for name in ("training", "scored")
    )
    labels = numpy.fromfile(f"{directory}/labels", "u1")
    forest = IsolationForest(random_state=int(seed), n_jobs=-1).fit(training)
    scores = -forest.score_samples(scored)
    scores.astype("<f8").tofile(f"{directory}/scores")
    print(roc_auc_score(labels, scores), average_precision_score(labels, scores), flush=True)
