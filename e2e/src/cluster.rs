//! A kind cluster that `e2e/scripts/up.sh` made: its API server, its Kafka and its bucket as this machine reaches them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use thiserror::Error;
use vedette_contract::arguments::{BucketArguments, KafkaArguments};
use vedette_streams::bucket::Bucket;
use vedette_streams::kafka::KafkaSettings;

use crate::local::{binary, repository};

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(500);
/// The secret key of the bucket of `manifests/development`.
pub const BUCKET_SECRET_KEY: &str = "development-secret";

/// Why a cluster could not be used.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// It was not made, or not by the scripts.
    #[error("there is no cluster {name}, as {file} cannot be read; make it with: make e2e-up")]
    Missing {
        name: String,
        /// What was looked for.
        file: PathBuf,
        /// Why it could not be read.
        #[source]
        source: std::io::Error,
    },
    /// Its kubeconfig is of no use.
    #[error("could not read the kubeconfig")]
    Kubeconfig(#[source] KubeconfigError),
    /// Its API server said no, or nothing.
    #[error("could not talk to the API server")]
    Kube(#[from] kube::Error),
    /// A program could not be run.
    #[error("could not run {program}")]
    Start {
        /// Its path.
        program: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A program failed.
    #[error("{program} {arguments} said: {said}")]
    Program {
        /// Its path.
        program: PathBuf,
        /// What it was given.
        arguments: String,
        /// What it printed.
        said: String,
    },
    /// Something did not come in time.
    #[error("{what} did not come within {seconds} s; the last that was seen: {seen}")]
    Deadline {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// What stood there instead.
        seen: String,
    },
}

/// What one look at a condition found.
pub enum Look<T> {
    /// It holds.
    Holds(T),
    /// It does not hold yet; for a person, what was seen.
    NotYet(String),
}

/// A cluster. When a test panics while it holds one, what the cluster knows is gathered, and the place is printed.
pub struct Cluster {
    name: String,
    kubeconfig: String,
    ports: BTreeMap<String, String>,
    client: Client,
}

impl Cluster {
    /// The cluster of this name.
    ///
    /// # Errors
    /// When it was not made, or its API server cannot be reached.
    pub async fn connect(name: &str) -> Result<Self, ClusterError> {
        let cache = std::env::var_os("E2E_CACHE").map_or_else(|| repository().join("target/e2e"), PathBuf::from);
        let directory = cache.join("clusters").join(name);
        let ports = read_ports(&directory.join("ports")).map_err(|(file, source)| ClusterError::Missing {
            name: name.to_owned(),
            file,
            source,
        })?;
        let kubeconfig = directory.join("kubeconfig");
        let parsed = Kubeconfig::read_from(&kubeconfig).map_err(ClusterError::Kubeconfig)?;
        let config = kube::Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default())
            .await
            .map_err(ClusterError::Kubeconfig)?;
        let client = Client::try_from(config)?;
        client.apiserver_version().await?;
        Ok(Self { name: name.to_owned(), kubeconfig: kubeconfig.display().to_string(), ports, client })
    }

    /// Its name, which is that of the site.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A client of its API server, as its administrator.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Its Kafka.
    pub fn kafka(&self) -> KafkaSettings {
        let arguments = KafkaArguments {
            bootstrap_servers: format!("127.0.0.1:{}", self.port("kafka")),
            ..KafkaArguments::default()
        };
        KafkaSettings::new(&arguments, "vedette-e2e")
    }

    /// Its bucket.
    pub fn bucket(&self) -> Bucket {
        Bucket::new(&BucketArguments {
            bucket_endpoint: Some(format!("http://127.0.0.1:{}", self.port("bucket"))),
            bucket: "vedette".to_owned(),
            bucket_region: "us-east-1".to_owned(),
            access_key_id: Some("development".to_owned()),
            secret_access_key: Some(BUCKET_SECRET_KEY.into()),
            ..BucketArguments::default()
        })
    }

    fn port(&self, service: &str) -> &str {
        self.ports.get(service).map_or("0", String::as_str)
    }

    /// Runs kubectl at the root of the repository, as a user does, and returns what it prints.
    ///
    /// # Errors
    /// When it fails; the error has what it said.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, ClusterError> {
        run(&program("E2E_KUBECTL", "kubectl"), &self.with_kubeconfig(arguments), "")
    }

    /// Runs the `vedette` that was built at the root of the repository, with kubectl on the PATH and this cluster as its current one, and
    /// returns what it prints.
    ///
    /// # Errors
    /// When it fails; the error has what it said.
    pub fn vedette(&self, arguments: &[&str]) -> Result<String, ClusterError> {
        let kubectl = program("E2E_KUBECTL", "kubectl");
        let path = std::env::var("PATH").unwrap_or_default();
        let beside = kubectl.parent().filter(|directory| !directory.as_os_str().is_empty());
        let path = beside.map_or_else(|| path.clone(), |directory| format!("{}:{path}", directory.display()));
        let program = binary("vedette");
        let mut command = Command::new(&program);
        command.env("KUBECONFIG", &self.kubeconfig).env("PATH", path);
        finish(command, &program, arguments, "")
    }

    /// `kubectl apply` of the manifests in this text.
    ///
    /// # Errors
    /// When the API server refuses one.
    pub fn apply(&self, manifests: &str) -> Result<String, ClusterError> {
        let arguments = self.with_kubeconfig(&["apply", "--server-side", "--force-conflicts", "--filename", "-"]);
        run(&program("E2E_KUBECTL", "kubectl"), &arguments, manifests)
    }

    /// Runs helm at the root of the repository, and returns what it prints.
    ///
    /// # Errors
    /// When it fails; the error has what it said.
    pub fn helm(&self, arguments: &[&str]) -> Result<String, ClusterError> {
        run(&program("E2E_HELM", "helm"), &self.with_kubeconfig(arguments), "")
    }

    /// Runs a command on the cluster's node.
    ///
    /// # Errors
    /// When it fails; the error has what it said.
    pub fn on_node(&self, arguments: &[&str]) -> Result<String, ClusterError> {
        let node = format!("vedette-{}-control-plane", self.name);
        run(Path::new("docker"), &[&["exec", &node], arguments].concat(), "")
    }

    /// Copies a file of this machine to the cluster's node.
    ///
    /// # Errors
    /// When it fails; the error has what it said.
    pub fn copy_to_node(&self, file: &str, place: &str) -> Result<String, ClusterError> {
        let place = format!("vedette-{}-control-plane:{place}", self.name);
        run(Path::new("docker"), &["cp", "--follow-link", file, &place], "")
    }

    fn with_kubeconfig<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [&["--kubeconfig", &self.kubeconfig], arguments].concat()
    }
}

