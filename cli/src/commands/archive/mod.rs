//! `vedette archive`.

mod verify;

use clap::Subcommand;
use vedette_service::Shutdown;

pub(super) use verify::{ArchiveError, VerifyOptions};

/// What to do with an archive.
#[derive(Debug, Subcommand)]
pub enum ArchiveCommand {
    /// Read the whole archive of a pipeline and list what is missing, twice or damaged
    Verify(VerifyOptions),
}

/// Does it.
///
/// # Errors
/// When the archive is not whole or cannot be read.
pub(super) async fn run(command: &ArchiveCommand, shutdown: &Shutdown) -> Result<(), ArchiveError> {
    match command {
        ArchiveCommand::Verify(options) => verify::verify(options, shutdown).await,
    }
}
