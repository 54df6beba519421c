//! The operator against a real API server and the controllers beside it, without nodes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod control_plane;
mod kubelet;
#[path = "../scenarios/bucket.rs"]
mod objects;

use std::collections::BTreeSet;
use std::time::Duration;

use control_plane::{ControlPlane, OPERATOR_USER};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Secret, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, Resource, ResourceExt};
use kubelet::Kubelet;
use objects::Objects;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use vedette_contract::{ModelVersion, Name};
use vedette_crds::{AnomalyPipeline, ModelTraining};
use vedette_operator::permissions;
use vedette_operator::settings::Settings;
use vedette_operator::site::SiteFile;
use vedette_service::Shutdown;
use vedette_streams::bucket::Bucket;

const SITE: &str = "
site: { name: east }
kafka: { bootstrapServers: 'kafka:9092' }
bucket: { endpoint: 'http://s3:8333', name: vedette, credentialsSecret: vedette-bucket }
images: { topics: 'topics:1', generator: 'generator:1', detector: 'detector:1', archiver: 'archiver:1', trainer: 'trainer:1' }
";
const PATIENCE: Duration = Duration::from_secs(60);

struct Site {
    plane: ControlPlane,
    admin: Client,
    objects: Objects,
    bucket: Bucket,
    kubelet: Kubelet,
}

impl Site {
    /// A control plane with the CRDs, and the operator's Role in the namespace `vedette`.
    async fn new() -> Self {
        let plane = ControlPlane::start().await;
        let admin = plane.admin();
        plane.kubectl(&["create", "namespace", "vedette"]).unwrap();
        plane.kubectl(&["apply", "--server-side", "--filename", "crds/yaml"]).unwrap();
        plane.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "--filename", "crds/yaml"]).unwrap();
        plane.kubectl(&["apply", "--filename", "manifests/operator/role.yaml"]).unwrap();
        let secrets: Api<Secret> = Api::namespaced(admin.clone(), "vedette");
        let secret = json!({ "metadata": { "name": "vedette-bucket" }, "stringData": { "accessKeyId": "a", "secretAccessKey": "b" } });
        secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
        let (objects, bucket) = Objects::serve().await;
        let kubelet = Kubelet::start(admin.clone());
        Self { plane, admin, objects, bucket, kubelet }
    }

    fn operator(&self, pod_name: &str) -> Operator {
        self.operator_at(pod_name, SITE)
    }

    fn operator_at(&self, pod_name: &str, site: &str) -> Operator {
        let namespace: Name = "vedette".parse().unwrap();
        let settings = Settings {
            site: SiteFile::parse(site).unwrap(),
            namespace: namespace.clone(),
            watch_namespaces: vec![namespace],
            pod_name: pod_name.to_owned(),
            listen_address: "127.0.0.1:0".parse().unwrap(),
            model_poll_interval: Duration::from_millis(500),
            lease_name: "vedette-operator".parse().unwrap(),
            lease_duration: Duration::from_secs(6),
        };
        let shutdown = Shutdown::new();
        let run = vedette_operator::run(settings, self.plane.operator(), self.bucket.clone(), shutdown.clone());
        Operator { shutdown, task: tokio::spawn(async move { run.await.unwrap() }) }
    }

    fn api<K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::namespaced(self.admin.clone(), "vedette")
    }

    /// Applies an object as a person does.
    async fn apply<K>(&self, name: &str, spec: Value) -> kube::Result<DynamicObject>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        let kind = kube::api::ApiResource::erase::<K>(&());
        let api: Api<DynamicObject> = Api::namespaced_with(self.admin.clone(), "vedette", &kind);
        let object =
            json!({ "apiVersion": kind.api_version, "kind": kind.kind, "metadata": { "name": name }, "spec": spec });
        api.patch(name, &PatchParams::apply("a person").force(), &Patch::Apply(&object)).await
    }

    async fn pipeline(&self, spec: Value) {
        self.apply::<AnomalyPipeline>("flows", spec).await.unwrap();
    }

    async fn until<T, F: Future<Output = Option<T>>>(&self, what: &str, mut look: impl FnMut() -> F) -> T {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look().await {
                return found;
            }
            if tokio::time::Instant::now() >= deadline {
                let all = self.plane.kubectl(&["get", "all,apl,mt", "--output=wide"]);
                let status = self.plane.kubectl(&["get", "apl,mt", "--output=yaml"]);
                panic!("never saw {what}\n{}\n{}", all.unwrap_or_default(), status.unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn until_condition(&self, kind: &str, reason: &str) {
        self.until(&format!("{kind} {reason}"), || async {
            let status = self.api::<AnomalyPipeline>().get("flows").await.ok()?.status?;
            status.conditions.into_iter().find(|condition| condition.type_ == kind && condition.reason == reason)
        })
        .await;
    }

    async fn ready(&self) {
        self.until_condition("Ready", "Running").await;
    }

    async fn until_gone<K>(&self, name: &str)
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned,
    {
        self.until(&format!("no {name}"), || async {
            self.api::<K>().get_opt(name).await.is_ok_and(|found| found.is_none()).then_some(())
        })
        .await;
    }

    async fn detector(&self) -> Deployment {
        self.api::<Deployment>().get("flows-detector").await.unwrap()
    }

    /// Kind, name and version of everything that the operator made.
    fn versions(&self) -> BTreeSet<(String, String)> {
        let text = self.plane.kubectl(&[
            "get",
            "deployments,jobs,services,serviceaccounts,poddisruptionbudgets,horizontalpodautoscalers,apl,mt",
            "--output=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{\"\\n\"}{end}",
        ]);
        let text = text.unwrap();
        text.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
    }
}

struct Operator {
    shutdown: Shutdown,
    task: JoinHandle<()>,
}

impl Operator {
    async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.task).await.unwrap().unwrap();
    }

    /// As by SIGKILL: nothing is given up.
    fn kill(self) {
        self.task.abort();
    }
}

