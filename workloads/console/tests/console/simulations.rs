//! People make records up: each is sent to the input topic of the console's site and followed to its score, where the site allows that.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use vedette_contract::dead_letter::{DeadLetterReason, HEADER_MESSAGE, HEADER_OFFSET, HEADER_REASON};
use vedette_contract::input::{HEADER_INPUT, InputPlace};
use vedette_records::Refusal;
use vedette_records::dead_letter::{DeadLetter, FittedLetter, Limit, RecordPlace};
use vedette_streams::kafka::Isolation;
use vedette_testing::{TestBroker, TestBucket, eventually, free_address, http_get};

use crate::people::{TokenFile, by_token, post, showing, with};
use crate::support::{self, Console, site_status};
use crate::surroundings;

const PATIENCE: Duration = Duration::from_secs(240);
const PATH: &str = "/api/v1/simulations";

/// A bucket and a broker with all topics of the pipeline.
async fn with_topics() -> (TestBucket, TestBroker) {
    let (bucket, broker) = surroundings().await;
    broker.create_topics(&["sensors:partitions=2", "enriched:partitions=2", "letters:partitions=1"]).await;
    (bucket, broker)
}

fn simulation(record: &str) -> Value {
    json!({ "namespace": "team", "pipeline": "flows", "record": record, "by": "ada" })
}

/// What is in the input, so many records of it.
fn sent(broker: &TestBroker, count: usize) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer =
        broker.settings("reader").consumer("reader", Isolation::ReadCommitted).create().unwrap();
    let mut all = TopicPartitionList::new();
    (0..2).for_each(|partition| all.add_partition_offset("sensors", partition, Offset::Beginning).unwrap());
    consumer.assign(&all).unwrap();
    let (started, mut found) = (Instant::now(), Vec::new());
    while found.len() < count {
        assert!(started.elapsed() < PATIENCE, "{} of {count}", found.len());
        found.extend(consumer.poll(Duration::from_millis(100)).map(|message| message.unwrap().detach()));
    }
    found
}

fn fields(message: &OwnedMessage) -> Value {
    serde_json::from_slice(message.payload().unwrap()).unwrap()
}

/// Writes what a detector makes of a record, one after the other into one partition.
fn output(broker: &TestBroker, topic: &str, headers: &[(&str, &str)], value: &Value) {
    let producer: BaseProducer = broker.settings("detector").producer().create().unwrap();
    let headers = headers
        .iter()
        .fold(OwnedHeaders::new(), |headers, &(key, value)| headers.insert(Header { key, value: Some(value) }));
    let value = value.to_string();
    let record = BaseRecord::<(), str>::to(topic).partition(0).payload(&value).headers(headers);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(PATIENCE).unwrap();
}

