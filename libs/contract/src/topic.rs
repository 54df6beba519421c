//! What the topic Job creates, as one word on its command line.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::{NameError, TopicName};

/// A topic to create: `NAME:partitions=4,replication.factor=3,retention.ms=604800000,…`; every other key is a topic
/// configuration in Kafka's own spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpecification {
    /// Its name.
    pub name: TopicName,
    /// How many partitions, at least one.
    pub partitions: i32,
    /// Replicas of each partition; the broker's default where omitted.
    pub replication_factor: Option<i32>,
    /// Topic configuration, such as `retention.ms` and `max.message.bytes`.
    pub configuration: BTreeMap<String, String>,
}

/// Why a topic was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TopicSpecificationError {
    /// The name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Not `key=value`, or a number out of range.
    #[error(
        "{part:?} of a topic is not usable: write NAME:partitions=N[,replication.factor=N][,CONFIGURATION=VALUE]… with N of at least 1"
    )]
    Part {
        /// What was given.
        part: String,
    },
}

impl fmt::Display for TopicSpecification {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:partitions={}", self.name, self.partitions)?;
        if let Some(factor) = self.replication_factor {
            write!(formatter, ",replication.factor={factor}")?;
        }
        self.configuration.iter().try_for_each(|(key, value)| write!(formatter, ",{key}={value}"))
    }
}

impl FromStr for TopicSpecification {
    type Err = TopicSpecificationError;

    fn from_str(text: &str) -> Result<Self, TopicSpecificationError> {
        let wrong = |part: &str| TopicSpecificationError::Part { part: part.to_owned() };
        let (name, rest) = text.split_once(':').ok_or_else(|| wrong(text))?;
        let mut partitions = None;
        let mut topic =
            Self { name: name.parse()?, partitions: 0, replication_factor: None, configuration: BTreeMap::new() };
        for part in rest.split(',') {
            let (key, value) = part.split_once('=').ok_or_else(|| wrong(part))?;
            let count = || value.parse::<i32>().ok().filter(|count| *count >= 1).ok_or_else(|| wrong(part));
            match key {
                "partitions" => partitions = Some(count()?),
                "replication.factor" => topic.replication_factor = Some(count()?),
                _ => {
                    topic.configuration.insert(key.to_owned(), value.to_owned());
                }
            }
        }
        topic.partitions = partitions.ok_or_else(|| wrong(rest))?;
        Ok(topic)
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
    }

    #[test]
    fn wrong_parts_are_named() {
        for bad in [
            "alerts",
            "alerts:",
            "alerts:partitions=0",
            "alerts:retention.ms=1",
            "alerts:partitions",
            "a b:partitions=1",
        ] {
            assert!(bad.parse::<TopicSpecification>().is_err(), "{bad}");
        }
        assert!("alerts:partitions=x".parse::<TopicSpecification>().unwrap_err().to_string().contains("partitions=x"));
    }
}
