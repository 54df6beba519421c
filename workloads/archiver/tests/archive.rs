//! The archiver against an embedded broker and bucket: everything once, whatever happens.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod resume;
mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use rdkafka::admin::{AdminClient, AdminOptions};
use support::{DAY, GROUP, NOON, World, lines, records, sorted};
use vedette_archive::Fault;
use vedette_archiver::ArchiverError;
use vedette_contract::archive::{ArchiveObjectKey, METADATA_SHA256, Stream};
use vedette_service::Reason;
use vedette_streams::bucket::{Body, BucketError};
use vedette_streams::kafka::KafkaContext;
use vedette_testing::bucket::Behaviour;
use vedette_testing::eventually;
use vedette_testing::metrics::assert_served;

use Stream::{Alerts, EnrichedData};

#[tokio::test(flavor = "multi_thread")]
async fn every_committed_record_is_archived_once_and_a_second_run_goes_on() {
    let world = World::new(2).await;
    world.produce("e", 2, records(0..300), NOON);
    world.abort("e", 2, records(900_000..900_100));
    world.produce("e", 2, records(300..400), NOON + DAY);
    world.produce("a", 2, records(0..7), NOON);
    let first = world.start(world.arguments());
    first.ready().await;
    eventually("all of it is read", async || world.readable("e", 2).await == 400 && world.readable("a", 2).await == 7)
        .await;
    first.stop().await;
    assert_eq!(world.archived(EnrichedData).await, sorted(records(0..400)));
    assert_eq!(world.archived(Alerts).await, sorted(records(0..7)));

    let before = world.objects(EnrichedData).await;
    world.produce("e", 2, records(400..500), NOON + DAY);
    let second = world.start(world.arguments());
    eventually("the new records are read", async || world.readable("e", 2).await == 500).await;
    second.stop().await;
    assert_eq!(world.archived(EnrichedData).await, sorted(records(0..500)));
    let after = world.objects(EnrichedData).await;
    assert!(before.iter().all(|(key, lines)| after.get(key) == Some(lines)));
    assert!(after.keys().any(|key| key.starts_with("n/p/enriched_data/2026-11-24/s/e-1-000")));

    let report = world.verify().await;
    assert_eq!(report.findings, []);
    assert_eq!((report.records, report.open_deltas), (507, 0));
    let progress = world.progress("e", 0).await.unwrap();
    assert_eq!((progress.records, progress.closed_records), (250, 250));
    assert_eq!(Some(progress.end), world.committed("e", 0));
    assert_eq!(progress.last_utc.as_deref(), Some("2026-11-23T12:00:00.000498Z"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_arrived_is_in_the_tail_until_its_object_closes() {
    let world = World::new(1).await;
    let archiver = world.start(world.arguments());
    archiver.ready().await;
    for (numbers, deltas) in [(0..10, 1), (10..20, 2)] {
        world.produce("e", 1, records(numbers), NOON);
        eventually("another delta appears", async || world.deltas(EnrichedData).await.len() == deltas).await;
    }
    let mut tail = Vec::new();
    for key in world.deltas(EnrichedData).await {
        tail.extend(lines(&world.bucket.get(&key).await.unwrap().unwrap().bytes));
    }
    assert_eq!(tail, sorted(records(0..20)));
    eventually("the progress tells of the tail", async || {
        world.progress("e", 0).await.is_some_and(|progress| (progress.records, progress.closed_records) == (20, 0))
    })
    .await;
    assert_eq!(world.verify().await.open_deltas, 2);
    assert_eq!(world.committed("e", 0), None);
    archiver.stop().await;
    assert_eq!(world.deltas(EnrichedData).await, Vec::<String>::new());
    assert_eq!(world.archived(EnrichedData).await, sorted(records(0..20)));
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_another_site_are_archived_and_their_objects_are_counted() {
    let world = World::new(1).await;
    let of = |site: &'static str| (0..5).map(move |number| format!(r#"{{"number":"{number}","site":"{site}"}}"#));
    world.produce("e", 1, of("s"), NOON);
    world.produce("e", 1, of("west"), NOON + DAY);
    world.produce("e", 1, of("s"), NOON + 2 * DAY);
    world.produce("e", 1, of("s"), NOON + 3 * DAY);
    let archiver = world.start(world.arguments());
    eventually("the object of each earlier day is closed", async || world.objects(EnrichedData).await.len() == 3).await;
    eventually("one of them is counted", async || {
        let metrics = archiver.get("/metrics").await;
        metrics.contains("vedette_archiver_objects_total{stream=\"enriched_data\"} 3\n")
            && metrics.contains("vedette_archiver_mixed_objects_total{stream=\"enriched_data\"} 1\n")
    })
    .await;
    assert_served(&archiver.get("/metrics").await, vedette_contract::metrics::archiver::ALL);
    archiver.stop().await;
    assert_eq!(world.archived(EnrichedData).await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_the_put_and_the_commit_changes_nothing() {
    let world = World::new(1).await;
    world.produce("e", 1, records(0..200), NOON);
    let first = world.start(world.arguments());
    eventually("all of it is read", async || world.readable("e", 1).await == 200).await;
    first.stop().await;
    let before = world.objects(EnrichedData).await;
    let etags = etags(&world, before.keys()).await;
    let last = before.keys().last().unwrap();
    let start: i64 = last.rsplit('-').nth(1).unwrap().parse().unwrap();
    // The last object is there and was not committed; a delta of it was left; then records came.
    for committed in [start, 0] {
        world.commit("e", 0, committed);
        world.bucket.put(&format!("{last}.tmp/{start:020}"), Bytes::from_static(b"stale")).await.unwrap();
        let again = world.start(world.arguments());
        eventually("the group is behind the last object again", async || {
            world.committed("e", 0) > Some(start) && world.deltas(EnrichedData).await.is_empty()
        })
        .await;
        again.stop().await;
        let progress = world.progress("e", 0).await.unwrap();
        assert_eq!((progress.records, progress.closed_records), (200, 200));
        assert_eq!(world.objects(EnrichedData).await, before);
    }
    world.commit("e", 0, start);
    world.produce("e", 1, records(200..210), NOON);
    let last_run = world.start(world.arguments());
    eventually("the new records are read", async || world.progress("e", 0).await.unwrap().records == 210).await;
    last_run.stop().await;
    assert_eq!(self::etags(&world, before.keys()).await, etags);
    assert_eq!(world.archived(EnrichedData).await, sorted(records(0..210)));
    assert_eq!(world.verify().await.findings, []);
}

async fn etags<'a>(world: &World, keys: impl Iterator<Item = &'a String>) -> BTreeMap<String, String> {
    let mut etags = BTreeMap::new();
    for key in keys {
        etags.insert(key.clone(), world.bucket.head(key).await.unwrap().unwrap().etag.to_string());
    }
    etags
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_before_the_put_writes_the_same_object_and_drops_the_stale_tail() {
    let world = World::new(1).await;
    world.produce("e", 1, records(0..5), NOON);
    let first = world.start(world.arguments());
    eventually("the records are in the tail", async || world.deltas(EnrichedData).await.len() == 1).await;
    let key = world.deltas(EnrichedData).await[0].split_once(".tmp/").unwrap().0.to_owned();
    first.stop().await;
    // As if it had crashed before the end: no object, no commit, and a delta that the next owner would not write.
    world.bucket.delete(&key).await.unwrap();
    world.commit("e", 0, 0);
    world.bucket.put(&format!("{key}.tmp/{:020}", 3), Bytes::from_static(b"stale")).await.unwrap();
    let second = world.start(world.arguments());
    eventually("the tail is rewritten", async || world.deltas(EnrichedData).await == [format!("{key}.tmp/{:020}", 0)])
        .await;
    second.stop().await;
    assert_eq!(world.objects(EnrichedData).await, BTreeMap::from([(key, sorted(records(0..5)))]));
    assert_eq!(world.deltas(EnrichedData).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_bucket_is_away_nothing_is_lost_and_the_group_is_kept() {
    let mut world = World::new(1).await;
    world.produce("e", 1, records(0..100), NOON);
    let mut arguments = world.arguments();
    arguments.kafka.kafka_properties = vec!["statistics.interval.ms=100".parse().unwrap()];
    let archiver = world.start(arguments);
    archiver.ready().await;
    eventually("an object is closed", async || !world.objects(EnrichedData).await.is_empty()).await;
    world.store.go_away().await;
    world.produce("e", 1, records(100..500), NOON);
    archiver.waits_for_the_bucket().await;
    let lag = async || archiver.metric("vedette_archiver_lag_records{stream=\"enriched_data\"}").await;
    let before = lag().await;
    world.produce("e", 1, records(500..1_000), NOON);
    eventually("its lag grows", async || lag().await >= before + 300).await;
    eventually("it counts what fails", async || {
        archiver.get("/metrics").await.contains("vedette_archiver_upload_failures_total{")
    })
    .await;
    // Kafka is its spool: nothing is gained by another pod.
    assert!(archiver.get("/readyz").await.starts_with("HTTP/1.1 200"));
    world.store.come_back().await;
    eventually("everything is in the bucket", async || world.readable("e", 1).await == 1_000).await;
    archiver.stop().await;
    assert_eq!(world.archived(EnrichedData).await, sorted(records(0..1_000)));
    assert_eq!(world.verify().await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_waits_for_a_topic_tells_so_and_no_more_when_it_goes_on() {
    let world = World::new(1).await;
    let mut arguments = world.arguments();
    arguments.topics[1] = "alerts=later".parse().unwrap();
    let archiver = world.start(arguments);
    let unready = async || Some(world.health(&archiver.pod).await?.unready);
    eventually("it tells what it waits for", async || {
        unready().await.is_some_and(|unready| unready.iter().any(|it| it.reason.contains("later")))
    })
    .await;
    world.broker.create_topics(&["later:partitions=1"]).await;
    archiver.ready().await;
    eventually("it tells of nothing", async || unready().await == Some(Vec::new())).await;
    archiver.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_away_at_the_start_is_waited_for() {
    let mut world = World::new(1).await;
    world.produce("a", 1, records(0..3), NOON);
    world.store.go_away().await;
    let archiver = world.start(world.arguments());
    eventually("it says that the bucket is away", async || archiver.get("/readyz").await.contains("cannot be reached"))
        .await;
    let metrics = archiver.get("/metrics").await;
    for counter in ["records", "archived_records", "lost_records", "record_bytes", "objects", "object_bytes", "deltas"]
    {
        let line = format!("vedette_archiver_{counter}_total{{stream=\"enriched_data\"}} 0\n");
        assert!(metrics.contains(&line), "{line} {metrics}");
    }
    world.store.come_back().await;
    archiver.ready().await;
    eventually("the alerts are read", async || !world.deltas(Alerts).await.is_empty()).await;
    archiver.stop().await;
    assert_eq!(world.archived(Alerts).await, sorted(records(0..3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_move_between_archivers_without_a_loss_or_a_duplicate() {
    let world = World::new(4).await;
    world.produce("e", 4, records(0..400), NOON);
    let first = world.start(world.arguments());
    eventually("the first reads", async || !world.deltas(EnrichedData).await.is_empty()).await;
    let second = world.start(world.arguments());
    // Of either topic: the group shares out the partitions by their number.
    let has_partition =
        |metrics: String| metrics.contains("archiver_partitions ") && !metrics.contains("archiver_partitions 0\n");
    let mut produced = 400;
    eventually("the second has partitions", async || {
        world.produce("e", 4, records(produced..produced + 40), NOON);
        produced += 40;
        has_partition(second.get("/metrics").await)
    })
    .await;
    first.stop().await;
    eventually("the second has read everything", async || world.readable("e", 4).await == u64::from(produced)).await;
    second.stop().await;
    assert_eq!(world.archived(EnrichedData).await, sorted(records(0..produced)));
    assert_eq!(world.verify().await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_created_anew_is_archived_from_its_beginning() {
    let world = World::new(1).await;
    world.produce("e", 1, records(0..50), NOON);
    let archiver = world.start(world.arguments());
    archiver.ready().await;
    eventually("the old topic is read", async || world.readable("e", 1).await == 50).await;
    let admin: AdminClient<KafkaContext> = world.settings.base().create_with_context(KafkaContext::default()).unwrap();
    admin.delete_topics(&["e"], &AdminOptions::new()).await.unwrap();
    world.create_topics(1).await;
    world.produce("e", 1, records(50..60), NOON);
    eventually("the new topic is read", async || world.readable("e", 1).await == 60).await;
    archiver.stop().await;
    assert_eq!(world.archived(EnrichedData).await, sorted(records(0..60)));
    assert_eq!(world.verify().await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_deleted_before_it_was_archived_is_counted_to_the_record_and_a_gap_of_the_archive() {
    let world = World::new(1).await;
    world.produce("e", 1, records(0..50), NOON);
    let first = world.start(world.arguments());
    eventually("all of it is read", async || world.readable("e", 1).await == 50).await;
    first.stop().await;
    assert_eq!(world.committed("e", 0), Some(50));
    world.produce("e", 1, records(50..300), NOON);
    // Offset 50 is the mark of the first transaction's end, which counts like a record.
    world.pass("e", 51 + 119).await;
    let left = sorted(records(0..50).chain(records(169..300)));
    let second = world.start(world.arguments());
    second.ready().await;
    eventually("what is left is read", async || world.readable("e", 1).await == left.len() as u64).await;
    let metrics = second.get("/metrics").await;
    assert!(metrics.contains("vedette_archiver_lost_records_total{stream=\"enriched_data\"} 120\n"), "{metrics}");
    eventually("it is told", async || {
        let told = world.health(&second.pod).await;
        told.is_some_and(|health| {
            let gaps: Vec<_> = health.gaps.iter().map(|gap| (gap.topic.as_str(), gap.start, gap.end)).collect();
            let topic = &health.topics[0];
            gaps == [("e", 50, 170)] && (topic.partitions, topic.lost_records, topic.lag_records) == (1, 120, 0)
        })
    })
    .await;
    second.stop().await;
    assert_eq!(world.archived(EnrichedData).await, left);
    let faults: Vec<_> = world.verify().await.findings.iter().map(|finding| finding.fault).collect();
    assert_eq!(faults, [Fault::Gap]);
}

/// What it holds is closed after it knows that, and an end that is committed then must not have the same counted again by another.
#[tokio::test(flavor = "multi_thread")]
async fn what_retention_deleted_under_an_archiver_is_counted_once_whoever_goes_on() {
    let mut world = World::new(1).await;
    let archiver = world.start(world.arguments());
    archiver.ready().await;
    world.store.go_away().await;
    world.produce("e", 1, records(0..120), NOON);
    // It holds two objects of 35 records.
    archiver.waits_for_the_bucket().await;
    world.pass("e", 100).await;
    world.store.come_back().await;
    let lost = "vedette_archiver_lost_records_total{stream=\"enriched_data\"}";
    eventually("what is gone is counted", async || archiver.metric(lost).await == 30).await;
    eventually("it is committed behind that", async || world.committed("e", 0) >= Some(100)).await;
    eventually("what is left is read", async || world.readable("e", 1).await == 90).await;
    archiver.stop().await;
    assert_eq!(world.archived(EnrichedData).await, sorted(records(0..70).chain(records(100..120))));
    let faults: Vec<_> = world.verify().await.findings.iter().map(|finding| finding.fault).collect();
    assert_eq!(faults, [Fault::Gap]);
}

/// An archiver may be killed between the two, and be away until retention has passed where its group stands.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_archived_and_not_committed_when_retention_passed_it_is_neither_lost_nor_twice() {
    let world = World::new(1).await;
    world.produce("e", 1, records(0..100), NOON);
    let first = world.start(world.arguments());
    eventually("all of it is read", async || world.readable("e", 1).await == 100).await;
    first.stop().await;
    let last = world.objects(EnrichedData).await.into_keys().next_back().unwrap();
    let last: ArchiveObjectKey = last.parse().unwrap();
    world.commit("e", 0, last.start);
    world.produce("e", 1, records(100..150), NOON);
    world.pass("e", last.start + 2).await;
    let second = world.start(world.arguments());
    eventually("the rest is read", async || world.readable("e", 1).await >= 150).await;
    let metrics = second.get("/metrics").await;
    assert!(metrics.contains("vedette_archiver_lost_records_total{stream=\"enriched_data\"} 0\n"), "{metrics}");
    second.stop().await;
    assert_eq!(world.archived(EnrichedData).await, sorted(records(0..150)));
    assert_eq!(world.verify().await.findings, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_beyond_the_topic_is_not_believed() {
    let world = World::new(1).await;
    world.produce("e", 1, records(0..5), NOON);
    world.commit("e", 0, 500);
    let archiver = world.start(world.arguments());
    eventually("the records are read", async || !world.deltas(EnrichedData).await.is_empty()).await;
    archiver.stop().await;
    assert_eq!(world.archived(EnrichedData).await, sorted(records(0..5)));
    assert_eq!(world.committed("e", 0), world.progress("e", 0).await.map(|progress| progress.end));
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_what_is_wrong() {
    let world = World::new(1).await;
    world.produce("e", 1, records(0..300), NOON);
    world.produce("a", 1, records(0..100), NOON);
    let archiver = world.start(world.arguments());
    eventually("all of it is read", async || {
        world.readable("e", 1).await == 300 && world.readable("a", 1).await == 100
    })
    .await;
    archiver.stop().await;
    assert_eq!(world.verify().await.findings, []);
    let keys: Vec<_> = world.objects(EnrichedData).await.into_keys().collect();
    let alerts: Vec<_> = world.objects(Alerts).await.into_keys().collect();

    flip_a_byte(&world, &keys[0]).await;
    world.bucket.delete(&keys[2]).await.unwrap();
    world.bucket.put(&format!("{}.tmp/{:020}", keys[1], 7), Bytes::from_static(b"x")).await.unwrap();
    world.bucket.put("n/p/enriched_data/2026-11-23/s/notes.txt", Bytes::from_static(b"x")).await.unwrap();
    world.bucket.delete(alerts.last().unwrap()).await.unwrap();
    let report = world.verify().await;
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.fault, finding.key.as_str())).collect();
    for expected in [
        (Fault::Hash, keys[0].as_str()),
        (Fault::Gap, keys[3].as_str()),
        (Fault::DeltaLeftBehind, &format!("{}.tmp/{:020}", keys[1], 7)),
        (Fault::ForeignKey, "n/p/enriched_data/2026-11-23/s/notes.txt"),
        (Fault::Missing, alerts.last().unwrap().as_str()),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    let others = found.iter().filter(|(fault, key)| *key != keys[0] && *fault == Fault::Hash);
    assert_eq!(others.count(), 0);
}

async fn flip_a_byte(world: &World, key: &str) {
    let object = world.bucket.get(key).await.unwrap().unwrap();
    assert!(object.metadata.contains_key(METADATA_SHA256));
    let mut bytes = object.bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    world.bucket.delete(key).await.unwrap();
    world.bucket.create(key, Body::Bytes(bytes.into()), &object.metadata).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_ignores_conditions_is_refused() {
    let world = World::new(1).await;
    world.store.behave(Behaviour::IgnoresConditions);
    let error = world.start(world.arguments()).ended().await.unwrap_err();
    assert!(matches!(&error, ArchiverError::Bucket(BucketError::ConditionalWritesIgnored { .. })), "{error}");
    assert_eq!(error.reason(), "ConditionalWritesIgnored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_cannot_be_used_ends_the_process_with_its_name() {
    let world = World::new(1).await;
    let mut arguments = world.arguments();
    let file = world.directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    arguments.spool_directory = file.join("spool");
    let error = world.start(arguments).ended().await.unwrap_err();
    assert!(matches!(error, ArchiverError::Spool(_)));
    assert!(error.to_string().contains("file/spool"), "{error}");
    assert_eq!(world.committed("e", 0), None, "group {GROUP} has nothing to do with it");
}
