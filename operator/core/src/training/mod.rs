//! A `ModelTraining`: what is seen of it, what has to be there, and what is told of it.

mod adopt;
mod conclude;
mod decide;
mod status;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use vedette_contract::Name;
use vedette_contract::model::TrainingResult;
use vedette_crds::ModelTrainingStatus;

pub use self::adopt::{forgotten_run, replaced_jobs};
use crate::job_state::{JobState, Trouble, is_outdated};
use crate::job_step::{failed_beside_others, is_kept_by_others, lost_pod};
use crate::platform::{ApplyFailure, Conclusion, Kind, Refused};
use crate::refusal::Refusal;
use crate::run_result::Ended;
use crate::schedule::{Decision, Run, ScheduleState, StartReason};
use crate::site::SiteFile;
use crate::status::schedule_state;
use crate::validate::ValidatedTraining;

/// The kind `ModelTraining`.
#[derive(Debug, Clone, Copy)]
pub enum Training {}

impl Kind for Training {
    type Object = ValidatedTraining;
    type Status = ModelTrainingStatus;
    type Seen = TrainingSeen;
    type Plan = TrainingPlan;
    /// The run of a Job that was started before and not remembered, in place of a new one.
    type Applied = Option<Run>;

    fn decide(
        object: &ValidatedTraining,
        site: &SiteFile,
        before: &ModelTrainingStatus,
        seen: TrainingSeen,
        now: Timestamp,
    ) -> TrainingPlan {
        decide::decide(object, site, before, seen, now)
    }

    fn conclude(
        plan: &TrainingPlan,
        applied: Result<&Option<Run>, ApplyFailure>,
        now: Timestamp,
    ) -> Conclusion<ModelTrainingStatus> {
        conclude::conclude(plan, applied, now)
    }

    fn refuse(
        refused: &Refused<'_, ModelTrainingStatus>,
        refusal: Refusal,
        now: Timestamp,
    ) -> Conclusion<ModelTrainingStatus> {
        conclude::refuse(refused, refusal, now)
    }
}

/// The run that is under way, by the status.
pub fn run_under_way(status: &ModelTrainingStatus) -> Option<Run> {
    schedule_state(status).last_run.filter(|run| run.finished_at.is_none())
}

/// What a platform sees of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingSeen {
    /// Generation of the spec.
    pub generation: Option<i64>,
    /// When it was created, where that is known.
    pub created_at: Option<Timestamp>,
    /// Value of the annotation that asks for a run.
    pub request: Option<String>,
    pub archive: ArchiveSeen,
    pub names: NamesSeen,
    /// The run under way.
    pub run: RunSeen,
    /// How soon the records are to be counted again.
    pub count_again: Duration,
    /// Between .9 and 1.1, so that many objects are not looked at again at once.
    pub jitter: f64,
}

/// What the bucket says of what there is to learn from, and of what was learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveSeen {
    /// Records in the archive, or why they are not known.
    pub records: Result<u64, String>,
    /// The run that published the current version, where no run is remembered: so that a training that is new here does not
    /// learn the same records again.
    pub last_published: Option<Run>,
}

/// What there is of what the spec names; none where that is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamesSeen {
    /// Sites that have told of the pipeline, and the one that learned the current version: it may have no pipeline of its own.
    /// Looked up where the Jobs run at another one, or where nothing is archived.
    pub sites: Option<Vec<Name>>,
    /// Pipelines of this namespace.
    pub pipelines: Option<Vec<Name>>,
}

/// The run under way.
#[derive(Debug, Clone, PartialEq)]
pub enum RunSeen {
    /// None is.
    None,
    /// Whether it left a result cannot be read yet.
    Unreadable,
    /// Its Job does nothing that would be lost, and would be made otherwise now.
    Outdated { trouble: Option<Trouble> },
    /// How its Job stands, and what it left in the bucket.
    Seen {
        job: JobState,
        /// Its result.
        left: Option<Box<TrainingResult>>,
    },
}

