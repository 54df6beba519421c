//! Which pipeline a command is about, and where what is known of it lies.

use clap::Args;
use thiserror::Error;
use vedette_contract::Name;
use vedette_contract::keys::{NamespaceKeys, PipelineKeys};
use vedette_streams::bucket::{Bucket, BucketError};

use super::near::{Nearest, listed};
use crate::place::{Opened, PlaceError, PlaceOptions};

/// Where the pipeline is told of, and which.
#[derive(Debug, Clone, Args)]
pub struct PipelineOptions {
    /// Where the bucket is.
    #[command(flatten)]
    pub place: PlaceOptions,

    /// Namespace of the pipeline
    #[arg(short = 'n', long, value_name = "NAME", default_value = "default")]
    pub namespace: Name,

    /// Name of the pipeline; may be left out where the namespace has one
    #[arg(long, value_name = "NAME")]
    pub pipeline: Option<Name>,
}

/// A pipeline in its bucket.
pub(super) struct Chosen {
    opened: Opened,
    pub(super) namespace: Name,
    pub(super) pipeline: Name,
    pub(super) keys: PipelineKeys,
}

/// Why there is no pipeline, or no such site of it.
#[derive(Debug, Error)]
pub enum PipelineError {
    /// The bucket could not be opened.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The bucket could not be read.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// Nothing is told of the namespace.
    #[error("namespace {namespace} has no pipelines; {}", namespaces(.known))]
    NoPipelines { namespace: Name, known: Vec<Name> },
    /// Nothing is told of the pipeline.
    #[error("namespace {namespace} has no pipeline {pipeline}; the nearest are {}", listed(.near))]
    Unknown { namespace: Name, pipeline: Name, near: Vec<String> },
    /// Which one is meant cannot be told.
    #[error("namespace {namespace} has several pipelines: say --pipeline, one of {}", listed(.known))]
    Several { namespace: Name, known: Vec<Name> },
    /// No such site has told anything.
    #[error("pipeline {pipeline} has no site {site}; {}", sites(.near))]
    NoSite { pipeline: Name, site: Name, near: Vec<String> },
}

impl PipelineError {
    /// Whether the bucket is away, so that all may be well later.
    pub(super) fn is_away(&self) -> bool {
        match self {
            Self::Bucket(error) => error.is_retriable(),
            Self::Place(_)
            | Self::NoPipelines { .. }
            | Self::Unknown { .. }
            | Self::Several { .. }
            | Self::NoSite { .. } => false,
        }
    }
}

fn namespaces(known: &[Name]) -> String {
    match known {
        [] => "no namespace of this bucket has any: look at --bucket-name, and --bucket-prefix".to_owned(),
        known => format!("namespaces that have are {}: say which with --namespace", listed(known)),
    }
}

fn sites(near: &[String]) -> String {
    if near.is_empty() { "none has told of it yet".to_owned() } else { format!("the nearest are {}", listed(near)) }
}

impl PipelineOptions {
    /// Opens the bucket and finds the pipeline.
    ///
    /// # Errors
    /// When there is no such pipeline, or which one is meant cannot be told.
    pub(super) async fn choose(&self) -> Result<Chosen, PipelineError> {
        let (opened, mut known) = self.find().await?;
        let namespace = self.namespace.clone();
        match (known.pop(), known.is_empty()) {
            (Some(pipeline), true) => {
                let keys = PipelineKeys::new(&namespace, &pipeline);
                Ok(Chosen { opened, namespace, pipeline, keys })
            }
            (last, _) => {
                known.extend(last);
                Err(PipelineError::Several { namespace, known })
            }
        }
    }

    /// Opens the bucket and finds the pipeline, or all of the namespace where none is named. There is at least one.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn find(&self) -> Result<(Opened, Vec<Name>), PipelineError> {
        let Self { place, namespace, pipeline } = self;
        let opened = place.open().await?;
        let known = pipelines(&opened.bucket, namespace).await?;
        let namespace = namespace.clone();
        match pipeline {
            _ if known.is_empty() => {
                let known = with_pipelines(&opened.bucket).await?;
                Err(PipelineError::NoPipelines { namespace, known })
            }
            None => Ok((opened, known)),
            Some(pipeline) if known.contains(pipeline) => Ok((opened, vec![pipeline.clone()])),
            Some(pipeline) => {
                Err(PipelineError::Unknown { namespace, pipeline: pipeline.clone(), near: near(pipeline, &known) })
            }
        }
    }
}

impl Chosen {
    pub(super) fn bucket(&self) -> &Bucket {
        &self.opened.bucket
    }

    /// That nothing was found of some sites may be for their names.
    ///
    /// # Errors
    /// When one of them has told nothing of the pipeline.
    pub(super) async fn check_sites(&self, sites: &[Name]) -> Result<(), PipelineError> {
        if sites.is_empty() {
            return Ok(());
        }
        let mut known = Vec::new();
        for prefix in [self.keys.sites_prefix(), self.keys.progress_prefix()] {
            let listed = self.bucket().list(&prefix, None).await?;
            known.extend(listed.iter().filter_map(|object| self.keys.site_of(&object.key)));
        }
        let unknown = sites.iter().find(|site| !known.contains(site)).cloned();
        unknown.map_or(Ok(()), |site| {
            Err(PipelineError::NoSite { pipeline: self.pipeline.clone(), near: near(&site, &known), site })
        })
    }
}

fn near(meant: &Name, known: &[Name]) -> Vec<String> {
    let mut nearest = Nearest::to(meant.as_str());
    known.iter().for_each(|name| nearest.meet(name.as_str()));
    nearest.names()
}

/// The pipelines of a namespace: beside them may lie what somebody else put there, such as tables.
pub(super) async fn pipelines(bucket: &Bucket, namespace: &Name) -> Result<Vec<Name>, BucketError> {
    let keys = NamespaceKeys::new(namespace);
    let mut found = Vec::new();
    for directory in bucket.list_directories(&keys.prefix()).await? {
        let Some(pipeline) = keys.pipeline_name_of(&directory) else { continue };
        let of_pipeline = PipelineKeys::new(namespace, &pipeline);
        if bucket.list_directories(&directory).await?.iter().any(|below| of_pipeline.is_own(below)) {
            found.push(pipeline);
        }
    }
    Ok(found)
}

async fn with_pipelines(bucket: &Bucket) -> Result<Vec<Name>, BucketError> {
    let mut found = Vec::new();
    for directory in bucket.list_directories("").await? {
        let Some(namespace) = NamespaceKeys::namespace_of(&directory) else { continue };
        if !pipelines(bucket, &namespace).await?.is_empty() {
            found.push(namespace);
        }
    }
    Ok(found)
}
