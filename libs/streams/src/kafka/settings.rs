//! The one place that turns arguments into librdkafka properties.

use std::path::PathBuf;
use std::sync::Arc;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use vedette_contract::arguments::{KafkaArguments, KeyValue, SecretText};
use vedette_contract::kafka_property::canonical;

use crate::certificates;
use crate::kafka::stranded::{BrokerWatch, Stranding};
use crate::kafka::token::TokenSource;
use crate::kafka::{KafkaContext, KafkaError};

/// What a consumer sees of open and aborted transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Committed records only.
    ReadCommitted,
    /// Every record.
    ReadUncommitted,
}

impl Isolation {
    fn as_str(self) -> &'static str {
        match self {
            Self::ReadCommitted => "read_committed",
            Self::ReadUncommitted => "read_uncommitted",
        }
    }
}

/// Which Kafka, as whom, and the properties that somebody gave, which win over ours.
#[derive(Clone)]
pub struct KafkaSettings {
    bootstrap_servers: String,
    client_id: String,
    login: Option<Login>,
    properties: Vec<KeyValue>,
    stranding: Stranding,
}

/// How a process proves who it is, by SASL.
#[derive(Clone)]
enum Login {
    Password { username: String, password: SecretText },
    Token(Arc<TokenSource>),
}

/// Ours for every client: idle connections that brokers close are no news, and a broker that comes back is found soon.
const CLIENT: &[(&str, &str)] = &[
    ("log.connection.close", "false"),
    // A cluster whose brokers are all fenced for a moment names none, and librdkafka forgets them: it looks at the bootstrap servers
    // again after so long; after 5 minutes by default.
    ("metadata.recovery.rebootstrap.trigger.ms", "5000"),
    ("reconnect.backoff.max.ms", "2000"),
    ("socket.connection.setup.timeout.ms", "10000"),
    ("socket.keepalive.enable", "true"),
    // How often a client tells where its partitions and brokers stand.
    ("statistics.interval.ms", "5000"),
    ("topic.metadata.refresh.interval.ms", "30000"),
];

