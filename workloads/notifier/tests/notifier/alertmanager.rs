//! The notifier against Alertmanager itself, and a receiver behind that, also where it is killed again and again. Alertmanager is
//! `prometheus-alertmanager` of the path, or what `VEDETTE_ALERTMANAGER` names; `make e2e-notifier` installs it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// Only a part of what the tests share.
#![allow(dead_code)]

mod faults;
mod support;

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use vedette_contract::incident::IncidentStatus;
use vedette_testing::{eventually, free_address, http_get};

use support::receiver::{StandIn, TAKEN};
use support::{Broker, notifier};

struct Alertmanager {
    process: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Alertmanager {
    /// One that tells this receiver of alerts at once, by site and incident.
    async fn start(receiver: &StandIn) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let configuration = directory.path().join("alertmanager.yml");
        let text = format!(
            "route: {{ receiver: people, group_by: [dedup_key], group_wait: 0s, group_interval: 1s, repeat_interval: 1h }}\n\
             receivers: [{{ name: people, webhook_configs: [{{ url: 'http://{}/people', send_resolved: true }}] }}]\n",
            receiver.address
        );
        std::fs::write(&configuration, text).unwrap();
        let address = free_address();
        let program = std::env::var("VEDETTE_ALERTMANAGER").unwrap_or_else(|_| "prometheus-alertmanager".to_owned());
        let process = Command::new(&program)
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.path={}", directory.path().display()))
            .arg(format!("--web.listen-address={address}"))
            // None: it would open a port for others of its kind.
            .arg("--cluster.listen-address=")
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}; install Debian's prometheus-alertmanager"));
        let started = Self { process, address, _directory: directory };
        eventually("it is ready", async || http_get(address, "/-/ready").await.starts_with("HTTP/1.1 200")).await;
        started
    }

    async fn alerts(&self) -> Vec<Value> {
        let answer = http_get(self.address, "/api/v2/alerts").await;
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        // It may come in chunks, of which the list is the only line that is one.
        let list = body.lines().find(|line| line.starts_with('[')).unwrap_or("[]");
        serde_json::from_str(list).unwrap()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn alert(more: &str) -> String {
    let (utc, hostile) = (jiff::Timestamp::now(), r"<script>\u0000{{ .Labels }}\u001b[31m");
    format!(
        r#"{{"service":"{hostile}","score":0.999,"detected_utc":"{utc:.6}",
        "reasons":[{{"field":"<b>service</b>","share":0.7}}]{more}}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn alertmanager_shows_what_is_open_and_people_are_told_of_it_and_that_it_is_over() {
    let (broker, people) = (Broker::start().await, StandIn::start(&[TAKEN]).await);
    let alertmanager = Alertmanager::start(&people).await;
    let url = format!("http://{}", alertmanager.address);
    let word = format!("--receiver={}", json!({ "name": "on-call", "to": { "alertmanager": {} }, "url": url }));
    let running = notifier(&broker, "first", &["--group-by=service", "--window-seconds=3600", &word]);
    broker.produce([alert(""), alert(r#","severity":"critical""#)]);
    let severities =
        |alerts: &[Value]| alerts.iter().map(|alert| alert["labels"]["severity"].clone()).collect::<Vec<_>>();
    eventually("it is shown as critical", async || severities(&alertmanager.alerts().await) == ["critical"]).await;
    let told = people.received(1).await[0].json();
    assert_eq!((&told["status"], &told["alerts"][0]["labels"]["site"]), (&json!("firing"), &json!("east")));
    running.stop().await;

    let running = notifier(&broker, "second", &["--group-by=service", "--window-seconds=1", &word]);
    broker.incidents(|incidents| incidents.iter().all(|incident| incident.status == IncidentStatus::Closed)).await;
    eventually("nothing is open", async || alertmanager.alerts().await.is_empty()).await;
    eventually("people know that it is over", async || {
        people.requests().last().is_some_and(|request| request.json()["status"] == "resolved")
    })
    .await;
    let metrics = running.metrics().await;
    assert!(metrics.contains("vedette_notifier_refused_deliveries_total{receiver=\"on-call\"} 0\n"), "{metrics}");
    running.stop().await;
}
