//! `vedette verdicts`: what people say that alerts and incidents turned out to be.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::data::{CLOSED, Data, HOSTILE, OPEN, VERSION, uuid};
use super::has_control_characters;

impl Data {
    /// Gives a verdict; returns its id.
    fn judges(&self, words: &[&str]) -> String {
        let why: &[&str] = if words.contains(&"--why") { &[] } else { &["--why", "a test"] };
        self.says(&[&["verdicts", "add", "--by", "ada"], words, why].concat()).trim().to_owned()
    }

    fn verdicts(&self, words: &[&str]) -> Value {
        self.json(&[&["verdicts", "list"], words].concat())
    }

    fn labels(&self) -> PathBuf {
        self.served.data_directory().join("vedette/demo/kdd/labels")
    }

    /// A verdict as it stands in the bucket.
    fn object(&self, site: &str, id: &str) -> Value {
        let month = format!("{}-{}", &id[..4], &id[4..6]);
        serde_json::from_slice(&std::fs::read(self.labels().join(site).join(month).join(format!("{id}.json"))).unwrap())
            .unwrap()
    }
}

/// The id of each, and whether it stands.
fn states(listing: &Value) -> Vec<[&str; 2]> {
    let verdicts = listing["verdicts"].as_array().unwrap().iter();
    verdicts.map(|verdict| ["id", "state"].map(|field| verdict[field].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_verdict_says_of_what_it_is_and_a_later_one_takes_its_place() {
    let data = Data::new().await;
    let alert = uuid("west", 3);
    let first = data.judges(&["--alert", &alert, "--verdict", "expected"]);
    let object = data.object("local", &first);
    let of =
        json!({ "uuid": alert, "site": "west", "detectedUtc": "2026-11-20T08:03:30.000001Z", "modelVersion": VERSION });
    let at = &object["at"];
    assert_eq!(object, json!({ "alert": of, "verdict": "expected", "by": "ada", "why": "a test", "at": at }));

    let second = data.judges(&["--incident", CLOSED, "--verdict", "anomaly", "--site", "east"]);
    let object = data.object("east", &second);
    let of = json!({ "id": CLOSED, "site": "east", "firstUtc": "2026-11-21T01:00:00Z", "lastUtc": "2026-11-21T01:02:00Z",
        "alerts": 30, "example": uuid("east", 109), "modelVersion": VERSION });
    assert_eq!((&object["incident"], &object["verdict"]), (&of, &json!("anomaly")));

    // Another site has the last word on the first, also in the same second.
    let third = data.judges(&["--alert", &alert, "--verdict", "anomaly", "--site", "west"]);
    let stand = data.verdicts(&[]);
    let mut standing = states(&stand);
    standing.sort_unstable();
    let mut expected = [[second.as_str(), "stands"], [third.as_str(), "stands"]];
    expected.sort_unstable();
    assert_eq!(standing, expected);
    let all = data.verdicts(&["--all"]);
    assert!(states(&all).len() == 3 && states(&all).contains(&[first.as_str(), "replaced"]), "{all}");

    let table = data.says(&["verdicts", "list", "--output", "table"]);
    assert!(table.starts_with("ID ") && table.lines().count() == 3, "{table}");
    let row = table.lines().find(|line| line.contains(CLOSED)).unwrap();
    let row: Vec<&str> = row.split_whitespace().collect();
    assert_eq!((row[5..10].join(" "), row[2]), (format!("anomaly incident {CLOSED} 30 {VERSION}"), "stands"));
    let words =
        ["verdicts", "add", "--incident", OPEN, "--verdict", "expected", "--by", "ada", "--why", "x", "-o", "table"];
    let said = data.says(&words);
    assert!(said.contains(&format!(
        "incident {OPEN}, 20 alerts of model {VERSION} is expected, by ada, written by site local"
    )));
}

#[tokio::test]
async fn what_is_not_there_is_not_judged_and_what_is_near_is_said() {
    let mut data = Data::new().await;
    data.served.come_back().await;
    // One is there twice: the last was detected at west, in whatever order they are read.
    let twice = |minute: u32, version: &str| json!({ "uuid": "twice", "detected_utc": format!("2026-11-22T07:{minute:02}:00Z"), "model_version": version });
    data.archive("alerts", "2026-11-22", "east", 170, &[twice(0, "20261101T000000Z-00000001")]).await;
    data.archive("alerts", "2026-11-22", "west", 170, &[twice(20, "20261101T000000Z-00000002")]).await;
    let odd = json!({ "uuid": HOSTILE, "detected_utc": "2026-11-22T08:00:00Z", "model_version": "the last" });
    let unknown = json!({ "uuid": "odd", "detected_utc": "2026-11-22T08:00:00Z", "model_version": "the last" });
    data.archive("alerts", "2026-11-22", "east", 180, &[odd, unknown]).await;
    data.served.go_away().await;
    let add = ["verdicts", "add", "-n", "demo", "--verdict", "anomaly", "--by", "ada", "--why", "a test"];
    let nearest = format!("the nearest are {CLOSED}, {OPEN}");
    for (words, complaint) in [
        (["--alert", "east-00012"], "no alert east-00012 is archived; the nearest are east-00012"),
        (["--incident", "00000000-0000-5000-8000-000000000003"], nearest.as_str()),
        (["--incident", "east-000120"], "no incident east-000120 is archived; the nearest are"),
        (["--alert", HOSTILE], "in a line of 1 to 1000 bytes"),
        (["--alert", CLOSED], "no alert"),
    ] {
        let said = data.failure(&[&add[..], &words].concat());
        assert!(said.contains(complaint) && !has_control_characters(&said), "{words:?}: {said}");
    }
    for words in [
        &["--alert", "a", "--incident", CLOSED, "--verdict", "anomaly", "--why", "x"][..],
        &["--verdict", "anomaly", "--why", "x"],
        &["--alert", "a", "--verdict", "odd", "--why", "x"],
        &["--alert", "a", "--verdict", "anomaly", "--why", "\u{1b}[2J"],
        &["--alert", "a", "--verdict", "anomaly", "--why", &"x".repeat(100_000)],
        &["--alert", "a", "--verdict", "anomaly"],
        &["--alert", "", "--verdict", "anomaly", "--why", "x"],
        &["--incident", CLOSED, "--alert-site", "east", "--verdict", "anomaly", "--why", "x"],
    ] {
        let output = data.run(&[&["verdicts", "add", "--data-dir", "./data"], words].concat());
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
    for site in ["--site", "--alert-site"] {
        let said = data.failure(&[&add[..], &["--alert", "odd", site, "eats"]].concat());
        assert!(said.contains("eats") && said.contains("east"), "{said}");
    }
    assert!(!data.labels().exists());
    let id = data.judges(&["--alert", "twice", "--verdict", "anomaly"]);
    assert_eq!(data.object("local", &id)["alert"]["site"], "west");
    let id = data.judges(&["--alert", "twice", "--alert-site", "east", "--verdict", "anomaly"]);
    assert_eq!(data.object("local", &id)["alert"]["modelVersion"], "20261101T000000Z-00000001");
    data.judges(&["--incident", &CLOSED.to_ascii_uppercase(), "--verdict", "expected"]);
    // Of a model that nobody can name nothing is said.
    let id = data.judges(&["--alert", "odd", "--verdict", "anomaly"]);
    assert_eq!(data.object("local", &id)["alert"]["modelVersion"], Value::Null);
}

#[tokio::test]
async fn what_is_no_verdict_is_said_and_steers_no_terminal() {
    let data = Data::new().await;
    let id = data.judges(&["--alert", &uuid("west", 3), "--verdict", "expected", "--why", "turned\u{202e}"]);
    let whole = data.object("local", &id).to_string();
    let month = data.labels().join("local").join(format!("{}-{}", &id[..4], &id[4..6]));
    let other = format!("{}-00000000", id.split_once('-').unwrap().0);
    std::fs::write(month.join(format!("{other}.json")), whole.replace("turned\u{202e}", "\\u001b[2J")).unwrap();
    std::fs::write(month.join("x\u{9b}.json"), "{}").unwrap();
    std::fs::write(data.labels().join("notes"), "{}").unwrap();
    let output = data.run(&["verdicts", "list", "--data-dir", "./data", "-n", "demo"]);
    let (out, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(out.starts_with(&id) && out.lines().count() == 1 && out.contains(r"turned\u{202e}"), "{out}");
    assert!(said.contains(&other) && said.contains("why \"") && said.lines().count() == 3, "{said}");
    assert!(!has_control_characters(&out) && !has_control_characters(&said), "{said:?}");
    assert_eq!(data.verdicts(&[])["passed"].as_array().unwrap().len(), 3);
}
