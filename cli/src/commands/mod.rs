//! The command line: which subcommands there are, and what runs them. A command is a file, `<noun>/<verb>.rs`.

mod alerts;
mod archive;
mod completion;
mod dead_letters;
mod incidents;
mod missed;
mod models;
mod moment;
mod near;
mod news;
mod people;
mod pipeline;
mod record;
mod silences;
mod status;
mod train;
mod validate;
mod verdicts;
mod watch;
mod writer;

use clap::{Parser, Subcommand};
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use thiserror::Error;
use vedette_service::Shutdown;

use self::alerts::{AlertsCommand, AlertsError};
use self::archive::{ArchiveCommand, ArchiveError};
use self::completion::CompletionOptions;
use self::dead_letters::{DeadLettersCommand, DeadLettersError};
use self::incidents::{IncidentsCommand, IncidentsError};
use self::models::{ModelsCommand, ModelsError};
use self::silences::{SilencesCommand, SilencesError};
use self::status::{StatusError, StatusOptions};
use self::train::{TrainError, TrainOptions};
use self::validate::{ValidateError, ValidateOptions};
use self::verdicts::{VerdictsCommand, VerdictsError};
use crate::local::{self, LocalError, LocalOptions};
use crate::output::OutputError;

/// Anomaly detection for streams of records: run a pipeline on this machine, validate manifests, look at alerts, incidents and
/// sites, silence alerts, say what they turned out to be, read and verify archives, mend dead letters, look after models, train.
#[derive(Debug, Parser)]
#[command(
    name = "vedette",
    version,
    propagate_version = true,
    after_help = "Examples:
  vedette local -f manifests/demo.yaml                         the whole flow on this machine, until Ctrl-C
  vedette validate -f pipeline.yaml -f training.yaml           every error of some manifests, before they are applied
  vedette status --data-dir ./data -n demo                     how pipelines stand at their sites
  vedette alerts list --data-dir ./data -n demo                the newest alerts of all sites
  vedette alerts list -n demo                                  the same, through the console of the cluster of kubectl's context
  vedette alerts list --bucket http://s3:8333 -n demo --follow     each alert as it comes to the archive
  vedette archive verify --data-dir ./data --pipeline kdd      whether nothing is missing from an archive
  vedette dead-letters list --bootstrap-servers kafka:9092     what could not be read or scored, and why
  vedette models list --data-dir ./data -n demo                what models there are, and which is current
  vedette train kdd -n demo --wait                             a run of a training now, and what comes of it
  vedette silences list --data-dir ./data -n demo              of which alerts people are not told, and until when
  vedette verdicts list --data-dir ./data -n demo              what alerts turned out to be, as people say
  vedette models export --data-dir ./data --training kdd --format onnx --output kdd.onnx     a model for other engines"
)]
pub struct Vedette {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a pipeline and its trainings on this machine, without Kubernetes
    Local(Box<LocalOptions>),
    /// Check manifests as the operator will, and list every error
    Validate(ValidateOptions),
    /// Show how pipelines stand at their sites
    Status(StatusOptions),
    /// Look at alerts of all sites
    #[command(subcommand, visible_alias = "alert")]
    Alerts(AlertsCommand),
    /// Look at incidents of all sites
    #[command(subcommand, visible_alias = "incident")]
    Incidents(IncidentsCommand),
    /// Look at the archive of a pipeline, read and verify it
    #[command(subcommand)]
    Archive(ArchiveCommand),
    /// Look at models, compare, promote and replay them, and take them elsewhere
    #[command(subcommand, visible_alias = "model")]
    Models(ModelsCommand),
    /// Run a training now
    Train(TrainOptions),
    /// Look at records that could not be read or scored, and send them once more
    #[command(subcommand, visible_alias = "dead-letter")]
    DeadLetters(DeadLettersCommand),
    /// Complete commands and options in a shell
    Completion(CompletionOptions),
    /// Have people not told of some alerts for a time
    #[command(subcommand, visible_alias = "silence")]
    Silences(SilencesCommand),
    /// Say what alerts turned out to be
    #[command(subcommand, visible_alias = "verdict")]
    Verdicts(VerdictsCommand),
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum CommandError {
    /// `vedette local`.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// `vedette validate`.
    #[error(transparent)]
    Validate(#[from] ValidateError),
    /// `vedette status`.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// `vedette alerts`.
    #[error(transparent)]
    Alerts(#[from] AlertsError),
    /// `vedette incidents`.
    #[error(transparent)]
    Incidents(#[from] IncidentsError),
    /// `vedette archive`.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// `vedette models`.
    #[error(transparent)]
    Models(#[from] ModelsError),
    /// `vedette train`.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// `vedette dead-letters`.
    #[error(transparent)]
    DeadLetters(#[from] DeadLettersError),
    /// `vedette completion`.
    #[error(transparent)]
    Completion(#[from] OutputError),
    /// `vedette silences`.
    #[error(transparent)]
    Silences(#[from] SilencesError),
    /// `vedette verdicts`.
    #[error(transparent)]
    Verdicts(#[from] VerdictsError),
}

/// Runs a command to its end, or until shutdown.
pub fn run(command: Command, shutdown: Shutdown) -> LocalBoxFuture<'static, Result<(), CommandError>> {
    dispatch(command, shutdown).boxed_local()
}

async fn dispatch(command: Command, shutdown: Shutdown) -> Result<(), CommandError> {
    match command {
        Command::Local(options) => Ok(local::run(*options, shutdown).await?),
        Command::Validate(options) => Ok(validate::run(&options)?),
        Command::Status(options) => Ok(status::run(&options, &shutdown).await?),
        Command::Alerts(command) => Ok(alerts::run(&command, &shutdown).await?),
        Command::Incidents(command) => Ok(incidents::run(&command, &shutdown).await?),
        Command::Archive(command) => Ok(archive::run(&command, &shutdown).await?),
        Command::Models(command) => Ok(models::run(&command, &shutdown).await?),
        Command::Train(options) => Ok(train::run(&options, &shutdown).await?),
        Command::DeadLetters(command) => Ok(dead_letters::run(command, &shutdown).await?),
        Command::Completion(options) => Ok(completion::run(options)?),
        Command::Silences(command) => Ok(silences::run(&command, &shutdown).await?),
        Command::Verdicts(command) => Ok(verdicts::run(&command, &shutdown).await?),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use vedette_testing::pages::words;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Vedette::command().debug_assert();
    }

    #[test]
    fn a_noun_in_the_singular_is_the_same_command() {
        let root = Vedette::command();
        for noun in ["alert", "incident", "model", "dead-letter", "silence", "verdict"] {
            let plural = root.find_subcommand(noun).map(clap::Command::get_name);
            assert_eq!(plural, Some(format!("{noun}s").as_str()));
        }
    }

    #[test]
    fn the_examples_of_the_help_parse() {
        let mut parsed = 0;
        let root = Vedette::command();
        let commands = std::iter::once(&root)
            .chain(root.get_subcommands())
            .chain(root.get_subcommands().flat_map(clap::Command::get_subcommands));
        for text in commands.filter_map(clap::Command::get_after_help) {
            for line in text.to_string().lines().filter_map(|line| line.strip_prefix("  vedette ")) {
                // An explanation follows after at least two spaces.
                let example = line.split("  ").next().unwrap_or_default();
                let words = std::iter::once("vedette".to_owned()).chain(words(example));
                if let Err(error) = Vedette::try_parse_from(words) {
                    panic!("{example}: {error}");
                }
                parsed += 1;
            }
        }
        assert!(parsed >= 3);
    }
}
