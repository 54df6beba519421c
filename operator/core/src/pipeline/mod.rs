//! An `AnomalyPipeline`: what is seen of it, what has to be there, and what is told of it.

mod conclude;
mod decide;
mod status;
mod topics;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use vedette_contract::Name;
use vedette_contract::progress::SiteTopics;
use vedette_contract::topic::TopicReport;
use vedette_crds::AnomalyPipelineStatus;

use crate::desired::{Live, PipelineChildren};
use crate::health::HealthSeen;
use crate::job_state::JobState;
use crate::platform::{ApplyFailure, Conclusion, Kind, Refused};
use crate::reason::{BucketReason, ModelReason, Reason};
use crate::refusal::Refusal;
use crate::roll::{Artifact, Pointer, RollStep};
use crate::site::{Missing, SiteFile};
use crate::validate::{ValidatedPipeline, ValidatedReceiver};
use crate::workload::Workload;
use topics::TopicsFound;

/// The kind `AnomalyPipeline`.
#[derive(Debug, Clone, Copy)]
pub enum Pipeline {}

impl Kind for Pipeline {
    type Object = ValidatedPipeline;
    type Status = AnomalyPipelineStatus;
    type Seen = PipelineSeen;
    type Plan = PipelinePlan;
    type Applied = ();

    fn decide(
        object: &ValidatedPipeline,
        site: &SiteFile,
        before: &AnomalyPipelineStatus,
        seen: PipelineSeen,
        now: Timestamp,
    ) -> PipelinePlan {
        decide::decide(object, site, before, seen, now)
    }

    fn conclude(
        plan: &PipelinePlan,
        applied: Result<&(), ApplyFailure>,
        now: Timestamp,
    ) -> Conclusion<AnomalyPipelineStatus> {
        conclude::conclude(plan, applied.err(), now)
    }

    fn refuse(
        refused: &Refused<'_, AnomalyPipelineStatus>,
        refusal: Refusal,
        now: Timestamp,
    ) -> Conclusion<AnomalyPipelineStatus> {
        conclude::refuse(refused, refusal, now)
    }
}

/// What a platform sees of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineSeen {
    /// Generation of the spec.
    pub generation: Option<i64>,
    /// For the builders.
    pub live: Live,
    /// Value of the annotation that has rejected model versions tried again.
    pub retry_model: Option<String>,
    /// What the pods need of Secrets and ConfigMaps and is not there.
    pub missing: Vec<Missing>,
    pub bucket: BucketSeen,
    /// What its processes tell; none before anybody has looked.
    pub health: Option<HealthSeen>,
    /// Trainings of this namespace, where they are known.
    pub trainings: Option<Vec<Name>>,
    /// The Job that creates the topics.
    pub topics_job: JobState,
    /// Its pods that have not ended.
    pub topics_pods: i32,
    /// What it found, where it says so.
    pub topic_report: Option<TopicReport>,
    /// When it completed.
    pub topics_looked_at: Option<Timestamp>,
    /// Jobs that did their task, and that what runs beside it keeps.
    pub left_over: Vec<String>,
    /// The generators, where there are to be any.
    pub generator: GeneratorSeen,
    /// The detectors.
    pub detector: Workload,
    /// Why their autoscaler counts nothing, where it says so.
    pub uncounted: Option<String>,
    /// The archivers.
    pub archiver: Workload,
    /// The notifier.
    pub notifier: Workload,
    /// Between .9 and 1.1, so that many objects are not looked at again at once.
    pub jitter: f64,
}

/// What the bucket says of the model, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketSeen {
    /// The training's pointer.
    pub pointer: Pointer,
    /// The artifact of the wanted version, where it has to be looked at.
    pub artifact: Option<Artifact>,
    /// How the bucket itself stands.
    pub answer: BucketAnswer,
}

/// How the bucket itself stands, by what it answered last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BucketAnswer {
    /// It was asked for nothing yet, or has answered nothing.
    Unasked,
    /// It answers.
    Answers,
    /// It does not, or not as it should.
    Trouble(BucketTrouble),
}

