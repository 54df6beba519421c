//! How a stream's start is tried until a broker and its ACLs let it.

use std::time::Duration;

use rdkafka::error::KafkaError as ClientError;
use thiserror::Error;
use tokio::runtime::Handle;
use vedette_service::{Backoff, Shutdown};

use crate::kafka::{ErrorClass, KafkaError, classify};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));

/// Why a stream does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The client's settings, or what the broker says of them.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A client cannot be made of the settings.
    #[error("the Kafka client refuses its settings; check the Kafka properties")]
    Settings(#[source] ClientError),
    /// The broker does not let it.
    #[error("cannot {attempt}")]
    Refused {
        attempt: &'static str,
        #[source]
        source: ClientError,
    },
}

impl StartError {
    /// Stable name of the cause.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Kafka(error) => error.reason(),
            Self::Settings(_) => "InvalidKafkaSettings",
            Self::Refused { .. } => "KafkaRefused",
        }
    }

    fn is_retriable(&self) -> bool {
        match self {
            Self::Kafka(error) => error.is_retriable(),
            Self::Refused { source, .. } => classify(source) == ErrorClass::Retriable,
            Self::Settings(_) => false,
        }
    }
}

/// What an attempt brings, once the broker and its ACLs let it; `None` when shutdown came first. What may pass is told and tried
/// again. Blocks; call it where that is allowed, inside a runtime.
///
/// # Errors
/// When waiting cannot help.
pub fn insist_on<T>(
    mut attempt: impl FnMut() -> Result<T, StartError>,
    told: impl Fn(&StartError),
    shutdown: &Shutdown,
) -> Result<Option<T>, StartError> {
    let mut backoff = BACKOFF;
    loop {
        match attempt() {
            Ok(brought) => return Ok(Some(brought)),
            Err(cause) if cause.is_retriable() => told(&cause),
            Err(cause) => return Err(cause),
        }
        let _ = Handle::current().block_on(tokio::time::timeout(backoff.failed(), shutdown.cancelled()));
        if shutdown.is_cancelled() {
            return Ok(None);
        }
    }
}
