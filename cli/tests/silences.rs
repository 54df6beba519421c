//! `vedette silences` as it is run: on a data directory, and on the bucket at an endpoint.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;
use vedette_embedded::bucket::{BucketOptions, Credentials, EmbeddedBucket};
use vedette_testing::pages::words;

const VERBS: [&str; 3] = ["add", "list", "end"];
/// Stands for a silence in examples.
const ANY_SILENCE: &str = "20261123T084210Z-0a1b2c3d";
/// Stands for a bucket in examples.
const ANY_BUCKET: &str = "http://seaweedfs:8333";

/// A data directory of a pipeline, in which the commands run.
struct Data(TempDir);

impl Data {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let sites = directory.path().join("data/vedette/demo/kdd/sites");
        std::fs::create_dir_all(&sites).unwrap();
        std::fs::write(sites.join("local.json"), "{}").unwrap();
        Self(directory)
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
        command.args(words).current_dir(self.0.path()).env("USER", "ada").env("COLUMNS", "1000").env_remove("RUST_LOG");
        command
    }

    /// Runs it on the data directory.
    fn silences(&self, words: &[&str]) -> Output {
        self.run(&[&["silences"], words, &["--data-dir", "data", "-n", "demo"]].concat())
    }

    /// What it prints.
    fn prints(&self, words: &[&str]) -> String {
        let output = self.silences(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.prints(&[words, &["-o", "json"]].concat())).unwrap()
    }

    fn refusal(&self, words: &[&str]) -> String {
        let output = self.silences(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    fn add(&self, words: &[&str]) -> String {
        self.prints(&[&["add", "--why", "a test"], words].concat()).trim().to_owned()
    }

    /// Runs an example of the help.
    async fn example(&self, words: &[String]) -> Output {
        let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        if !words.contains(&ANY_BUCKET) {
            return self.run(&words);
        }
        let served = serve(&self.0.path().join("data")).await;
        let (endpoint, key) = (served.endpoint(), served.credentials().clone());
        let words: Vec<&str> =
            words.into_iter().map(|word| if word == ANY_BUCKET { endpoint.as_str() } else { word }).collect();
        let mut command = self.command(&words);
        command.env("AWS_ACCESS_KEY_ID", key.access_key_id).env("AWS_SECRET_ACCESS_KEY", key.secret_access_key);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        served.stop().await;
        output
    }

    fn object(&self, site: &str, id: &str) -> std::path::PathBuf {
        self.0.path().join(format!("data/vedette/demo/kdd/silences/{site}/{id}.json"))
    }
}

async fn serve(directory: &Path) -> EmbeddedBucket {
    let listen = "127.0.0.1:0".parse().unwrap();
    let options = BucketOptions { directory, name: "vedette", listen, credentials: Credentials::random() };
    EmbeddedBucket::start(options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_of_each_verb_ends_with_two_examples_that_run() {
    for verb in VERBS {
        let data = Data::new();
        let help = String::from_utf8(data.run(&["silences", verb, "--help"]).stdout).unwrap();
        let (_, examples) = help.rsplit_once("Examples:\n").unwrap();
        let examples: Vec<&str> = examples.trim_end().lines().map(str::trim).collect();
        assert_eq!(examples.len(), 2, "{verb}: {examples:?}");
        for example in examples {
            // Those through a console are run by the test that has one, e2e/tests/console_client.
            if example.contains(" --console ") {
                continue;
            }
            let id = data.add(&["--match", "true", "--for", "2h", "--site", "east"]);
            let output = data.example(&words(&example.replace(ANY_SILENCE, &id))).await;
            assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(!output.stdout.is_empty(), "{example} prints nothing");
        }
    }
}

#[test]
fn a_silence_is_added_listed_and_ended() {
    let data = Data::new();
    assert_eq!(data.json(&["list"])["silences"], json!([]));
    let first = data.add(&["--match", "site == 'local'", "--for", "2h"]);
    let second = data.add(&["--match", "true", "--from", "2126-01-01", "--for", "1d", "--by", "grace"]);
    let past = ["--match", "example.service == 'ftp'", "--from", "2020-01-01", "--until", "2020-01-02"];
    let third = data.add(&[&past[..], &["--exclude-from-training"]].concat());

    let listed = data.json(&["list", "--all"]);
    let states = |listed: &Value| -> Vec<(String, String)> {
        let silences = listed["silences"].as_array().unwrap().iter();
        let text = |silence: &Value, field: &str| silence[field].as_str().unwrap().to_owned();
        let mut states: Vec<_> = silences.map(|silence| (text(silence, "id"), text(silence, "state"))).collect();
        states.sort_by(|one, other| one.1.cmp(&other.1));
        states
    };
    let of = |id: &String, state: &str| (id.clone(), state.to_owned());
    assert_eq!(states(&listed), [of(&first, "in force"), of(&third, "over"), of(&second, "to come")]);
    let json: Value = serde_json::from_slice(&std::fs::read(data.object("local", &third)).unwrap()).unwrap();
    let whole = json!({ "match": "example.service == 'ftp'", "from": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z",
        "by": "ada", "why": "a test", "excludeFromTraining": true });
    assert_eq!(json, whole);
    let table = data.prints(&["list", "-o", "table"]);
    assert!(table.starts_with("SILENCE ") && table.lines().count() == 3, "{table}");

    assert_eq!(data.json(&["end", &first])["outcome"], "ended");
    assert_eq!(data.json(&["end", &first])["outcome"], "over");
    assert_eq!(data.json(&["end", &second])["outcome"], "deleted");
    assert_eq!(states(&data.json(&["list", "--all"])).len(), 2);
    assert_eq!(data.json(&["list"])["silences"], json!([]));
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    let data = Data::new();
    let id = data.add(&["--match", "true", "--for", "2h", "--site", "east"]);
    for (words, complaint) in [
        (&["end", "20261123T084210Z-00000000"][..], id.as_str()),
        (&["end", "x", "--pipeline", "other"], "the nearest are kdd"),
        (&["end", id.as_str(), "--site", "west"], "end it in the bucket of site east"),
        (&["add", "--why", "a", "--for", "2h", "--match", "service == 1"], "a field of the alert is example.service"),
        (&["add", "--why", "a", "--until", "2020-01-01", "--match", "true"], "must be after from"),
    ] {
        let said = data.refusal(words);
        assert!(said.contains(complaint), "{words:?}: {said}");
    }
    let none = Data::new();
    assert!(none.refusal(&["end", "x"]).contains("it has none"));
}

#[test]
fn what_is_none_is_said_and_steers_no_terminal() {
    let data = Data::new();
    let id = data.add(&["--match", "true", "--for", "2h"]);
    let damaged = std::fs::read_to_string(data.object("local", &id)).unwrap().replace("a test", "\\u001b[2J");
    std::fs::write(data.object("local", ANY_SILENCE), damaged).unwrap();
    std::fs::write(data.object("local", "x"), "{}").unwrap();
    let output = data.silences(&["list"]);
    let (out, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(out.starts_with(&id) && out.lines().count() == 1, "{out}");
    assert!(said.contains(ANY_SILENCE) && said.contains("why \"") && said.lines().count() == 2, "{said}");
    assert!(!said.contains('\u{1b}'), "{said:?}");
    assert_eq!(data.json(&["list"])["passed"].as_array().unwrap().len(), 2);
}
