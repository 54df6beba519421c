//! The steps of the story in which a bucket is not reached, by the other site or by its own, and how the replication goes on.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use vedette_e2e::cluster::{Look, wait_for};

use crate::records::until_records_flow;
use crate::site::{NAMESPACE, PATIENCE, look, models, pipelines};
use crate::story::Story;

/// How long a link or a bucket is away.
const OUTAGE: Duration = Duration::from_secs(120);

/// The replication is cut.
pub(crate) struct Cut {
    since: Instant,
    /// The version of both sites before.
    before: String,
    /// The one that was published since, and is at the site that trains alone.
    version: String,
}

impl Story {
    /// Cuts the replication (0) or has it go on (1). Where there is none yet, there is nothing to cut.
    pub(crate) fn replicate(&self, replicas: u8) {
        let kubectl = |arguments: &[&str]| {
            self.west.cluster.kubectl(&[&["--namespace", "development"], arguments].concat()).unwrap()
        };
        let found = kubectl(&["get", "deployment/replication", "--ignore-not-found", "--output=name"]);
        if replicas > 0 || !found.is_empty() {
            kubectl(&["scale", "deployment/replication", &format!("--replicas={replicas}")]);
        }
    }

    /// What SeaweedFS wants after an outage: filer.sync waits for ever for an object that was overwritten twice within a second
    /// (its issue 11010 is of that kind), until it begins again and the object is written anew.
    pub(crate) async fn the_replication_is_mended(&self) {
        let restart = ["--namespace", "development", "rollout", "restart", "deployment/replication"];
        self.west.cluster.kubectl(&restart).unwrap();
        for site in self.sites() {
            let bucket = site.cluster.bucket();
            for object in bucket.list(&pipelines(NAMESPACE).progress_prefix(), None).await.unwrap() {
                if object.key.contains(&format!("/{}/", site.name()))
                    && let Some(content) = bucket.get(&object.key).await.unwrap()
                {
                    bucket.put(&object.key, content.bytes).await.unwrap();
                }
            }
        }
    }

    /// A version that is published meanwhile rolls at its own site, and not at the other, where the pointer is put before its
    /// files, as replication may bring it.
    pub(crate) async fn a_cut_of_the_replication_is_survived(&self) -> Cut {
        let before = self.west.pointer().await.unwrap().version.to_string();
        self.replicate(0);
        let since = Instant::now();
        let version = self.train_on_demand(&before).await;
        self.west.until_active(&version).await;
        let pointer = self.west.cluster.bucket().get(&models().current()).await.unwrap().unwrap();
        self.east.cluster.bucket().put(&models().current(), pointer.bytes).await.unwrap();
        self.east.until("ModelCurrent", "Replicating").await;
        self.east.until_active(&before).await;
        Cut { since, before, version }
    }

    /// Both detect and archive meanwhile, and the version rolls at the other site once its files come.
    pub(crate) async fn a_cut_of_the_replication_is_healed(&self, Cut { since, before, version }: &Cut) {
        sleep_until(*since + OUTAGE).await;
        for site in self.sites() {
            until_records_flow(site).await;
            site.until("Ready", "Running").await;
        }
        self.east.until("ModelCurrent", "Replicating").await;
        self.east.until_active(before).await;
        self.replicate(1);
        self.rolled_everywhere(version).await;
    }

    pub(crate) async fn a_bucket_that_is_away_is_survived(&self) {
        let east = &self.east;
        let bucket = |replicas: &str| {
            let arguments = ["--namespace", "development", "scale", "statefulset/bucket", replicas];
            east.cluster.kubectl(&arguments).unwrap();
        };
        bucket("--replicas=0");
        let gone = Instant::now();
        wait_for("a condition that the bucket is away", PATIENCE, || {
            look(east.pipeline(), |status| {
                let seen = status.conditions.iter().find(|seen| seen.type_ == "BucketReachable")?;
                (seen.status == "False").then_some(())
            })
        })
        .await
        .unwrap();
        sleep_until(gone + OUTAGE).await;
        until_records_flow(east).await;
        east.until("Ready", "Running").await;
        bucket("--replicas=1");
        east.until("BucketReachable", "Reachable").await;
        // A connection of this process may still lead to the pod that is gone.
        wait_for("the bucket, from here", PATIENCE, || async {
            let listed = east.cluster.bucket().list(&pipelines(NAMESPACE).progress_prefix(), None).await;
            listed.map_or_else(|error| Look::NotYet(error.to_string()), |_| Look::Holds(()))
        })
        .await
        .unwrap();
    }
}
