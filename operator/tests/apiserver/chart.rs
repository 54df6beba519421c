//! The Helm chart on a real API server: install, upgrade, a second release, uninstall and install again, under a pipeline.

use std::fs;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use serde_json::json;
use vedette_crds::AnomalyPipeline;

use crate::site::Site;

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
    site.plane.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "--filename", "crds/yaml"]).unwrap();
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
