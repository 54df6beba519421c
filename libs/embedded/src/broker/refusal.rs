//! What a broker refuses to a client for as long as somebody wants it: how tests see who asks again. A group coordinator that
//! moved answers as Kafka does, for the group as a whole and without a word of any partition; an authorizer without an ACL
//! answers for each partition, or for the producer as such.

use std::collections::{HashMap, HashSet};

use bytes::BytesMut;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ApiKey, InitProducerIdResponse, OffsetFetchRequest, OffsetFetchResponse, ProduceRequest, ProduceResponse,
};
use kafka_protocol::protocol::Decodable;

use super::frame::{self, split_header};

/// What an authorizer refuses of writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusedWrite {
    /// Records, as of who may write another topic.
    Records,
    /// To be a producer that writes each record once, as of who may write no topic.
    Producer,
}

/// What is refused.
#[derive(Default)]
pub(super) struct Refusals {
    /// How many questions for committed offsets still are, by `client.id`.
    offset_fetches: HashMap<String, usize>,
    /// How many batches of records still are, by `client.id`.
    batches: HashMap<String, usize>,
    /// Of each kind by `client.id`.
    writes: HashMap<RefusedWrite, HashSet<String>>,
}

impl Refusals {
    pub(super) fn add_offset_fetches(&mut self, client_id: &str, count: usize) {
        *self.offset_fetches.entry(client_id.to_owned()).or_default() += count;
    }

    pub(super) fn add_batches(&mut self, client_id: &str, count: usize) {
        *self.batches.entry(client_id.to_owned()).or_default() += count;
    }

    pub(super) fn add_write(&mut self, client_id: &str, write: RefusedWrite) {
        self.writes.entry(write).or_default().insert(client_id.to_owned());
    }

    pub(super) fn allow_writes(&mut self, client_id: &str) {
        self.writes.values_mut().for_each(|clients| _ = clients.remove(client_id));
    }

    /// The refusal of this request, if it is refused.
    pub(super) fn take(&mut self, client_id: &str, key: ApiKey, frame: &BytesMut) -> Option<BytesMut> {
        let refuses = |write| self.writes.get(&write).is_some_and(|clients| clients.contains(client_id));
        match key {
            ApiKey::OffsetFetch => {
                let left = self.offset_fetches.get_mut(client_id).filter(|left| **left > 0)?;
                let answer = refuse_offset_fetch(frame.clone())?;
                *left -= 1;
                Some(answer)
            }
            ApiKey::Produce if let Some(left) = self.batches.get_mut(client_id).filter(|left| **left > 0) => {
                let answer = refuse_produce(frame.clone())?;
                *left -= 1;
                Some(answer)
            }
            ApiKey::Produce if refuses(RefusedWrite::Records) => refuse_produce(frame.clone()),
            ApiKey::InitProducerId if refuses(RefusedWrite::Producer) => refuse_producer(frame.clone()),
            _ => None,
        }
    }
}

fn refuse_produce(mut frame: BytesMut) -> Option<BytesMut> {
    let header = split_header(&mut frame)?;
    let request = ProduceRequest::decode(&mut frame, header.request_api_version).ok()?;
    let refused = |index| {
        PartitionProduceResponse::default()
            .with_index(index)
            .with_error_code(ResponseError::TopicAuthorizationFailed.code())
    };
    let topics = request.topic_data.into_iter().map(|topic| {
        let partitions = topic.partition_data.iter().map(|partition| refused(partition.index)).collect();
        TopicProduceResponse::default().with_name(topic.name).with_partition_responses(partitions)
    });
    frame::response(&header, &ProduceResponse::default().with_responses(topics.collect()))
}

fn refuse_producer(mut frame: BytesMut) -> Option<BytesMut> {
    let header = split_header(&mut frame)?;
    frame::response(
        &header,
        &InitProducerIdResponse::default().with_error_code(ResponseError::ClusterAuthorizationFailed.code()),
    )
}

fn refuse_offset_fetch(mut frame: BytesMut) -> Option<BytesMut> {
    let header = split_header(&mut frame)?;
    let version = header.request_api_version;
    let request = OffsetFetchRequest::decode(&mut frame, version).ok()?;
    let code = ResponseError::NotCoordinator.code();
    let group = |group_id| OffsetFetchResponseGroup::default().with_group_id(group_id).with_error_code(code);
    let groups = request.groups.into_iter().map(|asked| group(asked.group_id)).collect();
    // The code stands in the one or in the other place, by version.
    let response = match version {
        8.. => OffsetFetchResponse::default().with_groups(groups),
        _ => OffsetFetchResponse::default().with_error_code(code),
    };
    frame::response(&header, &response)
}
