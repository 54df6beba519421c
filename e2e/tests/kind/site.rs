//! One site: its cluster, its release of the chart, and how a test looks at what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::ListParams;
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_contract::model::CurrentPointer;
use vedette_contract::{ModelVersion, Name};
use vedette_crds::{AnomalyPipeline, AnomalyPipelineStatus, ModelTraining, ModelTrainingStatus};
use vedette_e2e::cluster::{Look, wait_for};
use vedette_e2e::{Cluster, topic};

/// What the machine needs at most for one step while it builds something else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);
pub(crate) const NAMESPACE: &str = "vedette";
pub(crate) const TENANT: &str = "tenant";
pub(crate) const GUEST: &str = "guest";
const TOPICS: [&str; 5] = ["sensor_messages", "enriched_data", "alerts", "incidents", "dead_letters"];

pub(crate) struct Site {
    pub cluster: Cluster,
}

impl Site {
    pub(crate) async fn connect(name: &str) -> Self {
        Self { cluster: Cluster::connect(name).await.unwrap() }
    }

    pub(crate) fn name(&self) -> Name {
        self.cluster.name().parse().unwrap()
    }

    /// kubectl in the namespace of the story.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.kubectl(&[&["--namespace", NAMESPACE], arguments].concat()).unwrap()
    }

    /// Applies a file whose objects name their namespace.
    pub(crate) fn kubectl_file(&self, file: &str) {
        self.cluster.kubectl(&["apply", "--filename", file]).unwrap();
    }

    pub(crate) fn patch(&self, spec: &str) {
        self.kubectl(&["patch", "apl/flows", "--type=merge", "--patch", &format!("{{\"spec\":{spec}}}")]);
    }

    /// What an earlier run left goes: releases, objects, topics, CRDs, and what is in the bucket.
    pub(crate) async fn begin_anew(&self) {
        for namespace in [NAMESPACE, TENANT] {
            self.cluster
                .kubectl(&["delete", "namespace", namespace, "--ignore-not-found", "--timeout", "180s"])
                .unwrap();
        }
        for kind in ["anomalypipelines", "modeltrainings"] {
            self.cluster.kubectl(&["delete", "crd", &format!("{kind}.vedette.io"), "--ignore-not-found"]).unwrap();
        }
        let others = [TENANT, GUEST].map(|owner| TOPICS.map(|name| format!("{owner}.{name}"))).concat();
        let topics: Vec<&str> = TOPICS.into_iter().chain(others.iter().map(String::as_str)).collect();
        topic::delete(&self.cluster.kafka(), &topics).await.unwrap();
        let bucket = self.cluster.bucket();
        for object in bucket.list("", None).await.unwrap() {
            bucket.delete(&object.key).await.unwrap();
        }
    }

    /// The namespace with its Secret, and the chart with the values of this site.
    pub(crate) fn install(&self, namespace: &str, more: &[&str]) {
        let manifests = std::fs::read_to_string(vedette_e2e::local::repository().join("e2e/kind/namespace.yaml"));
        self.cluster.apply(&manifests.unwrap().replace("NAMESPACE", namespace)).unwrap();
        let values = format!("manifests/sites/{}.yaml", self.cluster.name());
        let ours = ["--values", &values, "--values", "e2e/kind/values.yaml"];
        let release = ["upgrade", "--install", "vedette", "charts/vedette", "--namespace", namespace];
        self.cluster.helm(&[&release[..], &ours, more, &["--wait", "--timeout", "180s"]].concat()).unwrap();
    }

    /// What `helm test` asks, which fails where a release does not work.
    pub(crate) fn test_release(&self, namespace: &str) {
        self.cluster.helm(&["test", "vedette", "--namespace", namespace, "--timeout", "240s"]).unwrap();
    }

    pub(crate) fn uninstall(&self, namespace: &str) -> String {
        self.cluster.helm(&["uninstall", "vedette", "--namespace", namespace, "--wait"]).unwrap()
    }

    pub(crate) async fn node_address(&self) -> String {
        let nodes: Api<Node> = Api::all(self.cluster.client());
        let node = nodes.list(&ListParams::default()).await.unwrap().items.remove(0);
        let addresses = node.status.unwrap().addresses.unwrap();
        addresses.into_iter().find(|address| address.type_ == "InternalIP").unwrap().address
    }

    pub(crate) async fn pipeline(&self) -> kube::Result<AnomalyPipelineStatus> {
        self.pipeline_named("flows").await
    }

    pub(crate) async fn pipeline_named(&self, name: &str) -> kube::Result<AnomalyPipelineStatus> {
        let api: Api<AnomalyPipeline> = Api::namespaced(self.cluster.client(), NAMESPACE);
        Ok(api.get(name).await?.status.unwrap_or_default())
    }

    pub(crate) async fn training(&self) -> kube::Result<ModelTrainingStatus> {
        self.training_named("flows").await
    }

    pub(crate) async fn training_named(&self, name: &str) -> kube::Result<ModelTrainingStatus> {
        let api: Api<ModelTraining> = Api::namespaced(self.cluster.client(), NAMESPACE);
        Ok(api.get(name).await?.status.unwrap_or_default())
    }

    /// Waits until a condition of the pipeline has this reason.
    pub(crate) async fn until(&self, condition: &str, reason: &str) {
        let what = format!("{condition} {reason} at {}", self.cluster.name());
        wait_for(&what, PATIENCE, || {
            look(self.pipeline(), |status| {
                status.conditions.iter().find(|seen| seen.type_ == condition && seen.reason == reason).map(|_| ())
            })
        })
        .await
        .unwrap();
    }

    /// Waits until the detectors run this version, and no pod of another is left.
    pub(crate) async fn until_active(&self, version: &str) {
        let what = format!("detectors with {version} at {}", self.cluster.name());
        wait_for(&what, PATIENCE, || {
            look(self.pipeline(), |status| (status.model.as_ref()?.active.as_deref()? == version).then_some(()))
        })
        .await
        .unwrap();
        wait_for(&format!("{what}, and no other"), PATIENCE, || async {
            let pods = self.pods("detector").await;
            let labels: Vec<_> =
                pods.iter().map(|pod| pod.metadata.labels.as_ref()?.get("vedette.io/model-version").cloned()).collect();
            let all = !labels.is_empty() && labels.iter().all(|label| label.as_deref() == Some(version));
            if all { Look::Holds(()) } else { Look::NotYet(format!("{labels:?}")) }
        })
        .await
        .unwrap();
    }

    /// The pods of a component that are not on their way out.
    pub(crate) async fn pods(&self, component: &str) -> Vec<Pod> {
        let pods = self.all_pods(component).await;
        pods.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect()
    }

    async fn all_pods(&self, component: &str) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.cluster.client(), NAMESPACE);
        let labels = format!("app.kubernetes.io/instance=flows,app.kubernetes.io/component={component}");
        pods.list(&ListParams::default().labels(&labels)).await.unwrap().items
    }

    pub(crate) async fn until_pods(&self, component: &str, count: usize) {
        wait_for(&format!("{count} pods of {component} at {}", self.cluster.name()), PATIENCE, || async {
            let pods = self.pods(component).await;
            if pods.len() == count { Look::Holds(()) } else { Look::NotYet(format!("{} pods", pods.len())) }
        })
        .await
        .unwrap();
    }

    /// Waits until no pod of the component is left, and its last words are said.
    pub(crate) async fn until_gone(&self, component: &str) {
        wait_for(&format!("no pod of {component} at {}", self.cluster.name()), PATIENCE, || async {
            let pods = self.all_pods(component).await;
            if pods.is_empty() { Look::Holds(()) } else { Look::NotYet(format!("{} pods", pods.len())) }
        })
        .await
        .unwrap();
    }

    /// Objects of the bucket with their entity tags.
    pub(crate) async fn tags(&self, keys: &BTreeSet<String>) -> BTreeMap<String, String> {
        let bucket = self.cluster.bucket();
        let mut tags = BTreeMap::new();
        for key in keys {
            if let Some(head) = bucket.head(key).await.unwrap() {
                tags.insert(key.clone(), head.etag.as_str().to_owned());
            }
        }
        tags
    }

    pub(crate) async fn pointer(&self) -> Option<CurrentPointer> {
        let object = self.cluster.bucket().get(&models().current()).await.unwrap()?;
        Some(serde_json::from_slice(&object.bytes).unwrap())
    }

    /// Of all processes of Vedette at the site.
    pub(crate) fn resident_megabytes(&self) -> f64 {
        let processes = self.cluster.on_node(&["ps", "-e", "-o", "rss=,args="]).unwrap();
        let ours = processes
            .lines()
            .filter_map(|line| line.trim().split_once(' '))
            .filter(|(_, args)| args.trim().starts_with("/vedette-"));
        ours.map(|(kilobytes, _)| kilobytes.parse::<f64>().unwrap() * 1024.0 / 1e6).sum()
    }
}

pub(crate) fn pipelines(namespace: &str) -> PipelineKeys {
    PipelineKeys::new(&namespace.parse().unwrap(), &"flows".parse().unwrap())
}

pub(crate) fn models() -> ModelKeys {
    ModelKeys::new(&NAMESPACE.parse().unwrap(), &"flows".parse().unwrap())
}

pub(crate) fn version(text: &str) -> ModelVersion {
    text.parse().unwrap()
}

/// What is wanted of a status, or the whole status for whoever reads why it did not come.
pub(crate) async fn look<S: std::fmt::Debug, T>(
    status: impl Future<Output = kube::Result<S>>,
    wanted: impl Fn(&S) -> Option<T>,
) -> Look<T> {
    match status.await {
        Ok(status) => wanted(&status).map_or_else(|| Look::NotYet(format!("{status:?}")), Look::Holds),
        Err(error) => Look::NotYet(error.to_string()),
    }
}
