//! What nodes would do: pods that are there run and are ready, and pods of Jobs end well. Pods of a model version or of a component
//! that a test names are in the state that it names, which is any that a kubelet shows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Keeps a pod that is deleted until its process has ended.
const PROCESS: &str = "vedette.test/process";

/// How a pod is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No node has room for it.
    Pending,
    /// Its container is being made.
    Creating,
    /// Its image cannot be pulled.
    ImagePullError,
    /// It refers to a Secret or a ConfigMap that is not there.
    ConfigError,
    /// What is to run before it ends by itself again and again.
    InitCrashed,
    /// It runs, and is not ready.
    Unready,
    Ready,
    /// It ends by itself again and again, with last words.
    Crashed,
    /// It ended by itself once, with last words, runs again and is ready.
    RunsAgain,
    /// It ended by itself, with last words, and nobody begins it again, as of a Job.
    Failed,
    /// The same, and what runs beside it goes on.
    FailedBesideSidecar,
    /// It takes more memory than it may.
    OomKilled,
    /// It is ready, and once it is deleted it takes its time to end.
    SlowToEnd,
    /// Its node died, and nobody is there who could say more of its container.
    NodeLost,
    /// Its node threw it out.
    Evicted,
}

#[derive(Default)]
struct Script {
    /// States of the pods of model versions; all others are ready.
    states: BTreeMap<String, State>,
    /// The same of components.
    components: BTreeMap<String, State>,
    /// UIDs of pods that are thrown out.
    evicted: BTreeSet<String>,
    /// What each pod was last told to be.
    shown: BTreeMap<String, State>,
}

pub(crate) struct Kubelet {
    script: Arc<Mutex<Script>>,
    task: JoinHandle<()>,
}

