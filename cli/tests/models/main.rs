//! `vedette models` as it is run: on a data directory, and on the bucket at an endpoint.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod data;

use serde_json::{Value, json};

use self::data::{Data, HOSTILE};

const VERBS: [&str; 7] = ["list", "show", "diff", "promote", "pin", "replay", "export"];

fn has_control_characters(text: &str) -> bool {
    text.chars()
        .any(|character| (character.is_control() && character != '\n' && character != '\t') || character == '\u{202e}')
}

#[tokio::test]
async fn the_help_of_each_verb_ends_with_two_examples_that_run() {
    let data = Data::new().await;
    for verb in VERBS {
        let help = String::from_utf8(data.run(&["models", verb, "--help"]).stdout).unwrap();
        let (_, examples) = help.rsplit_once("Examples:\n").unwrap();
        let examples: Vec<&str> = examples.trim_end().lines().map(str::trim).collect();
        assert_eq!(examples.len(), 2, "{verb}: {examples:?}");
        for example in examples {
            // Those through a console are run by the test that has one, e2e/tests/console_client.
            if example.contains(" --console ") {
                continue;
            }
            let words: Vec<&str> = example.split_whitespace().skip(1).collect();
            let output = data.example(&words).await;
            assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(!output.stdout.is_empty() || verb == "export", "{example} prints nothing");
        }
    }
}

#[tokio::test]
async fn versions_are_listed_newest_first_with_what_each_is() {
    let data = Data::new().await;
    let plain = data.models(&["list"]);
    let rows: Vec<Vec<&str>> = plain.lines().map(|line| line.split('\t').collect()).collect();
    let [candidate, current, previous] = rows.as_slice() else { panic!("{plain}") };
    // A site took the candidate back.
    for (row, version, state, job) in [
        (candidate, &data.candidate, "rejected", "kdd-3"),
        (current, &data.current, "current", "kdd-2"),
        (previous, &data.previous, "previous", "kdd-1"),
    ] {
        assert_eq!([row[0], row[1], row[4], row[5], row[8]], [version.as_str(), state, "2000", "0.9876", job]);
    }
    let table = data.models(&["list", "--training", "kdd", "--output", "table"]);
    assert!(table.starts_with("VERSION ") && table.lines().count() == 4, "{table}");
    let json = data.json(&["list"]);
    assert_eq!((&json["training"], &json["generation"]), (&json!("kdd"), &json!(2)));
    let newest = &json["versions"][0];
    assert_eq!((&newest["version"], &newest["state"]), (&json!(data.candidate), &json!("rejected")));
    assert_eq!(newest["rejected_by"], json!([{ "pipeline": "kdd", "site": "west" }]));
    assert_eq!(json["versions"][1]["used_by"].as_array().unwrap().len(), 2, "not by the one that was deleted");
    let alias = data.run(&["model", "list", "--data-dir", "data", "-n", "demo"]);
    assert_eq!(String::from_utf8(alias.stdout).unwrap(), plain);
}

#[tokio::test]
async fn a_version_is_shown_with_its_reasons_and_nothing_that_it_says_steers_a_terminal() {
    let data = Data::new().await;
    for format in ["table", "plain", "json"] {
        let shown = data.models(&["show", data.candidate.as_str(), "--output", format]);
        assert!(!has_control_characters(&shown), "{format}: {shown:?}");
        assert!(shown.contains("900 of the newest 5000 records would alert"), "{shown}");
    }
    let table = data.models(&["show", data.candidate.as_str(), "--output", "table"]);
    for said in
        ["taken back by", "kdd at west", r"odd\u{1b}[2J\u{9b}1m\u{202e} (a time)", "load (50 % missing)", "25.0 %"]
    {
        assert!(table.contains(said), "{said}: {table}");
    }
    let json = data.json(&["show", data.candidate.as_str()]);
    assert_eq!(json["metadata"]["left_out"][HOSTILE], "a time");
    assert_eq!(data.json(&["show"])["version"], json!(data.current));
    assert_eq!(data.json(&["show", "previous"])["published_by"], "kdd-1");
}

#[tokio::test]
async fn two_versions_differ_in_features_and_thresholds() {
    let data = Data::new().await;
    let json = data.json(&["diff", "previous", "current"]);
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|column| column["name"].as_str().unwrap().to_owned()).collect()
    };
    let features = &json["features"];
    assert_eq!(
        (names(&features["removed"]), names(&features["added"])),
        (vec!["load".to_owned()], vec!["speed".to_owned()])
    );
    assert_eq!((&features["unchanged"], &json["thresholds"][1]["per_million"]), (&json!(1), &json!(1_000.0)));
    let rising: Vec<f64> =
        json["thresholds"].as_array().unwrap().iter().map(|threshold| threshold["from"].as_f64().unwrap()).collect();
    assert!(rising.is_sorted_by(|left, right| left > right), "{rising:?}");
    let same = data.json(&["diff", "current", data.current.as_str()]);
    assert_eq!((&same["features"]["unchanged"], &same["features"]["changed"]), (&json!(2), &json!([])));
    let table = data.models(&["diff", "previous", "current", "--output", "table"]);
    assert!(table.contains("feature load") && table.contains("raw score of 1000 in a million"), "{table}");
}

