//! `vedette incidents list`: how the newest incidents of a pipeline stand, at all its sites.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::num::NonZeroUsize;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use vedette_archive::{Span, TakeNewest};
use vedette_contract::Name;
use vedette_contract::archive::{ArchiveKey, Stream};
use vedette_contract::incident::{Incident, IncidentId, IncidentStatus};

use super::IncidentsError;
use super::change::{DISORDER, changed, read};
use super::shown::{Kept, kept};
use crate::commands::missed::complaints;
use crate::commands::news::News;
use crate::commands::pipeline::{PipelineOptions, Shown};
use crate::commands::watch::{Told, WatchOptions, tell};
use crate::output::{Align, OutputFormat, OutputOptions, Table, time};

/// Lists how incidents stand, those with the newest alert first, from the changes that are archived: of each incident the last one
/// counts. No more is read than it takes; with --open, where few are, that may be the whole archive.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette incidents list --data-dir ./data -n demo --open
  vedette incidents list --console http://127.0.0.1:8090 -n demo --pipeline kdd --site east --limit 10 -o yaml")]
pub struct ListOptions {
    /// Whose incidents.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// Only incidents that alerts still join
    #[arg(long)]
    pub open: bool,
    /// Only incidents of this site; may be repeated
    #[arg(long = "site", value_name = "NAME")]
    pub sites: Vec<Name>,
    /// So many at most
    #[arg(long, value_name = "NUMBER", default_value = "100")]
    pub limit: NonZeroUsize,
    /// How often.
    #[command(flatten)]
    pub watch: WatchOptions,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// What is told.
#[derive(Serialize)]
struct Listing {
    namespace: Name,
    pipeline: Name,
    incidents: Vec<Incident>,
    /// Lines of the archive that are no incidents.
    unreadable: u64,
}

/// Prints them.
pub(super) async fn list(options: &ListOptions) -> Result<(), IncidentsError> {
    if let Some(shown) = options.pipeline.shown().await? {
        return list_shown(options, &shown).await;
    }
    let chosen = options.pipeline.choose().await?;
    let span = Span { stream: Stream::Incidents, sites: &options.sites, before: None };
    let wanted = options.open.then_some(IncidentStatus::Open);
    let mut news = News::new(Newest { wanted, limit: options.limit, seen: HashMap::new(), rows: BTreeMap::new() });
    let look = async || -> Result<Option<Told<Listing>>, IncidentsError> {
        let Some((newest, missed)) = news.read(&chosen, span).await? else { return Ok(None) };
        if newest.rows.is_empty() {
            chosen.check_sites(&options.sites).await?;
        }
        let answer = Listing {
            namespace: chosen.namespace.clone(),
            pipeline: chosen.pipeline.clone(),
            incidents: newest.rows.values().rev().cloned().collect(),
            unreadable: missed.lines,
        };
        Ok(Some(Told { answer, notes: complaints(missed) }))
    };
    tell(&options.watch, options.output.format(), look, write).await
}

/// Prints those that a console keeps.
async fn list_shown(options: &ListOptions, shown: &Shown) -> Result<(), IncidentsError> {
    let (wanted, limit) = (options.open.then_some(IncidentStatus::Open), options.limit.get());
    let look = async || -> Result<Option<Told<Listing>>, IncidentsError> {
        let Kept { mut incidents, unreadable } = kept(shown, &options.sites, wanted, limit).await?;
        incidents.sort_by_key(|incident| Reverse((incident.last_utc, incident.id)));
        incidents.truncate(limit);
        let (namespace, pipeline) = (shown.namespace.clone(), shown.pipeline.clone());
        Ok(Some(Told { answer: Listing { namespace, pipeline, incidents, unreadable }, notes: Vec::new() }))
    };
    tell(&options.watch, options.output.format(), look, write).await
}

/// The newest that are wanted, as they stand.
#[derive(Clone)]
struct Newest {
    /// All where none is given.
    wanted: Option<IncidentStatus>,
    limit: NonZeroUsize,
    /// The last revision of each that was met, and its last alert then.
    seen: HashMap<IncidentId, (u64, Timestamp)>,
    rows: BTreeMap<(Timestamp, IncidentId), Incident>,
}

impl TakeNewest for Newest {
    fn take(&mut self, key: &ArchiveKey, record: &[u8]) -> Option<Timestamp> {
        let incident = read(key, record)?;
        let (id, changed) = (incident.id, changed(&incident));
        let before = self.seen.get(&id).copied();
        if before.is_some_and(|(revision, _)| revision >= incident.revision) {
            return Some(changed);
        }
        if let Some((_, last)) = before {
            self.rows.remove(&(last, id));
        }
        self.seen.insert(id, (incident.revision, incident.last_utc));
        if self.wanted.is_none_or(|status| status == incident.status) {
            self.rows.insert((incident.last_utc, id), incident);
            if self.rows.len() > self.limit.get() {
                self.rows.pop_first();
            }
        }
        Some(changed)
    }

