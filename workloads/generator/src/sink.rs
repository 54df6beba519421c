//! The way into Kafka: an idempotent producer, whose answers a thread of its own counts. When its queue is full, sending waits.

use std::error::Error;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use thiserror::Error;
use tracing::error;
use vedette_contract::TopicName;
use vedette_service::Shutdown;
use vedette_streams::kafka::{KafkaContext, KafkaSettings};

use crate::metrics::Metrics;
use crate::record::Record;

/// Pause between two looks at a queue that is full, or at what is in flight.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// How long what is in flight is waited for after shutdown.
const FLUSH_AFTER_SHUTDOWN: Duration = Duration::from_secs(10);
/// What makes each record exist once, unless the properties say otherwise.
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
    /// The producer broke; a new process is needed.
    #[error("the Kafka producer failed for good ({code:?}): {reason}")]
    Fatal {
        /// Kafka's code.
        code: RDKafkaErrorCode,
        reason: String,
    },
}

impl SinkError {
    /// A word for conditions, events and metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Settings(_) => "InvalidKafkaSettings",
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

/// Produces records to one topic.
pub(crate) struct Sink {
    producer: ThreadedProducer<Deliveries>,
    topic: TopicName,
    shutdown: Shutdown,
}

impl Sink {
    /// A sink that connects by itself.
    ///
    /// # Errors
    /// When the settings are wrong.
    pub(crate) fn new(
        settings: &KafkaSettings,
        topic: TopicName,
        metrics: Metrics,
        shutdown: Shutdown,
    ) -> Result<Self, SinkError> {
        let producer = settings
            .producer_with(ONCE)
            .create_with_context(Deliveries { context: settings.context(), metrics })
            .map_err(SinkError::Settings)?;
        Ok(Self { producer, topic, shutdown })
    }

    /// Puts a record into the queue; waits while it is full.
    ///
    /// # Errors
    /// When the producer has failed for good.
    pub(crate) fn send(&self, record: &Record) -> Result<Sent, SinkError> {
        let Record { object, key, timestamp_milliseconds } = record;
        let mut message = BaseRecord::to(self.topic.as_str())
            .key(key.as_slice())
            .payload(object.as_slice())
            .timestamp(*timestamp_milliseconds);
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(Sent::Taken),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    message = refused;
                    self.pause(LOOK_AGAIN)?;
                    if self.shutdown.is_cancelled() {
                        return Ok(Sent::ShuttingDown);
                    }
                }
                Err((cause, _)) => {
                    self.failed_for_good()?;
                    self.producer.context().failed(&cause);
                    return Ok(Sent::Taken);
                }
            }
        }
    }

    /// Does nothing for this long. It sleeps and does not poll, as polling spins when less than a millisecond is left.
    ///
    /// # Errors
    /// When the producer has failed for good.
    pub(crate) fn pause(&self, duration: Duration) -> Result<(), SinkError> {
        std::thread::sleep(duration);
        self.failed_for_good()
    }

    /// Waits until Kafka has answered for every record; after shutdown for 10 s at most. Returns how many are left.
    ///
    /// # Errors
    /// When the producer has failed for good.
    pub(crate) fn flush(&self) -> Result<u64, SinkError> {
        let mut shutdown_seen: Option<Instant> = None;
        loop {
            let left = u64::try_from(self.producer.in_flight_count()).unwrap_or(0);
            if left == 0 {
                return Ok(0);
            }
            if self.shutdown.is_cancelled()
                && shutdown_seen.get_or_insert_with(Instant::now).elapsed() > FLUSH_AFTER_SHUTDOWN
            {
                return Ok(left);
            }
            self.pause(LOOK_AGAIN)?;
        }
    }

    fn failed_for_good(&self) -> Result<(), SinkError> {
        match self.producer.client().fatal_error() {
            None => Ok(()),
            Some((code, reason)) => Err(SinkError::Fatal { code, reason }),
        }
    }
}

/// Counts what Kafka answers.
struct Deliveries {
    context: KafkaContext,
    metrics: Metrics,
}

impl Deliveries {
    /// Logs the first error, the second, the fourth and so on: every record may fail alike.
    fn failed(&self, cause: &KafkaError) {
        let errors = self.metrics.delivery_errors.inc() + 1;
        if errors.is_power_of_two() {
            error!(errors, error = %cause, "Kafka did not take a record");
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
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) => {
                self.metrics.records.inc();
                self.metrics.bytes.inc_by(message.payload_len() as u64);
            }
            Err((cause, _)) => self.failed(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;
    use vedette_contract::arguments::KafkaArguments;

    use super::*;

    fn configured(properties: &[&str]) -> ClientConfig {
        let kafka_properties = properties.iter().map(|property| property.parse().unwrap()).collect();
        let arguments = KafkaArguments { kafka_properties, ..KafkaArguments::default() };
        KafkaSettings::new(&arguments, "generator").producer_with(ONCE)
    }

    #[test]
    fn one_request_is_in_flight_and_no_record_is_given_up() {
        let config = configured(&[]);
        assert_eq!(config.get("max.in.flight.requests.per.connection"), Some("1"));
        assert_eq!((config.get("message.timeout.ms"), config.get("enable.idempotence")), (Some("0"), Some("true")));
    }

    #[test]
    fn a_property_that_is_given_wins() {
        assert_eq!(configured(&["message.timeout.ms=60000"]).get("message.timeout.ms"), Some("60000"));
        let one_key = configured(&["max.in.flight=5"]);
        assert_eq!(one_key.get("max.in.flight.requests.per.connection"), Some("5"));
        assert_eq!(one_key.get("max.in.flight"), None);
    }
}
