//! What a detector tells of itself and of the records.

use std::collections::BTreeMap;
use std::path::Path;

use rdkafka::Message as _;
use serde_json::{Value, json};
use vedette_contract::ModelVersion;
use vedette_contract::distribution::{PSI_MODERATE, PSI_SHIFTED, SCORE_ENDS, score_bin};
use vedette_contract::health::{Health, HealthComponent, StabilityHealth};
use vedette_contract::keys::PipelineKeys;
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{
    Column, ColumnKind, FeatureSpecification, MANIFEST_FILE, METADATA_FILE, ModelMetadata, SCHEMA,
};
use vedette_forest::artifact::{manifest_for, pack};
use vedette_forest::calibration::Calibrator;
use vedette_forest::{Learner, Matrix, calibration, fit};
use vedette_testing::{TestBucket, eventually};

use crate::BUDGET;
use crate::support::{Broker, TOPICS, detector};

/// Keeps a model of these features where a detector finds it, which learned from the numbers 0 to 49 as often as each other.
fn keep_model(directory: &Path, features: &[&str]) -> ModelVersion {
    let column = |name: &&str| Column { name: (*name).to_owned(), kind: ColumnKind::numeric(0.0) };
    let columns: Vec<Column> = features.iter().map(column).collect();
    let mut rows = Matrix::new(columns.len());
    (0..200u16).for_each(|row| rows.push_row(&vec![f32::from(row % 50); columns.len()]));
    let forest = fit(&Learner::defaults(Algorithm::IsolationForest), &rows, &columns, &[], 1).unwrap();
    let mut scores = Vec::new();
    forest.score_batch(&rows, &mut scores);
    let calibration = calibration::calibrate(scores.clone()).unwrap();
    let calibrator = Calibrator::new(&calibration).unwrap();
    let mut packed = pack(&forest, &FeatureSpecification { schema: SCHEMA, columns }, &calibration).unwrap();
    let metadata = metadata(features, scores.iter().map(|raw| calibrator.score(*raw)));
    packed.files.insert(METADATA_FILE.to_owned(), metadata.to_string().into_bytes());
    let version = ModelVersion::new("2026-11-23T08:42:10Z".parse().unwrap(), &packed.content_sha256).unwrap();
    let manifest = serde_json::to_vec(&manifest_for(version.clone(), &packed.files)).unwrap();
    let home = directory.join(version.as_str());
    std::fs::create_dir(&home).unwrap();
    for (name, bytes) in
        packed.files.iter().map(|(name, bytes)| (name.as_str(), bytes)).chain([(MANIFEST_FILE, &manifest)])
    {
        std::fs::write(home.join(name), bytes).unwrap();
    }
    version
}

/// What a trainer says of such a model.
fn metadata(features: &[&str], scores: impl Iterator<Item = f64>) -> Value {
    let mut shares = vec![0.; SCORE_ENDS.len() + 1];
    scores.for_each(|score| shares[score_bin(score)] += 1. / 200.);
    let half = json!({ "ends": [24.], "shares": [0.5, 0.5, 0.] });
    let half: serde_json::Map<String, Value> = features.iter().map(|name| ((*name).to_owned(), half.clone())).collect();
    let metadata = json!({
        "schema": SCHEMA, "vedette_version": "0.1.0", "training": "flows", "pipeline": "flows", "trained_at_site": "east",
        "trained_by": "flows-1", "trained_at": "2026-11-23T08:42:10Z", "algorithm": "IsolationForest", "parameters": {}, "seed": 1,
        "objects": [], "sites": [], "records": 200, "duplicates": 0, "unreadable": 0, "sampled": 200, "learned": 200,
        "last_utc": null, "baseline": null,
        "metrics": {
            "rows": 200, "anomalies": null, "auroc": null, "auprc": null, "recall_at_budget": null,
            "precision_at_budget": null, "alert_budget_per_million": 100., "alerts_per_million": 100.
        },
        "distributions": { "score_ends": SCORE_ENDS, "scores": shares, "features": half }
    });
    serde_json::from_value::<ModelMetadata>(metadata.clone()).unwrap();
    metadata
}

