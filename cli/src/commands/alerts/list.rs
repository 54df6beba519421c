//! `vedette alerts list`: the newest alerts of a pipeline at all its sites.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest, Sha256};
use vedette_archive::{Missed, Span, TakeNewest};
use vedette_contract::Name;
use vedette_contract::alert::Alert;
use vedette_contract::archive::{ArchiveKey, Stream};
use vedette_contract::incident::Severity;

use super::AlertsError;
use super::shown::{KeptAlert, Question, kept};
use crate::commands::missed::complaints;
use crate::commands::moment::Moment;
use crate::commands::news::News;
use crate::commands::pipeline::{Chosen, PipelineOptions, Shown};
use crate::commands::watch::{Told, WatchOptions, tell};
use crate::output::{Align, OutputFormat, OutputOptions, Table, time};

/// Alerts of a partition stand in the order in which they were detected, but for the clocks of several detectors.
pub(super) const DISORDER: SignedDuration = SignedDuration::from_mins(1);

/// Lists the newest alerts of a pipeline at all its sites, from the archive in the bucket, where an alert is some seconds after it was
/// detected. No more is read than it takes; what is older is listed with --until. With --follow they are told the oldest first, and then
/// each that comes.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette alerts list --data-dir ./data -n demo --site east --until 2026-11-22 -o json
  vedette alerts list --bucket http://seaweedfs:8333 -n demo --pipeline kdd --severity high --follow")]
pub struct ListOptions {
    /// Whose alerts.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// Only alerts of this site; may be repeated
    #[arg(long = "site", value_name = "NAME")]
    pub sites: Vec<Name>,
    /// Only alerts that were detected at this time or later: a date, or a time in RFC 3339
    #[arg(long, value_name = "TIME")]
    pub from: Option<Moment>,
    /// Only alerts that were detected before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// Only alerts that are at least so bad: low, medium, high or critical
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    pub severity: Option<Severity>,
    /// So many at most
    #[arg(long, value_name = "NUMBER", default_value = "100")]
    pub limit: NonZeroUsize,
    /// Tell the newest, the oldest of them first, and then each new one as it comes to the archive, until Ctrl-C: a line each, of JSON with
    /// -o json
    #[arg(short = 'f', long, group = "lasting", conflicts_with = "until")]
    pub follow: bool,
    /// How often.
    #[command(flatten)]
    pub watch: WatchOptions,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

fn severity(text: &str) -> Result<Severity, String> {
    let names = Severity::ALL.map(Severity::as_str).join(", ");
    Severity::read(text).ok_or_else(|| format!("{text:?} is no severity: they are {names}"))
}

/// What is told.
#[derive(Serialize)]
struct Listing {
    namespace: Name,
    pipeline: Name,
    alerts: Vec<Row>,
    /// Lines of the archive that are no alerts.
    unreadable: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) site: Name,
    #[serde(flatten)]
    pub(super) alert: Alert,
    #[serde(skip)]
    pub(super) identity: Identity,
}

impl Row {
    /// An alert as a line of its site has it; none where the line is none.
    pub(super) fn read(site: &Name, line: &[u8]) -> Option<Self> {
        Some(Self::of(site, read(line)?, line))
    }

    fn of(site: &Name, alert: Alert, line: &[u8]) -> Self {
        Self { site: site.clone(), alert, identity: Identity::of(site, line) }
    }
}

fn read(line: &[u8]) -> Option<Alert> {
    Alert::read(std::str::from_utf8(line).ok()?)
}

/// What an alert is known by wherever it is met: its site and its bytes, as its `uuid` is the sender's to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Identity([u8; 32]);

impl Identity {
    /// None comes after it.
    const LAST: Self = Self([u8::MAX; 32]);

    fn of(site: &Name, line: &[u8]) -> Self {
        // No name has a blank.
        let of_site = Sha256::new_with_prefix(site.as_str()).chain_update(b" ");
        Self(of_site.chain_update(line).finalize().into())
    }
}

/// Which are wanted, wherever they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    from: Timestamp,
    until: Timestamp,
    severity: Severity,
}

impl Wanted {
    /// Those of a command line.
    ///
    /// # Errors
    /// When its span is empty.
    pub(super) fn of(options: &ListOptions) -> Result<Self, AlertsError> {
        let [from, until] = [options.from, options.until].map(|moment| moment.map(|moment| moment.0));
        if let Some((from, until)) = from.zip(until).filter(|(from, until)| from >= until) {
            return Err(AlertsError::NoSpan { from, until });
        }
        let (from, until) = (from.unwrap_or(Timestamp::MIN), until.unwrap_or(Timestamp::MAX));
        Ok(Self { from, until, severity: options.severity.unwrap_or_default() })
    }

    pub(super) fn has(&self, alert: &Alert) -> bool {
        let Self { from, until, severity } = *self;
        alert.detected_utc >= from && alert.detected_utc < until && alert.severity >= severity
    }
}

