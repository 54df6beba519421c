//! `vedette models list`: the versions of a training, newest first.

use std::io::{self, Write};

use clap::Args;
use vedette_contract::console::ListedTrainingsView;
use vedette_registry::summary::Listing;

use super::ModelsError;
use super::catalogue::{Catalogue, followers};
use super::training::{TrainingError, TrainingOptions};
use crate::commands::watch::{Told, WatchOptions, tell};
use crate::console::Console;
use crate::output::{Align, OutputFormat, OutputOptions, Table, figure, time};

/// Lists the versions of a training, newest first: when each was trained, what it is (current, previous, candidate, rejected,
/// superseded), how good it was on its holdout, and who made it current, or else which Job trained it.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette models list --data-dir ./data -n demo
  vedette models list --console http://127.0.0.1:8090 -n demo --training kdd -o wide")]
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

/// Prints them.
pub(super) async fn list(options: &ListOptions) -> Result<(), ModelsError> {
    if let Some(console) = options.training.place.console().map_err(TrainingError::from)? {
        return list_shown(options, &console).await;
    }
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

/// Prints those that a console shows.
async fn list_shown(options: &ListOptions, console: &Console) -> Result<(), ModelsError> {
    let look = async || -> Result<Option<Told<Listing>>, ModelsError> {
        let view: ListedTrainingsView = console.get("/trainings/listed", &[]).await.map_err(TrainingError::from)?;
        let read = |json: String| serde_json::from_str::<Listing>(&json).map_err(TrainingError::Strange);
        let listings = view.trainings.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let answer = options.training.only_shown(listings)?;
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
