//! `vedette silences end`: ends a silence now.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use vedette_contract::Name;
use vedette_contract::console::{EndSent, EndedView};
use vedette_contract::silence::{Silence, SilenceKey};
use vedette_registry::silences::{self, Ended, KeptSilence, SilenceReader, Silences};

use super::SilencesError;
use super::shown::{self, kept};
use crate::commands::pipeline::{PipelineError, PipelineOptions, Shown};
use crate::commands::writer::{Writer, writer};
use crate::output::{OutputFormat, OutputOptions, print, time};

/// Ends a silence now: its end is set to now by a conditional PUT, and it stays where it is as the record of what was silenced. One that
/// has not begun is deleted. An incident that stays open is told with its next alert.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("writing").arg("bucket_endpoint").requires("site"))]
#[command(after_help = "Examples:
  vedette silences end 20261123T084210Z-0a1b2c3d --bucket http://seaweedfs:8333 --site east -n demo
  vedette silences end 20261123T084210Z-0a1b2c3d --console http://127.0.0.1:8090 --console-token-file token -n demo -o json")]
pub struct EndOptions {
    /// Its id
    #[arg(value_name = "SILENCE")]
    pub silence: String,
    /// Whose silence.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// Site whose bucket this is: a silence is written there only where it was added
    #[arg(long, value_name = "NAME")]
    pub site: Option<Name>,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ended,
    /// It was over before.
    Over,
    /// It had not begun.
    Deleted,
}

#[derive(Debug, Serialize)]
struct Report {
    outcome: Outcome,
    #[serde(flatten)]
    silence: KeptSilence,
}

/// Ends it and prints what became of it.
pub(super) async fn end(options: &EndOptions) -> Result<(), SilencesError> {
    if let Some(shown) = options.pipeline.shown().await? {
        return end_shown(options, &shown).await;
    }
    let chosen = options.pipeline.choose().await?;
    let silences = SilenceReader::default().read(chosen.bucket(), &chosen.keys).await?;
    let unknown = || unknown(options, &chosen.pipeline, &silences);
    let meant = silences.all.iter().find(|kept| kept.key.id.as_str() == options.silence);
    let key = &meant.ok_or_else(unknown)?.key;
    if let Some(here) = options.site.as_ref().filter(|here| **here != key.site) {
        let SilenceKey { site: writer, id } = key.clone();
        return Err(SilencesError::OtherSite { id, writer, here: here.clone() });
    }
    let (outcome, silence): (Outcome, Silence) =
        match silences::end(chosen.bucket(), &chosen.keys, key, chosen.bucket().now()).await? {
            Ended::Now(silence) => (Outcome::Ended, silence),
            Ended::Before(silence) => (Outcome::Over, silence),
            Ended::Deleted(silence) => (Outcome::Deleted, silence),
            Ended::Missing => return Err(unknown()),
        };
    let report = Report { outcome, silence: KeptSilence { key: key.clone(), silence } };
    let format = options.output.format();
    Ok(print(|out| write(out, &report, format))?)
}

/// Has a console end it.
async fn end_shown(options: &EndOptions, shown: &Shown) -> Result<(), SilencesError> {
    let Writer { by: _, sent: by } = writer(shown, options.site.as_ref(), None).await?;
    let (silences, _) = shown::silences(shown).await?;
    let meant = silences.all.iter().find(|kept| kept.key.id.as_str() == options.silence);
    let meant = meant.ok_or_else(|| unknown(options, &shown.pipeline, &silences))?;
    let sent = EndSent { namespace: shown.namespace.clone(), pipeline: shown.pipeline.clone(), by };
    let path = format!("/silences/{}/end", meant.key.id);
    let EndedView { silence, is_deleted } = shown.console.post(&path, &sent).await.map_err(PipelineError::from)?;
    let silence = kept(silence)?;
    // An end that it had before is left as it is.
    let was_over = silence.silence.until() == meant.silence.until();
    let outcome = match (is_deleted, was_over) {
        (true, _) => Outcome::Deleted,
        (false, true) => Outcome::Over,
        (false, false) => Outcome::Ended,
    };
    let (report, format) = (Report { outcome, silence }, options.output.format());
    Ok(print(|out| write(out, &report, format))?)
}

fn unknown(options: &EndOptions, pipeline: &Name, silences: &Silences) -> SilencesError {
    let known = silences.all.iter().rev().map(|kept| kept.key.id.clone()).collect();
    SilencesError::Unknown { pipeline: pipeline.clone(), meant: options.silence.clone(), known }
}

fn write(out: &mut impl Write, report: &Report, format: OutputFormat) -> io::Result<()> {
    let Report { outcome, silence: KeptSilence { key: SilenceKey { id, .. }, silence } } = report;
    let until = time(silence.until());
    match (format.document(), outcome) {
        (Some(document), _) => document.write(out, report),
        (None, _) if !format.is_for_people() => writeln!(out, "{id}\t{until}"),
        (None, Outcome::Ended) => writeln!(out, "silence {id} ended at {until} UTC"),
        (None, Outcome::Over) => writeln!(out, "silence {id} was over already, at {until} UTC"),
        (None, Outcome::Deleted) => writeln!(out, "silence {id} had not begun, and is deleted"),
    }
}
