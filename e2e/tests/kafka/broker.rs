//! The Kafka that `e2e/scripts/with-kafka.sh` started: its topics, as the super user, and the ways to log in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use vedette_contract::arguments::KafkaArguments;
use vedette_e2e::topic::{self, TopicError};
use vedette_streams::kafka::{Isolation, KafkaSettings};
use vedette_testing::eventually;

/// Where everybody is the super user.
pub(crate) const ADMIN: &str = "127.0.0.1:9092";
const PASSWORD: &str = "127.0.0.1:9094";
const CERTIFICATE: &str = "127.0.0.1:9095";
const TOKEN: &str = "127.0.0.1:9096";
const DIRECTORY_ENV: &str = "VEDETTE_KAFKA";
const PATIENCE: Duration = Duration::from_secs(240);
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// How a user says who it is.
#[derive(Clone, Copy)]
pub(crate) enum Login {
    Scram,
    Plain,
    Certificate,
    /// By a token, from who listens there.
    Token(SocketAddr),
}

/// The directory of certificates and keys.
pub(crate) fn certificates() -> PathBuf {
    PathBuf::from(std::env::var(DIRECTORY_ENV).unwrap_or_else(|_| {
        panic!("{DIRECTORY_ENV} is not set: it names the directory of the certificates; `make e2e-kafka` starts a Kafka and sets it")
    }))
}

/// What a workload is told to reach Kafka as this user; the password is for its environment.
pub(crate) fn options(user: &str, login: Login) -> Vec<String> {
    let file = |name: &str| certificates().join(name).display().to_string();
    let (servers, mut properties) = match login {
        Login::Scram => (PASSWORD, vec!["sasl.mechanism=SCRAM-SHA-512".to_owned()]),
        Login::Plain => (PASSWORD, vec!["sasl.mechanism=PLAIN".to_owned()]),
        Login::Token(_) => (TOKEN, Vec::new()),
        Login::Certificate => (
            CERTIFICATE,
            vec![
                "security.protocol=SSL".to_owned(),
                format!("ssl.certificate.location={}", file(&format!("{user}.crt"))),
                format!("ssl.key.location={}", file(&format!("{user}.key"))),
            ],
        ),
    };
    properties.push(format!("ssl.ca.location={}", file("ca.crt")));
    let properties = properties.into_iter().map(|property| format!("--kafka-property={property}"));
    let mut options: Vec<String> = properties.collect();
    options.push(format!("--bootstrap-servers={servers}"));
    if let Login::Scram | Login::Plain | Login::Token(_) = login {
        options.push(format!("--sasl-username={user}"));
    }
    if let Login::Token(endpoint) = login {
        options.push(format!("--oauth-token-endpoint=http://{endpoint}/token"));
    }
    options
}

pub(crate) fn admin() -> KafkaSettings {
    let arguments = KafkaArguments { bootstrap_servers: ADMIN.to_owned(), ..KafkaArguments::default() };
    KafkaSettings::new(&arguments, "vedette-e2e")
}

pub(crate) async fn create_topic(name: &str, partitions: i32, configuration: &[(&str, &str)]) {
    topic::create(&admin(), name, partitions, configuration).await.unwrap();
}

pub(crate) fn partitions(name: &str) -> usize {
    answered(|| topic::partitions(&admin(), name))
}

/// What Kafka answers; where it does not in time it is asked again.
fn answered<T>(ask: impl Fn() -> Result<T, TopicError>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
        }
        std::thread::sleep(ASK_AGAIN);
    }
}

/// What is in force, a default of the broker's included.
pub(crate) async fn configuration(topic: &str, key: &str) -> Option<String> {
    let client: AdminClient<DefaultClientContext> = admin().base().create().unwrap();
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let mut described = client.describe_configs([&ResourceSpecifier::Topic(topic)], &options).await.unwrap();
    described.remove(0).unwrap().get(key).and_then(|entry| entry.value.clone())
}

/// Sets what is named, and resets all else.
pub(crate) async fn configure(topic: &str, settings: &[(&str, &str)]) {
    let client: AdminClient<DefaultClientContext> = admin().base().create().unwrap();
    let wanted = AlterConfig::new(ResourceSpecifier::Topic(topic));
    let wanted = settings.iter().fold(wanted, |wanted, (key, value)| wanted.set(key, value));
    let mut altered = client.alter_configs([&wanted], &AdminOptions::new()).await.unwrap();
    altered.remove(0).unwrap();
}

/// Milliseconds since 1970.
pub(crate) fn now_millis() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Produces records with these uuids.
pub(crate) fn produce(topic: &str, uuids: &[String]) {
    produce_at(topic, uuids, |_| now_millis());
}

/// The same, each with the Kafka timestamp of its number, in milliseconds. What is refused is sent again: a broker learns of what
/// [`configure`] sets a moment later.
pub(crate) fn produce_at(topic: &str, uuids: &[String], timestamp: impl Fn(usize) -> i64) {
    let producer: BaseProducer<Refused> = admin().producer().create_with_context(Refused::default()).unwrap();
    let (mut to_send, deadline): (Vec<usize>, _) = ((0..uuids.len()).collect(), Instant::now() + PATIENCE);
    while !to_send.is_empty() {
        assert!(Instant::now() < deadline, "{} records are refused by {topic}", to_send.len());
        for number in to_send {
            let uuid = &uuids[number];
            let record = format!(r#"{{"uuid":"{uuid}","utc":"2026-11-23T08:42:10Z","src_bytes":1}}"#);
            let record = BaseRecord::with_opaque_to(topic, Box::new(number)).key(uuid).payload(&record);
            producer.send(record.timestamp(timestamp(number))).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        to_send = std::mem::take(&mut producer.context().0.lock().unwrap());
    }
}

/// Numbers of the records that were not delivered.
#[derive(Default)]
struct Refused(Mutex<Vec<usize>>);

impl ClientContext for Refused {}

impl ProducerContext for Refused {
    type DeliveryOpaque = Box<usize>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Box<usize>) {
        if result.is_err() {
            self.0.lock().unwrap().push(*number);
        }
    }
}

/// Has a group forget all that it committed; it has no member.
pub(crate) async fn delete_group(group: &str) {
    let client: AdminClient<DefaultClientContext> = admin().base().create().unwrap();
    eventually("the group has no member", async || {
        let deleted = client.delete_groups(&[group], &AdminOptions::new()).await;
        deleted.is_ok_and(|deleted| deleted.iter().all(Result::is_ok))
    })
    .await;
}

/// The committed records.
pub(crate) fn read(topic: &str) -> Vec<serde_json::Value> {
    let read = |message: &rdkafka::message::BorrowedMessage<'_>| {
        serde_json::from_slice::<serde_json::Value>(rdkafka::Message::payload(message).unwrap()).unwrap()
    };
    answered(|| topic::read_to_end(&admin(), topic, Isolation::ReadCommitted, read))
}

/// The uuids of the committed records, sorted.
pub(crate) fn uuids(topic: &str) -> Vec<String> {
    let mut uuids: Vec<_> = read(topic).iter().map(|record| record["uuid"].as_str().unwrap().to_owned()).collect();
    uuids.sort();
    uuids
}
