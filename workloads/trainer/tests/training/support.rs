//! Runs trainings and looks at what they leave in the bucket; and records of six columns, one kind of which is anomalous.

use std::collections::BTreeMap;

use clap::Parser;
use serde_json::json;
use vedette_contract::Name;
use vedette_contract::arguments::TrainerArguments;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{
    CurrentPointer, MANIFEST_FILE, METADATA_FILE, ModelManifest, ModelMetadata, TrainingResult,
};
use vedette_forest::artifact::sha256_hex;
use vedette_service::Shutdown;
use vedette_testing::TestBucket;
use vedette_trainer::{TrainerError, run};

pub(crate) const DAY: &str = "2026-11-20";
pub(crate) const LABEL: &str = "--label-field condition --normal-label good";

pub(crate) async fn train(bucket: &TestBucket, job: &str, more: &str) -> Result<(), TrainerError> {
    run(arguments(bucket, job, more), Shutdown::new()).await
}

/// The arguments of a training of the pipeline `team/flows` from this bucket, and more.
pub(crate) fn arguments(bucket: &TestBucket, job: &str, more: &str) -> TrainerArguments {
    let mut line = vec![
        "vedette-trainer --namespace team --pipeline flows --site east --training daily".to_owned(),
        format!("--job {job} {more}"),
    ];
    line.extend(bucket.options());
    let defaults = [
        "--max-records 100000",
        "--deduplicate-by uuid",
        "--algorithm IsolationForest",
        "--seed 1",
        "--holdout-share 0.5",
        "--alert-budget-per-million 20000",
        "--folds 2",
        "--keep 3",
    ];
    let given = |default: &str| more.contains(default.split(' ').next().unwrap());
    line.extend(defaults.into_iter().filter(|default| !given(default)).map(str::to_owned));
    TrainerArguments::try_parse_from(line.join(" ").split_whitespace()).unwrap()
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn models() -> ModelKeys {
    ModelKeys::new(&name("team"), &name("daily"))
}

pub(crate) async fn pointer(bucket: &TestBucket) -> Option<CurrentPointer> {
    bucket.json(&models().current()).await
}

pub(crate) async fn result(bucket: &TestBucket, job: &str) -> TrainingResult {
    bucket.json(&models().result(job)).await.unwrap()
}

pub(crate) async fn metadata(bucket: &TestBucket) -> ModelMetadata {
    let version = pointer(bucket).await.unwrap().version;
    bucket.json(&models().file(&version, METADATA_FILE)).await.unwrap()
}

/// Files of the current version as a detector gets them.
pub(crate) async fn current_files(bucket: &TestBucket) -> (ModelManifest, BTreeMap<String, Vec<u8>>) {
    let pointer = pointer(bucket).await.unwrap();
    let manifest = bucket.bucket.get(&models().file(&pointer.version, MANIFEST_FILE)).await.unwrap().unwrap().bytes;
    assert_eq!(sha256_hex(&manifest), pointer.manifest_sha256);
    let manifest: ModelManifest = serde_json::from_slice(&manifest).unwrap();
    let mut files = BTreeMap::new();
    for file in manifest.files.keys() {
        let object = bucket.bucket.get(&models().file(&pointer.version, file)).await.unwrap().unwrap();
        files.insert(file.clone(), object.bytes.to_vec());
    }
    (manifest, files)
}

pub(crate) async fn versions(bucket: &TestBucket) -> Vec<String> {
    let listed = bucket.bucket.list(&models().prefix(), None).await.unwrap();
    let mut versions: Vec<_> = listed
        .iter()
        .filter_map(|object| models().version_of(&object.key))
        .map(|version| version.to_string())
        .collect();
    versions.dedup();
    versions
}

/// Enriched records of machines; one in a hundred has a worn bearing and vibrates.
pub(crate) fn machine_records(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(machine_record).collect()
}

fn machine_record(number: usize) -> String {
    let uniform = |stream: u64| {
        let hash = xxhash_rust::xxh3::xxh3_64_with_seed(&number.to_le_bytes(), stream);
        hash as f64 / 2_f64.powi(64)
    };
    let bell = |stream: u64| (0..6).map(|part| uniform(100 * stream + part)).sum::<f64>() - 3.0;
    let worn = number % 100 == 99;
    let (days, hours, minutes, seconds) = (20 + number / 86_400, number / 3_600 % 24, number / 60 % 60, number % 60);
    let load = 50.0 + 12.0 * bell(1);
    json!({
        "machine": format!("m{}", number / 7 % 5),
        "shift": if uniform(3) < 0.7 { "day" } else { "night" },
        "load": load,
        "temperature": 40.0 + 0.3 * load + bell(4),
        "vibration": if worn { 9.0 + bell(5) } else { 1.0 + 0.2 * bell(5) },
        "speed": (1_500.0 + 30.0 * bell(6)).round(),
        "condition": if worn { "worn" } else { "good" },
        "uuid": format!("record-{number}"),
        "utc": format!("2026-11-{days:02}T{hours:02}:{minutes:02}:{seconds:02}.000000Z"),
        "index": number,
        "site": "east",
        "score": uniform(7),
    })
    .to_string()
}
