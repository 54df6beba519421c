//! Verdicts: what a person says an alert, or all alerts of an incident, turned out to be. Each is one object in the bucket, which one
//! site writes and nobody changes: a later one of the same takes its place.

use clap::ValueEnum;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::Alert;
use crate::incident::{Incident, IncidentId};
use crate::names::stamp;
use crate::written::{self, LONGEST_NAME, LONGEST_REASON, WrittenError, is_line, line, stamped_id};
use crate::{ModelVersion, Name};

/// A longer identity of a record is none that a verdict can name.
const LONGEST_UUID: usize = 1_000;
/// No verdict is larger.
pub const LARGEST_VERDICT: u64 = 16 * 1024;

stamped_id! {
    /// Names a verdict for ever: when it was given, and eight random hex digits. Text order is time order.
    VerdictId, VerdictIdError, "verdict"
}

impl VerdictId {
    /// The month in which it was given, as `2026-11`.
    pub fn month(&self) -> String {
        let (year, month) = (&self.as_str()[..4], &self.as_str()[4..6]);
        format!("{year}-{month}")
    }

    /// Whether it is the id of what was given at this time.
    pub fn is_of(&self, given_at: Timestamp) -> bool {
        self.as_str().starts_with(&stamp(given_at))
    }
}

/// Where a verdict stands: the site that alone writes it, and its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VerdictKey {
    /// The site.
    pub site: Name,
    /// The id.
    pub id: VerdictId,
}

/// What it turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Finding {
    /// Something was wrong, so it was right to tell.
    Anomaly,
    /// Nothing was: nobody wants to be told of such.
    Expected,
}

impl Finding {
    /// Its name in verdicts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Anomaly => "anomaly",
            Self::Expected => "expected",
        }
    }
}

/// An alert that is judged, as it is archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JudgedAlert {
    /// Identity of its record.
    pub uuid: String,
    /// Where it was detected.
    pub site: Name,
    /// When.
    pub detected_utc: Timestamp,
    /// The model that scored it; none where it does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version: Option<ModelVersion>,
}

impl JudgedAlert {
    /// Why an alert whose record somebody made up is not judged.
    pub fn simulated(uuid: &str) -> WrittenError {
        let mend = "is the record of a simulation, which says nothing of what a model finds: judge alerts of records that came";
        WrittenError::of_field("alert", uuid, mend)
    }
}

/// An incident that is judged, as it stood then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JudgedIncident {
    /// Its id.
    pub id: IncidentId,
    /// Where it is.
    pub site: Name,
    /// When the first of its alerts was detected.
    pub first_utc: Timestamp,
    /// When the last was.
    pub last_utc: Timestamp,
    /// How many alerts it had.
    pub alerts: u64,
    /// Identity of the record of its example; none where that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// The model that scored its example, which stands for all; none where it does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_version: Option<ModelVersion>,
}

impl JudgedIncident {
    /// An incident as it stands.
    pub fn of(incident: &Incident) -> Self {
        let Incident { id, site, first_utc, last_utc, alerts, example, .. } = incident;
        let example = example.alert.as_ref().and_then(|alert| Alert::read(alert.json()));
        let version = example.as_ref().and_then(|alert| alert.model_version.as_deref());
        Self {
            id: *id,
            site: site.clone(),
            first_utc: *first_utc,
            last_utc: *last_utc,
            alerts: *alerts,
            model_version: version.and_then(|version| version.parse().ok()),
            example: example.and_then(|alert| alert.uuid).filter(|uuid| is_uuid(uuid)),
        }
    }
}

/// What is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Judged {
    /// An alert.
    Alert(JudgedAlert),
    /// All alerts of an incident.
    Incident(JudgedIncident),
}

/// What is the same for all verdicts of the same: the last of them stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JudgedKey<'a> {
    /// The alert of this record.
    Alert {
        /// Where it was detected: another site may have a record of the same uuid.
        site: &'a Name,
        /// Identity of the record.
        uuid: &'a str,
    },
    /// The incident of this id.
    Incident(IncidentId),
}

impl Judged {
    /// What it is, whatever else is said of it.
    pub fn key(&self) -> JudgedKey<'_> {
        match self {
            Self::Alert(JudgedAlert { site, uuid, .. }) => JudgedKey::Alert { site, uuid },
            Self::Incident(incident) => JudgedKey::Incident(incident.id),
        }
    }
}

