//! The embedded Kafka through librdkafka, the client of every workload.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::{ApiKey, GroupId, JoinGroupRequest, RequestHeader};
use kafka_protocol::protocol::{Encodable, StrBytes, encode_request_header_into_buffer};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use vedette_embedded::broker::EmbeddedBroker;

const PATIENCE: Duration = Duration::from_secs(120);
const TOPIC: &str = "records";
const WIDE_TOPIC: &str = "wide";

fn start() -> EmbeddedBroker {
    EmbeddedBroker::start("127.0.0.1:0".parse().unwrap()).unwrap()
}

async fn with_topic() -> EmbeddedBroker {
    let broker = start();
    create_topic(&broker, TOPIC, 1).await;
    broker
}

async fn create_topic(broker: &EmbeddedBroker, name: &str, partitions: i32) {
    let admin: AdminClient<DefaultClientContext> = client(broker).create().unwrap();
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
    for result in admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap() {
        result.unwrap();
    }
}

fn client(broker: &EmbeddedBroker) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.address().to_string());
    config
}

fn transactional(broker: &EmbeddedBroker, id: &str) -> BaseProducer {
    let producer: BaseProducer = client(broker)
        .set("client.id", id)
        .set("transactional.id", id)
        .set("transaction.timeout.ms", "10000")
        .create()
        .unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer
}

fn send(producer: &BaseProducer, value: &str) {
    producer.send(BaseRecord::<(), str>::to(TOPIC).partition(0).payload(value)).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

fn reader(broker: &EmbeddedBroker) -> BaseConsumer {
    let consumer: BaseConsumer =
        client(broker).set("group.id", "reader").set("isolation.level", "read_committed").create().unwrap();
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
    consumer.assign(&partitions).unwrap();
    consumer
}

fn next(consumer: &BaseConsumer) -> String {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            return String::from_utf8(message.unwrap().payload().unwrap().to_vec()).unwrap();
        }
    }
    panic!("no record arrived");
}

#[tokio::test]
async fn what_a_producer_commits_after_an_abort_reaches_a_reader_that_follows() {
    let broker = with_topic().await;
    let (producer, consumer) = (transactional(&broker, "detector-1"), reader(&broker));
    for round in 0..3 {
        producer.begin_transaction().unwrap();
        send(&producer, "aborted");
        send(&producer, "aborted");
        producer.abort_transaction(PATIENCE).unwrap();
        for part in 0..2 {
            producer.begin_transaction().unwrap();
            let value = format!("committed {round} {part}");
            send(&producer, &value);
            producer.commit_transaction(PATIENCE).unwrap();
            assert_eq!(next(&consumer), value);
        }
    }
}

#[tokio::test]
async fn the_open_transaction_of_a_dead_process_is_aborted_and_its_successor_is_read() {
    let broker = with_topic().await;
    let consumer = reader(&broker);
    let dying = transactional(&broker, "detector-1");
    dying.begin_transaction().unwrap();
    send(&dying, "lost");
    drop(dying);
    let other: BaseProducer = client(&broker).create().unwrap();
    send(&other, "after");
    broker.process_died("detector-1").await;
    assert_eq!(next(&consumer), "after");
    let successor = transactional(&broker, "detector-1");
    for value in ["first", "second"] {
        successor.begin_transaction().unwrap();
        send(&successor, value);
        successor.commit_transaction(PATIENCE).unwrap();
        assert_eq!(next(&consumer), value);
    }
}

