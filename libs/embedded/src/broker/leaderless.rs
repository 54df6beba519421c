//! Partitions without a leader, or no broker at all, for as long as somebody wants it: how tests see what waits for one, and what
//! does not. Clients are told by the metadata, and by the answer to who asks for offsets all the same; what is there is kept.

use std::collections::HashSet;

use bytes::BytesMut;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse, MetadataResponse, ResponseHeader};
use kafka_protocol::protocol::{Decodable, HeaderVersion};

use super::frame::{self, split_header};

const NO_LEADER: i32 = -1;

#[derive(Default)]
pub(super) struct Leaderless {
    /// Topic and number of each.
    partitions: HashSet<(String, i32)>,
    /// As if every broker were fenced.
    names_no_broker: bool,
}

impl Leaderless {
    pub(super) fn take_leader(&mut self, topic: &str, partition: i32) {
        self.partitions.insert((topic.to_owned(), partition));
    }

    pub(super) fn give_leader(&mut self, topic: &str, partition: i32) {
        self.partitions.remove(&(topic.to_owned(), partition));
    }

    pub(super) fn name_no_broker(&mut self, none: bool) {
        self.names_no_broker = none;
    }

    fn is_empty(&self) -> bool {
        self.partitions.is_empty() && !self.names_no_broker
    }

    fn has(&self, topic: &str, partition: i32) -> bool {
        self.names_no_broker || self.partitions.contains(&(topic.to_owned(), partition))
    }

    /// The refusal of a `ListOffsets` of some of them, and of nothing else: so librdkafka asks.
    pub(super) fn refusal(&self, request: &BytesMut) -> Option<BytesMut> {
        if self.is_empty() {
            return None;
        }
        let mut request = request.clone();
        let header = split_header(&mut request)?;
        let asked = ListOffsetsRequest::decode(&mut request, header.request_api_version).ok()?;
        let is_led = |topic: &str, partition| !self.has(topic, partition);
        if asked.topics.iter().any(|topic| topic.partitions.iter().any(|it| is_led(&topic.name, it.partition_index))) {
            return None;
        }
        let code = ResponseError::NotLeaderOrFollower.code();
        let refused = |index| ListOffsetsPartitionResponse::default().with_partition_index(index).with_error_code(code);
        let topics = asked.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|it| refused(it.partition_index)).collect();
            ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
        });
        frame::response(&header, &ListOffsetsResponse::default().with_topics(topics.collect()))
    }

    /// The answer to a request for metadata, which tells of no leader of theirs.
    pub(super) fn told(&self, request: &BytesMut, response: BytesMut) -> BytesMut {
        if self.is_empty() {
            return response;
        }
        self.without_leaders(request.clone(), response.clone()).unwrap_or(response)
    }

    fn without_leaders(&self, mut request: BytesMut, mut response: BytesMut) -> Option<BytesMut> {
        let header = split_header(&mut request)?;
        let version = header.request_api_version;
        ResponseHeader::decode(&mut response, MetadataResponse::header_version(version)).ok()?;
        let mut metadata = MetadataResponse::decode(&mut response, version).ok()?;
        if self.names_no_broker {
            metadata.brokers.clear();
        }
        for topic in &mut metadata.topics {
            let Some(name) = topic.name.clone() else { continue };
            for partition in topic.partitions.iter_mut().filter(|it| self.has(&name, it.partition_index)) {
                partition.leader_id = NO_LEADER.into();
                partition.error_code = ResponseError::LeaderNotAvailable.code();
            }
        }
        frame::response(&header, &metadata)
    }
}
