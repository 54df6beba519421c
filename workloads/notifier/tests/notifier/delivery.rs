//! Receivers that take what they are told, and receivers that fail in every way.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use vedette_contract::incident::{Incident, IncidentStatus};
use vedette_testing::{eventually, free_address};

use crate::support::receiver::{Behaviour, Request, StandIn, TAKEN};
use crate::support::{Broker, Running, notifier};

const OPENED: &str = "io.vedette.incident.opened";
const RAISED: &str = "io.vedette.incident.raised";
const CLOSED: &str = "io.vedette.incident.closed";

fn alert(field: &str, more: &str) -> String {
    let utc = jiff::Timestamp::now();
    format!(
        r#"{{"{field}":1,"score":0.999,"detected_utc":"{utc:.6}","reasons":[{{"field":"{field}","share":0.7}}]{more}}}"#
    )
}

fn webhook(name: &str, receiver: &StandIn, more: &Value) -> String {
    let mut word = json!({ "name": name, "to": { "webhook": {} }, "url": format!("http://{}/hook", receiver.address) });
    word.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    format!("--receiver={word}")
}

fn telling(broker: &Broker, pod: &str, words: &[String], more: &[&str]) -> Running {
    let words: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
    notifier(broker, pod, &words)
}

fn kinds(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| request.json()["type"].as_str().unwrap().to_owned()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Whether a message was signed with this key.
fn is_signed(request: &Request, key: &[u8]) -> bool {
    let header = |name: &str| request.headers[name].clone();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), request.body).as_bytes());
    header("webhook-signature") == format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_told_once_that_an_incident_opens_gets_worse_and_closes() {
    let (broker, receiver) = (Broker::start().await, StandIn::start(&[TAKEN]).await);
    let directory = tempfile::tempdir().unwrap();
    let (key, authorization) = (directory.path().join("key"), directory.path().join("authorization"));
    std::fs::write(&key, "whsec_c2VjcmV0\n").unwrap();
    std::fs::write(&authorization, "Bearer token\n").unwrap();
    let more = json!({ "to": { "webhook": { "hmacKeyFile": key } }, "authorizationFile": authorization });
    let words = [webhook("chat", &receiver, &more)];
    let running = telling(&broker, "first", &words, &["--window-seconds=3600"]);

    broker.produce((0..50).map(|_| alert("src_bytes", "")));
    receiver.received(1).await;
    broker.produce([alert("src_bytes", r#","severity":"high""#)]);
    receiver.received(2).await;
    running.stop().await;
    let running = telling(&broker, "second", &words, &["--window-seconds=1"]);
    let requests = receiver.received(3).await;
    assert_eq!(kinds(&requests), [OPENED, RAISED, CLOSED]);
    let subjects: Vec<_> = requests.iter().map(|request| text(&request.json()["data"]["dedup_key"])).collect();
    assert!(subjects.iter().all(|subject| *subject == subjects[0]), "{subjects:?}");
    let last = requests[2].json();
    assert_eq!((&last["data"]["incident"]["alerts"], &last["specversion"]), (&json!(51), &json!("1.0")));
    for request in &requests {
        assert!(is_signed(request, b"secret") && !is_signed(request, b"other"), "{request:?}");
        assert_eq!(request.headers["webhook-id"], text(&request.json()["id"]));
        assert_eq!((request.path.as_str(), request.headers["authorization"].as_str()), ("/hook", "Bearer token"));
        assert!(request.headers["content-type"].starts_with("application/cloudevents+json"));
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_fails_in_every_way_is_told_again_until_it_takes_it() {
    let fails = [
        Behaviour::Answer("500 Internal Server Error", ""),
        Behaviour::Close,
        Behaviour::Answer("429 Too Many Requests", "retry-after: 1\r\n"),
        Behaviour::BreakOff,
    ];
    let is_mended = [
        Behaviour::Answer("302 Found", "location: http://127.0.0.1:1/\r\n"),
        Behaviour::Answer("401 Unauthorized", ""),
        Behaviour::Answer("404 Not Found", ""),
        Behaviour::Silent,
    ];
    let broker = Broker::start().await;
    let (one, other) = (StandIn::start(&then_taken(fails)).await, StandIn::start(&then_taken(is_mended)).await);
    let words = [webhook("one", &one, &json!({})), webhook("other", &other, &json!({}))];
    let running = telling(&broker, "a", &words, &[]);
    broker.produce([alert("src_bytes", "")]);
    for (name, receiver) in [("one", one), ("other", other)] {
        let counts =
            |metric: &str, count: usize| format!("vedette_notifier_{metric}_total{{receiver=\"{name}\"}} {count}\n");
        eventually("it is taken", async || running.metrics().await.contains(&counts("deliveries", 1))).await;
        let ids: Vec<_> = receiver.requests().iter().map(|request| text(&request.json()["id"])).collect();
        assert!(ids.len() == 5 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let metrics = running.metrics().await;
        assert!(metrics.contains(&counts("delivery_failures", 4)), "{metrics}");
    }
    running.stop().await;
}

fn then_taken(failures: [Behaviour; 4]) -> Vec<Behaviour> {
    failures.into_iter().chain([TAKEN]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_takes_a_message_and_no_memory() {
    let (broker, receiver) = (Broker::start().await, StandIn::start(&[Behaviour::Endless]).await);
    let running = telling(&broker, "a", &[webhook("chat", &receiver, &json!({}))], &[]);
    broker.produce([alert("src_bytes", "")]);
    receiver.received(1).await;
    broker.produce([alert("service", "")]);
    assert_eq!(kinds(&receiver.received(2).await), [OPENED; 2]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_values_leave_as_they_came_and_large_ones_stay_behind() {
    let (broker, receiver) = (Broker::start().await, StandIn::start(&[TAKEN]).await);
    let running = telling(&broker, "a", &[webhook("chat", &receiver, &json!({}))], &[]);
    let hostile = r#","a":123456789012345678901234567890.5,"b":"<script>\u0000\u001b[31m{{ .Labels }}""#;
    broker.produce([alert("src_bytes", hostile)]);
    let body = receiver.received(1).await[0].body.clone();
    assert!(body.contains(hostile), "{body}");
    broker.produce([alert("service", &format!(r#","a":"{}""#, "x".repeat(100_000)))]);
    let request = receiver.received(2).await.remove(1);
    assert_eq!(request.json()["data"]["incident"]["example"]["alert"], Value::Null);
    assert!(request.body.len() < 8 * 1024, "{}", request.body.len());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_receiver_does_not_want_is_counted_and_the_next_is_told() {
    let script = [Behaviour::Answer("400 Bad Request", ""), TAKEN];
    let (broker, receiver) = (Broker::start().await, StandIn::start(&script).await);
    let running = telling(&broker, "a", &[webhook("chat", &receiver, &json!({}))], &[]);
    broker.produce([alert("src_bytes", "")]);
    receiver.received(1).await;
    broker.produce([alert("service", "")]);
    receiver.received(2).await;
    eventually("the refusal is counted", async || {
        running.metrics().await.contains("vedette_notifier_refused_deliveries_total{receiver=\"chat\"} 1\n")
    })
    .await;
    assert_eq!(receiver.requests().len(), 2);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_delays_nobody_else() {
    let broker = Broker::start().await;
    let (silent, well) = (StandIn::start(&[Behaviour::Silent]).await, StandIn::start(&[TAKEN]).await);
    let words = [webhook("silent", &silent, &json!({})), webhook("well", &well, &json!({}))];
    let running = telling(&broker, "a", &words, &[]);
    eventually("it acts", async || running.is_ready().await).await;
    broker.produce([alert("src_bytes", "")]);
    silent.received(1).await;
    broker.produce([alert("service", "")]);
    well.received(2).await;
    assert_eq!(silent.requests().len(), 1, "it is still waited for");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_repeats_nothing_and_loses_nothing() {
    let (broker, receiver) = (Broker::start().await, StandIn::start(&[TAKEN]).await);
    let words = [webhook("chat", &receiver, &json!({}))];
    let running = telling(&broker, "first", &words, &[]);
    broker.produce([alert("src_bytes", "")]);
    receiver.received(1).await;
    running.stop().await;

    // What opens while it is down is told by whoever is there when it is up again.
    receiver.behave(Behaviour::Close);
    let running = telling(&broker, "second", &words, &[]);
    broker.produce([alert("service", "")]);
    receiver.received(3).await;
    running.stop().await;
    receiver.behave(TAKEN);
    let before = receiver.requests().len();
    let running = telling(&broker, "third", &words, &[]);
    receiver.received(before + 1).await;
    broker.produce([alert("src_bytes", r#","severity":"critical""#)]);
    let requests = receiver.received(before + 2).await;
    assert_eq!(kinds(&requests[before..]), [OPENED, RAISED]);
    let told: Vec<_> = requests.iter().map(|request| text(&request.json()["id"])).collect();
    assert_eq!(told[1], told[before], "the same message again");
    assert!(requests[before..].iter().all(|request| text(&request.json()["id"]) != told[0]), "{told:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_new_is_told_of_what_is_open_and_severity_and_filter_decide() {
    let broker = Broker::start().await;
    let running = notifier(&broker, "first", &["--group-by=service", "--window-seconds=2"]);
    broker.produce([alert("src_bytes", r#","service":"over""#)]);
    broker.incidents(|incidents| incidents.iter().any(|incident| incident.status == IncidentStatus::Closed)).await;
    running.stop().await;

    let (all, severe, filtered) =
        (StandIn::start(&[TAKEN]).await, StandIn::start(&[TAKEN]).await, StandIn::start(&[TAKEN]).await);
    let words = [
        webhook("all", &all, &json!({})),
        webhook("severe", &severe, &json!({ "minimumSeverity": "high" })),
        webhook("filtered", &filtered, &json!({ "filter": "fields.service == 'ssh'" })),
    ];
    let running = telling(&broker, "second", &words, &["--group-by=service"]);
    broker.produce([alert("src_bytes", r#","service":"http","severity":"high""#)]);
    broker.produce([alert("src_bytes", r#","service":"ssh""#)]);
    let service = |request: &Request| text(&request.json()["data"]["incident"]["grouping"]["values"][0]["value"]);
    let mut told: Vec<_> = all.received(2).await.iter().map(service).collect();
    told.sort_unstable();
    assert_eq!(told, ["http", "ssh"]);
    assert_eq!(severe.received(1).await.iter().map(service).collect::<Vec<_>>(), ["http"]);
    assert_eq!(filtered.received(1).await.iter().map(service).collect::<Vec<_>>(), ["ssh"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alertmanager_is_told_what_is_open_and_what_is_over() {
    let (broker, receiver) = (Broker::start().await, StandIn::start(&[TAKEN]).await);
    let address = format!("http://{}/am/", receiver.address);
    let word = json!({ "name": "on-call", "to": { "alertmanager": {} }, "url": address });
    let words = [format!("--receiver={word}")];
    let running = telling(&broker, "first", &words, &["--window-seconds=3600"]);
    broker.produce([alert("src_bytes", "")]);
    let first = receiver.received(1).await.remove(0);
    assert_eq!(first.path, "/am/api/v2/alerts");
    running.stop().await;
    let before = receiver.requests().len();

    // It is repeated: nobody knows how long nobody was there to do so.
    let running = telling(&broker, "second", &words, &["--window-seconds=1"]);
    let ends = |request: &Request| -> jiff::Timestamp { text(&request.json()[0]["endsAt"]).parse().unwrap() };
    eventually("it is over", async || {
        receiver.requests().iter().any(|request| ends(request) <= jiff::Timestamp::now())
    })
    .await;
    let requests = receiver.requests();
    assert!(requests.iter().all(|request| request.json()[0]["labels"] == first.json()[0]["labels"]), "{requests:?}");
    assert!(ends(&requests[before]) > ends(&requests[before - 1]) && requests.len() >= before + 2, "{requests:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_ends_the_process_with_what_is_wrong() {
    let broker = Broker::start().await;
    let address = free_address();
    let word =
        json!({ "name": "a", "to": { "webhook": {} }, "url": format!("http://{address}"), "filter": "alerts >" });
    let mut running = telling(&broker, "a", &[format!("--receiver={word}")], &[]);
    let error = running.outcome().await.unwrap_err();
    assert!(vedette_service::error_chain(&error).contains("alerts >"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_missing_is_waited_for() {
    let (broker, receiver) = (Broker::start().await, StandIn::start(&[TAKEN]).await);
    let directory = tempfile::tempdir().unwrap();
    let key: &Path = &directory.path().join("key");
    let more = json!({ "to": { "webhook": { "hmacKeyFile": key } } });
    let running = telling(&broker, "a", &[webhook("chat", &receiver, &more)], &[]);
    broker.produce([alert("src_bytes", "")]);
    eventually("it fails", async || {
        running.metrics().await.contains("vedette_notifier_waiting_incidents{receiver=\"chat\"} 1\n")
    })
    .await;
    assert_eq!(receiver.requests().len(), 0);
    std::fs::write(key, "secret").unwrap();
    assert!(is_signed(&receiver.received(1).await[0], b"secret"));
    let incidents: Vec<Incident> = broker.incidents(|incidents| !incidents.is_empty()).await.1;
    assert_eq!(incidents.len(), 1);
    running.stop().await;
}
