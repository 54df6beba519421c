use std::sync::Mutex;
use std::time::{Duration, Instant};

use prometheus_client::registry::Registry;
use rdkafka::error::RDKafkaErrorCode;
use vedette_contract::archive::Stream;
use vedette_testing::TestBucket;

use super::*;
use crate::object::Closing;
use crate::partition::{Partition, Record};
use crate::spool::SpoolDirectory;

/// Refuses so many commits, then takes them.
#[derive(Default)]
struct Commits {
    refusals: Mutex<u32>,
    taken: Mutex<Vec<i64>>,
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

struct Bench {
    _directory: tempfile::TempDir,
    spool: SpoolDirectory,
    store: TestBucket,
    commits: Arc<Commits>,
    uploader: Uploader,
    origin: Origin,
}

impl Bench {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let spool = SpoolDirectory::prepare(&directory.path().join("spool")).unwrap();
        let store = TestBucket::serve().await;
        let commits = Arc::new(Commits::default());
        let name = |text: &str| text.parse().unwrap();
        let uploader = Uploader {
            bucket: store.bucket.clone(),
            keys: PipelineKeys::new(&name("n"), &name("p")),
            commits: Arc::clone(&commits) as _,
            metrics: Metrics::register(&mut Registry::default()),
        };
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
    fn partition(&self, offsets: &[i64]) -> Partition {
        let closing = closing();
        let mut partition = Partition::new(self.origin.clone(), 5).unwrap();
        for offset in offsets {
            let value = format!("{{\"utc\":\"{offset}\"}}");
            let record = Record { offset: *offset, timestamp_millis: Some(0), value: value.as_bytes() };
            partition.append(record, &self.spool, &closing, Instant::now()).unwrap();
        }
        partition
    }

    async fn step(&self, partition: &mut Partition) -> Result<Option<Done>, UploadError> {
        let Some(work) = partition.next_work(&closing(), Instant::now())? else {
            return Ok(None);
        };
        self.uploader.perform(&self.origin, partition.progress.clone(), work).await.map(Some)
    }

    async fn stored_progress(&self) -> Progress {
        let object = self.uploader.bucket.get("n/p/progress/s/a-0.json").await.unwrap().unwrap();
        serde_json::from_slice(&object.bytes).unwrap()
    }

    async fn keys(&self) -> Vec<String> {
        let objects = self.uploader.bucket.list("n/p/alerts/", None).await.unwrap();
        objects.into_iter().map(|object| object.key).collect()
    }
}

fn closing() -> Closing {
    Closing { max_bytes: 1000, max_age: Duration::from_secs(600), tail_interval: Duration::ZERO }
}

#[tokio::test]
async fn a_close_that_fails_at_its_commit_is_done_again_and_counted_once() {
    let bench = Bench::new().await;
    let mut partition = bench.partition(&[6, 8]);
    // Recover, inspect, tail.
    for _ in 0..3 {
        let done = bench.step(&mut partition).await.unwrap().unwrap();
        assert_eq!(partition.complete(done).unwrap(), None);
    }
    assert_eq!(bench.keys().await.len(), 1);
    assert_eq!((bench.stored_progress().await.records, bench.stored_progress().await.closed_records), (2, 0));

    partition.seal().unwrap();
    *bench.commits.refusals.lock().unwrap() = 2;
    for _ in 0..2 {
        let error = bench.step(&mut partition).await.unwrap_err();
        assert_eq!(error.reason(), "CommitFailed");
        assert_eq!(bench.stored_progress().await.closed_records, 2);
        assert_eq!(bench.keys().await.len(), 2, "the object, and its delta until it is committed");
    }
    let done = bench.step(&mut partition).await.unwrap().unwrap();
    assert!(matches!(&done, Done::Closed(progress) if progress.closed_records == 2 && progress.end == 9));
    partition.complete(done).unwrap();
    assert!(!partition.is_open());
    assert_eq!(*bench.commits.taken.lock().unwrap(), [9]);
    assert_eq!(bench.keys().await.len(), 1);
}

#[tokio::test]
async fn of_two_writers_of_one_object_the_second_adopts_that_of_the_first() {
    let bench = Bench::new().await;
    let (mut first, mut second) = (bench.partition(&[6, 8]), bench.partition(&[6, 8, 9, 12]));
    for partition in [&mut first, &mut second] {
        let recovered = bench.step(partition).await.unwrap().unwrap();
        partition.complete(recovered).unwrap();
        partition.seal().unwrap();
    }
    let done = bench.step(&mut first).await.unwrap().unwrap();
    assert!(matches!(done, Done::Closed(_)));
    let before = bench.uploader.bucket.get(&bench.keys().await[0]).await.unwrap().unwrap();

    let done = bench.step(&mut second).await.unwrap().unwrap();
    assert!(matches!(&done, Done::Covered { end: 9, progress } if progress.closed_records == 2), "{done:?}");
    assert_eq!(second.complete(done).unwrap(), Some(9));
    let after = bench.uploader.bucket.get(&bench.keys().await[0]).await.unwrap().unwrap();
    assert_eq!((after.bytes, after.metadata), (before.bytes, before.metadata));
    assert_eq!(*bench.commits.taken.lock().unwrap(), [9, 9]);
}

#[tokio::test]
async fn a_new_owner_deletes_the_deltas_of_the_last_closed_object() {
    let mut bench = Bench::new().await;
    let mut partition = bench.partition(&[6]);
    let recovered = bench.step(&mut partition).await.unwrap().unwrap();
    partition.complete(recovered).unwrap();
    partition.seal().unwrap();
    bench.step(&mut partition).await.unwrap().unwrap();
    let key = bench.keys().await.remove(0);
    bench.uploader.bucket.put(&format!("{key}.tmp/{:020}", 6), Bytes::from_static(b"left")).await.unwrap();

    let mut heir = bench.partition(&[]);
    bench.store.go_away().await;
    assert_eq!(bench.step(&mut heir).await.unwrap_err().reason(), "BucketUnreachable");
    bench.store.come_back().await;
    let done = bench.step(&mut heir).await.unwrap().unwrap();
    assert!(matches!(&done, Done::Recovered(progress) if progress.closed_records == 1));
    assert_eq!(bench.keys().await, [key]);
}

#[test]
fn objects_before_the_last_counted_one_are_not_counted_again() {
    let key = |start: i64| format!("n/p/alerts/2026-11-23/s/a-0-{start:020}-0a1b2c3d.jsonl.zst");
    let parsed = |start| key(start).parse::<ArchiveObjectKey>().unwrap();
    let mut progress = nothing_archived(&parsed(0).origin);
    assert!(!is_counted(&progress, &parsed(0)));
    progress.last_object = Some(key(100));
    assert_eq!([50, 100, 101].map(|start| is_counted(&progress, &parsed(start))), [true, true, false]);
    progress.last_object = Some(key(100).replace("alerts", "enriched_data"));
    assert!(!is_counted(&progress, &parsed(50)));
}
