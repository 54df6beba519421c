//! Command lines and environment that several workloads share. What reads them is `vedette_contract::arguments`; a test
//! parses every line back with it.

use std::fmt::Display;

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, SecretKeySelector};
use vedette_contract::Name;
use vedette_contract::arguments::{
    AWS_ACCESS_KEY_ID_ENV, AWS_SECRET_ACCESS_KEY_ENV, KAFKA_SASL_PASSWORD_ENV, KAFKA_SASL_USERNAME_ENV,
    LISTEN_ADDRESS_ENV, POD_NAME_ENV,
};
use vedette_contract::parameters::Parameters;

use crate::site::{ACCESS_KEY_ID_KEY, Bucket, Kafka, PASSWORD_KEY, SECRET_ACCESS_KEY_KEY, USERNAME_KEY};

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

    /// Adds how to reach Kafka.
    pub(super) fn kafka(self, kafka: &Kafka) -> Self {
        // The topic Job and the environment use the other two.
        let Kafka { bootstrap_servers, properties, credentials_secret: _, replication_factor: _ } = kafka;
        let properties = properties.iter().map(|(name, value)| format!("{name}={value}"));
        self.option("bootstrap-servers", bootstrap_servers).options("kafka-property", properties)
    }

    /// Adds how to reach the bucket.
    pub(super) fn bucket(self, bucket: &Bucket) -> Self {
        let Bucket { endpoint, name, region, credentials_secret: _ } = bucket;
        self.options("bucket-endpoint", endpoint).option("bucket", name).option("bucket-region", region)
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

/// Kafka credentials, where the site has some.
pub(super) fn kafka_environment(kafka: &Kafka) -> Vec<EnvVar> {
    let keys = [(KAFKA_SASL_USERNAME_ENV, USERNAME_KEY), (KAFKA_SASL_PASSWORD_ENV, PASSWORD_KEY)];
    let secrets = kafka.credentials_secret.iter();
    secrets.flat_map(|secret| keys.map(|(variable, key)| from_secret(variable, secret, key))).collect()
}

/// Bucket credentials.
pub(super) fn bucket_environment(bucket: &Bucket) -> Vec<EnvVar> {
    let keys = [(AWS_ACCESS_KEY_ID_ENV, ACCESS_KEY_ID_KEY), (AWS_SECRET_ACCESS_KEY_ENV, SECRET_ACCESS_KEY_KEY)];
    keys.map(|(variable, key)| from_secret(variable, &bucket.credentials_secret, key)).into()
}

fn from_secret(variable: &str, secret: &Name, key: &str) -> EnvVar {
    let selector = SecretKeySelector { name: secret.to_string(), key: key.to_owned(), optional: None };
    let source = EnvVarSource { secret_key_ref: Some(selector), ..Default::default() };
    EnvVar { name: variable.to_owned(), value_from: Some(source), ..Default::default() }
}
