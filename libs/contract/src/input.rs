//! Which record of the input an enriched message was made of: one header, by which a detector finds its place again where its group
//! has forgotten it. And another of messages that could not have the time of their input.

use std::fmt::{self, Write};
use std::str::FromStr;

use thiserror::Error;

use crate::TopicName;

/// Header of an enriched message: an [`InputPlace`].
pub const HEADER_INPUT: &str = "vedette.input";

/// Header of a message that has the present time in place of that of its input: the latter, milliseconds since 1970.
pub const HEADER_TIMESTAMP: &str = "vedette.timestamp";

/// A record of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputPlace {
    /// Its topic.
    pub topic: TopicName,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp, milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// XXH3 (64 bits) of its value; none where a build before this one named the record. In a topic that was made anew the record at the
    /// offset has another, or another timestamp.
    pub value: Option<u64>,
}

/// A header that names no record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no place in the input (<topic>/<partition>/<offset>/<timestamp>/<hash of the value>)")]
pub struct InputPlaceError(String);

impl InputPlace {
    /// The most bytes that a place in this topic is written with.
    pub fn longest(topic: &TopicName) -> usize {
        topic.as_str().len() + "/2147483647/".len() + 2 * "-9223372036854775808".len() + "//0123456789abcdef".len()
    }

    /// The text of a place: that of each record is written, so nothing is taken for it but the text.
    pub fn text(topic: &TopicName, partition: i32, offset: i64, timestamp: Option<i64>, value: Option<u64>) -> String {
        let mut text = String::with_capacity(Self::longest(topic));
        // Writing to a string cannot fail.
        let _ = write!(text, "{topic}/{partition}/{offset}/");
        let _ = timestamp.map(|timestamp| write!(text, "{timestamp}"));
        let _ = value.map(|value| write!(text, "/{value:016x}"));
        text
    }
}

impl fmt::Display for InputPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition, offset, timestamp, value } = self;
        formatter.write_str(&Self::text(topic, *partition, *offset, *timestamp, *value))
    }
}

impl FromStr for InputPlace {
    type Err = InputPlaceError;

    fn from_str(text: &str) -> Result<Self, InputPlaceError> {
        parse(text).ok_or_else(|| InputPlaceError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<InputPlace> {
    let mut parts = text.split('/');
    let [topic, partition, offset, timestamp] = std::array::from_fn(|_| parts.next());
    let timestamp = match timestamp? {
        "" => None,
        millis => Some(millis.parse().ok()?),
    };
    let value = match parts.next() {
        None => None,
        Some(hash) => Some(u64::from_str_radix(hash, 16).ok()?),
    };
    let place = InputPlace {
        topic: topic?.parse().ok()?,
        partition: partition?.parse().ok()?,
        offset: offset?.parse().ok()?,
        timestamp,
        value,
    };
    parts.next().is_none().then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_and_anything_else_is_refused() {
        let topic: TopicName = "sensor_messages".parse().unwrap();
        for timestamp in [None, Some(i64::MIN), Some(1_795_420_800_500)] {
            for value in [None, Some(0), Some(u64::MAX)] {
                let place =
                    InputPlace { topic: topic.clone(), partition: i32::MAX, offset: i64::MAX, timestamp, value };
                assert_eq!(place.to_string().parse(), Ok(place.clone()));
                assert!(place.to_string().len() <= InputPlace::longest(&topic));
            }
        }
        for bad in ["", "t/1/2", "t/1/2/3/4/5", "t/1/2/3/", "t/one/2/3", "/1/2/3", "t/1/2/x"] {
            assert!(bad.parse::<InputPlace>().is_err(), "{bad}");
        }
    }
}
