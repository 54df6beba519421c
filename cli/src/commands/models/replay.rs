//! `vedette models replay`: what a version makes of records that are archived, beside the alerts that there were.

mod counts;
mod scoring;

use std::io::{self, Write};
use std::sync::Arc;

use clap::Args;
use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;
use vedette_archive::{Selection, Source, fetch, list_sources};
use vedette_contract::archive::Stream;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::{ModelVersion, Name};
use vedette_forest::calibration::threshold_for_budget;
use vedette_streams::bucket::Bucket;

use self::counts::{Counts, Replayed};
use self::scoring::{Scorer, Span};
use super::catalogue::Catalogue;
use super::training::{TrainingOptions, WhichVersion};
use super::{ModelsError, load_model};
use crate::commands::moment::Moment;
use crate::commands::near::nearest_listed;
use crate::commands::pipeline::pipelines;
use crate::output::{Align, OutputFormat, OutputOptions, Progress, Table, print, time};

/// Scores the archive of a pipeline, or a part of it, with any version of a model, and counts by day and site: the records, the alerts
/// then, as they were archived, the alerts now, at the budget that is given, and those that are in both.
///
/// Nothing is written. Days are those on which records arrived, as in the archive; --from and --to go by a record's own `utc`, and
/// what arrived more than a day after --to is not looked for.
/// The alerts then are those of the thresholds of that time, whatever had moved them; now there is one threshold, that of the
/// budget. Objects are read one by one, so it takes as much memory for a year as for a day.
#[derive(Debug, Clone, Args)]
#[command(disable_version_flag = true)]
#[command(after_help = "Examples:
  vedette models replay --data-dir ./data -n demo --pipeline kdd --version current
  vedette models replay --data-dir ./data -n demo --version 20261123T084210Z-0a1b2c3d --from 2026-11-20 -o json")]
