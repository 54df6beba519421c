//! What the engine says of consumer groups.

use std::collections::HashMap;

use kafka_protocol::messages::describe_groups_response::DescribedGroup;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{DescribeGroupsRequest, GroupId, OffsetFetchRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use noida::kafka::engine::Engine;

/// Version of `OffsetFetch` that names one group.
const OFFSET_FETCH_VERSION: i16 = 5;

/// The id of a group.
pub(super) fn group_id(group: &str) -> GroupId {
    GroupId(StrBytes::from_string(group.to_owned()))
}

/// State and members of groups.
pub(super) fn describe(engine: &Engine, groups: Vec<GroupId>) -> Vec<DescribedGroup> {
    engine.handle_describe_groups(&DescribeGroupsRequest::default().with_groups(groups), 0).groups
}

/// What a group has committed of these partitions, -1 where nothing.
pub(super) fn committed(engine: &Engine, group: &str, topic: &TopicName, partitions: &[i32]) -> HashMap<i32, i64> {
    let asked = OffsetFetchRequestTopic::default().with_name(topic.clone()).with_partition_indexes(partitions.to_vec());
    let request = OffsetFetchRequest::default().with_group_id(group_id(group)).with_topics(Some(vec![asked]));
    let response = engine.handle_offset_fetch(&request, OFFSET_FETCH_VERSION);
    let found = response.topics.iter().flat_map(|topic| &topic.partitions);
    found.map(|partition| (partition.partition_index, partition.committed_offset)).collect()
}
