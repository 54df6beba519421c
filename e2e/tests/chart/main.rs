//! The Helm chart, without a cluster: what it renders is what the operator understands and needs, and no more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alerts;
mod commands;
mod console;
mod dashboards;
mod helm;
mod network;
mod prometheus;
mod values;

use std::collections::BTreeSet;

use helm::{all, object, rendered, template};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use vedette_core::site::{Needs, SiteFile, Source, Watched};
use vedette_crds::definitions;
use vedette_operator::permissions;
use vedette_operator::settings::OperatorArguments;
use vedette_testing::container;

const KEEP: &str = "helm.sh/resource-policy";

/// A site that needs these Secrets and ConfigMaps.
fn needs(secrets: &[&str], config_maps: &[&str]) -> Needs {
    let secrets = secrets.iter().map(|name| Source::Secret(name.parse().unwrap()));
    let maps = config_maps.iter().map(|name| Source::ConfigMap(name.parse().unwrap()));
    secrets.chain(maps).map(|source| (source, BTreeSet::new())).collect()
}

fn site_file(objects: &[Value]) -> SiteFile {
    let maps: Vec<ConfigMap> = all(objects, "ConfigMap");
    let site = maps.into_iter().find_map(|map| map.data?.remove("site.yaml")).unwrap();
    SiteFile::parse(&site).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["annotations"][name].as_str()
}

#[test]
fn helm_finds_nothing_to_complain_about() {
    for site in ["east", "west"] {
        helm::helm(&["lint", "--strict", "--quiet", helm::CHART, "--values", &helm::values_of(site)]).unwrap();
    }
}

