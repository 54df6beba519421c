//! Versions that no trainer would publish.

use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use vedette_contract::ModelVersion;
use vedette_contract::model::{CurrentPointer, FOREST_FILE, FileHash, MANIFEST_FILE, ModelManifest};

use crate::site::{Site, models};

/// What is wrong with a version.
#[derive(Clone, Copy)]
pub(crate) enum Flaw {
    /// The pointer has another hash of the manifest.
    ManifestHash,
    /// Every hash is right, but the trees are none: a detector cannot load them.
    Trees,
}

/// Publishes a copy of a version with a flaw, as the newest, at the site that trains.
pub(crate) async fn publish_flawed(site: &Site, version: &str, flaw: Flaw) -> String {
    let bucket = site.cluster.bucket();
    let keys = models();
    let source = version.parse::<ModelVersion>().unwrap();
    let hash = match flaw {
        Flaw::ManifestHash => "0badc0de",
        Flaw::Trees => "0badf00d",
    };
    let now = jiff::Timestamp::now();
    let flawed: ModelVersion = format!("{}-{hash}", now.strftime("%Y%m%dT%H%M%SZ")).parse().unwrap();
    let manifest = bucket.get(&keys.file(&source, MANIFEST_FILE)).await.unwrap().unwrap();
    let mut manifest: ModelManifest = serde_json::from_slice(&manifest.bytes).unwrap();
    manifest.version = flawed.clone();
    for (file, hash) in &mut manifest.files {
        let mut content = bucket.get(&keys.file(&source, file)).await.unwrap().unwrap().bytes;
        if file == FOREST_FILE && matches!(flaw, Flaw::Trees) {
            content = b"no trees".as_slice().into();
        }
        *hash = FileHash { sha256: hex::encode(Sha256::digest(&content)), bytes: content.len() as u64 };
        bucket.create(&keys.file(&flawed, file), content.into(), &BTreeMap::new()).await.unwrap();
    }
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let manifest_sha256 = match flaw {
        Flaw::ManifestHash => "0".repeat(64),
        Flaw::Trees => hex::encode(Sha256::digest(&manifest)),
    };
    bucket.create(&keys.file(&flawed, MANIFEST_FILE), Bytes::from(manifest).into(), &BTreeMap::new()).await.unwrap();
    let current = bucket.get(&keys.current()).await.unwrap().unwrap();
    let mut pointer: CurrentPointer = serde_json::from_slice(&current.bytes).unwrap();
    pointer = CurrentPointer {
        version: flawed.clone(),
        generation: pointer.generation + 1,
        manifest_sha256,
        published_at: now,
        published_by: "a test".to_owned(),
        comment: None,
        earlier: pointer.so_far(),
    };
    bucket.put(&keys.current(), serde_json::to_vec(&pointer).unwrap().into()).await.unwrap();
    flawed.to_string()
}
