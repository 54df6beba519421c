//! Ten thousand malformed messages among good ones: each is a dead letter with its reason, and no neighbour is hurt.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use vedette_contract::dead_letter::DeadLetterReason;
use vedette_contract::fields::ADDED;
use vedette_records::dead_letter::{DeadLetter, RecordPlace};

use crate::support::{Broker, TOPICS, detector};
use crate::{BUDGET, record, uuids};

const MALFORMED: usize = 10_000;
const SEED: u64 = 20_261_129;
const PARTITIONS: i32 = 4;
const LIMIT: usize = 1_000_000;
const FLUSH: Duration = Duration::from_secs(240);
const MARK: &str = "\u{feff}";

/// What is sent, and why it is refused; nothing where it is good.
type Sent = (Option<Vec<u8>>, Option<DeadLetterReason>);

/// By where they came from.
type Reasons = BTreeMap<(i32, i64), DeadLetterReason>;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Cut,
    Nested,
    NotUtf8,
    Utf16,
    HugeNumber,
    TwoMarks,
    Repeated,
    Array,
    Scalar,
    WrongIdentity,
    Reserved,
    NulByte,
    Csv,
    Empty,
    Tombstone,
    Trailing,
    Surrogate,
    LongAndOpen,
    TooLong,
}

const KINDS: [Kind; 17] = [
    Kind::Cut,
    Kind::Nested,
    Kind::NotUtf8,
    Kind::Utf16,
    Kind::HugeNumber,
    Kind::TwoMarks,
    Kind::Repeated,
    Kind::Array,
    Kind::Scalar,
    Kind::WrongIdentity,
    Kind::Reserved,
    Kind::NulByte,
    Kind::Csv,
    Kind::Empty,
    Kind::Tombstone,
    Kind::Trailing,
    Kind::Surrogate,
];

impl Kind {
    /// Long ones are seldom.
    fn draw(random: &mut Random) -> Self {
        match random.below(1_000) {
            0 => Self::LongAndOpen,
            1 => Self::TooLong,
            _ => KINDS[random.below(KINDS.len())],
        }
    }

    fn reason(self) -> DeadLetterReason {
        match self {
            Self::Empty | Self::Tombstone => DeadLetterReason::Empty,
            Self::NotUtf8 | Self::Utf16 => DeadLetterReason::InvalidUtf8,
            Self::Array | Self::Scalar => DeadLetterReason::NotAnObject,
            Self::Repeated => DeadLetterReason::DuplicateKey,
            Self::WrongIdentity | Self::Reserved => DeadLetterReason::ReservedField,
            Self::TooLong => DeadLetterReason::TooLarge,
            Self::Cut
            | Self::Nested
            | Self::HugeNumber
            | Self::TwoMarks
            | Self::NulByte
            | Self::Csv
            | Self::Trailing
            | Self::Surrogate
            | Self::LongAndOpen => DeadLetterReason::InvalidJson,
        }
    }

