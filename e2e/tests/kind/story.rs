//! The steps of the story.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use vedette_contract::archive::Stream;
use vedette_e2e::cluster::{BUCKET_SECRET_KEY, Look, wait_for};
use vedette_e2e::figure::figure;

use crate::faults;
use crate::guest;
use crate::incidents::{start_alertmanager, until_all_alerts_are_in_incidents};
use crate::models::{Flaw, publish_flawed};
use crate::records::{
    Found, assert_each_once, closed_objects, enriched_in_archive, in_topic, until_alert, until_all_enriched,
    until_archived, until_archived_alert, until_records_flow, uuids,
};
use crate::site::{NAMESPACE, PATIENCE, Site, TENANT, look, models, version};
use crate::together::together;

/// How long replication may lag before it is mended, and how often.
const MENDED_AFTER: Duration = Duration::from_secs(30);
const ROUNDS: usize = 6;
const FAULTS: usize = 20;
const SEED: u64 = 2016;
/// How long a version may make no progress, as the manifests of the story say.
const DEADLINE_SECONDS: u32 = 60;
/// And where it is waited for.
const SHORT_DEADLINE_SECONDS: u32 = 20;
const WITH_CONSOLE: &[&str] = &["--set", "console.enabled=true"];

pub(crate) struct Story {
    pub east: Site,
    /// The site that trains.
    pub west: Site,
}

impl Story {
    pub(crate) fn sites(&self) -> [&Site; 2] {
        [&self.east, &self.west]
    }

    /// Returns when the first `helm install` began.
    pub(crate) async fn both_sites_are_installed(&self) -> Instant {
        self.replicate(0);
        self.at_both(async |site| {
            site.begin_anew().await;
            site.kubectl_file("e2e/kind/filer.yaml");
            start_alertmanager(site).await;
        });
        guest::others_make_a_topic(&self.east).await;
        let text = std::fs::read_to_string(vedette_e2e::local::repository().join("e2e/kind/replication.yaml"));
        let replication = text.unwrap().replace("OTHER_NODE", &self.east.node_address().await);
        self.west.cluster.apply(&replication).unwrap();
        self.replicate(1);
        let began = Instant::now();
        self.at_both(async |site| site.install(NAMESPACE, WITH_CONSOLE));
        began
    }

