//! What the bucket says, as the values that the state machines take.

use std::collections::BTreeMap;

use vedette_contract::archive::Stream;
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_contract::model::{CurrentPointer, MANIFEST_FILE, ModelManifest, SCHEMA};
use vedette_contract::progress::Progress;
use vedette_contract::{ModelVersion, Name};
use vedette_operator::roll::{Artifact, Pointer};
use vedette_streams::bucket::{Bucket, BucketError};

/// The pointer, with the hash of its version's manifest.
pub async fn pointer(bucket: &Bucket, keys: &ModelKeys) -> (Pointer, Option<CurrentPointer>) {
    match bucket.get(&keys.current()).await {
        Ok(None) => (Pointer::Absent, None),
        Err(error) => (Pointer::Unreadable(vedette_service::error_chain(&error)), None),
        Ok(Some(object)) => match serde_json::from_slice::<CurrentPointer>(&object.bytes) {
            Ok(current) => {
                let pointer = Pointer::Current { version: current.version.clone(), generation: current.generation };
                (pointer, Some(current))
            }
            Err(error) => {
                let message = format!("{} cannot be read as a pointer: {error}; publish again", keys.current());
                (Pointer::Unreadable(message), None)
            }
        },
    }
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
        .unwrap_or_else(|error| Artifact::Unreadable(vedette_service::error_chain(&error)))
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
    let sha256 = vedette_forest::artifact::sha256_hex(&object.bytes);
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
    let counted = progress.iter().filter(|(site, _, progress)| {
        progress.stream == Stream::EnrichedData && (sites.is_empty() || sites.iter().any(|name| name.as_str() == site))
    });
    Ok(counted.map(|(_, _, progress)| progress.records).sum())
}

/// How far each partition is archived by this site: object name of the progress to its end and the time it was written.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn archived_ends(
    bucket: &Bucket,
    keys: &PipelineKeys,
    site: &Name,
) -> Result<BTreeMap<String, (i64, jiff::Timestamp)>, BucketError> {
    let progress = read_progress(bucket, keys).await?;
    let own = progress.into_iter().filter(|(of, _, _)| of == site.as_str());
    Ok(own.map(|(_, name, progress)| (name, (progress.end, progress.updated_at))).collect())
}

/// Site, `<topic>-<partition>` and progress of every partition.
async fn read_progress(bucket: &Bucket, keys: &PipelineKeys) -> Result<Vec<(String, String, Progress)>, BucketError> {
    let prefix = keys.progress_prefix();
    let mut all = Vec::new();
    for object in bucket.list(&prefix, None).await? {
        let Some((site, name)) = object
            .key
            .strip_prefix(&prefix)
            .and_then(|rest| rest.strip_suffix(".json"))
            .and_then(|rest| rest.split_once('/'))
        else {
            continue;
        };
        let Some(content) = bucket.get(&object.key).await? else {
            continue;
        };
        match serde_json::from_slice::<Progress>(&content.bytes) {
            Ok(progress) => all.push((site.to_owned(), name.to_owned(), progress)),
            Err(error) => tracing::warn!(key = object.key, %error, "a progress object cannot be read"),
        }
    }
    Ok(all)
}
