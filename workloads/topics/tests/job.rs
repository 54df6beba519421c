//! The topic Job against an embedded broker that is there, comes late, or never comes.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use vedette_contract::arguments::TopicsArguments;
use vedette_contract::exit::LastWords;
use vedette_contract::topic::TopicReport;
use vedette_service::{Reason, Shutdown, error_chain};
use vedette_streams::kafka::{KafkaSettings, TopicReader};
use vedette_testing::{TestBroker, free_address, kafka_arguments};
use vedette_topics::{Patience, TopicsError, run, run_with_patience};

const PATIENCE: Duration = Duration::from_secs(240);

fn arguments(address: SocketAddr, topics: &[&str]) -> TopicsArguments {
    let topics = topics.iter().map(|topic| topic.parse().unwrap()).collect();
    TopicsArguments { kafka: kafka_arguments(address), topics, report_file: None }
}

fn soon() -> Patience {
    Patience { request: Duration::from_millis(500), total: Duration::from_millis(1_500) }
}

fn assert_topic_exists(address: SocketAddr, topic: &str) {
    let reader = TopicReader::new(&KafkaSettings::new(&kafka_arguments(address), "test")).unwrap();
    reader.check(&[topic.parse().unwrap()], PATIENCE).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topics_are_there_when_the_job_has_ended() {
    let broker = TestBroker::start();
    let address = broker.address();
    let wanted = arguments(address, &["sensor_messages:partitions=2", "alerts:partitions=1,retention.ms=60000"]);
    run(wanted.clone(), Shutdown::new()).await.unwrap();
    run(wanted, Shutdown::new()).await.unwrap();
    assert_topic_exists(address, "sensor_messages");
    assert_topic_exists(address, "alerts");
}

async fn found(address: SocketAddr, topics: &[&str]) -> Vec<String> {
    reported(address, topics).await.differs
}

async fn reported(address: SocketAddr, topics: &[&str]) -> TopicReport {
    let file = tempfile::NamedTempFile::new().unwrap();
    let report_file = Some(file.path().to_owned());
    run(TopicsArguments { report_file, ..arguments(address, topics) }, Shutdown::new()).await.unwrap();
    serde_json::from_slice(&std::fs::read(file.path()).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_others_is_compared_with_what_is_stated_and_never_altered() {
    let broker = TestBroker::start();
    let address = broker.address();
    run(arguments(address, &["sensor_messages:partitions=2,retention.ms=-1"]), Shutdown::new()).await.unwrap();
    let silent = found(address, &["sensor_messages:partitions?=4,retention.ms?=604800000"]).await;
    assert_eq!(silent, [""; 0], "defaults are nothing to compare with");
    let stated = "sensor_messages:partitions=4,retention.ms=604800000";
    for _ in 0..2 {
        let differs = found(address, &[stated]).await;
        assert!(differs[0].contains("2 partitions and 4 are stated; set management: Manage"), "{differs:?}");
        assert_eq!(differs[1], "retention.ms of sensor_messages is -1 and 604800000 is stated");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stated_replication_factor_is_compared_and_one_of_the_site_is_not() {
    let broker = TestBroker::start();
    let address = broker.address();
    run(arguments(address, &["alerts:partitions=2,replication.factor=1"]), Shutdown::new()).await.unwrap();
    assert_eq!(found(address, &["alerts:partitions=2,replication.factor?=3"]).await, [""; 0]);
    let differs = found(address, &["alerts:partitions=2,replication.factor=3"]).await;
    assert!(differs[0].starts_with("alerts has replication factor 1 and 3 is stated"), "{differs:?}");
}

/// The brokers of these tests are content with the replicas that there are, as those since Kafka 3.7.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_with_fewer_replicas_than_it_states_is_told_of_also_where_it_was_just_made() {
    let broker = TestBroker::start();
    let topics = ["sensor_messages:partitions=2,replication.factor=1,min.insync.replicas=2", "alerts:partitions=1"];
    for _ in 0..2 {
        let report = reported(broker.address(), &topics).await;
        let TopicReport { differs, blocks } = &report;
        assert!(differs.len() == 1 && blocks.is_empty(), "{report:?}");
        assert!(differs[0].starts_with("min.insync.replicas of sensor_messages is 2 and its replication factor is 1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_to_be_managed_is_set_to_what_is_stated_and_to_nothing_else() {
    let broker = TestBroker::start();
    let address = broker.address();
    let theirs = "alerts:partitions=1,retention.ms=-1,retention.bytes=12345678";
    run(arguments(address, &[theirs]), Shutdown::new()).await.unwrap();
    let managed = "alerts:management=Manage,partitions=3,max.message.bytes?=2097152,retention.ms=60000";
    assert_eq!(found(address, &[managed]).await, [""; 0]);
    let now = "alerts:partitions=3,retention.ms=60000,retention.bytes=12345678";
    assert_eq!(found(address, &[now]).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_old_records_of_others_are_cleaned_up_is_left_to_them_and_said_where_it_does_not_fit() {
    let broker = TestBroker::start();
    let address = broker.address();
    for policy in ["delete", "compact"] {
        run(arguments(address, &[&format!("{policy}:partitions=1,cleanup.policy={policy}")]), Shutdown::new())
            .await
            .unwrap();
    }
    let managed = ["delete:management=Manage,partitions?=4,cleanup.policy?=compact,delete"];
    let TopicReport { differs, blocks } = reported(address, &managed).await;
    assert!(differs[0].starts_with("delete is not compacted (cleanup.policy is delete)"), "{differs:?}");
    assert_eq!(blocks, [""; 0], "records pass all the same");
    let output = |management: &str| format!("compact:management={management},partitions?=4,cleanup.policy?=delete");
    let TopicReport { differs, blocks } = reported(address, &[&output("Manage")]).await;
    assert_eq!(differs, [""; 0]);
    assert!(blocks[0].starts_with("compact is compacted (cleanup.policy is compact), and takes no"), "{blocks:?}");
    let TopicReport { differs, blocks } = reported(address, &[&output("None")]).await;
    assert_eq!((differs.len(), blocks.len()), (1, 0), "its owner answers for the keys");
    let as_before = ["delete:partitions=1,cleanup.policy=delete", "compact:partitions=1,cleanup.policy=compact"];
    assert_eq!(reported(address, &as_before).await, TopicReport::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_anothers_to_make_is_waited_for_and_named() {
    let broker = TestBroker::start();
    let address = broker.address();
    // The broker is there, so a request may take what it takes; only the waiting is to be short.
    let patience = Patience { request: PATIENCE, ..soon() };
    let refusal =
        run_with_patience(arguments(address, &["alerts:management=None,partitions=1"]), patience, Shutdown::new());
    let refusal = refusal.await.unwrap_err();
    assert_eq!(refusal.reason(), "TopicNotOurs");
    assert!(error_chain(&refusal).contains("topic alerts does not exist"), "{}", error_chain(&refusal));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_late_is_waited_for() {
    let address = free_address();
    // Enough for a busy machine to answer, and to have many attempts.
    let patience = Patience { request: Duration::from_secs(1), total: PATIENCE };
    let job = tokio::spawn(run_with_patience(arguments(address, &["alerts:partitions=1"]), patience, Shutdown::new()));
    // Longer than an attempt, so that at least one has failed.
    tokio::time::sleep(patience.request * 2).await;
    let _broker = TestBroker::start_at(address);
    job.await.unwrap().unwrap();
    assert_topic_exists(address, "alerts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_never_comes_fails_the_job_and_is_named() {
    let address = free_address();
    let refusal =
        run_with_patience(arguments(address, &["alerts:partitions=1"]), soon(), Shutdown::new()).await.unwrap_err();
    assert_eq!(refusal.reason(), "BrokerUnreachable");
    assert!(error_chain(&refusal).contains(&address.to_string()), "{}", error_chain(&refusal));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waiting_cannot_mend_fails_at_once() {
    let broker = TestBroker::start();
    let address = broker.address();
    // What waiting may mend would be waited for much longer than the test has time.
    let patience = Patience { request: PATIENCE, total: 10 * PATIENCE };
    let impossible = arguments(address, &["alerts:partitions=1,replication.factor=3"]);
    let job = run_with_patience(impossible, patience, Shutdown::new());
    let refusal = tokio::time::timeout(PATIENCE, job).await.expect("at once").unwrap_err();
    assert_eq!(refusal.reason(), "TopicRefused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_told_to_end_says_that_it_did_not_finish() {
    let shutdown = Shutdown::new();
    let job = tokio::spawn(run(arguments(free_address(), &["alerts:partitions=1"]), shutdown.clone()));
    shutdown.cancel();
    let outcome = tokio::time::timeout(PATIENCE, job).await.unwrap().unwrap();
    assert!(matches!(outcome, Err(TopicsError::Stopped)), "{outcome:?}");
}

#[test]
fn arguments_that_are_wrong_are_its_last_words() {
    let output = Command::new(env!("CARGO_BIN_EXE_vedette-topics")).arg("--no-such-option").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let words = LastWords::read(&String::from_utf8(output.stderr).unwrap()).unwrap();
    assert_eq!(words.reason.as_deref(), Some("InvalidArguments"));
    assert_eq!(words.to_string(), "InvalidArguments: unexpected argument '--no-such-option' found");
}