    fn not_before(&self) -> Timestamp {
        let is_full = self.rows.len() == self.limit.get();
        let oldest = self.rows.first_key_value().filter(|_| is_full);
        oldest.and_then(|((last, _), _)| last.checked_sub(DISORDER).ok()).unwrap_or(Timestamp::MIN)
    }
}

fn write(out: &mut impl Write, listing: &Listing, format: OutputFormat) -> io::Result<()> {
    let mut table = Table::new([
        ("LAST ALERT (UTC)", Align::Left),
        ("FIRST (UTC)", Align::Left),
        ("SITE", Align::Left),
        ("STATUS", Align::Left),
        ("SEVERITY", Align::Left),
        ("ALERTS", Align::Right),
        ("IN COMMON", Align::Left),
        ("ID", Align::Left),
    ])
    .with_further([("CLOSED (UTC)", Align::Left), ("HIGHEST SCORE", Align::Right), ("REVISION", Align::Right)]);
    for incident in &listing.incidents {
        table.row([
            time(incident.last_utc),
            time(incident.first_utc),
            incident.site.to_string(),
            super::status(incident.status).to_owned(),
            incident.severity.as_str().to_owned(),
            incident.alerts.to_string(),
            incident.common(),
            incident.id.to_string(),
            incident.closed_utc.map_or_else(|| "-".to_owned(), time),
            incident.highest_score.map_or_else(|| "-".to_owned(), |score| format!("{score:.6}")),
            incident.revision.to_string(),
        ]);
    }
    table.write(out, format)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(newest: &mut Newest, number: u32, revision: u64, last: &str, closed: Option<&str>) -> Option<Timestamp> {
        let key = "team/flows/incidents/2026-11-23/east/i-0-00000000000000000000-00c0ffee.jsonl.zst".parse().unwrap();
        let at = |time: &str| format!("2026-11-23T{time}Z");
        let change = serde_json::json!({
            "id": format!("00000000-0000-5000-8000-{number:012}"), "namespace": "team", "pipeline": "flows", "site": "east",
            "status": if closed.is_some() { "closed" } else { "open" }, "grouping": {"by": "reasons"},
            "first_utc": at("08:00:00"), "last_utc": at(last), "closed_utc": closed.map(at), "alerts": revision,
            "severity": "high", "highest_score": 0.999, "reasons": [],
            "example": {"origin": {"topic": "alerts", "partition": 0, "offset": 7}, "alert": null},
            "revision": revision, "news_revision": 1
        });
        newest.take(&key, change.to_string().as_bytes())
    }

    fn newest(wanted: Option<IncidentStatus>, limit: usize) -> Newest {
        let limit = NonZeroUsize::new(limit).unwrap();
        Newest { wanted, limit, seen: HashMap::new(), rows: BTreeMap::new() }
    }

    #[test]
    fn the_last_revision_counts_in_whatever_order_they_are_met() {
        let mut newest = newest(None, 9);
        for (number, revision) in [(1, 3), (1, 2), (2, 1), (2, 5), (1, 1)] {
            take(&mut newest, number, revision, &format!("09:00:0{revision}"), None);
        }
        let alerts: Vec<u64> = newest.rows.values().map(|incident| incident.alerts).collect();
        assert_eq!(alerts, [3, 5]);
    }

    #[test]
    fn one_that_was_closed_is_not_open_for_what_it_was_before() {
        let mut newest = newest(Some(IncidentStatus::Open), 2);
        let changed = take(&mut newest, 1, 2, "09:00:00", Some("09:10:00"));
        assert_eq!(changed, Some("2026-11-23T09:10:00Z".parse().unwrap()));
        take(&mut newest, 1, 1, "08:59:00", None);
        assert!(newest.rows.is_empty() && newest.not_before() == Timestamp::MIN);
        for number in 2..5 {
            assert!(take(&mut newest, number, 1, &format!("09:00:0{number}"), None).is_some());
        }
        assert_eq!((newest.rows.len(), newest.not_before()), (2, "2026-11-22T09:00:03Z".parse().unwrap()));
    }
}
