//! The alerts that a console keeps.

use jiff::{SignedDuration, Timestamp};
use vedette_contract::Name;
use vedette_contract::alert::Alert;
use vedette_contract::console::{MOST_ALERTS, WrittenAlert, WrittenAlertsView};
use vedette_contract::incident::Severity;

use super::AlertsError;
use crate::commands::near::Nearest;
use crate::commands::pipeline::{PipelineError, Shown};

/// Which of them are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Question<'a> {
    /// All where none is named.
    pub(super) sites: &'a [Name],
    /// At least so bad.
    pub(super) severity: Option<Severity>,
    pub(super) from: Option<Timestamp>,
    /// Before this time.
    pub(super) until: Option<Timestamp>,
    /// What stands in their JSON text.
    pub(super) text: Option<String>,
    /// So many of each site, or of all, and those of the same time as the last; no more than the console tells at once.
    pub(super) limit: usize,
}

/// The newest of them.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) alerts: Vec<KeptAlert>,
    /// So many were too long for the console to keep.
    cut: usize,
    /// When the oldest was detected that it keeps, of whatever pipeline.
    oldest: Option<Timestamp>,
}

#[derive(Debug)]
pub(in crate::commands) struct KeptAlert {
    /// By what the console names it.
    pub(in crate::commands) id: String,
    pub(in crate::commands) site: Name,
    pub(in crate::commands) alert: Alert,
    /// As it was written.
    pub(super) json: String,
}

impl Kept {
    /// What the archive may have beside these.
    pub(super) fn notes(&self, wanted: usize) -> Vec<String> {
        let cut = (self.cut > 0)
            .then(|| format!("{} alerts are too long for the console to keep; the bucket has them", self.cut));
        let few = self.alerts.len() < wanted;
        let older = self
            .oldest
            .filter(|_| few)
            .map(|oldest| format!("the console keeps no alert that was detected before {oldest}; the bucket has all"));
        let many = (wanted > MOST_ALERTS)
            .then(|| format!("a console tells of {MOST_ALERTS} alerts at once; the bucket has all"));
        cut.into_iter().chain(older).chain(many).collect()
    }
}

/// Asks for them.
///
/// # Errors
/// When the console does not answer, or there is no such site.
pub(super) async fn kept(shown: &Shown, question: &Question<'_>) -> Result<Kept, PipelineError> {
    let Question { sites, severity, from, until, text, limit } = question;
    shown.check_sites(sites)?;
    let each: Vec<Option<&Name>> = if sites.is_empty() { vec![None] } else { sites.iter().map(Some).collect() };
    let time = |time: Timestamp| Some(time.to_string());
    // The console's span has both its ends.
    let to = until.and_then(|until| until.checked_sub(SignedDuration::from_nanos(1)).ok());
    let mut kept = Kept::default();
    for site in each {
        let own = [
            ("severity", severity.map(|severity| severity.as_str().to_owned())),
            ("from", from.and_then(time)),
            ("to", to.and_then(time)),
            ("text", text.clone()),
            ("limit", Some((*limit).min(MOST_ALERTS).to_string())),
        ];
        let asked: Vec<_> = shown.asked(site).into_iter().chain(own).collect();
        let view: WrittenAlertsView = shown.console.get("/alerts/written", &asked).await?;
        for WrittenAlert { id, site, json, is_whole: _ } in view.alerts {
            match Alert::read(&json) {
                Some(alert) => kept.alerts.push(KeptAlert { id, site, alert, json }),
                None => kept.cut += 1,
            }
        }
        kept.oldest = view.oldest_utc;
    }
    Ok(kept)
}

/// The last of this `uuid` that a console keeps.
///
/// # Errors
/// When it keeps none, does not answer, or there is no such site.
pub(in crate::commands) async fn find(shown: &Shown, sites: &[Name], uuid: &str) -> Result<KeptAlert, AlertsError> {
    // As it stands in their JSON texts, without its quotes.
    let text = serde_json::to_string(uuid).map(|text| text.trim_matches('"').to_owned()).ok();
    let question = Question { sites, text, limit: MOST_ALERTS, ..Question::default() };
    let is_meant = |kept: &KeptAlert| kept.alert.uuid.as_deref() == Some(uuid);
    let those = kept(shown, &question).await?.alerts;
    if let Some(found) = those.into_iter().filter(is_meant).max_by_key(|kept| kept.alert.detected_utc) {
        return Ok(found);
    }
    let any = kept(shown, &Question { text: None, ..question }).await?;
    let mut nearest = Nearest::to(uuid);
    any.alerts.iter().filter_map(|kept| kept.alert.uuid.as_deref()).for_each(|uuid| nearest.meet(uuid));
    Err(AlertsError::NotKept { uuid: uuid.to_owned(), near: nearest.names() })
}
