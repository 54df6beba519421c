//! Writes incidents together with the positions of the alerts that they are made of: all of it or nothing. The transactional
//! id is the pipeline's, so of several notifiers Kafka listens to the last one that began.

use std::error::Error;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;
use thiserror::Error;
use tracing::debug;
use vedette_contract::TopicName;
use vedette_contract::incident::Incident;
use vedette_streams::kafka::group::GroupConsumer;
use vedette_streams::kafka::{ErrorClass, KafkaContext, KafkaSettings, classify};

/// One call to the broker; what takes longer is called again.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// So long Kafka is waited for, which has given up the transaction by then.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// Why nothing was written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// Kafka listens to another one.
    #[error("another notifier of this pipeline has begun")]
    Fenced,
    /// Another producer has to try it again.
    #[error("cannot {attempt}")]
    Failed {
        /// What was attempted.
        attempt: &'static str,
        #[source]
        source: KafkaError,
    },
    /// An incident is no JSON, which cannot be.
    #[error("cannot write an incident as JSON")]
    Json(#[source] serde_json::Error),
}

/// The transactional producer.
pub(crate) struct Writer {
    producer: ThreadedProducer<WriterContext>,
    topic: TopicName,
}

impl Writer {
    /// A producer that Kafka does not know yet.
    pub(crate) fn create(settings: &KafkaSettings, transactional_id: &str, topic: TopicName) -> KafkaResult<Self> {
        let config = settings.transactional_producer(transactional_id);
        let producer = config.create_with_context(WriterContext(settings.context()))?;
        Ok(Self { producer, topic })
    }

    /// Makes it known: from now on Kafka listens to no earlier one.
    pub(crate) fn initialize(&self) -> KafkaResult<()> {
        self.producer.init_transactions(CALL_TIMEOUT)
    }

    /// Writes these incidents and that alerts were read up to these positions.
    ///
    /// # Errors
    /// When nothing was written, or that is not known. This writer is of no use any more then.
    pub(crate) fn write(
        &self,
        incidents: &[Incident],
        positions: &TopicPartitionList,
        consumer: &GroupConsumer,
    ) -> Result<(), WriteError> {
        self.insist("begin a transaction", || self.producer.begin_transaction())?;
        incidents.iter().try_for_each(|incident| self.send(incident))?;
        self.insist("hand over the positions of the alerts", || {
            let group = consumer.group_metadata().ok_or(KafkaError::ConsumerCommit(Code::UnknownGroup))?;
            self.producer.send_offsets_to_transaction(positions, &group, CALL_TIMEOUT)
        })?;
        self.insist("commit incidents", || self.producer.commit_transaction(CALL_TIMEOUT))
    }

    fn send(&self, incident: &Incident) -> Result<(), WriteError> {
        let key = incident.id.to_string();
        let value = serde_json::to_string(incident).map_err(WriteError::Json)?;
        // A full queue is waited for: that is how a slow broker slows the flow.
        self.insist("send an incident", || {
            let record = BaseRecord::to(self.topic.as_str()).key(&key).payload(&value);
            self.producer.send(record).map_err(|(cause, _)| cause)
        })
    }

    /// Calls until it succeeds or that is out of sight.
    fn insist(&self, attempt: &'static str, mut call: impl FnMut() -> KafkaResult<()>) -> Result<(), WriteError> {
        let started = Instant::now();
        loop {
            let Err(cause) = call() else { return Ok(()) };
            if self.is_fenced(&cause) {
                return Err(WriteError::Fenced);
            }
            if classify(&cause) != ErrorClass::Retriable || started.elapsed() > PATIENCE {
                return Err(WriteError::Failed { attempt, source: cause });
            }
            debug!(error = %cause, attempt, "writing goes on");
            std::thread::sleep(PAUSE);
        }
    }

    fn is_fenced(&self, cause: &KafkaError) -> bool {
        let fatal = self.producer.client().fatal_error().map(|(code, _)| code);
        cause.rdkafka_error_code().into_iter().chain(fatal).any(is_fence)
    }
}

fn is_fence(code: Code) -> bool {
    matches!(
        code,
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::TransactionCoordinatorFenced
    )
}

/// Nothing is remembered of a record: a transaction that lost one cannot be committed.
struct WriterContext(KafkaContext);

impl ClientContext for WriterContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, configuration: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.0.generate_oauth_token(configuration)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.0.log(level, facility, text);
    }

    // What is fatal to one notifier is what its successor wants.
    fn error(&self, cause: KafkaError, text: &str) {
        debug!(target: "librdkafka", error = %cause, text, "Kafka client has trouble");
    }
}

impl ProducerContext for WriterContext {
    type DeliveryOpaque = ();

    fn delivery(&self, _result: &DeliveryResult<'_>, (): ()) {}
}
