use proptest::prelude::*;

use super::*;

const OBJECT: &str = "team-a/flows/alerts/2026-11-23/east/my-own-topic-3-00000000000000001234-0a1b2c3d.jsonl.zst";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn keys() -> PipelineKeys {
    PipelineKeys::new(&name("team-a"), &name("flows"))
}

#[test]
fn a_key_says_what_its_object_holds_and_a_topic_with_dashes_keeps_its_name() {
    let key: ArchiveObjectKey = OBJECT.parse().unwrap();
    let ArchiveObjectKey { origin, day, start, first_record, format } = key;
    assert_eq!((origin.namespace, origin.pipeline, origin.site), (name("team-a"), name("flows"), name("east")));
    assert_eq!((origin.stream, origin.topic.as_str(), origin.partition), (Stream::Alerts, "my-own-topic", 3));
    assert_eq!((day, start, format), (jiff::civil::date(2026, 11, 23), 1234, Format::JsonLines));
    assert_eq!(first_record.to_string(), "0a1b2c3d");
}

#[test]
fn the_objects_of_a_partition_have_a_prefix_of_their_own() {
    let key: ArchiveObjectKey = OBJECT.parse().unwrap();
    let prefix = PipelineKeys::archive_of_partition(&key.origin, key.day);
    assert_eq!(prefix, "team-a/flows/alerts/2026-11-23/east/my-own-topic-3-");
    assert!(OBJECT.starts_with(&prefix) && !OBJECT.replace("-3-", "-33-").starts_with(&prefix));
}

#[test]
fn a_delta_lies_below_its_object_and_only_an_archive_key_may_be_one() {
    let object: ArchiveObjectKey = OBJECT.parse().unwrap();
    let delta = format!("{OBJECT}.tmp/00000000000000001300");
    assert_eq!(delta.parse(), Ok(object.clone().delta(1300)));
    assert_eq!(OBJECT.parse(), Ok(object.clone().closed()));
    assert!(delta.starts_with(&object.tail()));
    assert!(delta.parse::<ArchiveObjectKey>().is_err());
}

#[test]
fn the_first_record_is_known_by_the_start_of_its_hash() {
    let mut digest = [0xff; 32];
    digest[..4].copy_from_slice(&[0x00, 0x1b, 0x2c, 0x3d]);
    assert_eq!(FirstRecord::from_sha256(digest).to_string(), "001b2c3d");
}

#[test]
fn strangers_are_refused() {
    for (ours, theirs) in [
        (OBJECT, ""),
        ("team-a/", ""),
        ("team-a/", "Team/"),
        ("team-a/", "one/team-a/"),
        ("alerts", "alarms"),
        ("2026-11-23", "2026-13-23"),
        ("2026-11-23", "20261123"),
        ("east/", "east//"),
        ("my-own-topic-", ""),
        ("-3-", "-03-"),
        ("-3-", "-+3-"),
        ("-3-", "-"),
        ("-00000000000000001234-", "-1234-"),
        ("-00000000000000001234-", "-99999999999999999999-"),
        ("0a1b2c3d", "0A1b2c3d"),
        ("0a1b2c3d", "a1b2c3d"),
        ("0a1b2c3d", "0a1b2c3d0"),
        (".jsonl.zst", ".jsonl"),
        (".jsonl.zst", ".jsonl.zst.tmp"),
    ] {
        let stranger = OBJECT.replacen(ours, theirs, 1);
        assert_ne!(stranger, OBJECT);
        assert!(stranger.parse::<ArchiveObjectKey>().is_err(), "{stranger}");
        assert_eq!(stranger.parse::<ArchiveKey>(), Err(ArchiveKeyError { key: stranger.clone() }));
    }
}

#[test]
fn strange_deltas_are_refused() {
    for offset in [
        "",
        "1234",
        "0000000000000000123a",
        "-0000000000000001234",
        "00000000000000001234/1",
        "00000000000000001234.tmp/",
    ] {
        assert!(format!("{OBJECT}.tmp/{offset}").parse::<ArchiveKey>().is_err(), "{offset}");
    }
}

#[test]
fn directories_are_those_that_the_objects_lie_in() {
    let key: ArchiveObjectKey = OBJECT.parse().unwrap();
    let stream = keys().stream(Stream::Alerts);
    assert_eq!(keys().archived_day(Stream::Alerts, &format!("{stream}2026-11-23/")), Some(key.day));
    assert!(OBJECT.starts_with(&keys().archive_at_site(Stream::Alerts, key.day, &key.origin.site)));
    for stranger in ["2026-11-23", "20261123/", "tmp/", "2026-11-23/east/"] {
        assert_eq!(keys().archived_day(Stream::Alerts, &format!("{stream}{stranger}")), None, "{stranger}");
    }
    assert_eq!(keys().archived_day(Stream::EnrichedData, &format!("{stream}2026-11-23/")), None);
}

proptest! {
    #[test]
    fn every_key_reads_back(
        (namespace, pipeline, site) in ("[a-z0-9]{1,9}", "[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?", "[a-z]{1,3}"),
        topic in "[a-zA-Z0-9._-]{1,20}",
        (stream, format) in (prop::sample::select(&Stream::ALL[..]), prop::sample::select(&Format::ALL[..])),
        (partition, start) in (0..10_000_i32, 0..i64::MAX),
        digest in any::<[u8; 32]>(),
        day in 1..28_i8,
        delta in prop::option::of(0..i64::MAX),
    ) {
        prop_assume!(topic.parse::<TopicName>().is_ok());
        let origin = Origin {
            namespace: name(&namespace), pipeline: name(&pipeline), stream, site: name(&site),
            topic: topic.parse().unwrap(), partition,
        };
        let day = jiff::civil::date(2026, 2, day);
        let object = ArchiveObjectKey { origin, day, start, first_record: FirstRecord::from_sha256(digest), format };
        let key = ArchiveKey { object, delta };
        prop_assert_eq!(key.to_string().parse(), Ok(key.clone()));
        prop_assert_eq!(key.object.to_string().parse(), Ok(key.object));
    }

    #[test]
    fn what_reads_back_is_spelled_as_it_was(key in "[a-z0-9./-]{0,30}|t/p/alerts/2026-11-2[0-9]/e/[t-]{1,4}-[0-9]{1,2}-[0-9]{20}-[0-9a-f]{7,9}.jsonl.zst(.tmp/[0-9]{19,21})?") {
        if let Ok(parsed) = key.parse::<ArchiveKey>() {
            prop_assert_eq!(parsed.to_string(), key);
        }
    }
}
