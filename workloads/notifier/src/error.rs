//! Why the notifier ends.

use rdkafka::error::KafkaError;
use thiserror::Error;
use tokio::task::JoinError;
use vedette_service::{Reason, ServiceError};
use vedette_streams::kafka::StartError;

use crate::delivery::ReceiversError;
use crate::writer::WriteError;

/// Why the notifier ended before it was asked to.
#[derive(Debug, Error)]
pub enum NotifierError {
    /// Probes and metrics.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// A receiver.
    #[error(transparent)]
    Receivers(#[from] ReceiversError),
    /// It did not start.
    #[error("the notifier cannot start")]
    Start(#[from] StartError),
    /// Kafka, in the midst of it.
    #[error(transparent)]
    Kafka(vedette_streams::kafka::KafkaError),
    /// Reading.
    #[error("the consumer is of no use any more")]
    Consumer(#[source] KafkaError),
    /// A call of the producer does not end.
    #[error("Kafka did not take incidents, and its client does not come back from asking; beginning anew")]
    Stalled,
    /// The same work was given up again and again.
    #[error("incidents could not be written again and again")]
    NoProgress(#[source] WriteError),
    /// The runtime ended before the work in a thread of its own began.
    #[error("a thread was not started")]
    Thread(#[source] JoinError),
}

/// What a thread came to. A panic there is one of the process, which is told of by its own words.
pub(crate) fn joined<T>(outcome: Result<T, JoinError>) -> Result<T, NotifierError> {
    outcome.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(cancelled) => NotifierError::Thread(cancelled),
    })
}

impl Reason for NotifierError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Service(error) => error.reason(),
            Self::Receivers(_) => "InvalidReceiver",
            Self::Start(error) => error.reason(),
            Self::Kafka(error) => error.reason(),
            Self::Consumer(_) | Self::Stalled => "KafkaFailed",
            Self::NoProgress(_) => "NoProgress",
            Self::Thread(_) => "ThreadFailed",
        }
    }
}
