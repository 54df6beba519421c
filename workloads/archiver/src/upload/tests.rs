use std::time::Instant;

use bytes::Bytes;

use super::*;
use crate::testing::{Bench, closing};

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

/// As when retention passed what was not read yet while the bucket was away: what was read before is closed after that is known.
#[tokio::test]
async fn where_reading_went_on_is_committed_behind_all_that_was_read_before() {
    let bench = Bench::new().await;
    let mut partition = bench.partition(&[6, 8]);
    let recovered = bench.step(&mut partition).await.unwrap().unwrap();
    partition.complete(recovered).unwrap();
    partition.seal().unwrap();
    // Its close is under way already.
    let under_way = partition.next_work(&closing(), Instant::now()).unwrap().unwrap();
    bench.append(&mut partition, 9);
    partition.continue_at(40).unwrap();
    bench.append(&mut partition, 41);
    let done = bench.uploader.perform(&partition.origin, partition.progress.clone(), under_way).await.unwrap();
    partition.complete(done).unwrap();
    partition.seal().unwrap();
    for _ in 0..3 {
        let done = bench.step(&mut partition).await.unwrap().unwrap();
        assert_eq!(partition.complete(done).unwrap(), None);
    }
    assert_eq!(*bench.commits.taken.lock().unwrap(), [9, 10, 40, 42]);
    assert!(!partition.is_open() && !partition.is_moved());
}
