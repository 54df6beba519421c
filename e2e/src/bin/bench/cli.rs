//! How long the command line takes to answer: of what a demo leaves, and of archives of many records.

mod data;

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::Runtime;
use vedette_e2e::figure::Figure;
use vedette_e2e::local::binary;
use vedette_e2e::{LocalRun, RunError};

use self::data::{ALERTS, DEMO, DemoRecords, Letters, MANY, NAMESPACE, middle};
use crate::local::{PATIENCE, fixture};
use crate::training::{failed, serve};
use crate::{MEGABYTE, figure};

const RUNS: usize = 5;
/// Milliseconds within which each command is to answer.
const ANSWER_LIMIT: f64 = 300.;
/// Seconds within which a page of many alerts is to be listed.
const PAGE_LIMIT: f64 = 1.;
/// Megabytes of records a second that are to be written at least.
const CAT_LIMIT: f64 = 200.;
/// Of enriched records, uncompressed.
const CAT_BYTES: usize = 500_000_000;
/// Of a page, as the command has it where nothing else is said.
const PAGE: usize = 100;
const READ_BYTES: usize = 1 << 20;

/// Each reading command on what a demo leaves; pages of 1,000,000 archived alerts; 500 MB of archived records.
pub(crate) fn cli() -> Result<Vec<Figure>, RunError> {
    let directory = tempfile::tempdir().map_err(RunError::Process)?;
    let (path, manifest) = (directory.path().display().to_string(), fixture("cli.yaml"));
    LocalRun::start(["local", "--json", "--for", "45s", "-f", &manifest, "--data-dir", &path])?.summary(PATIENCE)?;
    let vedette = Vedette { directory: path };
    let mut figures = answers(&vedette, &manifest)?;
    fill(&vedette, directory.path())?;
    figures.extend(pages(&vedette)?);
    figures.push(cat(&vedette)?);
    Ok(figures)
}

/// The program on a data directory.
struct Vedette {
    directory: String,
}

impl Vedette {
    fn on(&self, pipeline: &str, words: &[&str]) -> Command {
        let mut command = plain(words);
        command.args(["--data-dir", &self.directory, "--namespace", NAMESPACE, "--pipeline", pipeline]);
        command
    }

    fn json(&self, pipeline: &str, words: &[&str]) -> Result<Value, RunError> {
        let (output, _) = timed(self.on(pipeline, words).args(["--output", "json"]))?;
        serde_json::from_slice(&output.stdout).map_err(failed)
    }
}

fn plain(words: &[&str]) -> Command {
    let mut command = Command::new(binary("vedette"));
    command.args(words).stdin(Stdio::null()).env_remove("RUST_LOG");
    command
}

