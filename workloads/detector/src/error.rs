//! Why the detector ends.

use thiserror::Error;
use tokio::task::JoinError;
use vedette_registry::load::LoadError;
use vedette_service::{Reason, ServiceError};
use vedette_streams::kafka::{KafkaError, StartError};

use crate::added::AddedFieldError;
use crate::pump::PumpError;
use crate::threshold::ThresholdError;

/// Why the detector ended before it was asked to.
#[derive(Debug, Error)]
pub enum DetectorError {
    /// The alert budget or threshold.
    #[error("the alerting arguments cannot be used")]
    Threshold(#[from] ThresholdError),
    /// A field that is looked up or calculated.
    #[error(transparent)]
    AddedField(#[from] AddedFieldError),
    /// Probes and metrics.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The model that was given.
    #[error(transparent)]
    Model(#[from] LoadError),
    /// The model does not come back.
    #[error("the model did not end a step of loading or scoring within a minute; train again or pin another version")]
    ModelStuck,
    /// A model version was given without the training that it belongs to.
    #[error("a model version was given without its training")]
    NoTraining,
    /// The stream did not start.
    #[error("the stream cannot start")]
    Start(#[from] StartError),
    /// Kafka, in the midst of it.
    #[error(transparent)]
    Kafka(KafkaError),
    /// The stream ended.
    #[error("the stream broke off")]
    Stream(#[from] PumpError),
    /// The runtime ended before the work in a thread of its own began.
    #[error("a thread was not started")]
    Thread(#[source] JoinError),
}

/// What a thread came to. A panic there is one of the process, which is told of by its own words.
pub(crate) fn joined<T>(outcome: Result<T, JoinError>) -> Result<T, DetectorError> {
    outcome.map_err(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(cancelled) => DetectorError::Thread(cancelled),
    })
}

impl Reason for DetectorError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Threshold(_) => "InvalidThreshold",
            Self::AddedField(AddedFieldError::Lookup(_)) => "InvalidLookup",
            Self::AddedField(AddedFieldError::Calculated(_)) => "InvalidCalculatedField",
            Self::Service(error) => error.reason(),
            Self::Model(error) => error.reason(),
            Self::ModelStuck => "ModelStuck",
            Self::NoTraining => "NoTraining",
            Self::Start(error) => error.reason(),
            Self::Kafka(error) => error.reason(),
            Self::Stream(_) => "StreamFailed",
            Self::Thread(_) => "ThreadFailed",
        }
    }

    fn blames_the_model(&self) -> bool {
        match self {
            Self::Model(LoadError::Manifest { .. } | LoadError::Artifact { .. }) | Self::ModelStuck => true,
            Self::Model(LoadError::Bucket(_))
            | Self::Threshold(_)
            | Self::AddedField(_)
            | Self::Service(_)
            | Self::NoTraining
            | Self::Start(_)
            | Self::Kafka(_)
            | Self::Stream(_)
            | Self::Thread(_) => false,
        }
    }
}
