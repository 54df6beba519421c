//! The spool: one local file per open object, which holds the very bytes that the object will have. What is in it can
//! always be read from Kafka again, so nothing in it outlives the process.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempPath};
use thiserror::Error;
use tracing::info;

/// Ending of the spool's files, by which those of a process that crashed are known.
const SPOOL_SUFFIX: &str = ".spool";

/// What the spool could not do.
#[derive(Debug, Error)]
#[error("cannot {action} {path} in the spool")]
pub struct SpoolError {
    action: &'static str,
    /// On which file or directory.
    path: String,
    /// What the system says.
    #[source]
    source: io::Error,
}

impl SpoolError {
    /// A word for metrics and logs.
    pub fn reason(&self) -> &'static str {
        "SpoolFailed"
    }

    pub(crate) fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.display().to_string(), source }
    }
}

/// Where the spool's files are.
#[derive(Debug, Clone)]
pub(crate) struct SpoolDirectory {
    path: PathBuf,
}

impl SpoolDirectory {
    /// Creates the directory where it is missing, removes what a crashed process left, and checks that it takes a file.
    ///
    /// # Errors
    /// When one of these fails, such as on a read-only or full file system.
    pub(crate) fn prepare(path: &Path) -> Result<Self, SpoolError> {
        fs::create_dir_all(path).map_err(|error| SpoolError::new("create the directory", path, error))?;
        let entries = fs::read_dir(path).map_err(|error| SpoolError::new("list the directory", path, error))?;
        for entry in entries {
            let stale = entry.map_err(|error| SpoolError::new("list the directory", path, error))?.path();
            if stale.extension().is_some_and(|extension| *extension == SPOOL_SUFFIX[1..]) {
                fs::remove_file(&stale).map_err(|error| SpoolError::new("remove the stale file", &stale, error))?;
                info!(path = %stale.display(), "removed a spool file of an earlier process");
            }
        }
        let directory = Self { path: path.to_owned() };
        let mut probe = directory.create()?;
        probe.write(b"probe")?;
        Ok(directory)
    }

    /// A new, empty file.
    pub(crate) fn create(&self) -> Result<SpoolFile, SpoolError> {
        let file = tempfile::Builder::new()
            .suffix(SPOOL_SUFFIX)
            .tempfile_in(&self.path)
            .map_err(|error| SpoolError::new("create a file", &self.path, error))?;
        Ok(SpoolFile { file, digest: Sha256::new(), length: 0 })
    }
}

/// A file of the spool with the SHA-256 and length of its bytes so far. It is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct SpoolFile {
    file: NamedTempFile,
    digest: Sha256,
    length: u64,
}

impl SpoolFile {
    /// Adds what the compressor hands on.
    pub(crate) fn take(&mut self, compressed: io::Result<&[u8]>) -> Result<(), SpoolError> {
        let bytes = compressed.map_err(|error| self.not_compressed(error))?;
        self.write(bytes)
    }

    /// The compressor failed while it worked for this file.
    pub(crate) fn not_compressed(&self, error: io::Error) -> SpoolError {
        SpoolError::new("compress into", self.file.path(), error)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        let outcome = self.file.as_file_mut().write_all(bytes);
        outcome.map_err(|error| SpoolError::new("write to", self.file.path(), error))?;
        self.digest.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// The finished file and the lower-case hexadecimal SHA-256 of its bytes.
    pub(crate) fn finish(self) -> (TempPath, String) {
        (self.file.into_temp_path(), hex::encode(self.digest.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vedette_archive::encoder;
    use vedette_contract::archive::Format;

    #[test]
    fn what_a_crashed_process_left_is_removed_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("spool");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("old.spool"), "stale").unwrap();
        fs::write(path.join("mine.txt"), "kept").unwrap();
        SpoolDirectory::prepare(&path).unwrap();
        let left: Vec<_> = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["mine.txt"]);
    }

    #[test]
    fn a_directory_that_cannot_be_one_is_named() {
        let file = NamedTempFile::new().unwrap();
        let error = SpoolDirectory::prepare(&file.path().join("below")).unwrap_err();
        assert!(error.to_string().contains(&file.path().display().to_string()), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn frames_together_are_the_bytes_that_were_written(frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 1..6)) {
            let directory = tempfile::tempdir().unwrap();
            let mut file = SpoolDirectory::prepare(directory.path()).unwrap().create().unwrap();
            let mut encoder = encoder(Format::JsonLines).unwrap();
            for frame in &frames {
                file.take(encoder.record(frame)).unwrap();
                file.take(encoder.end_frame()).unwrap();
            }
            let length = file.length();
            let (path, sha256) = file.finish();
            let stored = fs::read(&path).unwrap();
            prop_assert_eq!(stored.len() as u64, length);
            prop_assert_eq!(hex::encode(Sha256::digest(&stored)), sha256);
            prop_assert_eq!(zstd::decode_all(stored.as_slice()).unwrap(), [frames.join(&b'\n'), b"\n".to_vec()].concat());
        }
    }
}
