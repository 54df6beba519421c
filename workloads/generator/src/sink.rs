//! The way into Kafka: an idempotent producer, whose answers a thread of its own counts. When its queue is full, sending waits;
//! so it does where Kafka refuses the records of this user, which are kept and sent again when they may be.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, PurgeConfig, ThreadedProducer};
use rdkafka::{ClientContext, Statistics};
use thiserror::Error;
use tracing::error;
use vedette_contract::TopicName;
use vedette_service::{Backoff, Readiness, Shutdown};
use vedette_streams::kafka::{KafkaContext, KafkaSettings, MissingAcl, fit_messages};

use crate::metrics::Metrics;
use crate::readiness::BROKER;
use crate::record::Record;

/// Pause between two looks at a queue that is full, or at what is in flight.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long what is in flight is waited for after shutdown.
const FLUSH_PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries of who may not write.
const TRIES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(15));
/// What makes each record exist once; nobody may give another value.
const ONCE: &[(&str, &str)] = &[
    // After this librdkafka gives a record up; 0 is never. A broker that is away holds the stream up and loses nothing.
    ("message.timeout.ms", "0"),
    // When the first of several requests fails, librdkafka gives the producer a new epoch because of those after it, and
    // what other partitions have taken and not yet acknowledged is written again (its issue 4953).
    ("max.in.flight.requests.per.connection", "1"),
];

/// Why nothing can be produced any more.
#[derive(Debug, Error)]
pub enum SinkError {
    /// A property is wrong.
    #[error("the Kafka producer refuses its settings; check the Kafka properties")]
    Settings(#[source] KafkaError),
    /// It may not write, and nobody granted it in time.
    #[error("Kafka refuses to take records of this user; grant the ACL: {0}; {WRITE_IDEMPOTENTLY}")]
    Refused(MissingAcl),
    /// The producer broke; a new process is needed.
    #[error("the Kafka producer failed for good ({code:?}): {reason}")]
    Fatal {
        /// Kafka's code.
        code: RDKafkaErrorCode,
        reason: String,
    },
}

/// What the same refusal may mean of an old broker.
const WRITE_IDEMPOTENTLY: &str = "brokers before Kafka 3.0 want IdempotentWrite on the cluster, too";

impl SinkError {
    /// A word for conditions, events and metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Settings(_) => "InvalidKafkaSettings",
            Self::Refused(_) => "AclMissing",
            Self::Fatal { .. } => "ProducerFailed",
        }
    }
}

/// What came of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is in the queue, or Kafka refused it and it is counted.
    Taken,
    /// Shutdown came while the queue was full.
    ShuttingDown,
}

/// Where records go.
pub(crate) struct SinkSettings {
    pub(crate) kafka: KafkaSettings,
    pub(crate) topic: TopicName,
    /// What a record of the topic may have in bytes.
    pub(crate) max_message_bytes: usize,
    /// How long who may not write waits; for ever where nothing is said.
    pub(crate) patience: Option<Duration>,
}

/// Produces records to one topic.
pub(crate) struct Sink {
    settings: SinkSettings,
    producer: ThreadedProducer<Deliveries>,
    refused: Refused,
    metrics: Metrics,
    readiness: Readiness,
    shutdown: Shutdown,
}

impl Sink {
    /// A sink that connects by itself.
    ///
    /// # Errors
    /// When the settings are wrong.
    pub(crate) fn new(
        settings: SinkSettings,
        metrics: Metrics,
        readiness: Readiness,
        shutdown: Shutdown,
    ) -> Result<Self, SinkError> {
        let refused = Refused::default();
        let producer = producer(&settings, &metrics, &refused)?;
        Ok(Self { settings, producer, refused, metrics, readiness, shutdown })
    }

    /// Puts a record into the queue; waits while it is full, or nobody may write.
    ///
    /// # Errors
    /// When the producer has failed for good.
    pub(crate) fn send(&mut self, record: &Record) -> Result<Sent, SinkError> {
        loop {
            if self.refused.count() > 0 {
                self.wait_for_grant()?;
                if self.shutdown.is_cancelled() {
                    return Ok(Sent::ShuttingDown);
                }
            }
            match self.producer.send(message(&self.settings.topic, record)) {
                Ok(()) => return Ok(Sent::Taken),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => self.pause(LOOK_AGAIN)?,
                Err((cause, _)) if is_refused(&cause) => {
                    // What was handed over before stands before it.
                    self.take_back();
                    self.refused.push(record.clone());
                    self.wait_for_grant()?;
                    return Ok(Sent::Taken);
                }
                Err((cause, _)) => {
                    self.producer.context().failed(&cause, self.settings.topic.as_str());
                    return Ok(Sent::Taken);
                }
            }
            if self.shutdown.is_cancelled() {
                return Ok(Sent::ShuttingDown);
            }
        }
    }

