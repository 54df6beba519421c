//! The Helm chart on a real API server: install, upgrade, a second release, uninstall and install again, under a pipeline.

use std::fs;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use serde_json::{Value, json};
use vedette_crds::AnomalyPipeline;

use crate::control_plane::OPERATOR_USER;
use crate::site::{Site, version};

const EAST: [&str; 3] = ["charts/vedette", "--values", "manifests/sites/east.yaml"];

fn helm(site: &Site, arguments: &[&str], more: &[&str]) -> Result<String, String> {
    site.plane.helm(&[arguments, more].concat())
}

/// The short names of pipelines, by which the CRDs are told apart here.
fn short_names(site: &Site) -> String {
    let names = "--output=jsonpath={.spec.names.shortNames}";
    site.plane.kubectl(&["get", "customresourcedefinition", "anomalypipelines.vedette.io", names]).unwrap()
}

/// A copy of the chart whose CRD of pipelines has another short name.
fn next_chart(directory: &Path) -> String {
    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let (path, target) = (entry.path(), to.join(entry.file_name()));
            if path.is_dir() {
                copy(&path, &target);
            } else {
                fs::copy(&path, &target).unwrap();
            }
        }
    }
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/vedette"), directory);
    let crd = directory.join("templates/crds/anomalypipelines.yaml");
    let text = fs::read_to_string(&crd).unwrap();
    fs::write(&crd, text.replacen("- apl\n", "- apl\n    - nextapl\n", 1)).unwrap();
    directory.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chart_is_installed_upgraded_uninstalled_and_installed_again_under_a_pipeline() {
    let site = Site::empty().await;
    let refused =
        helm(&site, &["install", "vedette"], &["charts/vedette", "--set", "bucket.name=vedette"]).unwrap_err();
    assert!(refused.contains("'/site/name'") && refused.contains("'/kafka/bootstrapServers'"), "{refused}");

    let said = helm(&site, &["install", "vedette"], &EAST).unwrap();
    assert!(said.contains("kubectl apply --namespace vedette --filename manifests/two-sites.yaml"), "{said}");
    site.plane.kubectl(&["wait", "--for=condition=Established", "--timeout=240s", "--filename", "crds/yaml"]).unwrap();
    let map = site.api::<ConfigMap>().get("vedette-operator-site").await.unwrap();
    // The Role is the chart's: the operator has no other.
    let operator = site.operator_at("a", &map.data.unwrap()["site.yaml"], Duration::from_millis(500));
    site.pipeline(json!({})).await;
    site.ready().await;
    let uid = site.api::<AnomalyPipeline>().get("flows").await.unwrap().uid();

    let directory = tempfile::tempdir().unwrap();
    let next = next_chart(&directory.path().join("vedette"));
    helm(&site, &["upgrade", "vedette", &next], &EAST[1..]).unwrap();
    assert_eq!(short_names(&site), r#"["apl","nextapl"]"#);

    let staging = ["install", "staging", "--namespace", "staging", "--create-namespace"];
    let owned = helm(&site, &staging, &EAST).unwrap_err();
    assert!(owned.contains("anomalypipelines.vedette.io") && owned.contains("vedette"), "{owned}");
    helm(&site, &staging, &[&EAST[..], &["--set", "crds.install=false"]].concat()).unwrap();
    helm(&site, &["uninstall", "staging", "--namespace", "staging"], &[]).unwrap();
    assert_eq!(short_names(&site), r#"["apl","nextapl"]"#);

    let said = helm(&site, &["uninstall", "vedette"], &[]).unwrap();
    assert!(said.contains("[CustomResourceDefinition] anomalypipelines.vedette.io"), "{said}");
    site.until_gone::<Deployment>("vedette-operator").await;
    assert_eq!(site.api::<AnomalyPipeline>().get("flows").await.unwrap().uid(), uid);
    site.detector().await;

    helm(&site, &["install", "vedette"], &EAST).unwrap();
    assert_eq!(short_names(&site), r#"["apl"]"#);
    helm(&site, &["uninstall", "vedette"], &[]).unwrap();
    let other = helm(&site, &["install", "other"], &EAST).unwrap_err();
    assert!(other.contains("invalid ownership metadata"), "{other}");
    helm(&site, &["install", "other"], &[&EAST[..], &["--take-ownership"]].concat()).unwrap();
    assert_eq!(site.api::<AnomalyPipeline>().get("flows").await.unwrap().uid(), uid);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_of_the_same_name_run_in_both_watched_namespaces_and_no_other() {
    let site = &Site::empty().await;
    let kubectl = |namespace: &str, arguments: &[&str]| {
        site.plane.kubectl(&[arguments, &["--namespace", namespace]].concat()).unwrap()
    };
    for namespace in ["payments", "logins", "others"] {
        kubectl(namespace, &["create", "namespace", namespace]);
        let secret = ["--from-literal=accessKeyId=a", "--from-literal=secretAccessKey=b"];
        kubectl(namespace, &[&["create", "secret", "generic", "vedette-bucket"], &secret[..]].concat());
    }
    helm(site, &["install", "vedette"], &[&EAST[..], &["--set", "watchNamespaces={payments,logins}"]].concat())
        .unwrap();
    kubectl("vedette", &["wait", "--for=condition=Established", "--timeout=240s", "--filename", "crds/yaml"]);
    let map = site.api::<ConfigMap>().get("vedette-operator-site").await.unwrap();
    let operator = site.operator_at("a", &map.data.unwrap()["site.yaml"], Duration::from_millis(500));
    for (namespace, file) in [
        ("payments", "manifests/minimal.yaml"),
        ("logins", "e2e/fixtures/tenant.yaml"),
        ("others", "e2e/fixtures/tenant.yaml"),
    ] {
        kubectl(namespace, &["apply", "--filename", file]);
    }
    for namespace in ["payments", "logins"] {
        kubectl(namespace, &["wait", "--for=condition=Ready", "apl/flows", "--timeout=240s"]);
    }
    // The bucket has a place for each, and the training of the one is the other's only by its own object.
    site.objects.publish("payments", "flows", &version(1), 1).await;
    kubectl("payments", &["wait", "--for=condition=ModelCurrent", "apl/flows", "--timeout=240s"]);
    let running = |namespace: &str| {
        kubectl(
            namespace,
            &[
                "get",
                "deployments",
                "--output=jsonpath={.items[*].spec.template.metadata.labels.vedette\\.io/model-version}",
            ],
        )
    };
    assert_eq!(running("payments"), version(1).as_str());
    assert_eq!(running("logins"), "");
    assert_eq!(kubectl("others", &["get", "apl/flows", "--output=jsonpath={.status.observedGeneration}"]), "-1");
    assert_eq!(kubectl("others", &["get", "deployments", "--output=name"]), "");
    let refused = |entry: &&Value| entry["user"]["username"] == OPERATOR_USER && entry["responseStatus"]["code"] == 403;
    let audit = site.plane.audit();
    assert_eq!(audit.iter().find(refused), None);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_are_acted_upon_as_their_label_comes_and_goes() {
    let site = &Site::empty().await;
    let kubectl = |namespace: &str, arguments: &[&str]| {
        site.plane.kubectl(&[arguments, &["--namespace", namespace]].concat()).unwrap()
    };
    helm(site, &["install", "vedette"], &[&EAST[..], &["--set", "watchNamespaceSelector=vedette=enabled"]].concat())
        .unwrap();
    kubectl("vedette", &["wait", "--for=condition=Established", "--timeout=240s", "--filename", "crds/yaml"]);
    for (namespace, file) in [("payments", "manifests/minimal.yaml"), ("logins", "e2e/fixtures/tenant.yaml")] {
        kubectl(namespace, &["create", "namespace", namespace]);
        let secret = ["--from-literal=accessKeyId=a", "--from-literal=secretAccessKey=b"];
        kubectl(namespace, &[&["create", "secret", "generic", "vedette-bucket"], &secret[..]].concat());
        kubectl(namespace, &["apply", "--filename", file]);
    }
    let map = site.api::<ConfigMap>().get("vedette-operator-site").await.unwrap();
    let operator = site.operator_at("a", &map.data.unwrap()["site.yaml"], Duration::from_millis(500));
    let label = |namespace: &str, label: &str| kubectl("vedette", &["label", "namespace", namespace, label]);
    let until_ready =
        |namespace: &str| kubectl(namespace, &["wait", "--for=condition=Ready", "apl/flows", "--timeout=240s"]);
    let generation =
        |namespace: &str| kubectl(namespace, &["get", "apl/flows", "--output=jsonpath={.status.observedGeneration}"]);
    label("payments", "vedette=enabled");
    until_ready("payments");
    assert_eq!(generation("logins"), "-1");
    label("logins", "vedette=enabled");
    until_ready("logins");

    label("payments", "vedette-");
    site.until("no more of payments", || async {
        operator.metrics().lines().any(|line| line == "vedette_operator_namespaces 1").then_some(())
    })
    .await;
    let seen = generation("payments");
    for namespace in ["payments", "logins"] {
        kubectl(
            namespace,
            &["patch", "apl/flows", "--type=merge", "--patch", r#"{"spec":{"detector":{"replicas":2}}}"#],
        );
    }
    site.until("two detectors in logins", || async {
        (kubectl("logins", &["get", "deployment/flows-detector", "--output=jsonpath={.spec.replicas}"]) == "2")
            .then_some(())
    })
    .await;
    assert_eq!(generation("payments"), seen);

    // A tenant that goes concerns nobody else.
    kubectl("vedette", &["delete", "namespace", "logins", "--wait=false"]);
    label("payments", "vedette=enabled");
    site.until("two detectors in payments", || async {
        (kubectl("payments", &["get", "deployment/flows-detector", "--output=jsonpath={.spec.replicas}"]) == "2")
            .then_some(())
    })
    .await;
    operator.stop().await;
}
