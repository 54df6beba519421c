//! Kafka of a site: where it is, how pods are sure of it, and as whom they come.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};
use vedette_contract::ObjectName;
use vedette_contract::kafka_property::{canonical, refusal};

use super::source::{Authority, Needs, Source, check_key};
use super::url::check_url;
use crate::field_error::{FieldErrors, MISSING, quoted};

/// Kafka of the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Kafka {
    /// Brokers to start from: `host:port`, separated by commas.
    pub bootstrap_servers: String,
    /// Further librdkafka properties, such as `socket.timeout.ms`; they win over what is made of the other fields.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
    /// Secret of the pipeline's namespace with a user name and a password; no SASL where omitted.
    #[serde(default)]
    pub credentials_secret: Option<ObjectName>,
    /// Which keys of it have them.
    #[serde(default)]
    pub credentials_keys: KafkaKeys,
    /// The user name, in place of a key of the Secret.
    #[serde(default)]
    pub username: Option<String>,
    /// How the password is proven; by SCRAM-SHA-512 where omitted.
    #[serde(default)]
    pub sasl_mechanism: Option<SaslMechanism>,
    /// Tokens, by which pods come in place of a password (SASL OAUTHBEARER).
    #[serde(default)]
    pub oauth: Option<KafkaOauth>,
    /// TLS with authorities or a certificate of its own.
    #[serde(default)]
    pub tls: Option<KafkaTls>,
    /// Replicas of each partition of a new topic; the broker's default where omitted.
    #[serde(default)]
    pub replication_factor: Option<i32>,
}

/// Keys of [`Kafka::credentials_secret`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct KafkaKeys {
    /// Of the user name.
    pub username: String,
    /// Of the password.
    pub password: String,
}

impl Default for KafkaKeys {
    fn default() -> Self {
        Self { username: "username".to_owned(), password: "password".to_owned() }
    }
}

/// How a password is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SaslMechanism {
    /// SCRAM with SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// SCRAM with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// The password as it is, protected by TLS alone.
    #[serde(rename = "PLAIN")]
    Plain,
}

impl SaslMechanism {
    /// Its name in Kafka.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
        }
    }
}

/// Who gives out tokens for Kafka by the client-credentials grant; user name and password of [`Kafka::credentials_secret`] are
/// client id and secret there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KafkaOauth {
    /// URL where a token is asked for.
    pub token_endpoint: String,
    /// What it is to allow; as the server has it where omitted.
    #[serde(default)]
    pub scope: Option<String>,
    /// For whom it is to be; as the server has it where omitted.
    #[serde(default)]
    pub audience: Option<String>,
    /// Who signs the endpoint's certificate, beside the public authorities.
    #[serde(default)]
    pub ca: Option<Authority>,
}

/// TLS to Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KafkaTls {
    /// Who signs the brokers' certificates; the public authorities where omitted.
    #[serde(default)]
    pub ca: Option<Authority>,
    /// By which the brokers know the pods.
    #[serde(default)]
    pub client_certificate: Option<ClientCertificate>,
}

/// A certificate with its private key: PEM, in a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClientCertificate {
    /// The Secret, of the pipeline's namespace.
    pub secret: ObjectName,
    /// Key of the certificate, and of those between it and its authority.
    #[serde(default = "certificate_key")]
    pub certificate_key: String,
    /// Key of the private key, which is not encrypted.
    #[serde(default = "private_key_key")]
    pub private_key_key: String,
}

fn certificate_key() -> String {
    "tls.crt".to_owned()
}

fn private_key_key() -> String {
    "tls.key".to_owned()
}

/// Properties that are secret, or lead to what is, and what to use instead: properties stand in ConfigMaps and arguments.
const SECRET_PROPERTIES: &[(&str, &str)] = &[
    ("sasl.jaas.config", "kafka.credentialsSecret"),
    ("sasl.oauthbearer.client.secret", "kafka.oauth"),
    ("sasl.password", "kafka.credentialsSecret"),
    ("ssl.key.password", "kafka.tls.clientCertificate, with a key that is not encrypted"),
    ("ssl.key.pem", "kafka.tls.clientCertificate"),
    ("ssl.keystore.location", "kafka.tls.clientCertificate"),
    ("ssl.keystore.password", "kafka.tls.clientCertificate"),
];

impl Kafka {
    /// Whether pods come with a password.
    pub fn has_credentials(&self) -> bool {
        self.credentials_secret.is_some()
    }

    pub(super) fn need(&self, needs: &mut Needs) {
        let Self { credentials_secret, credentials_keys: KafkaKeys { username, password }, oauth, tls, .. } = self;
        if let Some(secret) = credentials_secret {
            let keys = needs.entry(Source::Secret(secret.clone())).or_default();
            keys.insert(password.clone());
            keys.extend(self.username.is_none().then(|| username.clone()));
        }
        if let Some(ca) = oauth.as_ref().and_then(|oauth| oauth.ca.as_ref()) {
            ca.need(needs);
        }
        let Some(KafkaTls { ca, client_certificate }) = tls else { return };
        if let Some(ca) = ca {
            ca.need(needs);
        }
        if let Some(ClientCertificate { secret, certificate_key, private_key_key }) = client_certificate {
            let keys = needs.entry(Source::Secret(secret.clone())).or_default();
            keys.extend([certificate_key.clone(), private_key_key.clone()]);
        }
    }

