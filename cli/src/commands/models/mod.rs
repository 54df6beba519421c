//! `vedette models`.

mod catalogue;
mod diff;
mod export;
mod list;
mod pin;
mod promote;
mod replay;
mod show;
mod training;

use clap::Subcommand;
use futures::TryFutureExt as _;
use thiserror::Error;
use vedette_contract::ModelVersion;
use vedette_contract::keys::ModelKeys;
use vedette_forest::Model;
use vedette_registry::RegistryError;
use vedette_registry::load::{self, Fetched, LoadError};
use vedette_registry::promote::PromoteError;
use vedette_service::Shutdown;
use vedette_streams::bucket::{Bucket, BucketError};

use self::diff::DiffOptions;
use self::export::{ExportError, ExportOptions};
use self::list::ListOptions;
use self::pin::{PinOptions, Unpinnable};
use self::promote::{PromoteOptions, RefusedPromotion};
use self::replay::{ReplayError, ReplayOptions};
use self::show::ShowOptions;
use self::training::TrainingError;
use super::watch::{Unseen, until_stopped};
use crate::output::OutputError;

/// What to do with models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List the versions of a training
    List(ListOptions),
    /// Show everything about one version
    Show(ShowOptions),
    /// Compare two versions
    Diff(DiffOptions),
    /// Make a candidate, or a version of before, the current one
    Promote(PromoteOptions),
    /// Say what pins a pipeline to a version
    Pin(PinOptions),
    /// Score the archive with any version, beside the alerts that there were
    Replay(ReplayOptions),
    /// Write a model version as ONNX or PMML
    Export(ExportOptions),
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum ModelsError {
    /// There is no such training, or no such version.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// A version could not be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A file of a version is not there.
    #[error("the bucket has no {key} (yet)")]
    Missing {
        /// What was looked for.
        key: String,
    },
    /// A version must not be promoted here.
    #[error(transparent)]
    RefusedPromotion(#[from] RefusedPromotion),
    /// A version could not be promoted.
    #[error(transparent)]
    Promote(#[from] PromoteError),
    /// Nothing should be pinned to a version.
    #[error(transparent)]
    Unpinnable(#[from] Unpinnable),
    /// Nothing was replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// `vedette models export`.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// It was stopped.
    #[error("stopped before everything was read")]
    Stopped,
    /// The answer could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Unseen for ModelsError {
    fn is_away(&self) -> bool {
        match self {
            Self::Training(error) => error.is_away(),
            Self::Load(_)
            | Self::Missing { .. }
            | Self::RefusedPromotion(_)
            | Self::Promote(_)
            | Self::Unpinnable(_)
            | Self::Replay(_)
            | Self::Export(_)
            | Self::Stopped
            | Self::Output(_) => false,
        }
    }

    fn stopped() -> Self {
        Self::Stopped
    }
}

impl From<BucketError> for ModelsError {
    fn from(error: BucketError) -> Self {
        Self::Training(error.into())
    }
}

impl From<RegistryError> for ModelsError {
    fn from(error: RegistryError) -> Self {
        Self::Training(error.into())
    }
}

/// Does it.
///
/// # Errors
/// When the version is not there, is damaged, or the answer cannot be written.
pub(super) async fn run(command: &ModelsCommand, shutdown: &Shutdown) -> Result<(), ModelsError> {
    match command {
        ModelsCommand::List(options) => until_stopped(shutdown, options.watch.watch, list::list(options)).await,
        ModelsCommand::Show(options) => until_stopped(shutdown, false, show::show(options)).await,
        ModelsCommand::Diff(options) => until_stopped(shutdown, false, diff::diff(options)).await,
        // What is written is not given up half-way.
        ModelsCommand::Promote(options) => promote::promote(options).await,
        ModelsCommand::Pin(options) => until_stopped(shutdown, false, pin::pin(options)).await,
        ModelsCommand::Replay(options) => until_stopped(shutdown, false, replay::replay(options)).await,
        ModelsCommand::Export(options) => {
            until_stopped(shutdown, false, export::export(options).map_err(ModelsError::from)).await
        }
    }
}

/// A version as detectors load it.
async fn load_model(bucket: &Bucket, keys: &ModelKeys, version: &ModelVersion) -> Result<Model, ModelsError> {
    match load::fetch(bucket, keys, version).await? {
        Fetched::Whole(files) => Ok(load::model(version, &files)?),
        Fetched::Missing(key) => Err(ModelsError::Missing { key }),
    }
}