impl Kubelet {
    pub(crate) fn start(client: Client) -> Self {
        let script = Arc::<Mutex<Script>>::default();
        let told = Arc::clone(&script);
        let task = tokio::spawn(async move {
            let pods: Api<Pod> = Api::all(client.clone());
            loop {
                for pod in pods.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default() {
                    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap());
                    sync(&pods, &pod, &told).await;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { script, task }
    }

    pub(crate) fn stop(&self) {
        self.task.abort();
    }

    /// Pods of this model version are in this state from now on.
    pub(crate) fn show(&self, version: &str, state: State) {
        lock(&self.script).states.insert(version.to_owned(), state);
    }

    /// Pods of this component are in this state from now on, unless their model version has one.
    pub(crate) fn show_component(&self, component: &str, state: State) {
        lock(&self.script).components.insert(component.to_owned(), state);
    }

    /// Throws this pod out.
    pub(crate) fn evict(&self, pod: &Pod) {
        lock(&self.script).evicted.insert(pod.uid().unwrap());
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap()
}

impl Script {
    fn state_of(&self, pod: &Pod) -> State {
        let of = |label: &str, states: &BTreeMap<String, State>| states.get(pod.labels().get(label)?).copied();
        let by_version = of("vedette.io/model-version", &self.states);
        let state = by_version.or_else(|| of("app.kubernetes.io/component", &self.components)).unwrap_or(State::Ready);
        if self.evicted.contains(&pod.uid().unwrap()) { State::Evicted } else { state }
    }
}

/// Has the pod be as it should be; one that is gone by now is left alone.
async fn sync(pods: &Api<Pod>, pod: &Pod, script: &Mutex<Script>) {
    let (uid, state) = (pod.uid().unwrap(), lock(script).state_of(pod));
    if lock(script).shown.get(&uid) == Some(&state) && pod.metadata.deletion_timestamp.is_none() {
        return;
    }
    let is_held = pod.finalizers().iter().any(|finalizer| finalizer == PROCESS);
    let holds = state == State::SlowToEnd;
    let parameters = PatchParams::default();
    if is_held != holds {
        let finalizers = if holds { json!([PROCESS]) } else { json!([]) };
        let held = Patch::Merge(json!({ "metadata": { "finalizers": finalizers } }));
        pods.patch(&pod.name_any(), &parameters, &held).await.ok();
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return;
    }
    let status = Patch::Merge(json!({ "status": status(pod, state) }));
    if pods.patch_status(&pod.name_any(), &parameters, &status).await.is_ok() {
        lock(script).shown.insert(uid, state);
    }
}

fn status(pod: &Pod, state: State) -> Value {
    let now = jiff::Timestamp::now().strftime("%FT%TZ").to_string();
    let running = || json!({ "running": { "startedAt": now } });
    let waiting = |reason: &str| json!({ "waiting": { "reason": reason, "message": "as the test says" } });
    let words = r#"{"level":"ERROR","message":"failed","reason":"InvalidForest","blame":"model","error":"the forest does not end"}"#;
    let crashed = json!({ "terminated": { "exitCode": 1, "reason": "Error", "message": words, "finishedAt": now } });
    let killed = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled", "finishedAt": now } });
    let completed = json!({ "terminated": { "exitCode": 0, "reason": "Completed", "finishedAt": now } });
    let (none, looping) = (json!({}), waiting("CrashLoopBackOff"));
    let is_of_job = pod.labels().contains_key("batch.kubernetes.io/job-name");
    let phase = |phase: &str, state: Value, last: &Value| told(pod, &now, phase, false, &state, last);
    match state {
        State::Ready | State::SlowToEnd if is_of_job => phase("Succeeded", completed, &none),
        State::Ready | State::SlowToEnd => told(pod, &now, "Running", true, &running(), &none),
        State::Pending => json!({ "phase": "Pending", "reason": null, "containerStatuses": null, "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": now,
            "message": "0/3 nodes are available: 3 Insufficient cpu."
        }] }),
        State::Creating => phase("Pending", waiting("ContainerCreating"), &none),
        State::ImagePullError => phase("Pending", waiting("ImagePullBackOff"), &none),
        State::ConfigError => phase("Pending", waiting("CreateContainerConfigError"), &none),
        State::InitCrashed => {
            let mut held = phase("Pending", waiting("PodInitializing"), &none);
            held["initContainerStatuses"] = json!([container("prepare", false, &looping, &crashed)]);
            held
        }
        State::RunsAgain => told(pod, &now, "Running", true, &running(), &crashed),
        State::Failed => phase("Failed", crashed, &none),
        State::FailedBesideSidecar => {
            let mut kept = phase("Running", crashed, &none);
            let statuses = kept["containerStatuses"].as_array_mut().unwrap();
            statuses.insert(0, container("istio-proxy", true, &running(), &none));
            kept
        }
        State::Unready => phase("Running", running(), &none),
        State::Crashed => phase("Running", looping, &crashed),
        State::OomKilled => phase("Running", looping, &killed),
        State::NodeLost => {
            // As the node controller leaves it: the condition is all that it changes.
            let mut lost = told(pod, &now, "Running", true, &running(), &none);
            lost["conditions"][1]["status"] = json!("False");
            lost
        }
        State::Evicted => {
            json!({ "phase": "Failed", "reason": "Evicted", "message": "the node had too little memory" })
        }
    }
}

/// The status of a pod that has a node.
fn told(pod: &Pod, now: &str, phase: &str, ready: bool, state: &Value, last: &Value) -> Value {
    let condition = |kind: &str, holds: bool| json!({ "type": kind, "status": if holds { "True" } else { "False" }, "lastTransitionTime": now });
    json!({
        "phase": phase, "reason": null,
        "conditions": [condition("PodScheduled", true), condition("Ready", ready), condition("ContainersReady", ready)],
        "initContainerStatuses": null,
        "containerStatuses": [container(&pod.spec.as_ref().unwrap().containers[0].name, ready, state, last)]
    })
}

fn container(name: &str, ready: bool, state: &Value, last: &Value) -> Value {
    let restarts = i32::from(!last["terminated"].is_null());
    json!({
        "name": name, "image": "i", "imageID": "i", "restartCount": restarts,
        "ready": ready, "started": ready, "state": state, "lastState": last
    })
}
