//! What a topic says of itself to a process that writes to it.

use std::collections::BTreeMap;
use std::time::Duration;

use vedette_contract::TopicName;
use vedette_contract::topic::MAX_MESSAGE_BYTES;

use crate::kafka::admin::Admin;
use crate::kafka::alteration::LiveEntry;
use crate::kafka::comparison::value_of;
use crate::kafka::{KafkaError, KafkaSettings};

/// The configurations of topics that are in force, by their names, by one request; nothing of one that may not be seen, for want of
/// the ACL `DescribeConfigs`.
pub(super) async fn described(
    settings: &KafkaSettings,
    topics: &[&TopicName],
    timeout: Duration,
) -> Result<BTreeMap<String, BTreeMap<String, LiveEntry>>, KafkaError> {
    let asked: Vec<&str> = topics.iter().map(|topic| topic.as_str()).collect();
    let described = Admin::new(settings)?.describe(&asked, timeout).await?;
    // The refusal of a topic is one of these, or none at all.
    Ok(described.into_iter().flatten().collect())
}

/// Bytes of the largest message, and so of the largest batch, that a topic accepts, or so many where that is more or not told.
///
/// # Errors
/// When no broker answers.
pub async fn largest_message(
    settings: &KafkaSettings,
    topic: &TopicName,
    limit: usize,
    timeout: Duration,
) -> Result<usize, KafkaError> {
    let described = described(settings, &[topic], timeout).await?;
    let live = described.get(topic.as_str());
    let accepted = live.and_then(|live| value_of(live, MAX_MESSAGE_BYTES)?.parse().ok());
    Ok(accepted.unwrap_or(limit).min(limit))
}
