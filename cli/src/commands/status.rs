//! `vedette status`: how pipelines stand at their sites.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use thiserror::Error;
use vedette_contract::Name;
use vedette_contract::keys::PipelineKeys;
use vedette_registry::standing::{self, Standing};
use vedette_service::Shutdown;
use vedette_streams::bucket::BucketError;

use super::pipeline::{OverviewSite, PipelineError, PipelineOptions, pipelines};
use super::watch::{Told, Unseen, WatchOptions, tell, until_stopped};
use crate::console::Console;
use crate::output::{Align, OutputError, OutputFormat, OutputOptions, Table, time};

/// Shows how a pipeline, or each of a namespace, stands at its sites, a line each, from what they tell in the bucket: whether it is
/// ready, the model that its detectors run, the records that they have read and the alerts among them since they started, what they
/// have not come to yet, and what does not hold. A site of which nothing was heard for six minutes is silent.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette status --data-dir ./data -n demo -o wide
  vedette status --console http://127.0.0.1:8090 -n demo --pipeline kdd -o yaml")]
pub struct StatusOptions {
    /// Of which pipeline.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// How often.
    #[command(flatten)]
    pub watch: WatchOptions,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Why it cannot be told.
#[derive(Debug, Error)]
pub enum StatusError {
    /// There is no such pipeline, or the bucket could not be read.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The bucket could not be read.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// It was stopped.
    #[error("stopped before everything was read")]
    Stopped,
    /// The answer could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

impl Unseen for StatusError {
    fn is_away(&self) -> bool {
        match self {
            Self::Pipeline(error) => error.is_away(),
            Self::Bucket(error) => error.is_retriable(),
            Self::Stopped | Self::Output(_) => false,
        }
    }