    /// A good record, made bad.
    fn value(self, good: &str, random: &mut Random) -> Option<Vec<u8>> {
        let place = random.below(good.len());
        let with = |bytes: &[u8]| [&good.as_bytes()[..place], bytes, &good.as_bytes()[place..]].concat();
        let field = |name: &str, value: &str| format!("{{\"{name}\":{value},{}", &good[1..]).into_bytes();
        let value = match self {
            Self::Cut => good.as_bytes()[..place.max(1)].to_vec(),
            Self::Nested => {
                let depth = 127 + random.below(3_000);
                field("deep", &format!("{}{}", "[".repeat(depth), "]".repeat(depth)))
            }
            Self::NotUtf8 => with(&[0x80 + u8::try_from(random.below(128)).unwrap()]),
            Self::Utf16 => format!("{MARK}{good}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
            Self::HugeNumber if random.below(2) == 0 => field("huge", &format!("-1e{}", 309 + random.below(100_000))),
            Self::HugeNumber => field("huge", &"9".repeat(310 + random.below(3_000))),
            Self::TwoMarks => format!("{MARK}{}{}", MARK, random.pick(&[good, ""])).into(),
            Self::Repeated => field(random.pick(&["src_bytes", "\\u0073rc_bytes", "uuid", "utc"]), "1"),
            Self::Array => format!("[{good}]").into(),
            Self::Scalar => random.pick(&["null", "true", "false", "42", " -1.5e3\n", "\"text\"", "[]"]).into(),
            Self::WrongIdentity => format!("{{\"uuid\":{}}}", random.pick(&["[7]", "{\"a\":1}"])).into(),
            Self::Reserved => field(random.pick(&[&ADDED[..], &["total_bytes"]].concat()), "\"mine\""),
            Self::NulByte => with(&[0]),
            Self::Csv => random.pick(&["0,tcp,http,SF,181,5450", "a;b;c\n1;2;3", "\"a\",\"b\"", "x\ty"]).into(),
            Self::Empty => Vec::new(),
            Self::Tombstone => return None,
            Self::Trailing => format!("{good}{}", random.pick(&[good, ",", "}", "x"])).into(),
            Self::Surrogate => field("half", "\"\\ud800\""),
            Self::LongAndOpen => format!("{{\"uuid\":\"long\",\"x\":\"{}", "x".repeat(900_000)).into(),
            Self::TooLong => field("x", &format!("\"{}\"", "x".repeat(1 << 20))),
        };
        Some(value)
    }
}

/// The same for the same seed: bad ones, and about half as many good ones, some of which look odd.
fn messages() -> Vec<Sent> {
    let (mut random, mut sent) = (Random(SEED), Vec::new());
    for number in 0..MALFORMED {
        let good = String::from_utf8(record(number)).unwrap();
        let kind = Kind::draw(&mut random);
        sent.push((kind.value(&good, &mut random), Some(kind.reason())));
        match random.below(8) {
            0..3 => sent.push((Some(good.into()), None)),
            3 => sent.push((Some(format!("{MARK}{good} \n").into()), None)),
            _ => {}
        }
    }
    sent
}

fn produce(broker: &Broker, sent: &[Sent]) {
    let producer: BaseProducer = broker.settings("source").producer().create().unwrap();
    for (number, (value, _)) in (0..).zip(sent) {
        let key = format!("key-{number}");
        let record = BaseRecord::to(TOPICS[0]).partition(number % PARTITIONS).key(&key);
        let record = value.iter().fold(record, BaseRecord::payload);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(FLUSH).unwrap();
}

fn of_partition<T>(all: impl IntoIterator<Item = T>, partition: usize) -> impl Iterator<Item = T> {
    all.into_iter().skip(partition).step_by(usize::try_from(PARTITIONS).unwrap())
}

fn good_uuids(sent: &[Sent], partition: usize) -> Vec<String> {
    let good = of_partition(sent, partition).filter(|(_, reason)| reason.is_none());
    let uuid = |value: &[u8]| {
        let text = std::str::from_utf8(value).unwrap().trim_start_matches(MARK);
        serde_json::from_str::<serde_json::Value>(text).unwrap()["uuid"].as_str().unwrap().to_owned()
    };
    good.map(|(value, _)| uuid(value.as_deref().unwrap())).collect()
}

fn bad_ones(sent: &[Sent], partition: usize) -> Reasons {
    let place = |offset: usize| (i32::try_from(partition).unwrap(), i64::try_from(offset).unwrap());
    let bad = of_partition(sent, partition).enumerate();
    bad.filter_map(|(offset, (_, reason))| Some((place(offset), (*reason)?))).collect()
}

/// What each letter says, in the order in which they stand.
fn said(letters: &[OwnedMessage]) -> Vec<((i32, i64), DeadLetterReason)> {
    let read = |letter: &OwnedMessage| {
        let headers = letter.headers().unwrap().iter().map(|header| (header.key, header.value));
        let DeadLetter { place: RecordPlace { partition, offset, .. }, refusal, .. } =
            DeadLetter::read(headers).unwrap();
        ((partition, offset), refusal.reason)
    };
    letters.iter().map(read).collect()
}

/// The dead letters of all reasons.
fn counted(metrics: &str) -> usize {
    let counts =
        metrics.lines().filter_map(|line| line.strip_prefix("vedette_detector_dead_letters_total{")?.rsplit_once(' '));
    counts.map(|(_, count)| count.parse::<usize>().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_malformed_messages_are_dead_letters_and_no_neighbour_is_hurt() {
    let broker = Broker::start([PARTITIONS; 4]).await;
    let directory = tempfile::tempdir().unwrap();
    let sent = messages();
    produce(&broker, &sent);
    let limit = format!("--max-message-bytes={LIMIT}");
    let more = ["--processing-guarantee=ExactlyOnce", BUDGET, &limit];
    let running = detector(&broker, "detector-0", directory.path(), &more);
    let enriched = broker.read(&[(TOPICS[1], PARTITIONS)], sent.len() - MALFORMED);
    let letters = broker.read(&[(TOPICS[3], PARTITIONS)], MALFORMED);
    running.wait_for("/metrics", |metrics| counted(metrics) == MALFORMED).await;
    running.stop().await;

    for partition in 0..PARTITIONS {
        let number = usize::try_from(partition).unwrap();
        let here = |messages: &[OwnedMessage]| -> Vec<_> {
            messages.iter().filter(|message| message.partition() == partition).cloned().collect()
        };
        assert_eq!(uuids(&here(&enriched)), good_uuids(&sent, number), "partition {partition} of seed {SEED}");
        let said = said(&here(&letters));
        assert!(said.is_sorted_by_key(|(place, _)| *place), "partition {partition} of seed {SEED}");
        let (reasons, expected) = (said.iter().copied().collect::<Reasons>(), bad_ones(&sent, number));
        assert_eq!((said.len(), reasons), (expected.len(), expected), "partition {partition} of seed {SEED}");
    }
    for (place, letter) in said(&letters).iter().map(|(place, _)| place).zip(&letters) {
        let number = usize::try_from(place.1 * i64::from(PARTITIONS) + i64::from(place.0)).unwrap();
        let (whole, kept) = (sent[number].0.as_deref().unwrap_or_default(), letter.payload().unwrap_or_default());
        assert!(whole == kept || whole.len() > LIMIT && whole.starts_with(kept), "{place:?} of seed {SEED}");
    }
}
