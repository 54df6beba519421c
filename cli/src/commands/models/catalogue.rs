//! All versions of a training with what is known of each, as the commands show them.

use std::collections::BTreeMap;

use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{CurrentPointer, ModelMetadata};
use vedette_contract::progress::SiteStatus;
use vedette_contract::{ModelVersion, Name};
use vedette_registry::summary::{Follower, Summary};
use vedette_registry::{pointer, sites, versions};
use vedette_streams::bucket::{Bucket, BucketError, ObjectSummary};

use super::training::{Chosen, TrainingError, WhichVersion};

/// What the bucket has of a training.
pub(super) struct Catalogue {
    pub(super) pointer: Option<CurrentPointer>,
    pub(super) versions: BTreeMap<ModelVersion, ModelMetadata>,
    /// What the sites say whose pipelines follow it, by pipeline.
    pub(super) followers: Vec<(Name, SiteStatus)>,
    /// The objects of the versions before they were read, where somebody reads them again.
    listed: Option<Vec<ObjectSummary>>,
}

impl Catalogue {
    pub(super) async fn read(chosen: &Chosen) -> Result<Self, TrainingError> {
        Self::read_again(chosen, None).await
    }

    /// The same where it was read before: a version never changes, so that they are read again only where others are listed.
    pub(super) async fn read_again(chosen: &Chosen, before: Option<Self>) -> Result<Self, TrainingError> {
        let (bucket, keys) = (chosen.bucket(), &chosen.keys);
        let pointer = pointer::load(bucket, keys).await?.map(|stored| stored.pointer);
        let listed = if before.is_some() { Some(objects(bucket, keys).await?) } else { None };
        let versions = match before.filter(|before| before.listed == listed) {
            Some(before) => before.versions,
            None => versions::list(bucket, keys).await?.into_iter().collect(),
        };
        let followers = sites::followers(bucket, &chosen.namespace, &chosen.training).await?;
        Ok(Self { pointer, versions, followers, listed })
    }

    /// A version that is there, with what it was made of.
    pub(super) fn find(
        &self,
        chosen: &Chosen,
        which: &WhichVersion,
    ) -> Result<(ModelVersion, &ModelMetadata), TrainingError> {
        let version = chosen.version(which, self.pointer.as_ref(), self.versions.keys().cloned())?;
        let metadata = &self.versions[&version];
        Ok((version, metadata))
    }

    pub(super) fn summary(&self, version: &ModelVersion, metadata: &ModelMetadata) -> Summary {
        Summary::of(version, metadata.into(), self.pointer.as_ref(), &self.followers)
    }
}

/// Those of the versions of a training: beside them are what changes, and what has ended.
async fn objects(bucket: &Bucket, keys: &ModelKeys) -> Result<Vec<ObjectSummary>, BucketError> {
    let all = bucket.list(&keys.prefix(), None).await?;
    Ok(all.into_iter().filter(|object| keys.version_of(&object.key).is_some()).collect())
}

/// Several of them, or that there is none.
pub(super) fn followers(of: &[Follower]) -> String {
    match of {
        [] => "none".to_owned(),
        of => of.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
