//! The NetworkPolicies let each pod talk to what its command line names, and to nothing else.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;
use vedette_core::desired::{GeneratorChild, Live, PipelineChildren, build_pipeline, build_training_job};
use vedette_core::manifest::{self, ValidatedManifest};
use vedette_core::site::SiteFile;

use crate::helm::{self, all, named, rendered};

const POLICIES: [&str; 2] = ["--set", "networkPolicy.enabled=true"];

/// The pod templates that the shipped manifests lead to at a site.
fn templates(site: &SiteFile) -> Vec<PodTemplateSpec> {
    let namespace = helm::NAMESPACE.parse().unwrap();
    let mut templates = Vec::new();
    for file in ["minimal.yaml", "demo.yaml", "full.yaml"] {
        let text = helm::repository_text(&format!("manifests/{file}"));
        for found in manifest::load(&text, &namespace, site).unwrap() {
            match found {
                ValidatedManifest::Training(training) => {
                    templates.push(build_training_job(&training, site, "run-1").spec.unwrap().template);
                }
                ValidatedManifest::Pipeline(pipeline) => {
                    // What has no pods of its own is none of the network's.
                    let PipelineChildren {
                        service_account: _,
                        named_service_accounts: _,
                        topics_job,
                        services: _,
                        disruption_budgets: _,
                        generator,
                        detector,
                        autoscaler: _,
                        archiver,
                        notifier,
                    } = build_pipeline(&pipeline, site, None, &Live::default());
                    templates.extend([topics_job.spec.unwrap().template, archiver.spec.template]);
                    templates.extend([detector, notifier].into_iter().flatten().map(|child| child.spec.template));
                    templates.extend(generator.map(|generator| match generator {
                        GeneratorChild::Deployment(deployment) => deployment.spec.template,
                        GeneratorChild::Job(job) => job.spec.unwrap().template,
                    }));
                }
            }
        }
    }
    templates
}

fn selects(policy: &NetworkPolicy, template: &PodTemplateSpec) -> bool {
    let selector = policy.spec.as_ref().unwrap().pod_selector.as_ref().unwrap();
    let labels = template.metadata.as_ref().unwrap().labels.as_ref().unwrap();
    let matches = selector.match_labels.iter().flatten().all(|(label, value)| labels.get(label) == Some(value));
    let mut expressions = selector.match_expressions.iter().flatten();
    matches
        && expressions.all(|expression| {
            assert_eq!(expression.operator, "In");
            let values = expression.values.as_ref().unwrap();
            labels.get(&expression.key).is_some_and(|value| values.contains(value))
        })
}

/// The ports at which a policy lets others in.
fn incoming(policy: &NetworkPolicy) -> Vec<IntOrString> {
    let rules = policy.spec.as_ref().unwrap().ingress.iter().flatten();
    rules.flat_map(|rule| rule.ports.iter().flatten()).filter_map(|port| port.port.clone()).collect()
}

/// The TCP ports that a policy lets out, but for that of DNS.
fn outgoing(policy: &NetworkPolicy) -> BTreeSet<i32> {
    let rules = policy.spec.as_ref().unwrap().egress.iter().flatten();
    let ports =
        rules.flat_map(|rule| rule.ports.iter().flatten()).filter(|port| port.protocol.as_deref() == Some("TCP"));
    ports
        .map(|port| match port.port.as_ref().unwrap() {
            IntOrString::Int(port) => *port,
            IntOrString::String(name) => panic!("a name: {name}"),
        })
        .filter(|port| ![53, 5353].contains(port))
        .collect()
}

