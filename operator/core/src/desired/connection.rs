//! How pods reach Kafka and the bucket, made of the site file: properties, environment, and files of Secrets and
//! ConfigMaps. What is secret is in the latter two alone.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EnvVar, EnvVarSource, KeyToPath, SecretKeySelector, SecretVolumeSource, Volume, VolumeMount,
};
use vedette_contract::Name;
use vedette_contract::arguments::{
    AWS_ACCESS_KEY_ID_ENV, AWS_SECRET_ACCESS_KEY_ENV, AWS_SESSION_TOKEN_ENV, KAFKA_SASL_PASSWORD_ENV,
    KAFKA_SASL_USERNAME_ENV, KeyValue,
};

use super::pod::OUR_DIRECTORY;
use crate::site::{Authority, Bucket, BucketKeys, ClientCertificate, Kafka, KafkaKeys, KafkaTls, SiteFile, Source};
use crate::validate::{ConfigMapKey, ValidatedLookup};

/// Volume of the certificates of the bucket's authorities.
pub(super) const BUCKET_CA: &str = "bucket-ca";
/// Volume of the certificates of Kafka's authorities.
pub(super) const KAFKA_CA: &str = "kafka-ca";
/// Volume of the certificates of the authorities of who gives out tokens for Kafka.
pub(super) const KAFKA_OAUTH_CA: &str = "kafka-oauth-ca";
/// Volume of the certificate by which Kafka knows the pods.
pub(super) const KAFKA_CERTIFICATE: &str = "kafka-certificate";

/// How the names of the volumes of lookups' tables begin.
pub(crate) const LOOKUP_VOLUMES: &str = "vedette-lookup-";

const CA_FILE: &str = "ca.crt";
const CERTIFICATE_FILE: &str = "tls.crt";
const PRIVATE_KEY_FILE: &str = "tls.key";

/// Files of a Secret or ConfigMap in a pod; the name of its volume is that of its directory.
#[derive(Debug)]
pub(super) struct Files {
    volume: String,
    source: FileSource,
    /// Key and file name of each.
    items: Vec<(String, String)>,
}

#[derive(Debug)]
enum FileSource {
    /// Without it no pod starts.
    Needed(Source),
    /// A ConfigMap whose pods say themselves that they wait for it.
    Awaited(String),
}

impl Files {
    /// One key of a Secret or ConfigMap, as a file of its name.
    pub(super) fn of_key(volume: String, source: Source, key: &str) -> Self {
        Self { volume, source: FileSource::Needed(source), items: vec![(key.to_owned(), key.to_owned())] }
    }

    pub(super) fn volume(&self) -> Volume {
        let item =
            |(key, file): &(String, String)| KeyToPath { key: key.clone(), path: file.clone(), ..Default::default() };
        let items = Some(self.items.iter().map(item).collect());
        let volume = Volume { name: self.volume.clone(), ..Default::default() };
        match &self.source {
            FileSource::Needed(Source::Secret(name)) => {
                let secret = SecretVolumeSource { secret_name: Some(name.to_string()), items, ..Default::default() };
                Volume { secret: Some(secret), ..volume }
            }
            FileSource::Needed(Source::ConfigMap(name)) => {
                let config_map = ConfigMapVolumeSource { name: name.to_string(), items, ..Default::default() };
                Volume { config_map: Some(config_map), ..volume }
            }
            FileSource::Awaited(name) => {
                let config_map =
                    ConfigMapVolumeSource { name: name.clone(), items, optional: Some(true), ..Default::default() };
                Volume { config_map: Some(config_map), ..volume }
            }
        }
    }

    pub(super) fn mount(&self) -> VolumeMount {
        VolumeMount {
            name: self.volume.clone(),
            mount_path: format!("{OUR_DIRECTORY}/{}", self.volume),
            read_only: Some(true),
            ..Default::default()
        }
    }
}

/// Properties of librdkafka. Those that somebody gave win.
pub(super) fn kafka_properties(kafka: &Kafka) -> BTreeMap<String, String> {
    let mut made: Vec<(&str, String)> = Vec::new();
    made.extend(kafka.sasl_mechanism.map(|mechanism| ("sasl.mechanisms", mechanism.as_str().to_owned())));
    if let Some(KafkaTls { ca, client_certificate }) = &kafka.tls {
        let protocol = if kafka.has_credentials() { "SASL_SSL" } else { "SSL" };
        made.push(("security.protocol", protocol.to_owned()));
        made.extend(ca.iter().map(|_| ("ssl.ca.location", path(KAFKA_CA, CA_FILE))));
        if client_certificate.is_some() {
            made.push(("ssl.certificate.location", path(KAFKA_CERTIFICATE, CERTIFICATE_FILE)));
            made.push(("ssl.key.location", path(KAFKA_CERTIFICATE, PRIVATE_KEY_FILE)));
        }
    }
    let mut properties: BTreeMap<String, String> =
        made.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    if kafka.properties.contains_key("sasl.mechanism") {
        properties.remove("sasl.mechanisms");
    }
    properties.extend(kafka.properties.clone());
    properties
}

