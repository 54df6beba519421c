//! A real S3 server in a temporary directory, and archive objects as the archiver writes them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use vedette_contract::archive::{METADATA_END, METADATA_RECORDS, METADATA_SHA256, Stream, TAIL_SUFFIX};
use vedette_contract::arguments::BucketArguments;
use vedette_contract::keys::PipelineKeys;
use vedette_forest::artifact::sha256_hex;
use vedette_streams::bucket::{Body, Bucket, Creation};

pub const ACCESS_KEY: &str = "test-access";
pub const SECRET_KEY: &str = "test-secret";

/// An empty bucket and its server, which runs as long as the test's runtime.
pub struct TestBucket {
    pub address: SocketAddr,
    pub bucket: Bucket,
    _directory: TempDir,
}

impl TestBucket {
    pub async fn serve() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(directory.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone()));
            }
        });
        let bucket = Bucket::new(&BucketArguments {
            bucket_endpoint: Some(format!("http://{address}")),
            bucket: "records".to_owned(),
            bucket_region: "us-east-1".to_owned(),
            access_key_id: ACCESS_KEY.to_owned(),
            secret_access_key: SECRET_KEY.to_owned(),
        });
        bucket.ensure_exists().await.unwrap();
        Self { address, bucket, _directory: directory }
    }

    /// Writes a closed archive object of these lines, in several frames; returns its key.
    pub async fn archive(&self, day: &str, site: &str, start: usize, lines: &[String]) -> String {
        let bytes: Vec<u8> = lines.chunks(200).flat_map(compress).collect();
        let metadata = BTreeMap::from([
            (METADATA_END.to_owned(), (start + lines.len()).to_string()),
            (METADATA_RECORDS.to_owned(), lines.len().to_string()),
            (METADATA_SHA256.to_owned(), sha256_hex(&bytes)),
        ]);
        let key = object_key(day, site, start);
        self.create(&key, bytes, &metadata).await;
        key
    }

    /// Writes a delta of an object that is open; returns its key.
    pub async fn tail(&self, object: &str, offset: usize, lines: &[String]) -> String {
        let key = format!("{object}{TAIL_SUFFIX}{offset:020}");
        self.create(&key, compress(lines), &BTreeMap::new()).await;
        key
    }

    pub async fn create(&self, key: &str, bytes: Vec<u8>, metadata: &BTreeMap<String, String>) {
        let created = self.bucket.create(key, Body::Bytes(Bytes::from(bytes)), metadata).await.unwrap();
        assert_eq!(created, Creation::Created, "{key}");
    }
}

pub fn object_key(day: &str, site: &str, start: usize) -> String {
    let prefix = PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap()).stream(Stream::EnrichedData);
    format!("{prefix}{day}/{site}/enriched_data-0-{start:020}-00c0ffee.jsonl.zst")
}

fn compress(lines: &[String]) -> Vec<u8> {
    let text: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    zstd::encode_all(text.as_bytes(), 3).unwrap()
}
