//! Who holds a Job that is suspended, by the managers of its field. Kueue and others hold Jobs that are not their own, and let
//! them go: what they hold is theirs, and nobody fights for it.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

use crate::desired::labels::MANAGER;

/// For so long one is not held again that another let go.
const RESPECT: SignedDuration = SignedDuration::from_secs(60);

/// Whether a Job is suspended, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Suspension {
    /// It is not.
    None,
    /// By the operator.
    Ours,
    /// By another.
    Anothers {
        /// Who it is.
        by: String,
    },
}

/// Reads it, from an object with its managed fields.
pub(crate) fn suspension(job: &Job) -> Suspension {
    if !is_suspended(job) {
        return Suspension::None;
    }
    match managers(job).find_map(|entry| entry.manager.as_deref()) {
        Some(MANAGER) => Suspension::Ours,
        Some(another) => Suspension::Anothers { by: another.to_owned() },
        // What an admission webhook changes has no manager.
        None => Suspension::Anothers { by: "an admission webhook".to_owned() },
    }
}

/// Whether another has only just let a Job go: to hold it again at once would be a fight.
pub(crate) fn was_let_go_lately(job: &Job, now: Timestamp) -> bool {
    let is_new =
        |entry: &ManagedFieldsEntry| entry.time.as_ref().is_some_and(|time| now.duration_since(time.0) < RESPECT);
    !is_suspended(job) && managers(job).any(|entry| entry.manager.as_deref() != Some(MANAGER) && is_new(entry))
}

pub(crate) fn is_suspended(job: &Job) -> bool {
    job.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or(false)
}

/// Whose the field is.
fn managers(job: &Job) -> impl Iterator<Item = &ManagedFieldsEntry> {
    job.metadata
        .managed_fields
        .iter()
        .flatten()
        .filter(|entry| entry.fields_v1.as_ref().is_some_and(|fields| !fields.0["f:spec"]["f:suspend"].is_null()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn job(suspend: bool, managed: Value) -> Job {
        serde_json::from_value(json!({
            "metadata": { "managedFields": managed }, "spec": { "suspend": suspend, "template": {} }
        }))
        .unwrap()
    }

    fn by(manager: &str) -> Value {
        let of_the_status = json!({ "manager": "kube-controller-manager", "fieldsV1": { "f:status": {} } });
        let fields = json!({ "f:spec": { "f:suspend": {} } });
        json!([of_the_status, { "manager": manager, "time": "2026-11-23T08:00:00Z", "fieldsV1": fields }])
    }

    #[test]
    fn a_job_is_held_by_whoever_owns_the_field() {
        let anothers = |by: &str| Suspension::Anothers { by: by.to_owned() };
        assert_eq!(suspension(&job(false, by("kueue"))), Suspension::None);
        assert_eq!(suspension(&job(true, by(MANAGER))), Suspension::Ours);
        assert_eq!(suspension(&job(true, by("kueue"))), anothers("kueue"));
        assert_eq!(suspension(&job(true, json!([]))), anothers("an admission webhook"));
    }

    #[test]
    fn what_another_let_go_is_left_for_a_minute() {
        let at = |second: i64| "2026-11-23T08:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second);
        assert!(was_let_go_lately(&job(false, by("kueue")), at(59)));
        assert!(!was_let_go_lately(&job(false, by("kueue")), at(60)));
        assert!(!was_let_go_lately(&job(false, by(MANAGER)), at(0)), "it is ours");
        assert!(!was_let_go_lately(&job(true, by("kueue")), at(0)), "it is held");
    }
}
