//! A record that somebody makes up: what is sent of what was written, and of what alert one can begin with.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::value::RawValue;
use thiserror::Error;
use uuid::Uuid;
use vedette_contract::fields::{ADDED, ALERT_SEVERITY, SEVERITY, SIMULATED, UTC, UUID, is_reserved};
use vedette_records::{FieldNames, RecordReader, Refusal, splice};

use crate::alert::Alert;

/// A longer one is refused: it is written by hand.
pub(crate) const LARGEST: usize = 8 << 10;

/// A record as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MadeUp {
    pub(crate) uuid: Uuid,
    pub(crate) json: String,
}

/// Why a text cannot be sent.
#[derive(Debug, Error)]
pub(crate) enum MadeUpError {
    /// It is too large.
    #[error("record has {bytes} bytes, and {LARGEST} are the most: leave fields out, or shorten their values")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// It is no record.
    #[error("record is none: {0}: write one JSON object whose fields have different names")]
    NoRecord(Refusal),
    /// It brings a field that is added to it.
    #[error("record brings {field}, which the console or a detector adds: leave the field out")]
    Added {
        /// The name.
        field: &'static str,
    },
}

/// Why a simulation cannot begin with the record of an alert.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum TooLong {
    /// Not all of it is known.
    #[error("the alert is longer than a console keeps of one, so not all fields of its record are known here")]
    Alert,
    /// They are more than can be sent.
    #[error("the fields of its record have more than {} KiB, which is the most that a simulated record may have", LARGEST >> 10)]
    Fields,
}

impl MadeUp {
    /// The record of this JSON text, with an identity and a time, and with the word that it is simulated. All else stays as it was written.
    /// What the detectors rename is a field like any other.
    ///
    /// # Errors
    /// When a detector could not read it, or it would not be what it is to be.
    pub(crate) fn of(record: &str, renamed: &BTreeMap<String, String>, now: Timestamp) -> Result<Self, MadeUpError> {
        if record.len() > LARGEST {
            return Err(MadeUpError::TooLarge { bytes: record.len() });
        }
        let mut names = FieldNames::default();
        let is_added = |name: &&str| !renamed.contains_key(*name);
        let added = [UUID, UTC, SIMULATED].into_iter().chain(ADDED).filter(is_added);
        let added: Vec<_> = added.map(|name| (name, names.want(name))).collect();
        let mut reader = RecordReader::new(names);
        let read = reader.read(record.as_bytes()).map_err(MadeUpError::NoRecord)?;
        if let Some(&(field, _)) = added.iter().find(|(_, field)| read.get(*field).is_some()) {
            return Err(MadeUpError::Added { field });
        }
        let (uuid, mut own, mut message) = (Uuid::new_v4(), Vec::new(), Vec::new());
        let texts = [(UUID, uuid.to_string()), (UTC, splice::time(now))];
        for (name, text) in texts.iter().filter(|(name, _)| is_added(name)) {
            splice::field(&mut own, name, text);
        }
        splice::field(&mut own, SIMULATED, &true);
        splice::begin(&mut message, record.as_bytes(), read.open_object(), &[]);
        splice::append(&mut message, read.has_fields(), &own);
        message.push(b'}');
        // What was written is text, and so is what is appended.
        Ok(Self { uuid, json: String::from_utf8_lossy(&message).into_owned() })
    }
}

