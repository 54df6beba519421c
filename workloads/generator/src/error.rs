//! Why the generator ends.

use thiserror::Error;
use tokio::task::JoinError;
use vedette_service::{Reason, ServiceError};
use vedette_streams::bucket::BucketError;
use vedette_streams::kafka::KafkaError;

use crate::plan::PlanError;
use crate::sink::SinkError;
use crate::source::FractionError;
use vedette_datasets::DatasetError;

/// Why a generator ended.
#[derive(Debug, Error)]
pub enum GeneratorError {
    /// The arguments do not go together.
    #[error("cannot generate with these arguments")]
    Plan(#[from] PlanError),
    /// Probes and metrics.
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("cannot read the data set")]
    Bucket(#[from] BucketError),
    /// There is no such object.
    #[error("there is no data set {key} in the bucket: upload it, or mend the key")]
    DatasetMissing {
        /// Its full key.
        key: String,
    },
    /// The object is no data set.
    #[error("cannot use data set {key}")]
    Dataset {
        /// Its full key.
        key: String,
        #[source]
        source: DatasetError,
    },
    /// The data set does not give the anomalies that were asked for.
    #[error("cannot draw from the data set")]
    Fraction(#[from] FractionError),
    /// The broker.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The producer.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A data set that was to be generated once is not in Kafka as a whole.
    #[error("{missing} of {rows} rows did not reach Kafka: a new run starts at row 0, with the same uuids")]
    Incomplete {
        /// Rows of the data set.
        rows: u64,
        /// Rows that were not sent, not taken or not acknowledged.
        missing: u64,
    },
    /// SIGTERM or SIGINT came before the first row of a data set that was to be generated once.
    #[error("interrupted before the first row of the data set")]
    Interrupted,
    /// A thread of ours panicked.
    #[error("a task of the generator broke")]
    Task(#[from] JoinError),
}

impl Reason for GeneratorError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Plan(_) => "InvalidArguments",
            Self::Service(source) => source.reason(),
            Self::Bucket(source) => source.reason(),
            Self::DatasetMissing { .. } => "DatasetMissing",
            Self::Dataset { source, .. } => source.reason(),
            Self::Fraction(_) => "AnomalyFractionImpossible",
            Self::Kafka(source) => source.reason(),
            Self::Sink(source) => source.reason(),
            Self::Incomplete { .. } => "Incomplete",
            Self::Interrupted => "Interrupted",
            Self::Task(_) => "TaskBroke",
        }
    }
}
