//! `vedette archive`.

mod cat;
mod ls;
mod verify;

use clap::Subcommand;
use jiff::civil::Date;
use thiserror::Error;
use vedette_service::Shutdown;
use vedette_streams::bucket::BucketError;

use self::cat::CatOptions;
use self::ls::LsOptions;
use self::verify::{VerifyError, VerifyOptions};
use super::pipeline::PipelineError;
use crate::output::OutputError;

/// What to do with an archive.
#[derive(Debug, Subcommand)]
pub enum ArchiveCommand {
    /// List the objects of an archive
    Ls(LsOptions),
    /// Write the records of an archive to standard output
    Cat(CatOptions),
    /// Read the whole archive of a pipeline and list what is missing, twice or damaged
    Verify(VerifyOptions),
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// There is no such pipeline, or no such site of it, or the bucket could not be read.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// Not everything could be written.
    #[error("{objects} archive objects are left out; vedette archive verify says what is wrong")]
    LeftOut { objects: usize },
    /// `vedette archive verify`.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A thread ended early.
    #[error("a worker thread ended early")]
    Worker(#[source] tokio::task::JoinError),
    /// It was stopped.
    #[error("stopped before everything was read")]
    Stopped,
    /// The answer could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl From<BucketError> for ArchiveError {
    fn from(error: BucketError) -> Self {
        Self::Pipeline(error.into())
    }
}

/// Does it.
///
/// # Errors
/// When the archive is not whole or cannot be read, or the answer cannot be written.
pub(super) async fn run(command: &ArchiveCommand, shutdown: &Shutdown) -> Result<(), ArchiveError> {
    let stopped = || ArchiveError::Stopped;
    match command {
        ArchiveCommand::Ls(options) => shutdown.run_until_cancelled(ls::ls(options)).await.ok_or_else(stopped)?,
        ArchiveCommand::Cat(options) => shutdown.run_until_cancelled(cat::cat(options)).await.ok_or_else(stopped)?,
        ArchiveCommand::Verify(options) => {
            Ok(shutdown.run_until_cancelled(verify::verify(options)).await.ok_or_else(stopped)??)
        }
    }
}

/// Of days that are archived the one that is wanted, or all.
fn days(archived: Vec<Date>, wanted: Option<Date>) -> impl Iterator<Item = Date> {
    archived.into_iter().filter(move |day| wanted.is_none_or(|wanted| wanted == *day))
}
