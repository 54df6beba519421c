//! Who is told of incidents, as one word on the notifier's command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Name;
use crate::incident::Severity;

/// What a filter may speak of, in this order of an incident: its id, namespace, pipeline and site, its severity as in JSON, how many
/// alerts, the highest score, the fields behind it (a list of names), the values that group it (a map), and its example (a map).
pub const FILTER_VARIABLES: [&str; 10] =
    ["id", "namespace", "pipeline", "site", "severity", "alerts", "highest_score", "reasons", "fields", "example"];

/// A receiver: `{"name":"on-call","to":{"webhook":{}},"url":"https://…"}`. What is secret is in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receiver {
    /// Its name: in metrics, in the log, and of what it was told.
    pub name: Name,
    /// What it understands.
    pub to: ReceiverKind,
    /// Where it is.
    pub url: Address,
    /// It is told of nothing less severe.
    #[serde(default)]
    pub minimum_severity: Severity,
    /// A CEL expression over an incident; it is told of those for which it is true, and of all where omitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// PEM file of authorities that are trusted there beside the public ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// File with the value of the header `Authorization`, such as `Bearer …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_file: Option<PathBuf>,
}

/// Where a receiver is: of an Alertmanager its address, of a webhook all of the URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Address {
    /// An http:// or https:// URL.
    Url(String),
    /// A file with one, where whoever knows it may send there.
    Secret {
        /// The file.
        file: PathBuf,
    },
}

/// What a receiver understands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ReceiverKind {
    /// Prometheus' Alertmanager, API v2.
    Alertmanager {},
    /// `CloudEvents` 1.0 as JSON.
    #[serde(rename_all = "camelCase")]
    Webhook {
        /// File with the key of the signature; unsigned where omitted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hmac_key_file: Option<PathBuf>,
    },
}

/// A word that is no receiver.
#[derive(Debug, Error)]
#[error(
    "{text:?} is not a receiver ({reason}): write {{\"name\":…,\"to\":{{\"alertmanager\":{{}}}},\"url\":…}} or the same to a webhook"
)]
pub struct ReceiverError {
    /// What was given.
    pub text: String,
    /// What is wrong.
    pub reason: String,
}

impl FromStr for Receiver {
    type Err = ReceiverError;

    fn from_str(text: &str) -> Result<Self, ReceiverError> {
        let refused = |reason: String| ReceiverError { text: text.to_owned(), reason };
        let receiver: Self = serde_json::from_str(text).map_err(|error| refused(error.to_string()))?;
        match &receiver.url {
            Address::Url(url) if !is_http_url(url) => Err(refused(format!("{url:?} is no http:// or https:// URL"))),
            Address::Url(_) | Address::Secret { .. } => Ok(receiver),
        }
    }
}

/// Whether it can be the URL of a receiver.
pub fn is_http_url(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
}

impl fmt::Display for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of plain fields, which always become JSON.
        formatter.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_reads_back() {
        for text in [
            r#"{"name":"on-call","to":{"alertmanager":{}},"url":"http://alertmanager:9093","minimumSeverity":"high"}"#,
            r#"{"name":"chat","to":{"webhook":{"hmacKeyFile":"/k"}},"url":"https://chat/x","filter":"alerts > 3","caFile":"/ca"}"#,
            r#"{"name":"chat","to":{"webhook":{}},"url":"https://chat/x","authorizationFile":"/a"}"#,
            r#"{"name":"chat","to":{"webhook":{}},"url":{"file":"/u"}}"#,
        ] {
            let receiver: Receiver = text.parse().unwrap();
            assert_eq!(receiver.to_string().parse::<Receiver>().unwrap(), receiver, "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_what_is_wrong() {
        for (bad, complaint) in [
            ("oncall", "expected"),
            (r#"{"name":"a","to":{"pager":{}},"url":"http://a"}"#, "pager"),
            (r#"{"name":"a","to":{"webhook":{}},"url":"ftp://a"}"#, "no http"),
            (r#"{"name":"a","to":{"webhook":{}},"url":"http:///a"}"#, "no http"),
            (r#"{"name":"A","to":{"webhook":{}},"url":"http://a"}"#, "not a name"),
            (r#"{"name":"a","to":{"webhook":{}},"url":"http://a","minimumSeverity":"worst"}"#, "worst"),
            (r#"{"name":"a","to":{"webhook":{}},"url":"http://a","key":"s"}"#, "key"),
        ] {
            let refusal = bad.parse::<Receiver>().unwrap_err().to_string();
            assert!(refusal.contains(complaint), "{bad}: {refusal}");
        }
    }
}
