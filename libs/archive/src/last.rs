//! Which records an object holds, where its metadata do not tell: the last one, as its writer was a build before this one, or others.

use std::collections::BTreeSet;

use vedette_contract::archive::ArchiveObjectKey;
use vedette_streams::bucket::{Bucket, BucketError};

use crate::format::{last_line, sought_lines};

/// Lower-case hexadecimal SHA-256 of it; `None` where there is no such object, or it is damaged. All of the object is read, and none of
/// it held.
///
/// # Errors
/// When the bucket does not answer, or breaks off.
pub async fn last_record(bucket: &Bucket, key: &ArchiveObjectKey) -> Result<Option<String>, BucketError> {
    let Some(mut object) = bucket.get_stream(&key.to_string()).await? else { return Ok(None) };
    let mut last = last_line(key.format);
    while let Some(chunk) = object.next_chunk().await? {
        last.push(&chunk);
    }
    Ok(last.finish())
}

/// Whether it holds records of all these hashes, as [`record_sha256`](crate::record_sha256) gives them; `None` where there is no such
/// object, or it is damaged. All of the object is read, and none of it held.
///
/// # Errors
/// When the bucket does not answer, or breaks off.
pub async fn holds_records(
    bucket: &Bucket,
    key: &ArchiveObjectKey,
    records: BTreeSet<String>,
) -> Result<Option<bool>, BucketError> {
    let Some(mut object) = bucket.get_stream(&key.to_string()).await? else { return Ok(None) };
    let mut lines = sought_lines(key.format, records);
    while let Some(chunk) = object.next_chunk().await? {
        lines.push(&chunk);
    }
    Ok(lines.finish())
}