    /// Does nothing for this long, or until somebody may write. It sleeps and does not poll, as polling spins when less than a
    /// millisecond is left.
    ///
    /// # Errors
    /// When the producer has failed for good.
    pub(crate) fn pause(&mut self, duration: Duration) -> Result<(), SinkError> {
        std::thread::sleep(duration);
        self.wait_for_grant()
    }

    /// Waits until Kafka has answered for every record; after shutdown for 10 s at most. Returns how many are left.
    ///
    /// # Errors
    /// When the producer has failed for good.
    pub(crate) fn flush(&mut self) -> Result<u64, SinkError> {
        let mut shutdown_seen: Option<Instant> = None;
        loop {
            let (unanswered, refused) = (self.unanswered(), self.refused.count());
            let is_over = self.shutdown.is_cancelled()
                && (unanswered == 0 || shutdown_seen.get_or_insert_with(Instant::now).elapsed() > FLUSH_PATIENCE);
            if unanswered + refused == 0 || is_over {
                return Ok(unanswered + refused);
            }
            self.pause(LOOK_AGAIN)?;
        }
    }

    /// Records that Kafka has not answered for.
    fn unanswered(&self) -> u64 {
        u64::try_from(self.producer.in_flight_count()).unwrap_or(0)
    }

    /// While Kafka refuses to take records of this user, says so and tries again what it refused. Returns at shutdown, too.
    fn wait_for_grant(&mut self) -> Result<(), SinkError> {
        let (begun, mut tries) = (Instant::now(), TRIES);
        while self.is_refused()? {
            let missing = MissingAcl::WriteTopic(self.settings.topic.to_string());
            self.readiness.fail(BROKER, format!("{}; {WRITE_IDEMPOTENTLY}", missing.to_grant()));
            self.take_back();
            if self.settings.patience.is_some_and(|patience| begun.elapsed() >= patience) {
                return Err(SinkError::Refused(missing));
            }
            self.wait(tries.failed(), |_| false);
            if self.shutdown.is_cancelled() {
                return Ok(());
            }
            self.try_again()?;
        }
        if tries.failures() > 0 {
            self.readiness.hold(BROKER);
        }
        Ok(())
    }

    /// Takes back what is not on its way, and waits for the answer to what is. Only a connection that breaks meanwhile leaves open
    /// what Kafka has; such a record is rather there twice than lost.
    fn take_back(&self) {
        self.wait(Duration::MAX, |sink| {
            // Again and again, as what was on its way may come back into the queue.
            sink.producer.purge(PurgeConfig::default().queue());
            sink.unanswered() == 0
        });
    }

    /// Sends what was refused by another producer, and returns when Kafka has answered for it or refuses again.
    ///
    /// No producer goes on after a refusal: librdkafka takes the topic's partitions away, may send one more batch of theirs in its new
    /// epoch, and numbers what comes when they are there again from the start of that epoch. Kafka takes these records for
    /// ones that it has, acknowledges and drops them, or answers `OutOfOrderSequenceNumber`, which ends the producer.
    fn try_again(&mut self) -> Result<(), SinkError> {
        self.producer = producer(&self.settings, &self.metrics, &self.refused)?;
        for record in self.refused.take() {
            if let Err((cause, _)) = self.producer.send(message(&self.settings.topic, &record)) {
                // Its queue is that of what refused them, so that it has place for all.
                self.producer.context().failed_or_refused(&cause, Some(record), self.settings.topic.as_str());
            }
        }
        self.wait(Duration::MAX, |sink| sink.unanswered() == 0 || !matches!(sink.is_refused(), Ok(false)));
        Ok(())
    }

