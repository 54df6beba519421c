//! Notifiers that are killed while alerts come: no incident is lost, and nobody is told of one more often than at least once means.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use vedette_testing::{eventually, free_address, http_get};

use crate::Alertmanager;
use crate::support::receiver::{Request, StandIn, TAKEN};
use crate::support::{Broker, words};

/// More with `FAULTS=50`.
const FAULTS: usize = 20;
/// So many incidents open between two faults.
const NEW: usize = 3;
/// A fault comes so soon after alerts, milliseconds: before they are read, while they are told of, or when all is done.
const LATEST: usize = 600;

/// A process; it is killed when it is dropped, too.
struct Process {
    child: Child,
    pod: String,
    probes: SocketAddr,
}

impl Process {
    fn start(broker: &Broker, number: usize, more: &[&str]) -> Self {
        let (pod, probes) = (format!("notifier-{number}"), free_address());
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedette-notifier"));
        command.args(&words(broker, probes, &pod, more)[1..]).stdin(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().unwrap(), pod, probes }
    }

    async fn is_ready(&self) -> bool {
        http_get(self.probes, "/readyz").await.starts_with("HTTP/1.1 200")
    }

    /// By SIGKILL.
    async fn kill(mut self, broker: &Broker) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        broker.embedded.process_died(&self.pod).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An alert of each of so many causes.
fn alerts(causes: usize) -> impl Iterator<Item = String> {
    (0..causes).map(|cause| {
        let utc = jiff::Timestamp::now();
        format!(
            r#"{{"service":"cause-{cause}","score":0.999,"detected_utc":"{utc:.6}","reasons":[{{"field":"service","share":0.7}}]}}"#
        )
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Of each incident the ids of the messages that said that it opened, one for each time that one was sent.
fn opened(requests: &[Request]) -> BTreeMap<String, Vec<String>> {
    let mut opened = BTreeMap::<_, Vec<_>>::new();
    for message in requests.iter().map(Request::json) {
        assert_eq!(message["type"], "io.vedette.incident.opened", "nothing else happened");
        opened.entry(text(&message["data"]["dedup_key"])).or_default().push(text(&message["id"]));
    }
    opened
}

/// The keys of what people were told by Alertmanager, one for each time.
fn told_by_alertmanager(requests: &[Request]) -> Vec<String> {
    let told = requests.iter().map(Request::json).filter(|told| told["status"] == "firing");
    told.map(|told| text(&told["groupLabels"]["dedup_key"])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_again_and_again_a_notifier_loses_no_incident_and_tells_of_none_twice_but_what_was_under_way() {
    let faults = std::env::var("FAULTS").map_or(FAULTS, |faults| faults.parse().unwrap());
    let (broker, chat, people) =
        (Broker::start().await, StandIn::start(&[TAKEN]).await, StandIn::start(&[TAKEN]).await);
    let alertmanager = Alertmanager::start(&people).await;
    let to = |name: &str, kind: &str, url: String| {
        format!("--receiver={}", json!({ "name": name, "to": { kind: {} }, "url": url }))
    };
    let receivers = [
        to("on-call", "alertmanager", format!("http://{}", alertmanager.address)),
        to("chat", "webhook", format!("http://{}/hook", chat.address)),
    ];
    let more = ["--group-by=service", "--window-seconds=3600", &receivers[0], &receivers[1]];
    let mut produced = 0;
    for fault in 1..=faults {
        let process = Process::start(&broker, fault, &more);
        eventually("it is ready", async || process.is_ready().await).await;
        broker.produce(alerts(fault * NEW));
        produced += fault * NEW;
        tokio::time::sleep(Duration::from_millis((fault * 7_919 % LATEST) as u64)).await;
        process.kill(&broker).await;
    }
    let _last = Process::start(&broker, 0, &more);
    let causes = faults * NEW;
    let total = |standing: &[vedette_contract::incident::Incident]| standing.iter().map(|of| of.alerts).sum::<u64>();
    let (_, standing) = broker.incidents(|standing| total(standing) >= produced as u64).await;
    assert_eq!((standing.len(), total(&standing)), (causes, produced as u64), "each alert is in one incident, once");

    let ids: BTreeSet<String> = standing.iter().map(|incident| incident.id.to_string()).collect();
    let is_all = |keys: Vec<String>| keys.into_iter().collect::<BTreeSet<_>>() == ids;
    eventually("the webhook knows all", async || is_all(opened(&chat.requests()).into_keys().collect())).await;
    eventually("people know all", async || is_all(told_by_alertmanager(&people.requests()))).await;
    let shown = alertmanager.alerts().await.iter().map(|alert| text(&alert["labels"]["dedup_key"])).collect();
    assert!(is_all(shown), "Alertmanager shows each");

    let opened = opened(&chat.requests());
    for (key, messages) in &opened {
        assert!(
            messages.iter().all(|id| *id == messages[0]),
            "{key} is told by messages that nobody takes for one: {messages:?}"
        );
    }
    let repeated = opened.values().map(Vec::len).sum::<usize>() - causes;
    println!("{causes} incidents, {faults} faults: {repeated} messages were sent once more");
    assert!(repeated <= faults * NEW, "more than what was under way was told again: {repeated}");
    assert_eq!(told_by_alertmanager(&people.requests()).len(), causes, "people are told of each once");
}
