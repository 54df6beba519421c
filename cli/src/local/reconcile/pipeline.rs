//! The pipeline of a run.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_contract::progress::SiteStatus;
use vedette_core::desired::labels::Component;
use vedette_core::desired::{GeneratorChild, Live, PipelineChildren, names, topics_job_name};
use vedette_core::event::Event;
use vedette_core::health::HealthSeen;
use vedette_core::pipeline::{BucketAnswer, BucketTrouble, Pipeline, PipelinePlan, PipelineSeen};
use vedette_core::platform::{ApplyFailure, Conclusion, Platform, reconcile};
use vedette_core::reason::{ReadyReason, Reason};
use vedette_core::site::SiteFile;
use vedette_core::site_status::{self, SiteStatusUpdate};
use vedette_core::status::{MODEL_CURRENT, find};
use vedette_core::validate::ValidatedPipeline;
use vedette_crds::AnomalyPipelineStatus;
use vedette_look as look;
use vedette_look::bucket_view::{self, PointerView};
use vedette_registry::sites;
use vedette_service::error_chain;
use vedette_streams::bucket::Bucket;

use super::{GENERATION, supervised};
use crate::local::error::LocalError;
use crate::local::supervisor::Supervisor;
use crate::output::Console;

/// How often is looked at what the processes tell.
const HEALTH_LOOK: SignedDuration = SignedDuration::from_secs(5);

/// The pipeline of a run, with its status.
pub(crate) struct LocalPipeline<'a> {
    object: Arc<ValidatedPipeline>,
    site: Arc<SiteFile>,
    bucket: Bucket,
    supervisor: &'a Supervisor,
    console: &'a Console,
    pub(super) status: AnomalyPipelineStatus,
    applied: Option<PipelineChildren>,
    published: Option<SiteStatus>,
    publish_answer: BucketAnswer,
    health: Option<HealthSeen>,
    health_looked_at: Option<Timestamp>,
}

impl<'a> LocalPipeline<'a> {
    /// Starts from what the bucket says; nothing is remembered from an earlier run.
    pub(crate) fn new(
        object: ValidatedPipeline,
        site: SiteFile,
        bucket: Bucket,
        supervisor: &'a Supervisor,
        console: &'a Console,
    ) -> Self {
        Self {
            object: Arc::new(object),
            site: Arc::new(site),
            bucket,
            supervisor,
            console,
            status: AnomalyPipelineStatus::default(),
            applied: None,
            published: None,
            publish_answer: BucketAnswer::Unasked,
            health: None,
            health_looked_at: None,
        }
    }

    /// One reconcile. It is done again soon, whatever the core asks for: looking costs nothing here.
    ///
    /// # Errors
    /// When the supervisor refuses something.
    pub(crate) async fn step(&mut self, now: Timestamp) -> Result<(), LocalError> {
        let (object, site, before) = (Arc::clone(&self.object), Arc::clone(&self.site), self.status.clone());
        reconcile::<Pipeline, _>(self, &object, &site, &before, now).await.map(drop)
    }

    /// What runs, as it was applied last; none before the first step.
    pub(crate) fn children(&self) -> Option<&PipelineChildren> {
        self.applied.as_ref()
    }

    /// Whether no roll is under way.
    pub(crate) fn is_settled(&self) -> bool {
        self.status.model.as_ref().is_none_or(|model| model.target.is_none())
    }

    async fn pointer(&self) -> PointerView {
        match &self.object.model.training {
            Some(training) => {
                bucket_view::pointer(&self.bucket, &ModelKeys::new(&self.object.namespace, training)).await
            }
            None => PointerView::not_followed(),
        }
    }

    /// What the processes tell, not looked at with each step. What cannot be read stands as it was.
    async fn health(&mut self, now: Timestamp) -> Option<HealthSeen> {
        let is_due = self.health_looked_at.is_none_or(|then| now.duration_since(then) >= HEALTH_LOOK);
        if is_due {
            self.health_looked_at = Some(now);
            let keys = PipelineKeys::new(&self.object.namespace, &self.object.name);
            match look::health(&self.bucket, &keys, &self.site.site.name).await {
                Ok(seen) => self.health = Some(seen),
                Err(error) => tracing::warn!(error = error_chain(&error), "what processes tell is not known yet"),
            }
        }
        self.health.clone()
    }

    /// Ends the detectors where none is wanted any more, as the last model that there was failed.
    async fn stop_surplus(&self, children: &PipelineChildren) {
        let surplus = self.applied.as_ref().and_then(|applied| applied.detector.as_ref());
        let surplus = surplus.filter(|_| children.detector.is_none());
        if let Some(name) = surplus.and_then(|detector| detector.metadata.name.as_deref()) {
            self.supervisor.stop(name).await;
        }
    }

