//! The notifier: one pod, as one acts.

use k8s_openapi::api::apps::v1::Deployment;
use vedette_contract::Name;
use vedette_contract::topic::MAX_MESSAGE_BYTES;
use vedette_crds::RollingUpdate;

use super::PipelineContext;
use super::arguments::{Arguments, service_environment};
use super::connection::{Files, all_files, bucket_environment, kafka_environment};
use super::labels::Component;
use super::names;
use super::pod::{Process, deployment as build, template};
use super::volumes::{OUR_DIRECTORY, RECEIVER_VOLUMES};
use crate::validate::{ReceiverFile, ValidatedIncidents, ValidatedReceiver};

pub(super) fn deployment(context: &PipelineContext<'_>, incidents: &ValidatedIncidents) -> Deployment {
    let PipelineContext { owner, site, topics, pods, pod, suspend: _ } = context;
    let ValidatedIncidents { topic, group_by, window, receivers, image } = incidents;
    let arguments = Arguments::default()
        .kafka(&site.kafka)
        .bucket(&site.bucket)
        .pipeline(owner.namespace, owner.name, &site.site.name)
        .option("group", names::notifier_group(owner.namespace, owner.name, &site.site.name))
        .option("alerts-topic", &topics.alerts.name)
        .option("incidents-topic", &topic.name)
        .options("max-message-bytes", topic.configuration.get(MAX_MESSAGE_BYTES))
        .option("window-seconds", window.as_secs())
        .options("group-by", group_by)
        .options("receiver", receivers.iter().map(|receiver| &receiver.receiver))
        .into_vec();
    let mut environment = service_environment();
    environment.extend(kafka_environment(&site.kafka));
    environment.extend(bucket_environment(&site.bucket));
    let process = Process {
        component: Component::Notifier,
        settings: &pods.notifier,
        image,
        arguments,
        environment,
        files: all_files(site).into_iter().chain(receivers.iter().flat_map(files)).collect(),
        directory: None,
        serves: true,
        grace_seconds: 30,
    };
    let template = template(owner, pod, process);
    build(owner, Component::Notifier, Some(context.replicas(1)), None, RollingUpdate::default(), template)
}

/// Where such a file is in the notifier's pod.
pub(crate) fn receiver_file(receiver: &Name, file: &ReceiverFile) -> String {
    format!("{OUR_DIRECTORY}/{}/{}", volume(receiver, file.purpose), file.key)
}

fn volume(receiver: &Name, purpose: &str) -> String {
    format!("{RECEIVER_VOLUMES}{receiver}-{purpose}")
}

/// The pod starts without them: a receiver that lacks one fails by itself until it is there, and holds up no other.
fn files(receiver: &ValidatedReceiver) -> impl Iterator<Item = Files> {
    let ValidatedReceiver { receiver, files } = receiver;
    files.iter().map(|ReceiverFile { purpose, source, key }| {
        Files::of_key_when_there(volume(&receiver.name, purpose), source.clone().into(), key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volumes_of_the_longest_name_have_names_that_kubernetes_takes() {
        let longest: Name = "r".repeat(40).parse().unwrap();
        for purpose in ["url", "hmac", "auth", "ca"] {
            assert!(volume(&longest, purpose).parse::<Name>().is_ok(), "{}", volume(&longest, purpose));
        }
    }
}
