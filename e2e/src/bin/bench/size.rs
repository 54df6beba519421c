//! How large the programs are.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use vedette_e2e::RunError;
use vedette_e2e::figure::Figure;
use vedette_e2e::local::{PROGRAMS, binary};

use crate::{MEGABYTE, figure};

/// Release binaries, stripped by the profile; and the operator's image, which is its binary compressed as registries keep a layer: at most 20 MB.
pub(crate) fn binary_sizes() -> Result<Vec<Figure>, RunError> {
    let mut figures = Vec::new();
    for (program, most) in PROGRAMS {
        let bytes = std::fs::metadata(binary(program)).map_err(RunError::Process)?.len();
        let short = program.trim_start_matches("vedette-");
        figures.push(figure(&format!("binary size, {short}"), "MB", bytes as f64 / MEGABYTE, most));
    }
    let content = std::fs::read(binary("vedette-operator")).map_err(RunError::Process)?;
    let mut layer = GzEncoder::new(Vec::new(), Compression::default());
    let compressed = layer.write_all(&content).and_then(|()| layer.finish()).map_err(RunError::Process)?;
    figures.push(figure("image size, operator, compressed", "MB", compressed.len() as f64 / MEGABYTE, 20.0));
    Ok(figures)
}
