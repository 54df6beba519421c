//! A built program that is started again whenever it ends, as a kubelet does; each start has a log of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use vedette_e2e::local::{binary, send_signal};
use vedette_testing::{free_address, http_get};

const ANSWER: Duration = Duration::from_secs(2);
/// Between two starts.
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) struct Supervised {
    program: &'static str,
    arguments: Vec<String>,
    directory: PathBuf,
    pub(crate) probes: SocketAddr,
    child: Option<Child>,
    started: Instant,
    starts: usize,
    /// So many faults keep it from being started.
    held: usize,
}

impl Supervised {
    /// Its working directory is one of its own.
    pub(crate) fn start(program: &'static str, directory: &Path, mut arguments: Vec<String>) -> Self {
        fs::create_dir_all(directory).unwrap();
        let probes = free_address();
        arguments.push(format!("--listen-address={probes}"));
        let (directory, started) = (directory.to_owned(), Instant::now());
        let mut process = Self { program, arguments, directory, probes, child: None, started, starts: 0, held: 0 };
        process.spawn();
        process
    }

    /// Starts it again if it has ended.
    pub(crate) fn tend(&mut self) {
        if !self.runs() && self.held == 0 && self.started.elapsed() > PAUSE {
            self.spawn();
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        // One that has ended by itself is started again anyway.
        self.child.iter().for_each(|child| _ = send_signal(child.id(), name).unwrap());
    }

    /// Kills it and keeps it down until it is released.
    pub(crate) fn hold(&mut self) {
        self.held += 1;
        self.kill();
    }

    pub(crate) fn release(&mut self) {
        self.held -= 1;
    }

    /// Asks it to end and waits for that.
    pub(crate) async fn stop(&mut self, patience: Duration) -> ExitStatus {
        self.signal("TERM");
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < patience, "{} does not end:\n{}", self.program, self.last_log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A counter of the process that runs, summed up; none where it does not tell, as one that is stopped.
    pub(crate) async fn counter(&self, name: &str) -> Option<u64> {
        let metrics = tokio::time::timeout(ANSWER, http_get(self.probes, "/metrics")).await.ok()?;
        let values = metrics.lines().filter_map(|line| line.strip_prefix(name)?.rsplit_once(' '));
        Some(values.map(|(_, value)| value.parse::<u64>().unwrap()).sum())
    }

    /// What each of its processes has said.
    pub(crate) fn logs(&self) -> Vec<String> {
        (1..=self.starts).map(|start| fs::read_to_string(self.log(start)).unwrap()).collect()
    }

    pub(crate) fn last_log(&self) -> String {
        self.logs().pop().unwrap_or_default()
    }

    pub(crate) fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn log(&self, start: usize) -> PathBuf {
        self.directory.join(format!("log-{start}"))
    }

    fn spawn(&mut self) {
        (self.started, self.starts) = (Instant::now(), self.starts + 1);
        let log = File::create(self.log(self.starts)).unwrap();
        let child = Command::new(binary(self.program))
            .args(&self.arguments)
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}, which `make build` makes: {error}", self.program));
        self.child = Some(child);
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended.
            let _ = (child.kill(), child.wait());
        }
    }
}
