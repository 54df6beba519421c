//! Model versions as far as whoever does not load them looks.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};
use vedette_contract::ModelVersion;
use vedette_contract::keys::ModelKeys;
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{
    CurrentPointer, FOREST_FILE, FileHash, MANIFEST_FILE, METADATA_FILE, ModelManifest, ModelMetadata, SCHEMA,
};

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
            comment: None,
            earlier: Vec::new(),
        };
        self.put(&keys.file(version, FOREST_FILE), Bytes::from_static(FOREST)).await;
        self.put(&keys.file(version, MANIFEST_FILE), manifest).await;
        self.put_json(&keys.current(), &pointer).await;
    }

    /// What a version was made of, by this Job.
    pub async fn describe(&self, namespace: &str, training: &str, version: &ModelVersion, job: &str) {
        let keys = ModelKeys::new(&namespace.parse().unwrap(), &training.parse().unwrap());
        let metadata = json!({
            "schema": SCHEMA, "vedette_version": "0.1.0", "training": training, "pipeline": training,
            "trained_at_site": "east", "trained_by": job, "trained_at": "2026-11-23T08:42:00Z",
            "algorithm": Algorithm::Ensemble, "parameters": {}, "seed": 1, "objects": [], "sites": ["east"],
            "records": 150, "duplicates": 0, "unreadable": 0, "sampled": 150, "learned": 150, "last_utc": null,
            "metrics": {
                "rows": 15, "anomalies": null, "auroc": null, "auprc": null, "recall_at_budget": null,
                "precision_at_budget": null, "alert_budget_per_million": 1000.0, "alerts_per_million": 0.0
            },
            "baseline": null
        });
        let metadata: ModelMetadata = serde_json::from_value(metadata).unwrap();
        self.put_json(&keys.file(version, METADATA_FILE), &metadata).await;
    }
}
