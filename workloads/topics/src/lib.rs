//! The topic Job: creates those of a pipeline's topics that are missing, and ends.

use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;
use tracing::{info, warn};
use vedette_contract::arguments::TopicsArguments;
use vedette_service::{Shutdown, error_chain};
use vedette_streams::kafka::{KafkaError, KafkaSettings, ensure_topics};

const CLIENT_ID: &str = "vedette-topics";
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long the Job waits for a broker.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For one attempt.
    pub attempt: Duration,
    /// For all of them; after that the Job fails, and whoever started it decides when to try again.
    pub total: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempt: Duration::from_secs(15), total: Duration::from_secs(60) }
    }
}

/// Why the topics are not there.
#[derive(Debug, Error)]
pub enum TopicsError {
    /// Kafka is not there, or refuses.
    #[error("the topics are not there")]
    Kafka(#[source] KafkaError),
    /// The process was told to end first.
    #[error("stopped before the topics were there")]
    Stopped,
}

impl TopicsError {
    /// A word for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Kafka(cause) => cause.reason(),
            Self::Stopped => "Stopped",
        }
    }
}

/// Ensures the topics, waiting a minute for a broker that is not there yet.
///
/// # Errors
/// When Kafka refuses, no broker came, or the process was told to end.
pub async fn run(arguments: TopicsArguments, shutdown: Shutdown) -> Result<(), TopicsError> {
    run_with_patience(arguments, Patience::default(), shutdown).await
}

/// As [`run`], with other limits.
///
/// # Errors
/// As [`run`].
pub async fn run_with_patience(
    arguments: TopicsArguments,
    patience: Patience,
    shutdown: Shutdown,
) -> Result<(), TopicsError> {
    let TopicsArguments { kafka, topics } = arguments;
    let settings = KafkaSettings::new(&kafka, CLIENT_ID);
    let work = async {
        let deadline = Instant::now() + patience.total;
        let mut pause = FIRST_PAUSE;
        loop {
            match ensure_topics(&settings, &topics, patience.attempt).await {
                Ok(()) => return Ok(()),
                Err(cause) if cause.is_retriable() && Instant::now() + pause < deadline => {
                    warn!(reason = cause.reason(), error = %error_chain(&cause), "topics are not there yet");
                }
                Err(cause) => return Err(TopicsError::Kafka(cause)),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    };
    shutdown.run_until_cancelled(work).await.unwrap_or(Err(TopicsError::Stopped))?;
    info!(topics = topics.len(), "topics are there");
    Ok(())
}
