//! `vedette archive verify`: whether the archive of a pipeline is whole, in a real bucket or in the data directory of
//! earlier local runs.

use std::io::{self, Write};

use clap::Args;
use thiserror::Error;
use vedette_archive::{Finding, VerifyReport, verify as verify_archive};
use vedette_contract::archive::Stream;
use vedette_streams::bucket::BucketError;

use crate::commands::pipeline::{PipelineError, PipelineOptions};
use crate::output::{Align, OutputError, OutputFormat, OutputOptions, Progress, Table, print};

/// Reads every object of the archive, of all sites: its bytes against its SHA-256, its records against its count, and the
/// chain of offsets of every partition. It only reads. Exit code 1 if something is wrong.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette archive verify --data-dir ./data --namespace demo --pipeline kdd
  vedette archive verify --bucket http://seaweedfs:8333 -n demo --pipeline kdd -o json")]
pub struct VerifyOptions {
    /// Whose archive.
    #[command(flatten)]
    pub pipeline: PipelineOptions,

    /// Only this stream; all where omitted
    #[arg(long, value_name = "STREAM")]
    pub stream: Option<Stream>,

    /// The same as --output json
    #[arg(long, conflicts_with = "output")]
    pub json: bool,

    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Why an archive was not found whole.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// There is no such pipeline.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The bucket could not be read.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// Something is wrong with the archive.
    #[error("the archive is not whole: {findings} findings")]
    NotWhole {
        /// How many.
        findings: usize,
    },
    /// The report could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Verifies and prints the report.
pub(super) async fn verify(options: &VerifyOptions) -> Result<(), VerifyError> {
    let chosen = options.pipeline.choose().await?;
    let mut told = Progress::new();
    let report = verify_archive(chosen.bucket(), &chosen.keys, options.stream, |report| {
        let VerifyReport { objects, records, findings, .. } = report;
        told.tell(|| format!("{objects} archive objects, {records} records, {} findings", findings.len()));
    })
    .await?;
    drop(told);
    let format = if options.json { OutputFormat::Json } else { options.output.format() };
    print(|out| write(out, &report, format))?;
    match report.findings.len() {
        0 => Ok(()),
        findings => Err(VerifyError::NotWhole { findings }),
    }
}

fn write(out: &mut impl Write, report: &VerifyReport, format: OutputFormat) -> io::Result<()> {
    if let Some(document) = format.document() {
        return document.write(out, report);
    }
    let VerifyReport { objects, records, bytes, open_deltas, findings } = report;
    if !findings.is_empty() {
        let mut table = Table::new([("KEY", Align::Left), ("FAULT", Align::Left), ("WHAT", Align::Left)]);
        for Finding { key, fault, what } in findings {
            table.row([key.clone(), format!("{fault:?}"), what.clone()]);
        }
        table.write(out, format)?;
        if format.is_for_people() {
            writeln!(out)?;
        }
    }
    writeln!(
        out,
        "{objects} objects, {records} records, {bytes} bytes, {open_deltas} deltas of open objects, {} findings",
        findings.len()
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::place::PlaceError;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: VerifyOptions,
    }

    fn options(arguments: &[&str]) -> Result<VerifyOptions, clap::Error> {
        Command::try_parse_from([&["verify", "--pipeline", "kdd"], arguments].concat()).map(|command| command.options)
    }

    #[test]
    fn it_takes_one_place_and_a_known_stream() {
        assert!(options(&["--data-dir", "x", "--stream", "alerts"]).is_ok());
        assert!(options(&["--data-dir", "x", "--json"]).unwrap().json);
        for wrong in [
            &["--data-dir", "x", "--bucket", "http://y"][..],
            &["--data-dir", "x", "--stream", "records"],
            &["--data-dir", "x", "--json", "--output", "yaml"],
        ] {
            assert!(options(wrong).is_err(), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn a_place_without_a_bucket_or_without_the_pipeline_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let options = options(&["--data-dir", &directory.path().display().to_string()]).unwrap();
        let error = verify(&options).await.unwrap_err();
        assert!(matches!(error, VerifyError::Pipeline(PipelineError::Place(PlaceError::NoData { .. }))), "{error}");
        std::fs::create_dir(directory.path().join("vedette")).unwrap();
        let error = verify(&options).await.unwrap_err();
        assert!(matches!(error, VerifyError::Pipeline(PipelineError::NoPipelines { .. })), "{error}");
    }

    #[tokio::test]
    async fn a_stranger_in_the_archive_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let stranger = directory.path().join("vedette/default/kdd/enriched_data/2026-11-23/local");
        std::fs::create_dir_all(&stranger).unwrap();
        std::fs::write(stranger.join("stranger.jsonl.zst"), "x").unwrap();
        let mut options = options(&["--data-dir", &directory.path().display().to_string()]).unwrap();
        let error = verify(&options).await.unwrap_err();
        assert!(matches!(error, VerifyError::NotWhole { findings: 1 }), "{error}");
        options.pipeline.pipeline = Some("kd".parse().unwrap());
        let error = verify(&options).await.unwrap_err().to_string();
        assert!(error.contains("no pipeline kd; the nearest are kdd"), "{error}");
    }
}