    pub(super) fn check(&self, errors: &mut FieldErrors) {
        let Self {
            bootstrap_servers,
            properties,
            credentials_secret,
            credentials_keys: KafkaKeys { username: username_key, password: password_key },
            username,
            sasl_mechanism,
            oauth,
            tls,
            replication_factor,
        } = self;
        if !bootstrap_servers.split(',').map(str::trim).all(is_host_and_port) {
            let mend =
                "write host:port, separated by commas, and an address of IPv6 in brackets, such as [fd00::1]:9092";
            errors.push("kafka.bootstrapServers", quoted(bootstrap_servers), mend);
        }
        check_properties(properties, errors);
        check_key("kafka.credentialsKeys.username", username_key, errors);
        check_key("kafka.credentialsKeys.password", password_key, errors);
        if let (Some(username), None) = (username, credentials_secret) {
            errors.push("kafka.username", quoted(username), "name the Secret of its password in credentialsSecret");
        }
        if let Some(oauth) = oauth {
            oauth.check(*sasl_mechanism, credentials_secret.as_ref(), errors);
        }
        if let Some(tls) = tls {
            tls.check(errors);
        }
        if let Some(factor) = replication_factor.filter(|factor| *factor < 1) {
            errors.push("kafka.replicationFactor", factor, "must be at least 1; leave it out for the broker's default");
        }
    }
}

/// Maybe behind `SASL_SSL://` or the like. Of an address of IPv6 without brackets nobody knows where it ends and its port begins.
fn is_host_and_port(server: &str) -> bool {
    let server = server.split_once("://").map_or(server, |(_, server)| server);
    let Some((host, port)) = server.rsplit_once(':') else { return false };
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => !host.is_empty() && !host.contains([':', '[', ']']),
    };
    is_host && port.parse::<u16>().is_ok()
}

/// The values are not shown: one may be a secret.
fn check_properties(properties: &BTreeMap<String, String>, errors: &mut FieldErrors) {
    for (name, value) in properties {
        if name.is_empty() || name.contains('=') {
            errors.push("kafka.properties", quoted(name), "use the name of a librdkafka property");
        }
        if name.starts_with("sasl.mechanism") && value == "OAUTHBEARER" {
            errors.push(
                "kafka.properties",
                quoted(name),
                "name who gives out the tokens in kafka.oauth, which implies it",
            );
        }
        if canonical(name) != name && properties.contains_key(canonical(name)) {
            errors.push("kafka.properties", quoted(name), format!("is another name of {}: keep one", canonical(name)));
        }
        if let Some(instead) = refusal(name, value) {
            errors.push("kafka.properties", quoted(name), format!("cannot be given: {instead}"));
        }
        if let Some((_, instead)) = SECRET_PROPERTIES.iter().find(|(secret, _)| *secret == canonical(name)) {
            errors.push(
                "kafka.properties",
                quoted(name),
                format!("would stand where everybody reads it; use {instead}"),
            );
        }
    }
}

impl KafkaOauth {
    fn check(&self, mechanism: Option<SaslMechanism>, secret: Option<&ObjectName>, errors: &mut FieldErrors) {
        let Self { token_endpoint, scope, audience, ca } = self;
        let (path, example) = ("kafka.oauth.tokenEndpoint", "https://host/token");
        check_url(path, token_endpoint, example, "kafka.credentialsSecret", errors);
        for (field, text) in [("scope", scope), ("audience", audience)] {
            if text.as_ref().is_some_and(String::is_empty) {
                errors.push(format!("kafka.oauth.{field}"), quoted(""), "leave it out, or say which");
            }
        }
        if let Some(mechanism) = mechanism {
            errors.push("kafka.saslMechanism", mechanism.as_str(), "leave it out: with oauth it is OAUTHBEARER");
        }
        if secret.is_none() {
            errors.push("kafka.credentialsSecret", MISSING, "name the Secret of the client id and secret for oauth");
        }
        if let Some(ca) = ca {
            ca.check("kafka.oauth.ca", errors);
        }
    }
}

impl KafkaTls {
    fn check(&self, errors: &mut FieldErrors) {
        let Self { ca, client_certificate } = self;
        if ca.is_none() && client_certificate.is_none() {
            errors.push(
                "kafka.tls",
                MISSING,
                "name ca or clientCertificate; TLS alone is properties.security.protocol",
            );
        }
        if let Some(ca) = ca {
            ca.check("kafka.tls.ca", errors);
        }
        if let Some(ClientCertificate { secret: _, certificate_key, private_key_key }) = client_certificate {
            check_key("kafka.tls.clientCertificate.certificateKey", certificate_key, errors);
            check_key("kafka.tls.clientCertificate.privateKeyKey", private_key_key, errors);
        }
    }
}
