//! How topics are waited for, which others make while a process starts.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use vedette_service::Backoff;

use crate::kafka::metadata::TopicReader;
use crate::kafka::{KafkaError, KafkaSettings};

/// Between looks; a topic that is missing for long costs a broker of others one small request in five seconds.
const LOOKS: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Waits until a look brings something. What may pass is told and waited out, for so long if that is limited; a token that
/// is refused for as long as it takes, as that is mended elsewhere.
///
/// # Errors
/// What does not pass, or did not in time.
pub async fn wait_for_topics<T: Send + 'static>(
    settings: &KafkaSettings,
    patience: Option<Duration>,
    look: impl Fn(&TopicReader) -> Result<T, KafkaError> + Send + Sync + 'static,
    told: impl Fn(&KafkaError),
) -> Result<T, KafkaError> {
    let (begun, mut looks) = (Instant::now(), LOOKS);
    let (reader, look) = (Arc::new(TopicReader::new(settings)?), Arc::new(look));
    loop {
        let (reader, look) = (Arc::clone(&reader), Arc::clone(&look));
        let error = match blocking(settings, move || look(&reader)).await {
            Ok(brought) => return Ok(brought),
            Err(error) => error,
        };
        let is_waited_for = matches!(error, KafkaError::Token(_)) || patience.is_none_or(|all| begun.elapsed() < all);
        if !is_waited_for || !error.is_retriable() {
            return Err(error);
        }
        told(&error);
        sleep(looks.failed()).await;
    }
}

/// Looks, where that may block.
pub(super) async fn blocking<T: Send + 'static>(
    settings: &KafkaSettings,
    look: impl FnOnce() -> Result<T, KafkaError> + Send + 'static,
) -> Result<T, KafkaError> {
    spawn_blocking(look).await.unwrap_or_else(|cause| match cause.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        // The runtime is ending and did not start the request.
        Err(_) => Err(KafkaError::Request {
            attempt: "read the topics",
            servers: settings.bootstrap_servers().to_owned(),
            source: rdkafka::error::KafkaError::Canceled,
        }),
    })
}
