//! What a detector tells of itself and of the records.

use std::path::Path;

use vedette_contract::ModelVersion;
use vedette_contract::health::{Health, HealthComponent};
use vedette_contract::keys::PipelineKeys;
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{Column, ColumnKind, FeatureSpecification, MANIFEST_FILE, SCHEMA};
use vedette_forest::artifact::{manifest_for, pack};
use vedette_forest::{Learner, Matrix, calibration, fit};
use vedette_testing::{TestBucket, eventually};

use crate::BUDGET;
use crate::support::{Broker, TOPICS, detector};

/// Keeps a model of these features where a detector finds it.
fn keep_model(directory: &Path, features: &[&str]) -> ModelVersion {
    let column = |name: &&str| Column { name: (*name).to_owned(), kind: ColumnKind::numeric(0.0) };
    let columns: Vec<Column> = features.iter().map(column).collect();
    let mut rows = Matrix::new(columns.len());
    (0..200u16).for_each(|row| rows.push_row(&vec![f32::from(row % 50); columns.len()]));
    let forest = fit(&Learner::defaults(Algorithm::IsolationForest), &rows, &columns, &[], 1).unwrap();
    let mut scores = Vec::new();
    forest.score_batch(&rows, &mut scores);
    let calibration = calibration::calibrate(scores).unwrap();
    let packed = pack(&forest, &FeatureSpecification { schema: SCHEMA, columns }, &calibration).unwrap();
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
    eventually("it is told", async || {
        told().await.is_some_and(|health| health.topics[0].records == 51 && health.topics[0].partitions == 1)
    })
    .await;
    let Health { component, topics, gaps, detector, .. } = told().await.unwrap();
    let detector = detector.unwrap();
    assert_eq!((component, gaps.len(), topics[0].lag_records), (HealthComponent::Detector, 0, 0));
    assert_eq!((detector.model_version, detector.dead_letters["invalid_json"]), (Some(version), 1));
    assert!((detector.threshold - 0.9999).abs() < 1e-9, "{}", detector.threshold);
    let missing: Vec<_> = detector.recent.features.iter().map(|(field, seen)| (field.as_str(), seen.missing)).collect();
    assert_eq!((detector.recent.records, missing), (50, vec![("renamed", 50)]));
    let metrics = running.ask("/metrics").await;
    for line in ["missing_values_total{field=\"renamed\"} 50", "missing_values_total{field=\"src_bytes\"} 0"] {
        assert!(metrics.contains(&format!("vedette_detector_{line}\n")), "{line} {metrics}");
    }
    assert!(metrics.contains("vedette_detector_lag_records 0\n"), "{metrics}");
    running.stop().await;
}
