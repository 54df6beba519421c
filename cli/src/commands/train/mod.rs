//! `vedette train`: runs a training now.

mod cluster;
mod run;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use jiff::SignedDuration;
use serde::Serialize;
use thiserror::Error;
use vedette_contract::Name;
use vedette_core::reason::Outcome;
use vedette_crds::TrainingResult;
use vedette_service::Shutdown;

use self::cluster::Asked;
use super::moment::duration;
use super::near::listed;
use crate::kubectl::KubectlError;
use crate::local::{LocalError, Trained, WantedRun, train};
use crate::output::{Align, OutputError, OutputFormat, OutputOptions, Table, escaped, print};

/// Runs a training now, whatever its schedule and its triggers say.
///
/// The cluster of kubectl's current context is asked for the run, by the annotation vedette.io/run of the ModelTraining, so it takes kubectl
/// and the right to patch that object. The run is a Job of the cluster, as any other of the training is; with --wait the command stays until
/// it has ended. Without a cluster the training of a manifest runs on this machine, on what a data directory of `vedette local` has, while
/// that does not run. What the run is waited for and publishes no model ends with exit code 1.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette train kdd -n demo --wait --timeout 30m
  vedette train kdd -f manifests/demo.yaml --data-dir ./data")]
pub struct TrainOptions {
    /// Name of the training; may be left out where there is one
    #[arg(value_name = "TRAINING")]
    pub training: Option<Name>,

    /// Namespace of the training; that of kubectl's context where omitted, and of a manifest that names none `default`
    #[arg(short = 'n', long, value_name = "NAME")]
    pub namespace: Option<Name>,

    /// Context of kubectl; the current one where omitted
    #[arg(long, value_name = "NAME", conflicts_with = "data_dir")]
    pub context: Option<String>,

    /// Wait until the run has ended
    #[arg(long, conflicts_with = "data_dir")]
    pub wait: bool,

    /// Wait so long at most, such as 30m or 2h
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = duration)]
    pub timeout: Option<SignedDuration>,

    /// Without a cluster: run it on this data directory of `vedette local`
    #[arg(long, value_name = "DIR", requires = "filenames")]
    pub data_dir: Option<PathBuf>,

    /// Without a cluster: manifests that have the training; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE", requires = "data_dir")]
    pub filenames: Vec<PathBuf>,

    /// Without a cluster: where the trainer lies; beside this program where omitted
    #[arg(long, value_name = "DIR", requires = "data_dir")]
    pub bin_dir: Option<PathBuf>,

    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// Why nothing was trained.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The cluster was not asked, or refuses.
    #[error(transparent)]
    Kubectl(#[from] KubectlError),
    /// There is nothing to run.
    #[error("the namespace has no ModelTraining: say which with --namespace, and another cluster with --context")]
    NoTrainings,
    /// No training has this name.
    #[error("the namespace has no training {training}; the nearest are {}", listed(.near))]
    Unknown { training: String, near: Vec<String> },
    /// Which one is meant cannot be told.
    #[error("the namespace has several trainings: say which, one of {}", listed(.known))]
    Several { known: Vec<String> },
    /// Its object is none that this program knows.
    #[error("training {training} cannot be read: are its CRD and this program of the same version?")]
    Strange {
        training: String,
        #[source]
        source: serde_json::Error,
    },
    /// Nothing of it runs.
    #[error("training {training} is suspended: set spec.suspend to false")]
    Suspended { training: String },
    /// Its Jobs run elsewhere.
    #[error("training {training} runs at site {site}: name the cluster of that site with --context")]
    Elsewhere { training: String, site: String },
    /// Somebody deleted it.
    #[error("training {training} was deleted while its run was waited for")]
    Gone { training: String },
    /// Too many runs ended since.
    #[error(
        "Job {job} has ended, and the status of its training no longer says how: its result is in the bucket, `vedette models list` has its model"
    )]
    Forgotten { job: String },
    /// It takes longer.
    #[error("the run of training {training} had not ended after {seconds} s, and goes on: {told}")]
    NotInTime { training: String, seconds: u64, told: String },
    /// The gate spoke against the model.
    #[error(
        "the gate refused version {version}: {message}; `vedette models promote {version}` makes it current all the same"
    )]
    Refused { version: String, message: String },
    /// There is no model.
    #[error("{job} published no model ({outcome}): {message}")]
    NoModel { job: String, outcome: String, message: String },
    /// The run on this machine.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// Nobody waits any more.
    #[error("stopped; a run that was asked for goes on: `kubectl get modeltrainings` shows it")]
    Stopped,
    /// The answer could not be printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// What is told.
