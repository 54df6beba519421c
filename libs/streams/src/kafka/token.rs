//! Tokens for SASL OAUTHBEARER, by the client-credentials grant (RFC 6749, 4.4): one source for all clients of a process.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_types::base64;
use jiff::Timestamp;
use rdkafka::client::OAuthToken;
use serde::Deserialize;
use thiserror::Error;
use vedette_contract::arguments::{OauthArguments, SecretText};

use crate::http::{Http, HttpSettings, form, percent_encoded, post_form};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Clients ask at about the same time: so long they get the refusal that another got.
const REFUSAL_LASTS: Duration = Duration::from_secs(5);
/// What is told of an answer.
const SAID_CHARACTERS: usize = 200;

/// Why there is no token.
#[derive(Debug, Error)]
pub enum TokenError {
    /// Nobody answers.
    #[error(
        "cannot ask {endpoint} for a token; check kafka.oauth.tokenEndpoint, the authority of its certificate and the way there"
    )]
    Unreachable {
        endpoint: String,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// It answers and cannot.
    #[error("{endpoint} gives no token now, with status {status}; check the authorization server")]
    Failed { endpoint: String, status: u16 },
    /// It does not want to.
    #[error(
        "{endpoint} refuses a token with status {status} ({said}); check client id and secret in kafka.credentialsSecret, and \
         kafka.oauth"
    )]
    Refused {
        endpoint: String,
        status: u16,
        /// Its own words, as far as the protocol has some.
        said: String,
    },
    /// What it gives is none.
    #[error("the answer of {endpoint} has no access_token with expires_in in it; check kafka.oauth.tokenEndpoint")]
    NoToken { endpoint: String },
}

impl TokenError {
    /// A word for conditions, events and metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::Failed { .. } => "TokenEndpointUnreachable",
            Self::Refused { .. } | Self::NoToken { .. } => "TokenRefused",
        }
    }
}

/// Who gives tokens out, to whom, and the last answer.
#[derive(Debug)]
pub(super) struct TokenSource {
    arguments: OauthArguments,
    client_id: String,
    client_secret: SecretText,
    last: Mutex<Option<Answer>>,
}

#[derive(Debug)]
struct Answer {
    fresh_until: Instant,
    outcome: Result<Token, Arc<TokenError>>,
}

#[derive(Debug, Clone)]
struct Token {
    text: SecretText,
    expires: Timestamp,
}

/// What RFC 6749 has for a token.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u32,
}

/// And for a refusal.
#[derive(Deserialize)]
struct NotGranted {
    error: String,
    error_description: Option<String>,
}

impl TokenSource {
    pub(super) fn new(arguments: OauthArguments, client_id: String, client_secret: SecretText) -> Self {
        Self { arguments, client_id, client_secret, last: Mutex::default() }
    }

    /// A token that has nine tenths of its life before it: librdkafka asks for the next after four fifths of what is left, and
    /// logs in anew after nine tenths, for which it needs that next one. Blocks for as long as the endpoint takes, and in
    /// any case not much longer than 10 s; who asks meanwhile gets the same answer.
    pub(super) fn token(&self) -> Result<OAuthToken, Arc<TokenError>> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = match last.as_ref().filter(|answer| Instant::now() < answer.fresh_until) {
            Some(answer) => answer.outcome.clone(),
            None => last.insert(self.ask()).outcome.clone(),
        };
        outcome.map(|Token { text, expires }| OAuthToken {
            token: text.reveal().to_owned(),
            principal_name: self.client_id.clone(),
            lifetime_ms: expires.as_millisecond(),
        })
    }

    /// By a runtime and a thread of its own: librdkafka asks from threads with and without one.
    fn ask(&self) -> Answer {
        let asked = (Instant::now(), Timestamp::now());
        let exchange = || tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.exchange());
        let outcome = std::thread::scope(|scope| scope.spawn(exchange).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            .map_err(|source| TokenError::Unreachable { endpoint: self.arguments.token_endpoint.clone(), source })
            .and_then(|(status, text)| self.granted(status, &text));
        match outcome {
            Ok(Granted { access_token, expires_in }) => {
                let life = Duration::from_secs(expires_in.into());
                let token = Token { text: access_token.into(), expires: asked.1 + life };
                Answer { fresh_until: asked.0 + life / 10, outcome: Ok(token) }
            }
            Err(error) => {
                tracing::warn!(reason = error.reason(), error = %error, cause = ?error.source(), "no token for Kafka");
                Answer { fresh_until: Instant::now() + REFUSAL_LASTS, outcome: Err(Arc::new(error)) }
            }
        }
    }

    async fn exchange(&self) -> Result<(u16, String), Box<dyn Error + Send + Sync>> {
        let OauthArguments { token_endpoint, scope, audience, ca_file } = &self.arguments;
        let mut fields = vec![("grant_type", "client_credentials")];
        fields.extend(scope.iter().map(|scope| ("scope", scope.as_str())));
        fields.extend(audience.iter().map(|audience| ("audience", audience.as_str())));
        let user = format!("{}:{}", percent_encoded(&self.client_id), percent_encoded(self.client_secret.reveal()));
        let authorization = format!("Basic {}", base64::encode(user));
        // Made anew, as connections end with their runtime.
        let http = Http::new(HttpSettings::of(token_endpoint, ca_file.clone(), CONNECT_TIMEOUT));
        Ok(post_form(&http, token_endpoint, &form(&fields), Some(&authorization)).await?)
    }

    fn granted(&self, status: u16, text: &str) -> Result<Granted, TokenError> {
        let endpoint = self.arguments.token_endpoint.clone();
        match status {
            200..=299 => serde_json::from_str(text).map_err(|_| TokenError::NoToken { endpoint }),
            500..=599 | 429 => Err(TokenError::Failed { endpoint, status }),
            _ => Err(TokenError::Refused { endpoint, status, said: said(text) }),
        }
    }
}

fn said(text: &str) -> String {
    let Ok(NotGranted { error, error_description }) = serde_json::from_str(text) else {
        return "no word of why".to_owned();
    };
    let said = error_description.map_or(error.clone(), |description| format!("{error}: {description}"));
    said.chars().filter(|character| !character.is_control()).take(SAID_CHARACTERS).collect()
}

#[cfg(test)]
mod tests;
