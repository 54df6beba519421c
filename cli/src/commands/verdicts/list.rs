//! `vedette verdicts list`: the verdicts of all sites, newest first.

use std::collections::BTreeSet;
use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use vedette_contract::Name;
use vedette_contract::verdict::{Judged, JudgedAlert, JudgedIncident};
use vedette_registry::PassedObject;
use vedette_registry::verdicts::{self, KeptVerdict, Verdicts};
use vedette_streams::bucket::ObjectSummary;

use super::shown::verdicts as shown_verdicts;
use super::{VerdictsError, words};
use crate::commands::missed::notes_of_passed;
use crate::commands::pipeline::{PipelineOptions, Shown};
use crate::commands::watch::{Told, WatchOptions, tell};
use crate::output::{Align, OutputFormat, OutputOptions, Table, time};

/// Lists the verdicts of a pipeline, of all sites, the newest first: of each alert and incident the last; and which objects among
/// them are none, as trainings pass them.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette verdicts list --data-dir ./data -n demo
  vedette verdicts list --console http://127.0.0.1:8090 -n demo --pipeline kdd --all -o wide")]
pub struct ListOptions {
    /// Whose verdicts.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// Those whose place a later one took, too
    #[arg(long)]
    pub all: bool,
    /// How often.
    #[command(flatten)]
    pub watch: WatchOptions,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

#[derive(Debug, Serialize)]
struct Listing {
    namespace: Name,
    pipeline: Name,
    verdicts: Vec<Listed>,
    /// Objects among the verdicts that are none.
    passed: Vec<PassedObject>,
    /// So many are older than all that were read.
    older: usize,
}

#[derive(Debug, Serialize)]
struct Listed {
    state: &'static str,
    #[serde(flatten)]
    verdict: KeptVerdict,
}

/// Prints them.
pub(super) async fn list(options: &ListOptions) -> Result<(), VerdictsError> {
    if let Some(shown) = options.pipeline.shown().await? {
        return list_shown(options, &shown).await;
    }
    let chosen = options.pipeline.choose().await?;
    let (format, prefix) = (options.output.format(), chosen.keys.verdicts_prefix());
    let mut seen: Option<Vec<ObjectSummary>> = None;
    let look = async || -> Result<Option<Told<Listing>>, VerdictsError> {
        // A verdict never changes, so that the same list has the same verdicts.
        let there = if options.watch.watch { Some(chosen.bucket().list(&prefix, None).await?) } else { None };
        if there.is_some() && there == seen {
            return Ok(None);
        }
        let read = verdicts::read(chosen.bucket(), &chosen.keys).await?;
        // One that the bucket did not give is asked for again.
        seen = there.filter(|_| read.passed.is_empty());
        Ok(Some(told((&chosen.namespace, &chosen.pipeline), read, options)))
    };
    tell(&options.watch, format, look, write).await
}

/// Prints those that a console keeps.
async fn list_shown(options: &ListOptions, shown: &Shown) -> Result<(), VerdictsError> {
    let look = async || -> Result<Option<Told<Listing>>, VerdictsError> {
        let (read, lacks) = shown_verdicts(shown).await?;
        let mut told = told((&shown.namespace, &shown.pipeline), read, options);
        told.notes.extend(lacks);
        Ok(Some(told))
    };
    tell(&options.watch, options.output.format(), look, write).await
}

/// What is told of these.
fn told((namespace, pipeline): (&Name, &Name), read: Verdicts, options: &ListOptions) -> Told<Listing> {
    let verdicts = listed(&read, options.all);
    let Verdicts { all: _, passed, older } = read;
    let answer = Listing { namespace: namespace.clone(), pipeline: pipeline.clone(), verdicts, passed, older };
    // A document has them, too.
    let notes = if options.output.format().document().is_none() { notes(&answer) } else { Vec::new() };
    Told { answer, notes }
}

fn notes(listing: &Listing) -> Vec<String> {
    let older = (listing.older > 0)
        .then(|| format!("{} more are older than all of these, and count for nothing", listing.older));
    notes_of_passed(&listing.passed, "verdict").into_iter().chain(older).collect()
}

/// Those that stand, or all, the newest first.
fn listed(read: &Verdicts, all: bool) -> Vec<Listed> {
    let standing: BTreeSet<_> = read.standing().into_values().map(|kept| &kept.key).collect();
    let state = |kept: &KeptVerdict| if standing.contains(&kept.key) { "stands" } else { "replaced" };
    let listed = read.all.iter().map(|kept| Listed { state: state(kept), verdict: kept.clone() });
    let mut listed: Vec<Listed> = listed.filter(|listed| all || listed.state == "stands").collect();
    listed.sort_by(|one, other| {
        let order = |Listed { verdict, .. }: &Listed| (verdict.verdict.at(), verdict.key.id.clone());
        order(other).cmp(&order(one))
    });
    listed
}

fn write(out: &mut impl Write, listing: &Listing, format: OutputFormat) -> io::Result<()> {
    let mut table = Table::new([
        ("ID", Align::Left),
        ("SITE", Align::Left),
        ("STATE", Align::Left),
        ("GIVEN (UTC)", Align::Left),
        ("VERDICT", Align::Left),
        ("OF", Align::Left),
        ("WHICH", Align::Left),
        ("ALERTS", Align::Right),
        ("MODEL", Align::Left),
        ("BY", Align::Left),
        ("WHY", Align::Left),
    ])
    .with_further([("DETECTED AT", Align::Left), ("FROM (UTC)", Align::Left), ("TO (UTC)", Align::Left)]);
    for Listed { state, verdict: KeptVerdict { key, sha256: _, verdict } } in &listing.verdicts {
        let [what, which, alerts, version] = words(verdict.judged());
        let (site, from, to) = match verdict.judged() {
            Judged::Alert(JudgedAlert { site, detected_utc, .. }) => (site, *detected_utc, *detected_utc),
            Judged::Incident(JudgedIncident { site, first_utc, last_utc, .. }) => (site, *first_utc, *last_utc),
        };
        table.row([
            key.id.to_string(),
            key.site.to_string(),
            (*state).to_owned(),
            time(verdict.at()),
            verdict.finding().as_str().to_owned(),
            what,
            which,
            alerts,
            version,
            verdict.by().to_owned(),
            verdict.why().to_owned(),
            site.to_string(),
            time(from),
            time(to),
        ]);
    }
    table.write(out, format)
}
