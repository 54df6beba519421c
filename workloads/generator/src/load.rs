//! Brings the data set from the bucket into memory.

use vedette_datasets::{Dataset, DatasetSettings};
use vedette_streams::bucket::Bucket;

use crate::error::GeneratorError;

/// Loads the data set under this key.
///
/// # Errors
/// When it is not there, cannot be read, or is no data set.
pub(crate) async fn load(bucket: &Bucket, key: &str, settings: DatasetSettings) -> Result<Dataset, GeneratorError> {
    let Some(stream) = bucket.get_stream(key).await? else {
        return Err(GeneratorError::DatasetMissing { key: key.to_owned() });
    };
    let parsed = stream.parse(move |content| Dataset::load(content, &settings)).await?;
    parsed?.map_err(|source| GeneratorError::Dataset { key: key.to_owned(), source })
}
