//! Which training a command is about, and which of its versions.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::str::FromStr;

use clap::Args;
use thiserror::Error;
use vedette_contract::keys::{ModelKeys, NamespaceKeys};
use vedette_contract::model::CurrentPointer;
use vedette_contract::{ModelVersion, Name};
use vedette_registry::RegistryError;
use vedette_registry::summary::Listing;
use vedette_streams::bucket::{Bucket, BucketError};

use crate::commands::near::{LISTED, in_common, listed, nearest_listed};
use crate::commands::pipeline::namespaces;
use crate::console::ConsoleError;
use crate::place::{Opened, PlaceError, PlaceOptions};

/// Where the models are, and whose.
#[derive(Debug, Clone, Args)]
pub struct TrainingOptions {
    /// Where the bucket is.
    #[command(flatten)]
    pub place: PlaceOptions,

    /// Namespace of the training
    #[arg(short = 'n', long, value_name = "NAME", default_value = "default")]
    pub namespace: Name,

    /// Name of the training; may be left out where the namespace has one
    #[arg(long, value_name = "NAME")]
    pub training: Option<Name>,
}

/// A training in its bucket.
pub(super) struct Chosen {
    pub(super) opened: Opened,
    pub(super) namespace: Name,
    pub(super) training: Name,
    pub(super) keys: ModelKeys,
}

/// Why there is no training, or no such version of it.
#[derive(Debug, Error)]
pub enum TrainingError {
    /// The bucket could not be opened.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The bucket could not be read.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// An object of the training could not be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The console does not tell.
    #[error(transparent)]
    Console(#[from] ConsoleError),
    /// The console tells something else.
    #[error("what the console says of the models cannot be read: are it and this program of the same version?")]
    Strange(#[source] serde_json::Error),
    /// Nothing was trained in the namespace.
    #[error("namespace {namespace} has no models; {}", namespaces(.namespace, .known))]
    NoModels { namespace: Name, known: Vec<Name> },
    /// Nothing was trained under this name.
    #[error("namespace {namespace} has no models of training {training}; those that have are {}", nearest_listed(.training, .known))]
    Unknown { namespace: Name, training: Name, known: Vec<Name> },
    /// Which one is meant cannot be told.
    #[error("namespace {namespace} has several trainings: say --training, one of {}", listed(.known))]
    Several { namespace: Name, known: Vec<Name> },
    /// The version is not there.
    #[error("training {training} has no version {}; {}", crate::output::escaped(&.version.to_string()), versions(.version, .known))]
    NoVersion { training: Name, version: WhichVersion, known: Vec<ModelVersion> },
}

impl TrainingError {
    /// Whether the bucket is away, so that all may be well later.
    pub(super) fn is_away(&self) -> bool {
        match self {
            Self::Bucket(error) | Self::Registry(RegistryError::Bucket(error)) => error.is_retriable(),
            Self::Console(error) => error.is_away(),
            Self::Place(_)
            | Self::Registry(_)
            | Self::Strange(_)
            | Self::NoModels { .. }
            | Self::Unknown { .. }
            | Self::Several { .. }
            | Self::NoVersion { .. } => false,
        }
    }
}

/// Those that are there, the newest first: the newest of them, or those that are spelled most like what was meant.
fn versions(meant: &WhichVersion, known: &[ModelVersion]) -> String {
    let mut known: Vec<&str> = known.iter().map(ModelVersion::as_str).collect();
    if known.is_empty() {
        return "it has none yet".to_owned();
    }
    let are = match meant {
        WhichVersion::Current | WhichVersion::Previous => "the newest are",
        WhichVersion::Named(name) => {
            known.sort_by_key(|version| std::cmp::Reverse(in_common(name, version)));
            "the nearest are"
        }
    };
    known.truncate(LISTED);
    format!("{are} {}", known.join(", "))
}

impl TrainingOptions {
    /// Opens the bucket and finds the training.
    ///
    /// # Errors
    /// When there is no such training, or which one is meant cannot be told.
    pub(super) async fn choose(&self) -> Result<Chosen, TrainingError> {
        let Self { place, namespace, training: _ } = self;
        let opened = place.open().await?;
        let known = trainings(&opened.bucket, namespace).await?;
        if known.is_empty() {
            let known = with_models(&opened.bucket).await?;
            return Err(TrainingError::NoModels { namespace: namespace.clone(), known });
        }
        let (namespace, training) = (namespace.clone(), self.only(known)?);
        let keys = ModelKeys::new(&namespace, &training);
        Ok(Chosen { opened, namespace, training, keys })
    }

    /// The one that is meant of those that a console shows, whatever their namespaces.
    ///
    /// # Errors
    /// When there is none, or which one is meant cannot be told.
    pub(super) fn only_shown(&self, mut listings: Vec<Listing>) -> Result<Listing, TrainingError> {
        let namespaces: BTreeSet<Name> = listings.iter().map(|listing| listing.namespace.clone()).collect();
        listings.retain(|listing| listing.namespace == self.namespace);
        let none =
            || TrainingError::NoModels { namespace: self.namespace.clone(), known: namespaces.into_iter().collect() };
        if listings.is_empty() {
            return Err(none());
        }
        let meant = self.only(listings.iter().map(|listing| listing.training.clone()).collect())?;
        listings.into_iter().find(|listing| listing.training == meant).ok_or_else(none)
    }

    /// The one that is named of these, of which there is one at least, or the only one.
    fn only(&self, known: Vec<Name>) -> Result<Name, TrainingError> {
        let namespace = self.namespace.clone();
        match (&self.training, known.as_slice()) {
            (Some(training), known) if known.contains(training) => Ok(training.clone()),
            (None, [only]) => Ok(only.clone()),
            (Some(training), _) => Err(TrainingError::Unknown { namespace, training: training.clone(), known }),
            (None, _) => Err(TrainingError::Several { namespace, known }),
        }
    }
}

async fn trainings(bucket: &Bucket, namespace: &Name) -> Result<Vec<Name>, BucketError> {
    let keys = NamespaceKeys::new(namespace);
    let directories = bucket.list_directories(&keys.models()).await?;
    Ok(directories.iter().filter_map(|directory| keys.training_of(directory)).collect())
}

async fn with_models(bucket: &Bucket) -> Result<Vec<Name>, BucketError> {
    let mut found = Vec::new();
    for directory in bucket.list_directories("").await? {
        let Some(namespace) = NamespaceKeys::namespace_of(&directory) else { continue };
        if !trainings(bucket, &namespace).await?.is_empty() {
            found.push(namespace);
        }
    }
    Ok(found)
}

/// A version by its name, or by what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhichVersion {
    /// The current one.
    Current,
    /// The one that was current before.
    Previous,
    /// This one, as somebody wrote it: a version is what is found by it.
    Named(String),
}

impl FromStr for WhichVersion {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "current" => Self::Current,
            "previous" => Self::Previous,
            version => Self::Named(version.to_owned()),
        })
    }
}

