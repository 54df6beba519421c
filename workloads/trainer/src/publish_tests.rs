use super::*;
use vedette_testing::TestBucket;

fn models() -> ModelKeys {
    ModelKeys::new(&"team".parse().unwrap(), &"daily".parse().unwrap())
}

fn pointer(day: u8, generation: u64, job: &str) -> CurrentPointer {
    CurrentPointer {
        version: format!("202611{day:02}T000000Z-00000000").parse().unwrap(),
        generation,
        manifest_sha256: "0".repeat(64),
        published_at: "2026-11-23T00:00:00Z".parse().unwrap(),
        published_by: job.to_owned(),
    }
}

/// What comes of making a version of day 20 current where another pointer came after the one that was seen.
async fn after_a_conflict(other: CurrentPointer) -> (Publication, CurrentPointer) {
    let bucket = TestBucket::serve().await;
    let put =
        async |pointer: &CurrentPointer| bucket.bucket.put(&models().current(), json(pointer).unwrap()).await.unwrap();
    put(&pointer(10, 3, "daily-1")).await;
    let seen = read_pointer(&bucket.bucket, &models()).await.unwrap();
    put(&other).await;
    let made = make_current(&bucket.bucket, &models(), pointer(20, 0, "daily-9"), seen).await.unwrap();
    (made, read_pointer(&bucket.bucket, &models()).await.unwrap().unwrap().0)
}

#[tokio::test]
async fn an_older_version_that_came_between_is_replaced() {
    let (made, now) = after_a_conflict(pointer(19, 4, "daily-8")).await;
    assert_eq!(now, pointer(20, 5, "daily-9"));
    assert_eq!(made, Publication::Current { pointer: now, previous: Some(pointer(19, 4, "daily-8").version) });
}

#[tokio::test]
async fn a_newer_version_that_came_between_stays() {
    let newer = pointer(21, 4, "daily-8");
    let (made, now) = after_a_conflict(newer.clone()).await;
    assert_eq!(now, newer);
    assert_eq!(made, Publication::Superseded { pointer: newer, version: pointer(20, 0, "").version });
}

#[tokio::test]
async fn two_processes_of_one_job_publish_once() {
    let ours = pointer(19, 4, "daily-9");
    let (made, now) = after_a_conflict(ours.clone()).await;
    assert_eq!(now, ours);
    assert_eq!(made, Publication::ByTheSameJob { pointer: ours });
}

#[tokio::test]
async fn a_version_whose_key_is_taken_by_other_files_moves_on() {
    let bucket = TestBucket::serve().await;
    let now: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
    let files = |text: &str| BTreeMap::from([("forest.bin".to_owned(), text.as_bytes().to_vec())]);
    let publish = async |job: &'static str, text: &str| {
        publish(&bucket.bucket, &models(), job, &files(text), &"a".repeat(64), now).await.unwrap()
    };
    bucket.create("team/models/daily/20261123T080000Z-aaaaaaaa/forest.bin", b"other".to_vec(), &BTreeMap::new()).await;
    let Publication::Current { pointer: first, previous: None } = publish("daily-1", "one").await else { panic!() };
    assert_eq!(first.version.as_str(), "20261123T080001Z-aaaaaaaa");
    let Publication::Current { pointer: second, previous } = publish("daily-2", "two").await else { panic!() };
    assert_eq!((second.version.as_str(), previous), ("20261123T080002Z-aaaaaaaa", Some(first.version)));
    let manifest =
        bucket.bucket.get("team/models/daily/20261123T080002Z-aaaaaaaa/manifest.json").await.unwrap().unwrap();
    assert_eq!(sha256_hex(&manifest.bytes), second.manifest_sha256);
}