/// What a detector tells of a stream of such numbers: the index of the scores, and that of each feature that it tells.
async fn stability(number: impl Fn(usize) -> usize) -> (f64, BTreeMap<String, f64>) {
    let (broker, served) = (Broker::start([1, 1, 1, 1]).await, TestBucket::serve().await);
    let directory = tempfile::tempdir().unwrap();
    let version = keep_model(directory.path(), &["src_bytes", "dst_bytes"]);
    let (bucket, model) = (served.options(), format!("--model-version={version}"));
    let more = ["--processing-guarantee=ExactlyOnce", BUDGET, "--model-training=flows", &model];
    let more: Vec<&str> = more.into_iter().chain(bucket.iter().map(String::as_str)).collect();
    let running = detector(&broker, "detector-0", directory.path(), &more);
    running.wait_until_ready().await;
    // In so many batches at least that enough of their features are counted.
    for part in 1..=4 {
        let record = |row: usize| {
            let (uuid, bytes) = (format!("u{part}-{row}"), number(row));
            format!(r#"{{"uuid":"{uuid}","utc":"t","src_bytes":{bytes},"dst_bytes":{}}}"#, row % 50)
        };
        let records: Vec<String> = (0..250).map(record).collect();
        broker.produce(1, records.iter().map(String::as_bytes));
        broker.read(&[(TOPICS[1], 1)], 250 * part);
    }
    let key = PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap())
        .health(&"east".parse().unwrap(), "detector-0");
    let told = async || served.json::<Health>(&key).await.and_then(|health| health.detector?.stability);
    eventually("it is told", async || told().await.is_some_and(|told| told.scores.records() == 1_000)).await;
    let StabilityHealth { records: _, scores, features } = told().await.unwrap();
    let metrics = running.ask("/metrics").await;
    for line in [
        "score_count 1000\n",
        "end_to_end_latency_seconds_count 1000\n",
        "feature_psi{field=\"src_bytes\"} ",
        "score_psi ",
    ] {
        assert!(metrics.contains(&format!("vedette_detector_{line}")), "{line} {metrics}");
    }
    running.stop().await;
    (scores.psi().unwrap(), features.into_iter().map(|(field, compared)| (field, compared.psi().unwrap())).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_are_not_as_those_of_the_training_are_told_with_the_field_and_others_are_not() {
    let (as_learned, shifted) = tokio::join!(stability(|row| row % 50), stability(|row| 45 + row % 5));
    assert!(as_learned.0 < PSI_MODERATE && as_learned.1.is_empty(), "{as_learned:?}");
    let fields: Vec<&str> = shifted.1.keys().map(String::as_str).collect();
    assert!(shifted.0 > PSI_SHIFTED && fields == ["src_bytes"], "{shifted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulated_record_comes_out_with_its_alert_and_is_counted_as_such_alone() {
    let (broker, served) = (Broker::start([1, 1, 1, 1]).await, TestBucket::serve().await);
    let directory = tempfile::tempdir().unwrap();
    let version = keep_model(directory.path(), &["src_bytes", "dst_bytes"]);
    let (bucket, model) = (served.options(), format!("--model-version={version}"));
    let more = ["--processing-guarantee=ExactlyOnce", "--score-threshold=0", "--model-training=flows", &model];
    let more: Vec<&str> = more.into_iter().chain(bucket.iter().map(String::as_str)).collect();
    let running = detector(&broker, "detector-0", directory.path(), &more);
    running.wait_until_ready().await;
    let record = |number: usize, more: &str| {
        format!(r#"{{"uuid":"u{number}","utc":"t","src_bytes":{},"dst_bytes":1{more}}}"#, 1_000 * number)
    };
    let records = [record(1, ""), record(2, r#","simulated":true"#), record(3, r#","simulated":1"#)];
    broker.produce(1, records.iter().map(String::as_bytes));
    let simulated = |messages: Vec<rdkafka::message::OwnedMessage>| {
        let values =
            messages.iter().map(|message| serde_json::from_slice::<Value>(message.payload().unwrap()).unwrap());
        values.map(|value| (value["uuid"].clone(), value["simulated"].clone(), value["score"].is_number())).collect()
    };
    let expected = [("u1", json!(null), true), ("u2", json!(true), true), ("u3", json!(1), true)];
    let expected: Vec<_> = expected.into_iter().map(|(uuid, said, scored)| (json!(uuid), said, scored)).collect();
    for topic in [TOPICS[1], TOPICS[2]] {
        let seen: Vec<(Value, Value, bool)> = simulated(broker.read(&[(topic, 1)], 3));
        assert_eq!(seen, expected, "{topic}");
    }
    let counted = ["records_total 3\n", "alerts_total 2\n", "simulated_records_total 1\n", "score_count 2\n"];
    running
        .wait_for("/metrics", |metrics| {
            counted.iter().all(|line| metrics.contains(&format!("vedette_detector_{line}")))
        })
        .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_the_records_lack_and_the_model_wants_is_told() {
    let (broker, served) = (Broker::start([1, 1, 1, 1]).await, TestBucket::serve().await);
    let directory = tempfile::tempdir().unwrap();
    let version = keep_model(directory.path(), &["src_bytes", "total_bytes", "renamed"]);
    let (bucket, model) = (served.options(), format!("--model-version={version}"));
    let more = ["--processing-guarantee=ExactlyOnce", BUDGET, "--model-training=flows", &model];
    let more: Vec<&str> = more.into_iter().chain(bucket.iter().map(String::as_str)).collect();
    let running = detector(&broker, "detector-0", directory.path(), &more);
    running.wait_until_ready().await;
    let record = |number: usize| format!(r#"{{"uuid":"u{number}","utc":"t","src_bytes":{number},"dst_bytes":1}}"#);
    let records: Vec<String> = (0..50).map(record).chain(["garbage".to_owned()]).collect();
    broker.produce(1, records.iter().map(String::as_bytes));
    broker.read(&[(TOPICS[1], 1)], 50);
    let key = PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap())
        .health(&"east".parse().unwrap(), "detector-0");
    let told = || served.json::<Health>(&key);
    let mut health = None;
    eventually("it is told", async || {
        health = told().await.filter(|health| {
            let topic = &health.topics[0];
            (topic.records, topic.partitions, topic.lag_records) == (51, 1, 0)
        });
        health.is_some()
    })
    .await;
    let Health { component, gaps, detector, .. } = health.unwrap();
    let detector = detector.unwrap();
    assert_eq!((component, gaps.len()), (HealthComponent::Detector, 0));
    assert_eq!((detector.model_version, detector.dead_letters["invalid_json"]), (Some(version), 1));
    assert!((detector.threshold - 0.9999).abs() < 1e-9, "{}", detector.threshold);
    let missing: Vec<_> = detector.recent.features.iter().map(|(field, seen)| (field.as_str(), seen.missing)).collect();
    assert_eq!((detector.recent.records, missing), (50, vec![("renamed", 50)]));
    let counted = [
        "missing_values_total{field=\"renamed\"} 50\n",
        "missing_values_total{field=\"src_bytes\"} 0\n",
        "lag_records 0\n",
    ];
    running
        .wait_for("/metrics", |metrics| {
            counted.iter().all(|line| metrics.contains(&format!("vedette_detector_{line}")))
        })
        .await;
    running.stop().await;
}
