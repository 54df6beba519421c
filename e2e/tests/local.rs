//! `vedette local` as a user runs it: the built programs, the real manifests, from the first record to the summary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use vedette_e2e::local::{PROGRAMS, binary, repository, send_signal};
use vedette_e2e::processes::{Child, descendants};
use vedette_e2e::{LocalRun, pumps};
use vedette_testing::pages::words;

const PATIENCE: Duration = Duration::from_secs(600);

fn fixture(name: &str) -> String {
    repository().join("e2e/fixtures").join(name).display().to_string()
}

fn count(summary: &Value, field: &str) -> u64 {
    summary[field].as_u64().unwrap_or_else(|| panic!("{field} in {summary}"))
}

fn figure(summary: &Value, field: &str) -> f64 {
    summary[field].as_f64().unwrap_or_else(|| panic!("{field} in {summary}"))
}

/// What must hold after every run: nothing lost, nothing twice, everything in the archive.
fn assert_whole(summary: &Value) {
    assert_eq!((count(summary, "lost"), count(summary, "duplicates")), (0, 0), "{summary}");
    assert_eq!(
        count(summary, "records_enriched") + count(summary, "dead_letters"),
        count(summary, "records_generated"),
        "{summary}"
    );
    assert_eq!(summary["archive"]["records"].as_u64(), Some(count(summary, "records_enriched")), "{summary}");
    assert_eq!(summary["archive"]["alerts"]["records"].as_u64(), Some(count(summary, "alerts")), "{summary}");
}

fn models_in(log: &str) -> usize {
    log.lines().filter(|line| line.contains("detectors run model version")).count()
}

/// Whether a run without `--json` has told of a record.
fn has_enriched(run: &LocalRun) -> bool {
    run.output().lines().any(|line| line.contains(" enriched, lag ") && !line.contains(", 0 enriched, "))
}

fn children_named(run: &LocalRun, name: &str) -> Vec<Child> {
    descendants(run.pid()).into_iter().filter(|child| child.name == name).collect()
}

#[test]
fn no_program_is_larger_than_it_may_be() {
    for (program, most) in PROGRAMS {
        let bytes = std::fs::metadata(binary(program)).unwrap().len();
        assert!(bytes as f64 <= most * 1e6, "{program}: {bytes} bytes, and at most {most} MB");
    }
}

#[test]
fn the_loop_closes_by_itself_and_a_second_run_adds_to_the_first() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().join("kept data").display().to_string();
    let start = || {
        LocalRun::start(["local", "-f", &fixture("quick.yaml"), "--json", "--for", "10m", "--data-dir", &directory])
            .unwrap()
    };

    let mut run = start();
    run.wait_for("a second model in use", PATIENCE, |run| models_in(&run.log()) >= 2).unwrap();
    run.signal("INT").unwrap();
    let first = run.summary(PATIENCE).unwrap();
    assert_whole(&first);
    assert!(first["model_versions"].as_array().unwrap().len() >= 2, "{first}");
    assert!(count(&first, "alerts") > 0, "{first}");
    assert!(figure(&first, "auroc") >= 0.9, "{first}");
    assert!(figure(&first["latency_ms"], "p50") > 0.0, "{first}");

    let mut run = start();
    run.wait_for("a model in use", PATIENCE, |run| models_in(&run.log()) >= 1).unwrap();
    let tenth = |run: &LocalRun| run.log().contains("records archived");
    run.wait_for("progress", PATIENCE, tenth).unwrap();
    run.signal("INT").unwrap();
    let second = run.summary(PATIENCE).unwrap();
    assert_eq!((count(&second, "lost"), count(&second, "duplicates")), (0, 0), "{second}");
    let archived = |summary: &Value| summary["archive"]["records"].as_u64().unwrap();
    assert_eq!(archived(&second), archived(&first) + count(&second, "records_enriched"), "{first}\n{second}");

    let verify = Command::new(binary("vedette"))
        .args(["archive", "verify", "--data-dir", &directory, "--namespace", "e2e", "--pipeline", "quick"])
        .output()
        .unwrap();
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stderr));

    let mut run =
        LocalRun::start(["local", "-f", &fixture("quick.yaml"), "--for", "10m", "--data-dir", &directory]).unwrap();
    run.wait_for("a record", PATIENCE, has_enriched).unwrap();
    run.signal("INT").unwrap();
    let (status, said, log) = run.end(PATIENCE).unwrap();
    assert!(status.success(), "{said}\n{log}");
    let (_, next) = said.split_once("\nNext\n").unwrap_or_else(|| panic!("nothing is said of what to try: {said}"));
    let lines: Vec<Vec<String>> = next.lines().map(words).collect();
    let (notebook, commands) = lines.split_last().unwrap();
    assert_eq!(notebook[..], ["make", "notebook", &format!("DATA_DIR={directory}")]);
    assert_eq!(commands.len(), 3, "{next}");
    for command in commands {
        let output = Command::new(&command[0]).args(&command[1..]).output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty(), "{command:?} prints nothing");
    }
    a_training_runs_when_it_is_asked_for(&directory);
}

