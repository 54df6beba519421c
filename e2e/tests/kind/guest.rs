//! The steps of the story that show a good guest: what others own stays as it is, and what cannot go on says so, harms
//! nothing meanwhile, and goes on once it is mended.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{EvictParams, ListParams};
use kube::{Api, ResourceExt};
use vedette_contract::model::{TrainingOutcome, TrainingResult};
use vedette_e2e::cluster::{Look, wait_for};
use vedette_e2e::topic;

use crate::records::until_records_flow;
use crate::site::{GUEST, NAMESPACE, PATIENCE, Site, look, models};
use crate::story::Story;

/// The topic that others made, and what they set.
const TOPIC: &str = "sensor_messages";
const PARTITIONS: u8 = 3;
const GROWN: u8 = 6;
const SET: [(&str, &str); 2] = [("max.message.bytes", "10485760"), ("retention.ms", "-1")];
/// How long a version may make no progress that has no node, and what is longer.
const DEADLINE_SECONDS: u32 = 10;
const LONGER_THAN_THE_DEADLINE: Duration = Duration::from_secs(15);

/// Somebody made the topic of the input long before.
pub(crate) async fn others_make_a_topic(site: &Site) {
    topic::create(&site.cluster.kafka(), TOPIC, PARTITIONS.into(), &SET).await.unwrap();
}

async fn assert_set_as_before(site: &Site) {
    let set = topic::configuration(&site.cluster.kafka(), TOPIC).await.unwrap();
    let set: Vec<_> = set.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(set, SET);
}

async fn until_partitions(site: &Site, wanted: u8) {
    wait_for(&format!("{wanted} partitions at {}", site.cluster.name()), PATIENCE, || async {
        match topic::partitions(&site.cluster.kafka(), TOPIC) {
            Ok(seen) if seen == usize::from(wanted) => Look::Holds(()),
            seen => Look::NotYet(format!("{seen:?}")),
        }
    })
    .await
    .unwrap();
}

/// The names of the pods with this label, those on their way out among them.
async fn pods(site: &Site, label: &str) -> Vec<String> {
    let pods: Api<Pod> = Api::namespaced(site.cluster.client(), NAMESPACE);
    pods.list(&ListParams::default().labels(label)).await.unwrap().iter().map(ResourceExt::name_any).collect()
}

/// There is nobody who decides anything.
async fn without_its_operator(site: &Site) {
    site.kubectl(&["scale", "deployment/vedette-operator", "--replicas=0"]);
    wait_for("the end of the operator", PATIENCE, || async {
        let left = pods(site, "app.kubernetes.io/name=vedette-operator").await;
        if left.is_empty() { Look::Holds(()) } else { Look::NotYet(format!("{left:?}")) }
    })
    .await
    .unwrap();
}

fn message<'a>(conditions: &'a [Condition], kind: &str, status: &str) -> Option<&'a str> {
    let condition = conditions.iter().find(|seen| seen.type_ == kind && seen.status == status)?;
    Some(&condition.message)
}

impl Story {
    pub(crate) async fn a_topic_of_others_stays_as_it_is_and_grows_where_that_is_asked_for(&self) {
        let east = &self.east;
        assert_set_as_before(east).await;
        until_partitions(east, PARTITIONS).await;
        let differs = format!("{{\"topics\":{{\"sensorMessages\":{{\"partitions\":{GROWN}}}}}}}");
        east.patch(&differs);
        let said = wait_for("what differs", PATIENCE, || {
            look(east.pipeline(), |status| {
                let message = message(&status.conditions, "TopicsReady", "True")?;
                message.contains("management: Manage").then(|| message.to_owned())
            })
        });
        let said = said.await.unwrap();
        assert!(said.contains(TOPIC) && said.contains("3 partitions"), "{said}");
        until_partitions(east, PARTITIONS).await;
        east.patch("{\"topics\":{\"sensorMessages\":{\"management\":\"Manage\"}}}");
        until_partitions(east, GROWN).await;
        assert_set_as_before(east).await;
        east.until("Ready", "Running").await;
        until_records_flow(east).await;
    }

