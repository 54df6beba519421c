//! `vedette alerts show`: everything there is to know of one alert.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;
use serde_json::value::RawValue;
use vedette_contract::Name;
use vedette_contract::alert::Alert;
use vedette_contract::fields::ADDED;

use super::AlertsError;
use super::find::{Found, find};
use super::reasons::reasons;
use super::shown::{self, KeptAlert};
use crate::commands::pipeline::{PipelineOptions, Shown};
use crate::commands::record::fields;
use crate::output::{Align, OutputFormat, OutputOptions, Table, print, time, write_title};

/// Shows why a record alerted: each reason beside what is usual where the model learned, and the record as it was archived. The
/// archive is read from the newest alerts back until it is found.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette alerts show 7c9e6679-7425-40de-944b-e07fc1f90ae7 --data-dir ./data -n demo
  vedette alerts show 7c9e6679-7425-40de-944b-e07fc1f90ae7 --console http://127.0.0.1:8090 -n demo --pipeline kdd -o json")]
pub struct ShowOptions {
    /// The `uuid` of its record
    #[arg(value_name = "UUID")]
    pub uuid: String,
    /// Whose alert.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// Only alerts of this site are looked at; may be repeated
    #[arg(long = "site", value_name = "NAME")]
    pub sites: Vec<Name>,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// What is told.
#[derive(Serialize)]
struct Told {
    namespace: Name,
    pipeline: Name,
    site: Name,
    /// The object, or the delta of one that is open; a console does not tell.
    archived_in: Option<String>,
    #[serde(flatten)]
    alert: Alert,
    /// All of it, as it was archived.
    record: Box<RawValue>,
}

/// Prints it.
pub(super) async fn show(options: &ShowOptions) -> Result<(), AlertsError> {
    let told = match options.pipeline.shown().await? {
        Some(shown) => find_shown(&shown, options).await?,
        None => {
            let chosen = options.pipeline.choose().await?;
            let Found { key, alert, record } = find(&chosen, &options.sites, &options.uuid).await?;
            Told {
                namespace: chosen.namespace.clone(),
                pipeline: chosen.pipeline.clone(),
                site: key.object.origin.site.clone(),
                archived_in: Some(key.to_string()),
                alert,
                record,
            }
        }
    };
    let format = options.output.format();
    Ok(print(|out| write(out, &told, format))?)
}

/// As a console keeps it.
async fn find_shown(shown: &Shown, options: &ShowOptions) -> Result<Told, AlertsError> {
    let KeptAlert { id: _, site, alert, json } = shown::find(shown, &options.sites, &options.uuid).await?;
    let unread = |_| AlertsError::NotKept { uuid: options.uuid.clone(), near: Vec::new() };
    let record = RawValue::from_string(json).map_err(unread)?;
    let (namespace, pipeline) = (shown.namespace.clone(), shown.pipeline.clone());
    Ok(Told { namespace, pipeline, site, archived_in: None, alert, record })
}

fn write(out: &mut impl Write, told: &Told, format: OutputFormat) -> io::Result<()> {
    if let Some(document) = format.document() {
        return document.write(out, told);
    }
    let Told { namespace, pipeline, site, archived_in, alert, record } = told;
    let Alert { uuid, detected_utc, severity, score, threshold, model_version, alert_text, reasons: all, simulated } =
        alert;
    let unknown = || "-".to_owned();
    let mut facts = Table::new([("", Align::Left), ("", Align::Left)]);
    for (name, value) in [
        ("uuid", uuid.clone().unwrap_or_else(unknown)),
        ("detected", format!("{} UTC", time(*detected_utc))),
        ("site", site.to_string()),
        ("pipeline", format!("{namespace}/{pipeline}")),
        ("severity", severity.as_str().to_owned()),
        ("score", format!("{} (threshold {})", super::score(*score), super::score(*threshold))),
        ("model", model_version.clone().unwrap_or_else(unknown)),
        ("text", alert_text.clone()),
        ("archived in", archived_in.clone().unwrap_or_else(unknown)),
    ] {
        facts.row([name.to_owned(), value]);
    }
    if *simulated {
        facts.row(["simulated".to_owned(), "yes: nobody is told of it, and nothing is learned from it".to_owned()]);
    }
    facts.write(out, format)?;
    write_title(out, "because of", format)?;
    reasons(all).write(out, format)?;
    write_title(out, "the record", format)?;
    // What the detector added stands above.
    fields(record.get(), &ADDED).write(out, format)
}
