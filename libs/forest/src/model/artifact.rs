//! The files of a model artifact and their hashes. What is packed here was checked first, so that no detector ever
//! refuses what a trainer published.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use thiserror::Error;
use vedette_contract::ModelVersion;
use vedette_contract::model::{
    CALIBRATION_FILE, Calibration, FEATURES_FILE, FOREST_FILE, FeatureSpecification, FileHash, ModelManifest, SCHEMA,
};

use crate::Forest;
use crate::model::calibration::{CalibrationError, Calibrator};
use crate::model::features::{Encoder, FeatureError};
pub use crate::score::codec::ForestFormatError;
pub use crate::score::structure::ForestError;

/// The files that make the scores, and over which a version's hash is.
pub const CONTENT_FILES: [&str; 3] = [CALIBRATION_FILE, FEATURES_FILE, FOREST_FILE];

/// Why files are not a model.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// Written by a newer build, or by none.
    #[error("the model has schema {schema}, and this build reads 1 to {SCHEMA}")]
    Schema { schema: u32 },
    /// A file is not there.
    #[error("the model has no file {file}")]
    MissingFile { file: String },
    /// A file is not as long as the manifest says.
    #[error("the file {file} has {actual} bytes and the manifest says {expected}")]
    Length {
        file: String,
        /// Bytes that are there.
        actual: u64,
        /// Bytes that the manifest says.
        expected: u64,
    },
    /// A file is not what the manifest says.
    #[error("the file {file} has the SHA-256 {actual} and the manifest says {expected}")]
    Hash {
        file: String,
        /// Hash of what is there.
        actual: String,
        /// Hash that the manifest says.
        expected: String,
    },
    /// The files belong to another version.
    #[error("the files are not those of the version {version}: their SHA-256 is {content_sha256}")]
    Version {
        /// What the manifest says.
        version: ModelVersion,
        /// Hash of what is there.
        content_sha256: String,
    },
    /// A file is not the JSON that it should be.
    #[error("could not read or write {file} as JSON")]
    Json {
        file: &'static str,
        #[source]
        source: serde_json::Error,
    },
    /// The forest.
    #[error("the forest cannot be used")]
    Forest(#[from] ForestFormatError),
    /// The feature specification.
    #[error("the features cannot be used")]
    Features(#[from] FeatureError),
    /// The calibration.
    #[error("the calibration cannot be used")]
    Calibration(#[from] CalibrationError),
    /// Forest and features do not belong together.
    #[error("the forest has {forest} columns and there are {features} features")]
    Columns {
        /// Columns of the forest.
        forest: usize,
        /// Columns of the feature specification.
        features: usize,
    },
}

impl ArtifactError {
    /// Stable name of the cause.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Schema { .. } => "UnknownSchema",
            Self::MissingFile { .. } => "MissingFile",
            Self::Length { .. } | Self::Hash { .. } | Self::Version { .. } => "WrongHash",
            Self::Json { .. } => "InvalidJson",
            Self::Forest(_) | Self::Columns { .. } => "InvalidForest",
            Self::Features(error) => error.reason(),
            Self::Calibration(error) => error.reason(),
        }
    }
}

/// The files that make the scores.
#[derive(Debug, Clone, PartialEq)]
pub struct ArtifactFiles {
    /// File name to content: [`CONTENT_FILES`].
    pub files: BTreeMap<String, Vec<u8>>,
    /// Hash of all of them; see [`content_sha256`].
    pub content_sha256: String,
}

/// Checks that the parts make a model and writes its files. The same parts give the same bytes.
pub fn pack(
    forest: &Forest,
    features: &FeatureSpecification,
    calibration: &Calibration,
) -> Result<ArtifactFiles, ArtifactError> {
    check_columns(forest, &Encoder::new(features)?)?;
    Calibrator::new(calibration)?;
    let json =
        |file, result: serde_json::Result<Vec<u8>>| result.map_err(|source| ArtifactError::Json { file, source });
    let files = BTreeMap::from([
        (FOREST_FILE.to_owned(), forest.to_bytes()),
        (FEATURES_FILE.to_owned(), json(FEATURES_FILE, serde_json::to_vec(features))?),
        (CALIBRATION_FILE.to_owned(), json(CALIBRATION_FILE, serde_json::to_vec(calibration))?),
    ]);
    let content_sha256 = content_sha256(&files)?;
    Ok(ArtifactFiles { files, content_sha256 })
}

/// Hash over [`CONTENT_FILES`] in that order: of each its name and its content, each after its length (`u64`, little
/// endian), so that no two sets of files give the same input.
pub fn content_sha256(files: &BTreeMap<String, Vec<u8>>) -> Result<String, ArtifactError> {
    let mut hash = Sha256::new();
    for name in CONTENT_FILES {
        for part in [name.as_bytes(), file(files, name)?] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    Ok(hex::encode(hash.finalize()))
}

/// Lower-case hexadecimal SHA-256.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The manifest of a version that has these files (the manifest itself is not one of them).
pub fn manifest_for(version: ModelVersion, files: &BTreeMap<String, Vec<u8>>) -> ModelManifest {
    let hash = |bytes: &Vec<u8>| FileHash { sha256: sha256_hex(bytes), bytes: bytes.len() as u64 };
    let files = files.iter().map(|(name, bytes)| (name.clone(), hash(bytes))).collect();
    ModelManifest { schema: SCHEMA, version, files }
}

/// Checks that the files are exactly what the manifest says, and that they are those of its version.
pub(crate) fn check_files(files: &BTreeMap<String, Vec<u8>>, manifest: &ModelManifest) -> Result<(), ArtifactError> {
    let ModelManifest { schema, version, files: hashes } = manifest;
    if !(1..=SCHEMA).contains(schema) {
        return Err(ArtifactError::Schema { schema: *schema });
    }
    if let Some(name) = CONTENT_FILES.into_iter().find(|name| !hashes.contains_key(*name)) {
        return Err(ArtifactError::MissingFile { file: name.to_owned() });
    }
    for (name, FileHash { sha256, bytes: expected }) in hashes {
        let content = file(files, name)?;
        let actual = content.len() as u64;
        if actual != *expected {
            return Err(ArtifactError::Length { file: name.clone(), actual, expected: *expected });
        }
        let actual = sha256_hex(content);
        if actual != *sha256 {
            return Err(ArtifactError::Hash { file: name.clone(), actual, expected: sha256.clone() });
        }
    }
    let content_sha256 = content_sha256(files)?;
    let of_version = version.as_str().split_once('-').is_some_and(|(_, hash)| content_sha256.starts_with(hash));
    if of_version { Ok(()) } else { Err(ArtifactError::Version { version: version.clone(), content_sha256 }) }
}

pub(crate) fn check_columns(forest: &Forest, encoder: &Encoder) -> Result<(), ArtifactError> {
    let (forest, features) = (forest.columns(), encoder.columns().len());
    if forest == features { Ok(()) } else { Err(ArtifactError::Columns { forest, features }) }
}

pub(crate) fn file<'a>(files: &'a BTreeMap<String, Vec<u8>>, name: &str) -> Result<&'a [u8], ArtifactError> {
    let missing = || ArtifactError::MissingFile { file: name.to_owned() };
    files.get(name).map(Vec::as_slice).ok_or_else(missing)
}
