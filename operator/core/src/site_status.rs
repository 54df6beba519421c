//! What a site tells the others of a pipeline, and when that is written to the bucket again.

use jiff::{SignedDuration, Timestamp};
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::SiteStatus;

/// A site's status is written again after this long, also when nothing changed: readers go by its age.
const SITE_STATUS_INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// What the other sites are told of a pipeline, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteStatusUpdate {
    /// The pipeline's part of the bucket.
    pub keys: PipelineKeys,
    /// How it stands here.
    pub status: SiteStatus,
}

/// Whether this status has to be written, the last one written being that.
pub fn is_due(last: Option<&SiteStatus>, next: &SiteStatus) -> bool {
    last.is_none_or(|last| {
        next.updated_at.duration_since(last.updated_at) >= SITE_STATUS_INTERVAL
            || *last != SiteStatus { updated_at: last.updated_at, ..next.clone() }
    })
}

/// The status at another time.
pub fn at(status: &SiteStatus, now: Timestamp) -> SiteStatus {
    SiteStatus { updated_at: now, ..status.clone() }
}

/// What is told last, of a pipeline that was deleted here. Its version stays named: what ran of it may go on for a while.
pub fn last(status: &SiteStatus, now: Timestamp) -> SiteStatus {
    SiteStatus { ready: false, topics: None, deleted: true, ..at(status, now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_written_when_it_changes_or_grows_old() {
        let first = SiteStatus {
            site: "east".parse().unwrap(),
            training: None,
            model_version: None,
            rejected: Vec::new(),
            ready: true,
            topics: None,
            alert_budget_per_million: None,
            added_fields: Vec::new(),
            renamed_fields: None,
            deleted: false,
            updated_at: "2026-11-23T08:00:00Z".parse().unwrap(),
        };
        let later = |text: &str| at(&first, text.parse().unwrap());
        assert!(is_due(None, &first));
        assert!(!is_due(Some(&first), &later("2026-11-23T08:04:59Z")));
        assert!(is_due(Some(&first), &later("2026-11-23T08:05:00Z")));
        assert!(is_due(Some(&first), &SiteStatus { ready: false, ..later("2026-11-23T08:00:01Z") }));
        let end = last(&SiteStatus { ready: false, ..first.clone() }, "2026-11-23T08:00:01Z".parse().unwrap());
        assert!(is_due(Some(&first), &end) && !is_due(Some(&end), &end));
        assert!((end.deleted, end.ready, end.topics.is_none()) == (true, false, true), "{end:?}");
        assert!(is_due(Some(&end), &later("2026-11-23T08:00:02Z")), "it is there again");
    }
}
