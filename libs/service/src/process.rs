//! The life of a process: arguments, telemetry, signals, the run itself and the exit code.

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info};

use crate::telemetry::initialize_telemetry;

/// Cancelled when the process is to end in order.
pub type Shutdown = tokio_util::sync::CancellationToken;

/// How long blocking work may hold up the end of a process whose run is over.
const RUNTIME_END: Duration = Duration::from_secs(5);

/// Parses the arguments (exit code 2 when they are wrong), sets up telemetry, turns SIGTERM and SIGINT into `Shutdown`
/// and runs `run` on a multi-threaded runtime. An error is logged once, with its causes, and becomes exit code 1.
pub fn main_with<A, F, Fut, E>(component: &'static str, run: F) -> ExitCode
where
    A: Parser,
    F: FnOnce(A, Shutdown) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: Error + 'static,
{
    let arguments = match A::try_parse() {
        Ok(arguments) => arguments,
        Err(refusal) => {
            // Clap prints help and version to standard output and everything else to standard error.
            let code = if refusal.print().is_ok() { refusal.exit_code() } else { 1 };
            return ExitCode::from(u8::try_from(code).unwrap_or(1));
        }
    };
    initialize_telemetry();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => {
            error!(component, error = %cause, "cannot start the runtime");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(run_until_signal(component, |shutdown| run(arguments, shutdown)));
    runtime.shutdown_timeout(RUNTIME_END);
    outcome
}

async fn run_until_signal<F, Fut, E>(component: &'static str, run: F) -> ExitCode
where
    F: FnOnce(Shutdown) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: Error + 'static,
{
    let shutdown = Shutdown::new();
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => {
            tokio::spawn(cancel_on_signal(terminate, interrupt, shutdown.clone()));
        }
        (Err(cause), _) | (_, Err(cause)) => return failure(component, &SignalError(cause)),
    }
    info!(component, version = env!("CARGO_PKG_VERSION"), "started");
    match run(shutdown).await {
        Ok(()) => {
            info!(component, "ended");
            ExitCode::SUCCESS
        }
        Err(cause) => failure(component, &cause),
    }
}

fn failure(component: &'static str, cause: &dyn Error) -> ExitCode {
    error!(component, error = %error_chain(cause), "failed");
    ExitCode::FAILURE
}

#[derive(Debug, thiserror::Error)]
#[error("cannot listen for SIGTERM and SIGINT")]
struct SignalError(#[source] io::Error);

async fn cancel_on_signal(mut terminate: Signal, mut interrupt: Signal, shutdown: Shutdown) {
    tokio::select! {
        _ = terminate.recv() => info!(signal = "SIGTERM", "shutting down"),
        _ = interrupt.recv() => info!(signal = "SIGINT", "shutting down"),
    }
    shutdown.cancel();
}

/// The error and its causes as one line, `a: b: c`. A cause whose text the line already holds is left out.
pub fn error_chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::AddrParseError;

    #[derive(Debug, thiserror::Error)]
    enum Layered {
        #[error("cannot read the configuration")]
        Read(#[source] io::Error),
        #[error("cannot parse: {0}")]
        PrintsItsCause(#[source] AddrParseError),
        #[error(transparent)]
        Transparent(#[from] Box<Layered>),
    }

    #[test]
    fn every_cause_is_printed_once() {
        let read = || Layered::Read(io::Error::new(io::ErrorKind::NotFound, "no such file"));
        assert_eq!(error_chain(&read()), "cannot read the configuration: no such file");
        assert_eq!(error_chain(&Layered::Transparent(Box::new(read()))), "cannot read the configuration: no such file");
        let parse = Layered::PrintsItsCause("x".parse::<std::net::IpAddr>().unwrap_err());
        assert_eq!(error_chain(&parse), "cannot parse: invalid IP address syntax");
    }

    #[tokio::test]
    async fn the_outcome_of_the_run_is_the_exit_code() {
        let code = |result: Result<(), SignalError>| run_until_signal("test", |_| async { result });
        assert_eq!(code(Ok(())).await, ExitCode::SUCCESS);
        assert_eq!(code(Err(SignalError(io::Error::other("broken")))).await, ExitCode::FAILURE);
    }
}
