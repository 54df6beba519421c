//! The steps of the story that show a good guest: what others own stays as it is, and what cannot go on says so, harms
//! nothing meanwhile, and goes on once it is mended.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use vedette_e2e::cluster::{Look, wait_for};
use vedette_e2e::topic;

use crate::records::until_records_flow;
use crate::site::{GUEST, PATIENCE, Site, look};
use crate::story::Story;

/// The topic that others made, and what they set.
const TOPIC: &str = "sensor_messages";
const PARTITIONS: u8 = 3;
const GROWN: u8 = 6;
const SET: [(&str, &str); 2] = [("max.message.bytes", "10485760"), ("retention.ms", "-1")];
/// Longer than a version may take that makes no progress.
const LONGER_THAN_THE_DEADLINE: Duration = Duration::from_secs(25);

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
        west.kubectl(&["wait", "--for=condition=Ready=false", "apl/flows", "--timeout=60s"]);
        east.patch("{\"model\":{\"progressDeadlineSeconds\":20}}");
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

        east.kubectl(&["uncordon", "--selector", "kubernetes.io/os=linux"]);
        for site in self.sites() {
            site.patch("{\"model\":{\"progressDeadlineSeconds\":300}}");
        }
        west.patch("{\"detector\":{\"pod\":null}}");
        for site in self.sites() {
            site.until_active(&next).await;
            site.until("Ready", "Running").await;
        }
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
