//! The whole flow on one machine, as `vedette local` sums it up.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use vedette_e2e::figure::Figure;
use vedette_e2e::local::{binary, repository};
use vedette_e2e::processes::{descendants, peak_resident_bytes};
use vedette_e2e::{LocalRun, RunError, pumps};

use crate::printed::{KAFKA, beside_kafka};
use crate::{MEGABYTE, figure};

pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

pub(crate) fn fixture(name: &str) -> String {
    repository().join("e2e/fixtures").join(name).display().to_string()
}

/// Runs to the end; returns the summary and the peak resident memory of the detector and the archiver, bytes.
fn watched(arguments: &[&str]) -> Result<(Value, f64, f64), RunError> {
    let mut run = LocalRun::start(arguments)?;
    let (mut detector, mut archiver) = (0, 0);
    let watched = run.wait_for("the end", PATIENCE, |run| {
        for child in descendants(run.pid()) {
            let peak = peak_resident_bytes(child.pid).unwrap_or(0);
            match child.name.as_str() {
                "vedette-detector" => detector = detector.max(peak),
                "vedette-archiver" => archiver = archiver.max(peak),
                _ => {}
            }
        }
        run.log().contains("Summary of")
    });
    // A run that ended between two looks is not a failure: its summary tells.
    if let Err(error @ RunError::Deadline { .. }) = watched {
        return Err(error);
    }
    Ok((run.summary(PATIENCE)?, detector as f64, archiver as f64))
}

/// A program on a manifest, after it has been on another for so long as the Java of a new broker compiles most of what it runs.
const WARMED: &str = r#""$0" local -f "$1" --for 120s --broker "$3" >/dev/null 2>&1 || exit
exec "$0" local -f "$2" --json --for 75s --broker "$3""#;

/// The summary of a run on an Apache Kafka of its own, which is not new.
fn on_kafka(manifest: &str) -> Result<Value, RunError> {
    let mut command = beside_kafka();
    command.args(["sh", "-c", WARMED]).arg(binary("vedette"));
    command.args([&fixture("warm-up.yaml"), &fixture(manifest), KAFKA]);
    LocalRun::start_by(command)?.summary(PATIENCE)
}

pub(crate) fn number(summary: &Value, path: &str) -> f64 {
    summary.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// 10,000 records a second for 60 s: the rate that was kept, the growth of lag, and memory.
pub(crate) fn flow() -> Result<Vec<Figure>, RunError> {
    let (summary, detector, archiver) = watched(&["local", "-f", &fixture("fast.yaml"), "--json", "--for", "75s"])?;
    let rate = number(&summary, "/records_generated") / number(&summary, "/seconds");
    Ok(vec![
        figure("whole flow, records enriched per second (asked: 10,000)", "records/s", rate, 10_000.0),
        figure(
            "whole flow, lag, median of the last third over the first",
            "records",
            number(&summary, "/lag_records/last_third"),
            number(&summary, "/lag_records/first_third").max(1.0),
        ),
        figure(
            "whole flow, records lost or twice",
            "records",
            number(&summary, "/lost") + number(&summary, "/duplicates"),
            1.0,
        ),
        figure("whole flow, detector peak resident", "MB", detector / MEGABYTE, 80.0),
        figure("whole flow, archiver peak resident", "MB", archiver / MEGABYTE, 120.0),
    ])
}

/// 2,000 records a second through an Apache Kafka, with either guarantee: from `utc` to a read-committed consumer.
pub(crate) fn latency() -> Result<Vec<Figure>, RunError> {
    let mut figures = Vec::new();
    for (guarantee, manifest, limit) in
        [("ExactlyOnce", "latency-exactly-once.yaml", 40.), ("AtLeastOnce", "latency-at-least-once.yaml", 20.)]
    {
        let summary = on_kafka(manifest)?;
        for (what, path, limit) in [
            ("alert latency, p99", "/latency_ms/p99", limit),
            ("alert latency, p50", "/latency_ms/p50", limit),
            ("enriched latency, p99", "/enriched_latency_ms/p99", limit),
        ] {
            let name = format!("{what}, 2,000 records/s {guarantee}");
            figures.push(figure(&name, "ms", number(&summary, path), limit));
        }
    }
    Ok(figures)
}

/// Two detectors on an Apache Kafka, whose model rolls twice: from `utc` to a read-committed consumer, of the records that came while it did.
pub(crate) fn rolls() -> Result<Vec<Figure>, RunError> {
    let summary = on_kafka("rolls.yaml")?;
    let rolled = summary["model_versions"].as_array().map_or(0, Vec::len);
    if rolled < 2 {
        return Err(RunError::Process(std::io::Error::other(format!("of two rolls there were {rolled}: {summary}"))));
    }
    Ok(vec![
        figure(
            "slowest record while a model rolls, two detectors",
            "ms",
            number(&summary, "/roll_latency_ms/max"),
            1000.,
        ),
        figure("records while a model rolls, p99", "ms", number(&summary, "/roll_latency_ms/p99"), 1000.),
    ])
}

/// The file of the literature, if it is here: VEDETTE_KDD, or where a checkout beside this one has it.
pub(crate) fn kdd_file() -> Option<PathBuf> {
    let path = std::env::var_os("VEDETTE_KDD")
        .map_or_else(|| repository().join("../shared/data/kddcup.data_10_percent.gz"), PathBuf::from);
    path.exists().then_some(path)
}

/// The file of the literature with .5 % anomalies.
pub(crate) fn kdd() -> Result<Vec<Figure>, RunError> {
    let Some(path) = kdd_file() else {
        println!("the KDD file is not here (set VEDETTE_KDD to its path): left out");
        return Ok(Vec::new());
    };
    let path = path.display().to_string();
    let demo = repository().join("manifests/demo.yaml").display().to_string();
    let (summary, _, _) = watched(&["local", "-f", &demo, "--json", "--for", "90s", "--dataset", &path])?;
    Ok(judged("KDD at .5 % anomalies", &summary))
}

/// Six columns of another kind with one planted kind of anomaly.
pub(crate) fn six_columns() -> Result<Vec<Figure>, RunError> {
    let directory = tempfile::tempdir().map_err(RunError::Process)?;
    let path = directory.path().join("pumps.csv");
    std::fs::write(&path, pumps::csv(20_000, 7)).map_err(RunError::Process)?;
    let (summary, _, _) = watched(&[
        "local",
        "-f",
        &fixture("six.yaml"),
        "--json",
        "--for",
        "60s",
        "--dataset",
        &path.display().to_string(),
    ])?;
    Ok(judged("six-column CSV", &summary))
}

/// What the labels say of a run with a budget of 5,000 alerts per million.
fn judged(data: &str, summary: &Value) -> Vec<Figure> {
    vec![
        figure(
            &format!("{data}, AUROC (peer: 2016 recipe)"),
            "",
            number(summary, "/auroc"),
            number(summary, "/model_versions/0/baseline_auroc"),
        ),
        figure(&format!("{data}, recall at the budget (peer: all)"), "", number(summary, "/recall"), 1.0),
        figure(
            &format!("{data}, alerts per million (peer: the budget)"),
            "per million",
            number(summary, "/alerts_per_million"),
            5000.0,
        ),
    ]
}
