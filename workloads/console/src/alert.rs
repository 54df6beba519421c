//! An alert as the console keeps it: its JSON text, and what lists and filters ask of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use vedette_contract::alert as contract;
use vedette_contract::fields::Reason;
use vedette_contract::incident::Severity;
use vedette_contract::verdict::is_uuid;

use crate::owner::Owner;

/// Longer than this the text is cut: what is shown to a person need not be whole.
const LONGEST_TEXT: usize = 64 << 10;

/// Names an alert for ever, by its bytes: the same in Kafka and in the archive, wherever it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AlertId([u8; 16]);

impl AlertId {
    fn of(json: &[u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(json).into();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Self(id)
    }

    /// The id of this text: 32 hexadecimal digits in lower case.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).ok()?;
        let id = Self(id);
        (id.to_string() == text).then_some(id)
    }
}

impl std::fmt::Display for AlertId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Alert {
    pub(crate) id: AlertId,
    pub(crate) owner: Owner,
    /// Identity of its record; none where a verdict could not name it.
    pub(crate) uuid: Option<String>,
    pub(crate) detected: Timestamp,
    pub(crate) severity: Severity,
    pub(crate) score: Option<f64>,
    pub(crate) threshold: Option<f64>,
    pub(crate) model_version: Option<String>,
    /// One sentence for a person.
    pub(crate) text: String,
    pub(crate) reasons: Vec<Reason>,
    /// Somebody made its record up: it is shown, and counted nowhere.
    pub(crate) simulated: bool,
    /// The JSON text, cut where it is very long.
    pub(crate) json: Box<str>,
    /// Bytes of the whole text.
    pub(crate) bytes: usize,
}

impl Alert {
    /// Reads the alert of this JSON text; none where it is no object, or does not say when it was detected.
    pub(crate) fn read(owner: Owner, json: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(json).ok()?.trim();
        let contract::Alert {
            uuid,
            detected_utc,
            severity,
            score,
            threshold,
            model_version,
            alert_text,
            reasons,
            simulated,
        } = contract::Alert::read(text)?;
        Some(Self {
            id: AlertId::of(text.as_bytes()),
            owner,
            uuid: uuid.filter(|uuid| is_uuid(uuid)),
            detected: detected_utc,
            severity,
            score,
            threshold,
            model_version,
            text: cut(&alert_text, 2_000).to_owned(),
            reasons,
            simulated,
            json: cut(text, LONGEST_TEXT).into(),
            bytes: text.len(),
        })
    }

    /// Whether its text is the whole of it.
    pub(crate) fn is_whole(&self) -> bool {
        self.json.len() == self.bytes
    }

    /// Its fields; none where it is not whole.
    pub(crate) fn fields(&self) -> BTreeMap<String, &RawValue> {
        serde_json::from_str(&self.json).unwrap_or_default()
    }

    /// Names of its largest reasons, as incidents go by them.
    pub(crate) fn largest_reasons(&self) -> impl Iterator<Item = &str> {
        self.reasons.iter().take(3).map(|reason| reason.field.as_str())
    }

    /// About how much memory it takes.
    pub(crate) fn size(&self) -> usize {
        self.json.len() * 2 + self.text.len() + self.uuid.as_ref().map_or(0, String::len) + 512
    }
}

fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{alert_json, owner};

    #[test]
    fn an_alert_is_the_same_wherever_it_is_read() {
        let json = alert_json("2026-11-23T08:42:10.123456Z", "{}");
        let alert = Alert::read(owner("east"), json.as_bytes()).unwrap();
        assert_eq!(Alert::read(owner("east"), format!("{json}\n").as_bytes()).unwrap(), alert);
        assert_eq!(AlertId::read(&alert.id.to_string()), Some(alert.id));
        assert_eq!((alert.severity, alert.score), (Severity::High, Some(0.999)));
        assert_eq!(alert.uuid.as_deref(), Some("u"));
        assert_eq!(alert.largest_reasons().collect::<Vec<_>>(), ["duration", "service"]);
        assert!(alert.is_whole());
    }

    #[test]
    fn what_is_no_text_is_no_alert() {
        assert_eq!(Alert::read(owner("east"), b"\xff"), None);
        assert_eq!(Alert::read(owner("east"), b"{half"), None);
    }

    #[test]
    fn a_long_one_is_cut_and_says_so() {
        let json = alert_json("2026-11-23T08:42:10Z", &format!("\"{}\"", "ä".repeat(1 << 20)));
        let alert = Alert::read(owner("east"), json.as_bytes()).unwrap();
        assert!(!alert.is_whole() && alert.size() < 200_000 && alert.bytes > 1 << 20);
        assert!(alert.fields().is_empty());
    }

    #[test]
    fn ids_are_spelled_in_one_way() {
        for wrong in ["", "00", &"0".repeat(31), &"G".repeat(32), &"A".repeat(32), &"0".repeat(34)] {
            assert_eq!(AlertId::read(wrong), None, "{wrong}");
        }
    }
}