/// Prints them.
pub(super) async fn list(options: &ListOptions) -> Result<(), AlertsError> {
    let wanted = Wanted::of(options)?;
    if let Some(shown) = options.pipeline.shown().await? {
        return list_shown(options, wanted, &shown).await;
    }
    let chosen = options.pipeline.choose().await?;
    let mut news = News::new(Newest::new(wanted, options.limit));
    let look = async || -> Result<Option<Told<Listing>>, AlertsError> {
        let Some((rows, missed)) = newest(options, &chosen, &mut news).await? else { return Ok(None) };
        let answer = Listing {
            namespace: chosen.namespace.clone(),
            pipeline: chosen.pipeline.clone(),
            alerts: rows.into_iter().rev().collect(),
            unreadable: missed.lines,
        };
        Ok(Some(Told { answer, notes: complaints(&missed) }))
    };
    let write = |out: &mut Vec<u8>, listing: &Listing, format| write(out, listing, options.limit, format);
    tell(&options.watch, options.output.format(), look, write).await
}

/// Prints those that a console keeps.
async fn list_shown(options: &ListOptions, wanted: Wanted, shown: &Shown) -> Result<(), AlertsError> {
    let limit = options.limit.get();
    let look = async || -> Result<Option<Told<Listing>>, AlertsError> {
        let question = Question {
            sites: &options.sites,
            severity: options.severity,
            from: options.from.map(|from| from.0),
            until: options.until.map(|until| until.0),
            text: None,
            limit,
        };
        let kept = kept(shown, &question).await?;
        let notes = kept.notes(limit);
        let mut newest = Newest::new(wanted, options.limit);
        for KeptAlert { id: _, site, alert, json } in kept.alerts {
            let identity = Identity::of(&site, json.as_bytes());
            newest.keep(Row { site, alert, identity });
        }
        let answer = Listing {
            namespace: shown.namespace.clone(),
            pipeline: shown.pipeline.clone(),
            alerts: newest.rows.into_values().rev().collect(),
            unreadable: 0,
        };
        Ok(Some(Told { answer, notes }))
    };
    let write = |out: &mut Vec<u8>, listing: &Listing, format| write(out, listing, options.limit, format);
    tell(&options.watch, options.output.format(), look, write).await
}

/// The newest that are wanted, the oldest of them first; nothing where nothing is new.
///
/// # Errors
/// When there is no such site, or the bucket cannot be read.
pub(super) async fn newest(
    options: &ListOptions,
    chosen: &Chosen,
    news: &mut News<Newest>,
) -> Result<Option<(Vec<Row>, Missed)>, AlertsError> {
    let before = options.until.map(|until| until.0.checked_add(DISORDER).unwrap_or(Timestamp::MAX));
    let span = Span { stream: Stream::Alerts, sites: &options.sites, before };
    let Some((newest, missed)) = news.read(chosen, span).await? else { return Ok(None) };
    if newest.rows.is_empty() {
        chosen.check_sites(&options.sites).await?;
    }
    Ok(Some((newest.rows.values().cloned().collect(), missed.clone())))
}

/// The newest that are wanted.
#[derive(Clone)]
pub(super) struct Newest {
    wanted: Wanted,
    limit: NonZeroUsize,
    rows: BTreeMap<(Timestamp, Identity), Row>,
}

impl Newest {
    /// None yet, and so many at most.
    pub(super) fn new(wanted: Wanted, limit: NonZeroUsize) -> Self {
        Self { wanted, limit, rows: BTreeMap::new() }
    }

    /// The time of the oldest row, once there are enough of them.
    fn oldest_of_enough(&self) -> Option<Timestamp> {
        let is_full = self.rows.len() >= self.limit.get();
        self.rows.first_key_value().filter(|_| is_full).map(|((detected, _), _)| *detected)
    }

    /// Of what is older than enough others nothing is kept. Those of the oldest time go together, where there are enough without them: a
    /// detector that reads many at once detects them at one time, and with some of them on this page the others would be on none.
    fn keep(&mut self, row: Row) {
        let detected = row.alert.detected_utc;
        let oldest = self.oldest_of_enough();
        if oldest.is_some_and(|oldest| detected < oldest) {
            return;
        }
        self.rows.insert((detected, row.identity), row);
        if let Some(oldest) = oldest.filter(|oldest| *oldest < detected) {
            let newer = self.rows.range((oldest, Identity::LAST)..).count();
            if newer >= self.limit.get() {
                self.rows = self.rows.split_off(&(oldest, Identity::LAST));
            }
        }
    }
}

impl TakeNewest for Newest {
    fn take(&mut self, key: &ArchiveKey, record: &[u8]) -> Option<Timestamp> {
        let alert = read(record)?;
        let detected = alert.detected_utc;
        if self.wanted.has(&alert) {
            self.keep(Row::of(&key.object.origin.site, alert, record));
        }
        Some(detected)
    }

