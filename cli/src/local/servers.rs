//! The broker and the bucket of a run: the embedded ones, or real ones that the user named.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use vedette_contract::arguments::{BucketArguments, KafkaArguments, KeyValue};
use vedette_core::site::{self, SiteFile};
use vedette_streams::bucket::Bucket;
use vedette_streams::kafka::{KafkaSettings, check_broker};

use super::error::LocalError;
use super::options::LocalOptions;
use super::setup::{BUCKET_SECRET, CONSOLE_SECRET, TOKEN_KEY, site_file};
use crate::bucket_key::BucketKey;
use vedette_embedded::broker::EmbeddedBroker;
use vedette_embedded::bucket::{BucketOptions, Credentials, EmbeddedBucket};

const BROKER_TIMEOUT: Duration = Duration::from_secs(10);

/// Secrets of a run: name to key to value.
pub(super) type Secrets = BTreeMap<String, BTreeMap<String, String>>;

/// Everything that the processes connect to; the embedded servers stop when this is dropped.
pub(super) struct Servers {
    /// The site file that names them.
    pub site: SiteFile,
    /// Credentials for the pods.
    pub secrets: Secrets,
    /// A client of our own.
    pub bucket: Bucket,
    /// Settings for consumers of our own.
    pub kafka: KafkaSettings,
    /// The embedded broker, if it is used.
    pub broker: Option<Arc<EmbeddedBroker>>,
    /// The embedded bucket, if it is used.
    pub embedded_bucket: Option<EmbeddedBucket>,
    _temporary: Option<tempfile::TempDir>,
}

/// Starts or reaches both.
///
/// # Errors
/// One line that says which, and what to do.
pub(super) async fn start(options: &LocalOptions) -> Result<Servers, LocalError> {
    let (broker, bootstrap_servers) = match &options.broker {
        Some(servers) => (None, servers.clone()),
        None => {
            let broker = EmbeddedBroker::start(options.kafka_listen)?;
            let address = broker.address().to_string();
            (Some(Arc::new(broker)), address)
        }
    };
    let (embedded_bucket, temporary, endpoint, key) = match &options.bucket_endpoint {
        Some(endpoint) => (None, None, endpoint.clone(), BucketKey::from_environment()?),
        None => {
            let (directory, temporary) = data_directory(options)?;
            let bucket = EmbeddedBucket::start(BucketOptions {
                directory: &directory,
                name: &options.bucket_name,
                listen: options.bucket_listen,
                credentials: Credentials::random(),
            })
            .await?;
            let (endpoint, key) = (bucket.endpoint(), BucketKey::from(bucket.credentials().clone()));
            (Some(bucket), temporary, endpoint, key)
        }
    };
    let mut site = site_file(options, &bootstrap_servers, Some(endpoint));
    let kafka = kafka_settings(&site);
    let for_check = kafka.clone();
    tokio::task::spawn_blocking(move || check_broker(&for_check, BROKER_TIMEOUT))
        .await
        .map_err(|error| LocalError::System { what: "look for the broker", source: error.into() })??;
    let bucket = Bucket::new(&bucket_arguments(&site.bucket, &key));
    bucket.ensure_exists().await?;
    let (credentials, keys) = key.into_secret();
    site.bucket.credentials_keys = keys;
    // 122 bits by chance, for this run.
    let token = uuid::Uuid::new_v4().simple().to_string();
    let token = BTreeMap::from([(TOKEN_KEY.to_owned(), token)]);
    let secrets = BTreeMap::from([(BUCKET_SECRET.to_owned(), credentials), (CONSOLE_SECRET.to_owned(), token)]);
    Ok(Servers { site, secrets, bucket, kafka, broker, embedded_bucket, _temporary: temporary })
}

/// Where everything lies that the workloads write.
fn bucket_arguments(bucket: &site::Bucket, key: &BucketKey) -> BucketArguments {
    let BucketArguments { access_key_id, secret_access_key, session_token, .. } = key.arguments();
    BucketArguments { access_key_id, secret_access_key, session_token, ..bucket.arguments() }
}

fn kafka_settings(site: &SiteFile) -> KafkaSettings {
    let kafka_properties =
        site.kafka.properties.iter().map(|(key, value)| KeyValue { key: key.clone(), value: value.clone() }).collect();
    let arguments = KafkaArguments {
        bootstrap_servers: site.kafka.bootstrap_servers.clone(),
        kafka_properties,
        ..KafkaArguments::default()
    };
    KafkaSettings::new(&arguments, "vedette-local")
}

fn data_directory(options: &LocalOptions) -> Result<(PathBuf, Option<tempfile::TempDir>), LocalError> {
    match &options.data_dir {
        Some(directory) => Ok((directory.clone(), None)),
        None => {
            let temporary = tempfile::Builder::new()
                .prefix("vedette-")
                .tempdir()
                .map_err(|source| LocalError::System { what: "make a temporary directory", source })?;
            Ok((temporary.path().to_owned(), Some(temporary)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_client_looks_where_the_workloads_write() {
        let arguments = ["local", "-f", "a.yaml", "--bucket", "http://b", "--bucket-prefix", "teams/fraud"];
        let options = LocalOptions::parsed(arguments).unwrap();
        let site = site_file(&options, "localhost:0", options.bucket_endpoint.clone());
        let arguments = bucket_arguments(&site.bucket, &BucketKey::from(Credentials::random()));
        assert_eq!(arguments.bucket_prefix.unwrap().to_string(), "teams/fraud");
        assert!(LocalOptions::parsed(["local", "-f", "a.yaml", "--bucket-prefix", "teams/fraud"]).is_err());
    }
}