#[test]
fn chart_and_program_have_one_version() {
    let chart: Value = serde_yaml::from_str(&helm::text("Chart.yaml")).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_site_is_the_values_of_its_data_centre_and_nothing_else() {
    let east = rendered(&[]);
    let mut kinds: Vec<&str> = east.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    let expected = ["ConfigMap", "CustomResourceDefinition", "CustomResourceDefinition", "Deployment"];
    assert_eq!(kinds[..4], expected);
    assert_eq!(kinds[4..], ["Pod", "PodDisruptionBudget", "Role", "RoleBinding", "Service", "ServiceAccount"]);
    assert_eq!(site_file(&east).site.name.as_str(), "east");
    let west = template(&["--values", &helm::values_of("west")]).unwrap();
    assert_eq!(site_file(&west).site.name.as_str(), "west");
}

#[test]
fn every_object_has_only_fields_that_kubernetes_knows() {
    fn check<T: DeserializeOwned + serde::Serialize>(object: &Value) {
        let typed: T = serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{error}: {object}"));
        assert_eq!(serde_json::to_value(typed).unwrap(), *object);
    }
    let selected = rendered(&["--set", "watchNamespaceSelector=team=payments"]);
    for objects in [rendered(&[]), selected, values::rendered_with(&values::everything())] {
        for object in &objects {
            match object["kind"].as_str().unwrap() {
                "ConfigMap" if object["data"].is_null() => {} // one of those that somebody adds
                "NetworkPolicy" => check::<NetworkPolicy>(object),
                "ConfigMap" => check::<ConfigMap>(object),
                "CustomResourceDefinition" => check::<CustomResourceDefinition>(object),
                "Deployment" => check::<Deployment>(object),
                "Pod" => check::<Pod>(object),
                "PodDisruptionBudget" => check::<PodDisruptionBudget>(object),
                "ClusterRole" => check::<ClusterRole>(object),
                "ClusterRoleBinding" => check::<ClusterRoleBinding>(object),
                "Role" => check::<Role>(object),
                "RoleBinding" => check::<RoleBinding>(object),
                "Service" => check::<Service>(object),
                "ServiceAccount" => check::<ServiceAccount>(object),
                // Prometheus Operator's, of which we have no type.
                "ServiceMonitor" | "PrometheusRule" => {}
                other => panic!("nobody expects a {other}"),
            }
        }
    }
}

#[test]
fn the_role_is_the_shipped_one() {
    let role: Role = object(&rendered(&[]), "Role");
    let shipped: Role = object(&helm::documents(&helm::repository_text("manifests/operator/role.yaml")), "Role");
    assert_eq!(role.rules, shipped.rules);
    let lease = "vedette-operator".parse().unwrap();
    assert_eq!(role.rules.unwrap(), permissions::rules(&lease, &needs(&["vedette-bucket"], &[])));
    let other =
        rendered(&["--set", "fullnameOverride=other,kafka.credentialsSecret=kafka,bucket.credentialsSecret=s3"]);
    let role: Role = object(&other, "Role");
    assert_eq!(role.rules.unwrap(), permissions::rules(&"other".parse().unwrap(), &needs(&["s3", "kafka"], &[])));
}

#[test]
fn what_the_site_file_needs_is_watched_and_nothing_else() {
    for values in [
        "kafka.tls.ca.secret=ca",
        "kafka.tls.ca.configMap=trust",
        "kafka.tls.clientCertificate.secret=user",
        "kafka.credentialsSecret=user",
        "bucket.credentialsSecret=",
        "bucket.ca.secret=ca",
        "bucket.ca.configMap=trust",
        // The cluster's own, in every namespace.
        "kafka.tls.ca.configMap=kube-root-ca.crt",
        "bucket.ca.configMap=openshift-service-ca.crt,bucket.ca.key=service-ca.crt",
        "kafka.tls.clientCertificate.secret=kafka.example.org-tls",
        "kafka.credentialsSecret=kafka.example.org,images.pullSecrets={registry.example.org}",
        "kafka.tls.ca.secret=my-cluster-cluster-ca-cert,kafka.tls.ca.key=*.crt",
    ] {
        let objects = rendered(&["--set", values]);
        let role: Role = object(&objects, "Role");
        let lease = "vedette-operator".parse().unwrap();
        assert_eq!(role.rules.unwrap(), permissions::rules(&lease, &site_file(&objects).needs()), "{values}");
    }
}

#[test]
fn each_watched_namespace_gets_a_role_and_the_lease_stays_at_home() {
    let objects = rendered(&["--set", "watchNamespaces={payments,logins}"]);
    let (lease, needs) = ("vedette-operator".parse().unwrap(), needs(&["vedette-bucket"], &[]));
    let roles: Vec<Role> = all(&objects, "Role");
    let found: Vec<_> = roles.into_iter().map(|role| (role.metadata.namespace.unwrap(), role.rules.unwrap())).collect();
    let (acting, leading) = (permissions::acting(&needs), permissions::leading(&lease));
    assert_eq!(found.len(), 3);
    for (namespace, rules) in
        [("payments", acting.clone()), ("logins", acting.clone()), (helm::NAMESPACE, leading.clone())]
    {
        assert!(found.contains(&(namespace.to_owned(), rules)), "{namespace}: {found:#?}");
    }
    let bindings: Vec<RoleBinding> = all(&objects, "RoleBinding");
    for binding in &bindings {
        let subject = &binding.subjects.as_ref().unwrap()[0];
        assert_eq!((subject.name.as_str(), subject.namespace.as_deref()), ("vedette-operator", Some(helm::NAMESPACE)));
    }
    assert_eq!(bindings.len(), 3);
    assert_eq!(site_file(&objects).watch_namespaces, ["payments", "logins"]);
    // Its own namespace may be one of them.
    let own: Vec<Role> = all(&rendered(&["--set", &format!("watchNamespaces={{{}}}", helm::NAMESPACE)]), "Role");
    assert_eq!(own.len(), 1);
    assert_eq!(own[0].rules.clone().unwrap(), [acting, leading].concat());
}

#[test]
fn namespaces_that_are_selected_need_a_cluster_role_and_the_lease_stays_at_home() {
    for values in ["watchNamespaces={*}", "watchNamespaceSelector=team=payments"] {
        let objects = rendered(&["--set", values]);
        let role: ClusterRole = object(&objects, "ClusterRole");
        assert_eq!(role.rules.unwrap(), permissions::selecting(&needs(&["vedette-bucket"], &[])), "{values}");
        let binding: ClusterRoleBinding = object(&objects, "ClusterRoleBinding");
        assert_eq!(Some(binding.role_ref.name), role.metadata.name);
        let subject = &binding.subjects.unwrap()[0];
        assert_eq!((subject.name.as_str(), subject.namespace.as_deref()), ("vedette-operator", Some(helm::NAMESPACE)));
        let roles: Vec<Role> = all(&objects, "Role");
        let rules: Vec<_> = roles.into_iter().filter_map(|role| role.rules).flatten().collect();
        assert_eq!(rules, permissions::leading(&"vedette-operator".parse().unwrap()), "{values}");
    }
    let own = "vedette".parse().unwrap();
    let watched = |values| site_file(&rendered(&["--set", values])).watched(&own);
    assert_eq!(watched("watchNamespaces={*}"), Watched::Selected(String::new()));
    assert_eq!(watched("watchNamespaceSelector=team=payments"), Watched::Selected("team=payments".to_owned()));
}

#[test]
fn the_operator_understands_what_its_deployment_gives_it() {
    let understood = |objects: &[Value]| -> OperatorArguments {
        let deployment: Deployment = object(objects, "Deployment");
        container::parse(&deployment.spec.template.spec.unwrap().containers[0], &["RUST_LOG"])
    };
    let arguments = understood(&rendered(&["--set", "leaseDurationSeconds=20"]));
    assert_eq!((arguments.lease_name.as_str(), arguments.lease_duration_seconds), ("vedette-operator", 20));
    // What the pod mounts and opens is that of the manifests, of which the operator's own tests show that it fits these.
    let shipped = understood(&helm::documents(&helm::repository_text("manifests/operator/deployment.yaml")));
    assert_eq!(arguments.site_file, shipped.site_file);
    assert_eq!(arguments.bucket_credentials, shipped.bucket_credentials);
    assert_eq!(arguments.listen_address, shipped.listen_address);
    let trusting = rendered(&["--set", "bucket.credentialsSecret=,bucket.ca.secret=ca"]);
    let deployment: Deployment = object(&trusting, "Deployment");
    let mounts = deployment.spec.template.spec.unwrap().containers.remove(0).volume_mounts.unwrap();
    let mounts: Vec<_> = mounts.into_iter().map(|mount| mount.mount_path).collect();
    assert_eq!(mounts, ["/etc/vedette", arguments.bucket_ca.to_str().unwrap()]);
}

#[test]
fn the_pod_is_that_of_the_manifests() {
    let pod = |objects: &[Value]| {
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let mut pod = deployment["spec"]["template"]["spec"].clone();
        pod["volumes"][0]["configMap"]["name"] = Value::Null;
        let container = pod["containers"][0].as_object_mut().unwrap();
        container.remove("args");
        container["env"].as_array_mut().unwrap().retain(|variable| variable["name"] != "RUST_LOG");
        pod
    };
    let shipped = helm::documents(&helm::repository_text("manifests/operator/deployment.yaml"));
    assert_eq!(pod(&rendered(&[])), pod(&shipped));
}

#[test]
fn a_change_of_the_site_rolls_the_operator_and_nothing_else_does() {
    let hash = |arguments: &[&str]| {
        let objects = rendered(arguments);
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        annotation(&deployment["spec"]["template"], "vedette.io/site-hash").unwrap().to_owned()
    };
    let first = hash(&[]);
    assert_ne!(first, hash(&["--set", "kafka.bootstrapServers=other:9092"]));
    assert_eq!(first, hash(&["--set", "replicas=2,commonLabels.team=streams"]));
}

#[test]
fn the_crds_are_those_of_the_types() {
    for (arguments, keep) in [(vec![], Some("keep")), (vec!["--set", "crds.keep=false"], None)] {
        let objects = rendered(&arguments);
        let definitions = objects.iter().filter(|object| object["kind"] == "CustomResourceDefinition");
        let found: Vec<CustomResourceDefinition> = definitions
            .map(|definition| {
                assert_eq!(annotation(definition, KEEP), keep);
                let mut definition = definition.clone();
                let metadata = definition["metadata"].as_object_mut().unwrap();
                metadata.remove("annotations");
                metadata.remove("labels");
                serde_json::from_value(definition).unwrap()
            })
            .collect();
        assert_eq!(found, definitions::all());
    }
    let without = rendered(&["--set", "crds.install=false"]);
    assert_eq!(all::<Value>(&without, "CustomResourceDefinition").len(), 0);
}

#[test]
fn images_are_one_registry_and_tag_or_each_its_own() {
    let images = |arguments: &[&str]| {
        let objects = rendered(arguments);
        let deployment: Deployment = object(&objects, "Deployment");
        let operator = deployment.spec.template.spec.unwrap().containers.remove(0).image.unwrap();
        (operator, site_file(&objects).images.detector)
    };
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(images(&[]), (format!("vedette-operator:{version}"), format!("vedette-detector:{version}")));
    let set = "images.registry=registry.example.org/streams,images.tag=2,images.detector=other/detector@sha256:0";
    assert_eq!(
        images(&["--set-string", set]),
        ("registry.example.org/streams/vedette-operator:2".to_owned(), "other/detector@sha256:0".to_owned())
    );
}

#[test]
fn pods_ask_for_nodes_that_the_images_are_built_for() {
    let built = ["--set", "images.architectures={arm64,amd64}"];
    assert_eq!(site_file(&rendered(&built)).images.architectures, ["arm64", "amd64"]);
    let affinity = |arguments: &[&str]| {
        let objects = rendered(&[&built, arguments].concat());
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        deployment["spec"]["template"]["spec"]["affinity"].clone()
    };
    let asked = json!({ "key": "kubernetes.io/arch", "operator": "In", "values": ["arm64", "amd64"] });
    let required = |expression: Value| json!({ "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [{ "matchExpressions": [expression] }] } });
    assert_eq!(affinity(&[]), json!({ "nodeAffinity": required(asked.clone()) }));
    let apart = json!({ "requiredDuringSchedulingIgnoredDuringExecution": [{ "topologyKey": "host" }] });
    let beside = affinity(&["--set-json", &format!("affinity={}", json!({ "podAntiAffinity": apart }))]);
    assert_eq!(beside, json!({ "nodeAffinity": required(asked), "podAntiAffinity": apart }));
    let own = json!({ "nodeAffinity": required(json!({ "key": "pool", "operator": "Exists" })) });
    assert_eq!(affinity(&["--set-json", &format!("affinity={own}")]), own);
    assert_eq!(affinity(&["--set-json", r#"nodeSelector={"kubernetes.io/arch":"s390x"}"#]), Value::Null);
}

#[test]
fn helm_test_asks_the_operator_and_no_service_takes_its_pod_for_one() {
    let objects = rendered(&["--set", "fullnameOverride=watcher"]);
    let pod: Pod = object(&objects, "Pod");
    let (service, deployment): (Service, Deployment) = (object(&objects, "Service"), object(&objects, "Deployment"));
    let annotations = pod.metadata.annotations.unwrap();
    assert_eq!(annotations["helm.sh/hook"], "test");
    let (labels, selector) = (pod.metadata.labels.unwrap(), service.spec.unwrap().selector.unwrap());
    // The sidecar of a mesh would never end.
    assert_eq!(
        (labels["sidecar.istio.io/inject"].as_str(), annotations["linkerd.io/inject"].as_str()),
        ("false", "disabled")
    );
    assert!(selector.iter().any(|(label, value)| labels.get(label) != Some(value)), "{labels:?}");
    let spec = pod.spec.unwrap();
    let arguments: OperatorArguments = container::parse(&spec.containers[0], &[]);
    assert_eq!(arguments.ask.as_deref(), Some(format!("{}:8080", service.metadata.name.unwrap()).as_str()));
    let operator = deployment.spec.template.spec.unwrap();
    assert_eq!(spec.containers[0].image, operator.containers[0].image);
    assert_eq!(spec.containers[0].security_context, operator.containers[0].security_context);
    assert_eq!((spec.security_context, spec.affinity), (operator.security_context, operator.affinity));
}

#[test]
fn names_that_look_like_numbers_stay_names() {
    let objects = rendered(&["--set-string", "site.name=7,watchNamespaces={2026},bucket.region=1"]);
    assert_eq!(site_file(&objects).site.name.as_str(), "7");
    let roles: Vec<Role> = all(&objects, "Role");
    assert!(roles.iter().any(|role| role.metadata.namespace.as_deref() == Some("2026")));
}

#[test]
fn spread_constraints_select_the_operator_unless_they_say_otherwise() {
    let constraint = json!({ "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule" });
    let mut own = constraint.clone();
    own["labelSelector"] = json!({ "matchLabels": { "a": "b" } });
    let constraints = format!("topologySpreadConstraints={}", json!([constraint, own]));
    let deployment: Deployment = object(&rendered(&["--set-json", &constraints]), "Deployment");
    let selector = deployment.spec.selector.clone();
    let found = deployment.spec.template.spec.unwrap().topology_spread_constraints.unwrap();
    assert_eq!(found[0].label_selector, Some(selector));
    assert_eq!(serde_json::to_value(&found[1]).unwrap(), own);
}
