//! Which of a training's Jobs are there beside the one that is to be started. One that was started and not remembered, because
//! the operator ended in between, is the run; one that hangs makes place.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;

use super::Start;
use crate::job_state::is_over;
use crate::schedule::{self, Run};
use crate::validate::ValidatedTraining;

/// The newest of this training's Jobs, if it is newer than the last run that is remembered.
pub fn forgotten_run(object: &ValidatedTraining, start: &Start, jobs: &[Job]) -> Option<Run> {
    let own = jobs.iter().filter(|job| is_own(object, job)).filter_map(|job| job.metadata.name.clone());
    let started = own.filter_map(|job| Some((schedule::started_at(object.name.as_str(), &job)?, job)));
    let (started_at, job) = started.max()?;
    let last = start.last_run.as_ref().map_or(Timestamp::MIN, |run| run.started_at);
    (started_at > last).then_some(Run { job, started_at, finished_at: None, records: start.run.records })
}

/// This training's Jobs of earlier runs that are not over: nobody waits for them any more.
pub fn replaced_jobs<'a>(object: &ValidatedTraining, start: &Start, jobs: &'a [Job]) -> Vec<&'a Job> {
    let last = start.last_run.as_ref().map_or(Timestamp::MIN, |run| run.started_at);
    let started_at = |job: &Job| schedule::started_at(object.name.as_str(), job.metadata.name.as_deref()?);
    let is_earlier = |job: &&Job| started_at(job).is_some_and(|started_at| started_at <= last);
    jobs.iter().filter(|job| is_own(object, job) && !is_over(job)).filter(is_earlier).collect()
}

fn is_own(object: &ValidatedTraining, job: &Job) -> bool {
    let owners = job.metadata.owner_references.as_deref().unwrap_or_default();
    job.metadata.deletion_timestamp.is_none() && owners.iter().any(|owner| Some(&owner.uid) == object.uid.as_ref())
}
