use super::*;
use crate::schema::Kind;
use vedette_archive::{Selection, Stored, list_sources};
use vedette_contract::archive::{METADATA_RECORDS, METADATA_SHA256, Stream};
use vedette_contract::arguments::PipelineArguments;
use vedette_contract::keys::PipelineKeys;
use vedette_testing::TestBucket;
use vedette_testing::bucket::object_key;

const DAY: &str = "2026-11-23";

fn lines(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers
        .map(|number| format!(r#"{{"uuid":"{number}","bytes":{number},"utc":"2026-11-23T00:00:{number:02}Z"}}"#))
        .collect()
}

async fn sources(bucket: &TestBucket) -> Vec<Source> {
    let keys = PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap());
    let everything = Selection { stream: Stream::EnrichedData, sites: &[], not_before: None };
    list_sources(&bucket.bucket, &keys, everything).await.unwrap()
}

async fn read(bucket: &TestBucket, sources: Vec<Source>) -> (Reading, usize, u64) {
    let name = |text: &str| text.parse().unwrap();
    let owner = PipelineArguments { namespace: name("team"), pipeline: name("flows"), site: name("east") };
    let silenced = Silenced::read(&bucket.bucket, &owner).await.unwrap();
    let schema = Arc::new(Schema::new(vec![("bytes".to_owned(), Kind::Numeric)], "uuid", None, None));
    let sampler = Arc::new(Mutex::new(Sampler::new(&schema, 1_000, 1)));
    let reading = read_all(&bucket.bucket, sources, &schema, &sampler, &silenced, &Shutdown::new()).await.unwrap();
    let sampler = sampler.lock().unwrap();
    (reading, sampler.len(), sampler.duplicates())
}

#[tokio::test]
async fn a_tail_that_vanishes_after_the_listing_is_read_in_its_closed_form() {
    let bucket = TestBucket::serve().await;
    let key = object_key(DAY, "east", 0);
    bucket.tail(&key, 0, &lines(0..10)).await;
    let gone = bucket.tail(&key, 10, &lines(10..20)).await;
    let listed = sources(&bucket).await;
    assert_eq!(listed[0].stored, Stored::Open(vec![0, 10]));
    bucket.bucket.delete(&gone).await.unwrap();
    bucket.archive(DAY, "east", 0, &lines(0..30)).await;
    let (reading, sampled, duplicates) = read(&bucket, listed).await;
    assert_eq!((reading.tally.records, sampled, duplicates), (30, 30, 0));
    assert_eq!(reading.objects.into_iter().collect::<Vec<_>>(), [key]);
}

#[tokio::test]
async fn what_vanished_for_good_is_left_out() {
    let bucket = TestBucket::serve().await;
    let key = bucket.archive(DAY, "east", 0, &lines(0..10)).await;
    bucket.archive(DAY, "west", 0, &lines(10..15)).await;
    let listed = sources(&bucket).await;
    bucket.bucket.delete(&key).await.unwrap();
    let (reading, sampled, _) = read(&bucket, listed).await;
    assert_eq!((reading.objects.len(), sampled), (1, 5));
    assert_eq!(reading.sites.iter().map(Name::as_str).collect::<Vec<_>>(), ["west"]);
}

#[tokio::test]
async fn damage_is_counted_and_stops_nothing_else() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &lines(0..10)).await;
    let mut torn = lines(10..20);
    torn[3] = "{torn".to_owned();
    bucket.archive(DAY, "east", 10, &torn).await;
    let altered = object_key(DAY, "east", 20);
    let wrong = [(METADATA_SHA256, "0".repeat(64)), (METADATA_RECORDS, "10".to_owned())];
    let wrong = wrong.map(|(name, value)| (name.to_owned(), value)).into();
    bucket.create(&altered, zstd::encode_all(lines(20..30).concat().as_bytes(), 1).unwrap(), &wrong).await;
    bucket.create(&object_key(DAY, "east", 30), b"no frame".to_vec(), &[].into()).await;
    // Cut after its first frame: 200 of 300 lines are read.
    let cut = [zstd::encode_all(&[lines(0..1)[0].as_bytes(), b"\n"].concat().repeat(200)[..], 1).unwrap(), vec![1; 9]];
    let said = [(METADATA_RECORDS.to_owned(), "300".to_owned())].into();
    bucket.create(&object_key(DAY, "west", 0), cut.concat(), &said).await;
    let (reading, sampled, _) = read(&bucket, sources(&bucket).await).await;
    assert_eq!((reading.damaged, reading.lost, reading.tally.unreadable), (3, 110, 1));
    assert_eq!((reading.tally.records, sampled), (219, 19));
    assert_eq!(reading.tally.newest_utc.unwrap().1, "2026-11-23T00:00:19Z");
}

#[tokio::test]
async fn records_that_a_silence_leaves_out_are_counted_and_not_sampled() {
    let bucket = TestBucket::serve().await;
    bucket.archive(DAY, "east", 0, &lines(0..20)).await;
    bucket.archive(DAY, "west", 0, &lines(20..30)).await;
    let silence = serde_json::json!({ "match": "example.bytes % 2 == 0 && site == 'east'", "from": "2026-11-23T00:00:10Z",
        "until": "2026-11-23T01:00:00Z", "by": "ada", "why": "a test", "excludeFromTraining": true });
    bucket.put_json("team/flows/silences/west/20261123T084210Z-1a2b3c4d.json", &silence).await;
    let (reading, sampled, _) = read(&bucket, sources(&bucket).await).await;
    assert_eq!((reading.tally.silenced, reading.tally.records, sampled), (5, 25, 25));
    assert_eq!(reading.silences[0].key.id.as_str(), "20261123T084210Z-1a2b3c4d");
    assert_eq!(reading.tally.newest_utc.unwrap().1, "2026-11-23T00:00:29Z");
}

#[tokio::test]
async fn simulated_records_are_counted_and_not_sampled() {
    let bucket = TestBucket::serve().await;
    let mut records = lines(0..20);
    bucket.archive(DAY, "east", 0, &records[..10]).await;
    records[10..15].iter_mut().for_each(|line| *line = line.replacen('{', r#"{"simulated":true,"#, 1));
    bucket.archive(DAY, "east", 10, &records[10..]).await;
    let (reading, sampled, _) = read(&bucket, sources(&bucket).await).await;
    assert_eq!((reading.tally.simulated, reading.tally.records, sampled), (5, 15, 15));
}

#[tokio::test]
async fn records_without_an_identity_are_told_apart_by_their_place() {
    let bucket = TestBucket::serve().await;
    let same = vec![r#"{"bytes":1}"#.to_owned(); 5];
    bucket.archive(DAY, "east", 0, &same).await;
    bucket.archive(DAY, "west", 0, &same).await;
    let (_, sampled, duplicates) = read(&bucket, sources(&bucket).await).await;
    assert_eq!((sampled, duplicates), (10, 0));
}
