//! Records that are older when they come than their outputs keep records: nothing is deleted before it can be archived.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Message, Timestamp};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use vedette_contract::input::HEADER_TIMESTAMP;
use vedette_testing::{TestBroker, eventually};

use crate::support::{Broker, DEADLINE, TOPICS, detector, headers};
use crate::{BUDGET, records};

/// Keeps records for seven days by the time that their producer gives.
const CANARY: &str = "canary";
/// Since 1970; older than that.
const OLD_MILLIS: i64 = 1_700_000_000_000;

/// A broker whose outputs keep records for seven days, with this setting beside.
async fn broker(setting: &str) -> Broker {
    let output = |topic: &str| format!("{topic}:partitions=1,retention.ms=604800000{setting}");
    let mut topics: Vec<String> = TOPICS[1..].iter().map(|topic| output(topic)).collect();
    topics.extend([format!("{}:partitions=1,retention.ms=-1", TOPICS[0]), output(CANARY).replace(setting, "")]);
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    Broker { embedded: TestBroker::with_topics(&topics).await }
}

/// Returns when retention has been enforced from one end to the other since the call.
async fn retention_passes(broker: &Broker) {
    let producer: BaseProducer = broker.settings("canary").producer().create().unwrap();
    let onlooker: BaseConsumer = broker.settings("canary").base().create().unwrap();
    for deleted in 1..=2 {
        let record = BaseRecord::<(), _>::to(CANARY).payload("{}").timestamp(OLD_MILLIS);
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(DEADLINE).unwrap();
        eventually("the canary is deleted", async || {
            onlooker.fetch_watermarks(CANARY, 0, DEADLINE).unwrap() == (deleted, deleted)
        })
        .await;
    }
}

/// Has old records enriched, and one that is none, and returns what is left after retention: record, time and own time.
async fn left(setting: &str, redated: u64) -> Vec<(Timestamp, Option<String>)> {
    let broker = broker(setting).await;
    let directory = tempfile::tempdir().unwrap();
    let running = detector(&broker, "detector-0", directory.path(), &["--processing-guarantee=ExactlyOnce", BUDGET]);
    broker.produce(1, records(0..100).iter().map(Vec::as_slice).chain([b"garbage".as_slice()]));
    let counted = format!("vedette_detector_redated_records_total {redated}\n");
    running
        .wait_for("/metrics", |metrics| {
            metrics.contains("vedette_detector_records_total 101\n") && metrics.contains(&counted)
        })
        .await;
    retention_passes(&broker).await;
    let all = broker.read(&[(TOPICS[1], 1), (TOPICS[3], 1)], 101);
    running.stop().await;
    all.iter().map(|message| (message.timestamp(), headers(message).remove(HEADER_TIMESTAMP))).collect()
}

fn is_of_today(timestamp: Timestamp) -> bool {
    jiff::Timestamp::now().as_millisecond().abs_diff(timestamp.to_millis().unwrap()) < 3_600_000
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_output_of_others_would_delete_at_once_has_the_present_time_and_its_own_in_a_header() {
    let mut left = left("", 101).await;
    assert_eq!(left.len(), 101);
    assert!(left.iter().all(|(timestamp, _)| is_of_today(*timestamp)), "{left:?}");
    left.sort_unstable_by_key(|(_, own)| own.clone());
    let own: Vec<_> = left.into_iter().map(|(_, own)| own.unwrap()).collect();
    assert_eq!(own, (0..101).map(|number| (OLD_MILLIS + number).to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_output_of_ours_is_given_it_keeps_from_its_arrival_on() {
    let left = left(",message.timestamp.type=LogAppendTime", 0).await;
    assert_eq!(left.len(), 101);
    for (timestamp, own) in left {
        assert!(matches!(timestamp, Timestamp::LogAppendTime(_)) && is_of_today(timestamp) && own.is_none());
    }
}
