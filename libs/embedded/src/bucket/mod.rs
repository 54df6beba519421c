//! The embedded S3 bucket of `vedette local`: s3s-fs on a directory, behind locks that make its writes atomic.

mod beside;
mod listing;
mod locks;
mod server;
mod small;
mod store;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use self::server::Server;
use self::store::AtomicStore;

/// Held by the process that uses the directory.
const LOCK_FILE: &str = ".vedette.lock";
/// Written and removed at the start, to see a full or read-only directory before anything runs.
const PROBE_FILE: &str = ".vedette.probe";
const PROBE_BYTES: usize = 1 << 20;

/// Why the embedded bucket did not start, or stopped.
#[derive(Debug, Error)]
pub enum EmbeddedBucketError {
    /// Missing rights, a full disk, a file where a directory should be.
    #[error("could not write to the data directory {}; give a writable directory with free space to --data-dir", directory.display())]
    Directory {
        directory: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Another `vedette local` runs on it.
    #[error("the data directory {} is in use by another run; give another to --data-dir", directory.display())]
    InUse { directory: PathBuf },
    /// The address is taken or not ours.
    #[error("could not listen on {address} for the embedded bucket; choose another address with --bucket-listen")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    /// The storage below the bucket failed.
    #[error("could not use {} as a bucket: {reason}", directory.display())]
    Storage { directory: PathBuf, reason: String },
}

/// What is served, where, and to whom.
#[derive(Debug, Clone)]
pub struct BucketOptions<'a> {
    /// Holds the objects; made if it is missing.
    pub directory: &'a Path,
    /// The bucket's name.
    pub name: &'a str,
    /// Port 0 is any free one.
    pub listen: SocketAddr,
    /// Whoever has them may do everything.
    pub credentials: Credentials,
}

/// What a client needs.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The access key.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: String,
}

impl Credentials {
    /// New ones, that nobody else has.
    pub fn random() -> Self {
        let [access_key_id, secret_access_key] = [(); 2].map(|()| Uuid::new_v4().simple().to_string());
        Self { access_key_id, secret_access_key }
    }
}

/// An S3 server on a directory; it stops when it is dropped.
pub struct EmbeddedBucket {
    directory: PathBuf,
    credentials: Credentials,
    failure: watch::Receiver<Option<String>>,
    server: Server,
    _lock: DirectoryLock,
}

impl EmbeddedBucket {
    /// Serves one bucket from the directory.
    pub async fn start(options: BucketOptions<'_>) -> Result<Self, EmbeddedBucketError> {
        Self::start_with(options, |_| {}).await
    }

    /// The same with more said to the server before it listens, such as who may do what.
    pub async fn start_with(
        options: BucketOptions<'_>,
        configure: impl FnOnce(&mut S3ServiceBuilder),
    ) -> Result<Self, EmbeddedBucketError> {
        let BucketOptions { directory, name, listen, credentials } = options;
        let (lock, files) = prepare(directory, name)?;
        let ((report, failure), tasks) = (watch::channel(None), TaskTracker::new());
        let store = AtomicStore::new(files, directory.to_owned(), report, tasks.clone());
        let mut service = S3ServiceBuilder::new(store);
        service.set_auth(SimpleAuth::from_single(
            credentials.access_key_id.clone(),
            credentials.secret_access_key.clone(),
        ));
        configure(&mut service);
        let server = Server::start(listen, service.build(), tasks)
            .await
            .map_err(|source| EmbeddedBucketError::Listen { address: listen, source })?;
        Ok(Self { directory: directory.to_owned(), credentials, failure, server, _lock: lock })
    }

    /// Breaks all connections; when this returns, the address and the directory are free.
    pub async fn stop(self) {
        self.server.stop().await;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The endpoint, `http://host:port`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The credentials that it knows.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Waits until the storage fails for good: the disk is full or the directory became read-only.
    pub async fn failed(&self) -> EmbeddedBucketError {
        let mut failure = self.failure.clone();
        match failure.wait_for(Option::is_some).await {
            Ok(reason) => EmbeddedBucketError::Storage {
                directory: self.directory.clone(),
                reason: reason.clone().unwrap_or_default(),
            },
            // The sender lives in the server: without it nobody can write, and nothing can fail.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Takes the directory for this process, and makes the bucket in it.
fn prepare(directory: &Path, bucket: &str) -> Result<(DirectoryLock, FileSystem), EmbeddedBucketError> {
    let unusable = |source| EmbeddedBucketError::Directory { directory: directory.to_owned(), source };
    fs::create_dir_all(directory).map_err(unusable)?;
    let lock = DirectoryLock::take(directory)?;
    probe(directory).map_err(unusable)?;
    fs::create_dir_all(directory.join(bucket)).map_err(unusable)?;
    let files = FileSystem::new(directory).map_err(|error| EmbeddedBucketError::Storage {
        directory: directory.to_owned(),
        reason: format!("{error:?}"),
    })?;
    Ok((lock, files))
}

fn probe(directory: &Path) -> io::Result<()> {
    let path = directory.join(PROBE_FILE);
    let mut file = File::create(&path)?;
    let written = file.write_all(&vec![0; PROBE_BYTES]).and_then(|()| file.sync_all());
    fs::remove_file(&path)?;
    written
}

/// Keeps a directory for one server, until it is dropped.
struct DirectoryLock(File);

impl DirectoryLock {
    fn take(directory: &Path) -> Result<Self, EmbeddedBucketError> {
        let unusable = |source| EmbeddedBucketError::Directory { directory: directory.to_owned(), source };
        let file = File::create(directory.join(LOCK_FILE)).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(EmbeddedBucketError::InUse { directory: directory.to_owned() }),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // A process that is being started has a copy of the file until it runs its program, and a copy holds the lock.
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the data directory could not be given free");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_free_although_a_process_that_is_being_started_has_the_lock_s_file() {
        let directory = tempfile::tempdir().unwrap();
        let lock = DirectoryLock::take(directory.path()).unwrap();
        let inherited = lock.0.try_clone().unwrap();
        assert!(matches!(DirectoryLock::take(directory.path()), Err(EmbeddedBucketError::InUse { .. })));
        drop(lock);
        DirectoryLock::take(directory.path()).unwrap();
        drop(inherited);
    }
}