/// The fields that the record of an alert had when it came, by the name of then. What detectors calculate and look up they add again.
///
/// # Errors
/// When the alert is not whole, or they are too many to be edited.
pub(crate) fn own_fields<'a>(
    alert: &'a Alert,
    added: &[String],
    renamed: &BTreeMap<String, String>,
) -> Result<Vec<(String, &'a RawValue)>, TooLong> {
    if !alert.is_whole() {
        return Err(TooLong::Alert);
    }
    let fields = alert.fields();
    let judged = fields.get(ALERT_SEVERITY).map(|raw| raw.get());
    let is_own = |name: &str, json: &str| {
        let is_judged = name == SEVERITY && Some(json) == judged;
        !(is_reserved(name) || is_judged || added.iter().any(|added| added == name))
    };
    let came_as = |name: String| {
        let renamed = renamed.iter().find(|(_, other)| **other == name);
        renamed.map_or(name, |(came_as, _)| came_as.clone())
    };
    let own = fields.into_iter().filter(|(name, raw)| is_own(name, raw.get()));
    let own: BTreeMap<_, _> = own.map(|(name, raw)| (came_as(name), raw)).collect();
    let bytes: usize = own.iter().map(|(name, raw)| name.len() + raw.get().len() + 4).sum();
    if bytes < LARGEST { Ok(own.into_iter().collect()) } else { Err(TooLong::Fields) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{alert_json, owner};

    const NOW: &str = "2026-11-23T08:42:10.5Z";

    fn renamed<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
        pairs.map(|(name, other)| (name.to_owned(), other.to_owned())).into()
    }

    fn made(record: &str) -> Result<MadeUp, String> {
        MadeUp::of(record, &renamed([]), NOW.parse().unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_record_is_sent_as_it_was_written_with_who_it_is_and_that_it_is_simulated() {
        for (record, begins) in [
            (r#"{"bytes": 1.50e3,"text":"<b>\u0000ä"}"#, r#"{"bytes": 1.50e3,"text":"<b>\u0000ä","uuid":""#),
            ("{}", r#"{"uuid":""#),
            ("\u{feff}{\"a\":\n1} ", r#"{"a": 1,"uuid":""#),
        ] {
            let MadeUp { uuid, json } = made(record).unwrap();
            assert!(json.starts_with(begins), "{json}");
            let ends = format!(r#""uuid":"{uuid}","utc":"2026-11-23T08:42:10.500000Z","simulated":true}}"#);
            assert!(json.ends_with(&ends), "{json}");
            serde_json::from_str::<Value>(&json).unwrap();
        }
        assert_ne!(made("{}").unwrap().uuid, made("{}").unwrap().uuid);
    }

    #[test]
    fn what_no_detector_could_read_or_what_is_added_is_refused_with_the_mend() {
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(LARGEST));
        for (record, complaint) in [
            ("", "write one JSON object"),
            ("[1]", "not an object"),
            (r#"{"a":1"#, "write one JSON object"),
            (r#"{"a":1,"a":2}"#, "more than once"),
            (r#"{"a":1e999}"#, "write one JSON object"),
            (r#"{"uuid":"u"}"#, "brings uuid"),
            (r#"{"simulated":false}"#, "brings simulated"),
            (r#"{"sc\u006fre":1}"#, "brings score"),
            (long.as_str(), "8192 are the most"),
        ] {
            let refused = made(record).unwrap_err();
            assert!(refused.contains(complaint), "{record}: {refused}");
        }
    }

    #[test]
    fn what_the_detectors_rename_is_a_field_like_any_other() {
        let renamed = renamed([("uuid", "device"), ("utc", "measured_at"), ("score", "of_theirs")]);
        let made = |record: &str| MadeUp::of(record, &renamed, NOW.parse().unwrap()).map(|made| made.json);
        assert_eq!(made("{}").unwrap(), r#"{"simulated":true}"#, "a detector adds the others");
        let own = r#"{"uuid":7,"utc":"noon","score":1"#;
        assert_eq!(made(&format!("{own}}}")).unwrap(), format!(r#"{own},"simulated":true}}"#));
        assert!(made(r#"{"site":"east"}"#).is_err());
    }

    #[test]
    fn the_fields_of_a_record_have_the_names_with_which_it_came() {
        let json = alert_json("2026-11-23T08:42:10Z", r#"1,"alert_severity":"high""#);
        let alert = Alert::read(owner("east"), json.as_bytes()).unwrap();
        let renamed = renamed([("duration", "own"), ("utc", "duration"), ("b", "c")]);
        let fields = own_fields(&alert, &[], &renamed).unwrap();
        let fields: Vec<_> = fields.iter().map(|(name, raw)| (name.as_str(), raw.get())).collect();
        assert_eq!(fields, [("duration", "1"), ("service", r#""http""#), ("utc", "12.5")]);
    }

    #[test]
    fn one_begins_with_the_fields_that_a_record_had_when_it_came() {
        let of = |own: &str, added: &[&str]| {
            let alert = Alert::read(owner("east"), alert_json("2026-11-23T08:42:10Z", own).as_bytes()).unwrap();
            let added: Vec<String> = added.iter().map(|name| (*name).to_owned()).collect();
            let fields = own_fields(&alert, &added, &renamed([]))?;
            Ok::<_, TooLong>(fields.into_iter().map(|(name, raw)| (name, raw.get().to_owned())).collect::<Vec<_>>())
        };
        let field = |name: &str, json: Value| (name.to_owned(), json.to_string());
        let own = [field("duration", json!(12.5)), field("own", json!(1)), field("service", json!("http"))];
        let severity = field("severity", json!("high"));
        assert_eq!(of(r#"1,"total":7,"alert_severity":"high""#, &["total"]).unwrap(), own);
        let with_severity = [&own[..2], &own[2..], &[severity]].concat();
        let mut expected = with_severity.clone();
        expected.sort();
        assert_eq!(of(r#"1,"alert_severity":"low""#, &[]).unwrap(), expected, "its own severity");
        assert_eq!(of(&format!("\"{}\"", "x".repeat(LARGEST)), &[]), Err(TooLong::Fields));
        assert_eq!(of(&format!("\"{}\"", "x".repeat(70_000)), &[]), Err(TooLong::Alert), "it is not whole");
    }
}
