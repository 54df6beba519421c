//! What the notifier knows and others need.

use jiff::Timestamp;
use vedette_contract::Name;
use vedette_contract::health::{Health, HealthComponent, NotifierHealth, Unready};
use vedette_contract::receiver::Receiver;
use vedette_service::Readiness;

use crate::delivery::unusable;

/// Who tells.
#[derive(Debug)]
pub(crate) struct Teller {
    pub(crate) site: Name,
    pub(crate) pod: String,
    pub(crate) receivers: Vec<Receiver>,
    pub(crate) readiness: Readiness,
    pub(crate) started_at: Timestamp,
}

impl Teller {
    /// All of it, with why the process is not ready. The files of receivers are looked at: they are small, and in memory as those of
    /// mounted Secrets are.
    pub(crate) fn told(&self, now: Timestamp) -> Health {
        Health {
            site: self.site.clone(),
            pod: self.pod.clone(),
            component: HealthComponent::Notifier,
            started_at: self.started_at,
            updated_at: now,
            // The topics of its site are told of by the archivers, which read all of them.
            topics: Vec::new(),
            gaps: Vec::new(),
            unready: Unready::all(self.readiness.troubles()),
            detector: None,
            notifier: Some(NotifierHealth { unusable_files: unusable(&self.receivers) }),
        }
    }
}
