//! `vedette verdicts list`: the verdicts of all sites, newest first.

use std::collections::BTreeSet;
use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use vedette_contract::Name;
use vedette_registry::PassedObject;
use vedette_registry::verdicts::{self, KeptVerdict, Verdicts};

use super::{VerdictsError, words};
use crate::commands::missed::tell_passed;
use crate::commands::pipeline::PipelineOptions;
use crate::output::{Align, OutputFormat, OutputOptions, Table, print, time, warn, write_json};

/// Lists the verdicts of a pipeline, of all sites, the newest first: of each alert and incident the last; and which objects among
/// them are none, as trainings pass them.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette verdicts list --data-dir ./data -n demo
  vedette verdicts list --bucket http://seaweedfs:8333 -n demo --pipeline kdd --all -o json")]
pub struct ListOptions {
    /// Whose verdicts.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// Those whose place a later one took, too
    #[arg(long)]
    pub all: bool,
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
    let chosen = options.pipeline.choose().await?;
    let read = verdicts::read(chosen.bucket(), &chosen.keys).await?;
    let verdicts = listed(&read, options.all);
    let Verdicts { all: _, passed, older } = read;
    let (namespace, pipeline) = (chosen.namespace.clone(), chosen.pipeline.clone());
    let listing = Listing { namespace, pipeline, verdicts, passed, older };
    let format = options.output.format();
    print(|out| write(out, &listing, format))?;
    if format != OutputFormat::Json {
        tell_passed(&listing.passed, "verdict");
        if older > 0 {
            warn(&format!("{older} more are older than all of these, and count for nothing"));
        }
    }
    Ok(())
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
    if format == OutputFormat::Json {
        return write_json(out, listing);
    }
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
    ]);
    for Listed { state, verdict: KeptVerdict { key, sha256: _, verdict } } in &listing.verdicts {
        let [what, which, alerts, version] = words(verdict.judged());
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
        ]);
    }
    table.write(out, format)
}
