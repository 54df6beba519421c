//! Five hundred pipelines and a hundred trainings, with the operator in a process of its own, as a pod has it: what it
//! takes is printed as figures, which `make bench` collects. Nothing here fails by a clock.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::json;
use tokio::time::Instant;
use vedette_crds::{AnomalyPipeline, ModelTraining};

use crate::control_plane::OPERATOR_KUBECONFIG;
use crate::site::{SITE, Site, version};

const PIPELINES: usize = 500;
const TRAININGS: usize = 100;
/// A minute is the aim; a machine that builds something else meanwhile takes longer.
const PATIENCE: Duration = Duration::from_secs(300);
const QUIET: Duration = Duration::from_secs(20);
const REST: Duration = Duration::from_secs(60);
const ROLLS: u8 = 5;

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_pipelines_and_a_hundred_trainings_start_and_rest() {
    let site = &Site::new().await;
    // What nodes do is not what is measured.
    site.kubelet.stop();
    apply_everything(site).await;
    let process = OperatorProcess::start(site);
    let began = Instant::now();
    site.until_within(PATIENCE, "a reconcile", || async { process.has_reconciled().then_some(()) }).await;
    figure("operator, start to first reconcile", "s", began.elapsed().as_secs_f64(), 1.0);
    site.until_within(PATIENCE, "every object reconciled", || async {
        let pipelines = site.api::<AnomalyPipeline>().list(&ListParams::default()).await.ok()?.items;
        let trainings = site.api::<ModelTraining>().list(&ListParams::default()).await.ok()?.items;
        let pipelines = pipelines.iter().filter(|object| object.status.is_some()).count();
        let trainings = trainings.iter().filter(|object| object.status.is_some()).count();
        tokio::time::sleep(Duration::from_secs(1)).await;
        (pipelines == PIPELINES && trainings == TRAININGS).then_some(())
    })
    .await;
    figure("operator, 500 pipelines and 100 trainings reconciled", "s", began.elapsed().as_secs_f64(), 60.0);
    site.until_within(PATIENCE, "a pod of every topic Job", || async {
        let pods = site.api::<Pod>().list_metadata(&ListParams::default()).await.ok()?.items.len();
        tokio::time::sleep(Duration::from_secs(1)).await;
        (pods >= PIPELINES).then_some(())
    })
    .await;
    figure("operator with 500 pipelines, peak resident", "MB", process.peak_resident_megabytes(), 80.0);
    // The controllers of the control plane take longer than the operator: twenty requests a second.
    site.until_within(PATIENCE, "nothing that changes", || async {
        let before = site.versions();
        tokio::time::sleep(QUIET).await;
        (before == site.versions()).then_some(())
    })
    .await;
    let used = process.cpu_seconds();
    tokio::time::sleep(REST).await;
    let share = (process.cpu_seconds() - used) / REST.as_secs_f64() * 100.0;
    figure("operator with 500 pipelines, CPU at rest", "% of a core", share, 1.0);
}

/// A line that `make bench` reads.
fn figure(name: &str, unit: &str, ours: f64, limit: f64) {
    println!("figure {}", json!({ "name": name, "unit": unit, "ours": ours, "peer": limit, "ratio": ours / limit }));
}

async fn apply_everything(site: &Site) {
    let topics = |name: &str| {
        let topic = |kind: &str| json!({ "name": format!("{name}.{kind}") });
        json!({
            "sensorMessages": topic("in"), "enrichedData": topic("enriched"), "alerts": topic("alerts"),
            "deadLetters": topic("dead")
        })
    };
    futures::stream::iter(0..PIPELINES)
        .for_each_concurrent(16, |number| async move {
            let name = format!("p{number}");
            let spec = json!({ "topics": topics(&name), "model": { "training": format!("t{}", number % TRAININGS) } });
            site.apply::<AnomalyPipeline>(&name, spec).await.unwrap();
        })
        .await;
    futures::stream::iter(0..TRAININGS)
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
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
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

    fn has_reconciled(&self) -> bool {
        let mut answer = String::new();
        let asked = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
            stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
            stream.read_to_string(&mut answer)
        });
        asked.is_ok() && answer.lines().any(|line| line.starts_with("vedette_operator_reconciles_total{"))
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
