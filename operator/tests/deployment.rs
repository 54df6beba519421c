//! The operator's own manifests: they are what the code needs, and no more.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::rbac::v1::Role;
use serde::de::DeserializeOwned;
use serde_json::Value;
use vedette_core::site::SiteFile;
use vedette_operator::permissions;
use vedette_operator::settings::OperatorArguments;
use vedette_testing::container;

/// The object of this kind in a file of `manifests/operator`.
fn object<T: DeserializeOwned>(file: &str, kind: &str) -> T {
    use serde::Deserialize;
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/operator");
    let text = std::fs::read_to_string(std::path::Path::new(directory).join(file)).unwrap();
    let documents = serde_yaml::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap());
    let found = documents.into_iter().find(|document| document["kind"] == kind);
    serde_json::from_value(found.unwrap_or_else(|| panic!("no {kind} in {file}"))).unwrap()
}

fn site() -> SiteFile {
    let map: ConfigMap = object("site.yaml", "ConfigMap");
    SiteFile::parse(&map.data.unwrap()["site.yaml"]).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn deployment() -> Deployment {
    object("deployment.yaml", "Deployment")
}

#[test]
fn the_role_allows_what_the_code_does_and_nothing_else() {
    let role: Role = object("role.yaml", "Role");
    let lease = "vedette-operator".parse().unwrap();
    assert_eq!(role.rules.unwrap(), permissions::rules(&lease, &site().needs()));
}

#[test]
fn the_operator_understands_what_its_deployment_gives_it() {
    let container = deployment().spec.template.spec.unwrap().containers.remove(0);
    let arguments: OperatorArguments = container::parse(&container, &[]);
    assert_eq!(arguments.lease_name.as_str(), "vedette-operator");
    let mounts: Vec<_> = container.volume_mounts.iter().flatten().map(|mount| &mount.mount_path).collect();
    assert!(arguments.site_file.starts_with(mounts[0]));
    assert_eq!(arguments.bucket_credentials.to_str(), Some(mounts[1].as_str()));
    let port = container.ports.unwrap()[0].container_port;
    assert_eq!(port, i32::from(arguments.listen_address.port()));
}

#[test]
fn the_operator_fits_the_restricted_pod_security_standard() {
    let spec = serde_json::to_value(deployment().spec.template.spec.unwrap()).unwrap();
    assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
    assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let container = &spec["containers"][0]["securityContext"];
    assert_eq!(container["allowPrivilegeEscalation"], false);
    assert_eq!(container["readOnlyRootFilesystem"], true);
    assert_eq!(container["capabilities"]["drop"], serde_json::json!(["ALL"]));
}