/// Files that lead to Kafka, where the site has some.
pub(super) fn kafka_files(kafka: &Kafka) -> Vec<Files> {
    let (ca, client_certificate) = match &kafka.tls {
        None => (None, None),
        Some(KafkaTls { ca, client_certificate }) => (ca.as_ref(), client_certificate.clone()),
    };
    let oauth_ca = kafka.oauth.as_ref().and_then(|oauth| oauth.ca.as_ref());
    let certificate = client_certificate.map(|certificate| {
        let ClientCertificate { secret, certificate_key, private_key_key } = certificate;
        let items = [(certificate_key, CERTIFICATE_FILE), (private_key_key, PRIVATE_KEY_FILE)];
        let items = items.map(|(key, file)| (key, file.to_owned())).into();
        Files { volume: KAFKA_CERTIFICATE.to_owned(), source: FileSource::Needed(Source::Secret(secret)), items }
    });
    authority(KAFKA_CA, ca).into_iter().chain(authority(KAFKA_OAUTH_CA, oauth_ca)).chain(certificate).collect()
}

/// Files that lead to the bucket, where the site has some.
pub(super) fn bucket_files(bucket: &Bucket) -> Vec<Files> {
    authority(BUCKET_CA, bucket.ca.as_ref()).into_iter().collect()
}

/// Files that lead to both.
pub(super) fn all_files(site: &SiteFile) -> Vec<Files> {
    kafka_files(&site.kafka).into_iter().chain(bucket_files(&site.bucket)).collect()
}

/// Where the certificates are of the authorities of who gives out tokens for Kafka.
pub(super) fn kafka_oauth_ca_file() -> String {
    path(KAFKA_OAUTH_CA, CA_FILE)
}

/// Where the certificates of the bucket's authorities are.
pub(super) fn bucket_ca_file() -> String {
    path(BUCKET_CA, CA_FILE)
}

/// The table of a lookup that is in a ConfigMap. It is read again when it changes, so it is mounted as it is and in no hash.
pub(super) fn lookup_files(lookup: &ValidatedLookup) -> Option<Files> {
    let ConfigMapKey { name, key } = lookup.config_map.clone()?;
    let items = vec![(key.clone(), key)];
    Some(Files { volume: lookup_volume(lookup), source: FileSource::Awaited(name), items })
}

/// The name of such a lookup, and where its table is in the pods.
pub(super) fn lookup_file_argument(lookup: &ValidatedLookup) -> Option<KeyValue> {
    let ConfigMapKey { name: _, key } = lookup.config_map.as_ref()?;
    Some(KeyValue { key: lookup.lookup.name.to_string(), value: path(&lookup_volume(lookup), key) })
}

fn lookup_volume(lookup: &ValidatedLookup) -> String {
    format!("{LOOKUP_VOLUMES}{}", lookup.lookup.name)
}

fn authority(volume: &'static str, ca: Option<&Authority>) -> Option<Files> {
    let ca = ca?;
    let items = vec![(ca.key.clone(), CA_FILE.to_owned())];
    Some(Files { volume: volume.to_owned(), source: FileSource::Needed(ca.source()?), items })
}

fn path(volume: &str, file: &str) -> String {
    format!("{OUR_DIRECTORY}/{volume}/{file}")
}

/// Kafka credentials, where the site has some.
pub(super) fn kafka_environment(kafka: &Kafka) -> Vec<EnvVar> {
    let Kafka { credentials_secret, credentials_keys: KafkaKeys { username, password }, .. } = kafka;
    let Some(secret) = credentials_secret else { return Vec::new() };
    let username = match &kafka.username {
        None => from_secret(KAFKA_SASL_USERNAME_ENV, secret, username),
        Some(name) => {
            EnvVar { name: KAFKA_SASL_USERNAME_ENV.to_owned(), value: Some(name.clone()), ..Default::default() }
        }
    };
    vec![username, from_secret(KAFKA_SASL_PASSWORD_ENV, secret, password)]
}

/// Bucket credentials, where the site has some.
pub(super) fn bucket_environment(bucket: &Bucket) -> Vec<EnvVar> {
    let BucketKeys { access_key_id, secret_access_key, session_token } = &bucket.credentials_keys;
    let keys = [(AWS_ACCESS_KEY_ID_ENV, access_key_id), (AWS_SECRET_ACCESS_KEY_ENV, secret_access_key)];
    let token = session_token.as_ref().map(|key| (AWS_SESSION_TOKEN_ENV, key));
    let keys = keys.into_iter().chain(token);
    let secret = bucket.credentials_secret.iter();
    secret.flat_map(|secret| keys.clone().map(|(variable, key)| from_secret(variable, secret, key))).collect()
}

fn from_secret(variable: &str, secret: &Name, key: &str) -> EnvVar {
    let selector = SecretKeySelector { name: secret.to_string(), key: key.to_owned(), optional: None };
    let source = EnvVarSource { secret_key_ref: Some(selector), ..Default::default() };
    EnvVar { name: variable.to_owned(), value_from: Some(source), ..Default::default() }
}