/// Joins a group as a process would that is killed right afterwards.
fn join_and_die(broker: &EmbeddedBroker, client_id: &str, group: &str) {
    let protocol = JoinGroupRequestProtocol::default()
        .with_name(StrBytes::from_static_str("range"))
        .with_metadata(Bytes::from_static(&[0; 10]));
    let request = JoinGroupRequest::default()
        .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(300_000)
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(vec![protocol]);
    let header = RequestHeader::default()
        .with_request_api_key(ApiKey::JoinGroup as i16)
        .with_request_api_version(1)
        .with_client_id(Some(StrBytes::from_string(client_id.to_owned())));
    let mut frame = BytesMut::new();
    encode_request_header_into_buffer(&mut frame, &header).unwrap();
    request.encode(&mut frame, 1).unwrap();
    let mut stream = TcpStream::connect(broker.address()).unwrap();
    stream.write_all(&u32::try_from(frame.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&frame).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
}

#[tokio::test]
async fn a_dead_member_leaves_its_group() {
    let broker = with_topic().await;
    join_and_die(&broker, "detector-1", "detectors");
    broker.process_died("detector-1").await;
    let producer: BaseProducer = client(&broker).create().unwrap();
    send(&producer, "hello");
    let consumer: BaseConsumer = client(&broker)
        .set("group.id", "detectors")
        .set("auto.offset.reset", "earliest")
        .set("partition.assignment.strategy", "range")
        .create()
        .unwrap();
    consumer.subscribe(&[TOPIC]).unwrap();
    assert_eq!(next(&consumer), "hello");
}

/// Follows its group on a thread of its own, as a detector does, until it is dropped; then it leaves.
struct Member {
    assigned: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Member {
    fn join(broker: &EmbeddedBroker) -> Self {
        let consumer: BaseConsumer = client(broker)
            .set("group.id", "members")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("heartbeat.interval.ms", "500")
            .set("session.timeout.ms", "10000")
            .create()
            .unwrap();
        consumer.subscribe(&[WIDE_TOPIC]).unwrap();
        let (assigned, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (to_tell, to_end) = (Arc::clone(&assigned), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !to_end.load(Ordering::SeqCst) {
                drop(consumer.poll(Duration::from_millis(5)));
                to_tell.store(consumer.assignment().unwrap().count(), Ordering::SeqCst);
            }
        });
        Self { assigned, stop, thread: Some(thread) }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn await_assignment(members: &[&Member], expected: &[usize]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found: Vec<_> = members.iter().map(|member| member.assigned.load(Ordering::SeqCst)).collect();
        if found == expected {
            return;
        }
        assert!(Instant::now() < deadline, "assigned {found:?} instead of {expected:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[tokio::test]
async fn partitions_move_to_a_second_member_and_back_every_time() {
    let broker = start();
    create_topic(&broker, WIDE_TOPIC, 4).await;
    let first = Member::join(&broker);
    for _ in 0..8 {
        await_assignment(&[&first], &[4]);
        let second = Member::join(&broker);
        await_assignment(&[&first, &second], &[2, 2]);
    }
}

fn commit(broker: &EmbeddedBroker, group: &str, offset: i64) {
    let consumer: BaseConsumer = client(broker).set("group.id", group).create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(TOPIC, 0, Offset::Offset(offset)).unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
}

fn await_watermarks(broker: &EmbeddedBroker, expected: (i64, i64)) {
    let consumer: BaseConsumer = client(broker).create().unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = consumer.fetch_watermarks(TOPIC, 0, PATIENCE).unwrap();
        if found == expected {
            return;
        }
        assert!(Instant::now() < deadline, "watermarks {found:?} instead of {expected:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test]
async fn what_every_group_has_read_is_dropped_and_what_one_still_needs_stays() {
    let broker = with_topic().await;
    let producer: BaseProducer = client(&broker).set("batch.num.messages", "100").create().unwrap();
    for number in 0..5_000 {
        let value = number.to_string();
        producer.send(BaseRecord::<(), str>::to(TOPIC).partition(0).payload(&value)).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    commit(&broker, "detectors", 5_000);
    commit(&broker, "archivers", 3_000);
    broker.drop_what_was_read(TOPIC, &["detectors", "archivers"]);
    await_watermarks(&broker, (2_000, 5_000));
    commit(&broker, "archivers", 4_500);
    await_watermarks(&broker, (3_500, 5_000));
}

#[test]
fn a_taken_port_is_one_clear_error() {
    let broker = start();
    let error = EmbeddedBroker::start(broker.address()).err().unwrap();
    assert!(error.to_string().contains(&broker.address().to_string()), "{error}");
    drop(broker);
}
