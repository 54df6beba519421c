//! Of which incidents a receiver is told.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vedette_contract::incident::{Incident, Severity};
use vedette_filters::{Filter, FilterError, Subject};

/// Of what a receiver is told.
#[derive(Debug)]
pub(crate) struct Interest {
    pub(crate) minimum_severity: Severity,
    pub(crate) filter: Option<Filter>,
    /// What was written so long after its last alert is history: whoever wrote it came late to old alerts.
    pub(crate) history_after: Duration,
}

/// The same in words, as its settings have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InterestWords {
    pub(crate) minimum_severity: Severity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) filter: Option<String>,
}

impl InterestWords {
    /// What they say.
    ///
    /// # Errors
    /// When the filter is none.
    pub(crate) fn compile(&self, history_after: Duration) -> Result<Interest, FilterError> {
        let Self { minimum_severity, filter } = self;
        let filter = filter.as_deref().map(Filter::compile).transpose()?;
        Ok(Interest { minimum_severity: *minimum_severity, filter, history_after })
    }
}

impl Interest {
    /// Whether a receiver that knows nothing of an incident is told of it as it was written, and what is wrong with the filter, which
    /// lets it pass then. Nobody is told of one all of whose alerts are silenced.
    pub(crate) fn wants(&self, incident: &Incident, written: Timestamp) -> (bool, Result<(), String>) {
        let Self { minimum_severity, filter, history_after } = self;
        let is_history = written.duration_since(incident.last_utc) > signed(*history_after);
        if incident.is_silenced() || incident.severity < *minimum_severity || is_history {
            return (false, Ok(()));
        }
        match filter.as_ref().map(|filter| filter.matches(&Subject::incident(incident))) {
            None => (true, Ok(())),
            Some(Ok(matches)) => (matches, Ok(())),
            // Rather one message too many than an incident that nobody hears of.
            Some(Err(trouble)) => (true, Err(trouble)),
        }
    }
}

fn signed(duration: Duration) -> jiff::SignedDuration {
    duration.try_into().unwrap_or(jiff::SignedDuration::MAX)
}
