//! What follows from how a component's pods are: how far the roll of a model is, and whether what the spec asks for runs.
//! The two differ: a new model rolls while the old one goes on to alert, and a new spec is in effect only when its own pods are.

use k8s_openapi::api::apps::v1::Deployment;

use crate::desired::labels;
use crate::roll::{Fault, Others, Rollout, SpecRollout, Underway};
use crate::workload::{PodSeen, Workload};

/// Whether what is wanted of a component runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// There is no Deployment.
    Absent,
    /// There are to be no pods, and there are some still.
    Stopping {
        /// How many.
        pods: i32,
    },
    /// There are to be no pods, and there are none.
    ScaledToNothing,
    /// As many pods of this spec as are wanted are ready.
    Available {
        /// How many.
        ready: i32,
    },
    /// Some are missing.
    Short {
        /// Ready pods of this spec.
        ready: i32,
        /// Ready pods of an earlier one, which go on meanwhile.
        earlier: i32,
        /// Wanted pods.
        wanted: i32,
        /// What keeps one of the others.
        cause: Option<String>,
        /// It stays so until somebody changes something.
        is_stuck: bool,
    },
}

/// How the rollout of the template stands, by the model version in it. Pods of another spec say nothing of a model.
pub fn rollout(workload: &Workload) -> Rollout {
    let Some(deployment) = workload.deployment.as_ref().filter(|deployment| deployment.wanted > 0) else {
        return Rollout::Absent;
    };
    if deployment.is_complete {
        return Rollout::Complete;
    }
    let (ours, others): (Vec<&PodSeen>, Vec<&PodSeen>) = workload
        .pods
        .iter()
        .filter(|pod| pod.spec == deployment.spec)
        .partition(|pod| pod.version == deployment.version);
    Rollout::Underway(Underway {
        steps: ours.iter().map(|pod| pod.steps).sum(),
        ready: ours.iter().map(|pod| i32::from(pod.is_ready)).sum(),
        fault: worst(ours.iter().filter_map(|pod| pod.fault.as_ref())).cloned(),
        waits: ours.iter().find_map(|pod| pod.waits.clone()),
        others: match others.as_slice() {
            [] => Others::None,
            others if others.iter().any(|pod| pod.is_ready) => Others::Ready,
            _ => Others::Unready,
        },
    })
}

/// Whether the spec of what is wanted has yet to take the place of another. One whose pods refuse the model that they have
/// is as far as it comes: another model mends it.
pub fn spec_rollout(workload: &Workload, wanted: Option<&Deployment>) -> SpecRollout {
    let live = workload.deployment.as_ref().filter(|live| live.wanted > 0);
    let (Some(live), Some(wanted)) = (live, wanted.filter(|wanted| wanted.spec.replicas != Some(0))) else {
        return SpecRollout::Settled;
    };
    let spec = wanted.spec.template.metadata.as_ref().and_then(labels::spec_hash);
    let is_applied = live.spec.as_deref() == spec;
    let (ours, others): (Vec<&PodSeen>, Vec<&PodSeen>) =
        workload.pods.iter().partition(|pod| pod.spec.as_deref() == spec);
    let refuse_their_model = ours.iter().any(|pod| pod.fault.as_ref().is_some_and(Fault::is_told_of_the_version));
    if is_applied && (others.is_empty() || refuse_their_model) { SpecRollout::Settled } else { SpecRollout::Underway }
}

/// Whether as many pods of what is wanted are ready as are wanted, whatever was seen before it was applied.
pub fn availability(workload: &Workload, wanted: &Deployment) -> Availability {
    let Some(live) = &workload.deployment else {
        return Availability::Absent;
    };
    let count = wanted.spec.replicas.unwrap_or(live.wanted);
    if count == 0 {
        let pods = live.replicas.max(workload.leaving);
        return if pods > 0 { Availability::Stopping { pods } } else { Availability::ScaledToNothing };
    }
    let spec = wanted.spec.template.metadata.as_ref().and_then(labels::spec_hash);
    let is_ours = |pod: &&PodSeen| pod.spec.as_deref() == spec;
    let ready_pods = |ours: bool| {
        let ready = workload.pods.iter().filter(|pod| pod.is_ready && is_ours(pod) == ours).count();
        i32::try_from(ready).unwrap_or(i32::MAX)
    };
    let is_applied = live.spec.as_deref() == spec;
    let (ready, earlier) = (ready_pods(true), ready_pods(false));
    if is_applied && (live.is_complete && live.wanted == count || ready >= count) {
        return Availability::Available { ready: count };
    }
    let fault = workload.pods.iter().filter(is_ours).find_map(|pod| Some(pod.fault.as_ref()?.cause().to_owned()));
    let waits = || workload.pods.iter().filter(is_ours).find_map(|pod| pod.waits.clone());
    let stuck = live.stuck.clone().filter(|_| is_applied);
    let is_stuck = stuck.is_some();
    // Another has the place of one that was evicted, and may be as soon.
    let ended = || Some(workload.ended.as_ref().filter(|pod| pod.spec.as_deref() == spec)?.cause.clone());
    let cause = fault.or_else(waits).or(stuck).or_else(ended);
    Availability::Short { ready, earlier, wanted: count, cause, is_stuck }
}

/// That of a process that ended comes before that of one that only waits.
fn worst<'a>(faults: impl Iterator<Item = &'a Fault>) -> Option<&'a Fault> {
    faults.min_by_key(|fault| (!fault.is_end(), !fault.is_told_of_the_version()))
}

#[cfg(test)]
mod tests;
