//! Which record of the input an enriched message was made of: one header, by which a detector finds its place again where its group
//! has forgotten it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::TopicName;

/// Header of an enriched message: an [`InputPlace`].
pub const HEADER_INPUT: &str = "vedette.input";

/// A record of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputPlace {
    /// Its topic.
    pub topic: TopicName,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp, milliseconds since 1970: in a topic that was made anew the record at the offset has another.
    pub timestamp: Option<i64>,
}

/// A header that names no record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no place in the input (<topic>/<partition>/<offset>/<timestamp>)")]
pub struct InputPlaceError(String);

impl InputPlace {
    /// The most bytes that a place in this topic is written with.
    pub fn longest(topic: &TopicName) -> usize {
        topic.as_str().len() + "/2147483647/".len() + 2 * "-9223372036854775808".len() + 1
    }
}

impl fmt::Display for InputPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition, offset, timestamp } = self;
        write!(formatter, "{topic}/{partition}/{offset}/")?;
        timestamp.map_or(Ok(()), |timestamp| write!(formatter, "{timestamp}"))
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
    let place = InputPlace {
        topic: topic?.parse().ok()?,
        partition: partition?.parse().ok()?,
        offset: offset?.parse().ok()?,
        timestamp,
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
            let place = InputPlace { topic: topic.clone(), partition: i32::MAX, offset: i64::MAX, timestamp };
            assert_eq!(place.to_string().parse(), Ok(place.clone()));
            assert!(place.to_string().len() <= InputPlace::longest(&topic));
        }
        for bad in ["", "t/1/2", "t/1/2/3/4", "t/one/2/3", "/1/2/3", "t/1/2/x"] {
            assert!(bad.parse::<InputPlace>().is_err(), "{bad}");
        }
    }
}
