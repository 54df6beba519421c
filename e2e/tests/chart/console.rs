//! The console of a release: it understands what it is given, reaches Kafka and the bucket as the pods of pipelines do, and may do nothing
//! in the cluster.

use std::path::Path;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Container, PodSpec, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::RoleBinding;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};
use vedette_contract::arguments::{ArchiverArguments, ConsoleArguments, NO_USER_HEADERS, PAGE_ADDRESS_ENV, PageHost};
use vedette_core::desired::{Live, build_pipeline};
use vedette_core::manifest::{self, ValidatedManifest};
use vedette_testing::container;

use crate::helm::{self, all, named, rendered, template};

const NAME: &str = "vedette-console";
const ENABLED: [&str; 2] = ["--set", "console.enabled=true"];
/// What no argument reads.
const LOG: [&str; 1] = ["RUST_LOG"];

fn console(arguments: &[&str]) -> (Vec<Value>, Deployment) {
    let objects = rendered(&[&ENABLED[..], arguments].concat());
    let deployment = named(&all::<Deployment>(&objects, "Deployment"), NAME).clone();
    (objects, deployment)
}

fn pod(deployment: Deployment) -> PodSpec {
    deployment.spec.template.spec.unwrap()
}

fn understood(arguments: &[&str]) -> ConsoleArguments {
    container::parse(&pod(console(arguments).1).containers[0], &LOG)
}

/// The pod of an archiver of the same site, which reaches Kafka and the bucket, too.
fn archiver(objects: &[Value]) -> PodSpec {
    let site = crate::site_file(objects);
    let text = helm::repository_text("manifests/minimal.yaml");
    let found = manifest::load(&text, &helm::NAMESPACE.parse().unwrap(), &site).unwrap();
    let pipeline = found.iter().find_map(|found| match found {
        ValidatedManifest::Pipeline(pipeline) => Some(pipeline),
        ValidatedManifest::Training(_) => None,
    });
    pod(build_pipeline(pipeline.unwrap(), &site, None, &Live::default()).archiver)
}

fn variables(container: &Container) -> Vec<Value> {
    let own = [PAGE_ADDRESS_ENV, LOG[0]];
    let variables = container.env.iter().flatten().filter(|variable| !own.contains(&variable.name.as_str()));
    variables.map(|variable| json!(variable)).collect()
}

#[test]
fn it_reaches_kafka_and_the_bucket_as_pipelines_do() {
    let certificates = r#"kafka.tls={"ca":{"secret":"ca","key":"*.crt"},"clientCertificate":{"secret":"user","privateKeyKey":"user.key"}}"#;
    let oauth = r#"kafka.oauth={"tokenEndpoint":"https://login/token","scope":"kafka","audience":"brokers","ca":{"configMap":"login","key":"root.pem"}}"#;
    let sites = [
        vec![],
        vec!["--set", "kafka.credentialsSecret=kafka,kafka.saslMechanism=PLAIN,kafka.credentialsKeys.username=user"],
        vec!["--set", "kafka.credentialsSecret=kafka,kafka.username=vedette,kafka.tls.ca.secret=ca"],
        vec!["--set-json", certificates],
        vec!["--set", "kafka.credentialsSecret=client", "--set-json", oauth],
        vec![
            "--set-json",
            r#"kafka.properties={"security.protocol":"SSL","sasl.mechanism":"PLAIN","client.rack":"a=\"b\""}"#,
            "--set",
            "kafka.credentialsSecret=kafka,kafka.saslMechanism=SCRAM-SHA-256,kafka.tls.ca.configMap=trust",
        ],
        vec!["--set", "bucket.credentialsSecret=,bucket.endpoint=,bucket.region=eu-central-1,bucket.pathStyle=false"],
        vec!["--set", "bucket.prefix=teams/fraud,bucket.ca.secret=ca,bucket.credentialsKeys.sessionToken=token"],
        vec!["--set", "bucket.ca.configMap=trust", "--set-string", "bucket.ca.key=*.pem"],
    ];
    for site in sites {
        let (objects, deployment) = console(&site);
        let (console, archiver) = (pod(deployment), archiver(&objects));
        let as_console: ConsoleArguments = container::parse(&console.containers[0], &LOG);
        let as_archiver: ArchiverArguments = container::parse(&archiver.containers[0], &LOG);
        assert_eq!(format!("{:?}", as_console.kafka), format!("{:?}", as_archiver.kafka), "{site:?}");
        assert_eq!(format!("{:?}", as_console.bucket), format!("{:?}", as_archiver.bucket), "{site:?}");
        assert_eq!(variables(&console.containers[0]), variables(&archiver.containers[0]), "{site:?}");
        let volumes: Vec<_> =
            archiver.volumes.into_iter().flatten().filter(|volume| volume.empty_dir.is_none()).collect();
        assert_eq!(console.volumes.unwrap_or_default(), volumes, "{site:?}");
        let mounts = archiver.containers[0].volume_mounts.iter().flatten();
        let mounts: Vec<_> = mounts.filter(|mount| volumes.iter().any(|volume| volume.name == mount.name)).collect();
        let own: Vec<_> = console.containers[0].volume_mounts.iter().flatten().collect();
        assert_eq!(own, mounts, "{site:?}");
    }
}

