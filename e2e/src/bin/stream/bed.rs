//! What every row starts from: a Kafka, its topics, and a model of the repository's own trainer.

use std::error::Error;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use tempfile::TempDir;
use vedette_contract::arguments::KafkaArguments;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::CurrentPointer;
use vedette_contract::{ModelVersion, Name};
use vedette_e2e::local::repository;
use vedette_e2e::{LocalRun, RunError, topic};
use vedette_streams::kafka::KafkaSettings;

/// Where `with-kafka.sh` lets everybody in.
pub(crate) const BROKER: &str = "127.0.0.1:9092";
/// Of each topic.
pub(crate) const PARTITIONS: i32 = 4;
/// The topic of the records.
pub(crate) const INPUT: &str = "sensor_messages";
const PATIENCE: Duration = Duration::from_secs(180);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A model, and where a detector finds it as one that it has kept.
pub(crate) struct LearnedModel {
    directory: TempDir,
    pub(crate) version: ModelVersion,
}

impl LearnedModel {
    const NAMESPACE: &'static str = "e2e";
    pub(crate) const TRAINING: &'static str = "fast";

    /// The default model of some ten seconds of a whole pipeline on this machine.
    pub(crate) fn learn() -> Result<Self, RunError> {
        let directory = tempfile::tempdir().map_err(RunError::Process)?;
        let manifest = repository().join("e2e/fixtures/fast.yaml");
        let data = directory.path();
        let words = ["local", "--json", "--for", "5m", "-f"].map(OsStr::new);
        let words = words.into_iter().chain([manifest.as_os_str(), OsStr::new("--data-dir"), data.as_os_str()]);
        let mut run = LocalRun::start(words)?;
        let pointer = bucket(data).join(keys()?.current());
        let current = || serde_json::from_slice::<CurrentPointer>(&std::fs::read(&pointer).ok()?).ok();
        run.wait_for("a model", PATIENCE, |_| current().is_some())?;
        let version = current().ok_or_else(|| failed("the model is gone"))?.version;
        run.signal("INT")?;
        run.end(PATIENCE)?;
        Ok(Self { directory, version })
    }

    pub(crate) fn directory(&self) -> Result<PathBuf, RunError> {
        Ok(bucket(self.directory.path()).join(keys()?.prefix()))
    }
}

fn bucket(data: &Path) -> PathBuf {
    data.join("vedette")
}

fn keys() -> Result<ModelKeys, RunError> {
    let [namespace, training] = [LearnedModel::NAMESPACE, LearnedModel::TRAINING].map(str::parse::<Name>);
    Ok(ModelKeys::new(&namespace.map_err(failed)?, &training.map_err(failed)?))
}

/// Arguments of every workload that reaches this Kafka and needs no bucket. Nobody asks how it is.
pub(crate) fn service(name: &str) -> Vec<String> {
    let nowhere = ["--bucket-endpoint=http://127.0.0.1:1", "--bucket=b", "--access-key-id=a", "--secret-access-key=s"];
    service_with(name, nowhere.map(str::to_owned))
}

/// The same with a bucket, as its arguments.
pub(crate) fn service_with(name: &str, bucket: [String; 4]) -> Vec<String> {
    let broker = format!("--bootstrap-servers={BROKER}");
    let pod = format!("--pod-name={name}");
    [broker, pod, "--listen-address=127.0.0.1:0".to_owned()].into_iter().chain(bucket).collect()
}

pub(crate) fn create_topic(name: &str) -> Result<(), RunError> {
    let runtime = tokio::runtime::Runtime::new().map_err(RunError::Process)?;
    runtime.block_on(topic::create(&kafka("bench"), name, PARTITIONS, &[("retention.ms", "-1")])).map_err(failed)
}

/// This Kafka, of a client of this name.
pub(crate) fn kafka(name: &str) -> KafkaSettings {
    KafkaSettings::new(&KafkaArguments { bootstrap_servers: BROKER.to_owned(), ..KafkaArguments::default() }, name)
}

/// The offsets behind the last records, summed up over the partitions.
pub(crate) fn ends(topic: &str) -> Result<i64, RunError> {
    let consumer: BaseConsumer = kafka("bench").base().create().map_err(failed)?;
    let end = |partition| consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT).map(|(_, high)| high);
    (0..PARTITIONS).map(end).sum::<Result<i64, _>>().map_err(failed)
}

/// Something that has no error of its own here.
pub(crate) fn failed(cause: impl Into<Box<dyn Error + Send + Sync>>) -> RunError {
    RunError::Process(std::io::Error::other(cause))
}
