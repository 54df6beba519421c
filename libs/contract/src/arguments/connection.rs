//! How a process reaches Kafka and the bucket, and as whom. What is secret comes by the environment or in files, and is
//! never shown.

use std::path::PathBuf;

use clap::builder::{StringValueParser, TypedValueParser};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::kafka_property;
use crate::keys::KeyPrefix;

/// Environment variable of [`BucketArguments::access_key_id`].
pub const AWS_ACCESS_KEY_ID_ENV: &str = "AWS_ACCESS_KEY_ID";
/// Environment variable of [`BucketArguments::secret_access_key`].
pub const AWS_SECRET_ACCESS_KEY_ENV: &str = "AWS_SECRET_ACCESS_KEY";
/// Environment variable of [`BucketArguments::session_token`].
pub const AWS_SESSION_TOKEN_ENV: &str = "AWS_SESSION_TOKEN";
/// Environment variable of [`KafkaArguments::sasl_username`].
pub const KAFKA_SASL_USERNAME_ENV: &str = "KAFKA_SASL_USERNAME";
/// Environment variable of [`KafkaArguments::sasl_password`].
pub const KAFKA_SASL_PASSWORD_ENV: &str = "KAFKA_SASL_PASSWORD";

/// Region of a bucket where none is named.
pub const BUCKET_REGION: &str = "us-east-1";

/// `KEY=VALUE` of a repeatable argument, such as a librdkafka property or a calculated field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// Before the first '='.
    pub key: String,
    /// After it.
    pub value: String,
}

impl std::str::FromStr for KeyValue {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self { key: key.to_owned(), value: value.to_owned() }),
            _ => Err(format!("{text:?} is not KEY=VALUE")),
        }
    }
}

impl std::fmt::Display for KeyValue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}={}", self.key, self.value)
    }
}

/// A password or key, without the line end that an editor or `echo` gave it: it has no `Display`, and `Debug` keeps it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// The secret itself, for whom it is meant.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self(without_line_end(text).to_owned())
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

fn without_line_end(text: &str) -> &str {
    text.trim_end_matches(['\r', '\n'])
}

/// Reads what stands in a Secret beside a password or key.
fn name_in_a_secret() -> impl TypedValueParser<Value = String> {
    StringValueParser::new().map(|text| without_line_end(&text).to_owned())
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("(secret)")
    }
}

/// Which Kafka, and as whom.
#[derive(Debug, Clone, Default, Args)]
pub struct KafkaArguments {
    /// Kafka brokers to start from: host:port, separated by commas
    #[arg(long, value_name = "HOST:PORT,…")]
    pub bootstrap_servers: String,

    /// A librdkafka property, such as security.protocol=SASL_SSL; may be repeated
    #[arg(long = "kafka-property", value_name = "KEY=VALUE", value_parser = kafka_property)]
    pub kafka_properties: Vec<KeyValue>,

    /// SASL user name
    #[arg(long, env = KAFKA_SASL_USERNAME_ENV, hide_env_values = true, value_parser = name_in_a_secret())]
    pub sasl_username: Option<String>,

    /// SASL password; give it by the environment
    #[arg(long, env = KAFKA_SASL_PASSWORD_ENV, hide_env_values = true, requires = "sasl_username")]
    pub sasl_password: Option<SecretText>,

    /// Tokens in place of a password, which buys them
    #[command(flatten)]
    pub oauth: Option<OauthArguments>,
}

fn kafka_property(text: &str) -> Result<KeyValue, String> {
    let property: KeyValue = text.parse()?;
    match kafka_property::refusal(&property.key, &property.value) {
        None => Ok(property),
        Some(instead) => Err(format!("{:?} cannot be given: {instead}", property.key)),
    }
}

/// Who gives out tokens for Kafka, to the client that the SASL user name and password are of.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(id = "oauth_arguments", requires = "sasl_username")]
pub struct OauthArguments {
    /// Where a token is asked for by the client-credentials grant; Kafka is reached by SASL OAUTHBEARER then
    #[arg(id = "oauth_token_endpoint", long = "oauth-token-endpoint", value_name = "URL", required = false)]
    pub token_endpoint: String,

    /// What it is to allow; as the server has it where omitted
    #[arg(id = "oauth_scope", long = "oauth-scope", value_name = "SCOPE", requires = "oauth_token_endpoint")]
    pub scope: Option<String>,

    /// For whom it is to be; as the server has it where omitted
    #[arg(id = "oauth_audience", long = "oauth-audience", value_name = "AUDIENCE", requires = "oauth_token_endpoint")]
    pub audience: Option<String>,

