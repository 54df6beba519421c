//! What asks for a reconcile beside the objects' own watches: their children, the bucket, Secrets.

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
    all_pipelines: Sender<()>,
}

/// Where they come out.
#[derive(Debug)]
pub(super) struct Requests {
    /// Pipelines to reconcile.
    pub pipelines: Receiver<ObjectRef<GuardedPipeline>>,
    /// Trainings to reconcile.
    pub trainings: Receiver<ObjectRef<GuardedTraining>>,
    /// All pipelines are to be reconciled.
    pub all_pipelines: Receiver<()>,
}

/// A pair of both.
pub(super) fn triggers() -> (Triggers, Requests) {
    let (pipelines, pipeline_requests) = channel(CAPACITY);
    let (trainings, training_requests) = channel(CAPACITY);
    let (all_pipelines, all_requests) = channel(CAPACITY);
    let requests = Requests { pipelines: pipeline_requests, trainings: training_requests, all_pipelines: all_requests };
    (Triggers { pipelines, trainings, all_pipelines }, requests)
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

    /// Every pipeline.
    pub(super) async fn all_pipelines(&self) {
        send(&self.all_pipelines, ()).await;
    }
}

async fn send<T>(sender: &Sender<T>, request: T) {
    if sender.clone().send(request).await.is_err() {
        tracing::debug!("nobody reconciles any more");
    }
}
