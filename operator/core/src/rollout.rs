//! How Deployments stand, by their own status and that of their pods: a pure reading that tells pods that fail by
//! themselves from pods that only wait for a node, an image or a Secret.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, Pod};
use vedette_contract::ModelVersion;

use crate::desired::labels::MODEL_VERSION;
use crate::last_words::{cut, last_words};
use crate::roll::Rollout;

/// Pods that the cluster ended, through no fault of their own.
const ENDED_BY_CLUSTER: &[&str] = &["Evicted", "Preempting", "NodeShutdown", "NodeLost", "Terminated", "NodeAffinity"];

/// Whether enough pods are ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// There is no Deployment.
    Absent,
    /// There are to be no pods.
    ScaledToNothing,
    /// All of them are ready.
    Available {
        /// How many.
        ready: i32,
    },
    /// Some are missing.
    Short {
        /// Ready pods.
        ready: i32,
        /// Wanted pods.
        wanted: i32,
        /// What keeps one of the others.
        cause: Option<String>,
    },
}

/// The model version that a Deployment's template carries.
pub fn template_version(deployment: &Deployment) -> Option<ModelVersion> {
    version(deployment.spec.template.metadata.as_ref()?.labels.as_ref()?)
}

fn version(labels: &std::collections::BTreeMap<String, String>) -> Option<ModelVersion> {
    labels.get(MODEL_VERSION)?.parse().ok()
}

/// How the rollout of the detectors' template stands. The pods are those of the Deployment, of whatever template.
pub fn rollout<'a>(deployment: Option<&Deployment>, pods: impl IntoIterator<Item = &'a Pod>) -> Rollout {
    let Some(deployment) = deployment else {
        return Rollout::Absent;
    };
    let wanted = deployment.spec.replicas.unwrap_or(1);
    if wanted == 0 {
        return Rollout::Absent;
    }
    let status = deployment.status.clone().unwrap_or_default();
    let seen = status.observed_generation >= deployment.metadata.generation;
    let updated = status.updated_replicas.unwrap_or(0);
    let all = status.replicas.unwrap_or(0);
    if seen && updated == wanted && all == updated && status.available_replicas.unwrap_or(0) == wanted {
        return Rollout::Complete;
    }
    let template = template_version(deployment);
    let of_template =
        pods.into_iter().filter(|pod| pod.metadata.labels.as_ref().and_then(version) == template).find_map(own_fault);
    of_template.map_or(Rollout::Progressing, Rollout::Failing)
}

/// Whether enough pods of a Deployment are ready, and what keeps those that are not.
pub fn availability<'a>(deployment: Option<&Deployment>, pods: impl IntoIterator<Item = &'a Pod>) -> Availability {
    let Some(deployment) = deployment else {
        return Availability::Absent;
    };
    let wanted = deployment.spec.replicas.unwrap_or(1);
    if wanted == 0 {
        return Availability::ScaledToNothing;
    }
    let status = deployment.status.clone().unwrap_or_default();
    let ready = status.available_replicas.unwrap_or(0);
    if ready >= wanted && status.observed_generation >= deployment.metadata.generation {
        return Availability::Available { ready };
    }
    let pods: Vec<&Pod> = pods.into_iter().collect();
    let trouble = pods.iter().find_map(|pod| own_fault(pod)).or_else(|| pods.iter().find_map(|pod| waits_for(pod)));
    let refused = status.conditions.iter().flatten().find_map(|condition| {
        let refused =
            condition.type_.as_deref() == Some("ReplicaFailure") && condition.status.as_deref() == Some("True");
        refused.then(|| condition.message.clone()).flatten()
    });
    Availability::Short { ready, wanted, cause: trouble.or(refused) }
}

/// What a pod's own process does wrong, if it does.
fn own_fault(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    if pod.metadata.deletion_timestamp.is_some()
        || status.reason.as_deref().is_some_and(|reason| ENDED_BY_CLUSTER.contains(&reason))
    {
        return None;
    }
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    status.container_statuses.iter().flatten().find_map(|container| {
        let state = container.state.clone().unwrap_or_default();
        let last = container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        if let Some(end) = failed_end(state.terminated.as_ref()) {
            return Some(format!("pod {name} {end}"));
        }
        if container.ready {
            return None;
        }
        if let Some(end) = failed_end(last) {
            return Some(format!("pod {name} {end}"));
        }
        let crashing = state.waiting.as_ref().and_then(|waiting| waiting.reason.as_deref()) == Some("CrashLoopBackOff");
        match (crashing, &state.running) {
            (true, _) => Some(format!("pod {name} ends again and again")),
            (false, Some(_)) => Some(format!("pod {name} runs and does not become ready")),
            (false, None) => None,
        }
    })
}

/// What a pod waits for that it cannot help.
fn waits_for(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    if pod.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let unscheduled = status.conditions.iter().flatten().find_map(|condition| {
        let unscheduled = condition.type_ == "PodScheduled" && condition.status == "False";
        unscheduled.then(|| format!("pod {name} is Pending: {}", condition.message.as_deref().unwrap_or("no node yet")))
    });
    unscheduled.or_else(|| {
        status.container_statuses.iter().flatten().find_map(|container| {
            let waiting = container.state.as_ref()?.waiting.as_ref()?;
            let reason = waiting.reason.as_deref().filter(|reason| *reason != "ContainerCreating")?;
            let message = waiting.message.as_deref().map(|message| format!(": {}", cut(message))).unwrap_or_default();
            Some(format!("pod {name} waits, {reason}{message}"))
        })
    })
}