impl std::fmt::Display for WhichVersion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Named(version) => version,
        })
    }
}

impl Chosen {
    pub(super) fn bucket(&self) -> &Bucket {
        &self.opened.bucket
    }

    /// The version that is meant; it is one of those that are there.
    ///
    /// # Errors
    /// When it is not.
    pub(super) fn version(
        &self,
        which: &WhichVersion,
        pointer: Option<&CurrentPointer>,
        known: impl DoubleEndedIterator<Item = ModelVersion>,
    ) -> Result<ModelVersion, TrainingError> {
        let known: Vec<ModelVersion> = known.rev().collect();
        let meant = match which {
            WhichVersion::Current => pointer.map(|pointer| &pointer.version),
            WhichVersion::Previous => pointer.and_then(CurrentPointer::previous),
            WhichVersion::Named(name) => known.iter().find(|version| version.as_str() == name),
        };
        match meant.filter(|version| known.contains(version)) {
            Some(version) => Ok(version.clone()),
            None => {
                let (training, version) = (self.training.clone(), which.clone());
                Err(TrainingError::NoVersion { training, version, known })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_named_by_what_it_is_or_by_its_name() {
        for text in ["current", "previous", "20261123T084210Z-1a2b3c4d"] {
            assert_eq!(text.parse::<WhichVersion>().unwrap().to_string(), text);
        }
        let known: [ModelVersion; 3] =
            ["20261124T084210Z-00000000", "20261123T084210Z-1a2b3c4d", "20251123T084210Z-1a2b3c4d"]
                .map(|text| text.parse().unwrap());
        let said = |meant: &str| versions(&meant.parse().unwrap(), &known);
        let nearest = said("20261123T084210-1a2b3c4d");
        assert!(nearest.starts_with("the nearest are 20261123T084210Z-1a2b3c4d, 20261124T"), "{nearest}");
        assert!(said("previous").starts_with("the newest are 20261124T084210Z-00000000, "), "{}", said("previous"));
        assert_eq!(versions(&WhichVersion::Current, &[]), "it has none yet");
    }
}
