//! Brings the API server to what was built for a pipeline, in an order in which nothing waits for what comes later.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Resource, ResourceExt};
use serde_json::json;
use vedette_contract::Name;

use super::super::apply::{ApiError, Applier, Conflicts};
use super::super::child::Child;
use super::super::children::{Stores, Wanted};
use super::super::context::Context;
use super::super::seen::Seen;
use vedette_core::desired::{GeneratorChild, PipelineChildren};
use vedette_core::job_step::{JobStep, OnLostNode, asks_who_holds_it, job_step};
use vedette_core::ownership::claim;
use vedette_core::pipeline::{CountClaim, PipelinePlan};
use vedette_core::validate::ValidatedPipeline;

/// Applies everything, and prunes what is no longer wanted.
///
/// # Errors
/// The first thing that was refused; what does not depend on it was applied all the same.
pub(super) async fn apply(valid: &ValidatedPipeline, plan: &PipelinePlan, context: &Context) -> Result<(), ApiError> {
    let PipelinePlan { children, topics, generator: generator_step, count, left_over, .. } = plan;
    let PipelineChildren {
        service_account,
        named_service_accounts,
        topics_job,
        services,
        disruption_budgets,
        generator,
        detector,
        autoscaler,
        archiver,
        notifier,
    } = children;
    let stores = &context.stores.children;
    let mut pass = Pass {
        applier: &context.applier,
        stores: &context.stores,
        namespace: &valid.namespace,
        wanted: Wanted::new(),
        failure: None,
    };
    pass.all(service_account, &stores.service_accounts).await;
    named_service_accounts.iter().for_each(|name| pass.spare::<ServiceAccount>(name));
    pass.want(topics_job);
    if topics.needs_job() {
        pass.job(topics_job, OnLostNode::MakeAnew, &stores.jobs).await;
    }
    pass.all(services, &stores.services).await;
    pass.all(disruption_budgets, &stores.disruption_budgets).await;
    let (mut workloads, generator_job) = workloads(generator.as_ref(), archiver);
    workloads.extend(notifier);
    workloads.iter().for_each(|workload| pass.want(*workload));
    generator_job.iter().for_each(|job| pass.want(*job));
    detector.iter().for_each(|detector| pass.want(detector));
    if topics.lets_workloads_start() {
        pass.all(workloads, &stores.deployments).await;
        if let Some(job) = generator_job
            && generator_step.needs_job()
        {
            pass.job(job, OnLostNode::Leave, &stores.jobs).await;
        }
        if let Some(detector) = detector {
            pass.detector(detector, *count, &stores.deployments).await;
        }
        pass.all(autoscaler, &stores.autoscalers).await;
    }
    pass.clear(left_over, &stores.jobs).await;
    if pass.failure.is_some() {
        // What was not brought to the newest spec may use those of an earlier one.
        stores.service_accounts.state().iter().for_each(|account| pass.want(&**account));
    }
    let owner = valid.uid.as_deref().unwrap_or_default();
    let pruned = stores.prune(&context.applier, owner, &pass.wanted).await;
    pass.note(pruned);
    pass.failure.map_or(Ok(()), Err)
}

fn workloads<'a>(
    generator: Option<&'a GeneratorChild>,
    archiver: &'a Deployment,
) -> (Vec<&'a Deployment>, Option<&'a Job>) {
    match generator {
        Some(GeneratorChild::Deployment(generator)) => (vec![archiver, generator], None),
        Some(GeneratorChild::Job(job)) => (vec![archiver], Some(job)),
        None => (vec![archiver], None),
    }
}

struct Pass<'a> {
    applier: &'a Applier,
    stores: &'a Stores,
    namespace: &'a Name,
    wanted: Wanted,
    failure: Option<ApiError>,
}

impl Pass<'_> {
    fn want<K: Child>(&mut self, child: &K) {
        self.wanted.insert((K::kind(&()), child.name_any()));
    }

    /// What is neither applied nor pruned.
    fn spare<K: Child>(&mut self, name: &str) {
        self.wanted.insert((K::kind(&()), name.to_owned()));
    }

    fn live<K: Child>(&self, child: &K, seen: &Seen<K>) -> Option<Arc<K>> {
        seen.get(self.namespace, &child.name_any())
    }

    async fn all<'b, K: Child>(&mut self, children: impl IntoIterator<Item = &'b K>, seen: &Seen<K>) {
        for child in children {
            self.want(child);
            let live = self.live(child, seen);
            let outcome = self.applier.apply(child, live.as_deref(), Conflicts::Force).await;
            self.note(outcome);
        }
    }

    /// A Job cannot be changed, but held and let go; one that was made otherwise and does nothing is made anew.
    async fn job(&mut self, job: &Job, on_lost_node: OnLostNode, seen: &Seen<Job>) {
        let live = match self.live(job, seen) {
            Some(live) if !asks_who_holds_it(&live, job) => Some(live),
            Some(_) | None => match self.applier.read::<Job>(self.namespace.as_str(), &job.name_any()).await {
                Ok(live) => live.map(Arc::new),
                Err(error) => return self.note(Err(error)),
            },
        };
        let pods = self.stores.pods_of_job(live.as_deref());
        let pods: Vec<_> = pods.iter().map(Arc::as_ref).collect();
        let step = job_step(live.as_deref(), job, &pods, on_lost_node, Timestamp::now());
        let outcome = match (step, live) {
            (JobStep::Make, _) => self.applier.apply(job, None, Conflicts::Force).await,
            // The watch tells when it is gone, and then it is made anew.
            (JobStep::Replace, Some(live)) => match claim(live.meta(), job.meta()) {
                Ok(()) => self.applier.delete(&*live).await,
                Err(stranger) => Err(ApiError::name_taken(job, stranger)),
            },
            (JobStep::Suspend(suspend), Some(live)) => {
                self.applier.merge(&*live, &json!({ "spec": { "suspend": suspend } })).await
            }
            (JobStep::Replace | JobStep::Suspend(_), None) | (JobStep::Leave, _) => Ok(()),
        };
        self.note(outcome);
    }

    /// Deletes Jobs that nobody waits for, so that their pods go.
    async fn clear(&mut self, jobs: &[String], seen: &Seen<Job>) {
        for job in jobs.iter().filter_map(|name| seen.get(self.namespace, name)) {
            let outcome = self.applier.delete(&*job).await;
            self.note(outcome);
        }
    }

    /// Where an autoscaler may have set another count since it was read, that count wins.
    async fn detector(&mut self, detector: &Deployment, count: CountClaim, seen: &Seen<Deployment>) {
        let live = self.live(detector, seen);
        let kept = match count {
            CountClaim::UntilSetByAnother => true,
            CountClaim::Ours => false,
        };
        let mut outcome = Ok(());
        if kept {
            outcome = self.applier.apply(detector, live.as_deref(), Conflicts::Respect).await;
        }
        let theirs = outcome.as_ref().is_err_and(|error: &ApiError| error.is_conflict_about(".spec.replicas"));
        if !kept || outcome.as_ref().is_err_and(|error| error.is_conflict() && !theirs) {
            outcome = self.applier.apply(detector, live.as_deref(), Conflicts::Force).await;
        }
        self.note(outcome);
    }

    fn note(&mut self, outcome: Result<(), ApiError>) {
        if let Err(error) = outcome {
            if let Some(first) = &self.failure {
                tracing::warn!(
                    first = first.reason(),
                    error = vedette_service::error_chain(&error),
                    "an apply failed too"
                );
            } else {
                self.failure = Some(error);
            }
        }
    }
}
