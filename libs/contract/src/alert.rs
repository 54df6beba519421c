//! An alert as people read it: what the detector says of a record, from the JSON text of both.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::fields::Reason;
use crate::incident::Severity;

/// So many reasons are its largest.
const LARGEST_REASONS: usize = 3;

/// What a detector says of a record that alerts. The names are those of the fields.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// Identity of the record.
    pub uuid: Option<String>,
    /// When the detector decided.
    pub detected_utc: Timestamp,
    /// How bad it is: the worse of what the detector and what the record says.
    pub severity: Severity,
    /// Its score.
    pub score: Option<f64>,
    /// The score above which records alerted.
    pub threshold: Option<f64>,
    /// The model that scored it.
    pub model_version: Option<String>,
    /// One sentence for a person.
    pub alert_text: String,
    /// The fields behind it, the largest share first.
    pub reasons: Vec<Reason>,
    /// Whether somebody made the record up, to see what becomes of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
}

/// What is read of one. All is optional: a record may bring fields of some of these names with anything in them.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    uuid: Option<&'a RawValue>,
    #[serde(borrow, default)]
    detected_utc: Option<&'a RawValue>,
    #[serde(borrow, default)]
    alert_severity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    severity: Option<&'a RawValue>,
    #[serde(borrow, default)]
    score: Option<&'a RawValue>,
    #[serde(borrow, default)]
    threshold: Option<&'a RawValue>,
    #[serde(borrow, default)]
    model_version: Option<&'a RawValue>,
    #[serde(borrow, default)]
    alert_text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasons: Option<&'a RawValue>,
    #[serde(borrow, default)]
    simulated: Option<&'a RawValue>,
}

impl Alert {
    /// Reads the alert of this JSON text; none where it is no object, or does not say when it was detected.
    pub fn read(json: &str) -> Option<Self> {
        let Fields {
            uuid,
            detected_utc,
            alert_severity,
            severity,
            score,
            threshold,
            model_version,
            alert_text,
            reasons,
            simulated,
        } = serde_json::from_str(json).ok()?;
        // What a record says of itself raises, and never lowers what the detector found: its sender may be the attacker.
        let [found, said] = [alert_severity, severity].map(|raw| Severity::read(&value::<String>(raw)?));
        Some(Self {
            uuid: value(uuid),
            detected_utc: value(detected_utc)?,
            severity: found.max(said).unwrap_or_default(),
            score: value(score),
            threshold: value(threshold),
            model_version: value(model_version),
            alert_text: value(alert_text).unwrap_or_default(),
            reasons: value(reasons).unwrap_or_default(),
            simulated: value(simulated).unwrap_or_default(),
        })
    }

    /// Names of its largest reasons, as incidents go by them.
    pub fn largest_reasons(&self) -> impl Iterator<Item = &str> {
        self.reasons.iter().take(LARGEST_REASONS).map(|reason| reason.field.as_str())
    }
}

fn value<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_read_with_its_reasons() {
        let json = r#"{"uuid":"u-1","bytes":7,"score":0.999,"model_version":"v","alert_text":"odd","alert_severity":"high",
            "threshold":0.99,"detected_utc":"2026-11-23T08:42:10.5Z","reasons":[{"field":"bytes","share":0.7},
            {"field":"a","share":0.1},{"field":"b","share":0.1},{"field":"c","share":0.1}]}"#;
        let alert = Alert::read(json).unwrap();
        assert_eq!((alert.uuid.as_deref(), alert.severity, alert.score), (Some("u-1"), Severity::High, Some(0.999)));
        assert_eq!(alert.largest_reasons().collect::<Vec<_>>(), ["bytes", "a", "b"]);
        assert_eq!(serde_json::to_value(&alert).unwrap()["detected_utc"], "2026-11-23T08:42:10.5Z");
    }

    #[test]
    fn a_record_raises_its_severity_and_never_lowers_it() {
        let severity = |said: &str| {
            let json =
                format!(r#"{{"detected_utc":"2026-11-23T08:42:10Z","alert_severity":"medium","severity":{said}}}"#);
            Alert::read(&json).unwrap().severity
        };
        assert_eq!([r#""low""#, r#""ERROR""#, "3"].map(severity), [Severity::Medium; 3]);
        assert_eq!(severity(r#""Critical""#), Severity::Critical);
    }

    #[test]
    fn an_alert_is_simulated_where_its_record_says_true_and_nothing_else() {
        let simulated = |said: &str| {
            let alert = Alert::read(&format!(r#"{{"detected_utc":"2026-11-23T08:42:10Z"{said}}}"#)).unwrap();
            let json = serde_json::to_value(&alert).unwrap();
            assert_eq!(json.get("simulated").is_some(), alert.simulated, "{json}");
            alert.simulated
        };
        assert!(simulated(r#","simulated":true"#));
        for other in
            ["", r#","simulated":false"#, r#","simulated":1"#, r#","simulated":"true""#, r#","simulated":[true]"#]
        {
            assert!(!simulated(other), "{other}");
        }
    }

    #[test]
    fn what_a_record_has_in_fields_of_these_names_is_no_reason_to_lose_the_alert() {
        let json = r#"{"detected_utc":"2026-11-23T08:42:10Z","uuid":7,"severity":{"a":1},"score":"high","reasons":7,
            "alert_text":[]}"#;
        let alert = Alert::read(json).unwrap();
        assert_eq!((alert.uuid, alert.severity, alert.score, alert.reasons.len()), (None, Severity::Low, None, 0));
        for strange in ["", "[]", "{}", "{\"detected_utc\":3}", "{half", "\u{0}"] {
            assert_eq!(Alert::read(strange), None, "{strange}");
        }
    }
}
