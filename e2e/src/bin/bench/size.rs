//! How large the programs are.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use vedette_e2e::RunError;
use vedette_e2e::figure::Figure;
use vedette_e2e::local::binary;

use crate::{MEGABYTE, figure};

/// What runs in pods.
const PROGRAMS: [&str; 8] =
    ["topics", "generator", "detector", "archiver", "notifier", "trainer", "console", "operator"];

/// Release binaries, stripped by the profile: at most 25 MB, and the command line, which has a Kafka and a bucket in it, 40; and the
/// operator's image, which is its binary compressed as registries keep a layer: at most 20 MB.
pub(crate) fn binary_sizes() -> Result<Vec<Figure>, RunError> {
    let mut figures = Vec::new();
    let programs = PROGRAMS.map(|program| (program, format!("vedette-{program}"), 25.0));
    for (program, name, most) in programs.into_iter().chain([("vedette", "vedette".to_owned(), 40.0)]) {
        let bytes = std::fs::metadata(binary(&name)).map_err(RunError::Process)?.len();
        figures.push(figure(&format!("binary size, {program}"), "MB", bytes as f64 / MEGABYTE, most));
    }
    let content = std::fs::read(binary("vedette-operator")).map_err(RunError::Process)?;
    let mut layer = GzEncoder::new(Vec::new(), Compression::default());
    let compressed = layer.write_all(&content).and_then(|()| layer.finish()).map_err(RunError::Process)?;
    figures.push(figure("image size, operator, compressed", "MB", compressed.len() as f64 / MEGABYTE, 20.0));
    Ok(figures)
}
