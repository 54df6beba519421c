//! What nodes would do: pods that are there run and are ready, pods of Jobs end well, and those that a test names fail.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

pub(crate) struct Kubelet {
    /// Pods with this model version end by themselves.
    bad_version: Arc<Mutex<Option<String>>>,
    task: JoinHandle<()>,
}

impl Kubelet {
    pub(crate) fn start(client: Client) -> Self {
        let bad_version = Arc::<Mutex<Option<String>>>::default();
        let bad = Arc::clone(&bad_version);
        let task = tokio::spawn(async move {
            let pods: Api<Pod> = Api::all(client.clone());
            loop {
                for pod in pods.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default() {
                    let status = json!({ "status": status(&pod, bad.lock().unwrap().as_deref()) });
                    let wanted = pod.metadata.deletion_timestamp.is_none();
                    if wanted && pod.status.as_ref().is_none_or(|status| status.container_statuses.is_none()) {
                        // A pod may be gone by now.
                        let patch = Patch::Merge(&status);
                        let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap());
                        pods.patch_status(&pod.name_any(), &PatchParams::default(), &patch).await.ok();
                    }
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { bad_version, task }
    }

    pub(crate) fn stop(&self) {
        self.task.abort();
    }

    pub(crate) fn break_version(&self, version: &str) {
        *self.bad_version.lock().unwrap() = Some(version.to_owned());
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn status(pod: &Pod, bad_version: Option<&str>) -> Value {
    let container = |ready: bool, state: Value, last: Value| {
        json!([{
            "name": pod.spec.as_ref().unwrap().containers[0].name, "image": "i", "imageID": "i", "restartCount": 0,
            "ready": ready, "started": ready, "state": state, "lastState": last
        }])
    };
    let now = jiff::Timestamp::now().strftime("%FT%TZ").to_string();
    let version = pod.labels().get("vedette.io/model-version");
    if bad_version.is_some_and(|bad| version.is_some_and(|version| version == bad)) {
        let words =
            r#"{"level":"ERROR","message":"failed","reason":"InvalidForest","error":"the forest does not end"}"#;
        let end = json!({ "terminated": { "exitCode": 1, "message": words } });
        let waiting = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
        return json!({ "phase": "Running", "containerStatuses": container(false, waiting, end) });
    }
    if pod.labels().contains_key("batch.kubernetes.io/job-name") {
        let end = json!({ "terminated": { "exitCode": 0, "reason": "Completed", "finishedAt": now } });
        return json!({ "phase": "Succeeded", "containerStatuses": container(false, end, json!({})) });
    }
    json!({
        "phase": "Running",
        "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": now }],
        "containerStatuses": container(true, json!({ "running": { "startedAt": now } }), json!({}))
    })
}
