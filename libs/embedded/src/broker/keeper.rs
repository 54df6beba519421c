//! Keeps the broker's memory flat: drops records that every reader is done with. The engine has retention, but it works
//! on whole segments and knows nothing of readers; a record that someone still needs must never go.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{DeleteRecordsRequest, IncrementalAlterConfigsRequest, MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use noida::kafka::engine::Engine;

use super::{Shared, groups, lock};

/// Topic to the consumer groups that read it.
pub(super) type Readers = HashMap<String, Vec<String>>;

const PAUSE: Duration = Duration::from_secs(1);
/// A reader without a group that has not fetched for so long is gone.
const READER_PATIENCE: Duration = Duration::from_secs(60);
/// So many records of a partition stay, for people who look at them.
const KEPT_RECORDS: i64 = 1_000;
const SEGMENT_BYTES: &str = "8388608";
/// Kafka's codes of what is configured, and of the operation.
const TOPIC_RESOURCE: i8 = 2;
const BROKER_RESOURCE: i8 = 4;
const SET: i8 = 0;

/// Trims every second until the broker is dropped.
pub(super) fn run(shared: &Shared, stopped: &mpsc::Receiver<()>) {
    while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
        let readers = lock(&shared.readers).clone();
        for (topic, groups) in &readers {
            trim(topic, groups, shared);
        }
    }
}

/// A client that is faster than the topics Job must wait, and not create its topic with one partition.
pub(super) fn refuse_unknown_topics(engine: &Engine) {
    set(engine, BROKER_RESOURCE, "", "auto.create.topics.enable", "false");
}

/// The engine walks the newest segment at each write and every segment at each retention check.
pub(super) fn cut_into_segments(engine: &Engine, topic: &str) {
    set(engine, TOPIC_RESOURCE, topic, "segment.bytes", SEGMENT_BYTES);
}

fn set(engine: &Engine, resource_type: i8, resource: &str, key: &'static str, value: &'static str) {
    let entry = AlterableConfig::default()
        .with_name(StrBytes::from_static_str(key))
        .with_config_operation(SET)
        .with_value(Some(StrBytes::from_static_str(value)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(resource_type)
        .with_resource_name(StrBytes::from_string(resource.to_owned()))
        .with_configs(vec![entry]);
    engine
        .handle_incremental_alter_configs(&IncrementalAlterConfigsRequest::default().with_resources(vec![resource]), 0);
}

fn trim(topic: &str, groups: &[String], shared: &Shared) {
    let name = topic_name(topic);
    let partitions = partitions(&shared.engine, topic);
    let committed: Vec<_> =
        groups.iter().map(|group| groups::committed(&shared.engine, group, &name, &partitions)).collect();
    let Some(since) = Instant::now().checked_sub(READER_PATIENCE) else { return };
    // What a member of a group fetched is not done before it is committed, and what it left to another is not its concern.
    let ids = groups.iter().map(|group| groups::group_id(group)).collect();
    let members: HashSet<String> = groups::describe(&shared.engine, ids)
        .into_iter()
        .flat_map(|group| group.members)
        .map(|member| member.client_id.to_string())
        .collect();
    for partition in partitions {
        let by_groups = committed.iter().map(|offsets| offsets.get(&partition).copied().unwrap_or(0)).min();
        let mut fetches = lock(&shared.fetches);
        let by_others = fetches.smallest_position(topic, partition, since, &members);
        let Some(read) = by_groups.into_iter().chain(by_others).min() else { continue };
        let start = read - KEPT_RECORDS;
        if start > 0 {
            delete_before(&shared.engine, topic, partition, start);
            fetches.forget_before(topic, partition, start);
        }
    }
}

fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_owned()))
}

fn partitions(engine: &Engine, topic: &str) -> Vec<i32> {
    let asked = MetadataRequestTopic::default().with_name(Some(topic_name(topic)));
    let request = MetadataRequest::default().with_topics(Some(vec![asked])).with_allow_auto_topic_creation(false);
    let response = engine.handle_metadata(&request, 9);
    response
        .topics
        .iter()
        .filter(|found| found.error_code == 0)
        .flat_map(|found| found.partitions.iter().map(|partition| partition.partition_index))
        .collect()
}

pub(super) fn delete_before(engine: &Engine, topic: &str, partition: i32, offset: i64) {
    let asked = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
    let topic = DeleteRecordsTopic::default().with_name(topic_name(topic)).with_partitions(vec![asked]);
    engine.handle_delete_records(&DeleteRecordsRequest::default().with_topics(vec![topic]), 0);
}
