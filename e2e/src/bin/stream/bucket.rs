//! A bucket of this process, which can go away and come back.

use std::net::{Ipv4Addr, SocketAddr};

use tempfile::TempDir;
use tokio::runtime::Runtime;
use vedette_contract::arguments::BucketArguments;
use vedette_e2e::RunError;
use vedette_embedded::bucket::{BucketOptions, Credentials, EmbeddedBucket};
use vedette_streams::bucket::Bucket;

use crate::bed::failed;

const NAME: &str = "bench";

pub(crate) struct LocalBucket {
    directory: TempDir,
    runtime: Runtime,
    credentials: Credentials,
    address: SocketAddr,
    server: Option<EmbeddedBucket>,
}

impl LocalBucket {
    pub(crate) fn start() -> Result<Self, RunError> {
        let mut this = Self {
            directory: tempfile::tempdir().map_err(RunError::Process)?,
            runtime: Runtime::new().map_err(RunError::Process)?,
            credentials: Credentials::random(),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            server: None,
        };
        this.come_back()?;
        Ok(this)
    }

    /// A client of it.
    pub(crate) fn client(&self) -> Bucket {
        let Credentials { access_key_id, secret_access_key } = self.credentials.clone();
        Bucket::new(&BucketArguments {
            bucket_endpoint: Some(format!("http://{}", self.address)),
            bucket: NAME.to_owned(),
            bucket_region: "us-east-1".to_owned(),
            access_key_id: Some(access_key_id),
            secret_access_key: Some(secret_access_key.into()),
            ..BucketArguments::default()
        })
    }

    /// What a workload is given to reach it.
    pub(crate) fn arguments(&self) -> [String; 4] {
        let Credentials { access_key_id, secret_access_key } = &self.credentials;
        [
            format!("--bucket-endpoint=http://{}", self.address),
            format!("--bucket={NAME}"),
            format!("--access-key-id={access_key_id}"),
            format!("--secret-access-key={secret_access_key}"),
        ]
    }

    /// Breaks all connections and refuses new ones.
    pub(crate) fn go_away(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }

    /// Serves what it held, at the address it had.
    pub(crate) fn come_back(&mut self) -> Result<(), RunError> {
        let options = BucketOptions {
            directory: self.directory.path(),
            name: NAME,
            listen: self.address,
            credentials: self.credentials.clone(),
        };
        let server = self.runtime.block_on(EmbeddedBucket::start(options)).map_err(failed)?;
        self.address = server.address();
        self.server = Some(server);
        Ok(())
    }
}
