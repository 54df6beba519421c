//! The end of it: every record is where it belongs, once, but for those of which somebody said that retention took them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::BufRead;
use std::time::{Duration, Instant};

use serde_json::Value;
use vedette_contract::archive::Stream;
use vedette_contract::keys::PipelineKeys;
use vedette_e2e::found::{Found, each_once};
use vedette_e2e::schedule::Process;

use crate::bed::{ALERTS, Bed, ENRICHED_DATA, SENSOR_MESSAGES, THRESHOLD};
use crate::ledger::{Deleted, Place};
use crate::process::Supervised;

/// So long nothing takes that goes well, on a machine with better to do.
const PATIENCE: Duration = Duration::from_secs(240);
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Records of a topic that are said to be lost.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Gap {
    topic: String,
    partition: i32,
    start: i64,
    end: i64,
}

/// What the processes said is lost. Who was killed before it was committed says it again.
struct Lost(BTreeSet<Gap>);

impl Lost {
    /// Nobody may say so of what was not deleted.
    fn said_by(bed: &Bed) -> Self {
        let logs = bed.processes.values().flat_map(Supervised::logs);
        let said: BTreeSet<Gap> = logs.flat_map(|log| gaps(&log)).collect();
        let untrue = untrue(&said, bed.ledger.deleted());
        assert!(untrue.is_empty(), "said to be lost, and not deleted: {untrue:?} of {:?}", bed.ledger.deleted());
        Self(said)
    }

    fn has(&self, topic: &str, (partition, offset): Place) -> bool {
        let is_in = |gap: &&Gap| gap.topic == topic && gap.partition == partition;
        self.0.iter().filter(is_in).any(|gap| (gap.start..gap.end).contains(&offset))
    }
}

/// In a log.
fn gaps(log: &str) -> Vec<Gap> {
    let lines = log.lines().filter(|line| line.contains("records are lost: retention deleted them"));
    let gap = |line: &str| {
        let said: Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| said[name].as_i64().unwrap();
        Gap {
            topic: said["topic"].as_str().unwrap().to_owned(),
            partition: number("partition").try_into().unwrap(),
            start: number("committed"),
            end: number("first"),
        }
    };
    lines.map(gap).collect()
}

/// Those that reach beyond what was deleted.
fn untrue<'a>(said: &'a BTreeSet<Gap>, deleted: &Deleted) -> Vec<&'a Gap> {
    let of = |gap: &Gap| deleted.get(&(gap.topic.clone(), gap.partition)).copied().unwrap_or(0);
    said.iter().filter(|gap| gap.end > of(gap)).collect()
}

/// How many there are, each counted once.
fn offsets(gaps: &[Gap]) -> u64 {
    let offsets = gaps.iter().flat_map(|gap| (gap.start..gap.end).map(|offset| (&gap.topic, gap.partition, offset)));
    offsets.collect::<BTreeSet<_>>().len() as u64
}

/// The archive of the pipeline, whose closed objects never change.
#[derive(Default)]
struct Archive(BTreeMap<String, Vec<Found>>);

impl Archive {
    async fn read(&mut self, bed: &Bed, stream: Stream) -> Vec<Found> {
        let keys = PipelineKeys::new(&"team".parse().unwrap(), &"records".parse().unwrap());
        let bucket = &bed.bucket.bucket;
        let mut found = Vec::new();
        for object in bucket.list(&keys.stream(stream), None).await.unwrap() {
            if !object.key.ends_with(".jsonl.zst") {
                continue;
            }
            if !self.0.contains_key(&object.key) {
                let content = bucket.get(&object.key).await.unwrap().unwrap();
                let lines = std::io::BufReader::new(zstd::Decoder::new(&content.bytes[..]).unwrap()).lines();
                let uuid =
                    |line: String| serde_json::from_str::<Value>(&line).unwrap()["uuid"].as_str().unwrap().into();
                let records = lines.map(|line| Found { uuid: uuid(line.unwrap()), place: object.key.clone() });
                self.0.insert(object.key.clone(), records.collect());
            }
            found.extend_from_slice(&self.0[&object.key]);
        }
        found
    }
}

/// Ends the pipeline once all is done, and counts.
pub(crate) async fn count(mut bed: Bed) {
    end_generator(&mut bed).await;
    let mut archive = Archive::default();
    let began = Instant::now();
    loop {
        bed.tend_for(LOOK_AGAIN).await;
        match judge(&mut bed, &mut archive).await {
            Ok(()) => break,
            // What is missing may come; what is twice or foreign stays.
            Err(wrong) => assert!(began.elapsed() < PATIENCE && !wrong.contains("twice"), "{wrong}"),
        }
    }
    let lost = counters_agree(&mut bed).await;
    for process in Process::ALL.into_iter().filter(|process| *process != Process::Generator) {
        let status = bed.process(process).stop(Duration::from_secs(90)).await;
        assert!(status.success(), "{process:?}: {status}\n{}", bed.process(process).last_log());
    }
    judge(&mut bed, &mut archive).await.unwrap();
    let panicked = bed.processes.values().flat_map(Supervised::logs).find(|log| log.contains("panicked"));
    assert_eq!(panicked, None);
    let [input, enriched, alerts] =
        [SENSOR_MESSAGES, ENRICHED_DATA, ALERTS].map(|topic| bed.ledger.records(topic).count());
    println!("  {input} records, {enriched} enriched, {alerts} alerts; retention took {lost}; 0 lost beside, 0 twice");
}

