//! The bucket's client of `vedette-streams` against a real S3 server (`make e2e-bucket`: against SeaweedFS), and against servers that misbehave.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use support::tls::{certificate, tls_in_front_of};
use support::{Behaviour, PATIENCE, Server, impatient, misbehave, patient};
use tempfile::TempDir;
use vedette_contract::arguments::{BucketAddressing, BucketArguments, EncryptionAlgorithm};
use vedette_streams::bucket::{
    Body, Bucket, BucketError, BucketPlace, Changed, Creation, CredentialFiles, ETag, JsonError, ObjectSummary, Swap,
};
use vedette_testing::bucket::Behaviour as TestBehaviour;
use vedette_testing::{TestBucket, free_address};

async fn bucket() -> (Bucket, Server) {
    let server = Server::start().await;
    let bucket = Bucket::new(&server.arguments());
    bucket.ensure_exists().await.unwrap();
    (bucket, server)
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[tokio::test]
async fn what_is_put_is_read_back_and_deleted() {
    let (bucket, _server) = bucket().await;
    assert!(bucket.get("a/b.json").await.unwrap().is_none());
    assert!(bucket.head("a/b.json").await.unwrap().is_none());
    bucket.put("a/b.json", bytes("one")).await.unwrap();
    bucket.put("a/b.json", bytes("two")).await.unwrap();
    let object = bucket.get("a/b.json").await.unwrap().unwrap();
    assert_eq!(object.bytes, "two");
    let head = bucket.head("a/b.json").await.unwrap().unwrap();
    assert_eq!((head.length, head.etag), (3, object.etag));
    bucket.delete("a/b.json").await.unwrap();
    bucket.delete("a/b.json").await.unwrap();
    assert!(bucket.get("a/b.json").await.unwrap().is_none());
}

#[tokio::test]
async fn an_object_that_is_not_json_is_told_from_one_that_is_not_there() {
    let (bucket, _directory) = bucket().await;
    let count = async || bucket.get_json::<u32>("count.json").await;
    assert_eq!(count().await.unwrap(), None);
    bucket.put("count.json", bytes("7\n")).await.unwrap();
    assert_eq!(count().await.unwrap(), Some(7));
    bucket.put("count.json", bytes("{half")).await.unwrap();
    let refusal = count().await.unwrap_err();
    assert!(matches!(&refusal, JsonError::Content { key, .. } if key == "count.json"), "{refusal:?}");
}

#[tokio::test]
async fn credentials_in_files_are_read_for_each_request() {
    let server = Server::start().await;
    let arguments = server.arguments();
    Bucket::new(&arguments).ensure_exists().await.unwrap();
    let files = TempDir::new().unwrap();
    let [access, secret] = ["accessKeyId", "secretAccessKey"].map(|name| files.path().join(name));
    let place = BucketPlace {
        endpoint: arguments.bucket_endpoint,
        name: arguments.bucket,
        prefix: None,
        addressing: BucketAddressing::Path,
        region: arguments.bucket_region,
        encryption: None,
    };
    let credentials =
        CredentialFiles { access_key_id: access.clone(), secret_access_key: secret.clone(), session_token: None };
    let bucket = Bucket::with_access(place, credentials.into(), PATIENCE, PATIENCE);
    let refusal = async || bucket.put("a", bytes("1")).await.unwrap_err();

    std::fs::write(&access, arguments.access_key_id.unwrap()).unwrap();
    std::fs::write(&secret, "\n").unwrap();
    for _ in 0..2 {
        let error = refusal().await;
        assert_eq!(error.reason(), "NoCredentials", "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, format!("cannot read {}", secret.display()));
        std::fs::remove_file(&secret).ok();
    }
    std::fs::write(&secret, "another").unwrap();
    assert_eq!(refusal().await.reason(), "AccessDenied");
    std::fs::write(&secret, format!("{}\n", arguments.secret_access_key.unwrap().reveal())).unwrap();
    bucket.put("a", bytes("1")).await.unwrap();
}

#[tokio::test]
async fn two_clusters_in_one_bucket_do_not_meet_and_a_third_sees_their_prefixes() {
    let server = Server::start().await;
    let arguments = server.arguments();
    let whole = Bucket::new(&arguments);
    whole.ensure_exists().await.unwrap();
    let prefixed = |prefix: &str| {
        Bucket::new(&BucketArguments { bucket_prefix: Some(prefix.parse().unwrap()), ..arguments.clone() })
    };
    let [staging, production] = ["teams/fraud", "teams/fraud-2/"].map(prefixed);
    for (bucket, text) in [(&staging, "s"), (&production, "p")] {
        bucket.probe_conditional_writes("demo/").await.unwrap();
        let body = Body::Bytes(bytes(text));
        assert_eq!(bucket.create("demo/a", body, &BTreeMap::new()).await.unwrap(), Creation::Created);
        let Swap::Swapped(tag) = bucket.swap("demo/b", bytes("1"), None).await.unwrap() else { panic!("a conflict") };
        assert_eq!(bucket.head("demo/b").await.unwrap().unwrap().etag, tag);
        bucket.put("demo/c", bytes(text)).await.unwrap();
    }
    staging.delete("demo/b").await.unwrap();
    let keys = async |bucket: &Bucket, after: Option<&str>| {
        bucket.list("demo/", after).await.unwrap().into_iter().map(|object| object.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(&staging, None).await, ["demo/a", "demo/c"]);
    assert_eq!(keys(&production, Some("demo/a")).await, ["demo/b", "demo/c"]);
    assert_eq!(production.get("demo/a").await.unwrap().unwrap().bytes, "p");
    assert_eq!(staging.list_directories("").await.unwrap(), ["demo/"]);
    assert_eq!(whole.list_directories("teams/").await.unwrap(), ["teams/fraud-2/", "teams/fraud/"]);
    assert_eq!(whole.get("teams/fraud/demo/c").await.unwrap().unwrap().bytes, "s");
}

#[tokio::test]
async fn a_bucket_is_created_once() {
    let (bucket, _server) = bucket().await;
    bucket.ensure_exists().await.unwrap();
}

#[tokio::test]
async fn an_object_is_created_once_and_keeps_its_metadata() {
    let (bucket, _server) = bucket().await;
    let metadata = BTreeMap::from([("end".to_owned(), "42".to_owned()), ("sha256".to_owned(), "0a1b".to_owned())]);
    let create = |text| bucket.create("log/1", Body::Bytes(bytes(text)), &metadata);
    assert_eq!(create("first").await.unwrap(), Creation::Created);
    assert_eq!(create("second").await.unwrap(), Creation::AlreadyExists);
    let object = bucket.get("log/1").await.unwrap().unwrap();
    assert_eq!(object.bytes, "first");
    assert_eq!(object.metadata, metadata);
    assert_eq!(bucket.head("log/1").await.unwrap().unwrap().metadata, metadata);
}

#[tokio::test]
async fn a_file_is_uploaded_and_streamed_back() {
    let (bucket, _server) = bucket().await;
    let directory = TempDir::new().unwrap();
    let content: Vec<u8> = (0..3_000_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
    let path = directory.path().join("upload");
    std::fs::write(&path, &content).unwrap();
    let created = bucket.create("log/file", Body::File(path.clone()), &BTreeMap::new()).await.unwrap();
    assert_eq!(created, Creation::Created);

    let mut stream = bucket.get_stream("log/file").await.unwrap().unwrap();
    assert_eq!(stream.head.length, 3_000_000);
    let mut chunks = Vec::new();
    while let Some(chunk) = stream.next_chunk().await.unwrap() {
        chunks.extend_from_slice(&chunk);
    }
    assert!(chunks == content);
    assert!(bucket.get_stream("log/other").await.unwrap().is_none());
}

#[tokio::test]
async fn an_object_that_has_not_changed_is_not_read_again() {
    let server = TestBucket::serve().await;
    let changed = async |seen: Option<&ETag>| match server.bucket.get_changed("tables/a.csv", seen).await.unwrap() {
        Changed::Object(stream) => Ok(stream.head.etag),
        Changed::Missing => Err("missing"),
        Changed::Unchanged => Err("unchanged"),
    };
    assert_eq!(changed(None).await, Err("missing"));
    server.put("tables/a.csv", "one").await;
    let one = changed(None).await.unwrap();
    for behaviour in [TestBehaviour::Honest, TestBehaviour::IgnoresConditions] {
        server.behave(behaviour);
        assert_eq!(changed(Some(&one)).await, Err("unchanged"), "{behaviour:?}");
    }
    server.put("tables/a.csv", "two").await;
    assert_ne!(changed(Some(&one)).await.unwrap(), one);
    server.bucket.delete("tables/a.csv").await.unwrap();
    assert_eq!(changed(Some(&one)).await, Err("missing"));
}

#[tokio::test]
async fn a_file_that_is_missing_is_named() {
    let (bucket, _server) = bucket().await;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("nothing");
    let refusal = bucket.create("log/file", Body::File(path.clone()), &BTreeMap::new()).await.unwrap_err();
    assert!(matches!(refusal, BucketError::LocalFile { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains(path.to_str().unwrap()), "{refusal}");
}

#[tokio::test]
async fn a_pointer_is_swapped_only_from_what_was_read() {
    let (bucket, _server) = bucket().await;
    let Swap::Swapped(first) = bucket.swap("current", bytes("1"), None).await.unwrap() else { panic!("conflict") };
    assert_eq!(bucket.swap("current", bytes("other"), None).await.unwrap(), Swap::Conflict);
    let Swap::Swapped(second) = bucket.swap("current", bytes("2"), Some(&first)).await.unwrap() else {
        panic!("conflict")
    };
    assert_ne!(first, second);
    assert_eq!(bucket.swap("current", bytes("3"), Some(&first)).await.unwrap(), Swap::Conflict);
    assert_eq!(bucket.get("current").await.unwrap().unwrap().bytes, "2");
    bucket.delete("current").await.unwrap();
    assert_eq!(bucket.swap("current", bytes("3"), Some(&second)).await.unwrap(), Swap::Conflict);
}

#[tokio::test]
async fn a_swap_whose_answer_was_lost_is_no_conflict() {
    let (bucket, _server) = bucket().await;
    let Swap::Swapped(first) = bucket.swap("current", bytes("1"), None).await.unwrap() else { panic!("conflict") };
    let swapped = bucket.swap("current", bytes("2"), Some(&first)).await.unwrap();
    assert_eq!(bucket.swap("current", bytes("2"), Some(&first)).await.unwrap(), swapped);
}

#[tokio::test]
async fn a_listing_has_every_page_in_the_order_of_bytes() {
    let (bucket, _server) = bucket().await;
    let mut keys: Vec<String> = (0..1_005).map(|number| format!("day/{number:04}")).collect();
    for key in &keys {
        bucket.put(key, bytes("x")).await.unwrap();
    }
    for key in ["day-off/1", "day.old/1", "other/1"] {
        bucket.put(key, bytes("xy")).await.unwrap();
    }
    let listed =
        |objects: Vec<ObjectSummary>| -> Vec<String> { objects.into_iter().map(|object| object.key).collect() };
    assert_eq!(listed(bucket.list("day/", None).await.unwrap()), keys);
    let rest = keys.split_off(1_000);
    assert_eq!(listed(bucket.list("day/", Some("day/0999")).await.unwrap()), rest);
    let around = bucket.list("day-", None).await.unwrap();
    assert_eq!((around[0].key.as_str(), around[0].length, around.len()), ("day-off/1", 2, 1));
    assert!(around[0].last_modified.is_some());
    assert_eq!(bucket.list("nothing/", None).await.unwrap(), []);
    assert_eq!(bucket.list_directories("").await.unwrap(), ["day-off/", "day.old/", "day/", "other/"]);
}

#[tokio::test]
async fn directories_are_those_right_below_the_prefix() {
    let (bucket, _server) = bucket().await;
    for key in ["m/t/v2/forest", "m/t/v1/forest", "m/t/v1/manifest", "m/t/current.json", "m/u/v9/forest"] {
        bucket.put(key, bytes("x")).await.unwrap();
    }
    assert_eq!(bucket.list_directories("m/t/").await.unwrap(), ["m/t/v1/", "m/t/v2/"]);
}

#[tokio::test]
async fn a_server_that_means_its_conditions_passes_the_probe_and_keeps_nothing_of_it() {
    let (bucket, _server) = bucket().await;
    bucket.probe_conditional_writes("team/").await.unwrap();
    assert_eq!(bucket.list("team/", None).await.unwrap(), []);
}

#[tokio::test]
async fn an_authority_is_trusted_where_it_is_named_and_what_is_written_is_encrypted_as_it_is_said() {
    let server = TestBucket::serve().await;
    let front = tls_in_front_of(server.endpoint().trim_start_matches("http://").parse().unwrap()).await;
    let stranger =
        BucketArguments { bucket_endpoint: Some(format!("https://{}", front.address)), ..server.arguments() };
    let refusal = Bucket::with_timeouts(&stranger, PATIENCE, PATIENCE).get("a").await.unwrap_err();
    assert!(matches!(refusal, BucketError::Unreachable { .. }), "{refusal:?}");
    let known = BucketArguments {
        bucket_ca_file: Some(certificate("ca.crt")),
        bucket_encryption: Some(EncryptionAlgorithm::AwsKms),
        bucket_kms_key_id: Some("key-1".to_owned()),
        ..stranger
    };
    let bucket = Bucket::with_timeouts(&known, PATIENCE, PATIENCE);
    bucket.create("a", Body::Bytes(bytes("1")), &BTreeMap::new()).await.unwrap();
    assert_eq!(bucket.get("a").await.unwrap().unwrap().bytes, bytes("1"));
    let sent = front.sent.lock().unwrap().to_ascii_lowercase();
    assert!(sent.contains("x-amz-server-side-encryption: aws:kms\r\n"), "{sent}");
    assert!(sent.contains("x-amz-server-side-encryption-aws-kms-key-id: key-1\r\n"), "{sent}");
}

#[tokio::test]
async fn a_server_that_ignores_conditions_is_found_out() {
    let server = misbehave(Behaviour::Answer(&["200 OK"], "")).await;
    let refusal = patient(server).probe_conditional_writes("team/").await.unwrap_err();
    assert!(matches!(refusal, BucketError::ConditionalWritesIgnored { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains(&server.to_string()), "{refusal}");
}

#[tokio::test]
async fn wrong_credentials_and_a_missing_bucket_are_told_apart() {
    let server = Server::start().await;
    let mut arguments = server.arguments();
    let refusal = Bucket::new(&arguments).list("", None).await.unwrap_err();
    assert!(matches!(refusal, BucketError::NoSuchBucket { .. }), "{refusal:?}");
    arguments.secret_access_key = Some("guess".into());
    let refusal = Bucket::new(&arguments).get("a").await.unwrap_err();
    assert!(matches!(refusal, BucketError::Denied { .. }), "{refusal:?}");
    assert!(!refusal.is_retriable());
    assert!(!format!("{refusal:?} {refusal}").contains("guess"));
}

#[tokio::test]
async fn answers_of_servers_become_our_errors() {
    for (statuses, code, reason, retriable) in [
        (&["403 Forbidden"] as &'static [&'static str], "AccessDenied", "AccessDenied", false),
        (&["500 Internal Server Error"], "InternalError", "BucketServerError", true),
        (&["503 Slow Down"], "SlowDown", "BucketServerError", true),
        (&["301 Moved Permanently"], "PermanentRedirect", "BucketRequestRefused", false),
        (&["404 Not Found"], "NoSuchBucket", "NoSuchBucket", false),
    ] {
        let bucket = patient(misbehave(Behaviour::Answer(statuses, code)).await);
        for refusal in [bucket.get("k").await.unwrap_err(), bucket.put("k", bytes("x")).await.unwrap_err()] {
            assert_eq!((refusal.reason(), refusal.is_retriable()), (reason, retriable), "{code}: {refusal:?}");
        }
    }
}

#[tokio::test]
async fn a_passing_failure_is_retried() {
    let server = misbehave(Behaviour::Answer(&["500 Internal Server Error", "200 OK"], "InternalError")).await;
    patient(server).put("k", bytes("x")).await.unwrap();
}

#[tokio::test]
async fn a_create_that_meets_another_writer_is_tried_again() {
    let code = "ConditionalRequestConflict";
    let passing = Behaviour::Answer(&["409 Conflict", "412 Precondition Failed"], code);
    let bucket = patient(misbehave(passing).await);
    let created = bucket.create("k", Body::Bytes(bytes("x")), &BTreeMap::new()).await.unwrap();
    assert_eq!(created, Creation::AlreadyExists);
    let bucket = patient(misbehave(Behaviour::Answer(&["409 Conflict"], code)).await);
    let refusal = bucket.create("k", Body::Bytes(bytes("x")), &BTreeMap::new()).await.unwrap_err();
    assert!(matches!(refusal, BucketError::Contended { .. }), "{refusal:?}");
}

#[tokio::test]
async fn a_server_that_closes_or_is_not_there_is_unreachable() {
    let closing = misbehave(Behaviour::Close).await;
    for address in [closing, free_address()] {
        let refusal = patient(address).get("k").await.unwrap_err();
        assert!(matches!(refusal, BucketError::Unreachable { .. }), "{refusal:?}");
        assert!(refusal.to_string().contains(&address.to_string()), "{refusal}");
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_in_time() {
    let bucket = impatient(misbehave(Behaviour::Silent).await);
    let started = Instant::now();
    let refusal = bucket.get("k").await.unwrap_err();
    assert!(matches!(refusal, BucketError::Timeout { .. }), "{refusal:?}");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[tokio::test]
async fn content_that_breaks_off_is_an_error() {
    let bucket = patient(misbehave(Behaviour::BreakOff).await);
    let refusal = bucket.get("k").await.unwrap_err();
    assert!(matches!(refusal, BucketError::Unreachable { .. }), "{refusal:?}");
    assert!(refusal.is_retriable());
}

#[tokio::test]
async fn an_answer_that_is_not_of_s3_is_named() {
    let bucket = patient(misbehave(Behaviour::WebPage).await);
    let refusal = bucket.list("k", None).await.unwrap_err();
    assert!(matches!(refusal, BucketError::InvalidResponse { .. }), "{refusal:?}");
}
