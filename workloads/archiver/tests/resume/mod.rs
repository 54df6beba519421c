//! Where an archiver goes on whose group has forgotten how far it was read, or whose position is gone.

use bytes::Bytes;
use rdkafka::admin::{AdminClient, AdminOptions};
use vedette_archive::{Metadata, first_record, record_sha256};
use vedette_contract::archive::METADATA_LAST_RECORD;
use vedette_contract::archive::Stream::{Alerts, EnrichedData};
use vedette_contract::arguments::ArchiverArguments;
use vedette_contract::progress::{Progress, ProgressKey};
use vedette_registry::progress;
use vedette_streams::bucket::Object;
use vedette_streams::kafka::KafkaContext;
use vedette_testing::eventually;

use crate::support::{GROUP, NOON, World, name, records, sorted};

/// As if the offsets of the group were gone.
fn forgetful(world: &World) -> ArchiverArguments {
    ArchiverArguments { group: "another".to_owned(), ..world.arguments() }
}

/// Archives these records of a topic with one partition.
async fn archive(world: &World, topic: &str, count: u32) {
    world.produce(topic, 1, records(0..count), NOON);
    let first = world.start(world.arguments());
    eventually("all of it is read", async || world.readable(topic, 1).await == u64::from(count)).await;
    first.stop().await;
}

async fn make_anew(world: &World) {
    let admin: AdminClient<KafkaContext> = world.settings.base().create_with_context(KafkaContext::default()).unwrap();
    admin.delete_topics(&["e"], &AdminOptions::new()).await.unwrap();
    world.create_topics(1).await;
}

