//! Makes the topics that are missing, as often as it is asked. A topic that exists belongs to whoever made it: only what is
//! to be managed is altered, and only where it is stated.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode as Code;
use tracing::{info, warn};
use vedette_contract::topic::{
    CLEANUP_POLICY, MIN_INSYNC_REPLICAS, PARTITIONS, REPLICATION_FACTOR, TopicManagement, TopicReport,
    TopicSpecification,
};
use vedette_service::Backoff;

use crate::kafka::admin::Admin;
use crate::kafka::alteration::{LiveEntry, entries};
use crate::kafka::comparison::{Cleanup, Insync, cleanup, differing, insync, value_of};
use crate::kafka::metadata::{TopicReader, TopicState, whole_seconds};
use crate::kafka::wait::blocking;
use crate::kafka::{KafkaError, KafkaSettings, MissingAcl};

/// How often a broker is asked whether new partitions have their leaders.
const LOOKS: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));

/// Makes the topics that are missing, alters those that are to be managed where they differ from what is stated, and
/// returns when every partition of every topic has a leader: what differs still, and what keeps records from passing. Each
/// request may take `timeout`.
///
/// # Errors
/// When no broker answers, Kafka refuses, or a topic is missing that is another's to make.
pub async fn ensure_topics(
    settings: &KafkaSettings,
    topics: &[TopicSpecification],
    timeout: Duration,
) -> Result<TopicReport, KafkaError> {
    let work = TopicWork::start(settings, timeout)?;
    let (mut made, mut report) = (BTreeSet::new(), TopicReport::default());
    for topic in topics {
        let (name, servers) = (topic.name.to_string(), settings.bootstrap_servers().to_owned());
        match (work.state(topic).await?, topic.management) {
            (None, TopicManagement::None) => return Err(KafkaError::TopicNotOurs { topic: name, servers }),
            (None, TopicManagement::Create | TopicManagement::Manage) => {
                work.create(topic).await?;
                made.insert(&topic.name);
            }
            (Some(state), _) => work.compare(topic, &state, &mut report).await?,
        }
    }
    for topic in topics {
        let is_made = made.contains(&topic.name);
        work.wait_for_leaders(topic, is_made, &mut report).await?;
        if is_made {
            work.compare_made(topic, &mut report).await?;
        }
    }
    for sentence in report.differs.iter().chain(&report.blocks) {
        warn!(sentence, "a topic is not as it is stated or needed, and is left as it is");
    }
    Ok(report)
}

struct TopicWork<'a> {
    settings: &'a KafkaSettings,
    admin: Admin,
    reader: Arc<TopicReader>,
    timeout: Duration,
}

impl<'a> TopicWork<'a> {
    fn start(settings: &'a KafkaSettings, timeout: Duration) -> Result<Self, KafkaError> {
        let admin = Admin::new(settings)?;
        let reader = Arc::new(TopicReader::new(settings)?);
        Ok(Self { settings, admin, reader, timeout })
    }

    async fn state(&self, topic: &TopicSpecification) -> Result<Option<TopicState>, KafkaError> {
        let (reader, name, timeout) = (Arc::clone(&self.reader), topic.name.clone(), self.timeout);
        blocking(self.settings, move || reader.state(&name, timeout)).await
    }