    fn stopped() -> Self {
        Self::Stopped
    }
}

/// A pipeline at a site.
#[derive(Debug, Serialize)]
struct Row {
    namespace: Name,
    pipeline: Name,
    site: Name,
    #[serde(flatten)]
    standing: Standing,
}

/// Prints it.
pub(super) async fn run(options: &StatusOptions, shutdown: &Shutdown) -> Result<(), StatusError> {
    until_stopped(shutdown, options.watch.watch, status(options)).await
}

async fn status(options: &StatusOptions) -> Result<(), StatusError> {
    let PipelineOptions { place, namespace, pipeline: named } = &options.pipeline;
    if let Some(console) = place.console().map_err(PipelineError::from)? {
        return status_shown(options, &console).await;
    }
    let (opened, found) = options.pipeline.find().await?;
    let mut found = Some(found);
    let look = async || -> Result<Option<Told<Vec<Row>>>, StatusError> {
        let pipelines = match (found.take(), named) {
            (Some(found), _) => found,
            (None, Some(named)) => vec![named.clone()],
            (None, None) => pipelines(&opened.bucket, namespace).await?,
        };
        let mut rows = Vec::new();
        for pipeline in pipelines {
            let all = standing::load_all(&opened.bucket, &PipelineKeys::new(namespace, &pipeline)).await?;
            let row =
                |(site, standing)| Row { namespace: namespace.clone(), pipeline: pipeline.clone(), site, standing };
            rows.extend(all.into_iter().map(row));
        }
        Ok(Some(Told { answer: rows, notes: Vec::new() }))
    };
    tell(&options.watch, options.output.format(), look, |out, rows, format| write(out, rows, format)).await
}

/// As a console shows it.
async fn status_shown(options: &StatusOptions, console: &Console) -> Result<(), StatusError> {
    let look = async || -> Result<Option<Told<Vec<Row>>>, StatusError> {
        let overview = options.pipeline.overview(console).await?;
        let notes = overview.notes();
        let row = |OverviewSite { namespace, pipeline, site, standing }| Row { namespace, pipeline, site, standing };
        Ok(Some(Told { answer: overview.sites.into_iter().map(row).collect(), notes }))
    };
    tell(&options.watch, options.output.format(), look, |out, rows, format| write(out, rows, format)).await
}

fn write(out: &mut impl Write, rows: &[Row], format: OutputFormat) -> io::Result<()> {
    let mut table = Table::new([
        ("PIPELINE", Align::Left),
        ("SITE", Align::Left),
        ("STATE", Align::Left),
        ("MODEL", Align::Left),
        ("RECORDS", Align::Right),
        ("ALERTS", Align::Right),
        ("LAG", Align::Right),
        ("HEARD (UTC)", Align::Left),
        ("NOT AS IT SHOULD BE", Align::Left),
    ])
    .with_further([
        ("TRAINING", Align::Left),
        ("DETECTORS", Align::Right),
        ("THRESHOLD", Align::Right),
        ("BUDGET/MILLION", Align::Right),
        ("LAG SECONDS", Align::Right),
        ("DEAD LETTERS", Align::Right),
        ("LOST", Align::Right),
    ]);
    for Row { pipeline, site, standing, .. } in rows {
        // Of what nobody tells there is no number.
        let number = |number: u64| if standing.detectors > 0 { number.to_string() } else { "-".to_owned() };
        table.row([
            pipeline.to_string(),
            site.to_string(),
            state(standing).to_owned(),
            standing.model_version.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            number(standing.records),
            number(standing.alerts),
            number(standing.lag_records),
            standing.heard_utc.map_or_else(|| "-".to_owned(), time),
            troubles(standing),
            standing.training.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            standing.detectors.to_string(),
            standing.threshold.map_or_else(|| "-".to_owned(), |threshold| format!("{threshold:.6}")),
            standing.alert_budget_per_million.map_or_else(|| "-".to_owned(), |budget| budget.to_string()),
            if standing.detectors > 0 { format!("{:.1}", standing.lag_seconds) } else { "-".to_owned() },
            number(standing.dead_letters),
            standing.lost_records.to_string(),
        ]);
    }
    table.write(out, format)
}

fn state(standing: &Standing) -> &'static str {
    match (standing.silent_since_utc, standing.ready) {
        (Some(_), _) => "silent",
        (None, Some(true)) => "ready",
        (None, Some(false)) => "not ready",
        (None, None) => "unknown",
    }
}

/// Everything that is not as it should be, on one line.
fn troubles(standing: &Standing) -> String {
    let silence = standing.silent_since_utc.map(|since| format!("silent since {} UTC", time(since)));
    let lost = (standing.lost_records > 0).then(|| format!("{} records lost", standing.lost_records));
    let unready = standing.unready.iter().map(|unready| {
        let because = if unready.reason.is_empty() { String::new() } else { format!(": {}", unready.reason) };
        format!("{} of {}{because}", unready.condition, unready.pod)
    });
    silence.into_iter().chain(lost).chain(unready).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use vedette_registry::standing::{Heard, UnreadyProcess};

    use super::*;

    #[test]
    fn what_is_not_as_it_should_be_stands_on_the_line_of_its_site() {
        let at = |text: &str| text.parse().unwrap();
        let heard = Heard { wrote: Some(at("2026-11-23T08:00:00Z")), ..Heard::default() };
        let mut standing = Standing::of(&heard, at("2026-11-23T08:06:00Z"));
        assert_eq!((state(&standing), troubles(&standing).as_str()), ("unknown", ""));
        standing.ready = Some(false);
        let unready = |condition: &str, reason: &str| UnreadyProcess {
            pod: "d-1".to_owned(),
            condition: condition.to_owned(),
            reason: reason.to_owned(),
        };
        standing.unready = vec![unready("model", "publish one"), unready("broker", "")];
        standing.lost_records = 7;
        assert_eq!(state(&standing), "not ready");
        assert_eq!(troubles(&standing), "7 records lost; model of d-1: publish one; broker of d-1");
        let standing = Standing::of(&heard, at("2026-11-23T08:06:01Z"));
        assert_eq!(
            (state(&standing), troubles(&standing).as_str()),
            ("silent", "silent since 2026-11-23 08:00:00 UTC")
        );
    }
}