#[tokio::test]
async fn a_candidate_is_promoted_in_a_name_and_the_version_before_comes_back_in_the_same_way() {
    let data = Data::new().await;
    let silent = data.failure(&["models", "promote", data.candidate.as_str(), "--data-dir", "data", "-n", "demo"]);
    assert!(silent.contains("900 of the newest 5000 records would alert; say with --comment why"), "{silent}");
    assert_eq!(data.json(&["list"])["generation"], 2);
    let json = data.json(&["promote", data.candidate.as_str(), "--comment", "west is new"]);
    assert_eq!(json["pointer"]["comment"], "west is new");
    assert_eq!((&json["pointer"]["published_by"], &json["pointer"]["generation"]), (&json!("ada"), &json!(3)));
    assert_eq!((&json["swapped"], &json["state_before"]), (&json!(true), &json!("rejected")));
    assert_eq!(json["followers"][1]["rejected"], json!(true));
    assert_eq!(data.json(&["list"])["versions"][0]["state"], "current");
    assert!(data.models(&["show", "--output", "table"]).contains("west is new"));
    let again = data.models(&["promote", data.candidate.as_str(), "--output", "table"]);
    assert!(again.contains("is current already, by ada"), "{again}");
    let back = data.models(&["promote", "previous", "--by", "Grace Hopper", "--output", "table"]);
    for said in [
        &format!("version {} is current, by Grace Hopper: generation 4", data.current),
        "pipeline kdd at site west runs version",
        "unless it is pinned",
    ] {
        assert!(back.contains(said), "{said}: {back}");
    }
    let listed = data.json(&["list"]);
    let of = |at: usize| (listed["versions"][at]["state"].clone(), listed["versions"][at]["published_by"].clone());
    assert_eq!((of(0).0, of(1)), (json!("rejected"), (json!("current"), json!("Grace Hopper"))));
}

#[tokio::test]
async fn a_version_is_promoted_only_in_the_bucket_of_the_site_of_the_training() {
    let data = Data::new().await;
    let words = ["models", "promote", "previous", "--bucket", "http://seaweedfs:8333", "--namespace", "demo"];
    let unsaid = data.example(&words).await;
    assert_eq!(unsaid.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unsaid.stderr).contains("--site"));
    let refused = data.example(&[&words[..], &["--site", "west"]].concat()).await;
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("runs at site east") && said.contains("promote") && said.contains("bucket of site east"),
        "{said}"
    );
    assert_eq!(data.json(&["list"])["generation"], 2);
    assert!(data.example(&[&words[..], &["--site", "east"]].concat()).await.status.success());
    assert_eq!(data.json(&["list"])["generation"], 3);
}

#[tokio::test]
async fn who_watches_is_told_when_another_version_is_current() {
    let data = Data::new().await;
    let place = ["--bucket", "http://seaweedfs:8333", "--namespace", "demo"];
    let words = ["models", "list", "--watch", "--interval", "1s", "-o", "json"];
    let (served, mut watch) = data.start(&[&words[..], &place].concat()).await;
    let told: Value = serde_json::from_str(&watch.line().await).unwrap();
    assert_eq!((&told["generation"], &told["versions"][1]["state"]), (&json!(2), &json!("current")));
    let promoted =
        data.run_at(&served, &[&["models", "promote", "previous", "--site", "east"], &place[..]].concat()).await;
    assert!(promoted.status.success(), "{}", String::from_utf8_lossy(&promoted.stderr));
    let told: Value = serde_json::from_str(&watch.line().await).unwrap();
    assert_eq!((&told["generation"], &told["versions"][2]["state"]), (&json!(3), &json!("current")));
    let ended = watch.interrupt().await;
    assert_eq!((ended.status.code(), ended.printed, ended.said), (Some(0), Vec::new(), Vec::new()));
    served.stop().await;
}

#[tokio::test]
async fn every_form_of_an_answer_says_the_same_and_steers_no_terminal() {
    let data = Data::new().await;
    for (words, further) in [
        (&["list"][..], "REFUSED FOR"),
        (&["show", data.candidate.as_str()], ""),
        (&["diff", "previous", data.candidate.as_str()], ""),
        (&["replay"], ""),
        (&["pin", "current"], ""),
    ] {
        let [table, wide, _, json, yaml] = ["table", "wide", "plain", "json", "yaml"].map(|format| {
            let said = data.models(&[words, &["--output", format]].concat());
            assert!(!has_control_characters(&said), "{words:?} {format}: {said:?}");
            said
        });
        let [json, yaml]: [Value; 2] = [serde_json::from_str(&json).unwrap(), serde_yaml::from_str(&yaml).unwrap()];
        // Of a figure of many digits the reader of JSON has the last one otherwise.
        assert_eq!(rounded(&yaml), rounded(&json), "{words:?}");
        assert_eq!((table == wide, wide.contains(further)), (further.is_empty(), true), "{words:?}: {wide}");
    }
}

