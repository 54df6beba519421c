//! Puts an output message together by appending fields to the object that came in: what a producer sent is never written
//! anew, so it cannot change.

use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;

use crate::line::join_lines;

/// Begins a message with an open object, put on one line.
pub fn begin(out: &mut Vec<u8>, open_object: &[u8]) {
    out.clear();
    out.extend_from_slice(open_object);
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
            begin(&mut out, open.as_bytes());
            append(&mut out, has_fields, b",\"a\":1");
            out.push(b'}');
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_message_begins_as_one_line() {
        let mut out = b"before".to_vec();
        begin(&mut out, b"{\r\n\"a\":1\n");
        assert_eq!(out, b"{  \"a\":1 ");
    }
}
