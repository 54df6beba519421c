//! Lookups against a broker and a bucket: a table is waited for, joined with, and replaced while records flow.

use std::path::Path;
use std::time::Instant;

use vedette_testing::TestBucket;

use super::support::{Broker, DEADLINE, Running, TOPICS, detector};
use super::{BUDGET, object};

const KEY: &str = "team/tables/services.csv";

fn lookup(place: &str) -> String {
    format!(
        r#"--lookup={{"name":"services","field":"port","place":{place},"format":"Csv","keyColumn":"port","columns":["name"],"prefix":"dst_"}}"#
    )
}

fn start(broker: &Broker, bucket: &TestBucket, directory: &Path, more: &[&str]) -> Running {
    let options = bucket.options();
    let options = options.iter().map(String::as_str).chain(["--processing-guarantee=ExactlyOnce", BUDGET]);
    let options: Vec<&str> = options.chain(["--lookup-interval-seconds=1"]).chain(more.iter().copied()).collect();
    detector(broker, "detector-0", directory, &options)
}

/// Produces records of this port until one comes out with this name, and gives the names in the order of the stream.
async fn names_until(broker: &Broker, port: u16, name: &str) -> Vec<String> {
    let started = Instant::now();
    loop {
        broker.produce(1, [format!(r#"{{"port":{port}}}"#).as_bytes()]);
        let enriched = broker.read(&[(TOPICS[1], 1)], 1);
        let added = |message| object(message).get("dst_name").and_then(|name| name.as_str().map(str::to_owned));
        let names: Vec<String> = enriched.iter().map(|message| added(message).unwrap_or_default()).collect();
        if names.last().is_some_and(|last| last == name) {
            return names;
        }
        assert!(started.elapsed() < DEADLINE, "{names:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_the_bucket_is_waited_for_joined_with_and_replaced() {
    let (broker, bucket) = (Broker::start([1, 1, 1, 1]).await, TestBucket::serve().await);
    let directory = tempfile::tempdir().unwrap();
    let records: [&[u8]; 4] =
        [br#"{"port":80}"#, br#"{"port":"443"}"#, br#"{"port":9}"#, br#"{"port":80,"dst_name":"mine"}"#];
    broker.produce(1, records);
    let running = start(&broker, &bucket, directory.path(), &[&lookup(&format!("{{\"object\":\"{KEY}\"}}"))]);
    running.wait_for("/readyz", |answer| answer.contains("lookups") && answer.contains(KEY)).await;
    assert_eq!(broker.committed(), None, "no record passes without its table");

    bucket.put(KEY, "port,name\r\n80,http\r\n443,https\r\n").await;
    running.wait_until_ready().await;
    let enriched = broker.read(&[(TOPICS[1], 1)], 3);
    let names: Vec<_> = enriched.iter().map(|message| object(message).get("dst_name").cloned()).collect();
    assert_eq!(names, [Some("http".into()), Some("https".into()), None]);
    assert_eq!(broker.read(&[(TOPICS[3], 1)], 1).len(), 1, "a record that brings the field is a dead letter");
    let counted = |outcome: &str, count: u64| {
        format!("vedette_detector_lookups_total{{lookup=\"services\",outcome=\"{outcome}\"}} {count}\n")
    };
    let expected = [counted("matched", 2), counted("unmatched", 1), counted("no_value", 0)];
    running.wait_for("/metrics", |answer| expected.iter().all(|line| answer.contains(line))).await;
    running
        .wait_for("/metrics", |answer| answer.contains("vedette_detector_lookup_rows{lookup=\"services\"} 2\n"))
        .await;

    bucket.put(KEY, "port,name\n80,\"htt").await;
    let failure = "vedette_detector_lookup_table_failures_total{lookup=\"services\"} ";
    let failures = |answer: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix(failure));
        line.and_then(|count| count.parse::<u64>().ok()).unwrap_or_default()
    };
    let before = failures(&running.ask("/metrics").await);
    running.wait_for("/metrics", |answer| failures(answer) > before).await;
    running.wait_until_ready().await;
    let names = names_until(&broker, 80, "http").await;
    assert!(names[3..].iter().all(|name| name == "http"), "half a table is none: {names:?}");

    bucket.put(KEY, "port,name\n80,web\n").await;
    let names = names_until(&broker, 80, "web").await;
    assert!(names[3..names.len() - 1].iter().all(|name| ["http", "web"].contains(&name.as_str())), "{names:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_in_a_file_is_joined_with_and_replaced() {
    let (broker, bucket) = (Broker::start([1, 1, 1, 1]).await, TestBucket::serve().await);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("services.csv");
    std::fs::write(&file, "port;name\n80;http\n").unwrap();
    let argument = format!("--lookup-file=services={}", file.display());
    let running = start(&broker, &bucket, directory.path(), &[&lookup("\"file\""), &argument]);
    assert_eq!(names_until(&broker, 80, "http").await.first().map(String::as_str), Some("http"));
    std::fs::write(&file, "port;name\n80;web\n").unwrap();
    names_until(&broker, 80, "web").await;
    running.stop().await;
}
