use vedette_contract::gate::GateReport;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::model::{METADATA_FILE, ModelMetadata};

use super::*;
use crate::testing::{after, metadata, models, pointer};
use vedette_testing::TestBucket;

fn version(day: u8) -> ModelVersion {
    pointer(day, 0, "").version
}

/// Those of these versions that need not stay, of which a pointer names one, and one before.
fn superfluous_days(
    versions: &[(u8, VersionState)],
    keep: u32,
    current: u8,
    previous: Option<u8>,
) -> Vec<ModelVersion> {
    let versions = versions.iter().map(|(day, standing)| (version(*day), *standing)).collect();
    let current = pointer(current, 2, "");
    let current = previous.map_or(current.clone(), |previous| after(&pointer(previous, 1, ""), current));
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    superfluous(&versions, Some(&current), Retention { keep, now, made: None })
}

fn whole(days: std::ops::RangeInclusive<u8>) -> Vec<(u8, VersionState)> {
    days.map(|day| (day, VersionState::Whole)).collect()
}

async fn left(served: &TestBucket) -> Vec<String> {
    let listed = served.bucket.list(&models().prefix(), None).await.unwrap();
    listed.into_iter().map(|object| object.key).filter(|key| *key != models().current()).collect()
}

async fn prune_all(served: &TestBucket, keep: u32) -> Result<Vec<ModelVersion>, RegistryError> {
    prune_but(served, keep, None).await
}

async fn prune_but(
    served: &TestBucket,
    keep: u32,
    made: Option<&ModelVersion>,
) -> Result<Vec<ModelVersion>, RegistryError> {
    let retention = Retention { keep, now: "2026-11-20T12:00:00Z".parse().unwrap(), made };
    prune(&served.bucket, &"team".parse().unwrap(), &"daily".parse().unwrap(), retention).await
}

#[tokio::test]
async fn nothing_is_deleted_while_a_site_cannot_be_understood() {
    let served = TestBucket::serve().await;
    let site = PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap()).site(&"east".parse().unwrap());
    served.put(&site, "{half").await;
    let objects = [1, 2, 3].map(|day| models().file(&version(day), MANIFEST_FILE));
    for key in &objects {
        served.put(key, "{}").await;
    }
    served.put_json(&models().current(), &pointer(3, 1, "daily-3")).await;
    assert_eq!(prune_all(&served, 1).await.unwrap_err().reason(), "ObjectUnreadable");
    assert_eq!(left(&served).await, objects);
    served.bucket.delete(&site).await.unwrap();
    assert_eq!(prune_all(&served, 1).await.unwrap(), [version(2), version(1)]);
    assert_eq!(left(&served).await, objects[2..]);
}

#[tokio::test]
async fn candidates_are_counted_apart_also_where_nothing_is_current() {
    let served = TestBucket::serve().await;
    for (day, is_refused) in [(1, false), (2, true), (3, true), (4, true), (5, true)] {
        served.put(&models().file(&version(day), MANIFEST_FILE), "{}").await;
        let refused = is_refused.then(|| "it would flood".to_owned()).into_iter().collect();
        let gate = GateReport { refused, ..GateReport::default() };
        let metadata = ModelMetadata { gate, ..metadata("daily-1") };
        served.put_json(&models().file(&version(day), METADATA_FILE), &metadata).await;
    }
    assert_eq!(prune_all(&served, 3).await.unwrap(), [version(2)]);
    assert_eq!(prune_but(&served, 3, Some(&version(3))).await.unwrap(), []);
    // One that somebody promoted is no candidate any more.
    let promoted = after(&pointer(3, 1, "somebody"), pointer(1, 2, "somebody"));
    served.put_json(&models().current(), &promoted).await;
    assert_eq!(prune_all(&served, 1).await.unwrap(), [version(4)]);
    served.put(&models().file(&version(5), METADATA_FILE), "{half").await;
    assert_eq!(prune_all(&served, 0).await.unwrap(), [], "what cannot be read may have been good");
}

#[test]
fn the_newest_stay_and_the_current_one_counts() {
    let versions = whole(1..=4);
    assert_eq!(superfluous_days(&versions, 2, 4, Some(3)), [version(2), version(1)]);
    assert_eq!(superfluous_days(&versions, 3, 4, Some(3)), [version(1)]);
    assert_eq!(superfluous_days(&versions, 9, 4, Some(3)), []);
}

#[test]
fn the_previous_version_stays_whatever_is_to_be_kept_and_wherever_it_stands() {
    let versions = whole(1..=4);
    assert_eq!(superfluous_days(&versions, 1, 4, Some(1)), [version(3), version(2)]);
    assert_eq!(superfluous_days(&versions, 0, 4, None), [version(3), version(2), version(1)]);
}

#[test]
fn what_is_newer_or_on_its_way_stays_and_what_was_abandoned_goes() {
    let partial = |day| (day, VersionState::Partial);
    let versions = [&[partial(10)], &whole(18..=19)[..], &[partial(20)], &whole(21..=21), &[partial(22)]].concat();
    assert_eq!(superfluous_days(&versions, 2, 20, Some(19)), [version(18), version(10)]);
    assert_eq!(superfluous_days(&versions, 2, 21, Some(19)), [version(18), version(10)]);
}
