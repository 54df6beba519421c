//! What may be asked behind a question mark. A name that is none, or a value that means nothing, is refused by its name.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::str::FromStr;
use vedette_contract::Name;
use vedette_contract::console::{MOST_ALERTS, MOST_INCIDENTS, MOST_SILENCES};
use vedette_contract::incident::{IncidentId, IncidentStatus, Severity};
use vedette_contract::silence::SilenceState;

use super::problem::Problem;
use crate::owner::PipelineName;
use crate::query::{AlertFilter, Cursor, IncidentFilter};
use crate::read::SampleOf;
use crate::store::State;

/// What is asked, read.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        serde_urlencoded::from_str(query)
            .map(Self)
            .map_err(|error| Problem::parameter("what stands behind the question mark", &error.to_string()))
    }
}

/// Nothing may be asked.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Which alerts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AlertsAsked {
    pub(super) namespace: Option<String>,
    pub(super) pipeline: Option<String>,
    pub(super) site: Option<String>,
    /// Those that are at least so bad: low, medium, high or critical.
    pub(super) severity: Option<String>,
    /// A field among the three largest reasons.
    pub(super) reason: Option<String>,
    /// What stands in the JSON text, letter by letter.
    pub(super) text: Option<String>,
    /// Detected at this time or later, RFC 3339.
    pub(super) from: Option<String>,
    /// Detected at this time or before.
    pub(super) to: Option<String>,
    /// Id of an incident: its alerts.
    pub(super) incident: Option<String>,
    /// Rows at most, 1 to 1000.
    pub(super) limit: Option<usize>,
    /// Of histograms: the numeric field; duration where omitted.
    pub(super) field: Option<String>,
    /// Of histograms: the categorical field; service where omitted.
    pub(super) by: Option<String>,
    /// Of histograms: alerts, or sample for one of all records of a pipeline within the last hour; alerts where omitted.
    pub(super) of: Option<String>,
}

impl AlertsAsked {
    pub(super) fn filter(&self, state: &State) -> Result<AlertFilter, Problem> {
        let incident = match parsed::<IncidentId>("incident", self.incident.as_ref(), "the id of an incident")? {
            Some(id) => Some(
                state
                    .incidents
                    .get(id)
                    .cloned()
                    .ok_or_else(|| Problem::not_found(format!("no incident {id} is kept")))?,
            ),
            None => None,
        };
        Ok(AlertFilter {
            namespace: parsed("namespace", self.namespace.as_ref(), "a name")?,
            pipeline: parsed("pipeline", self.pipeline.as_ref(), "a name")?,
            site: parsed("site", self.site.as_ref(), "a name")?,
            severity: severity(self.severity.as_ref())?,
            reason: some(self.reason.as_ref()),
            text: some(self.text.as_ref()),
            from: parsed::<Timestamp>("from", self.from.as_ref(), "a time such as 2026-11-23T08:00:00Z")?,
            to: parsed::<Timestamp>("to", self.to.as_ref(), "a time such as 2026-11-23T08:00:00Z")?,
            incident,
        })
    }

    pub(super) fn limit(&self) -> Result<usize, Problem> {
        limit(self.limit, MOST_ALERTS)
    }

    /// Of which pipeline a sample of all records is asked for, of these that are shown; nothing where alerts are.
    pub(super) fn sample<'a>(
        &self,
        shown: impl Iterator<Item = &'a PipelineName>,
    ) -> Result<Option<SampleOf>, Problem> {
        match some(self.of.as_ref()).as_deref() {
            None | Some("alerts") => return Ok(None),
            Some("sample") => {}
            Some(_) => return Err(Problem::parameter("of", "say alerts or sample")),
        }
        let Self { severity, reason, text, from, to, incident, .. } = self;
        let of_alerts = [severity, reason, text, from, to, incident];
        if of_alerts.into_iter().any(|asked| some(asked.as_ref()).is_some()) {
            let what =
                "a sample is of all records of the last hour: leave severity, reason, text, from, to and incident out";
            return Err(Problem::parameter("of", what));
        }
        let namespace: Option<Name> = parsed("namespace", self.namespace.as_ref(), "a name")?;
        let pipeline: Option<Name> = parsed("pipeline", self.pipeline.as_ref(), "a name")?;
        let mut wanted = shown.filter(|shown| {
            namespace.as_ref().is_none_or(|namespace| *namespace == shown.namespace)
                && pipeline.as_ref().is_none_or(|pipeline| *pipeline == shown.pipeline)
        });
        match (wanted.next(), wanted.next()) {
            (Some(one), None) => {
                let site = parsed("site", self.site.as_ref(), "a name")?;
                Ok(Some(SampleOf { pipeline: one.clone(), site }))
            }
            (None, _) => Err(Problem::not_found("no such pipeline is shown, so there is no sample of its records")),
            (Some(_), Some(_)) => {
                Err(Problem::parameter("pipeline", "a sample is of one pipeline: say its name, and its namespace"))
            }
        }
    }
}

