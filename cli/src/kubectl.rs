//! The kubectl of whoever runs this program, by which a cluster is asked: it knows the context, and signs in as it does for everything
//! else. Nothing here knows what is asked.

use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::process::{Output, Stdio};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// One that does not answer is not waited for longer.
const TIMEOUT: &str = "--request-timeout=30s";
/// The same of one that forwards, whose requests have no end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which cluster is asked, and of which namespace; of both what kubectl takes where none is named.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kubectl<'a> {
    pub(crate) context: Option<&'a str>,
    pub(crate) namespace: Option<&'a str>,
}

/// A port of a pod, as one of this machine's loopback, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Forwarded {
    pub(crate) port: u16,
    /// It is killed with this.
    _kubectl: Child,
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
    /// It says nothing.
    #[error(
        "could not {what}: kubectl said nothing within {} s; see that the cluster answers (`kubectl get pods`)",
        PATIENCE.as_secs()
    )]
    Silent { what: &'static str },
}

impl KubectlError {
    /// Whether whoever asks may not, so that it has to be asked for less.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { said, .. } if said.contains("(Forbidden)"))
    }
}

impl Kubectl<'_> {
    /// Runs it, and returns what it prints.
    ///
    /// # Errors
    /// When there is none, or it fails.
    pub(crate) async fn run(self, what: &'static str, words: &[&str]) -> Result<Vec<u8>, KubectlError> {
        let mut command = self.command(&[words, &[TIMEOUT]].concat());
        let output = command.spawn().map_err(|source| unusable(what, source))?.wait_with_output().await;
        let output = output.map_err(|source| KubectlError::Start { what, source })?;
        if output.status.success() { Ok(output.stdout) } else { Err(refused(what, &output)) }
    }

    /// Forwards a port of a pod.
    ///
    /// # Errors
    /// When there is no kubectl, or it does not forward it.
    pub(crate) async fn forward(self, what: &'static str, pod: &str, port: u16) -> Result<Forwarded, KubectlError> {
        let address = format!("--address={}", Ipv4Addr::LOCALHOST);
        let mut command = self.command(&["port-forward", &format!("pod/{pod}"), &format!(":{port}"), &address]);
        let mut kubectl = command.spawn().map_err(|source| unusable(what, source))?;
        let mut line = String::new();
        let Some(mut told) = kubectl.stdout.take().map(BufReader::new) else {
            return Err(KubectlError::Silent { what });
        };
        let read = timeout(PATIENCE, told.read_line(&mut line)).await.map_err(|_| KubectlError::Silent { what })?;
        read.map_err(|source| KubectlError::Start { what, source })?;
        let Some(port) = forwarded_port(&line) else {
            let ended = timeout(PATIENCE, kubectl.wait_with_output()).await;
            let output = ended.map_err(|_| KubectlError::Silent { what })?;
            return Err(refused(what, &output.map_err(|source| KubectlError::Start { what, source })?));
        };
        // It says something at each connection, and would wait for a reader, or end where there is none.
        pass(told);
        kubectl.stderr.take().into_iter().for_each(pass);
        Ok(Forwarded { port, _kubectl: kubectl })
    }

    fn command(self, words: &[&str]) -> Command {
        let mut command = Command::new("kubectl");
        command.args(words).args(self.context.map(|context| format!("--context={context}")));
        command.args(self.namespace.map(|namespace| format!("--namespace={namespace}")));
        // It may ask whoever sits there for a password.
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }
}

/// What it says when it listens: `Forwarding from 127.0.0.1:40123 -> 8081`.
fn forwarded_port(line: &str) -> Option<u16> {
    let (address, _) = line.strip_prefix("Forwarding from ")?.split_once(" -> ")?;
    address.rsplit_once(':')?.1.parse().ok()
}

/// Reads what nobody wants to know, until its end.
fn pass(mut output: impl AsyncRead + Unpin + Send + 'static) {
    tokio::spawn(async move { tokio::io::copy(&mut output, &mut tokio::io::sink()).await });
}

fn refused(what: &'static str, output: &Output) -> KubectlError {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    // Retries stand above what came of them.
    let said = lines.last().map_or_else(|| output.status.to_string(), |line| (*line).to_owned());
    KubectlError::Refused { what, said }
}

fn unusable(what: &'static str, source: io::Error) -> KubectlError {
    match source.kind() {
        ErrorKind::NotFound => KubectlError::Missing { what },
        _ => KubectlError::Start { what, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_that_is_forwarded_stands_in_the_first_line() {
        assert_eq!(forwarded_port("Forwarding from 127.0.0.1:40123 -> 8081\n"), Some(40_123));
        for other in
            ["", "error: pod not found\n", "Forwarding from 127.0.0.1:x -> 8081\n", "Forwarding from 127.0.0.1:1"]
        {
            assert_eq!(forwarded_port(other), None, "{other}");
        }
    }
}
