//! Why the operator cannot run. What goes wrong with one object is not here: that is for its status.

use thiserror::Error;
use vedette_service::{Reason, ServiceError};

use crate::ask::AskError;
use crate::settings::SettingsError;

/// Why the operator cannot run.
#[derive(Debug, Error)]
pub enum OperatorError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Where the API server is.
    #[error("cannot tell where the API server is: run in a pod with a service account, or with a kubeconfig")]
    Configuration {
        #[source]
        source: Box<kube::config::InferConfigError>,
    },
    /// The client of the API server.
    #[error("cannot make a client of the API server")]
    Client {
        #[source]
        source: Box<kube::Error>,
    },
    /// Probes and metrics.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Another operator, which was asked.
    #[error(transparent)]
    Ask(#[from] AskError),
}

impl Reason for OperatorError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Settings(error) => error.reason(),
            Self::Configuration { .. } => "NoApiServer",
            Self::Client { .. } => "ClientFailed",
            Self::Service(error) => error.reason(),
            Self::Ask(error) => error.reason(),
        }
    }
}
