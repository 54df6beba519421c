//! Receivers that take what they are told, and receivers that fail in every way.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use vedette_contract::incident::{Incident, IncidentStatus};
use vedette_testing::metrics::assert_served;
use vedette_testing::{eventually, free_address};

use crate::support::receiver::{Behaviour, Request, StandIn, TAKEN, distinct};
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
    running.has_delivered(2).await;
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
async fn a_receiver_whose_secrets_are_missing_is_told_when_they_are_there_and_holds_up_no_other() {
    let (broker, receiver, other) =
        (Broker::start().await, StandIn::start(&[TAKEN]).await, StandIn::start(&[TAKEN]).await);
    let directory = tempfile::tempdir().unwrap();
    let (url, token) = (directory.path().join("url"), directory.path().join("token"));
    let words = [
        format!("--receiver={}", json!({ "name": "chat", "to": { "webhook": {} }, "url": { "file": url } })),
        webhook("private", &receiver, &json!({ "authorizationFile": token })),
        webhook("other", &other, &json!({})),
    ];
    let running = telling(&broker, "first", &words, &["--window-seconds=3600"]);
    let lacking = async || {
        let files = broker.health("first").await?.notifier?.unusable_files.into_iter();
        Some(files.map(|file| (file.receiver.to_string(), file.file, file.wrong)).collect::<Vec<_>>())
    };
    let all = [("chat".to_owned(), url.clone(), None), ("private".to_owned(), token.clone(), None)];
    eventually("who lacks what is told", async || lacking().await.is_some_and(|lacking| lacking == all)).await;
    broker.produce([alert("src_bytes", "")]);
    other.received(1).await;
    assert_eq!(receiver.requests().len(), 0);

    std::fs::write(&url, "no URL").unwrap();
    std::fs::write(&url, format!("http://{}/secret\n", receiver.address)).unwrap();
    std::fs::write(&token, "Bearer token").unwrap();
    let mut paths: Vec<_> = receiver.received(2).await.into_iter().map(|request| request.path).collect();
    paths.sort();
    assert_eq!(paths, ["/hook", "/secret"]);
    eventually("nothing is lacking", async || lacking().await.is_some_and(|lacking| lacking.is_empty())).await;
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
        assert_served(&metrics, vedette_contract::metrics::notifier::ALL);
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

/// Of which fields a receiver was told, in their order.
fn fields(requests: &[Request]) -> Vec<String> {
    requests.iter().map(|request| text(&request.json()["data"]["incident"]["reasons"][0]["field"])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_that_a_receiver_never_takes_silences_no_other_and_a_restart_repeats_that_one_only() {
    let script = [Behaviour::AnswerTo("poison", "500 Internal Server Error")];
    let (broker, receiver) = (Broker::start().await, StandIn::start(&script).await);
    let words = [webhook("chat", &receiver, &json!({}))];
    let running = telling(&broker, "first", &words, &[]);
    broker.produce([alert("poison", "")]);
    receiver.received(1).await;
    broker.produce([alert("service", "")]);
    eventually("another is told", async || fields(&receiver.requests()).contains(&"service".to_owned())).await;
    broker.produce([alert("flag", "")]);
    eventually("and the next", async || fields(&receiver.requests()).contains(&"flag".to_owned())).await;
    running.has_delivered(2).await;
    running.stop().await;

    let before = receiver.behave(TAKEN);
    let running = telling(&broker, "second", &words, &[]);
    running.has_delivered(1).await;
    broker.produce([alert("last", "")]);
    running.has_delivered(2).await;
    // What the first had on its way may come after it is gone.
    let told = distinct(&receiver.requests()[before..]);
    assert_eq!(fields(&told), ["poison", "last"]);
    assert_eq!(kinds(&told), [OPENED; 2]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_passed_and_counted_when_others_are_taken() {
    let script = [Behaviour::AnswerTo("poison", "400 Bad Request")];
    let (broker, receiver) = (Broker::start().await, StandIn::start(&script).await);
    let running = telling(&broker, "a", &[webhook("chat", &receiver, &json!({}))], &[]);
    broker.produce([alert("poison", "")]);
    receiver.received(2).await;
    let refusals = "vedette_notifier_refused_deliveries_total{receiver=\"chat\"}";
    assert!(running.metrics().await.contains(&format!("{refusals} 0\n")), "maybe it refuses all");
    broker.produce([alert("service", "")]);
    eventually("it is passed", async || running.metrics().await.contains(&format!("{refusals} 1\n"))).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_refuses_all_loses_nothing_when_it_is_mended() {
    let (broker, receiver) = (Broker::start().await, StandIn::start(&[Behaviour::Answer("400 Bad Request", "")]).await);
    let running = telling(&broker, "a", &[webhook("chat", &receiver, &json!({}))], &[]);
    broker.produce([alert("src_bytes", ""), alert("service", "")]);
    receiver.received(4).await;
    let before = receiver.behave(TAKEN);
    running.has_delivered(2).await;
    let mut told = fields(&receiver.requests()[before..]);
    told.sort();
    told.dedup();
    assert_eq!(told, ["service", "src_bytes"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_of_others_are_none_of_its_business_and_are_counted() {
    let (broker, receiver) = (Broker::start().await, StandIn::start(&[TAKEN]).await);
    let running = notifier(&broker, "first", &[]);
    broker.produce([alert("src_bytes", "")]);
    let mut foreign = broker.incidents(|incidents| incidents.len() == 1).await.1.remove(0);
    running.stop().await;
    foreign.site = "west".parse().unwrap();
    broker.write_incidents([foreign]);
    let running = telling(&broker, "second", &[webhook("chat", &receiver, &json!({}))], &[]);
    receiver.received(1).await;
    broker.produce([alert("service", "")]);
    let sites: Vec<_> =
        receiver.received(2).await.iter().map(|r| text(&r.json()["data"]["incident"]["site"])).collect();
    assert_eq!(sites, ["east", "east"]);
    eventually("it is counted", async || {
        running.metrics().await.contains("vedette_notifier_foreign_incidents_total{receiver=\"chat\"} 1\n")
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_of_alerts_that_nobody_had_read_is_told_to_nobody() {
    let (broker, receiver) = (Broker::start().await, StandIn::start(&[TAKEN]).await);
    let days = (2..7).flat_map(|day| {
        let utc = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * day);
        let old =
            format!(r#"{{"score":0.999,"detected_utc":"{utc:.6}","reasons":[{{"field":"old-{day}","share":0.7}}]}}"#);
        [old.clone(), old]
    });
    let words = [webhook("chat", &receiver, &json!({}))];
    // The receiver is not new: what is over when it comes first is none of its business in any case.
    let running = telling(&broker, "first", &words, &[]);
    broker.produce([alert("service", "")]);
    running.has_delivered(1).await;
    running.stop().await;

    broker.produce(days);
    let running = telling(&broker, "second", &words, &[]);
    broker.incidents(|incidents| incidents.len() == 6).await;
    broker.produce([alert("src_bytes", "")]);
    receiver.received(2).await;
    assert_eq!(fields(&receiver.requests()), ["service", "src_bytes"]);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_in_partitions_that_are_added_are_told() {
    let (broker, receiver) = (Broker::start().await, StandIn::start(&[TAKEN]).await);
    let running = notifier(&broker, "first", &["--group-by=service"]);
    broker.produce([alert("src_bytes", r#","service":"first""#)]);
    let incident = broker.incidents(|incidents| incidents.len() == 1).await.1.remove(0);
    running.stop().await;
    let running = telling(&broker, "second", &[webhook("chat", &receiver, &json!({}))], &["--group-by=service"]);
    receiver.received(1).await;
    broker.embedded.grow("incidents", 3).await;
    let other = incident.clone();
    let id = "e10ccd88-6b1b-5425-8e1e-5a86f19dd1c5".parse().unwrap();
    broker.write_incident_to(2, &Incident { id, ..other });
    assert_eq!(text(&receiver.received(2).await[1].json()["subject"]), id.to_string());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_delays_nobody_else() {
    // So long an answer is waited for. What takes longer on a busy machine shows nothing, and is tried again.
    const ANSWER: Duration = Duration::from_secs(10);
    for _ in 0..20 {
        let broker = Broker::start().await;
        let (silent, well) = (StandIn::start(&[Behaviour::Silent]).await, StandIn::start(&[TAKEN]).await);
        let words = [webhook("silent", &silent, &json!({})), webhook("well", &well, &json!({}))];
        let running = telling(&broker, "a", &words, &[]);
        eventually("it acts", async || running.is_ready().await).await;
        let started = Instant::now();
        broker.produce([alert("src_bytes", "")]);
        silent.received(1).await;
        broker.produce([alert("service", "")]);
        well.received(2).await;
        let (asked, took) = (silent.requests().len(), started.elapsed());
        running.stop().await;
        if took < ANSWER {
            assert_eq!(asked, 1, "it is still waited for");
            return;
        }
    }
    panic!("nobody else is told while one is waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_repeats_nothing_and_loses_nothing() {
    let (broker, receiver) = (Broker::start().await, StandIn::start(&[TAKEN]).await);
    let words = [webhook("chat", &receiver, &json!({}))];
    let running = telling(&broker, "first", &words, &[]);
    broker.produce([alert("src_bytes", "")]);
    running.has_delivered(1).await;
    running.stop().await;

    // What opens while it is down is told by whoever is there when it is up again.
    receiver.behave(Behaviour::Close);
    let running = telling(&broker, "second", &words, &[]);
    broker.produce([alert("service", "")]);
    receiver.received(3).await;
    running.stop().await;
    receiver.behave(TAKEN);
    let running = telling(&broker, "third", &words, &[]);
    broker.produce([alert("src_bytes", r#","severity":"critical""#)]);
    eventually("the raise", async || kinds(&receiver.requests()).contains(&RAISED.to_owned())).await;
    // How often the second tried, and whether its last try arrived after the third's first, is left open.
    let told = receiver.requests();
    let id = |request: &Request| text(&request.json()["id"]);
    assert_eq!(told.iter().filter(|request| id(request) == id(&told[0])).count(), 1, "{told:?}");
    assert_eq!(kinds(&distinct(&told)), [OPENED, OPENED, RAISED]);
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

/// When Alertmanager takes what it was told of for over.
fn ends(request: &Request) -> jiff::Timestamp {
    text(&request.json()[0]["endsAt"]).parse().unwrap()
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

    // It is repeated: nobody knows how long nobody was there to do so.
    let latest = || receiver.requests().iter().map(ends).max();
    let before = latest();
    let running = telling(&broker, "second", &words, &["--window-seconds=3600"]);
    eventually("it lasts longer", async || latest() > before).await;
    running.stop().await;

    let running = telling(&broker, "third", &words, &["--window-seconds=1"]);
    eventually("it is over", async || {
        receiver.requests().iter().any(|request| ends(request) <= jiff::Timestamp::now())
    })
    .await;
    let requests = receiver.requests();
    assert!(requests.iter().all(|request| request.json()[0]["labels"] == first.json()[0]["labels"]), "{requests:?}");
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
