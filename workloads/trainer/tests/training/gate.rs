//! What the gate keeps from becoming current, and what it keeps of it.

use jiff::Timestamp;
use serde_json::{Value, json};
use vedette_contract::archive::{METADATA_RECORDS, METADATA_SHA256};
use vedette_contract::gate::GateReport;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::model::{
    FOREST_FILE, METADATA_FILE, ModelMetadata, REPORT_FILE, TrainingOutcome, TrainingResult,
};
use vedette_contract::progress::SiteStatus;
use vedette_registry::versions::{Held, look_at};
use vedette_testing::TestBucket;

use crate::support::{DAY, LABEL, machine_records, models, name, pointer, result, train, versions};

/// The machines of another site: hotter and faster, or told of in other fields.
fn elsewhere(numbers: std::ops::Range<usize>, change: impl Fn(&mut serde_json::Map<String, Value>)) -> Vec<String> {
    let changed = |line: String| {
        let mut record: Value = serde_json::from_str(&line).unwrap();
        change(record.as_object_mut().unwrap());
        record.to_string()
    };
    machine_records(numbers).into_iter().map(changed).collect()
}

fn hotter(record: &mut serde_json::Map<String, Value>) {
    for (field, value) in [("temperature", 140.0), ("speed", 3_000.0), ("load", 300.0), ("vibration", 30.0)] {
        record.insert(field.to_owned(), json!(value));
    }
}

fn renamed(record: &mut serde_json::Map<String, Value>) {
    for field in ["load", "temperature", "vibration", "speed"] {
        let value = record.remove(field).unwrap();
        record.insert(format!("{field}_v2"), value);
    }
}

/// The site `west` says that it follows the training.
async fn west_follows(bucket: &TestBucket) {
    let status = SiteStatus {
        site: name("west"),
        training: Some(name("daily")),
        model_version: None,
        rejected: Vec::new(),
        ready: true,
        topics: None,
        alert_budget_per_million: None,
        added_fields: Vec::new(),
        renamed_fields: None,
        deleted: false,
        updated_at: Timestamp::now(),
    };
    bucket.put_json(&PipelineKeys::new(&name("team"), &name("flows")).site(&name("west")), &status).await;
}

/// What the bucket keeps of a model that the gate refused.
async fn candidate(bucket: &TestBucket, refused: &TrainingResult) -> GateReport {
    assert_eq!(refused.outcome, TrainingOutcome::GateRefused, "{}", refused.message);
    let version = refused.version.as_ref().unwrap();
    let held = look_at(&bucket.bucket, &models(), version, None).await.unwrap();
    assert!(matches!(held, Held::Complete), "{held:?}");
    let metadata: ModelMetadata = bucket.json(&models().file(version, METADATA_FILE)).await.unwrap();
    let promote = format!("`vedette models promote {version} -n team --training daily --site east");
    for word in ["kept as a candidate", &metadata.gate.refused[0], &promote] {
        assert!(refused.message.contains(word), "{word}: {}", refused.message);
    }
    let report = refused.report.as_ref().unwrap();
    assert_eq!(*report, models().file(version, REPORT_FILE));
    let page = bucket.bucket.get(report).await.unwrap().unwrap().bytes;
    assert!(std::str::from_utf8(&page).unwrap().contains("Refused: this version is a candidate"));
    metadata.gate
}

#[tokio::test]
async fn a_model_below_its_minimum_is_a_candidate_and_candidates_do_not_pile_up() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..1_000)).await;
    train(&bucket, "daily-1", &format!("{LABEL} --minimum-auroc 1.01")).await.unwrap();
    let refused = result(&bucket, "daily-1").await;
    assert!(refused.metrics.as_ref().unwrap().auroc.is_some());
    let gate = candidate(&bucket, &refused).await;
    assert!(gate.refused[0].contains("must be at least 1.01"), "{gate:?}");
    assert_eq!((gate.newest.len(), gate.newest[0].records, pointer(&bucket).await), (1, 1_000, None));

    train(&bucket, "daily-2", "--label-field nobody-has-it --minimum-auroc 0.5 --keep 1").await.unwrap();
    let unknown = result(&bucket, "daily-2").await;
    assert_eq!(unknown.metrics.as_ref().unwrap().auroc, None);
    assert!(candidate(&bucket, &unknown).await.refused[0].contains("no labels"));
    assert_eq!(versions(&bucket).await, [unknown.version.unwrap().to_string()]);
}

#[tokio::test]
async fn a_model_that_would_flood_a_site_that_the_one_before_knows_is_a_candidate() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..4_000)).await;
    bucket.archive(DAY, "west", 0, &elsewhere(4_000..6_000, hotter)).await;
    west_follows(&bucket).await;
    train(&bucket, "daily-1", "").await.unwrap();
    let first = pointer(&bucket).await.unwrap();
    let of_east_alone = "--data-site east --alert-budget-per-million 10000";
    train(&bucket, "daily-2", of_east_alone).await.unwrap();
    let refused = result(&bucket, "daily-2").await;
    let GateReport { refused: why, warnings, newest } = candidate(&bucket, &refused).await;
    let [east, west] = newest.as_slice() else { panic!("{newest:?}") };
    assert_eq!([&east.site, &west.site], [&name("east"), &name("west")]);
    assert!(east.alerts < 120 && west.records == 2_000 && west.alerts > 1_500, "{newest:?}");
    assert!(west.alerts_before.unwrap() < west.alerts / 4, "{newest:?}");
    let said = format!("at site west {} of the newest 2000 records would alert", west.alerts);
    assert!(why.len() == 1 && why[0].starts_with(&said) && why[0].contains("where 10000 may"), "{why:?}");
    assert_eq!((pointer(&bucket).await.unwrap(), warnings), (first, Vec::new()));

    train(&bucket, "daily-3", &format!("{of_east_alone} --gate-newest-records Ignore")).await.unwrap();
    assert_eq!(result(&bucket, "daily-3").await.outcome, TrainingOutcome::Published);
}

