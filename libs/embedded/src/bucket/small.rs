//! Small objects of the embedded bucket, each read in one go: s3s-fs goes to another thread for each of its files and pieces, which is most
//! of what a small object costs.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use bytes::Bytes;
use s3s::Body;
use s3s::dto::{ETag, GetObjectOutput, Metadata, Timestamp};
use serde::Deserialize;

use super::beside;

/// Larger ones are read piece by piece.
const LARGEST: u64 = 64 * 1024;

/// What s3s-fs keeps beside an object of whoever wrote it. One that has more is its own to answer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Attributes {
    user_metadata: Option<Metadata>,
    content_type: Option<String>,
}

/// What it keeps of the content.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Internal {
    e_tag: String,
}

/// The object, where there is one that is small; of all else, and of what cannot be read, s3s-fs answers. This blocks.
pub(super) fn object(directory: &Path, bucket: &str, key: &str) -> Option<GetObjectOutput> {
    // The file system would read these as other keys.
    if key.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return None;
    }
    let file = File::open(directory.join(bucket).join(key)).ok()?;
    let about = file.metadata().ok().filter(|about| about.is_file() && about.len() <= LARGEST)?;
    let last_modified = Timestamp::from(about.modified().ok()?);
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    let Internal { e_tag } = serde_json::from_slice(&fs::read(beside::internal(directory, bucket, key)).ok()?).ok()?;
    let Attributes { user_metadata, content_type } = match fs::read(beside::attributes(directory, bucket, key)) {
        Ok(attributes) => serde_json::from_slice(&attributes).ok()?,
        Err(error) if error.kind() == ErrorKind::NotFound => Attributes::default(),
        Err(_) => return None,
    };
    Some(GetObjectOutput {
        content_length: Some(i64::try_from(bytes.len()).ok()?),
        body: Some(Body::from(Bytes::from(bytes)).into()),
        e_tag: Some(ETag::Strong(e_tag)),
        last_modified: Some(last_modified),
        metadata: user_metadata,
        content_type,
        ..GetObjectOutput::default()
    })
}
