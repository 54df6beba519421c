//! The life of a process: arguments, telemetry, signals, the run itself and the exit code.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info};
use vedette_contract::exit;

use crate::reason::Reason;
use crate::telemetry::initialize_telemetry;

/// Cancelled when the process is to end in order.
pub type Shutdown = tokio_util::sync::CancellationToken;

/// How long blocking work may hold up the end of a process whose run is over.
const RUNTIME_END: Duration = Duration::from_secs(5);

/// A container's message is the last 2,048 bytes of its log, and what is cut off at its front is the reason.
const LAST_WORDS_BYTES: usize = 800;

/// Parses the arguments (exit code 2 when they are wrong), sets up telemetry, turns SIGTERM and SIGINT into `Shutdown`
/// and runs `run` on a multi-threaded runtime. An error is logged once, with its reason and its causes, and becomes exit
/// code 1: that event is what `LastWords` of the contract reads.
pub fn main_with<A, F, Fut, E>(component: &'static str, run: F) -> ExitCode
where
    A: Parser,
    F: FnOnce(A, Shutdown) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: Reason + 'static,
{
    let arguments = match A::try_parse() {
        Ok(arguments) => arguments,
        Err(refusal) => return refused(component, &refusal),
    };
    initialize_telemetry();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return failure(component, &ProcessError::Runtime(cause)),
    };
    let outcome = runtime.block_on(run_until_signal(component, |shutdown| run(arguments, shutdown)));
    runtime.shutdown_timeout(RUNTIME_END);
    outcome
}

async fn run_until_signal<F, Fut, E>(component: &'static str, run: F) -> ExitCode
where
    F: FnOnce(Shutdown) -> Fut,
    Fut: Future<Output = Result<(), E>>,
    E: Reason + 'static,
{
    let shutdown = Shutdown::new();
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => {
            tokio::spawn(cancel_on_signal(terminate, interrupt, shutdown.clone()));
        }
        (Err(cause), _) | (_, Err(cause)) => return failure(component, &ProcessError::Signal(cause)),
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

fn failure(component: &'static str, cause: &dyn Reason) -> ExitCode {
    let blame = cause.blames_the_model().then_some(exit::MODEL);
    let said = error_chain(cause);
    let last = beginning(&said);
    if last != said {
        error!(component, error = said, "failed, in full");
    }
    error!(component, reason = cause.reason(), blame, error = %last, "failed");
    ExitCode::FAILURE
}

/// What of an error fits into the last words, also where every second byte is escaped.
fn beginning(said: &str) -> Cow<'_, str> {
    match said.len() {
        0..=LAST_WORDS_BYTES => said.into(),
        _ => format!("{}…", &said[..said.floor_char_boundary(LAST_WORDS_BYTES)]).into(),
    }
}

/// Prints help, the version, or what is wrong with the arguments.
fn refused(component: &'static str, refusal: &clap::Error) -> ExitCode {
    // Clap prints help and version to standard output and everything else to standard error.
    let code = if refusal.print().is_ok() { refusal.exit_code() } else { 1 };
    if refusal.use_stderr() && !io::stderr().is_terminal() {
        // Clap's last line only points to the help, so what is wrong would not be the last that is heard of the process.
        initialize_telemetry();
        failure(component, &ProcessError::Arguments(first_paragraph(&refusal.to_string())));
    }
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

fn first_paragraph(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

/// What can go wrong around the run.
#[derive(Debug, thiserror::Error)]
enum ProcessError {
    #[error("{0}")]
    Arguments(String),
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    #[error("cannot listen for SIGTERM and SIGINT")]
    Signal(#[source] io::Error),
}

impl Reason for ProcessError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Arguments(_) => "InvalidArguments",
            Self::Runtime(_) => "RuntimeFailed",
            Self::Signal(_) => "SignalsFailed",
        }
    }
}

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
    use std::io::Read;
    use std::net::AddrParseError;
    use std::sync::Arc;

    use tracing_subscriber::layer::SubscriberExt;
    use vedette_contract::exit::{Blame, LastWords};

    use crate::telemetry::json_lines;

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

    #[derive(Debug, thiserror::Error)]
    #[error("model version 7 cannot be used")]
    struct WrongHash(#[source] io::Error);

    impl Reason for WrongHash {
        fn reason(&self) -> &'static str {
            "WrongHash"
        }

        fn blames_the_model(&self) -> bool {
            true
        }
    }

    #[test]
    fn the_last_words_of_a_process_are_its_reason_and_its_error() {
        let words = last_words(&WrongHash(io::Error::other("forest.bin differs")));
        assert_eq!(words.to_string(), "WrongHash: model version 7 cannot be used: forest.bin differs");
        assert_eq!(words.blame, Blame::Model);
        assert_eq!(last_words(&ProcessError::Arguments("x".to_owned())).blame, Blame::Surroundings);
    }

    fn last_words(cause: &dyn Reason) -> LastWords {
        let (mut log, writer) = io::pipe().unwrap();
        let subscriber = tracing_subscriber::registry().with(json_lines(Arc::new(writer)));
        tracing::subscriber::with_default(subscriber, || {
            info!("started");
            failure("detector", cause);
            info!("the runtime ended");
        });
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        // As much as a kubelet keeps.
        LastWords::read(&text[text.floor_char_boundary(text.len().saturating_sub(2_048))..]).unwrap()
    }

    #[test]
    fn an_error_of_any_length_leaves_its_reason() {
        for long in ["a page of a proxy ".repeat(500), "\"".repeat(5_000), "ä".repeat(5_000)] {
            let words = last_words(&WrongHash(io::Error::other(long)));
            assert_eq!((words.reason.as_deref(), words.blame), (Some("WrongHash"), Blame::Model));
            assert!(words.error.starts_with("model version 7 cannot be used") && words.error.ends_with('…'));
        }
    }

    #[test]
    fn a_refusal_of_the_arguments_is_one_line() {
        let refusal =
            clap::Command::new("x").arg(clap::arg!(--size <BYTES>).required(true)).try_get_matches_from(["x"]);
        assert_eq!(
            first_paragraph(&refusal.unwrap_err().to_string()),
            "the following required arguments were not provided: --size <BYTES>"
        );
    }

    #[tokio::test]
    async fn the_outcome_of_the_run_is_the_exit_code() {
        let code = |result: Result<(), ProcessError>| run_until_signal("test", |_| async { result });
        assert_eq!(code(Ok(())).await, ExitCode::SUCCESS);
        assert_eq!(code(Err(ProcessError::Signal(io::Error::other("broken")))).await, ExitCode::FAILURE);
    }
}