#[test]
fn it_has_the_variables_of_the_site_as_pipelines_do_and_its_own_win() {
    let site = r#"pods.env=[{"name":"HTTPS_PROXY","value":"http://p:3128"},{"name":"NO_PROXY","value":".svc"}]"#;
    let own = r#"console.extraEnv=[{"name":"NO_PROXY","value":".local"}]"#;
    let (objects, deployment) = console(&["--set-json", site, "--set-json", own]);
    let of = |pod: PodSpec| -> Vec<(String, Option<String>)> {
        let variables = pod.containers[0].env.iter().flatten().filter(|variable| variable.name.ends_with("_PROXY"));
        variables.map(|variable| (variable.name.clone(), variable.value.clone())).collect()
    };
    let proxies = |none: &str| {
        [("HTTPS_PROXY", "http://p:3128"), ("NO_PROXY", none)]
            .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
    };
    assert_eq!(of(archiver(&objects)), proxies(".svc"));
    assert_eq!(of(pod(deployment)), proxies(".local"));
}

#[test]
fn it_shows_what_the_release_watches_unless_it_is_told_otherwise() {
    let shown = |values: &str| -> Vec<String> {
        let arguments = understood(&["--set", values]);
        arguments.namespaces.iter().map(ToString::to_string).collect()
    };
    assert_eq!(shown("replicas=1"), [helm::NAMESPACE]);
    assert_eq!(shown("watchNamespaces={payments,logins}"), ["payments", "logins"]);
    assert_eq!(shown("watchNamespaces={payments,logins},console.namespaces={logins}"), ["logins"]);
    for all in ["watchNamespaces={*}", "watchNamespaceSelector=team=payments", "console.namespaces={*}"] {
        assert_eq!(shown(all), [""; 0], "{all}");
    }
}

#[test]
fn it_understands_what_its_values_say() {
    let arguments = understood(&[
        "--set",
        "console.pathPrefix=/tools/vedette,console.bucketRequestsPerHour=2000000,site.name=north",
    ]);
    assert_eq!(arguments.path_prefix.as_str(), "/tools/vedette");
    assert_eq!(arguments.bucket_requests_per_hour, 2_000_000);
    assert_eq!(arguments.site.as_str(), "north");
    let (_, deployment) = console(&[]);
    let ports = pod(deployment).containers.remove(0).ports.unwrap();
    let ports: Vec<_> = ports.iter().map(|port| (port.name.as_deref().unwrap(), port.container_port)).collect();
    let defaults = understood(&[]);
    let served = [defaults.service.listen_address, defaults.page_address].map(|address| i32::from(address.port()));
    assert_eq!(ports, [("http", served[0]), ("page", served[1])]);
}

#[test]
fn it_mounts_what_its_values_give_beside_the_authorities_of_the_site() {
    let token =
        r#"console.extraVolumes=[{"name":"token","projected":{"sources":[{"serviceAccountToken":{"path":"token"}}]}}]"#;
    let mount = r#"console.extraVolumeMounts=[{"name":"token","mountPath":"/var/run/token","readOnly":true}]"#;
    for (authority, expected) in [("replicas=1", vec!["token"]), ("bucket.ca.secret=ca", vec!["bucket-ca", "token"])] {
        let (_, deployment) = console(&["--set", authority, "--set-json", token, "--set-json", mount]);
        let pod = pod(deployment);
        let volumes: Vec<_> = pod.volumes.unwrap().into_iter().map(|volume| volume.name).collect();
        let mounts = pod.containers[0].volume_mounts.iter().flatten();
        let mounts: Vec<_> = mounts.map(|mount| mount.name.clone()).collect();
        assert_eq!(volumes, expected);
        assert_eq!(mounts, expected);
    }
    let taken = template(&["--values", &helm::values_of("east"), "--set", "console.extraVolumes[0].name=bucket-ca"]);
    assert!(taken.unwrap_err().contains("extraVolumes"));
}

