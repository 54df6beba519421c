//! The chart's values: each does something, each is documented, and a wrong one is refused with its path.

use serde_json::{Value, json};

use crate::helm::{self, rendered, template};

/// Every value of the chart, and another one for it than the default or the example has.
fn others() -> Vec<(&'static str, Value)> {
    [others_of_the_operator(), others_of_the_images(), others_of_the_console()].concat()
}

fn others_of_the_console() -> Vec<(&'static str, Value)> {
    vec![
        ("images.console", json!("example.org/console:1")),
        ("networkPolicy.consoleFrom", json!([{ "podSelector": { "matchLabels": { "app": "proxy" } } }])),
        ("console.enabled", json!(false)),
        ("console.namespaces", json!(["payments"])),
        ("console.pathPrefix", json!("/tools/vedette")),
        ("console.simulation", json!(true)),
        ("console.token", json!({ "secret": "console-token" })),
        ("console.hosts", json!(["vedette.example.org"])),
        ("console.trustedProxy", json!({ "header": "X-Forwarded-User", "addresses": ["10.1.2.0/24"] })),
        ("console.bucketRequestsPerHour", json!(2_000_000)),
        ("console.replicas", json!(2)),
        ("console.resources.requests.cpu", json!("100m")),
        ("console.resources.requests.memory", json!("64Mi")),
        ("console.resources.limits.cpu", json!("2")),
        ("console.resources.limits.memory", json!("1Gi")),
        ("console.serviceAccount.create", json!(false)),
        ("console.serviceAccount.name", json!("viewer")),
        ("console.serviceAccount.annotations", json!({ "example.org/role": "reader" })),
        ("console.service.port", json!(8081)),
        ("console.service.annotations", json!({ "example.org/owner": "streams" })),
        ("console.service.ipFamilyPolicy", json!("SingleStack")),
        ("console.extraEnv", json!([{ "name": "NO_PROXY", "value": "bucket" }])),
        ("console.extraVolumes", json!([{ "name": "token", "emptyDir": {} }])),
        ("console.extraVolumeMounts", json!([{ "name": "token", "mountPath": "/var/run/token" }])),
        ("console.podLabels", json!({ "tier": "page" })),
        ("console.podAnnotations", json!({ "example.org/tier": "page" })),
    ]
}

fn others_of_the_images() -> Vec<(&'static str, Value)> {
    vec![
        ("images.registry", json!("registry.example.org/vedette")),
        ("images.tag", json!("2")),
        ("images.pullPolicy", json!("Always")),
        ("images.pullSecrets", json!(["registry"])),
        ("images.operator", json!("example.org/operator:1")),
        ("images.topics", json!("example.org/topics:1")),
        ("images.generator", json!("example.org/generator:1")),
        ("images.detector", json!("example.org/detector:1")),
        ("images.archiver", json!("example.org/archiver:1")),
        ("images.notifier", json!("example.org/notifier:1")),
        ("images.trainer", json!("example.org/trainer:1")),
        ("images.architectures", json!(["amd64", "arm64"])),
    ]
}

