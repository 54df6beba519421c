//! The bucket of `vedette local`, as tests use it: it can go away, come back, and misbehave.

mod archive;
mod gate;
mod health;
mod models;
mod secret;

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::time::SystemTime;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use vedette_contract::arguments::BucketArguments;
use vedette_embedded::bucket::{BucketOptions, Credentials, EmbeddedBucket};
use vedette_streams::bucket::{Body, Bucket, Creation};

pub use self::archive::object_key;
pub use self::gate::Behaviour;
pub use self::health::{lacks, lacks_file};
pub use self::secret::MountedSecret;

use self::gate::Gate;
use crate::free_address;

/// The name of every bucket here.
pub const BUCKET: &str = "vedette";
/// What every bucket here lets in.
pub const ACCESS_KEY: &str = "test-access";
/// What every bucket here lets in.
pub const SECRET_KEY: &str = "test-secret";

/// A bucket in a temporary directory, empty at first.
pub struct TestBucket {
    /// A client of it.
    pub bucket: Bucket,
    address: SocketAddr,
    gate: Gate,
    server: Option<EmbeddedBucket>,
    directory: TempDir,
}

impl TestBucket {
    /// Serves it.
    pub async fn serve() -> Self {
        let (directory, gate) = (tempfile::tempdir().unwrap(), Gate::default());
        // Nobody else is given the port while the server is away.
        let address = free_address();
        let server = start(&directory, address, gate.clone()).await;
        Self { bucket: Bucket::new(&arguments(address)), address, gate, server: Some(server), directory }
    }

    /// What a workload is given.
    pub fn arguments(&self) -> BucketArguments {
        arguments(self.address)
    }

    /// The same as options of a command line.
    pub fn options(&self) -> [String; 4] {
        let BucketArguments { bucket_endpoint, bucket, access_key_id, secret_access_key, .. } = self.arguments();
        [
            format!("--bucket-endpoint={}", bucket_endpoint.unwrap()),
            format!("--bucket={bucket}"),
            format!("--access-key-id={}", access_key_id.unwrap()),
            format!("--secret-access-key={}", secret_access_key.unwrap().reveal()),
        ]
    }

    /// Where it is served.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same, as `http://host:port`.
    pub fn endpoint(&self) -> String {
        endpoint(self.address)
    }

    /// The data directory that holds it, as `vedette local` has one.
    pub fn data_directory(&self) -> &Path {
        self.directory.path()
    }

    /// Breaks all connections and refuses new ones.
    pub async fn go_away(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// Serves again what it held, at the address it had.
    pub async fn come_back(&mut self) {
        self.go_away().await;
        self.server = Some(start(&self.directory, self.address, self.gate.clone()).await);
    }

    /// Treats requests in another way from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.gate.behave(behaviour);
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.gate.requests()
    }

    /// How many requests were refused.
    pub fn refusals(&self) -> usize {
        self.gate.refusals()
    }

    /// Writes an object that is not there yet.
    pub async fn create(&self, key: &str, bytes: Vec<u8>, metadata: &BTreeMap<String, String>) {
        let created = self.bucket.create(key, Body::Bytes(Bytes::from(bytes)), metadata).await.unwrap();
        assert_eq!(created, Creation::Created, "{key}");
    }

    /// Writes an object.
    pub async fn put(&self, key: &str, bytes: impl Into<Bytes>) {
        self.bucket.put(key, bytes.into()).await.unwrap();
    }

    /// Writes an object as JSON.
    pub async fn put_json(&self, key: &str, object: &impl Serialize) {
        self.put(key, serde_json::to_vec(object).unwrap()).await;
    }

    /// Makes an object older than it is.
    pub fn age(&self, key: &str, by: SignedDuration) {
        let path = self.directory.path().join(BUCKET).join(key);
        let written = SystemTime::from(Timestamp::now() - by);
        File::options().write(true).open(path).unwrap().set_modified(written).unwrap();
    }

    /// Reads an object of JSON; `None` where there is none.
    pub async fn json<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let object = self.bucket.get(key).await.unwrap()?;
        Some(serde_json::from_slice(&object.bytes).unwrap())
    }
}

/// What a workload is given whose bucket is, or is not, at this address.
pub fn arguments(address: SocketAddr) -> BucketArguments {
    BucketArguments {
        bucket_endpoint: Some(endpoint(address)),
        bucket: BUCKET.to_owned(),
        bucket_region: "us-east-1".to_owned(),
        access_key_id: Some(ACCESS_KEY.to_owned()),
        secret_access_key: Some(SECRET_KEY.into()),
        ..BucketArguments::default()
    }
}

fn endpoint(address: SocketAddr) -> String {
    format!("http://{address}")
}

async fn start(directory: &TempDir, listen: SocketAddr, gate: Gate) -> EmbeddedBucket {
    let credentials = Credentials { access_key_id: ACCESS_KEY.to_owned(), secret_access_key: SECRET_KEY.to_owned() };
    let options = BucketOptions { directory: directory.path(), name: BUCKET, listen, credentials };
    EmbeddedBucket::start_with(options, |service| service.set_access(gate)).await.unwrap()
}
