//! Names of the fields that Vedette reads or adds; none of them is ever a feature.

use serde::{Deserialize, Serialize};

/// Identity of a record; filled with a `UUIDv5` of site, topic, partition, offset, Kafka timestamp and SHA-256 of its bytes
/// where a producer sends none.
pub const UUID: &str = "uuid";
/// When the record was made, RFC 3339 with microseconds; filled with the Kafka timestamp where a producer sends none.
pub const UTC: &str = "utc";
/// Number of the generator's run.
pub const SEQUENCE_ID: &str = "sequence_id";
/// Row of the record in the generator's data set, from 0.
pub const INDEX: &str = "index";
/// That somebody made the record up, to see what becomes of it: where it is `true` the record is scored like any other, and never learned
/// from, told or counted as quality. A record with any other value here is one like all.
pub const SIMULATED: &str = "simulated";
/// Site of the detector that read the record.
pub const SITE: &str = "site";
/// Calibrated anomaly score, 0 to 1; present once there is a model.
pub const SCORE: &str = "score";
/// Model version that gave the score.
pub const MODEL_VERSION: &str = "model_version";
/// One sentence for a person.
pub const ALERT_TEXT: &str = "alert_text";
/// The score above which the detector alerts.
pub const THRESHOLD: &str = "threshold";
/// When the detector decided, RFC 3339 with microseconds.
pub const DETECTED_UTC: &str = "detected_utc";
/// The fields that made the record anomalous, an array of [`Reason`].
pub const REASONS: &str = "reasons";

/// How bad an alert is by the detector, one of [`crate::incident::Severity`].
pub const ALERT_SEVERITY: &str = "alert_severity";

/// The same, for whoever looks for the usual name, which is not refused: where a record has a field of this name its alert has that one.
pub const SEVERITY: &str = "severity";

/// Fields that the detector adds: a record that brings one of them is a dead letter.
pub const ADDED: [&str; 8] = [SITE, SCORE, MODEL_VERSION, ALERT_TEXT, ALERT_SEVERITY, THRESHOLD, DETECTED_UTC, REASONS];

/// Fields that are never features, beside the label.
pub const RESERVED: [&str; 13] = [
    UUID,
    UTC,
    SEQUENCE_ID,
    INDEX,
    SIMULATED,
    SITE,
    SCORE,
    MODEL_VERSION,
    ALERT_TEXT,
    ALERT_SEVERITY,
    THRESHOLD,
    DETECTED_UTC,
    REASONS,
];

/// One field's part in an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Reason {
    /// Name of the field.
    pub field: String,
    /// Its share of the anomaly, 0 to 1; the shares of a record sum to one before the list is cut to its length.
    pub share: f64,
    /// Its value, as in the record; the JSON text of a number that no type holds; absent where it is missing, or long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
    /// How the value differs, where that can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// What it was where the model learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual: Option<Usual>,
    /// Where the value does not fit those of the other fields: what would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
}

/// How a value differs from the usual ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Greater than nearly all of them, or than what would fit the other fields.
    Above,
    /// Less.
    Below,
    /// A category that never was.
    Unseen,
    /// There is none, or it is not of the type of the others.
    Missing,
}

/// The usual values of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Usual {
    /// Nine of ten lie between these, their 5th and their 95th percentile.
    Range {
        /// The former.
        low: f32,
        /// The latter.
        high: f32,
    },
    /// The most frequent ones.
    Values(Vec<UsualValue>),
}

/// A frequent value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct UsualValue {
    /// The text, or the JSON text of another scalar.
    pub value: String,
    /// Share of the records that have it, 0 to 1.
    pub share: f64,
}

/// A value that does not fit those of the other fields of its record, and those that would.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Expected {
    /// The value.
    pub value: f64,
    /// The least that fits.
    pub low: f64,
    /// The largest that fits.
    pub high: f64,
}

/// Whether a name can never be a feature (the label is named by the training and checked there).
pub fn is_reserved(field: &str) -> bool {
    RESERVED.contains(&field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_these_whatever_the_lists_say() {
        for name in [
            "uuid",
            "utc",
            "sequence_id",
            "index",
            "simulated",
            "site",
            "score",
            "model_version",
            "alert_text",
            "alert_severity",
            "threshold",
            "detected_utc",
            "reasons",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        assert_eq!(RESERVED.len(), 13);
        for name in
            ["site", "score", "model_version", "alert_text", "alert_severity", "threshold", "detected_utc", "reasons"]
        {
            assert!(ADDED.contains(&name), "{name}");
        }
        assert!(!ADDED.contains(&SIMULATED), "a record may bring it");
        assert!(!is_reserved("label") && !is_reserved("total_bytes"));
    }
}
