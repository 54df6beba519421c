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
use crate::commands::missed::notes_of_passed;
use crate::commands::pipeline::PipelineOptions;
use crate::commands::watch::{Told, WatchOptions, tell};
use crate::output::{Align, OutputFormat, OutputOptions, Table, time};

/// Lists the silences of a pipeline that are in force or to come, of all sites, the newest first; and which objects among them are
/// none, as notifiers pass them.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette silences list --data-dir ./data -n demo
  vedette silences list --bucket http://seaweedfs:8333 -n demo --pipeline kdd --all -o yaml")]
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
    let chosen = options.pipeline.choose().await?;
    let format = options.output.format();
    let mut reader = SilenceReader::default();
    let look = async || -> Result<Option<Told<Listing>>, SilencesError> {
        let silences = reader.read(chosen.bucket(), &chosen.keys).await?;
        let is_wanted = |state: &str| options.all || state != "over";
        let (silences, passed) = standing(silences, chosen.bucket().now(), is_wanted);
        // A document has them, too.
        let notes = if format.document().is_none() { notes_of_passed(&passed, "silence") } else { Vec::new() };
        let (namespace, pipeline) = (chosen.namespace.clone(), chosen.pipeline.clone());
        Ok(Some(Told { answer: Listing { namespace, pipeline, silences, passed }, notes }))
    };
    tell(&options.watch, format, look, write).await
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