    fn not_before(&self) -> Timestamp {
        let from = self.wanted.from;
        let wanted = self.oldest_of_enough().map_or(from, |oldest| oldest.max(from));
        wanted.checked_sub(DISORDER).unwrap_or(Timestamp::MIN)
    }

    fn time(&self, record: &[u8]) -> Option<Timestamp> {
        read(record).map(|alert| alert.detected_utc)
    }
}

/// Its columns; those of the model and the text are for who wants it wide.
pub(super) fn table(rows: &[Row]) -> Table {
    let mut table = Table::new([
        ("DETECTED (UTC)", Align::Left),
        ("SITE", Align::Left),
        ("SEVERITY", Align::Left),
        ("SCORE", Align::Right),
        ("REASONS", Align::Left),
        ("UUID", Align::Left),
    ])
    .with_further([("THRESHOLD", Align::Right), ("MODEL", Align::Left), ("TEXT", Align::Left)]);
    rows.iter().for_each(|row| table.row(cells(row)));
    table
}

/// The cells of an alert in it.
pub(super) fn cells(Row { site, alert, identity: _ }: &Row) -> [String; 9] {
    let unknown = || "-".to_owned();
    [
        time(alert.detected_utc),
        site.to_string(),
        alert.severity.as_str().to_owned(),
        super::score(alert.score),
        alert.largest_reasons().collect::<Vec<_>>().join(", "),
        alert.uuid.clone().unwrap_or_else(unknown),
        super::score(alert.threshold),
        alert.model_version.clone().unwrap_or_else(unknown),
        alert.alert_text.clone(),
    ]
}

fn write(out: &mut impl Write, listing: &Listing, limit: NonZeroUsize, format: OutputFormat) -> io::Result<()> {
    table(&listing.alerts).write(out, format)?;
    match listing.alerts.last() {
        Some(Row { alert, .. }) if format.is_for_people() && listing.alerts.len() >= limit.get() => {
            writeln!(out, "\nolder ones: --until {}", alert.detected_utc)
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn newest(limit: usize) -> Newest {
        let [from, until] = ["2026-11-23T08:00:00Z", "2026-11-23T09:00:00Z"].map(|time| time.parse().unwrap());
        Newest::new(Wanted { from, until, severity: Severity::High }, NonZeroUsize::new(limit).unwrap())
    }

    fn take(newest: &mut Newest, detected: &str, severity: &str) -> Option<Timestamp> {
        let key = "team/flows/alerts/2026-11-23/east/alerts-0-00000000000000000000-00c0ffee.jsonl.zst".parse().unwrap();
        let record = format!(r#"{{"detected_utc":"2026-11-23T{detected}Z","alert_severity":"{severity}"}}"#);
        newest.take(&key, record.as_bytes())
    }

    #[test]
    fn the_newest_that_are_wanted_are_kept_and_older_ones_are_not_asked_for_once_there_are_enough() {
        let mut newest = newest(2);
        for (detected, severity) in [
            ("09:00:00", "critical"),
            ("08:59:59", "low"),
            ("08:30:00", "high"),
            ("08:10:00", "high"),
            ("08:20:00", "critical"),
            ("07:59:59", "high"),
        ] {
            assert!(take(&mut newest, detected, severity).is_some());
        }
        let kept: Vec<String> = newest.rows.keys().map(|(detected, _)| detected.to_string()).collect();
        assert_eq!(kept, ["2026-11-23T08:20:00Z", "2026-11-23T08:30:00Z"]);
        assert_eq!(newest.not_before(), "2026-11-23T08:19:00Z".parse().unwrap());
    }

    #[test]
    fn an_alert_that_is_met_again_is_listed_once_and_two_of_one_time_are_two() {
        let mut newest = newest(2);
        for (detected, severity) in
            [("08:30:00", "high"), ("08:40:00", "high"), ("08:40:00", "critical"), ("08:40:00", "high")]
        {
            take(&mut newest, detected, severity);
        }
        let severities: BTreeSet<Severity> = newest.rows.values().map(|row| row.alert.severity).collect();
        assert_eq!((newest.rows.len(), severities), (2, [Severity::High, Severity::Critical].into()));
    }

    #[test]
    fn until_there_are_enough_everything_of_the_span_is_asked_for() {
        assert_eq!(newest(1).not_before(), "2026-11-23T07:59:00Z".parse().unwrap());
        assert_eq!(
            newest(1).take(
                &"team/flows/alerts/2026-11-23/east/a-0-00000000000000000000-00c0ffee.jsonl.zst".parse().unwrap(),
                b"{}"
            ),
            None
        );
    }

    #[test]
    fn a_severity_is_one_of_four() {
        assert_eq!(severity("High"), Ok(Severity::High));
        assert!(severity("bad").unwrap_err().contains("low, medium, high, critical"));
    }
}