fn others_of_the_operator() -> Vec<(&'static str, Value)> {
    let toleration = json!([{ "key": "dedicated", "operator": "Exists" }]);
    let spread = json!([{ "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule" }]);
    let affinity = json!({ "requiredDuringSchedulingIgnoredDuringExecution": [{ "topologyKey": "host" }] });
    let variable = json!({ "name": "HTTPS_PROXY", "value": "http://proxy.example.org:3128" });
    vec![
        ("site.name", json!("north")),
        ("kafka.bootstrapServers", json!("kafka-0:9092, kafka-1:9092")),
        ("kafka.properties", json!({ "security.protocol": "SASL_SSL", "socket.timeout.ms": "10000" })),
        ("kafka.credentialsSecret", json!("vedette-kafka")),
        ("kafka.credentialsKeys.username", json!("user")),
        ("kafka.credentialsKeys.password", json!("user.password")),
        ("kafka.username", json!("detector")),
        ("kafka.saslMechanism", json!("PLAIN")),
        (
            "kafka.oauth",
            json!({ "tokenEndpoint": "https://login/token", "scope": "kafka", "ca": { "secret": "login" } }),
        ),
        ("kafka.tls", json!({ "ca": { "configMap": "trust" }, "clientCertificate": { "secret": "detector" } })),
        ("kafka.replicationFactor", json!(3)),
        ("bucket.name", json!("anomalies")),
        ("bucket.prefix", json!("teams/fraud")),
        ("bucket.pathStyle", json!(false)),
        ("bucket.endpoint", json!("https://s3.example.org")),
        ("bucket.region", json!("eu-central-1")),
        ("bucket.credentialsSecret", json!("s3")),
        ("bucket.credentialsKeys.accessKeyId", json!("AWS_ACCESS_KEY_ID")),
        ("bucket.credentialsKeys.secretAccessKey", json!("AWS_SECRET_ACCESS_KEY")),
        ("bucket.credentialsKeys.sessionToken", json!("AWS_SESSION_TOKEN")),
        ("bucket.ca", json!({ "configMap": "trust" })),
        ("bucket.encryption", json!({ "algorithm": "aws:kms", "kmsKeyId": "key-1" })),
        ("watchNamespaces", json!(["payments", "logins"])),
        ("watchNamespaceSelector", json!("team=payments")),
        ("pods.env", json!([variable])),
        ("crds.install", json!(false)),
        ("crds.keep", json!(false)),
        ("replicas", json!(2)),
        ("revisionHistoryLimit", json!(5)),
        ("leaseDurationSeconds", json!(30)),
        ("modelPollIntervalSeconds", json!(10)),
        ("logLevel", json!("info,kube=debug")),
        ("extraEnv", json!([variable])),
        ("extraVolumes", json!([{ "name": "trust", "configMap": { "name": "trust" } }])),
        ("extraVolumeMounts", json!([{ "name": "trust", "mountPath": "/etc/trust", "readOnly": true }])),
        ("resources.requests.cpu", json!("100m")),
        ("resources.requests.memory", json!("128Mi")),
        ("resources.limits.cpu", json!("2")),
        ("resources.limits.memory", json!("512Mi")),
        ("podSecurityContext.runAsNonRoot", json!(false)),
        ("podSecurityContext.seccompProfile.type", json!("Unconfined")),
        ("securityContext.allowPrivilegeEscalation", json!(true)),
        ("securityContext.readOnlyRootFilesystem", json!(false)),
        ("securityContext.capabilities.drop", json!(["NET_RAW"])),
        ("podDisruptionBudget.enabled", json!(false)),
        ("podDisruptionBudget.maxUnavailable", json!("50%")),
        ("nodeSelector", json!({ "kubernetes.io/arch": "amd64" })),
        ("tolerations", toleration),
        ("affinity", json!({ "podAntiAffinity": affinity })),
        ("topologySpreadConstraints", spread),
        ("priorityClassName", json!("streaming")),
        ("serviceAccount.create", json!(false)),
        ("serviceAccount.name", json!("watcher")),
        ("serviceAccount.annotations", json!({ "example.org/owner": "streams" })),
        ("rbac.create", json!(false)),
        ("service.annotations", json!({ "example.org/owner": "streams" })),
        ("serviceMonitor.enabled", json!(false)),
        ("serviceMonitor.interval", json!("1m")),
        ("serviceMonitor.labels", json!({ "release": "prometheus" })),
        ("serviceMonitor.relabelings", json!([{ "targetLabel": "cluster", "replacement": "east" }])),
        ("serviceMonitor.metricRelabelings", json!([{ "action": "drop", "sourceLabels": ["pod"], "regex": "x" }])),
        ("prometheusRule.enabled", json!(false)),
        ("prometheusRule.labels", json!({ "release": "prometheus" })),
        ("prometheusRule.runbookUrl", json!("https://wiki.example.org/vedette")),
        ("prometheusRule.oldModelDays", json!(7)),
        ("grafanaDashboards.enabled", json!(false)),
        ("grafanaDashboards.labels", json!({ "team": "monitoring" })),
        ("grafanaDashboards.annotations", json!({ "grafana_folder": "Vedette" })),
        ("networkPolicy.enabled", json!(false)),
        ("networkPolicy.kafkaPorts", json!([9094])),
        ("networkPolicy.bucketPorts", json!([9000])),
        ("networkPolicy.receiverPorts", json!([8443])),
        ("networkPolicy.dnsPorts", json!([53])),
        ("networkPolicy.apiServerPorts", json!([16443])),
        ("networkPolicy.metricsFrom", json!([{ "namespaceSelector": { "matchLabels": { "name": "monitoring" } } }])),
        ("networkPolicy.extraEgress", json!([{ "ports": [{ "port": 3128 }] }])),
        (
            "extraObjects",
            json!([{ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "{{ .Release.Name }}-more" } }]),
        ),
        ("fullnameOverride", json!("watcher")),
        ("commonLabels", json!({ "team": "streams" })),
        ("commonAnnotations", json!({ "example.org/owner": "streams" })),
        ("deploymentLabels", json!({ "tier": "control" })),
        ("deploymentAnnotations", json!({ "example.org/tier": "control" })),
        ("podLabels", json!({ "tier": "control" })),
        ("podAnnotations", json!({ "example.org/tier": "control" })),
    ]
}

