//! A site without nodes: control plane, bucket, and operators in this process.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use vedette_contract::{ModelVersion, Name};
use vedette_core::site::SiteFile;
use vedette_crds::AnomalyPipeline;
use vedette_operator::settings::Settings;
use vedette_service::Shutdown;
use vedette_streams::bucket::Bucket;
use vedette_testing::TestBucket;
use vedette_testing::bucket::MountedSecret;

use crate::control_plane::{ControlPlane, OPERATOR_USER, free_port};
use crate::kubelet::Kubelet;

pub(crate) const SITE: &str = "
site: { name: east }
kafka: { bootstrapServers: 'kafka:9092' }
bucket: { endpoint: 'http://s3:8333', name: vedette, credentialsSecret: vedette-bucket }
images: { topics: 'topics:1', generator: 'generator:1', detector: 'detector:1', archiver: 'archiver:1', trainer: 'trainer:1' }
";
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);
const MODEL_POLL_INTERVAL: Duration = Duration::from_millis(500);
/// A leader keeps its lease when the machine holds it up for less.
const LEASE_DURATION: Duration = Duration::from_secs(20);

pub(crate) struct Site {
    pub plane: ControlPlane,
    pub admin: Client,
    pub objects: TestBucket,
    pub secret: MountedSecret,
    pub bucket: Bucket,
    pub kubelet: Kubelet,
}

impl Site {
    /// A control plane with the CRDs, and the operator's Role in the namespace `vedette`.
    pub(crate) async fn new() -> Self {
        let site = Self::empty().await;
        let plane = &site.plane;
        plane.kubectl(&["apply", "--server-side", "--filename", "crds/yaml"]).unwrap();
        plane.kubectl(&["wait", "--for=condition=Established", "--timeout=240s", "--filename", "crds/yaml"]).unwrap();
        plane.kubectl(&["apply", "--filename", "manifests/operator/role.yaml"]).unwrap();
        site
    }

    /// A control plane with the namespace `vedette` and the Secret of the bucket in it.
    pub(crate) async fn empty() -> Self {
        if std::env::var_os("RUST_LOG").is_some() {
            vedette_service::initialize_telemetry();
        }
        let plane = ControlPlane::start().await;
        let admin = plane.admin();
        plane.kubectl(&["create", "namespace", "vedette"]).unwrap();
        let secrets: Api<Secret> = Api::namespaced(admin.clone(), "vedette");
        let secret = json!({ "metadata": { "name": "vedette-bucket" }, "stringData": { "accessKeyId": "a", "secretAccessKey": "b" } });
        secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
        let objects = TestBucket::serve().await;
        let mounted = MountedSecret::new("accessKeyId", "secretAccessKey");
        let site = SiteFile::parse(&SITE.replace("http://s3:8333", &objects.endpoint())).unwrap();
        let bucket = vedette_operator::connect::bucket(&site.bucket, mounted.files());
        let kubelet = Kubelet::start(admin.clone());
        Self { plane, admin, objects, secret: mounted, bucket, kubelet }
    }

    pub(crate) fn operator(&self, pod_name: &str) -> Operator {
        self.operator_with_lease(pod_name, LEASE_DURATION)
    }

    /// One that keeps its lease for so long after it was killed.
    pub(crate) fn operator_with_lease(&self, pod_name: &str, lease_duration: Duration) -> Operator {
        self.start(pod_name, SITE, MODEL_POLL_INTERVAL, lease_duration)
    }

    pub(crate) fn operator_at(&self, pod_name: &str, site: &str, model_poll_interval: Duration) -> Operator {
        self.start(pod_name, site, model_poll_interval, LEASE_DURATION)
    }

    fn start(&self, pod_name: &str, site: &str, model_poll_interval: Duration, lease_duration: Duration) -> Operator {
        let namespace: Name = "vedette".parse().unwrap();
        let site = SiteFile::parse(site).unwrap();
        let port = free_port();
        let settings = Settings {
            watched: site.watched(&namespace),
            site,
            namespace,
            pod_name: pod_name.to_owned(),
            listen_address: ([127, 0, 0, 1], port).into(),
            model_poll_interval,
            lease_name: "vedette-operator".parse().unwrap(),
            lease_duration,
        };
        let shutdown = Shutdown::new();
        let run = vedette_operator::run(settings, self.plane.operator(), self.bucket.clone(), shutdown.clone());
        Operator { shutdown, task: tokio::spawn(async move { run.await.unwrap() }), port }
    }

