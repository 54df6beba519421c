//! The embedded bucket through the client of every workload.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use vedette_contract::arguments::BucketArguments;
use vedette_embedded::bucket::{BucketOptions, Credentials, EmbeddedBucket, EmbeddedBucketError};
use vedette_streams::bucket::{Body, Bucket, BucketError, Changed, Creation, Swap};

fn options(directory: &Path) -> BucketOptions<'_> {
    let listen = "127.0.0.1:0".parse().unwrap();
    BucketOptions { directory, name: "vedette", listen, credentials: Credentials::random() }
}

async fn start(directory: &Path) -> (EmbeddedBucket, Bucket) {
    let server = EmbeddedBucket::start(options(directory)).await.unwrap();
    let bucket = client(&server);
    (server, bucket)
}

fn client(server: &EmbeddedBucket) -> Bucket {
    Bucket::new(&BucketArguments {
        bucket_endpoint: Some(server.endpoint()),
        bucket: "vedette".to_owned(),
        bucket_region: "us-east-1".to_owned(),
        access_key_id: Some(server.credentials().access_key_id.clone()),
        secret_access_key: Some(server.credentials().secret_access_key.as_str().into()),
        ..BucketArguments::default()
    })
}

fn body(text: &str) -> Bytes {
    Bytes::from(text.to_owned())
}

async fn create(bucket: &Bucket, key: &str, text: &str) -> Creation {
    let metadata = BTreeMap::from([("end".to_owned(), text.to_owned())]);
    bucket.create(key, Body::Bytes(body(text)), &metadata).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_writers_of_one_key_one_wins_and_all_see_what_it_wrote() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, bucket) = start(directory.path()).await;
    for round in 0..5 {
        let key = format!("race/{round}");
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..16 {
            let (bucket, key) = (bucket.clone(), key.clone());
            writers.spawn(async move {
                let text = writer.to_string();
                let creation = create(&bucket, &key, &text).await;
                let seen = bucket.get(&key).await.unwrap().unwrap();
                assert_eq!(
                    seen.metadata.get("end").unwrap().as_bytes(),
                    seen.bytes,
                    "bytes and metadata are of one writer"
                );
                matches!(creation, Creation::Created)
                    .then_some(text)
                    .inspect(|text| assert_eq!(seen.bytes, text.as_bytes()))
            });
        }
        let winners = writers.join_all().await.into_iter().flatten().count();
        assert_eq!(winners, 1);
    }
}

/// A writer may be killed at any moment, or its connection cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_writer_begins_that_goes_away_is_there_with_its_metadata_or_not_at_all() {
    let directory = tempfile::tempdir().unwrap();
    let (server, bucket) = start(directory.path()).await;
    let mut written = 0;
    for round in 0..20 {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..16 {
            let bucket = bucket.clone();
            writers.spawn(async move { create(&bucket, &format!("{round:02}/{writer:02}"), "7").await });
        }
        writers.join_next().await.unwrap().unwrap();
        writers.shutdown().await;
    }
    server.stop().await;

    let (_server, bucket) = start(directory.path()).await;
    for object in bucket.list("", None).await.unwrap() {
        let seen = bucket.get(&object.key).await.unwrap().unwrap();
        assert_eq!(
            (seen.metadata.get("end").map(String::as_str), &seen.bytes[..]),
            (Some("7"), &b"7"[..]),
            "{}",
            object.key
        );
        written += 1;
    }
    assert!(written >= 20, "one of each round is there: {written}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_are_atomic() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, bucket) = start(directory.path()).await;
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8 {
        let bucket = bucket.clone();
        writers.spawn(async move {
            let mut done = 0;
            while done < 5 {
                let (count, etag) = match bucket.get("counter").await.unwrap() {
                    Some(object) => (count(&object.bytes), Some(object.etag)),
                    None => (0, None),
                };
                // Each writer has its own words: the client takes an object with equal content for its own.
                let next = body(&format!("{} by {writer}", count + 1));
                if let Swap::Swapped(_) = bucket.swap("counter", next, etag.as_ref()).await.unwrap() {
                    done += 1;
                }
            }
        });
    }
    writers.join_all().await;
    assert_eq!(count(&bucket.get("counter").await.unwrap().unwrap().bytes), 40);
}

fn count(bytes: &[u8]) -> u32 {
    std::str::from_utf8(bytes).unwrap().split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn conditional_writes_are_kept_by_this_bucket() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, bucket) = start(directory.path()).await;
    bucket.probe_conditional_writes("probe/").await.unwrap();
}

#[tokio::test]
async fn a_listing_is_whole_sorted_and_resumable() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, bucket) = start(directory.path()).await;
    let mut keys = BTreeSet::new();
    for number in 0..1_050 {
        let key = format!("many/{}/{number}", number % 3);
        bucket.put(&key, Bytes::new()).await.unwrap();
        keys.insert(key);
    }
    bucket.put("other/x", Bytes::new()).await.unwrap();
    let listed = |objects: Vec<vedette_streams::bucket::ObjectSummary>| objects.into_iter().map(|object| object.key);
    assert!(listed(bucket.list("many/", None).await.unwrap()).eq(keys.iter().cloned()));
    let after = keys.iter().nth(700).unwrap();
    let rest = keys.iter().skip(701).cloned();
    assert!(listed(bucket.list("many/", Some(after)).await.unwrap()).eq(rest));
    assert_eq!(bucket.list_directories("many/").await.unwrap(), ["many/0/", "many/1/", "many/2/"]);
    assert_eq!(bucket.list_directories("").await.unwrap(), ["many/", "other/"]);
    // Below a part of a name, a directory that is empty by now, and what would lead out of the bucket or to others of its names.
    assert_eq!(bucket.list_directories("ma").await.unwrap(), ["many/"]);
    assert!(listed(bucket.list("ot", None).await.unwrap()).eq(["other/x".to_owned()]));
    bucket.delete("other/x").await.unwrap();
    assert_eq!(bucket.list_directories("").await.unwrap(), ["many/"]);
    for none in ["other/", "nothing/", "many/0/0/", "many/./", "many//", "../", "many/../many/"] {
        assert!(bucket.list(none, None).await.unwrap().is_empty(), "{none}");
        assert!(bucket.list_directories(none).await.unwrap().is_empty(), "{none}");
    }
}

