//! `vedette train` as it is run. The cluster is a kubectl that answers with what lies in a directory: what one with an API server behind it
//! does is for the tests on clusters, and what a trainer does on a data directory for those of `vedette local`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;
use vedette_testing::pages::words;
use vedette_testing::write_script;

/// Each look at the training has the next answer, the last one again and again; REQUEST stands for what was asked for.
const KUBECTL: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo "$*" >> asked
if [ -e refusal ]; then cat refusal >&2; exit 1; fi
case "$*" in
    annotate*)
        for word in "$@"; do case "$word" in vedette.io/run=*) printf %s "${word#vedette.io/run=}" > request ;; esac; done ;;
    *jsonpath*) cat names ;;
    get*)
        number=$(($(cat looks 2> /dev/null || echo 0) + 1))
        [ -e "answer-$number" ] || number=$((number - 1))
        echo "$number" > looks
        sed "s/REQUEST/$(cat request 2> /dev/null)/g" "answer-$number" ;;
esac
"#;

struct Cluster(TempDir);

impl Cluster {
    /// One with a kubectl that has these answers.
    fn new(answers: &[Value]) -> Self {
        let cluster = Self(tempfile::tempdir().unwrap());
        write_script(&cluster.file("kubectl"), KUBECTL);
        std::fs::write(cluster.file("names"), "kdd kdd-weekly").unwrap();
        for (number, answer) in answers.iter().enumerate() {
            let text = if answer.is_null() { String::new() } else { answer.to_string() };
            std::fs::write(cluster.file(&format!("answer-{}", number + 1)), text).unwrap();
        }
        cluster
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, words: &[&str]) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.0.path().display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
        command.args(words).env("PATH", path).env("COLUMNS", "1000").env_remove("RUST_LOG").output().unwrap()
    }

    fn refusal(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        said
    }

    fn asked(&self) -> String {
        std::fs::read_to_string(self.file("asked")).unwrap()
    }
}

/// A training whose last run is this one.
fn training(request: &str, job: &str, ended: &[&Value]) -> Value {
    json!({
        "apiVersion": "vedette.io/v1alpha1", "kind": "ModelTraining",
        "metadata": { "name": "kdd", "namespace": "demo", "annotations": { "vedette.io/run": request } },
        "spec": { "site": "east", "data": { "pipeline": "kdd" } },
        "status": {
            "observedGeneration": 1, "lastRequest": request, "phase": "Scheduled", "history": ended,
            "lastRun": { "job": job, "startedAt": "2026-11-23T08:42:10Z", "records": 7 },
        },
    })
}

fn ended(job: &str, outcome: &str) -> Value {
    json!({
        "job": job, "finishedAt": "2026-11-23T08:52:10Z", "outcome": outcome, "records": 130_000,
        "version": "20261123T084210Z-0a1b2c3d", "message": "odd\u{1b}[2J",
    })
}

/// One that was asked for a run, which ends in this way.
fn story(outcome: &str) -> Vec<Value> {
    let (first, second) = (ended("kdd-1", "Published"), ended("kdd-2", outcome));
    vec![
        training("before", "kdd-1", &[&first]),
        training("REQUEST", "kdd-2", &[&first]),
        training("REQUEST", "kdd-2", &[&second, &first]),
    ]
}

#[test]
fn the_help_ends_with_two_examples_and_the_one_of_a_cluster_runs() {
    let cluster = Cluster::new(&story("Published"));
    let help = String::from_utf8(cluster.run(&["train", "--help"]).stdout).unwrap();
    let (_, examples) = help.rsplit_once("Examples:\n").unwrap();
    let examples: Vec<Vec<String>> = examples.trim_end().lines().map(words).collect();
    // The other one is run by the tests of `vedette local`, which have a trainer and something to learn from.
    let [in_cluster, on_this_machine] = examples.as_slice() else { panic!("{examples:?}") };
    assert!(on_this_machine.iter().any(|word| word == "--data-dir"), "{on_this_machine:?}");
    let example: Vec<&str> = in_cluster.iter().skip(1).map(String::as_str).collect();
    let output = cluster.run(&example);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told, "kdd-2\tPublished\t20261123T084210Z-0a1b2c3d\t130000\t-\todd\\u{1b}[2J\n");
}

