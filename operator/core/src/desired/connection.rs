//! How pods reach Kafka and the bucket, made of the site file: properties, environment, and files of Secrets and
//! ConfigMaps. What is secret is in the latter two alone.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EnvVar, EnvVarSource, KeyToPath, SecretKeySelector, SecretVolumeSource, Volume, VolumeMount,
};
use vedette_contract::ObjectName;
use vedette_contract::arguments::{
    AWS_ACCESS_KEY_ID_ENV, AWS_SECRET_ACCESS_KEY_ENV, AWS_SESSION_TOKEN_ENV, KAFKA_SASL_PASSWORD_ENV,
    KAFKA_SASL_USERNAME_ENV, KeyValue,
};
use vedette_contract::file_names::FileNames;

use super::volumes::{BUCKET_CA, KAFKA_CA, KAFKA_CERTIFICATE, KAFKA_OAUTH_CA, LOOKUP_VOLUMES, OUR_DIRECTORY};
use crate::site::{Authority, Bucket, BucketKeys, ClientCertificate, Kafka, KafkaKeys, KafkaTls, SiteFile, Source};
use crate::validate::{ConfigMapKey, ValidatedLookup};

const CA_FILE: &str = "ca.crt";
const CERTIFICATE_FILE: &str = "tls.crt";
const PRIVATE_KEY_FILE: &str = "tls.key";

/// Files of a Secret or ConfigMap in a pod; the name of its volume is that of its directory.
#[derive(Debug)]
pub(super) struct Files {
    volume: String,
    source: FileSource,
    /// Without it no pod starts; otherwise pods say themselves what they wait for.
    is_needed: bool,
    /// Key and file name of each; where there are none, all keys, each as a file of its name.
    items: Option<Vec<(String, String)>>,
}

/// Where files are from, by name.
#[derive(Debug)]
pub(super) enum FileSource {
    Secret(String),
    ConfigMap(String),
}

impl From<Source> for FileSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Secret(name) => Self::Secret(name.to_string()),
            Source::ConfigMap(name) => Self::ConfigMap(name.to_string()),
        }
    }
}

impl Files {
    /// A key of a Secret or ConfigMap, or those that end alike, each as a file of its name, which comes when the key does.
    pub(super) fn of_key_when_there(volume: String, source: FileSource, key: &str) -> Self {
        Self { volume, source, is_needed: false, items: items(key, key) }
    }

    pub(super) fn volume(&self) -> Volume {
        let item =
            |(key, file): &(String, String)| KeyToPath { key: key.clone(), path: file.clone(), ..Default::default() };
        let items = self.items.as_ref().map(|items| items.iter().map(item).collect());
        let volume = Volume { name: self.volume.clone(), ..Default::default() };
        let optional = (!self.is_needed).then_some(true);
        match &self.source {
            FileSource::Secret(name) => {
                let secret_name = Some(name.clone());
                let secret = SecretVolumeSource { secret_name, items, optional, ..Default::default() };
                Volume { secret: Some(secret), ..volume }
            }
            FileSource::ConfigMap(name) => {
                let config_map = ConfigMapVolumeSource { name: name.clone(), items, optional, ..Default::default() };
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
        made.extend(ca.iter().map(|ca| ("ssl.ca.location", authority_file(KAFKA_CA, ca))));
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
        let items = Some(items.map(|(key, file)| (key, file.to_owned())).into());
        Files {
            volume: KAFKA_CERTIFICATE.to_owned(),
            source: FileSource::Secret(secret.to_string()),
            is_needed: true,
            items,
        }
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
pub(super) fn kafka_oauth_ca_file(ca: &Authority) -> String {
    authority_file(KAFKA_OAUTH_CA, ca)
}

/// Where the certificates of the bucket's authorities are.
pub(super) fn bucket_ca_file(ca: &Authority) -> String {
    authority_file(BUCKET_CA, ca)
}

/// The table of a lookup that is in a ConfigMap. It is read again when it changes, so it is mounted as it is and in no hash.
pub(super) fn lookup_files(lookup: &ValidatedLookup) -> Option<Files> {
    let ConfigMapKey { name, key } = lookup.config_map.clone()?;
    Some(Files::of_key_when_there(lookup_volume(lookup), FileSource::ConfigMap(name), &key))
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
    Some(Files {
        volume: volume.to_owned(),
        source: ca.source()?.into(),
        is_needed: true,
        items: items(&ca.key, CA_FILE),
    })
}

/// A key as this file; of several nobody knows here which there are.
fn items(key: &str, file: &str) -> Option<Vec<(String, String)>> {
    match FileNames::of(key) {
        FileNames::This(key) => Some(vec![(key.to_owned(), file.to_owned())]),
        FileNames::Ending(_) => None,
    }
}

/// Where the certificates of an authority are, as [`FileNames`] of a directory where they are several.
fn authority_file(volume: &str, ca: &Authority) -> String {
    match FileNames::of(&ca.key) {
        FileNames::This(_) => path(volume, CA_FILE),
        FileNames::Ending(_) => path(volume, &ca.key),
    }
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

fn from_secret(variable: &str, secret: &ObjectName, key: &str) -> EnvVar {
    let selector = SecretKeySelector { name: secret.to_string(), key: key.to_owned(), optional: None };
    let source = EnvVarSource { secret_key_ref: Some(selector), ..Default::default() };
    EnvVar { name: variable.to_owned(), value_from: Some(source), ..Default::default() }
}
