//! Starts the Job of a run, at most one at a time: one that hangs makes place first.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use vedette_contract::Name;
use vedette_core::desired::labels::{self, Component};
use vedette_core::job_step::{is_kept_by_others, lost_pod};
use vedette_core::schedule::Run;
use vedette_core::training::{Start, forgotten_run, replaced_jobs};
use vedette_core::validate::ValidatedTraining;

use super::super::apply::{ApiError, Conflicts};
use super::super::context::Context;

/// Deletes the Job of a run that has ended where its controller goes on to wait: for what runs beside it, or for a node that is gone.
pub(super) async fn clear(namespace: &Name, name: &str, context: &Context) -> Result<(), ApiError> {
    let Some(job) = context.stores.children.jobs.get(namespace, name) else {
        return Ok(());
    };
    let pods = context.stores.pods_of_job(Some(&job));
    let pods: Vec<&Pod> = pods.iter().map(Arc::as_ref).collect();
    let waits = is_kept_by_others(&job, &pods) || lost_pod(&job, &pods, Timestamp::now()).is_some();
    if waits { context.applier.delete(&*job).await } else { Ok(()) }
}

/// Starts the Job, or returns the run of one that was started already and not remembered.
pub(super) async fn apply(
    valid: &ValidatedTraining,
    start: &Start,
    context: &Context,
) -> Result<Option<Run>, ApiError> {
    let Start { service_account, job, .. } = start;
    let selector = labels::query(&labels::selector(valid.name.as_str(), Component::Trainer));
    let jobs = context.applier.list::<Job>(valid.namespace.as_str(), &selector).await?;
    if let Some(forgotten) = forgotten_run(valid, start, &jobs) {
        return Ok(Some(forgotten));
    }
    for job in replaced_jobs(valid, start, &jobs) {
        context.applier.delete(job).await?;
    }
    if let Some(account) = service_account {
        let live = context.stores.children.service_accounts.get(&valid.namespace, &account.name_any());
        context.applier.apply(account, live.as_deref(), Conflicts::Force).await?;
    }
    context.applier.apply(job, None, Conflicts::Force).await?;
    Ok(None)
}
