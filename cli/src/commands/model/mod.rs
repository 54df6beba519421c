//! `vedette model`.

mod export;

use clap::Subcommand;

pub(super) use export::{ExportError, ExportOptions};

/// What to do with a model.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Write a model version as ONNX or PMML
    Export(ExportOptions),
}

/// Does it.
///
/// # Errors
/// When the version is not there, is damaged, or the output cannot be written.
pub(super) async fn run(command: &ModelCommand) -> Result<(), ExportError> {
    match command {
        ModelCommand::Export(options) => export::export(options).await,
    }
}
