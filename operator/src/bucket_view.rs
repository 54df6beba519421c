//! What the bucket says, as the values that the state machines take. It only reads.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use vedette_contract::archive::Stream;
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_contract::model::{
    CurrentPointer, MANIFEST_FILE, METADATA_FILE, ModelManifest, ModelMetadata, SCHEMA, TrainingResult,
};
use vedette_contract::progress::{Progress, ProgressKey};
use vedette_contract::{ModelVersion, Name, TopicName};
use vedette_service::error_chain;
use vedette_streams::bucket::{Bucket, BucketError};

use vedette_core::roll::{self, Artifact, Pointer, RollState, VersionPolicy};
use vedette_core::schedule::Run;

/// What the bucket says of a training's current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointerView {
    /// For the state machine.
    pub pointer: Pointer,
    /// The pointer as it stands there, where it could be read.
    pub current: Option<CurrentPointer>,
    /// What is wrong with the bucket itself, in one word.
    pub trouble: Option<&'static str>,
}

impl PointerView {
    /// The view of a pipeline that follows no training.
    pub fn not_followed() -> Self {
        Self { pointer: Pointer::NotFollowed, current: None, trouble: None }
    }
}

/// Reads the pointer.
pub async fn pointer(bucket: &Bucket, keys: &ModelKeys) -> PointerView {
    let unreadable =
        |message: String, trouble| PointerView { pointer: Pointer::Unreadable(message), current: None, trouble };
    match bucket.get(&keys.current()).await {
        Ok(None) => PointerView { pointer: Pointer::Absent, current: None, trouble: None },
        Err(error) => unreadable(error_chain(&error), Some(error.reason())),
        Ok(Some(object)) => match serde_json::from_slice::<CurrentPointer>(&object.bytes) {
            Ok(current) => {
                let pointer = Pointer::Current { version: current.version.clone(), generation: current.generation };
                PointerView { pointer, current: Some(current), trouble: None }
            }
            Err(error) => {
                let message = format!("{} cannot be read as a pointer: {error}; publish again", keys.current());
                unreadable(message, None)
            }
        },
    }
}

/// The artifact that a step of the roll has to look at; none where no version is wanted, or the wanted one runs already:
/// it was looked at before, and its files never change.
pub async fn artifact_of_wanted(
    bucket: &Bucket,
    keys: &ModelKeys,
    state: &RollState,
    policy: &VersionPolicy,
    view: &PointerView,
) -> Option<Artifact> {
    let version = roll::wanted(state, policy, &view.pointer)?;
    if state.template_version() == Some(&version) {
        return None;
    }
    let expected = view.current.as_ref().filter(|current| current.version == version);
    Some(artifact(bucket, keys, &version, expected.map(|current| current.manifest_sha256.as_str())).await)
}

/// The run that published the current version, so that a training that is new here does not learn the same records again.
///
/// # Errors
/// When the bucket cannot be read, or holds something else there.
pub async fn last_published(bucket: &Bucket, keys: &ModelKeys) -> Result<Option<Run>, String> {
    let chain = |error: BucketError| error_chain(&error);
    let PointerView { pointer, current, trouble: _ } = pointer(bucket, keys).await;
    if let Pointer::Unreadable(message) = pointer {
        return Err(message);
    }
    let Some(pointer) = current else {
        return Ok(None);
    };
    let Some(metadata) = bucket.get(&keys.file(&pointer.version, METADATA_FILE)).await.map_err(chain)? else {
        return Ok(None);
    };
    let metadata: ModelMetadata = serde_json::from_slice(&metadata.bytes).map_err(|error| error.to_string())?;
    Ok(Some(Run {
        job: metadata.trained_by,
        started_at: metadata.trained_at,
        finished_at: Some(metadata.trained_at),
        records: metadata.records,
    }))
}

/// Whether all files of a version are there and the manifest is the one that the pointer means.
pub async fn artifact(
    bucket: &Bucket,
    keys: &ModelKeys,
    version: &ModelVersion,
    expected_sha256: Option<&str>,
) -> Artifact {
    look_at(bucket, keys, version, expected_sha256)
        .await
        .unwrap_or_else(|error| Artifact::Unreadable(error_chain(&error)))
}

