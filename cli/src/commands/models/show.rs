//! `vedette models show`: everything there is to know of one version.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use vedette_contract::Name;
use vedette_contract::gate::NewestOfSite;
use vedette_contract::model::{JudgedVersion, Metrics, ModelMetadata};
use vedette_registry::summary::Summary;

use super::ModelsError;
use super::catalogue::{Catalogue, followers};
use super::training::{TrainingOptions, WhichVersion};
use crate::output::{Align, OutputFormat, OutputOptions, Table, figure, print, time};

/// Shows what a version was made of, how good it was on its holdout, what the gate made of it, why it is a candidate where it is
/// one, and which sites use it.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette models show --data-dir ./data -n demo --training kdd
  vedette models show 20261123T084210Z-0a1b2c3d --data-dir ./data -n demo -o json")]
pub struct ShowOptions {
    /// The version, or `previous`
    #[arg(value_name = "VERSION", default_value = "current")]
    pub version: WhichVersion,
    /// Whose models.
    #[command(flatten)]
    pub training: TrainingOptions,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    summary: Summary,
    metadata: &'a ModelMetadata,
}

/// Prints it.
pub(super) async fn show(options: &ShowOptions) -> Result<(), ModelsError> {
    let chosen = options.training.choose().await?;
    let catalogue = Catalogue::read(&chosen).await?;
    let (version, metadata) = catalogue.find(&chosen, &options.version)?;
    let shown = Shown { summary: catalogue.summary(&version, metadata), metadata };
    let format = options.output.format();
    Ok(print(|out| write(out, &shown, format))?)
}

fn write(out: &mut impl Write, shown: &Shown<'_>, format: OutputFormat) -> io::Result<()> {
    if let Some(document) = format.document() {
        return document.write(out, shown);
    }
    let mut facts = Table::new([("", Align::Left), ("", Align::Left)]);
    let Shown { summary, metadata } = shown;
    for (name, value) in origin(summary, metadata).into_iter().chain(quality(metadata)) {
        facts.row([name.to_owned(), value]);
    }
    for (name, values) in lists(metadata) {
        facts.row([name.to_owned(), values]);
    }
    for refused in &summary.gate.refused {
        facts.row(["refused".to_owned(), refused.clone()]);
    }
    for warning in &summary.gate.warnings {
        facts.row(["warning".to_owned(), warning.clone()]);
    }
    facts.write(out, format)?;
    if format.is_for_people() && !summary.gate.newest.is_empty() {
        writeln!(out, "\non the newest records when it was trained:")?;
        return newest(&summary.gate.newest).write(out, format);
    }
    Ok(())
}

fn origin(summary: &Summary, metadata: &ModelMetadata) -> Vec<(&'static str, String)> {
    let Summary {
        version, state, trained_at, trained_by, trained_at_site, published_by, published_at, comment, ..
    } = summary;
    let published = published_by.as_ref().zip(*published_at);
    let sites: Vec<&str> = metadata.sites.iter().map(Name::as_str).collect();
    let parameters = metadata.parameters.iter().map(|(name, value)| format!("{name} {value}"));
    let parameters = parameters.collect::<Vec<_>>().join(", ");
    let mut facts = vec![
        ("version", version.to_string()),
        ("state", state.as_str().to_owned()),
        ("trained", format!("{} UTC at site {trained_at_site} by {trained_by}", time(*trained_at))),
    ];
    facts.extend(published.map(|(by, at)| ("made current", format!("{} UTC by {by}", time(at)))));
    facts.extend(comment.clone().map(|comment| ("because", comment)));
    facts.extend([
        ("used by", followers(&summary.used_by)),
        ("pipeline", metadata.pipeline.to_string()),
        ("algorithm", metadata.algorithm.as_str().to_owned()),
        ("seed", metadata.seed.to_string()),
        ("records", format!("{} of {}", metadata.records, sites.join(", "))),
        ("learned from", format!("{} rows", metadata.learned)),
        ("objects", metadata.objects.len().to_string()),
        ("newest record", metadata.last_utc.clone().unwrap_or_else(|| "-".to_owned())),
    ]);
    facts.extend((!parameters.is_empty()).then_some(("parameters", parameters)));
    facts.extend((!summary.rejected_by.is_empty()).then(|| ("taken back by", followers(&summary.rejected_by))));
    facts
}

fn quality(metadata: &ModelMetadata) -> Vec<(&'static str, String)> {
    let Metrics {
        rows,
        anomalies,
        auroc,
        auprc,
        recall_at_budget,
        precision_at_budget,
        alert_budget_per_million,
        alerts_per_million,
        folds,
    } = &metadata.metrics;
    let of_anomalies = anomalies.map(|anomalies| format!(", {anomalies} anomalies")).unwrap_or_default();
    let mut facts = vec![
        ("holdout", format!("{rows} rows{of_anomalies}")),
        ("budget", format!("{alert_budget_per_million} in a million, of the holdout {alerts_per_million:.0} alert")),
        ("AUROC", figure(*auroc)),
        ("AUPRC", figure(*auprc)),
        ("recall", figure(*recall_at_budget)),
        ("precision", figure(*precision_at_budget)),
    ];
    let baseline = metadata.baseline.as_ref().and_then(|baseline| baseline.auroc);
    facts.extend(baseline.map(|auroc| ("AUROC of SeedForest", figure(Some(auroc)))));
    facts.extend(folds.iter().flat_map(|folds| {
        let separation = format!("{:.2} standard deviations over {} folds", folds.separation, folds.folds);
        [("separation", separation), ("stability", figure(Some(folds.stability)))]
    }));
    facts
}

/// What a person would look up by the name of a field.
fn lists(metadata: &ModelMetadata) -> Vec<(&'static str, String)> {
    let features = metadata.missing.iter().map(|(name, share)| {
        if *share > 0. { format!("{name} ({:.0} % missing)", share * 100.) } else { name.clone() }
    });
    let sentinels = metadata.sentinels.iter().map(|(name, values)| {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        format!("{name} {}", values.join(" and "))
    });
    let judged = metadata.judged.iter().map(|JudgedVersion { version, alerts, anomalies, precision }| {
        let version = version.as_ref().map_or_else(|| "no known version".to_owned(), ToString::to_string);
        format!("{version} {anomalies} anomalies of {alerts} alerts ({precision:.4})")
    });
    let left_out = metadata.left_out.iter().map(|(name, why)| format!("{name} ({why})"));
    let lists = [
        ("features", features.collect::<Vec<_>>()),
        ("taken for missing", sentinels.collect()),
        ("left out", left_out.collect()),
        ("tell the label", metadata.separating.clone()),
        ("judged by people", judged.collect()),
    ];
    lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name, list.join(", "))).collect()
}

fn newest(sites: &[NewestOfSite]) -> Table {
    let mut table = Table::new([
        ("SITE", Align::Left),
        ("RECORDS", Align::Right),
        ("ALERTS", Align::Right),
        ("BY THE MODEL BEFORE", Align::Right),
        ("VALUES MISSING", Align::Right),
    ]);
    for NewestOfSite { site, records, alerts, alerts_before, missing } in sites {
        table.row([
            site.to_string(),
            records.to_string(),
            alerts.to_string(),
            alerts_before.map_or_else(|| "-".to_owned(), |alerts| alerts.to_string()),
            format!("{:.1} %", missing * 100.),
        ]);
    }
    table
}
