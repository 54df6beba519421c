//! What the builders make of the settings of pods.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::Value;
use support::{build, every_template, pipeline, site, text, trainings, version};
use vedette_core::desired::{Live, build_pipeline, build_training_job};

#[test]
fn an_empty_list_of_a_component_empties_what_all_have_and_the_defaults() {
    let built = build(
        "{pod: {tolerations: [{key: gpu}], imagePullSecrets: [registry]}, detector: {pod: \
         {tolerations: [], imagePullSecrets: [], topologySpreadConstraints: []}}}",
    );
    let of = |deployment: Deployment| {
        let spec = deployment.spec.template.spec.unwrap();
        [spec.tolerations.is_some(), spec.image_pull_secrets.is_some(), spec.topology_spread_constraints.is_some()]
    };
    assert_eq!(of(built.archiver), [true; 3]);
    assert_eq!(of(built.detector.unwrap()), [false; 3]);
}

#[test]
fn what_vedette_sets_on_a_pod_wins() {
    let children = build_pipeline(&pipeline(&text("full.yaml")), &site(), Some(&version()), &Live::default());
    let labels = children.archiver.spec.template.metadata.unwrap().labels.unwrap();
    assert_eq!(labels["team"], "payments");
    assert_eq!(labels["app.kubernetes.io/instance"], "transactions");
}

#[test]
fn every_pod_fits_the_restricted_pod_security_standard() {
    for (component, template) in every_template() {
        let spec = serde_json::to_value(template.spec.unwrap()).unwrap();
        assert_eq!(spec["automountServiceAccountToken"], false, "{component}");
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{component}");
        // The platform may give each namespace its own.
        for own in ["runAsUser", "runAsGroup", "fsGroup"] {
            assert_eq!(spec["securityContext"][own], Value::Null, "{component}");
        }
        assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{component}");
        let container = &spec["containers"][0]["securityContext"];
        assert_eq!(container["allowPrivilegeEscalation"], false, "{component}");
        assert_eq!(container["readOnlyRootFilesystem"], true, "{component}");
        assert_eq!(container["capabilities"]["drop"], serde_json::json!(["ALL"]), "{component}");
    }
}

/// Of a quantity of CPU in thousandths, of one of memory in MiB.
fn amount(quantity: &str) -> i64 {
    let suffixes = [("m", 1, 1000), ("Mi", 1, 1), ("Gi", 1024, 1)];
    match suffixes.iter().find(|(suffix, ..)| quantity.ends_with(suffix)) {
        Some(("m", ..)) => quantity.trim_end_matches('m').parse().unwrap(),
        Some((suffix, times, _)) => quantity.trim_end_matches(suffix).parse::<i64>().unwrap() * times,
        None => quantity.parse::<i64>().unwrap() * 1000,
    }
}

#[test]
fn every_pod_has_requests_and_limits_and_the_least_pipeline_fits_into_a_small_quota() {
    let minimal = pipeline(&text("minimal.yaml"));
    let children = build_pipeline(&minimal, &site(), None, &Live::default());
    let training = build_training_job(&trainings(&text("minimal.yaml"))[0], &site(), "flows-1");
    let limits = |template: PodTemplateSpec| {
        let limits = template.spec.unwrap().containers.remove(0).resources.unwrap().limits.unwrap();
        (amount(&limits["cpu"].0), amount(&limits["memory"].0))
    };
    let sum = |all: &[(i64, i64)]| all.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let topics = limits(children.topics_job.spec.unwrap().template);
    let surge = [limits(children.detector.unwrap().spec.template), limits(children.archiver.spec.template)];
    let trainer = limits(training.spec.unwrap().template);
    let at_rest = sum(&[topics, surge[0], surge[1]]);
    assert_eq!(sum(&[at_rest, trainer]), (3750, 3200), "docs/operator.md says so");
    assert_eq!(sum(&surge), (1500, 1024), "docs/operator.md says so");
    let (cpu, memory) = sum(&[at_rest, sum(&surge)]);
    assert!(cpu <= 4000 && memory <= 4096, "a roll while nothing trains: {cpu} {memory}");
    let (cpu, memory) = sum(&[at_rest, trainer, sum(&surge)]);
    assert!(cpu <= 5250 && memory * 10 <= 42 * 1024, "a roll beside a training: {cpu} {memory}");
    for (component, template) in every_template() {
        let resources = template.spec.unwrap().containers.remove(0).resources.unwrap();
        for resource in ["cpu", "memory"] {
            let has = |quantities: &Option<std::collections::BTreeMap<_, _>>| {
                quantities.as_ref().is_some_and(|them| them.contains_key(resource))
            };
            assert!(has(&resources.requests) || has(&resources.limits), "{component} {resource}");
        }
    }
}
