//! Why the detector ends.

use thiserror::Error;
use vedette_registry::load::LoadError;
use vedette_service::{Reason, ServiceError};

use crate::calculated::CalculatedFieldError;
use crate::pump::PumpError;
use crate::scoring::ThresholdError;
use crate::start::StartError;

/// Why the detector ended before it was asked to.
#[derive(Debug, Error)]
pub enum DetectorError {
    /// The alert budget or threshold.
    #[error("the alerting arguments cannot be used")]
    Threshold(#[from] ThresholdError),
    /// A calculated field.
    #[error(transparent)]
    CalculatedField(#[from] CalculatedFieldError),
    /// Probes and metrics.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The model that was given.
    #[error(transparent)]
    Model(#[from] LoadError),
    /// A model version was given without the training that it belongs to.
    #[error("a model version was given without its training")]
    NoTraining,
    /// The stream did not start.
    #[error("the stream cannot start")]
    Start(#[from] StartError),
    /// The stream ended.
    #[error("the stream broke off")]
    Stream(#[from] PumpError),
    /// The thread of the stream ended by itself.
    #[error("the stream's thread broke off")]
    Thread(#[source] tokio::task::JoinError),
}

impl Reason for DetectorError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Threshold(_) => "InvalidThreshold",
            Self::CalculatedField(_) => "InvalidCalculatedField",
            Self::Service(error) => error.reason(),
            Self::Model(error) => error.reason(),
            Self::NoTraining => "NoTraining",
            Self::Start(error) => error.reason(),
            Self::Stream(_) => "StreamFailed",
            Self::Thread(_) => "ThreadFailed",
        }
    }
}
