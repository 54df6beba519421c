//! Prints the figures that the project promises, and writes them to target/bench.json: a list of
//! {name, unit, ours, peer, ratio}. The peer is another program in the same run, or the limit that was promised.
//!
//! `make bench` runs all; `make bench BENCH="flow latency"` runs some. None is a test: nothing fails by the clock.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use vedette_e2e::figure::Figure;
use vedette_e2e::local::{binary, repository};
use vedette_e2e::processes::{descendants, peak_resident_bytes};
use vedette_e2e::{LocalRun, RunError, pumps};

const PATIENCE: Duration = Duration::from_secs(600);
const MEGABYTE: f64 = 1e6;

fn figure(name: &str, unit: &str, ours: f64, peer: f64) -> Figure {
    show(Figure::new(name, unit, ours, peer))
}

fn show(figure: Figure) -> Figure {
    let Figure { name, unit, ours, peer, ratio } = &figure;
    println!("{name:<58} {ours:>12.3} {unit:<14} peer or limit {peer:>10.3}   ratio {ratio:.3}");
    figure
}

type Benchmark = fn() -> Result<Vec<Figure>, RunError>;

const BENCHMARKS: [(&str, Benchmark); 8] = [
    ("size", binary_sizes),
    ("flow", flow),
    ("latency", latency),
    ("kdd", kdd),
    ("six", six_columns),
    ("forest", forest),
    ("operator", operator),
    ("sites", sites),
];

fn main() -> ExitCode {
    let chosen: Vec<String> = std::env::args().skip(1).collect();
    let unknown = chosen.iter().find(|name| BENCHMARKS.iter().all(|(known, _)| known != name));
    if let Some(name) = unknown {
        eprintln!("no benchmark {name:?}; there are: {}", BENCHMARKS.map(|(name, _)| name).join(", "));
        return ExitCode::from(2);
    }
    let mut figures = Vec::new();
    for (name, run) in BENCHMARKS {
        if chosen.is_empty() || chosen.iter().any(|chosen| chosen == name) {
            match run() {
                Ok(more) => figures.extend(more),
                Err(error) => {
                    eprintln!("benchmark {name}: {error}");
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    let path = repository().join("target/bench.json");
    let written =
        serde_json::to_vec_pretty(&figures).map_err(std::io::Error::other).and_then(|text| std::fs::write(&path, text));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("could not write {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

/// Release binaries, stripped by the profile: at most 25 MB; and the operator's image, which is its binary compressed as
/// registries keep a layer: at most 20 MB.
fn binary_sizes() -> Result<Vec<Figure>, RunError> {
    let mut figures = Vec::new();
    for program in ["topics", "generator", "detector", "archiver", "trainer", "operator"] {
        let bytes = std::fs::metadata(binary(&format!("vedette-{program}"))).map_err(RunError::Process)?.len();
        figures.push(figure(&format!("binary size, {program}"), "MB", bytes as f64 / MEGABYTE, 25.0));
    }
    let content = std::fs::read(binary("vedette-operator")).map_err(RunError::Process)?;
    let mut layer = GzEncoder::new(Vec::new(), Compression::default());
    let compressed = layer.write_all(&content).and_then(|()| layer.finish()).map_err(RunError::Process)?;
    figures.push(figure("image size, operator, compressed", "MB", compressed.len() as f64 / MEGABYTE, 20.0));
    Ok(figures)
}

fn fixture(name: &str) -> String {
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

fn number(summary: &Value, path: &str) -> f64 {
    summary.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// 10,000 records a second for 60 s: the rate that was kept, the growth of lag, and memory.
fn flow() -> Result<Vec<Figure>, RunError> {
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
        figure("whole flow, detector peak resident", "MB", detector / MEGABYTE, 100.0),
        figure("whole flow, archiver peak resident", "MB", archiver / MEGABYTE, 100.0),
    ])
}

/// 1,000 records a second with ExactlyOnce: from `utc` to a read-committed consumer.
fn latency() -> Result<Vec<Figure>, RunError> {
    let demo = repository().join("manifests/demo.yaml").display().to_string();
    let (summary, _, _) = watched(&["local", "-f", &demo, "--json", "--for", "90s"])?;
    Ok(vec![
        figure("alert latency at 1,000 records/s, p99", "ms", number(&summary, "/latency_ms/p99"), 250.0),
        figure("alert latency at 1,000 records/s, p50", "ms", number(&summary, "/latency_ms/p50"), 250.0),
        figure("enriched latency at 1,000 records/s, p99", "ms", number(&summary, "/enriched_latency_ms/p99"), 250.0),
    ])
}

/// The file of the literature with .5 % anomalies, if it is here: VEDETTE_KDD, or where a checkout beside this one has it.
fn kdd() -> Result<Vec<Figure>, RunError> {
    let path = std::env::var_os("VEDETTE_KDD")
        .map_or_else(|| repository().join("../shared/data/kddcup.data_10_percent.gz"), PathBuf::from);
    if !Path::new(&path).exists() {
        println!("the KDD file is not here (set VEDETTE_KDD to its path): left out");
        return Ok(Vec::new());
    }
    let path = path.display().to_string();
    let demo = repository().join("manifests/demo.yaml").display().to_string();
    let (summary, _, _) = watched(&["local", "-f", &demo, "--json", "--for", "90s", "--dataset", &path])?;
    Ok(judged("KDD at .5 % anomalies", &summary))
}

/// Six columns of another kind with one planted kind of anomaly.
fn six_columns() -> Result<Vec<Figure>, RunError> {
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

/// How fast the forests learn, load and score, beside scikit-learn, YDF, onnxruntime and treelite.
fn forest() -> Result<Vec<Figure>, RunError> {
    printed_by(&["speed"])
}

/// The operator in a process of its own against a real API server, also with 500 pipelines and 100 trainings.
fn operator() -> Result<Vec<Figure>, RunError> {
    printed_by(&["e2e-apiserver", "TEST=scale::", "LOAD=full"])
}

/// Two data centres on kind.
fn sites() -> Result<Vec<Figure>, RunError> {
    printed_by(&["e2e", "TEST=--nocapture"])
}

fn printed_by(target: &[&str]) -> Result<Vec<Figure>, RunError> {
    let output = Command::new("make")
        .arg("--silent")
        .args(target)
        .current_dir(repository())
        .stderr(Stdio::inherit())
        .output()
        .map_err(RunError::Process)?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(RunError::Process(std::io::Error::other(format!("make {} failed:\n{text}", target.join(" ")))));
    }
    Ok(vedette_e2e::figure::read(&text).into_iter().map(show).collect())
}