pub struct ReplayOptions {
    /// Whose models.
    #[command(flatten)]
    pub training: TrainingOptions,
    /// Pipeline whose archive is read; the one that the version was learned from where omitted
    #[arg(long, value_name = "NAME")]
    pub pipeline: Option<Name>,
    /// The version, `current` or `previous`
    #[arg(long, visible_alias = "model-version", value_name = "VERSION", default_value = "current")]
    pub version: WhichVersion,
    /// Only records of this time or later: a date, or a time in RFC 3339
    #[arg(long, value_name = "TIME")]
    pub from: Option<Moment>,
    /// Only records before this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<Moment>,
    /// Only records of this site; may be repeated
    #[arg(long = "site", value_name = "NAME")]
    pub sites: Vec<Name>,
    /// How many records per million may alert now; the budget of the version's own figures where omitted
    #[arg(long, value_name = "RECORDS", value_parser = budget)]
    pub alert_budget_per_million: Option<f64>,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

fn budget(text: &str) -> Result<f64, String> {
    let budget = text.parse().ok().filter(|budget| (0.0..=1e6).contains(budget));
    budget.ok_or_else(|| format!("{text:?} is not a number of records from 0 to 1000000"))
}

/// Why nothing was counted.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// An empty span.
    #[error("--from {from} is not before --to {to}")]
    NoSpan { from: Timestamp, to: Timestamp },
    /// Nothing to read.
    #[error("the archive of pipeline {pipeline} has no records of that time and those sites; {}", those_that_are(.pipeline, .known))]
    Nothing { pipeline: Name, known: Vec<Name> },
    /// A thread ended early.
    #[error("a worker thread ended early")]
    Worker(#[from] tokio::task::JoinError),
}

fn those_that_are(meant: &Name, known: &[Name]) -> String {
    let known = if known.is_empty() { "none".to_owned() } else { nearest_listed(meant, known) };
    format!("pipelines of this namespace are: {known}")
}

/// What is told.
#[derive(Debug, Serialize)]
struct Report {
    namespace: Name,
    pipeline: Name,
    training: Name,
    version: ModelVersion,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    alert_budget_per_million: f64,
    /// Records that score more alert now.
    threshold: f64,
    #[serde(flatten)]
    replayed: Replayed,
}

/// Counts and prints.
pub(super) async fn replay(options: &ReplayOptions) -> Result<(), ModelsError> {
    let span = Span::new(options.from.map(|from| from.0), options.to.map(|to| to.0))?;
    let chosen = options.training.choose().await?;
    let catalogue = Catalogue::read(&chosen).await?;
    let (version, metadata) = catalogue.find(&chosen, &options.version)?;
    let alert_budget_per_million =
        options.alert_budget_per_million.unwrap_or(metadata.metrics.alert_budget_per_million);
    let threshold = threshold_for_budget(alert_budget_per_million);
    let model = load_model(chosen.bucket(), &chosen.keys, &version).await?;
    let pipeline = options.pipeline.as_ref().unwrap_or(&metadata.pipeline).clone();
    let keys = PipelineKeys::new(&chosen.namespace, &pipeline);
    let scorer = Arc::new(Scorer { model, threshold, span });
    let replayed = count(chosen.bucket(), &keys, &options.sites, &scorer).await?;
    if replayed.total.records + replayed.total.alerts_then == 0 {
        let known = pipelines(chosen.bucket(), &chosen.namespace).await?;
        return Err(ReplayError::Nothing { pipeline, known }.into());
    }
    let Span { from, to } = span;
    let report = Report {
        namespace: chosen.namespace.clone(),
        pipeline,
        training: chosen.training.clone(),
        version,
        from,
        to,
        alert_budget_per_million,
        threshold,
        replayed,
    };
    let format = options.output.format();
    Ok(print(|out| write(out, &report, format))?)
}

/// Reads the records and the alerts, some objects at a time.
async fn count(
    bucket: &Bucket,
    keys: &PipelineKeys,
    sites: &[Name],
    scorer: &Arc<Scorer>,
) -> Result<Replayed, ModelsError> {
    let mut sources = Vec::new();
    for stream in [Stream::EnrichedData, Stream::Alerts] {
        let selection = Selection { stream, sites, not_before: scorer.span.from };
        let listed = list_sources(bucket, keys, selection).await?;
        sources.extend(listed.into_iter().filter(|source| scorer.span.may_hold(source.object.day)));
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let (all, mut done) = (sources.len(), 0);
    let (mut replayed, mut progress) = (Replayed::default(), Progress::new());
    let mut counted = stream::iter(sources.into_iter().map(|source| one(bucket, source, Arc::clone(scorer))))
        .buffer_unordered(threads + 1);
    while let Some(of_one) = counted.next().await {
        done += 1;
        replayed.add(of_one?);
        progress.tell(|| format!("{done} of {all} archive objects, {} records", replayed.total.records));
    }
    Ok(replayed)
}

async fn one(bucket: &Bucket, source: Source, scorer: Arc<Scorer>) -> Result<Replayed, ModelsError> {
    let key = source.object.clone();
    let Some(fetched) = fetch(bucket, source).await? else {
        tracing::warn!(%key, "an archive object vanished while it was to be read; it is left out");
        return Ok(Replayed::default());
    };
    Ok(tokio::task::spawn_blocking(move || scorer.count(&fetched)).await.map_err(ReplayError::Worker)?)
}

fn write(out: &mut impl Write, report: &Report, format: OutputFormat) -> io::Result<()> {
    if let Some(document) = format.document() {
        return document.write(out, report);
    }
    let mut table = Table::new([
        ("DAY", Align::Left),
        ("SITE", Align::Left),
        ("RECORDS", Align::Right),
        ("ALERTS THEN", Align::Right),
        ("NOW", Align::Right),
        ("BOTH", Align::Right),
        ("ONLY THEN", Align::Right),
        ("ONLY NOW", Align::Right),
    ]);
    let Report { version, from, to, alert_budget_per_million, threshold, replayed, .. } = report;
    for day in &replayed.days {
        table.row(row(day.day.to_string(), day.site.to_string(), &day.counts));
    }
    if format.is_for_people() {
        table.row(row("all".to_owned(), String::new(), &replayed.total));
    }
    table.write(out, format)?;
    if !format.is_for_people() {
        return Ok(());
    }
    let bound = |bound: &Option<Timestamp>, open: &str| bound.map_or_else(|| open.to_owned(), time);
    writeln!(
        out,
        "\nnow: version {version}, {alert_budget_per_million} in a million, threshold {threshold}; records from {} to {}",
        bound(from, "the first"),
        bound(to, "the last"),
    )?;
    replayed.notes().iter().try_for_each(|note| writeln!(out, "{note}"))
}

fn row(day: String, site: String, counts: &Counts) -> [String; 8] {
    let Counts { records, alerts_then, alerts_now, alerts_both } = *counts;
    let numbers = [
        records,
        alerts_then,
        alerts_now,
        alerts_both,
        alerts_then.saturating_sub(alerts_both),
        alerts_now.saturating_sub(alerts_both),
    ];
    let [records, then, now, both, only_then, only_now] = numbers.map(|number| number.to_string());
    [day, site, records, then, now, both, only_then, only_now]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_share_of_a_million() {
        assert_eq!((budget("0"), budget("1e6")), (Ok(0.), Ok(1e6)));
        assert!(["-1", "1e7", "NaN", "many"].iter().all(|wrong| budget(wrong).is_err()));
    }
}