    /// PEM file of authorities that are trusted there beside the public ones
    #[arg(id = "oauth_ca_file", long = "oauth-ca-file", value_name = "FILE", requires = "oauth_token_endpoint")]
    pub ca_file: Option<PathBuf>,
}

/// How a bucket encrypts what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub enum EncryptionAlgorithm {
    /// By a key of the bucket's own.
    #[serde(rename = "AES256")]
    #[value(name = "AES256")]
    Aes256,
    /// By a key of a key management service.
    #[serde(rename = "aws:kms")]
    #[value(name = "aws:kms")]
    AwsKms,
}

impl EncryptionAlgorithm {
    /// Its name in S3.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aes256 => "AES256",
            Self::AwsKms => "aws:kms",
        }
    }
}

/// Where the name of a bucket stands in the URL of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum BucketAddressing {
    /// In the path, as most servers of one's own want it.
    #[default]
    Path,
    /// Before the server's name, as some providers want it.
    VirtualHost,
}

impl BucketAddressing {
    /// As the option has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::VirtualHost => "virtual-host",
        }
    }
}

/// Which bucket, and as whom.
#[derive(Debug, Clone, Default, Args)]
#[group(id = "bucket_arguments")]
pub struct BucketArguments {
    /// S3 endpoint, such as `http://seaweedfs:8333`; the region's own where omitted
    #[arg(long, value_name = "URL")]
    pub bucket_endpoint: Option<String>,

    /// Bucket name
    #[arg(long, value_name = "NAME")]
    pub bucket: String,

    /// What stands before all keys, such as teams/fraud, where the bucket is not Vedette's alone
    #[arg(long, value_name = "PREFIX")]
    pub bucket_prefix: Option<KeyPrefix>,

    /// Where the bucket's name stands in URLs
    #[arg(long, value_enum, default_value_t)]
    pub bucket_addressing: BucketAddressing,

    /// S3 region
    #[arg(long, default_value = BUCKET_REGION)]
    pub bucket_region: String,

    /// PEM file of authorities that are trusted beside the public ones
    #[arg(long, value_name = "FILE")]
    pub bucket_ca_file: Option<PathBuf>,

    /// How the server encrypts what is written; as the bucket has it where omitted
    #[arg(long, value_enum)]
    pub bucket_encryption: Option<EncryptionAlgorithm>,

    /// The key of a key management service, for aws:kms; the bucket's own where omitted
    #[arg(long, requires = "bucket_encryption")]
    pub bucket_kms_key_id: Option<String>,

    /// Access key; the pod's own identity where omitted
    #[arg(long, env = AWS_ACCESS_KEY_ID_ENV, hide_env_values = true)]
    #[arg(requires = "secret_access_key", value_parser = name_in_a_secret())]
    pub access_key_id: Option<String>,

    /// Secret key; give it by the environment
    #[arg(long, env = AWS_SECRET_ACCESS_KEY_ENV, hide_env_values = true, requires = "access_key_id")]
    pub secret_access_key: Option<SecretText>,

    /// Session token of a key that is temporary; give it by the environment
    #[arg(long, env = AWS_SESSION_TOKEN_ENV, hide_env_values = true, requires = "access_key_id")]
    pub session_token: Option<SecretText>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[command(flatten)]
        kafka: KafkaArguments,
        #[command(flatten)]
        bucket: BucketArguments,
    }

    #[test]
    fn what_is_secret_is_not_shown() {
        let words = "test --bootstrap-servers k:1 --sasl-username u --sasl-password hidden --bucket b \
            --access-key-id a --secret-access-key hidden";
        let arguments = Arguments::parse_from(words.split_whitespace());
        assert_eq!(arguments.bucket.secret_access_key.as_ref().unwrap().reveal(), "hidden");
        let shown = format!("{arguments:?}");
        assert!(shown.contains("k:1") && !shown.contains("hidden"), "{shown}");
    }

    #[test]
    fn the_line_end_of_an_editor_is_no_part_of_what_stands_in_a_secret() {
        let words =
            ["test", "--bootstrap-servers=k:1", "--sasl-username=u\n", "--sasl-password=a b \r\n", "--bucket=b"];
        let more = ["--access-key-id=a\n", "--secret-access-key=key\n", "--session-token=token\n"];
        let Arguments { kafka, bucket } = Arguments::parse_from(words.into_iter().chain(more));
        assert_eq!((kafka.sasl_username.as_deref(), bucket.access_key_id.as_deref()), (Some("u"), Some("a")));
        let secrets = [kafka.sasl_password, bucket.secret_access_key, bucket.session_token];
        assert_eq!(secrets.map(|secret| secret.unwrap().reveal().to_owned()), ["a b ", "key", "token"]);
    }
}
