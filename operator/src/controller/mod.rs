//! The shell around the core: watches, caches, reconciles, and the processes beside them.

mod apply;
mod backoff;
mod child;
mod children;
mod cluster;
mod context;
mod events;
mod leader;
mod memory;
mod metrics;
mod model_watch;
mod pace;
mod per_object;
mod pipeline;
mod runner;
mod site_report;
mod training;
mod triggers;
mod unreadable;
mod watch;

use std::time::Duration;

use kube::Client;
use kube::api::{Api, ListParams};
use tokio::time::sleep;
use vedette_contract::Name;
use vedette_crds::{AnomalyPipeline, ModelTraining};
use vedette_service::{Readiness, Shutdown, error_chain};
use vedette_streams::bucket::Bucket;

pub(crate) use self::children::child_resources;
use self::leader::Election;
use self::metrics::Metrics;
use self::watch::WATCHES;
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
pub async fn run(settings: Settings, client: Client, bucket: Bucket, shutdown: Shutdown) -> Result<(), OperatorError> {
    let mut registry = vedette_service::registry("operator");
    let metrics = Metrics::register(&mut registry);
    let readiness = Readiness::new(&[DEFINITIONS]);
    let server = vedette_service::serve(settings.listen_address, readiness.clone(), registry, shutdown.clone()).await?;
    let site = &settings.site.site.name;
    tracing::info!(%site, namespaces = ?settings.watch_namespaces, "waiting for the custom resource definitions");
    shutdown.run_until_cancelled(definitions(&client, &settings.watch_namespaces, &readiness)).await;
    let Settings { namespace, lease_name, pod_name, lease_duration, .. } = &settings;
    let election = Election::new(client.clone(), namespace, lease_name, pod_name, *lease_duration);
    while let Some(leadership) = election.win(&shutdown).await {
        tracing::info!(pod_name, "leads");
        metrics.leads(true);
        let term = shutdown.child_token();
        let run = runner::run(&settings, &client, &bucket, &metrics, &readiness, &term);
        let mut run = std::pin::pin!(run);
        tokio::select! {
            () = &mut run => {}
            () = leadership.lost() => {
                term.cancel();
                run.await;
            }
        }
        metrics.leads(false);
        readiness.hold(WATCHES);
        leadership.release().await;
    }
    if let Err(error) = server.handle.await {
        tracing::warn!(%error, "the server of probes and metrics ended badly");
    }
    Ok(())
}

/// Returns when both kinds can be listed in each namespace.
async fn definitions(client: &Client, namespaces: &[Name], readiness: &Readiness) {
    loop {
        match list_both(client, namespaces).await {
            Ok(()) => return readiness.hold(DEFINITIONS),
            Err(error) => {
                readiness.fail(DEFINITIONS, format!("cannot list our kinds: {}", error_chain(&error)));
                sleep(backoff::jittered(DEFINITIONS_AGAIN)).await;
            }
        }
    }
}

async fn list_both(client: &Client, namespaces: &[Name]) -> Result<(), kube::Error> {
    let one = ListParams::default().limit(1);
    for namespace in namespaces {
        // Without their types: an object that cannot be read is no lack of a definition.
        Api::<AnomalyPipeline>::namespaced(client.clone(), namespace.as_str()).list_metadata(&one).await?;
        Api::<ModelTraining>::namespaced(client.clone(), namespace.as_str()).list_metadata(&one).await?;
    }
    Ok(())
}
