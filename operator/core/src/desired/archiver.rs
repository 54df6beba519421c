//! The archivers.

use k8s_openapi::api::apps::v1::Deployment;
use vedette_contract::archive::Stream;
use vedette_contract::arguments::ArchivedTopic;
use vedette_contract::timing::ARCHIVER_GRACE_SECONDS;

use super::PipelineContext;
use super::arguments::{Arguments, service_environment};
use super::connection::{all_files, bucket_environment, kafka_environment};
use super::labels::Component;
use super::names;
use super::pod::{Process, deployment as build, template};
use crate::validate::{ValidatedArchiver, ValidatedIncidents};

const SPOOL_DIRECTORY: &str = "/var/lib/vedette/spool";

pub(super) fn deployment(
    context: &PipelineContext<'_>,
    archiver: &ValidatedArchiver,
    incidents: Option<&ValidatedIncidents>,
) -> Deployment {
    let PipelineContext { owner, site, topics, pods, pod, suspend: _ } = context;
    let ValidatedArchiver { replicas, rolling_max_bytes, rolling_max_age, max_unavailable: _ } = archiver;
    let always = [(Stream::EnrichedData, &topics.enriched_data), (Stream::Alerts, &topics.alerts)];
    let incidents = incidents.map(|incidents| (Stream::Incidents, &incidents.topic));
    let archived =
        always.into_iter().chain(incidents).map(|(stream, topic)| ArchivedTopic { stream, topic: topic.name.clone() });
    let arguments = Arguments::default()
        .kafka(&site.kafka)
        .bucket(&site.bucket)
        .pipeline(owner.namespace, owner.name, &site.site.name)
        .option("group", names::group(owner.namespace, owner.name, Component::Archiver))
        .options("archive", archived)
        .option("rolling-max-bytes", rolling_max_bytes)
        .option("rolling-max-age-seconds", rolling_max_age.as_secs())
        .option("spool-directory", SPOOL_DIRECTORY)
        .into_vec();
    let mut environment = service_environment();
    environment.extend(kafka_environment(&site.kafka));
    environment.extend(bucket_environment(&site.bucket));
    let process = Process {
        component: Component::Archiver,
        settings: &pods.archiver,
        image: &site.images.archiver,
        arguments,
        environment,
        files: all_files(site),
        directory: Some(("spool", SPOOL_DIRECTORY)),
        serves: true,
        grace_seconds: ARCHIVER_GRACE_SECONDS,
    };
    let template = template(owner, pod, process);
    build(owner, Component::Archiver, Some(context.replicas(*replicas)), None, template)
}
