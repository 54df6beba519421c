//! `vedette silences`.

mod add;
mod end;
mod list;
mod shown;

use clap::Subcommand;
use thiserror::Error;
use vedette_contract::WrittenError;
use vedette_contract::silence::SilenceId;
use vedette_contract::{Name, NameError};
use vedette_registry::RegistryError;
use vedette_service::Shutdown;
use vedette_streams::bucket::BucketError;

use self::add::AddOptions;
use self::end::EndOptions;
use self::list::ListOptions;
use super::near::{Nearest, listed};
use super::pipeline::PipelineError;
use super::watch::{Unseen, until_stopped};
use super::writer::WriterError;
use crate::output::OutputError;

/// The site of a data directory, unless another is named.
const LOCAL: &str = "local";

/// What to do with silences.
#[derive(Debug, Subcommand)]
pub enum SilencesCommand {
    /// Have people not told of some alerts for a time
    Add(AddOptions),
    /// List the silences of all sites
    List(ListOptions),
    /// End a silence now
    End(EndOptions),
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum SilencesError {
    /// There is no such pipeline.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The bucket could not be read.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// A silence could not be written.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It would be none.
    #[error(transparent)]
    Silence(#[from] WrittenError),
    /// A site has no such name.
    #[error(transparent)]
    Site(#[from] NameError),
    /// Nobody can be named.
    #[error("neither USER nor LOGNAME says who you are: say it with --by")]
    Nobody,
    /// The silence is not there.
    #[error("pipeline {pipeline} has no silence {}; {}", crate::output::escaped(.meant), silences(.meant, .known))]
    Unknown { pipeline: Name, meant: String, known: Vec<SilenceId> },
    /// A silence has one writing site.
    #[error(
        "silence {id} is of site {writer}, which alone writes it, and this is the bucket of site {here}: end it in the bucket of site {writer}"
    )]
    OtherSite { id: SilenceId, writer: Name, here: Name },
    /// The console writes nothing for whoever asks.
    #[error(transparent)]
    Writer(#[from] WriterError),
    /// It was stopped.
    #[error("stopped before everything was read")]
    Stopped,
    /// The answer could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Unseen for SilencesError {
    fn is_away(&self) -> bool {
        match self {
            Self::Pipeline(error) => error.is_away(),
            Self::Writer(error) => error.is_away(),
            Self::Bucket(error) | Self::Registry(RegistryError::Bucket(error)) => error.is_retriable(),
            Self::Registry(_)
            | Self::Silence(_)
            | Self::Site(_)
            | Self::Nobody
            | Self::Unknown { .. }
            | Self::OtherSite { .. }
            | Self::Stopped
            | Self::Output(_) => false,
        }
    }

    fn stopped() -> Self {
        Self::Stopped
    }
}

/// Those that are there, those first that are spelled most like what was meant.
fn silences(meant: &str, known: &[SilenceId]) -> String {
    match known {
        [] => "it has none".to_owned(),
        known => {
            let mut nearest = Nearest::to(meant);
            known.iter().for_each(|id| nearest.meet(id.as_str()));
            format!("the nearest are {}", listed(nearest.names()))
        }
    }
}

/// Does it.
///
/// # Errors
/// When there is no such pipeline or silence, or the bucket or the answer cannot be written.
pub(super) async fn run(command: &SilencesCommand, shutdown: &Shutdown) -> Result<(), SilencesError> {
    match command {
        SilencesCommand::Add(options) => add::add(options).await,
        SilencesCommand::List(options) => until_stopped(shutdown, options.watch.watch, list::list(options)).await,
        SilencesCommand::End(options) => end::end(options).await,
    }
}
