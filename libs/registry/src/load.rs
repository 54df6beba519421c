//! Loads a version: the manifest is checked first, then every file against it, then the parts against each other.

use std::collections::BTreeMap;

use thiserror::Error;
use vedette_contract::ModelVersion;
use vedette_contract::distribution::Distributions;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{MANIFEST_FILE, METADATA_FILE, ModelManifest, ModelMetadata};
use vedette_forest::{ArtifactError, Model};
use vedette_streams::bucket::{Bucket, BucketError};

use crate::manifest::{self, ManifestError};

/// All files of a version, the manifest included, by their names.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What came of fetching a version.
#[derive(Debug)]
pub enum Fetched {
    /// All files that the manifest names.
    Whole(Files),
    /// This key is not there (yet): the other site's files may still be on their way.
    Missing(String),
}

/// Why a version was not loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The bucket could not be read.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The manifest.
    #[error("model version {version} cannot be used")]
    Manifest {
        version: ModelVersion,
        #[source]
        source: ManifestError,
    },
    /// The files.
    #[error("model version {version} cannot be used")]
    Artifact {
        version: ModelVersion,
        #[source]
        source: ArtifactError,
    },
}

impl LoadError {
    /// A word for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Bucket(error) => error.reason(),
            Self::Manifest { source, .. } => source.reason(),
            Self::Artifact { source, .. } => source.reason(),
        }
    }
}

/// Fetches the files of a version.
///
/// # Errors
/// When the bucket cannot be read, or the manifest is not the version's.
pub async fn fetch(bucket: &Bucket, keys: &ModelKeys, version: &ModelVersion) -> Result<Fetched, LoadError> {
    let key = keys.file(version, MANIFEST_FILE);
    let Some(object) = bucket.get(&key).await? else {
        return Ok(Fetched::Missing(key));
    };
    let mut files = Files::new();
    for file in file_names(version, &object.bytes)? {
        let key = keys.file(version, &file);
        let Some(object) = bucket.get(&key).await? else {
            return Ok(Fetched::Missing(key));
        };
        files.insert(file, object.bytes.into());
    }
    files.insert(MANIFEST_FILE.to_owned(), object.bytes.into());
    Ok(Fetched::Whole(files))
}

/// The files that the manifest of a version names.
///
/// # Errors
/// When the manifest is not the version's.
pub fn file_names(version: &ModelVersion, manifest: &[u8]) -> Result<Vec<String>, LoadError> {
    let manifest = check(version, manifest)?;
    Ok(manifest.files.into_keys().collect())
}

/// The model that the files of a version make.
///
/// # Errors
/// When any of them is not what the manifest says, or they make no model.
pub fn model(version: &ModelVersion, files: &Files) -> Result<Model, LoadError> {
    let manifest = check(version, files.get(MANIFEST_FILE).map_or(&[], Vec::as_slice))?;
    Model::from_files(files, &manifest).map_err(|source| LoadError::Artifact { version: version.clone(), source })
}

/// How the records of a training were, as far as the files of its model say it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Learned {
    /// Share of the rows without a value, by feature.
    pub usually_missing: BTreeMap<String, f64>,
    /// Distributions of scores and features.
    pub distributions: Option<Distributions>,
}

/// How the records of the training were from which these files came.
pub fn learned(files: &Files) -> Learned {
    let metadata = files.get(METADATA_FILE).and_then(|bytes| serde_json::from_slice::<ModelMetadata>(bytes).ok());
    metadata
        .map(|ModelMetadata { missing, distributions, .. }| Learned { usually_missing: missing, distributions })
        .unwrap_or_default()
}

fn check(version: &ModelVersion, bytes: &[u8]) -> Result<ModelManifest, LoadError> {
    manifest::check(version, bytes, None).map_err(|source| LoadError::Manifest { version: version.clone(), source })
}

#[cfg(test)]
mod tests;
