//! The platform that a Kubernetes cluster is, for one object: how each kind looks, applies and tells is in its own folder.

use kube::Resource;
use serde::Serialize;
use vedette_core::platform::{ApplyFailure, Conclusion, Refused};
use vedette_service::error_chain;

use super::apply::ApiError;
use super::backoff::jitter;
use super::context::Context;
use super::memory::Remembered;
use super::object_metrics::ShownStatus;
use super::per_object::{PerObject, Reference};

/// A cluster, as one object sees it.
pub(super) struct InCluster<'a, O> {
    pub(super) object: &'a O,
    pub(super) context: &'a Context,
}

impl<O: Resource<DynamicType = ()>> InCluster<'_, O> {
    /// Writes the status where it changed, remembers it, and tells the events; and it is in the metrics.
    pub(super) async fn write_status_and_events<S: Clone + PartialEq + Serialize + ShownStatus, V>(
        &self,
        memory: &PerObject<Remembered<S, V>>,
        before: &S,
        conclusion: &Conclusion<S>,
    ) -> Result<(), ApiError> {
        if conclusion.status != *before {
            let version = self.context.applier.status(self.object, &conclusion.status).await?;
            memory.wrote_status(self.object, version.as_deref(), conclusion.status.clone());
            self.context.announcer.announce(&self.object.object_ref(&()), &conclusion.events).await;
        }
        self.context.metrics.objects.show(&Reference::of(self.object), &conclusion.status);
        Ok(())
    }

    /// Why an apply failed, and how often in a row.
    pub(super) fn apply_failure(&self, error: &ApiError) -> ApplyFailure {
        let before = self.context.failures.with_known(&Reference::of(self.object), |backoff| backoff.failures());
        let times = before.unwrap_or(0).saturating_add(1);
        ApplyFailure { message: error_chain(error), is_lasting: error.is_permanent(), times }
    }

    /// What is known of the object, should it not be acted upon.
    pub(super) fn refused<'b, S>(&'b self, before: &'b S) -> Refused<'b, S> {
        Refused { before, generation: self.object.meta().generation, site: &self.context.site, jitter: jitter() }
    }
}