#[derive(Debug, Serialize)]
struct Report {
    namespace: String,
    training: String,
    /// The value of the annotation that asked for the run, in a cluster.
    request: Option<String>,
    /// What came of the run, where it was waited for.
    result: Option<TrainingResult>,
}

/// Runs it, or has it run.
///
/// # Errors
/// When it does not run, or publishes no model while it is waited for.
pub(super) async fn run(options: &TrainOptions, shutdown: &Shutdown) -> Result<(), TrainError> {
    let report = match &options.data_dir {
        // It ends what runs by itself.
        Some(data_dir) => on_this_machine(options, data_dir.clone(), shutdown).await?,
        None => match shutdown.run_until_cancelled(in_cluster(options)).await {
            Some(report) => report?,
            None => return Err(TrainError::Stopped),
        },
    };
    let format = options.output.format();
    print(|out| write(out, &report, format))?;
    report.result.map_or(Ok(()), judged)
}

async fn in_cluster(options: &TrainOptions) -> Result<Report, TrainError> {
    let asked = cluster::ask(options).await?;
    let result = if options.wait { Some(cluster::follow(options, &asked).await?) } else { None };
    let Asked { namespace, training, request } = asked;
    Ok(Report { namespace, training, request: Some(request), result })
}

async fn on_this_machine(options: &TrainOptions, data_dir: PathBuf, shutdown: &Shutdown) -> Result<Report, TrainError> {
    let TrainOptions { training, namespace, filenames, bin_dir, .. } = options;
    let wanted = WantedRun {
        filenames,
        namespace: namespace.as_ref(),
        training: training.as_ref(),
        data_dir: &data_dir,
        bin_dir: bin_dir.as_deref(),
    };
    let Trained { namespace, training, result } = train(&wanted, shutdown).await?;
    let (namespace, training) = (namespace.to_string(), training.to_string());
    Ok(Report { namespace, training, request: None, result: Some(result) })
}

/// A run that publishes nothing is not what was wanted.
fn judged(result: TrainingResult) -> Result<(), TrainError> {
    let TrainingResult { job, outcome, version, message, .. } = result;
    match (Outcome::read(&outcome), version) {
        (Some(Outcome::Published), _) => Ok(()),
        (Some(Outcome::GateRefused), Some(version)) => Err(TrainError::Refused { version, message }),
        (Some(Outcome::GateRefused | Outcome::NotEnoughData | Outcome::Failed) | None, _) => {
            Err(TrainError::NoModel { job, outcome, message })
        }
    }
}

fn write(out: &mut impl Write, report: &Report, format: OutputFormat) -> io::Result<()> {
    let Report { namespace, training, request, result } = report;
    if let Some(document) = format.document() {
        return document.write(out, report);
    }
    if let Some(result) = result {
        return told(result).write(out, format);
    }
    let request = request.as_deref().unwrap_or_default();
    if !format.is_for_people() {
        return writeln!(out, "{}", escaped(request));
    }
    let (namespace, training) = (escaped(namespace), escaped(training));
    writeln!(out, "a run of training {namespace}/{training} was asked for at {request}")?;
    writeln!(out, "`kubectl get modeltraining {training} --namespace {namespace} --watch` shows how it goes")
}

fn told(result: &TrainingResult) -> Table {
    let TrainingResult { job, outcome, version, auroc, records, message, finished_at: _, report, search: _ } = result;
    let unknown = || "-".to_owned();
    let mut table = Table::new([
        ("RUN", Align::Left),
        ("OUTCOME", Align::Left),
        ("VERSION", Align::Left),
        ("RECORDS", Align::Right),
        ("AUROC", Align::Right),
        ("MESSAGE", Align::Left),
    ])
    .with_further([("REPORT", Align::Left)]);
    table.row([
        job.clone(),
        outcome.clone(),
        version.clone().unwrap_or_else(unknown),
        records.to_string(),
        auroc.map_or_else(unknown, |auroc| format!("{auroc:.4}")),
        message.clone(),
        report.clone().unwrap_or_else(unknown),
    ]);
    table
}
