//! `vedette silences add`: has people not told of some alerts for a time.

use std::io::{self, Write};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use vedette_contract::Name;
use vedette_contract::WrittenError;
use vedette_contract::console::SilenceSent;
use vedette_contract::silence::{Silence, SilenceId, SilenceKey};
use vedette_filters::{SilenceEnd, WantedSilence};
use vedette_registry::silences::{self, KeptSilence};

use super::shown::kept;
use super::{LOCAL, SilencesError};
use crate::commands::moment::{Moment, duration};
use crate::commands::people::{person, reason, user};
use crate::commands::pipeline::{PipelineError, PipelineOptions, Shown};
use crate::commands::writer::{Writer, writer};
use crate::output::{OutputFormat, OutputOptions, escaped, print, time};

/// Has people not told of the alerts that match, from now or a time on and before another.
///
/// The match is a CEL expression in the words of a receiver's filter (site, severity, fields, example, …), asked of each alert when it
/// is detected. Alerts that match are archived and counted in their incidents as ever; an incident all of whose alerts are silenced
/// is not told, and it is as soon as one joins that is not. A silence that is added at one site is in force at all sites that share
/// the bucket within seconds, elsewhere when replication has brought it. With --exclude-from-training no model learns from the records
/// that match and were made in that time; the match may then speak of namespace, pipeline, site and example alone.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("end").required(true))]
#[command(group = clap::ArgGroup::new("writing").arg("bucket_endpoint").requires("site"))]
#[command(after_help = "Examples:
  vedette silences add --bucket http://seaweedfs:8333 --site east -n demo --match 'site == \"west\" && example.service == \"ftp\"' --for 2h --why backup
  vedette silences add --console http://127.0.0.1:8090 --console-token-file token -n demo --match true --until 2126-11-23T20:00:00Z --by ada --why 'a new switch'")]
pub struct AddOptions {
    /// Whose alerts.
    #[command(flatten)]
    pub pipeline: PipelineOptions,
    /// Which of them, as a CEL expression
    #[arg(long = "match", value_name = "CEL", allow_hyphen_values = true)]
    pub matches: String,
    /// From when on, such as 2026-11-23T08:00:00Z; from now where omitted
    #[arg(long, value_name = "TIME")]
    pub from: Option<Moment>,
    /// For how long, such as 30m, 2h or 3d
    #[arg(long = "for", value_name = "DURATION", group = "end", value_parser = duration)]
    pub lasting: Option<SignedDuration>,
    /// Before when, such as 2026-11-23T20:00:00Z
    #[arg(long, value_name = "TIME", group = "end")]
    pub until: Option<Moment>,
    /// Who wants it; your user name where omitted
    #[arg(long, value_name = "NAME", allow_hyphen_values = true, value_parser = person)]
    pub by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = reason)]
    pub why: String,
    /// No model learns from the records that match and were made in that time
    #[arg(long)]
    pub exclude_from_training: bool,
    /// Site whose bucket this is, which alone writes the silence
    #[arg(long, value_name = "NAME")]
    pub site: Option<Name>,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Adds it and prints what it is.
pub(super) async fn add(options: &AddOptions) -> Result<(), SilencesError> {
    if let Some(shown) = options.pipeline.shown().await? {
        return add_shown(options, &shown).await;
    }
    let by = options.by.clone().or_else(user).ok_or(SilencesError::Nobody)?;
    // The clocks of all who add and end are one.
    let chosen = options.pipeline.choose().await?;
    let now = chosen.bucket().now();
    let silence = silence(options, by, now)?;
    let site = options.site.clone().map_or_else(|| LOCAL.parse(), Ok)?;
    let chance = uuid::Uuid::new_v4().as_fields().0;
    let key = SilenceKey { site, id: SilenceId::new(now, chance) };
    silences::add(chosen.bucket(), &chosen.keys, &key, &silence).await?;
    let added = KeptSilence { key, silence };
    let format = options.output.format();
    Ok(print(|out| write(out, &added, &chosen.pipeline, now, format))?)
}

/// Has a console add it.
async fn add_shown(options: &AddOptions, shown: &Shown) -> Result<(), SilencesError> {
    let Writer { by, sent: named } = writer(shown, options.site.as_ref(), options.by.as_ref()).await?;
    // What is wrong with it is said in the words of the command line.
    let silence = silence(options, by, shown.now())?;
    // How long it lasts is by the clock of the bucket, which ours need not be.
    let whole = options.lasting.filter(|lasting| lasting.subsec_nanos() == 0);
    let lasting_seconds = whole.and_then(|lasting| u32::try_from(lasting.as_secs()).ok());
    let sent = SilenceSent {
        namespace: shown.namespace.clone(),
        pipeline: shown.pipeline.clone(),
        matches: silence.matches().to_owned(),
        from: options.from.map(|from| from.0),
        until: lasting_seconds.is_none().then(|| silence.until()),
        lasting_seconds,
        why: silence.why().to_owned(),
        exclude_from_training: Some(silence.excludes_from_training()),
        by: named,
    };
    let added = shown.console.post("/silences", &sent).await.map_err(PipelineError::from)?;
    let (added, format) = (kept(added)?, options.output.format());
    Ok(print(|out| write(out, &added, &shown.pipeline, shown.now(), format))?)
}

