//! Reading a stream from its newest records back, through a bucket.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use jiff::Timestamp;
use vedette_archive::{Missed, Seen, Span, TakeNewest, encoder, read_newest, read_unseen};
use vedette_contract::Name;
use vedette_contract::archive::{ArchiveKey, ArchiveObjectKey, Format, Stream};
use vedette_contract::keys::PipelineKeys;
use vedette_testing::TestBucket;

/// Takes so many of the newest, whose records are their times.
struct Newest {
    limit: usize,
    times: Vec<Timestamp>,
    taken: usize,
}

impl TakeNewest for Newest {
    fn take(&mut self, _: &ArchiveKey, record: &[u8]) -> Option<Timestamp> {
        let time = std::str::from_utf8(record).unwrap().parse().ok()?;
        self.taken += 1;
        self.times.push(time);
        self.times.sort_unstable();
        self.times.drain(..self.times.len().saturating_sub(self.limit));
        Some(time)
    }

    fn time(&self, record: &[u8]) -> Option<Timestamp> {
        std::str::from_utf8(record).unwrap().parse().ok()
    }

    fn not_before(&self) -> Timestamp {
        if self.times.len() == self.limit { self.times[0] } else { Timestamp::MIN }
    }
}

struct World {
    served: TestBucket,
}

impl World {
    async fn new() -> Self {
        Self { served: TestBucket::serve().await }
    }

    async fn put(&self, key: ArchiveKey, times: &[&str]) {
        let mut encoder = encoder(Format::JsonLines).unwrap();
        let mut stored = Vec::new();
        for time in times {
            stored.extend_from_slice(encoder.record(time.as_bytes()).unwrap());
            stored.extend_from_slice(encoder.end_frame().unwrap());
        }
        self.served.put(&key.to_string(), stored).await;
    }

    async fn damage(&self, day: &str, site: &str, start: i64) {
        self.served.put(&object(day, site, start).closed().to_string(), "altered").await;
    }

    async fn newest(&self, limit: usize, sites: &[Name], before: Option<&str>) -> (Newest, Missed) {
        let keys = PipelineKeys::new(&"n".parse().unwrap(), &"p".parse().unwrap());
        let span = Span { stream: Stream::Alerts, sites, before: before.map(|time| time.parse().unwrap()) };
        let mut newest = Newest { limit, times: Vec::new(), taken: 0 };
        let missed = read_newest(&self.served.bucket, &keys, span, &mut newest).await.unwrap();
        (newest, missed)
    }
}

fn object(day: &str, site: &str, start: i64) -> ArchiveObjectKey {
    format!("n/p/alerts/{day}/{site}/t-0-{start:020}-00c0ffee.jsonl.zst").parse().unwrap()
}

