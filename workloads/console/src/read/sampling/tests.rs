use sha2::Digest;
use vedette_contract::archive::Origin;
use vedette_testing::TestBucket;
use vedette_testing::bucket::object_key;

use super::*;
use crate::metrics::Metrics;
use crate::read::Reader;

fn partition(site: &str, number: i32, moved: Timestamp) -> ArchivedPartition {
    let key: ArchiveKey = object_key("2026-11-23", site, 0).parse().unwrap();
    ArchivedPartition { origin: Origin { partition: number, ..key.object.origin }, moved, last_closed: None }
}

fn key(start: usize, delta: Option<i64>) -> ArchiveKey {
    let key: ArchiveKey = object_key("2026-11-23", "east", start).parse().unwrap();
    ArchiveKey { delta, ..key }
}

#[test]
fn of_each_site_is_read_before_more_is_of_one() {
    let origin = |site: &str, number| partition(site, number, Timestamp::UNIX_EPOCH);
    let names = |partitions: &[ArchivedPartition]| {
        let all: Vec<&ArchivedPartition> = partitions.iter().collect();
        let name = |of: &&ArchivedPartition| format!("{}{}", of.origin.site, of.origin.partition);
        of_sites(&all, PARTITIONS).iter().map(name).collect::<Vec<_>>()
    };
    let few = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("c", 0)].map(|(site, number)| origin(site, number));
    assert_eq!(names(&few), ["a0", "b0", "c0", "a1", "a2"]);
    let many: Vec<_> = (0..100).map(|number| origin(&format!("site-{number:02}"), 0)).collect();
    let chosen = names(&many);
    assert_eq!((chosen.len(), chosen[0].as_str(), chosen[23].as_str()), (24, "site-020", "site-970"));
    let one: Vec<_> = (0..100).map(|number| origin("a", number)).collect();
    assert_eq!(names(&one).len(), PARTITIONS);
    assert!(names(&[]).is_empty());
}

#[test]
fn what_is_read_of_a_partition_is_spread_over_its_objects_and_over_what_is_open() {
    let open = (500..600).step_by(10).map(|delta| key(500, Some(delta)));
    let closed = (0..500).step_by(50).map(|start| key(start, None));
    let read =
        |keys: Vec<ArchiveKey>| -> Vec<_> { parts(keys).iter().map(|key| (key.object.start, key.delta)).collect() };
    let few = [key(400, None), key(400, Some(450)), key(450, None)];
    let of_open = [(500, Some(510)), (500, Some(550)), (500, Some(580))];
    assert_eq!(read(few.into_iter().chain(open).collect()), [&[(400, None), (450, None)][..], &of_open].concat());
    assert_eq!(read(closed.collect()), [(50, None), (150, None), (250, None), (350, None), (450, None)]);
    assert!(read(Vec::new()).is_empty());
}

