//! Wires the process: arguments, logs, signals, exit code.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use vedette_cli::commands::{Vedette, run};
use vedette_cli::output::say;
use vedette_service::{Shutdown, error_chain};

/// How long blocking work may hold up the end.
const RUNTIME_END: Duration = Duration::from_secs(5);
/// What does not end within this time after a signal is said to go on.
const PROMPT: Duration = Duration::from_secs(1);
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
    // They may go to a file, or to whoever wants no colours.
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(lines).with(filter).init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure(&format!("could not start the runtime: {error}")),
    };
    let code = runtime.block_on(async {
        let shutdown = Shutdown::new();
        let signals = match Signals::listen() {
            Ok(signals) => signals,
            Err(error) => return failure(&format!("could not listen for signals: {error}")),
        };
        tokio::select! {
            // What the first signal has ended is over, however late that is seen.
            biased;
            result = run(command, shutdown.clone()) => match result {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failure(&error_chain(&error)),
            },
            () = interrupted_twice(signals, &shutdown) => ExitCode::from(INTERRUPTED),
        }
    });
    runtime.shutdown_timeout(RUNTIME_END);
    code
}

/// What is said of a failure may have come from the bucket.
fn failure(message: &str) -> ExitCode {
    format!("error: {message}").lines().for_each(say);
    ExitCode::FAILURE
}

/// What asks this program to end.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The first signal asks for an orderly end; the second does not wait for it.
async fn interrupted_twice(mut signals: Signals, shutdown: &Shutdown) {
    signals.next().await;
    shutdown.cancel();
    let second = signals.next();
    tokio::pin!(second);
    tokio::select! {
        () = &mut second => {}
        () = tokio::time::sleep(PROMPT) => {
            say("what has begun is brought to its end; Ctrl-C once more does not wait for it");
            second.await;
        }
    }
}