fn told(newest: &Newest) -> Vec<String> {
    newest.times.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn no_object_is_read_that_cannot_hold_what_is_wanted() {
    let world = World::new().await;
    world.damage("2026-11-21", "east", 0).await;
    world.damage("2026-11-23", "east", 10).await;
    let times = ["2026-11-23T07:00:00Z", "2026-11-23T08:00:00Z", "2026-11-23T09:00:00Z"];
    world.put(object("2026-11-23", "east", 20).closed(), &times).await;
    let tail = object("2026-11-23", "east", 22);
    world.put(tail.clone().delta(22), &["2026-11-23T10:00:00Z"]).await;
    world.put(tail.delta(23), &["2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z"]).await;
    world.put(object("2026-11-22", "west", 0).closed(), &["2026-11-22T08:00:00Z", "2026-11-23T10:30:00Z"]).await;
    let (newest, missed) = world.newest(4, &[], None).await;
    let expected = ["2026-11-23T10:00:00Z", "2026-11-23T10:30:00Z", "2026-11-23T11:00:00Z", "2026-11-23T12:00:00Z"];
    assert_eq!((told(&newest), missed.objects), (expected.map(str::to_owned).to_vec(), Vec::new()));
    // The frames before the one that is too old are not decoded.
    assert_eq!(newest.taken, 7);
    let (all, missed) = world.newest(100, &[], None).await;
    let damaged: Vec<String> = missed.objects.into_iter().map(|(key, _)| key).collect();
    let expected = [object("2026-11-23", "east", 10), object("2026-11-21", "east", 0)].map(|key| key.to_string());
    assert_eq!((all.times.len(), damaged), (8, expected.to_vec()));
}

#[tokio::test]
async fn days_after_the_end_of_the_span_and_other_sites_are_not_listed() {
    let world = World::new().await;
    world.damage("2026-11-25", "east", 90).await;
    world.damage("2026-11-23", "west", 0).await;
    world
        .put(object("2026-11-23", "east", 0).closed(), &["2026-11-23T08:00:00Z", "no time", "2026-11-23T09:00:00Z"])
        .await;
    let (newest, missed) = world.newest(9, &["east".parse().unwrap()], Some("2026-11-23T12:00:00Z")).await;
    assert_eq!(told(&newest), ["2026-11-23T08:00:00Z", "2026-11-23T09:00:00Z"]);
    assert_eq!((missed.objects.len(), missed.lines), (0, 1));
}

#[tokio::test]
async fn objects_that_begin_after_the_end_of_the_span_are_not_read_whatever_their_offsets() {
    let world = World::new().await;
    for (start, hour) in [(100, 8), (110, 9), (120, 10), (130, 11), (140, 12), (150, 13), (160, 14)] {
        let times = [format!("2026-11-23T{hour:02}:10:00Z"), format!("2026-11-23T{hour:02}:50:00Z")];
        world.put(object("2026-11-23", "east", start).closed(), &times.each_ref().map(String::as_str)).await;
    }
    world.put(object("2026-11-24", "east", 170).delta(170), &["2026-11-24T08:00:00Z"]).await;
    // Its topic was made anew.
    world.put(object("2026-11-23", "west", 0).closed(), &["2026-11-23T15:00:00Z"]).await;
    world.put(object("2026-11-23", "west", 90).closed(), &["2026-11-23T10:20:00Z"]).await;
    let (newest, missed) = world.newest(100, &[], Some("2026-11-23T10:30:00Z")).await;
    let expected = ["08:10", "08:50", "09:10", "09:50", "10:10", "10:20", "10:50", "15:00"];
    assert_eq!(told(&newest), expected.map(|time| format!("2026-11-23T{time}:00Z")));
    assert!(missed.objects.is_empty());
    // What cannot be read is told.
    world.damage("2026-11-23", "east", 160).await;
    let (_, missed) = world.newest(2, &["east".parse().unwrap()], Some("2026-11-23T10:30:00Z")).await;
    assert_eq!(missed.objects.len(), 1);
}

#[tokio::test]
async fn whoever_looks_again_reads_what_is_new_in_the_newest_days() {
    let world = World::new().await;
    let keys = PipelineKeys::new(&"n".parse().unwrap(), &"p".parse().unwrap());
    let span = Span { stream: Stream::Alerts, sites: &[], before: Some("2026-11-29T00:00:00Z".parse().unwrap()) };
    let (mut newest, mut seen) = (Newest { limit: 100, times: Vec::new(), taken: 0 }, None::<Seen>);
    let mut taken = async |newest: &mut Newest| {
        let before = newest.taken;
        let missed = read_unseen(&world.served.bucket, &keys, span, &mut seen, newest).await.unwrap();
        missed.map(|missed| (newest.taken - before, missed.lines))
    };
    for day in 20..25 {
        let (day, time) = (format!("2026-11-{day}"), format!("2026-11-{day}T08:00:00Z"));
        world.put(object(&day, "east", 0).closed(), &[&time]).await;
    }
    let open = object("2026-11-24", "west", 0);
    world.put(open.clone().delta(0), &["2026-11-24T08:00:00Z", "no time"]).await;
    assert_eq!((taken(&mut newest).await, taken(&mut newest).await), (Some((6, 1)), None));
    world.put(open.clone().delta(2), &["2026-11-24T08:10:00Z"]).await;
    assert_eq!(taken(&mut newest).await, Some((1, 0)));
    // All of it, and what was no record is not told once more.
    world.put(open.closed(), &["2026-11-24T08:00:00Z", "no time", "2026-11-24T08:10:00Z"]).await;
    assert_eq!((taken(&mut newest).await, taken(&mut newest).await), (Some((2, 0)), None));
    world.put(object("2026-11-21", "west", 0).closed(), &["2026-11-21T08:00:00Z"]).await;
    world.put(object("2026-12-01", "west", 0).closed(), &["2026-12-01T08:00:00Z"]).await;
    assert_eq!(taken(&mut newest).await, None);
    world.put(object("2026-11-25", "west", 0).closed(), &["2026-11-25T08:00:00Z"]).await;
    assert_eq!(taken(&mut newest).await, Some((1, 0)));
}
