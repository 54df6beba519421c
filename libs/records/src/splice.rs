//! Puts an output message together by appending fields to the object that came in: what a producer sent is never written
//! anew, so it cannot change.

use std::io::Write;
use std::ops::Range;

use jiff::Timestamp;
use serde::Serialize;

use crate::line::join_lines;

/// Another value for a field, at its place in the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Where the value stands.
    pub place: Range<usize>,
    /// The JSON that takes its place.
    pub json: String,
}

/// Begins a message with an open object, put on one line, with other values for some of its fields, in their order.
pub fn begin(out: &mut Vec<u8>, message: &[u8], open_object: Range<usize>, replacements: &[Replacement]) {
    out.clear();
    let mut written = open_object.start;
    for Replacement { place, json } in replacements {
        out.extend_from_slice(&message[written..place.start]);
        out.extend_from_slice(json.as_bytes());
        written = place.end;
    }
    out.extend_from_slice(&message[written..open_object.end]);
    join_lines(out);
}

/// Appends `,"name":value` fields to an open object; the first comma is dropped where it has none yet.
pub fn append(out: &mut Vec<u8>, has_fields: bool, fields: &[u8]) {
    out.extend_from_slice(if has_fields { fields } else { fields.strip_prefix(b",").unwrap_or(fields) });
}

/// One `,"name":value` field.
pub fn field(out: &mut Vec<u8>, name: &str, value: &(impl Serialize + ?Sized)) {
    // Writing plain values to memory cannot fail.
    let _ = write!(out, ",\"{name}\":");
    let _ = serde_json::to_writer(out, value);
}

/// A time in the spelling of the contract: RFC 3339, UTC, microseconds.
pub fn time(time: Timestamp) -> String {
    format!("{time:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_object_gets_no_leading_comma() {
        for (open, has_fields, expected) in [("{", false, "{\"a\":1}"), ("{\"b\":2", true, "{\"b\":2,\"a\":1}")] {
            let mut out = Vec::new();
            begin(&mut out, open.as_bytes(), 0..open.len(), &[]);
            append(&mut out, has_fields, b",\"a\":1");
            out.push(b'}');
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_message_begins_as_one_line() {
        let mut out = b"before".to_vec();
        begin(&mut out, b" {\r\n\"a\":1\n}", 1..10, &[]);
        assert_eq!(out, b"{  \"a\":1 ");
    }

    #[test]
    fn values_are_replaced_at_their_place() {
        let mut out = Vec::new();
        let replacements = [(5..9, "\"x\""), (14..15, "22")];
        let replacements = replacements.map(|(place, json)| Replacement { place, json: json.to_owned() });
        begin(&mut out, b"{\"a\":null,\"b\":2}", 0..15, &replacements);
        assert_eq!(out, b"{\"a\":\"x\",\"b\":22");
    }
}
