//! `vedette models list`: the versions of a training, newest first.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use vedette_contract::Name;

use super::ModelsError;
use super::catalogue::{Catalogue, Summary};
use super::training::TrainingOptions;
use crate::output::{Align, OutputFormat, OutputOptions, Table, figure, print, time, write_json};

/// Lists the versions of a training, newest first: when each was trained, what it is (current, previous, candidate, rejected,
/// superseded), how good it was on its holdout, and who made it current, or else which Job trained it.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette models list --data-dir ./data -n demo
  vedette models list --bucket http://seaweedfs:8333 -n demo --training kdd -o json")]
pub struct ListOptions {
    /// Whose models.
    #[command(flatten)]
    pub training: TrainingOptions,
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
    let catalogue = Catalogue::read(&chosen).await?;
    let versions = catalogue.versions.iter().rev();
    let listing = Listing {
        namespace: chosen.namespace.clone(),
        training: chosen.training.clone(),
        generation: catalogue.pointer.as_ref().map(|pointer| pointer.generation),
        versions: versions.map(|(version, metadata)| catalogue.summary(version, metadata)).collect(),
    };
    let format = options.output.format();
    Ok(print(|out| write(out, &listing, format))?)
}

fn write(out: &mut impl Write, listing: &Listing, format: OutputFormat) -> io::Result<()> {
    if format == OutputFormat::Json {
        return write_json(out, listing);
    }
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
        ]);
    }
    table.write(out, format)
}
