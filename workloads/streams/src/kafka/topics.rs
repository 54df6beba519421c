//! Creates topics and brings existing ones to what is wanted, as often as it is asked.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigResource, ConfigSource, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::error::RDKafkaErrorCode as Code;
use tracing::info;
use vedette_contract::topic::TopicSpecification;

use crate::kafka::metadata::{TopicState, topic_states, whole_seconds};
use crate::kafka::{KafkaContext, KafkaError, KafkaSettings};

/// Asks the broker for its own default.
const BROKER_DEFAULT: i32 = -1;
/// How often a broker is asked whether new partitions have their leaders.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Creates the topics that are missing, adds partitions and changes configuration where they differ, and returns when
/// every partition has a leader. Configuration that is not named stays; so does the replication factor of a topic that
/// exists. Each change is logged.
///
/// # Errors
/// When no broker answers, a topic has more partitions than wanted (then nothing is changed), or Kafka refuses.
pub async fn ensure_topics(
    settings: &KafkaSettings,
    topics: &[TopicSpecification],
    timeout: Duration,
) -> Result<(), KafkaError> {
    let work = TopicWork::start(settings, timeout)?;
    let existing = work.states().await?;
    for topic in topics {
        if let Some(state) = existing.get(topic.name.as_str())
            && state.partitions > topic.partitions
        {
            return Err(KafkaError::FewerPartitions {
                topic: topic.name.to_string(),
                existing: state.partitions,
                wanted: topic.partitions,
            });
        }
    }
    for topic in topics {
        match existing.get(topic.name.as_str()) {
            None => work.create(topic).await?,
            Some(state) => {
                if state.partitions < topic.partitions {
                    work.add_partitions(topic, state.partitions).await?;
                }
                work.configure(topic).await?;
            }
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
                Err((_, source)) => return Err(refused("create", topic, source)),
            }
        }
        Ok(())
    }

    async fn add_partitions(&self, topic: &TopicSpecification, existing: i32) -> Result<(), KafkaError> {
        let wanted = usize::try_from(topic.partitions).unwrap_or_default();
        let change = NewPartitions::new(topic.name.as_str(), wanted);
        let results = self.admin.create_partitions([&change], &self.options()).await;
        for result in results.map_err(|source| self.failed("add partitions", source))? {
            match result {
                Ok(_) => info!(topic = topic.name.as_str(), existing, wanted, "partitions added"),
                Err((_, source)) => return Err(refused("add partitions to", topic, source)),
            }
        }
        Ok(())
    }

    /// `AlterConfigs` sets back what it does not name, so whatever was set on the topic before is named too.
    async fn configure(&self, topic: &TopicSpecification) -> Result<(), KafkaError> {
        if topic.configuration.is_empty() {
            return Ok(());
        }
        let described = self.describe(topic).await?;
        let current = described.entry_map();
        let differing = topic.configuration.iter().filter(|(key, value)| {
            current.get(key.as_str()).and_then(|entry| entry.value.as_deref()) != Some(value.as_str())
        });
        let differing: Vec<&str> = differing.map(|(key, _)| key.as_str()).collect();
        if differing.is_empty() {
            return Ok(());
        }
        let kept = described.entries.iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
        let kept = kept.filter_map(|entry| Some((entry.name.as_str(), entry.value.as_deref()?)));
        let wanted = topic.configuration.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let entries: HashMap<&str, &str> = kept.chain(wanted).collect();
        let change = AlterConfig { specifier: ResourceSpecifier::Topic(topic.name.as_str()), entries };
        let results = self.admin.alter_configs([&change], &self.options()).await;
        for result in results.map_err(|source| self.failed("configure topics", source))? {
            match result {
                Ok(_) => info!(topic = topic.name.as_str(), changed = differing.join(","), "topic configured"),
                Err((_, source)) => return Err(refused("configure", topic, source)),
            }
        }
        Ok(())
    }

    async fn describe(&self, topic: &TopicSpecification) -> Result<ConfigResource, KafkaError> {
        let resource = ResourceSpecifier::Topic(topic.name.as_str());
        let results = self.admin.describe_configs([&resource], &self.options()).await;
        match results.map_err(|source| self.failed("describe topics", source))?.pop() {
            Some(Ok(described)) => Ok(described),
            Some(Err(source)) => Err(refused("describe", topic, source)),
            None => Err(refused("describe", topic, Code::UnknownTopicOrPartition)),
        }
    }

    async fn wait_for_leaders(&self, topics: &[TopicSpecification]) -> Result<(), KafkaError> {
        loop {
            let states = self.states().await?;
            let unready = topics.iter().find(|topic| {
                states.get(topic.name.as_str()).is_none_or(|state| !state.led || state.partitions < topic.partitions)
            });
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

fn refused(attempt: &'static str, topic: &TopicSpecification, source: Code) -> KafkaError {
    KafkaError::TopicRefused { attempt, topic: topic.name.to_string(), source }
}
