//! What is read of the bucket only when somebody asks for it: a sample of all records, and the report of a model version.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use vedette_contract::ModelVersion;
use vedette_testing::bucket::object_key;
use vedette_testing::{TestBucket, eventually};

use crate::support::{Console, site_status};
use crate::surroundings;

const SAMPLE: &str = "/api/v1/histogram?of=sample";

/// Says that records of a site are archived.
async fn moved(bucket: &TestBucket, site: &str, records: usize) {
    let progress = json!({
        "stream": "enriched_data", "records": records, "closed_records": 0, "end": records, "last_object": null,
        "last_utc": null, "updated_at": Timestamp::now()
    });
    bucket.put_json(&format!("team/flows/progress/{site}/enriched_data-0.json"), &progress).await;
}

fn record(utc: Timestamp, duration: u32, service: &str) -> String {
    json!({ "utc": utc, "duration": duration, "service": service, "score": 0.1 }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_of_the_last_hour_is_of_all_records_of_all_sites_and_of_no_simulated_ones() {
    let (bucket, broker) = surroundings().await;
    let now = Timestamp::now();
    let day = now.strftime("%Y-%m-%d").to_string();
    bucket.put_json("team/flows/sites/east.json", &site_status("east", now)).await;
    let simulated = format!("{},\"simulated\":true}}", record(now, 9, "made up").trim_end_matches('}'));
    let old = record(now - SignedDuration::from_mins(61), 9, "old");
    bucket.archive(&day, "west", 0, &[record(now, 1, "http"), record(now, 2, "ssh"), simulated, old]).await;
    bucket.tail(&object_key(&day, "east", 7), 7, &[record(now, 3, "http"), "{half".to_owned()]).await;
    moved(&bucket, "west", 4).await;
    moved(&bucket, "east", 8).await;
    let console = Console::start(&bucket, &broker, &[]).await;
    let of = async |site: &str| console.json(&format!("{SAMPLE}&namespace=team&pipeline=flows&site={site}")).await;
    let categories = |view: &Value| -> Vec<String> {
        let series = view["series"].as_array().unwrap().iter();
        let mut names: Vec<_> = series.map(|series| series["category"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let west = of("west").await;
    assert_eq!(categories(&west), ["http", "ssh"], "{west}");
    assert_eq!((&west["sample"]["sites_in_it"], &west["sample"]["sites"]), (&1.into(), &1.into()));
    let east = of("east").await;
    assert_eq!((&east["alerts"], categories(&east)), (&1.into(), vec!["http".to_owned()]), "{east}");
    let all = console.json(SAMPLE).await;
    assert_eq!(
        (&all["alerts"], &all["sample"]["sites_in_it"], &all["sample"]["sites"]),
        (&3.into(), &2.into(), &2.into())
    );
    assert_eq!(all["sample"]["to_utc"].as_str().unwrap().parse::<Timestamp>().unwrap(), now);
    let none = of("north").await;
    assert_eq!(
        (&none["alerts"], &none["sample"]["sites"], &none["sample"]["from_utc"]),
        (&0.into(), &0.into(), &Value::Null)
    );
    moved(&bucket, "north", 1).await;
    bucket.archive(&day, "north", 0, &[record(now, 4, "http")]).await;
    eventually("what comes to be there is found", async || of("north").await["alerts"] == 1).await;
    assert_eq!(console.json("/api/v1/histogram").await["sample"], Value::Null, "alerts are no sample");

    for (asked, status, words) in [
        ("of=all", 400, "alerts or sample"),
        ("of=sample&severity=high", 400, "leave severity"),
        ("of=sample&pipeline=others", 404, "no such pipeline"),
        ("of=sample&site=A", 400, "site"),
    ] {
        let answer = console.get(&format!("/api/v1/histogram?{asked}")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(words), "{asked}: {answer}");
    }
    bucket.put_json("team/other/sites/east.json", &site_status("east", now)).await;
    eventually("another pipeline is known", async || console.get(SAMPLE).await.contains("of one pipeline")).await;
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_a_version_is_shown_as_a_page_of_nobody() {
    let (bucket, broker) = surroundings().await;
    let versions: [ModelVersion; 2] =
        ["20261123T084210Z-1a2b3c4d", "20261124T084210Z-1a2b3c4d"].map(|version| version.parse().unwrap());
    for version in &versions {
        bucket.describe("team", "daily", version, "job").await;
    }
    bucket.put(&format!("team/models/daily/{}/report.html", versions[0]), "<!doctype html><p>a report").await;
    bucket.put("team/models/daily/report.html", "<p>none").await;
    let console = Console::start(&bucket, &broker, &["--path-prefix=/tools/vedette"]).await;
    let path = |version: &str| format!("/tools/vedette/reports/team/daily/{version}");
    let report = console.get(&path(&versions[0].to_string())).await;
    assert!(report.starts_with("HTTP/1.1 200") && report.ends_with("<p>a report"), "{report}");
    for header in [
        "content-security-policy: sandbox; default-src 'none'; style-src 'unsafe-inline'; ",
        "content-type: text/html; charset=utf-8",
        "cross-origin-opener-policy: unsafe-none",
        "x-content-type-options: nosniff",
        "x-frame-options: DENY",
    ] {
        assert!(report.contains(header), "{header} in {report}");
    }
    assert!(!report.contains("allow-"), "the sandbox is whole: {report}");
    assert_eq!(report.matches("content-security-policy").count(), 1, "{report}");
    for (version, words) in [
        (versions[1].to_string(), "its report is not"),
        ("20261125T084210Z-1a2b3c4d".to_owned(), "no such version"),
        ("..".to_owned(), "no such version"),
        ("..%2F..%2Fflows".to_owned(), "no such version"),
    ] {
        let answer = console.get(&path(&version)).await;
        assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains(words), "{version}: {answer}");
    }
    for path in ["reports/%FF/daily/v", "api/v1/alerts/%FF"] {
        let answer = console.get(&format!("/tools/vedette/{path}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("problem+json") && answer.contains("not UTF-8"));
    }
    let trainings = console.json("/tools/vedette/api/v1/trainings").await;
    assert_eq!(trainings["trainings"][0]["versions"][0]["has_report"], false, "its metadata names none: {trainings}");
    console.stop().await;
}
