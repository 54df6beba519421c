//! Puts a version into the bucket and makes it the current one: files by conditional create, the manifest last, then the
//! pointer by a conditional swap. A crash anywhere leaves the pointer on a version that is whole, and a second run of the
//! same Job finds what the first one did. A candidate is the same without the swap.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use vedette_contract::ModelVersion;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{CurrentPointer, MANIFEST_FILE, METADATA_FILE, ModelMetadata};
use vedette_forest::artifact::{ArtifactFiles, manifest_for, sha256_hex};
use vedette_streams::bucket::{Body, Bucket, BucketError, Creation};

use crate::pointer::{self, Change, Changed, Stored};
use crate::{RegistryError, json};

/// How often a version's key is tried when others are faster.
const ATTEMPTS: u32 = 10;

/// What came of publishing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// The version is current.
    Current {
        /// What the pointer says now.
        pointer: CurrentPointer,
        /// What it named before.
        previous: Option<ModelVersion>,
    },
    /// Another process of the same Job was faster.
    ByTheSameJob {
        /// What the pointer says.
        pointer: CurrentPointer,
    },
    /// Another Job published a newer version meanwhile, which stays current.
    Superseded {
        /// What the pointer says.
        pointer: CurrentPointer,
        /// Our version, which is in the bucket.
        version: ModelVersion,
    },
}

/// Publishes what a Job learned, once: a version that the Job published before is found by its name in the pointer.
pub async fn publish(
    bucket: &Bucket,
    keys: &ModelKeys,
    artifact: ArtifactFiles,
    metadata: &ModelMetadata,
    now: Timestamp,
) -> Result<Publication, RegistryError> {
    let job = &metadata.trained_by;
    let seen = pointer::load(bucket, keys).await?;
    if let Some(Stored { pointer, .. }) = &seen
        && pointer.published_by == *job
    {
        return Ok(Publication::ByTheSameJob { pointer: pointer.clone() });
    }
    let (version, manifest_sha256) = store(bucket, keys, artifact, metadata, (seen.as_ref(), now)).await?;
    let pointer = CurrentPointer {
        version,
        generation: 0,
        manifest_sha256,
        published_at: now,
        published_by: job.clone(),
        comment: None,
        earlier: Vec::new(),
    };
    make_current(bucket, keys, pointer, seen).await
}

/// Puts what a Job learned beside the other versions. It becomes current only when somebody promotes it.
pub async fn keep_candidate(
    bucket: &Bucket,
    keys: &ModelKeys,
    artifact: ArtifactFiles,
    metadata: &ModelMetadata,
    now: Timestamp,
) -> Result<ModelVersion, RegistryError> {
    let seen = pointer::load(bucket, keys).await?;
    let (version, _) = store(bucket, keys, artifact, metadata, (seen.as_ref(), now)).await?;
    Ok(version)
}

/// Uploads all files of a version; returns it with the manifest's hash.
async fn store(
    bucket: &Bucket,
    keys: &ModelKeys,
    artifact: ArtifactFiles,
    metadata: &ModelMetadata,
    (seen, now): (Option<&Stored>, Timestamp),
) -> Result<(ModelVersion, String), RegistryError> {
    let ArtifactFiles { mut files, content_sha256 } = artifact;
    files.insert(METADATA_FILE.to_owned(), json::pretty(metadata)?.into());
    let earliest = not_before(now, seen.map(|seen| &seen.pointer.version));
    upload(bucket, keys, &files, &content_sha256, earliest).await
}

/// Swaps the pointer that was seen for this one, whose generation follows. Where another came between, the newer version
/// of the two stays.
async fn make_current(
    bucket: &Bucket,
    keys: &ModelKeys,
    next: CurrentPointer,
    seen: Option<Stored>,
) -> Result<Publication, RegistryError> {
    let decide = |found: Option<&CurrentPointer>| match found {
        Some(found) if found.published_by == next.published_by => {
            Change::Keep(Publication::ByTheSameJob { pointer: found.clone() })
        }
        Some(found) if found.version > next.version => {
            Change::Keep(Publication::Superseded { pointer: found.clone(), version: next.version.clone() })
        }
        Some(_) | None => Change::Replace(next.clone()),
    };
    Ok(match pointer::update(bucket, keys, seen, decide).await? {
        Changed::Replaced { pointer, previous } => Publication::Current { pointer, previous },
        Changed::Kept(publication) => publication,
    })
}

/// Versions sort in the order of publication even where the clocks of two sites differ.
fn not_before(now: Timestamp, current: Option<&ModelVersion>) -> Timestamp {
    let current = current.and_then(ModelVersion::time);
    current.map_or(now, |current| now.max(current + SignedDuration::from_secs(1)))
}

/// Uploads the files and the manifest under a version that nobody else uses; returns it with the manifest's hash.
async fn upload(
    bucket: &Bucket,
    keys: &ModelKeys,
    files: &BTreeMap<String, Vec<u8>>,
    content_sha256: &str,
    mut at: Timestamp,
) -> Result<(ModelVersion, String), RegistryError> {
    for _ in 0..ATTEMPTS {
        let version = ModelVersion::new(at, content_sha256)?;
        let manifest = json::pretty(&manifest_for(version.clone(), files))?;
        let manifest_sha256 = sha256_hex(&manifest);
        let mut ours = true;
        for (name, bytes) in files {
            ours = ours && create(bucket, &keys.file(&version, name), bytes.clone().into()).await?;
        }
        if ours && create(bucket, &keys.file(&version, MANIFEST_FILE), manifest).await? {
            return Ok((version, manifest_sha256));
        }
        at += SignedDuration::from_secs(1);
    }
    Err(RegistryError::Contention { key: keys.prefix(), attempts: ATTEMPTS })
}

/// Whether the object now holds exactly these bytes.
async fn create(bucket: &Bucket, key: &str, bytes: Bytes) -> Result<bool, BucketError> {
    match bucket.create(key, Body::Bytes(bytes.clone()), &BTreeMap::new()).await? {
        Creation::Created => Ok(true),
        // After a lost answer the object is our own.
        Creation::AlreadyExists => Ok(bucket.get(key).await?.is_some_and(|object| object.bytes == bytes)),
    }
}

#[cfg(test)]
mod tests;