#[tokio::test]
async fn an_object_is_the_same_read_in_one_go_or_piece_by_piece() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, bucket) = start(directory.path()).await;
    for length in [0, 1, 64 * 1024, 64 * 1024 + 1] {
        let (key, bytes) = (format!("x/{length}"), Bytes::from(vec![b'x'; length]));
        let metadata = BTreeMap::from([("end".to_owned(), length.to_string())]);
        bucket.create(&key, Body::Bytes(bytes.clone()), &metadata).await.unwrap();
        let (found, head) = (bucket.get(&key).await.unwrap().unwrap(), bucket.head(&key).await.unwrap().unwrap());
        assert_eq!((&found.bytes, &found.metadata, &found.etag), (&bytes, &metadata, &head.etag), "{length}");
        let seen = bucket.get_changed(&key, Some(&found.etag)).await.unwrap();
        assert!(matches!(seen, Changed::Unchanged), "{length}: {seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_survives_deletions_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, bucket) = start(directory.path()).await;
    bucket.put("a/kept", Bytes::new()).await.unwrap();
    let churning = bucket.clone();
    let churn = tokio::spawn(async move {
        for number in 0..200 {
            let key = format!("a/{number}");
            churning.put(&key, Bytes::new()).await.unwrap();
            churning.delete(&key).await.unwrap();
        }
    });
    while !churn.is_finished() {
        let keys: Vec<_> = bucket.list("a/", None).await.unwrap().into_iter().map(|object| object.key).collect();
        assert!(keys.contains(&"a/kept".to_owned()));
    }
    churn.await.unwrap();
}

#[tokio::test]
async fn a_deleted_object_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, bucket) = start(directory.path()).await;
    let files = || std::fs::read_dir(directory.path()).unwrap().count();
    let before = files();
    assert!(matches!(create(&bucket, "x/y", "first").await, Creation::Created));
    assert!(files() > before);
    bucket.delete("x/y").await.unwrap();
    bucket.delete("x/y").await.unwrap();
    assert_eq!(files(), before);
    assert!(bucket.get("x/y").await.unwrap().is_none());
    assert!(matches!(create(&bucket, "x/y", "second").await, Creation::Created));
}

#[tokio::test]
async fn a_second_run_finds_what_the_first_one_wrote() {
    let directory = tempfile::tempdir().unwrap();
    let (server, bucket) = start(directory.path()).await;
    create(&bucket, "x/y", "first").await;
    let refused = EmbeddedBucket::start(options(directory.path())).await;
    assert!(matches!(refused.err().unwrap(), EmbeddedBucketError::InUse { .. }));
    drop(server);
    let (_server, bucket) = start(directory.path()).await;
    assert_eq!(bucket.get("x/y").await.unwrap().unwrap().bytes, "first");
    assert!(matches!(create(&bucket, "x/y", "again").await, Creation::AlreadyExists));
}

#[tokio::test]
async fn a_key_that_is_too_long_is_refused_and_the_longest_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let (_server, bucket) = start(directory.path()).await;
    bucket.put(&"k".repeat(150), body("x")).await.unwrap();
    let error = bucket.put(&"k".repeat(151), body("x")).await.unwrap_err();
    assert!(!matches!(error, BucketError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn strangers_are_denied() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _) = start(directory.path()).await;
    let stranger = Bucket::new(&BucketArguments {
        bucket_endpoint: Some(server.endpoint()),
        bucket: "vedette".to_owned(),
        bucket_region: "us-east-1".to_owned(),
        access_key_id: Some("somebody".to_owned()),
        secret_access_key: Some("else".into()),
        ..BucketArguments::default()
    });
    assert!(matches!(stranger.get("x").await.unwrap_err(), BucketError::Denied { .. }));
}

#[tokio::test]
async fn a_data_directory_that_is_a_file_and_a_taken_port_are_clear_errors() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = EmbeddedBucket::start(options(&file.join("data"))).await.err().unwrap();
    assert!(matches!(error, EmbeddedBucketError::Directory { .. }), "{error}");
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap();
    let error =
        EmbeddedBucket::start(BucketOptions { listen: taken, ..options(directory.path()) }).await.err().unwrap();
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
    drop(holder);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_has_stopped_is_gone_and_the_next_takes_its_address_and_directory() {
    let directory = tempfile::tempdir().unwrap();
    let (mut server, mut bucket) = start(directory.path()).await;
    for round in 0..20 {
        bucket.put("a", body(&round.to_string())).await.unwrap();
        let (listen, credentials) = (server.address(), server.credentials().clone());
        let mut connection = std::net::TcpStream::connect(listen).unwrap();
        server.stop().await;
        assert_eq!(connection.read(&mut [0]).unwrap_or_default(), 0, "an open connection is broken");
        assert!(std::net::TcpStream::connect(listen).is_err(), "nobody listens");
        let again = BucketOptions { listen, credentials, ..options(directory.path()) };
        server = EmbeddedBucket::start(again).await.unwrap();
        bucket = client(&server);
        assert_eq!(bucket.get("a").await.unwrap().unwrap().bytes, round.to_string());
    }
}