/// As the second example of the help says it.
fn a_training_runs_when_it_is_asked_for(directory: &str) {
    let run = |words: &[String]| {
        let output = Command::new(binary("vedette")).args(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), said)
    };
    let versions = || {
        let (code, listed, said) = run(&words(&format!("models list -n e2e -o plain --data-dir '{directory}'")));
        assert_eq!(code, Some(0), "{said}");
        listed.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let before = versions();
    let (_, help, _) = run(&words("train --help"));
    let (_, example) = help.trim_end().rsplit_once("vedette ").unwrap();
    let own = |word: String| match word.as_str() {
        "kdd" => "quick".to_owned(),
        "manifests/demo.yaml" => fixture("quick.yaml"),
        "./data" => directory.to_owned(),
        _ => word,
    };
    let example: Vec<String> = words(example).into_iter().map(own).collect();
    let (code, told, said) = run(&[&example[..], &words("-o json")].concat());
    assert_eq!(code, Some(0), "{example:?}: {said}");
    let report: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(report["result"]["outcome"], "Published", "{report}");
    let version = report["result"]["version"].as_str().unwrap();
    assert!(!before.iter().any(|known| known == version), "{version} among {before:?}");
    assert_eq!(versions()[0], version);
}

#[test]
fn nothing_is_lost_and_nothing_is_twice_when_each_kind_of_process_is_killed() {
    let mut run = LocalRun::start(["local", "-f", &fixture("quick.yaml"), "--json", "--for", "10m"]).unwrap();
    run.wait_for("a model in use", PATIENCE, |run| models_in(&run.log()) >= 1).unwrap();
    for name in ["vedette-detector", "vedette-archiver", "vedette-generator"] {
        let victim = children_named(&run, name).pop().unwrap_or_else(|| panic!("no {name} runs"));
        assert!(send_signal(victim.pid, "KILL").unwrap(), "{name} has ended by itself");
        run.wait_for("another process in its place", PATIENCE, |run| {
            children_named(run, name).iter().any(|child| child.pid != victim.pid)
        })
        .unwrap();
    }
    // A training is killed in its middle, too: the second one, which begins by itself.
    run.wait_for("a training", PATIENCE, |run| {
        let trainer = children_named(run, "vedette-trainer").pop();
        trainer.is_some_and(|trainer| send_signal(trainer.pid, "KILL").unwrap())
    })
    .unwrap();
    run.wait_for("a second model in use", PATIENCE, |run| models_in(&run.log()) >= 2).unwrap();
    run.signal("INT").unwrap();
    let summary = run.summary(PATIENCE).unwrap();
    assert_whole(&summary);
}

#[test]
fn records_of_another_kind_are_learned_and_the_reasons_name_the_planted_column() {
    let directory = tempfile::tempdir().unwrap();
    let dataset = directory.path().join("pumps.csv");
    std::fs::write(&dataset, pumps::csv(20_000, 7)).unwrap();
    let mut run = LocalRun::start([
        "local",
        "-f",
        &fixture("six.yaml"),
        "--json",
        "--for",
        "10m",
        "--dataset",
        &dataset.display().to_string(),
    ])
    .unwrap();
    // Alerts of planted anomalies; what else alerts within the budget has other reasons.
    let reasons = |run: &LocalRun| {
        let log = run.log();
        let named = log
            .lines()
            .filter(|line| line.contains("because of ") && line.contains("[label: anomaly]"))
            .map(|line| line.contains(&format!("because of {}", pumps::PLANTED_COLUMN)));
        named.fold((0, 0), |(first, all), is| (first + usize::from(is), all + 1))
    };
    run.wait_for("fifty alerts of planted anomalies", PATIENCE, |run| reasons(run).1 >= 50).unwrap();
    let (first, all) = reasons(&run);
    run.signal("INT").unwrap();
    let summary = run.summary(PATIENCE).unwrap();
    assert_whole(&summary);
    assert!(figure(&summary, "auroc") >= 0.9, "{summary}");
    assert!(first * 10 >= all * 9, "the planted column is first in {first} of {all} alerts");
}

/// As in a cluster of IPv6 alone: Kafka and bucket are numbers in brackets to every client, and so is the page to whoever asks for it.
#[test]
fn records_flow_to_the_page_where_all_servers_have_addresses_of_ipv6() {
    let fixed = ["local", "-f", &fixture("quick.yaml"), "--json", "--for", "10m"].map(str::to_owned);
    let listen = ["--kafka-listen", "--bucket-listen", "--console-listen"].map(|option| format!("{option}=[::1]:0"));
    let mut run = LocalRun::start(fixed.iter().chain(&listen)).unwrap();
    if TcpListener::bind("[::1]:0").is_err() {
        let (status, _, log) = run.end(PATIENCE).unwrap();
        assert!(!status.success() && log.contains("[::1]:0"), "what cannot be listened on is named: {log}");
        return;
    }
    run.wait_for("a model in use", PATIENCE, |run| models_in(&run.log()) >= 1).unwrap();
    let log = run.log();
    let (_, page) = log.split_once("the console is at ").unwrap_or_else(|| panic!("no page: {log}"));
    let page = page.lines().next().unwrap();
    assert!(page.starts_with("http://[::1]:"), "{page}");
    run.wait_for("alerts on the page", PATIENCE, |_| {
        let asked = ["alerts", "list", "-n", "e2e", "-o", "json", "--console", page];
        let output = Command::new(binary("vedette")).args(asked).output().unwrap();
        let told = serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default();
        told["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty())
    })
    .unwrap();
    run.signal("INT").unwrap();
    let summary = run.summary(PATIENCE).unwrap();
    assert_whole(&summary);
    assert!(count(&summary, "alerts") > 0, "{summary}");
}
