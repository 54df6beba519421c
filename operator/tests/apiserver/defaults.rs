//! What `kubectl apply` and Flux make of an object that the API server has filled in: they merge what a file says into what is
//! stored, so a default that is stored could stay beside what is said later.

use serde_json::{Value, json};
use vedette_core::site::SiteFile;
use vedette_core::validate::validate_pipeline;
use vedette_crds::{AnomalyPipeline, ModelTraining};

use crate::site::{SITE, Site};

impl Site {
    /// Applies a file by `kubectl apply`, with these words about who merges, and returns what is stored then.
    async fn kubectl_apply(&self, name: &str, spec: &Value, merging: &[&str]) -> AnomalyPipeline {
        let object = json!({
            "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline", "metadata": { "name": name }, "spec": spec
        });
        let file = self.plane.path("applied.json");
        std::fs::write(&file, object.to_string()).unwrap();
        let applied = self.plane.kubectl(&[&["apply", "--filename", &file], merging].concat());
        applied.unwrap_or_else(|error| panic!("{spec} {merging:?}: {error}"));
        self.api::<AnomalyPipeline>().get(name).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_default_that_an_apply_stored_can_be_left_by_the_next_one() {
    let site = Site::new().await;
    let generator = |dataset: Value| json!({ "recordsPerSecond": 1, "dataset": dataset });
    let autoscaling = json!({ "maxReplicas": 3 });
    let specs = [
        json!({ "generator": { "recordsPerSecond": 1 } }),
        json!({ "detector": { "alerting": { "scoreThreshold": 0.9 } } }),
        json!({ "detector": { "alerting": { "alertBudgetPerMillion": 10.5 } } }),
        json!({ "generator": generator(json!({ "object": { "key": "a.csv" } })), "detector": { "calculatedFields": [] } }),
        json!({ "generator": generator(json!({ "simulator": {} })), "detector": { "autoscaling": autoscaling } }),
        json!({ "detector": { "replicas": 2 } }),
        json!({ "topics": { "sensorMessages": { "partitions": 6 } } }),
        json!({ "topics": { "sensorMessages": { "partitions": 3 } } }),
        json!({}),
    ];
    // kubectl merges by what it remembers in an annotation, Flux by who owns a field.
    let ways = [("flows", [].as_slice()), ("fluxed", &["--server-side", "--field-manager=flux"])];
    for (spec, (name, merging)) in specs.iter().flat_map(|spec| ways.map(|way| (spec, way))) {
        let stored = site.kubectl_apply(name, spec, merging).await;
        let valid = validate_pipeline(&stored, &SiteFile::parse(SITE).unwrap());
        assert!(valid.is_ok(), "{spec}: {valid:?}");
        let stored = json!(stored.spec);
        for path in [
            "/detector/alerting",
            "/detector/calculatedFields",
            "/detector/autoscaling/maxReplicas",
            "/generator/dataset",
        ] {
            assert_eq!(stored.pointer(path), spec.pointer(path), "{path} of {name} after {spec}");
        }
    }
    // A count that somebody scaled to is stored, too, and no file has ever said it.
    site.plane.kubectl(&["scale", "apl/flows", "--replicas=4"]).unwrap();
    let stored = site.kubectl_apply("flows", &json!({ "detector": { "autoscaling": autoscaling } }), &[]).await;
    assert_eq!(json!(stored.spec)["detector"]["autoscaling"]["maxReplicas"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_kubernetes_has_no_field_for_is_stored_and_refused_by_name() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.pipeline(json!({ "pod": { "env": [{ "name": "A", "vlaue": "b" }] } })).await;
    site.until_condition("Ready", "Invalid").await;
    let message = r#"--output=jsonpath={.status.conditions[?(@.type=="Ready")].message}"#;
    let ready = site.plane.kubectl(&["get", "apl/flows", message]).unwrap();
    assert!(ready.contains("spec.pod.env[0].vlaue: Kubernetes has no such field"), "{ready}");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_looked_at_is_not_current_for_kstatus_and_its_status_is_taken_over() {
    let site = Site::new().await;
    let training = json!({ "site": "east", "data": { "pipeline": "flows" } });
    for _ in ["create", "apply once more"] {
        site.pipeline(json!({})).await;
        site.apply::<ModelTraining>("flows", training.clone()).await.unwrap();
    }
    let wait = |object: &str, condition: &str, timeout: &str| {
        site.plane.kubectl(&["wait", object, &format!("--for={condition}"), &format!("--timeout={timeout}")])
    };
    for object in ["apl/flows", "mt/flows"] {
        wait(object, "jsonpath={.status.observedGeneration}=-1", "5s").unwrap();
        wait(object, "condition=Ready", "1s").unwrap_err();
    }
    let operator = site.operator("a");
    for object in ["apl/flows", "mt/flows"] {
        wait(object, "jsonpath={.status.observedGeneration}=1", "60s").unwrap();
    }
    wait("apl/flows", "condition=Ready", "60s").unwrap();
    operator.stop().await;
}