#[tokio::test]
async fn what_is_cut_is_taken_as_far_as_its_lines_are_whole_and_what_swells_is_not_taken_in() {
    let (served, now) = (TestBucket::serve().await, Timestamp::now());
    let day = now.strftime("%Y-%m-%d").to_string();
    let noise = |number: usize| hex::encode(sha2::Sha256::digest(number.to_le_bytes()));
    let lines: Vec<String> =
        (0..4_000).map(|number| format!(r#"{{"utc":"{now}","own":"{}"}}"#, noise(number))).collect();
    let blank = " ".repeat(1 << 20);
    let mut swollen: Vec<String> = (0..20).map(|number| format!("{number}{blank}")).collect();
    swollen.push(format!(r#"{{"utc":"{now}"}}"#));
    let long = served.archive(&day, "east", 0, &lines).await;
    let swelling = served.archive(&day, "west", 0, &swollen).await;
    let mut empty = vec![String::new(); PART_TEXT / LEAST_LINE + 1];
    empty.push(format!(r#"{{"utc":"{now}"}}"#));
    let empty = served.archive(&day, "south", 0, &empty).await;
    let reader = Reader::new(served.bucket.clone(), Metrics::default());
    for (key, is_whole, least, most) in [(long, false, 200, 3_000), (swelling, true, 0, 0), (empty, true, 0, 0)] {
        let beginning = reader.beginning(key.parse().unwrap(), PART_BYTES).await.unwrap().unwrap();
        assert_eq!(beginning.is_whole, is_whole, "{key}");
        let mut draw = Draw::new(now - WITHIN..=now);
        offer(&beginning, &mut draw);
        let drawn = draw.finish().len();
        assert!((least..=most).contains(&drawn), "{key}: {drawn}");
    }
    assert!(reader.beginning(object_key(&day, "north", 0).parse().unwrap(), 9).await.unwrap().is_none());
}

#[test]
fn soon_after_midnight_records_of_the_hour_lie_in_the_day_before_too() {
    let of = |now: &str| days(now.parse().unwrap()).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(of("2026-11-23T00:59:00Z"), ["2026-11-22", "2026-11-23"]);
    assert_eq!(of("2026-11-23T01:00:00Z"), ["2026-11-23"]);
}

#[tokio::test]
async fn a_thousand_sites_cost_no_more_requests_than_a_few_and_what_was_read_is_kept() {
    let (served, now) = (TestBucket::serve().await, Timestamp::now());
    let day = now.strftime("%Y-%m-%d").to_string();
    let sites: Vec<String> = (0..1_000).map(|number| format!("site-{number}")).collect();
    for site in &sites {
        served.archive(&day, site, 0, &[format!(r#"{{"utc":"{now}","of":"{site}"}}"#)]).await;
    }
    let partitions: Vec<_> = sites.iter().map(|site| partition(site, 0, now)).collect();
    let reader = Reader::new(served.bucket.clone(), Metrics::default());
    let sampler = Sampler::new(Arc::new(OnDemand::new(reader.clone(), 36_000)));
    let of = |site: Option<&str>| SampleOf {
        pipeline: crate::testing::owner("east").pipeline_name(),
        site: site.map(|site| site.parse().unwrap()),
    };
    let sample = sampler.sample(of(None), &partitions).await.unwrap();
    assert_eq!((sample.sites, sample.records.len()), (1_000, PARTITIONS));
    let requests = reader.requests();
    assert!(requests <= u64::try_from(3 * PARTITIONS).unwrap(), "{requests}");
    sampler.sample(of(None), &partitions).await.unwrap();
    assert_eq!(reader.requests(), requests, "it is kept for a minute");
    let (few, frugal) = (Reader::new(served.bucket.clone(), Metrics::default()), 1_200);
    let sample =
        Sampler::new(Arc::new(OnDemand::new(few.clone(), frugal))).sample(of(None), &partitions).await.unwrap();
    assert_eq!((sample.sites, sample.records.len()), (1_000, 3));
    assert!(few.requests() <= u64::try_from(LEAST_REQUESTS).unwrap(), "{}", few.requests());
    let one = sampler.sample(of(Some("site-7")), &partitions).await.unwrap();
    assert_eq!((one.sites, one.records.len(), one.records[0].site.as_str()), (1, 1, "site-7"));
    let quiet: Vec<_> =
        partitions.into_iter().map(|partition| ArchivedPartition { moved: now - WITHIN * 2, ..partition }).collect();
    let none = sampler.read_sample(None, &quiet).await.unwrap();
    assert_eq!((none.sites, none.records.len()), (0, 0));
}

#[tokio::test]
async fn of_more_objects_than_are_listed_those_that_came_last_are_read_and_each_page_is_paid_for() {
    let (served, now) = (TestBucket::serve().await, Timestamp::now());
    let day = now.strftime("%Y-%m-%d").to_string();
    for start in 0..=1_000 {
        served.put(&object_key(&day, "east", start), "a").await;
    }
    let reader = Reader::new(served.bucket.clone(), Metrics::default());
    let sampler = Sampler::new(Arc::new(OnDemand::new(reader.clone(), 36_000)));
    let object = |start: usize| object_key(&day, "east", start).parse::<ArchiveKey>().unwrap();
    let unknown = partition("east", 0, now);
    let day: Date = day.parse().unwrap();
    let found = async |partition: &ArchivedPartition, most| {
        sampler.written_since(partition, day, now - WITHIN, most).await.unwrap()
    };
    assert_eq!((found(&unknown, 1).await.len(), reader.requests()), (1_000, 1));
    assert_eq!((found(&unknown, 20).await.len(), reader.requests()), (1_001, 3));
    let known = ArchivedPartition { last_closed: Some(object(999).object), ..unknown.clone() };
    assert!(found(&known, 1).await.contains(&object(1_000)));
    assert_eq!(reader.requests(), 5);
    let of_yesterday = ArchivedPartition { last_closed: Some(object_of("2020-01-01")), ..unknown };
    assert_eq!((found(&of_yesterday, 1).await.len(), reader.requests()), (1_000, 6));
}

fn object_of(day: &str) -> ArchiveObjectKey {
    object_key(day, "east", 0).parse::<ArchiveKey>().unwrap().object
}

#[tokio::test]
async fn what_was_read_a_while_ago_is_shown_where_nothing_can_be_read() {
    let (served, now) = (TestBucket::serve().await, Timestamp::now());
    let day = now.strftime("%Y-%m-%d").to_string();
    served.archive(&day, "east", 0, &[format!(r#"{{"utc":"{now}"}}"#)]).await;
    let reader = Reader::new(served.bucket.clone(), Metrics::default());
    // One request is more than is made ahead.
    let sampler = Sampler::new(Arc::new(OnDemand::new(reader, 100)));
    let of = |site: Option<&str>| SampleOf {
        pipeline: crate::testing::owner("east").pipeline_name(),
        site: site.map(|site| site.parse().unwrap()),
    };
    let partitions = [partition("east", 0, now)];
    let first = sampler.sample(of(None), &partitions).await.unwrap();
    sampler.samples().kept[0].2 -= AGE;
    let again = sampler.sample(of(None), &partitions).await.unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    let other = sampler.sample(of(Some("east")), &partitions).await.unwrap_err();
    assert!(matches!(other, DemandError::Spent { seconds: 1.. }), "{other}");
    sampler.samples().kept[0].2 -= OLDEST;
    assert!(sampler.sample(of(None), &partitions).await.is_err());
}

#[test]
fn what_is_read_first_is_of_all() {
    assert_eq!(in_turns(vec![vec![1, 2, 3], vec![], vec![4], vec![5, 6]]), [1, 4, 5, 2, 6, 3]);
}
