//! How an incident stands that is archived, by its id.

use jiff::Timestamp;
use vedette_archive::{Span, TakeNewest, read_newest};
use vedette_contract::Name;
use vedette_contract::archive::{ArchiveKey, Stream};
use vedette_contract::incident::Incident;

use super::IncidentsError;
use super::change::{DISORDER, changed, read};
use crate::commands::missed::complain;
use crate::commands::near::Nearest;
use crate::commands::pipeline::Chosen;

/// The last revision of that of this id, at these sites, or at all where none is named.
///
/// # Errors
/// When there is none, or the bucket cannot be read.
pub(in crate::commands) async fn find(chosen: &Chosen, sites: &[Name], id: &str) -> Result<Incident, IncidentsError> {
    let span = Span { stream: Stream::Incidents, sites, before: None };
    let mut sought = Sought { id: id.to_owned(), nearest: Nearest::to(id), found: None };
    let missed = read_newest(chosen.bucket(), &chosen.keys, span, &mut sought).await?;
    complain(&missed);
    if let Some(found) = sought.found {
        return Ok(found);
    }
    chosen.check_sites(sites).await?;
    Err(IncidentsError::NoIncident { id: sought.id, near: sought.nearest.names() })
}

struct Sought {
    id: String,
    nearest: Nearest,
    /// Its last revision of those that were met.
    found: Option<Incident>,
}

impl TakeNewest for Sought {
    fn take(&mut self, key: &ArchiveKey, record: &[u8]) -> Option<Timestamp> {
        let incident = read(key, record)?;
        let (id, changed) = (incident.id.to_string(), changed(&incident));
        if id != self.id {
            self.nearest.meet(&id);
        } else if self.found.as_ref().is_none_or(|found| found.revision < incident.revision) {
            self.found = Some(incident);
        }
        Some(changed)
    }

    fn not_before(&self) -> Timestamp {
        // Another partition may have a later change, where there are more of them than there were.
        let found = self.found.as_ref().and_then(|found| changed(found).checked_sub(DISORDER).ok());
        found.unwrap_or(Timestamp::MIN)
    }
}
