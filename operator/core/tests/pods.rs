//! What the builders make of the settings of pods.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::Value;
use support::{build, every_template, pipeline, pipeline_with, refusals, site, text, trainings, version};
use vedette_core::desired::{GeneratorChild, Live, build_pipeline, build_training_job};

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
fn as_whom_pods_run_and_how_they_look_up_names_is_for_the_manifest_to_say() {
    let of = |spec: &str| build(spec).archiver.spec.template.spec.unwrap();
    let plain = of("{}");
    let context = plain.security_context.clone().unwrap();
    assert_eq!((context.run_as_non_root, context.run_as_user, context.fs_group), (Some(true), None, None));
    assert_eq!((plain.host_aliases, plain.dns_policy, plain.dns_config), (None, None, None));
    let said =
        of("{pod: {hostAliases: [{ip: 10.0.0.1, hostnames: [kafka]}], dnsPolicy: None, dnsConfig: {nameservers: \
         [10.0.0.2]}, securityContext: {fsGroup: 7, runAsUser: 1000, supplementalGroups: [8]}}, archiver: {pod: \
         {dnsPolicy: Default}}}");
    let context = said.security_context.unwrap();
    assert_eq!((context.run_as_non_root, context.run_as_user, context.fs_group), (Some(true), Some(1000), Some(7)));
    assert_eq!(
        (context.supplemental_groups, context.seccomp_profile.unwrap().type_.as_str()),
        (Some(vec![8]), "RuntimeDefault")
    );
    assert_eq!(said.host_aliases.unwrap()[0].ip, "10.0.0.1");
    assert_eq!(
        (said.dns_policy.as_deref(), said.dns_config.unwrap().nameservers),
        (Some("Default"), Some(vec!["10.0.0.2".to_owned()]))
    );
    for (pod, path) in [
        ("securityContext: {runAsUser: 0}", "spec.pod.securityContext.runAsUser"),
        ("securityContext: {runAsNonRoot: false}", "spec.pod.securityContext.runAsNonRoot"),
        ("securityContext: {fsGruop: 7}", "spec.pod.securityContext.fsGruop"),
        ("dnsConfig: {servers: [a]}", "spec.pod.dnsConfig.servers"),
        ("hostAliases: [{ip: 10.0.0.1, names: [a]}]", "spec.pod.hostAliases[0].names"),
    ] {
        let errors = refusals(&format!("{{pod: {{{pod}}}}}"));
        assert!(errors.iter().any(|error| error.contains(path)), "{pod}: {errors:?}");
    }
}

#[test]
fn more_archivers_are_more_pods_of_the_same_template() {
    let hash = |spec: &str| {
        build(spec).archiver.spec.template.metadata.unwrap().annotations.unwrap()["vedette.io/spec-hash"].clone()
    };
    let room = "rolling: {maxBytes: 8Mi}";
    assert_eq!(hash(&format!("{{archiver: {{{room}}}}}")), hash(&format!("{{archiver: {{replicas: 3, {room}}}}}")));
}

#[test]
fn a_variable_of_the_site_is_in_every_pod_unless_the_manifest_says_it_otherwise() {
    let mut site = site();
    site.pods =
        serde_yaml::from_str("{env: [{name: HTTPS_PROXY, value: 'http://p:1'}, {name: NO_PROXY, value: .svc}]}")
            .unwrap();
    let pipeline = pipeline_with("{pod: {env: [{name: NO_PROXY, value: .local}]}}");
    let built = build_pipeline(&pipeline, &site, None, &Live::default());
    for template in [built.topics_job.spec.unwrap().template, built.archiver.spec.template] {
        let variables = template.spec.unwrap().containers.remove(0).env.unwrap_or_default();
        let found: Vec<_> = variables.iter().filter(|variable| variable.name.ends_with("_PROXY")).collect();
        let values: Vec<_> = found.iter().map(|variable| variable.value.as_deref().unwrap()).collect();
        assert_eq!(values, ["http://p:1", ".local"]);
    }
}

#[test]
fn what_vedette_sets_on_a_pod_wins() {
    let children = build_pipeline(&pipeline(&text("full.yaml")), &site(), Some(&version()), &Live::default());
    let labels = children.archiver.spec.template.metadata.unwrap().labels.unwrap();
    assert_eq!(labels["team"], "payments");
    assert_eq!(labels["app.kubernetes.io/instance"], "transactions");
}

