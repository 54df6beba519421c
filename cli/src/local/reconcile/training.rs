//! A training of a run.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
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

use super::pipeline::ends_the_run;
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

    fn print_event(&self, event: &Event) {
        match event {
            Event::RunStarted { run, reason } => {
                self.print(&format!("{} started, {}: {} records archived", run.job, reason.as_str(), run.records));
            }
            Event::RunEnded(ended) => match &ended.left {
                Some(result) => self.console.say(&sentence(&self.object.name, result)),
                None => self.print(&format!("{} failed: {}", ended.result.job, ended.result.message)),
            },
            // `Ready` is printed whenever it says something else.
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
        before: &ModelTrainingStatus,
        conclusion: &Conclusion<ModelTrainingStatus>,
    ) -> Result<(), LocalError> {
        conclusion.events.iter().for_each(|event| self.print_event(event));
        let after = &conclusion.status.conditions;
        if let Some(Condition { type_, status, reason, message, .. }) =
            news_of_ready(&before.conditions, after, self.decision.as_ref())
        {
            self.print(&format!("{type_}={} {reason}: {message}", status.to_lowercase()));
        }
        self.status = conclusion.status.clone();
        Ok(())
    }
}

/// `Ready` where it says something else than before, and neither an event nor the end of the program says that anyway.
fn news_of_ready<'a>(
    before: &[Condition],
    after: &'a [Condition],
    decision: Option<&Decision>,
) -> Option<&'a Condition> {
    let said = |condition: &Condition| (condition.status.clone(), condition.reason.clone(), condition.message.clone());
    let ready = find(after, READY)?;
    let is_new = find(before, READY).map(said) != Some(said(ready));
    let is_of_a_run = matches!(decision, Some(Decision::Done | Decision::Running | Decision::Start { .. }));
    let is_told = ends_the_run(ready) || (is_of_a_run && ready.status == "True");
    (is_new && !is_told).then_some(ready)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn ready(status: &str, reason: &str) -> [Condition; 1] {
        [Condition {
            type_: READY.to_owned(),
            status: status.to_owned(),
            reason: reason.to_owned(),
            message: "because".to_owned(),
            observed_generation: None,
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        }]
    }

    #[test]
    fn what_ready_says_is_printed_once_and_not_beside_an_event_that_says_it() {
        let printed = |before: &[Condition], after: &[Condition], decision: Option<&Decision>| {
            news_of_ready(before, after, decision).map(|ready| ready.reason.clone())
        };
        let (waits, runs) = (Decision::WaitingUntil(Timestamp::UNIX_EPOCH), Decision::Running);
        let (elsewhere, failed) = (ready("True", "RunsAtOtherSite"), ready("False", "LastRunFailed"));
        let under_way = ready("True", "Running");
        assert_eq!(printed(&[], &elsewhere, None).as_deref(), Some("RunsAtOtherSite"));
        assert_eq!(printed(&elsewhere, &elsewhere, None), None);
        assert_eq!(printed(&elsewhere, &under_way, Some(&runs)), None, "it was said that the run started");
        assert_eq!(printed(&under_way, &failed, Some(&waits)).as_deref(), Some("LastRunFailed"));
        assert_eq!(printed(&under_way, &failed, Some(&runs)).as_deref(), Some("LastRunFailed"));
        assert_eq!(printed(&failed, &ready("False", "ApplyFailed"), Some(&waits)), None, "that ends the program");
    }
}
