//! s3s-fs with what it lacks: an object that has not changed is not sent again; an object, its metadata and its etag change together; conditional writes have one winner;
//! a deleted object leaves no metadata file; a full disk is told to the run; many small objects are listed and read within seconds.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::StatusCode;
use s3s::dto::{
    CreateBucketInput, CreateBucketOutput, DeleteObjectInput, DeleteObjectOutput, ETagCondition, GetObjectInput,
    GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput,
    ListBucketsOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio_util::task::TaskTracker;

use super::locks::KeyLocks;
use super::{beside, listing, small};

/// The name of a metadata file is the base64 of the key, and file names have at most 255 bytes.
const LONGEST_KEY: usize = 150;

/// What an object answers that is asked for only if it is another.
fn not_modified() -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::Custom("NotModified".into()));
    error.set_status_code(StatusCode::NOT_MODIFIED);
    error
}

/// The S3 operations that Vedette uses, on a directory.
pub(super) struct AtomicStore {
    files: Arc<FileSystem>,
    directory: Arc<Path>,
    locks: Arc<KeyLocks>,
    failure: watch::Sender<Option<String>>,
    /// Writes, which end whatever becomes of their connections: s3s-fs writes an object before its metadata.
    writes: TaskTracker,
}

impl AtomicStore {
    /// What it writes runs as tasks of `writes`: for a directory that is left as it should be they are waited for.
    pub(super) fn new(
        files: FileSystem,
        directory: PathBuf,
        failure: watch::Sender<Option<String>>,
        writes: TaskTracker,
    ) -> Self {
        Self { files: Arc::new(files), directory: directory.into(), locks: Arc::default(), failure, writes }
    }

    /// Does what changes an object, alone and to its end.
    async fn change<T: Send + 'static>(
        &self,
        name: String,
        change: impl Future<Output = S3Result<T>> + Send + 'static,
    ) -> S3Result<T> {
        let locks = Arc::clone(&self.locks);
        let changed = self.writes.spawn(async move {
            let _alone = locks.write(&name).await;
            change.await
        });
        self.noticed(changed.await.map_err(S3Error::internal_error)?)
    }

    /// Passes the result on, and tells the run when the storage below cannot be written any more.
    fn noticed<T>(&self, result: S3Result<T>) -> S3Result<T> {
        if let Err(error) = &result
            && let Some(cause) = io_cause(error)
            && matches!(
                cause.kind(),
                io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::PermissionDenied
            )
        {
            self.failure.send_replace(Some(cause.to_string()));
        }
        result
    }

    /// An object that is read in one go; nothing where s3s-fs has to answer.
    async fn small(&self, wanted: &GetObjectInput) -> S3Result<Option<GetObjectOutput>> {
        let (directory, bucket, key) = (Arc::clone(&self.directory), wanted.bucket.clone(), wanted.key.clone());
        let read = spawn_blocking(move || small::object(&directory, &bucket, &key)).await;
        read.map_err(S3Error::internal_error)
    }
}

fn remove_metadata(directory: &Path, bucket: &str, key: &str) -> io::Result<()> {
    for file in [beside::attributes(directory, bucket, key), beside::internal(directory, bucket, key)] {
        match std::fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn io_cause(error: &S3Error) -> Option<&io::Error> {
    error.source().and_then(|source| source.downcast_ref::<io::Error>())
}

fn lock_name(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}

#[async_trait::async_trait]
impl S3 for AtomicStore {
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.noticed(self.files.create_bucket(request).await)
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(request).await
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        self.files.list_buckets(request).await
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let PutObjectInput { bucket, key, .. } = &request.input;
        if key.len() > LONGEST_KEY {
            return Err(s3_error!(
                KeyTooLongError,
                "the embedded bucket takes keys of at most 150 bytes; use shorter names, or a real bucket"
            ));
        }
        let (name, files) = (lock_name(bucket, key), Arc::clone(&self.files));
        self.change(name, async move { files.put_object(request).await }).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let _no_writer = self.locks.read(&lock_name(&request.input.bucket, &request.input.key)).await;
        let condition = request.input.if_none_match.clone();
        let small = if request.input.range.is_none() { self.small(&request.input).await? } else { None };
        let response = match small {
            Some(output) => S3Response::new(output),
            None => self.files.get_object(request).await?,
        };
        match (condition, &response.output.e_tag) {
            (Some(ETagCondition::ETag(seen)), Some(tag)) if seen.weak_cmp(tag) => Err(not_modified()),
            (Some(_) | None, _) => Ok(response),
        }
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let _no_writer = self.locks.read(&lock_name(&request.input.bucket, &request.input.key)).await;
        self.files.head_object(request).await
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let (bucket, key) = (request.input.bucket.clone(), request.input.key.clone());
        let (name, files, directory) = (lock_name(&bucket, &key), Arc::clone(&self.files), Arc::clone(&self.directory));
        let deletion = async move {
            let response = files.delete_object(request).await?;
            remove_metadata(&directory, &bucket, &key).map_err(S3Error::internal_error)?;
            Ok(response)
        };
        self.change(name, deletion).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let directory = Arc::clone(&self.directory);
        let listed = spawn_blocking(move || listing::page(&directory, request.input)).await;
        listed.map_err(S3Error::internal_error)?.map(S3Response::new)
    }
}