async fn look_at(
    bucket: &Bucket,
    keys: &ModelKeys,
    version: &ModelVersion,
    expected_sha256: Option<&str>,
) -> Result<Artifact, BucketError> {
    let Some(object) = bucket.get(&keys.file(version, MANIFEST_FILE)).await? else {
        return Ok(Artifact::Replicating);
    };
    let sha256 = hex::encode(Sha256::digest(&object.bytes));
    if expected_sha256.is_some_and(|expected| expected != sha256) {
        return Ok(Artifact::Damaged("the manifest's hash is not the one in the pointer".to_owned()));
    }
    let manifest: ModelManifest = match serde_json::from_slice(&object.bytes) {
        Ok(manifest) => manifest,
        Err(error) => return Ok(Artifact::Damaged(format!("the manifest cannot be read: {error}"))),
    };
    if manifest.schema > SCHEMA || manifest.version != *version {
        let what = format!("the manifest has schema {} and version {}", manifest.schema, manifest.version);
        return Ok(Artifact::Damaged(what));
    }
    for (file, hash) in &manifest.files {
        match bucket.head(&keys.file(version, file)).await? {
            None => return Ok(Artifact::Replicating),
            Some(head) if head.length != hash.bytes => {
                return Ok(Artifact::Damaged(format!("{file} has {} bytes instead of {}", head.length, hash.bytes)));
            }
            Some(_) => {}
        }
    }
    Ok(Artifact::Complete)
}

/// Enriched records in the archive, of these sites or of all.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn archived_records(bucket: &Bucket, keys: &PipelineKeys, sites: &[Name]) -> Result<u64, BucketError> {
    let progress = read_progress(bucket, keys).await?;
    let counted = progress.iter().filter(|(key, progress)| {
        progress.stream == Stream::EnrichedData && (sites.is_empty() || sites.contains(&key.site))
    });
    Ok(counted.map(|(_, progress)| progress.records).sum())
}

/// How far each partition is archived by this site: its end, and the time when that was written.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn archived_ends(
    bucket: &Bucket,
    keys: &PipelineKeys,
    site: &Name,
) -> Result<BTreeMap<(TopicName, i32), (i64, jiff::Timestamp)>, BucketError> {
    let progress = read_progress(bucket, keys).await?;
    let own = progress.into_iter().filter(|(key, _)| key.site == *site);
    Ok(own.map(|(key, progress)| ((key.topic, key.partition), (progress.end, progress.updated_at))).collect())
}

/// What a run left in the bucket.
#[derive(Debug, Clone, PartialEq)]
pub enum ResultView {
    /// Nothing yet.
    Absent,
    /// Something that is no result.
    Damaged(String),
    /// How it ended.
    Found(Box<TrainingResult>),
}

/// How a run ended, by its own word.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn training_result(bucket: &Bucket, keys: &ModelKeys, job: &str) -> Result<ResultView, BucketError> {
    let key = keys.result(job);
    let Some(object) = bucket.get(&key).await? else {
        return Ok(ResultView::Absent);
    };
    Ok(match serde_json::from_slice(&object.bytes) {
        Ok(result) => ResultView::Found(Box::new(result)),
        Err(error) => ResultView::Damaged(format!("{key} cannot be read as a result: {error}")),
    })
}

async fn read_progress(bucket: &Bucket, keys: &PipelineKeys) -> Result<Vec<(ProgressKey, Progress)>, BucketError> {
    let mut all = Vec::new();
    for object in bucket.list(&keys.progress_prefix(), None).await? {
        let Some(partition) = keys.progress_of(&object.key) else {
            continue;
        };
        let Some(content) = bucket.get(&object.key).await? else {
            continue;
        };
        match serde_json::from_slice::<Progress>(&content.bytes) {
            Ok(progress) => all.push((partition, progress)),
            Err(error) => tracing::warn!(key = object.key, %error, "a progress object cannot be read"),
        }
    }
    Ok(all)
}