/// A verdict, all of whose rules hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    #[serde(flatten)]
    judged: Judged,
    #[serde(rename = "verdict")]
    finding: Finding,
    by: String,
    why: String,
    at: Timestamp,
}

/// What somebody wrote for a verdict; it becomes one where all of its rules hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VerdictFields {
    /// Of what alert, or
    #[serde(deserialize_with = "written::by_name")]
    pub alert: Option<JudgedAlert>,
    /// of what incident.
    #[serde(deserialize_with = "written::by_name")]
    pub incident: Option<JudgedIncident>,
    /// What it turned out to be.
    #[serde(rename = "verdict")]
    pub finding: Option<Finding>,
    /// Who says so.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// When, by the clock of the bucket.
    pub at: Option<Timestamp>,
}

impl TryFrom<VerdictFields> for Verdict {
    type Error = WrittenError;

    fn try_from(fields: VerdictFields) -> Result<Self, WrittenError> {
        let VerdictFields { alert, incident, finding, by, why, at } = fields;
        let judged = match (alert, incident) {
            (Some(alert), None) => Judged::Alert(checked_alert(alert)?),
            (None, Some(incident)) => Judged::Incident(checked_incident(incident)?),
            (None, None) => return Err(WrittenError::missing("alert", "say of what alert or incident it is")),
            (Some(alert), Some(_)) => {
                let mend = "a verdict is of an alert or of an incident: leave one of them out";
                return Err(WrittenError::of_field("alert", &alert.uuid, mend));
            }
        };
        let finding = finding.ok_or_else(|| WrittenError::missing("verdict", "say anomaly or expected"))?;
        let by = line("by", by, LONGEST_NAME, "say who gives it, in a line of 1 to 100 bytes")?;
        let why = line("why", why, LONGEST_REASON, "say why, in a line of 1 to 1000 bytes")?;
        let at = at.ok_or_else(|| WrittenError::missing("at", "say when it was given, as 2026-11-23T08:42:10Z"))?;
        // A later one must be able to take its place.
        if at.as_second() >= NEVER {
            return Err(WrittenError::of_field("at", &at.to_string(), "no clock is there yet: say when it was given"));
        }
        Ok(Self { judged, finding, by, why, at })
    }
}

fn checked_alert(alert: JudgedAlert) -> Result<JudgedAlert, WrittenError> {
    if is_uuid(&alert.uuid) { Ok(alert) } else { Err(WrittenError::of_field("alert", &alert.uuid, NO_UUID)) }
}

/// Whether a verdict can name a record by this.
pub fn is_uuid(text: &str) -> bool {
    is_line(text, LONGEST_UUID)
}

/// 9000-01-01T00:00:00Z, in seconds since 1970.
const NEVER: i64 = 221_845_392_000;

const NO_UUID: &str = "a verdict names an alert by the uuid of its record, in a line of 1 to 1000 bytes";

fn checked_incident(incident: JudgedIncident) -> Result<JudgedIncident, WrittenError> {
    let JudgedIncident { id, first_utc, last_utc, alerts, example, .. } = &incident;
    if *alerts == 0 {
        return Err(WrittenError::of_field("incident", &id.to_string(), "an incident has at least one alert"));
    }
    if last_utc < first_utc {
        let mend = format!("its last alert is of {last_utc}, before its first, which is of {first_utc}");
        return Err(WrittenError::of_field("incident", &id.to_string(), &mend));
    }
    match example {
        Some(uuid) if !is_uuid(uuid) => Err(WrittenError::of_field("incident", uuid, NO_UUID)),
        Some(_) | None => Ok(incident),
    }
}

impl Verdict {
    /// Reads an object of the bucket.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, WrittenError> {
        written::read::<VerdictFields>(bytes, "verdict")?.try_into()
    }

    /// What is judged.
    pub fn judged(&self) -> &Judged {
        &self.judged
    }

    /// What it turned out to be.
    pub fn finding(&self) -> Finding {
        self.finding
    }

    /// Who says so.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Why.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// When it was given, by the clock of the bucket.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The same, given at this time.
    #[must_use]
    pub fn given(self, at: Timestamp) -> Self {
        Self { at, ..self }
    }
}

#[cfg(test)]
mod tests;
