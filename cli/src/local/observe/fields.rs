//! The fields of a message that are counted.

use jiff::Timestamp;
use uuid::Uuid;
use vedette_contract::fields;
use vedette_records::{Field, FieldNames, Label, RecordReader, Scalar};

/// What is counted of a message. Nothing of it is there where the message is no record.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct CountedFields {
    /// The record's uuid as a number; none if it is not a UUID.
    pub uuid: Option<u128>,
    pub utc: Option<Timestamp>,
    pub score: Option<f64>,
    pub model_version: Option<String>,
    pub alert_text: Option<String>,
    /// Whether the label says anomaly.
    pub anomaly: Option<bool>,
    /// Whether somebody made it up.
    pub simulated: bool,
}

/// Reads messages one after the other.
pub(super) struct FieldReader {
    reader: RecordReader,
    uuid: Field,
    utc: Field,
    score: Field,
    model_version: Field,
    alert_text: Field,
    simulated: Field,
    label: Option<(Label, Field)>,
}

impl FieldReader {
    pub(super) fn new(label: Option<Label>) -> Self {
        let mut names = FieldNames::default();
        let [uuid, utc, score, model_version, alert_text, simulated] =
            [fields::UUID, fields::UTC, fields::SCORE, fields::MODEL_VERSION, fields::ALERT_TEXT, fields::SIMULATED]
                .map(|name| names.want(name));
        let label = label.map(|label| {
            let field = names.want(label.field());
            (label, field)
        });
        Self { reader: RecordReader::new(names), uuid, utc, score, model_version, alert_text, simulated, label }
    }

    pub(super) fn read(&mut self, message: &[u8]) -> CountedFields {
        let Ok(record) = self.reader.read(message) else {
            return CountedFields::default();
        };
        let text = |field| record.get(field).and_then(Scalar::text);
        CountedFields {
            uuid: text(self.uuid).and_then(|uuid| Uuid::try_parse(&uuid).ok()).map(|uuid| uuid.as_u128()),
            utc: text(self.utc).and_then(|utc| utc.parse().ok()),
            score: record.get(self.score).and_then(Scalar::number),
            model_version: text(self.model_version).map(Into::into),
            alert_text: text(self.alert_text).map(Into::into),
            anomaly: self.label.as_ref().and_then(|(label, field)| label.is_anomaly(record.get(*field)?)),
            simulated: record.get(self.simulated).is_some_and(Scalar::is_true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn reader() -> FieldReader {
        FieldReader::new(Some(Label::new("label", ["normal.", "0"])))
    }

    #[test]
    fn the_label_is_read_wherever_it_stands() {
        let mut reader = reader();
        let mut anomaly = |message: &[u8]| reader.read(message).anomaly;
        assert_eq!(anomaly(br#"{"a":{"label":"x"},"label":"normal."}"#), Some(false));
        assert_eq!(anomaly(br#"{"label":"smurf.","b":[1]}"#), Some(true));
        assert_eq!(anomaly(br#"{"label":0}"#), Some(false));
        assert_eq!(anomaly(br#"{"label":null}"#), None);
        assert_eq!(anomaly(br#"{"b":1}"#), None);
        assert_eq!(anomaly(b"garbage"), None);
    }

    #[test]
    fn what_is_counted_is_read_and_what_is_no_record_has_nothing() {
        let message =
            br#"{"uuid":"00000000-0000-0000-0000-0000000000ff","utc":"2026-11-23T08:42:10.123456Z","score":0.5,
            "model_version":"v","alert_text":"score \"0.5\"","label":"smurf.","simulated":true}"#;
        let expected = CountedFields {
            uuid: Some(255),
            utc: Some("2026-11-23T08:42:10.123456Z".parse().unwrap()),
            score: Some(0.5),
            model_version: Some("v".to_owned()),
            alert_text: Some("score \"0.5\"".to_owned()),
            anomaly: Some(true),
            simulated: true,
        };
        let mut reader = reader();
        assert_eq!(reader.read(message), expected);
        for message in [b"".as_slice(), b"[1]", b"{\"uuid\":", b"{\"uuid\":7,\"utc\":8,\"score\":\"high\"}"] {
            assert_eq!(reader.read(message), CountedFields::default());
        }
    }

    fn label_json() -> impl Strategy<Value = String> {
        let text = "[ \\t\\n]{0,2}(normal\\.|smurf\\.|0|)[ \\t\\n]{0,2}".prop_map(|text| Value::from(text).to_string());
        let other = prop::sample::select(vec!["null", "true", "0", "0.0", "1e3", "[\"normal.\"]", r#"{"label":0}"#]);
        prop_oneof![text, other.prop_map(str::to_owned), any::<String>().prop_map(|text| Value::from(text).to_string())]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// The trainer's and the generator's readers are held to the same function by tests of theirs.
        #[test]
        fn any_label_means_what_it_means_to_all(json in label_json()) {
            let label = Label::new("label", ["normal.", "0"]);
            let message = format!(r#"{{"uuid":"u","label": {json} ,"b":1}}"#);
            prop_assert_eq!(reader().read(message.as_bytes()).anomaly, label.is_anomaly(Scalar::of_json(&json)));
        }
    }
}
