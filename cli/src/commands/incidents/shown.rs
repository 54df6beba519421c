//! The incidents that a console keeps.

use vedette_contract::Name;
use vedette_contract::console::{MOST_INCIDENTS, WrittenIncidentsView};
use vedette_contract::incident::{Incident, IncidentStatus};

use super::IncidentsError;
use crate::commands::near::Nearest;
use crate::commands::pipeline::{PipelineError, Shown};

/// How they stand.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Those with the newest alert first, site by site where some were named.
    pub(super) incidents: Vec<Incident>,
    /// So many are none that this program knows.
    pub(super) unreadable: u64,
}

/// Asks for them: for so many of each site that is named, or of all.
///
/// # Errors
/// When the console does not answer, or there is no such site.
pub(super) async fn kept(
    shown: &Shown,
    sites: &[Name],
    status: Option<IncidentStatus>,
    limit: usize,
) -> Result<Kept, PipelineError> {
    shown.check_sites(sites)?;
    let each: Vec<Option<&Name>> = if sites.is_empty() { vec![None] } else { sites.iter().map(Some).collect() };
    let mut kept = Kept::default();
    for site in each {
        let (mut after, mut left) = (None, limit);
        while left > 0 {
            let own = [
                ("status", status.map(|status| super::status(status).to_owned())),
                ("after", after),
                ("limit", Some(left.min(MOST_INCIDENTS).to_string())),
            ];
            let asked: Vec<_> = shown.asked(site).into_iter().chain(own).collect();
            let WrittenIncidentsView { incidents, next } = shown.console.get("/incidents/written", &asked).await?;
            left = left.saturating_sub(incidents.len());
            for json in incidents {
                match serde_json::from_str(&json) {
                    Ok(incident) => kept.incidents.push(incident),
                    Err(_) => kept.unreadable += 1,
                }
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(kept)
}

/// The one of this id that a console keeps.
///
/// # Errors
/// When it keeps none, does not answer, or there is no such site.
pub(in crate::commands) async fn find(shown: &Shown, sites: &[Name], id: &str) -> Result<Incident, IncidentsError> {
    let mut nearest = Nearest::to(id);
    for incident in kept(shown, sites, None, usize::MAX).await?.incidents {
        let own = incident.id.to_string();
        if own == id {
            return Ok(incident);
        }
        nearest.meet(&own);
    }
    Err(IncidentsError::NotKept { id: id.to_owned(), near: nearest.names() })
}
