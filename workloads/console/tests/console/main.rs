//! A console on a bucket and a broker that run, asked as a browser asks.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod asked;
mod people;
mod simulations;
mod support;

use jiff::{SignedDuration, Timestamp};
use people::with;
use serde_json::{Value, json};
use support::{Console, Events, alert, site_status};
use vedette_testing::metrics::assert_served;
use vedette_testing::{TestBroker, TestBucket, eventually, free_address, http_get};

const TOPICS: [&str; 2] = ["alerts:partitions=2", "incidents:partitions=1,cleanup.policy=compact"];

async fn surroundings() -> (TestBucket, TestBroker) {
    (TestBucket::serve().await, TestBroker::with_topics(&TOPICS).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sites_are_shown_and_one_that_is_silent_is_shown_as_silent() {
    let (bucket, broker) = surroundings().await;
    let now = Timestamp::now();
    let long_ago = now - SignedDuration::from_hours(1);
    // Of both the clocks are wrong, the one's behind and the other's before the bucket's.
    bucket.put_json("team/flows/sites/east.json", &site_status("east", long_ago)).await;
    bucket.put_json("team/flows/sites/west.json", &site_status("west", now + SignedDuration::from_hours(1))).await;
    bucket.age("team/flows/sites/west.json", SignedDuration::from_hours(1));
    bucket.put("team/flows/sites/broken.json", "{half").await;
    bucket.put("team/flows/health/east/d.json", "[]").await;
    support::object(&bucket, "west", 0, &[alert("w1", long_ago, "ssh"), alert("w2", long_ago, "http")]).await;
    let console = Console::start(&bucket, &broker, &[]).await;

    let overview = console.json("/api/v1/overview").await;
    let silent = |site: usize| overview["sites"][site]["silent_since_utc"].clone();
    assert_eq!(overview["sites"].as_array().unwrap().len(), 2, "{overview}");
    assert_eq!((silent(0), overview["sites"][1]["site"].as_str()), (Value::Null, Some("west")));
    let since: Timestamp = silent(1).as_str().unwrap().parse().unwrap();
    assert!(since.duration_since(long_ago).abs() < SignedDuration::from_secs(30), "{since} {long_ago}");
    let served = http_get(console.probes, "/metrics").await;
    let silence = served.lines().find(|line| line.contains("site_silence") && line.contains("object_site=\"west\""));
    let seconds: f64 = silence.unwrap().rsplit(' ').next().unwrap().parse().unwrap();
    assert!((3_500.0..3_700.0).contains(&seconds), "{served}");
    assert_eq!(overview["bucket"]["trouble"], Value::Null);
    let series = overview["history"]["series"].as_array().unwrap();
    let sums: Vec<u64> = series
        .iter()
        .map(|series| series["alerts"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum())
        .collect();
    assert_eq!(sums, [0, 2]);

    let alerts = console.json("/api/v1/alerts?site=west&text=ssh").await;
    assert_eq!((&alerts["matching"], &alerts["kept"]), (&1.into(), &2.into()), "{alerts}");
    let id = alerts["alerts"][0]["id"].as_str().unwrap();
    let one = console.json(&format!("/api/v1/alerts/{id}")).await;
    assert_eq!(one["reasons_in_full"][0]["usual"]["high"], 2.0);
    assert_eq!(serde_json::from_str::<Value>(one["json"].as_str().unwrap()).unwrap()["uuid"], "w1");
    let similar = console.json(&format!("/api/v1/alerts/{id}/similar")).await;
    assert_eq!(similar["matching"], 1);
    let histogram = console.json("/api/v1/histogram").await;
    assert_eq!((&histogram["alerts"], histogram["series"].as_array().unwrap().len()), (&2.into(), 2));
    assert_eq!(console.json("/api/v1/scores").await["alerts"], 2);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_is_told_at_once_and_is_one_with_what_is_archived_later() {
    let (bucket, broker) = surroundings().await;
    let now = Timestamp::now();
    bucket.put_json("team/flows/sites/east.json", &site_status("east", now)).await;
    let console = Console::start(&bucket, &broker, &[]).await;
    eventually("Kafka is read", async || console.json("/api/v1/overview").await["kafka"]["trouble"].is_null()).await;
    let mut events = Events::listen(console.page, None).await;
    let first = events.next().await;
    assert_eq!((&first.data["is_cut"], first.data["alerts"].as_array().unwrap().len()), (&false.into(), 0));

    let (one, two) = (alert("e1", now, "http"), alert("e2", now, "ssh"));
    support::produce(&broker, "alerts", &[&one]);
    let told = events.next().await;
    assert_eq!(told.data["alerts"][0]["site"], "east", "{}", told.data);
    support::produce(&broker, "alerts", &["{no alert", &two]);
    support::produce(&broker, "incidents", &[&support::incident(now, 2), &support::incident(now, 1)]);
    eventually("the incident is there", async || console.json("/api/v1/incidents").await["open"] == 1).await;
    let incidents = console.json("/api/v1/incidents?status=open").await;
    assert_eq!(incidents["incidents"][0]["alerts"], 2, "the later revision: {incidents}");
    let id = incidents["incidents"][0]["id"].as_str().unwrap();
    let of_incident = console.json(&format!("/api/v1/alerts?incident={id}")).await;
    assert_eq!(of_incident["matching"], 2, "{of_incident}");
    let incident = console.json(&format!("/api/v1/incidents/{id}")).await;
    assert!(incident["command"].as_str().unwrap().starts_with("kcat -C -t alerts -p 0 -o 7"));

    support::archive(&bucket, "east", 0, &[one, two, alert("e3", now, "ftp")]).await;
    eventually("what was archived is there", async || console.json("/api/v1/alerts").await["kept"] == 3).await;
    let mut again = Events::listen(console.page, Some(&told.id)).await;
    let missed = again.next().await;
    assert_eq!((missed.data["alerts"].as_array().unwrap().len(), &missed.data["is_cut"]), (2, &false.into()));
    let mut stranger = Events::listen(console.page, Some("other-1")).await;
    assert_eq!(stranger.next().await.data["is_cut"], true);
    let metrics = http_get(console.probes, "/metrics").await;
    assert_served(&metrics, vedette_contract::metrics::console::ALL);
    assert!(metrics.contains("vedette_console_unreadable_messages_total 1\n"), "{metrics}");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_tail_is_read_as_it_grows() {
    let (bucket, broker) = surroundings().await;
    let now = Timestamp::now();
    let console = Console::start(&bucket, &broker, &["--namespace=team"]).await;
    let object = support::object_key("west", 0);
    for (offset, uuid) in [(0, "a"), (1, "b")] {
        support::tail(&bucket, &object, offset, &[alert(uuid, now, "http")]).await;
        let kept = offset + 1;
        eventually("the delta is there", async || console.json("/api/v1/alerts").await["kept"] == kept).await;
    }
    support::archive(&bucket, "west", 0, &[alert("a", now, "http"), alert("b", now, "http")]).await;
    support::archive(&bucket, "west", 2, &[alert("c", now, "http")]).await;
    eventually("the next object is there", async || console.json("/api/v1/alerts").await["kept"] == 3).await;
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_and_a_broker_that_are_away_are_said_and_found_again() {
    let mut bucket = TestBucket::serve().await;
    let away = free_address();
    bucket.put_json("team/flows/sites/east.json", &site_status("east", Timestamp::now())).await;
    let console = Console::start_with(&bucket, away, &[]).await;
    let trouble =
        async |source: &str| console.json("/api/v1/overview").await[source]["trouble"].as_str().map(str::to_owned);
    eventually("Kafka is said to be away", async || trouble("kafka").await.is_some_and(|why| why != "not read yet"))
        .await;
    bucket.go_away().await;
    eventually("the bucket is said to be away", async || trouble("bucket").await.is_some()).await;
    assert_eq!(console.json("/api/v1/overview").await["sites"].as_array().unwrap().len(), 1, "what was read stays");
    bucket.come_back().await;
    eventually("the bucket is found again", async || trouble("bucket").await.is_none()).await;
    let broker = TestBroker::start_at(away);
    broker.create_topics(&TOPICS).await;
    eventually("the broker is found", async || trouble("kafka").await.is_none()).await;
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_are_gone_hold_up_no_others_and_are_named() {
    let (bucket, broker) = surroundings().await;
    let gone = json!({
        "sensor_messages": "gone-sensors", "enriched_data": "gone-enriched", "alerts": "gone-alerts",
        "dead_letters": "gone-letters"
    });
    let now = Timestamp::now();
    bucket.put_json("team/flows/sites/east.json", &site_status("east", now)).await;
    bucket.put_json("team/gone/sites/east.json", &with(site_status("east", now), "topics", gone)).await;
    let console = Console::start(&bucket, &broker, &[]).await;
    let trouble =
        async || console.json("/api/v1/overview").await["kafka"]["trouble"].as_str().unwrap_or_default().to_owned();
    eventually("the topic is named", async || trouble().await.contains("no topic gone-alerts")).await;
    support::produce(&broker, "alerts", &[&alert("a", now, "ssh")]);
    eventually("the alert of the other is there", async || console.json("/api/v1/alerts").await["kept"] == 1).await;
    broker.create_topics(&["gone-alerts:partitions=1"]).await;
    eventually("it is found", async || trouble().await.is_empty()).await;
    support::produce(&broker, "gone-alerts", &[&alert("b", now, "ssh")]);
    eventually("it is read", async || console.json("/api/v1/alerts").await["kept"] == 2).await;
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_below_its_prefix_and_what_is_wrong_is_told_clearly() {
    let (bucket, broker) = surroundings().await;
    let console = Console::start(&bucket, &broker, &["--path-prefix=/tools/vedette"]).await;
    let page = console.get("/tools/vedette/").await;
    for header in [
        "content-security-policy: default-src 'none'",
        "x-content-type-options: nosniff",
        "cache-control: no-cache",
        "etag: W/",
    ] {
        assert!(page.contains(header), "{header} in {page}");
    }
    assert!(page.contains("<div id=\"app\">"), "{page}");
    let tag = page.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap().to_owned();
    assert!(console.ask("GET", "/tools/vedette/", &[("if-none-match", &tag)]).await.starts_with("HTTP/1.1 304"));
    assert!(console.get("/tools/vedette").await.contains("location: /tools/vedette/\r\n"));
    let script = console.ask("GET", "/tools/vedette/app.js", &[("accept-encoding", "gzip")]).await;
    assert!(script.contains("content-encoding: gzip"), "{}", &script[..script.len().min(800)]);

    let api = "/tools/vedette/api/v1";
    for (method, path, status, words) in [
        ("GET", "/".to_owned(), 404, "there is nothing at"),
        ("GET", format!("{api}/alerts?severity=worst"), 400, "low, medium, high or critical"),
        ("GET", format!("{api}/alerts?limit=1001"), 400, "1 to 1000"),
        ("GET", format!("{api}/alerts?colour=red"), 400, "colour"),
        ("GET", format!("{api}/alerts?from=yesterday"), 400, "from"),
        ("GET", format!("{api}/alerts?incident=1"), 400, "incident"),
        ("GET", format!("{api}/alerts?incident=00000000-0000-5000-8000-000000000009"), 404, "no incident"),
        ("GET", format!("{api}/alerts/%3Cscript%3E"), 404, "no alert"),
        ("GET", format!("{api}/incidents?after=x"), 400, "next"),
        ("GET", format!("{api}/incidents/7"), 404, "no incident"),
        ("GET", format!("{api}/alerts?text={}", "a".repeat(9_000)), 400, "8 KiB"),
        ("POST", format!("{api}/alerts"), 405, "only read"),
        ("DELETE", "/tools/vedette/".to_owned(), 405, "only read"),
    ] {
        let answer = console.ask(method, &path, &[]).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{method} {path}: {answer}");
        assert!(answer.contains("application/problem+json") && answer.contains(words), "{method} {path}: {answer}");
    }
    let large = console.ask("GET", &format!("{api}/alerts"), &[("content-length", "2000000000")]).await;
    assert!(large.starts_with("HTTP/1.1 413"), "{large}");
    console.stop().await;
}
