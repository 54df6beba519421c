//! How large the programs are, and the console's page.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use vedette_e2e::RunError;
use vedette_e2e::figure::Figure;
use vedette_e2e::local::{PROGRAMS, binary, repository};

use crate::{MEGABYTE, figure};

const KILOBYTE: f64 = 1e3;
/// What a browser needs to show the page.
const PAGE: [&str; 3] = ["index.html", "app.js", "app.css"];

/// Release binaries, stripped by the profile; the operator's image, which is its binary compressed as registries keep a layer: at most 20 MB;
/// and the page with each of its files compressed as a browser gets it: at most 120 kB.
pub(crate) fn sizes() -> Result<Vec<Figure>, RunError> {
    let mut figures = Vec::new();
    for (program, most) in PROGRAMS {
        let bytes = std::fs::metadata(binary(program)).map_err(RunError::Process)?.len();
        let short = program.trim_start_matches("vedette-");
        figures.push(figure(&format!("binary size, {short}"), "MB", bytes as f64 / MEGABYTE, most));
    }
    let layer = compressed(&binary("vedette-operator"))? as f64;
    figures.push(figure("image size, operator, compressed", "MB", layer / MEGABYTE, 20.0));
    let directory = repository().join("workloads/console/web/dist");
    let files = PAGE.iter().map(|file| compressed(&directory.join(file))).collect::<Result<Vec<_>, _>>()?;
    let bytes = files.iter().sum::<usize>() as f64;
    figures.push(figure("page of the console, compressed", "kB", bytes / KILOBYTE, 120.0));
    Ok(figures)
}

/// Bytes of a file once gzip has it.
fn compressed(path: &Path) -> Result<usize, RunError> {
    let content = std::fs::read(path).map_err(RunError::Process)?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    let compressed = gzip.write_all(&content).and_then(|()| gzip.finish()).map_err(RunError::Process)?;
    Ok(compressed.len())
}
