use vedette_contract::model::{FOREST_FILE, ModelMetadata};
use vedette_testing::TestBucket;
use vedette_testing::bucket::Behaviour;

use super::*;
use crate::testing::{metadata, models, pointer};

fn version(day: u8) -> ModelVersion {
    pointer(day, 0, "").version
}

fn now() -> Timestamp {
    "2026-11-29T08:00:00Z".parse().unwrap()
}

async fn by_ada(served: &TestBucket, day: u8) -> Result<Promotion, PromoteError> {
    let attribution = Attribution { by: "ada", comment: Some("west is new"), at: now() };
    promote(&served.bucket, &models(), &version(day), attribution).await
}

#[tokio::test]
async fn an_older_version_becomes_current_with_a_greater_generation_and_in_a_name() {
    let served = TestBucket::serve().await;
    served.publish("team", "daily", &version(10), 3).await;
    served.publish("team", "daily", &version(20), 4).await;
    let Promotion::Current { pointer: now_current, previous } = by_ada(&served, 10).await.unwrap() else { panic!() };
    assert_eq!((now_current.generation, now_current.published_by.as_str()), (5, "ada"));
    assert_eq!((previous.as_ref(), now_current.previous()), (Some(&version(20)), Some(&version(20))));
    assert_eq!((now_current.comment.as_deref(), now_current.published_at), (Some("west is new"), now()));
    let stored = pointer::load(&served.bucket, &models()).await.unwrap().unwrap().pointer;
    assert_eq!(stored, now_current);
    let held = versions::look_at(&served.bucket, &models(), &version(10), Some(&stored.manifest_sha256)).await.unwrap();
    assert!(matches!(held, Held::Complete), "its hash is the manifest's: {held:?}");
    assert_eq!(by_ada(&served, 10).await.unwrap(), Promotion::Already { pointer: stored });
}

#[tokio::test]
async fn a_first_version_may_be_a_candidate() {
    let served = TestBucket::serve().await;
    served.publish("team", "daily", &version(10), 1).await;
    served.bucket.delete(&models().current()).await.unwrap();
    let Promotion::Current { pointer, previous } = by_ada(&served, 10).await.unwrap() else { panic!() };
    assert_eq!((pointer.generation, pointer.version, previous), (1, version(10), None));
}

#[tokio::test]
async fn what_is_not_whole_is_not_promoted() {
    let served = TestBucket::serve().await;
    served.publish("team", "daily", &version(20), 4).await;
    let missing = by_ada(&served, 9).await.unwrap_err().to_string();
    assert!(missing.contains("20261109T000000Z-00000000/manifest.json"), "{missing}");
    served.publish("team", "daily", &version(10), 5).await;
    let forest = models().file(&version(20), FOREST_FILE);
    served.put(&forest, "other trees").await;
    let damaged = by_ada(&served, 20).await.unwrap_err();
    assert!(matches!(damaged, PromoteError::Damaged { .. }), "{damaged:?}");
    served.bucket.delete(&forest).await.unwrap();
    assert!(matches!(by_ada(&served, 20).await.unwrap_err(), PromoteError::Missing { key } if key == forest));
    let pointer = pointer::load(&served.bucket, &models()).await.unwrap().unwrap().pointer;
    assert_eq!((pointer.version, pointer.generation), (version(10), 5));
}

#[tokio::test]
async fn a_bucket_that_ignores_conditions_is_refused() {
    let served = TestBucket::serve().await;
    served.publish("team", "daily", &version(10), 1).await;
    served.publish("team", "daily", &version(20), 2).await;
    served.behave(Behaviour::IgnoresConditions);
    assert!(matches!(by_ada(&served, 10).await, Err(PromoteError::Registry(_))));
    let pointer = pointer::load(&served.bucket, &models()).await.unwrap().unwrap().pointer;
    assert_eq!(pointer.version, version(20));
}

#[tokio::test]
async fn the_site_of_the_newest_version_writes() {
    let served = TestBucket::serve().await;
    let site = async || writing_site(&served.bucket, &models()).await.unwrap();
    assert_eq!(site().await, None);
    for (day, site) in [(10, "west"), (9, "east")] {
        let metadata = ModelMetadata { trained_at_site: site.parse().unwrap(), ..metadata("daily-1") };
        served.put_json(&models().file(&version(day), METADATA_FILE), &metadata).await;
    }
    assert_eq!(site().await, Some("west".parse().unwrap()));
    served.put(&models().file(&version(11), METADATA_FILE), "{half").await;
    assert_eq!(site().await, Some("west".parse().unwrap()), "where it cannot be read the one before says it");
}