    /// The old pods go on all the while.
    pub(crate) async fn a_spec_that_cannot_run_is_not_ready_and_a_version_that_waits_is_not_banned(&self) {
        let (east, west) = (&self.east, &self.west);
        let good = west.pointer().await.unwrap().version.to_string();
        west.patch("{\"detector\":{\"pod\":{\"nodeSelector\":{\"no\":\"such\"}}}}");
        west.kubectl(&["wait", "--for=condition=Ready=false", "apl/flows", "--timeout=240s"]);
        east.patch(&format!("{{\"model\":{{\"progressDeadlineSeconds\":{DEADLINE_SECONDS}}}}}"));
        east.kubectl(&["cordon", "--selector", "kubernetes.io/os=linux"]);
        let next = self.train_on_demand(&good).await;
        east.until("ModelCurrent", "Rolling").await;
        tokio::time::sleep(LONGER_THAN_THE_DEADLINE).await;
        let status = east.pipeline().await.unwrap();
        let rolling = message(&status.conditions, "ModelCurrent", "False").unwrap();
        assert!(rolling.contains(&next), "{rolling}");
        assert!(!status.model.unwrap().rejected.contains(&next));
        for site in self.sites() {
            until_records_flow(site).await;
        }
        let status = west.pipeline().await.unwrap();
        assert!(message(&status.conditions, "Ready", "False").is_some(), "{:?}", status.conditions);

        for site in self.sites() {
            site.patch("{\"model\":{\"progressDeadlineSeconds\":300}}");
        }
        east.kubectl(&["uncordon", "--selector", "kubernetes.io/os=linux"]);
        west.patch("{\"detector\":{\"pod\":null}}");
        for site in self.sites() {
            site.until_active(&next).await;
            site.until("Ready", "Running").await;
        }
    }

    /// A node is drained under a training, and its Job is deleted once it published, which no operator sees: what it published counts.
    /// Returns the version.
    pub(crate) async fn a_training_is_failed_neither_by_a_drain_nor_by_the_end_of_its_job(&self) -> String {
        let west = &self.west;
        let before = west.training().await.unwrap().last_run.map(|run| run.job);
        west.kubectl(&["annotate", "mt/flows", &format!("vedette.io/run={}", jiff::Timestamp::now()), "--overwrite"]);
        let job = wait_for("a run", PATIENCE, || {
            look(west.training(), |status| {
                let run = status.last_run.as_ref().filter(|run| run.finished_at.is_none())?;
                Some(run.job.clone()).filter(|job| before.as_ref() != Some(job))
            })
        })
        .await
        .unwrap();
        let drained = wait_for("a pod of the training", PATIENCE, || async {
            let pod = pods(west, &format!("batch.kubernetes.io/job-name={job}")).await.pop();
            pod.map_or_else(|| Look::NotYet("none".to_owned()), Look::Holds)
        })
        .await
        .unwrap();
        let api: Api<Pod> = Api::namespaced(west.cluster.client(), NAMESPACE);
        api.evict(&drained, &EvictParams::default()).await.unwrap();
        without_its_operator(west).await;
        let result = wait_for("what the training left", PATIENCE, || async {
            let left = west.cluster.bucket().get_json::<TrainingResult>(&models().result(&job)).await.unwrap();
            left.map_or_else(|| Look::NotYet("nothing".to_owned()), Look::Holds)
        })
        .await
        .unwrap();
        assert_eq!(result.outcome, TrainingOutcome::Published, "{}", result.message);
        west.kubectl(&["delete", &format!("job/{job}"), "--timeout=240s"]);

        west.kubectl(&["scale", "deployment/vedette-operator", "--replicas=1"]);
        let ended = wait_for("what came of the run", PATIENCE, || {
            look(west.training(), |status| {
                status.history.first().filter(|run| run.job == job).map(|run| {
                    (run.outcome.clone(), status.failures, status.last_run.as_ref().map(|run| run.job.clone()))
                })
            })
        });
        assert_eq!(ended.await.unwrap(), ("Published".to_owned(), 0, Some(job)));
        result.version.unwrap().to_string()
    }

    pub(crate) async fn jobs_that_wait_say_so_and_are_made_anew_once_mended(&self) {
        let west = &self.west;
        west.kubectl(&["apply", "--filename", "e2e/fixtures/guest.yaml"]);
        wait_for("why the topics are not made", PATIENCE, || {
            look(west.pipeline_named(GUEST), |status| {
                message(&status.conditions, "TopicsReady", "False")?.contains("node").then_some(())
            })
        })
        .await
        .unwrap();
        wait_for("why nothing is learned", PATIENCE, || {
            look(west.training_named(GUEST), |status| {
                message(&status.conditions, "Ready", "False")?.contains("node").then_some(())
            })
        })
        .await
        .unwrap();
        let mended = ["patch", "--type=merge", "--patch"];
        west.kubectl(&[&mended[..], &["{\"spec\":{\"topics\":{\"pod\":null}}}", "apl/guest"]].concat());
        west.kubectl(&[&mended[..], &["{\"spec\":{\"pod\":null}}", "mt/guest"]].concat());
        west.kubectl(&["wait", "--for=condition=TopicsReady", "apl/guest", "--timeout=120s"]);
        wait_for("a model of the guest", PATIENCE, || look(west.training_named(GUEST), |status| status.model.clone()))
            .await
            .unwrap();
        west.kubectl(&["delete", "--filename", "e2e/fixtures/guest.yaml", "--timeout=120s"]);
    }
}
