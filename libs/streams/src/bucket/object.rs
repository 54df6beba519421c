//! What goes into a bucket and what comes out of it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use jiff::Timestamp;

use crate::bucket::BucketError;
use crate::bucket::error::Attempt;

/// The server's tag of an object's content, opaque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(pub(super) String);

impl ETag {
    /// As the server wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// An object with its bytes.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its content.
    pub bytes: Bytes,
    /// The tag of this content.
    pub etag: ETag,
    /// The metadata that its writer gave, keys in lower case.
    pub metadata: BTreeMap<String, String>,
}

/// An object without its bytes.
#[derive(Debug, Clone)]
pub struct ObjectHead {
    /// The tag of its content.
    pub etag: ETag,
    /// The metadata that its writer gave, keys in lower case.
    pub metadata: BTreeMap<String, String>,
    /// Bytes of its content.
    pub length: u64,
}

/// An object as a listing has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSummary {
    /// Its full key, without the prefix of the bucket's client.
    pub key: String,
    /// Bytes of its content.
    pub length: u64,
    /// When it was written, by the server's clock.
    pub last_modified: Option<Timestamp>,
}

/// An object whose content is read piece by piece.
#[derive(Debug)]
pub struct ObjectStream {
    /// What is known before the content.
    pub head: ObjectHead,
    pub(super) content: ByteStream,
    pub(super) attempt: Attempt,
}

impl ObjectStream {
    /// The next piece of the content; `None` at its end.
    ///
    /// # Errors
    /// When the connection breaks or stalls: read the object again.
    pub async fn next_chunk(&mut self) -> Result<Option<Bytes>, BucketError> {
        self.content.try_next().await.map_err(|cause| BucketError::of_content(self.attempt.clone(), cause))
    }
}

/// An object that may have changed.
#[derive(Debug)]
pub enum Changed {
    /// There is none.
    Missing,
    /// It is the one that was seen.
    Unchanged,
    /// It is another.
    Object(Box<ObjectStream>),
}

/// What is to be written.
#[derive(Debug, Clone)]
pub enum Body {
    /// From memory.
    Bytes(Bytes),
    /// From a file, without holding it in memory. The file must not change meanwhile.
    File(PathBuf),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

/// What came of a conditional create.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// The object is there now.
    Created,
    /// There was one already. After a connection that broke it may be this very one.
    AlreadyExists,
}

/// What came of a conditional replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// The object holds the new content, with this tag.
    Swapped(ETag),
    /// It did not hold what was expected, and does not hold the new content either.
    Conflict,
}
