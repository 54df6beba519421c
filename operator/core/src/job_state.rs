//! How a Job stands, by its own status and that of its pods.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::Pod;
use vedette_contract::topic::TopicReport;

use crate::desired::labels;
use crate::last_words::last_words;
use crate::lost_node::lost_with_its_node;
use crate::ownership::controller;
use crate::pod_refusal::{lacks_a_pod, without_a_pod};
use crate::suspension::{Suspension, suspension};
use crate::waits::waits_for;
use crate::workload::{last_end, runs_itself, was_disrupted};

/// How a Job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// There is none, or none any more.
    Absent,
    /// It is under way; with what is wrong, if anything is.
    Running { trouble: Option<Trouble> },
    /// It did its task.
    Complete,
    /// It gave up.
    Failed { cause: String },
}

/// What is wrong with a Job that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Its last pod failed like this, and it is tried again.
    Failed(String),
    /// It waits for this.
    Waits(String),
}

impl Trouble {
    /// What it is.
    pub fn text(&self) -> &str {
        match self {
            Self::Failed(text) | Self::Waits(text) => text,
        }
    }
}

/// Reads the state of a Job; the pods are its own, and the refusal what its controller tells of why it makes none.
pub fn job_state<'a>(
    job: Option<&Job>,
    pods: impl IntoIterator<Item = &'a Pod>,
    refusal: Option<&str>,
    now: Timestamp,
) -> JobState {
    let Some(job) = job else {
        return JobState::Absent;
    };
    let pods: Vec<&Pod> = pods.into_iter().collect();
    if is_complete(job, &pods) {
        return JobState::Complete;
    }
    let failure = newest_failure(&pods);
    if let Some(failed) = has(job, "Failed") {
        let finding = failed.message.or(failed.reason).unwrap_or_else(|| "the Job failed".to_owned());
        let cause = failure.map_or_else(|| finding.clone(), |failure| format!("{failure} ({finding})"));
        return JobState::Failed { cause };
    }
    let waits = || {
        let of_a_pod = || pods.iter().find_map(|pod| waits_for(pod, now));
        let of_none = || lacks_a_pod(job, &pods).then(|| without_a_pod(job, refusal));
        held_by_another(job).or_else(|| lost(&pods, now)).or_else(of_a_pod).or_else(of_none)
    };
    JobState::Running { trouble: failure.map(Trouble::Failed).or_else(|| waits().map(Trouble::Waits)) }
}

/// Whether a Job is to make place for another: it is of an object that is no more, or it was made otherwise and has not done
/// anything that would be lost.
pub fn is_outdated<'a>(live: &Job, wanted: &Job, pods: impl IntoIterator<Item = &'a Pod>) -> bool {
    // Others may own it beside its controller, and stand before it.
    let owner = |job: &Job| controller(&job.metadata).map(|owner| owner.uid.clone());
    if owner(live) != owner(wanted) {
        return true;
    }
    let pods: Vec<&Pod> = pods.into_iter().collect();
    let is_at_work = pods.iter().any(|pod| runs_itself(pod) && !was_disrupted(pod));
    let is_of_the_spec = labels::spec_hash(&live.metadata) == labels::spec_hash(&wanted.metadata);
    !is_of_the_spec && !is_complete(live, &pods) && !is_at_work
}

/// Whether a Job completed or gave up.
pub fn is_over(job: &Job) -> bool {
    has(job, "Complete").is_some() || has(job, "Failed").is_some()
}

/// How many of a Job's pods have not ended.
pub fn pods_left<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> i32 {
    let phase = |pod: &'a Pod| pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let left = pods.into_iter().filter(|pod| !matches!(phase(pod), Some("Succeeded" | "Failed"))).count();
    i32::try_from(left).unwrap_or(i32::MAX)
}

/// What a topic Job that completed found; the pods are its own.
pub fn topic_report<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> Option<TopicReport> {
    let ends = pods.into_iter().filter_map(last_end).filter(|end| end.exit_code == 0);
    let newest = ends.max_by_key(|end| end.finished_at.as_ref().map(|time| time.0))?;
    serde_json::from_str(newest.message.as_deref()?).ok()
}