#[test]
fn each_pod_talks_to_what_its_command_line_names_and_to_nothing_else() {
    let oauth = "kafka.credentialsSecret=client,kafka.oauth.tokenEndpoint=https://login.example.org:8444/token";
    let objects =
        rendered(&[&POLICIES[..], &["--set", oauth, "--set", "networkPolicy.receiverPorts={443,9093}"]].concat());
    let site = crate::site_file(&objects);
    let policies: Vec<NetworkPolicy> = all(&objects, "NetworkPolicy");
    let mut components = BTreeSet::new();
    for template in templates(&site) {
        components.insert(
            template.metadata.as_ref().unwrap().labels.as_ref().unwrap()["app.kubernetes.io/component"].clone(),
        );
        let container = &template.spec.as_ref().unwrap().containers[0];
        let names = |option: &str| container.args.iter().flatten().any(|argument| argument.starts_with(option));
        let expected: BTreeSet<i32> = [
            ("--bootstrap-servers=", 9092),
            ("--oauth-token-endpoint=", 8444),
            ("--bucket=", 8333),
            ("--receiver=", 443),
            ("--receiver=", 9093),
        ]
        .into_iter()
        .filter_map(|(option, port)| names(option).then_some(port))
        .collect();
        let [policy] = policies.iter().filter(|policy| selects(policy, &template)).collect::<Vec<_>>()[..] else {
            panic!("not one policy: {template:?}")
        };
        assert_eq!(outgoing(policy), expected, "{:?}", policy.metadata.name);
        let asked = policy.spec.as_ref().unwrap().ingress.is_some();
        assert_eq!(asked, container.ports.is_some(), "{:?}", policy.metadata.name);
    }
    assert_eq!(components.len(), 6, "{components:?}");
    let operator = policies.iter().find(|policy| policy.metadata.name.as_deref() == Some("vedette-operator")).unwrap();
    assert_eq!(outgoing(operator), BTreeSet::from([443, 6443, 8333]));
}

#[test]
fn the_console_talks_to_kafka_and_the_bucket_and_its_page_may_be_for_a_proxy_alone() {
    let proxy = json!([{ "podSelector": { "matchLabels": { "app": "proxy" } } }]);
    let from = format!("networkPolicy.consoleFrom={proxy}");
    let console = ["--set", "console.enabled=true", "--set-json", &from];
    let objects = rendered(&[&POLICIES[..], &console].concat());
    let deployments: Vec<Deployment> = all(&objects, "Deployment");
    let policies: Vec<NetworkPolicy> = all(&objects, "NetworkPolicy");
    let template = &named(&deployments, "vedette-console").spec.template;
    let [policy] = policies.iter().filter(|policy| selects(policy, template)).collect::<Vec<_>>()[..] else {
        panic!("not one policy: {template:?}")
    };
    assert_eq!(outgoing(policy), BTreeSet::from([8333, 9092]));
    let ports = template.spec.as_ref().unwrap().containers[0].ports.iter().flatten();
    let ports: Vec<_> = ports.map(|port| IntOrString::Int(port.container_port)).collect();
    assert_eq!(incoming(policy), ports);
    let rules = policy.spec.as_ref().unwrap().ingress.as_ref().unwrap();
    assert_eq!((&rules[0].from, json!(rules[1].from)), (&None, proxy));
}

#[test]
fn the_ports_are_those_of_the_site_unless_they_are_named() {
    let ports = |values: &str| {
        let policies: Vec<NetworkPolicy> =
            all(&rendered(&[&POLICIES[..], &["--set", values]].concat()), "NetworkPolicy");
        let pipeline =
            policies.iter().find(|policy| policy.metadata.name.as_deref() == Some("vedette-operator-pipeline"));
        outgoing(pipeline.unwrap())
    };
    assert_eq!(ports("bucket.endpoint="), BTreeSet::from([443, 9092]));
    assert_eq!(ports("bucket.endpoint=http://s3.example.org"), BTreeSet::from([80, 9092]));
    assert_eq!(ports("bucket.endpoint=https://[fd00::1]:9000"), BTreeSet::from([9000, 9092]));
    assert_eq!(ports(r"kafka.bootstrapServers=a:9093\, b:9094"), BTreeSet::from([8333, 9093, 9094]));
    assert_eq!(ports("networkPolicy.kafkaPorts={9095,9096}"), BTreeSet::from([8333, 9095, 9096]));
    assert_eq!(ports("networkPolicy.bucketPorts={9000}"), BTreeSet::from([9000, 9092]));
    let oauth = "kafka.credentialsSecret=client,kafka.oauth.tokenEndpoint";
    assert_eq!(ports(&format!("{oauth}=http://login:8080/token")), BTreeSet::from([8080, 8333, 9092]));
    assert_eq!(ports(&format!("{oauth}=https://login/token")), BTreeSet::from([443, 8333, 9092]));
}
