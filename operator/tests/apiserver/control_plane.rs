//! etcd, kube-apiserver and kube-controller-manager on free loopback ports, without nodes; gone when dropped.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kube::config::AuthInfo;
use kube::{Client, Config};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Where etcd, kube-apiserver, kube-controller-manager, kubectl and helm are.
const BINARIES_ENV: &str = "VEDETTE_CONTROLPLANE_BIN";
const ADMIN_TOKEN: &str = "admin-token";
/// The file by which a process is the operator of the manifests.
pub(crate) const OPERATOR_KUBECONFIG: &str = "operator.kubeconfig";
const OPERATOR_TOKEN: &str = "operator-token";
/// The user of the operator: the service account of its manifests.
pub(crate) const OPERATOR_USER: &str = "system:serviceaccount:vedette:vedette-operator";
/// Each takes half a gigabyte.
static ONE_AT_A_TIME: Semaphore = Semaphore::const_new(1);

pub(crate) struct ControlPlane {
    directory: TempDir,
    binaries: PathBuf,
    url: String,
    processes: Vec<Child>,
    _permit: SemaphorePermit<'static>,
}

impl ControlPlane {
    pub(crate) async fn start() -> Self {
        let permit = ONE_AT_A_TIME.acquire().await.unwrap();
        let binaries = std::env::var(BINARIES_ENV).unwrap_or_else(|_| {
            panic!("{BINARIES_ENV} is not set: it names the directory of etcd, kube-apiserver, kube-controller-manager, kubectl and helm; `make e2e-apiserver` builds them")
        });
        let mut plane = Self {
            directory: tempfile::tempdir().unwrap(),
            binaries: binaries.into(),
            url: String::new(),
            processes: Vec::new(),
            _permit: permit,
        };
        let etcd = plane.start_etcd();
        plane.start_api_server(&etcd);
        plane.until_ready().await;
        plane.start_controller_manager();
        plane
    }

    pub(crate) fn admin(&self) -> Client {
        self.client(ADMIN_TOKEN)
    }

    /// A client as the operator of the manifests.
    pub(crate) fn operator(&self) -> Client {
        self.client(OPERATOR_TOKEN)
    }

    /// Runs kubectl, and returns what it prints.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.run("kubectl", arguments)
    }

    /// Runs helm, and returns what it prints.
    pub(crate) fn helm(&self, arguments: &[&str]) -> Result<String, String> {
        self.run("helm", arguments)
    }

    /// Arguments may name another namespace than `vedette`: the last one counts.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(self.binaries.join(program))
            .arg("--kubeconfig")
            .arg(self.path("kubeconfig"))
            .args(["--namespace", "vedette"])
            .args(arguments)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Every request so far that is answered, as the API server wrote it down.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("audit.log")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn client(&self, token: &str) -> Client {
        let mut config = Config::new(self.url.parse().unwrap());
        config.accept_invalid_certs = true;
        "vedette".clone_into(&mut config.default_namespace);
        config.auth_info = AuthInfo { token: Some(token.to_owned().into()), ..AuthInfo::default() };
        Client::try_from(config).unwrap()
    }

    /// Where a file of this control plane is.
    pub(crate) fn path(&self, file: &str) -> String {
        self.directory.path().join(file).display().to_string()
    }

    fn spawn(&mut self, program: &str, arguments: &[String]) {
        let log = fs::File::create(self.path(&format!("{program}.log"))).unwrap();
        let child = Command::new(self.binaries.join(program))
            .args(arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
        self.processes.push(child);
    }

    fn start_etcd(&mut self) -> String {
        let (client, peer) = (url("http"), url("http"));
        let arguments = [
            format!("--data-dir={}", self.path("etcd")),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".to_owned(),
        ];
        self.spawn("etcd", &arguments);
        client
    }

    fn start_api_server(&mut self, etcd: &str) {
        let tokens = format!(
            "{ADMIN_TOKEN},admin,admin,\"system:masters\"\n{OPERATOR_TOKEN},{OPERATOR_USER},operator,\"system:serviceaccounts\"\n"
        );
        fs::write(self.path("tokens.csv"), tokens).unwrap();
        let policy = serde_json::json!({
            "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
            "rules": [{ "level": "Metadata" }]
        });
        fs::write(self.path("audit.yaml"), policy.to_string()).unwrap();
        self.url = url("https");
        let (_, port) = self.url.rsplit_once(':').unwrap();
        // The key of its certificate, which it makes first, does for tokens, too.
        let key = self.path("certificates/apiserver.key");
        let arguments = [
            format!("--etcd-servers={etcd}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--advertise-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--cert-dir={}", self.path("certificates")),
            format!("--token-auth-file={}", self.path("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            "--service-account-issuer=https://vedette.test".to_owned(),
            format!("--service-account-key-file={key}"),
            format!("--service-account-signing-key-file={key}"),
            format!("--audit-policy-file={}", self.path("audit.yaml")),
            format!("--audit-log-path={}", self.path("audit.log")),
            "--audit-log-mode=blocking".to_owned(),
        ];
        self.spawn("kube-apiserver", &arguments);
    }

    fn start_controller_manager(&mut self) {
        let arguments = [
            format!("--kubeconfig={}", self.path("kubeconfig")),
            "--leader-elect=false".to_owned(),
            "--use-service-account-credentials=false".to_owned(),
            "--secure-port=0".to_owned(),
            "--controllers=deployment-controller,replicaset-controller,job-controller,garbage-collector-controller,namespace-controller,serviceaccount-controller,disruption-controller,ttl-after-finished-controller".to_owned(),
        ];
        self.spawn("kube-controller-manager", &arguments);
    }

    async fn until_ready(&mut self) {
        for (file, token) in [("kubeconfig", ADMIN_TOKEN), (OPERATOR_KUBECONFIG, OPERATOR_TOKEN)] {
            let user = serde_json::json!({
                "apiVersion": "v1", "kind": "Config", "current-context": "test",
                "clusters": [{ "name": "test", "cluster": { "server": self.url, "insecure-skip-tls-verify": true } }],
                "users": [{ "name": "user", "user": { "token": token } }],
                "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "user" } }]
            });
            fs::write(self.path(file), user.to_string()).unwrap();
        }
        let deadline = tokio::time::Instant::now() + Duration::from_secs(240);
        let client = self.admin();
        let ready = http::Request::get("/readyz").body(Vec::new()).unwrap();
        while client.request_text(ready.clone()).await.is_err() {
            let ended = self.processes.iter_mut().any(|process| process.try_wait().unwrap().is_some());
            if ended || tokio::time::Instant::now() >= deadline {
                let log = |program: &str| fs::read_to_string(self.path(&format!("{program}.log"))).unwrap_or_default();
                panic!("the control plane does not come up\n{}\n{}", log("etcd"), log("kube-apiserver"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // The last that was started goes first.
        for process in self.processes.iter_mut().rev() {
            if process.kill().is_ok() {
                process.wait().ok();
            }
        }
    }
}

fn url(scheme: &str) -> String {
    format!("{scheme}://127.0.0.1:{}", free_port())
}

/// A port that nobody listens at, below those that connections are given: none of another test takes it meanwhile.
pub(crate) fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| rand::random_range(20_000..30_000));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}