/// Changes an object that is closed, and returns it as it was.
async fn tamper(world: &World, key: &str, change: impl FnOnce(&mut Object)) -> Object {
    let before = world.bucket.get(key).await.unwrap().unwrap();
    let mut object = before.clone();
    change(&mut object);
    world.bucket.delete(key).await.unwrap();
    world.store.create(key, object.bytes.to_vec(), &object.metadata).await;
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_of_transactions_that_retention_deleted_are_no_loss() {
    for group in [GROUP, "another"] {
        let world = World::new(1).await;
        // The tail is no closed object, and nothing is noted before all of it is.
        archive(&world, "e", 50).await;
        let second = world.start(world.arguments());
        eventually("the mark is passed", async || {
            world.progress("e", 0).await.is_some_and(|progress| progress.passed == Some(51))
        })
        .await;
        second.stop().await;
        world.pass("e", 51).await;
        let third = world.start(ArchiverArguments { group: group.to_owned(), ..world.arguments() });
        third.ready().await;
        world.produce("e", 1, records(50..60), NOON);
        eventually("the rest is read", async || world.readable("e", 1).await == 60).await;
        assert_eq!(third.metric("vedette_archiver_lost_records_total{stream=\"enriched_data\"}").await, 0, "{group}");
        third.stop().await;
        assert_eq!(world.archived(EnrichedData).await, sorted(records(0..60)));
        assert_eq!(world.verify().await.findings, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_group_has_forgotten_is_not_archived_twice() {
    let no_download = |object: &mut Object| object.bytes = Bytes::from_static(b"only its metadata are needed");
    let of_a_build_before = |object: &mut Object| _ = object.metadata.remove(METADATA_LAST_RECORD).unwrap();
    let of_a_copy_without_metadata = |object: &mut Object| object.metadata.clear();
    let changes: [fn(&mut Object); 3] = [no_download, of_a_build_before, of_a_copy_without_metadata];
    for change in changes {
        let world = World::new(1).await;
        archive(&world, "e", 100).await;
        let Progress { end, last_object, .. } = world.progress("e", 0).await.unwrap();
        let last_object = last_object.unwrap();
        let before = tamper(&world, &last_object, change).await;
        world.produce("e", 1, records(100..150), NOON);
        // It begins in the middle of an object.
        world.pass("e", end - 10).await;
        let second = world.start(forgetful(&world));
        eventually("the rest is read", async || world.readable("e", 1).await == 150).await;
        second.stop().await;
        tamper(&world, &last_object, |object| *object = before).await;
        assert_eq!(world.archived(EnrichedData).await, sorted(records(0..150)));
        assert_eq!(world.verify().await.findings, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_whose_place_is_not_known_holds_up_no_other() {
    let world = World::new(1).await;
    archive(&world, "a", 20).await;
    let told = world.progress("a", 0).await.unwrap();
    let last_object = told.last_object.clone().unwrap();
    let before = tamper(&world, &last_object, |object| object.metadata.clear()).await;
    // What is in the tail says nothing of the object before it.
    let with_tail = Progress { records: told.records + 1, end: told.end + 1, ..told };
    let place = ProgressKey { site: name("s"), topic: "a".parse().unwrap(), partition: 0 };
    progress::write(&world.bucket, &world.keys, &place, &with_tail).await.unwrap();
    for topic in ["e", "a"] {
        world.produce(topic, 1, records(20..50), NOON);
    }
    let second = world.start(forgetful(&world));
    eventually("the other topic is read", async || world.readable("e", 1).await == 30).await;
    eventually("it says what is wrong", async || {
        let ready = second.get("/readyz").await;
        ready.contains("a partition 0 is read is not known yet") && ready.contains(&last_object)
    })
    .await;
    second.stop().await;
    tamper(&world, &last_object, |object| *object = before).await;
    assert_eq!(world.archived(Alerts).await, sorted(records(0..20)), "nothing is taken twice meanwhile");
    let third = world.start(forgetful(&world));
    third.ready().await;
    eventually("its records are read", async || world.readable("a", 1).await == 50).await;
    third.stop().await;
    assert_eq!(world.archived(Alerts).await, sorted(records(0..50)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_anew_of_which_the_group_knows_nothing_is_archived_from_its_beginning() {
    let world = World::new(1).await;
    archive(&world, "e", 20).await;
    make_anew(&world).await;
    world.produce("e", 1, records(20..60), NOON);
    let second = world.start(forgetful(&world));
    eventually("the new topic is read", async || world.readable("e", 1).await == 60).await;
    second.stop().await;
    assert_eq!(world.archived(EnrichedData).await, sorted(records(0..60)));
}

/// As compaction does: where the last archived record stood stands nothing that can be read. Those before it tell whether it is the topic.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_compaction_took_away_proves_nothing_and_those_before_it_tell() {
    for (left, is_same) in [(0..19, true), (100..119, false)] {
        let world = World::new(1).await;
        archive(&world, "e", 20).await;
        make_anew(&world).await;
        // The mark of the transaction stands where the last record stood.
        world.produce("e", 1, records(left.clone()), NOON);
        world.produce("e", 1, records(20..40), NOON);
        let second = world.start(forgetful(&world));
        let all = if is_same { sorted(records(0..40)) } else { sorted(records(0..40).chain(records(left))) };
        eventually("the rest is read", async || world.readable("e", 1).await >= all.len() as u64).await;
        second.stop().await;
        assert_eq!(world.archived(EnrichedData).await, all);
    }
}

/// As when a broker that leads a partition never had its end: the records of before that are the same at the same offsets.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_lost_its_end_is_read_on_there_and_nothing_is_archived_twice() {
    for group in [GROUP, "another"] {
        let world = World::new(1).await;
        archive(&world, "e", 100).await;
        make_anew(&world).await;
        world.produce("e", 1, records(0..60), NOON);
        let second = world.start(ArchiverArguments { group: group.to_owned(), ..world.arguments() });
        // A mark stands behind its last record.
        let truncated = "vedette_archiver_truncated_records_total{stream=\"enriched_data\"}";
        eventually("it is counted", async || second.metric(truncated).await == 39).await;
        world.produce("e", 1, records(100..130), NOON);
        eventually("the rest is read", async || world.readable("e", 1).await >= 130).await;
        second.stop().await;
        assert_eq!(world.archived(EnrichedData).await, sorted(records(0..130)), "{group}");
    }
}

/// What it holds was read before the end was lost: it is closed first, as only what is closed tells which records are archived.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_lost_its_end_under_an_archiver_is_read_on_there_and_nothing_is_archived_twice() {
    let mut world = World::new(1).await;
    let archiver = world.start(world.arguments());
    archiver.ready().await;
    world.store.go_away().await;
    world.produce("e", 1, records(0..400), NOON);
    // It holds two objects of 35 records, and asks for no more.
    archiver.waits_for_the_bucket().await;
    make_anew(&world).await;
    world.produce("e", 1, records(0..40), NOON);
    world.store.come_back().await;
    // A mark stands behind its last record.
    let truncated = "vedette_archiver_truncated_records_total{stream=\"enriched_data\"}";
    eventually("it is counted", async || archiver.metric(truncated).await == 29).await;
    world.produce("e", 1, records(500..530), NOON);
    eventually("the rest is read", async || world.readable("e", 1).await >= 100).await;
    archiver.stop().await;
    assert_eq!(world.archived(EnrichedData).await, sorted(records(0..70).chain(records(500..530))));
}

/// As when another archiver came first with the same object: what is read is dropped, and the partition is taken anew behind it. Its
/// client leaves it paused.
#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_waits_for_the_bucket_is_read_on_where_it_is_taken_anew() {
    let mut world = World::new(1).await;
    let first: Vec<_> = records(0..10).collect();
    let key = format!("n/p/enriched_data/2026-11-23/s/e-0-{:020}-{}.jsonl.zst", 0, first_record(first[0].as_bytes()));
    let bytes = zstd::encode_all((first.join("\n") + "\n").as_bytes(), 1).unwrap();
    let (sha256, last_record) = (record_sha256(&bytes), record_sha256(first[9].as_bytes()));
    let metadata = Metadata { end: 10, records: 10, sha256, last_record }.into_fields();
    world.store.create(&key, bytes, &metadata).await;
    let archiver = world.start(world.arguments());
    archiver.ready().await;
    world.store.go_away().await;
    world.produce("e", 1, records(0..400), NOON);
    archiver.waits_for_the_bucket().await;
    world.store.come_back().await;
    eventually("all of it is read", async || world.readable("e", 1).await == 400).await;
    archiver.stop().await;
    assert_eq!(world.archived(EnrichedData).await, sorted(records(0..400)));
    assert_eq!(world.verify().await.findings, []);
}