/// When a Job completed: by its controller, or by the end of its own process where others keep its pod. The pods are its own.
pub fn completed_at<'a>(job: &Job, pods: impl IntoIterator<Item = &'a Pod>) -> Option<Timestamp> {
    let by_controller = job.status.as_ref().and_then(|status| status.completion_time.as_ref()).map(|time| time.0);
    let ends = pods.into_iter().filter(|pod| did_its_task(pod)).filter_map(last_end);
    by_controller.or_else(|| ends.filter_map(|end| Some(end.finished_at?.0)).max())
}

/// Whether a pod's own process did what it is for, whatever runs beside it. One that was told to end did not, even if it says so.
pub(crate) fn did_its_task(pod: &Pod) -> bool {
    let was_told_to_end = was_disrupted(pod) || pod.metadata.deletion_timestamp.is_some();
    !was_told_to_end && last_end(pod).is_some_and(|end| end.exit_code == 0)
}

/// Its controller waits for every container of a pod; ours is what counts.
fn is_complete(job: &Job, pods: &[&Pod]) -> bool {
    has(job, "Complete").is_some() || pods.iter().any(|pod| did_its_task(pod))
}

fn has(job: &Job, kind: &str) -> Option<JobCondition> {
    let conditions = job.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().find(|condition| condition.type_ == kind && condition.status == "True").cloned()
}

fn held_by_another(job: &Job) -> Option<String> {
    match suspension(job) {
        Suspension::Anothers { by } => Some(format!("it is suspended by {by}, and goes on when that lets it go")),
        Suspension::None | Suspension::Ours => None,
    }
}

/// Only where the operator makes the Job anew it goes on by itself.
fn lost(pods: &[&Pod], now: Timestamp) -> Option<String> {
    let lost = lost_with_its_node(pods.iter().copied(), now)?;
    Some(format!("{lost}; another begins when the Node is deleted, or the pod by `kubectl delete pod --force`"))
}

