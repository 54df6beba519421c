//! `vedette verdicts`.

mod add;
mod list;
mod shown;

use clap::Subcommand;
use thiserror::Error;
use vedette_contract::NameError;
use vedette_contract::WrittenError;
use vedette_contract::verdict::Judged;
use vedette_registry::RegistryError;
use vedette_service::Shutdown;
use vedette_streams::bucket::BucketError;

use self::add::AddOptions;
use self::list::ListOptions;
use super::alerts::AlertsError;
use super::incidents::IncidentsError;
use super::pipeline::PipelineError;
use super::watch::{Unseen, until_stopped};
use super::writer::WriterError;
use crate::output::OutputError;

/// What to do with verdicts.
#[derive(Debug, Subcommand)]
pub enum VerdictsCommand {
    /// Say what an alert, or all alerts of an incident, turned out to be
    Add(AddOptions),
    /// List the verdicts of all sites
    List(ListOptions),
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum VerdictsError {
    /// There is no such pipeline.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The bucket could not be read.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// There is no such alert.
    #[error(transparent)]
    Alert(#[from] AlertsError),
    /// There is no such incident.
    #[error(transparent)]
    Incident(#[from] IncidentsError),
    /// A verdict could not be written.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It would be none.
    #[error(transparent)]
    Verdict(#[from] WrittenError),
    /// A site has no such name.
    #[error(transparent)]
    Site(#[from] NameError),
    /// The console writes nothing for whoever asks.
    #[error(transparent)]
    Writer(#[from] WriterError),
    /// Nobody can be named.
    #[error("neither USER nor LOGNAME says who you are: say it with --by")]
    Nobody,
    /// It was stopped.
    #[error("stopped before everything was read")]
    Stopped,
    /// The answer could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl VerdictsCommand {
    fn is_lasting(&self) -> bool {
        match self {
            Self::Add(_) => false,
            Self::List(options) => options.watch.watch,
        }
    }
}

impl Unseen for VerdictsError {
    fn is_away(&self) -> bool {
        match self {
            Self::Pipeline(error) => error.is_away(),
            Self::Bucket(error) | Self::Registry(RegistryError::Bucket(error)) => error.is_retriable(),
            Self::Alert(error) => error.is_away(),
            Self::Incident(error) => error.is_away(),
            Self::Writer(error) => error.is_away(),
            Self::Registry(_) | Self::Verdict(_) | Self::Site(_) | Self::Nobody | Self::Stopped | Self::Output(_) => {
                false
            }
        }
    }

    fn stopped() -> Self {
        Self::Stopped
    }
}

/// Does it.
///
/// # Errors
/// When there is no such pipeline, alert or incident, or the bucket or the answer cannot be written.
pub(super) async fn run(command: &VerdictsCommand, shutdown: &Shutdown) -> Result<(), VerdictsError> {
    let doing = async {
        match command {
            VerdictsCommand::Add(options) => add::add(options).await,
            VerdictsCommand::List(options) => list::list(options).await,
        }
    };
    until_stopped(shutdown, command.is_lasting(), doing).await
}

/// What is judged, in words: what it is, its id, how many alerts, and by which model.
fn words(judged: &Judged) -> [String; 4] {
    let (what, id, alerts, version) = match judged {
        Judged::Alert(alert) => ("alert", alert.uuid.clone(), 1, alert.model_version.as_ref()),
        Judged::Incident(incident) => {
            ("incident", incident.id.to_string(), incident.alerts, incident.model_version.as_ref())
        }
    };
    let version = version.map_or_else(|| "-".to_owned(), ToString::to_string);
    [what.to_owned(), id, alerts.to_string(), version]
}
