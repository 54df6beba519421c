//! Deletes old versions, so that a training on a schedule does not fill the bucket. Never the current one, the previous
//! one, or one that a site said in the last seven days that it uses; where a site cannot be understood, nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use vedette_contract::keys::{ModelKeys, NamespaceKeys};
use vedette_contract::model::MANIFEST_FILE;
use vedette_contract::{ModelVersion, Name};
use vedette_streams::bucket::{Bucket, BucketError};

use crate::{RegistryError, sites};

/// A site that wrote nothing for so long protects nothing.
const SITE_SILENCE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A version without a manifest may be on its way for so long.
const UPLOAD: SignedDuration = SignedDuration::from_hours(24);

/// Which versions stay.
#[derive(Debug, Clone)]
pub struct Retention<'a> {
    /// How many versions stay, the current one included.
    pub keep: u32,
    /// The current version; newer ones are somebody else's who is publishing right now.
    pub current: &'a ModelVersion,
    /// The version before.
    pub previous: Option<&'a ModelVersion>,
    /// Now.
    pub now: Timestamp,
}

/// Deletes what need not stay; returns the versions that are gone.
pub async fn prune(
    bucket: &Bucket,
    namespace: &Name,
    training: &Name,
    retention: &Retention<'_>,
) -> Result<Vec<ModelVersion>, RegistryError> {
    let keys = ModelKeys::new(namespace, training);
    let versions = objects_by_version(bucket, &keys).await?;
    let whole = |(version, objects): (&ModelVersion, &Vec<String>)| {
        (version.clone(), objects.contains(&keys.file(version, MANIFEST_FILE)))
    };
    let candidates = superfluous(&versions.iter().map(whole).collect(), retention);
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let used = used_by_sites(bucket, namespace, training, retention.now).await?;
    let deleted: Vec<_> = candidates.into_iter().filter(|version| !used.contains(version)).collect();
    for version in &deleted {
        delete(bucket, &keys.file(version, MANIFEST_FILE), &versions[version]).await?;
    }
    Ok(deleted)
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

/// Versions that need not stay unless a site uses them, by whether they have a manifest.
fn superfluous(versions: &BTreeMap<ModelVersion, bool>, retention: &Retention<'_>) -> Vec<ModelVersion> {
    let Retention { keep, current, previous, now } = retention;
    let older = || versions.iter().filter(|(version, _)| version < current && Some(*version) != *previous);
    let whole = older().filter(|(_, whole)| **whole).map(|(version, _)| version);
    let previous_stays = previous.is_some_and(|previous| versions.contains_key(previous) && previous < current);
    let stay = (*keep as usize).saturating_sub(1 + usize::from(previous_stays));
    let abandoned = older()
        .filter(|(version, whole)| !**whole && version.time().is_some_and(|time| now.duration_since(time) > UPLOAD));
    whole.rev().skip(stay).chain(abandoned.map(|(version, _)| version)).cloned().collect()
}

async fn used_by_sites(
    bucket: &Bucket,
    namespace: &Name,
    training: &Name,
    now: Timestamp,
) -> Result<BTreeSet<ModelVersion>, RegistryError> {
    let keys = NamespaceKeys::new(namespace);
    let mut used = BTreeSet::new();
    for directory in bucket.list_directories(&keys.prefix()).await? {
        let Some(pipeline) = keys.pipeline_of(&directory) else {
            continue;
        };
        for status in sites::load_all(bucket, &pipeline).await? {
            let follows = status.training.is_none_or(|followed| followed == *training);
            if follows && now.duration_since(status.updated_at) <= SITE_SILENCE {
                used.extend(status.model_version);
            }
        }
    }
    Ok(used)
}

#[cfg(test)]
mod tests {
    use vedette_contract::keys::PipelineKeys;

    use super::*;
    use crate::testing::models;
    use vedette_testing::TestBucket;

    fn version(day: u8) -> ModelVersion {
        format!("202611{day:02}T000000Z-00000000").parse().unwrap()
    }

    fn superfluous_days(versions: &[(u8, bool)], keep: u32, current: u8, previous: Option<u8>) -> Vec<ModelVersion> {
        let versions = versions.iter().map(|(day, whole)| (version(*day), *whole)).collect();
        let (current, previous) = (version(current), previous.map(version));
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        superfluous(&versions, &Retention { keep, current: &current, previous: previous.as_ref(), now })
    }

    #[tokio::test]
    async fn nothing_is_deleted_while_a_site_cannot_be_understood() {
        let served = TestBucket::serve().await;
        let name = |text: &str| text.parse::<Name>().unwrap();
        let site = PipelineKeys::new(&name("team"), &name("flows")).site(&name("east"));
        served.put(&site, "{half").await;
        let objects = [1, 2, 3].map(|day| models().file(&version(day), MANIFEST_FILE));
        for key in &objects {
            served.put(key, "{}").await;
        }
        let (current, now) = (version(3), "2026-11-20T12:00:00Z".parse().unwrap());
        let retention = Retention { keep: 1, current: &current, previous: None, now };
        let prune = async || prune(&served.bucket, &name("team"), &name("daily"), &retention).await;
        let left = async || {
            let listed = served.bucket.list(&models().prefix(), None).await.unwrap();
            listed.into_iter().map(|object| object.key).collect::<Vec<_>>()
        };
        assert_eq!(prune().await.unwrap_err().reason(), "ObjectUnreadable");
        assert_eq!(left().await, objects);
        served.bucket.delete(&site).await.unwrap();
        assert_eq!(prune().await.unwrap(), [version(2), version(1)]);
        assert_eq!(left().await, objects[2..]);
    }

    #[test]
    fn the_newest_stay_and_the_current_one_counts() {
        let versions = [(1, true), (2, true), (3, true), (4, true)];
        assert_eq!(superfluous_days(&versions, 2, 4, Some(3)), [version(2), version(1)]);
        assert_eq!(superfluous_days(&versions, 3, 4, Some(3)), [version(1)]);
        assert_eq!(superfluous_days(&versions, 9, 4, Some(3)), []);
    }

    #[test]
    fn the_previous_version_stays_whatever_is_to_be_kept_and_wherever_it_stands() {
        let versions = [(1, true), (2, true), (3, true), (4, true)];
        assert_eq!(superfluous_days(&versions, 1, 4, Some(1)), [version(3), version(2)]);
        assert_eq!(superfluous_days(&versions, 0, 4, None), [version(3), version(2), version(1)]);
    }

    #[test]
    fn what_is_newer_or_on_its_way_stays_and_what_was_abandoned_goes() {
        let versions = [(10, false), (18, true), (19, true), (20, false), (21, true), (22, false)];
        assert_eq!(superfluous_days(&versions, 2, 20, Some(19)), [version(18), version(10)]);
        assert_eq!(superfluous_days(&versions, 2, 21, Some(19)), [version(18), version(10)]);
    }
}