    /// Waits for so long, until something holds, or until shutdown.
    fn wait(&self, duration: Duration, until: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !until(self) && !self.shutdown.is_cancelled() && begun.elapsed() < duration {
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Whether Kafka refuses to take records of this user: the records, or to be a producer at all.
    fn is_refused(&self) -> Result<bool, SinkError> {
        match self.producer.client().fatal_error() {
            None => Ok(self.refused.count() > 0),
            Some((RDKafkaErrorCode::ClusterAuthorizationFailed, _)) => Ok(true),
            Some((code, reason)) => Err(SinkError::Fatal { code, reason }),
        }
    }
}

fn producer(
    settings: &SinkSettings,
    metrics: &Metrics,
    refused: &Refused,
) -> Result<ThreadedProducer<Deliveries>, SinkError> {
    let SinkSettings { kafka, topic: _, max_message_bytes, patience: _ } = settings;
    let mut config = kafka.producer_with(ONCE);
    fit_messages(&mut config, *max_message_bytes);
    let deliveries = Deliveries { context: kafka.context(), metrics: metrics.clone(), refused: refused.clone() };
    config.create_with_context(deliveries).map_err(SinkError::Settings)
}

/// Beside it goes its time, which librdkafka does not tell of a record that was not taken.
fn message<'a>(topic: &'a TopicName, record: &'a Record) -> BaseRecord<'a, [u8], [u8], usize> {
    let Record { object, key, timestamp_milliseconds } = record;
    BaseRecord::with_opaque_to(topic.as_str(), usize::try_from(*timestamp_milliseconds).unwrap_or_default())
        .key(key.as_slice())
        .payload(object.as_slice())
        .timestamp(*timestamp_milliseconds)
}

/// Records that Kafka refused to take of this user, in their order; clones share them. There are never more than were in a queue.
#[derive(Clone, Default)]
struct Refused(Arc<Mutex<Vec<Record>>>);

impl Refused {
    fn count(&self) -> u64 {
        self.lock().len() as u64
    }

    fn push(&self, record: Record) {
        self.lock().push(record);
    }

    fn take(&self) -> Vec<Record> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        // A push is whole or did not happen.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts what Kafka answers.
struct Deliveries {
    context: KafkaContext,
    metrics: Metrics,
    refused: Refused,
}

impl Deliveries {
    /// Keeps what is to be sent again, and counts all else. After a refusal that is whatever comes back, as librdkafka calls it by
    /// several names.
    fn failed_or_refused(&self, cause: &KafkaError, record: Option<Record>, topic: &str) {
        match record.filter(|_| is_refused(cause) || self.refused.count() > 0) {
            Some(record) => self.refused.push(record),
            None => self.failed(cause, topic),
        }
    }

    /// Logs the first error, the second, the fourth and so on: every record may fail alike.
    fn failed(&self, cause: &KafkaError, topic: &str) {
        let errors = self.metrics.delivery_errors.inc() + 1;
        if errors.is_power_of_two() {
            error!(errors, error = %cause, topic, "Kafka did not take a record");
        }
    }
}

impl ClientContext for Deliveries {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, configuration: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.context.generate_oauth_token(configuration)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.context.log(level, facility, text);
    }

    fn error(&self, cause: KafkaError, text: &str) {
        self.context.error(cause, text);
    }

    fn stats(&self, statistics: Statistics) {
        self.context.stats(statistics);
    }
}

impl ProducerContext for Deliveries {
    /// The record's time, milliseconds.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, time: usize) {
        match result {
            Ok(message) => {
                self.metrics.records.inc();
                self.metrics.bytes.inc_by(message.payload_len() as u64);
            }
            Err((cause, message)) => self.failed_or_refused(cause, copy(message, time), message.topic()),
        }
    }
}

/// Whether it may be taken yet: it was refused to this user, or its producer ended before it was sent.
fn is_refused(cause: &KafkaError) -> bool {
    use RDKafkaErrorCode::{ClusterAuthorizationFailed, Fatal, PurgeQueue, TopicAuthorizationFailed};
    matches!(
        cause.rdkafka_error_code(),
        Some(ClusterAuthorizationFailed | Fatal | PurgeQueue | TopicAuthorizationFailed)
    )
}

/// Of a message that we sent.
fn copy(message: &BorrowedMessage<'_>, time: usize) -> Option<Record> {
    Some(Record {
        object: message.payload()?.to_vec(),
        key: message.key()?.try_into().ok()?,
        timestamp_milliseconds: i64::try_from(time).ok()?,
    })
}

#[cfg(test)]
mod tests;
