//! What people do not want to be told of: it is written all the same, and told once it is not silenced any more.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use vedette_contract::incident::Incident;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::silence::SilenceKey;
use vedette_registry::silences::{Ended, end};
use vedette_testing::eventually;

use crate::support::receiver::{Request, StandIn, TAKEN};
use crate::support::{Broker, Running, notifier};

fn alert(field: &str, host: &str) -> String {
    let utc = Timestamp::now();
    format!(
        r#"{{"{field}":1,"host":"{host}","score":0.999,"detected_utc":"{utc:.6}","reasons":[{{"field":"{field}","share":0.7}}]}}"#
    )
}

fn keys() -> PipelineKeys {
    PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap())
}

fn key(number: u8) -> SilenceKey {
    // Those of all sites count.
    SilenceKey { site: "west".parse().unwrap(), id: format!("20261123T0842{number:02}Z-1a2b3c4d").parse().unwrap() }
}

/// Silences for an hour from a minute ago.
async fn silence(broker: &Broker, number: u8, matches: &str) {
    let now = Timestamp::now();
    let (from, until) = (now - SignedDuration::from_mins(1), now + SignedDuration::from_hours(1));
    let object = json!({ "match": matches, "from": from, "until": until, "by": "ada", "why": "a test" });
    broker.bucket.put_json(&keys().silence(&key(number)), &object).await;
}

async fn says(running: &Running, metric: &str) {
    let line = format!("vedette_notifier_{metric}\n");
    eventually(metric, async || running.metrics().await.contains(&line)).await;
}

fn told(request: &Request) -> Value {
    let incident = &request.json()["data"]["incident"];
    let field = &incident["reasons"][0]["field"];
    json!([field, incident["alerts"], incident.get("silenced_alerts")])
}

fn webhook(receiver: &StandIn) -> String {
    let word = json!({ "name": "chat", "to": { "webhook": {} }, "url": format!("http://{}/hook", receiver.address) });
    format!("--receiver={word}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silenced_incident_is_written_and_told_when_its_silence_is_ended_and_alerts_go_on() {
    let (broker, receiver) = (Broker::start().await, StandIn::start(&[TAKEN]).await);
    silence(&broker, 1, "example.host == 'backup' && site == 'east'").await;
    broker.bucket.put(&keys().silence(&key(2)), "{half").await;
    silence(&broker, 3, "alerts >").await;
    let running = notifier(&broker, "a", &["--window-seconds=3600", &webhook(&receiver)]);
    broker.produce((0..10).map(|_| alert("src_bytes", "backup")));
    let (_, standing) = broker.incidents(|incidents| incidents.iter().any(|i| i.alerts == 10)).await;
    let Incident { silenced_alerts, silenced_by, .. } = &standing[0];
    assert_eq!((silenced_alerts, silenced_by.as_slice()), (&10, [key(1).id].as_slice()));
    broker.produce([alert("service", "web")]);
    let requests = receiver.received(1).await;
    assert_eq!(told(&requests[0]), json!(["service", 1, null]), "of the other, nobody was told");
    for metric in ["silences 1", "passed_silences 2", "silenced_alerts_total 10", "silence_failures_total 0"] {
        says(&running, metric).await;
    }

    let ended = end(&broker.bucket.bucket, &keys(), &key(1), Timestamp::now()).await.unwrap();
    assert!(matches!(ended, Ended::Now(_)), "{ended:?}");
    says(&running, "silences 0").await;
    assert_eq!(receiver.requests().len(), 1, "that a silence ends is no news while no alert comes");
    broker.produce([alert("src_bytes", "backup")]);
    let requests = receiver.received(2).await;
    assert_eq!(told(&requests[1]), json!(["src_bytes", 11, 10]));
    assert_eq!(requests[1].json()["type"], "io.vedette.incident.opened");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_bucket_is_away_the_silences_that_are_known_stand_and_people_are_told_of_the_rest() {
    let (mut broker, receiver) = (Broker::start().await, StandIn::start(&[TAKEN]).await);
    silence(&broker, 1, "example.host == 'backup'").await;
    let word = webhook(&receiver);
    let running = notifier(&broker, "first", &["--window-seconds=3600", &word]);
    eventually("it is ready", async || running.is_ready().await).await;
    broker.bucket.go_away().await;
    eventually("it says so", async || !running.metrics().await.contains("silence_look_failures_total 0\n")).await;
    broker.produce([alert("src_bytes", "backup"), alert("service", "web")]);
    assert_eq!(told(&receiver.received(1).await[0])[0], "service");
    assert!(running.is_ready().await, "it goes on with what it knows");
    running.stop().await;

    // One that has never seen the bucket knows of no silence, and tells.
    let running = notifier(&broker, "second", &["--window-seconds=3600", &word]);
    broker.produce([alert("src_bytes", "backup")]);
    assert_eq!(told(&receiver.received(2).await[1]), json!(["src_bytes", 2, 1]));
    assert!(!running.is_ready().await);
    broker.bucket.come_back().await;
    eventually("it is ready again", async || running.is_ready().await).await;
    says(&running, "silences 1").await;
    running.stop().await;
}
