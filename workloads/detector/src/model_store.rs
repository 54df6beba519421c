//! The model that the detector was given: from its own disk, else from the bucket. It is waited for where it cannot be
//! there yet, and refused where it is damaged; a detector never goes on with another one or with none.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};
use vedette_contract::ModelVersion;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::MANIFEST_FILE;
use vedette_forest::Model;
use vedette_registry::load::{self, Fetched, Files, Learned, LoadError};
use vedette_service::{Backoff, Readiness, Shutdown, error_chain};
use vedette_streams::bucket::Bucket;
use vedette_streams::kafka::Watch;

use crate::error::{DetectorError, joined};
use crate::readiness::MODEL;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(15));

/// Where the version's files are.
pub(crate) struct ModelStore {
    pub(crate) bucket: Bucket,
    pub(crate) keys: ModelKeys,
    /// `<directory>/<version>/` holds what was fetched before.
    pub(crate) directory: PathBuf,
    pub(crate) watch: Watch,
}

/// A model, and what else its files say.
pub(crate) struct Loaded {
    pub(crate) model: Model,
    pub(crate) learned: Learned,
}

impl ModelStore {
    /// Loads a version, and waits for it as long as the bucket does not have it. `None` when shutdown came first.
    ///
    /// # Errors
    /// When the version is damaged, or of a newer schema: waiting does not help.
    pub(crate) async fn load(
        &self,
        version: &ModelVersion,
        readiness: &Readiness,
        shutdown: &Shutdown,
    ) -> Result<Option<Loaded>, DetectorError> {
        if let Some(model) = self.kept(version).await {
            info!(version = %version, "model loaded from disk");
            return Ok(Some(model));
        }
        let mut backoff = BACKOFF;
        loop {
            match load::fetch(&self.bucket, &self.keys, version).await {
                Ok(Fetched::Whole(files)) => return self.take(version, files).await.map(Some),
                Ok(Fetched::Missing(key)) => {
                    readiness.fail(MODEL, format!("waiting for {key}, which is not in the bucket yet"));
                }
                Err(LoadError::Bucket(cause)) => readiness.fail(MODEL, error_chain(&cause)),
                Err(damaged) => return Err(damaged.into()),
            }
            if tokio::time::timeout(backoff.failed(), shutdown.cancelled()).await.is_ok() {
                return Ok(None);
            }
        }
    }

    async fn take(&self, version: &ModelVersion, files: Files) -> Result<Loaded, DetectorError> {
        let files = Arc::new(files);
        let model = self.model(version, Arc::clone(&files)).await?;
        info!(version = %version, "model loaded from the bucket");
        if let Err(cause) = self.keep(version, &files).await {
            warn!(error = %cause, "model not kept on disk; it is fetched again after a restart");
        }
        Ok(model)
    }

    /// What an earlier start of this pod fetched, if it is still whole.
    async fn kept(&self, version: &ModelVersion) -> Option<Loaded> {
        let directory = self.directory.join(version.as_str());
        match read_directory(version, &directory).await {
            Ok(files) => self
                .model(version, Arc::new(files?))
                .await
                .inspect_err(|cause| warn!(error = %error_chain(cause), "model on disk is damaged, fetching it again"))
                .ok(),
            Err(cause) => {
                warn!(error = %cause, "model on disk cannot be read, fetching it");
                None
            }
        }
    }

    /// The model that the files make, in a thread of its own.
    async fn model(&self, version: &ModelVersion, files: Arc<Files>) -> Result<Loaded, DetectorError> {
        let (watch, version) = (self.watch.clone(), version.clone());
        let load = move || -> Result<Loaded, LoadError> {
            let model = load::model(&version, &files)?;
            Ok(Loaded { model, learned: load::learned(&files) })
        };
        let loading = tokio::task::spawn_blocking(move || watch.step(load));
        Ok(joined(loading.await)??)
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
    let names = load::file_names(version, &bytes).map_err(io::Error::other)?;
    let mut files = Files::from([(MANIFEST_FILE.to_owned(), bytes)]);
    for name in names {
        let bytes = tokio::fs::read(directory.join(&name)).await?;
        files.insert(name, bytes);
    }
    Ok(Some(files))
}

#[cfg(test)]
mod tests;
