//! Where a partition goes on whose group has forgotten how far it was read: the tail of what was made of it names the last record.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Headers, Message};
use tracing::warn;
use vedette_contract::input::{HEADER_INPUT, InputPlace};
use vedette_streams::kafka::group::GroupConsumer;
use vedette_streams::kafka::place::{Beginning, at_offset, forgotten, read_to_end, record_at};
use vedette_streams::kafka::{KafkaSettings, REQUEST_TIMEOUT, is_refusal};

use crate::messages::{Outputs, hash};

/// How far back is looked, step by step, in offsets of a partition of the enriched data.
const TAILS: [i64; 4] = [1_000, 8_000, 64_000, 256_000];
/// So many of the places that a partition names are kept: of the last one alone the record may be gone.
const NAMED: usize = 8;
/// How long is looked: a member that does not poll is put out of its group after a minute.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks for the places of partitions that a group has forgotten, for a while.
pub(crate) struct Resume<'a> {
    kafka: &'a KafkaSettings,
    group: &'a str,
    consumer: &'a GroupConsumer,
    outputs: &'a Outputs,
    tails: Tails,
    /// A partition of the input of which places from this offset on are not of interest.
    end: Option<(i32, i64)>,
    until: Instant,
}

impl<'a> Resume<'a> {
    pub(crate) fn begin(
        kafka: &'a KafkaSettings,
        group: &'a str,
        consumer: &'a GroupConsumer,
        outputs: &'a Outputs,
    ) -> Self {
        Self { kafka, group, consumer, outputs, tails: Tails::default(), end: None, until: Instant::now() + PATIENCE }
    }

