//! The notifier: one pod, as one acts.

use k8s_openapi::api::apps::v1::Deployment;
use vedette_contract::Name;

use super::PipelineContext;
use super::arguments::{Arguments, service_environment};
use super::connection::{Files, kafka_environment, kafka_files};
use super::labels::Component;
use super::names;
use super::pod::{OUR_DIRECTORY, Process, deployment as build, template};
use crate::site::Source;
use crate::validate::{AUTHORIZATION, HMAC, SecretValue, ValidatedIncidents, ValidatedReceiver};

/// Volumes of a receiver begin with it, as no others do.
const VOLUME_PREFIX: &str = "vedette-receiver";

pub(super) fn deployment(context: &PipelineContext<'_>, incidents: &ValidatedIncidents) -> Deployment {
    let PipelineContext { owner, site, topics, pods, pod, suspend: _ } = context;
    let ValidatedIncidents { topic, group_by, window, receivers, image } = incidents;
    let arguments = Arguments::default()
        .kafka(&site.kafka)
        .pipeline(owner.namespace, owner.name, &site.site.name)
        .option("group", names::group(owner.namespace, owner.name, Component::Notifier))
        .option("alerts-topic", &topics.alerts.name)
        .option("incidents-topic", &topic.name)
        .option("window-seconds", window.as_secs())
        .options("group-by", group_by)
        .options("receiver", receivers.iter().map(|receiver| &receiver.receiver))
        .into_vec();
    let mut environment = service_environment();
    environment.extend(kafka_environment(&site.kafka));
    let process = Process {
        component: Component::Notifier,
        settings: &pods.notifier,
        image,
        arguments,
        environment,
        files: kafka_files(&site.kafka).into_iter().chain(receivers.iter().flat_map(files)).collect(),
        directory: None,
        serves: true,
        grace_seconds: 30,
    };
    let template = template(owner, pod, process);
    build(owner, Component::Notifier, Some(context.replicas(1)), None, template)
}

/// Where the value of a receiver's Secret is in its pod.
pub(crate) fn receiver_file(receiver: &Name, purpose: &str, key: &str) -> String {
    format!("{OUR_DIRECTORY}/{}/{key}", volume(receiver, purpose))
}

fn volume(receiver: &Name, purpose: &str) -> String {
    format!("{VOLUME_PREFIX}-{receiver}-{purpose}")
}

fn files(receiver: &ValidatedReceiver) -> Vec<Files> {
    let ValidatedReceiver { receiver, hmac_secret, authorization_secret } = receiver;
    let secrets = [(HMAC, hmac_secret), (AUTHORIZATION, authorization_secret)];
    let mounted = secrets.into_iter().filter_map(|(purpose, secret)| Some((purpose, secret.as_ref()?)));
    let of = |(purpose, SecretValue { name, key }): (_, &SecretValue)| {
        Files::of_key(volume(&receiver.name, purpose), Source::Secret(name.clone()), key)
    };
    mounted.map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volumes_of_the_longest_name_have_names_that_kubernetes_takes() {
        let longest: Name = "r".repeat(40).parse().unwrap();
        for purpose in [HMAC, AUTHORIZATION] {
            assert!(volume(&longest, purpose).parse::<Name>().is_ok(), "{}", volume(&longest, purpose));
        }
    }
}