async fn outcome(console: &Console, uuid: &str) -> Value {
    let path = format!("{PATH}/{uuid}");
    eventually("it is known what became of it", async || console.json(&path).await["status"] != "pending").await;
    console.json(&path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_sent_as_it_was_written_and_followed_to_its_score() {
    let (bucket, broker) = with_topics().await;
    let token = TokenFile::write("simulation");
    let console = showing(&bucket, &broker, &[&token.option(), "--allow-simulation"]).await;
    let body = simulation(r#"{"duration": 1.50e3,"service":"<b>\u0000"}"#);
    let (status, answer) = post(&console, PATH, &by_token(), &body).await;
    assert_eq!((status, &answer["status"], &answer["site"]), (200, &"pending".into(), &"east".into()), "{answer}");
    let uuid = answer["uuid"].as_str().unwrap();
    let message = sent(&broker, 1).remove(0);
    let text = std::str::from_utf8(message.payload().unwrap()).unwrap();
    assert!(text.starts_with(r#"{"duration": 1.50e3,"service":"<b>\u0000","uuid":""#), "{text}");
    let record = fields(&message);
    assert_eq!((&record["uuid"], &record["simulated"]), (&uuid.into(), &true.into()));
    assert_eq!(console.json(&format!("{PATH}/{uuid}")).await["status"], "pending");

    let place = |offset| {
        InputPlace {
            topic: "sensors".parse().unwrap(),
            partition: message.partition(),
            offset,
            timestamp: None,
            value: Some(7),
        }
        .to_string()
    };
    let enriched = |score: f64| {
        let reasons = json!([{ "field": "duration", "share": 1.0, "value": 1500.0, "direction": "above" }]);
        json!({ "site": "east", "score": score, "model_version": "v", "threshold": 0.99, "reasons": reasons, "simulated": true })
    };
    let (own, other) = (place(message.offset()), place(message.offset() + 1));
    // What names no record, or another one, comes first. Of one name the last header counts: it is the detector's.
    output(&broker, "enriched", &[(HEADER_INPUT, format!("{own}/more").as_str())], &enriched(0.2));
    output(&broker, "enriched", &[(HEADER_INPUT, own.as_str()), (HEADER_INPUT, other.as_str())], &enriched(0.1));
    output(&broker, "enriched", &[(HEADER_INPUT, other.as_str()), (HEADER_INPUT, own.as_str())], &enriched(0.999));
    let scored = outcome(&console, uuid).await;
    assert_eq!(
        (&scored["status"], &scored["score"], &scored["threshold"]),
        (&"scored".into(), &0.999.into(), &0.99.into())
    );
    assert_eq!((&scored["is_alert"], &scored["alert_id"]), (&true.into(), &Value::Null), "{scored}");
    assert_eq!((&scored["model_version"], &scored["reasons"][0]["field"]), (&"v".into(), &"duration".into()));
    let alert = with(alert_of(uuid), "simulated", true).to_string();
    support::produce(&broker, "alerts", &[&alert]);
    eventually("its alert is known", async || console.json(&format!("{PATH}/{uuid}")).await["alert_id"].is_string())
        .await;
    assert!(http_get(console.probes, "/metrics").await.contains("vedette_console_actions_total 1\n"));
    console.stop().await;
}

fn alert_of(uuid: &str) -> Value {
    serde_json::from_str(&support::alert(uuid, Timestamp::now(), "ssh")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_no_detector_takes_is_followed_to_its_dead_letter() {
    let (bucket, broker) = with_topics().await;
    let token = TokenFile::write("letter");
    let console = showing(&bucket, &broker, &[&token.option(), "--allow-simulation"]).await;
    let (_, answer) = post(&console, PATH, &by_token(), &simulation(r#"{"total":1}"#)).await;
    let message = sent(&broker, 1).remove(0);
    let at =
        RecordPlace { topic: "sensors".parse().unwrap(), partition: message.partition(), offset: message.offset() };
    let refusal = Refusal::new(DeadLetterReason::ReservedField, "the field \"total\" is added by the detector");
    let limit = Limit { inherited_bytes: 0, max_message_bytes: 1 << 20 };
    let FittedLetter { headers: own, .. } = DeadLetter::fit(at, refusal, Timestamp::now(), message.payload(), limit);
    let own = own.iter().map(|(name, value)| (*name, value.as_str()));
    // Of one name the last header counts: what the record came with stands before the letter's own.
    let came_with = [(HEADER_OFFSET, "7000"), (HEADER_REASON, "empty"), (HEADER_MESSAGE, "its own")];
    let headers: Vec<_> = came_with.into_iter().chain(own).collect();
    output(&broker, "letters", &headers, &fields(&message));
    let letter = outcome(&console, answer["uuid"].as_str().unwrap()).await;
    assert_eq!((&letter["status"], &letter["score"]), (&"dead_letter".into(), &Value::Null), "{letter}");
    assert_eq!(letter["why"], "reserved_field: the field \"total\" is added by the detector");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_begins_with_the_record_of_an_alert_and_is_no_quality() {
    let (bucket, broker) = with_topics().await;
    let token = TokenFile::write("begins");
    let console = showing(&bucket, &broker, &[&token.option(), "--allow-simulation"]).await;
    eventually("Kafka is read", async || console.json("/api/v1/overview").await["kafka"]["trouble"].is_null()).await;
    let [plain, mut made_up] = ["e1", "e2"].map(|uuid| with(alert_of(uuid), "total", 7));
    made_up["simulated"] = true.into();
    support::produce(&broker, "alerts", &[&plain.to_string(), &made_up.to_string()]);
    eventually("both are there", async || console.json("/api/v1/alerts").await["kept"] == 2).await;
    let listed = console.json("/api/v1/alerts").await["alerts"].clone();
    let find = |simulated: bool| {
        let row = listed.as_array().unwrap().iter().find(|row| row["simulated"] == simulated);
        row.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let alert = console.json(&format!("/api/v1/alerts/{}", find(false))).await;
    let form = &alert["simulation"];
    assert_eq!((&form["topic"], &form["bootstrap_servers"]), (&"sensors".into(), &broker.address().to_string().into()));
    let names: Vec<_> =
        form["fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["duration", "hostile", "service", "severity"], "neither what detectors add nor who it was");
    assert_eq!(form["fields"][0]["json"], "12.5");
    assert_eq!(alert["not_simulated_because"], Value::Null);
    for (bytes, duration, why) in
        [(9_000, 9_000_001, "more than 8 KiB"), (70_000, 9_000_002, "longer than a console keeps")]
    {
        let long = with(with(alert_of("e3"), "duration", duration), "service", "x".repeat(bytes));
        support::produce(&broker, "alerts", &[&long.to_string()]);
        let rows = async || console.json(&format!("/api/v1/alerts?text={duration}")).await["alerts"].clone();
        eventually("it is there", async || rows().await[0]["id"].is_string()).await;
        let id = rows().await[0]["id"].as_str().unwrap().to_owned();
        let long = console.json(&format!("/api/v1/alerts/{id}")).await;
        assert_eq!(long["simulation"], Value::Null);
        assert!(long["not_simulated_because"].as_str().unwrap().contains(why), "{bytes}: {long}");
    }

    assert_eq!(console.json("/api/v1/scores").await["alerts"], 3);
    assert_eq!(console.json("/api/v1/histogram").await["alerts"], 3);
    let series = console.json("/api/v1/overview").await["history"]["series"][0]["alerts"].clone();
    assert_eq!(series.as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), 3);
    let verdict = json!({ "alert": find(true), "verdict": "anomaly", "why": "a test", "by": "ada" });
    let (status, refused) = post(&console, "/api/v1/verdicts", &by_token(), &verdict).await;
    assert!(status == 422 && refused["detail"].as_str().unwrap().contains("simulation"), "{refused}");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_where_the_site_does_not_allow_it_or_nobody_may_write() {
    let (bucket, broker) = with_topics().await;
    let token = TokenFile::write("forbidden");
    let console = showing(&bucket, &broker, &[&token.option()]).await;
    let (status, refused) = post(&console, PATH, &by_token(), &simulation("{}")).await;
    assert!(status == 403 && refused["detail"].as_str().unwrap().contains("--allow-simulation"), "{refused}");
    support::produce(&broker, "alerts", &[&alert_of("e1").to_string()]);
    eventually("the alert is there", async || console.json("/api/v1/alerts").await["kept"] == 1).await;
    let id = console.json("/api/v1/alerts").await["alerts"][0]["id"].as_str().unwrap().to_owned();
    let alert = console.json(&format!("/api/v1/alerts/{id}")).await;
    assert_eq!((&alert["simulation"], &alert["not_simulated_because"]), (&Value::Null, &Value::Null));
    console.stop().await;

    let console = showing(&bucket, &broker, &[&token.option(), "--allow-simulation"]).await;
    assert_eq!(post(&console, PATH, &[], &simulation("{}")).await.0, 401);
    let evil = [by_token()[0], ("origin", "http://evil.example.org")];
    assert_eq!(post(&console, PATH, &evil, &simulation("{}")).await.0, 403);
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(9_000));
    for (body, status, mend) in [
        (simulation("[1]"), 422, "one JSON object"),
        (simulation(r#"{"a":1,"a":2}"#), 422, "more than once"),
        (simulation(r#"{"simulated":false}"#), 422, "leave the field out"),
        (simulation(r#"{"score":1}"#), 422, "leave the field out"),
        (simulation(&long), 422, "shorten"),
        (simulation(&long.repeat(3)), 413, "20 KiB"),
        (with(simulation("{}"), "pipeline", "others"), 404, "overview"),
        (with(simulation("{}"), "more", 1), 400, "unknown field"),
        (with(simulation("{}"), "by", Value::Null), 422, "say who you are"),
    ] {
        let (answered, refused) = post(&console, PATH, &by_token(), &body).await;
        assert!(answered == status && refused["detail"].as_str().unwrap().contains(mend), "{answered} {refused}");
    }
    eventually("the alert is there", async || console.json("/api/v1/alerts").await["kept"] == 1).await;
    assert!(console.json(&format!("/api/v1/alerts/{id}")).await["simulation"].is_object());
    let [renaming, mut older] = [json!({ "simulated": "theirs" }), json!({})]
        .map(|renamed| with(site_status("east", Timestamp::now()), "renamed_fields", renamed));
    older.as_object_mut().unwrap().remove("renamed_fields");
    for (status, why) in [(renaming, "renames the field simulated to theirs"), (older, "older version")] {
        bucket.put_json("team/flows/sites/east.json", &status).await;
        eventually("it is known that the record would be one like any other", async || {
            let (answered, refused) = post(&console, PATH, &by_token(), &simulation("{}")).await;
            answered == 409 && refused["detail"].as_str().unwrap().contains(why)
        })
        .await;
        let alert = console.json(&format!("/api/v1/alerts/{id}")).await;
        assert_eq!((&alert["uuid"], &alert["simulation"]), (&"e1".into(), &Value::Null));
        assert!(alert["not_simulated_because"].as_str().unwrap().contains(why), "{alert}");
    }
    for unknown in ["00000000-0000-4000-8000-000000000000", "x"] {
        assert!(console.get(&format!("{PATH}/{unknown}")).await.starts_with("HTTP/1.1 404 "), "{unknown}");
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_and_a_kafka_that_is_away_are_said() {
    let (bucket, broker) = surroundings().await;
    let token = TokenFile::write("away");
    let console = showing(&bucket, &broker, &[&token.option(), "--allow-simulation"]).await;
    let (status, refused) = post(&console, PATH, &by_token(), &simulation("{}")).await;
    assert!(status == 409 && refused["detail"].as_str().unwrap().contains("no topic sensors"), "{status} {refused}");
    console.stop().await;
    bucket.put_json("team/flows/sites/east.json", &site_status("east", Timestamp::now())).await;
    let console = Console::start_with(&bucket, free_address(), &[&token.option(), "--allow-simulation"]).await;
    eventually("the pipeline is shown", async || {
        !console.json("/api/v1/overview").await["sites"].as_array().unwrap().is_empty()
    })
    .await;
    let (status, refused) = post(&console, PATH, &by_token(), &simulation("{}")).await;
    assert!(status == 503 && refused["detail"].as_str().unwrap().contains("does not take it"), "{status} {refused}");
    assert!(http_get(console.probes, "/metrics").await.contains("vedette_console_refused_actions_total 1\n"));
    console.stop().await;
}
