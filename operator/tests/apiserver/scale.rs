//! Five hundred pipelines and a hundred trainings.

use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use serde_json::json;
use tokio::time::Instant;
use vedette_crds::{AnomalyPipeline, ModelTraining};

use crate::site::{SITE, Site};

const PIPELINES: usize = 500;
const TRAININGS: usize = 100;
/// A minute is the aim; a machine that builds something else meanwhile takes longer.
const PATIENCE: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_pipelines_and_a_hundred_trainings_start_and_rest() {
    let site = Site::new().await;
    // What nodes do is not what is measured.
    site.kubelet.stop();
    let topics = |name: &str| {
        let topic = |kind: &str| json!({ "name": format!("{name}.{kind}") });
        json!({
            "sensorMessages": topic("in"), "enrichedData": topic("enriched"), "alerts": topic("alerts"),
            "deadLetters": topic("dead")
        })
    };
    let (site, topics) = (&site, &topics);
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
    let began = Instant::now();
    let operator = site.operator_at("a", SITE, Duration::from_secs(5));
    let used = cpu_seconds();
    site.until_within(PATIENCE, "every object reconciled", || async {
        let pipelines = site.api::<AnomalyPipeline>().list(&ListParams::default()).await.ok()?.items;
        let trainings = site.api::<ModelTraining>().list(&ListParams::default()).await.ok()?.items;
        let pipelines = pipelines.iter().filter(|object| object.status.is_some()).count();
        let trainings = trainings.iter().filter(|object| object.status.is_some()).count();
        tokio::time::sleep(Duration::from_secs(1)).await;
        (pipelines == PIPELINES && trainings == TRAININGS).then_some(())
    })
    .await;
    println!(
        "{PIPELINES} pipelines and {TRAININGS} trainings after {:.1} s and {:.1} s of CPU, {} resident",
        began.elapsed().as_secs_f64(),
        cpu_seconds() - used,
        resident()
    );
    site.until_within(PATIENCE, "a pod of every topic Job", || async {
        let pods = site.api::<Pod>().list_metadata(&ListParams::default()).await.ok()?.items.len();
        tokio::time::sleep(Duration::from_secs(1)).await;
        (pods >= PIPELINES).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let used = cpu_seconds();
    tokio::time::sleep(Duration::from_secs(60)).await;
    println!("at rest {:.2} % of a core", (cpu_seconds() - used) / 60.0 * 100.0);
    operator.stop().await;
}

/// CPU that this process has used, the test and its bucket included.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().to_owned()
}
