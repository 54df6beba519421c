//! The operator under load and at rest, where it counts in a process of its own, as a pod has it: what it takes is printed as
//! figures, which `make bench` collects. Nothing here fails by a clock.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::json;
use tokio::time::Instant;
use vedette_crds::{AnomalyPipeline, ModelTraining};

use crate::control_plane::{OPERATOR_KUBECONFIG, free_port};
use crate::site::{SITE, Site, reconciles, version};

/// How much is put on the operator, and how long it is watched.
struct Load {
    pipelines: usize,
    trainings: usize,
    /// Nothing changes for so long: the controllers of the control plane are done.
    settled: Duration,
    /// How long its use of the processor is measured.
    rest: Duration,
    /// How long it must write nothing.
    quiet: Duration,
}

/// That it works.
const SHORT: Load = Load {
    pipelines: 50,
    trainings: 10,
    settled: Duration::from_secs(5),
    rest: Duration::from_secs(10),
    quiet: Duration::from_secs(20),
};
/// What is promised.
const FULL: Load = Load {
    pipelines: 500,
    trainings: 100,
    settled: Duration::from_secs(20),
    rest: Duration::from_secs(60),
    quiet: Duration::from_secs(120),
};
/// A minute is the aim; a machine that builds something else meanwhile takes longer.
const PATIENCE: Duration = Duration::from_secs(300);
const ROLLS: u8 = 5;

