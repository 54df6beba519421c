//! A built workload as a process; killed when dropped.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use vedette_e2e::local::{binary, send_signal};
use vedette_testing::http_get;

const PATIENCE: Duration = Duration::from_secs(240);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub(crate) struct Workload {
    child: Child,
    probes: Option<SocketAddr>,
    directory: TempDir,
}

impl Workload {
    /// Starts a program of the checkout as this user; its password goes by the environment, as in a pod.
    pub(crate) fn start(program: &str, user: &str, arguments: &[String]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = File::create(directory.path().join("log")).unwrap();
        let mut command = Command::new(binary(program));
        if arguments.iter().any(|argument| argument.starts_with("--sasl-username=")) {
            command.env("KAFKA_SASL_PASSWORD", format!("secret-of-{user}"));
        }
        let child = command
            .args(arguments)
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {program}, which `make build` makes: {error}"));
        let probes = arguments.iter().find_map(|argument| argument.strip_prefix("--listen-address="));
        Self { child, probes: probes.map(|address| address.parse().unwrap()), directory }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// What it answers a kubelet that asks whether it is ready.
    pub(crate) async fn readiness(&self) -> String {
        http_get(self.probes.expect("it was told where to listen"), "/readyz").await
    }

    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until its log has all of these.
    pub(crate) fn wait_until_it_says(&self, words: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        while !words.iter().all(|word| self.log().contains(word)) {
            assert!(Instant::now() < deadline, "it does not say {words:?}:\n{}", self.log());
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Waits until it ends by itself.
    pub(crate) fn outcome(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.log());
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    /// Ends it as a kubelet does.
    pub(crate) fn stop(mut self) {
        send_signal(self.child.id(), "TERM").unwrap();
        let status = self.outcome();
        assert!(status.success(), "{}", self.log());
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.directory.path().join("log")).unwrap_or_default());
        }
    }
}
