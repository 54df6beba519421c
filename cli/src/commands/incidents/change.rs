//! A change of an incident as it is archived, and when it was.

use jiff::{SignedDuration, Timestamp};
use vedette_contract::archive::{ArchiveKey, Origin};
use vedette_contract::incident::{Incident, IncidentOwner};

/// Changes of a partition stand in the order of their times, but where alerts came late; later than this none is looked for.
pub(super) const DISORDER: SignedDuration = SignedDuration::from_hours(24);

/// Reads a change; none where it is not one of the incidents of that pipeline and site.
pub(super) fn read(key: &ArchiveKey, record: &[u8]) -> Option<Incident> {
    let Origin { namespace, pipeline, site, .. } = key.object.origin.clone();
    let owner = IncidentOwner { namespace, pipeline, site };
    serde_json::from_slice(record).ok().filter(|incident| owner.owns(incident))
}

/// When it changed, by the clocks of its alerts: never before its last alert.
pub(super) fn changed(incident: &Incident) -> Timestamp {
    incident.closed_utc.map_or(incident.last_utc, |closed| closed.max(incident.last_utc))
}