    /// The place behind the last record of which something was made; the first record where that is none.
    ///
    /// # Errors
    /// When Kafka does not tell, or did not in time: what is found is nothing to begin by then.
    pub(crate) fn place(&mut self, partition: i32) -> KafkaResult<Beginning> {
        if !self.tails.is_over && Instant::now() >= self.until {
            return Err(KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut));
        }
        let topic = self.outputs.topics.sensor_messages.as_str();
        let watermarks = self.consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        let (low, high) = watermarks;
        // Nothing was ever written there.
        if high == 0 {
            return Ok(Beginning::First(low));
        }
        let beginning = match self.identity(partition, watermarks)? {
            None => return Ok(Beginning::First(low)),
            Some(identity) => {
                forgotten(identity.end(), watermarks, || KafkaResult::Ok(!matches!(identity, Identity::Another(_))))?
            }
        };
        self.shortened(partition, beginning)
    }

    /// A topic that ends before what was read of it was made anew, unless it still holds what was read before its end.
    ///
    /// # Errors
    /// As [`Resume::place`].
    pub(crate) fn shortened(&mut self, partition: i32, beginning: Beginning) -> KafkaResult<Beginning> {
        let Beginning::Recreated { committed, .. } = beginning else { return Ok(beginning) };
        let topic = self.outputs.topics.sensor_messages.as_str();
        let watermarks = self.consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        let (low, high) = watermarks;
        if !(low..committed).contains(&high) || low == high {
            return Ok(beginning);
        }
        (self.tails, self.end) = (Tails::default(), Some((partition, high)));
        let identity = self.identity(partition, watermarks);
        (self.tails, self.end) = (Tails::default(), None);
        Ok(if let Some(Identity::Same(_)) = identity? { beginning.of_same_topic(high) } else { beginning })
    }

    fn identity(&mut self, partition: i32, watermarks: (i64, i64)) -> KafkaResult<Option<Identity>> {
        self.read_tails(partition)?;
        let topic = self.outputs.topics.sensor_messages.as_str();
        let record = |place: &InputPlace| record_at(self.kafka, self.group, topic, partition, place.offset);
        identity(self.tails.named_by(partition), watermarks, record)
    }

    /// Reads what the tails of the enriched data name last of a partition of the input; where partitions are kept, the one of its number
    /// comes first. Without the ACL for it, or if it takes too long, the stream begins at the first record, as it did before anything
    /// named a place.
    fn read_tails(&mut self, partition: i32) -> KafkaResult<()> {
        let all = 0..self.outputs.partitions.enriched_data;
        let own = all.clone().filter(|output| *output == partition);
        for output in own.chain(all.clone().filter(|output| *output != partition)) {
            if self.tails.is_over || (self.keeps_partitions() && self.tails.places.contains_key(&partition)) {
                break;
            }
            if !self.tails.read.contains(&output) {
                self.read_tail(output);
            }
            match self.tails.untold.get(&output) {
                // What was made of this partition stands in another.
                Some(_) if self.keeps_partitions() && output != partition => {}
                Some(cause) => return Err(cause.clone()),
                None => {}
            }
        }
        Ok(())
    }

    fn read_tail(&mut self, output: i32) {
        self.tails.read.insert(output);
        match self.tail(output, self.until) {
            Ok(places) => self.tails.add(places),
            Err(cause) if is_refusal(&cause) => self.end(&format!("{cause}; grant the ACL: Read on the topic")),
            Err(cause) => {
                self.tails.untold.insert(output, cause);
                return;
            }
        }
        if Instant::now() >= self.until {
            self.end("it takes too long");
        }
    }

    fn end(&mut self, cause: &str) {
        let topic = self.outputs.topics.enriched_data.as_str();
        self.tails.is_over = true;
        warn!(topic, cause, "how far was read is not looked for any more, and records may be enriched twice");
    }

    /// Those that one partition names, read from further and further back: what was made by a build before this one names none.
    fn tail(&self, partition: i32, until: Instant) -> KafkaResult<Places> {
        let topic = self.outputs.topics.enriched_data.as_str();
        let (low, high) = self.consumer.fetch_watermarks(topic, partition, REQUEST_TIMEOUT)?;
        let mut places = Places::new();
        for tail in TAILS {
            let from = (high - tail).max(low);
            if from < high {
                places = self.named(partition, from..high, until)?;
            }
            if from == low || Instant::now() >= until || (!places.is_empty() && self.keeps_partitions()) {
                break;
            }
        }
        Ok(places)
    }

    /// Those that the records from one offset up to before another name; of each partition the last few.
    fn named(&self, partition: i32, offsets: Range<i64>, until: Instant) -> KafkaResult<Places> {
        let (topic, mut places) = (self.outputs.topics.enriched_data.as_str(), Places::new());
        read_to_end(self.kafka, self.group, &at_offset(topic, partition, offsets.start)?, |message| {
            self.place_of(message).into_iter().for_each(|place| note(place, &mut places));
            let goes_on = message.offset() + 1 < offsets.end && Instant::now() < until;
            if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(places)
    }

    /// Whether a partition of the enriched data holds what was made of the partition of the same number, and nothing else.
    fn keeps_partitions(&self) -> bool {
        self.outputs.partitions.enriched_data == self.outputs.partitions.sensor_messages
    }

    /// The input that a message was made of, where it is of ours. A header of the input's own stands before it.
    fn place_of(&self, message: &impl Message) -> Option<InputPlace> {
        let headers = message.headers()?;
        let header = headers.iter().filter(|header| header.key == HEADER_INPUT).last()?;
        let place: InputPlace = std::str::from_utf8(header.value?).ok()?.parse().ok()?;
        let is_past = self.end.is_some_and(|(partition, end)| place.partition == partition && place.offset >= end);
        (place.topic == self.outputs.topics.sensor_messages && !is_past).then_some(place)
    }
}

/// By partition of the input, the last that one partition of the enriched data names, in their order.
type Places = BTreeMap<i32, Vec<InputPlace>>;

fn note(place: InputPlace, places: &mut Places) {
    let last = places.entry(place.partition).or_default();
    if last.len() == NAMED {
        last.remove(0);
    }
    last.push(place);
}

/// What was read of the enriched data.
#[derive(Debug, Default)]
struct Tails {
    /// Partitions of it that were asked for.
    read: BTreeSet<i32>,
    /// Those of them of which Kafka did not tell.
    untold: BTreeMap<i32, KafkaError>,
    /// Of each partition of the input what each of these names.
    places: BTreeMap<i32, Vec<Vec<InputPlace>>>,
    /// No more is read.
    is_over: bool,
}

impl Tails {
    fn add(&mut self, places: Places) {
        for (input, named) in places {
            self.places.entry(input).or_default().push(named);
        }
    }

    fn named_by(&self, partition: i32) -> &[Vec<InputPlace>] {
        self.places.get(&partition).map_or(&[], Vec::as_slice)
    }
}

/// Whether the input is the topic still that it was when it was read up to before this offset. What counts more is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Identity {
    /// No record is left that would tell: of a compacted topic, or one of which retention deleted what was read.
    Untold(i64),
    /// The topic was made anew: one of its records is another.
    Another(i64),
    Same(i64),
}

impl Identity {
    fn end(self) -> i64 {
        match self {
            Self::Untold(end) | Self::Another(end) | Self::Same(end) => end,
        }
    }
}

