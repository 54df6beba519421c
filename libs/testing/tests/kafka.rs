//! Topics and checks of `vedette-streams` against an embedded broker.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Message, Offset, TopicPartitionList};
use vedette_contract::arguments::KafkaArguments;
use vedette_contract::topic::TopicSpecification;
use vedette_streams::kafka::{
    Isolation, KafkaContext, KafkaError, KafkaSettings, TopicReader, check_broker, ensure_topics, leaderless,
    timestamp_of, wait_for_topics,
};
use vedette_testing::{TestBroker, eventually, free_address, kafka_arguments};

const PATIENCE: Duration = Duration::from_secs(240);

fn broker() -> (TestBroker, KafkaSettings) {
    let broker = TestBroker::start();
    let settings = broker.settings("test");
    (broker, settings)
}

fn topics(specifications: &[&str]) -> Vec<TopicSpecification> {
    specifications.iter().map(|text| text.parse().unwrap()).collect()
}

fn partitions(settings: &KafkaSettings, topic: &str) -> usize {
    let client: BaseConsumer = settings.base().create().unwrap();
    let metadata = client.fetch_metadata(Some(topic), PATIENCE).unwrap();
    metadata.topics()[0].partitions().len()
}

async fn configuration(settings: &KafkaSettings, topic: &str) -> BTreeMap<String, Option<String>> {
    let admin: AdminClient<KafkaContext> = settings.base().create_with_context(settings.context()).unwrap();
    let described = admin.describe_configs([&ResourceSpecifier::Topic(topic)], &AdminOptions::new()).await.unwrap();
    let entries = described.into_iter().next().unwrap().unwrap().entries;
    entries.into_iter().map(|entry| (entry.name, entry.value)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_created_once() {
    let (_broker, settings) = broker();
    let wanted =
        topics(&["sensor_messages:partitions=2,retention.ms=60000", "alerts:partitions=1,replication.factor=1"]);
    for _ in 0..2 {
        ensure_topics(&settings, &wanted, PATIENCE).await.unwrap();
        assert_eq!((partitions(&settings, "sensor_messages"), partitions(&settings, "alerts")), (2, 1));
        assert_eq!(configuration(&settings, "sensor_messages").await["retention.ms"].as_deref(), Some("60000"));
    }
}

/// A topic of somebody else, kept for ever and with large records: a shorter retention would delete what is theirs, more
/// partitions would break the order of their keys, and a smaller size would refuse their records.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_exists_is_left_exactly_as_it_is() {
    let (_broker, settings) = broker();
    let theirs = topics(&["telemetry:partitions=2,retention.ms=-1,max.message.bytes=10485760"]);
    ensure_topics(&settings, &theirs, PATIENCE).await.unwrap();
    let before = configuration(&settings, "telemetry").await;
    for count in [1, 2, 4] {
        let ours = format!(
            "telemetry:partitions={count},retention.ms=604800000,retention.bytes=1000,max.message.bytes=1048576"
        );
        ensure_topics(&settings, &topics(&[&ours]), PATIENCE).await.unwrap();
        assert_eq!(partitions(&settings, "telemetry"), 2);
        assert_eq!(configuration(&settings, "telemetry").await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kafka_refuses_names_the_topic() {
    let (_broker, settings) = broker();
    let refusal = ensure_topics(&settings, &topics(&["alerts:partitions=1,replication.factor=3"]), PATIENCE).await;
    let refusal = refusal.unwrap_err();
    assert!(matches!(&refusal, KafkaError::TopicRefused { topic, .. } if topic == "alerts"), "{refusal:?}");
    assert!(!refusal.is_retriable(), "{refusal:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_is_named_in_time() {
    let address = free_address();
    let settings = KafkaSettings::new(&kafka_arguments(address), "test");
    let started = Instant::now();
    let patience = Duration::from_secs(5);
    let refusal = ensure_topics(&settings, &topics(&["alerts:partitions=1"]), patience).await.unwrap_err();
    assert!(matches!(refusal, KafkaError::Unreachable { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains(&address.to_string()), "{refusal}");
    assert!(refusal.to_string().contains("Connection refused"), "{refusal}");
    // librdkafka by itself would wait for a minute.
    assert!(started.elapsed() < Duration::from_secs(50), "{:?}", started.elapsed());
    let refusal = tokio::task::spawn_blocking(move || check_broker(&settings, patience)).await.unwrap().unwrap_err();
    assert_eq!((refusal.reason(), refusal.is_retriable()), ("BrokerUnreachable", true));
}

/// Answers every connection with something that is no Kafka, once the client has spoken.
fn stranger() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        // Closing a connection with bytes unread would take the answer back, so they stay open.
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]).unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").unwrap();
            open.push(stream);
        }
    });
    address
}

#[test]
fn a_server_that_does_not_let_us_in_is_not_unreachable() {
    let broker = TestBroker::start();
    for (address, protocol, username) in
        [(stranger(), "SSL", None), (broker.address(), "SASL_PLAINTEXT", Some("detector"))]
    {
        let arguments = KafkaArguments {
            bootstrap_servers: address.to_string(),
            kafka_properties: vec![format!("security.protocol={protocol}").parse().unwrap()],
            sasl_username: username.map(str::to_owned),
            sasl_password: username.map(Into::into),
            oauth: None,
        };
        let started = Instant::now();
        let refusal = check_broker(&KafkaSettings::new(&arguments, "test"), PATIENCE).unwrap_err();
        assert_eq!((refusal.reason(), refusal.is_retriable()), ("AuthenticationFailed", false), "{refusal:?}");
        assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_property_is_not_retried() {
    let arguments = KafkaArguments {
        bootstrap_servers: free_address().to_string(),
        kafka_properties: vec!["no.such.property=1".parse().unwrap()],
        ..KafkaArguments::default()
    };
    let refusal = check_broker(&KafkaSettings::new(&arguments, "test"), PATIENCE).unwrap_err();
    assert!(matches!(refusal, KafkaError::Settings(_)), "{refusal:?}");
    assert!(!refusal.is_retriable());
}

#[tokio::test(flavor = "multi_thread")]
async fn our_producers_and_consumers_understand_each_other() {
    let (_broker, settings) = broker();
    // The record below is older than the broker keeps records by default.
    ensure_topics(&settings, &topics(&["alerts:partitions=1,retention.ms=-1"]), PATIENCE).await.unwrap();
    let producer: BaseProducer = settings.transactional_producer("test-0").create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    let value = vec![b'x'; 2_000_000];
    let record = BaseRecord::to("alerts").key("key").payload(&value).timestamp(1_700_000_000_123);
    producer.send(record).unwrap();
    producer.commit_transaction(PATIENCE).unwrap();

    let consumer: BaseConsumer<KafkaContext> =
        settings.consumer("group", Isolation::ReadCommitted).create_with_context(settings.context()).unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset("alerts", 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let message = consumer.poll(PATIENCE).expect("a record in time").unwrap();
    assert_eq!(message.payload().map(<[u8]>::len), Some(value.len()));
    assert_eq!(timestamp_of(&message), Some("2023-11-14T22:13:20.123Z".parse().unwrap()));
}

/// Passes connections on to a server, and counts them.
fn counting_relay(to: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, accepted) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&accepted);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            counter.fetch_add(1, Ordering::SeqCst);
            let (client, server) = (client.unwrap(), std::net::TcpStream::connect(to).unwrap());
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server.try_clone().unwrap(), client.try_clone().unwrap()),
            ] {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Both);
                });
            }
        }
    });
    (address, accepted)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_missing_is_looked_for_again_with_one_connection() {
    let broker = TestBroker::start();
    let (address, accepted) = counting_relay(broker.address());
    let settings = KafkaSettings::new(&kafka_arguments(address), "test");
    let looks = Arc::new(AtomicUsize::new(0));
    let (looked, wanted) = (Arc::clone(&looks), "alerts".parse().unwrap());
    let look = move |reader: &TopicReader| {
        looked.fetch_add(1, Ordering::SeqCst);
        reader.count_partitions([&wanted], PATIENCE)
    };
    let told = Mutex::new(Vec::new());
    let waiting = wait_for_topics(&settings, None, look, |error| told.lock().unwrap().push(error.reason()));
    let making = async {
        eventually("it is looked for again", async || looks.load(Ordering::SeqCst) >= 2).await;
        broker.create_topics(&["alerts:partitions=3"]).await;
    };
    let (counted, ()) = tokio::join!(waiting, making);
    assert_eq!(counted.unwrap(), [3]);
    assert_eq!(accepted.load(Ordering::SeqCst), 1, "one client looks again");
    assert!(told.lock().unwrap().iter().all(|reason| *reason == "TopicMissing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_topic_with_an_end_says_which_is_missing() {
    let (_broker, settings) = broker();
    let wanted = ["alerts".parse().unwrap()];
    let look = move |reader: &TopicReader| reader.check(&wanted, PATIENCE);
    let missing = wait_for_topics(&settings, Some(Duration::from_millis(200)), look, |_| ()).await.unwrap_err();
    assert_eq!(missing.reason(), "TopicMissing");
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_without_a_leader_are_named() {
    let (broker, settings) = broker();
    broker.create_topics(&["led:partitions=2", "alerts:partitions=3"]).await;
    broker.take_leader("alerts", 1);
    let consumer: BaseConsumer = settings.base().create().unwrap();
    let without_leader = |topic: &str| leaderless(consumer.client(), &topic.parse().unwrap());
    eventually("one is named", async || without_leader("alerts") == [1].into()).await;
    assert_eq!(without_leader("led"), [].into());
    broker.give_leader("alerts", 1);
    eventually("it has one again", async || without_leader("alerts").is_empty()).await;
}

/// What a consumer comes to that reads partition 0 from its beginning, and is told of no broker for a moment.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Back,
    Stranded,
}

/// `before` records are there.
async fn told_of_no_broker(broker: &TestBroker, topic: &'static str, before: usize) -> Came {
    let mut arguments = broker.arguments();
    let properties = ["statistics.interval.ms=200", "topic.metadata.refresh.interval.ms=50", "fetch.wait.max.ms=10"];
    arguments.kafka_properties.extend(properties.map(|property| property.parse().unwrap()));
    let settings = KafkaSettings::new(&arguments, "test");
    let consumer: BaseConsumer<KafkaContext> =
        settings.consumer("group", Isolation::ReadCommitted).create_with_context(settings.context()).unwrap();
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&assignment).unwrap();
    let read = Arc::new(AtomicUsize::new(0));
    let (counter, ended) = (Arc::clone(&read), Arc::new(AtomicBool::new(false)));
    let ends = Arc::clone(&ended);
    let reading = tokio::task::spawn_blocking(move || {
        while !ends.load(Ordering::SeqCst) {
            if let Some(Ok(_)) = consumer.poll(Duration::from_millis(20)) {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    let reads = async |count| eventually("it reads", async || read.load(Ordering::SeqCst) >= count).await;
    produce(broker, topic);
    reads(before + 1).await;
    broker.name_no_broker(true);
    tokio::time::sleep(Duration::from_millis(300)).await;
    broker.name_no_broker(false);
    produce(broker, topic);
    let came = tokio::select! {
        () = reads(before + 2) => Came::Back,
        error = settings.stranded() => {
            assert_eq!(error.reason(), "KafkaClientStranded");
            Came::Stranded
        }
    };
    ended.store(true, Ordering::SeqCst);
    reading.await.unwrap();
    came
}

fn produce(broker: &TestBroker, topic: &str) {
    let producer: BaseProducer = broker.settings("producer").producer().create().unwrap();
    producer.send(BaseRecord::<(), _>::to(topic).payload("{}").partition(0)).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

/// Which it is depends on which of librdkafka's threads is first: that which reads of many partitions is late.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_told_of_no_broker_comes_back_or_is_known_to_be_stranded() {
    let broker = TestBroker::with_topics(&["t:partitions=1000"]).await;
    let mut stranded = 0;
    for time in 0..5 {
        if told_of_no_broker(&broker, "t", 2 * time).await == Came::Stranded {
            stranded += 1;
        }
    }
    println!("{stranded} of 5 were stranded");
}
