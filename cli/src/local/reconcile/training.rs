//! Starts the Jobs of one training when its schedule, its triggers or its data say so, and tells what came of them.

use jiff::Timestamp;
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_core::desired::build_training_job;
use vedette_core::run_result;
use vedette_core::schedule::{self, Decision, Observed, ScheduleState};
use vedette_core::site::SiteFile;
use vedette_core::validate::ValidatedTraining;
use vedette_operator::bucket_view::{self, ResultView};
use vedette_streams::bucket::Bucket;

use crate::local::error::LocalError;
use crate::local::supervisor::{JobStatus, Supervisor};
use crate::output::Console;

/// One training's side of the loop.
pub struct TrainingReconciler {
    training: ValidatedTraining,
    site: SiteFile,
    bucket: Bucket,
    created_at: Timestamp,
    state: ScheduleState,
    last_decision: Option<String>,
}

impl TrainingReconciler {
    /// Remembers the last version in the bucket as the last run, so that a second run on the same data waits for its
    /// trigger instead of learning the same records again.
    pub async fn new(training: ValidatedTraining, site: SiteFile, bucket: Bucket, now: Timestamp) -> Self {
        let keys = ModelKeys::new(&training.namespace, &training.name);
        let last_run = bucket_view::last_published(&bucket, &keys).await.unwrap_or_else(|error| {
            tracing::warn!(error, "the last model version cannot be read; the training starts anew");
            None
        });
        let state = ScheduleState { last_run, ..ScheduleState::default() };
        Self { training, site, bucket, created_at: now, state, last_decision: None }
    }

    /// One step: settles the run under way, then starts the next if one is due.
    ///
    /// # Errors
    /// When the supervisor refuses the Job.
    pub async fn step(&mut self, supervisor: &Supervisor, console: &Console, now: Timestamp) -> Result<(), LocalError> {
        if !self.training.runs_here {
            self.tell(console, "RunsAtOtherSite: its Jobs run at the site that spec.site names");
            return Ok(());
        }
        self.settle(supervisor, console, now).await;
        let keys = PipelineKeys::new(&self.training.namespace, &self.training.data.pipeline);
        let records = match bucket_view::archived_records(&self.bucket, &keys, &self.training.data.sites).await {
            Ok(records) => Some(records),
            Err(error) => {
                tracing::warn!(error = vedette_service::error_chain(&error), "the archive's progress cannot be read");
                None
            }
        };
        let observed = Observed { created_at: self.created_at, records, request: None, now };
        match schedule::decide(self.training.name.as_str(), &self.training.schedule, &self.state, &observed) {
            Decision::Start { reason, state } => {
                if let Some(run) = &state.last_run {
                    supervisor.apply_job(&build_training_job(&self.training, &self.site, &run.job))?;
                    self.tell(
                        console,
                        &format!("{} started, {}: {} records archived", run.job, reason.as_str(), run.records),
                    );
                }
                self.state = state;
            }
            Decision::WaitingForData { needed, .. } => {
                self.tell(console, &format!("waiting for {needed} archived records"));
            }
            Decision::WaitingUntil(time) => self.tell(console, &format!("next run at {time}")),
            Decision::Suspended => self.tell(console, "suspended"),
            Decision::Done | Decision::Running => {}
        }
        Ok(())
    }

    async fn settle(&mut self, supervisor: &Supervisor, console: &Console, now: Timestamp) {
        let Some(run) = self.state.last_run.clone().filter(|run| run.finished_at.is_none()) else {
            return;
        };
        let failed = match supervisor.job_status(&run.job) {
            JobStatus::Running => return,
            JobStatus::Complete => false,
            JobStatus::Failed { reason } => {
                console.say(&format!("training {}: {} failed: {reason}", self.training.name, run.job));
                true
            }
            JobStatus::Absent => true,
        };
        let keys = ModelKeys::new(&self.training.namespace, &self.training.name);
        match bucket_view::training_result(&self.bucket, &keys, &run.job).await {
            Ok(ResultView::Found(result)) => console.say(&run_result::sentence(&self.training.name, &result)),
            Ok(ResultView::Damaged(message)) => tracing::warn!(message, "a training's result counts as none"),
            Ok(ResultView::Absent) if failed => {}
            Ok(ResultView::Absent) => tracing::warn!(job = run.job, "a training ended without a result"),
            Err(error) => {
                return tracing::warn!(
                    error = vedette_service::error_chain(&error),
                    "a training's result cannot be read yet"
                );
            }
        }
        self.state = schedule::finished(&self.state, failed, now);
    }

    /// Says it once, until something else is to be said.
    fn tell(&mut self, console: &Console, message: &str) {
        if self.last_decision.as_deref() != Some(message) {
            console.say(&format!("training {}: {message}", self.training.name));
            self.last_decision = Some(message.to_owned());
        }
    }
}
