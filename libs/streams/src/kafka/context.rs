//! What librdkafka says by itself, as log events with a constant message.

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use tracing::{debug, error, info, warn};

use crate::kafka::{ErrorClass, classify};

/// The context of a client that needs nothing but logs. A context of your own calls its `log` and `error`.
///
/// librdkafka recovers by itself from what it calls an error, so that is a warning here.
#[derive(Debug, Clone, Copy, Default)]
pub struct KafkaContext;

impl ClientContext for KafkaContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(target: "librdkafka", facility, text, "librdkafka reports");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                warn!(target: "librdkafka", facility, text, "librdkafka reports");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                info!(target: "librdkafka", facility, text, "librdkafka reports");
            }
            RDKafkaLogLevel::Debug => debug!(target: "librdkafka", facility, text, "librdkafka reports"),
        }
    }

    fn error(&self, cause: KafkaError, text: &str) {
        if classify(&cause) == ErrorClass::Fatal {
            error!(target: "librdkafka", error = %cause, text, "Kafka client is of no use any more");
        } else {
            // The same comes as a log line, with its repetitions left out.
            debug!(target: "librdkafka", error = %cause, text, "Kafka client has trouble");
        }
    }
}

impl ConsumerContext for KafkaContext {}
