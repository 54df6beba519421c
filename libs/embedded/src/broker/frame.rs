//! The parts of a request that are read before it is known what to do with it, and what is answered without the engine.

use bytes::BytesMut;
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Encodable, HeaderVersion, decode_request_header_from_buffer};

/// What kind of request this is, if it is one that Kafka has.
pub(super) fn api_key(frame: &[u8]) -> Option<ApiKey> {
    ApiKey::try_from(i16::from_be_bytes(*frame.first_chunk()?)).ok()
}

/// Takes the header off a request.
pub(super) fn split_header(frame: &mut BytesMut) -> Option<RequestHeader> {
    // The decoder looks at four bytes without asking whether they are there.
    if frame.len() < 4 {
        return None;
    }
    decode_request_header_from_buffer(frame).ok()
}

/// The response to the request with this header, without its length; `None` where its version has no such response.
pub(super) fn response<R: Encodable + HeaderVersion>(header: &RequestHeader, response: &R) -> Option<BytesMut> {
    let (version, mut frame) = (header.request_api_version, BytesMut::new());
    let response_header = ResponseHeader::default().with_correlation_id(header.correlation_id);
    response_header.encode(&mut frame, R::header_version(version)).ok()?;
    response.encode(&mut frame, version).ok()?;
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_has_no_header() {
        for garbage in [&[][..], &[0], &[0, 1], &[0, 1, 0], &[0, 1, 0, 12, 0], &[0x7f, 0xff, 0, 0, 0, 0]] {
            assert!(split_header(&mut BytesMut::from(garbage)).is_none(), "{garbage:?}");
        }
        assert_eq!(api_key(&[0, 1]), Some(ApiKey::Fetch));
        assert_eq!(api_key(&[0]), None);
    }
}