fn version(number: u8) -> ModelVersion {
    format!("20261123T0842{number:02}Z-{number:08x}").parse().unwrap()
}

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
    assert_eq!(object.data["spec"]["topics"]["alerts"]["partitions"], 4);
    assert_eq!(object.data["spec"]["detector"]["replicas"], 1);
    let scaled = |autoscaling: Value| json!({ "detector": { "autoscaling": autoscaling, "resources": { "requests": { "cpu": "1" } } } });
    site.apply::<AnomalyPipeline>("scaled", scaled(json!({ "maxReplicas": 4 }))).await.unwrap();
    let refused = [
        (json!({ "topics": { "alerts": { "name": "enriched_data" } } }), "four topics need four names"),
        (json!({ "detector": { "alerting": {} } }), "set either"),
        (json!({ "model": { "missingModelPolicy": "Wait" } }), "no model to wait for"),
        (scaled(json!({ "maxReplicas": 5 })), "must not be over topics.sensorMessages.partitions"),
        (scaled(json!({ "minReplicas": 3, "maxReplicas": 2 })), "must not be over maxReplicas"),
        (json!({ "detector": { "autoscaling": { "maxReplicas": 2 } } }), "needs resources.requests.cpu"),
        (
            json!({ "detector": { "replicas": 3, "autoscaling": { "maxReplicas": 4 }, "resources": { "requests": { "cpu": 1 } } } }),
            "replicas is left out",
        ),
    ];
    for (spec, expected) in refused {
        let error = site.apply::<AnomalyPipeline>("wrong", spec).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{expected:?} is not in {error}");
    }
    let error = site.apply::<AnomalyPipeline>("flows", json!({ "topics": { "alerts": { "name": "other" } } })).await;
    assert!(error.unwrap_err().to_string().contains("cannot be changed"));
    for file in ["minimal.yaml", "demo.yaml", "full.yaml"] {
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
    site.plane.kubectl(&["wait", "--for=condition=Ready", "apl/flows", "--timeout=10s"]).unwrap();
    // Every way is gone once: a model, a run, autoscaling, no generator, something that cannot be read.
    site.objects.publish_in("vedette", "flows", &version(1), 1);
    site.until_condition("ModelCurrent", "Current").await;
    site.objects.put_json(
        "vedette/flows/progress/east/enriched_data-0.json",
        &json!({
            "stream": "enriched_data", "records": 150, "closed_records": 150, "end": 150, "last_object": null,
            "last_utc": null, "updated_at": "2026-11-23T08:00:00Z"
        }),
    );
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
    let sequential = json!({ "recordsPerSecond": 1, "mode": "Sequential" });
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
    let rules = permissions::rules(&"vedette-operator".parse().unwrap(), &SiteFile::parse(SITE).unwrap().secrets());
    for rule in rules {
        for resource in rule.resources.iter().flatten() {
            for verb in &rule.verbs {
                let group = rule.api_groups.as_ref().unwrap()[0].clone();
                let permission = (group, resource.clone(), verb.clone());
                // An object that cannot be read, and an event that repeats, are in the scenarios.
                let rare = matches!(
                    (resource.as_str(), verb.as_str()),
                    ("anomalypipelines" | "modeltrainings", "get") | ("events", "patch")
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

#[tokio::test(flavor = "multi_thread")]
async fn what_was_applied_once_is_left_alone_and_quiet_minutes_see_no_write_but_the_lease() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.pipeline(json!({ "generator": { "recordsPerSecond": 1 } })).await;
    site.ready().await;
    site.until("a settled site", || async {
        let before = site.versions();
        tokio::time::sleep(Duration::from_secs(3)).await;
        (before == site.versions()).then_some(())
    })
    .await;
    let before = site.versions();
    let requests = site.plane.audit().len();
    tokio::time::sleep(Duration::from_secs(120)).await;
    let writes: Vec<Value> = site.plane.audit().split_off(requests).into_iter().filter(is_write_of_operator).collect();
    assert!(writes.iter().all(|write| write["objectRef"]["resource"] == "leases"), "{writes:#?}");
    operator.stop().await;
    // Another process knows nothing of what was sent, and sends all of it again: the server changes nothing.
    let operator = site.operator("b");
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(site.versions(), before);
    let sent = site.plane.audit().split_off(requests).into_iter().filter(is_write_of_operator);
    assert!(sent.filter(|write| write["objectRef"]["resource"] == "deployments").count() >= 3);
    operator.stop().await;
}

fn is_write_of_operator(entry: &Value) -> bool {
    let verb = entry["verb"].as_str().unwrap_or_default();
    entry["user"]["username"] == OPERATOR_USER && !["get", "list", "watch"].contains(&verb)
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_repaired_and_other_builders_roll_what_runs() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.pipeline(json!({ "generator": { "recordsPerSecond": 1, "mode": "Sequential" } })).await;
    site.ready().await;
    let deployments = site.api::<Deployment>();
    let drift =
        json!({ "spec": { "template": { "spec": { "containers": [{ "name": "detector", "image": "evil:1" }] } } } });
    deployments.patch("flows-detector", &PatchParams::default(), &Patch::Strategic(&drift)).await.unwrap();
    let image = |deployment: &Deployment| deployment.spec.template.spec.as_ref().unwrap().containers[0].image.clone();
    site.until("the own image", || async { (image(&site.detector().await)? == "detector:1").then_some(()) }).await;
    site.api::<Service>().delete("flows-detector", &DeleteParams::default()).await.unwrap();
    site.until("the service", || async { site.api::<Service>().get("flows-detector").await.ok() }).await;
    operator.stop().await;
    // An upgrade: every image is another, also that of Jobs, which cannot be changed.
    let operator = site.operator_at("b", &SITE.replace(":1'", ":2'"));
    site.until("the new image", || async { (image(&site.detector().await)? == "detector:2").then_some(()) }).await;
    site.ready().await;
    let status = site.api::<AnomalyPipeline>().get("flows").await.unwrap().status.unwrap();
    let job = status.topics.unwrap().completed_job;
    assert!(site.api::<Job>().get(&job).await.unwrap().name_any().starts_with("flows-topics-"));
    let refused = site
        .plane
        .audit()
        .into_iter()
        .filter(|entry| entry["user"]["username"] == OPERATOR_USER && entry["responseStatus"]["code"] == 422);
    assert_eq!(refused.count(), 0);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_to_autoscaling_never_takes_pods_away() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.pipeline(json!({ "detector": { "replicas": 3 } })).await;
    site.ready().await;
    site.plane.kubectl(&["scale", "apl/flows", "--replicas=4"]).unwrap();
    site.until("four detectors", || async { (site.detector().await.status?.available_replicas? == 4).then_some(()) })
        .await;
    let lowest = tokio::spawn(lowest_count(site.api::<Deployment>()));
    let scaled = json!({ "replicas": 1, "autoscaling": { "minReplicas": 1, "maxReplicas": 4 }, "resources": { "requests": { "cpu": "1" } } });
    site.pipeline(json!({ "detector": scaled })).await;
    site.until("an autoscaler", || async { site.api::<HorizontalPodAutoscaler>().get("flows-detector").await.ok() })
        .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    // The autoscaler takes over; from now on the count is its own.
    let scale = json!({ "spec": { "replicas": 2 } });
    let by_autoscaler =
        PatchParams { field_manager: Some("kube-controller-manager".to_owned()), ..PatchParams::default() };
    assert_eq!(lowest_so_far(&lowest), 4);
    lowest.abort();
    site.api::<Deployment>().patch_scale("flows-detector", &by_autoscaler, &Patch::Merge(&scale)).await.unwrap();
    site.plane.kubectl(&["annotate", "apl/flows", "look=again"]).unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(site.detector().await.spec.replicas, Some(2));
    operator.stop().await;
}

static LOWEST: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(i32::MAX);

async fn lowest_count(deployments: Api<Deployment>) {
    loop {
        if let Ok(deployment) = deployments.get("flows-detector").await {
            LOWEST.fetch_min(deployment.spec.replicas.unwrap_or(1), std::sync::atomic::Ordering::Relaxed);
        }
    }
}

fn lowest_so_far(_: &JoinHandle<()>) -> i32 {
    LOWEST.load(std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pipeline_made_goes_with_it() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.pipeline(json!({ "generator": { "recordsPerSecond": 1 } })).await;
    site.ready().await;
    site.api::<AnomalyPipeline>().delete("flows", &DeleteParams::default()).await.unwrap();
    site.until("nothing", || async {
        let left = site.plane.kubectl(&[
            "get",
            "deploy,job,svc,pdb,sa,pod",
            "--selector=app.kubernetes.io/managed-by=vedette-operator",
            "--output=name",
        ]);
        left.unwrap().is_empty().then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(site.api::<Deployment>().list(&ListParams::default()).await.unwrap().items.len(), 0);
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_is_taken_back_once_while_the_old_pods_go_on() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.pipeline(
        json!({ "detector": { "replicas": 2 }, "model": { "training": "flows", "progressDeadlineSeconds": 10 } }),
    )
    .await;
    site.objects.publish_in("vedette", "flows", &version(1), 1);
    site.until_condition("ModelCurrent", "Current").await;
    site.kubelet.break_version(version(2).as_str());
    site.objects.publish_in("vedette", "flows", &version(2), 2);
    site.until_condition("ModelCurrent", "Rolling").await;
    site.until_condition("ModelCurrent", "RolledBack").await;
    site.ready().await;
    let status = site.api::<AnomalyPipeline>().get("flows").await.unwrap().status.unwrap();
    let model = status.model.unwrap();
    assert_eq!((model.active, model.rejected), (Some(version(1).to_string()), vec![version(2).to_string()]));
    let events = site
        .plane
        .kubectl(&[
            "get",
            "events.events.k8s.io",
            "--output=jsonpath={range .items[*]}{.reason}: {.note}{\"\\n\"}{end}",
        ])
        .unwrap();
    let rolled_back: Vec<&str> = events.lines().filter(|line| line.starts_with("ModelRolledBack")).collect();
    assert!(matches!(rolled_back[..], [one] if one.contains("the forest does not end")), "{events}");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_killed_at_any_point_of_a_roll_leaves_it_to_the_next() {
    let site = Site::new().await;
    site.pipeline(json!({ "detector": { "replicas": 2 }, "model": { "training": "flows" } })).await;
    let mut operator = site.operator("p-0");
    site.ready().await;
    for round in 1..=5_u8 {
        site.objects.publish_in("vedette", "flows", &version(round), u64::from(round));
        let wait = u64::from(round) * 317 % 900;
        tokio::time::sleep(Duration::from_millis(400 + wait)).await;
        operator.kill();
        operator = site.operator(&format!("p-{round}"));
        site.until(&format!("version {round}"), || async {
            let status = site.api::<AnomalyPipeline>().get("flows").await.ok()?.status?;
            let model = status.model?;
            (model.active? == version(round).as_str() && model.target.is_none()).then_some(())
        })
        .await;
    }
    site.ready().await;
    let model = site.api::<AnomalyPipeline>().get("flows").await.unwrap().status.unwrap().model.unwrap();
    assert_eq!((model.previous, model.rejected.len()), (Some(version(4).to_string()), 0));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_hold_one_lease() {
    let site = Site::new().await;
    let holder = || async {
        let leases: Api<k8s_openapi::api::coordination::v1::Lease> = Api::namespaced(site.admin.clone(), "vedette");
        leases.get("vedette-operator").await.ok()?.spec?.holder_identity
    };
    let first = site.operator("first");
    site.until("a leader", || async { (holder().await? == "first").then_some(()) }).await;
    let second = site.operator("second");
    site.pipeline(json!({})).await;
    site.ready().await;
    assert_eq!(holder().await.as_deref(), Some("first"));
    let began = tokio::time::Instant::now();
    first.stop().await;
    site.until("the second leader", || async { (holder().await? == "second").then_some(()) }).await;
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    site.api::<Service>().delete("flows-archiver", &DeleteParams::default()).await.unwrap();
    site.until("the service", || async { site.api::<Service>().get("flows-archiver").await.ok() }).await;
    second.stop().await;
}