fn run(program: &Path, arguments: &[&str], input: &str) -> Result<String, ClusterError> {
    finish(Command::new(program), program, arguments, input)
}

fn finish(mut command: Command, program: &Path, arguments: &[&str], input: &str) -> Result<String, ClusterError> {
    let started = |source| ClusterError::Start { program: program.to_owned(), source };
    let mut child = command
        .current_dir(repository())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(started)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(started)?;
    }
    let output = child.wait_with_output().map_err(started)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(ClusterError::Program { program: program.to_owned(), arguments: arguments.join(" "), said })
    }
}

fn program(variable: &str, name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(variable).unwrap_or_else(|| name.into()))
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let directory = repository().join("target/e2e-failures").join(&self.name);
            // It says itself where it has put what; there is nobody left to tell of an error.
            let _ = Command::new(repository().join("e2e/scripts/bundle.sh")).arg(&self.name).arg(&directory).status();
        }
    }
}

/// Looks again and again until a condition holds.
///
/// # Errors
/// When the deadline passes, with what was seen last.
pub async fn wait_for<T>(
    what: &str,
    deadline: Duration,
    mut look: impl AsyncFnMut() -> Look<T>,
) -> Result<T, ClusterError> {
    let began = Instant::now();
    loop {
        let seen = match look().await {
            Look::Holds(value) => return Ok(value),
            Look::NotYet(seen) => seen,
        };
        if began.elapsed() >= deadline {
            return Err(ClusterError::Deadline { what: what.to_owned(), seconds: deadline.as_secs(), seen });
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

fn read_ports(file: &Path) -> Result<BTreeMap<String, String>, (PathBuf, std::io::Error)> {
    let text = std::fs::read_to_string(file).map_err(|source| (file.to_owned(), source))?;
    Ok(text.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.into(), value.into())).collect())
}
