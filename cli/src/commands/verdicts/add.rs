//! `vedette verdicts add`: says what an alert, or all alerts of an incident, turned out to be.

use std::io::{self, Write};

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use vedette_contract::Name;
use vedette_contract::console::VerdictSent;
use vedette_contract::verdict::{Finding, JudgedAlert, JudgedIncident, Verdict, VerdictFields, VerdictKey};
use vedette_registry::verdicts::{self, KeptVerdict};

use super::{VerdictsError, shown, words};
use crate::commands::people::{person, reason, user};
use crate::commands::pipeline::{Chosen, PipelineOptions, Shown};
use crate::commands::writer::writer;
use crate::commands::{alerts, incidents};
use crate::output::{OutputFormat, OutputOptions, escaped, print};

/// The site of a data directory, unless another is named.
const LOCAL: &str = "local";

/// Says what an alert, or all alerts of an incident, turned out to be: an anomaly, or what was to be expected.
///
/// The alert or incident is looked for in the archive, as `alerts show` and `incidents show` do, and the verdict says by which model
/// it was and when. A verdict is not changed: a later one of the same takes its place, whichever site gives it. Trainings count them,
/// and say in their reports how many of the judged alerts of each model version were anomalies; nothing is learned from them. An
/// incident counts for the alerts that it has now, by the model of its example.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("judged").required(true))]
#[command(group = clap::ArgGroup::new("writing").arg("bucket_endpoint").requires("site"))]
#[command(after_help = "Examples:
  vedette verdicts add --alert 7c9e6679-7425-40de-944b-e07fc1f90ae7 --verdict expected --by ada --why backup --bucket http://seaweedfs:8333 --site east -n demo
  vedette verdicts add --incident e10ccd88-6b1b-5425-8e1e-5a86f19dd1c5 --verdict anomaly --by ada --why exfiltration --console http://127.0.0.1:8090 --console-token-file token -n demo")]
pub struct AddOptions {
    /// Whose alerts.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// Of which alert, by the `uuid` of its record
    #[arg(long, value_name = "UUID", group = "judged", allow_hyphen_values = true, value_parser = NonEmptyStringValueParser::new())]
    pub alert: Option<String>,
    /// Where it was detected, if alerts of several sites have this uuid; otherwise the last of all is judged
    #[arg(long, value_name = "NAME", conflicts_with = "incident")]
    pub alert_site: Option<Name>,
    /// Of all alerts of which incident, by its id
    #[arg(long, value_name = "ID", group = "judged", allow_hyphen_values = true)]
    pub incident: Option<String>,
    /// What it turned out to be
    #[arg(long, value_name = "VERDICT")]
    pub verdict: Finding,
    /// Who says so; your user name where omitted
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, value_parser = person)]
    pub by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = reason)]
    pub why: String,
    /// Site whose bucket this is, which alone writes the verdict
    #[arg(long, value_name = "NAME")]
    pub site: Option<Name>,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Adds it and prints what it is.
pub(super) async fn add(options: &AddOptions) -> Result<(), VerdictsError> {
    let AddOptions { pipeline, alert, alert_site, incident, verdict, by, why, site, output } = options;
    if let Some(shown) = pipeline.shown().await? {
        let (added, format) = (add_shown(options, &shown).await?, output.format());
        return Ok(print(|out| write(out, &added, &shown.pipeline, format))?);
    }
    let by = by.clone().or_else(user).ok_or(VerdictsError::Nobody)?;
    let chosen = pipeline.choose().await?;
    chosen.check_sites(site.as_slice()).await?;
    let site = site.clone().map_or_else(|| LOCAL.parse(), Ok)?;
    let fields = VerdictFields {
        alert: judged_alert(&chosen, alert_site.as_slice(), alert.as_deref()).await?,
        incident: judged_incident(&chosen, incident.as_deref()).await?,
        finding: Some(*verdict),
        by: Some(by),
        why: Some(why.clone()),
        // The clocks of all who give one are one.
        at: Some(chosen.bucket().now()),
    };
    let chance = uuid::Uuid::new_v4().as_fields().0;
    let added = verdicts::add(chosen.bucket(), &chosen.keys, (&site, chance), Verdict::try_from(fields)?).await?;
    let format = output.format();
    Ok(print(|out| write(out, &added, &chosen.pipeline, format))?)
}

