//! A cluster in memory, and operators in this process.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use vedette_contract::ModelVersion;
use vedette_core::site::{SiteFile, Watched};
use vedette_operator::settings::Settings;
use vedette_service::Shutdown;
use vedette_streams::bucket::Bucket;
use vedette_testing::TestBucket;
use vedette_testing::bucket::MountedSecret;

use crate::api::{Api, PATIENCE};

pub(crate) const SITE: &str = "
site: { name: east }
kafka: { bootstrapServers: 'kafka:9092' }
bucket: { endpoint: 'http://s3:8333', name: vedette, credentialsSecret: vedette-bucket }
images: { topics: t, generator: g, detector: d, archiver: a, trainer: t }
";

pub(crate) struct Cluster {
    pub api: Api,
    pub objects: TestBucket,
    pub secret: MountedSecret,
    pub bucket: Bucket,
}

pub(crate) struct Operator {
    pub shutdown: Shutdown,
    pub task: JoinHandle<()>,
}

impl Cluster {
    pub(crate) async fn new() -> Self {
        let objects = TestBucket::serve().await;
        let secret = MountedSecret::new("accessKeyId", "secretAccessKey");
        let site = SiteFile::parse(&SITE.replace("http://s3:8333", &objects.endpoint())).unwrap();
        let bucket = vedette_operator::connect::bucket(&site.bucket, secret.files());
        let api = Api::new();
        let data = json!({ "accessKeyId": "YQ==", "secretAccessKey": "Yg==" });
        api.put("secrets", json!({ "metadata": { "name": "vedette-bucket" }, "data": data }));
        Self { api, objects, secret, bucket }
    }

    pub(crate) fn operator(&self, pod_name: &str) -> Operator {
        self.operator_of(pod_name, &["n"])
    }

    /// An operator that acts upon these namespaces.
    pub(crate) fn operator_of(&self, pod_name: &str, namespaces: &[&str]) -> Operator {
        self.operator_at(SITE, pod_name, namespaces)
    }

    /// An operator of this site.
    pub(crate) fn operator_at(&self, site: &str, pod_name: &str, namespaces: &[&str]) -> Operator {
        let names = namespaces.iter().map(|name| name.parse().unwrap()).collect();
        self.operator_watching(Watched::These(names), site, pod_name)
    }

    /// An operator that acts upon the namespaces with these labels, or upon all.
    pub(crate) fn operator_of_selected(&self, selector: &str) -> Operator {
        self.operator_watching(Watched::Selected(selector.to_owned()), SITE, "a")
    }

    fn operator_watching(&self, watched: Watched, site: &str, pod_name: &str) -> Operator {
        let namespace: vedette_contract::Name = "n".parse().unwrap();
        let settings = Settings {
            site: SiteFile::parse(site).unwrap(),
            namespace,
            watched,
            pod_name: pod_name.to_owned(),
            listen_address: "127.0.0.1:0".parse().unwrap(),
            model_poll_interval: Duration::from_millis(200),
            lease_name: "vedette-operator".parse().unwrap(),
            lease_duration: Duration::from_secs(15),
        };
        let shutdown = Shutdown::new();
        let run = vedette_operator::run(settings, self.api.client(), self.bucket.clone(), shutdown.clone());
        Operator { shutdown, task: tokio::spawn(async move { run.await.unwrap() }) }
    }

    pub(crate) fn pipeline(&self, name: &str, spec: Value) {
        self.api.put("anomalypipelines", json!({
            "apiVersion": "vedette.io/v1alpha1", "kind": "AnomalyPipeline", "metadata": { "name": name }, "spec": spec
        }));
    }

    pub(crate) fn training(&self, name: &str, spec: Value) {
        self.api.put(
            "modeltrainings",
            json!({
                "apiVersion": "vedette.io/v1alpha1", "kind": "ModelTraining", "metadata": { "name": name }, "spec": spec
            }),
        );
    }

