//! What cannot work says so in one clear line, with exit code 1 and nothing left running.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use vedette_e2e::LocalRun;
use vedette_e2e::local::{binary, repository};
use vedette_testing::free_address;

const PATIENCE: Duration = Duration::from_secs(240);

fn demo() -> String {
    repository().join("manifests/demo.yaml").display().to_string()
}

/// Runs to the end and returns what was printed for people; asserts exit code 1.
fn refused(arguments: &[&str]) -> String {
    refused_by(LocalRun::start(arguments).unwrap())
}

/// The same of one that runs.
fn refused_by(run: LocalRun) -> String {
    let (status, output, log) = run.end(PATIENCE).unwrap();
    assert_eq!(status.code(), Some(1), "{log}\n{output}");
    log + &output
}

#[test]
fn a_wrong_manifest_lists_every_error_with_its_path_value_and_mend() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("wrong.yaml");
    std::fs::write(
        &path,
        "apiVersion: vedette.io/v1alpha1\nkind: AnomalyPipeline\nmetadata: {name: wrong}\nspec:\n  generator: {recordsPerSecond: 10, anomalyFraction: 7}\n  detector: {alerting: {scoreThreshold: 3}, calculatedFields: [{name: x, expression: 'a +'}]}\n  archiver: {rolling: {maxAge: soon}}\n",
    )
    .unwrap();
    let path = path.display().to_string();
    for arguments in [["validate", "-f", &path], ["local", "-f", &path]] {
        let said = refused(&arguments);
        for expected in [
            "spec.generator.anomalyFraction",
            "spec.detector.alerting.scoreThreshold",
            "expression",
            "spec.archiver.rolling.maxAge",
            "soon",
        ] {
            assert!(said.contains(expected), "{expected} in {said}");
        }
    }
}

#[test]
fn a_missing_or_empty_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.csv");
    std::fs::write(&empty, "").unwrap();
    let empty = empty.display().to_string();
    assert!(refused(&["local", "-f", "no-such.yaml"]).contains("no-such.yaml"));
    assert!(refused(&["local", "-f", &demo(), "--dataset", "no-such.csv"]).contains("no-such.csv"));
    assert!(refused(&["local", "-f", &demo(), "--dataset", &empty]).contains("empty.csv"));
}

#[test]
fn a_data_directory_that_is_a_file_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().display().to_string();
    assert!(refused(&["local", "-f", &demo(), "--data-dir", &path]).contains(&path));
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    // A file system that refuses new files, to root too.
    assert!(refused(&["local", "-f", &demo(), "--data-dir", "/proc/vedette"]).contains("/proc/vedette"));
}

#[test]
fn a_taken_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for option in ["--kafka-listen", "--bucket-listen"] {
        let said = refused(&["local", "-f", &demo(), option, &address]);
        assert!(said.contains(&address) && said.contains(option), "{said}");
    }
}

#[test]
fn a_broker_that_does_not_answer_is_named() {
    let address = free_address().to_string();
    assert!(refused(&["local", "-f", &demo(), "--broker", &address]).contains(&address));
}

/// A data set that is read from the bucket alone is not looked at before.
#[test]
fn a_run_that_generated_nothing_does_not_end_well() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipeline.yaml");
    let spec = "{generator: {recordsPerSecond: 10, dataset: {object: {key: no-such.csv}}}}";
    let manifest = format!(
        "{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: flows}}, spec: {spec}}}\n"
    );
    std::fs::write(&path, manifest).unwrap();
    let path = path.display().to_string();
    // Before the generator has said what it lacks, and after it.
    let over = refused(&["local", "-f", &path, "--json", "--for", "1s", "--no-console"]);
    let mut run = LocalRun::start(["local", "-f", &path, "--json", "--for", "10m", "--no-console"]).unwrap();
    let lacks = |run: &LocalRun| run.log().contains("no data set default/flows/datasets/no-such.csv");
    run.wait_for("what the generator lacks", PATIENCE, lacks).unwrap();
    run.signal("INT").unwrap();
    for said in [over, refused_by(run)] {
        assert!(said.contains("no record was generated"), "{said}");
    }
}

#[test]
fn help_teaches_with_examples() {
    let help = std::process::Command::new(binary("vedette")).args(["local", "--help"]).output().unwrap();
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(text.contains("vedette local -f") && text.contains("--dataset") && text.contains("--for"), "{text}");
}
