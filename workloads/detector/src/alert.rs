//! What an alert adds to the enriched message that it is about.

use jiff::Timestamp;
use vedette_contract::fields::{self, Reason};
use vedette_contract::incident::Severity;
use vedette_records::splice::{field, time};

use crate::reasons::clause;

/// What an alert says beyond its record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AlertFields<'a> {
    pub(crate) site: &'a str,
    pub(crate) score: f64,
    pub(crate) threshold: f64,
    pub(crate) severity: Severity,
    /// The record has a field of that name, which stays as it is.
    pub(crate) has_severity: bool,
    pub(crate) detected: Timestamp,
    pub(crate) reasons: &'a [Reason],
}

impl AlertFields<'_> {
    /// Appends the fields of an alert to an enriched message, which is a whole object with at least one field.
    pub(crate) fn append(&self, out: &mut Vec<u8>) {
        out.pop();
        field(out, fields::ALERT_TEXT, &self.text());
        field(out, fields::ALERT_SEVERITY, self.severity.as_str());
        if !self.has_severity {
            field(out, fields::SEVERITY, self.severity.as_str());
        }
        field(out, fields::THRESHOLD, &self.threshold);
        field(out, fields::DETECTED_UTC, &time(self.detected));
        field(out, fields::REASONS, self.reasons);
        out.push(b'}');
    }

    /// Appends to the same what was decided by, and nothing that tells somebody.
    pub(crate) fn append_decision(&self, out: &mut Vec<u8>) {
        out.pop();
        field(out, fields::THRESHOLD, &self.threshold);
        field(out, fields::REASONS, self.reasons);
        out.push(b'}');
    }

    fn text(&self) -> String {
        use std::fmt::Write;

        let Self { site, score, threshold, reasons, .. } = self;
        let mut text = format!("Unusual record at site {site}: its score {score:.6} is above {threshold:.6}");
        for (position, Reason { field, share, .. }) in reasons.iter().enumerate() {
            let separator = if position == 0 { ", because of " } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}{field} ({:.0} %)", share * 100.0);
        }
        for clause in reasons.iter().filter_map(clause) {
            let _ = write!(text, "; {clause}");
        }
        text.push('.');
        text
    }
}

#[cfg(test)]
mod tests {
    use vedette_contract::fields::{Direction, Usual};

    use super::*;
    use crate::testing::reason;

    #[test]
    fn an_alert_is_the_record_and_a_readable_sentence() {
        let usual = Some(Usual::Range { low: 0., high: 1_032.5 });
        let [mut bytes, service] = [("src_bytes", 0.625), ("service", 0.25)].map(|(field, share)| reason(field, share));
        (bytes.value, bytes.direction, bytes.usual) = (Some(54_540.into()), Some(Direction::Above), usual);
        let reasons = [bytes, service];
        let detected = "2026-11-23T08:42:10.1234567Z".parse().unwrap();
        let alert = AlertFields {
            site: "east",
            score: 0.999_95,
            threshold: 0.9999,
            severity: Severity::Medium,
            has_severity: false,
            detected,
            reasons: &reasons,
        };
        let mut out = b"{\"a\":1}".to_vec();
        alert.append(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"a\":1,\"alert_text\":\"Unusual record at site east: its score 0.999950 is above 0.999900, because of \
             src_bytes (62 %), service (25 %); src_bytes is 54540, usually 0 to 1032.5.\",\"alert_severity\":\"medium\",\"severity\":\"medium\",\"threshold\":0.9999,\
             \"detected_utc\":\"2026-11-23T08:42:10.123456Z\",\"reasons\":[{\"field\":\"src_bytes\",\"share\":0.625,\"value\":54540,\
             \"direction\":\"above\",\"usual\":{\"low\":0.0,\"high\":1032.5}},{\"field\":\"service\",\"share\":0.25}]}"
        );
    }
}
