//! Writes what is made of the types: the CRDs, for `kubectl` and for the chart, and the page of all fields.

mod reference;
mod render;

use std::path::Path;
use std::process::ExitCode;

use render::GeneratedFile;

fn main() -> ExitCode {
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crdgen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write() -> Result<(), Box<dyn std::error::Error>> {
    let root = std::env::var("CARGO_MANIFEST_DIR").map_err(|_| "run it as `cargo crdgen`")?;
    for GeneratedFile { path, text } in render::files()? {
        let path = Path::new(&root).join("..").join(path);
        std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