#[test]
fn nobody_writes_unless_the_values_let_people() {
    let writers = understood(&[]).writers;
    assert!(writers.write_token_file.is_none() && writers.proxy_user_header.is_none());
    assert!(!understood(&[]).allow_simulation && understood(&["--set", "console.simulation=true"]).allow_simulation);

    let proxy = "console.trustedProxy.header=X-Forwarded-User,console.trustedProxy.addresses={10.1.2.0/24,fd00::/8}";
    let writers = understood(&["--set", proxy]).writers;
    assert_eq!(writers.proxy_user_header.unwrap().as_str(), "x-forwarded-user");
    assert!(writers.proxy_addresses[1].contains("fd00::7".parse().unwrap()));
}

/// What the console would refuse at its start is refused before there is a pod.
#[test]
fn a_header_that_says_nothing_of_who_asks_is_refused() {
    for name in NO_USER_HEADERS.into_iter().chain(["Sec-Fetch-User", "X-FORWARDED-FOR", "Cookie"]) {
        let proxy = json!({ "header": name, "addresses": ["10.1.2.0/24"] });
        let proxy = format!("console.trustedProxy={proxy}");
        let error = template(&["--values", &helm::values_of("east"), "--set-json", &proxy]).unwrap_err();
        assert!(error.contains("at '/console/trustedProxy/header'"), "{name}: {error}");
    }
}

#[test]
fn it_is_asked_for_under_the_hosts_of_its_values() {
    assert!(understood(&[]).page_hosts.is_empty());
    let hosts = understood(&["--set", "console.hosts={vedette.corp,vedette.corp:8443}"]).page_hosts;
    assert_eq!(hosts.iter().map(PageHost::as_str).collect::<Vec<_>>(), ["vedette.corp", "vedette.corp:8443"]);
}

#[test]
fn its_token_is_a_file_of_a_secret_that_may_come_later() {
    for (values, key) in
        [("console.token.secret=writers", "token"), ("console.token.secret=writers,console.token.key=page", "page")]
    {
        let (_, deployment) = console(&["--set", values, "--set", "bucket.ca.secret=ca"]);
        let pod = pod(deployment);
        let arguments: ConsoleArguments = container::parse(&pod.containers[0], &LOG);
        let file = arguments.writers.write_token_file.unwrap();
        let volumes = pod.volumes.unwrap();
        let secret = volumes.iter().find(|volume| volume.name == "console-token").unwrap().secret.clone().unwrap();
        assert_eq!((secret.secret_name.as_deref(), secret.optional), (Some("writers"), Some(true)));
        let item = &secret.items.unwrap()[0];
        let mut mounts = pod.containers[0].volume_mounts.iter().flatten();
        let mount = mounts.find(|mount| mount.name == "console-token").unwrap();
        assert_eq!((item.key.as_str(), file), (key, Path::new(&mount.mount_path).join(&item.path)));
    }
    let taken =
        template(&["--values", &helm::values_of("east"), "--set", "console.extraVolumes[0].name=console-token"]);
    assert!(taken.unwrap_err().contains("extraVolumes"));
}

#[test]
fn its_services_lead_to_the_page_and_to_what_prometheus_asks() {
    let (objects, deployment) =
        console(&["--set", "serviceMonitor.enabled=true,console.service.port=8090,commonLabels.team=streams"]);
    let services: Vec<Service> = all(&objects, "Service");
    let labels = deployment.spec.template.metadata.unwrap().labels.unwrap();
    // Of two families each pod would be scraped twice.
    for (name, port, target, families) in
        [("vedette-console", 8090, "page", Some("PreferDualStack")), ("vedette-console-metrics", 8080, "http", None)]
    {
        let service = named(&services, name);
        let spec = service.spec.as_ref().unwrap();
        assert_eq!(spec.ip_family_policy.as_deref(), families, "{name}");
        let selector = spec.selector.as_ref().unwrap();
        assert!(selector.iter().all(|(label, value)| labels.get(label) == Some(value)), "{selector:?}");
        assert_eq!(Some(selector), deployment.spec.selector.match_labels.as_ref());
        let [only] = &spec.ports.as_ref().unwrap()[..] else { panic!("{spec:?}") };
        assert_eq!((only.port, &only.target_port), (port, &Some(IntOrString::String(target.to_owned()))));
        assert_eq!(service.metadata.labels.as_ref().unwrap()["team"], "streams");
    }
    // No Service of the operator takes it for one.
    let operator = named(&services, "vedette-operator").spec.as_ref().unwrap().selector.as_ref().unwrap();
    assert!(operator.iter().any(|(label, value)| labels.get(label) != Some(value)), "{labels:?}");
    let monitor = objects.iter().find(|object| object["kind"] == "ServiceMonitor").unwrap();
    let names = monitor["spec"]["selector"]["matchExpressions"][0]["values"].as_array().unwrap();
    assert!(names.iter().any(|name| name == labels["app.kubernetes.io/name"].as_str()), "{names:?}");
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], "http");
}

