//! Deletes old versions, so that a training on a schedule does not fill the bucket. Never the current one, the previous
//! one, or one that a site said in the last seven days that it uses; where a site cannot be understood, nothing. Candidates are
//! counted apart: a gate that refuses again and again pushes out nothing that was good enough.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{CurrentPointer, MANIFEST_FILE};
use vedette_contract::{ModelVersion, Name};
use vedette_streams::bucket::{Bucket, BucketError};

use crate::states::is_candidate;
use crate::{RegistryError, pointer, sites, versions};

/// A site that wrote nothing for so long protects nothing.
const SITE_SILENCE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A version without a manifest may be on its way for so long.
const UPLOAD: SignedDuration = SignedDuration::from_hours(24);

/// Which versions stay.
#[derive(Debug, Clone, Copy)]
pub struct Retention<'a> {
    /// How many versions stay, the current one included; and how many candidates.
    pub keep: u32,
    /// Now.
    pub now: Timestamp,
    /// The candidate that was made just now: its second alone does not say that it is the newest.
    pub made: Option<&'a ModelVersion>,
}

/// What of a version there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum VersionState {
    /// It has no manifest: it is on its way, or was abandoned there.
    Partial,
    /// It is or was current, or would be had another not been faster.
    Whole,
    /// The gate refused it, and nobody has promoted it.
    Candidate,
}

/// Deletes what need not stay; returns the versions that are gone.
pub async fn prune(
    bucket: &Bucket,
    namespace: &Name,
    training: &Name,
    retention: Retention<'_>,
) -> Result<Vec<ModelVersion>, RegistryError> {
    let keys = ModelKeys::new(namespace, training);
    let pointer = pointer::load(bucket, &keys).await?.map(|stored| stored.pointer);
    let objects = objects_by_version(bucket, &keys).await?;
    let mut states = BTreeMap::new();
    for (version, of_version) in &objects {
        states.insert(version.clone(), state(bucket, &keys, version, of_version, pointer.as_ref()).await?);
    }
    let superfluous = superfluous(&states, pointer.as_ref(), retention);
    if superfluous.is_empty() {
        return Ok(Vec::new());
    }
    let used = used_by_sites(bucket, namespace, training, retention.now).await?;
    // Whoever promoted one meanwhile needs it; the next training deletes the rest.
    if pointer::load(bucket, &keys).await?.map(|stored| stored.pointer) != pointer {
        return Ok(Vec::new());
    }
    let deleted: Vec<_> = superfluous.into_iter().filter(|version| !used.contains(version)).collect();
    for version in &deleted {
        delete(bucket, &keys.file(version, MANIFEST_FILE), &objects[version]).await?;
    }
    Ok(deleted)
}

async fn state(
    bucket: &Bucket,
    keys: &ModelKeys,
    version: &ModelVersion,
    objects: &[String],
    pointer: Option<&CurrentPointer>,
) -> Result<VersionState, BucketError> {
    if !objects.contains(&keys.file(version, MANIFEST_FILE)) {
        return Ok(VersionState::Partial);
    }
    let gate = match versions::gate(bucket, keys, version).await {
        Ok(gate) => gate.unwrap_or_default(),
        Err(RegistryError::Bucket(error)) => return Err(error),
        // What cannot be read may have been good.
        Err(_) => return Ok(VersionState::Whole),
    };
    Ok(if is_candidate(version, &gate, pointer) { VersionState::Candidate } else { VersionState::Whole })
}

async fn objects_by_version(
    bucket: &Bucket,
    keys: &ModelKeys,
) -> Result<BTreeMap<ModelVersion, Vec<String>>, BucketError> {
    let mut versions: BTreeMap<ModelVersion, Vec<String>> = BTreeMap::new();
    for object in bucket.list(&keys.prefix(), None).await? {
        if let Some(version) = keys.version_of(&object.key) {
            versions.entry(version).or_default().push(object.key);
        }
    }
    Ok(versions)
}

/// The manifest goes first: where one is, the version is whole.
async fn delete(bucket: &Bucket, manifest: &str, objects: &[String]) -> Result<(), BucketError> {
    bucket.delete(manifest).await?;
    for key in objects.iter().filter(|key| *key != manifest) {
        bucket.delete(key).await?;
    }
    Ok(())
}

/// Versions that need not stay unless a site uses them.
fn superfluous(
    versions: &BTreeMap<ModelVersion, VersionState>,
    pointer: Option<&CurrentPointer>,
    Retention { keep, now, made }: Retention<'_>,
) -> Vec<ModelVersion> {
    let previous = pointer.and_then(CurrentPointer::previous);
    // Newer ones are somebody else's who is publishing right now.
    let is_older = |version: &&ModelVersion| {
        pointer.is_some_and(|pointer| **version < pointer.version) && Some(*version) != previous
    };
    let all_of = |wanted| versions.iter().filter(move |(_, found)| **found == wanted).map(|(version, _)| version);
    let previous_stays = previous
        .filter(|previous| versions.contains_key(*previous))
        .is_some_and(|previous| pointer.is_some_and(|pointer| *previous < pointer.version));
    let stay = (keep as usize).saturating_sub(1 + usize::from(previous_stays));
    let whole = all_of(VersionState::Whole).filter(is_older).rev().skip(stay);
    let is_abandoned = |version: &&ModelVersion| version.time().is_some_and(|time| now.duration_since(time) > UPLOAD);
    let abandoned = all_of(VersionState::Partial).filter(is_older).filter(is_abandoned);
    let is_before = |candidate: &&ModelVersion| Some(*candidate) != made;
    let candidates_stay = (keep as usize).saturating_sub(usize::from(made.is_some()));
    let candidates = all_of(VersionState::Candidate).filter(is_before).rev().skip(candidates_stay);
    whole.chain(abandoned).chain(candidates).cloned().collect()
}

async fn used_by_sites(
    bucket: &Bucket,
    namespace: &Name,
    training: &Name,
    now: Timestamp,
) -> Result<BTreeSet<ModelVersion>, RegistryError> {
    let followers = sites::followers(bucket, namespace, training).await?.into_iter();
    let told = followers.filter(|(_, status)| now.duration_since(status.updated_at) <= SITE_SILENCE);
    Ok(told.filter_map(|(_, status)| status.model_version).collect())
}

#[cfg(test)]
mod tests;
