//! From arguments to the served page.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use vedette_contract::arguments::{ConsoleArguments, ServiceArguments};
use vedette_contract::metrics;
use vedette_service::{Readiness, Shutdown, listen, registry, serve};
use vedette_streams::bucket::Bucket;
use vedette_streams::kafka::KafkaSettings;

use crate::act::Desk;
use crate::api::{Hosts, Served, Writers, place, router};
use crate::error::ConsoleError;
use crate::live::{LiveTopics, read_live};
use crate::metrics::Metrics;
use crate::read::{OnDemand, PollSettings, Reader, Sampler, poll};
use crate::readiness::BUCKET;
use crate::simulate::Simulator;
use crate::store::Store;

/// Runs a console until shutdown.
///
/// # Errors
/// When the arguments cannot be used.
pub fn run(arguments: ConsoleArguments, shutdown: Shutdown) -> BoxFuture<'static, Result<(), ConsoleError>> {
    show(arguments, shutdown).boxed()
}

async fn show(arguments: ConsoleArguments, shutdown: Shutdown) -> Result<(), ConsoleError> {
    let ConsoleArguments {
        kafka,
        service: ServiceArguments { listen_address, pod_name },
        bucket,
        writers,
        site,
        namespaces,
        page_address,
        page_hosts,
        path_prefix,
        bucket_requests_per_hour,
        allow_simulation,
    } = arguments;
    let mut registry = registry(&metrics::console::BUILD);
    let metrics = Metrics::register(&mut registry);
    let readiness = Readiness::new(&[BUCKET]);
    let server = serve(listen_address, readiness.clone(), registry, shutdown.clone()).await?;
    let store = Arc::new(Store::new(metrics.clone()));
    let (topics, told) = watch::channel(LiveTopics::new());

    let (place, bucket) = (place(&bucket).into(), Bucket::new(&bucket));
    let writers = Arc::new(Writers::new(writers, metrics.wrong_tokens.clone()));
    writers.look().await;
    let hosts = Arc::new(Hosts::new(page_hosts, page_address.ip()));
    let desk = Desk::new(bucket.clone(), site.clone());
    let reader = Reader::new(bucket, metrics.clone());
    let on_demand = Arc::new(OnDemand::new(reader.clone(), bucket_requests_per_hour));
    let sampler = Sampler::new(Arc::clone(&on_demand));
    let settings = PollSettings { namespaces, site: site.clone(), requests_per_hour: bucket_requests_per_hour };
    let polling = {
        let (store, with, shutdown) = (Arc::clone(&store), (metrics.clone(), readiness), shutdown.clone());
        tokio::spawn(async move { poll(settings, reader, &store, topics, with, shutdown).await })
    };
    let kafka = KafkaSettings::new(&kafka, &pod_name);
    let reading = {
        let (kafka, store, metrics, shutdown) = (kafka.clone(), Arc::clone(&store), metrics.clone(), shutdown.clone());
        spawn_blocking(move || read_live(&kafka, told, &store, &metrics, &shutdown))
    };
    let simulator = allow_simulation.then(|| Simulator::new(kafka.clone(), shutdown.clone()));
    let run = format!("{:x}", Timestamp::now().as_microsecond());
    let served = Served {
        store,
        metrics,
        writers,
        hosts,
        desk,
        simulator,
        on_demand,
        sampler,
        place,
        site,
        run,
        shutdown: shutdown.clone(),
    };
    let outcome = tokio::select! {
        outcome = serve_page(page_address, &path_prefix, served, shutdown.clone()) => outcome,
        ended = reading => ended.map_err(ConsoleError::Part).flatten(),
        stranded = kafka.stranded() => Err(ConsoleError::Kafka(stranded)),
    };
    shutdown.cancel();
    polling.await.map_err(ConsoleError::Part)?;
    let _ = server.handle.await;
    outcome
}

async fn serve_page(
    address: SocketAddr,
    prefix: &vedette_contract::arguments::PathPrefix,
    served: Served,
    shutdown: Shutdown,
) -> Result<(), ConsoleError> {
    let refused = |source| ConsoleError::Listen { address, source };
    let listener = listen(address).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    tracing::info!(%address, prefix = prefix.as_str(), "serving the page");
    // Whom a proxy names is believed for the address of the proxy.
    let service = router(prefix, served).into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(shutdown.cancelled_owned());
    serving.await.map_err(ConsoleError::Serve)
}
