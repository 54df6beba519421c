//! What is seen of the Deployment of a component and of its pods, whoever runs them. It tells what a pod's own process does
//! wrong from what it only waits for: a node, an image, a Secret.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodCondition};
use vedette_contract::ModelVersion;
use vedette_contract::exit::{Blame, LastWords};

use crate::desired::labels::{self, COMPONENT};
use crate::desired::model_training;
use crate::health::HealthSeen;
use crate::last_words::cut;
use crate::roll::Fault;
use crate::waits::{has_node, is_held_unready, scheduled, waits_for};

/// Kubernetes' word for the end of a process that took more memory than it may.
const OOM_KILLED: &str = "OOMKilled";

/// A component's Deployment, and its pods that have not ended and are not on their way out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// None where there is none.
    pub deployment: Option<LiveDeployment>,
    pub pods: Vec<PodSeen>,
    /// Pods that are on their way out.
    pub leaving: i32,
    /// The newest of the pods that the cluster ended, and why it did.
    pub ended: Option<EndedPod>,
}

/// A pod that the cluster ended: it evicted it, or its node went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedPod {
    /// Hash of the template that it was of, but for the model.
    pub spec: Option<String>,
    /// What people are told of it.
    pub cause: String,
}

/// A Deployment as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveDeployment {
    /// Hash of its template, but for the model.
    pub spec: Option<String>,
    /// The model version that its template carries.
    pub version: Option<ModelVersion>,
    /// The training that it is of.
    pub training: Option<String>,
    /// Pods that there are to be.
    pub wanted: i32,
    /// Pods that there are, of whatever template.
    pub replicas: i32,
    /// Every pod is of the template, and ready.
    pub is_complete: bool,
    /// Why it makes no pods, or no progress any more, as far as it knows.
    pub stuck: Option<String>,
}

/// A pod as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodSeen {
    /// Its name, where its health object may say why it is not ready.
    pub name: Option<String>,
    /// Hash of the template that it is of, but for the model.
    pub spec: Option<String>,
    /// The model version that it was given.
    pub version: Option<ModelVersion>,
    /// Its own process is ready, as far as anybody still knows; those beside it do not count.
    pub is_ready: bool,
    /// How far it came: 0 to 2 for scheduled, started.
    pub steps: i32,
    /// What its own process does wrong.
    pub fault: Option<Fault>,
    /// What it waits for that it cannot help.
    pub waits: Option<String>,
}

impl Workload {
    /// Reads both from an API server's objects; the pods are those of the Deployment, of whatever template.
    pub fn read<'a>(deployment: Option<&Deployment>, pods: impl IntoIterator<Item = &'a Pod>, now: Timestamp) -> Self {
        let (gone, pods): (Vec<&Pod>, Vec<&Pod>) = pods.into_iter().partition(|pod| was_ended(pod));
        let (stay, leave): (Vec<&Pod>, Vec<&Pod>) =
            pods.into_iter().partition(|pod| pod.metadata.deletion_timestamp.is_none());
        Self {
            deployment: deployment.map(LiveDeployment::read),
            pods: stay.into_iter().map(|pod| PodSeen::read(pod, now)).collect(),
            leaving: i32::try_from(leave.len()).unwrap_or(i32::MAX),
            ended: EndedPod::newest(gone),
        }
    }

    /// With what its processes tell themselves of why they are not ready: a cluster knows only that they are not.
    pub(crate) fn told(&mut self, health: Option<&HealthSeen>) {
        for PodSeen { name, fault, .. } in &mut self.pods {
            let told = health.and_then(|health| health.unready(name.as_deref()?));
            if let (Some(Fault::Unready { blamed, cause }), Some(told), Some(name)) = (fault, told, name) {
                *cause = match blamed {
                    None => format!("pod {name} is not ready: {told}"),
                    Some(_) => format!("{cause}, and is not ready: {told}"),
                };
            }
        }
    }

    /// The model version that the template carries.
    pub fn template_version(&self) -> Option<&ModelVersion> {
        self.deployment.as_ref()?.version.as_ref()
    }

    /// Pods that there are, of whatever template.
    pub fn replicas(&self) -> i32 {
        self.deployment.as_ref().map_or(0, |deployment| deployment.replicas)
    }
}

impl LiveDeployment {
    fn read(deployment: &Deployment) -> Self {
        let template = deployment.spec.template.metadata.as_ref();
        let wanted = deployment.spec.replicas.unwrap_or(1);
        let status = deployment.status.clone().unwrap_or_default();
        let is_seen = status.observed_generation >= deployment.metadata.generation;
        let (replicas, updated) = (status.replicas.unwrap_or(0), status.updated_replicas.unwrap_or(0));
        let available = status.available_replicas.unwrap_or(0);
        let refused = |kind: &str, status: &str, reason: Option<&str>| {
            let holds = |condition: &&k8s_openapi::api::apps::v1::DeploymentCondition| {
                condition.type_.as_deref() == Some(kind)
                    && condition.status.as_deref() == Some(status)
                    && reason.is_none_or(|reason| condition.reason.as_deref() == Some(reason))
            };
            deployment.status.as_ref()?.conditions.iter().flatten().find(holds)?.message.clone()
        };
        Self {
            spec: template.and_then(labels::spec_hash).map(str::to_owned),
            version: template.and_then(labels::model_version),
            training: model_training(&deployment.spec.template).map(str::to_owned),
            wanted,
            replicas,
            is_complete: is_seen && updated == wanted && replicas == updated && available == wanted,
            stuck: refused("ReplicaFailure", "True", None)
                .or_else(|| refused("Progressing", "False", Some("ProgressDeadlineExceeded")))
                .filter(|_| is_seen),
        }
    }
}