    /// The records of the archive of one site as another has it, once there are so many.
    async fn replicated_archive(&self, at: &Site, of: &Site, expected: usize) -> Vec<Found> {
        for _ in 0..ROUNDS {
            let deadline = Instant::now() + MENDED_AFTER;
            while Instant::now() < deadline {
                let [own, replicated] = [of, at].map(|at| closed_objects(at, of, NAMESPACE, Stream::EnrichedData));
                if own.await.is_subset(&replicated.await) {
                    let archived = enriched_in_archive(at, of, NAMESPACE).await;
                    if archived.len() >= expected {
                        return archived;
                    }
                }
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            self.the_replication_is_mended().await;
        }
        panic!("the bucket of {} has not all of the {expected} records of {}", at.name(), of.name());
    }

    pub(crate) async fn the_same_manifests_make_both_sites_ready(&self, installed: Instant) {
        for site in self.sites() {
            site.kubectl(&["apply", "--filename", "e2e/fixtures/two-sites.yaml"]);
        }
        for site in self.sites() {
            site.kubectl(&["wait", "--for=condition=Ready", "apl/flows", "--timeout=180s"]);
        }
        figure("helm install to a Ready pipeline at both sites", "s", installed.elapsed().as_secs_f64(), 60.0);
        for site in self.sites() {
            until_records_flow(site).await;
        }
        let columns = self.east.kubectl(&["get", "apl,mt", "--output=wide"]);
        for column in
            ["SITE", "READY", "MODEL", "DETECTORS", "SCHEDULE", "STATUS", "SCORE", "RECORDS", "RunsAtOtherSite"]
        {
            assert!(columns.contains(column), "no {column} in\n{columns}");
        }
    }

    pub(crate) async fn the_first_model_is_learned_from_both_sites_and_rolled_at_both(&self) -> String {
        let first = wait_for("a first model", PATIENCE, || look(self.west.training(), |status| status.model.clone()))
            .await
            .unwrap();
        self.rolled_everywhere(&first).await;
        let metadata = self.west.cluster.bucket().get(&models().file(&version(&first), "metadata.json")).await;
        let metadata = String::from_utf8(metadata.unwrap().unwrap().bytes.to_vec()).unwrap();
        for site in ["east", "west"] {
            assert!(metadata.contains(&format!("/{site}/")), "no object of {site} was read: {metadata}");
        }
        first
    }

    /// Both sites run a version, alert with it, and have these alerts of both in their bucket.
    pub(crate) async fn rolled_everywhere(&self, version: &str) {
        for site in self.sites() {
            site.until_active(version).await;
            site.until("ModelCurrent", "Current").await;
            until_alert(site, version).await;
        }
        for at in self.sites() {
            for of in self.sites() {
                until_archived_alert(at, of, version).await;
            }
        }
    }

    pub(crate) async fn another_model_rolls_at_both(&self, first: &str) -> String {
        let second = self.train_on_demand(first).await;
        for site in self.sites() {
            site.until_active(&second).await;
        }
        let pointer = self.west.pointer().await.unwrap();
        let seconds = jiff::Timestamp::now().duration_since(pointer.published_at).as_secs_f64();
        figure("pointer swap to all detectors of both sites", "s", seconds, 30.0);
        self.rolled_everywhere(&second).await;
        let resident: f64 = self.sites().into_iter().map(Site::resident_megabytes).sum();
        figure("operator and workloads of both sites, resident", "MB", resident, 600.0);
        for site in self.sites() {
            let status = site.pipeline().await.unwrap();
            assert_eq!(status.model.unwrap().previous.as_deref(), Some(first));
            for pod in site.pods("detector").await {
                let containers = pod.status.unwrap().container_statuses.unwrap();
                assert!(containers.iter().all(|container| container.restart_count == 0), "{containers:?}");
            }
        }
        second
    }

    /// Has west train now, and returns the version that follows.
    pub(crate) async fn train_on_demand(&self, before: &str) -> String {
        let words = ["train", "flows", "--namespace", NAMESPACE, "--wait", "--timeout", "4m", "--output", "json"];
        let report: serde_json::Value = serde_json::from_str(&self.west.cluster.vedette(&words).unwrap()).unwrap();
        let trained = wait_for(&format!("a model after {before}"), PATIENCE, || {
            look(self.west.training(), |status| status.model.clone().filter(|version| version != before))
        })
        .await
        .unwrap();
        assert_eq!(report["result"]["version"], trained.as_str(), "{report}");
        trained
    }

    pub(crate) async fn a_damaged_version_is_refused_and_one_that_crashes_is_taken_back(&self, good: &str) {
        publish_flawed(&self.west, good, Flaw::ManifestHash).await;
        for site in self.sites() {
            site.until("ModelCurrent", "Damaged").await;
            site.until_active(good).await;
        }
        // Nothing but the version that crashes rolls meanwhile.
        for site in self.sites() {
            site.patch(&format!("{{\"model\":{{\"progressDeadlineSeconds\":{SHORT_DEADLINE_SECONDS}}}}}"));
        }
        let crashing = publish_flawed(&self.west, good, Flaw::Trees).await;
        for site in self.sites() {
            site.until("ModelCurrent", "RolledBack").await;
            site.until_active(good).await;
            let status = site.pipeline().await.unwrap();
            assert_eq!(status.model.unwrap().rejected, std::slice::from_ref(&crashing));
            let events = site.kubectl(&["get", "events", "--output=jsonpath={.items[*].message}"]);
            assert!(events.contains(&crashing) && events.contains(good), "no event of the rollback in {events}");
            site.patch(&format!("{{\"model\":{{\"progressDeadlineSeconds\":{DEADLINE_SECONDS}}}}}"));
        }
    }

    pub(crate) async fn pinning_goes_back(&self, first: &str) {
        for site in self.sites() {
            site.patch(&format!("{{\"model\":{{\"versionPolicy\":\"Pinned\",\"version\":\"{first}\"}}}}"));
        }
        for site in self.sites() {
            site.until_active(first).await;
        }
    }

    /// What was published meanwhile is not rolled before.
    pub(crate) async fn unpinning_goes_forth(&self, first: &str, newest: &str) {
        for site in self.sites() {
            site.until_active(first).await;
            site.patch("{\"model\":{\"versionPolicy\":\"Latest\",\"version\":null}}");
        }
        self.rolled_everywhere(newest).await;
    }

    /// It has a release of its own, without the CRDs.
    pub(crate) async fn a_second_tenant_of_the_same_name_begins(&self) {
        self.east.install(TENANT, &["--set", "crds.install=false"]);
        let tenant = ["--namespace", TENANT];
        let apply = ["apply", "--filename", "e2e/fixtures/tenant.yaml"];
        self.east.cluster.kubectl(&[&tenant[..], &apply].concat()).unwrap();
        let wait = ["wait", "--for=condition=Ready", "apl/flows", "--timeout=180s"];
        self.east.cluster.kubectl(&[&tenant[..], &wait].concat()).unwrap();
        wait_for("archived records of the tenant", PATIENCE, || async {
            let archived = enriched_in_archive(&self.east, &self.east, TENANT).await;
            if archived.is_empty() { Look::NotYet("none".to_owned()) } else { Look::Holds(()) }
        })
        .await
        .unwrap();
    }

    pub(crate) async fn suspension_stops_and_resumption_goes_on(&self) {
        let west = &self.west;
        west.patch("{\"suspend\":true}");
        for component in ["generator", "detector", "archiver", "notifier"] {
            west.until_gone(component).await;
        }
        west.patch("{\"suspend\":false}");
        west.until("Ready", "Running").await;
        until_records_flow(west).await;
    }

    pub(crate) async fn scaling_secrets_and_upgrades_roll_while_records_flow(&self) {
        let east = &self.east;
        east.kubectl(&["scale", "apl/flows", "--replicas=3"]);
        east.until_pods("detector", 3).await;
        let names = |pods: Vec<k8s_openapi::api::core::v1::Pod>| -> HashSet<String> {
            pods.into_iter().filter_map(|pod| pod.metadata.name).collect()
        };
        let before = names(east.pods("detector").await);
        // Another value that means the same: what an editor ends with a line feed.
        let patch = serde_json::json!({ "stringData": { "secretAccessKey": format!("{BUCKET_SECRET_KEY}\n") } });
        east.kubectl(&["patch", "secret/vedette-bucket", "--patch", &patch.to_string()]);
        wait_for("detectors with the new Secret", PATIENCE, || async {
            let now = names(east.pods("detector").await);
            let rolled = now.len() == 3 && now.is_disjoint(&before);
            if rolled { Look::Holds(()) } else { Look::NotYet(format!("{now:?}, before {before:?}")) }
        })
        .await
        .unwrap();
        east.until("Ready", "Running").await;
        east.install(NAMESPACE, &[WITH_CONSOLE, &["--set", "replicas=2", "--set", "logLevel=debug"]].concat());
        east.kubectl(&["scale", "apl/flows", "--replicas=2"]);
        east.until_pods("detector", 2).await;
        until_records_flow(east).await;
    }

    pub(crate) async fn faults_lose_nothing(&self) {
        faults::strike(self, FAULTS, SEED);
        for site in self.sites() {
            site.until("Ready", "Running").await;
            until_records_flow(site).await;
        }
    }

    /// The generators stop, what is under way is done, everything else stops: then input, output and both archives have the
    /// same records.
    pub(crate) async fn every_record_is_everywhere_once(&self) {
        let generated = self.at_both(async |site| {
            site.patch("{\"generator\":null}");
            site.until_gone("generator").await;
            let records = until_all_enriched(site).await;
            until_archived(site, records.len() as u64).await;
            until_all_alerts_are_in_incidents(site).await;
            site.patch("{\"suspend\":true}");
            for component in ["detector", "archiver", "notifier"] {
                site.until_gone(component).await;
            }
            records
        });
        for (of, generated) in self.sites().into_iter().zip(&generated) {
            println!("  {} records at {}", generated.len(), of.cluster.name());
            assert_each_once("sensor_messages", generated, &in_topic(of, "sensor_messages").unwrap());
            assert_each_once("enriched_data", generated, &in_topic(of, "enriched_data").unwrap());
            assert_each_once("dead_letters", &HashSet::new(), &in_topic(of, "dead_letters").unwrap());
            for at in self.sites() {
                let archived = self.replicated_archive(at, of, generated.len()).await;
                assert_each_once(&format!("archive of {} at {}", of.name(), at.name()), generated, &archived);
            }
        }
        // The tenant's records are its own; what it archived first is in its topic by now.
        let archived = enriched_in_archive(&self.east, &self.east, TENANT).await;
        let own = uuids(in_topic(&self.east, &format!("{TENANT}.sensor_messages")).unwrap());
        assert!(!archived.is_empty());
        assert!(archived.iter().all(|record| own.contains(&record.uuid)));
        assert!(own.is_disjoint(&generated[0]));
        for site in self.sites() {
            site.kubectl(&["apply", "--filename", "e2e/fixtures/two-sites.yaml"]);
            site.patch("{\"suspend\":false}");
        }
        for site in self.sites() {
            site.until("Ready", "Running").await;
        }
    }

    /// With its Kafka: what it archived stays as it was, and what it archives then joins it.
    pub(crate) async fn a_site_is_deleted_and_reinstalled(&self) {
        let east = &self.east;
        until_records_flow(east).await;
        east.kubectl(&["delete", "--filename", "e2e/fixtures/two-sites.yaml", "--timeout=120s"]);
        for component in ["generator", "detector", "archiver", "notifier"] {
            east.until_gone(component).await;
        }
        together(
            async || {
                east.uninstall(NAMESPACE);
                east.cluster.kubectl(&["delete", "namespace", NAMESPACE, "--timeout=180s"]).unwrap();
            },
            async || {
                let kafka = |replicas: &str| {
                    let arguments = ["--namespace", "development", "scale", "statefulset/kafka", replicas];
                    east.cluster.kubectl(&arguments).unwrap();
                };
                kafka("--replicas=0");
                let wait = ["--namespace", "development", "wait", "--for=delete", "pod/kafka-0", "--timeout=120s"];
                east.cluster.kubectl(&wait).unwrap();
                east.cluster.on_node(&["sh", "-c", "rm -rf /var/local/development/kafka/*"]).unwrap();
                until_records_flow(&self.west).await;
                kafka("--replicas=1");
                let wait = ["--namespace", "development", "rollout", "status", "statefulset/kafka", "--timeout=180s"];
                east.cluster.kubectl(&wait).unwrap();
            },
        );
        let before = closed_objects(east, east, NAMESPACE, Stream::EnrichedData).await;
        assert!(!before.is_empty());
        let tags = east.tags(&before).await;

        east.install(NAMESPACE, WITH_CONSOLE);
        east.test_release(NAMESPACE);
        east.kubectl(&["apply", "--filename", "e2e/fixtures/two-sites.yaml"]);
        east.until("Ready", "Running").await;
        let version = self.west.pointer().await.unwrap().version.to_string();
        east.until_active(&version).await;
        for at in self.sites() {
            wait_for(&format!("new objects beside the old at {}", at.cluster.name()), PATIENCE, async || {
                let now = closed_objects(at, east, NAMESPACE, Stream::EnrichedData).await;
                if before.is_subset(&now) && now.len() > before.len() {
                    Look::Holds(())
                } else {
                    let kept = before.intersection(&now).count();
                    Look::NotYet(format!("{kept} of {} and {} in all", before.len(), now.len()))
                }
            })
            .await
            .unwrap();
            assert!(at.tags(&before).await == tags, "an archived object of east has changed at {}", at.cluster.name());
        }
    }

    pub(crate) async fn uninstalling_leaves_the_crds_and_the_data(&self) {
        let east = &self.east;
        let (_, said) = together(async || east.uninstall(TENANT), async || east.uninstall(NAMESPACE));
        assert!(said.contains("kept") && said.contains("anomalypipelines.vedette.io"), "{said}");
        east.kubectl(&["get", "apl/flows", "mt/flows"]);
        assert!(!closed_objects(east, east, NAMESPACE, Stream::EnrichedData).await.is_empty());
        assert!(!in_topic(east, "enriched_data").unwrap().is_empty());
    }
}