    fn start(&self, plan: &PipelinePlan) -> Result<(), LocalError> {
        let children = &plan.children;
        self.supervisor.apply_deployment(&children.archiver)?;
        if let Some(notifier) = &children.notifier {
            self.supervisor.apply_deployment(notifier)?;
        }
        match &children.generator {
            Some(GeneratorChild::Deployment(deployment)) => self.supervisor.apply_deployment(deployment)?,
            Some(GeneratorChild::Job(job)) if plan.generator.needs_job() => self.supervisor.apply_job(job)?,
            Some(GeneratorChild::Job(_)) | None => {}
        }
        if let Some(detector) = &children.detector {
            self.supervisor.apply_deployment(detector)?;
        }
        Ok(())
    }

    /// Events as they are, and the model's condition whenever it says something else.
    fn print(&self, before: &AnomalyPipelineStatus, conclusion: &Conclusion<AnomalyPipelineStatus>) {
        for event in &conclusion.events {
            match event {
                Event::Flipped(condition) if ends_the_run(condition) => {}
                Event::Flipped(condition) => self.console.condition(condition),
                Event::Roll(_) | Event::RunStarted { .. } | Event::RunEnded(_) => self.console.say(&event.message()),
            }
        }
        let said = |status: &AnomalyPipelineStatus| {
            let condition = find(&status.conditions, MODEL_CURRENT)?;
            Some((condition.status.clone(), condition.reason.clone(), condition.message.clone()))
        };
        if said(before) != said(&conclusion.status) {
            find(&conclusion.status.conditions, MODEL_CURRENT).iter().for_each(|model| self.console.condition(model));
        }
    }

    /// Writes `sites/<site>.json` where it changed or grew old. A bucket that refuses it is told of and tried again.
    async fn publish_site_status(&mut self, update: &SiteStatusUpdate) {
        let SiteStatusUpdate { keys, status } = update;
        if !site_status::is_due(self.published.as_ref(), status) {
            return;
        }
        self.publish_answer = match sites::write(&self.bucket, keys, status).await {
            Ok(()) => {
                self.published = Some(status.clone());
                BucketAnswer::Answers
            }
            Err(error) => {
                let message = error_chain(&error);
                tracing::warn!(error = message, "the site's status was not written");
                BucketAnswer::Trouble(BucketTrouble { reason: error.reason(), message })
            }
        };
    }
}

/// What the supervisor refuses ends the run, which is printed then.
pub(super) fn ends_the_run(condition: &Condition) -> bool {
    condition.reason == ReadyReason::ApplyFailed.as_str()
}

impl Platform<Pipeline> for LocalPipeline<'_> {
    type Error = LocalError;

    async fn look(
        &mut self,
        object: &ValidatedPipeline,
        before: &AnomalyPipelineStatus,
    ) -> Result<PipelineSeen, LocalError> {
        let (view, health) = (self.pointer().await, self.health(Timestamp::now()).await);
        let workload = |component| self.supervisor.workload(&names::deployment(&object.name, component));
        Ok(PipelineSeen {
            generation: Some(GENERATION),
            live: Live::default(),
            retry_model: None,
            missing: Vec::new(),
            bucket: look::model(&self.bucket, object, before, view, self.publish_answer.clone()).await,
            health,
            topics_job: supervised::job_state(self.supervisor, &topics_job_name(object, &self.site)),
            topics_pods: 0,
            // The topics of the embedded broker are those that the Job makes, and nobody else's.
            topic_report: None,
            topics_looked_at: Some(Timestamp::now()),
            trainings: None,
            // Nothing runs beside a process.
            left_over: Vec::new(),
            generator: supervised::generator(self.supervisor, self.applied.as_ref()),
            detector: workload(Component::Detector),
            uncounted: None,
            archiver: workload(Component::Archiver),
            notifier: workload(Component::Notifier),
            jitter: 1.0,
        })
    }

    async fn apply(&mut self, _object: &ValidatedPipeline, plan: &PipelinePlan) -> Result<(), LocalError> {
        if plan.topics.needs_job() {
            self.supervisor.apply_job(&plan.children.topics_job)?;
        }
        if plan.topics.lets_workloads_start() {
            self.start(plan)?;
        }
        self.stop_surplus(&plan.children).await;
        self.applied = Some(plan.children.clone());
        Ok(())
    }

    fn failure(&self, error: &LocalError) -> ApplyFailure {
        error.into()
    }

    async fn tell(
        &mut self,
        before: &AnomalyPipelineStatus,
        conclusion: &Conclusion<AnomalyPipelineStatus>,
    ) -> Result<(), LocalError> {
        self.print(before, conclusion);
        self.status = conclusion.status.clone();
        if let Some(update) = &conclusion.site_status {
            self.publish_site_status(update).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    #[test]
    fn only_what_the_supervisor_refuses_is_left_to_the_end_of_the_run() {
        let ends = |reason: &str| {
            ends_the_run(&Condition {
                type_: "Ready".to_owned(),
                status: "False".to_owned(),
                reason: reason.to_owned(),
                message: String::new(),
                observed_generation: None,
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
            })
        };
        assert!(ends("ApplyFailed"));
        assert!(!ends("PodsNotReady") && !ends("TopicJobFailed"));
    }
}
