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
use super::pod::{Directory, Process, deployment as build, template};
use super::volumes::SPOOL;
use crate::validate::{ValidatedArchiver, ValidatedIncidents};

const SPOOL_DIRECTORY: &str = "/var/lib/vedette/spool";
/// More is not asked for unasked: few records fill no large objects, and a namespace may give a container 1Gi at most.
const MOST_SPOOL: u64 = 1 << 30;

pub(super) fn deployment(
    context: &PipelineContext<'_>,
    archiver: &ValidatedArchiver,
    incidents: Option<&ValidatedIncidents>,
) -> Deployment {
    let PipelineContext { owner, site, topics, pods, pod, suspend: _ } = context;
    let ValidatedArchiver { replicas, rolling_max_bytes, rolling_max_age, max_unavailable: _, rolling_update } =
        archiver;
    let always = [(Stream::EnrichedData, &topics.enriched_data), (Stream::Alerts, &topics.alerts)];
    let incidents = incidents.map(|incidents| (Stream::Incidents, &incidents.topic));
    let streams: Vec<_> = always.into_iter().chain(incidents).collect();
    let partitions = streams.iter().fold(0, |sum: i32, (_, topic)| sum.saturating_add(topic.partitions));
    let archived = streams.into_iter().map(|(stream, topic)| ArchivedTopic { stream, topic: topic.name.clone() });
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
        directory: Some(Directory {
            name: SPOOL,
            path: SPOOL_DIRECTORY,
            asks_for: Some(spool_bytes(*rolling_max_bytes, partitions)),
        }),
        serves: true,
        grace_seconds: ARCHIVER_GRACE_SECONDS,
    };
    let template = template(owner, pod, process);
    build(owner, Component::Archiver, Some(context.replicas(*replicas)), None, *rolling_update, template)
}

/// What is open of each partition of all streams: records compress to a quarter and less. One pod may have all of them, and where
/// they are several none is made anew because there is one more.
fn spool_bytes(max_bytes: u64, partitions: i32) -> u64 {
    let partitions = u64::try_from(partitions).unwrap_or(1).max(1);
    (max_bytes / 4).saturating_mul(partitions).min(MOST_SPOOL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_has_room_for_what_is_open_and_is_no_reason_to_wait_for_a_node() {
        let mebibytes = |max: u64, partitions| spool_bytes(max << 20, partitions) >> 20;
        assert_eq!(mebibytes(128, 6), 192);
        assert_eq!(mebibytes(1024, 50), 1024);
    }
}
