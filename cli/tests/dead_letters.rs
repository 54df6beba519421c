//! `vedette dead-letters` as it is run, on an embedded broker.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::{Command, Output};
use std::time::Duration;

use jiff::Timestamp;
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};
use vedette_contract::dead_letter::DeadLetterReason;
use vedette_records::Refusal;
use vedette_records::dead_letter::{DeadLetter, Limit, RecordPlace};
use vedette_streams::kafka::place::{at_offset, read_to_end};
use vedette_testing::TestBroker;
use vedette_testing::pages::words;

const LETTERS: &str = "west.dead_letters";
const INPUT: &str = "sensor_messages";
const MADE_AT: i64 = 1_795_424_530_250;
const PATIENCE: Duration = Duration::from_secs(240);
/// What moves a terminal's cursor, and text that runs the other way.
const HOSTILE: &str = "\u{1b}[2J\u{202e}\r";

struct World(TestBroker);

impl World {
    /// Partition 0 has a text for a number, a record that is cut off and one of a time that Kafka refuses; partition 1 what no letter
    /// is, a long one and one that is no text.
    async fn new() -> Self {
        let topics =
            [&format!("{LETTERS}:partitions=2,retention.ms=-1"), "sensor_messages:partitions=2,retention.ms=-1"];
        let world = Self(TestBroker::with_topics(&topics.map(|topic| topic as &str)).await);
        world.letter(
            0,
            7,
            br#"{"temperature":"21.5","id":12345678901234567890}"#,
            DeadLetterReason::ScoringFailed,
            1_000,
        );
        world.letter(0, 8, br#"{"temperature":"#, DeadLetterReason::InvalidJson, 1_000);
        world.letter(0, 9, br#"{"temperature":1}"#, DeadLetterReason::Refused, 1_000);
        world.produce(LETTERS, 1, b"{}", OwnedHeaders::new());
        world.letter(1, 10, &b"x".repeat(900), DeadLetterReason::TooLarge, 700);
        world.letter(1, 11, &[0xff, 0x1b, b'[', b'2', b'J'], DeadLetterReason::InvalidUtf8, 1_000);
        world
    }

    fn produce(&self, topic: &str, partition: i32, value: &[u8], headers: OwnedHeaders) {
        let producer: BaseProducer = self.0.settings("producer").producer().create().unwrap();
        let record = BaseRecord::to(topic).partition(partition).key("k").payload(value).headers(headers);
        producer.send(record.timestamp(MADE_AT)).map_err(|(error, _)| error).unwrap();
        producer.flush(PATIENCE).unwrap();
    }

    /// Letters are refused a second after each other, in the order of the offsets that they came from.
    fn letter(&self, partition: i32, offset: i64, value: &[u8], reason: DeadLetterReason, max_message_bytes: usize) {
        let place = RecordPlace { topic: INPUT.parse().unwrap(), partition, offset };
        let refused_at = Timestamp::from_second(MADE_AT / 1_000 + offset).unwrap();
        let refusal = Refusal::new(reason, format!("no good{HOSTILE}"));
        let fitted =
            DeadLetter::fit(place, refusal, refused_at, Some(value), Limit { inherited_bytes: 0, max_message_bytes });
        let trace = Header { key: "trace", value: Some(HOSTILE) };
        let headers = fitted.headers.iter().fold(OwnedHeaders::new().insert(trace), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(value) })
        });
        self.produce(LETTERS, partition, fitted.value.unwrap(), headers);
    }

    fn run(&self, words: &[&str]) -> Output {
        let servers = self.0.address().to_string();
        let property = "receive.message.max.bytes=2147483647";
        let words = words.iter().map(|word| if *word == "kafka:9092" { servers.as_str() } else { word });
        let mut command = Command::new(env!("CARGO_BIN_EXE_vedette"));
        command.arg("dead-letters").args(words).args(["--kafka-property", property]).env_remove("RUST_LOG");
        command.output().unwrap()
    }

    fn on(&self, words: &[&str]) -> Output {
        self.run(&[words, &["--bootstrap-servers", "kafka:9092", "--topic", LETTERS]].concat())
    }

    fn says(&self, words: &[&str]) -> String {
        let output = self.on(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\r']), "{words:?}: {text:?}");
        text
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.says(&[words, &["-o", "json"]].concat())).unwrap()
    }

    fn refusal(&self, words: &[&str]) -> String {
        let output = self.on(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    /// Of each record of the input its partition, value, headers as text, and time.
    fn sent(&self) -> Vec<(i32, String, Vec<String>, Option<i64>)> {
        let mut sent = Vec::new();
        for partition in 0..2 {
            read_to_end(&self.0.settings("reader"), "reader", &at_offset(INPUT, partition, 0).unwrap(), |message| {
                sent.push((partition, text(message.payload()), headers(message), message.timestamp().to_millis()));
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        }
        sent
    }
}

fn text(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}

fn headers(message: &BorrowedMessage<'_>) -> Vec<String> {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    headers.map(|header| format!("{}={}", header.key, text(header.value))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_help_of_each_command_ends_with_two_examples_that_run() {
    let world = World::new().await;
    world.0.create_topics(&["dead_letters:partitions=1,retention.ms=-1"]).await;
    let letter = |topic: &str| {
        let place = RecordPlace { topic: INPUT.parse().unwrap(), partition: 0, offset: 1 };
        let refusal = Refusal::new(DeadLetterReason::ScoringFailed, "no score".to_owned());
        let limit = Limit { inherited_bytes: 0, max_message_bytes: 1_000 };
        let fitted = DeadLetter::fit(place, refusal, Timestamp::UNIX_EPOCH, Some(br#"{"temperature":"1"}"#), limit);
        let headers = fitted
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
        world.produce(topic, 0, fitted.value.unwrap(), headers);
    };
    letter("dead_letters");
    for verb in ["list", "show", "replay"] {
        let help = Command::new(env!("CARGO_BIN_EXE_vedette"))
            .args(["dead-letters", verb, "--help"])
            .env("COLUMNS", "1000")
            .output()
            .unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        let (_, examples) = help.rsplit_once("Examples:\n").unwrap();
        let examples: Vec<&str> = examples.trim_end().lines().map(str::trim).collect();
        assert_eq!(examples.len(), 2, "{verb}: {examples:?}");
        for example in examples {
            let words = words(example);
            let words: Vec<&str> = words.iter().skip(2).map(String::as_str).collect();
            let output = world.run(&words);
            assert!(output.status.success(), "{example}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(!output.stdout.is_empty(), "{example} prints nothing");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_listed_the_newest_first_with_what_is_none_beside() {
    let world = World::new().await;
    let listing = world.json(&["list"]);
    let of = |field: &str| -> Vec<Value> {
        listing["letters"].as_array().unwrap().iter().map(|letter| letter[field].clone()).collect()
    };
    assert_eq!(of("place"), ["1:2", "1:1", "0:2", "0:1", "0:0"].map(Value::from));
    assert_eq!(of("offset"), [11, 10, 9, 8, 7].map(Value::from));
    assert_eq!(of("cut"), [false, true, false, false, false].map(Value::from));
    assert_eq!(of("bytes")[1], json!(900));
    assert_eq!(listing["others"], json!(1));
    let listed = world.says(&["list", "--limit", "2"]);
    assert_eq!(listed.lines().map(|line| line.split('\t').next().unwrap()).collect::<Vec<_>>(), ["1:2", "1:1"]);
    assert!(listed.contains("sensor_messages 1:11"), "{listed}");
    let one = world.json(&["list", "--limit", "1", "--reason", "scoring_failed"]);
    assert_eq!(one["letters"][0]["place"], json!("0:0"));
    assert!(String::from_utf8(world.on(&["list"]).stderr).unwrap().contains("1 messages"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_shown_as_it_is_and_moves_no_cursor() {
    let world = World::new().await;
    let shown = world.says(&["show", "0:0"]);
    for word in ["scoring_failed", "no good", "sensor_messages 0:7", "header trace", r#"{"temperature":"21.5""#] {
        assert!(shown.contains(word), "no {word} in {shown}");
    }
    let shown = world.json(&["show", "1:2"]);
    assert_eq!(shown["value"], json!({ "base64": "/xtbMko=" }));
    assert_eq!((&shown["key"], &shown["made_at"]), (&json!({ "text": "k" }), &json!("2026-11-23T09:02:10.25Z")));
    assert_eq!(world.on(&["show", "1:2", "--value"]).stdout, [0xff, 0x1b, b'[', b'2', b'J']);
    assert!(world.refusal(&["show", "0:3"]).contains("vedette dead-letters list"));
    assert!(world.refusal(&["show", "7:0"]).contains("vedette dead-letters list"));
    assert!(world.refusal(&["show", "1:0"]).contains("no dead letter"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_replayed_says_so_and_is_as_it_was_or_mended() {
    let world = World::new().await;
    let replayed = world.json(&["replay", "0:0", "--edit", ".temperature |= tonumber"]);
    assert_eq!(replayed["replayed"][0]["place"], json!("0:0"));
    assert_eq!((&replayed["replayed"][0]["offset"], &replayed["left"]), (&json!(0), &json!([])));
    world.says(&["replay", "0:1"]);
    let before = Timestamp::now().as_millisecond();
    world.says(&["replay", "0:2"]);
    let headers = |offset: i64| vec![format!("trace={HOSTILE}"), format!("vedette.replayed={LETTERS}/0/{offset}")];
    let sent = world.sent();
    assert_eq!(sent[0], (0, r#"{"temperature":21.5,"id":12345678901234567890}"#.to_owned(), headers(0), Some(MADE_AT)));
    assert_eq!(sent[1], (0, r#"{"temperature":"#.to_owned(), headers(1), Some(MADE_AT)));
    assert_eq!((sent[2].0, &sent[2].2), (0, &headers(2)));
    assert!(sent[2].3 >= Some(before), "Kafka refused its own time");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_left_and_said_and_the_others_are_sent() {
    let world = World::new().await;
    let said = world.refusal(&["replay", "--all"]);
    assert!(said.contains("1:1 was not sent") && said.contains("--value-file"), "{said}");
    assert!(said.contains("1 of 5 dead letters"), "{said}");
    assert_eq!(world.sent().iter().map(|(partition, ..)| *partition).collect::<Vec<_>>(), [0, 0, 0, 1]);
    let directory = tempfile::tempdir().unwrap();
    let whole = directory.path().join("whole record");
    std::fs::write(&whole, "whole").unwrap();
    world.says(&["replay", "1:1", "--value-file", whole.to_str().unwrap()]);
    assert_eq!(world.sent().last().unwrap().1, "whole");
    let said = world.refusal(&["replay", "0:1", "--edit", "."]);
    assert!(said.contains("no JSON"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_where_something_is_wrong_or_only_tried() {
    let world = World::new().await;
    let tried =
        world.says(&["replay", "--all", "--reason", "scoring_failed", "--dry-run", "--edit", ".temperature = 1"]);
    assert_eq!(tried, "0:0 sensor_messages {\"temperature\":1,\"id\":12345678901234567890}\n");
    assert!(world.refusal(&["replay", "0:0", "0:9"]).contains("0:9"));
    assert!(world.refusal(&["replay", "0:0", "--edit", ".a ="]).contains("no filter of jq"));
    assert!(world.refusal(&["replay", "0:0", "0:1", "--value-file", "x"]).contains("one letter"));
    assert!(world.refusal(&["replay", "0:0", "--value-file", "no such file"]).contains("no such file"));
    for wrong in [&["replay"][..], &["replay", "0:0", "--all"], &["replay", "0:0", "--reason", "empty"], &["show", "x"]]
    {
        assert_eq!(world.on(wrong).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(world.sent(), []);
    let missing = world.run(&["list", "--bootstrap-servers", "kafka:9092", "--topic", "other"]);
    assert!(String::from_utf8(missing.stderr).unwrap().contains("topic other does not exist"));
}
