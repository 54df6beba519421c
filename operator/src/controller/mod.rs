//! The shell around the core: watches, caches, reconciles, and the processes beside them.

mod all_pipelines;
mod apply;
mod backoff;
mod child;
mod children;
mod cluster;
mod context;
mod events;
mod health_watch;
mod leader;
mod memory;
mod metrics;
mod model_watch;
mod namespaces;
mod object_metrics;
mod pace;
mod per_object;
mod pipeline;
mod reach;
mod runner;
mod scope;
mod seen;
mod site_report;
mod sources;
mod training;
mod triggers;
mod unreadable;
mod watch;

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use kube::Client;
use kube::api::ListParams;
use tokio::time::sleep;
use vedette_core::site::Watched;
use vedette_crds::{AnomalyPipeline, ModelTraining};
use vedette_service::{Readiness, Shutdown, error_chain};
use vedette_streams::bucket::Bucket;

pub(crate) use self::children::child_resources;
use self::leader::Election;
use self::metrics::Metrics;
use self::reach::WATCHES;
use self::scope::Scope;
use crate::error::OperatorError;
use crate::settings::Settings;

/// How often the CRDs are looked for.
const DEFINITIONS_AGAIN: Duration = Duration::from_secs(2);
/// Readiness condition: the API server has our kinds.
const DEFINITIONS: &str = "customResourceDefinitions";

/// Runs until shutdown: serves probes and metrics, waits for the CRDs and for the lease, and reconciles.
///
/// # Errors
/// When probes and metrics cannot be served. What goes wrong with the API server or the bucket is waited out.
pub fn run(
    settings: Settings,
    client: Client,
    bucket: Bucket,
    shutdown: Shutdown,
) -> BoxFuture<'static, Result<(), OperatorError>> {
    lead_and_reconcile(settings, client, bucket, shutdown).boxed()
}

async fn lead_and_reconcile(
    settings: Settings,
    client: Client,
    bucket: Bucket,
    shutdown: Shutdown,
) -> Result<(), OperatorError> {
    let mut registry = vedette_service::registry(&vedette_contract::metrics::operator::BUILD);
    let metrics = Metrics::register(&mut registry);
    let readiness = Readiness::new(&[DEFINITIONS]);
    let server = vedette_service::serve(settings.listen_address, readiness.clone(), registry, shutdown.clone()).await?;
    let site = &settings.site.site.name;
    tracing::info!(%site, watched = ?settings.watched, "waiting for the custom resource definitions");
    shutdown.run_until_cancelled(definitions(&client, &settings.watched, &readiness)).await;
    let Settings { namespace, lease_name, pod_name, lease_duration, .. } = &settings;
    let election = Election::new(client.clone(), namespace, lease_name, pod_name, *lease_duration);
    while let Some(leadership) = election.win(&shutdown).await {
        tracing::info!(pod_name, "leads");
        metrics.leads(true);
        let term = shutdown.child_token();
        let run = runner::run(&settings, &client, &bucket, &metrics, &readiness, &term);
        while_held(run, leadership.lost()).await;
        term.cancel();
        metrics.leads(false);
        metrics.objects.forget_all();
        readiness.hold(WATCHES);
        leadership.release().await;
    }
    if let Err(error) = server.handle.await {
        tracing::warn!(%error, "the server of probes and metrics ended badly");
    }
    Ok(())
}

/// Acts while the lease is held. When it is lost, what is under way is given up where it stands: another acts by now.
async fn while_held(act: impl Future<Output = ()>, lost: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        () = lost => {}
        () = act => {}
    }
}

/// Returns when both kinds can be listed in any of the namespaces; the others are watched as soon as that is possible.
async fn definitions(client: &Client, watched: &Watched, readiness: &Readiness) {
    let scopes = Scope::of(watched);
    loop {
        let mut trouble = Vec::new();
        for scope in &scopes {
            if let Err(error) = list_both(client, scope).await {
                trouble.push(format!("in {scope}: {}", error_chain(&error)));
            }
        }
        if trouble.len() < scopes.len() {
            if !trouble.is_empty() {
                tracing::warn!(
                    error = trouble.join("; "),
                    "cannot list our kinds everywhere: the other namespaces are acted upon"
                );
            }
            return readiness.hold(DEFINITIONS);
        }
        readiness.fail(DEFINITIONS, format!("cannot list our kinds {}", trouble.join("; ")));
        sleep(backoff::jittered(DEFINITIONS_AGAIN)).await;
    }
}

async fn list_both(client: &Client, scope: &Scope) -> Result<(), kube::Error> {
    let one = ListParams::default().limit(1);
    // Without their types: an object that cannot be read is no lack of a definition.
    scope.api::<AnomalyPipeline>(client).list_metadata(&one).await?;
    scope.api::<ModelTraining>(client).list_metadata(&one).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn without_a_lease_nothing_is_written_any_more() {
        let (writes, lost) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let (written, lose) = (Arc::clone(&writes), Arc::clone(&lost));
        let act = async move {
            written.fetch_add(1, Ordering::SeqCst);
            // The lease goes while a request is under way, which is answered later.
            lose.notify_one();
            tokio::task::yield_now().await;
            written.fetch_add(1, Ordering::SeqCst);
        };
        while_held(act, lost.notified()).await;
        tokio::task::yield_now().await;
        assert_eq!(writes.load(Ordering::SeqCst), 1);
    }
}