#[test]
fn a_browser_comes_to_one_of_several_pods_as_that_alone_knows_what_it_sent() {
    let affinity = |replicas: &str| {
        let services: Vec<Service> = all(&console(&["--set", &format!("console.replicas={replicas}")]).0, "Service");
        named(&services, NAME).spec.as_ref().unwrap().session_affinity.clone()
    };
    assert_eq!((affinity("1"), affinity("2").as_deref()), (None, Some("ClientIP")));
}

/// As `cli/src/console/cluster.rs` has it.
#[test]
fn the_command_line_finds_its_pods_by_a_label_and_its_page_by_the_name_of_the_port() {
    let template = console(&["--set", "console.pathPrefix=/tools/vedette"]).1.spec.template;
    let labels = template.metadata.unwrap().labels.unwrap();
    assert_eq!(labels["app.kubernetes.io/name"], "vedette-console");
    assert!(!labels["app.kubernetes.io/instance"].is_empty(), "{labels:?}");
    let container = &template.spec.unwrap().containers[0];
    let page = container.ports.iter().flatten().find(|port| port.name.as_deref() == Some("page"));
    assert!(page.is_some_and(|port| port.container_port > 0), "{:?}", container.ports);
    assert!(container.args.iter().flatten().any(|argument| argument == "--path-prefix=/tools/vedette"));
}

#[test]
fn it_is_no_more_than_the_operator_and_may_do_nothing_in_the_cluster() {
    let (objects, deployment) = console(&["--set", "priorityClassName=streaming,nodeSelector.disk=fast"]);
    let deployments: Vec<Deployment> = all(&objects, "Deployment");
    let (own, operator) = (pod(deployment), pod(named(&deployments, "vedette-operator").clone()));
    assert_eq!(own.automount_service_account_token, Some(false));
    assert_eq!(own.security_context, operator.security_context);
    assert_eq!(own.containers[0].security_context, operator.containers[0].security_context);
    assert_eq!((own.node_selector, own.affinity), (operator.node_selector, operator.affinity));
    assert_eq!(own.priority_class_name, operator.priority_class_name);
    let accounts: Vec<ServiceAccount> = all(&objects, "ServiceAccount");
    let account = own.service_account_name.unwrap();
    assert_eq!(named(&accounts, &account).automount_service_account_token, Some(false));
    for binding in all::<RoleBinding>(&objects, "RoleBinding") {
        assert!(binding.subjects.unwrap().iter().all(|subject| subject.name != account));
    }
}

#[test]
fn there_is_none_unless_it_is_wanted_and_one_pod_keeps_no_node_from_being_drained() {
    for object in rendered(&["--set", "networkPolicy.enabled=true"]) {
        assert!(!object["metadata"]["name"].as_str().unwrap().contains("console"), "{object}");
    }
    let budgets = |replicas: &str| -> Vec<PodDisruptionBudget> {
        all(&console(&["--set", &format!("console.replicas={replicas}")]).0, "PodDisruptionBudget")
    };
    assert_eq!(budgets("1").len(), 1);
    let two = budgets("2");
    let selector = named(&two, NAME).spec.as_ref().unwrap().selector.clone();
    assert_eq!(selector, Some(console(&[]).1.spec.selector));
}

#[test]
fn its_name_is_one_of_a_service_however_long_that_of_the_release_is() {
    let long = format!("fullnameOverride={}", "x".repeat(63));
    let objects = rendered(&[&ENABLED[..], &["--set", &long]].concat());
    for service in all::<Service>(&objects, "Service") {
        let name = service.metadata.name.unwrap();
        assert!(name.len() <= 63, "{name}");
    }
}