#[tokio::test]
async fn a_first_model_is_a_candidate_where_every_tenth_record_of_a_site_would_alert_and_below_says_so() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..2_000)).await;
    bucket.archive(DAY, "west", 0, &machine_records(2_000..2_950)).await;
    bucket.archive(DAY, "west", 950, &elsewhere(2_950..3_000, hotter)).await;
    west_follows(&bucket).await;
    train(&bucket, "daily-1", "--data-site east").await.unwrap();
    let published = result(&bucket, "daily-1").await;
    assert_eq!(published.outcome, TrainingOutcome::Published, "{}", published.message);
    for said in
        ["at site west ", " of the newest 1000 records would alert", "where 20000 may, and there is no version to"]
    {
        assert!(published.message.contains(said), "{said}: {}", published.message);
    }
    let version = published.version.unwrap();
    let metadata: ModelMetadata = bucket.json(&models().file(&version, METADATA_FILE)).await.unwrap();
    assert_eq!(metadata.gate.warnings.len(), 1);
    let west = &metadata.gate.newest[1];
    assert!((60..=100).contains(&west.alerts), "above three times the budget, and not above a tenth: {west:?}");

    let flooded = TestBucket::serve().await;
    flooded.archive(DAY, "east", 0, &machine_records(0..2_000)).await;
    flooded.archive(DAY, "west", 0, &elsewhere(2_000..3_000, hotter)).await;
    west_follows(&flooded).await;
    train(&flooded, "daily-1", "--data-site east").await.unwrap();
    let gate = candidate(&flooded, &result(&flooded, "daily-1").await).await;
    assert!(gate.refused[0].ends_with("there is no version to compare with"), "{gate:?}");
    assert_eq!((gate.refused.len(), pointer(&flooded).await), (1, None));
}

#[tokio::test]
async fn a_model_whose_features_a_site_does_not_have_is_a_candidate_though_it_is_the_first() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..2_000)).await;
    bucket.archive("2026-11-18", "west", 0, &elsewhere(2_000..2_500, renamed)).await;
    train(&bucket, "daily-1", "--data-site east").await.unwrap();
    assert_eq!(result(&bucket, "daily-1").await.outcome, TrainingOutcome::Published, "nobody at west follows");
    west_follows(&bucket).await;
    train(&bucket, "daily-2", "--data-site east").await.unwrap();
    let gate = candidate(&bucket, &result(&bucket, "daily-2").await).await;
    let lacks = |why: &String| {
        why.starts_with("at site west 57 % of the values") && why.ends_with("no load, speed, temperature, vibration")
    };
    assert!(gate.refused.iter().any(lacks), "{gate:?}");
    // What is a month older than everything else holds nobody up.
    bucket.archive("2026-12-20", "east", 2_000, &machine_records(3_000..3_500)).await;
    train(&bucket, "daily-3", "--data-site east").await.unwrap();
    assert_eq!(result(&bucket, "daily-3").await.outcome, TrainingOutcome::Published);
}

#[tokio::test]
async fn a_current_version_that_is_damaged_or_not_whole_is_no_measure_and_is_replaced() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..1_000)).await;
    train(&bucket, "daily-1", "").await.unwrap();
    for job in ["daily-2", "daily-3", "daily-4"] {
        let current = pointer(&bucket).await.unwrap().version;
        let forest = models().file(&current, FOREST_FILE);
        match job {
            "daily-2" => bucket.put(&forest, "other trees").await,
            "daily-3" => bucket.bucket.delete(&forest).await.unwrap(),
            _ => {}
        }
        train(&bucket, job, "").await.unwrap();
        let published = result(&bucket, job).await;
        assert_eq!(published.outcome, TrainingOutcome::Published, "{}", published.message);
        let version = published.version.unwrap();
        let metadata: ModelMetadata = bucket.json(&models().file(&version, METADATA_FILE)).await.unwrap();
        assert_eq!(metadata.gate.newest[0].alerts_before.is_some(), job == "daily-4", "{job}");
    }
}

#[tokio::test]
async fn what_is_damaged_of_the_newest_is_passed_over() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..4_000)).await;
    let damaged = vedette_testing::bucket::object_key(DAY, "east", 4_000);
    let said = [(METADATA_RECORDS, "10".to_owned()), (METADATA_SHA256, "0".repeat(64))];
    let said = said.map(|(name, value)| (name.to_owned(), value)).into();
    bucket.create(&damaged, b"altered".to_vec(), &said).await;
    train(&bucket, "daily-1", "--label-field nobody-has-it --minimum-auroc 0.5").await.unwrap();
    let gate = candidate(&bucket, &result(&bucket, "daily-1").await).await;
    assert_eq!((gate.newest.len(), gate.newest[0].records, gate.refused.len()), (1, 4_000, 1));
}

#[tokio::test]
async fn only_the_newest_records_are_looked_at_open_ones_included() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..9_000)).await;
    let open = vedette_testing::bucket::object_key(DAY, "east", 9_000);
    bucket.tail(&open, 9_000, &machine_records(9_000..9_300)).await;
    train(&bucket, "daily-1", "--minimum-auroc 0.5 --label-field nobody-has-it").await.unwrap();
    let gate = candidate(&bucket, &result(&bucket, "daily-1").await).await;
    assert_eq!(gate.newest[0].records, 5_000);
}
