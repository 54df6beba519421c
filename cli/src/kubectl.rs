//! The kubectl of whoever runs this program, by which a cluster is asked: it knows the context, and signs in as it does for everything
//! else. Nothing here knows what is asked.

use std::io::{self, ErrorKind};
use std::process::Stdio;

use thiserror::Error;
use tokio::process::Command;
use vedette_contract::Name;

/// One that does not answer is not waited for longer.
const TIMEOUT: &str = "--request-timeout=30s";

/// Which cluster is asked, and of which namespace; of both what kubectl takes where none is named.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kubectl<'a> {
    pub(crate) context: Option<&'a str>,
    pub(crate) namespace: Option<&'a Name>,
}

/// Why a cluster was not asked, or what it said.
#[derive(Debug, Error)]
pub enum KubectlError {
    /// There is no kubectl.
    #[error(
        "could not {what}: kubectl, by which a cluster is asked, is not on the PATH: install it (https://kubernetes.io/docs/tasks/tools/)"
    )]
    Missing { what: &'static str },
    /// It cannot be run.
    #[error("could not {what}: kubectl cannot be run")]
    Start {
        what: &'static str,
        #[source]
        source: io::Error,
    },
    /// It, or the cluster, refuses.
    #[error(
        "could not {what}, as kubectl says: {said}; see that it is the right cluster (`kubectl config current-context`) and what you may do there (`kubectl auth can-i --list`)"
    )]
    Refused { what: &'static str, said: String },
}

impl Kubectl<'_> {
    /// Runs it, and returns what it prints.
    ///
    /// # Errors
    /// When there is none, or it fails.
    pub(crate) async fn run(self, what: &'static str, words: &[&str]) -> Result<Vec<u8>, KubectlError> {
        let mut command = Command::new("kubectl");
        command.args(words).arg(TIMEOUT).args(self.context.map(|context| format!("--context={context}")));
        command.args(self.namespace.map(|namespace| format!("--namespace={namespace}")));
        // It may ask whoever sits there for a password.
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let output = command.spawn().map_err(|source| unusable(what, source))?.wait_with_output().await;
        let output = output.map_err(|source| KubectlError::Start { what, source })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        // Retries stand above what came of them.
        let said = lines.last().map_or_else(|| output.status.to_string(), |line| (*line).to_owned());
        Err(KubectlError::Refused { what, said })
    }
}

fn unusable(what: &'static str, source: io::Error) -> KubectlError {
    match source.kind() {
        ErrorKind::NotFound => KubectlError::Missing { what },
        _ => KubectlError::Start { what, source },
    }
}