impl Load {
    fn chosen() -> Self {
        match std::env::var("VEDETTE_LOAD").unwrap_or_default().as_str() {
            "full" => FULL,
            "" => SHORT,
            other => panic!("VEDETTE_LOAD is full or not set, not {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_pipelines_and_trainings_start_and_rest() {
    let Load { pipelines, trainings, settled, rest, quiet: _ } = Load::chosen();
    let site = &Site::new().await;
    // What nodes do is not what is measured.
    site.kubelet.stop();
    apply_everything(site, pipelines, trainings).await;
    let process = OperatorProcess::start(site);
    let began = Instant::now();
    site.until_within(PATIENCE, "a reconcile", || async { (reconciles(process.port) > 0).then_some(()) }).await;
    figure("operator, start to first reconcile", "s", began.elapsed().as_secs_f64(), 1.0);
    site.until_within(PATIENCE, "every object reconciled", || async {
        let seen_pipelines = site.api::<AnomalyPipeline>().list(&ListParams::default()).await.ok()?.items;
        let seen_trainings = site.api::<ModelTraining>().list(&ListParams::default()).await.ok()?.items;
        // -1 stands there from the beginning.
        let is_seen = |generation: Option<i64>| generation.is_some_and(|generation| generation > 0);
        let generation = |object: &AnomalyPipeline| object.status.as_ref()?.observed_generation;
        let seen_pipelines = seen_pipelines.iter().filter(|object| is_seen(generation(object))).count();
        let generation = |object: &ModelTraining| object.status.as_ref()?.observed_generation;
        let seen_trainings = seen_trainings.iter().filter(|object| is_seen(generation(object))).count();
        tokio::time::sleep(Duration::from_secs(1)).await;
        (seen_pipelines == pipelines && seen_trainings == trainings).then_some(())
    })
    .await;
    let reconciled = format!("operator, {pipelines} pipelines and {trainings} trainings reconciled");
    figure(&reconciled, "s", began.elapsed().as_secs_f64(), 60.0);
    site.until_within(PATIENCE, "a pod of every topic Job", || async {
        let pods = site.api::<Pod>().list_metadata(&ListParams::default()).await.ok()?.items.len();
        tokio::time::sleep(Duration::from_secs(1)).await;
        (pods >= pipelines).then_some(())
    })
    .await;
    let resident = format!("operator with {pipelines} pipelines, peak resident");
    figure(&resident, "MB", process.peak_resident_megabytes(), 80.0);
    // The controllers of the control plane take longer than the operator: twenty requests a second.
    site.until_settled(PATIENCE, settled).await;
    let used = process.cpu_seconds();
    tokio::time::sleep(rest).await;
    let share = (process.cpu_seconds() - used) / rest.as_secs_f64() * 100.0;
    figure(&format!("operator with {pipelines} pipelines, CPU at rest"), "% of a core", share, 1.0);
}

/// A line that `make bench` reads.
fn figure(name: &str, unit: &str, ours: f64, limit: f64) {
    println!("figure {}", json!({ "name": name, "unit": unit, "ours": ours, "peer": limit, "ratio": ours / limit }));
}

async fn apply_everything(site: &Site, pipelines: usize, trainings: usize) {
    let topics = |name: &str| {
        let topic = |kind: &str| json!({ "name": format!("{name}.{kind}") });
        json!({
            "sensorMessages": topic("in"), "enrichedData": topic("enriched"), "alerts": topic("alerts"),
            "deadLetters": topic("dead")
        })
    };
    futures::stream::iter(0..pipelines)
        .for_each_concurrent(16, |number| async move {
            let name = format!("p{number}");
            let spec = json!({ "topics": topics(&name), "model": { "training": format!("t{}", number % trainings) } });
            site.apply::<AnomalyPipeline>(&name, spec).await.unwrap();
        })
        .await;
    futures::stream::iter(0..trainings)
        .for_each_concurrent(16, |number| async move {
            let spec = json!({ "site": "east", "data": { "pipeline": format!("p{number}") } });
            site.apply::<ModelTraining>(&format!("t{number}"), spec).await.unwrap();
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_new_pointer_is_soon_in_the_template() {
    let site = &Site::new().await;
    let _process = OperatorProcess::start(site);
    site.pipeline(json!({ "model": { "training": "flows" } })).await;
    site.ready().await;
    let mut slowest = Duration::ZERO;
    for number in 1..=ROLLS {
        let wanted = version(number);
        site.objects.publish("vedette", "flows", &wanted, number.into()).await;
        let published = Instant::now();
        let option = format!("--model-version={wanted}");
        site.until("the version in the template", || async {
            let template = serde_json::to_string(&site.detector().await.spec.template).ok()?;
            template.contains(&option).then_some(())
        })
        .await;
        slowest = slowest.max(published.elapsed());
        site.until_condition("ModelCurrent", "Current").await;
    }
    figure("operator, pointer to pod template, slowest of 5", "s", slowest.as_secs_f64(), 6.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_applied_once_is_left_alone_and_a_quiet_time_sees_no_write_but_the_lease() {
    let site = Site::new().await;
    let operator = site.operator("a");
    site.pipeline(json!({ "generator": { "recordsPerSecond": 1 } })).await;
    site.ready().await;
    let before = site.until_settled(PATIENCE, Duration::from_secs(3)).await;
    let requests = site.plane.audit().len();
    tokio::time::sleep(Load::chosen().quiet).await;
    let written = site.writes_of_operator_since(requests);
    assert!(!written.is_empty() && written.iter().all(|resource| resource == "leases"), "{written:?}");
    operator.stop().await;
    // Another process knows nothing of what was sent, and sends all of it again: the server changes nothing.
    let operator = site.operator("b");
    site.until("all of it sent again", || async {
        let sent = site.writes_of_operator_since(requests).iter().filter(|resource| *resource == "deployments").count();
        (sent >= 3 && operator.reconciles() > 0).then_some(())
    })
    .await;
    assert_eq!(site.versions(), before);
    operator.stop().await;
}

/// `vedette-operator`, killed when dropped.
struct OperatorProcess {
    child: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl OperatorProcess {
    fn start(site: &Site) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let site_file = directory.path().join("site.yaml");
        std::fs::write(&site_file, SITE.replace("http://s3:8333", &site.objects.endpoint())).unwrap();
        let port = free_port();
        let child = Command::new(env!("CARGO_BIN_EXE_vedette-operator"))
            .args(["--namespace=vedette", "--pod-name=a"])
            .arg(format!("--listen-address=127.0.0.1:{port}"))
            .arg("--site-file")
            .arg(&site_file)
            .arg("--bucket-credentials")
            .arg(site.secret.directory())
            .env("KUBECONFIG", site.plane.path(OPERATOR_KUBECONFIG))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(site.plane.path("operator.log")).unwrap())
            .spawn()
            .unwrap();
        Self { child, port, _directory: directory }
    }

    fn proc_file(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap()
    }

    fn cpu_seconds(&self) -> f64 {
        let stat = self.proc_file("stat");
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
        (ticks(11) + ticks(12)) / 100.0
    }

    fn peak_resident_megabytes(&self) -> f64 {
        let status = self.proc_file("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() * 1024.0 / 1e6
    }
}

impl Drop for OperatorProcess {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
