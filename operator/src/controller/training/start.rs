//! Starts the Job of a run, at most one at a time. A Job that was started and not remembered, because the operator ended in
//! between, is the run.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;

use super::super::apply::{ApiError, Conflicts};
use super::super::children::get;
use super::super::context::Context;
use vedette_core::desired::labels::{self, Component};
use vedette_core::desired::{build_training_job, build_training_service_account};
use vedette_core::schedule::{self, Decision, Run, ScheduleState};
use vedette_core::validate::ValidatedTraining;

/// What came of a decision.
pub(super) enum Started {
    /// It was carried out, or needed nothing to be done.
    Done { decision: Decision, state: ScheduleState },
    /// It could not be; the state is as before.
    Refused { decision: Decision, state: ScheduleState, error: ApiError },
}

impl Started {
    pub(super) fn into_parts(self) -> (Result<(), ApiError>, Decision, ScheduleState) {
        match self {
            Self::Done { decision, state } => (Ok(()), decision, state),
            Self::Refused { decision, state, error } => (Err(error), decision, state),
        }
    }
}

pub(super) async fn start(
    valid: &ValidatedTraining,
    decision: Decision,
    before: ScheduleState,
    request: Option<&str>,
    context: &Context,
) -> Started {
    let Decision::Start { state, reason } = decision else {
        return Started::Done { decision, state: before };
    };
    match carry_out(valid, &before, &state, context).await {
        Ok(None) => Started::Done { decision: Decision::Start { reason, state: state.clone() }, state },
        Ok(Some(run)) => {
            let last_request = request.map(str::to_owned).or(before.last_request);
            let state = ScheduleState { last_run: Some(run), last_request, ..state };
            Started::Done { decision: Decision::Running, state }
        }
        Err(error) => {
            let needed = state.last_run.as_ref().map_or(0, |run| run.records);
            Started::Refused { decision: Decision::WaitingForData { records: None, needed }, state: before, error }
        }
    }
}

/// Starts the Job, or returns the run of one that was started already.
async fn carry_out(
    valid: &ValidatedTraining,
    before: &ScheduleState,
    state: &ScheduleState,
    context: &Context,
) -> Result<Option<Run>, ApiError> {
    let Some(run) = &state.last_run else {
        return Ok(None);
    };
    let selector = labels::query(&labels::selector(valid.name.as_str(), Component::Trainer));
    let jobs = context.applier.list::<Job>(valid.namespace.as_str(), &selector).await?;
    if let Some(forgotten) = forgotten(valid, before, &jobs, run.records) {
        return Ok(Some(forgotten));
    }
    let account = build_training_service_account(valid);
    let live = get(&context.stores.children.service_accounts, &valid.namespace, &account.name_any());
    context.applier.apply(&account, live.as_deref(), Conflicts::Force).await?;
    let job = build_training_job(valid, &context.site, &run.job);
    context.applier.apply(&job, None, Conflicts::Force).await?;
    Ok(None)
}

/// The newest of this training's Jobs, if it is newer than the last run that is remembered.
fn forgotten(valid: &ValidatedTraining, before: &ScheduleState, jobs: &[Job], records: u64) -> Option<Run> {
    let own = jobs.iter().filter(|job| {
        job.metadata.deletion_timestamp.is_none()
            && job.owner_references().iter().any(|owner| Some(&owner.uid) == valid.uid.as_ref())
    });
    let started = own.filter_map(|job| {
        let name = job.name_any();
        Some((schedule::started_at(valid.name.as_str(), &name)?, name))
    });
    let (started_at, job) = started.max()?;
    let last = before.last_run.as_ref().map_or(Timestamp::MIN, |run| run.started_at);
    (started_at > last).then_some(Run { job, started_at, finished_at: None, records })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use vedette_core::manifest::{self, ValidatedManifest};
    use vedette_core::site::SiteFile;

    fn training() -> ValidatedTraining {
        let site = SiteFile::parse(
            "{site: {name: east}, kafka: {bootstrapServers: 'k:9092'}, bucket: {name: b, credentialsSecret: s}, images: {topics: t, generator: g, detector: d, archiver: a, trainer: t}}",
        )
        .unwrap();
        let text = "{apiVersion: vedette.io/v1alpha1, kind: ModelTraining, metadata: {name: flows}, spec: {site: east, data: {pipeline: flows}}}";
        let manifests = manifest::load(text, &"n".parse().unwrap(), &site).unwrap();
        match manifests.into_iter().next().unwrap() {
            ValidatedManifest::Training(training) => ValidatedTraining { uid: Some("u".to_owned()), ..*training },
            ValidatedManifest::Pipeline(_) => panic!("not a training"),
        }
    }

    fn job(name: &str, uid: &str) -> Job {
        serde_json::from_value(json!({ "metadata": { "name": name, "ownerReferences": [
            { "apiVersion": "vedette.io/v1alpha1", "kind": "ModelTraining", "name": "flows", "uid": uid }
        ] } }))
        .unwrap()
    }

    #[test]
    fn a_job_that_was_started_and_not_remembered_is_the_run() {
        let training = training();
        let jobs = [job("flows-100", "u"), job("flows-300", "another"), job("flows-200", "u"), job("flows-x", "u")];
        let found = forgotten(&training, &ScheduleState::default(), &jobs, 7).unwrap();
        assert_eq!((found.job.as_str(), found.started_at.as_second(), found.records), ("flows-200", 200, 7));
        let remembered = ScheduleState { last_run: Some(found), ..ScheduleState::default() };
        assert_eq!(forgotten(&training, &remembered, &jobs, 7), None);
        assert_eq!(forgotten(&training, &ScheduleState::default(), &[], 7), None);
    }
}
