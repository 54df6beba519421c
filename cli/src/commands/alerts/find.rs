//! An alert that is archived, by the `uuid` of its record.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use vedette_archive::{Span, TakeNewest, read_newest};
use vedette_contract::Name;
use vedette_contract::alert::Alert;
use vedette_contract::archive::{ArchiveKey, Stream};

use super::AlertsError;
use super::list::DISORDER;
use crate::commands::missed::complain;
use crate::commands::near::Nearest;
use crate::commands::pipeline::Chosen;

pub(in crate::commands) struct Found {
    /// The object, or the delta of one that is open.
    pub(in crate::commands) key: ArchiveKey,
    pub(in crate::commands) alert: Alert,
    /// All of it, as it was archived.
    pub(super) record: Box<RawValue>,
}

/// The last of this `uuid`, as it was detected, of these sites, or of all where none is named.
///
/// # Errors
/// When there is none, or the bucket cannot be read.
pub(in crate::commands) async fn find(chosen: &Chosen, sites: &[Name], uuid: &str) -> Result<Found, AlertsError> {
    let span = Span { stream: Stream::Alerts, sites, before: None };
    let mut sought = Sought { uuid: uuid.to_owned(), nearest: Nearest::to(uuid), found: None };
    let missed = read_newest(chosen.bucket(), &chosen.keys, span, &mut sought).await?;
    complain(&missed);
    if let Some(found) = sought.found {
        return Ok(found);
    }
    chosen.check_sites(sites).await?;
    Err(AlertsError::NoAlert { uuid: sought.uuid, near: sought.nearest.names() })
}

struct Sought {
    uuid: String,
    nearest: Nearest,
    found: Option<Found>,
}

/// What tells one alert from another, and when it was.
#[derive(Deserialize)]
struct Identity<'a> {
    #[serde(borrow, default)]
    uuid: Option<&'a RawValue>,
    #[serde(borrow, default)]
    detected_utc: Option<&'a RawValue>,
}

impl TakeNewest for Sought {
    fn take(&mut self, key: &ArchiveKey, record: &[u8]) -> Option<Timestamp> {
        let json = std::str::from_utf8(record).ok()?.trim();
        let Identity { uuid, detected_utc } = serde_json::from_str(json).ok()?;
        let detected_utc = serde_json::from_str(detected_utc?.get()).ok()?;
        let uuid: Option<String> = uuid.and_then(|uuid| serde_json::from_str(uuid.get()).ok());
        let is_later = || self.found.as_ref().is_none_or(|found| found.alert.detected_utc < detected_utc);
        match uuid {
            Some(uuid) if uuid != self.uuid => self.nearest.meet(&uuid),
            Some(_) if is_later() => {
                let record = RawValue::from_string(json.to_owned()).ok()?;
                self.found = Some(Found { key: key.clone(), alert: Alert::read(json)?, record });
            }
            Some(_) | None => {}
        }
        Some(detected_utc)
    }

    fn not_before(&self) -> Timestamp {
        // Another partition, or another site, may have a later one.
        let found = self.found.as_ref().and_then(|found| found.alert.detected_utc.checked_sub(DISORDER).ok());
        found.unwrap_or(Timestamp::MIN)
    }
}
