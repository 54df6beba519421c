//! Why a Job's controller makes no pod: a quota, a limit range, an admission. It says so in events of the Job only.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;

use crate::last_words::cut;
use crate::suspension::is_suspended;

/// How a controller calls it that a pod was refused.
const FAILED_CREATE: &str = "FailedCreate";

/// Whether a Job's controller has seen it, and made no pod for it though it should.
pub fn lacks_a_pod(job: &Job, pods: &[&Pod]) -> bool {
    let status = job.status.as_ref();
    let was_seen = status.is_some_and(|status| status.start_time.is_some());
    let active = status.and_then(|status| status.active).unwrap_or(0);
    was_seen && !is_suspended(job) && pods.is_empty() && active == 0
}

/// What it says last of why, by the Job's events.
pub fn pod_refusal<'a>(events: impl IntoIterator<Item = &'a Event>) -> Option<String> {
    let refusals = events.into_iter().filter(|event| event.reason.as_deref() == Some(FAILED_CREATE));
    let note = refusals.max_by_key(|event| told_at(event))?.note.as_deref()?;
    let why = note.strip_prefix("Error creating: ").unwrap_or(note).trim();
    // Each try has a name of its own, and the same cause is no news.
    let why = match why.split_once(" is forbidden: ") {
        Some((refused, why)) if refused.starts_with("pods ") => why,
        Some(_) | None => why,
    };
    Some(cut(why))
}

/// What people are told of a Job without a pod.
pub(crate) fn without_a_pod(job: &Job, refusal: Option<&str>) -> String {
    let [name, namespace] =
        [&job.metadata.name, &job.metadata.namespace].map(|text| text.as_deref().unwrap_or_default());
    match refusal {
        Some(why) => format!("it gets no pod: {why}"),
        None => format!(
            "it has no pod; where that lasts, a ResourceQuota, a LimitRange or an admission policy of the namespace refuses it, and \
             `kubectl events -n {namespace} --for job/{name}` says which"
        ),
    }
}

/// An event that repeats is told again in its series, or, in the way of old controllers, by its last time.
fn told_at(event: &Event) -> Option<Timestamp> {
    let again = event.series.as_ref().map(|series| series.last_observed_time.0);
    let last = event.deprecated_last_timestamp.as_ref().map(|time| time.0);
    let first = event.event_time.as_ref().map(|time| time.0);
    [again, last, first].into_iter().flatten().max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn event(second: u8, note: &str) -> Event {
        let time = format!("2026-11-23T08:42:{second:02}Z");
        read(json!({ "reason": FAILED_CREATE, "note": note, "eventTime": null, "deprecatedLastTimestamp": time }))
    }

    fn read(event: Value) -> Event {
        serde_json::from_value(event).unwrap()
    }

    #[test]
    fn the_newest_refusal_counts_without_the_name_of_the_pod_that_was_tried() {
        let quota = "exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5";
        let refused = |name: &str| format!("Error creating: pods \"{name}\" is forbidden: {quota}");
        let webhook = "admission webhook \"images.example.org\" denied the request: no such registry";
        let events = [event(1, &format!("Error creating: {webhook}")), event(9, &refused("a-x")), event(5, "early")];
        assert_eq!(pod_refusal(&events).as_deref(), Some(quota));
        assert_eq!(pod_refusal([&event(9, &refused("a-y"))]), pod_refusal(&events), "no news");
        assert_eq!(pod_refusal(&events[..1]).as_deref(), Some(webhook));
        let made = read(json!({ "reason": "SuccessfulCreate", "note": "Created pod: a-x", "eventTime": null }));
        assert_eq!(pod_refusal([&made]), None);
        assert_eq!(pod_refusal([]), None);
    }

    #[test]
    fn an_event_that_repeats_is_as_new_as_its_last_time() {
        let series = read(json!({
            "reason": FAILED_CREATE, "note": "again", "eventTime": "2026-11-23T08:42:01.000000Z",
            "series": { "count": 2, "lastObservedTime": "2026-11-23T08:42:30.000000Z" }
        }));
        assert_eq!(pod_refusal([&series, &event(20, "once")]).as_deref(), Some("again"));
    }

    #[test]
    fn a_job_lacks_a_pod_only_once_its_controller_has_seen_it() {
        let job = |spec: Value, status: Value| -> Job {
            serde_json::from_value(json!({ "metadata": { "name": "j" }, "spec": spec, "status": status })).unwrap()
        };
        let begun = || json!({ "startTime": "2026-11-23T08:00:00Z" });
        let runs = json!({ "template": {} });
        assert!(lacks_a_pod(&job(runs.clone(), begun()), &[]));
        assert!(!lacks_a_pod(&job(runs.clone(), json!({})), &[]), "nobody has seen it");
        assert!(!lacks_a_pod(&job(json!({ "template": {}, "suspend": true }), begun()), &[]));
        assert!(!lacks_a_pod(&job(runs.clone(), begun()), &[&Pod::default()]));
        let active = json!({ "startTime": "2026-11-23T08:00:00Z", "active": 1 });
        assert!(!lacks_a_pod(&job(runs, active), &[]), "the watch of pods is late");
    }
}