/// Which incidents.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct IncidentsAsked {
    pub(super) namespace: Option<String>,
    pub(super) pipeline: Option<String>,
    pub(super) site: Option<String>,
    /// Those that are at least so bad: low, medium, high or critical.
    pub(super) severity: Option<String>,
    /// open or closed.
    pub(super) status: Option<String>,
    /// What the page before said as `next`.
    pub(super) after: Option<String>,
    /// Rows at most, 1 to 200.
    pub(super) limit: Option<usize>,
}

impl IncidentsAsked {
    pub(super) fn filter(&self) -> Result<IncidentFilter, Problem> {
        let status = match some(self.status.as_ref()).as_deref() {
            None => None,
            Some("open") => Some(IncidentStatus::Open),
            Some("closed") => Some(IncidentStatus::Closed),
            Some(_) => return Err(Problem::parameter("status", "say open or closed")),
        };
        Ok(IncidentFilter {
            namespace: parsed("namespace", self.namespace.as_ref(), "a name")?,
            pipeline: parsed("pipeline", self.pipeline.as_ref(), "a name")?,
            site: parsed("site", self.site.as_ref(), "a name")?,
            severity: severity(self.severity.as_ref())?,
            status,
        })
    }

    pub(super) fn after(&self) -> Result<Option<Cursor>, Problem> {
        let wrong = || Problem::parameter("after", "say what the page before said as next");
        some(self.after.as_ref()).map(|text| Cursor::read(&text).ok_or_else(wrong)).transpose()
    }

    pub(super) fn limit(&self) -> Result<usize, Problem> {
        limit(self.limit, MOST_INCIDENTS)
    }
}

/// Which silences.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SilencesAsked {
    pub(super) namespace: Option<String>,
    pub(super) pipeline: Option<String>,
    /// The site that wrote them.
    pub(super) site: Option<String>,
    /// in force, to come or over.
    pub(super) state: Option<String>,
    /// Rows at most, 1 to 1000.
    pub(super) limit: Option<usize>,
}

impl SilencesAsked {
    pub(super) fn filter(&self) -> Result<SilenceFilter, Problem> {
        let state = match some(self.state.as_ref()).as_deref() {
            None => None,
            Some("in force") => Some(SilenceState::InForce),
            Some("to come") => Some(SilenceState::ToCome),
            Some("over") => Some(SilenceState::Over),
            Some(_) => return Err(Problem::parameter("state", "say in force, to come or over")),
        };
        Ok(SilenceFilter {
            namespace: parsed("namespace", self.namespace.as_ref(), "a name")?,
            pipeline: parsed("pipeline", self.pipeline.as_ref(), "a name")?,
            site: parsed("site", self.site.as_ref(), "a name")?,
            state,
        })
    }

    pub(super) fn limit(&self) -> Result<usize, Problem> {
        limit(self.limit, MOST_SILENCES)
    }
}

/// What is true of silences that are wanted.
pub(super) struct SilenceFilter {
    namespace: Option<Name>,
    pipeline: Option<Name>,
    site: Option<Name>,
    state: Option<SilenceState>,
}

impl SilenceFilter {
    pub(super) fn is_of(&self, of: &PipelineName) -> bool {
        let is = |wanted: &Option<Name>, name: &Name| wanted.as_ref().is_none_or(|wanted| wanted == name);
        is(&self.namespace, &of.namespace) && is(&self.pipeline, &of.pipeline)
    }

    pub(super) fn matches(&self, site: &Name, state: SilenceState) -> bool {
        self.site.as_ref().is_none_or(|wanted| wanted == site) && self.state.is_none_or(|wanted| wanted == state)
    }
}

/// Whose verdicts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerdictsAsked {
    namespace: String,
    pipeline: String,
}

impl VerdictsAsked {
    pub(super) fn of(&self) -> Result<PipelineName, Problem> {
        let name = |name: &str, text: &str| text.parse().map_err(|_| Problem::parameter(name, "say a name"));
        Ok(PipelineName { namespace: name("namespace", &self.namespace)?, pipeline: name("pipeline", &self.pipeline)? })
    }
}

/// An empty field of a form is none.
pub(super) fn some(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

fn parsed<T: FromStr>(name: &str, text: Option<&String>, what: &str) -> Result<Option<T>, Problem> {
    let wrong = |_| Problem::parameter(name, &format!("say {what}, or leave it out"));
    some(text).map(|text| text.parse().map_err(wrong)).transpose()
}

fn severity(text: Option<&String>) -> Result<Option<Severity>, Problem> {
    let wrong = || Problem::parameter("severity", "say low, medium, high or critical");
    some(text).map(|text| Severity::read(&text).ok_or_else(wrong)).transpose()
}

fn limit(asked: Option<usize>, most: usize) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(most);
    if (1..=most).contains(&limit) { Ok(limit) } else { Err(Problem::parameter("limit", &format!("say 1 to {most}"))) }
}