/// Ours for consumers. librdkafka would queue 64 MiB and, when its queue is full, wait a second before it fetches again.
const CONSUMER: &[(&str, &str)] = &[
    ("auto.offset.reset", "earliest"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("fetch.max.bytes", "8388608"),
    ("fetch.queue.backoff.ms", "20"),
    ("heartbeat.interval.ms", "500"),
    // So long a group waits for a member that is gone where its coordinator was started anew meanwhile; 5 minutes by default.
    ("max.poll.interval.ms", "60000"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("queued.max.messages.kbytes", "16384"),
    ("session.timeout.ms", "10000"),
];

/// For so many bytes a broker waits, librdkafka's half a second at most, before it answers a patient consumer: a request for each few
/// records would cost it more than the records do.
const WORTH_A_FETCH: &str = "262144";

/// Who sets one of these has decided how fetches are, and nothing is added.
const OF_A_FETCH: [&str; 3] = ["fetch.min.bytes", "fetch.message.max.bytes", "fetch.wait.max.ms"];

/// Ours for producers. Brokers and topics limit the message size; librdkafka's own limit only has to be above theirs.
const PRODUCER: &[(&str, &str)] = &[
    ("acks", "all"),
    ("compression.type", "lz4"),
    ("enable.idempotence", "true"),
    ("linger.ms", "2"),
    ("message.max.bytes", "16777216"),
    // Where Kafka's own clients put a key; librdkafka's default is another.
    ("partitioner", "murmur2_random"),
    ("queue.buffering.max.kbytes", "32768"),
];

/// Ours for consumers that brokers decide for, where `group.protocol` is `consumer` (KIP-848).
const DECIDED_BY_BROKERS: [&str; 3] = ["heartbeat.interval.ms", "partition.assignment.strategy", "session.timeout.ms"];

/// Ours for producers with transactions. What is not taken in time is given up while the transaction is still ours to abort:
/// who is late finds that the broker did it, and is fenced by its own successor.
const TRANSACTIONAL: [(&str, &str); 2] = [("transaction.timeout.ms", "10000"), ("message.timeout.ms", "7000")];

/// librdkafka's own `batch.size`.
const LARGEST_BATCH: usize = 1_000_000;

/// Where the certificates of the authorities are that sign the brokers'.
const CA_LOCATION: &str = "ssl.ca.location";

impl KafkaSettings {
    /// Settings of one process, which brokers know by `client_id`.
    pub fn new(arguments: &KafkaArguments, client_id: &str) -> Self {
        let KafkaArguments { bootstrap_servers, kafka_properties, sasl_username, sasl_password, oauth } = arguments;
        let password = sasl_password.clone().unwrap_or_default();
        let login = sasl_username.clone().map(|username| match oauth {
            None => Login::Password { username, password },
            Some(oauth) => Login::Token(Arc::new(TokenSource::new(oauth.clone(), username, password))),
        });
        Self {
            bootstrap_servers: bootstrap_servers.clone(),
            client_id: client_id.to_owned(),
            login,
            properties: kafka_properties.clone(),
            stranding: Stranding::default(),
        }
    }

    /// The brokers to start from, as given.
    pub fn bootstrap_servers(&self) -> &str {
        &self.bootstrap_servers
    }

    /// What every client's context has or is.
    pub fn context(&self) -> KafkaContext {
        let tokens = match &self.login {
            Some(Login::Token(tokens)) => Some(Arc::clone(tokens)),
            Some(Login::Password { .. }) | None => None,
        };
        KafkaContext::new(tokens, BrokerWatch::new(self.stranding.clone()))
    }

    /// Waits until a client with such a context has forgotten every broker, which only a new process mends.
    pub async fn stranded(&self) -> KafkaError {
        self.stranding.happened().await;
        KafkaError::Stranded { servers: self.bootstrap_servers.clone() }
    }

    /// Whether brokers let it in by a token, which is asked of another server.
    pub fn comes_by_token(&self) -> bool {
        matches!(self.login, Some(Login::Token(_)))
    }

    /// Properties of any client. With a user name they default to SCRAM-SHA-512, or a token, over TLS.
    pub fn base(&self) -> ClientConfig {
        self.with(&[], &[])
    }

    /// Properties of a consumer in this group: it commits by itself never, and starts at the beginning.
    pub fn consumer(&self, group: &str, isolation: Isolation) -> ClientConfig {
        self.with(CONSUMER, &[("group.id", group), ("isolation.level", isolation.as_str())])
    }

    /// The same of one whose records nobody waits for: it asks for many at once, unless properties say how it fetches.
    pub fn patient_consumer(&self, group: &str, isolation: Isolation) -> ClientConfig {
        let mut config = self.consumer(group, isolation);
        if OF_A_FETCH.iter().all(|key| config.get(key).is_none()) {
            config.set("fetch.min.bytes", WORTH_A_FETCH);
        }
        config
    }

    /// Properties of an idempotent producer.
    pub fn producer(&self) -> ClientConfig {
        self.producer_with(&[])
    }

    /// The same, with more defaults.
    pub fn producer_with(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        self.with(PRODUCER, defaults)
    }

    /// Properties of a transactional producer; a transaction that stays open is aborted by the broker after 10 s.
    pub fn transactional_producer(&self, transactional_id: &str) -> ClientConfig {
        let [transaction, message] = TRANSACTIONAL;
        self.producer_with(&[("transactional.id", transactional_id), transaction, message])
    }

    fn with(&self, of_the_kind: &[(&str, &str)], of_the_client: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Info);
        config.set("bootstrap.servers", &self.bootstrap_servers).set("client.id", &self.client_id);
        for (key, value) in CLIENT.iter().chain(of_the_kind).chain(of_the_client) {
            config.set(*key, *value);
        }
        match &self.login {
            None => {}
            Some(Login::Password { username, password }) => {
                config
                    .set("security.protocol", "SASL_SSL")
                    .set("sasl.mechanisms", "SCRAM-SHA-512")
                    .set("sasl.username", username)
                    .set("sasl.password", password.reveal());
            }
            Some(Login::Token(_)) => {
                config.set("security.protocol", "SASL_SSL").set("sasl.mechanisms", "OAUTHBEARER");
            }
        }
        if self.properties.iter().any(|KeyValue { key, value }| is_decided_by_brokers(key, value)) {
            DECIDED_BY_BROKERS.iter().for_each(|key| _ = config.remove(key));
        }
        for KeyValue { key, value } in &self.properties {
            config.set(canonical(key), value);
        }
        trust_all(&mut config);
        config
    }
}

/// Has a producer give its topics no larger messages and batches than they accept: a batch is one message to them.
pub fn fit_messages(config: &mut ClientConfig, max_message_bytes: usize) {
    let given = |config: &ClientConfig, key| config.get(key).and_then(|bytes| bytes.parse().ok());
    if given(config, "message.max.bytes").unwrap_or(0) < max_message_bytes {
        config.set("message.max.bytes", max_message_bytes.to_string());
    }
    let batch = given(config, "batch.size").unwrap_or(LARGEST_BATCH).min(max_message_bytes);
    config.set("batch.size", batch.to_string());
}

/// Has librdkafka, which reads one file or hashed names, trust all authorities of several files. Where they cannot be read
/// it is left with the path, which it refuses.
fn trust_all(config: &mut ClientConfig) {
    let location = config.get(CA_LOCATION).map(PathBuf::from);
    let Some(several) = location.filter(|path| certificates::are_several(path)) else { return };
    match certificates::read(&several) {
        Ok(pem) => {
            config.remove(CA_LOCATION);
            config.set("ssl.ca.pem", String::from_utf8_lossy(&pem));
        }
        Err(error) => {
            let path = several.display();
            tracing::error!(%path, %error, "cannot read the certificates of the authorities of Kafka");
        }
    }
}

/// librdkafka takes its words in any case.
fn is_decided_by_brokers(key: &str, value: &str) -> bool {
    key == "group.protocol" && value.eq_ignore_ascii_case("consumer")
}

impl std::fmt::Debug for KafkaSettings {
    /// Without the password and without the properties, which may hold one.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("KafkaSettings")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::producer::{BaseProducer, Producer};
    use vedette_contract::kafka_property::{ALIASES, refusal};

    /// Of an authority of no one, until 2126.
    const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBgDCCASegAwIBAgIUTqRHA4PiMLE8i70oObIW24mnaaAwCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCY2EwIBcNMjYxMTI5MDEyODI5WhgPMjEyNjExMDUwMTI4Mjla
MA0xCzAJBgNVBAMMAmNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMaMDexdB
Y5TvYaJG+kS49HYy8e4ikbPUXfxW6Hd4ohBdISuWOiC4zn9UCqzG/2u7iWvuO+SQ
sUE5ctNNqtL+hqNjMGEwHQYDVR0OBBYEFAby4xPYseG9fqwU9W6l0oWT+5VsMB8G
A1UdIwQYMBaAFAby4xPYseG9fqwU9W6l0oWT+5VsMA8GA1UdEwEB/wQFMAMBAf8w
DgYDVR0PAQH/BAQDAgIEMAoGCCqGSM49BAMCA0cAMEQCIGG7TWbLqHD+H96hixzt
zz4XvCyLIjZDAKA78Jmnm6z8AiACIc3S+FvHjbV4Y6H4GayDEC8k7+AqQAvysjct
1tZTLA==
-----END CERTIFICATE-----
";

    fn settings(properties: &[&str], username: Option<&str>) -> KafkaSettings {
        let arguments = KafkaArguments {
            bootstrap_servers: "127.0.0.1:1".to_owned(),
            kafka_properties: properties.iter().map(|text| text.parse().unwrap()).collect(),
            sasl_username: username.map(str::to_owned),
            sasl_password: username.map(|_| "secret".into()),
            oauth: None,
        };
        KafkaSettings::new(&arguments, "detector-0")
    }

    #[test]
    fn properties_that_somebody_gave_win() {
        let settings = settings(
            &["receive.message.max.bytes=2147483647", "session.timeout.ms=6000", "security.protocol=SASL_PLAINTEXT"],
            Some("detector"),
        );
        let consumer = settings.consumer("group", Isolation::ReadCommitted);
        assert_eq!(consumer.get("receive.message.max.bytes"), Some("2147483647"));
        assert_eq!(consumer.get("session.timeout.ms"), Some("6000"));
        assert_eq!(consumer.get("security.protocol"), Some("SASL_PLAINTEXT"));
        assert_eq!(consumer.get("sasl.mechanisms"), Some("SCRAM-SHA-512"));
    }

    #[test]
    fn what_somebody_gave_by_another_name_wins_too() {
        let settings = settings(&["sasl.mechanism=PLAIN", "queue.buffering.max.ms=50"], Some("detector"));
        let producer = settings.producer();
        assert_eq!((producer.get("sasl.mechanisms"), producer.get("sasl.mechanism")), (Some("PLAIN"), None));
        assert_eq!((producer.get("linger.ms"), producer.get("queue.buffering.max.ms")), (Some("50"), None));
    }

    /// Of two names of one property in a map, which is applied in any order, either would win.
    #[test]
    fn by_whatever_name_a_property_is_given_librdkafka_gets_it() {
        let values = [("compression.type", "zstd"), ("sasl.mechanisms", "PLAIN")];
        // Tokens are ours to get: this build has no other way.
        let here = |alias: &str| refusal(alias, "1").is_none() && !alias.starts_with("sasl.oauthbearer");
        for (alias, name) in ALIASES.into_iter().filter(|(alias, _)| here(alias)) {
            let value = values.iter().find(|(known, _)| *known == name).map_or("1234", |(_, value)| value);
            // librdkafka has bounds for it.
            let value = if name == "max.in.flight.requests.per.connection" { "3" } else { value };
            let config = settings(&[&format!("{alias}={value}")], Some("detector")).producer();
            assert_eq!(config.get(alias), None, "{alias}");
            let native = config.create_native_config().unwrap();
            assert_eq!(native.get(name).unwrap(), value, "{name}");
        }
    }

    #[test]
    fn brokers_that_a_client_has_forgotten_are_soon_asked_for_anew() {
        let settings = settings(&[], None);
        let trigger = |config: ClientConfig| config.get("metadata.recovery.rebootstrap.trigger.ms").map(str::to_owned);
        let all = [settings.base(), settings.producer(), settings.consumer("group", Isolation::ReadCommitted)];
        assert_eq!(all.map(trigger), [(); 3].map(|()| Some("5000".to_owned())));
    }

    #[test]
    fn all_authorities_of_a_directory_are_trusted_as_they_are_when_a_client_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let location = format!("ssl.ca.location={}", directory.path().join("*.crt").display());
        let settings = settings(&["security.protocol=SSL", &location], None);
        let trusted = || settings.base().get("ssl.ca.pem").map(|pem| pem.matches("BEGIN").count());
        assert_eq!(trusted(), None);
        let error = settings.base().create::<BaseProducer>().err().unwrap().to_string();
        assert!(error.contains("ssl.ca.location failed"), "{error}");
        for (count, name) in [(1, "ca.crt"), (2, "ca-2026-11-28.crt")] {
            std::fs::write(directory.path().join(name), CERTIFICATE.trim_end()).unwrap();
            assert_eq!((trusted(), settings.base().get("ssl.ca.location")), (Some(count), None));
            settings.base().create::<BaseProducer>().unwrap();
        }
        std::fs::write(directory.path().join("broken.crt"), "no certificate").unwrap();
        assert_eq!(trusted(), Some(2));
    }

    #[test]
    fn brokers_may_decide_who_reads_what() {
        for protocol in ["group.protocol=consumer", "group.protocol=Consumer"] {
            let settings = settings(&[protocol], None);
            let config = settings.consumer("group", Isolation::ReadCommitted);
            assert_eq!(DECIDED_BY_BROKERS.map(|key| config.get(key)), [None; 3]);
            let consumer: BaseConsumer = config.create().unwrap();
            assert!(consumer.client().fatal_error().is_none());
        }
    }

    #[test]
    fn a_consumer_leaves_committing_to_its_process() {
        let consumer = settings(&[], None).consumer("group", Isolation::ReadUncommitted);
        for (key, value) in [
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "earliest"),
            ("partition.assignment.strategy", "cooperative-sticky"),
            ("isolation.level", "read_uncommitted"),
            ("group.id", "group"),
        ] {
            assert_eq!(consumer.get(key), Some(value), "{key}");
        }
        assert_eq!(consumer.get("security.protocol"), None);
    }

    #[test]
    fn who_is_patient_waits_for_many_records_unless_somebody_says_how_long_or_how_many() {
        let least = |properties: &[&str]| {
            let config = settings(properties, None).patient_consumer("group", Isolation::ReadCommitted);
            config.get("fetch.min.bytes").map(str::to_owned)
        };
        assert_eq!(least(&[]).as_deref(), Some(WORTH_A_FETCH));
        assert_eq!(least(&["fetch.min.bytes=1"]).as_deref(), Some("1"));
        assert_eq!([least(&["max.partition.fetch.bytes=65536"]), least(&["fetch.wait.max.ms=5000"])], [None, None]);
    }

    #[test]
    fn librdkafka_accepts_every_property() {
        let settings = settings(&["receive.message.max.bytes=2147483647"], Some("detector"));
        settings.base().create::<BaseProducer>().unwrap();
        settings.producer().create::<BaseProducer>().unwrap();
        let transactional: BaseProducer = settings.transactional_producer("detector-0").create().unwrap();
        assert!(transactional.client().fatal_error().is_none());
        let consumer: BaseConsumer = settings.consumer("group", Isolation::ReadCommitted).create().unwrap();
        assert!(consumer.client().fatal_error().is_none());
    }

    /// Each client sets up OpenSSL's shared state in its own thread: without locks in OpenSSL this kills the process.
    #[test]
    fn clients_over_tls_start_in_threads_of_one_process() {
        let settings = &settings(&[], Some("detector"));
        let start = || {
            for _ in 0..20 {
                let client: BaseProducer = settings.producer().create().unwrap();
                assert!(client.client().fatal_error().is_none());
            }
        };
        std::thread::scope(|scope| (0..8).for_each(|_| drop(scope.spawn(start))));
    }

    #[test]
    fn no_batch_is_larger_than_its_topic_accepts() {
        for (given, limit, batch) in [("", 16_384, "16384"), ("", 9_000_000, "1000000"), ("500", 16_384, "500")] {
            let mut config = ClientConfig::new();
            if !given.is_empty() {
                config.set("batch.size", given);
            }
            fit_messages(&mut config, limit);
            assert_eq!(config.get("batch.size"), Some(batch), "{given:?} {limit}");
        }
    }

    #[test]
    fn debug_output_keeps_the_secrets() {
        let shown = format!("{:?}", settings(&["ssl.key.password=hidden"], Some("detector")));
        assert!(shown.contains("127.0.0.1:1") && !shown.contains("secret") && !shown.contains("hidden"), "{shown}");
    }
}
