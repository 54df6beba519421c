//! Reads what an incident needs of an alert. Which fields are behind alerts is learned from them, so a record is read by
//! the one reader that all programs have, and only where a field is new is it read twice.

use std::collections::HashMap;

use jiff::Timestamp;
use vedette_contract::fields::{self, Reason};
use vedette_contract::incident::{AlertOrigin, FieldValue, Grouping, IncidentReason, RawAlert, Severity};
use vedette_records::{Field, FieldNames, Record, RecordReader, Refusal, Scalar};

use crate::tally::LARGEST;

/// Longer texts of alerts are cut: they are for people, and stand in many incidents.
const TEXT_BYTES: usize = 256;
/// So many fields are looked for at once; a model has fewer.
const KNOWN_FIELDS: usize = 1_000;
const NINE_DIGITS: f64 = 1e9;
const MILLION: f64 = 1e6;

/// What incidents are made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alert {
    pub(crate) origin: AlertOrigin,
    pub(crate) utc: Timestamp,
    pub(crate) severity: Severity,
    /// The record says a severity that is none.
    pub(crate) is_severity_strange: bool,
    pub(crate) score: Option<f64>,
    /// Its largest reasons, the largest first.
    pub(crate) reasons: Vec<IncidentReason>,
    /// What it is grouped by.
    pub(crate) grouping: Grouping,
    /// Somebody made its record up: no incident is made of it.
    pub(crate) is_simulated: bool,
    /// Itself, where it is small enough.
    pub(crate) raw: Option<RawAlert>,
}

/// An alert as Kafka has it.
#[derive(Debug, Clone)]
pub(crate) struct AlertMessage<'a> {
    pub(crate) origin: AlertOrigin,
    pub(crate) value: &'a [u8],
    pub(crate) timestamp: Option<Timestamp>,
}

/// Reads alerts one after the other.
pub(crate) struct AlertReader {
    fields: AlertFields,
    reader: RecordReader,
}

/// The fields that are looked for.
struct AlertFields {
    group_by: Vec<String>,
    names: FieldNames,
    known: HashMap<String, Field>,
}

impl AlertReader {
    /// A reader of alerts that are grouped by these fields, or by their reasons where there is none.
    pub(crate) fn new(group_by: Vec<String>) -> Self {
        let mut fields = AlertFields { group_by, names: FieldNames::default(), known: HashMap::new() };
        fields.forget();
        let reader = RecordReader::new(fields.names.clone());
        Self { fields, reader }
    }

    /// Reads one. What was detected later than `now` was detected now: a clock that is wrong must not keep an incident open.
    ///
    /// # Errors
    /// When it is no record.
    pub(crate) fn read(&mut self, message: &AlertMessage<'_>, now: Timestamp) -> Result<Alert, Refusal> {
        let mut record = self.reader.read(message.value)?;
        let reasons = self.fields.largest_reasons(&record);
        if reasons.iter().any(|reason| !self.fields.known.contains_key(&reason.field)) {
            self.fields.learn(&reasons);
            self.reader = RecordReader::new(self.fields.names.clone());
            record = self.reader.read(message.value)?;
        }
        Ok(self.fields.alert(message, &record, reasons, now))
    }
}

impl AlertFields {
    fn learn(&mut self, reasons: &[IncidentReason]) {
        if self.known.len() + reasons.len() > KNOWN_FIELDS {
            self.forget();
        }
        reasons.iter().for_each(|reason| self.want(&reason.field));
    }

    /// Looks for nothing but what every alert is asked for.
    fn forget(&mut self) {
        (self.names, self.known) = (FieldNames::default(), HashMap::new());
        let group_by = self.group_by.clone();
        let always = [
            fields::DETECTED_UTC,
            fields::ALERT_SEVERITY,
            fields::SEVERITY,
            fields::SCORE,
            fields::REASONS,
            fields::SIMULATED,
        ];
        always.into_iter().chain(group_by.iter().map(String::as_str)).for_each(|name| self.want(name));
    }

    fn want(&mut self, name: &str) {
        let field = self.names.want(name);
        self.known.insert(name.to_owned(), field);
    }

