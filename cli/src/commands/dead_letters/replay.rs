//! `vedette dead-letters replay`: sends the records of dead letters once more.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use futures::{StreamExt, stream};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde::Serialize;
use tokio::sync::mpsc;
use vedette_contract::TopicName;
use vedette_contract::dead_letter::DeadLetterReason;
use vedette_service::Shutdown;
use vedette_streams::kafka::{KafkaContext, KafkaSettings};

use super::edit::Edit;
use super::letters::{Letter, Letters};
use super::place::Place;
use super::{DeadLettersError, TopicOptions};
use crate::output::{Align, OutputFormat, OutputOptions, Progress, Table, escaped_json, print, warn};

/// So many are on their way at once.
const ON_THEIR_WAY: usize = 256;
/// How long one may wait for room in the producer's queue.
const QUEUE_WAIT: Duration = Duration::from_secs(30);

/// Sends the records of dead letters once more to the topic that they came from, with their key and headers, and with the header
/// `vedette.replayed`, which names the letter. The letters stay where they are, so that who replays one twice sends it twice.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["places", "all"]))]
#[command(after_help = "Examples:
  vedette dead-letters replay 0:0 --bootstrap-servers kafka:9092 --edit '.temperature |= tonumber'
  vedette dead-letters replay --all --reason scoring_failed --bootstrap-servers kafka:9092 --dry-run")]
pub struct ReplayOptions {
    /// Which ones, as list names them
    #[arg(value_name = "PARTITION:OFFSET")]
    pub places: Vec<Place>,
    /// All that are there
    #[arg(long)]
    pub all: bool,
    /// Of all those of this reason, such as `invalid_json` or `scoring_failed`
    #[arg(long, value_name = "REASON", conflicts_with = "places")]
    pub reason: Option<DeadLetterReason>,
    /// Where they are.
    #[command(flatten)]
    pub topic: TopicOptions,
    /// What of each record is to be another, as a filter of jq
    #[arg(long, value_name = "JQ", conflicts_with = "value_file")]
    pub edit: Option<String>,
    /// File with the record that is to stand instead of that of the one letter
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    pub value_file: Option<PathBuf>,
    /// Another topic than that which each came from
    #[arg(long, value_name = "TOPIC")]
    pub to: Option<TopicName>,
    /// Print the records as they would be sent, and send nothing
    #[arg(long)]
    pub dry_run: bool,
    /// In what form.
    #[command(flatten)]
    pub output: OutputOptions,
}

/// What stands for the value of a letter.
enum Mend {
    AsItIs,
    Edited(Edit),
    Instead(Vec<u8>),
}

impl Mend {
    fn of(options: &ReplayOptions) -> Result<Self, DeadLettersError> {
        match (&options.edit, &options.value_file) {
            (Some(edit), _) => Ok(Self::Edited(Edit::new(edit)?)),
            (None, Some(file)) => {
                let read = std::fs::read(file);
                read.map(Self::Instead).map_err(|source| DeadLettersError::Value { file: file.clone(), source })
            }
            (None, None) => Ok(Self::AsItIs),
        }
    }

    /// The value to send, or why there is none.
    fn value(&self, letter: &Letter) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::Instead(value) => Ok(Some(value.clone())),
            Self::AsItIs | Self::Edited(_) if letter.says.whole.is_some() => {
                Err("the letter has only the beginning of the record: give all of it with --value-file".to_owned())
            }
            Self::AsItIs => Ok(letter.value.clone()),
            Self::Edited(edit) => {
                edit.apply(letter.value.as_deref().unwrap_or_default()).map(Some).map_err(|error| error.to_string())
            }
        }
    }
}

/// One that is ready.
struct Ready {
    letter: Letter,
    to: TopicName,
    value: Option<Vec<u8>>,
}

#[derive(Debug, Default, Serialize)]
struct Outcome {
    replayed: Vec<Replayed>,
    left: Vec<Left>,
}

/// Where one is now.
#[derive(Debug, Serialize)]
struct Replayed {
    place: Place,
    topic: TopicName,
    partition: i32,
    offset: i64,
}

/// One that was not sent.
#[derive(Debug, Serialize)]
struct Left {
    place: Place,
    why: String,
}

