//! The embedded S3 bucket of `vedette local`: s3s-fs on a directory, behind locks that make its writes atomic.

mod locks;
mod server;
mod store;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

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
        /// The directory.
        directory: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Another `vedette local` runs on it.
    #[error("the data directory {} is in use by another run; give another to --data-dir", directory.display())]
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// The address is taken or not ours.
    #[error("could not listen on {address} for the embedded bucket; choose another address with --bucket-listen")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The storage below the bucket failed.
    #[error("could not use {} as a bucket: {reason}", directory.display())]
    Storage {
        /// The directory.
        directory: PathBuf,
        /// Why not.
        reason: String,
    },
}

/// An S3 server on a directory; it stops when it is dropped.
pub struct EmbeddedBucket {
    address: SocketAddr,
    directory: PathBuf,
    credentials: Credentials,
    failure: watch::Receiver<Option<String>>,
    _server: DropGuard,
    _lock: File,
}

/// What a client needs; made anew for each run.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The access key.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: String,
}

impl EmbeddedBucket {
    /// Serves one bucket of this name from the directory, which is made if it is missing. Port 0 is any free one.
    pub async fn start(directory: &Path, bucket: &str, listen: SocketAddr) -> Result<Self, EmbeddedBucketError> {
        let unusable = |source| EmbeddedBucketError::Directory { directory: directory.to_owned(), source };
        fs::create_dir_all(directory).map_err(unusable)?;
        let lock = take(directory)?;
        probe(directory).map_err(unusable)?;
        fs::create_dir_all(directory.join(bucket)).map_err(unusable)?;
        let files = s3s_fs::FileSystem::new(directory).map_err(|error| EmbeddedBucketError::Storage {
            directory: directory.to_owned(),
            reason: format!("{error:?}"),
        })?;

        let credentials = Credentials {
            access_key_id: Uuid::new_v4().simple().to_string(),
            secret_access_key: Uuid::new_v4().simple().to_string(),
        };
        let (report, failure) = watch::channel(None);
        let mut service = S3ServiceBuilder::new(AtomicStore::new(files, directory.to_owned(), report));
        service.set_auth(SimpleAuth::from_single(
            credentials.access_key_id.clone(),
            credentials.secret_access_key.clone(),
        ));
        let shutdown = CancellationToken::new();
        let address = server::spawn(listen, service.build(), shutdown.clone())
            .await
            .map_err(|source| EmbeddedBucketError::Listen { address: listen, source })?;
        let directory = directory.to_owned();
        Ok(Self { address, directory, credentials, failure, _server: shutdown.drop_guard(), _lock: lock })
    }

    /// The endpoint, `http://host:port`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The credentials of this run.
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

fn take(directory: &Path) -> Result<File, EmbeddedBucketError> {
    let unusable = |source| EmbeddedBucketError::Directory { directory: directory.to_owned(), source };
    let file = File::create(directory.join(LOCK_FILE)).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EmbeddedBucketError::InUse { directory: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

fn probe(directory: &Path) -> io::Result<()> {
    let path = directory.join(PROBE_FILE);
    let mut file = File::create(&path)?;
    let written = file.write_all(&vec![0; PROBE_BYTES]).and_then(|()| file.sync_all());
    fs::remove_file(&path)?;
    written
}
