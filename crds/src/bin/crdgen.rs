//! Writes the CRDs to `crds/yaml`.

use std::path::Path;
use std::process::ExitCode;

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
    let directory = Path::new(&root).join("yaml");
    for (file, definition) in vedette_crds::render::definitions() {
        let path = directory.join(file);
        std::fs::write(&path, vedette_crds::render::to_yaml(&definition)?)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(())
}
