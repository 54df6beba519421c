//! Incidents: alerts of one cause at one site, what a person is told of. They stand in a compacted topic, whose last message
//! of a key is how the incident of that id stands.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;
use uuid::Uuid;

use crate::silence::SilenceId;
use crate::{Name, TopicName};

/// Ids are `UUIDv5` in this namespace.
const ID_NAMESPACE: Uuid = Uuid::from_u128(0x1d40_55a9_6f0e_5c56_8b1e_52a0_33a6_8fd1);

/// Names an incident for ever: the key of its messages, and what receivers know it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(Uuid);

impl IncidentId {
    /// The id of what this alert begins. Whoever reads the same alert first comes to the same id.
    pub fn of_first(owner: &IncidentOwner, grouping: &Grouping, first: &AlertOrigin, utc: Timestamp) -> Self {
        let name = serde_json::json!([owner, grouping, first, utc]).to_string();
        Self(Uuid::new_v5(&ID_NAMESPACE, name.as_bytes()))
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A text that is no incident's id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not the id of an incident: they are UUIDs")]
pub struct IncidentIdError {
    /// What was given.
    pub text: String,
}

impl FromStr for IncidentId {
    type Err = IncidentIdError;

    fn from_str(text: &str) -> Result<Self, IncidentIdError> {
        text.parse().map(Self).map_err(|_| IncidentIdError { text: text.to_owned() })
    }
}

/// Whose alerts an incident is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IncidentOwner {
    /// Namespace of the pipeline.
    pub namespace: Name,
    /// The pipeline.
    pub pipeline: Name,
    /// The site.
    pub site: Name,
}

impl IncidentOwner {
    /// Whether an incident is theirs.
    pub fn owns(&self, incident: &Incident) -> bool {
        let Self { namespace, pipeline, site } = self;
        incident.namespace == *namespace && incident.pipeline == *pipeline && incident.site == *site
    }
}

/// How bad it is, from the least to the worst.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What an alert is that says nothing of it.
    #[default]
    Low,
    /// Above low.
    Medium,
    /// Above medium.
    High,
    /// The worst.
    Critical,
}

impl Severity {
    /// All of them, from the least to the worst.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Its name in alerts, incidents and settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The severity of this name, however that is written.
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

/// Whether alerts still join an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum IncidentStatus {
    /// They do.
    Open,
    /// It was quiet for a window.
    Closed,
}

/// What the alerts of an incident have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "lowercase")]
pub enum Grouping {
    /// One of the largest reasons of each is one of the incident's.
    Reasons,
    /// The values of these fields.
    Fields {
        /// In the order of the settings.
        values: Vec<FieldValue>,
    },
    /// Nothing: so many incidents were open that there was no room for one more.
    Overflow,
}

/// A field with its value in all alerts of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FieldValue {
    /// Name of the field.
    pub field: String,
    /// Its value as text; none where the alerts do not have the field, or have no number, text or boolean there.
    pub value: Option<String>,
}

/// One field's part in an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct IncidentReason {
    /// Name of the field.
    pub field: String,
    /// How many alerts have it among their largest reasons.
    pub alerts: u64,
    /// Sum of its shares in those alerts, millionths.
    pub weight: u64,
    /// Its value in the last of them, as text and cut where it is long; none where there is none.
    pub value: Option<String>,
}

/// Where an alert stands in Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AlertOrigin {
    /// Topic of the alerts.
    pub topic: TopicName,
    /// Its partition.
    pub partition: i32,
    /// Where in it.
    pub offset: i64,
}

/// One alert of an incident: that with the highest score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// Where it stands.
    pub origin: AlertOrigin,
    /// The alert as it is; none where it is large.
    pub alert: Option<RawAlert>,
}

/// An alert as the JSON text that it came as.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawAlert(Box<RawValue>);

/// A larger alert is no example.
const EXAMPLE_BYTES: usize = 8 * 1024;
/// Nor is one that is nested deeper: inside a message it has to be within what common parsers read.
const EXAMPLE_DEPTH: usize = 64;

impl RawAlert {
    /// Whether an alert of this JSON text is small enough to stand in an incident, and so in what a match may ask.
    pub fn is_example(json: &str) -> bool {
        json.len() <= EXAMPLE_BYTES && depth(json) <= EXAMPLE_DEPTH
    }

    /// An alert of this JSON text; none where it is not JSON.
    pub fn new(json: &str) -> Option<Self> {
        RawValue::from_string(json.trim().to_owned()).ok().map(Self)
    }

    /// The JSON text.
    pub fn json(&self) -> &str {
        self.0.get()
    }
}

/// How deep JSON is nested, of which a parser found that it is well-formed.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut is_text, mut is_escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !is_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl PartialEq for RawAlert {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json()
    }
}

impl Eq for RawAlert {}

/// So many silences are listed of an incident.
pub const MOST_SILENCES: usize = 12;

/// How an incident stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id, also the key of the message.
    pub id: IncidentId,
    /// Namespace of the pipeline.
    pub namespace: Name,
    /// The pipeline.
    pub pipeline: Name,
    /// The site.
    pub site: Name,
    /// Whether alerts still join it.
    pub status: IncidentStatus,
    /// What its alerts have in common.
    pub grouping: Grouping,
    /// When the first of its alerts was detected.
    pub first_utc: Timestamp,
    /// When the last was.
    pub last_utc: Timestamp,
    /// When it was closed: quiet for a window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_utc: Option<Timestamp>,
    /// How many alerts it has.
    pub alerts: u64,
    /// How many of them a silence matched that was in force when they were detected.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub silenced_alerts: u64,
    /// The silences that did, the first that did first; no more than [`MOST_SILENCES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silenced_by: Vec<SilenceId>,
    /// The worst of theirs: of those that are not silenced, where there is one.
    pub severity: Severity,
    /// The highest of the same ones' scores, to nine digits; none where they have none.
    pub highest_score: Option<f64>,
    /// The fields behind all of them, those that weigh most first.
    pub reasons: Vec<IncidentReason>,
    /// The one with that score.
    pub example: Example,
    /// How often it was written, this time included.
    pub revision: u64,
    /// The last revision that a person is told of: by it the incident opened, became more severe, or closed. What is between
    /// is growth.
    pub news_revision: u64,
}

