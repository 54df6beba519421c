//! How fast the forests learn, load and score, beside their peers: figures that `make bench` collects, a line each. The peer
//! is another library on the same rows in the same run, or the limit that was promised.
//! `speed PYTHON` measures all; PYTHON has what `libs/forest/peers/requirements.txt` names. `speed search ROWS` measures a search,
//! which `make bench` does not, as it takes minutes.

mod search;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vedette_contract::learner::{Algorithm, SyntheticRows};
use vedette_contract::model::{Column, ColumnKind};
use vedette_contract::parameters::Parameters;
use vedette_forest::{Forest, Learner, Matrix, export, fit};

type Failure = Box<dyn std::error::Error>;

/// Columns of the records that are scored, and of the job of 2016.
const COLUMNS: usize = 41;
const NUMERIC_COLUMNS: usize = 38;
const DEFAULT_ROWS: usize = 1_000_000;
const ROWS_OF_2016: usize = 5_000_000;
const ROWS_FOR_PEERS: usize = 500_000;
const SCORED: usize = 200_000;

/// What a process of its own says of the job of 2016.
#[derive(Serialize, Deserialize)]
struct Job {
    seconds: f64,
    peak_megabytes: f64,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["job-of-2016", rows] => println!("{}", serde_json::to_string(&job_of_2016(rows.parse()?)?)?),
        ["search", rows] => search::search(rows.parse()?)?,
        [python] => {
            scoring(Path::new(python))?;
            fitting(Path::new(python))?;
        }
        _ => return Err("usage: speed PYTHON, or speed search ROWS".into()),
    }
    Ok(())
}

fn scoring(python: &Path) -> Result<(), Failure> {
    let rows = rows_like_flows(DEFAULT_ROWS, COLUMNS);
    let columns = columns(COLUMNS);
    let learner = Learner::defaults(Algorithm::Ensemble);
    let started = Instant::now();
    let forest = fit(&learner, &rows, &columns, &[], 1)?;
    figure("forest, fit of Ensemble from 1,000,000 rows (limit)", "s", seconds(started), 4.);
    let started = Instant::now();
    fit(&learner, &rows.select(&(0..DEFAULT_ROWS / 10).collect::<Vec<_>>()), &columns, &[], 1)?;
    let of_a_tenth = seconds(started);
    let started = Instant::now();
    fit(&learner, &rows, &columns, &[], 1)?;
    figure("forest, fit of Ensemble, time for ten times the rows (limit)", "", seconds(started) / of_a_tenth, 11.);

    let bytes = forest.to_bytes();
    let started = Instant::now();
    let loaded = Forest::from_bytes(&bytes)?;
    figure("forest, load of a default model (limit)", "ms", seconds(started) * 1e3, 50.);

    let scored = rows.select(&(0..SCORED).collect::<Vec<_>>());
    let mut shares = vec![0.; COLUMNS];
    let per_record = |all: Duration| all.as_secs_f64() * 1e6 / SCORED as f64;
    let one = per_record(best_of_three(|| scored.iter().for_each(|row| _ = black_box(loaded.score(row)))));
    figure("forest, one record of 41 columns without reasons (limit)", "us", one, 3.5);
    let explained =
        per_record(best_of_three(|| scored.iter().for_each(|row| _ = black_box(loaded.explain(row, &mut shares)))));
    figure("forest, one record of 41 columns with reasons (limit)", "us", explained, 6.);
    let mut scores = Vec::new();
    let batch = SCORED as f64 / best_of_three(|| loaded.score_batch(&scored, &mut scores)).as_secs_f64();
    figure("forest, batches on all cores (promised)", "records/s", batch, 8e5);

    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("forest.onnx"), export::onnx(&loaded, None))?;
    std::fs::write(directory.path().join("forest.pmml"), export::pmml(&loaded, &columns, None))?;
    write(&directory.path().join("rows"), &scored)?;
    let theirs = peer(python, &["score", &directory.path().display().to_string(), &COLUMNS.to_string()])?;
    let of = |name: &str| theirs.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
    for name in ["onnxruntime", "treelite"] {
        figure(format!("forest, batches on all cores ({name})"), "records/s", batch, of(name));
    }
    Ok(())
}

