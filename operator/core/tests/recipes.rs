//! docs/recipes.md says what holds: the objects in it fit the types, names and conditions of the code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde_json::Value;
use support::{pipeline_with, site, text, trainings};
use vedette_core::desired::labels::Component;
use vedette_core::desired::{build_training_job, names};
use vedette_core::site::{SiteFile, Source};
use vedette_core::{reason, status};
use vedette_crds::definitions;

const RECIPES: &str = include_str!("../../../docs/recipes.md");

/// The YAML of the recipe that begins with this heading.
fn blocks(heading: &str) -> Vec<Value> {
    let recipe = RECIPES.split("\n## ").find(|recipe| recipe.starts_with(heading)).unwrap();
    let blocks = recipe.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| serde_yaml::from_str(block).unwrap()).collect()
}

#[test]
fn keda_scales_what_has_a_scale_and_counts_the_lag_of_the_detectors() {
    let scaled = blocks("KEDA").remove(0);
    let target = &scaled["spec"]["scaleTargetRef"];
    let definition = definitions::anomaly_pipeline();
    let version = &definition.spec.versions[0];
    assert_eq!(target["kind"], definition.spec.names.kind);
    assert_eq!(target["apiVersion"], format!("{}/{}", definition.spec.group, version.name));
    let scale = version.subresources.as_ref().unwrap().scale.as_ref().unwrap();
    assert_eq!(scale.spec_replicas_path, ".spec.detector.replicas");
    assert!(scale.label_selector_path.is_some(), "an autoscaler asks for the pods");
    let trigger = &scaled["spec"]["triggers"][0]["metadata"];
    let name = |text: &Value| text.as_str().unwrap().parse().unwrap();
    let group = names::group(&"payments".parse().unwrap(), &name(&target["name"]), Component::Detector);
    assert_eq!(trigger["consumerGroup"], group);
    let pipeline = pipeline_with("{}");
    assert_eq!(trigger["topic"], pipeline.topics.sensor_messages.name.to_string());
    assert_eq!(scaled["spec"]["maxReplicaCount"], pipeline.topics.sensor_messages.partitions);
    let own = blocks("KEDA").remove(1);
    let typed: HorizontalPodAutoscaler = serde_json::from_value(own.clone()).unwrap();
    assert_eq!(serde_json::to_value(typed).unwrap()["spec"], own["spec"], "Kubernetes has every field");
    assert_eq!(own["spec"]["scaleTargetRef"], *target);
    let container = &own["spec"]["metrics"][0]["containerResource"]["container"];
    assert_eq!(*container, Component::Detector.as_str());
}

#[test]
fn argo_cd_goes_by_conditions_and_reasons_that_there_are() {
    let data = blocks("Argo CD").remove(0)["data"].clone();
    let kinds = definitions::all().into_iter().map(|definition| definition.spec.names.kind);
    let scripts: Vec<&str> =
        kinds.map(|kind| data[format!("resource.customizations.health.vedette.io_{kind}")].as_str().unwrap()).collect();
    for script in &scripts {
        assert_eq!(script, &scripts[0]);
        let compared = |field: &str| -> Vec<&str> {
            let comparison = format!("{field} == \"");
            let found = script.split(comparison.as_str()).skip(1);
            found.map(|rest| rest.split('"').next().unwrap()).collect()
        };
        assert_eq!(compared("condition.type"), [status::STALLED, status::READY]);
        assert_eq!(compared("condition.reason"), ["Suspended"]);
    }
    assert!(reason::all().contains(&"Suspended"));
}

#[test]
fn the_site_of_the_cert_manager_recipe_takes_what_the_certificate_makes() {
    let [certificate, mut values] = blocks("cert-manager").try_into().unwrap();
    values["kafka"]["bootstrapServers"] = Value::from("kafka:9093");
    let site = SiteFile { kafka: serde_json::from_value(values["kafka"].take()).unwrap(), ..site() };
    let secret = Source::Secret(certificate["spec"]["secretName"].as_str().unwrap().parse().unwrap());
    assert!(site.needs()[&secret].iter().eq(["ca.crt", "tls.crt", "tls.key"]));
}

#[test]
fn a_training_of_the_kueue_recipe_is_queued_by_its_jobs_label() {
    let manifest = blocks("Kueue").remove(0);
    assert_eq!(manifest["kind"], "ModelTraining");
    let labels = manifest["spec"]["labels"].as_object().unwrap();
    let spec = format!("  labels: {}", serde_json::to_string(labels).unwrap());
    let training = trainings(&format!("{}\n{spec}", text("minimal.yaml").trim_end())).remove(0);
    let job = build_training_job(&training, &site(), "flows-1795423330");
    assert_eq!(job.metadata.labels.unwrap()["kueue.x-k8s.io/queue-name"], "trainings");
}

#[test]
fn a_run_whose_node_is_to_stay_says_so_on_its_pod() {
    let manifest = blocks("Cluster autoscaler").remove(0);
    let pod = format!("  pod: {}", manifest["spec"]["pod"]);
    let training = trainings(&format!("{}\n{pod}", text("minimal.yaml").trim_end())).remove(0);
    let job = build_training_job(&training, &site(), "flows-1795423330");
    let annotations = job.spec.unwrap().template.metadata.unwrap().annotations.unwrap();
    assert_eq!(annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"], "false");
    assert_eq!(annotations["karpenter.sh/do-not-disrupt"], "true");
}

#[test]
fn vaults_injector_finds_the_token_that_the_manifest_names() {
    let pod = pipeline_with(&blocks("Istio")[1]["spec"].to_string()).pods.detector;
    let volume = &pod.volumes.unwrap()[0].known;
    assert_eq!(pod.annotations["vault.hashicorp.com/agent-service-account-token-volume-name"], volume.name);
    let sources = volume.projected.as_ref().unwrap().sources.as_ref().unwrap();
    assert_eq!(sources[0].service_account_token.as_ref().unwrap().path, "token");
}

#[test]
fn a_mesh_is_left_by_what_a_manifest_may_say_of_its_pods() {
    let spec = blocks("Istio")[0]["spec"].to_string();
    let pods = pipeline_with(&spec).pods;
    for pod in [pods.topics, pods.generator, pods.detector, pods.archiver] {
        assert_eq!(pod.labels["sidecar.istio.io/inject"], "false");
        assert_eq!(pod.annotations["linkerd.io/inject"], "disabled");
    }
}
