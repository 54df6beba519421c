//! What can go wrong between us and the objects of a training.

use thiserror::Error;
use vedette_contract::NameError;
use vedette_contract::WrittenError;
use vedette_streams::bucket::{BucketError, JsonError};

/// Why an object was not read or written.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The bucket did not answer as it must.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The pointer of the training is not what we write.
    #[error(
        "{key} is not a current pointer; put back the JSON of a version that exists, or delete the object to begin again \
         at generation 1"
    )]
    PointerUnreadable {
        /// Full key.
        key: String,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// Another object is not what we write.
    #[error("{key} cannot be read as JSON; delete it if nobody can put back what it was")]
    ObjectUnreadable {
        /// Full key.
        key: String,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// What stands among the silences is none.
    #[error("{key} is no silence; delete it, or put back what it was")]
    NoSilence {
        /// Full key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: WrittenError,
    },
    /// Somebody else wins every race for a key.
    #[error("{key} was changed by others {attempts} times while it was to be written; it was left as it is")]
    Contention {
        /// Full key.
        key: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// Something of ours could not be written as JSON.
    #[error("a part of the model could not be written as JSON")]
    Json(#[source] serde_json::Error),
    /// The clock or a hash does not make a version.
    #[error("no model version could be made")]
    Version(#[from] NameError),
}

impl RegistryError {
    /// Static word for conditions, logs and labels.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Bucket(error) => error.reason(),
            Self::PointerUnreadable { .. } => "PointerUnreadable",
            Self::ObjectUnreadable { .. } | Self::NoSilence { .. } => "ObjectUnreadable",
            Self::Contention { .. } => "Contention",
            Self::Json(_) => "InvalidJson",
            Self::Version(_) => "InvalidVersion",
        }
    }
}

impl From<JsonError> for RegistryError {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Bucket(error) => Self::Bucket(error),
            JsonError::Content { key, source } => Self::ObjectUnreadable { key, source },
        }
    }
}
