//! Programs that print figures of their own.

use std::process::{Command, Stdio};

use vedette_e2e::RunError;
use vedette_e2e::figure::{self, Figure};
use vedette_e2e::local::{binary, repository};

use crate::show;

/// Where the Kafka of `with-kafka.sh` takes everybody for its owner.
pub(crate) const KAFKA: &str = "127.0.0.1:9092";
/// What Kafka's own start script gives a broker.
const KAFKA_JVM: &str = "-Xmx1g -Xms1g -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35";

/// Workloads beside bare librdkafka clients, against an Apache Kafka.
pub(crate) fn stream() -> Result<Vec<Figure>, RunError> {
    printed_by(stream_beside_kafka().args(["detector", "archiver", "generator"]))
}

/// The notifier on alerts that wait in an Apache Kafka.
pub(crate) fn notifier() -> Result<Vec<Figure>, RunError> {
    printed_by(stream_beside_kafka().arg("notifier"))
}

/// From alerts to the messages of a webhook, and from silences to alerts that nobody is told of, with an Apache Kafka.
pub(crate) fn told() -> Result<Vec<Figure>, RunError> {
    printed_by(stream_beside_kafka().arg("told"))
}

/// Detector and archiver at full load, also while the bucket is away: ten minutes, or as many seconds as `BENCH_SECONDS` says.
pub(crate) fn memory() -> Result<Vec<Figure>, RunError> {
    printed_by(stream_beside_kafka().arg("memory"))
}

/// The detector beside Spark, which does the job of 2016.
pub(crate) fn spark() -> Result<Vec<Figure>, RunError> {
    // Before Kafka, beside which there is no network.
    let output = Command::new(repository().join("e2e/scripts/spark.sh")).stderr(Stdio::inherit()).output();
    let output = output.map_err(RunError::Process)?;
    if !output.status.success() {
        return Err(RunError::Process(std::io::Error::other("e2e/scripts/spark.sh failed")));
    }
    let directory = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    printed_by(stream_beside_kafka().arg("spark").env("VEDETTE_SPARK", directory))
}

/// 10,000 verdicts and 10,000 silences, read from a data directory and from a SeaweedFS.
pub(crate) fn people() -> Result<Vec<Figure>, RunError> {
    let mut figures = printed_by(Command::new(binary("stream")).arg("people"))?;
    let mut beside_seaweedfs = Command::new(repository().join("e2e/scripts/with-seaweedfs.sh"));
    figures.extend(printed_by(beside_seaweedfs.arg(binary("stream")).arg("people"))?);
    Ok(figures)
}

/// A console with a day of alerts, in a browser and with the event streams of 50.
pub(crate) fn console() -> Result<Vec<Figure>, RunError> {
    printed_by(Command::new(binary("stream")).arg("console"))
}

fn stream_beside_kafka() -> Command {
    let mut command = beside_kafka();
    command.arg(binary("stream"));
    command
}

/// What runs the program that comes next beside an Apache Kafka of its own, which is at [`KAFKA`].
pub(crate) fn beside_kafka() -> Command {
    let mut command = Command::new(repository().join("e2e/scripts/with-kafka.sh"));
    command.env("KAFKA_JVM", KAFKA_JVM);
    command
}

/// How fast the forests learn, load and score, beside scikit-learn, YDF, onnxruntime and treelite.
pub(crate) fn forest() -> Result<Vec<Figure>, RunError> {
    printed_by(&mut make(&["speed"]))
}

/// The operator in a process of its own against a real API server, also with 500 pipelines and 100 trainings.
pub(crate) fn operator() -> Result<Vec<Figure>, RunError> {
    printed_by(&mut make(&["e2e-apiserver", "TEST=scale::", "LOAD=full"]))
}

/// Two data centres on kind.
pub(crate) fn sites() -> Result<Vec<Figure>, RunError> {
    printed_by(&mut make(&["e2e", "TEST=--nocapture"]))
}

fn make(target: &[&str]) -> Command {
    let mut command = Command::new("make");
    command.arg("--silent").args(target).current_dir(repository());
    command
}

fn printed_by(command: &mut Command) -> Result<Vec<Figure>, RunError> {
    let output = command.stderr(Stdio::inherit()).output().map_err(RunError::Process)?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let failed = format!("{command:?} failed:\n{text}");
        return Err(RunError::Process(std::io::Error::other(failed)));
    }
    Ok(figure::read(&text).into_iter().map(show).collect())
}
