//! `vedette models promote`: makes a candidate, or a version of before, the current one.

use std::io::{self, Write};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;
use vedette_contract::model::CurrentPointer;
use vedette_contract::{ModelVersion, Name};
use vedette_registry::promote::{Attribution, Promotion, promote as promote_version, writing_site};
use vedette_registry::states::{State, is_candidate};
use vedette_registry::summary::Summary;

use super::ModelsError;
use super::catalogue::Catalogue;
use super::training::{TrainingOptions, WhichVersion};
use crate::commands::people::{person, reason, user};
use crate::output::{OutputFormat, OutputOptions, print};

/// Makes a version current: a candidate that the gate refused, or one of before, as after a model that turned out to be worse.
///
/// The current pointer is swapped by a conditional PUT and its generation grows, also where the version is an older one; the
/// pointer says by whom. Pipelines that follow the latest version roll their detectors to it within seconds, at other sites when
/// the pointer has got there; one that is pinned to a version (versionPolicy: Pinned) stays with that. A site that took the version back
/// before does not try it again by itself. The next training that passes its gate replaces it: to keep it, suspend the
/// training, or pin it.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette models promote 20261123T084210Z-0a1b2c3d --data-dir ./data -n demo --comment west-is-new
  vedette models promote previous --bucket http://seaweedfs:8333 --site east -n demo --by ada")]
pub struct PromoteOptions {
    /// The version, or `previous`
    #[arg(value_name = "VERSION")]
    pub version: WhichVersion,
    /// Whose models.
    #[command(flatten)]
    pub training: TrainingOptions,
    /// Site whose bucket this is: the pointer of a training is written there only where the training runs
    #[arg(long, value_name = "NAME", required_unless_present = "data_dir")]
    pub site: Option<Name>,
    /// Who does it, for the pointer; your user name where omitted
    #[arg(long, value_name = "NAME", value_parser = person)]
    pub by: Option<String>,
    /// Why, for the pointer; needed for a candidate, as it overrides the gate
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub comment: Option<String>,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Why it was not even tried.
#[derive(Debug, Error)]
pub enum RefusedPromotion {
    /// The pointer has one writing site.
    #[error(
        "training {training} runs at site {writer}, which alone writes its current pointer, and this is the bucket of site {here}: \
         promote {version} in the bucket of site {writer}"
    )]
    OtherSite { training: Name, writer: Name, here: Name, version: ModelVersion },
    /// Nobody can be named.
    #[error("neither USER nor LOGNAME says who you are: say it with --by")]
    Nobody,
    /// The gate has its reasons, and whoever overrides it has theirs.
    #[error("version {version} is a candidate, which the gate refused: {}; say with --comment why it is to be current all the same", crate::output::escaped(&.refused.join("; ")))]
    NoComment { version: ModelVersion, refused: Vec<String> },
}

#[derive(Debug, Serialize)]
struct Promoted {
    pointer: CurrentPointer,
    /// Whether the pointer was swapped; it was not where the version was current already.
    swapped: bool,
    /// What the version was before.
    state_before: State,
    /// The sites whose pipelines follow.
    followers: Vec<Following>,
}

#[derive(Debug, Serialize)]
struct Following {
    pipeline: Name,
    site: Name,
    /// What its detectors run as long as it has not followed.
    runs: Option<ModelVersion>,
    /// Whether it took the version back before, and waits until it is asked to try it again.
    rejected: bool,
}

/// Promotes and prints what follows.
pub(super) async fn promote(options: &PromoteOptions) -> Result<(), ModelsError> {
    let by = options.by.clone().or_else(user).ok_or(RefusedPromotion::Nobody)?;
    let chosen = options.training.choose().await?;
    let catalogue = Catalogue::read(&chosen).await?;
    let (version, metadata) = catalogue.find(&chosen, &options.version)?;
    let Summary { state: state_before, .. } = catalogue.summary(&version, metadata);
    let writer = writing_site(chosen.bucket(), &chosen.keys).await?;
    if let (Some(writer), Some(here)) = (writer, options.site.clone())
        && writer != here
    {
        let training = chosen.training.clone();
        return Err(RefusedPromotion::OtherSite { training, writer, here, version }.into());
    }
    let comment = options.comment.as_deref();
    if comment.is_none() && is_candidate(&version, &metadata.gate, catalogue.pointer.as_ref()) {
        return Err(RefusedPromotion::NoComment { version, refused: metadata.gate.refused.clone() }.into());
    }
    let attribution = Attribution { by: &by, comment, at: Timestamp::now() };
    let promotion = promote_version(chosen.bucket(), &chosen.keys, &version, attribution).await?;
    let (pointer, swapped) = match promotion {
        Promotion::Current { pointer, previous: _ } => (pointer, true),
        Promotion::Already { pointer } => (pointer, false),
    };
    let following = |(pipeline, status): &(Name, vedette_contract::progress::SiteStatus)| Following {
        pipeline: pipeline.clone(),
        site: status.site.clone(),
        runs: status.model_version.clone(),
        rejected: status.rejected.contains(&version),
    };
    let followers = catalogue.followers.iter().filter(|(_, status)| !status.deleted).map(following).collect();
    let promoted = Promoted { pointer, swapped, state_before, followers };
    let format = options.output.format();
    Ok(print(|out| write(out, &promoted, format))?)
}

fn write(out: &mut impl Write, promoted: &Promoted, format: OutputFormat) -> io::Result<()> {
    let Promoted { pointer, swapped, state_before, followers } = promoted;
    if let Some(document) = format.document() {
        return document.write(out, promoted);
    }
    if !format.is_for_people() {
        return writeln!(out, "{}\t{}", pointer.version, pointer.generation);
    }
    let CurrentPointer { version, generation, published_by, .. } = pointer;
    let by = crate::output::escaped(published_by);
    if !swapped {
        return writeln!(out, "version {version} is current already, by {by}: generation {generation}");
    }
    let was = state_before.as_str();
    writeln!(out, "version {version} is current, by {by}: generation {generation}; before it was {was}")?;
    if let Some(previous) = pointer.previous() {
        writeln!(out, "version {previous} was current until now; `vedette models promote previous` goes back to it")?;
    }
    for Following { pipeline, site, runs, rejected } in followers {
        let runs = runs.as_ref().map_or_else(|| "no version".to_owned(), |version| format!("version {version}"));
        writeln!(out, "pipeline {pipeline} at site {site} runs {runs} and follows, unless it is pinned to a version")?;
        if *rejected {
            writeln!(
                out,
                "  it took this version back before, and tries it again only when it is asked to: \
                 kubectl annotate anomalypipeline {pipeline} vedette.io/retry-model=\"$(date +%s)\" --overwrite"
            )?;
        }
    }
    Ok(())
}