    /// Alters what is to be managed, and tells what differs otherwise.
    async fn compare(
        &self,
        topic: &TopicSpecification,
        state: &TopicState,
        report: &mut TopicReport,
    ) -> Result<(), KafkaError> {
        report.differs.extend(self.compare_partitions(topic, state).await?);
        report.differs.extend(compare_replicas(topic, state));
        let stated: Vec<&str> =
            topic.configuration.keys().filter(|key| topic.states(key)).map(String::as_str).collect();
        match self.configuration(topic).await {
            Ok(live) => {
                compare_cleanup(topic, &live, report);
                compare_insync(topic, state, &live, report);
                report.differs.extend(self.compare_configuration(topic, &live).await?);
            }
            // Who only looks may do without the right to look so closely.
            Err(KafkaError::AclMissing { .. }) if stated.is_empty() => {
                unknown_configuration(topic);
            }
            Err(KafkaError::AclMissing { .. }) if topic.management != TopicManagement::Manage => {
                let said = "cannot be compared without the ACL DescribeConfigs";
                report.differs.push(format!("the configuration of {} {said}", topic.name));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// What we made has what is stated; whether it takes records depends on the brokers' own defaults, too.
    async fn compare_made(&self, topic: &TopicSpecification, report: &mut TopicReport) -> Result<(), KafkaError> {
        match (self.state(topic).await?, self.configuration(topic).await) {
            (Some(state), Ok(live)) => compare_insync(topic, &state, &live, report),
            (_, Err(KafkaError::AclMissing { .. })) => unknown_configuration(topic),
            (None, Ok(_)) => {}
            (_, Err(error)) => return Err(error),
        }
        Ok(())
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
        match topic.management {
            TopicManagement::Manage if live < wanted => {
                let grown = self.admin.add_partitions(name, wanted, self.timeout).await?;
                grown.map_err(|source| self.unaltered(topic, MissingAcl::AlterTopic, source))?;
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

    async fn compare_configuration(
        &self,
        topic: &TopicSpecification,
        live: &BTreeMap<String, LiveEntry>,
    ) -> Result<Vec<String>, KafkaError> {
        let is_ours = |key: &str| {
            topic.management == TopicManagement::Manage && !live.get(key).is_some_and(|entry| entry.is_read_only)
        };
        let (ours, others): (Vec<_>, Vec<_>) = differing(topic, live).into_iter().partition(|(key, _)| is_ours(key));
        if !ours.is_empty() {
            self.alter(topic, live, &ours).await?;
        }
        let said = |(key, value): (&str, &str)| {
            format!("{key} of {} is {} and {value} is stated", topic.name, value_of(live, key).unwrap_or("not known"))
        };
        Ok(others.into_iter().map(said).collect())
    }

    /// The configuration that is in force.
    async fn configuration(&self, topic: &TopicSpecification) -> Result<BTreeMap<String, LiveEntry>, KafkaError> {
        let mut live = BTreeMap::new();
        for described in self.admin.describe(&[topic.name.as_str()], self.timeout).await? {
            let (_, entries) =
                described.map_err(|source| self.unaltered(topic, MissingAcl::DescribeTopicConfigs, source))?;
            live.extend(entries);
        }
        // The client keeps the refusal of a topic to itself; a topic that may be looked at has a configuration.
        if live.is_empty() {
            return Err(self.refused_to(topic, MissingAcl::DescribeTopicConfigs));
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
        let altered = self.admin.alter(topic.name.as_str(), &entries, self.timeout).await?;
        altered.map_err(|source| self.unaltered(topic, MissingAcl::AlterTopicConfigs, source))?;
        // That of a change, too: only what is in force then tells.
        let now = self.configuration(topic).await?;
        let differs = differing(topic, &now);
        if stated.iter().any(|set| differs.contains(set)) {
            return Err(self.refused_to(topic, MissingAcl::AlterTopicConfigs));
        }
        info!(topic = topic.name.as_str(), changed = ?stated, "topic configuration set");
        Ok(())
    }

    fn unaltered(&self, topic: &TopicSpecification, acl: fn(String) -> MissingAcl, source: Code) -> KafkaError {
        let (name, servers) = (topic.name.to_string(), self.settings.bootstrap_servers());
        if source == Code::TopicAuthorizationFailed {
            return self.refused_to(topic, acl);
        }
        KafkaError::TopicUnaltered { topic: name, servers: servers.to_owned(), source }
    }

    fn refused_to(&self, topic: &TopicSpecification, acl: fn(String) -> MissingAcl) -> KafkaError {
        KafkaError::missing(self.settings.bootstrap_servers(), &[acl(topic.name.to_string())])
    }

    async fn create(&self, topic: &TopicSpecification) -> Result<(), KafkaError> {
        let made = self.admin.create(topic, self.timeout).await?;
        made.map_err(|source| self.refused(topic, source))?;
        info!(topic = topic.name.as_str(), specification = %topic, "topic created");
        Ok(())
    }

    /// What we made is to have them. Of a topic of others it is said, and is no reason for the rest to wait.
    async fn wait_for_leaders(
        &self,
        topic: &TopicSpecification,
        is_made: bool,
        report: &mut TopicReport,
    ) -> Result<(), KafkaError> {
        let (mut looks, deadline) = (LOOKS, Instant::now() + self.timeout);
        while self.state(topic).await?.is_none_or(|state| !state.led) {
            if Instant::now() < deadline {
                tokio::time::sleep(looks.failed()).await;
            } else if is_made {
                let (topic, seconds) = (topic.name.to_string(), whole_seconds(self.timeout));
                return Err(KafkaError::TopicNotReady { topic, seconds });
            } else {
                report.differs.push(format!("not every partition of {} has a leader; check the brokers", topic.name));
                break;
            }
        }
        Ok(())
    }

    fn refused(&self, topic: &TopicSpecification, source: Code) -> KafkaError {
        let topic = topic.name.to_string();
        match source {
            // Brokers before Kafka 2.0 look for it on the cluster.
            Code::TopicAuthorizationFailed | Code::ClusterAuthorizationFailed => {
                KafkaError::missing(self.settings.bootstrap_servers(), &[MissingAcl::CreateTopic(topic)])
            }
            source => KafkaError::TopicRefused { topic, source },
        }
    }
}

/// Whoever says that a topic is another's answers for its records having keys.
fn compare_cleanup(topic: &TopicSpecification, live: &BTreeMap<String, LiveEntry>, report: &mut TopicReport) {
    let name = &topic.name;
    match cleanup(topic, live) {
        Cleanup::Fits => {}
        Cleanup::PilesUp(policy) => report.differs.push(format!(
            "{name} is not compacted ({CLEANUP_POLICY} is {policy}), so that each change piles up in it; have its owner add compact"
        )),
        Cleanup::TakesOnlyKeys(policy) => {
            let said = format!(
                "{name} is compacted ({CLEANUP_POLICY} is {policy}), and takes no record without a key; have its owner take compact away"
            );
            match topic.management {
                TopicManagement::None => report.differs.push(said),
                TopicManagement::Create | TopicManagement::Manage => {
                    report.blocks.push(format!("{said}, or set management: None where every record has a key"));
                }
            }
        }
    }
}

fn unknown_configuration(topic: &TopicSpecification) {
    info!(topic = topic.name.as_str(), "its configuration is not known without the ACL DescribeConfigs");
}

/// Kafka moves replicas by a plan of its operators only.
fn compare_replicas(topic: &TopicSpecification, state: &TopicState) -> Option<String> {
    let wanted = topic.replication_factor.filter(|_| topic.states(REPLICATION_FACTOR))?;
    let (name, live) = (&topic.name, state.replicas);
    (live != wanted).then(|| {
        format!("{name} has replication factor {live} and {wanted} is stated; kafka-reassign-partitions.sh changes it")
    })
}

fn compare_insync(
    topic: &TopicSpecification,
    state: &TopicState,
    live: &BTreeMap<String, LiveEntry>,
    report: &mut TopicReport,
) {
    let (name, replicas) = (&topic.name, state.replicas);
    let said =
        |asked: i32| format!("{MIN_INSYNC_REPLICAS} of {name} is {asked} and its replication factor is {replicas}");
    match insync(topic, replicas, live) {
        Insync::Fits => {}
        Insync::RefusesAll(asked) => report
            .blocks
            .push(format!("{}, so that its brokers take no record; lower the one or raise the other", said(asked))),
        // What nobody stated is the brokers' affair.
        Insync::Capped(asked) => report.differs.extend(
            topic
                .configuration
                .get(MIN_INSYNC_REPLICAS)
                .map(|_| format!("{}, so that no more have a record", said(asked))),
        ),
    }
}
