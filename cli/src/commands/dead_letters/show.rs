//! `vedette dead-letters show`: one dead letter as it is.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use vedette_contract::TopicName;
use vedette_records::dead_letter::{RecordPlace, WholeValue};

use super::letters::{Letter, Letters};
use super::place::Place;
use super::{DeadLettersError, TopicOptions};
use crate::output::{Align, OutputFormat, OutputOptions, Table, escaped, print, time, write_title};

/// Shows what was wrong with a record, where it came from, and the record itself.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  vedette dead-letters show 0:0 --bootstrap-servers kafka:9092
  vedette dead-letters show 0:0 --bootstrap-servers kafka:9092 --value")]
pub struct ShowOptions {
    /// Which one, as list names it
    #[arg(value_name = "PARTITION:OFFSET")]
    pub place: Place,
    /// Where it is.
    #[command(flatten)]
    pub topic: TopicOptions,
    /// Write the bytes of the record, and nothing else
    #[arg(long, conflicts_with = "output")]
    pub value: bool,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// What is told of each.
#[derive(Debug, Serialize)]
pub(super) struct Summary<'a> {
    pub(super) place: Place,
    pub(super) refused_at: Timestamp,
    pub(super) reason: &'static str,
    pub(super) message: &'a str,
    pub(super) topic: &'a TopicName,
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// Of the value as it came.
    pub(super) bytes: usize,
    /// The letter has the value's beginning alone.
    pub(super) cut: bool,
}

impl<'a> Summary<'a> {
    pub(super) fn of(letter: &'a Letter) -> Self {
        let Letter { place, says, value, .. } = letter;
        let RecordPlace { topic, partition, offset } = &says.place;
        let whole = says.whole.as_ref().map(|WholeValue { length, sha256: _ }| *length);
        Self {
            place: *place,
            refused_at: says.refused_at,
            reason: says.refusal.reason.as_str(),
            message: &says.refusal.message,
            topic,
            partition: *partition,
            offset: *offset,
            bytes: whole.unwrap_or_else(|| value.as_ref().map_or(0, Vec::len)),
            cut: whole.is_some(),
        }
    }

    /// Where the record was.
    pub(super) fn from(&self) -> String {
        format!("{} {}:{}", self.topic, self.partition, self.offset)
    }
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    made_at: Option<Timestamp>,
    key: Option<Bytes<'a>>,
    headers: Vec<(&'a str, Option<Bytes<'a>>)>,
    value: Option<Bytes<'a>>,
}

/// Text, or what is none as Base64.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Bytes<'a> {
    Text(&'a str),
    Base64(String),
}

impl<'a> Bytes<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        std::str::from_utf8(bytes).map_or_else(|_| Self::Base64(STANDARD.encode(bytes)), Self::Text)
    }
}

/// Prints it.
pub(super) fn show(options: &ShowOptions) -> Result<(), DeadLettersError> {
    let letter = Letters::open(&options.topic)?.at(options.place)?;
    if options.value {
        return Ok(print(|out| out.write_all(letter.value.as_deref().unwrap_or_default()))?);
    }
    let format = options.output.format();
    Ok(print(|out| write(out, &letter, format))?)
}

fn shown(letter: &Letter) -> Shown<'_> {
    let headers = letter.headers.iter().map(|(key, value)| (key.as_str(), value.as_deref().map(Bytes::of)));
    Shown {
        summary: Summary::of(letter),
        made_at: made_at(letter),
        key: letter.key.as_deref().map(Bytes::of),
        headers: headers.collect(),
        value: letter.value.as_deref().map(Bytes::of),
    }
}

fn made_at(letter: &Letter) -> Option<Timestamp> {
    letter.timestamp.and_then(|millis| Timestamp::from_millisecond(millis).ok())
}

fn write(out: &mut impl Write, letter: &Letter, format: OutputFormat) -> io::Result<()> {
    if let Some(document) = format.document() {
        return document.write(out, &shown(letter));
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let summary = Summary::of(letter);
    let mut table = Table::new([("", Align::Left), ("", Align::Left)]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("reason", summary.reason.to_owned());
    row("what was wrong", summary.message.to_owned());
    row("refused (UTC)", time(summary.refused_at));
    row("from", summary.from());
    made_at(letter).into_iter().for_each(|at| row("made (UTC)", time(at)));
    row("bytes", format!("{}{}", summary.bytes, if summary.cut { ", of which the letter has the first" } else { "" }));
    letter.key.iter().for_each(|key| row("key", text(key)));
    for (name, value) in &letter.headers {
        row(&format!("header {name}"), value.as_deref().map(text).unwrap_or_default());
    }
    table.write(out, format)?;
    let Some(value) = &letter.value else { return Ok(()) };
    write_title(out, "record", format)?;
    writeln!(out, "{}", escaped(&text(value)))
}