fn fitting(python: &Path) -> Result<(), Failure> {
    let in_its_own_process = |rows: usize| -> Result<Job, Failure> {
        let output = Command::new(std::env::current_exe()?).args(["job-of-2016", &rows.to_string()]).output()?;
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let large = in_its_own_process(ROWS_OF_2016)?;
    figure("forest, job of 2016 on 5,000,000 x 38 (limit)", "s", large.seconds, 20.);
    figure("forest, job of 2016 on 5,000,000 x 38, peak resident (limit)", "MB", large.peak_megabytes, 1_200.);
    let small = in_its_own_process(ROWS_FOR_PEERS)?;
    figure("forest, job of 2016, time for ten times the rows (limit)", "", large.seconds / small.seconds, 11.);

    let directory = tempfile::tempdir()?;
    let rows = rows_like_flows(ROWS_FOR_PEERS, NUMERIC_COLUMNS);
    write(&directory.path().join("rows"), &rows)?;
    let theirs = peer(python, &["fit", &directory.path().display().to_string(), &NUMERIC_COLUMNS.to_string()])?;
    for name in ["scikit-learn", "YDF"] {
        let of = theirs.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
        figure(format!("forest, job of 2016 on 500,000 x 38 ({name})"), "s", small.seconds, of);
    }
    Ok(())
}

/// 10 trees of depth 15 on 50 bins, a tenth of the rows synthetic, each column of them from a real row of its own.
fn job_of_2016(rows: usize) -> Result<Job, Failure> {
    let given = Parameters {
        trees: Some(10),
        rows_per_tree: Some(1_000_000_000),
        max_depth: Some(15),
        max_bins: Some(50),
        synthetic_rows: Some(SyntheticRows::Marginals),
        synthetic_fraction: Some(0.1),
        deduplicate: Some(false),
        trim_fraction: Some(0.),
        ..Parameters::default()
    };
    let learner = Learner::new(Algorithm::UnsupervisedRandomForest, &given)?;
    let rows = rows_like_flows(rows, NUMERIC_COLUMNS);
    let started = Instant::now();
    black_box(fit(&learner, &rows, &columns(NUMERIC_COLUMNS), &[], 1)?);
    let seconds = seconds(started);
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak of memory in /proc")?;
    let kilobytes: f64 = peak.trim().trim_end_matches(" kB").parse()?;
    Ok(Job { seconds, peak_megabytes: kilobytes * 1_024. / 1e6 })
}

/// Rows as of network flows: counts with long tails, shares with many zeros, and a cause that they have in common.
#[allow(clippy::cast_possible_truncation)]
fn rows_like_flows(count: usize, columns: usize) -> Matrix {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut matrix = Matrix::with_capacity(columns, count);
    let mut row = vec![0f32; columns];
    for _ in 0..count {
        let cause: f32 = random.random();
        for (column, value) in row.iter_mut().enumerate() {
            let noise: f32 = random.random();
            *value = match column % 4 {
                0 => (cause * noise * 8.).exp().floor(),
                1 => (cause + noise > 1.6).into(),
                2 => ((cause + noise * 0.3) * 100.).floor() / 100.,
                _ => {
                    if noise < 0.7 {
                        0.
                    } else {
                        (noise * 255. * cause).floor()
                    }
                }
            };
        }
        matrix.push_row(&row);
    }
    matrix
}

fn columns(count: usize) -> Vec<Column> {
    (0..count).map(|column| Column { name: format!("c{column}"), kind: ColumnKind::numeric(0.) }).collect()
}

fn peer(python: &Path, arguments: &[&str]) -> Result<Value, Failure> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/speed.py");
    let output = Command::new(python).arg(script).args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(serde_json::from_str(text.lines().last().unwrap_or_default())?)
}

fn write(path: &Path, rows: &Matrix) -> Result<(), Failure> {
    let bytes: Vec<u8> = rows.iter().flatten().flat_map(|value| value.to_le_bytes()).collect();
    Ok(std::fs::write(path, bytes)?)
}

/// A line that `make bench` reads.
fn figure(name: impl Into<String>, unit: &str, ours: f64, peer: f64) {
    let name = name.into();
    println!("figure {}", json!({ "name": name, "unit": unit, "ours": ours, "peer": peer, "ratio": ours / peer }));
}

fn seconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64()
}

fn best_of_three(mut work: impl FnMut()) -> Duration {
    let mut once = || {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    once().min(once()).min(once())
}