    fn get<'r>(&self, record: &Record<'r>, name: &str) -> Option<Scalar<'r>> {
        record.get(*self.known.get(name)?)
    }

    fn with_value(&self, reason: IncidentReason, record: &Record<'_>) -> IncidentReason {
        IncidentReason { value: self.get(record, &reason.field).and_then(text), field: cut(&reason.field), ..reason }
    }

    fn alert(
        &self,
        message: &AlertMessage<'_>,
        record: &Record<'_>,
        reasons: Vec<IncidentReason>,
        now: Timestamp,
    ) -> Alert {
        let AlertMessage { origin, value, timestamp } = message;
        let detected = self.get(record, fields::DETECTED_UTC).and_then(Scalar::text).and_then(|utc| utc.parse().ok());
        // What a record says of itself raises, and never lowers what the detector found: its sender may be the attacker.
        let [found, said] = [fields::ALERT_SEVERITY, fields::SEVERITY].map(|field| self.get(record, field));
        let read = |scalar: Option<Scalar<'_>>| scalar.and_then(Scalar::text).and_then(|name| Severity::read(&name));
        let is_severity_strange = said.is_some() && read(said).is_none();
        let score = self.get(record, fields::SCORE).and_then(Scalar::number).filter(|score| score.is_finite());
        let text = std::str::from_utf8(value).ok();
        let raw = text.filter(|text| RawAlert::is_example(text)).and_then(RawAlert::new);
        Alert {
            origin: origin.clone(),
            utc: detected.or(*timestamp).unwrap_or(now).min(now),
            severity: read(found).max(read(said)).unwrap_or_default(),
            is_severity_strange,
            // So many digits read back as they were written.
            score: score.map(|score| (score * NINE_DIGITS).round() / NINE_DIGITS),
            reasons: reasons.into_iter().map(|reason| self.with_value(reason, record)).collect(),
            grouping: self.grouping(record),
            is_simulated: self.get(record, fields::SIMULATED).is_some_and(Scalar::is_true),
            raw,
        }
    }

    /// The largest reasons, yet without their values.
    fn largest_reasons(&self, record: &Record<'_>) -> Vec<IncidentReason> {
        let told = self.get(record, fields::REASONS);
        let told = told.and_then(|reasons| serde_json::from_str::<Vec<Reason>>(reasons.json()).ok());
        let mut reasons: Vec<_> = told.unwrap_or_default().into_iter().map(weighed).collect();
        // Stable: what is as large as another stays behind it.
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.weight));
        reasons.truncate(LARGEST);
        reasons
    }

    fn grouping(&self, record: &Record<'_>) -> Grouping {
        if self.group_by.is_empty() {
            return Grouping::Reasons;
        }
        let value = |field: &String| FieldValue { field: field.clone(), value: self.get(record, field).and_then(text) };
        Grouping::Fields { values: self.group_by.iter().map(value).collect() }
    }
}