fn set(path: &str, value: &Value) -> [String; 2] {
    ["--set-json".to_owned(), format!("{path}={value}")]
}

pub(crate) fn rendered_with(arguments: &[String]) -> Vec<Value> {
    rendered(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Arguments for what is off by default.
fn switched_on() -> Vec<String> {
    let off = [
        "serviceMonitor.enabled",
        "prometheusRule.enabled",
        "grafanaDashboards.enabled",
        "networkPolicy.enabled",
        "console.enabled",
    ];
    off.iter().flat_map(|path| set(path, &json!(true))).collect()
}

/// Arguments for every value there is; what would take an object away stays.
pub(crate) fn everything() -> Vec<String> {
    // A selector stands in place of names.
    let kept =
        |path: &str, value: &Value| (*value == json!(false) && path != "crds.keep") || path == "watchNamespaceSelector";
    let mut arguments = switched_on();
    arguments
        .extend(others().iter().filter(|(path, value)| !kept(path, value)).flat_map(|(path, value)| set(path, value)));
    arguments
}

/// Path and default of every value.
fn defaults() -> Vec<(String, Value)> {
    fn walk(path: &str, value: &Value, found: &mut Vec<(String, Value)>) {
        match value.as_object() {
            Some(fields) if !fields.is_empty() => {
                fields.iter().for_each(|(name, value)| walk(&format!("{path}.{name}"), value, found));
            }
            _ => found.push((path[1..].to_owned(), value.clone())),
        }
    }
    let mut found = Vec::new();
    walk("", &serde_yaml::from_str(&helm::text("values.yaml")).unwrap(), &mut found);
    found
}

#[test]
fn every_value_does_something() {
    let mut tried: Vec<&str> = others().iter().map(|(path, _)| *path).collect();
    let mut values: Vec<String> = defaults().into_iter().map(|(path, _)| path).collect();
    tried.sort_unstable();
    values.sort_unstable();
    assert_eq!(tried, values);
    let base = switched_on();
    let unchanged = rendered_with(&base);
    for (path, value) in others() {
        let arguments = [base.clone(), set(path, &value).to_vec()].concat();
        assert_ne!(rendered_with(&arguments), unchanged, "{path}");
    }
}

/// What people take pieces away of, and what is rendered as well without.
const TAKEN_AWAY: [&str; 4] = ["resources", "podSecurityContext", "securityContext", "console.resources"];
const REQUIRED: [&str; 3] = ["site.name", "kafka.bootstrapServers", "bucket.name"];

#[test]
fn values_that_an_older_release_did_not_have_are_as_by_default() {
    let base = switched_on();
    let is_taken_away = |path: &str| TAKEN_AWAY.iter().any(|group| path.starts_with(&format!("{group}.")));
    for (path, default) in defaults() {
        if REQUIRED.contains(&path.as_str()) || is_taken_away(&path) {
            continue;
        }
        let [without, with] = [json!(null), default].map(|value| [base.clone(), set(&path, &value).to_vec()].concat());
        assert_eq!(rendered_with(&without), rendered_with(&with), "{path}");
    }
    let unchanged = rendered_with(&[]);
    for name in [
        "networkPolicy",
        "serviceMonitor",
        "prometheusRule",
        "grafanaDashboards",
        "podDisruptionBudget",
        "images",
        "crds",
        "bucket.credentialsKeys",
        "console",
    ] {
        assert_eq!(rendered_with(&set(name, &json!(null))), unchanged, "{name}");
    }
    let unchanged = rendered_with(&base);
    let without = |name| rendered_with(&[base.clone(), set(name, &json!(null)).to_vec()].concat());
    for name in TAKEN_AWAY {
        without(name);
    }
    for name in ["resources.limits.cpu", "console.resources.limits.cpu"] {
        assert_ne!(without(name), unchanged, "what is taken away stays away: {name}");
    }
}

#[test]
fn the_templates_know_the_defaults_of_the_values() {
    let helper = helm::text("templates/_defaults.tpl");
    let yaml = helper.split_once("-}}\n").unwrap().1.rsplit_once("\n{{- end }}").unwrap().0;
    let mut expected: Value = serde_yaml::from_str(&helm::text("values.yaml")).unwrap();
    for path in TAKEN_AWAY {
        let (group, name) = path.rsplit_once('.').unwrap_or(("", path));
        let group = if group.is_empty() { &mut expected } else { &mut expected[group] };
        group.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(serde_yaml::from_str::<Value>(yaml).unwrap(), expected, "write the same into templates/_defaults.tpl");
}

#[test]
fn the_schema_knows_every_value_and_no_other() {
    /// The path of every property; where there are some, there are no others.
    fn walk(path: &str, schema: &Value, found: &mut Vec<String>) {
        let Some(properties) = schema["properties"].as_object() else { return };
        assert_eq!(schema["additionalProperties"], false, "{path}");
        for (name, schema) in properties {
            let path = format!("{path}{name}.");
            walk(&path, schema, found);
            found.push(path);
        }
    }
    let mut known = Vec::new();
    walk("", &serde_json::from_str(&helm::text("values.schema.json")).unwrap(), &mut known);
    // Helm gives it to every chart that is a part of another.
    known.retain(|path| path != "global.");
    let values: Vec<String> = defaults().into_iter().map(|(path, _)| format!("{path}.")).collect();
    let same = |one: &str, other: &str| one.starts_with(other) || other.starts_with(one);
    for path in &known {
        assert!(values.iter().any(|value| same(value, path)), "{path} is no value");
    }
    for value in &values {
        assert!(known.iter().any(|path| same(value, path)), "{value} is not in the schema");
    }
}

#[test]
fn what_is_missing_is_said_all_at_once() {
    let error = template(&[]).unwrap_err();
    for path in ["/site/name", "/kafka/bootstrapServers", "/bucket/name"] {
        assert!(error.contains(&format!("at '{path}'")), "{path} is not in {error}");
    }
}

#[test]
fn a_wrong_value_is_refused_with_its_path() {
    let proxy = |header: &str, address: &str| json!({ "header": header, "addresses": [address] });
    let wrong = [
        ("site.name", json!("East"), "/site/name"),
        ("site.name", json!("x".repeat(64)), "/site/name"),
        ("site.name", json!(7), "/site/name"),
        ("site.region", json!("eu"), "/site"),
        ("kafka.bootstrapServers", json!("kafka"), "/kafka/bootstrapServers"),
        ("kafka.bootstrapServers", json!("kafka:9092,"), "/kafka/bootstrapServers"),
        ("kafka.bootstrapServers", json!("fd00::1:9092"), "/kafka/bootstrapServers"),
        ("kafka.properties", json!({ "retries": 3 }), "/kafka/properties/retries"),
        ("kafka.credentialsSecret", json!("a/b"), "/kafka/credentialsSecret"),
        ("kafka.credentialsKeys", json!({ "user": "u" }), "/kafka/credentialsKeys"),
        ("kafka.properties", json!({ "sasl.password": "p" }), "/kafka/properties/sasl.password"),
        ("kafka.saslMechanism", json!("GSSAPI"), "/kafka/saslMechanism"),
        ("kafka.tls", json!({ "ca": { "secret": "a", "configMap": "b" } }), "/kafka/tls/ca"),
        ("kafka.tls", json!({ "clientCertificate": {} }), "/kafka/tls/clientCertificate"),
        ("kafka.replicationFactor", json!(0), "/kafka/replicationFactor"),
        ("bucket.name", json!("A_B"), "/bucket/name"),
        ("bucket.prefix", json!("/teams"), "/bucket/prefix"),
        ("bucket.pathStyle", json!("no"), "/bucket/pathStyle"),
        ("bucket.endpoint", json!("s3.example.org"), "/bucket/endpoint"),
        ("bucket.credentialsSecret", json!("A"), "/bucket/credentialsSecret"),
        ("bucket.ca", json!({ "key": "ca.crt" }), "/bucket/ca"),
        ("bucket.ca", json!({ "secret": "a..b" }), "/bucket/ca/secret"),
        ("bucket.ca", json!({ "secret": "a", "key": "*" }), "/bucket/ca/key"),
        ("bucket.encryption", json!({ "algorithm": "AES128" }), "/bucket/encryption/algorithm"),
        ("watchNamespaces", json!("payments"), "/watchNamespaces"),
        ("watchNamespaces", json!(["a", "a"]), "/watchNamespaces"),
        ("watchNamespaces", json!(["a", "*"]), "/watchNamespaces"),
        ("watchNamespaceSelector", json!({ "team": "payments" }), "/watchNamespaceSelector"),
        ("pods.env", json!([{ "name": "HTTPS_PROXY" }]), "/pods/env/0"),
        ("pods.env", json!([{ "name": "HTTPS_PROXY", "value": "http://user:word@proxy:3128" }]), "/pods/env/0/value"),
        ("crds.install", json!("yes"), "/crds/install"),
        ("images.pullPolicy", json!("Sometimes"), "/images/pullPolicy"),
        ("images.pullSecrets", json!([{ "name": "registry" }]), "/images/pullSecrets/0"),
        ("images.registry", json!("example.org/"), "/images/registry"),
        ("images.architectures", json!([]), "/images/architectures"),
        ("images.detectr", json!("example.org/detector:1"), "/images"),
        ("replicas", json!(-1), "/replicas"),
        ("leaseDurationSeconds", json!(5), "/leaseDurationSeconds"),
        ("modelPollIntervalSeconds", json!("5s"), "/modelPollIntervalSeconds"),
        ("logLevel", json!(""), "/logLevel"),
        ("extraEnv", json!([{ "value": "x" }]), "/extraEnv/0"),
        ("extraVolumes", json!([{ "name": "site", "emptyDir": {} }]), "/extraVolumes/0/name"),
        ("networkPolicy.kafkaPorts", json!(["9092"]), "/networkPolicy/kafkaPorts/0"),
        ("extraObjects", json!([{ "kind": "ConfigMap" }]), "/extraObjects/0"),
        ("resources.claims", json!([]), "/resources"),
        ("resources.limits.memory", json!(true), "/resources/limits/memory"),
        ("podDisruptionBudget.maxUnavailable", json!("some"), "/podDisruptionBudget/maxUnavailable"),
        ("nodeSelector", json!({ "ssd": true }), "/nodeSelector/ssd"),
        ("affinity.podAffinty", json!({}), "/affinity"),
        ("topologySpreadConstraints", json!([{ "maxSkew": 1 }]), "/topologySpreadConstraints/0"),
        ("serviceMonitor.interval", json!("often"), "/serviceMonitor/interval"),
        ("commonLabels", json!({ "team": 1 }), "/commonLabels/team"),
        ("console.namespaces", json!(["a", "*"]), "/console/namespaces"),
        ("console.pathPrefix", json!("tools"), "/console/pathPrefix"),
        ("console.pathPrefix", json!("/tools/"), "/console/pathPrefix"),
        ("console.pathPrefix", json!("/a/../b"), "/console/pathPrefix"),
        ("console.bucketRequestsPerHour", json!(10), "/console/bucketRequestsPerHour"),
        ("console.service.port", json!("page"), "/console/service/port"),
        ("console.service.ipFamilyPolicy", json!("DualStack"), "/console/service/ipFamilyPolicy"),
        ("console.token", json!("secret"), "/console/token"),
        ("console.token", json!({ "key": "token" }), "/console/token"),
        ("console.token", json!({ "secret": "A" }), "/console/token/secret"),
        ("console.hosts", json!(["https://vedette.corp"]), "/console/hosts/0"),
        ("console.trustedProxy", json!({ "header": "X-Forwarded-User" }), "/console/trustedProxy"),
        ("console.trustedProxy", json!({ "addresses": ["::1"] }), "/console/trustedProxy"),
        ("console.trustedProxy", proxy("X-Forwarded-User: ada", "::1"), "/console/trustedProxy/header"),
        ("console.trustedProxy", proxy("X-Forwarded-User", "proxy"), "/console/trustedProxy/addresses/0"),
        ("console.trustedProxy", proxy("X-Forwarded-User", "0.0.0.0/0"), "/console/trustedProxy/addresses/0"),
        ("console.trustedProxy", proxy("X-Forwarded-User", "10.1.2.0/999"), "/console/trustedProxy/addresses/0"),
        ("console.trustedProxy", proxy("X-Forwarded-User", "fd00::/129"), "/console/trustedProxy/addresses/0"),
    ];
    for (path, value, expected) in wrong {
        let [flag, argument] = set(path, &value);
        let error = template(&["--values", &helm::values_of("east"), &flag, &argument]).unwrap_err();
        assert!(error.contains(&format!("at '{expected}'")), "{path}={value}: {error}");
    }
}

/// A row for each value that has a comment: its path, its default and the comment.
fn table() -> String {
    let text = helm::text("values.yaml");
    let values: Value = serde_yaml::from_str(&text).unwrap();
    let (mut comment, mut path, mut rows) = (Vec::new(), Vec::<&str>::new(), Vec::new());
    for line in text.lines() {
        let (indent, line) = (line.len() - line.trim_start().len(), line.trim());
        if let Some(words) = line.strip_prefix("# ") {
            comment.push(words);
        } else if let Some((name, _)) = line.split_once(':') {
            path.truncate(indent / 2);
            path.push(name);
            if !comment.is_empty() {
                let default = path.iter().fold(&values, |value, name| &value[name]);
                rows.push(format!("| `{}` | `{default}` | {} |", path.join("."), comment.join(" ")));
            }
            comment.clear();
        } else {
            comment.clear();
        }
    }
    format!("| value | default | meaning |\n| --- | --- | --- |\n{}\n", rows.join("\n"))
}

#[test]
fn the_readme_has_every_value_with_its_default_and_its_comment() {
    let table = table();
    for (path, _) in defaults() {
        let documented = path.match_indices('.').map(|(end, _)| &path[..end]).chain([path.as_str()]);
        let mut rows = documented.map(|path| format!("| `{path}` |"));
        assert!(rows.any(|row| table.contains(&row)), "{path} has no comment in values.yaml");
    }
    assert!(helm::text("README.md").contains(&table), "charts/vedette/README.md is stale; its table is\n{table}");
}
