//! Why the topic Job fails.

use thiserror::Error;
use vedette_service::Reason;
use vedette_streams::kafka::KafkaError;

/// Why the topics are not there.
#[derive(Debug, Error)]
pub enum TopicsError {
    /// Kafka is not there, or refuses.
    #[error("the topics are not there")]
    Kafka(#[source] KafkaError),
    /// The process was told to end first.
    #[error("stopped before the topics were there")]
    Stopped,
}

impl Reason for TopicsError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Kafka(cause) => cause.reason(),
            Self::Stopped => "Stopped",
        }
    }
}
