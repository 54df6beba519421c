//! The one check of a manifest: whoever looks at a version, loads it or exports it takes what it says from here.

use sha2::{Digest, Sha256};
use thiserror::Error;
use vedette_contract::ModelVersion;
use vedette_contract::model::{ModelManifest, SCHEMA};

/// Why a manifest is not the one of a version that this build can use.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// The pointer means another one.
    #[error("the manifest's hash is not the one in the pointer")]
    Hash,
    /// It is not JSON, or not of a manifest.
    #[error("the manifest cannot be read")]
    Json(#[source] serde_json::Error),
    /// It belongs to something else.
    #[error("the manifest is that of {found}")]
    OtherVersion {
        /// The version that it says.
        found: ModelVersion,
    },
    /// Written by a newer build, or by none.
    #[error("the manifest has schema {schema}, and this build reads 1 to {SCHEMA}")]
    Schema { schema: u32 },
    /// A name that is not one of a file.
    #[error("the manifest names a file {file:?}")]
    FileName { file: String },
}

impl ManifestError {
    /// A word for conditions, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Hash => "WrongHash",
            Self::Json(_) | Self::FileName { .. } => "InvalidManifest",
            Self::OtherVersion { .. } => "WrongVersion",
            Self::Schema { .. } => "UnknownSchema",
        }
    }
}

/// Reads the manifest of a version, whose hash the pointer says where the version is the current one.
pub fn check(
    version: &ModelVersion,
    bytes: &[u8],
    expected_sha256: Option<&str>,
) -> Result<ModelManifest, ManifestError> {
    if expected_sha256.is_some_and(|expected| expected != hex::encode(Sha256::digest(bytes))) {
        return Err(ManifestError::Hash);
    }
    let manifest: ModelManifest = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
    if manifest.version != *version {
        return Err(ManifestError::OtherVersion { found: manifest.version });
    }
    if !(1..=SCHEMA).contains(&manifest.schema) {
        return Err(ManifestError::Schema { schema: manifest.schema });
    }
    match manifest.files.keys().find(|name| !is_file_name(name)) {
        None => Ok(manifest),
        Some(file) => Err(ManifestError::FileName { file: file.clone() }),
    }
}

/// The names become paths on disk.
fn is_file_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSION: &str = "20261123T084210Z-1a2b3c4d";
    const MANIFEST: &str =
        r#"{"schema":1,"version":"20261123T084210Z-1a2b3c4d","files":{"forest.bin":{"sha256":"","bytes":5}}}"#;

    fn reason(bytes: &str, expected: Option<&str>) -> Option<&'static str> {
        check(&VERSION.parse().unwrap(), bytes.as_bytes(), expected).err().map(|error| error.reason())
    }

    #[test]
    fn the_manifest_of_the_version_is_taken_and_no_other() {
        let with = |from: &str, to: &str| reason(&MANIFEST.replace(from, to), None);
        assert_eq!(reason(MANIFEST, None), None);
        assert_eq!(reason("{", None), Some("InvalidManifest"));
        assert_eq!(with(VERSION, "20200101T000000Z-00000000"), Some("WrongVersion"));
        assert_eq!(with("\"schema\":1", "\"schema\":9"), Some("UnknownSchema"));
        assert_eq!(with("\"schema\":1", "\"schema\":0"), Some("UnknownSchema"));
        for name in ["../forest.bin", "a/b", "", ".hidden"] {
            assert_eq!(with("forest.bin", name), Some("InvalidManifest"), "{name}");
        }
    }

    #[test]
    fn the_manifest_is_the_one_that_the_pointer_means() {
        let sha256 = hex::encode(Sha256::digest(MANIFEST));
        assert_eq!(reason(MANIFEST, Some(&sha256)), None);
        assert_eq!(reason(&format!("{MANIFEST} "), Some(&sha256)), Some("WrongHash"));
    }
}
