//! The API of a console, asked for what is otherwise read in the bucket. How its paths and answers are spelled is the contract's.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use vedette_contract::console::API_PATH;
use vedette_streams::http::{Answer, FetchError, Http, HttpSettings, ask, form};

/// A longer answer is none of a console, which keeps 48 MiB of alerts and incidents.
const LONGEST_ANSWER: usize = 256 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a console is: what stands before its API's paths, a path prefix included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleAddress(String);

impl FromStr for ConsoleAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_address =
            |rest: &str| !rest.is_empty() && !rest.contains(['?', '#', ' ', '@']) && !rest.starts_with('/');
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
        if rest.is_some_and(is_address) {
            return Ok(Self(text.trim_end_matches('/').to_owned()));
        }
        Err(format!(
            "{text:?} is no address of a console: write http://127.0.0.1:8090 or https://example.org/tools/vedette"
        ))
    }
}

impl fmt::Display for ConsoleAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A console, and by what it takes what is written.
#[derive(Debug)]
pub(crate) struct Console {
    address: ConsoleAddress,
    http: Http,
    token: Option<String>,
}

/// Why a console does not answer what it was asked.
#[derive(Debug, Error)]
pub enum ConsoleError {
    /// The file of the token is not there.
    #[error("cannot read the token in {}", path.display())]
    Token {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It is not there.
    #[error("no console answers at {address}: see that the address is right and that you reach it")]
    Away {
        address: ConsoleAddress,
        #[source]
        source: FetchError,
    },
    /// It says no.
    #[error("the console refuses: {detail}{}", mend(*.status))]
    Refused { status: u16, detail: String },
    /// It is something else, or of another version.
    #[error("what answers at {address} is no console of this version (status {status}): see that the address is right")]
    Strange { address: ConsoleAddress, status: u16 },
    /// What is to be sent is no JSON.
    #[error("could not write what is to be sent")]
    Sent(#[source] serde_json::Error),
}

impl ConsoleError {
    /// Whether it may answer later.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Away { .. } => true,
            Self::Refused { status, .. } | Self::Strange { status, .. } => *status == 429 || *status >= 500,
            Self::Token { .. } | Self::Sent(_) => false,
        }
    }
}

fn mend(status: u16) -> &'static str {
    if status == 401 { "; give its file with --console-token-file" } else { "" }
}

/// What is wrong with a request, as a console says it.
#[derive(Deserialize)]
struct Problem {
    detail: String,
}

impl Console {
    /// One at this address; nothing is asked of it yet.
    ///
    /// # Errors
    /// When the file of the token cannot be read.
    pub(crate) fn new(
        address: &ConsoleAddress,
        token_file: Option<&Path>,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, ConsoleError> {
        let read = |path: &Path| {
            let token = std::fs::read_to_string(path);
            token.map_err(|source| ConsoleError::Token { path: path.to_owned(), source })
        };
        let token = token_file.map(read).transpose()?.map(|token| token.trim().to_owned());
        let http = Http::new(HttpSettings::of(&address.0, ca_file, CONNECT_TIMEOUT));
        Ok(Self { address: address.clone(), http, token })
    }

    /// What it answers to a question: nothing is asked of what has no value.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        asked: &[(&str, Option<String>)],
    ) -> Result<T, ConsoleError> {
        let asked: Vec<(&str, &str)> =
            asked.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        let mark = if asked.is_empty() { "" } else { "?" };
        self.ask(&format!("{path}{mark}{}", form(&asked)), None).await
    }

    /// What it answers to what is sent.
    ///
    /// # Errors
    /// When it does not take it.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, sent: &impl Serialize) -> Result<T, ConsoleError> {
        let sent = serde_json::to_vec(sent).map_err(ConsoleError::Sent)?;
        self.ask(path, Some(sent)).await
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, sent: Option<Vec<u8>>) -> Result<T, ConsoleError> {
        let url = format!("{}{API_PATH}{path}", self.address);
        let token = self.token.as_ref().map(|token| ("authorization", format!("Bearer {token}")));
        let kind = sent.as_ref().map(|_| ("content-type", "application/json".to_owned()));
        let headers: Vec<(&str, String)> = token.into_iter().chain(kind).collect();
        let answer = ask(&self.http, &url, &headers, sent, LONGEST_ANSWER).await;
        let address = || self.address.clone();
        let Answer { status, text, retry_after: _ } =
            answer.map_err(|source| ConsoleError::Away { address: address(), source })?;
        let strange = || ConsoleError::Strange { address: address(), status };
        if status == 200 {
            return serde_json::from_str(&text).map_err(|_| strange());
        }
        match serde_json::from_str(&text) {
            Ok(Problem { detail }) => Err(ConsoleError::Refused { status, detail }),
            Err(_) => Err(strange()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_console_may_have_a_path_and_nothing_behind_it() {
        let read = |text: &str| text.parse().map(|ConsoleAddress(address)| address);
        assert_eq!(read("http://127.0.0.1:8090/").as_deref(), Ok("http://127.0.0.1:8090"));
        assert_eq!(read("https://example.org/tools/vedette").as_deref(), Ok("https://example.org/tools/vedette"));
        for wrong in
            ["", "localhost:8090", "http://", "http:///a", "ftp://a", "http://a/#/access?token=b", "http://a:b@c"]
        {
            assert!(read(wrong).unwrap_err().contains("write http://"), "{wrong}");
        }
    }
}
