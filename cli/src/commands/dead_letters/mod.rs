//! `vedette dead-letters`: the records that could not be read or scored, straight from their topic, as they are archived nowhere.

mod edit;
mod letters;
mod list;
mod place;
mod replay;
mod show;

use clap::{Args, Subcommand};
use thiserror::Error;
use vedette_contract::TopicName;
use vedette_contract::arguments::KafkaArguments;
use vedette_service::Shutdown;
use vedette_streams::kafka::KafkaError;

use self::edit::EditError;
use self::list::ListOptions;
use self::place::Place;
use self::replay::ReplayOptions;
use self::show::ShowOptions;
use crate::output::OutputError;

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// List the newest records that could not be read or scored
    List(ListOptions),
    /// Show one of them, with what was wrong
    Show(ShowOptions),
    /// Send some of them once more, mended or as they are
    Replay(ReplayOptions),
}

/// Where they are.
#[derive(Debug, Clone, Args)]
pub struct TopicOptions {
    /// Which Kafka.
    #[command(flatten)]
    pub kafka: KafkaArguments,
    /// Topic of the dead letters
    #[arg(long, value_name = "TOPIC", default_value = "dead_letters")]
    pub topic: TopicName,
}

/// Why a command failed.
#[derive(Debug, Error)]
pub enum DeadLettersError {
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// Reading.
    #[error("cannot read topic {topic}")]
    Read {
        topic: TopicName,
        #[source]
        source: rdkafka::error::KafkaError,
    },
    /// There is no letter.
    #[error(
        "there is no dead letter at {place} of topic {topic}: vedette dead-letters list names those that are there"
    )]
    Nowhere { place: Place, topic: TopicName },
    /// A message that is none.
    #[error("what is at {place} of topic {topic} is no dead letter")]
    NoLetter {
        place: Place,
        topic: TopicName,
        #[source]
        source: vedette_records::dead_letter::DeadLetterError,
    },
    /// The edit is none.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// The value that is to stand instead.
    #[error("cannot read {}", crate::output::escaped(&.file.display().to_string()))]
    Value {
        file: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// One record for several letters.
    #[error("--value-file is the record of one letter, and {letters} are named")]
    OneValue { letters: usize },
    /// The producer.
    #[error("the producer could not be made")]
    Producer(#[source] rdkafka::error::KafkaError),
    /// Not everything was sent.
    #[error("{left} of {wanted} dead letters were not sent")]
    Left { left: usize, wanted: usize },
    /// It was stopped.
    #[error("stopped before everything was sent")]
    Stopped,
    /// A thread ended early.
    #[error("a worker thread ended early")]
    Worker(#[from] tokio::task::JoinError),
    /// The answer could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Does it.
///
/// # Errors
/// When Kafka does not answer, a letter is not there, or not all could be sent.
pub(super) async fn run(command: DeadLettersCommand, shutdown: &Shutdown) -> Result<(), DeadLettersError> {
    match command {
        DeadLettersCommand::List(options) => tokio::task::spawn_blocking(move || list::list(&options)).await?,
        DeadLettersCommand::Show(options) => tokio::task::spawn_blocking(move || show::show(&options)).await?,
        DeadLettersCommand::Replay(options) => replay::replay(options, shutdown).await,
    }
}
