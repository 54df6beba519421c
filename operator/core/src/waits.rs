//! What a pod waits for that it cannot help: a node, an image, a volume, what runs before it. A kubelet says the cause of some of
//! it in events only, which nobody asks for here; that it lasts is told, and where to look.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Pod, PodCondition, PodStatus};

use crate::last_words::cut;

/// How long a pod that has a node may take to begin before that is told.
const BEGINS_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// What a pod waits for that it cannot help.
pub(crate) fn waits_for(pod: &Pod, now: Timestamp) -> Option<String> {
    let status = pod.status.as_ref()?;
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let is_late = has_node(pod).is_some_and(|since| now.duration_since(since) >= BEGINS_WITHIN);
    let what = needs_a_node(pod)
        .or_else(|| is_held_unready(pod).then(|| HELD.to_owned()))
        .or_else(|| before_it(status, is_late))
        .or_else(|| {
            status.container_statuses.iter().flatten().find_map(|container| waiting(name, container, is_late))
        })?;
    Some(format!("pod {name} {what}"))
}

/// Whether somebody other than its kubelet says that it is not ready: its node does not answer, or a readiness gate is not
/// open. Nobody is left on a dead node who would say so of its containers; where one beside ours is not ready, they say so.
pub(crate) fn is_held_unready(pod: &Pod) -> bool {
    let is = |kind: &str, holds: bool| condition(pod, kind).is_some_and(|found| (found.status == "True") == holds);
    is("Ready", false) && is("ContainersReady", true)
}

/// Whether it is ready as a whole, as far as anybody still says so.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready.status == "True")
}

/// Since when the pod has a node.
pub(crate) fn has_node(pod: &Pod) -> Option<Timestamp> {
    let has_node = scheduled(pod).filter(|condition| condition.status == "True")?;
    Some(has_node.last_transition_time.as_ref()?.0)
}

pub(crate) fn scheduled(pod: &Pod) -> Option<&PodCondition> {
    condition(pod, "PodScheduled")
}

const HELD: &str = "is not Ready though its containers are: its node does not answer, or a readiness gate is not open";

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

fn needs_a_node(pod: &Pod) -> Option<String> {
    let unscheduled = scheduled(pod).filter(|condition| condition.status == "False")?;
    Some(format!("is Pending: {}", unscheduled.message.as_deref().unwrap_or("no node yet")))
}

/// Init containers come first, each after the other. One that Kubernetes runs as a sidecar has started, and holds nothing up.
fn before_it(status: &PodStatus, is_late: bool) -> Option<String> {
    let (init, state) = status.init_container_statuses.iter().flatten().find_map(|container| {
        let state = container.state.as_ref()?;
        holds_up(container, state).then_some((container, state))
    })?;
    let ContainerState { running, terminated, waiting } = state;
    let how = match (terminated, waiting.as_ref().and_then(|waiting| waiting.reason.as_deref())) {
        (Some(end), _) => format!("ended with exit code {}", end.exit_code),
        (None, Some(reason)) if reason != "PodInitializing" => reason.to_owned(),
        (None, _) if is_late && running.is_some() => "runs still".to_owned(),
        (None, _) => return None,
    };
    Some(format!("waits for its init container {}: {how}", init.name))
}

fn holds_up(container: &ContainerStatus, state: &ContainerState) -> bool {
    let did_its_task = state.terminated.as_ref().is_some_and(|end| end.exit_code == 0);
    let is_started_sidecar = state.running.is_some() && container.started == Some(true) && container.ready;
    !did_its_task && !is_started_sidecar
}

fn waiting(pod: &str, container: &ContainerStatus, is_late: bool) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    if !matches!(reason, "ContainerCreating" | "PodInitializing") {
        let message = waiting.message.as_deref().map(|message| format!(": {}", cut(message))).unwrap_or_default();
        return Some(format!("waits, {reason}{message}"));
    }
    is_late.then(|| {
        format!("waits, {reason}: for its image, a volume or its network; `kubectl describe pod {pod}` says which")
    })
}

#[cfg(test)]
mod tests;
