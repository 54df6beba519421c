//! Makes the topics that are missing, as often as it is asked. A topic that exists belongs to whoever made it: only what is
//! to be managed is altered, and only where it is stated.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::RDKafkaErrorCode as Code;
use tracing::{info, warn};
use vedette_contract::topic::{PARTITIONS, TopicManagement, TopicSpecification};
use vedette_service::Backoff;

use crate::kafka::alteration::{LiveEntry, entries};
use crate::kafka::metadata::{TopicReader, TopicState, whole_seconds};
use crate::kafka::wait::blocking;
use crate::kafka::{KafkaContext, KafkaError, KafkaSettings};

/// Asks the broker for its own default.
const BROKER_DEFAULT: i32 = -1;
/// How often a broker is asked whether new partitions have their leaders.
const LOOKS: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));

/// Makes the topics that are missing, alters those that are to be managed where they differ from what is stated, and
/// returns when every partition of every topic has a leader: what differs still, one sentence each.
///
/// # Errors
/// When no broker answers, Kafka refuses, or a topic is missing that is another's to make.
pub async fn ensure_topics(
    settings: &KafkaSettings,
    topics: &[TopicSpecification],
    timeout: Duration,
) -> Result<Vec<String>, KafkaError> {
    let work = TopicWork::start(settings, timeout)?;
    let mut differs = Vec::new();
    for topic in topics {
        let (name, servers) = (topic.name.to_string(), settings.bootstrap_servers().to_owned());
        match (work.state(topic).await?, work.management(topic)) {
            (None, _) if settings.comes_by_token() => {
                return Err(KafkaError::TopicNotByToken { topic: name, servers });
            }
            (None, TopicManagement::None) => return Err(KafkaError::TopicNotOurs { topic: name, servers }),
            (None, TopicManagement::Create | TopicManagement::Manage) => work.create(topic).await?,
            (Some(state), _) => differs.extend(work.compare(topic, &state).await?),
        }
    }
    work.wait_for_leaders(topics).await?;
    for difference in &differs {
        warn!(difference, "a topic is not as it is stated, and is left as it is");
    }
    Ok(differs)
}

struct TopicWork<'a> {
    settings: &'a KafkaSettings,
    admin: AdminClient<KafkaContext>,
    reader: Arc<TopicReader>,
    timeout: Duration,
    deadline: Instant,
}

impl<'a> TopicWork<'a> {
    fn start(settings: &'a KafkaSettings, timeout: Duration) -> Result<Self, KafkaError> {
        let admin = settings.base().create_with_context(settings.context()).map_err(KafkaError::Settings)?;
        let reader = Arc::new(TopicReader::new(settings)?);
        Ok(Self { settings, admin, reader, timeout, deadline: Instant::now() + timeout })
    }

    /// Who comes by a token only looks: the crate serves no token callback for its `AdminClient`, which all else goes through.
    fn management(&self, topic: &TopicSpecification) -> TopicManagement {
        if self.settings.comes_by_token() { TopicManagement::None } else { topic.management }
    }

    /// What is left of the time, and a little where nothing is, as zero means for ever to librdkafka.
    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    fn options(&self) -> AdminOptions {
        let remaining = Some(self.remaining());
        AdminOptions::new().request_timeout(remaining).operation_timeout(remaining)
    }

    async fn state(&self, topic: &TopicSpecification) -> Result<Option<TopicState>, KafkaError> {
        let (reader, name, deadline) = (Arc::clone(&self.reader), topic.name.clone(), self.deadline);
        blocking(self.settings, move || reader.state(&name, deadline)).await
    }

