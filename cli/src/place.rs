//! Where a command looks: at a bucket, at the data directory of earlier local runs, or through a console.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;
use thiserror::Error;
use vedette_contract::Name;
use vedette_contract::arguments::{BUCKET_REGION, BucketArguments};
use vedette_contract::keys::KeyPrefix;
use vedette_embedded::bucket::{BucketOptions, Credentials, EmbeddedBucket, EmbeddedBucketError};
use vedette_streams::bucket::Bucket;

use crate::bucket_key::{BucketKey, NotSet};
use crate::console::{Cluster, Console, ConsoleAddress, ConsoleError, is_address};

/// The bucket where no other is named.
pub(crate) const BUCKET_NAME: &str = "vedette";

/// One of them, and the bucket's name; the console of the cluster of kubectl's context where none is named.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("place"))]
pub struct PlaceOptions {
    /// The data directory of `vedette local`
    #[arg(long, value_name = "DIR", group = "place")]
    pub data_dir: Option<PathBuf>,

    /// The S3 bucket at this endpoint; credentials come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, for a
    /// temporary key, AWS_SESSION_TOKEN
    #[arg(long = "bucket", value_name = "URL", group = "place", value_parser = endpoint)]
    pub bucket_endpoint: Option<String>,

    /// The console at this address: it tells what it keeps, and writes silences and verdicts; all else needs the bucket. Where no place is
    /// named that of the cluster of kubectl's context is asked
    #[arg(long, value_name = "URL", group = "place")]
    pub console: Option<ConsoleAddress>,

    /// Context of kubectl whose console is asked where no place is named; the current one where omitted
    #[arg(long, value_name = "NAME", conflicts_with = "place")]
    pub context: Option<String>,

    /// Namespace of the console that is asked where no place is named; all are looked at where omitted
    #[arg(long, value_name = "NAME", conflicts_with = "place")]
    pub console_namespace: Option<Name>,

    /// File of the token by which the console takes what is written
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data_dir", "bucket_endpoint"])]
    pub console_token_file: Option<PathBuf>,

    /// File of certificates by which the console is trusted, beside the public ones
    #[arg(long, value_name = "FILE", requires = "console")]
    pub console_ca_file: Option<PathBuf>,

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

/// Reads where a bucket is.
pub(crate) fn endpoint(text: &str) -> Result<String, String> {
    let mend = || format!("{text:?} is no endpoint of a bucket: write http://seaweedfs:8333 or https://s3.example.org");
    is_address(text).then(|| text.to_owned()).ok_or_else(mend)
}

/// Why there is no bucket.
#[derive(Debug, Error)]
pub enum PlaceError {
    /// Not the data directory of a local run.
    #[error("{} has no bucket {bucket:?}: give the --data-dir of a local run", directory.display())]
    NoData { directory: PathBuf, bucket: String },
    /// Whoever asks may not look.
    #[error("cannot look into the data directory {}: see that you may read it, or give another to --data-dir", directory.display())]
    Closed {
        directory: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A console does not give it.
    #[error("a console does not tell that: give the bucket with --bucket, or the --data-dir of a local run")]
    NeedsBucket,
    /// The console cannot be asked.
    #[error(transparent)]
    Console(#[from] ConsoleError),
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
            console: None,
            context: None,
            console_namespace: None,
            console_token_file: None,
            console_ca_file: None,
            bucket_name: BUCKET_NAME.to_owned(),
            bucket_prefix: None,
            bucket_region: BUCKET_REGION.to_owned(),
        }
    }

    /// The console, where one is to be asked; nothing is asked of it yet.
    ///
    /// # Errors
    /// When the file of its token cannot be read.
    pub(crate) fn console(&self) -> Result<Option<Console>, PlaceError> {
        let token_file = self.console_token_file.as_deref();
        Ok(match &self.console {
            Some(address) => Some(Console::at(address, token_file, self.console_ca_file.clone())?),
            None if self.names_bucket() => None,
            None => {
                let (context, namespace) = (self.context.clone(), self.console_namespace.clone());
                Some(Console::of_cluster(Cluster { context, namespace }, token_file)?)
            }
        })
    }

    fn names_bucket(&self) -> bool {
        self.data_dir.is_some() || self.bucket_endpoint.is_some()
    }

    /// Opens the bucket; nothing is asked of it yet.
    ///
    /// # Errors
    /// When the directory is none of a local run or cannot be served, or the credentials are missing; and where a console is to be asked.
    pub async fn open(&self) -> Result<Opened, PlaceError> {
        let Self { data_dir, bucket_endpoint, bucket_name, bucket_prefix, bucket_region, .. } = self;
        if !self.names_bucket() {
            return Err(PlaceError::NeedsBucket);
        }
        let server = match data_dir {
            Some(directory) => {
                see(directory, bucket_name)?;
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

/// That the directory is one of a local run, before anything is made in it.
fn see(directory: &Path, bucket: &str) -> Result<(), PlaceError> {
    match std::fs::metadata(directory.join(bucket)) {
        Ok(found) if found.is_dir() => Ok(()),
        Err(source) if !matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(PlaceError::Closed { directory: directory.to_owned(), source })
        }
        Ok(_) | Err(_) => Err(PlaceError::NoData { directory: directory.to_owned(), bucket: bucket.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_its_scheme() {
        for right in ["http://seaweedfs:8333", "https://s3.example.org/", "http://[::1]:8333"] {
            assert_eq!(endpoint(right).as_deref(), Ok(right));
        }
        for wrong in ["", "seaweedfs:8333", "s3.example.org", "s3://bucket", "http://", "https://id:key@s3"] {
            assert!(endpoint(wrong).unwrap_err().contains("write http://"), "{wrong}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_looked_into_is_not_said_to_be_empty() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(see(directory.path(), "vedette"), Err(PlaceError::NoData { .. })));
        std::fs::write(directory.path().join("file"), "").unwrap();
        assert!(matches!(see(&directory.path().join("file"), "vedette"), Err(PlaceError::NoData { .. })));
        assert!(matches!(see(directory.path(), "file"), Err(PlaceError::NoData { .. })));
        // Whoever may do everything may look everywhere, but not into what leads to itself.
        let circle = directory.path().join("circle");
        std::os::unix::fs::symlink(&circle, &circle).unwrap();
        let error = see(&circle, "vedette").unwrap_err();
        assert!(matches!(error, PlaceError::Closed { .. }) && error.to_string().contains("circle"), "{error}");
        std::fs::create_dir(directory.path().join("vedette")).unwrap();
        assert!(see(directory.path(), "vedette").is_ok());
    }
}