/// Has a console add it, of what that keeps.
async fn add_shown(options: &AddOptions, shown: &Shown) -> Result<KeptVerdict, VerdictsError> {
    let AddOptions { alert, alert_site, incident, verdict, by, why, site, .. } = options;
    let writer = writer(shown, site.as_ref(), by.as_ref()).await?;
    let alert = match alert {
        Some(uuid) => {
            let found = alerts::shown::find(shown, alert_site.as_slice(), uuid).await?;
            if found.alert.simulated {
                return Err(JudgedAlert::simulated(uuid).into());
            }
            Some(found.id)
        }
        None => None,
    };
    let incident = match incident {
        Some(id) => Some(incidents::shown::find(shown, &[], &id.to_ascii_lowercase()).await?.id.to_string()),
        None => None,
    };
    let sent = VerdictSent { alert, incident, verdict: *verdict, why: why.clone(), by: writer.sent };
    shown::give(shown, &sent).await
}

async fn judged_alert(
    chosen: &Chosen,
    sites: &[Name],
    uuid: Option<&str>,
) -> Result<Option<JudgedAlert>, VerdictsError> {
    let Some(uuid) = uuid else { return Ok(None) };
    let alerts::find::Found { key, alert, .. } = alerts::find::find(chosen, sites, uuid).await?;
    if alert.simulated {
        return Err(JudgedAlert::simulated(uuid).into());
    }
    Ok(Some(JudgedAlert {
        uuid: uuid.to_owned(),
        site: key.object.origin.site,
        detected_utc: alert.detected_utc,
        model_version: alert.model_version.as_ref().and_then(|version| version.parse().ok()),
    }))
}

async fn judged_incident(chosen: &Chosen, id: Option<&str>) -> Result<Option<JudgedIncident>, VerdictsError> {
    let Some(id) = id else { return Ok(None) };
    let incident = incidents::find::find(chosen, &[], &id.to_ascii_lowercase()).await?;
    Ok(Some(JudgedIncident::of(&incident)))
}

fn write(out: &mut impl Write, added: &KeptVerdict, pipeline: &Name, format: OutputFormat) -> io::Result<()> {
    let KeptVerdict { key: VerdictKey { site, id }, sha256: _, verdict } = added;
    format.write_added(out, added, id, |out| {
        let [what, judged, alerts, version] = words(verdict.judged());
        let of = if what == "incident" { format!(", {alerts} alerts") } else { String::new() };
        let (judged, by, finding) = (escaped(&judged), escaped(verdict.by()), verdict.finding().as_str());
        writeln!(
            out,
            "verdict {id} of pipeline {pipeline}: {what} {judged}{of} of model {version} is {finding}, by {by}, written by site {site}"
        )?;
        writeln!(
            out,
            "a later verdict of the same {what} takes its place; the next training reports what all of them come to"
        )
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: AddOptions,
    }

    #[test]
    fn what_is_said_may_begin_as_an_option_does() {
        for judged in ["--alert", "--incident"] {
            let words = ["add", "--data-dir", "x", "--verdict", "expected", "--why", "- see 7", "--by", "-ada", judged];
            let words = words.into_iter().chain(["-7"]);
            let AddOptions { alert, incident, why, by, .. } = Command::try_parse_from(words).unwrap().options;
            let said = [alert.or(incident), by, Some(why)].map(Option::unwrap);
            assert_eq!(said, ["-7", "-ada", "- see 7"], "{judged}");
        }
    }
}
