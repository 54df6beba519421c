//! What has to be done about a Job of a pipeline, by what is there and by what its own process did: a Job cannot be changed, but
//! held, let go, and made anew. A sidecar that never ends keeps a pod, and so its Job, after our process has ended; Kubernetes
//! then neither calls the Job complete nor makes another pod.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;

use crate::job_state::{did_its_task, is_outdated, is_over};
use crate::lost_node::lost_with_its_node;
use crate::suspension::{Suspension, is_suspended, suspension, was_let_go_lately};
use crate::workload::{last_end, runs_itself, was_disrupted};

/// How long a process that failed is left to be read before its Job is made anew.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// What has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobStep {
    /// It is not there, and is to be.
    Make,
    /// It makes place for another, which is made when it is gone.
    Replace,
    /// It is to be held, or to be let go.
    Suspend(bool),
    /// Nothing.
    Leave,
}

/// What becomes of a Job whose pod is lost with its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLostNode {
    /// It does again what it did, which is no harm.
    MakeAnew,
    /// Somebody has to see to it: what it did would be there twice.
    Leave,
}

/// What has to be done for this Job to be there; the pods are those of the live one.
pub fn job_step(live: Option<&Job>, wanted: &Job, pods: &[&Pod], on_lost_node: OnLostNode, now: Timestamp) -> JobStep {
    let Some(live) = live else {
        return JobStep::Make;
    };
    let is_paused = || failed_beside_others(pods).is_some_and(|since| now.duration_since(since) < PAUSE);
    let is_kept_up = || failed_beside_others(pods).is_some() && !is_paused();
    let is_lost = || on_lost_node == OnLostNode::MakeAnew && lost_pod(live, pods, now).is_some();
    if live.metadata.deletion_timestamp.is_some() {
        JobStep::Leave
    } else if is_outdated(live, wanted, pods.iter().copied()) || is_kept_up() || is_lost() {
        JobStep::Replace
    } else {
        suspend_step(live, is_suspended(wanted), now)
    }
}

/// Whether a Job is held, or is to be. The watches leave out who manages what, so that such a one is to be asked for.
pub fn asks_who_holds_it(live: &Job, wanted: &Job) -> bool {
    is_suspended(live) || is_suspended(wanted)
}

/// Whether a Job's process has ended, and what runs beside it keeps its pod. Where nothing does, Kubernetes is about to say that
/// the Job is over, and keeps it for people to read.
pub fn is_kept_by_others(live: &Job, pods: &[&Pod]) -> bool {
    let is_kept = |pod: &Pod| runs(pod) && !runs_itself(pod) && last_end(pod).is_some();
    live.metadata.deletion_timestamp.is_none() && !is_over(live) && pods.iter().any(|pod| is_kept(pod))
}

/// Whether that is so, and the process did its task.
pub fn is_left_over(live: &Job, pods: &[&Pod]) -> bool {
    is_kept_by_others(live, pods) && pods.iter().any(|pod| did_its_task(pod))
}

/// Whether a Job waits for the end of a pod that is lost with its node, and so for nothing; in words for people.
pub fn lost_pod(live: &Job, pods: &[&Pod], now: Timestamp) -> Option<String> {
    let is_under_way = live.metadata.deletion_timestamp.is_none() && !is_over(live);
    let is_done = pods.iter().any(|pod| did_its_task(pod));
    lost_with_its_node(pods.iter().copied(), now).filter(|_| is_under_way && !is_done)
}

/// Since when no process of ours is at work, as the last one failed and others keep its pod.
pub(crate) fn failed_beside_others(pods: &[&Pod]) -> Option<Timestamp> {
    if pods.iter().any(|pod| did_its_task(pod)) {
        return None;
    }
    pods.iter().filter(|pod| runs(pod) && !was_disrupted(pod)).find_map(|pod| {
        let end = last_end(pod).filter(|end| end.exit_code != 0)?;
        Some(end.finished_at.map_or(Timestamp::MIN, |time| time.0))
    })
}

fn runs(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
}

/// What another holds is let go by that other.
fn suspend_step(live: &Job, is_to_be_held: bool, now: Timestamp) -> JobStep {
    match (is_to_be_held, suspension(live)) {
        (true, Suspension::None) if !was_let_go_lately(live, now) => JobStep::Suspend(true),
        (false, Suspension::Ours) => JobStep::Suspend(false),
        (true | false, Suspension::None | Suspension::Ours | Suspension::Anothers { .. }) => JobStep::Leave,
    }
}

#[cfg(test)]
mod tests;
