//! An S3 server in memory, as far as an operator uses one.

#![allow(dead_code)] // Two test programs use a part each.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::{CurrentPointer, FileHash, ModelManifest, SCHEMA};
use vedette_contract::{ModelVersion, Name};
use vedette_core::site;
use vedette_streams::bucket::{Bucket, CredentialFiles};

#[derive(Clone)]
pub struct Objects {
    endpoint: String,
    stored: Arc<Mutex<BTreeMap<String, Bytes>>>,
    down: Arc<Mutex<bool>>,
    ignores_conditions: Arc<Mutex<bool>>,
    credentials: Arc<TempDir>,
}

impl Objects {
    /// Serves an empty bucket, and returns a client of it.
    pub async fn serve() -> (Self, Bucket) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let objects = Self {
            endpoint: endpoint.clone(),
            stored: Arc::default(),
            down: Arc::default(),
            ignores_conditions: Arc::default(),
            credentials: Arc::new(tempfile::tempdir().unwrap()),
        };
        objects.give_credentials();
        let router = axum::Router::new().fallback(answer).with_state(objects.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let bucket = site::Bucket {
            endpoint: Some(endpoint),
            name: "vedette".to_owned(),
            region: "us-east-1".to_owned(),
            credentials_secret: "vedette-bucket".parse().unwrap(),
        };
        let [access_key_id, secret_access_key] = objects.credential_files();
        let credentials = CredentialFiles { access_key_id, secret_access_key };
        (objects, vedette_operator::connect::bucket(&bucket, credentials))
    }

    /// Where a process finds its credentials.
    pub fn credentials_directory(&self) -> &Path {
        self.credentials.path()
    }

    fn credential_files(&self) -> [PathBuf; 2] {
        [site::ACCESS_KEY_ID_KEY, site::SECRET_ACCESS_KEY_KEY].map(|key| self.credentials.path().join(key))
    }

    /// As the kubelet does once the Secret is there.
    pub fn give_credentials(&self) {
        self.credential_files().iter().for_each(|file| std::fs::write(file, "test").unwrap());
    }

    pub fn take_credentials(&self) {
        self.credential_files().iter().for_each(|file| std::fs::remove_file(file).unwrap());
    }

    /// Where it is served, for another process.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn set_down(&self, down: bool) {
        *self.down.lock().unwrap() = down;
    }

    /// As some servers do: every conditional write succeeds.
    pub fn ignore_conditions(&self) {
        *self.ignores_conditions.lock().unwrap() = true;
    }

    fn means_conditions(&self) -> bool {
        !*self.ignores_conditions.lock().unwrap()
    }

    pub fn put(&self, key: &str, body: impl Into<Bytes>) {
        self.stored.lock().unwrap().insert(key.to_owned(), body.into());
    }

    pub fn get(&self, key: &str) -> Option<serde_json::Value> {
        serde_json::from_slice(self.stored.lock().unwrap().get(key)?).ok()
    }

    pub fn put_json(&self, key: &str, body: &impl Serialize) {
        self.put(key, serde_json::to_vec(body).unwrap());
    }

    /// A version with one file, and the pointer to it.
    pub fn publish_in(&self, namespace: &str, training: &str, version: &ModelVersion, generation: u64) {
        let namespace: Name = namespace.parse().unwrap();
        let keys = ModelKeys::new(&namespace, &training.parse().unwrap());
        let forest = b"trees";
        self.put(&keys.file(version, "forest.bin"), Bytes::from_static(forest));
        let hash = FileHash { sha256: hex::encode(Sha256::digest(forest)), bytes: 5 };
        let manifest = ModelManifest {
            schema: SCHEMA,
            version: version.clone(),
            files: BTreeMap::from([("forest.bin".to_owned(), hash)]),
        };
        let manifest = serde_json::to_vec(&manifest).unwrap();
        let pointer = CurrentPointer {
            version: version.clone(),
            generation,
            manifest_sha256: hex::encode(Sha256::digest(&manifest)),
            published_at: jiff::Timestamp::now(),
            published_by: "a test".to_owned(),
        };
        self.put(&keys.file(version, "manifest.json"), manifest);
        self.put_json(&keys.current(), &pointer);
    }
}

async fn answer(State(objects): State<Objects>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if *objects.down.lock().unwrap() {
        return StatusCode::FORBIDDEN.into_response();
    }
    let key = uri.path().trim_start_matches('/').split_once('/').map(|(_, key)| key.to_owned()).unwrap_or_default();
    let mut stored = objects.stored.lock().unwrap();
    let tag = |body: &Bytes| [("etag", format!("\"{}\"", hex::encode(Sha256::digest(body))))];
    match method {
        Method::PUT
            if objects.means_conditions() && headers.contains_key("if-none-match") && stored.contains_key(&key) =>
        {
            StatusCode::PRECONDITION_FAILED.into_response()
        }
        Method::PUT => {
            let tag = tag(&body);
            stored.insert(key, body);
            tag.into_response()
        }
        Method::DELETE => {
            stored.remove(&key);
            StatusCode::NO_CONTENT.into_response()
        }
        Method::GET if key.is_empty() => {
            let query = uri.query().unwrap_or_default();
            let prefix = query.split('&').find_map(|pair| pair.strip_prefix("prefix=")).unwrap_or_default();
            list(&stored, &prefix.replace("%2F", "/")).into_response()
        }
        _ => match stored.get(&key) {
            Some(body) => (tag(body), body.clone()).into_response(),
            None => {
                (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>").into_response()
            }
        },
    }
}

fn list(stored: &BTreeMap<String, Bytes>, prefix: &str) -> String {
    let mut contents = String::new();
    for (key, body) in stored.iter().filter(|(key, _)| key.starts_with(prefix)) {
        let size = body.len();
        write!(contents, "<Contents><Key>{key}</Key><Size>{size}</Size></Contents>").unwrap();
    }
    format!("<ListBucketResult><Name>vedette</Name><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>")
}
