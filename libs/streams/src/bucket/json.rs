//! Small objects that are JSON.

use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::bucket::{Bucket, BucketError};

/// Why an object gave no value.
#[derive(Debug, Error)]
pub enum JsonError {
    /// The bucket could not be read.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The object is there, and is something else.
    #[error("{key} cannot be read as JSON")]
    Content {
        /// Its full key.
        key: String,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
}

impl Bucket {
    /// What an object says; `None` when there is none.
    pub async fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, JsonError> {
        let Some(object) = self.get(key).await? else {
            return Ok(None);
        };
        let value = serde_json::from_slice(&object.bytes);
        value.map(Some).map_err(|source| JsonError::Content { key: key.to_owned(), source })
    }
}
