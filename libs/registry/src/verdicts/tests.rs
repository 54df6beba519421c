use serde_json::json;
use vedette_contract::verdict::{Finding, VerdictFields};
use vedette_testing::TestBucket;
use vedette_testing::bucket::{BUCKET, Behaviour};

use super::*;

const NOW: &str = "2026-11-23T08:42:10.25Z";

fn keys() -> PipelineKeys {
    PipelineKeys::new(&"team".parse().unwrap(), &"flows".parse().unwrap())
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn verdict(uuid: &str, finding: &str, at: &str) -> Verdict {
    let fields: VerdictFields = serde_json::from_value(json!({
        "alert": { "uuid": uuid, "site": "east", "detectedUtc": "2026-11-13T08:00:00Z" },
        "verdict": finding, "by": "ada", "why": "a test", "at": at,
    }))
    .unwrap();
    fields.try_into().unwrap()
}

fn standing(verdicts: &Verdicts) -> Vec<(String, Finding)> {
    let told = verdicts.standing().into_iter().map(|(key, kept)| (key, kept.verdict.finding()));
    told.map(|(key, finding)| (format!("{key:?}"), finding)).collect()
}

#[tokio::test]
async fn those_of_all_sites_are_read_and_what_is_none_is_told_and_passed() {
    let (served, keys) = (TestBucket::serve().await, keys());
    assert_eq!(read(&served.bucket, &keys).await.unwrap(), Verdicts::default());
    let first = add(&served.bucket, &keys, (&name("west"), 1), verdict("u-1", "anomaly", NOW)).await.unwrap();
    let second = add(&served.bucket, &keys, (&name("east"), 2), verdict("u-2", "expected", NOW)).await.unwrap();
    assert_eq!(keys.verdict(&first.key), "team/flows/labels/west/2026-11/20261123T084210Z-00000001.json");
    let month = "team/flows/labels/east/2026-11";
    let whole = serde_json::to_string(&verdict("u-3", "anomaly", NOW)).unwrap();
    served.put(&format!("{month}/20261123T084210Z-00000003.json"), "{half").await;
    served.put(&format!("{month}/20261123T084210Z-00000004.json"), vec![b' '; 1_048_576]).await;
    served.put(&format!("{month}/20261123T084211Z-00000005.json"), whole.clone()).await;
    served.put(&format!("{month}/20261023T084210Z-00000006.json"), whole.clone()).await;
    served.put("team/flows/labels/east/20261123T084210Z-00000007.json", whole.clone()).await;
    served.put("team/flows/labels/notes.txt", "x").await;
    let steers = whole.replace("a test", "\\u001b[2J");
    served.put(&format!("{month}/20261123T084210Z-00000008.json"), steers).await;
    let Verdicts { all, passed, older } = read(&served.bucket, &keys).await.unwrap();
    assert_eq!((all, older), (vec![second, first], 0));
    let why: Vec<_> = passed.iter().map(|passed| passed.why.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    let at = "at \"2026-11-23T08:42:10.25Z\":";
    assert_eq!(why, ["is not", "is not", "has 1048576", "why \"\\u{1b}[2J\":", at, "is not", "is not"], "{passed:?}");
}

#[tokio::test]
async fn the_last_verdict_of_the_same_stands_whichever_site_gave_it() {
    let (served, keys) = (TestBucket::serve().await, keys());
    let add = async |site: &str, chance: u32, verdict: Verdict| {
        super::add(&served.bucket, &keys, (&name(site), chance), verdict).await.unwrap().verdict.at().to_string()
    };
    // Of two in one second, by clocks that go by seconds, the one that came later; and of another alert none.
    assert_eq!(add("west", 9, verdict("u-1", "anomaly", NOW)).await, NOW);
    assert_eq!(add("east", 1, verdict("u-1", "expected", "2026-11-23T08:42:10Z")).await, "2026-11-23T08:42:10.251Z");
    assert_eq!(add("east", 2, verdict("u-2", "anomaly", "2026-11-23T08:42:10Z")).await, "2026-11-23T08:42:10Z");
    let [alert, other] = ["u-1", "u-2"].map(|uuid| format!("{:?}", verdict(uuid, "anomaly", NOW).judged().key()));
    let both = [(alert.clone(), Finding::Expected), (other.clone(), Finding::Anomaly)];
    assert_eq!(standing(&read(&served.bucket, &keys).await.unwrap()), both);
    // One that a clock of the bucket dated far ahead is replaced all the same.
    assert_eq!(add("west", 3, verdict("u-2", "expected", "2027-03-01T00:00:00Z")).await, "2027-03-01T00:00:00Z");
    assert_eq!(add("west", 4, verdict("u-2", "anomaly", NOW)).await, "2027-03-01T00:00:00.001Z");
    let verdicts = read(&served.bucket, &keys).await.unwrap();
    assert_eq!((standing(&verdicts), verdicts.all.len()), (both.to_vec(), 5));
    // Two of one time are as everybody has them.
    let at = |site: &str, id: &str, finding: &str| KeptVerdict {
        key: VerdictKey { site: name(site), id: id.parse().unwrap() },
        sha256: String::new(),
        verdict: verdict("u-1", finding, NOW),
    };
    let one = at("east", "20261123T084210Z-00000001", "anomaly");
    let other = at("west", "20261123T084210Z-00000001", "expected");
    for all in [vec![one.clone(), other.clone()], vec![other, one]] {
        let verdicts = Verdicts { all, ..Verdicts::default() };
        assert_eq!(standing(&verdicts), [(alert.clone(), Finding::Expected)]);
    }
}

#[tokio::test]
async fn what_the_bucket_does_not_give_is_said() {
    let (served, keys) = (TestBucket::serve().await, keys());
    add(&served.bucket, &keys, (&name("east"), 1), verdict("u-1", "anomaly", NOW)).await.unwrap();
    let again = add(&served.bucket, &keys, (&name("east"), 1), verdict("u-2", "anomaly", NOW)).await.unwrap_err();
    assert_eq!(again.reason(), "Contention");
    served.behave(Behaviour::OnlyLists);
    assert!(matches!(read(&served.bucket, &keys).await, Err(BucketError::Denied { .. })));
}

#[tokio::test]
async fn ten_thousand_are_read_with_one_request_each_and_of_more_the_oldest_are_not() {
    let (served, keys) = (TestBucket::serve().await, keys());
    let first: Timestamp = "2026-10-01T00:00:00Z".parse().unwrap();
    let whole = |number: usize| {
        let at = first + SignedDuration::from_mins(i64::try_from(number).unwrap());
        let site = if number.is_multiple_of(2) { "east" } else { "west" };
        let key = keys.verdict(&VerdictKey { site: name(site), id: VerdictId::new(at, 7) });
        (key, serde_json::to_vec(&verdict(&format!("u-{number}"), "anomaly", &at.to_string())).unwrap())
    };
    for (key, json) in (0..MOST_VERDICTS + 3).map(whole) {
        let path = served.data_directory().join(BUCKET).join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, json).unwrap();
    }
    let before = served.requests();
    let verdicts = read(&served.bucket, &keys).await.unwrap();
    assert_eq!((verdicts.all.len(), verdicts.older, verdicts.passed.len()), (MOST_VERDICTS, 3, 0));
    assert_eq!(verdicts.standing().len(), MOST_VERDICTS);
    let oldest = verdict("u-2", "anomaly", NOW);
    assert!(!verdicts.standing().contains_key(&oldest.judged().key()));
    // A thousand objects are a page of a listing.
    assert_eq!(served.requests() - before, MOST_VERDICTS + 11);
    // Who gives one more reads no month that is over, however many they were: sites, months, and one listing each.
    let before = served.requests();
    add(&served.bucket, &keys, (&name("east"), 8), verdict("u-1", "anomaly", NOW)).await.unwrap();
    assert_eq!(served.requests() - before, 1 + 2 + 1);
}