impl Incident {
    /// What its alerts have in common, in words.
    pub fn common(&self) -> String {
        match &self.grouping {
            Grouping::Reasons => {
                self.reasons.iter().take(3).map(|reason| reason.field.as_str()).collect::<Vec<_>>().join(", ")
            }
            Grouping::Fields { values } => {
                let worded =
                    |value: &FieldValue| format!("{} {}", value.field, value.value.as_deref().unwrap_or("(none)"));
                values.iter().map(worded).collect::<Vec<_>>().join(", ")
            }
            Grouping::Overflow => "more incidents than there is room for".to_owned(),
        }
    }

    /// Whether nobody is told of it, as all of its alerts are silenced.
    pub fn is_silenced(&self) -> bool {
        self.silenced_alerts >= self.alerts
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident() -> Incident {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let owner = IncidentOwner { namespace: name("team"), pipeline: name("flows"), site: name("east") };
        let origin = AlertOrigin { topic: "alerts".parse().unwrap(), partition: 3, offset: 42 };
        let values = vec![FieldValue { field: "service".to_owned(), value: Some("http".to_owned()) }];
        let (grouping, utc) = (Grouping::Fields { values }, "2026-11-23T08:42:10.123456Z".parse().unwrap());
        Incident {
            id: IncidentId::of_first(&owner, &grouping, &origin, utc),
            namespace: owner.namespace,
            pipeline: owner.pipeline,
            site: owner.site,
            status: IncidentStatus::Open,
            grouping,
            first_utc: utc,
            last_utc: utc,
            closed_utc: None,
            alerts: 1,
            silenced_alerts: 0,
            silenced_by: Vec::new(),
            severity: Severity::High,
            highest_score: Some(0.999_95),
            reasons: vec![IncidentReason {
                field: "src_bytes".to_owned(),
                alerts: 1,
                weight: 625_000,
                value: Some("181".to_owned()),
            }],
            example: Example { origin, alert: RawAlert::new(" {\"a\": 1.50}\n") },
            revision: 1,
            news_revision: 1,
        }
    }

    #[test]
    fn an_incident_reads_back_and_its_example_is_as_it_came() {
        let json = serde_json::to_string(&incident()).unwrap();
        assert!(json.contains(r#""alert":{"a": 1.50}"#), "{json}");
        assert!(json.contains(r#""site":"east""#) && json.contains(r#""severity":"high""#), "{json}");
        assert_eq!(serde_json::from_str::<Incident>(&json).unwrap(), incident());
        assert!(!json.contains("silenced"), "{json}");
        let id: SilenceId = "20261123T084210Z-1a2b3c4d".parse().unwrap();
        let silenced = Incident { silenced_alerts: 1, silenced_by: vec![id], ..incident() };
        let json = serde_json::to_string(&silenced).unwrap();
        assert!(json.contains(r#""silenced_alerts":1,"silenced_by":["20261123T084210Z-1a2b3c4d"]"#), "{json}");
        assert_eq!(serde_json::from_str::<Incident>(&json).unwrap(), silenced);
        assert!(silenced.is_silenced() && !Incident { alerts: 2, ..silenced }.is_silenced());
    }

    #[test]
    fn an_id_is_of_the_group_and_the_first_alert_and_stays_as_it_is() {
        let Incident { id, namespace, pipeline, site, grouping, example, first_utc, .. } = incident();
        let owner = IncidentOwner { namespace, pipeline, site };
        let of = |grouping: &Grouping, origin: &AlertOrigin| IncidentId::of_first(&owner, grouping, origin, first_utc);
        let later = AlertOrigin { offset: 43, ..example.origin.clone() };
        assert_eq!(id.to_string(), "e10ccd88-6b1b-5425-8e1e-5a86f19dd1c5");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id != of(&grouping, &later) && id != of(&Grouping::Reasons, &example.origin));
        assert!("ID".parse::<IncidentId>().is_err());
    }

    #[test]
    fn what_alerts_have_in_common_is_said_in_words() {
        let by_fields = incident();
        assert_eq!(by_fields.common(), "service http");
        assert_eq!(Incident { grouping: Grouping::Reasons, ..by_fields }.common(), "src_bytes");
    }

    #[test]
    fn severities_are_ordered_and_spelled_as_in_json() {
        assert!(Severity::ALL.is_sorted() && Severity::default() == Severity::ALL[0]);
        for severity in Severity::ALL {
            assert_eq!(Severity::read(severity.as_str()), Some(severity));
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.as_str());
        }
        assert_eq!(
            (Severity::read(" High"), Severity::read("HIGHEST"), Severity::read("")),
            (Some(Severity::High), None, None)
        );
    }

    #[test]
    fn an_alert_that_is_large_or_nested_deep_is_no_example() {
        let nested =
            |levels: usize| format!(r#"{{"text":"[[\"[[","a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert!(RawAlert::is_example(&nested(EXAMPLE_DEPTH - 1)));
        assert!(!RawAlert::is_example(&nested(EXAMPLE_DEPTH)));
        assert!(!RawAlert::is_example(&"x".repeat(EXAMPLE_BYTES + 1)));
    }
}
