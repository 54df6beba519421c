//! Dead letters: the raw bytes of a record with headers that say where it comes from and why it could not be read or
//! scored. They are written and read here, so what is listed or replayed is what was refused.

use std::fmt::Display;
use std::str::FromStr;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use thiserror::Error;
use vedette_contract::TopicName;
use vedette_contract::dead_letter::{
    HEADER_LENGTH, HEADER_MESSAGE, HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_SHA256, HEADER_TIME,
    HEADER_TOPIC,
};

use crate::refusal::Refusal;
use crate::{size, splice};

/// Longest message for a person, bytes: what a parser quotes of a record has no bound of its own.
const LONGEST_MESSAGE: usize = 512;

/// The headers that a dead letter has of its own.
const OWN: [&str; 8] = [
    HEADER_TOPIC,
    HEADER_PARTITION,
    HEADER_OFFSET,
    HEADER_REASON,
    HEADER_MESSAGE,
    HEADER_TIME,
    HEADER_LENGTH,
    HEADER_SHA256,
];

/// Where a record stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPlace {
    pub topic: TopicName,
    pub partition: i32,
    pub offset: i64,
}

/// What a value was before it was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeValue {
    /// Its length, bytes.
    pub length: usize,
    /// Its SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

/// What a dead letter says of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    pub place: RecordPlace,
    pub refusal: Refusal,
    pub refused_at: Timestamp,
    /// Where the value was cut.
    pub whole: Option<WholeValue>,
}

/// A dead letter that fits its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FittedLetter<'a> {
    pub value: Option<&'a [u8]>,
    /// Its own headers, which stand after those that the record came with.
    pub headers: Vec<(&'static str, String)>,
    /// Whether there is room for the key and the headers that the record came with.
    pub keeps_key_and_headers: bool,
}

/// Why the headers of a message are not those of a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeadLetterError {
    /// A header is not there.
    #[error("the message has no header {header}, so it is no dead letter")]
    Missing { header: &'static str },
    /// A header does not say what it should.
    #[error("header {header} of a dead letter cannot be read: {value:?}")]
    Unreadable { header: &'static str, value: String },
}

impl DeadLetter {
    /// The dead letter of a record with this value. The value is cut, and if that is not enough the letter loses what the
    /// record came with (`inherited_bytes` of key and headers), so that it is never larger than its topic accepts.
    pub fn fit(
        place: RecordPlace,
        refusal: Refusal,
        refused_at: Timestamp,
        value: Option<&[u8]>,
        limit: Limit,
    ) -> FittedLetter<'_> {
        let mut letter = Self { place, refusal, refused_at, whole: None };
        let Limit { inherited_bytes, max_message_bytes } = limit;
        let length = value.map_or(0, <[u8]>::len);
        let headers = letter.headers();
        if size::message(length, inherited_bytes, &headers) <= max_message_bytes {
            return FittedLetter { value, headers, keeps_key_and_headers: true };
        }
        letter.whole = Some(WholeValue { length, sha256: hex::encode(Sha256::digest(value.unwrap_or_default())) });
        let headers = letter.headers();
        let room = |inherited| max_message_bytes.checked_sub(size::message(0, inherited, &headers));
        let (room, keeps_key_and_headers) = match room(inherited_bytes) {
            Some(room) => (room, true),
            None => (room(0).unwrap_or(0), false),
        };
        let value = value.map(|value| &value[..room.min(length)]);
        FittedLetter { value, headers, keeps_key_and_headers }
    }

    /// Reads the headers of a message. What a record came with stands before a dead letter's own headers, so of one name
    /// the last counts.
    ///
    /// # Errors
    /// When they are not those of a dead letter.
    pub fn read<'h>(headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>) -> Result<Self, DeadLetterError> {
        let headers = OwnHeaders::of(headers);
        let topic = headers.parsed(HEADER_TOPIC)?;
        let (partition, offset) = (headers.parsed(HEADER_PARTITION)?, headers.parsed(HEADER_OFFSET)?);
        let refusal = Refusal::new(headers.parsed(HEADER_REASON)?, headers.parsed::<String>(HEADER_MESSAGE)?);
        let whole = match headers.get(HEADER_LENGTH) {
            None => None,
            Some(_) => {
                Some(WholeValue { length: headers.parsed(HEADER_LENGTH)?, sha256: headers.parsed(HEADER_SHA256)? })
            }
        };
        let refused_at = headers.parsed(HEADER_TIME)?;
        Ok(Self { place: RecordPlace { topic, partition, offset }, refusal, refused_at, whole })
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        let Self { place: RecordPlace { topic, partition, offset }, refusal, refused_at, whole } = self;
        let Refusal { reason, message } = refusal;
        let mut headers = vec![
            (HEADER_TOPIC, topic.to_string()),
            (HEADER_PARTITION, partition.to_string()),
            (HEADER_OFFSET, offset.to_string()),
            (HEADER_REASON, reason.to_string()),
            (HEADER_MESSAGE, shortened(message)),
            (HEADER_TIME, splice::time(*refused_at)),
        ];
        if let Some(WholeValue { length, sha256 }) = whole {
            headers.push((HEADER_LENGTH, length.to_string()));
            headers.push((HEADER_SHA256, sha256.clone()));
        }
        headers
    }
}

/// What a dead letter must fit into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Bytes of the key and the headers that the record came with.
    pub inherited_bytes: usize,
    /// Largest message that the topic accepts.
    pub max_message_bytes: usize,
}

/// The headers that a record came with: those of its dead letter but for the letter's own. A record that is refused again
/// after a replay thus has one set of them.
pub fn inherited<'h, V>(headers: impl IntoIterator<Item = (&'h str, V)>) -> impl Iterator<Item = (&'h str, V)> {
    headers.into_iter().filter(|(name, _)| !OWN.contains(name))
}

struct OwnHeaders<'h>([Option<&'h [u8]>; OWN.len()]);

impl<'h> OwnHeaders<'h> {
    fn of(headers: impl IntoIterator<Item = (&'h str, Option<&'h [u8]>)>) -> Self {
        let mut found = [None; OWN.len()];
        for (name, value) in headers {
            if let Some(position) = OWN.iter().position(|own| *own == name) {
                found[position] = value;
            }
        }
        Self(found)
    }

    fn get(&self, header: &'static str) -> Option<&'h [u8]> {
        OWN.iter().zip(self.0).find_map(|(own, value)| value.filter(|_| *own == header))
    }

    fn parsed<T: FromStr<Err: Display>>(&self, header: &'static str) -> Result<T, DeadLetterError> {
        let bytes = self.get(header).ok_or(DeadLetterError::Missing { header })?;
        let text = String::from_utf8_lossy(bytes);
        text.parse().map_err(|_| DeadLetterError::Unreadable { header, value: text.into_owned() })
    }
}

fn shortened(message: &str) -> String {
    let mut end = message.len().min(LONGEST_MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].to_owned()
}

#[cfg(test)]
mod tests;
