//! One child process: started in a process group of its own, so that Ctrl-C in a terminal reaches us and not it;
//! ended with SIGTERM and, after its grace period, SIGKILL; killed if its handle is dropped.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use vedette_contract::arguments::LISTEN_ADDRESS_ENV;
use vedette_contract::exit::{self, Blame};

/// What is passed on of our own environment: how much is logged.
const INHERITED: [&str; 3] = ["RUST_LOG", "RUST_BACKTRACE", "NO_COLOR"];
const TAIL_BYTES: u64 = 8_192;

/// What to run.
pub(super) struct CommandLine<'a> {
    pub(super) program: &'a Path,
    pub(super) args: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) directory: &'a Path,
    pub(super) temporary: &'a Path,
    pub(super) log: &'a Path,
}

/// A running child.
pub(super) struct Process {
    child: Child,
    /// Where it listens.
    pub(super) address: SocketAddr,
}

impl Process {
    pub(super) fn start(line: CommandLine<'_>) -> io::Result<Self> {
        let CommandLine { program, args, environment, directory, temporary, log } = line;
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let address = free_address()?;
        let mut command = Command::new(program);
        command.args(args).env_clear();
        command.envs(INHERITED.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value))));
        command.env("TMPDIR", temporary).envs(environment).env(LISTEN_ADDRESS_ENV, address.to_string());
        command.current_dir(directory).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        Ok(Self { child, address })
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// SIGTERM, and SIGKILL when the grace period is over; returns when the process is gone.
    pub(super) async fn terminate(&mut self, grace: Duration) -> io::Result<ExitStatus> {
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            // Fails only if the process is gone, which the wait below sees.
            let _ = kill_process(id, Signal::TERM);
        }
        if let Ok(status) = timeout(grace, self.child.wait()).await {
            return status;
        }
        self.child.start_kill()?;
        self.child.wait().await
    }
}

/// Somebody else may take the port before the child does; then the child ends, and its successor gets another.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// What the log of a process says of why it ended.
#[derive(Debug)]
pub(super) struct LastWords {
    pub(super) blame: Blame,
    pub(super) said: Option<String>,
}

impl LastWords {
    /// Of a process that ended well: somebody asked it to.
    pub(super) fn of_success() -> Self {
        Self { blame: Blame::Surroundings, said: None }
    }
}

pub(super) fn last_words(log: &Path) -> LastWords {
    match tail(log) {
        Ok(text) => LastWords {
            blame: exit::LastWords::read(&text).map_or(Blame::Unknown, |words| words.blame),
            said: vedette_core::last_words(&text),
        },
        Err(error) => {
            tracing::warn!(%error, "the log of a process cannot be read");
            LastWords { blame: Blame::Unknown, said: None }
        }
    }
}

fn tail(log: &Path) -> io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
