//! From arguments to topics that are there.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::time::Instant;
use tracing::{info, warn};
use vedette_contract::arguments::TopicsArguments;
use vedette_contract::topic::{TopicReport, TopicSpecification};
use vedette_service::{Backoff, Shutdown, error_chain};
use vedette_streams::kafka::{KafkaSettings, ensure_topics};

use crate::error::TopicsError;

/// What Kubernetes takes of a termination message.
const REPORT_BYTES: usize = 4096;
const CLIENT_ID: &str = "vedette-topics";
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(5));

/// How long the Job waits for a broker.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For each request: a slow broker has time for every topic.
    pub request: Duration,
    /// Until the last attempt begins; after that the Job fails, and whoever started it decides when to try again.
    pub total: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { request: Duration::from_secs(15), total: Duration::from_secs(60) }
    }
}

/// Ensures the topics, waiting a minute for a broker that is not there yet.
///
/// # Errors
/// When Kafka refuses, no broker came, or the process was told to end.
pub fn run(arguments: TopicsArguments, shutdown: Shutdown) -> BoxFuture<'static, Result<(), TopicsError>> {
    run_with_patience(arguments, Patience::default(), shutdown).boxed()
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
    let TopicsArguments { kafka, topics, report_file } = arguments;
    let settings = KafkaSettings::new(&kafka, CLIENT_ID);
    let work = ensure(&settings, &topics, patience);
    let found = shutdown.run_until_cancelled(work).await.unwrap_or(Err(TopicsError::Stopped))?;
    let (differences, blocks) = (found.differs.len(), found.blocks.len());
    info!(topics = topics.len(), differences, blocks, "topics are there");
    report_file.iter().for_each(|file| report(file, &found));
    Ok(())
}

/// Where nobody takes it, as on a laptop, the log has it all the same.
fn report(file: &Path, report: &TopicReport) {
    let mut fitting = report.clone();
    while serde_json::to_vec(&fitting).is_ok_and(|text| text.len() > REPORT_BYTES)
        && (fitting.differs.pop().is_some() || fitting.blocks.pop().is_some())
    {}
    let written = OpenOptions::new().write(true).open(file).and_then(|file| Ok(serde_json::to_writer(file, &fitting)?));
    match written {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => warn!(%error, file = %file.display(), "what was found is not reported"),
        Ok(()) => {}
    }
}

async fn ensure(
    settings: &KafkaSettings,
    topics: &[TopicSpecification],
    patience: Patience,
) -> Result<TopicReport, TopicsError> {
    let deadline = Instant::now() + patience.total;
    let mut backoff = BACKOFF;
    loop {
        match ensure_topics(settings, topics, patience.request).await {
            Ok(found) => return Ok(found),
            Err(cause) if cause.is_retriable() && Instant::now() + backoff.next_pause() < deadline => {
                warn!(reason = cause.reason(), error = %error_chain(&cause), "topics are not there yet");
            }
            Err(cause) => return Err(TopicsError::Kafka(cause)),
        }
        tokio::time::sleep(backoff.failed()).await;
    }
}
