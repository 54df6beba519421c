//! Gets the bytes of a source and turns them into lines. Damage is for the caller to count, never an error; a bucket that
//! does not answer is one.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use vedette_contract::archive::ArchiveKey;
use vedette_service::Backoff;
use vedette_streams::bucket::{Bucket, BucketError, Object};

use crate::format::{Counted, Line, counter, for_each_line, for_each_line_backwards, write_lines};
use crate::hash::sha256_hex;
use crate::list::{Source, relist};
use crate::metadata::FoundMetadata;

/// A tail that keeps vanishing is listed anew so often.
const FETCH_ATTEMPTS: usize = 3;
/// An object that cannot be read for now is tried so often, with growing pauses.
const GET_ATTEMPTS: usize = 5;
/// So many deltas of an open object are asked for at once: it may have hundreds.
const CONCURRENCY: usize = 8;
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

/// The beginning of an object.
#[derive(Debug)]
pub struct Beginning {
    /// It, as far as it was read.
    pub part: Part,
    /// Whether that is all of it: of what is cut the lines are handed over that are whole, and then an error.
    pub is_whole: bool,
}

/// Gets the first bytes of an object or of a delta, so many stored ones at most; nothing where there is none. It is tried once.
///
/// # Errors
/// When the bucket does not answer, or breaks off.
pub async fn fetch_beginning(bucket: &Bucket, key: ArchiveKey, most: usize) -> Result<Option<Beginning>, BucketError> {
    let Some(mut object) = bucket.get_stream(&key.to_string()).await? else { return Ok(None) };
    let (mut bytes, mut is_whole) = (Vec::new(), false);
    while bytes.len() <= most && !is_whole {
        match object.next_chunk().await? {
            Some(chunk) => bytes.extend_from_slice(&chunk),
            None => is_whole = true,
        }
    }
    bytes.truncate(most);
    Ok(Some(Beginning { part: Part { key, bytes: bytes.into(), sha256: None, records: None }, is_whole }))
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

    /// Hands over each line, the last one first, until told to stop. What stands before the lines that were taken is not decoded.
    ///
    /// # Errors
    /// When its bytes are damaged or cut; of the lines some were handed over.
    pub fn for_each_line_backwards(&self, take: impl FnMut(Line<'_>) -> ControlFlow<()>) -> io::Result<()> {
        for_each_line_backwards(self.key.object.format, &self.bytes, take)
    }

    /// Whether all of it can be read and is what was written, from a pass over it. Returns its records.
    ///
    /// # Errors
    /// When it cannot, or is not.
    pub fn check(&self) -> io::Result<u64> {
        if self.is_damaged() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it has another SHA-256 than when it was written"));
        }
        let mut counter = counter(self.key.object.format);
        counter.push(&self.bytes);
        let Counted { records, first_record: _, unreadable } = counter.finish();
        unreadable.map_or(Ok(records), Err)
    }

    /// Writes its records, a line each, as they were archived.
    ///
    /// # Errors
    /// When its bytes are damaged, or nothing more can be written.
    pub fn write_lines(&self, out: &mut impl Write) -> io::Result<()> {
        write_lines(self.key.object.format, &self.bytes, out)
    }
}

/// All of them; nothing where one is gone.
async fn fetch_parts(bucket: &Bucket, source: &Source) -> Result<Option<Vec<Part>>, BucketError> {
    let parts = stream::iter(source.keys()).map(|key| fetch_part(bucket, key)).buffered(CONCURRENCY);
    let parts: Vec<Option<Part>> = parts.try_collect().await?;
    Ok(parts.into_iter().collect())
}

async fn fetch_part(bucket: &Bucket, key: ArchiveKey) -> Result<Option<Part>, BucketError> {
    let object = get(bucket, &key).await?;
    Ok(object.map(|Object { bytes, metadata, etag: _ }| {
        let FoundMetadata { end: _, records, sha256, last_record: _ } = FoundMetadata::of(&metadata);
        Part { key, bytes, sha256, records }
    }))
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
