//! Puts an output message together by appending fields to the object that came in: what a producer sent is never written
//! anew, so it cannot change.

use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use vedette_contract::fields::{self, Reason};

/// Begins a message with an open object, whose line breaks (which in valid JSON stand between tokens only) become spaces:
/// a message is one line in the archive.
pub fn begin(out: &mut Vec<u8>, open_object: &[u8]) {
    out.clear();
    out.extend_from_slice(open_object);
    for byte in out.iter_mut() {
        if matches!(*byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
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

/// What an alert says beyond its record.
#[derive(Debug, Clone, Copy)]
pub struct AlertFields<'a> {
    pub site: &'a str,
    pub score: f64,
    pub threshold: f64,
    pub detected: Timestamp,
    pub reasons: &'a [Reason],
}

impl AlertFields<'_> {
    /// Appends the fields of an alert to an enriched message, which is a whole object with at least one field.
    pub fn append(&self, out: &mut Vec<u8>) {
        out.pop();
        field(out, fields::ALERT_TEXT, &self.text());
        field(out, fields::THRESHOLD, &self.threshold);
        field(out, fields::DETECTED_UTC, &time(self.detected));
        field(out, fields::REASONS, self.reasons);
        out.push(b'}');
    }

    fn text(&self) -> String {
        use std::fmt::Write;

        let Self { site, score, threshold, reasons, .. } = self;
        let mut text = format!("Unusual record at site {site}: its score {score:.6} is above {threshold:.6}");
        for (position, Reason { field, share }) in reasons.iter().enumerate() {
            let separator = if position == 0 { ", because of " } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}{field} ({:.0} %)", share * 100.0);
        }
        text.push('.');
        text
    }
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
    fn an_alert_is_the_record_and_a_readable_sentence() {
        let reasons = [("src_bytes", 0.625), ("service", 0.25)];
        let reasons = reasons.map(|(field, share)| Reason { field: field.to_owned(), share });
        let detected = "2026-11-23T08:42:10.1234567Z".parse().unwrap();
        let alert = AlertFields { site: "east", score: 0.999_95, threshold: 0.9999, detected, reasons: &reasons };
        let mut out = b"{\"a\":1}".to_vec();
        alert.append(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"a\":1,\"alert_text\":\"Unusual record at site east: its score 0.999950 is above 0.999900, because of \
             src_bytes (62 %), service (25 %).\",\"threshold\":0.9999,\"detected_utc\":\"2026-11-23T08:42:10.123456Z\",\
             \"reasons\":[{\"field\":\"src_bytes\",\"share\":0.625},{\"field\":\"service\",\"share\":0.25}]}"
        );
    }
}
