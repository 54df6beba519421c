//! One receiver over HTTP: what was sent, and what came of it.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use vedette_contract::receiver::{Receiver, ReceiverKind};
use vedette_service::error_chain;
use vedette_streams::http::{Answer, FetchError, Http, HttpSettings, post};

use super::ledger::{Ledger, News};
use super::{alertmanager, webhook};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// So many alerts are repeated in one request.
const REPEATED_AT_ONCE: usize = 100;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivery {
    Taken,
    /// It does not want this message, whenever it comes.
    Refused(String),
    /// It may take it later.
    Failed {
        cause: String,
        retry_after: Option<Duration>,
    },
}

/// A receiver and the way there.
pub(crate) struct Sender {
    receiver: Receiver,
    http: Http,
}

impl Sender {
    pub(crate) fn new(receiver: Receiver) -> Self {
        let settings = HttpSettings::of(&receiver.url, receiver.ca_file.clone(), CONNECT_TIMEOUT);
        Self { receiver, http: Http::new(settings) }
    }

    /// How often it wants to hear again of what is open.
    pub(crate) fn repeats(&self) -> Option<Duration> {
        match self.receiver.to {
            ReceiverKind::Alertmanager {} => Some(alertmanager::REPEAT),
            ReceiverKind::Webhook { .. } => None,
        }
    }

    /// Tells news.
    pub(crate) async fn tell(&self, news: &News<'_>, now: Timestamp) -> Delivery {
        match &self.receiver.to {
            ReceiverKind::Alertmanager {} => self.post_alerts(alertmanager::news(news, now)).await,
            ReceiverKind::Webhook { hmac_key_file } => {
                let body = match webhook::event(news) {
                    Ok(body) => body,
                    Err(error) => return Delivery::Refused(error.to_string()),
                };
                let mut headers = vec![("content-type", webhook::CONTENT_TYPE.to_owned())];
                if let Some(file) = hmac_key_file {
                    let signed =
                        secret(file).and_then(|key| webhook::signature(&key, &webhook::id(news.incident), now, &body));
                    match signed {
                        Ok(signature) => headers.extend(signature),
                        Err(cause) => return Delivery::Failed { cause, retry_after: None },
                    }
                }
                self.post(&self.receiver.url, headers, body).await
            }
        }
    }

    /// Says what is still open. What of it does not arrive is said again the next time.
    pub(crate) async fn repeat(&self, ledger: &Ledger, now: Timestamp) -> Delivery {
        let firing: Vec<_> = ledger.firing().collect();
        for some in firing.chunks(REPEATED_AT_ONCE) {
            let alerts = some.iter().map(|firing| alertmanager::repeated(*firing, now)).collect();
            let outcome = self.post_alerts(alerts).await;
            if outcome != Delivery::Taken {
                return outcome;
            }
        }
        Delivery::Taken
    }

    async fn post_alerts(&self, alerts: Vec<Value>) -> Delivery {
        let headers = vec![("content-type", "application/json".to_owned())];
        let body = Value::from(alerts).to_string().into_bytes();
        self.post(&alertmanager::url(&self.receiver.url), headers, body).await
    }

    async fn post(&self, url: &str, mut headers: Vec<(&'static str, String)>, body: Vec<u8>) -> Delivery {
        if let Some(file) = &self.receiver.authorization_file {
            match secret(file) {
                Ok(authorization) => headers.push(("authorization", authorization)),
                Err(cause) => return Delivery::Failed { cause, retry_after: None },
            }
        }
        outcome(post(&self.http, url, &headers, body).await)
    }
}

/// Read anew each time, so that a Secret that is changed is used.
fn secret(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(text.trim().to_owned())
}

fn outcome(answer: Result<Answer, FetchError>) -> Delivery {
    let (status, retry_after, text) = match answer {
        Ok(Answer { status, retry_after, text }) => (status, retry_after, text),
        Err(error) => return Delivery::Failed { cause: error_chain(&error), retry_after: None },
    };
    let said = || format!("it answers with status {status}: {}", first_line(&text));
    match status {
        200..300 => Delivery::Taken,
        // The message itself: the same will not be taken. All else somebody can mend.
        400 | 413 | 415 | 422 => Delivery::Refused(said()),
        _ => Delivery::Failed { cause: said(), retry_after },
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().filter(|character| !character.is_control()).take(200).collect()
}