/// Kubernetes takes no two volumes of one name: the manifest would be refused when it is applied, by nobody's sentence.
#[test]
fn no_volume_of_a_manifest_has_the_name_of_one_that_is_built() {
    let ca = "{secret: trust}";
    let mut site = site();
    site.bucket.ca = serde_yaml::from_str(ca).unwrap();
    site.kafka.tls = serde_yaml::from_str(&format!("{{ca: {ca}, clientCertificate: {ca}}}")).unwrap();
    site.kafka.oauth = serde_yaml::from_str(&format!("{{tokenEndpoint: 'https://t', ca: {ca}}}")).unwrap();
    let mut names: Vec<String> = Vec::new();
    for pipeline in [
        pipeline(&text("full.yaml")),
        pipeline_with(
            "{detector: {lookups: [{name: a, field: b, \
        table: {configMap: {name: c, key: d}}, format: Csv, keyColumn: e, columns: [f]}]}}",
        ),
    ] {
        let of_the_manifest: Vec<String> = pipeline
            .pods
            .all()
            .iter()
            .flat_map(|pod| pod.volumes.iter().flatten())
            .map(|volume| volume.known.name.clone())
            .collect();
        let children = build_pipeline(&pipeline, &site, None, &Live::default());
        let deployments = [children.detector, Some(children.archiver), children.notifier].into_iter().flatten();
        let volumes = deployments.flat_map(|child| child.spec.template.spec.unwrap().volumes.unwrap_or_default());
        names.extend(volumes.map(|volume| volume.name).filter(|name| !of_the_manifest.contains(name)));
    }
    names.sort();
    names.dedup();
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        let errors = refusals(&format!("{{pod: {{volumes: [{{name: {name}, emptyDir: {{}}}}]}}}}"));
        assert!(errors.iter().any(|error| error.contains("a volume of Vedette's own")), "{name}: {errors:?}");
    }
}

#[test]
fn an_autoscaler_of_nodes_may_take_what_has_a_directory_that_is_made_anew() {
    const SAFE: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes";
    for (component, template) in every_template() {
        let volumes = template.spec.unwrap().volumes.unwrap_or_default();
        let directories: Vec<String> =
            volumes.into_iter().filter(|volume| volume.empty_dir.is_some()).map(|volume| volume.name).collect();
        let safe = template.metadata.unwrap().annotations.and_then(|mut annotations| annotations.remove(SAFE));
        assert_eq!(safe.into_iter().collect::<Vec<_>>(), directories, "{component}");
    }
    let own = build(&format!("{{pod: {{annotations: {{{SAFE}: 'model,cache'}}}}}}"));
    assert_eq!(own.detector.unwrap().spec.template.metadata.unwrap().annotations.unwrap()[SAFE], "model,cache");
}

#[test]
fn a_roll_without_room_for_one_more_pod_stops_one_first() {
    let rolling = |spec: &str| {
        let built = build(spec);
        let of =
            |deployment: Deployment| serde_json::to_value(deployment.spec.strategy).unwrap()["rollingUpdate"].clone();
        [of(built.detector.unwrap()), of(built.archiver)]
    };
    let usual = serde_json::json!({ "maxSurge": 1, "maxUnavailable": 0 });
    assert_eq!(rolling("{}"), [usual.clone(), usual.clone()]);
    let first = serde_json::json!({ "maxSurge": 0, "maxUnavailable": 1 });
    assert_eq!(rolling("{detector: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}}"), [first, usual]);
    let never = refusals("{archiver: {rollingUpdate: {maxSurge: 0}}}");
    assert!(
        never
            .iter()
            .any(|error| error.contains("spec.archiver.rollingUpdate")
                && error.contains("no pod could ever be replaced")),
        "{never:?}"
    );
}

#[test]
fn no_limit_is_more_than_ten_times_its_request() {
    for (component, template) in every_template() {
        let resources = template.spec.unwrap().containers.remove(0).resources.unwrap();
        let (requests, limits) = (resources.requests.unwrap_or_default(), resources.limits.unwrap_or_default());
        for (name, limit) in limits {
            let Some(request) = requests.get(&name) else { continue };
            assert!(amount(&limit.0) <= 10 * amount(&request.0), "{component} {name}: {} of {}", limit.0, request.0);
        }
    }
}

#[test]
fn every_pod_fits_the_restricted_pod_security_standard() {
    for (component, template) in every_template() {
        let spec = serde_json::to_value(template.spec.unwrap()).unwrap();
        assert_eq!(spec["automountServiceAccountToken"], false, "{component}");
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{component}");
        // The platform may give each namespace its own; the full manifest names a group of files.
        for own in ["runAsUser", "runAsGroup"] {
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
    let has = |quantities: &Option<BTreeMap<String, _>>, resource: &str| {
        quantities.as_ref().is_some_and(|them| them.contains_key(resource))
    };
    let resources = |template: PodTemplateSpec| template.spec.unwrap().containers.remove(0).resources.unwrap();
    for (component, template) in every_template() {
        let resources = resources(template);
        for resource in ["cpu", "memory"] {
            assert!(has(&resources.requests, resource) || has(&resources.limits, resource), "{component} {resource}");
        }
    }
    // Where nothing is said of them both are there.
    let children = build_pipeline(
        &pipeline_with("{generator: {recordsPerSecond: 1}, incidents: {}}"),
        &site(),
        None,
        &Live::default(),
    );
    let deployments = [children.detector, Some(children.archiver), children.notifier];
    let mut templates: Vec<_> = deployments.into_iter().map(|deployment| deployment.unwrap().spec.template).collect();
    match children.generator {
        Some(GeneratorChild::Deployment(generator)) => templates.push(generator.spec.template),
        Some(GeneratorChild::Job(_)) | None => panic!("no Deployment"),
    }
    templates.push(children.topics_job.spec.unwrap().template);
    templates.push(build_training_job(&trainings(&text("minimal.yaml"))[0], &site(), "flows-1").spec.unwrap().template);
    for template in templates {
        let resources = resources(template);
        for resource in ["cpu", "memory"] {
            assert!(
                has(&resources.requests, resource) && has(&resources.limits, resource),
                "{resource}: {resources:?}"
            );
        }
    }
}
