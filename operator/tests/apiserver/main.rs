//! The operator against a real API server and the controllers beside it, without nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chart;
mod control_plane;
mod defaults;
mod kubelet;
mod lifecycle;
mod rolls;
mod scale;
mod site;
mod trainings;

use control_plane::OPERATOR_USER;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};
use site::{SITE, Site, version};
use std::collections::BTreeSet;
use vedette_core::site::SiteFile;
use vedette_crds::{AnomalyPipeline, ModelTraining};
use vedette_operator::permissions;

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_takes_the_crds_fills_in_defaults_and_checks_the_rules() {
    let site = Site::new().await;
    let definitions = site.plane.kubectl(&["get", "crds", "--output=json"]).unwrap();
    let definitions: Value = serde_json::from_str(&definitions).unwrap();
    for definition in definitions["items"].as_array().unwrap() {
        let conditions = definition["status"]["conditions"].as_array().unwrap();
        let wrong = conditions.iter().find(|condition| condition["type"] == "NonStructuralSchema");
        assert_eq!(wrong, None);
    }
    let object = site.apply::<AnomalyPipeline>("flows", json!({})).await.unwrap();
    assert_eq!(object.data["spec"]["topics"]["alerts"]["management"], "Create");
    assert_eq!(object.data["spec"]["detector"]["replicas"], 1);
    let scaled = |autoscaling: Value| json!({ "detector": { "autoscaling": autoscaling, "resources": { "requests": { "cpu": "1" } } } });
    site.apply::<AnomalyPipeline>("scaled", scaled(json!({ "maxReplicas": 4 }))).await.unwrap();
    let reserved = |memory: Value| json!({ "detector": { "resources": { "requests": { "memory": memory } } } });
    for quantity in
        ["128Mi", "1.5Gi", ".5G", "1.", "1e3", "268435456"].map(Value::from).into_iter().chain([json!(268_435_456)])
    {
        site.apply::<AnomalyPipeline>("scaled", reserved(quantity)).await.unwrap();
    }
    let refused = [
        (json!({ "topics": { "alerts": { "name": "enriched_data" } } }), "four topics need four names"),
        (json!({ "incidents": { "topic": { "name": "alerts" } } }), "incidents need a topic of their own"),
        (json!({ "detector": { "alerting": {} } }), "set either"),
        (json!({ "model": { "missingModelPolicy": "Wait" } }), "no model to wait for"),
        (
            json!({
                "topics": { "sensorMessages": { "partitions": 4 } }, "detector": { "autoscaling": { "maxReplicas": 5 } }
            }),
            "must not be over topics.sensorMessages.partitions",
        ),
        (scaled(json!({ "minReplicas": 3, "maxReplicas": 2 })), "must not be over maxReplicas"),
        (reserved(json!("1 GB")), "spec.detector.resources.requests.memory in body should match"),
        (reserved(json!("-1Gi")), "spec.detector.resources.requests.memory in body should match"),
        (
            json!({ "archiver": { "rolling": { "maxBytes": "128MB" } } }),
            "spec.archiver.rolling.maxBytes in body should match",
        ),
        (
            json!({ "pod": { "resources": { "limits": { "cpu": "half" } } } }),
            "spec.pod.resources.limits.cpu in body should match",
        ),
    ];
    for (spec, expected) in refused {
        let error = site.apply::<AnomalyPipeline>("wrong", spec).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected:?} is not in {error}");
    }
    let error = site.apply::<AnomalyPipeline>("flows", json!({ "topics": { "alerts": { "name": "other" } } })).await;
    assert!(error.unwrap_err().to_string().contains("cannot be changed"));
    for file in ["minimal.yaml", "two-sites.yaml", "demo.yaml", "full.yaml"] {
        let taken = site.plane.kubectl(&[
            "apply",
            "--dry-run=server",
            "--filename",
            &format!("manifests/{file}"),
            "--namespace=",
        ]);
        if let Err(error) = taken {
            assert!(error.contains("namespaces \"") && error.contains("not found"), "{file}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_role_is_enough_and_none_of_it_is_unused() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.pipeline(json!({ "generator": { "recordsPerSecond": 1 }, "model": { "training": "flows" } })).await;
    site.ready().await;
    site.plane.kubectl(&["wait", "--for=condition=Ready", "apl/flows", "--timeout=240s"]).unwrap();
    // Every way is gone once: a model, a run, autoscaling, no generator, something that cannot be read.
    site.objects.publish("vedette", "flows", &version(1), 1).await;
    site.until_condition("ModelCurrent", "Current").await;
    site.objects
        .put_json(
            "vedette/flows/progress/east/enriched_data-0.json",
            &json!({
                "stream": "enriched_data", "records": 150, "closed_records": 150, "end": 150, "last_object": null,
                "last_utc": null, "updated_at": "2026-11-23T08:00:00Z"
            }),
        )
        .await;
    let training = json!({ "site": "east", "data": { "pipeline": "flows" }, "trigger": { "minRecords": 100 } });
    site.apply::<ModelTraining>("runs", training).await.unwrap();
    site.until("a failed run", || async {
        let status = site.api::<ModelTraining>().get("runs").await.ok()?.status?;
        (status.failures > 0).then_some(())
    })
    .await;
    site.pipeline(json!({
        "detector": { "autoscaling": { "maxReplicas": 4 }, "resources": { "requests": { "cpu": "1" } } },
        "model": { "training": "flows" }
    }))
    .await;
    site.until("an autoscaler", || async { site.api::<HorizontalPodAutoscaler>().get("flows-detector").await.ok() })
        .await;
    site.until_gone::<Deployment>("flows-generator").await;
    let sequential =
        json!({ "recordsPerSecond": 1, "mode": "Sequential", "dataset": { "object": { "key": "a.csv" } } });
    let followed = json!({ "training": "flows" });
    site.pipeline(json!({ "generator": sequential, "model": followed, "pod": { "serviceAccountName": "default" } }))
        .await;
    site.until_gone::<HorizontalPodAutoscaler>("flows-detector").await;
    site.until_gone::<ServiceAccount>("flows-pipeline").await;
    let jobs = ListParams::default().labels("app.kubernetes.io/component=generator");
    let generator =
        site.until("a generator's Job", || async { site.api::<Job>().list(&jobs).await.ok()?.items.pop() }).await;
    site.pipeline(json!({ "model": followed })).await;
    site.until_gone::<Job>(&generator.name_any()).await;
    site.ready().await;
    // Another training, which has no model: no detector runs, and nothing of the first one's is remembered.
    site.pipeline(json!({ "model": { "training": "other", "missingModelPolicy": "Wait" } })).await;
    site.until_gone::<Deployment>("flows-detector").await;
    site.until_gone::<PodDisruptionBudget>("flows-detector").await;
    site.until_condition("Ready", "WaitingForModel").await;
    operator.stop().await;

    let audit = site.plane.audit();
    let own = audit.iter().filter(|entry| entry["user"]["username"] == OPERATOR_USER);
    let refused: Vec<_> = own.clone().filter(|entry| entry["responseStatus"]["code"] == 403).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let used: BTreeSet<(String, String, String)> = own.flat_map(used_permissions).collect();
    let rules = permissions::rules(&"vedette-operator".parse().unwrap(), &SiteFile::parse(SITE).unwrap().needs());
    for rule in rules {
        for resource in rule.resources.iter().flatten() {
            for verb in &rule.verbs {
                let group = rule.api_groups.as_ref().unwrap()[0].clone();
                let permission = (group, resource.clone(), verb.clone());
                // An object that cannot be read, an event that repeats, and a Job without a pod are elsewhere.
                let rare = matches!(
                    (resource.as_str(), verb.as_str()),
                    ("anomalypipelines" | "modeltrainings", "get") | ("events", "patch" | "list")
                );
                assert!(rare || used.contains(&permission), "{permission:?} is not used");
            }
        }
    }
}

/// Group, resource and verbs of a request: an apply that creates needs two.
fn used_permissions(entry: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = &entry["objectRef"];
    let resource = match object["subresource"].as_str() {
        Some(part) => format!("{}/{part}", text(&object["resource"])),
        None => text(&object["resource"]),
    };
    let created = entry["verb"] == "patch" && entry["responseStatus"]["code"] == 201;
    let verbs = [Some(text(&entry["verb"])), created.then(|| "create".to_owned())];
    verbs.into_iter().flatten().map(|verb| (text(&object["apiGroup"]), resource.clone(), verb)).collect()
}
