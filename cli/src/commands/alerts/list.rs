//! `vedette alerts list`: the newest alerts of a pipeline at all its sites.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use vedette_archive::{Span, TakeNewest, read_newest};
use vedette_contract::Name;
use vedette_contract::alert::Alert;
use vedette_contract::archive::{ArchiveKey, Stream};
use vedette_contract::incident::Severity;

use super::AlertsError;
use crate::commands::missed::complain;
use crate::commands::moment::Moment;
use crate::commands::pipeline::PipelineOptions;
use crate::output::{Align, OutputFormat, OutputOptions, Table, print, time, write_json};

/// Alerts of a partition stand in the order in which they were detected, but for the clocks of several detectors.
pub(super) const DISORDER: SignedDuration = SignedDuration::from_mins(1);

/// Lists the newest alerts of a pipeline at all its sites, from the archive in the bucket, where an alert is some seconds after it was
/// detected. No more is read than it takes; what is older is listed with --until.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette alerts list --data-dir ./data -n demo --severity high
  vedette alerts list --bucket http://seaweedfs:8333 -n demo --pipeline kdd --site east --until 2026-11-22 -o json")]
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
struct Row {
    site: Name,
    #[serde(flatten)]
    alert: Alert,
}

/// Prints them.
pub(super) async fn list(options: &ListOptions) -> Result<(), AlertsError> {
    let [from, until] = [options.from, options.until].map(|moment| moment.map(|moment| moment.0));
    if let Some((from, until)) = from.zip(until).filter(|(from, until)| from >= until) {
        return Err(AlertsError::NoSpan { from, until });
    }
    let chosen = options.pipeline.choose().await?;
    let span = Span { stream: Stream::Alerts, sites: &options.sites, before: until };
    let mut newest = Newest {
        from: from.unwrap_or(Timestamp::MIN),
        until: until.unwrap_or(Timestamp::MAX),
        severity: options.severity.unwrap_or_default(),
        limit: options.limit,
        rows: BTreeMap::new(),
        taken: 0,
    };
    let missed = read_newest(chosen.bucket(), &chosen.keys, span, &mut newest).await?;
    if newest.rows.is_empty() {
        chosen.check_sites(&options.sites).await?;
    }
    let alerts: Vec<Row> = newest.rows.into_values().rev().collect();
    let listing = Listing {
        namespace: chosen.namespace.clone(),
        pipeline: chosen.pipeline.clone(),
        alerts,
        unreadable: missed.lines,
    };
    let (format, limit) = (options.output.format(), options.limit);
    print(|out| write(out, &listing, limit, format))?;
    complain(&missed);
    Ok(())
}

/// The newest that are wanted.
struct Newest {
    from: Timestamp,
    until: Timestamp,
    severity: Severity,
    limit: NonZeroUsize,
    /// By time, and of one time by how late they were taken.
    rows: BTreeMap<(Timestamp, u64), Row>,
    taken: u64,
}

impl Newest {
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
        self.taken += 1;
        self.rows.insert((detected, self.taken), row);
        if let Some(oldest) = oldest.filter(|oldest| *oldest < detected) {
            let newer = self.rows.range((oldest, u64::MAX)..).count();
            if newer >= self.limit.get() {
                self.rows = self.rows.split_off(&(oldest, u64::MAX));
            }
        }
    }
}

impl TakeNewest for Newest {
    fn take(&mut self, key: &ArchiveKey, record: &[u8]) -> Option<Timestamp> {
        let alert = Alert::read(std::str::from_utf8(record).ok()?)?;
        let detected = alert.detected_utc;
        if detected >= self.from && detected < self.until && alert.severity >= self.severity {
            self.keep(Row { site: key.object.origin.site.clone(), alert });
        }
        Some(detected)
    }

    fn not_before(&self) -> Timestamp {
        let wanted = self.oldest_of_enough().map_or(self.from, |oldest| oldest.max(self.from));
        wanted.checked_sub(DISORDER).unwrap_or(Timestamp::MIN)
    }
}

fn write(out: &mut impl Write, listing: &Listing, limit: NonZeroUsize, format: OutputFormat) -> io::Result<()> {
    if format == OutputFormat::Json {
        return write_json(out, listing);
    }
    let mut table = Table::new([
        ("DETECTED (UTC)", Align::Left),
        ("SITE", Align::Left),
        ("SEVERITY", Align::Left),
        ("SCORE", Align::Right),
        ("REASONS", Align::Left),
        ("UUID", Align::Left),
    ]);
    for Row { site, alert } in &listing.alerts {
        table.row([
            time(alert.detected_utc),
            site.to_string(),
            alert.severity.as_str().to_owned(),
            super::score(alert.score),
            alert.largest_reasons().collect::<Vec<_>>().join(", "),
            alert.uuid.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table.write(out, format)?;
    match listing.alerts.last() {
        Some(Row { alert, .. }) if format == OutputFormat::Table && listing.alerts.len() >= limit.get() => {
            writeln!(out, "\nolder ones: --until {}", alert.detected_utc)
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(limit: usize) -> Newest {
        let [from, until] = ["2026-11-23T08:00:00Z", "2026-11-23T09:00:00Z"].map(|time| time.parse().unwrap());
        let (severity, limit) = (Severity::High, NonZeroUsize::new(limit).unwrap());
        Newest { from, until, severity, limit, rows: BTreeMap::new(), taken: 0 }
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
