//! What the topic Job creates, as one word on its command line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{NameError, TopicName};

/// Whose a topic is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TopicManagement {
    /// Made where it is missing, never altered.
    #[default]
    Create,
    /// Made where it is missing, and set to what is stated.
    Manage,
    /// Looked at only.
    None,
}

/// Key of the number of partitions.
pub const PARTITIONS: &str = "partitions";
/// Key of what becomes of old records: a list of `delete` and `compact`.
pub const CLEANUP_POLICY: &str = "cleanup.policy";
/// Key of how large a message, or a batch of them, may be.
pub const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
/// Key of by which time records are kept: that which their producer gives, or that of their arrival.
pub const TIMESTAMP_TYPE: &str = "message.timestamp.type";
/// Value of [`TIMESTAMP_TYPE`]: records are kept for as long as the topic says, however old they were when they came.
pub const LOG_APPEND_TIME: &str = "LogAppendTime";
/// Key of how many replicas each partition has.
pub const REPLICATION_FACTOR: &str = "replication.factor";
/// Key of how many replicas have to have a record before it counts.
pub const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";
const MANAGEMENT: &str = "management";

/// A topic: `NAME:management=Manage,partitions=4,replication.factor=3,retention.ms?=604800000,…`; every other key is a topic
/// configuration in Kafka's own spelling, whose value may have commas in it, as that of `cleanup.policy=compact,delete`. What has a
/// question mark is a default: it counts where the topic is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpecification {
    /// Its name.
    pub name: TopicName,
    /// Whose it is.
    pub management: TopicManagement,
    /// How many partitions, at least one.
    pub partitions: i32,
    /// Replicas of each partition where it is made; the broker's default where omitted.
    pub replication_factor: Option<i32>,
    /// Topic configuration, such as `retention.ms` and `max.message.bytes`.
    pub configuration: BTreeMap<String, String>,
    /// Which of these, [`PARTITIONS`] and [`REPLICATION_FACTOR`] included, are defaults.
    pub defaults: BTreeSet<String>,
}

impl TopicSpecification {
    /// Whether a topic that exists is compared with this setting.
    pub fn states(&self, key: &str) -> bool {
        !self.defaults.contains(key)
    }
}

/// What the topic Job found, as its termination message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicReport {
    /// What differs from what is stated, one sentence each.
    #[serde(default)]
    pub differs: Vec<String>,
    /// What keeps records from passing, one sentence each.
    #[serde(default)]
    pub blocks: Vec<String>,
}

/// Why a topic was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopicSpecificationError {
    /// The name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Not `key=value`, or a number out of range.
    #[error(
        "{part:?} of a topic is not usable: write NAME:partitions=N[,management=Create|Manage|None][,replication.factor=N][,CONFIGURATION=VALUE]… with N of at least 1"
    )]
    Part {
        /// What was given.
        part: String,
    },
}

impl TopicManagement {
    fn as_str(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Manage => "Manage",
            Self::None => "None",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::Create, Self::Manage, Self::None].into_iter().find(|management| management.as_str() == text)
    }
}

impl fmt::Display for TopicSpecification {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = |key: &str| if self.states(key) { "=" } else { "?=" };
        write!(formatter, "{}:{PARTITIONS}{}{}", self.name, sign(PARTITIONS), self.partitions)?;
        if self.management != TopicManagement::Create {
            write!(formatter, ",{MANAGEMENT}={}", self.management.as_str())?;
        }
        if let Some(factor) = self.replication_factor {
            write!(formatter, ",{REPLICATION_FACTOR}{}{factor}", sign(REPLICATION_FACTOR))?;
        }
        self.configuration.iter().try_for_each(|(key, value)| write!(formatter, ",{key}{}{value}", sign(key)))
    }
}

impl FromStr for TopicSpecification {
    type Err = TopicSpecificationError;

    fn from_str(text: &str) -> Result<Self, TopicSpecificationError> {
        let wrong = |part: &str| TopicSpecificationError::Part { part: part.to_owned() };
        let (name, rest) = text.split_once(':').ok_or_else(|| wrong(text))?;
        let (mut partitions, mut replication_factor, mut management) = (None, None, TopicManagement::default());
        let (mut configuration, mut defaults) = (BTreeMap::<String, String>::new(), BTreeSet::new());
        let mut last = None;
        for part in rest.split(',') {
            // What is no setting belongs to the value before it.
            if let Some(value) =
                last.as_ref().filter(|_| !part.contains('=')).and_then(|key| configuration.get_mut(key))
            {
                value.extend([",", part]);
                continue;
            }
            let (key, value) = part.split_once('=').ok_or_else(|| wrong(part))?;
            let count = || value.parse::<i32>().ok().filter(|count| *count >= 1).ok_or_else(|| wrong(part));
            let stated = key.trim_end_matches('?');
            if stated != key {
                defaults.insert(stated.to_owned());
            }
            match stated {
                PARTITIONS => partitions = Some(count()?),
                REPLICATION_FACTOR => replication_factor = Some(count()?),
                MANAGEMENT => management = TopicManagement::read(value).ok_or_else(|| wrong(part))?,
                _ => {
                    last = Some(stated.to_owned());
                    configuration.insert(stated.to_owned(), value.to_owned());
                    continue;
                }
            }
            last = None;
        }
        let partitions = partitions.ok_or_else(|| wrong(rest))?;
        Ok(Self { name: name.parse()?, management, partitions, replication_factor, configuration, defaults })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_reads_back() {
        let text = "alerts:partitions=4,replication.factor=3,max.message.bytes=2097152,retention.ms=1000";
        let topic: TopicSpecification = text.parse().unwrap();
        assert_eq!((topic.partitions, topic.replication_factor), (4, Some(3)));
        assert_eq!(topic.to_string(), text);
        let text =
            "alerts:partitions?=4,management=Manage,replication.factor?=3,max.message.bytes?=2097152,retention.ms=1000";
        let topic: TopicSpecification = text.parse().unwrap();
        assert_eq!(topic.to_string(), text);
        assert!(topic.states("retention.ms") && !topic.states("max.message.bytes") && !topic.states(PARTITIONS));
        assert!(!topic.states(REPLICATION_FACTOR) && topic.replication_factor == Some(3));
        assert_eq!(
            (topic.management, &topic.configuration["max.message.bytes"]),
            (TopicManagement::Manage, &"2097152".to_owned())
        );
    }

    #[test]
    fn the_value_of_a_configuration_may_have_commas() {
        let text = "incidents:partitions=4,cleanup.policy=compact,delete,retention.ms=1000";
        let topic: TopicSpecification = text.parse().unwrap();
        assert_eq!(topic.configuration["cleanup.policy"], "compact,delete");
        assert_eq!((topic.configuration["retention.ms"].as_str(), topic.to_string()), ("1000", text.to_owned()));
    }

    #[test]
    fn wrong_parts_are_named() {
        for bad in [
            "alerts",
            "alerts:",
            "alerts:partitions=0",
            "alerts:retention.ms=1",
            "alerts:partitions",
            "alerts:partitions=1,management=Own",
            "alerts:partitions=1,delete",
            "alerts:cleanup.policy=compact,partitions=1,delete",
            "a b:partitions=1",
        ] {
            assert!(bad.parse::<TopicSpecification>().is_err(), "{bad}");
        }
        assert!("alerts:partitions=x".parse::<TopicSpecification>().unwrap_err().to_string().contains("partitions=x"));
    }
}