fn rounded(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, |number| json!(format!("{number:.9e}"))),
        Value::Array(values) => values.iter().map(rounded).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), rounded(value))).collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

#[tokio::test]
async fn a_model_that_nobody_reads_any_more_is_no_error() {
    let data = Data::new().await;
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let words = ["models", "export", "--data-dir", "data", "-n", "demo", "--format", "onnx"];
    let output = data.command(&words).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[tokio::test]
async fn a_pin_is_a_patch_of_a_version_that_is_whole() {
    let data = Data::new().await;
    let patch: Value = serde_json::from_str(&data.models(&["pin", data.candidate.as_str()])).unwrap();
    let model = json!({ "training": "kdd", "versionPolicy": "Pinned", "version": data.candidate });
    assert_eq!(patch, json!({ "spec": { "model": model } }));
    let command = data.models(&["pin", "previous", "--pipeline", "flows", "--output", "table"]);
    assert!(command.starts_with("kubectl patch anomalypipeline flows -n demo --type merge"), "{command}");
}

#[tokio::test]
async fn a_replay_counts_the_alerts_then_and_now_by_day_and_site() {
    let data = Data::new().await;
    let all = data.json(&["replay", "--pipeline", "kdd", "--version", data.current.as_str()]);
    let days: Vec<_> =
        all["days"].as_array().unwrap().iter().map(|day| (day["day"].clone(), day["site"].clone())).collect();
    let expected = [("2026-11-20", "east"), ("2026-11-20", "west"), ("2026-11-21", "east")];
    assert_eq!(days, expected.map(|(day, site)| (json!(day), json!(site))));
    let total = &all["total"];
    assert_eq!((&total["records"], &total["alerts_then"]), (&json!(1_500), &json!(30)));
    assert_eq!(all["simulated"], 6, "of three objects of records and three of alerts");
    // What was far then is far by this model, too.
    let [now, both] = ["alerts_now", "alerts_both"].map(|name| total[name].as_u64().unwrap());
    assert!(both == 30 && (30..45).contains(&now), "{total}");
    assert_eq!(all["models_then"], json!({ "20261119T080000Z-00000000": 1_500 }));
    assert_eq!((&all["alert_budget_per_million"], &all["thresholds_then"]), (&json!(20_000.0), &json!([0.9, 0.92])));
    // A model that does not see those fields finds others.
    let none = data.json(&["replay", "--version", "current", "--alert-budget-per-million", "0"]);
    assert_eq!((&none["total"]["alerts_now"], &none["total"]["alerts_both"]), (&json!(0), &json!(0)));

    let part =
        data.json(&["replay", "--site", "east", "--from", "2026-11-20T01:00:00Z", "--to", "2026-11-20T02:00:00Z"]);
    assert_eq!((&part["total"]["records"], part["days"].as_array().unwrap().len()), (&json!(60), 1));
    let table = data.models(&["replay", "--output", "table"]);
    assert!(table.starts_with("DAY ") && table.contains("ONLY NOW") && table.contains("\nall "), "{table}");
    assert!(table.contains("the thresholds of the alerts were 0.9 to 0.92"), "{table}");
    assert!(table.contains("1 archive objects are damaged") && table.contains("6 records are simulated"), "{table}");
    assert_eq!(data.models(&["replay"]).lines().count(), 3);
}

#[tokio::test]
async fn what_is_not_there_is_said_beside_what_is() {
    let data = Data::new().await;
    let on = |words: &[&str]| data.failure(&[&["models"], words, &["--data-dir", "data"]].concat());
    let namespace = on(&["list"]);
    assert!(namespace.contains("namespace default has no models; namespaces that have are demo"), "{namespace}");
    let training = on(&["list", "-n", "demo", "--training", "kd"]);
    assert!(training.contains("no models of training kd; those that have are kdd"), "{training}");
    for (meant, verb) in [("20200101T000000Z-00000000", "show"), ("20261121", "promote"), (HOSTILE, "pin")] {
        let version = on(&[verb, meant, "-n", "demo"]);
        let said = version.contains("has no version")
            && version.contains("the nearest are")
            && version.contains(data.current.as_str());
        assert!(said && !has_control_characters(&version), "{version}");
    }
    let nearest = on(&["promote", "20261121", "-n", "demo"]);
    assert!(nearest.contains(&format!("the nearest are {}, ", data.current)), "{nearest}");
    let pipeline = on(&["replay", "-n", "demo", "--pipeline", "flows"]);
    let late = on(&["replay", "-n", "demo", "--from", "2027-01-01"]);
    assert!(late.contains("pipeline kdd has no records of that time and those sites"), "{late}");
    assert!(pipeline.contains("pipeline flows has no records") && pipeline.contains("are: kdd"), "{pipeline}");
    let span = on(&["replay", "-n", "demo", "--from", "2026-11-21", "--to", "2026-11-20"]);
    assert!(span.contains("--from 2026-11-21T00:00:00Z is not before --to"), "{span}");
    let place = data.failure(&["models", "list", "--data-dir", "nowhere"]);
    assert!(place.starts_with("error: nowhere has no bucket"), "{place}");
}
