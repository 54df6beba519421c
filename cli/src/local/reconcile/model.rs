//! Follows the current pointer: rolls the detectors of the pipeline, and says at this site's place in the bucket what runs.

use jiff::{SignedDuration, Timestamp};
use vedette_contract::keys::{ModelKeys, PipelineKeys};
use vedette_contract::progress::SiteStatus;
use vedette_core::desired::{Live, PipelineChildren, build_pipeline};
use vedette_core::roll::{self, ModelCurrent, Observed, RollState, Rollout};
use vedette_core::site::SiteFile;
use vedette_core::site_status;
use vedette_core::validate::ValidatedPipeline;
use vedette_operator::bucket_view::{self, PointerView};
use vedette_streams::bucket::Bucket;

use crate::local::error::LocalError;
use crate::local::supervisor::Supervisor;
use crate::output::Console;

/// The pipeline's side of the loop.
pub struct ModelReconciler {
    pipeline: ValidatedPipeline,
    site: SiteFile,
    bucket: Bucket,
    state: RollState,
    condition: Option<ModelCurrent>,
    site_status: Option<SiteStatus>,
}

impl ModelReconciler {
    /// Starts from what the bucket says; nothing is remembered from an earlier run.
    pub fn new(pipeline: ValidatedPipeline, site: SiteFile, bucket: Bucket) -> Self {
        Self { pipeline, site, bucket, state: RollState::default(), condition: None, site_status: None }
    }

    /// What has to run now.
    pub fn children(&self) -> PipelineChildren {
        build_pipeline(&self.pipeline, &self.site, self.state.template_version(), &Live::default())
    }

    /// Whether no roll is under way.
    pub fn is_settled(&self) -> bool {
        self.state.target.is_none()
    }

    /// One step: looks, decides, applies, tells.
    ///
    /// # Errors
    /// When the supervisor refuses the detectors' Deployment.
    pub async fn step(&mut self, supervisor: &Supervisor, console: &Console, now: Timestamp) -> Result<(), LocalError> {
        let keys =
            self.pipeline.model.training.as_ref().map(|training| ModelKeys::new(&self.pipeline.namespace, training));
        let view = match &keys {
            Some(keys) => bucket_view::pointer(&self.bucket, keys).await,
            None => PointerView::not_followed(),
        };
        let policy = &self.pipeline.model.policy;
        let artifact = match &keys {
            Some(keys) => bucket_view::artifact_of_wanted(&self.bucket, keys, &self.state, policy, &view).await,
            None => None,
        };
        let template = self.state.template_version().cloned();
        let rollout = self.children().detector.map_or(Rollout::Absent, |detector| supervisor.rollout(&detector));
        let observed = Observed {
            policy,
            pointer: &view.pointer,
            artifact: artifact.as_ref(),
            rollout: (template.as_ref(), &rollout),
            progress_deadline: SignedDuration::try_from(self.pipeline.model.progress_deadline)
                .unwrap_or(SignedDuration::MAX),
            now,
        };
        let step = roll::step(&self.state, &observed);
        for event in &step.events {
            console.say(&event.to_string());
        }
        if self.condition.as_ref() != Some(&step.condition) {
            console.say(&format!(
                "ModelCurrent={} {}: {}",
                step.condition.holds, step.condition.reason, step.condition.message
            ));
        }
        self.state = step.state;
        self.condition = Some(step.condition);
        if let Some(detector) = self.children().detector {
            supervisor.apply_deployment(&detector)?;
        }
        self.report(rollout == Rollout::Complete, now).await;
        Ok(())
    }

    /// Writes `sites/<site>.json` where it changed or grew old. A bucket that refuses it is told of and tried again.
    async fn report(&mut self, ready: bool, now: Timestamp) {
        let status = SiteStatus {
            site: self.site.site.name.clone(),
            training: self.pipeline.model.training.clone(),
            model_version: self.state.active.clone(),
            ready,
            updated_at: now,
        };
        if !site_status::is_due(self.site_status.as_ref(), &status) {
            return;
        }
        let keys = PipelineKeys::new(&self.pipeline.namespace, &self.pipeline.name);
        let body = match serde_json::to_vec(&status) {
            Ok(body) => body,
            Err(error) => return tracing::error!(%error, "the site's status cannot be written as JSON"),
        };
        match self.bucket.put(&keys.site(&status.site), body.into()).await {
            Ok(()) => self.site_status = Some(status),
            Err(error) => {
                tracing::warn!(error = vedette_service::error_chain(&error), "the site's status was not written");
            }
        }
    }
}
