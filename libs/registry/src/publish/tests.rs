use super::*;
use crate::promote::{Attribution, Promotion, promote};
use crate::testing::{after, metadata, models, pointer};
use vedette_testing::TestBucket;

/// What comes of making a version of day 20 current where another pointer came after the one that was seen.
async fn after_a_conflict(first: Option<CurrentPointer>, other: CurrentPointer) -> (Publication, CurrentPointer) {
    let served = TestBucket::serve().await;
    let put = async |pointer: &CurrentPointer| {
        served.bucket.put(&models().current(), json::pretty(pointer).unwrap()).await.unwrap();
    };
    if let Some(first) = &first {
        put(first).await;
    }
    let seen = pointer::load(&served.bucket, &models()).await.unwrap();
    put(&other).await;
    let made = make_current(&served.bucket, &models(), pointer(20, 0, "daily-9"), seen).await.unwrap();
    (made, pointer::load(&served.bucket, &models()).await.unwrap().unwrap().pointer)
}

/// Nothing was published when it was looked at, or an older version was.
fn seen_before() -> [Option<CurrentPointer>; 2] {
    [None, Some(pointer(10, 3, "daily-1"))]
}

#[tokio::test]
async fn an_older_version_that_came_between_is_replaced() {
    for first in seen_before() {
        let (made, now) = after_a_conflict(first, pointer(19, 4, "daily-8")).await;
        assert_eq!(now, after(&pointer(19, 4, "daily-8"), pointer(20, 5, "daily-9")));
        assert_eq!(made, Publication::Current { pointer: now, previous: Some(pointer(19, 4, "daily-8").version) });
    }
}

#[tokio::test]
async fn a_newer_version_that_came_between_stays() {
    for first in seen_before() {
        let newer = pointer(21, 4, "daily-8");
        let (made, now) = after_a_conflict(first, newer.clone()).await;
        assert_eq!(now, newer);
        assert_eq!(made, Publication::Superseded { pointer: newer, version: pointer(20, 0, "").version });
    }
}

#[tokio::test]
async fn two_processes_of_one_job_publish_once() {
    for first in seen_before() {
        let ours = pointer(19, 4, "daily-9");
        let (made, now) = after_a_conflict(first, ours.clone()).await;
        assert_eq!(now, ours);
        assert_eq!(made, Publication::ByTheSameJob { pointer: ours });
    }
}

#[tokio::test]
async fn a_version_whose_key_is_taken_by_other_files_moves_on() {
    let served = TestBucket::serve().await;
    let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
    let publish = async |job: &str, text: &str| {
        let files = BTreeMap::from([("forest.bin".to_owned(), text.as_bytes().to_vec())]);
        let artifact = ArtifactFiles { files, content_sha256: "a".repeat(64) };
        publish(&served.bucket, &models(), artifact, &metadata(job), now).await.unwrap()
    };
    served.put("team/models/daily/20261123T080000Z-aaaaaaaa/forest.bin", "other").await;
    let Publication::Current { pointer: first, previous: None } = publish("daily-1", "one").await else { panic!() };
    assert_eq!((first.version.as_str(), first.generation), ("20261123T080001Z-aaaaaaaa", 1));
    let of_others = served.bucket.get("team/models/daily/20261123T080000Z-aaaaaaaa/manifest.json").await.unwrap();
    assert!(of_others.is_none(), "where a manifest is, the version is whole");
    let Publication::Current { pointer: second, previous } = publish("daily-2", "two").await else { panic!() };
    assert_eq!((second.version.as_str(), previous), ("20261123T080002Z-aaaaaaaa", Some(first.version)));
    let manifest =
        served.bucket.get("team/models/daily/20261123T080002Z-aaaaaaaa/manifest.json").await.unwrap().unwrap();
    assert_eq!(sha256_hex(&manifest.bytes), second.manifest_sha256);
    assert_eq!(publish("daily-2", "three").await, Publication::ByTheSameJob { pointer: second });
}

#[tokio::test]
async fn a_candidate_is_whole_and_newer_than_the_current_version_which_stays() {
    let served = TestBucket::serve().await;
    let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
    let artifact = |text: &str| {
        let files = BTreeMap::from([("forest.bin".to_owned(), text.as_bytes().to_vec())]);
        ArtifactFiles { files, content_sha256: "b".repeat(64) }
    };
    let candidate = async |text: &str| {
        keep_candidate(&served.bucket, &models(), artifact(text), &metadata("daily-1"), now).await.unwrap()
    };
    let first = candidate("one").await;
    assert_eq!(first.as_str(), "20261123T080000Z-bbbbbbbb");
    assert_eq!(pointer::load(&served.bucket, &models()).await.unwrap(), None);
    let ahead = pointer(30, 7, "daily-0");
    served.put(&models().current(), json::pretty(&ahead).unwrap()).await;
    let second = candidate("two").await;
    assert_eq!(second.as_str(), "20261130T000001Z-bbbbbbbb");
    let held = crate::versions::look_at(&served.bucket, &models(), &second, None).await.unwrap();
    assert!(matches!(held, crate::versions::Held::Complete), "{held:?}");
    assert_eq!(pointer::load(&served.bucket, &models()).await.unwrap().unwrap().pointer, ahead);
}

#[tokio::test]
async fn whoever_promotes_while_a_job_publishes_swaps_before_it_or_after_it() {
    let now: Timestamp = "2026-11-29T08:00:00Z".parse().unwrap();
    let [old, current] = [10, 20].map(|day| pointer(day, 0, "").version);
    for _ in 0..20 {
        let served = TestBucket::serve().await;
        served.publish("team", "daily", &old, 1).await;
        served.publish("team", "daily", &current, 2).await;
        let (keys, metadata) = (models(), metadata("daily-3"));
        let files = BTreeMap::from([("forest.bin".to_owned(), b"trees".to_vec())]);
        let artifact = ArtifactFiles { files, content_sha256: "a".repeat(64) };
        let attribution = Attribution { by: "ada", comment: None, at: now };
        let (published, promoted) = tokio::join!(
            publish(&served.bucket, &keys, artifact, &metadata, now),
            promote(&served.bucket, &keys, &old, attribution)
        );
        let Publication::Current { pointer: of_job, .. } = published.unwrap() else { panic!() };
        let Promotion::Current { pointer: of_ada, .. } = promoted.unwrap() else { panic!() };
        let (first, last) = if of_job.generation < of_ada.generation { (of_job, of_ada) } else { (of_ada, of_job) };
        assert_eq!((first.generation, last.generation), (3, 4), "no swap is lost");
        assert_eq!(last.previous(), Some(&first.version), "and the last one knows of the first");
        assert_eq!(pointer::load(&served.bucket, &keys).await.unwrap().unwrap().pointer, last);
    }
}
