//! Which pipeline a command is about, and where what is known of it lies.

use std::collections::BTreeSet;
use std::time::Instant;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use thiserror::Error;
use vedette_contract::Name;
use vedette_contract::keys::{NamespaceKeys, PipelineKeys};
use vedette_registry::standing::Standing;
use vedette_streams::bucket::{Bucket, BucketError};

use super::near::{Nearest, listed, nearest_listed};
use crate::console::{Console, ConsoleError};
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

/// A pipeline as a console shows it.
pub(super) struct Shown {
    pub(super) console: Console,
    pub(super) namespace: Name,
    pub(super) pipeline: Name,
    /// Those that tell of it.
    sites: Vec<Name>,
    /// When it told, by the clock of its bucket and by how long ago that is.
    told: (Timestamp, Instant),
}

/// What a console shows of pipelines.
#[derive(Debug, Deserialize)]
pub(super) struct Overview {
    now_utc: Timestamp,
    bucket: Source,
    /// By pipeline and site.
    pub(super) sites: Vec<OverviewSite>,
}

#[derive(Debug, Deserialize)]
struct Source {
    trouble: Option<String>,
}

/// A pipeline at a site.
#[derive(Debug, Deserialize)]
pub(super) struct OverviewSite {
    pub(super) namespace: Name,
    pub(super) pipeline: Name,
    pub(super) site: Name,
    #[serde(flatten)]
    pub(super) standing: Standing,
}

impl Overview {
    /// What is wrong with it.
    pub(super) fn notes(&self) -> Vec<String> {
        let away =
            |why: &String| format!("the console cannot read the bucket now, and tells what it read before: {why}");
        self.bucket.trouble.iter().map(away).collect()
    }
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
    /// The console does not tell.
    #[error(transparent)]
    Console(#[from] ConsoleError),
    /// Nothing is told of the namespace.
    #[error("namespace {namespace} has no pipelines; {}", namespaces(.namespace, .known))]
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
            Self::Console(error) => error.is_away(),
            Self::Place(_)
            | Self::NoPipelines { .. }
            | Self::Unknown { .. }
            | Self::Several { .. }
            | Self::NoSite { .. } => false,
        }
    }
}

/// Those that have some, beside the one that is meant.
pub(super) fn namespaces(meant: &Name, known: &[Name]) -> String {
    match known {
        [] => {
            "no namespace here has any: look at --bucket-name and --bucket-prefix, or at the namespaces of the console"
                .to_owned()
        }
        known => format!("namespaces that have are {}: say which with --namespace", nearest_listed(meant, known)),
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
        let (opened, found) = self.find().await?;
        let (namespace, pipeline) = (self.namespace.clone(), only(&self.namespace, found)?);
        let keys = PipelineKeys::new(&namespace, &pipeline);
        Ok(Chosen { opened, namespace, pipeline, keys })
    }

    /// Finds the pipeline among those that a console shows; none where no console is to be asked.
    ///
    /// # Errors
    /// When it does not answer or shows no such pipeline, or which one is meant cannot be told.
    pub(super) async fn shown(&self) -> Result<Option<Shown>, PipelineError> {
        let Some(console) = self.place.console()? else { return Ok(None) };
        let Overview { now_utc, sites, .. } = self.overview(&console).await?;
        let found: BTreeSet<&Name> = sites.iter().map(|site| &site.pipeline).collect();
        let (namespace, pipeline) =
            (self.namespace.clone(), only(&self.namespace, found.into_iter().cloned().collect())?);
        let sites = sites.into_iter().map(|site| site.site).collect();
        Ok(Some(Shown { console, namespace, pipeline, sites, told: (now_utc, Instant::now()) }))
    }

    /// What a console shows of the pipeline that is named, or of all of the namespace where none is. There is at least one.
    ///
    /// # Errors
    /// When it does not answer, or shows none.
    pub(super) async fn overview(&self, console: &Console) -> Result<Overview, PipelineError> {
        let mut overview: Overview = console.get("/overview", &[]).await?;
        let of_namespace = |site: &&OverviewSite| site.namespace == self.namespace;
        let known: BTreeSet<&Name> = overview.sites.iter().filter(of_namespace).map(|site| &site.pipeline).collect();
        if known.is_empty() {
            let known: BTreeSet<&Name> = overview.sites.iter().map(|site| &site.namespace).collect();
            let (namespace, known) = (self.namespace.clone(), known.into_iter().cloned().collect());
            return Err(PipelineError::NoPipelines { namespace, known });
        }
        let meant = self.meant(known.into_iter().cloned().collect())?;
        overview.sites.retain(|site| site.namespace == self.namespace && meant.contains(&site.pipeline));
        Ok(overview)
    }

    /// Opens the bucket and finds the pipeline, or all of the namespace where none is named. There is at least one.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn find(&self) -> Result<(Opened, Vec<Name>), PipelineError> {
        let Self { place, namespace, pipeline: _ } = self;
        let opened = place.open().await?;
        let known = pipelines(&opened.bucket, namespace).await?;
        if known.is_empty() {
            let known = with_pipelines(&opened.bucket).await?;
            return Err(PipelineError::NoPipelines { namespace: namespace.clone(), known });
        }
        Ok((opened, self.meant(known)?))
    }

    /// The one that is named, or all of these.
    fn meant(&self, known: Vec<Name>) -> Result<Vec<Name>, PipelineError> {
        match &self.pipeline {
            None => Ok(known),
            Some(pipeline) if known.contains(pipeline) => Ok(vec![pipeline.clone()]),
            Some(pipeline) => Err(PipelineError::Unknown {
                namespace: self.namespace.clone(),
                pipeline: pipeline.clone(),
                near: near(pipeline, &known),
            }),
        }
    }
}

/// The only one of these, of which there is one at least.
fn only(namespace: &Name, mut found: Vec<Name>) -> Result<Name, PipelineError> {
    match (found.pop(), found.is_empty()) {
        (Some(pipeline), true) => Ok(pipeline),
        (last, _) => {
            found.extend(last);
            Err(PipelineError::Several { namespace: namespace.clone(), known: found })
        }
    }
}

impl Shown {
    /// What time it is by the clock of its bucket, which ours need not agree with.
    pub(super) fn now(&self) -> Timestamp {
        let (told, instant) = self.told;
        let passed = SignedDuration::try_from(instant.elapsed()).unwrap_or(SignedDuration::MAX);
        told.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Which part of what the console has is asked for: of the pipeline, and of a site where one is named.
    pub(super) fn asked(&self, site: Option<&Name>) -> [(&'static str, Option<String>); 3] {
        let named = |name: &Name| Some(name.to_string());
        [("namespace", named(&self.namespace)), ("pipeline", named(&self.pipeline)), ("site", site.and_then(named))]
    }

    /// That nothing was found of some sites may be for their names.
    ///
    /// # Errors
    /// When one of them has told nothing of the pipeline.
    pub(super) fn check_sites(&self, sites: &[Name]) -> Result<(), PipelineError> {
        let unknown = sites.iter().find(|site| !self.sites.contains(site)).cloned();
        unknown.map_or(Ok(()), |site| {
            Err(PipelineError::NoSite { pipeline: self.pipeline.clone(), near: near(&site, &self.sites), site })
        })
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
