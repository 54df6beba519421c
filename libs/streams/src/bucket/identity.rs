//! A pod's own identity, as its platform gives it: a token in a file, which is exchanged for a key that lasts a while.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_s3::config::Credentials;
use jiff::Timestamp;
use serde::Deserialize;
use thiserror::Error;

use crate::bucket::credentials::{CredentialsMissing, read};
use crate::http::{FetchError, Http, HttpSettings, form, get, post_form};

const WEB_TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
const CONTAINER_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

/// Who exchanges the token.
#[derive(Debug, Clone)]
enum Exchange {
    /// An STS, for any pod that has a token of its service account (IRSA and the like).
    WebIdentity { endpoint: String, role: String, session: String, token_file: PathBuf },
    /// An agent of the node (EKS pod identity).
    Agent { endpoint: String, token_file: Option<PathBuf> },
}

/// The identity of this pod, if it has one.
#[derive(Debug, Clone)]
pub(super) struct OwnIdentity(Option<(Exchange, Http)>);

/// Why the exchange brought no key.
#[derive(Debug, Error)]
enum ExchangeError {
    #[error("cannot ask {endpoint} for a key")]
    Fetch {
        endpoint: String,
        #[source]
        source: FetchError,
    },
    #[error("{endpoint} failed with {status}")]
    Failed { endpoint: String, status: u16 },
    #[error("the answer of {endpoint} has no key in it")]
    NoKey { endpoint: String },
}

impl OwnIdentity {
    /// What these environment variables tell; nothing is asked of anybody yet.
    pub(super) fn of(
        variable: impl Fn(&str) -> Option<String>,
        region: &str,
        ca_file: Option<PathBuf>,
        connect_timeout: Duration,
    ) -> Self {
        let exchange = web_identity(&variable, region).or_else(|| agent(&variable));
        Self(exchange.map(|exchange| {
            let (Exchange::WebIdentity { endpoint, .. } | Exchange::Agent { endpoint, .. }) = &exchange;
            let http = Http::new(HttpSettings::of(endpoint, ca_file, connect_timeout));
            (exchange, http)
        }))
    }

    async fn key(&self) -> Result<Credentials, CredentialsError> {
        let Some((exchange, http)) = &self.0 else {
            return Err(CredentialsError::not_loaded(CredentialsMissing::NoIdentity));
        };
        let (endpoint, answer) = match exchange {
            Exchange::WebIdentity { endpoint, role, session, token_file } => {
                let token = read(token_file).map_err(CredentialsError::not_loaded)?;
                let fields = [
                    ("Action", "AssumeRoleWithWebIdentity"),
                    ("Version", "2011-06-15"),
                    ("RoleArn", role),
                    ("RoleSessionName", session),
                    ("WebIdentityToken", &token),
                ];
                (endpoint, post_form(http, endpoint, &form(&fields), None).await)
            }
            Exchange::Agent { endpoint, token_file } => {
                let token = token_file.as_deref().map(read).transpose().map_err(CredentialsError::not_loaded)?;
                (endpoint, get(http, endpoint, token.as_deref()).await)
            }
        };
        let endpoint = endpoint.clone();
        let (status, text) = answer.map_err(|source| {
            CredentialsError::provider_error(ExchangeError::Fetch { endpoint: endpoint.clone(), source })
        })?;
        match status {
            200 => keys(exchange, &text)
                .ok_or_else(|| CredentialsError::invalid_configuration(ExchangeError::NoKey { endpoint })),
            400..=499 => {
                let said = between(&text, "Message").unwrap_or(&text).chars().take(200).collect();
                Err(CredentialsError::not_loaded(CredentialsMissing::Refused { endpoint, status, said }))
            }
            _ => Err(CredentialsError::provider_error(ExchangeError::Failed { endpoint, status })),
        }
    }
}

impl ProvideCredentials for OwnIdentity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.key())
    }
}

fn web_identity(variable: &impl Fn(&str) -> Option<String>, region: &str) -> Option<Exchange> {
    let token_file = variable(WEB_TOKEN_FILE)?;
    let region = variable("AWS_REGION").unwrap_or_else(|| region.to_owned());
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    Some(Exchange::WebIdentity {
        endpoint: variable("AWS_ENDPOINT_URL_STS").unwrap_or_else(|| format!("https://sts.{region}.{domain}/")),
        role: variable("AWS_ROLE_ARN").unwrap_or_default(),
        session: variable("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| "vedette".to_owned()),
        token_file: token_file.into(),
    })
}

fn agent(variable: &impl Fn(&str) -> Option<String>) -> Option<Exchange> {
    let token_file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").map(|path| Path::new(&path).to_owned());
    Some(Exchange::Agent { endpoint: variable(CONTAINER_URI)?, token_file })
}

/// What an agent answers, in JSON.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AgentKey {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: Timestamp,
}

fn keys(exchange: &Exchange, text: &str) -> Option<Credentials> {
    let (id, key, token, until) = match exchange {
        Exchange::WebIdentity { .. } => {
            let field = |name| between(text, name).map(str::to_owned);
            let until: Timestamp = field("Expiration")?.parse().ok()?;
            (field("AccessKeyId")?, field("SecretAccessKey")?, field("SessionToken")?, until)
        }
        Exchange::Agent { .. } => {
            let AgentKey { access_key_id, secret_access_key, token, expiration } = serde_json::from_str(text).ok()?;
            (access_key_id, secret_access_key, token, expiration)
        }
    };
    Some(Credentials::new(id, key, Some(token), Some(SystemTime::from(until)), "identity"))
}

/// The text of an XML element that has only text, and none of it escaped: keys, tokens and times.
fn between<'a>(text: &'a str, element: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{element}>"))?;
    let (content, _) = rest.split_once(&format!("</{element}>"))?;
    Some(content.trim())
}

#[cfg(test)]
mod tests;
