//! Writes incidents together with the positions of the alerts that they are made of: all of it or nothing. The transactional
//! id is the pipeline's, so of several notifiers Kafka listens to the last one that began.

use std::error::Error;
use std::time::{Duration, Instant};

use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::{ClientContext, Statistics};
use thiserror::Error;
use tracing::debug;
use vedette_contract::TopicName;
use vedette_contract::incident::Incident;
use vedette_streams::kafka::group::GroupConsumer;
use vedette_streams::kafka::{ErrorClass, KafkaContext, KafkaSettings, Watch, classify, fit_messages};

/// One call to the broker; what takes longer is called again.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// A write that takes longer is given up and begun anew, a little before Kafka gives the transaction up after 10 s and listens to
/// its producer no more, as if another notifier had begun.
const PATIENCE: Duration = Duration::from_secs(9);
const SHORTEST_CALL: Duration = Duration::from_millis(100);
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
    /// Of its calls, one of which may forget its time-out.
    watch: Watch,
}

impl Writer {
    /// A producer that Kafka does not know yet, whose batches have no more than so many bytes.
    pub(crate) fn create(
        settings: &KafkaSettings,
        transactional_id: &str,
        topic: TopicName,
        max_message_bytes: usize,
        watch: Watch,
    ) -> KafkaResult<Self> {
        let mut config = settings.transactional_producer(transactional_id);
        fit_messages(&mut config, max_message_bytes);
        let producer = config.create_with_context(WriterContext(settings.context()))?;
        Ok(Self { producer, topic, watch })
    }

    /// Makes it known: from now on Kafka listens to no earlier one.
    pub(crate) fn initialize(&self) -> KafkaResult<()> {
        self.watch.step(|| self.producer.init_transactions(CALL_TIMEOUT))
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
        let started = Instant::now();
        self.insist(started, "begin a transaction", |_| self.producer.begin_transaction())?;
        incidents.iter().try_for_each(|incident| self.send(started, incident))?;
        self.insist(started, "hand over the positions of the alerts", |wait| {
            let group = consumer.group_metadata().ok_or(KafkaError::ConsumerCommit(Code::UnknownGroup))?;
            self.producer.send_offsets_to_transaction(positions, &group, wait)
        })?;
        self.insist(started, "commit incidents", |wait| self.producer.commit_transaction(wait))
    }

    fn send(&self, started: Instant, incident: &Incident) -> Result<(), WriteError> {
        let key = incident.id.to_string();
        let value = serde_json::to_string(incident).map_err(WriteError::Json)?;
        // A full queue is waited for: that is how a slow broker slows the flow.
        self.insist(started, "send an incident", |_| {
            let record = BaseRecord::to(self.topic.as_str()).key(&key).payload(&value);
            self.producer.send(record).map_err(|(cause, _)| cause)
        })
    }

    /// Calls until it succeeds or that is out of sight.
    fn insist(
        &self,
        started: Instant,
        attempt: &'static str,
        mut call: impl FnMut(Duration) -> KafkaResult<()>,
    ) -> Result<(), WriteError> {
        loop {
            let Err(cause) = self.watch.step(|| call(wait(started.elapsed()))) else { return Ok(()) };
            if self.is_fenced(&cause) && is_by_another(started.elapsed()) {
                return Err(WriteError::Fenced);
            }
            if classify(&cause) != ErrorClass::Retriable || started.elapsed() >= PATIENCE {
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

/// How long the next call may take, so long after the beginning of a transaction.
fn wait(elapsed: Duration) -> Duration {
    PATIENCE.saturating_sub(elapsed).clamp(SHORTEST_CALL, CALL_TIMEOUT)
}

/// Whether it is another notifier because of which Kafka listens no more so long after the beginning: later it may have given the
/// transaction up by itself, and whoever begins anew finds out.
fn is_by_another(elapsed: Duration) -> bool {
    elapsed < PATIENCE
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

    fn stats(&self, statistics: Statistics) {
        self.0.stats(statistics);
    }
}

impl ProducerContext for WriterContext {
    type DeliveryOpaque = ();

    fn delivery(&self, _result: &DeliveryResult<'_>, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_broker_is_no_second_notifier() {
        let transaction = Duration::from_secs(10);
        assert!(is_by_another(Duration::from_secs(5)) && !is_by_another(transaction));
        // Whenever a call begins, it ends before Kafka gives the transaction up.
        for elapsed in (0..180).map(|step| step * Duration::from_millis(50)) {
            assert!(elapsed + wait(elapsed) < transaction, "{elapsed:?}");
        }
    }
}
