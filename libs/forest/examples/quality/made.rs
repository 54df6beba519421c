//! Made tables with known anomalies: Python writes them, and their directories are families.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::protocols::{Family, Set};

const DIRECTORIES: [(&str, Family); 4] = [
    ("dependence", Family::Dependence),
    ("independent", Family::Independent),
    ("stress", Family::Stress),
    ("nearly-constant", Family::NearlyConstant),
];

/// Writes them below a directory, of the stress family one in so many. `python` must have NumPy, and `generators` the programs that
/// make them; none where these are not there.
pub(crate) fn made(python: &Path, generators: &Path, directory: &Path, every: u32) -> Result<Vec<Set>, Failure> {
    if ["dependence.py", "stress.py"].iter().any(|program| !generators.join(program).exists()) {
        return Ok(Vec::new());
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/made.py");
    let output = Command::new(python).arg(script).args([generators, directory]).arg(every.to_string()).output()?;
    if !output.status.success() {
        return Err(format!("no tables were made: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let mut sets = Vec::new();
    for (name, family) in DIRECTORIES {
        let entries = std::fs::read_dir(directory.join(name))?.map(|entry| Ok(entry?.path()));
        let mut files = entries.collect::<Result<Vec<PathBuf>, std::io::Error>>()?;
        files.sort();
        sets.extend(files.into_iter().map(|file| Set::of_file(file, None, family)));
    }
    Ok(sets)
}
