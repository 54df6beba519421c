//! Streams in the order of time, of which a field grows or widens, through the whole product: how many of their records alert.

use std::path::{Path, PathBuf};

use vedette_e2e::figure::Figure;
use vedette_e2e::{LocalRun, RunError};

use crate::figure;
use crate::local::{PATIENCE, fixture, number};

const BUDGET: f64 = 5_000.;
const RUNS: [(&str, &str); 2] =
    [("by the calibration", "drift-by-calibration.yaml"), ("tracked", "drift-tracked.yaml")];

/// Alerts of each CSV file in the directory that `VEDETTE_DRIFT` names, 30,000 rows or more. Half to twice the budget is promised.
pub(crate) fn drift() -> Result<Vec<Figure>, RunError> {
    let Some(directory) = std::env::var_os("VEDETTE_DRIFT") else {
        println!("no streams are named (set VEDETTE_DRIFT to a directory of CSV files in the order of time): left out");
        return Ok(Vec::new());
    };
    let mut figures = Vec::new();
    for stream in streams(Path::new(&directory)).map_err(RunError::Process)? {
        let name = stream.file_stem().unwrap_or_default().display();
        let dataset = stream.display().to_string();
        for (how, manifest) in RUNS {
            let manifest = fixture(manifest);
            let words = ["local", "-f", &manifest, "--json", "--for", "60s", "--unlabelled", "--dataset", &dataset];
            let summary = LocalRun::start(words)?.summary(PATIENCE)?;
            let scored = number(&summary, "/records_scored");
            let name = format!("{name}, alerts of {scored} records {how} (peer: the budget)");
            figures.push(figure(&name, "per million", number(&summary, "/alerts_per_million"), BUDGET));
        }
    }
    Ok(figures)
}

fn streams(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<std::io::Result<Vec<PathBuf>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    paths.sort();
    Ok(paths)
}
