//! Gets the bytes of a source and turns them into lines. Damage is for the caller to count, never an error; a bucket that
//! does not answer is one.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use vedette_contract::archive::ArchiveKey;
use vedette_service::Backoff;
use vedette_streams::bucket::{Bucket, BucketError, Object};

use crate::format::{Line, for_each_line};
use crate::hash::sha256_hex;
use crate::list::{Source, relist};
use crate::metadata::FoundMetadata;

/// A tail that keeps vanishing is listed anew so often.
const FETCH_ATTEMPTS: usize = 3;
/// An object that cannot be read for now is tried so often, with growing pauses.
const GET_ATTEMPTS: usize = 5;
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8));

/// A source with its bytes.
#[derive(Debug)]
pub struct Fetched {
    /// As it was when it was read, which may be later than when it was listed.
    pub source: Source,
    /// The closed object, or the deltas in their order.
    pub parts: Vec<Part>,
}

/// One object of the bucket.
#[derive(Debug)]
pub struct Part {
    /// Its key.
    pub key: ArchiveKey,
    bytes: Bytes,
    sha256: Option<String>,
    /// How many records it holds, where its writer said so.
    pub records: Option<u64>,
}

/// Gets every part of a source, or nothing: where a delta is gone, its object was closed meanwhile and is read instead.
///
/// # Errors
/// When the bucket does not answer, after several attempts.
pub async fn fetch(bucket: &Bucket, mut source: Source) -> Result<Option<Fetched>, BucketError> {
    for _ in 0..FETCH_ATTEMPTS {
        if let Some(parts) = fetch_parts(bucket, &source).await? {
            return Ok(Some(Fetched { source, parts }));
        }
        match relist(bucket, &source.object).await? {
            Some(listed) => source = listed,
            None => return Ok(None),
        }
    }
    Ok(None)
}

impl Part {
    /// Whether it has another hash than it was stored with.
    pub fn is_damaged(&self) -> bool {
        self.sha256.as_ref().is_some_and(|expected| *expected != sha256_hex(&self.bytes))
    }

    /// Hands over each line until told to stop.
    ///
    /// # Errors
    /// When its bytes are damaged or cut; the lines before were handed over.
    pub fn for_each_line(&self, take: impl FnMut(Line<'_>) -> ControlFlow<()>) -> io::Result<()> {
        for_each_line(self.key.object.format, &self.bytes, take)
    }
}

async fn fetch_parts(bucket: &Bucket, source: &Source) -> Result<Option<Vec<Part>>, BucketError> {
    let mut parts = Vec::new();
    for key in source.keys() {
        let Some(Object { bytes, metadata, etag: _ }) = get(bucket, &key).await? else {
            return Ok(None);
        };
        let FoundMetadata { end: _, records, sha256, last_record: _ } = FoundMetadata::of(&metadata);
        parts.push(Part { key, bytes, sha256, records });
    }
    Ok(Some(parts))
}

/// A connection may break in the middle of an object, which the client does not try again by itself.
async fn get(bucket: &Bucket, key: &ArchiveKey) -> Result<Option<Object>, BucketError> {
    let full_key = key.to_string();
    let mut backoff = BACKOFF;
    for _ in 1..GET_ATTEMPTS {
        match bucket.get(&full_key).await {
            Err(error) if error.is_retriable() => {
                tracing::warn!(
                    key = full_key,
                    reason = error.reason(),
                    "an archive object could not be read; it is tried again"
                );
                tokio::time::sleep(backoff.failed()).await;
            }
            answer => return answer,
        }
    }
    bucket.get(&full_key).await
}
