//! The model that the detector was given: from its own disk, else from the bucket. It is waited for where it cannot be
//! there yet, and refused where it is damaged; a detector never goes on with another one or with none.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use tracing::{info, warn};
use vedette_contract::ModelVersion;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{MANIFEST_FILE, ModelManifest};
use vedette_forest::{ArtifactError, Model};
use vedette_service::{Readiness, Shutdown, error_chain};
use vedette_streams::bucket::{Bucket, BucketError};

use crate::MODEL;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Why the model that was given cannot be used.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The manifest is not one.
    #[error("the manifest of model version {version} cannot be read")]
    Manifest {
        /// The version.
        version: ModelVersion,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The manifest belongs to something else.
    #[error("the manifest at model version {version} is that of {found}")]
    OtherVersion {
        /// The version that was wanted.
        version: ModelVersion,
        /// The one that is there.
        found: ModelVersion,
    },
    /// A name in the manifest that is not one of a file.
    #[error("the manifest of model version {version} names a file {file:?}")]
    FileName {
        /// The version.
        version: ModelVersion,
        /// The name.
        file: String,
    },
    /// The files.
    #[error("model version {version} cannot be used")]
    Artifact {
        /// The version.
        version: ModelVersion,
        /// What is wrong.
        #[source]
        source: ArtifactError,
    },
}

impl ModelError {
    /// A word for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Manifest { .. } | Self::FileName { .. } => "InvalidManifest",
            Self::OtherVersion { .. } => "WrongVersion",
            Self::Artifact { source, .. } => source.reason(),
        }
    }
}

/// Where the version's files are.
pub struct ModelStore {
    pub bucket: Bucket,
    pub keys: ModelKeys,
    /// `<directory>/<version>/` holds what was fetched before.
    pub directory: PathBuf,
}

/// All files of a version, the manifest included.
type Files = BTreeMap<String, Vec<u8>>;

/// What the bucket has of a version.
enum Fetched {
    Whole(Files),
    /// This key is not there (yet): the other site's files may still be on their way.
    Missing(String),
}

/// Why the bucket gave nothing that can be used.
enum FetchError {
    Bucket(BucketError),
    Model(ModelError),
}

impl ModelStore {
    /// Loads a version, and waits for it as long as the bucket does not have it. `None` when shutdown came first.
    ///
    /// # Errors
    /// When the version is damaged, or of a newer schema: waiting does not help.
    pub async fn load(
        &self,
        version: &ModelVersion,
        readiness: &Readiness,
        shutdown: &Shutdown,
    ) -> Result<Option<Model>, ModelError> {
        if let Some(model) = self.kept(version).await {
            info!(version = %version, "model loaded from disk");
            return Ok(Some(model));
        }
        let mut pause = FIRST_PAUSE;
        loop {
            match self.fetch(version).await {
                Ok(Fetched::Whole(files)) => {
                    let model = read(version, files.clone())?;
                    info!(version = %version, "model loaded from the bucket");
                    if let Err(cause) = self.keep(version, &files).await {
                        warn!(error = %cause, "model not kept on disk; it is fetched again after a restart");
                    }
                    return Ok(Some(model));
                }
                Ok(Fetched::Missing(key)) => {
                    readiness.fail(MODEL, format!("waiting for {key}, which is not in the bucket yet"));
                }
                Err(FetchError::Bucket(cause)) => readiness.fail(MODEL, error_chain(&cause)),
                Err(FetchError::Model(cause)) => return Err(cause),
            }
            if tokio::time::timeout(pause, shutdown.cancelled()).await.is_ok() {
                return Ok(None);
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn fetch(&self, version: &ModelVersion) -> Result<Fetched, FetchError> {
        let get = async |file: &str| {
            let key = self.keys.file(version, file);
            let object = self.bucket.get(&key).await.map_err(FetchError::Bucket)?;
            Ok(object.map(|object| Vec::from(object.bytes)).ok_or(key))
        };
        let mut files = Files::new();
        let bytes = match get(MANIFEST_FILE).await? {
            Ok(bytes) => bytes,
            Err(key) => return Ok(Fetched::Missing(key)),
        };
        let manifest = manifest(version, &bytes).map_err(FetchError::Model)?;
        files.insert(MANIFEST_FILE.to_owned(), bytes);
        for file in manifest.files.into_keys() {
            match get(&file).await? {
                Ok(bytes) => files.insert(file, bytes),
                Err(key) => return Ok(Fetched::Missing(key)),
            };
        }
        Ok(Fetched::Whole(files))
    }

    /// What an earlier start of this pod fetched, if it is still whole.
    async fn kept(&self, version: &ModelVersion) -> Option<Model> {
        let directory = self.directory.join(version.as_str());
        match read_directory(version, &directory).await {
            Ok(files) => read(version, files?)
                .inspect_err(|cause| warn!(error = %error_chain(cause), "model on disk is damaged, fetching it again"))
                .ok(),
            Err(cause) => {
                warn!(error = %cause, "model on disk cannot be read, fetching it");
                None
            }
        }
    }

    async fn keep(&self, version: &ModelVersion, files: &Files) -> io::Result<()> {
        let whole = self.directory.join(version.as_str());
        let partial = self.directory.join(format!("{version}.partial"));
        remove(&partial).await?;
        tokio::fs::create_dir_all(&partial).await?;
        for (name, bytes) in files {
            tokio::fs::write(partial.join(name), bytes).await?;
        }
        remove(&whole).await?;
        tokio::fs::rename(&partial, &whole).await
    }
}

async fn remove(directory: &Path) -> io::Result<()> {
    match tokio::fs::remove_dir_all(directory).await {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// `None` where there is nothing.
async fn read_directory(version: &ModelVersion, directory: &Path) -> io::Result<Option<Files>> {
    let bytes = match tokio::fs::read(directory.join(MANIFEST_FILE)).await {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        outcome => outcome?,
    };
    let manifest = manifest(version, &bytes).map_err(io::Error::other)?;
    let mut files = Files::from([(MANIFEST_FILE.to_owned(), bytes)]);
    for name in manifest.files.into_keys() {
        let bytes = tokio::fs::read(directory.join(&name)).await?;
        files.insert(name, bytes);
    }
    Ok(Some(files))
}

fn manifest(version: &ModelVersion, bytes: &[u8]) -> Result<ModelManifest, ModelError> {
    let manifest: ModelManifest =
        serde_json::from_slice(bytes).map_err(|source| ModelError::Manifest { version: version.clone(), source })?;
    if manifest.version != *version {
        return Err(ModelError::OtherVersion { version: version.clone(), found: manifest.version });
    }
    // The names become paths on disk.
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_file_name = |name: &&String| !name.starts_with('.') && !name.is_empty() && name.bytes().all(allowed);
    match manifest.files.keys().find(|name| !is_file_name(name)) {
        None => Ok(manifest),
        Some(file) => Err(ModelError::FileName { version: version.clone(), file: file.clone() }),
    }
}

fn read(version: &ModelVersion, mut files: Files) -> Result<Model, ModelError> {
    let manifest = manifest(version, &files.remove(MANIFEST_FILE).unwrap_or_default())?;
    Model::from_files(&files, &manifest).map_err(|source| ModelError::Artifact { version: version.clone(), source })
}

#[cfg(test)]
mod tests;
