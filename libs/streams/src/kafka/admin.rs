//! What is asked of brokers about topics, whichever way: by librdkafka, or, for who comes by a token, by connections of our own.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use vedette_contract::topic::TopicSpecification;

use crate::kafka::alteration::LiveEntry;
use crate::kafka::wire::{Described, WireAdmin};
use crate::kafka::{KafkaContext, KafkaError, KafkaSettings};

/// Asks the broker for its own default.
const BROKER_DEFAULT: i32 = -1;

/// Asks brokers about topics.
pub(super) struct Admin {
    settings: KafkaSettings,
    way: Way,
}

enum Way {
    Library(AdminClient<KafkaContext>),
    ByToken(WireAdmin),
}

impl Admin {
    /// Connects when it is asked.
    ///
    /// # Errors
    /// When the client refuses its settings.
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        let way = if settings.comes_by_token() {
            Way::ByToken(WireAdmin::new(settings))
        } else {
            Way::Library(settings.base().create_with_context(settings.context()).map_err(KafkaError::Settings)?)
        };
        Ok(Self { settings: settings.clone(), way })
    }

    /// Makes a topic.
    pub(super) async fn create(
        &self,
        topic: &TopicSpecification,
        limit: Duration,
    ) -> Result<Result<(), Code>, KafkaError> {
        let admin = match &self.way {
            Way::ByToken(wire) => return wire.create(topic, limit).await,
            Way::Library(admin) => admin,
        };
        let TopicSpecification { name, management: _, partitions, replication_factor, configuration, defaults: _ } =
            topic;
        let wanted = NewTopic {
            name: name.as_str(),
            num_partitions: *partitions,
            replication: TopicReplication::Fixed(replication_factor.unwrap_or(BROKER_DEFAULT)),
            config: configuration.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        };
        let results = admin.create_topics([&wanted], &options(limit)).await;
        let results = results.map_err(|source| self.failed("create topics", source))?;
        Ok(results.into_iter().try_for_each(|result| result.map(drop).map_err(|(_, code)| code)))
    }

    /// Adds partitions to a topic, so that it has so many.
    pub(super) async fn add_partitions(
        &self,
        topic: &str,
        count: i32,
        limit: Duration,
    ) -> Result<Result<(), Code>, KafkaError> {
        let admin = match &self.way {
            Way::ByToken(wire) => return wire.add_partitions(topic, count, limit).await,
            Way::Library(admin) => admin,
        };
        let grown = NewPartitions::new(topic, usize::try_from(count).unwrap_or_default());
        let results = admin.create_partitions([&grown], &options(limit)).await;
        let results = results.map_err(|source| self.failed("add partitions", source))?;
        Ok(results.into_iter().try_for_each(|result| result.map(drop).map_err(|(_, code)| code)))
    }

    /// The configurations of topics that are in force. librdkafka keeps the refusal of a topic to itself, or gives it a code.
    pub(super) async fn describe(&self, topics: &[&str], limit: Duration) -> Result<Vec<Described>, KafkaError> {
        let admin = match &self.way {
            Way::ByToken(wire) => return wire.describe(topics, limit).await,
            Way::Library(admin) => admin,
        };
        let asked: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        let results = admin.describe_configs(&asked, &options(limit)).await;
        let results = results.map_err(|source| self.failed("read the configuration of topics", source))?;
        let described = results.into_iter().filter_map(|result| match result {
            Err(code) => Some(Err(code)),
            Ok(resource) => match resource.specifier {
                OwnedResourceSpecifier::Topic(topic) => {
                    let entries = resource.entries.into_iter();
                    let entries = entries.map(|entry| (entry.name.clone(), LiveEntry::from(entry))).collect();
                    Some(Ok((topic, entries)))
                }
                OwnedResourceSpecifier::Broker(_) | OwnedResourceSpecifier::Group(_) => None,
            },
        });
        Ok(described.collect())
    }

    /// Sets all that is set of a topic.
    pub(super) async fn alter(
        &self,
        topic: &str,
        entries: &BTreeMap<&str, &str>,
        limit: Duration,
    ) -> Result<Result<(), Code>, KafkaError> {
        let admin = match &self.way {
            Way::ByToken(wire) => return wire.alter(topic, entries, limit).await,
            Way::Library(admin) => admin,
        };
        let entries = entries.iter().map(|(key, value)| (*key, *value)).collect();
        let wanted = AlterConfig { specifier: ResourceSpecifier::Topic(topic), entries };
        let results = admin.alter_configs([&wanted], &options(limit)).await;
        let results = results.map_err(|source| self.failed("set a topic's configuration", source))?;
        Ok(results.into_iter().try_for_each(|result| result.map(drop).map_err(|(_, code)| code)))
    }

    fn failed(&self, attempt: &'static str, source: ClientError) -> KafkaError {
        KafkaError::Request { attempt, servers: self.settings.bootstrap_servers().to_owned(), source }
    }
}

fn options(limit: Duration) -> AdminOptions {
    AdminOptions::new().request_timeout(Some(limit)).operation_timeout(Some(limit))
}