    pub(crate) fn condition(&self, plural: &str, name: &str, kind: &str) -> Option<Value> {
        let object = self.api.get(plural, name)?;
        object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind).cloned()
    }

    pub(crate) async fn until_reason(&self, plural: &str, name: &str, kind: &str, reason: &str) -> Value {
        let what = format!("{kind} {reason} of {name}");
        self.api
            .until(&what, |_| self.condition(plural, name, kind).filter(|condition| condition["reason"] == reason))
            .await
    }

    /// An object of the bucket that is there, or comes.
    pub(crate) async fn until_stored(&self, key: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(object) = self.objects.json(key).await.filter(&holds) {
                return object;
            }
            assert!(tokio::time::Instant::now() < deadline, "never saw {key} in the bucket");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn until_there(&self, plural: &str, name: &str) -> Value {
        self.api.until(&format!("{plural} {name}"), |api| api.get(plural, name)).await
    }

    /// What a pod of this Job has in its metadata.
    pub(crate) fn owned_by_job(&self, job: &str) -> Value {
        let uid = self.api.get("jobs", job).unwrap()["metadata"]["uid"].clone();
        json!([{ "apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": uid, "controller": true }])
    }

    /// The topic Job of a pipeline completes, as its controller would have it.
    pub(crate) async fn complete_topics(&self, pipeline: &str) {
        let prefix = format!("{pipeline}-topics-");
        let job = self
            .api
            .until("a topic Job", |api| api.names("jobs").into_iter().find(|name| name.starts_with(&prefix)))
            .await;
        self.api.set_status("jobs", &job, json!({ "conditions": [{ "type": "Complete", "status": "True" }] }));
    }

    /// All pods of a Deployment are ready.
    pub(crate) async fn ready(&self, deployment: &str) {
        let live = self.until_there("deployments", deployment).await;
        let replicas = live["spec"]["replicas"].clone();
        self.api.set_status(
            "deployments",
            deployment,
            json!({
                "observedGeneration": live["metadata"]["generation"], "replicas": replicas, "updatedReplicas": replicas,
                "readyReplicas": replicas, "availableReplicas": replicas
            }),
        );
    }

    pub(crate) async fn running(&self, pipeline: &str) {
        self.complete_topics(pipeline).await;
        self.ready(&format!("{pipeline}-detector")).await;
        self.ready(&format!("{pipeline}-archiver")).await;
        let generated = self.api.get("anomalypipelines", pipeline).unwrap()["spec"]["generator"].is_object();
        if generated {
            self.ready(&format!("{pipeline}-generator")).await;
        }
        self.until_reason("anomalypipelines", pipeline, "Ready", "Running").await;
    }

    /// The newest spec of a pipeline was put into effect.
    pub(crate) async fn reconciled(&self, pipeline: &str) {
        let is_current = |object: &Value| object["status"]["observedGeneration"] == object["metadata"]["generation"];
        self.api
            .until(&format!("a reconcile of {pipeline}"), |api| {
                api.get("anomalypipelines", pipeline).filter(is_current)
            })
            .await;
    }

    /// What is said of a pipeline's model after one more reconcile, which knows the pointer.
    pub(crate) async fn model_by_another_look(&self, pipeline: &str) -> Value {
        let mut spec = self.api.get("anomalypipelines", pipeline).unwrap()["spec"].clone();
        // Where there is a model, the same is wanted by either policy.
        spec["model"]["missingModelPolicy"] = json!("Wait");
        self.pipeline(pipeline, spec);
        let generation = self.api.get("anomalypipelines", pipeline).unwrap()["metadata"]["generation"].clone();
        let is_of_it = |said: &Value| said["observedGeneration"] == generation && said["reason"] != "PointerUnreadable";
        self.api
            .until(&format!("another look at {pipeline}"), |_| {
                self.condition("anomalypipelines", pipeline, "ModelCurrent").filter(is_of_it)
            })
            .await
    }

    /// A training that has started its first run; returns the name of the run's Job.
    pub(crate) async fn training_under_way(&self, name: &str) -> String {
        self.training(name, json!({ "site": "east", "data": { "pipeline": name }, "trigger": { "minRecords": 100 } }));
        self.archive(name, 150).await;
        let prefix = format!("{name}-");
        let started = |api: &Api| api.names("jobs").into_iter().find(|job| job.starts_with(&prefix));
        let job = self.api.until("a run", started).await;
        self.until_reason("modeltrainings", name, "Ready", "Running").await;
        job
    }

    /// So many records of a pipeline are archived.
    pub(crate) async fn archive(&self, pipeline: &str, records: u64) {
        self.objects
            .put_json(
                &format!("n/{pipeline}/progress/east/enriched_data-0.json"),
                &json!({
                    "stream": "enriched_data", "records": records, "closed_records": records, "end": records,
                    "last_object": null, "last_utc": null, "updated_at": "2026-11-23T08:00:00Z"
                }),
            )
            .await;
    }

    /// What a run leaves that has published a version.
    pub(crate) async fn publish_result(&self, training: &str, job: &str, version: &ModelVersion) {
        self.objects
            .put_json(
                &format!("n/models/{training}/results/{job}.json"),
                &json!({
                    "job": job, "finished_at": "2026-11-23T08:00:09Z", "outcome": "published", "records": 150,
                    "version": version, "metrics": null, "baseline": null, "message": "published"
                }),
            )
            .await;
    }

    pub(crate) fn arguments(&self, deployment: &str) -> Vec<String> {
        let live = self.api.get("deployments", deployment).unwrap_or_default();
        let arguments = live["spec"]["template"]["spec"]["containers"][0]["args"].as_array().cloned();
        arguments.unwrap_or_default().iter().map(|argument| argument.as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn until_version(&self, deployment: &str, version: &ModelVersion) {
        let argument = format!("--model-version={version}");
        self.api.until(&argument, |_| self.arguments(deployment).contains(&argument).then_some(())).await;
    }

    /// Publishes this version of the training `flows`, and waits until the detectors are given it.
    pub(crate) async fn is_offered(&self, number: u8) {
        let version = version(number);
        self.objects.publish("n", "flows", &version, u64::from(number)).await;
        self.until_version("flows-detector", &version).await;
    }

    pub(crate) fn events(&self) -> Vec<String> {
        let names = self.api.names("events");
        names.iter().map(|name| self.api.get("events", name).unwrap()["reason"].as_str().unwrap().to_owned()).collect()
    }
}

impl Operator {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

pub(crate) fn version(number: u8) -> ModelVersion {
    format!("20261123T0842{number:02}Z-{number:08x}").parse().unwrap()
}