impl BucketAnswer {
    /// Of what was read and what was written, that which says more.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Trouble(trouble), _) | (Self::Unasked | Self::Answers, Self::Trouble(trouble)) => {
                Self::Trouble(trouble)
            }
            (Self::Answers, Self::Unasked | Self::Answers) | (Self::Unasked, Self::Answers) => Self::Answers,
            (Self::Unasked, Self::Unasked) => Self::Unasked,
        }
    }

    /// One word.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unasked => BucketReason::NotAsked.as_str(),
            Self::Answers => BucketReason::Reachable.as_str(),
            Self::Trouble(BucketTrouble { reason, message: _ }) => reason,
        }
    }
}

/// What is wrong with the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketTrouble {
    /// One word.
    pub reason: &'static str,
    /// What was attempted, and what to do.
    pub message: String,
}

/// What generates records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GeneratorSeen {
    /// For ever.
    Workload(Workload),
    /// Each row of a data set once.
    Job {
        /// How its Job stands.
        state: JobState,
        /// Its pods that have not ended.
        pods: i32,
    },
}

/// What has to be there.
#[derive(Debug, Clone)]
pub struct PipelinePlan {
    /// Everything that the pipeline consists of.
    pub children: PipelineChildren,
    /// What has to be done about the topics.
    pub topics: TopicsStep,
    /// What has to be done about the Job of a generator, where one is to walk its data set once.
    pub generator: GeneratorStep,
    /// Whether the count of the detectors is ours to set.
    pub count: CountClaim,
    roll: RollStep,
    topics_found: TopicsFound,
    /// The generator's Job that is remembered as completed, while the spec asks for that very walk.
    completed_generator: Option<String>,
    /// Jobs that make way, with their pods: they did their task, and that is remembered.
    pub left_over: Vec<String>,
    seen: PipelineSeen,
    before: AnomalyPipelineStatus,
    site: Name,
    site_topics: SiteTopics,
    alert_budget_per_million: Option<f64>,
    added_fields: Vec<String>,
    renamed_fields: BTreeMap<String, String>,
    namespace: Name,
    name: Name,
    suspend: bool,
    training: Option<Name>,
    receivers: Vec<ValidatedReceiver>,
    progress_deadline: SignedDuration,
}

impl PipelinePlan {
    /// The training that is followed and those that are here, where it is none of them and has published nothing.
    fn unknown_training_among(&self) -> Option<(&Name, &[Name])> {
        let (training, known) = (self.training.as_ref()?, self.seen.trainings.as_deref()?);
        let has_nothing =
            self.seen.bucket.pointer == Pointer::Absent && self.roll.condition.reason == ModelReason::NoModel;
        (has_nothing && !known.contains(training)).then_some((training, known))
    }
}

/// What has to be done about the topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicsStep {
    /// None was ever created: their Job comes first, and nothing that reads or writes them starts before it completed.
    First,
    /// Others are wanted than were created, or it is time to look whether they still are as is stated: their Job runs beside everything else.
    Again,
    /// They are there. Their Job is not wanted again when its time to live is over.
    Done,
}

impl TopicsStep {
    /// Whether the Job has to be there.
    pub fn needs_job(self) -> bool {
        self != Self::Done
    }

    /// Whether what reads and writes the topics may start.
    pub fn lets_workloads_start(self) -> bool {
        self != Self::First
    }
}

/// What has to be done about the Job of a generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeneratorStep {
    /// It has to be there, where there is one.
    Wanted,
    /// It has walked its data set. Deleted by somebody, it is not wanted again: every record would come twice.
    Finished,
}

impl GeneratorStep {
    /// Whether the Job has to be there.
    pub fn needs_job(self) -> bool {
        self != Self::Finished
    }
}

/// Whether the count of the detectors is ours to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountClaim {
    /// It is, whoever set another.
    Ours,
    /// An autoscaler may have set another since it was read; then that one counts.
    UntilSetByAnother,
}

#[cfg(test)]
mod tests;
