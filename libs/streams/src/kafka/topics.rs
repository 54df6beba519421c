//! Creates the topics that are missing, as often as it is asked. A topic that exists belongs to whoever made it: nothing
//! here alters one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::error::RDKafkaErrorCode as Code;
use tracing::{info, warn};
use vedette_contract::topic::TopicSpecification;

use crate::kafka::metadata::{TopicState, topic_states, whole_seconds};
use crate::kafka::{KafkaContext, KafkaError, KafkaSettings};

/// Asks the broker for its own default.
const BROKER_DEFAULT: i32 = -1;
/// How often a broker is asked whether new partitions have their leaders.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Creates the topics that are missing and returns when every partition of every topic has a leader. A topic that exists
/// stays exactly as it is, partitions and configuration; another number of partitions than wanted is logged.
///
/// # Errors
/// When no broker answers, or Kafka refuses.
pub async fn ensure_topics(
    settings: &KafkaSettings,
    topics: &[TopicSpecification],
    timeout: Duration,
) -> Result<(), KafkaError> {
    let work = TopicWork::start(settings, timeout)?;
    let existing = work.states().await?;
    for topic in topics {
        match existing.get(topic.name.as_str()) {
            None => work.create(topic).await?,
            Some(state) if state.partitions != topic.partitions => warn!(
                topic = topic.name.as_str(),
                partitions = state.partitions,
                wanted = topic.partitions,
                "topic exists with another number of partitions and is left as it is"
            ),
            Some(_) => {}
        }
    }
    work.wait_for_leaders(topics).await
}

struct TopicWork<'a> {
    settings: &'a KafkaSettings,
    admin: AdminClient<KafkaContext>,
    timeout: Duration,
    deadline: Instant,
}

impl<'a> TopicWork<'a> {
    fn start(settings: &'a KafkaSettings, timeout: Duration) -> Result<Self, KafkaError> {
        let admin = settings.base().create_with_context(KafkaContext).map_err(KafkaError::Settings)?;
        Ok(Self { settings, admin, timeout, deadline: Instant::now() + timeout })
    }

    /// What is left of the time, and a little where nothing is, as zero means for ever to librdkafka.
    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    fn options(&self) -> AdminOptions {
        let remaining = Some(self.remaining());
        AdminOptions::new().request_timeout(remaining).operation_timeout(remaining)
    }

    async fn states(&self) -> Result<BTreeMap<String, TopicState>, KafkaError> {
        let (settings, remaining) = (self.settings.clone(), self.remaining());
        let blocking = tokio::task::spawn_blocking(move || topic_states(&settings, remaining));
        blocking.await.unwrap_or_else(|cause| match cause.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is ending and did not start the request.
            Err(_) => Err(self.failed("read the topics", rdkafka::error::KafkaError::Canceled)),
        })
    }

    async fn create(&self, topic: &TopicSpecification) -> Result<(), KafkaError> {
        let TopicSpecification { name, partitions, replication_factor, configuration } = topic;
        let replication = TopicReplication::Fixed(replication_factor.unwrap_or(BROKER_DEFAULT));
        let wanted = NewTopic {
            name: name.as_str(),
            num_partitions: *partitions,
            replication,
            config: configuration.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        };
        let results = self.admin.create_topics([&wanted], &self.options()).await;
        for result in results.map_err(|source| self.failed("create topics", source))? {
            match result {
                Ok(_) => info!(topic = name.as_str(), specification = %topic, "topic created"),
                Err((_, source)) => return Err(refused(topic, source)),
            }
        }
        Ok(())
    }

    async fn wait_for_leaders(&self, topics: &[TopicSpecification]) -> Result<(), KafkaError> {
        loop {
            let states = self.states().await?;
            let unready = topics.iter().find(|topic| states.get(topic.name.as_str()).is_none_or(|state| !state.led));
            match unready {
                None => return Ok(()),
                Some(topic) if Instant::now() >= self.deadline => {
                    return Err(KafkaError::TopicNotReady {
                        topic: topic.name.to_string(),
                        seconds: whole_seconds(self.timeout),
                    });
                }
                Some(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    fn failed(&self, attempt: &'static str, source: rdkafka::error::KafkaError) -> KafkaError {
        KafkaError::Request { attempt, servers: self.settings.bootstrap_servers().to_owned(), source }
    }
}

fn refused(topic: &TopicSpecification, source: Code) -> KafkaError {
    KafkaError::TopicRefused { topic: topic.name.to_string(), source }
}
