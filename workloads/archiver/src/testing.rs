//! What unit tests share.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use prometheus_client::registry::Registry;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use vedette_contract::archive::{Origin, Stream};
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::Progress;
use vedette_testing::TestBucket;

use crate::error::UploadError;
use crate::health::Known;
use crate::metrics::Metrics;
use crate::object::Closing;
use crate::partition::{Done, Partition, Record};
use crate::spool::SpoolDirectory;
use crate::upload::{CommitOffset, Uploader};

/// Refuses so many commits, then takes them.
#[derive(Default)]
pub(crate) struct Commits {
    pub(crate) refusals: Mutex<u32>,
    pub(crate) taken: Mutex<Vec<i64>>,
}

impl CommitOffset for Commits {
    fn commit(&self, _topic: &str, _partition: i32, end: i64) -> Result<(), KafkaError> {
        let mut refusals = self.refusals.lock().unwrap();
        if *refusals > 0 {
            *refusals -= 1;
            return Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::RebalanceInProgress));
        }
        self.taken.lock().unwrap().push(end);
        Ok(())
    }
}

/// A bucket, and partitions that are archived there step by step.
pub(crate) struct Bench {
    _directory: tempfile::TempDir,
    spool: SpoolDirectory,
    pub(crate) store: TestBucket,
    pub(crate) commits: Arc<Commits>,
    pub(crate) uploader: Arc<Uploader>,
    origin: Origin,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let spool = SpoolDirectory::prepare(&directory.path().join("spool")).unwrap();
        let store = TestBucket::serve().await;
        let commits = Arc::new(Commits::default());
        let name = |text: &str| text.parse().unwrap();
        let uploader = Arc::new(Uploader {
            bucket: store.bucket.clone(),
            keys: PipelineKeys::new(&name("n"), &name("p")),
            commits: Arc::clone(&commits) as _,
            metrics: Metrics::register(&mut Registry::default()),
            known: Known::new(name("s"), "archiver-0".to_owned(), Vec::new(), Timestamp::UNIX_EPOCH),
        });
        let topic = "a".parse().unwrap();
        let origin = Origin {
            namespace: name("n"),
            pipeline: name("p"),
            stream: Stream::Alerts,
            site: name("s"),
            topic,
            partition: 0,
        };
        Self { _directory: directory, spool, store, commits, uploader, origin }
    }

    /// A partition that starts at offset 5 and holds these records.
    pub(crate) fn partition(&self, offsets: &[i64]) -> Partition {
        let mut partition = Partition::new(self.origin.clone(), 5).unwrap();
        offsets.iter().for_each(|offset| self.append(&mut partition, *offset));
        partition
    }

    pub(crate) fn append(&self, partition: &mut Partition, offset: i64) {
        let value = format!("{{\"utc\":\"{offset}\"}}");
        let record = Record { offset, timestamp_millis: Some(0), value: value.as_bytes() };
        partition.append(record, &self.spool, &closing(), Instant::now()).unwrap();
    }

    pub(crate) async fn step(&self, partition: &mut Partition) -> Result<Option<Done>, UploadError> {
        let Some(work) = partition.next_work(&closing(), Instant::now())? else {
            return Ok(None);
        };
        self.uploader.perform(&self.origin, partition.progress.clone(), work).await.map(Some)
    }

    pub(crate) async fn stored_progress(&self) -> Progress {
        let object = self.uploader.bucket.get("n/p/progress/s/a-0.json").await.unwrap().unwrap();
        serde_json::from_slice(&object.bytes).unwrap()
    }

    pub(crate) async fn keys(&self) -> Vec<String> {
        let objects = self.uploader.bucket.list("n/p/alerts/", None).await.unwrap();
        objects.into_iter().map(|object| object.key).collect()
    }
}

pub(crate) fn closing() -> Closing {
    Closing { max_bytes: 1000, max_age: Duration::from_secs(600), tail_interval: Duration::ZERO }
}
