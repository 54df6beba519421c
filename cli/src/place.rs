//! Where a command finds the bucket: a real one, or the data directory of earlier local runs.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use thiserror::Error;
use vedette_contract::arguments::BucketArguments;
use vedette_contract::keys::KeyPrefix;
use vedette_embedded::bucket::{BucketOptions, Credentials, EmbeddedBucket, EmbeddedBucketError};
use vedette_streams::bucket::Bucket;

use crate::bucket_key::{BucketKey, NotSet};

/// The bucket where no other is named.
pub(crate) const BUCKET_NAME: &str = "vedette";
/// Its region where none is named.
pub(crate) const BUCKET_REGION: &str = "us-east-1";

/// One of both, and the bucket's name.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("place").required(true))]
pub struct PlaceOptions {
    /// The data directory of `vedette local`
    #[arg(long, value_name = "DIR", group = "place")]
    pub data_dir: Option<PathBuf>,

    /// The S3 bucket at this endpoint; credentials come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for a
    /// temporary key, AWS_SESSION_TOKEN
    #[arg(long = "bucket", value_name = "URL", group = "place")]
    pub bucket_endpoint: Option<String>,

    /// Name of the bucket
    #[arg(long, value_name = "NAME", default_value = BUCKET_NAME)]
    pub bucket_name: String,

    /// What stands before all keys of the bucket, as in the site file
    #[arg(long, value_name = "PREFIX", requires = "bucket_endpoint")]
    pub bucket_prefix: Option<KeyPrefix>,

    /// Region of the bucket
    #[arg(long, value_name = "REGION", default_value = BUCKET_REGION)]
    pub bucket_region: String,
}

/// Why there is no bucket.
#[derive(Debug, Error)]
pub enum PlaceError {
    /// Not the data directory of a local run.
    #[error("{} has no bucket {bucket:?}: give the --data-dir of a local run", directory.display())]
    NoData { directory: PathBuf, bucket: String },
    /// A real bucket without credentials.
    #[error(transparent)]
    Credentials(#[from] NotSet),
    /// The data directory could not be served.
    #[error(transparent)]
    Embedded(#[from] EmbeddedBucketError),
}

/// A bucket, and the server of it where it is a directory.
pub struct Opened {
    /// Its client.
    pub bucket: Bucket,
    /// The server; none where it is a real one.
    pub(crate) server: Option<EmbeddedBucket>,
}

impl PlaceOptions {
    /// The data directory of local runs.
    pub(crate) fn directory(directory: PathBuf) -> Self {
        Self {
            data_dir: Some(directory),
            bucket_endpoint: None,
            bucket_name: BUCKET_NAME.to_owned(),
            bucket_prefix: None,
            bucket_region: BUCKET_REGION.to_owned(),
        }
    }

    /// Opens the bucket; nothing is asked of it yet.
    ///
    /// # Errors
    /// When the directory is none of a local run or cannot be served, or the credentials are missing.
    pub async fn open(&self) -> Result<Opened, PlaceError> {
        let Self { data_dir, bucket_endpoint, bucket_name, bucket_prefix, bucket_region } = self;
        let server = match data_dir {
            Some(directory) if !directory.join(bucket_name).is_dir() => {
                return Err(PlaceError::NoData { directory: directory.clone(), bucket: bucket_name.clone() });
            }
            Some(directory) => {
                let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                let credentials = Credentials::random();
                let options = BucketOptions { directory, name: bucket_name, listen: any, credentials };
                Some(EmbeddedBucket::start(options).await?)
            }
            None => None,
        };
        let (endpoint, key) = match &server {
            Some(server) => (Some(server.endpoint()), BucketKey::from(server.credentials().clone())),
            None => (bucket_endpoint.clone(), BucketKey::from_environment()?),
        };
        let bucket = Bucket::new(&BucketArguments {
            bucket_endpoint: endpoint,
            bucket: bucket_name.clone(),
            bucket_prefix: bucket_prefix.clone(),
            bucket_region: bucket_region.clone(),
            ..key.arguments()
        });
        Ok(Opened { bucket, server })
    }
}
