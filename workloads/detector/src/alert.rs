//! What an alert adds to the enriched message that it is about.

use jiff::Timestamp;
use vedette_contract::fields::{self, Expected, Reason};
use vedette_records::splice::{field, time};

/// What an alert says beyond its record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AlertFields<'a> {
    pub(crate) site: &'a str,
    pub(crate) score: f64,
    pub(crate) threshold: f64,
    pub(crate) detected: Timestamp,
    pub(crate) reasons: &'a [Reason],
}

impl AlertFields<'_> {
    /// Appends the fields of an alert to an enriched message, which is a whole object with at least one field.
    pub(crate) fn append(&self, out: &mut Vec<u8>) {
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
        for (position, Reason { field, share, expected: _ }) in reasons.iter().enumerate() {
            let separator = if position == 0 { ", because of " } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}{field} ({:.0} %)", share * 100.0);
        }
        let broken = reasons.iter().filter_map(|Reason { field, share: _, expected }| Some((field, (*expected)?)));
        for (field, Expected { value, low, high }) in broken {
            let [value, low, high] = numbers([value, low, high]);
            let _ = write!(text, "; {field} is {value}, and {low} to {high} fits the others");
        }
        text.push('.');
        text
    }
}

/// Numbers for a person, all with as many digits behind the point: so many that what is between the last two has three digits.
fn numbers(numbers: [f64; 3]) -> [String; 3] {
    let [_, low, high] = numbers;
    let width = (high - low).abs().max(f64::MIN_POSITIVE);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
    let digits = (2. - width.log10().floor()).clamp(0., 12.) as usize;
    numbers.map(|number| format!("{number:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_does_not_fit_is_told_with_what_would() {
        let expected = Some(Expected { value: 69.7123, low: 44.3456, high: 53.2111 });
        let reasons = [Reason { field: "bearing_temp".to_owned(), share: 0.9, expected }];
        let detected = "2026-11-23T08:42:10Z".parse().unwrap();
        let alert = AlertFields { site: "east", score: 0.999_95, threshold: 0.9999, detected, reasons: &reasons };
        let text = alert.text();
        let sentence = "because of bearing_temp (90 %); bearing_temp is 69.71, and 44.35 to 53.21 fits the others.";
        assert!(text.ends_with(sentence), "{text}");
        let mut out = b"{\"a\":1}".to_vec();
        alert.append(&mut out);
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(json["reasons"][0]["expected"]["high"], 53.2111);
    }

    #[test]
    fn an_alert_is_the_record_and_a_readable_sentence() {
        let reasons = [("src_bytes", 0.625), ("service", 0.25)];
        let reasons = reasons.map(|(field, share)| Reason { field: field.to_owned(), share, expected: None });
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