fn weighed(reason: Reason) -> IncidentReason {
    let Reason { field, share, value: _, direction: _, usual: _, expected: _ } = reason;
    IncidentReason { field, alerts: 1, weight: millionths(share), value: None }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped
fn millionths(share: f64) -> u64 {
    (share.clamp(0., 1.) * MILLION).round() as u64
}

fn text(scalar: Scalar<'_>) -> Option<String> {
    scalar.category().map(|text| cut(&text))
}

fn cut(text: &str) -> String {
    if text.len() <= TEXT_BYTES {
        text.to_owned()
    } else {
        format!("{}…", &text[..text.floor_char_boundary(TEXT_BYTES)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(reader: &mut AlertReader, value: &str) -> Result<Alert, Refusal> {
        let origin = AlertOrigin { topic: "alerts".parse().unwrap(), partition: 0, offset: 7 };
        let now = "2026-11-23T09:00:00Z".parse().unwrap();
        let timestamp = Some("2026-11-23T08:00:00Z".parse().unwrap());
        reader.read(&AlertMessage { origin, value: value.as_bytes(), timestamp }, now)
    }

    fn read(group_by: &[&str], value: &str) -> Alert {
        let mut reader = AlertReader::new(group_by.iter().map(|field| (*field).to_owned()).collect());
        read_as(&mut reader, value).unwrap()
    }

    const ALERT: &str = r#"{"service":"http","src_bytes":181,"flag":null,"d":2,"score":0.99995,"threshold":0.9,
        "detected_utc":"2026-11-23T08:42:10.123456Z","reasons":[{"field":"service","share":0.25},
        {"field":"src_bytes","share":0.625},{"field":"flag","share":0.1},{"field":"d","share":0.01}]}"#;

    #[test]
    fn an_alert_says_when_how_much_and_why() {
        let alert = read(&[], ALERT);
        assert_eq!(alert.utc.to_string(), "2026-11-23T08:42:10.123456Z");
        assert_eq!((alert.severity, alert.score, alert.grouping), (Severity::Low, Some(0.999_95), Grouping::Reasons));
        let told: Vec<_> = alert.reasons.iter().map(|r| (r.field.as_str(), r.weight, r.value.as_deref())).collect();
        assert_eq!(
            told,
            [("src_bytes", 625_000, Some("181")), ("service", 250_000, Some("http")), ("flag", 100_000, None)]
        );
        assert_eq!(alert.raw.unwrap().json(), ALERT);
    }

    #[test]
    fn what_a_record_says_of_its_severity_raises_and_never_lowers_what_the_detector_found() {
        for (said, severity, is_strange) in [
            ("\"low\"", Severity::High, false),
            ("\"CRITICAL\"", Severity::Critical, false),
            ("\"Medium\"", Severity::High, false),
            ("\"ERROR\"", Severity::High, true),
            ("3", Severity::High, true),
            ("\"\"", Severity::High, true),
        ] {
            let alert = read(&[], &format!(r#"{{"severity":{said},"alert_severity":"high"}}"#));
            assert_eq!((alert.severity, alert.is_severity_strange), (severity, is_strange), "{said}");
        }
        let by_one_before = read(&[], r#"{"severity":"High"}"#);
        assert_eq!((by_one_before.severity, by_one_before.is_severity_strange), (Severity::High, false));
        assert_eq!(read(&[], r#"{"alert_severity":"medium"}"#).severity, Severity::Medium);
    }

    #[test]
    fn an_alert_is_simulated_where_its_record_says_true_and_nothing_else() {
        assert!(read(&[], r#"{"simulated":true}"#).is_simulated);
        for other in ["{}", r#"{"simulated":false}"#, r#"{"simulated":1}"#, r#"{"simulated":"true"}"#] {
            assert!(!read(&[], other).is_simulated, "{other}");
        }
    }

    #[test]
    fn what_is_missing_or_strange_has_a_meaning() {
        for strange in [
            "{}",
            r#"{"reasons":7,"severity":"worst","score":"x","detected_utc":"soon"}"#,
            r#"{"reasons":[{"field":"a"}],"severity":3,"score":[],"detected_utc":null}"#,
        ] {
            let alert = read(&["service"], strange);
            assert_eq!(alert.utc.to_string(), "2026-11-23T08:00:00Z", "{strange}");
            assert_eq!((alert.severity, alert.score, alert.reasons.len()), (Severity::Low, None, 0), "{strange}");
            let values = vec![FieldValue { field: "service".to_owned(), value: None }];
            assert_eq!(alert.grouping, Grouping::Fields { values }, "{strange}");
        }
        let ahead = r#"{"severity":"critical","detected_utc":"2026-12-01T00:00:00Z"}"#;
        let alert = read(&[], ahead);
        assert_eq!((alert.severity, alert.utc.to_string().as_str()), (Severity::Critical, "2026-11-23T09:00:00Z"));
        assert!(read_as(&mut AlertReader::new(Vec::new()), "{").is_err());
    }

    #[test]
    fn long_texts_are_cut_and_a_large_alert_is_no_example() {
        let long = "ä".repeat(10_000);
        let alert = read(&["a"], &format!(r#"{{"a":"{long}","reasons":[{{"field":"a","share":2}}]}}"#));
        let value = alert.reasons[0].value.clone().unwrap();
        assert!(value.len() < TEXT_BYTES + 8 && value.ends_with('…'), "{value}");
        assert_eq!((alert.reasons[0].weight, alert.raw), (1_000_000, None));
        assert_eq!(
            alert.grouping,
            Grouping::Fields { values: vec![FieldValue { field: "a".to_owned(), value: Some(value) }] }
        );
    }

    #[test]
    fn fields_that_come_and_go_are_not_remembered_for_ever() {
        let mut reader = AlertReader::new(vec!["g".to_owned()]);
        for number in 0..3 * KNOWN_FIELDS {
            let json = format!(r#"{{"g":1,"f{number}":{number},"reasons":[{{"field":"f{number}","share":1}}]}}"#);
            let alert = read_as(&mut reader, &json).unwrap();
            assert_eq!(alert.reasons[0].value, Some(number.to_string()));
        }
        assert!(reader.fields.known.len() <= KNOWN_FIELDS);
    }
}