    pub(crate) fn api<K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::namespaced(self.admin.clone(), "vedette")
    }

    /// Applies an object as a person does.
    pub(crate) async fn apply<K>(&self, name: &str, spec: Value) -> kube::Result<DynamicObject>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        let kind = kube::api::ApiResource::erase::<K>(&());
        let api: Api<DynamicObject> = Api::namespaced_with(self.admin.clone(), "vedette", &kind);
        let object =
            json!({ "apiVersion": kind.api_version, "kind": kind.kind, "metadata": { "name": name }, "spec": spec });
        api.patch(name, &PatchParams::apply("a person").force(), &Patch::Apply(&object)).await
    }

    pub(crate) async fn pipeline(&self, spec: Value) {
        self.apply::<AnomalyPipeline>("flows", spec).await.unwrap();
    }

    pub(crate) async fn until<T, F: Future<Output = Option<T>>>(&self, what: &str, look: impl FnMut() -> F) -> T {
        self.until_within(PATIENCE, what, look).await
    }

    pub(crate) async fn until_within<T, F: Future<Output = Option<T>>>(
        &self,
        patience: Duration,
        what: &str,
        mut look: impl FnMut() -> F,
    ) -> T {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            if tokio::time::Instant::now() >= deadline {
                let all = self.plane.kubectl(&["get", "all,apl,mt", "--output=wide", "--all-namespaces"]);
                let status = self.plane.kubectl(&["get", "namespaces,apl,mt", "--output=yaml", "--all-namespaces"]);
                panic!("never saw {what}\n{}\n{}", all.unwrap_or_default(), status.unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) async fn until_condition(&self, kind: &str, reason: &str) {
        self.until(&format!("{kind} {reason}"), || async {
            let status = self.api::<AnomalyPipeline>().get("flows").await.ok()?.status?;
            status.conditions.into_iter().find(|condition| condition.type_ == kind && condition.reason == reason)
        })
        .await;
    }

    pub(crate) async fn ready(&self) {
        self.until_condition("Ready", "Running").await;
    }

    pub(crate) async fn until_gone<K>(&self, name: &str)
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        self.until(&format!("no {name}"), || async {
            self.api::<K>().get_opt(name).await.is_ok_and(|found| found.is_none()).then_some(())
        })
        .await;
    }

    /// Waits until nothing that the operator made changes for so long, and returns the versions of all.
    pub(crate) async fn until_settled(&self, patience: Duration, settled: Duration) -> BTreeSet<(String, String)> {
        self.until_within(patience, "nothing that changes", || async {
            let before = self.versions();
            tokio::time::sleep(settled).await;
            (before == self.versions()).then_some(before)
        })
        .await
    }

    /// Has the operator look at the pipeline again and waits until it has: what it would do, it has done.
    pub(crate) async fn look_again(&self, operator: &Operator) {
        // The first that ends may have begun before; the second has not.
        for _ in 0..2 {
            let (before, now) = (operator.reconciles(), jiff::Timestamp::now());
            self.plane.kubectl(&["annotate", "--overwrite", "apl/flows", &format!("look={now}")]).unwrap();
            self.until("another reconcile", || async { (operator.reconciles() > before).then_some(()) }).await;
        }
    }

    pub(crate) async fn detector(&self) -> Deployment {
        self.api::<Deployment>().get("flows-detector").await.unwrap()
    }

    /// Kind, name and version of everything that the operator made.
    pub(crate) fn versions(&self) -> BTreeSet<(String, String)> {
        let text = self.plane.kubectl(&[
            "get",
            "deployments,jobs,services,serviceaccounts,poddisruptionbudgets,horizontalpodautoscalers,apl,mt",
            "--output=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{\"\\n\"}{end}",
        ]);
        let text = text.unwrap();
        text.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
    }

    /// What the operator wrote after so many requests in all, by resource.
    pub(crate) fn writes_of_operator_since(&self, requests: usize) -> Vec<String> {
        let since = self.plane.audit().split_off(requests);
        let resource = |entry: Value| entry["objectRef"]["resource"].as_str().unwrap_or_default().to_owned();
        since.into_iter().filter(is_write_of_operator).map(resource).collect()
    }
}

fn is_write_of_operator(entry: &Value) -> bool {
    let verb = entry["verb"].as_str().unwrap_or_default();
    entry["user"]["username"] == OPERATOR_USER && !["get", "list", "watch"].contains(&verb)
}

pub(crate) struct Operator {
    pub shutdown: Shutdown,
    pub task: JoinHandle<()>,
    port: u16,
}

impl Operator {
    pub(crate) fn reconciles(&self) -> u64 {
        reconciles(self.port)
    }

    pub(crate) fn metrics(&self) -> String {
        metrics(self.port)
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }

    /// As by SIGKILL: nothing is given up.
    pub(crate) fn kill(self) {
        self.task.abort();
    }
}

/// Reconciles that ended so far, as the operator at this port counts them: none while it does not answer.
pub(crate) fn reconciles(port: u16) -> u64 {
    let metrics = metrics(port);
    let lines = metrics.lines().filter(|line| line.starts_with("vedette_operator_reconciles_total{"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

/// What the operator at this port counts: nothing while it does not answer.
fn metrics(port: u16) -> String {
    let mut answer = String::new();
    let asked = TcpStream::connect(("127.0.0.1", port)).and_then(|mut stream| {
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    });
    asked.map_or_else(|_| String::new(), |_| answer)
}

pub(crate) fn version(number: u8) -> ModelVersion {
    format!("20261123T0842{number:02}Z-{number:08x}").parse().unwrap()
}
