//! A training of a run.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use vedette_core::event::Event;
use vedette_core::platform::{ApplyFailure, Conclusion, Platform, reconcile};
use vedette_core::run_result::sentence;
use vedette_core::schedule::{Decision, Run};
use vedette_core::site::SiteFile;
use vedette_core::status::{READY, find};
use vedette_core::training::{NamesSeen, RunSeen, Training, TrainingPlan, TrainingSeen, run_under_way};
use vedette_core::validate::ValidatedTraining;
use vedette_crds::{ModelTrainingStatus, TrainingResult};
use vedette_look as look;
use vedette_streams::bucket::Bucket;

use super::{GENERATION, supervised};
use crate::local::error::LocalError;
use crate::local::supervisor::Supervisor;
use crate::output::Console;

/// A training of a run, with its status.
pub(crate) struct LocalTraining<'a> {
    object: Arc<ValidatedTraining>,
    site: Arc<SiteFile>,
    bucket: Bucket,
    supervisor: &'a Supervisor,
    console: &'a Console,
    created_at: Timestamp,
    /// Value of the annotation by which somebody asks for a run.
    request: Option<String>,
    pub(super) status: ModelTrainingStatus,
    decision: Option<Decision>,
    /// What it waits for, as it was printed last.
    waits: Option<String>,
}

impl<'a> LocalTraining<'a> {
    /// Nothing is remembered from an earlier run, but for what the bucket says.
    pub(crate) fn new(
        object: ValidatedTraining,
        site: SiteFile,
        bucket: Bucket,
        supervisor: &'a Supervisor,
        console: &'a Console,
        now: Timestamp,
    ) -> Self {
        Self {
            object: Arc::new(object),
            site: Arc::new(site),
            bucket,
            supervisor,
            console,
            created_at: now,
            request: None,
            status: ModelTrainingStatus::default(),
            decision: None,
            waits: None,
        }
    }

    /// The same, of which somebody asks for a run.
    pub(crate) fn asked(mut self, request: String) -> Self {
        self.request = Some(request);
        self
    }

    /// What came of its last run, once that has ended.
    pub(crate) fn result(&self) -> Option<&TrainingResult> {
        self.status.history.first()
    }

    /// Why no run begins, however long one waits where nothing else runs.
    pub(crate) fn rests(&self) -> Option<&str> {
        match &self.decision {
            Some(Decision::Suspended | Decision::WaitingForData { .. }) => {
                find(&self.status.conditions, READY).map(|ready| ready.message.as_str())
            }
            Some(Decision::Done | Decision::Running | Decision::Start { .. } | Decision::WaitingUntil(_)) | None => {
                None
            }
        }
    }

    /// One reconcile. It is done again soon, whatever the core asks for: looking costs nothing here.
    ///
    /// # Errors
    /// When the supervisor refuses the Job.
    pub(crate) async fn step(&mut self, now: Timestamp) -> Result<(), LocalError> {
        let (object, site, before) = (Arc::clone(&self.object), Arc::clone(&self.site), self.status.clone());
        reconcile::<Training, _>(self, &object, &site, &before, now).await.map(drop)
    }

    /// Says what it waits for once, until it waits for something else.
    fn print_wait(&mut self) {
        let waits = match &self.decision {
            None => "RunsAtOtherSite: its Jobs run at the site that spec.site names".to_owned(),
            Some(Decision::WaitingForData { needed, .. }) => format!("waiting for {needed} archived records"),
            Some(Decision::WaitingUntil(time)) => format!("next run at {time}"),
            Some(Decision::Suspended) => "suspended".to_owned(),
            Some(Decision::Done | Decision::Running | Decision::Start { .. }) => return,
        };
        if self.waits.as_ref() != Some(&waits) {
            self.print(&waits);
            self.waits = Some(waits);
        }
    }

    fn print_event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { run, reason } => {
                self.print(&format!("{} started, {}: {} records archived", run.job, reason.as_str(), run.records));
                self.waits = None;
            }
            Event::RunEnded(ended) => match &ended.left {
                Some(result) => self.console.say(&sentence(&self.object.name, result)),
                None => self.print(&format!("{} failed: {}", ended.result.job, ended.result.message)),
            },
            // What it waits for says as much.
            Event::Flipped(_) | Event::Roll(_) => {}
        }
    }

    fn print(&self, text: &str) {
        self.console.say(&format!("training {}: {text}", self.object.name));
    }
}

impl Platform<Training> for LocalTraining<'_> {
    type Error = LocalError;

    async fn look(
        &mut self,
        object: &ValidatedTraining,
        before: &ModelTrainingStatus,
    ) -> Result<TrainingSeen, LocalError> {
        let runs_here = object.runs_at(&self.site);
        let archive = look::archive(&self.bucket, object, before, runs_here).await;
        if runs_here && let Err(error) = &archive.records {
            tracing::warn!(error, "the archive's progress cannot be read");
        }
        let run = match run_under_way(before) {
            None => RunSeen::None,
            Some(Run { job, .. }) => {
                look::run(&self.bucket, object, &job, supervised::job_state(self.supervisor, &job)).await
            }
        };
        Ok(TrainingSeen {
            generation: Some(GENERATION),
            created_at: Some(self.created_at),
            request: self.request.clone(),
            archive,
            // Nobody else tells of anything in a run.
            names: NamesSeen::default(),
            run,
            count_again: Duration::ZERO,
            jitter: 1.0,
        })
    }

    async fn apply(&mut self, _object: &ValidatedTraining, plan: &TrainingPlan) -> Result<Option<Run>, LocalError> {
        if let Some(start) = &plan.start {
            self.supervisor.apply_job(&start.job)?;
        }
        self.decision.clone_from(&plan.decision);
        Ok(None)
    }

    fn failure(&self, error: &LocalError) -> ApplyFailure {
        error.into()
    }

    async fn tell(
        &mut self,
        _before: &ModelTrainingStatus,
        conclusion: &Conclusion<ModelTrainingStatus>,
    ) -> Result<(), LocalError> {
        conclusion.events.iter().for_each(|event| self.print_event(event));
        self.print_wait();
        self.status = conclusion.status.clone();
        Ok(())
    }
}
