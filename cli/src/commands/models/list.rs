//! `vedette models list`: the versions of a training, newest first.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use vedette_contract::Name;

use super::ModelsError;
use super::catalogue::{Catalogue, Summary, followers};
use super::training::TrainingOptions;
use crate::commands::watch::{Told, WatchOptions, tell};
use crate::output::{Align, OutputFormat, OutputOptions, Table, figure, time};

/// Lists the versions of a training, newest first: when each was trained, what it is (current, previous, candidate, rejected,
/// superseded), how good it was on its holdout, and who made it current, or else which Job trained it.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette models list --data-dir ./data -n demo
  vedette models list --bucket http://seaweedfs:8333 -n demo --training kdd -o wide")]
pub struct ListOptions {
    /// Whose models.
    #[command(flatten)]
    pub training: TrainingOptions,
    /// How often.
    #[command(flatten)]
    pub watch: WatchOptions,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

#[derive(Serialize)]
struct Listing {
    namespace: Name,
    training: Name,
    /// Of the current pointer; none where nothing is current.
    generation: Option<u64>,
    versions: Vec<Summary>,
}

/// Prints them.
pub(super) async fn list(options: &ListOptions) -> Result<(), ModelsError> {
    let chosen = options.training.choose().await?;
    let mut before = None;
    let look = async || -> Result<Option<Told<Listing>>, ModelsError> {
        let catalogue = Catalogue::read_again(&chosen, before.take()).await?;
        let versions = catalogue.versions.iter().rev();
        let answer = Listing {
            namespace: chosen.namespace.clone(),
            training: chosen.training.clone(),
            generation: catalogue.pointer.as_ref().map(|pointer| pointer.generation),
            versions: versions.map(|(version, metadata)| catalogue.summary(version, metadata)).collect(),
        };
        before = Some(catalogue);
        Ok(Some(Told { answer, notes: Vec::new() }))
    };
    tell(&options.watch, options.output.format(), look, write).await
}

fn write(out: &mut impl Write, listing: &Listing, format: OutputFormat) -> io::Result<()> {
    let mut table = Table::new([
        ("VERSION", Align::Left),
        ("STATE", Align::Left),
        ("TRAINED (UTC)", Align::Left),
        ("ALGORITHM", Align::Left),
        ("RECORDS", Align::Right),
        ("AUROC", Align::Right),
        ("RECALL", Align::Right),
        ("PRECISION", Align::Right),
        ("BY", Align::Left),
    ])
    .with_further([
        ("AUPRC", Align::Right),
        ("TRAINED AT", Align::Left),
        ("USED BY", Align::Left),
        ("TAKEN BACK BY", Align::Left),
        ("COMMENT", Align::Left),
        ("REFUSED FOR", Align::Left),
    ]);
    for summary in &listing.versions {
        table.row([
            summary.version.to_string(),
            summary.state.as_str().to_owned(),
            time(summary.trained_at),
            summary.algorithm.as_str().to_owned(),
            summary.records.to_string(),
            figure(summary.quality.auroc),
            figure(summary.quality.recall_at_budget),
            figure(summary.quality.precision_at_budget),
            summary.published_by.as_ref().unwrap_or(&summary.trained_by).clone(),
            figure(summary.quality.auprc),
            summary.trained_at_site.to_string(),
            followers(&summary.used_by),
            followers(&summary.rejected_by),
            summary.comment.clone().unwrap_or_else(|| "-".to_owned()),
            summary.gate.refused.join("; "),
        ]);
    }
    table.write(out, format)
}
