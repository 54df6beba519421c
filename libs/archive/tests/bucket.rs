//! Listing and reading through a bucket.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::ops::ControlFlow;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vedette_archive::{
    Fetched, Line, Selection, Source, Stored, encoder, fetch, list_after, list_newest, list_sources,
};
use vedette_contract::Name;
use vedette_contract::archive::{ArchiveKey, ArchiveObjectKey, Format, Stream};
use vedette_contract::keys::PipelineKeys;
use vedette_streams::bucket::Bucket;
use vedette_testing::TestBucket;
use vedette_testing::bucket::{Behaviour, arguments};

struct World {
    served: TestBucket,
}

impl World {
    async fn new() -> Self {
        Self { served: TestBucket::serve().await }
    }

    async fn put(&self, key: ArchiveKey, records: &[&str]) {
        self.served.bucket.put(&key.to_string(), frame(records)).await.unwrap();
    }

    async fn list(&self, sites: &[Name], not_before: Option<&str>) -> Vec<Source> {
        let keys = PipelineKeys::new(&name("n"), &name("p"));
        let not_before = not_before.map(|time| time.parse().unwrap());
        let selection = Selection { stream: Stream::EnrichedData, sites, not_before };
        list_sources(&self.served.bucket, &keys, selection).await.unwrap()
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn object(day: &str, site: &str, start: i64) -> ArchiveObjectKey {
    format!("n/p/enriched_data/{day}/{site}/t-0-{start:020}-00c0ffee.jsonl.zst").parse().unwrap()
}

fn frame(records: &[&str]) -> Bytes {
    let mut encoder = encoder(Format::JsonLines).unwrap();
    let mut stored = Vec::new();
    for record in records {
        stored.extend_from_slice(encoder.record(record.as_bytes()).unwrap());
    }
    stored.extend_from_slice(encoder.end_frame().unwrap());
    stored.into()
}

fn lines(fetched: &Fetched) -> Vec<String> {
    let mut lines = Vec::new();
    for part in &fetched.parts {
        part.for_each_line(|line| {
            let Line::Whole(line) = line else { panic!("no line is so long") };
            lines.push(String::from_utf8(line.to_vec()).unwrap());
            ControlFlow::Continue(())
        })
        .unwrap();
    }
    lines
}

fn objects(sources: Vec<Source>) -> Vec<ArchiveObjectKey> {
    sources.into_iter().map(|source| source.object).collect()
}

#[tokio::test]
async fn only_the_days_and_sites_that_are_wanted_are_listed() {
    let world = World::new().await;
    let [a, b, c] = [("2026-11-21", "west"), ("2026-11-22", "east"), ("2026-11-23", "west")]
        .map(|(day, site)| object(day, site, 0));
    for key in [&a, &b, &c] {
        world.put(key.clone().closed(), &["{}"]).await;
    }
    world
        .served
        .bucket
        .put("n/p/alerts/2026-11-23/west/t-0-00000000000000000000-00c0ffee.jsonl.zst", frame(&[]))
        .await
        .unwrap();
    world.served.bucket.put("n/p/enriched_data/notes/west/t.txt", Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(objects(world.list(&[], None).await), [a.clone(), b.clone(), c.clone()]);
    assert_eq!(objects(world.list(&[], Some("2026-11-23T00:00:00Z")).await), [b, c.clone()]);
    assert_eq!(objects(world.list(&[name("west")], None).await), [a, c.clone()]);
    assert_eq!(objects(world.list(&[name("west"), name("nowhere")], Some("2026-11-23T12:00:00Z")).await), [c]);
}

#[tokio::test]
async fn an_open_tail_is_read_in_the_order_of_its_offsets_and_in_its_closed_form_once_it_is_closed() {
    let world = World::new().await;
    let key = object("2026-11-23", "east", 5);
    world.put(key.clone().delta(1000), &["second"]).await;
    world.put(key.clone().delta(7), &["first"]).await;
    let listed = world.list(&[], None).await.remove(0);
    assert_eq!(listed.stored, Stored::Open(vec![7, 1000]));
    let open = fetch(&world.served.bucket, listed.clone()).await.unwrap().unwrap();
    assert_eq!(lines(&open), ["first", "second"]);

    world.put(key.clone().closed(), &["first", "second", "third"]).await;
    world.served.bucket.delete(&key.clone().delta(1000).to_string()).await.unwrap();
    let closed = fetch(&world.served.bucket, listed.clone()).await.unwrap().unwrap();
    assert_eq!((lines(&closed).len(), closed.source.is_open()), (3, false));

    for key in [key.clone().closed(), key.delta(7)] {
        world.served.bucket.delete(&key.to_string()).await.unwrap();
    }
    assert!(fetch(&world.served.bucket, listed).await.unwrap().is_none());
}

#[tokio::test]
async fn an_object_whose_connection_breaks_is_read_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let content = frame(&["{}"]);
    let whole = content.clone();
    tokio::spawn(async move {
        // The first answer ends before its content does.
        for sent in [&whole[..whole.len() - 1], &whole] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 8 * 1024]).await.unwrap();
            let head = format!(
                "HTTP/1.1 200 OK\r\netag: \"tag\"\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                whole.len()
            );
            stream.write_all(&[head.as_bytes(), sent].concat()).await.unwrap();
        }
    });
    let bucket = Bucket::new(&arguments(address));
    let source =
        Source { object: object("2026-11-23", "east", 0), stored: Stored::Closed, bytes: content.len() as u64 };
    assert_eq!(lines(&fetch(&bucket, source).await.unwrap().unwrap()), ["{}"]);
}

