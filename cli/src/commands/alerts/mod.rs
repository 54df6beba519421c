//! `vedette alerts`.

mod arrivals;
pub(super) mod find;
mod follow;
mod list;
mod reasons;
mod show;
pub(super) mod shown;

use clap::Subcommand;
use jiff::Timestamp;
use thiserror::Error;
use vedette_service::Shutdown;
use vedette_streams::bucket::BucketError;

use self::list::ListOptions;
use self::show::ShowOptions;
use super::near::listed;
use super::pipeline::PipelineError;
use super::watch::{Unseen, until_stopped};
use crate::output::{OutputError, escaped};

/// What to do with alerts.
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// List the newest alerts of all sites
    List(ListOptions),
    /// Show everything about one alert
    Show(ShowOptions),
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum AlertsError {
    /// There is no such pipeline, or no such site of it, or the bucket could not be read.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// An empty span.
    #[error("--from {from} is not before --until {until}")]
    NoSpan { from: Timestamp, until: Timestamp },
    /// The alert is not archived.
    #[error("no alert {} is archived; {}", escaped(.uuid), nearest(.near))]
    NoAlert { uuid: String, near: Vec<String> },
    /// The alert is none of those that the console keeps.
    #[error("no alert {} is kept by the console, which keeps the newest; the bucket has all; {}", escaped(.uuid), nearest(.near))]
    NotKept { uuid: String, near: Vec<String> },
    /// It was stopped.
    #[error("stopped before everything was read")]
    Stopped,
    /// The answer could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl AlertsCommand {
    fn is_lasting(&self) -> bool {
        match self {
            Self::List(options) => options.follow || options.watch.watch,
            Self::Show(_) => false,
        }
    }
}

impl Unseen for AlertsError {
    fn is_away(&self) -> bool {
        match self {
            Self::Pipeline(error) => error.is_away(),
            Self::NoSpan { .. } | Self::NoAlert { .. } | Self::NotKept { .. } | Self::Stopped | Self::Output(_) => {
                false
            }
        }
    }

    fn stopped() -> Self {
        Self::Stopped
    }
}

impl From<BucketError> for AlertsError {
    fn from(error: BucketError) -> Self {
        Self::Pipeline(error.into())
    }
}

fn nearest(near: &[String]) -> String {
    match near {
        [] => "there is none yet".to_owned(),
        near => format!("the nearest are {}", escaped(&listed(near))),
    }
}

/// A score or a threshold: those of alerts differ in the last of some digits.
fn score(score: Option<f64>) -> String {
    score.map_or_else(|| "-".to_owned(), |score| format!("{score:.6}"))
}

/// Does it.
///
/// # Errors
/// When the alert or the pipeline is not there, the bucket cannot be read, or the answer cannot be written.
pub(super) async fn run(command: &AlertsCommand, shutdown: &Shutdown) -> Result<(), AlertsError> {
    let doing = async {
        match command {
            AlertsCommand::List(options) if options.follow => follow::follow(options).await,
            AlertsCommand::List(options) => list::list(options).await,
            AlertsCommand::Show(options) => show::show(options).await,
        }
    };
    until_stopped(shutdown, command.is_lasting(), doing).await
}
