//! One receiver over HTTP: what was sent, and what came of it.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use vedette_contract::receiver::{Address, Receiver, ReceiverKind};
use vedette_service::error_chain;
use vedette_streams::http::{Answer, FetchError, Http, HttpSettings, post};

use super::files::FileError;
use super::ledger::{Ledger, News};
use super::webhook::Message;
use super::{alertmanager, files, webhook};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// So many alerts are repeated in one request.
const REPEATED_AT_ONCE: usize = 100;
const NO_REQUEST: &str = "no request can be made of what its Secrets have";

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivery {
    Taken,
    /// It says that it does not want this message.
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

/// Where a message goes.
struct Target {
    url: String,
    /// Nobody may read it.
    is_secret: bool,
}

impl Sender {
    pub(crate) fn new(receiver: Receiver) -> Self {
        let url = match &receiver.url {
            Address::Url(url) => url,
            // What it says is not known yet, and may change.
            Address::Secret { .. } => "https://",
        };
        let settings = HttpSettings::of(url, receiver.ca_file.clone(), CONNECT_TIMEOUT);
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
                let messages = match webhook::messages(news) {
                    Ok(messages) => messages,
                    Err(error) => return Delivery::Refused(error.to_string()),
                };
                for message in messages {
                    let outcome = self.post_message(message, hmac_key_file.as_deref(), now).await;
                    if outcome != Delivery::Taken {
                        return outcome;
                    }
                }
                Delivery::Taken
            }
        }
    }

    async fn post_message(&self, message: Message, hmac_key_file: Option<&Path>, now: Timestamp) -> Delivery {
        let Message { id, body } = message;
        let mut headers = vec![("content-type", webhook::CONTENT_TYPE.to_owned())];
        if let Some(file) = hmac_key_file {
            let key = files::key(file).map_err(|error| error.to_string());
            match key.and_then(|key| webhook::signature(&key, &id, now, &body)) {
                Ok(signature) => headers.extend(signature),
                Err(cause) => return Delivery::Failed { cause, retry_after: None },
            }
        }
        self.post(str::to_owned, headers, body).await
    }

    /// Says what is still open. What of it does not arrive is said again the next time, and what is refused keeps nothing else back.
    pub(crate) async fn repeat(&self, ledger: &Ledger, now: Timestamp) -> Delivery {
        let firing: Vec<_> = ledger.firing().collect();
        let mut outcome = Delivery::Taken;
        for some in firing.chunks(REPEATED_AT_ONCE) {
            let alerts = some.iter().map(|firing| alertmanager::repeated(*firing, now)).collect();
            match self.post_alerts(alerts).await {
                Delivery::Taken => {}
                refused @ Delivery::Refused(_) => outcome = refused,
                failed @ Delivery::Failed { .. } => return failed,
            }
        }
        outcome
    }

    async fn post_alerts(&self, alerts: Vec<Value>) -> Delivery {
        let headers = vec![("content-type", "application/json".to_owned())];
        let body = Value::from(alerts).to_string().into_bytes();
        self.post(alertmanager::url, headers, body).await
    }

    async fn post(
        &self,
        path: fn(&str) -> String,
        mut headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    ) -> Delivery {
        let Target { url, is_secret } = match self.target() {
            Ok(target) => target,
            Err(error) => return Delivery::Failed { cause: error.to_string(), retry_after: None },
        };
        if let Some(file) = &self.receiver.authorization_file {
            match files::authorization(file) {
                Ok(authorization) => headers.push(("authorization", authorization)),
                Err(error) => return Delivery::Failed { cause: error.to_string(), retry_after: None },
            }
        }
        match post(&self.http, &path(&url), &headers, body).await {
            Err(FetchError::Request { .. }) if is_secret => {
                Delivery::Failed { cause: NO_REQUEST.to_owned(), retry_after: None }
            }
            // Some repeat in their answer where they were asked.
            Ok(answer) if is_secret => outcome(Ok(Answer { text: String::new(), ..answer })),
            answer => outcome(answer),
        }
    }

    fn target(&self) -> Result<Target, FileError> {
        match &self.receiver.url {
            Address::Url(url) => Ok(Target { url: url.clone(), is_secret: false }),
            Address::Secret { file } => Ok(Target { url: files::url(file)?, is_secret: true }),
        }
    }
}

fn outcome(answer: Result<Answer, FetchError>) -> Delivery {
    let (status, retry_after, text) = match answer {
        Ok(Answer { status, retry_after, text }) => (status, retry_after, text),
        Err(error) => return Delivery::Failed { cause: error_chain(&error), retry_after: None },
    };
    let said = || match first_line(&text) {
        line if line.is_empty() => format!("it answers with status {status}"),
        line => format!("it answers with status {status}: {line}"),
    };
    match status {
        200..300 => Delivery::Taken,
        // Maybe the message itself: whether others are taken tells. All else somebody can mend.
        400 | 413 | 415 | 422 => Delivery::Refused(said()),
        _ => Delivery::Failed { cause: said(), retry_after },
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().filter(|character| !character.is_control()).take(200).collect()
}