    /// Alters what is to be managed, and tells what differs otherwise.
    async fn compare(&self, topic: &TopicSpecification, state: &TopicState) -> Result<Vec<String>, KafkaError> {
        let mut differs: Vec<String> = self.compare_partitions(topic, state).await?.into_iter().collect();
        let stated: Vec<&str> =
            topic.configuration.keys().filter(|key| topic.states(key)).map(String::as_str).collect();
        if !stated.is_empty() && self.settings.comes_by_token() {
            let (name, stated) = (&topic.name, stated.join(", "));
            differs.push(format!("{stated} of {name} cannot be compared nor set where Kafka is entered by tokens"));
        } else if !stated.is_empty() {
            match self.compare_configuration(topic).await {
                Ok(more) => differs.extend(more),
                // Who only looks may do without the right to look so closely.
                Err(KafkaError::TopicUnaltered { source: Code::TopicAuthorizationFailed, .. })
                    if topic.management != TopicManagement::Manage =>
                {
                    differs.push(format!(
                        "the configuration of {} cannot be compared without the ACL DescribeConfigs",
                        topic.name
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(differs)
    }

    async fn compare_partitions(
        &self,
        topic: &TopicSpecification,
        state: &TopicState,
    ) -> Result<Option<String>, KafkaError> {
        let (live, wanted) = (state.partitions, topic.partitions);
        if !topic.states(PARTITIONS) || live == wanted {
            return Ok(None);
        }
        let name = topic.name.as_str();
        match self.management(topic) {
            TopicManagement::Manage if live < wanted => {
                let grown = NewPartitions::new(name, usize::try_from(wanted).unwrap_or_default());
                let results = self.admin.create_partitions([&grown], &self.options()).await;
                for result in results.map_err(|source| self.failed("add partitions", source))? {
                    result.map_err(|(_, source)| self.altered(topic, source))?;
                }
                info!(topic = name, partitions = wanted, before = live, "partitions added");
                Ok(None)
            }
            TopicManagement::Create if live < wanted => Ok(Some(format!(
                "{name} has {live} partitions and {wanted} are stated; set management: Manage to have it grow"
            ))),
            TopicManagement::Create | TopicManagement::Manage | TopicManagement::None => {
                Ok(Some(format!("{name} has {live} partitions and {wanted} are stated")))
            }
        }
    }

    async fn compare_configuration(&self, topic: &TopicSpecification) -> Result<Vec<String>, KafkaError> {
        let live = self.configuration(topic).await?;
        let now = |key: &str| live.get(key).and_then(|entry| entry.value.as_deref());
        let differing = topic.configuration.iter().filter(|(key, value)| topic.states(key) && now(key) != Some(value));
        let is_ours = |key: &str| {
            topic.management == TopicManagement::Manage && !live.get(key).is_some_and(|entry| entry.is_read_only)
        };
        let differing = differing.map(|(key, value)| (key.as_str(), value.as_str()));
        let (ours, others): (Vec<_>, Vec<_>) = differing.partition(|(key, _)| is_ours(key));
        if !ours.is_empty() {
            self.alter(topic, &live, &ours).await?;
        }
        let said = |(key, value): (&str, &str)| {
            format!("{key} of {} is {} and {value} is stated", topic.name, now(key).unwrap_or("not known"))
        };
        Ok(others.into_iter().map(said).collect())
    }

    /// The configuration that is in force.
    async fn configuration(&self, topic: &TopicSpecification) -> Result<BTreeMap<String, LiveEntry>, KafkaError> {
        let resource = ResourceSpecifier::Topic(topic.name.as_str());
        let results = self.admin.describe_configs([&resource], &self.options()).await;
        let mut live = BTreeMap::new();
        for result in results.map_err(|source| self.failed("read a topic's configuration", source))? {
            for entry in result.map_err(|source| self.altered(topic, source))?.entries {
                live.insert(entry.name.clone(), LiveEntry::from(entry));
            }
        }
        Ok(live)
    }

    async fn alter(
        &self,
        topic: &TopicSpecification,
        live: &BTreeMap<String, LiveEntry>,
        stated: &[(&str, &str)],
    ) -> Result<(), KafkaError> {
        let entries = entries(live, stated).map_err(|key| KafkaError::TopicUntold {
            topic: topic.name.to_string(),
            key: key.to_owned(),
            stated: stated.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", "),
        })?;
        let wanted = AlterConfig {
            specifier: ResourceSpecifier::Topic(topic.name.as_str()),
            entries: entries.into_iter().collect(),
        };
        let results = self.admin.alter_configs([&wanted], &self.options()).await;
        for result in results.map_err(|source| self.failed("set a topic's configuration", source))? {
            result.map_err(|(_, source)| self.altered(topic, source))?;
        }
        info!(topic = topic.name.as_str(), changed = ?stated, "topic configuration set");
        Ok(())
    }

    fn altered(&self, topic: &TopicSpecification, source: Code) -> KafkaError {
        KafkaError::TopicUnaltered {
            topic: topic.name.to_string(),
            servers: self.settings.bootstrap_servers().to_owned(),
            source,
        }
    }

    async fn create(&self, topic: &TopicSpecification) -> Result<(), KafkaError> {
        let TopicSpecification { name, management: _, partitions, replication_factor, configuration, defaults: _ } =
            topic;
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
        for topic in topics {
            self.wait_for_leader(topic).await?;
        }
        Ok(())
    }

    async fn wait_for_leader(&self, topic: &TopicSpecification) -> Result<(), KafkaError> {
        let mut looks = LOOKS;
        while self.state(topic).await?.is_none_or(|state| !state.led) {
            if Instant::now() >= self.deadline {
                let (topic, seconds) = (topic.name.to_string(), whole_seconds(self.timeout));
                return Err(KafkaError::TopicNotReady { topic, seconds });
            }
            tokio::time::sleep(looks.failed()).await;
        }
        Ok(())
    }

    fn failed(&self, attempt: &'static str, source: rdkafka::error::KafkaError) -> KafkaError {
        KafkaError::Request { attempt, servers: self.settings.bootstrap_servers().to_owned(), source }
    }
}

fn refused(topic: &TopicSpecification, source: Code) -> KafkaError {
    KafkaError::TopicRefused { topic: topic.name.to_string(), source }
}
