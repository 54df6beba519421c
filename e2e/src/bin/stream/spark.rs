//! Spark's Structured Streaming beside the detector: reads the records, casts their columns, applies a forest of its own, and writes
//! enriched records and alerts.

use std::process::{Command, Stdio};

use serde::Deserialize;
use vedette_e2e::RunError;
use vedette_e2e::figure::{Limit, figure_within};
use vedette_e2e::local::repository;

use crate::bed::{self, BROKER, INPUT, LearnedModel, failed};
use crate::detector::detector;
use crate::input::fill_input;

/// What the job prints last.
#[derive(Debug, Deserialize)]
struct Told {
    records: f64,
    seconds: f64,
    cpu_seconds: f64,
}

pub(crate) fn beside_the_detector() -> Result<(), RunError> {
    let model = LearnedModel::learn()?;
    let records = fill_input()?;
    let Told { records: counted, seconds, cpu_seconds } = spark()?;
    let ours = detector("beside-spark", &model, records)?;
    let (times, share) = (Some(Limit::AtLeast(3.)), Some(Limit::AtMost(0.2)));
    figure_within(times, "detector beside Spark, local[2]", "records/s", ours.records_per_second, counted / seconds);
    let of_a_record = cpu_seconds * 1e6 / counted;
    figure_within(share, "detector beside Spark, CPU of a record", "us", ours.cpu_microseconds, of_a_record);
    Ok(())
}

/// Has Spark read the input to its end.
fn spark() -> Result<Told, RunError> {
    let [enriched, alerts] = ["spark-enriched", "spark-alerts"];
    [enriched, alerts].into_iter().try_for_each(bed::create_topic)?;
    let installed =
        std::env::var("VEDETTE_SPARK").map_err(|_| failed("VEDETTE_SPARK is what e2e/scripts/spark.sh prints"))?;
    let directory = tempfile::tempdir().map_err(RunError::Process)?;
    let output = Command::new(format!("{installed}/python/bin/python"))
        .arg(repository().join("e2e/spark/job.py"))
        .args([&format!("{installed}/jars"), BROKER, INPUT, enriched, alerts])
        .arg(directory.path())
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(RunError::Process)?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().last().map(serde_json::from_str) {
        Some(Ok(told)) if output.status.success() => Ok(told),
        _ => Err(RunError::Failed { status: output.status, log: text.into_owned() }),
    }
}