/// Sends them.
pub(super) async fn replay(options: ReplayOptions, shutdown: &Shutdown) -> Result<(), DeadLettersError> {
    if options.value_file.is_some() && options.places.len() > 1 {
        return Err(DeadLettersError::OneValue { letters: options.places.len() });
    }
    let mend = Mend::of(&options)?;
    let (sender, letters) = mpsc::channel(ON_THEIR_WAY);
    let (settings, topic) = (KafkaSettings::new(&options.topic.kafka, "vedette"), options.topic.topic.clone());
    let (to, dry_run, format) = (options.to.clone(), options.dry_run, options.output.format());
    let reading = tokio::task::spawn_blocking(move || read(&options, &sender));
    let producer = settings.producer().create_with_context(settings.context()).map_err(DeadLettersError::Producer)?;
    let mut outcome = Outcome::default();
    let ready = |letter: Letter| {
        let to = to.clone().unwrap_or_else(|| letter.says.place.topic.clone());
        match mend.value(&letter) {
            Ok(value) => Ok(Ready { letter, to, value }),
            Err(why) => Err(Left { place: letter.place, why }),
        }
    };
    let ready = stream::unfold(letters, async |mut letters| Some((letters.recv().await?, letters))).map(ready);
    let mut sent = ready
        .map(async |ready| match ready {
            Ok(ready) if dry_run => would_send(&ready),
            Ok(ready) => send(&producer, &topic, ready).await.map(Some),
            Err(left) => Ok(Err(left)?),
        })
        .buffered(ON_THEIR_WAY)
        .boxed_local();
    let mut progress = Progress::new();
    while let Some(one) = shutdown.run_until_cancelled(sent.next()).await.ok_or(DeadLettersError::Stopped)? {
        match one {
            Ok(replayed) => outcome.replayed.extend(replayed),
            Err(left) => outcome.left.push(left),
        }
        progress.tell(|| format!("{} sent, {} left", outcome.replayed.len(), outcome.left.len()));
    }
    drop((sent, progress));
    reading.await??;
    tell(&outcome, dry_run, format)
}

/// Hands over the letters that are wanted; of those that are named all must be there before the first is sent.
fn read(options: &ReplayOptions, sender: &mpsc::Sender<Letter>) -> Result<(), DeadLettersError> {
    let letters = Letters::open(&options.topic)?;
    let hand_over = |letter| match sender.blocking_send(letter) {
        Ok(()) => ControlFlow::Continue(()),
        Err(_) => ControlFlow::Break(()),
    };
    if options.all {
        return letters.each(options.reason, hand_over);
    }
    let named = options.places.iter().map(|place| letters.at(*place)).collect::<Result<Vec<_>, _>>()?;
    // Who no longer takes them has been stopped.
    let _ = named.into_iter().try_for_each(hand_over);
    Ok(())
}

async fn send(producer: &FutureProducer<KafkaContext>, letters: &TopicName, ready: Ready) -> Result<Replayed, Left> {
    let Ready { letter, to, value } = ready;
    let mut record: FutureRecord<'_, [u8], [u8]> =
        FutureRecord::to(to.as_str()).headers(letter.headers_of_replay(letters));
    record.payload = value.as_deref();
    record.key = letter.key.as_deref();
    // A time that Kafka refused it refuses again.
    record.timestamp = letter.timestamp.filter(|_| letter.reason() != DeadLetterReason::Refused);
    record.partition = (to == letter.says.place.topic).then_some(letter.says.place.partition);
    match producer.send(record, QUEUE_WAIT).await {
        Ok(delivery) => {
            let (partition, offset) = (delivery.partition, delivery.offset);
            Ok(Replayed { place: letter.place, topic: to.clone(), partition, offset })
        }
        Err((error, _)) => Err(Left { place: letter.place, why: format!("topic {to} does not take it: {error}") }),
    }
}

fn would_send(ready: &Ready) -> Result<Option<Replayed>, Left> {
    let value = String::from_utf8_lossy(ready.value.as_deref().unwrap_or_default());
    let line = |out: &mut dyn Write| writeln!(out, "{} {} {}", ready.letter.place, ready.to, escaped_json(&value));
    let failed = |error: crate::output::OutputError| Left { place: ready.letter.place, why: error.to_string() };
    print(|out| line(out)).map(|()| None).map_err(failed)
}

fn tell(outcome: &Outcome, dry_run: bool, format: OutputFormat) -> Result<(), DeadLettersError> {
    if !dry_run {
        print(|out| write(out, outcome, format))?;
    }
    for Left { place, why } in &outcome.left {
        warn(&format!("{place} was not sent: {why}"));
    }
    match outcome.left.len() {
        0 => Ok(()),
        left => Err(DeadLettersError::Left { left, wanted: left + outcome.replayed.len() }),
    }
}

fn write(out: &mut impl Write, outcome: &Outcome, format: OutputFormat) -> io::Result<()> {
    if let Some(document) = format.document() {
        return document.write(out, outcome);
    }
    let mut table = Table::new([("PLACE", Align::Left), ("NOW AT", Align::Left)]);
    for Replayed { place, topic, partition, offset } in &outcome.replayed {
        table.row([place.to_string(), format!("{topic} {partition}:{offset}")]);
    }
    table.write(out, format)
}
