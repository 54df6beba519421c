//! The API of a console, asked for what is otherwise read in the bucket: one that somebody names, or that of a cluster. How its paths and
//! answers are spelled is the contract's.

mod cluster;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::Mutex;
use vedette_contract::console::API_PATH;
use vedette_streams::http::{Answer, FetchError, Http, HttpSettings, ask, form};

pub(crate) use self::cluster::Cluster;
use self::cluster::{ClusterError, Reached};

/// A longer answer is none of a console, which keeps 48 MiB of alerts and incidents.
const LONGEST_ANSWER: usize = 256 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a console is: what stands before its API's paths, a path prefix included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleAddress(String);

impl FromStr for ConsoleAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_address(text) {
            return Ok(Self(text.trim_end_matches('/').to_owned()));
        }
        Err(format!(
            "{text:?} is no address of a console: write http://127.0.0.1:8090 or https://example.org/tools/vedette"
        ))
    }
}

/// Whether it is where something is, by HTTP, and nothing that is asked there.
pub(crate) fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['?', '#', ' ', '@']) && !rest.starts_with('/'))
}

impl fmt::Display for ConsoleAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How a console is reached.
#[derive(Debug)]
enum Way {
    /// Where somebody says that it is.
    Address(ConsoleAddress),
    /// By a port of this machine, from the first question on; found anew where it did not answer.
    Cluster(Cluster, Mutex<Option<Arc<Reached>>>),
}

/// A console, and by what it takes what is written.
#[derive(Debug)]
pub(crate) struct Console {
    way: Way,
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
    /// That of a cluster is not reached.
    #[error("no place is named with --console, --bucket or --data-dir, and no console of a cluster is reached")]
    Unreached(#[from] ClusterError),
    /// It is not there.
    #[error("no console answers at {place}: see that the address is right and that you reach it")]
    Away {
        place: String,
        #[source]
        source: FetchError,
    },
    /// What was sent may have come.
    #[error(
        "no console answered at {place} to what was sent, and whether it was done is not known: list what there is before you send it again"
    )]
    Unanswered {
        place: String,
        #[source]
        source: FetchError,
    },
    /// It says no.
    #[error("the console refuses: {detail}{}", mend(*.status))]
    Refused { status: u16, detail: String },
    /// It is something else, or of another version.
    #[error("what answers at {place} is no console of this version (status {status}): {}", mend_of_stranger(*.status))]
    Strange { place: String, status: u16 },
    /// What is to be sent is no JSON.
    #[error("could not write what is to be sent")]
    Sent(#[source] serde_json::Error),
}

impl ConsoleError {
    /// Whether it may answer later.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Away { .. } | Self::Unanswered { .. } => true,
            Self::Unreached(error) => error.is_away(),
            Self::Refused { status, .. } | Self::Strange { status, .. } => *status == 429 || *status >= 500,
            Self::Token { .. } | Self::Sent(_) => false,
        }
    }
}

fn mend(status: u16) -> &'static str {
    if status == 401 { "; give its file with --console-token-file" } else { "" }
}

/// A proxy before a console answers in its own words.
fn mend_of_stranger(status: u16) -> &'static str {
    match status {
        300..=399 | 401 | 403 | 407 => {
            "a proxy there wants somebody who is signed in: forward the console's port (`kubectl port-forward`), or leave --console out"
        }
        _ => "see that the address is right",
    }
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
    pub(crate) fn at(
        address: &ConsoleAddress,
        token_file: Option<&Path>,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, ConsoleError> {
        let http = Http::new(HttpSettings::of(&address.0, ca_file, CONNECT_TIMEOUT));
        Ok(Self { way: Way::Address(address.clone()), http, token: token(token_file)? })
    }

    /// That of a cluster, which is not looked for yet.
    ///
    /// # Errors
    /// When the file of the token cannot be read.
    pub(crate) fn of_cluster(cluster: Cluster, token_file: Option<&Path>) -> Result<Self, ConsoleError> {
        let http = Http::new(HttpSettings::of_this_machine(CONNECT_TIMEOUT));
        Ok(Self { way: Way::Cluster(cluster, Mutex::default()), http, token: token(token_file)? })
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
        let (url, place, _reached) = match &self.way {
            Way::Address(address) => (address.to_string(), address.to_string(), None),
            Way::Cluster(cluster, reached) => {
                let reached = reach(cluster, reached).await?;
                (reached.url.clone(), reached.pod.clone(), Some(reached))
            }
        };
        let url = format!("{url}{API_PATH}{path}");
        // `Authorization` is a proxy's.
        let token = self.token.as_ref().map(|token| ("vedette-token", token.clone()));
        let kind = sent.as_ref().map(|_| ("content-type", "application/json".to_owned()));
        let headers: Vec<(&str, String)> = token.into_iter().chain(kind).collect();
        let writes = sent.is_some();
        let Answer { status, text, retry_after: _ } = match ask(&self.http, &url, &headers, sent, LONGEST_ANSWER).await
        {
            Ok(answer) => answer,
            Err(source) => {
                if let Way::Cluster(_, reached) = &self.way {
                    *reached.lock().await = None;
                }
                return Err(if writes {
                    ConsoleError::Unanswered { place, source }
                } else {
                    ConsoleError::Away { place, source }
                });
            }
        };
        if status == 200 {
            return serde_json::from_str(&text).map_err(|_| ConsoleError::Strange { place, status });
        }
        match serde_json::from_str(&text) {
            Ok(Problem { detail }) => Err(ConsoleError::Refused { status, detail }),
            Err(_) => Err(ConsoleError::Strange { place, status }),
        }
    }
}

/// The one that is reached, or else it is.
async fn reach(cluster: &Cluster, reached: &Mutex<Option<Arc<Reached>>>) -> Result<Arc<Reached>, ClusterError> {
    let mut reached = reached.lock().await;
    if let Some(reached) = &*reached {
        return Ok(Arc::clone(reached));
    }
    let now = Arc::new(cluster.reach().await?);
    *reached = Some(Arc::clone(&now));
    Ok(now)
}

fn token(file: Option<&Path>) -> Result<Option<String>, ConsoleError> {
    let read = |path: &Path| {
        let token = std::fs::read_to_string(path);
        token.map_err(|source| ConsoleError::Token { path: path.to_owned(), source })
    };
    Ok(file.map(read).transpose()?.map(|token| token.trim().to_owned()))
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
