//! The CEL rules of the CRDs, run without an API server.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::{Value, json};
use vedette_crds::{AnomalyPipeline, ModelTraining};

fn pipeline(name: &str, spec: Value) -> AnomalyPipeline {
    let object = json!({
        "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline", "metadata": { "name": name }, "spec": spec
    });
    serde_json::from_value(object).unwrap()
}

fn training(spec: Value) -> ModelTraining {
    let mut object = json!({
        "apiVersion": "vedette.io/v1alpha1", "kind": "ModelTraining", "metadata": { "name": "flows" },
        "spec": { "site": "east", "data": { "pipeline": "flows" } }
    });
    for (field, value) in spec.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    serde_json::from_value(object).unwrap()
}

fn search(metric: &Value) -> Value {
    let mut search = json!({ "algorithm": "Grid", "parameters": { "trees": { "values": [5, 10] } } });
    if !metric.is_null() {
        search["metric"] = metric.clone();
    }
    search
}

/// Path and message of everything that is refused.
fn refusals(result: Result<(), kube::core::cel::ValidationErrors>) -> Vec<String> {
    result
        .err()
        .into_iter()
        .flat_map(kube::core::cel::ValidationErrors::into_vec)
        .map(|error| error.to_string())
        .collect()
}

fn assert_refused(result: Result<(), kube::core::cel::ValidationErrors>, expected: &str) {
    let refusals = refusals(result);
    assert!(
        matches!(&refusals[..], [one] if one.contains(expected)),
        "{expected:?} is not what was refused: {refusals:?}"
    );
}

#[test]
fn defaults_are_accepted() {
    assert_eq!(refusals(pipeline("flows", json!({})).validate_cel()), [""; 0]);
    assert_eq!(refusals(training(json!({})).validate_cel()), [""; 0]);
}

#[test]
fn what_belongs_together_is_accepted() {
    let specs = [
        json!({ "model": { "training": "flows", "versionPolicy": "Pinned", "version": "20261123T084210Z-1a2b3c4d" } }),
        json!({ "model": { "training": "flows", "missingModelPolicy": "Wait" } }),
        json!({ "detector": { "alerting": { "scoreThreshold": 0.9 } } }),
        json!({ "detector": { "alerting": { "alertBudgetPerMillion": 1, "budgetTracking": "Disabled" } } }),
        json!({ "detector": { "autoscaling": { "maxReplicas": 4 }, "resources": { "requests": { "cpu": "500m" } } } }),
        json!({ "generator": { "recordsPerSecond": 10, "anomalyFraction": 0.1 } }),
        json!({ "generator": { "recordsPerSecond": 10, "mode": "Sequential", "dataset": { "object": { "key": "a.csv" } } } }),
    ];
    for spec in specs {
        assert_eq!(refusals(pipeline("flows", spec.clone()).validate_cel()), [""; 0], "{spec}");
    }
    let specs = [
        json!({ "algorithm": "SeedForest", "parameters": { "syntheticFraction": 0.5 } }),
        json!({ "algorithm": "IsolationForest", "parameters": { "rowsPerTree": 512, "thresholdsPerSplit": 1 } }),
        json!({ "features": { "categorical": ["service"] } }),
        json!({ "algorithm": "IsolationForest", "search": search(&json!("Stability")) }),
        json!({
            "algorithm": "IsolationForest",
            "search": search(&json!("Auprc")),
            "features": { "label": { "field": "label", "normal": ["normal."] } }
        }),
        json!({ "algorithm": "UnsupervisedRandomForest", "parameters": { "maxFeatures": "Log2", "trimFraction": 0 } }),
        json!({ "algorithm": "RandomForestClassifier", "features": { "label": { "field": "label", "normal": ["normal."] } } }),
        json!({ "publish": { "gate": { "minimumAuroc": 0.9 } }, "features": { "label": { "field": "label", "normal": ["normal."] } } }),
    ];
    for spec in specs {
        assert_eq!(refusals(training(spec.clone()).validate_cel()), [""; 0], "{spec}");
    }
}