impl RunSeen {
    /// As it is where its Job stands beside what it would be now; the pods are its own.
    #[must_use]
    pub fn beside(self, wanted: &Job, live: Option<&Job>, pods: &[&Pod], now: Timestamp) -> Self {
        match (self, live, live.and_then(|live| lost_pod(live, pods, now))) {
            // What it left counts, however its process ended, and Kubernetes does not say that the Job is over.
            (Self::Seen { job: JobState::Running { trouble: _ }, left: Some(left) }, Some(live), _)
                if is_kept_by_others(live, pods) =>
            {
                Self::Seen { job: JobState::Complete, left: Some(left) }
            }
            // Kubernetes makes no other pod before somebody deletes the Node; the schedule tries again. What it left counts.
            (Self::Seen { job: JobState::Running { trouble: _ }, left }, _, Some(cause)) => {
                Self::Seen { job: JobState::Failed { cause }, left }
            }
            // Kubernetes makes no other pod while what runs beside the process keeps this one; the schedule tries again.
            (
                Self::Seen { job: JobState::Running { trouble: Some(Trouble::Failed(cause)) }, left: None },
                Some(_),
                _,
            ) if failed_beside_others(pods).is_some() => Self::Seen { job: JobState::Failed { cause }, left: None },
            (Self::Seen { job: JobState::Running { trouble }, left: None }, Some(live), _)
                if is_outdated(live, wanted, pods.iter().copied()) =>
            {
                Self::Outdated { trouble }
            }
            (seen, _, _) => seen,
        }
    }

    /// What holds it up, if anything does.
    fn trouble(&self) -> Option<&str> {
        match self {
            Self::Seen { job: JobState::Running { trouble }, left: _ } | Self::Outdated { trouble } => {
                trouble.as_ref().map(Trouble::text)
            }
            Self::None | Self::Unreadable | Self::Seen { .. } => None,
        }
    }
}

/// What has to be there.
#[derive(Debug, Clone)]
pub struct TrainingPlan {
    /// What is decided; none where its Jobs run at another site.
    pub decision: Option<Decision>,
    /// The run that is to be started, if one is.
    pub start: Option<Start>,
    ended: Option<Ended>,
    /// The runs as they are remembered unless one is started.
    state: ScheduleState,
    seen: TrainingSeen,
    before: ModelTrainingStatus,
    /// The status before, with the result of the run that ended.
    settled: ModelTrainingStatus,
    site: Name,
    pipeline: Name,
    minimum_records: u64,
    new_records: Option<u64>,
}

/// What the spec names and nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unknown<'a> {
    /// The site that the Jobs run at; these are known.
    Site(&'a [Name]),
    /// The pipeline that is to be learned from; these are here.
    Pipeline(&'a [Name]),
}

impl TrainingPlan {
    /// What may be misspelt, or come later: nobody here knows. Nothing is, where the bucket could not be read.
    fn unknown(&self) -> Option<Unknown<'_>> {
        let NamesSeen { sites, pipelines } = &self.seen.names;
        let (sites, runs_here) = (sites.as_deref()?, self.decision.is_some());
        if !sites.is_empty() {
            return (!runs_here && !sites.contains(&self.site)).then_some(Unknown::Site(sites));
        }
        // Where no site has told of it, the pipeline is in doubt before the site is; of one that is here, this site tells soon.
        let has_no_records = !runs_here || self.seen.archive.records == Ok(0);
        let known = pipelines.as_deref().filter(|known| has_no_records && !known.contains(&self.pipeline))?;
        Some(Unknown::Pipeline(known))
    }

    /// The Job of the last run that has ended. It makes way where what runs beside its process keeps it.
    pub fn ended_job(&self) -> Option<&str> {
        self.settled.history.first().map(|result| result.job.as_str())
    }
}

/// A run that is to be started.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Identity of its pods, where the training names none.
    pub service_account: Option<ServiceAccount>,
    pub job: Job,
    /// What is to be remembered of it.
    pub run: Run,
    /// The last run that is remembered.
    pub last_run: Option<Run>,
    reason: StartReason,
    state: ScheduleState,
}

#[cfg(test)]
mod tests;
