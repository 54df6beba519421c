//! A pipeline of the built programs, on three brokers and a bucket, each behind a proxy, and with a small disk for its spool.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::Message;
use tempfile::TempDir;
use vedette_contract::keys::ModelKeys;
use vedette_contract::model::CurrentPointer;
use vedette_e2e::local::{binary, repository};
use vedette_e2e::schedule::{Process, Topic};
use vedette_e2e::topic::read_to_end;
use vedette_streams::kafka::Isolation;
use vedette_testing::bucket::TestBucket;
use vedette_testing::free_address;

use crate::brokers::{Brokers, bootstrap, direct};
use crate::ledger::{Ledger, PARTITIONS};
use crate::process::Supervised;
use crate::proxy::Proxy;

const SMALL_DISK_ENV: &str = "VEDETTE_SMALL_DISK";
const PATIENCE: Duration = Duration::from_secs(240);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const RECORDS_A_SECOND: u32 = 400;
/// A model is learned from so many.
const LEARNED: usize = 1_200;
pub(crate) const THRESHOLD: f64 = 0.97;

pub(crate) const SENSOR_MESSAGES: &str = "sensor_messages";
pub(crate) const ENRICHED_DATA: &str = "enriched_data";
pub(crate) const ALERTS: &str = "alerts";
const DEAD_LETTERS: &str = "dead_letters";
const DETECTORS: &str = "records.detector";
const ARCHIVERS: &str = "records.archiver";

pub(crate) struct Bed {
    pub(crate) brokers: Brokers,
    pub(crate) bucket: TestBucket,
    pub(crate) bucket_proxy: Proxy,
    pub(crate) processes: BTreeMap<Process, Supervised>,
    pub(crate) ledger: Ledger,
    pub(crate) small_disk: PathBuf,
    /// Records that generators which are gone have said are in Kafka.
    pub(crate) said: u64,
    directory: TempDir,
}

/// The name of a topic, and who reads it, with their group.
pub(crate) fn readers(topic: Topic) -> (&'static str, &'static [Process], &'static str) {
    match topic {
        Topic::SensorMessages => (SENSOR_MESSAGES, &[Process::FirstDetector, Process::SecondDetector], DETECTORS),
        Topic::EnrichedData => (ENRICHED_DATA, &[Process::FirstArchiver, Process::SecondArchiver], ARCHIVERS),
        Topic::Alerts => (ALERTS, &[Process::FirstArchiver, Process::SecondArchiver], ARCHIVERS),
    }
}

impl Bed {
    /// A pipeline whose records flow, and are scored.
    pub(crate) async fn start(seed: u64) -> Self {
        let brokers = Brokers::find().await;
        let bucket = TestBucket::serve().await;
        let proxied = free_address();
        let bucket_proxy = Proxy::start(proxied, bucket.address()).await;
        let small_disk = std::env::var(SMALL_DISK_ENV).expect("with-brokers.sh sets it").into();
        let ledger = Ledger::new(direct());
        let directory = tempfile::tempdir().unwrap();
        let processes = BTreeMap::new();
        let mut bed = Self { brokers, bucket, bucket_proxy, processes, ledger, small_disk, said: 0, directory };
        make_topics();
        let endpoint = format!("--bucket-endpoint=http://{proxied}");
        bed.start_process(Process::Generator, "vedette-generator", &generator(&endpoint, seed));
        let version = bed.learn().await;
        for (process, name) in [(Process::FirstDetector, "detector-0"), (Process::SecondDetector, "detector-1")] {
            bed.start_process(process, "vedette-detector", &detector(&endpoint, name, &version));
        }
        for (process, name) in [(Process::FirstArchiver, "archiver-0"), (Process::SecondArchiver, "archiver-1")] {
            let spool = bed.small_disk.join(name);
            bed.start_process(process, "vedette-archiver", &archiver(&endpoint, name, &spool));
        }
        bed.until_records_flow().await;
        bed
    }

    async fn until_records_flow(&mut self) {
        let began = Instant::now();
        for topic in [Topic::SensorMessages, Topic::EnrichedData, Topic::Alerts] {
            let (topic, _, group) = readers(topic);
            while !self.ledger.is_read_by(topic, group) {
                assert!(began.elapsed() < PATIENCE, "nobody reads {topic}");
                self.tend_for(Duration::from_millis(500)).await;
            }
        }
    }

    /// Starts again what has ended.
    pub(crate) fn tend(&mut self) {
        self.processes.values_mut().for_each(Supervised::tend);
    }

    /// The same, for this long.
    pub(crate) async fn tend_for(&mut self, duration: Duration) {
        let end = tokio::time::Instant::now() + duration;
        while tokio::time::Instant::now() < end {
            self.tend();
            tokio::time::sleep(LOOK_AGAIN.min(end - tokio::time::Instant::now())).await;
        }
    }

    pub(crate) fn process(&mut self, process: Process) -> &mut Supervised {
        self.processes.get_mut(&process).unwrap()
    }

