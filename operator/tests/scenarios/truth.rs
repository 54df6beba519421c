//! What counts where a Job, a Deployment and the bucket say different things. `vedette local` is held to the same, by the
//! tests of the same names in `cli/src/local/reconcile/tests.rs`.

use serde_json::{Value, json};
use vedette_contract::health::BudgetHealth;
use vedette_testing::bucket::Behaviour;
use vedette_testing::last_words::{FAILED_BECAUSE, FAILED_LOG};

use crate::api::Api;
use crate::cluster::{Cluster, SITE, version};

fn status(cluster: &Cluster) -> Value {
    cluster.api.get("modeltrainings", "flows").unwrap()["status"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_completes_without_a_result_has_failed_and_is_tried_again() {
    let cluster = Cluster::new().await;
    let operator = cluster.operator("a");
    let job = cluster.training_under_way("flows").await;
    cluster.api.set_status("jobs", &job, json!({ "conditions": [{ "type": "Complete", "status": "True" }] }));
    let ready = cluster.until_reason("modeltrainings", "flows", "Ready", "LastRunFailed").await;
    assert!(ready["message"].as_str().unwrap().contains("the next one starts at"), "{ready}");
    let status = status(&cluster);
    assert_eq!((&status["failures"], &status["phase"]), (&json!(1), &json!("Failed")));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_in_the_bucket_is_a_success_also_when_its_job_failed() {
    let cluster = Cluster::new().await;
    let operator = cluster.operator("a");
    let job = cluster.training_under_way("flows").await;
    cluster.publish_result("flows", &job, &version(1)).await;
    let evicted =
        json!([{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "evicted" }]);
    cluster.api.set_status("jobs", &job, json!({ "conditions": evicted }));
    cluster.until_reason("modeltrainings", "flows", "Published", "Published").await;
    let status = status(&cluster);
    assert_eq!((&status["failures"], &status["model"]), (&json!(0), &json!(version(1))));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_in_the_bucket_is_a_success_also_when_its_job_is_gone() {
    let cluster = Cluster::new().await;
    let operator = cluster.operator("a");
    let job = cluster.training_under_way("flows").await;
    cluster.publish_result("flows", &job, &version(1)).await;
    cluster.api.remove("jobs", &job);
    cluster.until_reason("modeltrainings", "flows", "Published", "Published").await;
    let status = status(&cluster);
    assert_eq!((&status["failures"], &status["model"]), (&json!(0), &json!(version(1))));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_result_cannot_be_read_has_not_ended() {
    let cluster = Cluster::new().await;
    let operator = cluster.operator("a");
    let job = cluster.training_under_way("flows").await;
    cluster.publish_result("flows", &job, &version(1)).await;
    cluster.objects.behave(Behaviour::Refuses);
    cluster.api.set_status("jobs", &job, json!({ "conditions": [{ "type": "Complete", "status": "True" }] }));
    cluster.until_reason("modeltrainings", "flows", "DataAvailable", "ProgressUnreadable").await;
    let unread = status(&cluster);
    assert_eq!((&unread["failures"], &unread["phase"]), (&json!(0), &json!("Running")));
    cluster.objects.behave(Behaviour::Honest);
    cluster.until_reason("modeltrainings", "flows", "Published", "Published").await;
    assert_eq!(status(&cluster)["failures"], 0);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_of_a_process_are_why_its_run_failed() {
    let cluster = Cluster::new().await;
    let operator = cluster.operator("a");
    let job = cluster.training_under_way("flows").await;
    pod(&cluster, &job, &json!({ "terminated": { "exitCode": 1, "message": FAILED_LOG } }));
    let failed = json!([{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded" }]);
    cluster.api.set_status("jobs", &job, json!({ "conditions": failed }));
    let ready = cluster.until_reason("modeltrainings", "flows", "Ready", "LastRunFailed").await;
    assert!(ready["message"].as_str().unwrap().contains(FAILED_BECAUSE), "{ready}");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_hangs_is_started_anew_when_its_cause_is_mended_and_one_at_work_is_left_to_end() {
    let cluster = Cluster::new().await;
    let operator = cluster.operator("a");
    let first = cluster.training_under_way("flows").await;
    let waiting = json!({ "waiting": { "reason": "ImagePullBackOff" } });
    pod(&cluster, &first, &waiting);
    cluster.until_reason("modeltrainings", "flows", "Ready", "RunHeldUp").await;
    let spec = json!({ "site": "east", "data": { "pipeline": "flows" }, "trigger": { "minRecords": 100 }, "seed": 2 });
    cluster.training("flows", spec.clone());
    let another = |api: &Api| api.names("jobs").into_iter().find(|job| *job != first);
    let second = cluster.api.until("another Job", another).await;
    let ready = cluster.until_reason("modeltrainings", "flows", "Ready", "LastRunFailed").await;
    assert!(ready["message"].as_str().unwrap().contains("its Job hung and is made anew"), "{ready}");
    assert_eq!((cluster.api.names("jobs"), &status(&cluster)["failures"]), (vec![second.clone()], &json!(0)));
    pod(&cluster, &second, &waiting);
    cluster.until_reason("modeltrainings", "flows", "Ready", "RunHeldUp").await;
    pod(&cluster, &second, &json!({ "running": {} }));
    cluster.until_reason("modeltrainings", "flows", "Ready", "LastRunFailed").await;
    let mut other = spec;
    other["seed"] = json!(3);
    cluster.training("flows", other);
    let is_current = |training: &Value| training["status"]["observedGeneration"] == training["metadata"]["generation"];
    cluster.api.until("a reconcile", |api| api.get("modeltrainings", "flows").filter(is_current)).await;
    assert_eq!(cluster.api.names("jobs"), [second]);
    operator.stop().await;
}

/// The pod of a run, whose trainer is like this.
fn pod(cluster: &Cluster, job: &str, state: &Value) {
    let labels = json!({
        "app.kubernetes.io/managed-by": "vedette-operator", "app.kubernetes.io/name": "vedette",
        "app.kubernetes.io/instance": "flows", "app.kubernetes.io/component": "trainer"
    });
    let container = json!({
        "name": "trainer", "image": "t", "imageID": "t", "restartCount": 0, "ready": false, "state": state
    });
    cluster.api.put(
        "pods",
        json!({
            "metadata": { "name": format!("{job}-1"), "labels": labels, "ownerReferences": cluster.owned_by_job(job) },
            "status": { "containerStatuses": [container] }
        }),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_there_already_is_not_learned_again() {
    let cluster = Cluster::new().await;
    cluster.objects.publish("n", "flows", &version(1), 1).await;
    cluster.objects.describe("n", "flows", &version(1), "flows-7").await;
    cluster.archive("flows", 150).await;
    let operator = cluster.operator("a");
    let spec = json!({ "site": "east", "data": { "pipeline": "flows" }, "trigger": { "minRecords": 100 } });
    cluster.training("flows", spec);
    cluster.until_reason("modeltrainings", "flows", "Ready", "Done").await;
    assert_eq!(status(&cluster)["lastRun"]["job"], "flows-7");
    assert_eq!(cluster.api.names("jobs"), [""; 0]);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_learned_while_nobody_knows_whether_it_was() {
    let cluster = Cluster::new().await;
    cluster.objects.put("n/models/flows/current.json", "{half").await;
    cluster.archive("flows", 150).await;
    let operator = cluster.operator("a");
    let spec = json!({ "site": "east", "data": { "pipeline": "flows" }, "trigger": { "minRecords": 100 } });
    cluster.training("flows", spec);
    let data = cluster.until_reason("modeltrainings", "flows", "DataAvailable", "ProgressUnreadable").await;
    assert!(data["message"].as_str().unwrap().contains("current.json is not a current pointer"), "{data}");
    assert_eq!(cluster.api.names("jobs"), [""; 0]);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_read_ready_as_the_condition_says_it() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    cluster.complete_topics("flows").await;
    cluster.ready("flows-detector").await;
    let site_status = "n/flows/sites/east.json";
    let available = || cluster.condition("anomalypipelines", "flows", "DetectorAvailable");
    let detectors_only = |_: &_| available().filter(|condition| condition["status"] == "True");
    cluster.api.until("detectors", detectors_only).await;
    assert_eq!(cluster.until_stored(site_status, |_| true).await["ready"], false);
    cluster.ready("flows-archiver").await;
    cluster.until_stored(site_status, |status| status["ready"] == true).await;
    cluster.api.remove("anomalypipelines", "flows");
    let last = cluster.until_stored(site_status, |status| status["deleted"] == true).await;
    assert_eq!(last["ready"], false, "{last}");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_spec_is_ready_when_its_own_pods_are_and_not_before() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    cluster.pipeline("flows", json!({ "pod": { "nodeSelector": { "no": "such" } } }));
    cluster.reconciled("flows").await;
    let is =
        |kind: &str| cluster.condition("anomalypipelines", "flows", kind).map(|condition| condition["status"].clone());
    assert_eq!((is("Ready"), is("Reconciling")), (Some(json!("False")), Some(json!("True"))));
    cluster.ready("flows-archiver").await;
    // What is Ready is of this generation, at whatever moment it is looked at.
    cluster.reconciled("flows").await;
    assert_eq!(is("Ready"), Some(json!("False")));
    cluster.ready("flows-detector").await;
    cluster.until_reason("anomalypipelines", "flows", "Ready", "Running").await;
    assert_eq!(is("Reconciling"), None);
    cluster.pipeline("flows", json!({ "suspend": true }));
    cluster.until_reason("anomalypipelines", "flows", "Ready", "Stopping").await;
    cluster.ready("flows-archiver").await;
    cluster.ready("flows-detector").await;
    let suspended = cluster.until_reason("anomalypipelines", "flows", "Ready", "Suspended").await;
    assert_eq!(suspended["status"], "True");
    operator.stop().await;
}

/// A pod of what the Deployment's template is now, whose container is like this.
fn put_pod(cluster: &Cluster, name: &str, container: &Value) {
    let mut metadata =
        cluster.api.get("deployments", "flows-detector").unwrap()["spec"]["template"]["metadata"].clone();
    metadata["name"] = json!(name);
    let mut status = json!({ "name": "detector", "image": "i", "imageID": "i", "restartCount": 0 });
    status.as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
    cluster.api.put("pods", json!({ "metadata": metadata, "status": { "containerStatuses": [status] } }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_whose_pod_waits_for_kafka_is_not_taken_back_and_one_whose_pod_blames_it_is() {
    let cluster = Cluster::new().await;
    cluster.pipeline("flows", json!({ "model": { "training": "flows", "progressDeadlineSeconds": 10 } }));
    let operator = cluster.operator("a");
    cluster.running("flows").await;
    cluster.is_offered(1).await;
    cluster.ready("flows-detector").await;
    put_pod(&cluster, "old", &json!({ "ready": true, "state": { "running": {} } }));
    cluster.until_reason("anomalypipelines", "flows", "ModelCurrent", "Current").await;
    cluster.is_offered(2).await;
    let waits = json!({ "ready": false, "state": { "running": { "startedAt": "2026-11-23T08:00:00Z" } } });
    put_pod(&cluster, "new", &waits);
    let is_unready = |said: &Value| said["message"].as_str().unwrap().contains("runs and does not become ready");
    let told = |_: &Api| cluster.condition("anomalypipelines", "flows", "ModelCurrent").filter(is_unready);
    cluster.api.until("word of the new pod", told).await;
    let is_overdue = |api: &Api| {
        let target = api.get("anomalypipelines", "flows")?["status"]["model"]["target"].clone();
        let since: Option<jiff::Timestamp> = target["unmovedSince"].as_str().and_then(|since| since.parse().ok());
        let deadline = jiff::SignedDuration::from_secs(10);
        // Where it was taken back there is no target, and nothing to wait for.
        let is_over = since.map_or(target.is_null(), |since| jiff::Timestamp::now().duration_since(since) > deadline);
        is_over.then_some(())
    };
    cluster.api.until("the end of the deadline", is_overdue).await;
    let said = cluster.model_by_another_look("flows").await;
    assert_eq!(said["reason"], "Rolling", "{said}");
    assert!(said["message"].as_str().unwrap().contains("runs and does not become ready"), "{said}");

    let words = r#"{"level":"ERROR","message":"failed","reason":"ModelStuck","blame":"model","error":"it hangs"}"#;
    let (looping, end) =
        (json!({ "waiting": { "reason": "CrashLoopBackOff" } }), json!({ "exitCode": 1, "message": words }));
    put_pod(&cluster, "new", &json!({ "ready": false, "state": looping, "lastState": { "terminated": end } }));
    cluster.until_version("flows-detector", &version(1)).await;
    // The status is written after the Deployment is.
    cluster.until_reason("anomalypipelines", "flows", "ModelCurrent", "RolledBack").await;
    let status = cluster.api.get("anomalypipelines", "flows").unwrap()["status"].clone();
    assert_eq!(status["model"]["rejected"], json!([version(2)]));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_processes_tell_of_the_records_is_a_condition() {
    let cluster = Cluster::new().await;
    let key = |pod: &str| format!("n/flows/health/east/{pod}.json");
    let now = jiff::Timestamp::now();
    let mut told = vedette_testing::bucket::lacks("src_bytes", now);
    told.detector.as_mut().unwrap().budget =
        Some(BudgetHealth { asked_for_per_million: 1_000., in_force_per_million: 1_000. / 3., is_exceeded: true });
    cluster.objects.put_json(&key("flows-detector-1"), &told).await;
    cluster.objects.put(&key("flows-detector-2"), "{half").await;
    cluster.objects.put_json(&key("flows-detector-3"), &vedette_testing::bucket::lacks("dst_bytes", now)).await;
    cluster.objects.age(&key("flows-detector-3"), jiff::SignedDuration::from_hours(25));
    cluster.pipeline("flows", json!({}));
    let operator = cluster.operator("a");
    let features = cluster.until_reason("anomalypipelines", "flows", "FeaturesPresent", "FieldsMissing").await;
    let message = features["message"].as_str().unwrap();
    assert!(message.contains("learned from: src_bytes;"), "{message}");
    let stream = cluster.until_reason("anomalypipelines", "flows", "StreamComplete", "RecordsLost").await;
    assert!(stream["message"].as_str().unwrap().contains("offsets 100 to 600"), "{stream}");
    let scores = cluster.until_reason("anomalypipelines", "flows", "ScoresStable", "ScoresShifted").await;
    assert!(scores["message"].as_str().unwrap().contains("changed most: src_bytes;"), "{scores}");
    cluster.until_reason("anomalypipelines", "flows", "BudgetHeld", "Exceeded").await;
    cluster.running("flows").await;
    for reason in ["FieldsMissing", "ScoresShifted"] {
        let told = |cluster: &Cluster| cluster.events().contains(&reason.to_owned());
        cluster.api.until("an event", |_| told(&cluster).then_some(())).await;
    }
    assert_eq!(cluster.objects.json::<Value>(&key("flows-detector-3")).await, None, "it is a day old");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_of_incidents_lacks_is_a_condition() {
    let cluster = Cluster::new().await;
    let file = "/var/lib/vedette/vedette-receiver-chat-url/url";
    let told = vedette_testing::bucket::lacks_file("chat", file, jiff::Timestamp::now());
    cluster.objects.put_json("n/flows/health/east/flows-notifier.json", &told).await;
    let receiver = json!({ "name": "chat", "webhook": { "urlSecret": { "name": "chat", "key": "url" } } });
    cluster.pipeline("flows", json!({ "incidents": { "receivers": [receiver] } }));
    let operator = cluster.operator_at(&SITE.replace("trainer: t", "notifier: n, trainer: t"), "a", &["n"]);
    let reason = "ReceiverSecretMissing";
    let told = cluster.until_reason("anomalypipelines", "flows", "ReceiversUsable", reason).await;
    let message = told["message"].as_str().unwrap();
    assert!(message.starts_with("receiver chat lacks the key url of Secret chat in namespace n: create"), "{message}");
    cluster.api.until("an event", |_| cluster.events().contains(&reason.to_owned()).then_some(())).await;
    operator.stop().await;
}