#[test]
fn a_run_is_asked_for_by_a_new_value_of_the_annotation() {
    let cluster = Cluster::new(&story("Published")[..1]);
    let output = cluster.run(&["train", "kdd", "-n", "demo", "--context", "east", "-o", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let request = std::fs::read_to_string(cluster.file("request")).unwrap();
    assert_eq!(
        report,
        json!({ "namespace": "demo", "training": "kdd", "request": request, "result": null }),
        "nobody waits for it"
    );
    request.parse::<jiff::Timestamp>().unwrap();
    let asked = cluster.asked();
    assert!(asked.lines().all(|line| line.ends_with("--context=east --namespace=demo")), "{asked}");
    let plain = cluster.run(&["train", "kdd"]);
    assert_ne!(String::from_utf8(plain.stdout).unwrap().trim(), request, "each value is another");
    assert!(!cluster.asked().lines().last().unwrap().contains("--namespace"), "that of the context");
}

#[test]
fn what_publishes_no_model_is_a_failure_of_whoever_waits() {
    for (outcome, said) in [
        ("GateRefused", "`vedette models promote 20261123T084210Z-0a1b2c3d` makes it current all the same"),
        ("Failed", "kdd-2 published no model (Failed): odd\\u{1b}[2J"),
        ("NotEnoughData", "kdd-2 published no model (NotEnoughData)"),
    ] {
        let cluster = Cluster::new(&story(outcome));
        let error = cluster.refusal(&["train", "kdd", "--wait"]);
        assert!(error.contains(said), "{outcome}: {error}");
    }
    let running = Cluster::new(&story("Published")[..2]);
    let error = running.refusal(&["train", "kdd", "--wait", "--timeout", "1s"]);
    assert!(error.contains("had not ended after") && error.contains("goes on"), "{error}");
}

#[test]
fn what_would_not_run_is_not_asked_for() {
    let mut suspended = training("before", "kdd-1", &[]);
    suspended["spec"]["suspend"] = json!(true);
    let mut elsewhere = training("before", "kdd-1", &[]);
    elsewhere["status"]["phase"] = json!("RunsAtOtherSite");
    for (answer, words, said) in [
        (suspended, &["train", "kdd"][..], "set spec.suspend to false"),
        (elsewhere, &["train", "kdd"], "runs at site east: name the cluster of that site with --context"),
        (Value::Null, &["train", "kd"], "no training kd; the nearest are kdd, kdd-weekly"),
        (Value::Null, &["train"], "several trainings: say which, one of kdd, kdd-weekly"),
        (json!({ "metadata": {} }), &["train", "kdd"], "cannot be read"),
    ] {
        let cluster = Cluster::new(&[answer]);
        let error = cluster.refusal(words);
        assert!(error.contains(said), "{words:?}: {error}");
        assert!(!cluster.file("request").exists(), "{words:?}");
    }
    let none = Cluster::new(&[Value::Null]);
    std::fs::write(none.file("names"), "").unwrap();
    assert!(none.refusal(&["train"]).contains("has no ModelTraining"));
}

#[test]
fn no_kubectl_and_no_rights_are_said_in_one_line_with_the_mend() {
    let cluster = Cluster::new(&[]);
    let forbidden =
        "I1130 retrying\nError from server (Forbidden): modeltrainings.vedette.io \"kdd\" is forbidden\u{1b}[2J\n";
    std::fs::write(cluster.file("refusal"), forbidden).unwrap();
    let error = cluster.refusal(&["train", "kdd"]);
    assert!(error.contains("(Forbidden)") && error.contains("kubectl auth can-i"), "{error}");
    assert!(!error.contains('\u{1b}') && !error.contains("retrying"), "{error:?}");
    std::fs::remove_file(cluster.file("kubectl")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
    let output = command.args(["train", "kdd"]).env("PATH", cluster.0.path()).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("not on the PATH: install it") && error.lines().count() == 1, "{error}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_place_without_a_run_is_said_beside_what_it_needs() {
    let cluster = Cluster::new(&[]);
    let directory = cluster.0.path().display().to_string();
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/demo.yaml");
    let error = cluster.refusal(&["train", "-f", demo, "--data-dir", &directory]);
    assert!(error.contains("give the --data-dir of a local run"), "{error}");
    // The bucket of a local run that archived nothing.
    std::fs::create_dir(cluster.file("vedette")).unwrap();
    let output = cluster.run(&["train", "-f", demo, "--data-dir", &directory]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("cannot run now: a run starts when 1 records are archived"), "{error}");
    for wrong in [&["train", "--data-dir", "x"][..], &["train", "-f", demo], &["train", "--timeout", "1s"]] {
        assert_eq!(cluster.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}
