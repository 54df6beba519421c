//! What asks for a reconcile beside the objects' own watches: their children, the bucket, Secrets.

use std::sync::Arc;

use futures::SinkExt;
use futures::channel::mpsc::{Receiver, Sender, channel};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::ObjectRef;
use vedette_crds::{AnomalyPipeline, ModelTraining};

use super::per_object::Reference;

/// Requests that may wait; whoever asks for more waits too.
const CAPACITY: usize = 1024;

/// A pipeline that may not be readable.
pub(super) type GuardedPipeline = DeserializeGuard<AnomalyPipeline>;
/// A training that may not be readable.
pub(super) type GuardedTraining = DeserializeGuard<ModelTraining>;

/// Where requests go.
#[derive(Debug, Clone)]
pub(super) struct Triggers {
    pipelines: Sender<ObjectRef<GuardedPipeline>>,
    trainings: Sender<ObjectRef<GuardedTraining>>,
}

/// Where they come out.
#[derive(Debug)]
pub(super) struct Requests {
    /// Pipelines to reconcile.
    pub pipelines: Receiver<ObjectRef<GuardedPipeline>>,
    /// Trainings to reconcile.
    pub trainings: Receiver<ObjectRef<GuardedTraining>>,
}

/// A pair of both.
pub(super) fn triggers() -> (Triggers, Requests) {
    let (pipelines, pipeline_requests) = channel(CAPACITY);
    let (trainings, training_requests) = channel(CAPACITY);
    let requests = Requests { pipelines: pipeline_requests, trainings: training_requests };
    (Triggers { pipelines, trainings }, requests)
}

impl Triggers {
    /// This pipeline.
    pub(super) async fn pipeline(&self, pipeline: &Reference) {
        send(&self.pipelines, ObjectRef::new(&pipeline.name).within(&pipeline.namespace)).await;
    }

    /// This training.
    pub(super) async fn training(&self, training: &Reference) {
        send(&self.trainings, ObjectRef::new(&training.name).within(&training.namespace)).await;
    }

    /// These pipelines.
    pub(super) async fn pipelines(&self, pipelines: &[Arc<GuardedPipeline>]) {
        for pipeline in pipelines {
            self.pipeline(&Reference::of(&**pipeline)).await;
        }
    }

    /// These trainings.
    pub(super) async fn trainings(&self, trainings: &[Arc<GuardedTraining>]) {
        for training in trainings {
            self.training(&Reference::of(&**training)).await;
        }
    }
}

async fn send<T>(sender: &Sender<T>, request: T) {
    if sender.clone().send(request).await.is_err() {
        tracing::debug!("nobody reconciles any more");
    }
}
