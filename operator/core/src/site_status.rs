//! When a site's word on a pipeline is written to the bucket again.

use jiff::{SignedDuration, Timestamp};
use vedette_contract::progress::SiteStatus;

/// A site's word is written again after this long, also when nothing changed: readers go by its age.
pub const SITE_STATUS_INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// Whether this word has to be written, the last one written being that.
pub fn is_due(last: Option<&SiteStatus>, next: &SiteStatus) -> bool {
    last.is_none_or(|last| {
        next.updated_at.duration_since(last.updated_at) >= SITE_STATUS_INTERVAL
            || *last != SiteStatus { updated_at: last.updated_at, ..next.clone() }
    })
}

/// The word with another time.
pub fn at(status: &SiteStatus, now: Timestamp) -> SiteStatus {
    SiteStatus { updated_at: now, ..status.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_written_when_it_changes_or_grows_old() {
        let first = SiteStatus {
            site: "east".parse().unwrap(),
            training: None,
            model_version: None,
            ready: true,
            updated_at: "2026-11-23T08:00:00Z".parse().unwrap(),
        };
        let later = |text: &str| at(&first, text.parse().unwrap());
        assert!(is_due(None, &first));
        assert!(!is_due(Some(&first), &later("2026-11-23T08:04:59Z")));
        assert!(is_due(Some(&first), &later("2026-11-23T08:05:00Z")));
        assert!(is_due(Some(&first), &SiteStatus { ready: false, ..later("2026-11-23T08:00:01Z") }));
    }
}
