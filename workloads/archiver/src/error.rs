//! Why the archiver ends.

use rdkafka::error::KafkaError as ClientError;
use thiserror::Error;
use vedette_service::{Reason, ServiceError};
use vedette_streams::bucket::BucketError;
use vedette_streams::kafka::KafkaError;

use crate::spool::SpoolError;

/// Why the archiver ends although nobody asked it to.
#[derive(Debug, Error)]
pub enum ArchiverError {
    /// The probes cannot be served.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Kafka at the start.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// Kafka while reading.
    #[error("cannot {attempt}")]
    Consumer {
        attempt: &'static str,
        #[source]
        source: ClientError,
    },
    /// A bucket that cannot be used as it is.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The compressor has no memory.
    #[error("cannot set up compression")]
    Compressor(#[source] std::io::Error),
    /// A part of the process ended by itself.
    #[error("a part of the archiver ended by itself")]
    Step(#[source] tokio::task::JoinError),
}

impl Reason for ArchiverError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Service(error) => error.reason(),
            Self::Kafka(error) => error.reason(),
            Self::Consumer { .. } => "KafkaFailed",
            Self::Bucket(error) => error.reason(),
            Self::Spool(error) => error.reason(),
            Self::Compressor(_) => "CompressorFailed",
            Self::Step(_) => "InternalError",
        }
    }
}

impl ArchiverError {
    pub(crate) fn kafka(attempt: &'static str, source: ClientError) -> Self {
        Self::Consumer { attempt, source }
    }
}