    fn start_process(&mut self, process: Process, program: &'static str, own: &[String]) {
        // In place of the endpoint stands the proxy's.
        let [_, bucket, access, secret] = self.bucket.options();
        let mut arguments = vec![format!("--bootstrap-servers={}", bootstrap()), bucket, access, secret];
        arguments.extend_from_slice(own);
        let directory = self.directory.path().join(format!("{process:?}"));
        self.processes.insert(process, Supervised::start(program, &directory, arguments));
    }

    /// Learns a model from the first records, as of another pipeline; returns its version.
    async fn learn(&mut self) -> String {
        let kafka = direct();
        let lines = loop {
            let text = |message: &rdkafka::message::BorrowedMessage<'_>| {
                String::from_utf8(message.payload().unwrap().to_vec()).unwrap()
            };
            let lines = read_to_end(&kafka, SENSOR_MESSAGES, Isolation::ReadCommitted, text).unwrap();
            if lines.len() >= LEARNED {
                break lines;
            }
            self.tend_for(Duration::from_millis(500)).await;
        };
        self.bucket.archive("2026-11-23", "east", 0, &lines).await;
        let mut trainer = Command::new(binary("vedette-trainer"));
        trainer.args(self.bucket.options()).args(
            "--namespace=team --pipeline=flows --site=east --training=daily --job=first --max-records=10000 --seed=1 \
             --deduplicate-by=uuid --algorithm=IsolationForest --holdout-share=0.2 --alert-budget-per-million=20000 \
             --folds=0 --keep=3 --label-field=label --normal-label=normal."
                .split_whitespace(),
        );
        run(&mut trainer).unwrap();
        let keys = ModelKeys::new(&"team".parse().unwrap(), &"daily".parse().unwrap());
        let pointer: CurrentPointer = self.bucket.json(&keys.current()).await.unwrap();
        pointer.version.to_string()
    }
}

impl Drop for Bed {
    /// What the processes said is kept where something is wrong.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = repository().join("target/e2e-failures/records");
            for (process, supervised) in &self.processes {
                let _ = std::fs::create_dir_all(&kept);
                let _ = std::fs::write(kept.join(format!("{process:?}.log")), supervised.logs().join("--- started\n"));
            }
            eprintln!("what the processes said is in {}", kept.display());
        }
    }
}

fn make_topics() {
    let mut command = Command::new(binary("vedette-topics"));
    command.arg(format!("--bootstrap-servers={}", bootstrap()));
    for topic in [SENSOR_MESSAGES, ENRICHED_DATA, ALERTS, DEAD_LETTERS] {
        let settings = "replication.factor=3,min.insync.replicas=2,retention.ms=-1";
        command.arg(format!("--topic={topic}:partitions={PARTITIONS},{settings}"));
    }
    // A broker that starts beside others may be fenced for a moment, and three are needed.
    let began = Instant::now();
    while let Err(told) = run(&mut command) {
        assert!(began.elapsed() < Duration::from_secs(120), "{told}");
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().unwrap();
    let told = || format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.status.success().then_some(()).ok_or_else(told)
}

fn generator(endpoint: &str, seed: u64) -> Vec<String> {
    vec![
        endpoint.to_owned(),
        "--pod-name=generator-0".to_owned(),
        format!("--topic={SENSOR_MESSAGES}"),
        format!("--records-per-second={RECORDS_A_SECOND}"),
        "--mode=Random".to_owned(),
        format!("--seed={seed}"),
    ]
}

fn of_the_pipeline(endpoint: &str, pod: &str, group: &str) -> Vec<String> {
    let mut arguments = vec![endpoint.to_owned(), format!("--pod-name={pod}"), format!("--group={group}")];
    arguments.extend(["--namespace=team", "--pipeline=records", "--site=east"].map(str::to_owned));
    arguments
}

fn detector(endpoint: &str, pod: &str, version: &str) -> Vec<String> {
    let mut arguments = of_the_pipeline(endpoint, pod, DETECTORS);
    arguments.extend([
        format!("--sensor-messages-topic={SENSOR_MESSAGES}"),
        format!("--enriched-data-topic={ENRICHED_DATA}"),
        format!("--alerts-topic={ALERTS}"),
        format!("--dead-letters-topic={DEAD_LETTERS}"),
        format!("--model-version={version}"),
        format!("--score-threshold={THRESHOLD}"),
    ]);
    let more = ["--processing-guarantee=ExactlyOnce", "--reasons=3", "--model-training=daily", "--model-directory=."];
    arguments.extend(more.map(str::to_owned));
    arguments
}

fn archiver(endpoint: &str, pod: &str, spool: &Path) -> Vec<String> {
    let mut arguments = of_the_pipeline(endpoint, pod, ARCHIVERS);
    arguments.push(format!("--spool-directory={}", spool.display()));
    let topics = ["--archive=enriched_data=enriched_data", "--archive=alerts=alerts"];
    let rolling = ["--rolling-max-bytes=200000", "--rolling-max-age-seconds=4", "--tail-interval-seconds=1"];
    arguments.extend(topics.into_iter().chain(rolling).map(str::to_owned));
    arguments
}
