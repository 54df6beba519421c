//! What a training leaves in the bucket, and what it does not touch.

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use vedette_contract::ModelVersion;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::model::{CurrentPointer, FOREST_FILE, MANIFEST_FILE, TrainingOutcome};
use vedette_contract::progress::SiteStatus;
use vedette_forest::Model;
use vedette_service::{Reason, Shutdown};
use vedette_testing::TestBucket;
use vedette_testing::bucket::object_key;
use vedette_trainer::{TrainerError, run};

use crate::support::{
    DAY, LABEL, arguments, current_files, machine_records, metadata, models, name, pointer, result, train, versions,
};

#[tokio::test]
async fn a_model_is_published_and_the_next_one_replaces_it() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..2_000)).await;
    bucket.archive(DAY, "west", 0, &machine_records(2_000..4_000)).await;
    let open = object_key(DAY, "east", 2_000);
    bucket.tail(&open, 2_000, &machine_records(4_000..4_500)).await;
    bucket.tail(&open, 2_500, &machine_records(4_500..5_000)).await;
    train(&bucket, "daily-1", LABEL).await.unwrap();

    let first = pointer(&bucket).await.unwrap();
    assert_eq!((first.generation, first.published_by.as_str()), (1, "daily-1"));
    let (manifest, files) = current_files(&bucket).await;
    let model = Model::from_files(&files, &manifest).unwrap();
    let names: Vec<_> = model.encoder.columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["load", "machine", "shift", "speed", "temperature", "vibration"]);

    let metadata = metadata(&bucket).await;
    assert_eq!((metadata.records, metadata.duplicates, metadata.unreadable, metadata.sampled), (5_000, 0, 0, 5_000));
    assert_eq!((metadata.objects.len(), metadata.last_utc.as_deref()), (4, Some("2026-11-20T01:23:19.000000Z")));
    assert_eq!(metadata.sites, [name("east"), name("west")]);
    assert!(metadata.metrics.auroc.unwrap() >= 0.9, "{:?}", metadata.metrics);
    assert_eq!(metadata.baseline.as_ref().unwrap().rows, metadata.metrics.rows);
    let published = result(&bucket, "daily-1").await;
    assert_eq!((published.outcome, published.version.as_ref()), (TrainingOutcome::Published, Some(&first.version)));
    assert_eq!(published.metrics.as_ref(), Some(&metadata.metrics));

    train(&bucket, "daily-2", LABEL).await.unwrap();
    let second = pointer(&bucket).await.unwrap();
    assert_eq!((second.generation, second.published_by.as_str()), (2, "daily-2"));
    assert!(second.version > first.version);
    train(&bucket, "daily-2", LABEL).await.unwrap();
    assert_eq!(pointer(&bucket).await.unwrap(), second);
    assert_eq!(versions(&bucket).await.len(), 2);
}

#[tokio::test]
async fn a_pointer_that_cannot_be_read_is_an_error_and_nothing_is_published() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..500)).await;
    bucket.bucket.put(&models().current(), Bytes::from_static(b"{half")).await.unwrap();
    let refused = train(&bucket, "daily-1", "").await.unwrap_err();
    assert_eq!(refused.reason(), "PointerUnreadable", "{refused:?}");
    assert!(refused.to_string().contains("team/models/daily/current.json"), "{refused}");
    assert_eq!(versions(&bucket).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_job_that_died_after_the_swap_finds_its_own_version() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..500)).await;
    train(&bucket, "daily-1", LABEL).await.unwrap();
    let (before, written) = (pointer(&bucket).await, result(&bucket, "daily-1").await);
    bucket.bucket.delete(&models().result("daily-1")).await.unwrap();
    train(&bucket, "daily-1", LABEL).await.unwrap();
    let recovered = result(&bucket, "daily-1").await;
    assert_eq!((recovered.outcome, &recovered.version), (written.outcome, &written.version));
    assert_eq!((recovered.records, recovered.metrics), (500, written.metrics));
    assert_eq!((pointer(&bucket).await, versions(&bucket).await.len()), (before, 1));
}

#[tokio::test]
async fn old_versions_go_unless_a_site_uses_them() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..500)).await;
    let [used, forgotten, other, unused, kept]: [ModelVersion; 5] =
        [1, 2, 3, 4, 5].map(|day| format!("202601{day:02}T000000Z-00000000").parse().unwrap());
    for version in [&used, &forgotten, &other, &unused, &kept] {
        for file in [FOREST_FILE, MANIFEST_FILE] {
            bucket.bucket.put(&models().file(version, file), Bytes::from_static(b"{}")).await.unwrap();
        }
    }
    let sites = [
        ("flows", "east", "daily", &used, 6),
        ("flows", "west", "daily", &forgotten, 8),
        ("logs", "east", "hourly", &other, 0),
    ];
    for (pipeline, site, training, version, days) in sites {
        let status = SiteStatus {
            site: name(site),
            training: Some(name(training)),
            model_version: Some(version.clone()),
            rejected: Vec::new(),
            ready: true,
            topics: None,
            alert_budget_per_million: None,
            added_fields: Vec::new(),
            renamed_fields: None,
            deleted: false,
            updated_at: Timestamp::now() - SignedDuration::from_hours(24 * days),
        };
        let key = PipelineKeys::new(&name("team"), &name(pipeline)).site(&name(site));
        bucket.bucket.put(&key, serde_json::to_vec(&status).unwrap().into()).await.unwrap();
    }
    train(&bucket, "daily-1", "--keep 2").await.unwrap();
    let current = pointer(&bucket).await.unwrap().version.to_string();
    assert_eq!(versions(&bucket).await, [used.to_string(), kept.to_string(), current]);
    assert_eq!(result(&bucket, "daily-1").await.outcome, TrainingOutcome::Published);
}

#[tokio::test]
async fn a_version_is_newer_than_the_current_one_even_if_its_clock_ran_ahead() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &machine_records(0..500)).await;
    let ahead = CurrentPointer {
        version: "20990101T000000Z-00000000".parse().unwrap(),
        generation: 41,
        manifest_sha256: "0".repeat(64),
        published_at: Timestamp::now(),
        published_by: "somebody".to_owned(),
        comment: None,
        earlier: Vec::new(),
    };
    bucket.bucket.put(&models().current(), serde_json::to_vec(&ahead).unwrap().into()).await.unwrap();
    train(&bucket, "daily-1", "").await.unwrap();
    let pointer = pointer(&bucket).await.unwrap();
    assert_eq!(pointer.generation, 42);
    assert!(pointer.version.as_str().starts_with("20990101T000001Z-"), "{}", pointer.version);
}

#[tokio::test]
async fn an_interrupted_training_is_an_error_so_that_its_job_is_run_again() {
    let bucket = TestBucket::serve().await;
    let arguments = arguments(&bucket, "daily-1", "");
    let shutdown = Shutdown::new();
    shutdown.cancel();
    assert!(matches!(run(arguments, shutdown).await, Err(TrainerError::Interrupted)));
    assert!(bucket.bucket.get(&models().result("daily-1")).await.unwrap().is_none());
}