fn failed_end(end: Option<&ContainerStateTerminated>) -> Option<String> {
    let end = end.filter(|end| end.exit_code != 0)?;
    let reason = end.reason.as_deref().filter(|reason| *reason != "Error").map(|reason| format!(" ({reason})"));
    let words = end.message.as_deref().and_then(last_words).map(|words| format!(": {words}"));
    Some(format!("ended with exit code {}{}{}", end.exit_code, reason.unwrap_or_default(), words.unwrap_or_default()))
}

/// The end of a pod's process, whether it runs again or not.
pub(crate) fn last_end(pod: &Pod) -> Option<ContainerStateTerminated> {
    let container = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    let ended = |state: Option<&ContainerState>| state.and_then(|state| state.terminated.clone());
    ended(container.state.as_ref()).or_else(|| ended(container.last_state.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const VERSION: &str = "20261123T084210Z-1a2b3c4d";

    fn deployment(status: Value) -> Deployment {
        serde_json::from_value(json!({
            "metadata": { "name": "flows-detector", "generation": 2 },
            "spec": {
                "replicas": 2, "selector": {},
                "template": { "metadata": { "labels": { MODEL_VERSION: VERSION } } }
            },
            "status": status
        }))
        .unwrap()
    }

    fn pod(version: Option<&str>, container: Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "p-1", "labels": version.map(|version| json!({ MODEL_VERSION: version })) },
            "status": { "containerStatuses": [container] }
        }))
        .unwrap()
    }

    fn container(ready: bool, state: Value, last: Value) -> Value {
        json!({ "name": "detector", "image": "i", "imageID": "i", "restartCount": 0, "ready": ready, "state": state, "lastState": last })
    }

    fn crashed() -> Value {
        let log = "{\"level\":\"INFO\",\"message\":\"started\"}\n{\"level\":\"ERROR\",\"message\":\"failed\",\"reason\":\"WrongHash\",\"error\":\"forest.bin differs\"}\n";
        json!({ "terminated": { "exitCode": 1, "reason": "Error", "message": log } })
    }

    #[test]
    fn a_rollout_is_complete_when_the_controller_has_seen_it_and_nothing_old_is_left() {
        let done = json!({ "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 });
        assert_eq!(rollout(Some(&deployment(done)), []), Rollout::Complete);
        let unseen = json!({ "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 });
        assert_eq!(rollout(Some(&deployment(unseen)), []), Rollout::Progressing);
        let surge = json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3 });
        assert_eq!(rollout(Some(&deployment(surge)), []), Rollout::Progressing);
        assert_eq!(rollout(None, []), Rollout::Absent);
    }

    #[test]
    fn only_pods_of_the_template_that_fail_by_themselves_fail_a_rollout() {
        let rolling = deployment(json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 1 }));
        let looping = || container(false, json!({ "waiting": { "reason": "CrashLoopBackOff" } }), crashed());
        let failing = rollout(Some(&rolling), [&pod(Some(VERSION), looping())]);
        assert_eq!(
            failing,
            Rollout::Failing("pod p-1 ended with exit code 1: WrongHash: forest.bin differs".to_owned())
        );
        for innocent in [
            pod(Some("20261122T084210Z-1a2b3c4d"), looping()),
            pod(None, looping()),
            pod(Some(VERSION), container(false, json!({ "waiting": { "reason": "ImagePullBackOff" } }), json!({}))),
            pod(
                Some(VERSION),
                container(false, json!({ "waiting": { "reason": "CreateContainerConfigError" } }), json!({})),
            ),
            pod(Some(VERSION), container(true, json!({ "running": {} }), crashed())),
        ] {
            assert_eq!(rollout(Some(&rolling), [&innocent]), Rollout::Progressing, "{innocent:?}");
        }
        let unready = pod(Some(VERSION), container(false, json!({ "running": {} }), json!({})));
        assert_eq!(
            rollout(Some(&rolling), [&unready]),
            Rollout::Failing("pod p-1 runs and does not become ready".to_owned())
        );
        let mut leaving = pod(Some(VERSION), looping());
        leaving.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(rollout(Some(&rolling), [&leaving]), Rollout::Progressing);
    }

    #[test]
    fn what_keeps_pods_is_said() {
        let short = deployment(json!({ "observedGeneration": 2, "availableReplicas": 1 }));
        let pending: Pod = serde_json::from_value(json!({
            "metadata": { "name": "p-2" },
            "status": { "conditions": [{ "type": "PodScheduled", "status": "False", "message": "0/1 nodes are available" }] }
        }))
        .unwrap();
        assert_eq!(
            availability(Some(&short), [&pending]),
            Availability::Short {
                ready: 1,
                wanted: 2,
                cause: Some("pod p-2 is Pending: 0/1 nodes are available".to_owned())
            }
        );
        let quota = deployment(json!({ "observedGeneration": 2, "conditions": [
            { "type": "ReplicaFailure", "status": "True", "message": "exceeded quota" }
        ] }));
        let cause = Some("exceeded quota".to_owned());
        assert_eq!(availability(Some(&quota), []), Availability::Short { ready: 0, wanted: 2, cause });
    }
}