#[test]
fn what_does_not_belong_together_in_a_pipeline_is_refused() {
    let table = [
        (
            json!({ "topics": { "alerts": { "name": "enriched_data" } } }),
            "spec.topics: the four topics need four names",
        ),
        (
            json!({ "incidents": { "topic": { "name": "sensor_messages", "management": "Manage" } } }),
            "spec.incidents.topic.name: incidents need a topic of their own",
        ),
        (
            json!({ "topics": { "deadLetters": { "name": "incidents" } }, "incidents": {} }),
            "spec.incidents.topic.name: incidents need a topic of their own",
        ),
        (
            json!({ "detector": { "alerting": { "scoreThreshold": 0.9, "budgetTracking": "Enabled" } } }),
            "spec.detector.alerting.budgetTracking: goes with alertBudgetPerMillion",
        ),
        (json!({ "detector": { "alerting": {} } }), "set either alertBudgetPerMillion or scoreThreshold"),
        (
            json!({ "detector": { "alerting": { "alertBudgetPerMillion": 1, "scoreThreshold": 0.9 } } }),
            "spec.detector.alerting: set either alertBudgetPerMillion or scoreThreshold",
        ),
        (
            json!({ "generator": { "recordsPerSecond": 1, "mode": "Sequential", "anomalyFraction": 0.1, "dataset": { "object": { "key": "a.csv", "label": { "field": "kind", "normal": ["ok"] } } } } }),
            "spec.generator.anomalyFraction: anomalyFraction is for mode Random",
        ),
        (
            json!({ "generator": { "recordsPerSecond": 1, "mode": "Sequential", "replicas": 2, "dataset": { "object": { "key": "a.csv" } } } }),
            "spec.generator.replicas: mode Sequential has one replica",
        ),
        (
            json!({ "generator": { "recordsPerSecond": 1, "mode": "Sequential" } }),
            "spec.generator.dataset: mode Sequential needs dataset.object",
        ),
        (
            json!({ "generator": { "recordsPerSecond": 1, "anomalyFraction": 0.1, "dataset": { "object": { "key": "a.csv" } } } }),
            "anomalyFraction needs dataset.object.label",
        ),
        (
            json!({ "model": { "training": "flows", "versionPolicy": "Pinned" } }),
            "spec.model.version: version goes with versionPolicy Pinned",
        ),
        (
            json!({ "model": { "training": "flows", "version": "20261123T084210Z-1a2b3c4d" } }),
            "spec.model.version: version goes with versionPolicy Pinned",
        ),
        (
            json!({ "model": { "versionPolicy": "Pinned", "version": "20261123T084210Z-1a2b3c4d" } }),
            "spec.model.versionPolicy: versionPolicy Pinned needs the training",
        ),
        (json!({ "model": { "missingModelPolicy": "Wait" } }), "without a training there is no model to wait for"),
        (
            json!({ "detector": { "autoscaling": { "minReplicas": 4, "maxReplicas": 2 }, "resources": { "requests": { "cpu": 1 } } } }),
            "spec.detector.autoscaling.minReplicas: must not be over maxReplicas",
        ),
        (
            json!({ "topics": { "sensorMessages": { "partitions": 4 } }, "detector": { "autoscaling": { "maxReplicas": 5 } } }),
            "spec.detector.autoscaling.maxReplicas: must not be over topics.sensorMessages.partitions",
        ),
        (json!({ "incidents": { "receivers": [{ "name": "a" }] } }), "needs exactly one of alertmanager and webhook"),
        (
            json!({ "incidents": { "receivers": [{ "name": "a", "webhook": { "url": "http://a" } }, { "name": "a", "webhook": { "url": "http://b" } }] } }),
            "spec.incidents.receivers: two receivers have one name",
        ),
    ];
    for (spec, expected) in table {
        assert_refused(pipeline("flows", spec).validate_cel(), expected);
    }
}

#[test]
fn names_that_would_not_fit_are_refused() {
    assert_refused(pipeline(&"x".repeat(41), json!({})).validate_cel(), "at most 40 characters");
    assert_refused(pipeline("a.b", json!({})).validate_cel(), "no '.'");
    assert_refused(pipeline("models", json!({})).validate_cel(), "taken in the bucket");
    let mut long = training(json!({}));
    long.metadata.name = Some("x".repeat(53));
    assert_refused(long.validate_cel(), "at most 52 characters");
}

