//! Command lines and environment that several workloads share. What reads them is `vedette_contract::arguments`; a test
//! parses every line back with it.

use std::fmt::Display;

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector};
use vedette_contract::Name;
use vedette_contract::arguments::{LISTEN_ADDRESS_ENV, POD_NAME_ENV};
use vedette_contract::parameters::Parameters;
use vedette_contract::search::SearchParameter;
use vedette_crds::{Search, SearchMetric};

use super::connection::{bucket_ca_file, kafka_oauth_ca_file, kafka_properties};
use crate::site::{Bucket, Kafka, KafkaOauth};

/// Port of /livez, /readyz and /metrics.
pub(super) const HTTP_PORT: i32 = 8080;

/// A command line in the making.
#[derive(Debug, Default)]
pub(super) struct Arguments(Vec<String>);

impl Arguments {
    /// Adds `--option=value`.
    pub(super) fn option(mut self, option: &str, value: impl Display) -> Self {
        self.0.push(format!("--{option}={value}"));
        self
    }

    /// Adds `--option=value` for each value.
    pub(super) fn options<T: Display>(self, option: &str, values: impl IntoIterator<Item = T>) -> Self {
        values.into_iter().fold(self, |arguments, value| arguments.option(option, value))
    }

    /// Adds the hyper-parameters that are given.
    pub(super) fn parameters(self, parameters: &Parameters) -> Self {
        let given = parameters.given().into_iter();
        given.fold(self, |arguments, (parameter, setting)| arguments.option(&parameter.option(), setting))
    }

    /// Adds what is searched, and how.
    pub(super) fn search(self, search: Option<&Search>) -> Self {
        let Some(Search { algorithm, max_trials, parallel_trials, metric, parameters }) = search else { return self };
        let parameters =
            parameters.iter().map(|(name, space)| SearchParameter { name: name.clone(), space: space.clone() });
        self.option("search", algorithm.as_str())
            .option("max-trials", max_trials)
            .option("parallel-trials", parallel_trials)
            .options("search-metric", metric.map(SearchMetric::as_str))
            .options("search-parameter", parameters)
    }

    /// Adds how to reach Kafka.
    pub(super) fn kafka(self, kafka: &Kafka) -> Self {
        let properties = kafka_properties(kafka).into_iter().map(|(name, value)| format!("{name}={value}"));
        self.option("bootstrap-servers", &kafka.bootstrap_servers)
            .options("kafka-property", properties)
            .oauth(kafka.oauth.as_ref())
    }

    fn oauth(self, oauth: Option<&KafkaOauth>) -> Self {
        let Some(KafkaOauth { token_endpoint, scope, audience, ca }) = oauth else { return self };
        self.option("oauth-token-endpoint", token_endpoint)
            .options("oauth-scope", scope)
            .options("oauth-audience", audience)
            .options("oauth-ca-file", ca.iter().map(kafka_oauth_ca_file))
    }

    /// Adds how to reach the bucket.
    pub(super) fn bucket(self, bucket: &Bucket) -> Self {
        // The environment has what is secret.
        let Bucket {
            endpoint,
            name,
            prefix,
            path_style,
            region,
            credentials_secret: _,
            credentials_keys: _,
            ca,
            encryption,
        } = bucket;
        let key = encryption.iter().flat_map(|encryption| &encryption.kms_key_id);
        self.options("bucket-endpoint", endpoint)
            .option("bucket", name)
            .options("bucket-prefix", prefix)
            // The default is left out, so that an operator that knows the option rolls nothing.
            .options("bucket-addressing", (!path_style).then(|| bucket.addressing().as_str()))
            .option("bucket-region", region)
            .options("bucket-ca-file", ca.iter().map(bucket_ca_file))
            .options("bucket-encryption", encryption.iter().map(|encryption| encryption.algorithm.as_str()))
            .options("bucket-kms-key-id", key)
    }

    /// Adds whose pipeline it is, and where.
    pub(super) fn pipeline(self, namespace: &Name, pipeline: &Name, site: &Name) -> Self {
        self.option("namespace", namespace).option("pipeline", pipeline).option("site", site)
    }

    pub(super) fn into_vec(self) -> Vec<String> {
        self.0
    }
}

/// Environment of a process that serves its state.
pub(super) fn service_environment() -> Vec<EnvVar> {
    let pod_name = EnvVarSource {
        field_ref: Some(ObjectFieldSelector { field_path: "metadata.name".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    vec![
        EnvVar { name: LISTEN_ADDRESS_ENV.to_owned(), value: Some(format!("[::]:{HTTP_PORT}")), ..Default::default() },
        EnvVar { name: POD_NAME_ENV.to_owned(), value_from: Some(pod_name), ..Default::default() },
    ]
}
