//! Runs helm and kubectl, which `make e2e-chart` builds, and reads what they render.

use std::path::{Path, PathBuf};
use std::process::Command;

use k8s_openapi::Metadata;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The chart, from the root of the repository.
pub(crate) const CHART: &str = "charts/vedette";
/// Where the release is said to go.
pub(crate) const NAMESPACE: &str = "vedette";
/// A helm that is built without its release scripts takes every cluster for an old one.
pub(crate) const KUBE_VERSION: [&str; 2] = ["--kube-version", "1.37"];
const BINARIES_ENV: &str = "VEDETTE_HELM_BIN";

/// Runs a program from the root of the repository, and returns what it prints.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let binaries = std::env::var(BINARIES_ENV).unwrap_or_else(|_| {
        panic!("{BINARIES_ENV} is not set: it names the directory of helm and kubectl; `make e2e-chart` builds them")
    });
    let output = Command::new(Path::new(&binaries).join(program))
        .args(arguments)
        .current_dir(repository())
        .env("KUBECONFIG", "/dev/null")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

pub(crate) fn helm(arguments: &[&str]) -> Result<String, String> {
    run("helm", arguments)
}

/// The objects of a release `vedette` with these arguments.
pub(crate) fn template(arguments: &[&str]) -> Result<Vec<Value>, String> {
    let release: &[&str] = &["template", "vedette", CHART, "--namespace", NAMESPACE];
    helm(&[release, &KUBE_VERSION, arguments].concat()).map(|text| documents(&text))
}

/// The objects of the site east, with these arguments beside.
pub(crate) fn rendered(arguments: &[&str]) -> Vec<Value> {
    let east = values_of("east");
    let all = [&["--values", &east], arguments].concat();
    template(&all).unwrap_or_else(|error| panic!("{all:?}: {error}"))
}

pub(crate) fn values_of(site: &str) -> String {
    format!("manifests/sites/{site}.yaml")
}

pub(crate) fn documents(text: &str) -> Vec<Value> {
    let documents = serde_yaml::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap());
    documents.filter(|document| !document.is_null()).collect()
}

/// All objects of a kind.
pub(crate) fn all<T: DeserializeOwned>(objects: &[Value], kind: &str) -> Vec<T> {
    let found = objects.iter().filter(|object| object["kind"] == kind);
    found.map(|object| serde_json::from_value(object.clone()).unwrap()).collect()
}

/// The only object of a kind.
pub(crate) fn object<T: DeserializeOwned>(objects: &[Value], kind: &str) -> T {
    let mut found = all(objects, kind);
    assert_eq!(found.len(), 1, "{kind}");
    found.remove(0)
}

/// The object of this name.
pub(crate) fn named<'a, T: Metadata<Ty = ObjectMeta>>(objects: &'a [T], name: &str) -> &'a T {
    let found = objects.iter().find(|object| object.metadata().name.as_deref() == Some(name));
    found.unwrap_or_else(|| panic!("there is no {name}"))
}

/// A file of the chart.
pub(crate) fn text(file: &str) -> String {
    repository_text(&format!("{CHART}/{file}"))
}

pub(crate) fn repository_text(file: &str) -> String {
    std::fs::read_to_string(repository().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