impl EndedPod {
    /// Of pods that ended by themselves nothing is said here.
    fn newest(mut pods: Vec<&Pod>) -> Option<Self> {
        pods.sort_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0));
        pods.iter().rev().find_map(|pod| {
            let status = pod.status.as_ref()?;
            let (name, reason) = (pod.metadata.name.as_deref()?, status.reason.as_deref()?);
            let message =
                status.message.as_deref().map(|message| format!(": {}", cut(message.trim()))).unwrap_or_default();
            let spec = labels::spec_hash(&pod.metadata).map(str::to_owned);
            Some(Self { spec, cause: format!("pod {name} was ended before, {reason}{message}") })
        })
    }
}

impl PodSeen {
    fn read(pod: &Pod, now: Timestamp) -> Self {
        let container = own_container(pod);
        let is_ready = container.is_some_and(|container| container.ready) && !is_held_unready(pod);
        Self {
            name: pod.metadata.name.clone(),
            spec: labels::spec_hash(&pod.metadata).map(str::to_owned),
            version: labels::model_version(&pod.metadata),
            is_ready,
            steps: i32::from(is_scheduled(pod)) + i32::from(container.is_some_and(was_started)),
            fault: fault(pod),
            waits: waits_for(pod, now),
        }
    }
}

/// Whether the cluster ended it: it evicted it, or its node went. Another pod has its place, however long it stays to be seen.
fn was_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Failed" | "Succeeded"))
}

/// The container of ours: others may have been put beside it.
fn own_container(pod: &Pod) -> Option<&ContainerStatus> {
    let name = pod.metadata.labels.as_ref()?.get(COMPONENT)?;
    pod.status.as_ref()?.container_statuses.as_ref()?.iter().find(|container| container.name == *name)
}

fn is_scheduled(pod: &Pod) -> bool {
    let unscheduled = scheduled(pod).is_some_and(|condition| condition.status != "True");
    !unscheduled && pod.status.as_ref().is_some_and(|status| status.container_statuses.is_some())
}

fn was_started(container: &ContainerStatus) -> bool {
    let ran = |state: &ContainerState| state.running.is_some() || state.terminated.is_some();
    container.state.as_ref().is_some_and(ran) || container.last_state.as_ref().is_some_and(ran)
}

fn fault(pod: &Pod) -> Option<Fault> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let container = own_container(pod)?;
    let state = container.state.clone().unwrap_or_default();
    let failed = |end: &&ContainerStateTerminated| end.exit_code != 0;
    if let Some(end) = state.terminated.as_ref().filter(failed) {
        return Some(ended(pod, end));
    }
    if container.ready {
        return None;
    }
    let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    if state.running.is_some() {
        return Some(unready(name, last.filter(failed)));
    }
    let is_looping = state.waiting?.reason.as_deref() == Some("CrashLoopBackOff");
    is_looping.then(|| match last {
        Some(end) => ended(pod, end),
        None => {
            let cause = format!("pod {name} ends again and again");
            Fault::Ended { since: has_node(pod), blame: Blame::Unknown, cause }
        }
    })
}

fn ended(pod: &Pod, end: &ContainerStateTerminated) -> Fault {
    let (blame, cause) = told(pod.metadata.name.as_deref().unwrap_or_default(), end);
    Fault::Ended { since: has_node(pod), blame, cause }
}

fn unready(pod: &str, last: Option<&ContainerStateTerminated>) -> Fault {
    match last.map(|end| told(pod, end)) {
        Some((blame, cause)) => Fault::Unready { blamed: Some(blame), cause: format!("{cause}; it runs again") },
        None => Fault::Unready { blamed: None, cause: format!("pod {pod} runs and does not become ready") },
    }
}

/// Who is to blame for the end of a process, and what people are told of it.
fn told(pod: &str, end: &ContainerStateTerminated) -> (Blame, String) {
    let how = end.reason.as_deref().filter(|reason| *reason != "Error");
    let words = end.message.as_deref().and_then(LastWords::read);
    let said = words.as_ref().map(|words| format!(": {}", cut(&words.to_string()))).unwrap_or_default();
    let shown = how.map(|how| format!(" ({how})")).unwrap_or_default();
    let blame = match (words, how) {
        (Some(words), _) => words.blame,
        (None, None | Some(OOM_KILLED)) => Blame::Unknown,
        // Kubernetes' words for a process that was told to end or did not start, or whose node was away.
        (None, Some(_)) => Blame::Surroundings,
    };
    (blame, format!("pod {pod} ended with exit code {}{shown}{said}", end.exit_code))
}

/// Whether Kubernetes itself ended a pod, or is about to: a drain, a preemption, an eviction, a node that is gone. A Job does
/// not count it as a failure.
pub(crate) fn was_disrupted(pod: &Pod) -> bool {
    disruption(pod).is_some()
}

/// Since when that is so.
pub(crate) fn disrupted_at(pod: &Pod) -> Option<Timestamp> {
    Some(disruption(pod)?.last_transition_time.as_ref()?.0)
}

fn disruption(pod: &Pod) -> Option<&PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.iter().flatten();
    conditions.into_iter().find(|condition| condition.type_ == "DisruptionTarget" && condition.status == "True")
}

/// Whether a pod's own process runs.
pub(crate) fn runs_itself(pod: &Pod) -> bool {
    own_container(pod).and_then(|container| container.state.as_ref()).is_some_and(|state| state.running.is_some())
}

/// The end of a pod's own process, whether it runs again or not.
pub(crate) fn last_end(pod: &Pod) -> Option<ContainerStateTerminated> {
    let container = own_container(pod)?;
    let ended = |state: Option<&ContainerState>| state.and_then(|state| state.terminated.clone());
    ended(container.state.as_ref()).or_else(|| ended(container.last_state.as_ref()))
}

#[cfg(test)]
mod tests;