#[test]
fn what_does_not_belong_together_in_a_training_is_refused() {
    let table = [
        (
            json!({ "algorithm": "SeedForest", "parameters": { "rowsPerTree": 256 } }),
            "spec.parameters.rowsPerTree: rowsPerTree is a parameter of IsolationForest",
        ),
        (
            json!({ "parameters": { "syntheticFraction": 0.1 } }),
            "syntheticFraction is a parameter of UnsupervisedRandomForest and SeedForest",
        ),
        (json!({ "parameters": { "trees": 10 } }), "spec.parameters: Ensemble has no parameters"),
        (
            json!({ "algorithm": "IsolationForest", "parameters": { "maxBins": 10 } }),
            "maxBins is a parameter of UnsupervisedRandomForest and RandomForestClassifier",
        ),
        (json!({ "algorithm": "RandomForestClassifier" }), "RandomForestClassifier learns from labels"),
        (
            json!({ "algorithm": "SeedForest", "features": { "categorical": ["service"] } }),
            "spec.features.categorical: SeedForest learns from numeric features only",
        ),
        (json!({ "publish": { "gate": { "minimumRecall": 0.5 } } }), "needs features.label"),
        (json!({ "search": search(&json!(null)) }), "spec.search: Ensemble has no parameters to search"),
        (
            json!({ "algorithm": "IsolationForest", "search": search(&json!(null)), "validation": { "folds": 1 } }),
            "spec.validation.folds: a search compares models on 2 folds at least",
        ),
        (
            json!({ "algorithm": "IsolationForest", "search": search(&json!("RecallAtBudget")) }),
            "spec.search.metric: this metric needs features.label",
        ),
        (
            json!({ "data": { "pipeline": "flows", "referenceWindow": { "from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z" } } }),
            "spec.data.referenceWindow: is an empty period: from must be before to",
        ),
    ];
    for (spec, expected) in table {
        assert_refused(training(spec).validate_cel(), expected);
    }
}

#[test]
fn a_topic_keeps_its_name() {
    let before = pipeline("flows", json!({}));
    let renamed = pipeline("flows", json!({ "topics": { "sensorMessages": { "name": "other" } } }));
    assert_refused(
        renamed.validate_cel_update(&before),
        "spec.topics.sensorMessages.name: a topic's name cannot be changed",
    );
}

#[test]
fn partitions_are_taken_back_but_where_a_topic_was_made_to_have_them() {
    let alerts = |management: &str, partitions: Value| {
        let mut topic = json!({ "management": management, "partitions": partitions });
        topic.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        pipeline("flows", json!({ "topics": { "alerts": topic } }))
    };
    let change = |before: (&str, i32), after: (&str, Value)| {
        alerts(after.0, after.1).validate_cel_update(&alerts(before.0, json!(before.1)))
    };
    let refused = "spec.topics.alerts.partitions: Kafka cannot take partitions away";
    assert_refused(change(("Manage", 4), ("Manage", json!(3))), refused);
    for (before, after) in [
        (("Manage", 4), ("Manage", json!(8))),
        (("Manage", 4), ("Manage", Value::Null)),
        (("Manage", 4), ("Create", json!(3))),
        (("Create", 6), ("Create", json!(3))),
        (("Create", 6), ("Manage", json!(3))),
        (("None", 6), ("None", json!(3))),
    ] {
        assert_eq!(refusals(change(before, after.clone())), [""; 0], "{before:?} to {after:?}");
    }
}

#[test]
fn a_training_keeps_its_pipeline() {
    let before = training(json!({}));
    let other = training(json!({ "data": { "pipeline": "other" } }));
    assert_refused(other.validate_cel_update(&before), "data.pipeline cannot be changed");
    let elsewhere = training(json!({ "site": "west", "seed": 2 }));
    assert_eq!(refusals(elsewhere.validate_cel_update(&before)), [""; 0]);
}
