//! Model versions as far as whoever does not load them looks.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use vedette_contract::ModelVersion;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{CurrentPointer, FOREST_FILE, FileHash, MANIFEST_FILE, ModelManifest, SCHEMA};

use super::TestBucket;

const FOREST: &[u8] = b"trees";

impl TestBucket {
    /// A version with one file, and the pointer to it.
    pub async fn publish(&self, namespace: &str, training: &str, version: &ModelVersion, generation: u64) {
        let keys = ModelKeys::new(&namespace.parse().unwrap(), &training.parse().unwrap());
        let hash = FileHash { sha256: hex::encode(Sha256::digest(FOREST)), bytes: FOREST.len() as u64 };
        let manifest = ModelManifest {
            schema: SCHEMA,
            version: version.clone(),
            files: BTreeMap::from([(FOREST_FILE.to_owned(), hash)]),
        };
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let pointer = CurrentPointer {
            version: version.clone(),
            generation,
            manifest_sha256: hex::encode(Sha256::digest(&manifest)),
            published_at: jiff::Timestamp::now(),
            published_by: "a test".to_owned(),
        };
        self.put(&keys.file(version, FOREST_FILE), Bytes::from_static(FOREST)).await;
        self.put(&keys.file(version, MANIFEST_FILE), manifest).await;
        self.put_json(&keys.current(), &pointer).await;
    }
}