#[tokio::test]
async fn a_refusal_is_told_at_once() {
    let world = World::new().await;
    let key = object("2026-11-23", "east", 0);
    world.put(key.clone().closed(), &["{}"]).await;
    world.served.behave(Behaviour::Refuses);
    let source = Source { object: key, stored: Stored::Closed, bytes: 1 };
    assert_eq!(fetch(&world.served.bucket, source).await.unwrap_err().reason(), "AccessDenied");
    assert_eq!(world.served.refusals(), 1, "it was tried again");
}

#[tokio::test]
async fn what_comes_after_an_object_of_a_partition_is_listed_without_what_is_left_of_the_object_itself() {
    let (world, day) = (World::new().await, "2026-11-23");
    let (first, second, open) = (object(day, "east", 0), object(day, "east", 10), object(day, "east", 20));
    world.put(first.clone().closed(), &["a"]).await;
    world.put(first.clone().delta(5), &["a"]).await;
    world.put(second.clone().closed(), &["b"]).await;
    world.put(open.clone().delta(20), &["c"]).await;
    world.put(object(day, "west", 30).closed(), &["d"]).await;
    let listed = async |after: Option<&ArchiveObjectKey>| {
        let found = list_after(&world.served.bucket, &first.origin, first.day, after).await.unwrap();
        found.into_iter().map(|source| source.object).collect::<Vec<_>>()
    };
    assert_eq!(listed(Some(&first)).await, [second.clone(), open.clone()]);
    assert_eq!(listed(Some(&second)).await, std::slice::from_ref(&open));
    assert_eq!(listed(None).await, [first.clone(), second, open]);
    assert_eq!(listed(Some(&object("2026-11-22", "east", 99))).await.len(), 3, "another day is no limit");
}

#[tokio::test]
async fn what_came_last_is_listed_from_the_newest_day_of_any_site_back() {
    let world = World::new().await;
    let list = async |days_before: u8| {
        let keys = PipelineKeys::new(&name("n"), &name("p"));
        let found = list_newest(&world.served.bucket, &keys, Stream::EnrichedData, days_before).await.unwrap();
        objects(found)
    };
    assert_eq!(list(7).await, []);
    let [old, east, west] = [("2026-10-31", "east"), ("2026-11-22", "east"), ("2026-11-23", "west")]
        .map(|(day, site)| object(day, site, 0));
    for key in [&old, &east, &west] {
        world.put(key.clone().closed(), &["{}"]).await;
    }
    assert_eq!(list(0).await, std::slice::from_ref(&west));
    assert_eq!(list(7).await, [east.clone(), west.clone()]);
    assert_eq!(list(23).await, [old, east, west]);
}
