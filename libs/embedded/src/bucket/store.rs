//! s3s-fs with what it lacks: an object that has not changed is not sent again; an object, its metadata and its etag change together; conditional writes have one winner;
//! a deleted object leaves no metadata file; a full disk is told to the run.

use std::io;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::StatusCode;
use s3s::dto::{
    CreateBucketInput, CreateBucketOutput, DeleteObjectInput, DeleteObjectOutput, ETagCondition, GetObjectInput,
    GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput,
    ListBucketsOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::watch;

use super::locks::KeyLocks;

/// The name of a metadata file is the base64 of the key, and file names have at most 255 bytes.
const LONGEST_KEY: usize = 150;
/// A listing meets files that are deleted while it walks the directories; then it starts again.
const LISTING_ATTEMPTS: usize = 20;

/// What an object answers that is asked for only if it is another.
fn not_modified() -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::Custom("NotModified".into()));
    error.set_status_code(StatusCode::NOT_MODIFIED);
    error
}

/// The S3 operations that Vedette uses, on a directory.
pub(super) struct AtomicStore {
    files: FileSystem,
    directory: PathBuf,
    locks: KeyLocks,
    failure: watch::Sender<Option<String>>,
}

impl AtomicStore {
    pub(super) fn new(files: FileSystem, directory: PathBuf, failure: watch::Sender<Option<String>>) -> Self {
        Self { files, directory, locks: KeyLocks::default(), failure }
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

    fn remove_metadata(&self, bucket: &str, key: &str) -> io::Result<()> {
        let prefix = format!(".bucket-{}.object-{}", URL_SAFE_NO_PAD.encode(bucket), URL_SAFE_NO_PAD.encode(key));
        for suffix in ["metadata.json", "internal.json"] {
            match std::fs::remove_file(self.directory.join(format!("{prefix}.{suffix}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
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
        let _alone = self.locks.write(&lock_name(bucket, key)).await;
        self.noticed(self.files.put_object(request).await)
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let _no_writer = self.locks.read(&lock_name(&request.input.bucket, &request.input.key)).await;
        let condition = request.input.if_none_match.clone();
        let response = self.files.get_object(request).await?;
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
        let _alone = self.locks.write(&lock_name(&bucket, &key)).await;
        let response = self.noticed(self.files.delete_object(request).await)?;
        self.noticed(self.remove_metadata(&bucket, &key).map_err(S3Error::internal_error))?;
        Ok(response)
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let mut attempt = 1;
        loop {
            let again = S3Request {
                input: request.input.clone(),
                method: request.method.clone(),
                uri: request.uri.clone(),
                headers: request.headers.clone(),
                extensions: request.extensions.clone(),
                credentials: request.credentials.clone(),
                region: request.region.clone(),
                service: request.service.clone(),
                trailing_headers: None,
            };
            match self.files.list_objects_v2(again).await {
                Err(error)
                    if attempt < LISTING_ATTEMPTS
                        && io_cause(&error).is_some_and(|cause| cause.kind() == io::ErrorKind::NotFound) =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }
}