/// How a pod failed last. One that a drain, a preemption or an eviction ended did not: another one takes its place.
fn newest_failure(pods: &[&Pod]) -> Option<String> {
    let own = pods.iter().filter(|pod| !was_disrupted(pod));
    let ends = own.filter_map(|pod| last_end(pod)).filter(|end| end.exit_code != 0);
    let newest = ends.max_by_key(|end| end.finished_at.as_ref().map(|time| time.0))?;
    let words = newest.message.as_deref().and_then(last_words);
    let said = words.unwrap_or_else(|| format!("its pod ended with exit code {}", newest.exit_code));
    match newest.reason.as_deref().filter(|reason| *reason != "Error") {
        Some(reason) => Some(format!("{reason}: {said}")),
        None => Some(said),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read<'a>(job: Option<&Job>, pods: impl IntoIterator<Item = &'a Pod>) -> JobState {
        job_state(job, pods, None, Timestamp::UNIX_EPOCH)
    }

    fn job(conditions: Value) -> Job {
        serde_json::from_value(json!({ "status": { "conditions": conditions } })).unwrap()
    }

    fn failed_pod(second: u8, words: &str) -> Pod {
        let labels = json!({ "app.kubernetes.io/component": "topics" });
        serde_json::from_value(json!({ "metadata": { "labels": labels }, "status": { "containerStatuses": [{
            "name": "topics", "image": "i", "imageID": "i", "restartCount": 0, "ready": false,
            "state": { "terminated": { "exitCode": 1, "message": words, "finishedAt": format!("2026-11-23T08:42:{second:02}Z") } }
        }] } }))
        .unwrap()
    }

    #[test]
    fn a_job_is_what_its_conditions_say() {
        assert_eq!(read(None, []), JobState::Absent);
        assert_eq!(read(Some(&job(json!([]))), []), JobState::Running { trouble: None });
        let complete = json!([{ "type": "Complete", "status": "True" }]);
        assert_eq!(read(Some(&job(complete)), []), JobState::Complete);
        let not_yet = json!([{ "type": "Complete", "status": "False" }]);
        assert_eq!(read(Some(&job(not_yet)), []), JobState::Running { trouble: None });
    }

    #[test]
    fn the_newest_failure_is_the_cause() {
        let pods = [failed_pod(1, "no broker"), failed_pod(9, "fewer partitions"), failed_pod(5, "no broker")];
        let failed = json!([{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "limit reached" }]);
        let cause = "fewer partitions (limit reached)".to_owned();
        assert_eq!(read(Some(&job(failed)), &pods), JobState::Failed { cause });
        let trouble = Some(Trouble::Failed("fewer partitions".to_owned()));
        assert_eq!(read(Some(&job(json!([]))), &pods), JobState::Running { trouble });
    }

    fn pod(status: Value) -> Pod {
        let labels = json!({ "app.kubernetes.io/component": "topics" });
        serde_json::from_value(json!({ "metadata": { "name": "p", "labels": labels }, "status": status })).unwrap()
    }

    fn container(state: Value) -> Value {
        json!({ "containerStatuses": [{
            "name": "topics", "image": "i", "imageID": "i", "restartCount": 0, "ready": false, "state": state
        }] })
    }

    #[test]
    fn a_job_that_hangs_says_what_it_waits_for() {
        let trouble = |job: &Job, pods: &[Pod]| match read(Some(job), pods) {
            JobState::Running { trouble } => trouble.map_or_else(String::new, |trouble| trouble.text().to_owned()),
            other => panic!("{other:?}"),
        };
        let waiting = |reason: &str| pod(container(json!({ "waiting": { "reason": reason } })));
        assert_eq!(trouble(&job(json!([])), &[waiting("ImagePullBackOff")]), "pod p waits, ImagePullBackOff");
        let unscheduled =
            json!({ "conditions": [{ "type": "PodScheduled", "status": "False", "message": "no such node" }] });
        assert_eq!(trouble(&job(json!([])), &[pod(unscheduled)]), "pod p is Pending: no such node");
        let out_of_memory = pod(container(json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } })));
        assert_eq!(trouble(&job(json!([])), &[out_of_memory]), "OOMKilled: its pod ended with exit code 137");
        let begun: Job = serde_json::from_value(json!({
            "metadata": { "name": "j", "namespace": "n" }, "status": { "startTime": "2026-11-23T08:00:00Z" }
        }))
        .unwrap();
        let said = trouble(&begun, &[]);
        assert!(said.contains("kubectl events -n n --for job/j") && said.contains("LimitRange"), "{said}");
        let what = "it gets no pod: exceeded quota: q".to_owned();
        let refused = job_state(Some(&begun), [], Some("exceeded quota: q"), Timestamp::UNIX_EPOCH);
        assert_eq!(refused, JobState::Running { trouble: Some(Trouble::Waits(what)) });
        assert_eq!(trouble(&begun, &[pod(container(json!({ "running": {} })))]), "");
    }

    #[test]
    fn a_job_is_complete_when_its_own_process_did_its_task_whatever_runs_beside_it() {
        let done = || pod(container(json!({ "terminated": { "exitCode": 0 } })));
        let mut beside = done();
        let statuses = beside.status.as_mut().unwrap().container_statuses.as_mut().unwrap();
        let mut sidecar = statuses[0].clone();
        sidecar.name = "istio-proxy".to_owned();
        statuses.insert(0, sidecar);
        assert_eq!(read(Some(&job(json!([]))), [&beside]), JobState::Complete);
        let late = json!([{ "type": "Failed", "status": "True", "reason": "DeadlineExceeded" }]);
        assert_eq!(read(Some(&job(late)), [&beside]), JobState::Complete);
        beside.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[1].state =
            serde_json::from_value(json!({ "running": {} })).unwrap();
        let running = JobState::Running { trouble: None };
        assert_eq!(read(Some(&job(json!([]))), [&beside]), running, "only what runs beside it ended");
        // A generator that is suspended or drained stops where it is.
        let mut stopped = done();
        stopped.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(read(Some(&job(json!([]))), [&stopped]), running);
        assert_eq!(read(Some(&job(json!([]))), [&drained(json!({ "terminated": { "exitCode": 0 } }))]), running);
    }

    #[test]
    fn a_job_whose_pod_is_lost_with_its_node_says_so() {
        let mut lost = pod(json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "False" }] }));
        lost.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH));
        let said = |second| job_state(Some(&job(json!([]))), [&lost], None, Timestamp::from_second(second).unwrap());
        assert_eq!(said(59), JobState::Running { trouble: None });
        let JobState::Running { trouble: Some(Trouble::Waits(what)) } = said(60) else { panic!("{:?}", said(60)) };
        assert!(what.contains("pod p was to end and does not") && what.contains("kubectl delete pod"), "{what}");
    }

    #[test]
    fn a_pod_is_left_until_its_containers_have_ended() {
        let pods = ["Pending", "Running", "Succeeded", "Failed"].map(|phase| pod(json!({ "phase": phase })));
        assert_eq!(pods_left(&pods), 2);
    }

    #[test]
    fn a_job_that_others_keep_completed_when_its_own_process_ended() {
        let end = json!({ "terminated": { "exitCode": 0, "finishedAt": "2026-11-23T08:42:07Z" } });
        let done = pod(container(end));
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        assert_eq!(completed_at(&job(json!([])), [&done]), at("2026-11-23T08:42:07Z"));
        assert_eq!(completed_at(&job(json!([])), [&failed_pod(9, "no broker")]), None);
        let over = json!({ "status": { "completionTime": "2026-11-23T08:42:09Z" } });
        assert_eq!(completed_at(&serde_json::from_value(over).unwrap(), [&done]), at("2026-11-23T08:42:09Z"));
    }

    #[test]
    fn a_job_that_another_holds_says_who() {
        let held: Job = serde_json::from_value(json!({
            "metadata": { "managedFields": [{ "manager": "kueue", "fieldsV1": { "f:spec": { "f:suspend": {} } } }] },
            "spec": { "suspend": true, "template": {} }
        }))
        .unwrap();
        let what = "it is suspended by kueue, and goes on when that lets it go".to_owned();
        assert_eq!(read(Some(&held), []), JobState::Running { trouble: Some(Trouble::Waits(what)) });
    }

    #[test]
    fn a_pod_that_was_drained_is_no_trouble_of_the_job() {
        let drained = drained(json!({ "terminated": { "exitCode": 1, "message": "interrupted" } }));
        assert_eq!(read(Some(&job(json!([]))), [&drained]), JobState::Running { trouble: None });
        let pods = [drained, failed_pod(1, "no broker")];
        let trouble = Some(Trouble::Failed("no broker".to_owned()));
        assert_eq!(read(Some(&job(json!([]))), &pods), JobState::Running { trouble });
    }

    /// A pod on which an eviction left its mark.
    fn drained(state: Value) -> Pod {
        let mut status = container(state);
        status["conditions"] =
            json!([{ "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI" }]);
        pod(status)
    }

    fn made(owner: &str, spec: &str, status: Value) -> Job {
        let owner = json!([{
            "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline", "name": "p", "uid": owner, "controller": true
        }]);
        let annotations = json!({ labels::SPEC_HASH: spec });
        serde_json::from_value(json!({
            "metadata": { "name": "j", "ownerReferences": owner, "annotations": annotations }, "status": status
        }))
        .unwrap()
    }

    #[test]
    fn a_job_is_outdated_when_it_is_anothers_or_was_made_otherwise_and_does_nothing() {
        let wanted = made("u", "new", json!({}));
        let complete = json!({ "conditions": [{ "type": "Complete", "status": "True" }] });
        let failed = json!({ "conditions": [{ "type": "Failed", "status": "True" }] });
        let (running, waiting) = (json!({ "running": {} }), json!({ "waiting": { "reason": "ImagePullBackOff" } }));
        let (crashed, done) = (json!({ "terminated": { "exitCode": 1 } }), json!({ "terminated": { "exitCode": 0 } }));
        for (owner, spec, status, state, expected) in [
            ("u", "new", json!({}), &waiting, false),
            ("u", "old", json!({}), &waiting, true),
            ("u", "old", json!({}), &crashed, true),
            ("u", "old", json!({}), &running, false),
            ("u", "old", failed, &crashed, true),
            ("u", "old", complete.clone(), &waiting, false),
            ("predecessor", "new", complete, &waiting, true),
            ("u", "old", json!({}), &done, false),
        ] {
            let live = made(owner, spec, status);
            assert_eq!(is_outdated(&live, &wanted, [&pod(container(state.clone()))]), expected, "{live:?} {state}");
        }
        let old = made("u", "old", json!({}));
        assert!(is_outdated(&old, &wanted, []));
        assert!(is_outdated(&old, &wanted, [&drained(json!({ "terminated": { "exitCode": 1 } }))]), "it was drained");
    }

    #[test]
    fn an_owner_that_is_not_the_controller_makes_no_job_outdated() {
        let wanted = made("u", "new", json!({}));
        let mut live = wanted.clone();
        let beside = json!({ "apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "another" });
        live.metadata.owner_references.as_mut().unwrap().insert(0, serde_json::from_value(beside).unwrap());
        assert!(!is_outdated(&live, &wanted, []));
    }
}
