//! Why the archiver ends, and why it does a step again.

use rdkafka::error::KafkaError as ClientError;
use thiserror::Error;
use vedette_registry::RegistryError;
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

/// Why a step has to be done again.
#[derive(Debug, Error)]
pub(crate) enum UploadError {
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("cannot commit offset {end} of {topic} partition {partition}")]
    Commit {
        topic: String,
        partition: i32,
        end: i64,
        #[source]
        source: ClientError,
    },
    #[error(
        "{key} in the bucket was not written by an archiver: its metadata {field:?} is missing or no number; move it away"
    )]
    Metadata { key: String, field: &'static str },
    #[error("{key} in the bucket was there and then was not; nothing but an archiver should touch the archive")]
    Vanished { key: String },
    #[error(transparent)]
    Progress(#[from] RegistryError),
    #[error("the step ended by itself")]
    Ended(#[from] tokio::task::JoinError),
}

impl UploadError {
    /// What goes wrong beside the bucket, of which there is a series from the start as well. Beyond these it is one odd object.
    pub(crate) const REASONS: [&str; 3] = ["CommitFailed", "SpoolFailed", "StepEnded"];

    /// A word for metrics and logs.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Bucket(error) => error.reason(),
            Self::Spool(error) => error.reason(),
            Self::Commit { .. } => "CommitFailed",
            Self::Metadata { .. } => "ForeignObject",
            Self::Vanished { .. } => "ObjectVanished",
            Self::Progress(error) => error.reason(),
            Self::Ended(_) => "StepEnded",
        }
    }
}
