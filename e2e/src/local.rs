//! One run of `vedette local --json`.

use std::error::Error as _;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use thiserror::Error;

/// The programs, and the most megabytes that each may have: what runs in pods 25, and the command line, which has a Kafka and a bucket
/// in it, 40.
pub const PROGRAMS: [(&str, f64); 9] = [
    ("vedette-topics", 25.),
    ("vedette-generator", 25.),
    ("vedette-detector", 25.),
    ("vedette-archiver", 25.),
    ("vedette-notifier", 25.),
    ("vedette-trainer", 25.),
    ("vedette-console", 25.),
    ("vedette-operator", 25.),
    ("vedette", 40.),
];

/// Why a run gave no summary.
#[derive(Debug, Error)]
pub enum RunError {
    /// The program could not be started.
    #[error("could not start {program}; build it first: make build")]
    Start {
        /// Its path.
        program: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A system call on the program failed.
    #[error("could not talk to the program")]
    Process(#[source] std::io::Error),
    /// It ended with a failure, or printed no JSON object.
    #[error("the program ended with {status} and this log:\n{log}")]
    Failed {
        /// How it ended.
        status: ExitStatus,
        /// What it printed for people.
        log: String,
    },
    /// Something did not come in time.
    #[error("{what} did not come within {seconds} s; the log so far:\n{log}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// What it printed for people.
        log: String,
    },
}

impl RunError {
    /// What happened, and its causes.
    pub fn chain(&self) -> String {
        let (mut told, mut cause) = (self.to_string(), self.source());
        while let Some(known) = cause {
            told = format!("{told}: {known}");
            cause = known.source();
        }
        told
    }
}

/// Where the built programs lie: beside the running test, or above its `deps` directory.
pub fn binary(name: &str) -> PathBuf {
    let running = std::env::current_exe().unwrap_or_default();
    let beside = running.parent().unwrap_or(Path::new("."));
    let directory = if beside.ends_with("deps") { beside.parent().unwrap_or(beside) } else { beside };
    directory.join(name)
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// A running `vedette`; killed with its children when dropped.
pub struct LocalRun {
    child: Child,
    log: Lines,
    output: Lines,
}

impl LocalRun {
    /// Starts `vedette` with these arguments.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Result<Self, RunError> {
        let mut command = Command::new(binary("vedette"));
        command.args(arguments);
        Self::start_by(command)
    }

    /// Starts `vedette` by a command that runs it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_by(mut command: Command) -> Result<Self, RunError> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| RunError::Start { program: command.get_program().into(), source })?;
        let (log, output) = (Lines::of(child.stderr.take()), Lines::of(child.stdout.take()));
        Ok(Self { child, log, output })
    }

    /// Process id of the program.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed for people so far.
    pub fn log(&self) -> String {
        self.log.so_far()
    }

    /// What it printed to standard output so far: without `--json` that is for people, too.
    pub fn output(&self) -> String {
        self.output.so_far()
    }

    /// Waits until a condition holds.
    ///
    /// # Errors
    /// When it does not hold in time, or the program ends before.
    pub fn wait_for(
        &mut self,
        what: &str,
        within: Duration,
        mut holds: impl FnMut(&Self) -> bool,
    ) -> Result<(), RunError> {
        let deadline = Instant::now() + within;
        loop {
            if holds(self) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait().map_err(RunError::Process)? {
                return Err(RunError::Failed { status, log: self.log.whole() });
            }
            if Instant::now() > deadline {
                return Err(RunError::Deadline { what: what.to_owned(), seconds: within.as_secs(), log: self.log() });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends a signal by its name, such as `INT`.
    ///
    /// # Errors
    /// When it cannot be sent.
    pub fn signal(&self, signal: &str) -> Result<(), RunError> {
        send_signal(self.pid(), signal).map(drop)
    }

    /// Waits for the end and returns the exit status and all output.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn end(mut self, within: Duration) -> Result<(ExitStatus, String, String), RunError> {
        let deadline = Instant::now() + within;
        let status = loop {
            if let Some(status) = self.child.try_wait().map_err(RunError::Process)? {
                break status;
            }
            if Instant::now() > deadline {
                return Err(RunError::Deadline {
                    what: "the end".to_owned(),
                    seconds: within.as_secs(),
                    log: self.log(),
                });
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        Ok((status, self.output.whole(), self.log.whole()))
    }

    /// Waits for the end and returns the JSON summary.
    ///
    /// # Errors
    /// When it fails, does not end in time, or prints no JSON object.
    pub fn summary(self, within: Duration) -> Result<serde_json::Value, RunError> {
        let (status, output, log) = self.end(within)?;
        match serde_json::from_str(&output) {
            Ok(summary) if status.success() => Ok(summary),
            Ok(_) | Err(_) => Err(RunError::Failed { status, log: format!("{log}\n{output}") }),
        }
    }
}

impl Drop for LocalRun {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let children = crate::processes::descendants(self.pid());
            // The program is being abandoned after a failure; what cannot be killed is gone already.
            let _ = self.child.kill();
            let _ = self.child.wait();
            for child in children {
                let _ = send_signal(child.pid, "KILL");
            }
        }
    }
}

/// The lines that a pipe has given.
struct Lines {
    read: Arc<Mutex<Vec<String>>>,
    /// Reads until the program closes the pipe.
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(pipe: Option<impl Read + Send + 'static>) -> Self {
        let read = Arc::new(Mutex::new(Vec::new()));
        let reader = pipe.map(|pipe| {
            let read = Arc::clone(&read);
            std::thread::spawn(move || {
                for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                    read.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            })
        });
        Self { read, reader }
    }

    fn so_far(&self) -> String {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// All of them, once the program has ended. Its children print to files, so nothing else holds the pipe open.
    fn whole(&mut self) -> String {
        // A reader that panicked has been reported on its own; what it read is still worth showing.
        let _ = self.reader.take().map(JoinHandle::join);
        self.so_far()
    }
}

/// Sends a signal by its name to a process, and says whether there was one.
///
/// # Errors
/// When `kill` cannot be run.
pub fn send_signal(pid: u32, signal: &str) -> Result<bool, RunError> {
    let sent =
        Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status().map_err(RunError::Process)?;
    Ok(sent.success())
}
