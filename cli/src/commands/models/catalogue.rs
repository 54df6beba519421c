//! All versions of a training with what is known of each, as the commands show them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use vedette_contract::gate::GateReport;
use vedette_contract::keys::ModelKeys;
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{CurrentPointer, EarlierPointer, Metrics, ModelMetadata};
use vedette_contract::progress::SiteStatus;
use vedette_contract::{ModelVersion, Name};
use vedette_registry::states::State;
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

/// A version in a few figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Summary {
    pub(super) version: ModelVersion,
    pub(super) state: State,
    pub(super) trained_at: Timestamp,
    pub(super) trained_by: String,
    pub(super) trained_at_site: Name,
    /// Who made it current last; none where the pointer knows of no one.
    pub(super) published_by: Option<String>,
    pub(super) published_at: Option<Timestamp>,
    /// Why, where somebody said so.
    pub(super) comment: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) records: u64,
    pub(super) quality: Metrics,
    pub(super) gate: GateReport,
    pub(super) used_by: Vec<Follower>,
    /// Where detectors could not run it.
    pub(super) rejected_by: Vec<Follower>,
}

/// A pipeline at a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Follower {
    pub(super) pipeline: Name,
    pub(super) site: Name,
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
        let pointer = self.pointer.as_ref();
        let told = |tells: &dyn Fn(&SiteStatus) -> bool| -> Vec<Follower> {
            let told = self.followers.iter().filter(|(_, status)| tells(status));
            told.map(|(pipeline, status)| Follower { pipeline: pipeline.clone(), site: status.site.clone() }).collect()
        };
        let rejected_by = told(&|status| status.rejected.contains(version));
        let published = pointer.and_then(|pointer| published(pointer, version));
        Summary {
            version: version.clone(),
            state: State::of(version, &metadata.gate, pointer, !rejected_by.is_empty()),
            trained_at: metadata.trained_at,
            trained_by: metadata.trained_by.clone(),
            trained_at_site: metadata.trained_at_site.clone(),
            published_by: published.as_ref().map(|entry| entry.published_by.clone()),
            published_at: published.as_ref().map(|entry| entry.published_at),
            comment: published.and_then(|entry| entry.comment),
            algorithm: metadata.algorithm,
            records: metadata.records,
            quality: metadata.metrics.clone(),
            gate: metadata.gate.clone(),
            used_by: told(&|status| status.model_version.as_ref() == Some(version)),
            rejected_by,
        }
    }
}

/// Those of the versions of a training: beside them are what changes, and what has ended.
async fn objects(bucket: &Bucket, keys: &ModelKeys) -> Result<Vec<ObjectSummary>, BucketError> {
    let all = bucket.list(&keys.prefix(), None).await?;
    Ok(all.into_iter().filter(|object| keys.version_of(&object.key).is_some()).collect())
}

/// When a version was made current last, by whom, and why.
fn published(pointer: &CurrentPointer, version: &ModelVersion) -> Option<EarlierPointer> {
    pointer.so_far().into_iter().find(|entry| entry.version == *version)
}

impl std::fmt::Display for Follower {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} at {}", self.pipeline, self.site)
    }
}

/// Several of them, or that there is none.
pub(super) fn followers(of: &[Follower]) -> String {
    match of {
        [] => "none".to_owned(),
        of => of.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
