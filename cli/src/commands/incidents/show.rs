//! `vedette incidents show`: everything there is to know of one incident.

use std::io::{self, Write};

use clap::Args;
use jiff::Timestamp;
use vedette_contract::Name;
use vedette_contract::incident::{AlertOrigin, Example, Incident, IncidentReason};

use super::IncidentsError;
use super::find::find;
use super::shown;
use crate::commands::pipeline::PipelineOptions;
use crate::commands::record::fields;
use crate::output::{Align, OutputFormat, OutputOptions, Table, print, time, write_title};

/// Shows how an incident stands: since when, how many alerts, how bad, the fields behind them, and as its example the alert with the
/// highest score.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette incidents show e10ccd88-6b1b-5425-8e1e-5a86f19dd1c5 --data-dir ./data -n demo
  vedette incidents show e10ccd88-6b1b-5425-8e1e-5a86f19dd1c5 --console http://127.0.0.1:8090 -n demo --pipeline kdd -o json")]
pub struct ShowOptions {
    /// Its id, the `dedup_key` of its messages
    #[arg(value_name = "ID")]
    pub id: String,
    /// Whose incident.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// Only incidents of this site are looked at; may be repeated
    #[arg(long = "site", value_name = "NAME")]
    pub sites: Vec<Name>,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Prints it.
pub(super) async fn show(options: &ShowOptions) -> Result<(), IncidentsError> {
    let incident = match options.pipeline.shown().await? {
        Some(shown) => shown::find(&shown, &options.sites, &options.id).await?,
        None => find(&options.pipeline.choose().await?, &options.sites, &options.id).await?,
    };
    let format = options.output.format();
    Ok(print(|out| write(out, &incident, format))?)
}

fn write(out: &mut impl Write, incident: &Incident, format: OutputFormat) -> io::Result<()> {
    if let Some(document) = format.document() {
        return document.write(out, incident);
    }
    let Example { origin: AlertOrigin { topic, partition, offset }, alert } = &incident.example;
    let at = |at: Timestamp| format!("{} UTC", time(at));
    let mut facts = Table::new([("", Align::Left), ("", Align::Left)]);
    for (name, value) in [
        ("id", incident.id.to_string()),
        ("site", incident.site.to_string()),
        ("pipeline", format!("{}/{}", incident.namespace, incident.pipeline)),
        ("status", super::status(incident.status).to_owned()),
        ("severity", incident.severity.as_str().to_owned()),
        ("alerts", incident.alerts.to_string()),
        ("in common", incident.common()),
        ("first alert", at(incident.first_utc)),
        ("last alert", at(incident.last_utc)),
        ("closed", incident.closed_utc.map_or_else(|| "-".to_owned(), at)),
        ("highest score", incident.highest_score.map_or_else(|| "-".to_owned(), |score| score.to_string())),
        ("revision", incident.revision.to_string()),
        ("example", format!("offset {offset} of partition {partition} of topic {topic}")),
    ] {
        facts.row([name.to_owned(), value]);
    }
    facts.write(out, format)?;
    write_title(out, "because of", format)?;
    reasons(&incident.reasons).write(out, format)?;
    let Some(alert) = alert else { return Ok(()) };
    write_title(out, "the example", format)?;
    fields(alert.json(), &[]).write(out, format)
}

fn reasons(reasons: &[IncidentReason]) -> Table {
    let mut table = Table::new([
        ("FIELD", Align::Left),
        ("ALERTS", Align::Right),
        ("WEIGHT", Align::Right),
        ("LAST VALUE", Align::Left),
    ]);
    for IncidentReason { field, alerts, weight, value } in reasons {
        let weight = format!("{:.2}", *weight as f64 / 1e6);
        table.row([field.clone(), alerts.to_string(), weight, value.clone().unwrap_or_else(|| "-".to_owned())]);
    }
    table
}
