//! `vedette silences list`: the silences of all sites, newest first.

use std::io::{self, Write};

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use vedette_contract::Name;
use vedette_contract::silence::SilenceKey;
use vedette_filters::silence_filter;
use vedette_registry::PassedObject;
use vedette_registry::silences::{KeptSilence, SilenceReader, Silences};

use super::SilencesError;
use super::shown::silences;
use crate::commands::missed::notes_of_passed;
use crate::commands::pipeline::{PipelineOptions, Shown};
use crate::commands::watch::{Told, WatchOptions, tell};
use crate::output::{Align, OutputFormat, OutputOptions, Table, time};

/// Lists the silences of a pipeline that are in force or to come, of all sites, the newest first; and which objects among them are
/// none, as notifiers pass them.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette silences list --data-dir ./data -n demo
  vedette silences list --console http://127.0.0.1:8090 -n demo --pipeline kdd --all -o yaml")]
pub struct ListOptions {
    /// Whose silences.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// Those that are over, too
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
    silences: Vec<Listed>,
    /// Objects among the silences that are none.
    passed: Vec<PassedObject>,
}

#[derive(Debug, Serialize)]
struct Listed {
    state: &'static str,
    #[serde(flatten)]
    silence: KeptSilence,
}

/// Prints them.
pub(super) async fn list(options: &ListOptions) -> Result<(), SilencesError> {
    let format = options.output.format();
    if let Some(shown) = options.pipeline.shown().await? {
        return list_shown(options, &shown, format).await;
    }
    let chosen = options.pipeline.choose().await?;
    let mut reader = SilenceReader::default();
    let look = async || -> Result<Option<Told<Listing>>, SilencesError> {
        let silences = reader.read(chosen.bucket(), &chosen.keys).await?;
        Ok(Some(told((&chosen.namespace, &chosen.pipeline), silences, chosen.bucket().now(), options)))
    };
    tell(&options.watch, format, look, write).await
}

/// Prints those that a console tells.
async fn list_shown(options: &ListOptions, shown: &Shown, format: OutputFormat) -> Result<(), SilencesError> {
    let look = async || -> Result<Option<Told<Listing>>, SilencesError> {
        let (silences, more) = silences(shown).await?;
        let mut told = told((&shown.namespace, &shown.pipeline), silences, shown.now(), options);
        told.notes.extend((more > 0).then(|| format!("there are {more} more; the bucket has all")));
        Ok(Some(told))
    };
    tell(&options.watch, format, look, write).await
}

/// What is told of these.
fn told(
    (namespace, pipeline): (&Name, &Name),
    silences: Silences,
    now: Timestamp,
    options: &ListOptions,
) -> Told<Listing> {
    let is_wanted = |state: &str| options.all || state != "over";
    let (silences, passed) = standing(silences, now, is_wanted);
    // A document has them, too.
    let is_document = options.output.format().document().is_some();
    let notes = if is_document { Vec::new() } else { notes_of_passed(&passed, "silence") };
    Told { answer: Listing { namespace: namespace.clone(), pipeline: pipeline.clone(), silences, passed }, notes }
}

/// Those that are wanted, the newest first, and what is none.
fn standing(silences: Silences, now: Timestamp, is_wanted: impl Fn(&str) -> bool) -> (Vec<Listed>, Vec<PassedObject>) {
    let Silences { all, mut passed } = silences;
    let mut listed = Vec::new();
    for silence in all {
        let state = silence.silence.state(now).as_str();
        match silence_filter(&silence.silence) {
            Ok(_) if is_wanted(state) => listed.push(Listed { state, silence }),
            Ok(_) => {}
            Err(error) => {
                let SilenceKey { site, id } = &silence.key;
                passed.push(PassedObject { key: format!("{site}/{id}"), why: error.to_string() });
            }
        }
    }
    listed.sort_by(|one, other| other.silence.key.id.cmp(&one.silence.key.id));
    (listed, passed)
}

fn write(out: &mut impl Write, listing: &Listing, format: OutputFormat) -> io::Result<()> {
    let mut table = Table::new([
        ("SILENCE", Align::Left),
        ("SITE", Align::Left),
        ("STATE", Align::Left),
        ("FROM (UTC)", Align::Left),
        ("UNTIL (UTC)", Align::Left),
        ("TRAINING", Align::Left),
        ("BY", Align::Left),
        ("MATCH", Align::Left),
        ("WHY", Align::Left),
    ]);
    for Listed { state, silence: KeptSilence { key, silence } } in &listing.silences {
        table.row([
            key.id.to_string(),
            key.site.to_string(),
            (*state).to_owned(),
            time(silence.from()),
            time(silence.until()),
            if silence.excludes_from_training() { "left out" } else { "-" }.to_owned(),
            silence.by().to_owned(),
            silence.matches().to_owned(),
            silence.why().to_owned(),
        ]);
    }
    table.write(out, format)
}
