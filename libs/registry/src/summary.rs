//! The versions of a training in a few figures each, as people look at them. Nothing here reads.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vedette_contract::gate::GateReport;
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{CurrentPointer, EarlierPointer, Metrics, ModelMetadata};
use vedette_contract::progress::SiteStatus;
use vedette_contract::{ModelVersion, Name};

use crate::states::State;

/// A training and its versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// Its namespace.
    pub namespace: Name,
    /// Its name.
    pub training: Name,
    /// Of the current pointer; none where nothing is current.
    pub generation: Option<u64>,
    /// The newest first.
    pub versions: Vec<Summary>,
}

/// A version in a few figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Which.
    pub version: ModelVersion,
    /// What it is among the others.
    pub state: State,
    /// When it was trained.
    pub trained_at: Timestamp,
    /// The Job that did it.
    pub trained_by: String,
    /// Where.
    pub trained_at_site: Name,
    /// Who made it current last; none where the pointer knows of no one.
    pub published_by: Option<String>,
    /// When.
    pub published_at: Option<Timestamp>,
    /// Why, where somebody said so.
    pub comment: Option<String>,
    /// Its learner.
    pub algorithm: Algorithm,
    /// Records that were read for it.
    pub records: u64,
    /// How good it was on its holdout.
    pub quality: Metrics,
    /// What the gate made of it.
    pub gate: GateReport,
    /// Whose detectors run it.
    pub used_by: Vec<Follower>,
    /// Where detectors could not run it.
    pub rejected_by: Vec<Follower>,
}

/// A pipeline at a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follower {
    /// The pipeline.
    pub pipeline: Name,
    /// The site.
    pub site: Name,
}

/// What stands of a version in its own metadata: all else is said by the pointer and by the sites.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    at: Timestamp,
    by: String,
    at_site: Name,
    algorithm: Algorithm,
    records: u64,
    quality: Metrics,
    gate: GateReport,
}

impl From<&ModelMetadata> for Trained {
    fn from(metadata: &ModelMetadata) -> Self {
        Self {
            at: metadata.trained_at,
            by: metadata.trained_by.clone(),
            at_site: metadata.trained_at_site.clone(),
            algorithm: metadata.algorithm,
            records: metadata.records,
            quality: metadata.metrics.clone(),
            gate: metadata.gate.clone(),
        }
    }
}

impl Summary {
    /// That of a version, by the pointer and by what the sites tell whose pipelines follow its training.
    pub fn of(
        version: &ModelVersion,
        trained: Trained,
        pointer: Option<&CurrentPointer>,
        followers: &[(Name, SiteStatus)],
    ) -> Self {
        let told = |tells: &dyn Fn(&SiteStatus) -> bool| -> Vec<Follower> {
            let told = followers.iter().filter(|(_, status)| tells(status));
            told.map(|(pipeline, status)| Follower { pipeline: pipeline.clone(), site: status.site.clone() }).collect()
        };
        let Trained { at, by, at_site, algorithm, records, quality, gate } = trained;
        let rejected_by = told(&|status| status.rejected.contains(version));
        let published = pointer.and_then(|pointer| published(pointer, version));
        Self {
            version: version.clone(),
            state: State::of(version, &gate, pointer, !rejected_by.is_empty()),
            trained_at: at,
            trained_by: by,
            trained_at_site: at_site,
            published_by: published.as_ref().map(|entry| entry.published_by.clone()),
            published_at: published.as_ref().map(|entry| entry.published_at),
            comment: published.and_then(|entry| entry.comment),
            algorithm,
            records,
            quality,
            gate,
            used_by: told(&|status| !status.deleted && status.model_version.as_ref() == Some(version)),
            rejected_by,
        }
    }
}

/// When a version was made current last, by whom, and why.
fn published(pointer: &CurrentPointer, version: &ModelVersion) -> Option<EarlierPointer> {
    pointer.so_far().into_iter().find(|entry| entry.version == *version)
}

impl fmt::Display for Follower {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at {}", self.pipeline, self.site)
    }
}
