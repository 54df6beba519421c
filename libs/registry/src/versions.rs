//! The versions of a training as they lie in the bucket, without their content.

use serde::Deserialize;
use thiserror::Error;
use vedette_contract::ModelVersion;
use vedette_contract::gate::GateReport;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{MANIFEST_FILE, METADATA_FILE, ModelMetadata};
use vedette_streams::bucket::{Bucket, BucketError, JsonError};

use crate::RegistryError;
use crate::manifest::{self, ManifestError};

/// What the bucket has of a version.
#[derive(Debug)]
pub enum Held {
    /// The manifest is right, and all files are there.
    Complete,
    /// This key is not there (yet): the other site's files may still be on their way.
    Missing(String),
    /// Waiting does not help.
    Damaged(Damage),
}

/// Why a version cannot be used.
#[derive(Debug, Error)]
pub enum Damage {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A file is not as long as the manifest says.
    #[error("{file} has {actual} bytes instead of {expected}")]
    Length {
        file: String,
        /// Bytes that are there.
        actual: u64,
        /// Bytes that the manifest says.
        expected: u64,
    },
}

/// Looks whether all files of a version are there, and whether its manifest is the one that the pointer means.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn look_at(
    bucket: &Bucket,
    keys: &ModelKeys,
    version: &ModelVersion,
    expected_sha256: Option<&str>,
) -> Result<Held, BucketError> {
    let key = keys.file(version, MANIFEST_FILE);
    let Some(object) = bucket.get(&key).await? else {
        return Ok(Held::Missing(key));
    };
    let manifest = match manifest::check(version, &object.bytes, expected_sha256) {
        Ok(manifest) => manifest,
        Err(error) => return Ok(Held::Damaged(error.into())),
    };
    for (file, hash) in manifest.files {
        let key = keys.file(version, &file);
        let Some(head) = bucket.head(&key).await? else {
            return Ok(Held::Missing(key));
        };
        if head.length != hash.bytes {
            let damage = Damage::Length { file, actual: head.length, expected: hash.bytes };
            return Ok(Held::Damaged(damage));
        }
    }
    Ok(Held::Complete)
}

/// What a version was made of; `None` when it is not there.
pub async fn metadata(
    bucket: &Bucket,
    keys: &ModelKeys,
    version: &ModelVersion,
) -> Result<Option<ModelMetadata>, RegistryError> {
    Ok(bucket.get_json(&keys.file(version, METADATA_FILE)).await?)
}

/// What the gate made of a version; `None` when it is not there.
pub async fn gate(
    bucket: &Bucket,
    keys: &ModelKeys,
    version: &ModelVersion,
) -> Result<Option<GateReport>, RegistryError> {
    #[derive(Deserialize)]
    struct Gated {
        #[serde(default)]
        gate: GateReport,
    }
    let gated = bucket.get_json::<Gated>(&keys.file(version, METADATA_FILE)).await?;
    Ok(gated.map(|gated| gated.gate))
}

/// All versions that have metadata, oldest first. Metadata that cannot be read is left out.
///
/// # Errors
/// When the bucket cannot be read.
pub async fn list(bucket: &Bucket, keys: &ModelKeys) -> Result<Vec<(ModelVersion, ModelMetadata)>, BucketError> {
    let mut versions = Vec::new();
    for object in bucket.list(&keys.prefix(), None).await? {
        let Some(version) = keys.version_of(&object.key) else {
            continue;
        };
        if object.key != keys.file(&version, METADATA_FILE) {
            continue;
        }
        match bucket.get_json(&object.key).await {
            Ok(metadata) => versions.extend(metadata.map(|metadata| (version, metadata))),
            Err(JsonError::Bucket(error)) => return Err(error),
            Err(JsonError::Content { key: _, source }) => {
                tracing::warn!(%version, error = %source, "model metadata cannot be read");
            }
        }
    }
    Ok(versions)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::testing::{metadata as of_job, models};
    use vedette_testing::TestBucket;

    const FOREST: &str = "forest.bin";

    fn version() -> ModelVersion {
        "20261123T084210Z-1a2b3c4d".parse().unwrap()
    }

    fn manifest(bytes: u64) -> String {
        format!(r#"{{"schema":1,"version":"{}","files":{{"{FOREST}":{{"sha256":"","bytes":{bytes}}}}}}}"#, version())
    }

    #[tokio::test]
    async fn a_version_is_complete_once_every_file_of_its_manifest_is_there() {
        let served = TestBucket::serve().await;
        let look = async |sha256: Option<&str>| look_at(&served.bucket, &models(), &version(), sha256).await.unwrap();
        let [manifest_key, forest_key] = [MANIFEST_FILE, FOREST].map(|file| models().file(&version(), file));
        assert!(matches!(look(None).await, Held::Missing(key) if key == manifest_key));
        served.put(&manifest_key, manifest(5)).await;
        assert!(matches!(look(None).await, Held::Missing(key) if key == forest_key));
        served.put(&forest_key, "trees").await;
        assert!(matches!(look(None).await, Held::Complete));
        let sha256 = hex::encode(Sha256::digest(manifest(5)));
        assert!(matches!(look(Some(&sha256)).await, Held::Complete));
        let other = look(Some(&"0".repeat(64))).await;
        assert!(matches!(other, Held::Damaged(Damage::Manifest(ManifestError::Hash))), "{other:?}");
    }

    #[tokio::test]
    async fn a_file_of_another_length_is_damage() {
        let served = TestBucket::serve().await;
        served.put(&models().file(&version(), MANIFEST_FILE), manifest(6)).await;
        served.put(&models().file(&version(), FOREST), "trees").await;
        let held = look_at(&served.bucket, &models(), &version(), None).await.unwrap();
        let Held::Damaged(damage) = held else { panic!("{held:?}") };
        assert_eq!(damage.to_string(), "forest.bin has 5 bytes instead of 6");
    }

    #[tokio::test]
    async fn versions_are_listed_with_what_they_were_made_of() {
        let served = TestBucket::serve().await;
        let [first, second, unreadable]: [ModelVersion; 3] =
            [1, 2, 3].map(|day| format!("202611{day:02}T000000Z-00000000").parse().unwrap());
        let put = async |version: &ModelVersion, job: &str| {
            let bytes = serde_json::to_vec(&of_job(job)).unwrap();
            served.put(&models().file(version, METADATA_FILE), bytes).await;
        };
        put(&second, "daily-2").await;
        put(&first, "daily-1").await;
        served.put(&models().file(&first, FOREST), "trees").await;
        served.put(&models().file(&unreadable, METADATA_FILE), "{half").await;
        let listed = list(&served.bucket, &models()).await.unwrap();
        assert_eq!(listed, [(first.clone(), of_job("daily-1")), (second, of_job("daily-2"))]);
        assert_eq!(metadata(&served.bucket, &models(), &first).await.unwrap(), Some(of_job("daily-1")));
        let refused = metadata(&served.bucket, &models(), &unreadable).await.unwrap_err();
        assert_eq!(refused.reason(), "ObjectUnreadable");
    }
}