/// By what the partitions of the enriched data name of a partition of the input, and the records that are there. Where outputs have other
/// numbers of partitions one of them may still name the places of an older topic.
fn identity<M: Message>(
    named: &[Vec<InputPlace>],
    watermarks: (i64, i64),
    record: impl Fn(&InputPlace) -> KafkaResult<Option<M>>,
) -> KafkaResult<Option<Identity>> {
    let mut identities = Vec::new();
    for places in named {
        identities.extend(identity_by(places, watermarks, &record)?);
    }
    Ok(identities.into_iter().max())
}

fn identity_by<M: Message>(
    places: &[InputPlace],
    (low, high): (i64, i64),
    record: impl Fn(&InputPlace) -> KafkaResult<Option<M>>,
) -> KafkaResult<Option<Identity>> {
    let Some(end) = places.iter().map(|place| place.offset + 1).max() else { return Ok(None) };
    for place in places.iter().rev().filter(|place| (low..high).contains(&place.offset)) {
        if let Some(record) = record(place)? {
            return Ok(Some(if is_same(place, &record) { Identity::Same(end) } else { Identity::Another(end) }));
        }
    }
    Ok(Some(Identity::Untold(end)))
}

fn is_same(InputPlace { timestamp, value, .. }: &InputPlace, record: &impl Message) -> bool {
    record.timestamp().to_millis() == *timestamp && value.is_none_or(|value| value == hash(record.payload()))
}

#[cfg(test)]
mod tests {
    use rdkafka::message::{OwnedMessage, Timestamp};

    use super::*;

    /// Of a topic whose records have these times.
    fn place(offset: i64, timestamp: i64, value: Option<&str>) -> InputPlace {
        let (topic, value) = ("s".parse().unwrap(), value.map(|value| hash(Some(value.as_bytes()))));
        InputPlace { topic, partition: 0, offset, timestamp: Some(timestamp), value }
    }

    fn record(offset: i64, timestamp: i64, value: &str) -> OwnedMessage {
        let value = Some(value.as_bytes().to_vec());
        OwnedMessage::new(value, None, "s".to_owned(), Timestamp::CreateTime(timestamp), 0, offset, None)
    }

    /// The topic holds offsets from 3 on up to before 9, and these records.
    fn judged(named: &[Vec<InputPlace>], records: &[OwnedMessage]) -> Option<Identity> {
        let at = |place: &InputPlace| Ok(records.iter().find(|record| record.offset() == place.offset).cloned());
        identity(named, (3, 9), at).unwrap()
    }

    #[test]
    fn a_record_is_known_again_by_its_time_and_value() {
        let there = [record(7, 1_000, "a")];
        for (place, identity) in [
            (place(7, 1_000, Some("a")), Identity::Same(8)),
            (place(7, 1_000, Some("b")), Identity::Another(8)),
            (place(7, 2_000, Some("a")), Identity::Another(8)),
            (place(7, 1_000, None), Identity::Same(8)),
        ] {
            assert_eq!(judged(&[vec![place]], &there), Some(identity));
        }
        assert_eq!(judged(&[], &there), None);
    }

    #[test]
    fn a_record_that_is_gone_proves_nothing_and_those_before_it_tell() {
        let named = [vec![place(5, 1, Some("a")), place(6, 2, Some("b")), place(7, 3, Some("c"))]];
        assert_eq!(judged(&named, &[record(5, 1, "a")]), Some(Identity::Same(8)));
        assert_eq!(judged(&named, &[record(5, 1, "z")]), Some(Identity::Another(8)));
        assert_eq!(judged(&named, &[]), Some(Identity::Untold(8)));
        let before = [vec![place(1, 1, Some("a"))]];
        assert_eq!(judged(&before, &[record(1, 1, "z")]), Some(Identity::Untold(2)), "what is not held is not read");
    }

    #[test]
    fn places_of_an_older_topic_do_not_win() {
        let named = [vec![place(7, 1, Some("old"))], vec![place(4, 2, Some("new"))]];
        let there = [record(7, 9, "newer"), record(4, 2, "new")];
        assert_eq!(judged(&named, &there), Some(Identity::Same(5)));
    }

    #[test]
    fn of_each_partition_the_last_few_places_are_kept() {
        let mut places = Places::new();
        (0..100).for_each(|offset| note(place(offset, 0, None), &mut places));
        let kept: Vec<_> = places[&0].iter().map(|place| place.offset).collect();
        assert_eq!(kept, [92, 93, 94, 95, 96, 97, 98, 99]);
    }
}
