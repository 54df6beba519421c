//! The Job that creates a pipeline's topics.

use k8s_openapi::api::batch::v1::Job;
use vedette_contract::Name;

use super::PipelineContext;
use super::arguments::Arguments;
use super::connection::{kafka_environment, kafka_files};
use super::labels::Component;
use super::names;
use super::pod::{JobLimits, Process, job, template};
use crate::site::SiteFile;
use crate::validate::{ValidatedIncidents, ValidatedTopics};

/// Where Kubernetes takes a container's termination message from.
const TERMINATION_MESSAGE: &str = "/dev/termination-log";

/// The Job's name, which carries a hash of what it creates.
pub(super) fn job_name(
    owner: &Name,
    site: &SiteFile,
    topics: &ValidatedTopics,
    incidents: Option<&ValidatedIncidents>,
) -> String {
    names::job(owner, Component::Topics, &arguments(site, topics, incidents))
}

fn arguments(site: &SiteFile, topics: &ValidatedTopics, incidents: Option<&ValidatedIncidents>) -> Vec<String> {
    // The size is told to the detector; here it is part of each topic's configuration.
    let ValidatedTopics { sensor_messages, enriched_data, alerts, dead_letters, max_output_message_bytes: _ } = topics;
    Arguments::default()
        .kafka(&site.kafka)
        .options("topic", [sensor_messages, enriched_data, alerts, dead_letters])
        .options("topic", incidents.map(|incidents| &incidents.topic))
        .option("report-file", TERMINATION_MESSAGE)
        .into_vec()
}

pub(super) fn topics_job(context: &PipelineContext<'_>, incidents: Option<&ValidatedIncidents>) -> Job {
    let PipelineContext { owner, site, topics, pods, pod, suspend } = context;
    let process = Process {
        component: Component::Topics,
        settings: &pods.topics,
        image: &site.images.topics,
        arguments: arguments(site, topics, incidents),
        environment: kafka_environment(&site.kafka),
        files: kafka_files(&site.kafka),
        directory: None,
        serves: false,
        grace_seconds: 30,
    };
    // A Kafka that is not there yet comes some time: the back-off between pods grows to six minutes.
    let limits = JobLimits {
        backoff_limit: 20,
        active_deadline_seconds: None,
        ttl_seconds_after_finished: Some(3600),
        suspend: *suspend,
    };
    let name = job_name(owner.name, site, topics, incidents);
    job(owner, Component::Topics, name, limits, template(owner, pod, process))
}