/// Its output, and how long it took from its start to its end.
fn timed(command: &mut Command) -> Result<(Output, Duration), RunError> {
    let begun = Instant::now();
    let output = command.output().map_err(|source| RunError::Start { program: binary("vedette"), source })?;
    let took = begun.elapsed();
    if !output.status.success() || output.stdout.is_empty() {
        let log = format!("{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
        return Err(RunError::Failed { status: output.status, log });
    }
    Ok((output, took))
}

/// The longest of some runs.
fn worst(mut command: Command) -> Result<Duration, RunError> {
    let mut worst = Duration::ZERO;
    for _ in 0..RUNS {
        worst = worst.max(timed(&mut command)?.1);
    }
    Ok(worst)
}

/// Each command that reads.
fn answers(vedette: &Vedette, manifest: &str) -> Result<Vec<Figure>, RunError> {
    let first = |words: &[&str], path: &str| -> Result<String, RunError> {
        let listing = vedette.json(DEMO, words)?;
        let id = listing.pointer(path).and_then(Value::as_str).map(str::to_owned);
        id.ok_or_else(|| failed(format!("the demo left nothing at {path} of {words:?}")))
    };
    let alert = first(&["alerts", "list"], "/alerts/0/uuid")?;
    let incident = first(&["incidents", "list"], "/incidents/0/id")?;
    for words in [
        &["silences", "add", "--match", "true", "--for", "2h", "--by", "bench", "--why", "bench"][..],
        &["verdicts", "add", "--alert", &alert, "--verdict", "expected", "--by", "bench", "--why", "bench"],
    ] {
        timed(&mut vedette.on(DEMO, words))?;
    }
    let letters = Letters::start()?;
    let training = |words: &[&str]| {
        let mut command = plain(words);
        command.args(["--data-dir", &vedette.directory, "--namespace", NAMESPACE, "--training", DEMO]);
        command
    };
    let mut figures = Vec::new();
    for (name, command) in [
        ("status", vedette.on(DEMO, &["status"])),
        ("alerts list", vedette.on(DEMO, &["alerts", "list"])),
        ("alerts show", vedette.on(DEMO, &["alerts", "show", &alert])),
        ("incidents list", vedette.on(DEMO, &["incidents", "list"])),
        ("incidents show", vedette.on(DEMO, &["incidents", "show", &incident])),
        ("silences list", vedette.on(DEMO, &["silences", "list"])),
        ("verdicts list", vedette.on(DEMO, &["verdicts", "list"])),
        ("archive ls", vedette.on(DEMO, &["archive", "ls"])),
        ("models list", training(&["models", "list"])),
        ("models show", training(&["models", "show"])),
        ("dead-letters list", plain(&["dead-letters", "list", "--bootstrap-servers", &letters.address()])),
        ("validate", plain(&["validate", "--filename", manifest])),
        ("completion bash", plain(&["completion", "bash"])),
        ("--help", plain(&["--help"])),
    ] {
        let milliseconds = worst(command)?.as_secs_f64() * 1e3;
        figures.push(figure(&format!("vedette {name}, worst of {RUNS}"), "ms", milliseconds, ANSWER_LIMIT));
    }
    Ok(figures)
}

/// Adds the pipeline of many records, made of those of the demo.
fn fill(vedette: &Vedette, directory: &Path) -> Result<(), RunError> {
    let records = |stream: &str| timed(&mut vedette.on(DEMO, &["archive", "cat", "--stream", stream]));
    let (alerts, enriched) = (records("alerts")?.0.stdout, records("enriched_data")?.0.stdout);
    let demo = DemoRecords::of(&alerts, &enriched)?;
    let runtime = Runtime::new().map_err(RunError::Process)?;
    runtime.block_on(async {
        let bucket = serve(directory).await?;
        let filled = demo.fill(&bucket, CAT_BYTES).await;
        bucket.stop().await;
        filled
    })
}

/// The newest of very many alerts, those before them, and those of a time in their middle.
fn pages(vedette: &Vedette) -> Result<Vec<Figure>, RunError> {
    let page = |until: &[&str]| -> Result<String, RunError> {
        let listing = vedette.json(MANY, &[&["alerts", "list"], until].concat())?;
        let alerts = listing["alerts"].as_array().map_or(0, Vec::len);
        let last = listing["alerts"][alerts.saturating_sub(1)]["detected_utc"].as_str().map(str::to_owned);
        last.filter(|_| alerts >= PAGE).ok_or_else(|| failed(format!("a page of {alerts} alerts of {ALERTS}")))
    };
    let (second, middle) = (page(&[])?, middle().to_string());
    let mut figures = Vec::new();
    for (name, until) in
        [("first", &[][..]), ("second", &["--until", &second]), ("one in the middle", &["--until", &middle])]
    {
        page(until)?;
        let seconds = worst(vedette.on(MANY, &[&["alerts", "list"], until].concat()))?.as_secs_f64();
        let name = format!("vedette alerts list of {ALERTS} alerts, {name} page, worst of {RUNS}");
        figures.push(figure(&name, "s", seconds, PAGE_LIMIT));
    }
    Ok(figures)
}

/// All records of an archive through a pipe, the slowest of some runs.
fn cat(vedette: &Vedette) -> Result<Figure, RunError> {
    let (mut slowest, mut buffer) = (f64::INFINITY, vec![0; READ_BYTES]);
    for _ in 0..RUNS {
        let (begun, mut bytes) = (Instant::now(), 0);
        let mut child =
            vedette.on(MANY, &["archive", "cat"]).stdout(Stdio::piped()).spawn().map_err(RunError::Process)?;
        let mut records = child.stdout.take().ok_or_else(|| failed("the program has no output"))?;
        loop {
            match records.read(&mut buffer).map_err(RunError::Process)? {
                0 => break,
                read => bytes += read,
            }
        }
        let status = child.wait().map_err(RunError::Process)?;
        let rate = bytes as f64 / MEGABYTE / begun.elapsed().as_secs_f64();
        if !status.success() || bytes < CAT_BYTES / 10 * 9 {
            return Err(RunError::Failed { status, log: format!("vedette archive cat wrote {bytes} bytes") });
        }
        slowest = slowest.min(rate);
    }
    let name = format!("vedette archive cat of {} MB, slowest of {RUNS} (at least)", CAT_BYTES / 1_000_000);
    Ok(figure(&name, "MB/s", slowest, CAT_LIMIT))
}