/// What is to be added, all of whose rules hold.
fn silence(options: &AddOptions, by: String, now: Timestamp) -> Result<Silence, WrittenError> {
    let AddOptions { matches, from, lasting, until, why, exclude_from_training, .. } = options;
    let wanted = WantedSilence {
        matches: matches.clone(),
        from: from.map(|from| from.0),
        end: until.map(|until| SilenceEnd::At(until.0)).or(lasting.map(SilenceEnd::After)),
        by: Some(by),
        why: why.clone(),
        exclude_from_training: *exclude_from_training,
    };
    wanted.checked(now)
}

fn write(
    out: &mut impl Write,
    added: &KeptSilence,
    pipeline: &Name,
    now: Timestamp,
    format: OutputFormat,
) -> io::Result<()> {
    let KeptSilence { key: SilenceKey { site, id }, silence } = added;
    format.write_added(out, added, id, |out| {
        let (from, until, by) = (time(silence.from()), time(silence.until()), escaped(silence.by()));
        let state = silence.state(now).as_str();
        writeln!(
            out,
            "silence {id} of pipeline {pipeline} is {state}: from {from} to {until} UTC, by {by}, written by site {site}"
        )?;
        if silence.excludes_from_training() {
            writeln!(out, "no model learns from the records that it matches of that time")?;
        }
        writeln!(out, "`vedette silences end {id}` ends it")
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

    fn options(arguments: &[&str]) -> Result<AddOptions, clap::Error> {
        let always = ["add", "--data-dir", "x", "--why", "a test"];
        Command::try_parse_from([&always[..], arguments].concat()).map(|command| command.options)
    }

    fn said(arguments: &[&str]) -> Result<(String, String), String> {
        let now = "2026-11-23T08:00:00Z".parse().unwrap();
        let silence =
            silence(&options(arguments).unwrap(), "ada".to_owned(), now).map_err(|error| error.to_string())?;
        Ok((silence.from().to_string(), silence.until().to_string()))
    }

    #[test]
    fn a_silence_has_one_end() {
        let times = |from: &str, until: &str| Ok((format!("2026-11-{from}Z"), format!("2026-11-{until}Z")));
        assert_eq!(said(&["--match", "true", "--for", "2h"]), times("23T07:59:59", "23T10:00:00"));
        assert_eq!(
            said(&["--match", "true", "--from", "2026-11-24", "--for", "1d"]),
            times("24T00:00:00", "25T00:00:00")
        );
        assert_eq!(said(&["--match", "true", "--until", "2026-11-23T09:00:00Z"]), times("23T07:59:59", "23T09:00:00"));
        for wrong in
            [&["--match", "true"][..], &["--match", "true", "--for", "2h", "--until", "2026-11-24"], &["--for", "2h"]]
        {
            assert!(options(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_is_said_may_begin_as_an_option_does() {
        let words =
            ["add", "--data-dir", "x", "--for", "2h", "--match", "-1.0 < score", "--why", "- see 7", "--by", "-ada"];
        let AddOptions { matches, why, by, .. } = Command::try_parse_from(words).unwrap().options;
        assert_eq!((matches.as_str(), why.as_str(), by.as_deref()), ("-1.0 < score", "- see 7", Some("-ada")));
    }

    #[test]
    fn what_would_silence_nothing_is_refused_with_what_to_do() {
        for (arguments, complaint) in [
            (&["--match", "service == 1", "--for", "2h"][..], "example.service"),
            (&["--match", "alerts >", "--for", "2h"], "is not a CEL expression"),
            (&["--match", "true", "--until", "2026-11-23T07:59:59Z"], "must be after from"),
            (&["--match", "true", "--until", "2026-11-23T08:00:00Z"], "is over"),
            (&["--match", "true", "--from", "2026-11-22", "--for", "1h"], "is over"),
            (
                &["--match", "alerts > 1", "--for", "2h", "--exclude-from-training"],
                "with excludeFromTraining there are",
            ),
        ] {
            let refused = said(arguments).unwrap_err();
            assert!(refused.contains(complaint), "{arguments:?}: {refused}");
        }
        assert!(said(&["--match", "true", "--from", "2026-11-22", "--for", "1h", "--exclude-from-training"]).is_ok());
    }
}