/// All that the generators said is in Kafka is there.
async fn end_generator(bed: &mut Bed) {
    let generator = bed.process(Process::Generator);
    generator.stop(Duration::from_secs(60)).await;
    generator.hold();
    let last = generator.last_log();
    let last = last
        .lines()
        .rfind(|line| line.contains(r#""message":"generated""#))
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["acknowledged"].as_u64().unwrap());
    bed.said += last.unwrap_or(0);
    let began = Instant::now();
    while let Err(error) = bed.ledger.read(SENSOR_MESSAGES) {
        assert!(began.elapsed() < PATIENCE, "{error}");
        bed.tend_for(LOOK_AGAIN).await;
    }
    let there = bed.ledger.found(SENSOR_MESSAGES);
    let uuids: HashSet<_> = there.iter().map(|record| record.uuid.clone()).collect();
    each_once(&uuids, &there).unwrap_or_else(|wrong| panic!("generated: {wrong}"));
    assert!(there.len() as u64 >= bed.said, "{} are there of {}", there.len(), bed.said);
}

/// Whether every record is where it belongs.
async fn judge(bed: &mut Bed, archive: &mut Archive) -> Result<(), String> {
    for topic in [ENRICHED_DATA, ALERTS] {
        bed.ledger.read(topic).map_err(|error| format!("{topic} cannot be read: {error}"))?;
    }
    let lost = Lost::said_by(bed);
    let ledger = &bed.ledger;
    let left = |topic: &'static str| ledger.uuids(topic, |place, _| !lost.has(topic, place));
    let unusual = ledger.uuids(ENRICHED_DATA, |_, record| record.score > THRESHOLD);
    let checks = [
        ("enriched", left(SENSOR_MESSAGES), ledger.found(ENRICHED_DATA)),
        ("alerts", unusual, ledger.found(ALERTS)),
        ("archived", left(ENRICHED_DATA), archive.read(bed, Stream::EnrichedData).await),
        ("archived alerts", left(ALERTS), archive.read(bed, Stream::Alerts).await),
    ];
    for (what, expected, found) in checks {
        assert!(!expected.is_empty(), "{what}: nothing is expected");
        each_once(&expected, &found).map_err(|wrong| format!("{what}: {wrong}"))?;
    }
    Ok(())
}

/// What the processes that run count as lost is what they said. Returns how many records all of them said are lost.
async fn counters_agree(bed: &mut Bed) -> usize {
    let counters = BTreeMap::from([
        (Process::FirstDetector, "vedette_detector_lost_records_total"),
        (Process::SecondDetector, "vedette_detector_lost_records_total"),
        (Process::FirstArchiver, "vedette_archiver_lost_records_total"),
        (Process::SecondArchiver, "vedette_archiver_lost_records_total"),
    ]);
    for (process, counter) in counters {
        let running = bed.process(process);
        let counted = counted(running, counter).await;
        let said = offsets(&gaps(&running.last_log()));
        assert_eq!(counted, said, "{process:?}: {}", running.last_log());
    }
    let lost = Lost::said_by(bed);
    let lost_of = |topic: &'static str| bed.ledger.uuids(topic, |place, _| lost.has(topic, place)).len();
    [SENSOR_MESSAGES, ENRICHED_DATA, ALERTS].map(lost_of).iter().sum()
}

/// A process that is busy answers late.
async fn counted(process: &Supervised, counter: &str) -> u64 {
    let began = Instant::now();
    loop {
        match process.counter(counter).await {
            Some(counted) => return counted,
            None => assert!(began.elapsed() < Duration::from_secs(60), "{counter} is not told"),
        }
    }
}

#[test]
fn a_loss_that_retention_did_not_make_is_no_excuse() {
    let gap = |topic: &str, start, end| Gap { topic: topic.to_owned(), partition: 1, start, end };
    let deleted = Deleted::from([(("enriched_data".to_owned(), 1), 7)]);
    let said = BTreeSet::from([gap("enriched_data", 3, 7), gap("enriched_data", 5, 8), gap("alerts", 0, 1)]);
    assert_eq!(untrue(&said, &deleted), [&gap("alerts", 0, 1), &gap("enriched_data", 5, 8)]);
}
