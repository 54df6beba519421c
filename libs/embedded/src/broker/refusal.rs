//! A group coordinator that moved, for as many questions as somebody wants: how tests see whether a member asks again. It answers
//! as Kafka does, for the group as a whole and without a word of any partition.

use std::collections::HashMap;

use bytes::BytesMut;
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use kafka_protocol::messages::{OffsetFetchRequest, OffsetFetchResponse, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};

use super::frame::split_header;

/// Kafka's code `NOT_COORDINATOR`.
const NOT_COORDINATOR: i16 = 16;

/// How many questions for committed offsets are still refused, by `client.id`.
#[derive(Default)]
pub(super) struct Refusals(HashMap<String, usize>);

impl Refusals {
    pub(super) fn add(&mut self, client_id: &str, count: usize) {
        *self.0.entry(client_id.to_owned()).or_default() += count;
    }

    /// The refusal of this `OffsetFetch`, if one is left.
    pub(super) fn take(&mut self, client_id: &str, frame: &BytesMut) -> Option<BytesMut> {
        let left = self.0.get_mut(client_id).filter(|left| **left > 0)?;
        let answer = refuse(frame.clone())?;
        *left -= 1;
        Some(answer)
    }
}

fn refuse(mut frame: BytesMut) -> Option<BytesMut> {
    let header = split_header(&mut frame)?;
    let version = header.request_api_version;
    let request = OffsetFetchRequest::decode(&mut frame, version).ok()?;
    let group = |group_id| OffsetFetchResponseGroup::default().with_group_id(group_id).with_error_code(NOT_COORDINATOR);
    let groups = request.groups.into_iter().map(|asked| group(asked.group_id)).collect();
    // The code stands in the one or in the other place, by version.
    let response = match version {
        8.. => OffsetFetchResponse::default().with_groups(groups),
        _ => OffsetFetchResponse::default().with_error_code(NOT_COORDINATOR),
    };
    let mut answer = BytesMut::new();
    let response_header = ResponseHeader::default().with_correlation_id(header.correlation_id);
    response_header.encode(&mut answer, OffsetFetchResponse::header_version(version)).ok()?;
    response.encode(&mut answer, version).ok()?;
    Some(answer)
}
