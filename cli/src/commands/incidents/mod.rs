//! `vedette incidents`.

mod change;
pub(super) mod find;
mod list;
mod show;
pub(super) mod shown;

use clap::Subcommand;
use thiserror::Error;
use vedette_contract::incident::IncidentStatus;
use vedette_service::Shutdown;
use vedette_streams::bucket::BucketError;

use self::list::ListOptions;
use self::show::ShowOptions;
use super::near::listed;
use super::pipeline::PipelineError;
use super::watch::{Unseen, until_stopped};
use crate::output::{OutputError, escaped};

/// What to do with incidents.
#[derive(Debug, Subcommand)]
pub enum IncidentsCommand {
    /// List the newest incidents of all sites
    List(ListOptions),
    /// Show everything about one incident
    Show(ShowOptions),
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum IncidentsError {
    /// There is no such pipeline, or no such site of it, or the bucket could not be read.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The incident is not archived.
    #[error("no incident {} is archived; {}", escaped(.id), nearest(.near))]
    NoIncident { id: String, near: Vec<String> },
    /// The incident is none of those that the console keeps.
    #[error("no incident {} is kept by the console, which keeps the newest; the bucket has all; {}", escaped(.id), nearest(.near))]
    NotKept { id: String, near: Vec<String> },
    /// It was stopped.
    #[error("stopped before everything was read")]
    Stopped,
    /// The answer could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl IncidentsCommand {
    fn is_lasting(&self) -> bool {
        match self {
            Self::List(options) => options.watch.watch,
            Self::Show(_) => false,
        }
    }
}

impl Unseen for IncidentsError {
    fn is_away(&self) -> bool {
        match self {
            Self::Pipeline(error) => error.is_away(),
            Self::NoIncident { .. } | Self::NotKept { .. } | Self::Stopped | Self::Output(_) => false,
        }
    }

    fn stopped() -> Self {
        Self::Stopped
    }
}

impl From<BucketError> for IncidentsError {
    fn from(error: BucketError) -> Self {
        Self::Pipeline(error.into())
    }
}

fn nearest(near: &[String]) -> String {
    match near {
        [] => "there is none yet: is spec.incidents set?".to_owned(),
        near => format!("the nearest are {}", listed(near)),
    }
}

fn status(status: IncidentStatus) -> &'static str {
    match status {
        IncidentStatus::Open => "open",
        IncidentStatus::Closed => "closed",
    }
}

/// Does it.
///
/// # Errors
/// When the incident or the pipeline is not there, the bucket cannot be read, or the answer cannot be written.
pub(super) async fn run(command: &IncidentsCommand, shutdown: &Shutdown) -> Result<(), IncidentsError> {
    let doing = async {
        match command {
            IncidentsCommand::List(options) => list::list(options).await,
            IncidentsCommand::Show(options) => show::show(options).await,
        }
    };
    until_stopped(shutdown, command.is_lasting(), doing).await
}
