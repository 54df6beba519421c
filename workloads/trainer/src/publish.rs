//! Puts a version into the bucket and makes it the current one: files by conditional create, the manifest last, then the
//! pointer by a conditional swap. A crash anywhere leaves the pointer on a version that is whole, and a second run of the
//! same Job finds what the first one did.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use vedette_contract::ModelVersion;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{CurrentPointer, MANIFEST_FILE, METADATA_FILE, ModelMetadata, TrainingResult};
use vedette_forest::artifact::{manifest_for, sha256_hex};
use vedette_streams::bucket::{Body, Bucket, BucketError, Creation, ETag, Swap};

use crate::error::TrainerError;

/// How often a version's key, and the pointer, are tried when others are faster.
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

/// The current pointer, and the tag to swap it by.
pub async fn read_pointer(bucket: &Bucket, models: &ModelKeys) -> Result<Option<(CurrentPointer, ETag)>, TrainerError> {
    let key = models.current();
    let Some(object) = bucket.get(&key).await? else {
        return Ok(None);
    };
    match serde_json::from_slice(&object.bytes) {
        Ok(pointer) => Ok(Some((pointer, object.etag))),
        Err(source) => Err(TrainerError::PointerUnreadable { key, source }),
    }
}

/// The result that an earlier run of the Job wrote.
pub async fn read_result(
    bucket: &Bucket,
    models: &ModelKeys,
    job: &str,
) -> Result<Option<TrainingResult>, TrainerError> {
    read_json(bucket, &models.result(job)).await
}

/// The metadata of a version that is in the bucket.
pub async fn read_metadata(
    bucket: &Bucket,
    models: &ModelKeys,
    version: &ModelVersion,
) -> Result<Option<ModelMetadata>, TrainerError> {
    read_json(bucket, &models.file(version, METADATA_FILE)).await
}

async fn read_json<T: DeserializeOwned>(bucket: &Bucket, key: &str) -> Result<Option<T>, TrainerError> {
    let Some(object) = bucket.get(key).await? else {
        return Ok(None);
    };
    let parsed = serde_json::from_slice(&object.bytes);
    parsed.map(Some).map_err(|source| TrainerError::ObjectUnreadable { key: key.to_owned(), source })
}

/// Writes how the Job ended.
pub async fn write_result(bucket: &Bucket, models: &ModelKeys, result: &TrainingResult) -> Result<(), TrainerError> {
    Ok(bucket.put(&models.result(&result.job), json(result)?).await?)
}

/// JSON for the bucket, which people read too.
pub fn json(value: &impl Serialize) -> Result<Bytes, TrainerError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(TrainerError::Json)?;
    bytes.push(b'\n');
    Ok(bytes.into())
}

/// Publishes the files of a version whose content has this hash.
pub async fn publish(
    bucket: &Bucket,
    models: &ModelKeys,
    job: &str,
    files: &BTreeMap<String, Vec<u8>>,
    content_sha256: &str,
    now: Timestamp,
) -> Result<Publication, TrainerError> {
    let seen = read_pointer(bucket, models).await?;
    if let Some((pointer, _)) = &seen
        && pointer.published_by == job
    {
        return Ok(Publication::ByTheSameJob { pointer: pointer.clone() });
    }
    let current = seen.as_ref().map(|(pointer, _)| &pointer.version);
    let (version, manifest_sha256) = upload(bucket, models, files, content_sha256, now, current).await?;
    let pointer =
        CurrentPointer { version, generation: 0, manifest_sha256, published_at: now, published_by: job.to_owned() };
    make_current(bucket, models, pointer, seen).await
}

/// Swaps the pointer that was seen for this one, whose generation follows. Where another came between, the newer version
/// of the two stays.
async fn make_current(
    bucket: &Bucket,
    models: &ModelKeys,
    mut pointer: CurrentPointer,
    mut seen: Option<(CurrentPointer, ETag)>,
) -> Result<Publication, TrainerError> {
    let key = models.current();
    for _ in 0..ATTEMPTS {
        let (old, tag) = seen.unzip();
        pointer.generation = old.as_ref().map_or(0, |old| old.generation) + 1;
        match bucket.swap(&key, json(&pointer)?, tag.as_ref()).await? {
            Swap::Swapped(_) => return Ok(Publication::Current { pointer, previous: old.map(|old| old.version) }),
            Swap::Conflict => seen = read_pointer(bucket, models).await?,
        }
        match &seen {
            Some((other, _)) if other.published_by == pointer.published_by => {
                return Ok(Publication::ByTheSameJob { pointer: other.clone() });
            }
            Some((other, _)) if other.version > pointer.version => {
                return Ok(Publication::Superseded { pointer: other.clone(), version: pointer.version });
            }
            Some(_) | None => {}
        }
    }
    Err(TrainerError::Contention { key, attempts: ATTEMPTS })
}

/// Uploads the files and the manifest under a version that nobody else uses; returns it with the manifest's hash.
async fn upload(
    bucket: &Bucket,
    models: &ModelKeys,
    files: &BTreeMap<String, Vec<u8>>,
    content_sha256: &str,
    now: Timestamp,
    current: Option<&ModelVersion>,
) -> Result<(ModelVersion, String), TrainerError> {
    // Versions sort in the order of publication even where the clocks of two sites differ.
    let mut at =
        current.and_then(ModelVersion::time).map_or(now, |current| now.max(current + SignedDuration::from_secs(1)));
    for _ in 0..ATTEMPTS {
        let version = ModelVersion::new(at, content_sha256)?;
        let manifest = json(&manifest_for(version.clone(), files))?;
        let manifest_sha256 = sha256_hex(&manifest);
        let mut ours = true;
        for (name, bytes) in files {
            ours = ours && create(bucket, &models.file(&version, name), bytes.clone().into()).await?;
        }
        if ours && create(bucket, &models.file(&version, MANIFEST_FILE), manifest).await? {
            return Ok((version, manifest_sha256));
        }
        at += SignedDuration::from_secs(1);
    }
    Err(TrainerError::Contention { key: models.prefix(), attempts: ATTEMPTS })
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
#[path = "publish_tests.rs"]
mod tests;
