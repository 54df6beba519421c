//! Whether a transactional producer may write its topics, found out before there is anything to write: a record of each in a
//! transaction that is aborted. Who reads committed records sees none of them.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError as ClientError, KafkaResult};
use rdkafka::message::DeliveryResult;
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use tracing::{debug, warn};
use vedette_contract::TopicName;

use crate::kafka::{KafkaContext, KafkaError, KafkaSettings, MissingAcl};

/// For each call, and for each record: a partition without a leader takes none, which is no refusal.
const PATIENCE: Duration = Duration::from_secs(5);
/// A compacted topic takes no record without a key.
const KEY: &str = "vedette-probe";
const VALUE: &str = "{}";

/// Whether these topics may be written under this transactional ID, which fences its producers. Blocks for some seconds at most.
///
/// # Errors
/// When an ACL is missing, or no transaction can be made. What else would keep a record from its topic is no matter here.
pub fn check_writable(
    settings: &KafkaSettings,
    transactional_id: &str,
    topics: &[&TopicName],
) -> Result<(), KafkaError> {
    let probe = Probe { settings, transactional_id };
    let missing = probe.missing_acls(topics)?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(KafkaError::missing(settings.bootstrap_servers(), &missing))
}

struct Probe<'a> {
    settings: &'a KafkaSettings,
    transactional_id: &'a str,
}

impl Probe<'_> {
    fn missing_acls(&self, topics: &[&TopicName]) -> Result<Vec<MissingAcl>, KafkaError> {
        let mut found = Vec::new();
        let mut producer = self.producer()?;
        for topic in topics {
            if let Err(cause) = producer.init_transactions_once() {
                found.push(self.missing(&cause, "").ok_or_else(|| self.failed(cause))?);
                break;
            }
            let Some(cause) = producer.refusal(topic.as_str()).map_err(|cause| self.failed(cause))? else { continue };
            match self.missing(&cause, topic.as_str()) {
                Some(missing) => found.push(missing),
                None => warn!(%topic, error = %cause, "a topic takes no record, though no ACL is missing"),
            }
            // Kafka knows of no transaction whose only topic it refused, so it cannot be aborted, and the producer is void.
            producer = self.producer()?;
        }
        found.dedup();
        Ok(found)
    }

    fn producer(&self) -> Result<Prober, KafkaError> {
        let config = self.settings.transactional_producer(self.transactional_id);
        let producer = config
            .create_with_context(Probing { context: self.settings.context(), outcome: Mutex::default() })
            .map_err(KafkaError::Settings)?;
        Ok(Prober { producer, known: false })
    }

    fn missing(&self, cause: &ClientError, topic: &str) -> Option<MissingAcl> {
        MissingAcl::of_transaction(cause, self.transactional_id, topic)
    }

    fn failed(&self, source: ClientError) -> KafkaError {
        let servers = self.settings.bootstrap_servers().to_owned();
        KafkaError::Request { attempt: "write in a transaction", servers, source }
    }
}

/// A producer until it is refused something.
struct Prober {
    producer: ThreadedProducer<Probing>,
    known: bool,
}

impl Prober {
    fn init_transactions_once(&mut self) -> KafkaResult<()> {
        if !self.known {
            self.producer.init_transactions(PATIENCE)?;
            self.known = true;
        }
        Ok(())
    }

    /// A partition that has a leader, as Kafka does not end a transaction while one of its partitions has none; wherever the key says
    /// where that is not known.
    fn led_partition(&self, topic: &str) -> Option<i32> {
        let metadata = self.producer.client().fetch_metadata(Some(topic), PATIENCE).ok()?;
        let mut all = metadata.topics().iter().flat_map(MetadataTopic::partitions);
        all.find(|partition| partition.leader() >= 0).map(MetadataPartition::id)
    }

    /// Why the record is not taken. `None` also where that is not known in time.
    fn refusal(&self, topic: &str) -> KafkaResult<Option<ClientError>> {
        self.producer.begin_transaction()?;
        let mut record = BaseRecord::to(topic).key(KEY).payload(VALUE);
        record.partition = self.led_partition(topic);
        if let Err((cause, _)) = self.producer.send(record) {
            return Ok(Some(cause));
        }
        // What it returns is told of the record itself too.
        let _ = self.producer.flush(PATIENCE);
        match self.producer.context().take() {
            // A transaction that lost a record cannot be committed any more; the attempt says why it lost it.
            Outcome::Undelivered => Ok(self.producer.commit_transaction(PATIENCE).err()),
            Outcome::Delivered | Outcome::Unknown => self.producer.abort_transaction(PATIENCE).map(|()| None),
        }
    }
}

/// What became of the record.
#[derive(Debug, Default)]
enum Outcome {
    #[default]
    Unknown,
    Delivered,
    Undelivered,
}

struct Probing {
    context: KafkaContext,
    outcome: Mutex<Outcome>,
}

impl Probing {
    fn take(&self) -> Outcome {
        std::mem::take(&mut self.outcome.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Probing {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, configuration: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.context.generate_oauth_token(configuration)
    }

    // What it finds is returned, and what is fatal to this producer is not to its successor.
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, text: &str) {
        debug!(target: "librdkafka", facility, text, "librdkafka reports");
    }

    fn error(&self, cause: ClientError, text: &str) {
        debug!(target: "librdkafka", error = %cause, text, "Kafka client has trouble");
    }
}

impl ProducerContext for Probing {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let outcome = if result.is_ok() { Outcome::Delivered } else { Outcome::Undelivered };
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = outcome;
    }
}
