"""What the peers take for the same work, as a line of JSON: `speed.py fit DIRECTORY COLUMNS` seconds of a random forest of
real against synthetic rows, `speed.py score DIRECTORY COLUMNS` records a second with the exported forest: by onnxruntime from
its ONNX, by treelite from the trees of its PMML, which treelite compiles (they are added up and no more)."""
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


def compiled_trees():
    """The predictor that tl2cgen makes of the trees, on all cores."""
    import xml.etree.ElementTree

    import tl2cgen
    from treelite.model_builder import Metadata, ModelBuilder, PostProcessorFunc, TreeAnnotation

    space = "{http://www.dmg.org/PMML-4_4}"
    trees = list(xml.etree.ElementTree.parse(f"{directory}/forest.pmml").iter(f"{space}TreeModel"))
    builder = ModelBuilder(
        threshold_type="float32",
        leaf_output_type="float32",
        metadata=Metadata(num_feature=columns, task_type="kRegressor", average_tree_output=False, num_target=1, num_class=[1], leaf_vector_shape=(1, 1)),
        tree_annotation=TreeAnnotation(num_tree=len(trees), target_id=[0] * len(trees), class_id=[0] * len(trees)),
        postprocessor=PostProcessorFunc(name="identity"),
        base_scores=[0.0],
    )
    for tree in trees:
        builder.start_tree()
        waiting, keys = [(0, tree.find(f"{space}Node"))], 1
        while waiting:
            key, node = waiting.pop()
            builder.start_node(key)
            children = node.findall(f"{space}Node")
            if len(children) == 2:
                test = children[0].find(f"{space}SimplePredicate")
                # Columns are named c0, c1, and so on.
                builder.numerical_test(int(test.get("field")[1:]), float(test.get("value")), True, "<=", keys, keys + 1)
                waiting += [(keys, children[0]), (keys + 1, children[1])]
                keys += 2
            else:
                # A tree that is a leaf has it as its only child.
                builder.leaf(float((children or [node])[0].get("score")))
            builder.end_node()
        builder.end_tree()
    library = f"{directory}/trees.so"
    tl2cgen.export_lib(builder.commit(), toolchain="gcc", libpath=library, params={"parallel_comp": 8}, nthread=2)
    predictor, matrix = tl2cgen.Predictor(library), tl2cgen.DMatrix(rows, dtype="float32")
    return lambda: predictor.predict(matrix)


def per_second(run):
    return len(rows) / min(seconds(run) for _ in range(3))


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
    answer = {
        "onnxruntime": per_second(lambda: session.run(None, {"rows": rows})),
        "treelite": per_second(compiled_trees()),
    }
print(json.dumps(answer))
