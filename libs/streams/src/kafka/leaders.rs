//! Which partitions have a leader: of one without it Kafka tells nothing, and to ask would be to wait.

use std::collections::BTreeSet;

use rdkafka::client::{Client, ClientContext};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use vedette_contract::TopicName;

use crate::kafka::REQUEST_TIMEOUT;

/// Those partitions of a topic that have no leader. Where that is not known there are none, and each is to be asked.
pub fn leaderless<C: ClientContext>(client: &Client<C>, topic: &TopicName) -> BTreeSet<i32> {
    let Ok(metadata) = client.fetch_metadata(Some(topic.as_str()), REQUEST_TIMEOUT) else { return BTreeSet::new() };
    let all = metadata.topics().iter().flat_map(MetadataTopic::partitions);
    all.filter(|partition| partition.leader() < 0).map(MetadataPartition::id).collect()
}
