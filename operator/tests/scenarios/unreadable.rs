//! An object whose status another version of the operator wrote: it is left alone, and nothing that is remembered there goes.

use serde_json::{Value, json};

use crate::cluster::{Cluster, version};

/// What the status of an object remembers, without what is said of it.
fn remembered(cluster: &Cluster, plural: &str) -> Value {
    let mut status = cluster.api.get(plural, "flows").unwrap()["status"].clone();
    for said in ["conditions", "observedGeneration"] {
        status.as_object_mut().unwrap().remove(said);
    }
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_another_version_is_kept_and_its_field_that_cannot_be_read_is_named() {
    let cluster = Cluster::new().await;
    let following = json!({ "model": { "training": "flows" } });
    let training = json!({ "site": "east", "data": { "pipeline": "flows" }, "trigger": { "minRecords": 100 } });
    cluster.archive("flows", 150).await;
    cluster.pipeline("flows", following.clone());
    cluster.training("flows", training.clone());
    let of_pipeline = json!({
        "site": "east", "replicas": 2, "topics": { "completed": ["flows-topics-1"] },
        "model": {
            "training": "flows", "active": version(1), "rejected": [version(2)], "rejectedWith": "means", "generation": 2
        }
    });
    let of_training = json!({
        "phase": "Paused", "model": version(1), "lastRequest": "monday", "failures": 1,
        "lastRun": {
            "job": "flows-7", "startedAt": "2026-11-23T08:00:00Z", "finishedAt": "2026-11-23T08:01:00Z", "records": 150
        },
        "history": [{
            "job": "flows-7", "finishedAt": "2026-11-23T08:01:00Z", "outcome": "Published", "version": version(1),
            "records": 150, "message": "published"
        }]
    });
    let condition = json!({
        "type": "TopicsReady", "status": "True", "reason": "TopicsCreated", "message": "they are there",
        "lastTransitionTime": "2026-11-23T08:00:00Z"
    });
    let objects = [
        ("anomalypipelines", &of_pipeline, "status.topics: missing field `completedJob`"),
        ("modeltrainings", &of_training, "status.phase: unknown variant `Paused`"),
    ];
    for (plural, status, _) in objects {
        let mut status = status.clone();
        status["conditions"] = json!([condition]);
        cluster.api.set_status(plural, "flows", status);
    }
    let operator = cluster.operator("a");
    for (plural, status, named) in objects {
        let ready = cluster.until_reason(plural, "flows", "Ready", "Invalid").await;
        assert!(ready["message"].as_str().unwrap().contains(named), "{ready}");
        assert_eq!(remembered(&cluster, plural), *status);
        assert_eq!(cluster.condition(plural, "flows", "TopicsReady"), Some(condition.clone()));
    }
    // Another spec changes nothing of it.
    let with_more = |spec: &Value| {
        let mut spec = spec.clone();
        spec["suspend"] = json!(true);
        spec
    };
    cluster.pipeline("flows", with_more(&following));
    cluster.training("flows", with_more(&training));
    for (plural, status, named) in objects {
        let is_current = |object: &Value| object["status"]["observedGeneration"] == object["metadata"]["generation"];
        let said = cluster.api.until("a reconcile", |api| api.get(plural, "flows").filter(is_current)).await;
        assert!(said["status"]["conditions"].to_string().contains(named), "{said}");
        assert_eq!(remembered(&cluster, plural), *status);
    }
    assert_eq!(cluster.api.names("jobs"), [""; 0]);
    operator.stop().await;
}
