//! Wires the process: arguments, logs, signals, exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use vedette_cli::commands::{Vedette, run};
use vedette_cli::output::escaped;
use vedette_service::{Shutdown, error_chain};

/// How long blocking work may hold up the end.
const RUNTIME_END: Duration = Duration::from_secs(5);
/// As a shell reports a process that SIGINT ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let Vedette { command } = Vedette::parse();
    // What people read are the lines of the command itself; logs are for what went wrong.
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    let filter: Targets = match wanted.as_str() {
        "" => Targets::new().with_default(LevelFilter::WARN),
        _ => match wanted.parse() {
            Ok(filter) => filter,
            Err(error) => return failure(&format!("RUST_LOG={wanted} is not usable: {error}")),
        },
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(filter).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure(&format!("could not start the runtime: {error}")),
    };
    let code = runtime.block_on(async {
        let shutdown = Shutdown::new();
        tokio::select! {
            result = run(command, shutdown.clone()) => match result {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failure(&error_chain(&error)),
            },
            result = interrupted_twice(&shutdown) => match result {
                Ok(()) => ExitCode::from(INTERRUPTED),
                Err(error) => failure(&format!("could not listen for signals: {error}")),
            },
        }
    });
    runtime.shutdown_timeout(RUNTIME_END);
    code
}

/// What is said of a failure may have come from the bucket.
fn failure(message: &str) -> ExitCode {
    let lines: Vec<_> = message.lines().map(escaped).collect();
    eprintln!("error: {}", lines.join("\n"));
    ExitCode::FAILURE
}

/// The first signal asks for an orderly end; the second does not wait for it.
async fn interrupted_twice(shutdown: &Shutdown) -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    for _ in 0..2 {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        shutdown.cancel();
    }
    Ok(())
}
