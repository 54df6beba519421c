//! Writes what is made of the types: the CRDs, for `kubectl` and for the chart, the page of all fields, and the table
//! of hyper-parameters in the page on training.

mod parameters;
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
    let crate_root = std::env::var("CARGO_MANIFEST_DIR").map_err(|_| "run it as `cargo crdgen`")?;
    let root = Path::new(&crate_root).join("..");
    for GeneratedFile { path, text } in render::files(&root)? {
        let path = root.join(path);
        std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
