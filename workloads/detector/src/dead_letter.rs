//! Dead letters: the raw message with headers that say where it comes from and why it could not be read or scored.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use vedette_contract::TopicName;
use vedette_contract::dead_letter::{
    HEADER_LENGTH, HEADER_MESSAGE, HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_SHA256, HEADER_TIME,
    HEADER_TOPIC,
};

use crate::record::Refusal;
use crate::{size, splice};

/// Longest message for a person, bytes: what a parser quotes of a record has no bound of its own.
const LONGEST_MESSAGE: usize = 512;

/// A dead letter's value and its own headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    pub value: Option<&'a [u8]>,
    pub headers: Vec<(&'static str, String)>,
    /// Whether there is room for the key and the headers that the record came with.
    pub keeps_key_and_headers: bool,
}

/// Makes the dead letter of a record. Its value is cut, and if that is not enough it loses what the record came with
/// (`inherited` bytes of key and headers), so that it is never larger than its topic accepts.
pub fn dead_letter<'a>(
    topic: &TopicName,
    (partition, offset): (i32, i64),
    value: Option<&'a [u8]>,
    refusal: &Refusal,
    now: Timestamp,
    inherited: usize,
    max_message_bytes: usize,
) -> DeadLetter<'a> {
    let Refusal { reason, message } = refusal;
    let mut headers = vec![
        (HEADER_TOPIC, topic.to_string()),
        (HEADER_PARTITION, partition.to_string()),
        (HEADER_OFFSET, offset.to_string()),
        (HEADER_REASON, reason.to_string()),
        (HEADER_MESSAGE, shortened(message)),
        (HEADER_TIME, splice::time(now)),
    ];
    let length = value.map_or(0, <[u8]>::len);
    let whole = size::message(length, inherited, &headers);
    if whole <= max_message_bytes {
        return DeadLetter { value, headers, keeps_key_and_headers: true };
    }
    headers.push((HEADER_LENGTH, length.to_string()));
    headers.push((HEADER_SHA256, hex::encode(Sha256::digest(value.unwrap_or_default()))));
    let room = |inherited| max_message_bytes.checked_sub(size::message(0, inherited, &headers));
    let (room, keeps_key_and_headers) = match room(inherited) {
        Some(room) => (room, true),
        None => (room(0).unwrap_or(0), false),
    };
    let value = value.map(|value| &value[..room.min(length)]);
    DeadLetter { value, headers, keeps_key_and_headers }
}

fn shortened(message: &str) -> String {
    let mut end = message.len().min(LONGEST_MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vedette_contract::dead_letter::DeadLetterReason;

    fn make(value: Option<&[u8]>, inherited: usize, limit: usize) -> DeadLetter<'_> {
        let refusal = Refusal::new(DeadLetterReason::InvalidJson, "é".repeat(400));
        let now = "2026-11-23T08:42:10Z".parse().unwrap();
        dead_letter(&"t".parse().unwrap(), (3, 42), value, &refusal, now, inherited, limit)
    }

    #[test]
    fn where_it_comes_from_and_why_are_in_its_headers() {
        let letter = make(Some(b"\xff"), 0, 4096);
        assert_eq!(letter.value, Some(b"\xff".as_slice()));
        let expected = [("vedette.topic", "t"), ("vedette.partition", "3"), ("vedette.offset", "42")];
        for (position, header) in expected.into_iter().enumerate() {
            assert_eq!((letter.headers[position].0, letter.headers[position].1.as_str()), header);
        }
        assert_eq!(letter.headers[3], ("vedette.reason", "invalid_json".to_owned()));
        assert_eq!(letter.headers[4].1, "é".repeat(256));
        assert_eq!(letter.headers[5], ("vedette.time", "2026-11-23T08:42:10.000000Z".to_owned()));
        assert_eq!(letter.headers.len(), 6);
        assert_eq!(make(None, 0, 4096).value, None);
    }

    #[test]
    fn a_value_that_was_cut_is_known_by_its_length_and_hash() {
        let value = vec![b'x'; 5000];
        let letter = make(Some(&value), 100, 4096);
        assert_eq!(letter.headers[6], ("vedette.length", "5000".to_owned()));
        assert_eq!(letter.headers[7], ("vedette.sha256", hex::encode(Sha256::digest(&value))));
        assert!(letter.keeps_key_and_headers && letter.value.unwrap().len() > 3000);
        assert!(!make(Some(&value), 4000, 4096).keeps_key_and_headers);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_dead_letter_is_never_too_large(length in 0..6000usize, inherited in 0..6000usize, limit in 2000..6000usize) {
            let value = vec![b'x'; length];
            let letter = make(Some(&value), inherited, limit);
            let inherited = if letter.keeps_key_and_headers { inherited } else { 0 };
            prop_assert!(size::message(letter.value.unwrap().len(), inherited, &letter.headers) <= limit);
            prop_assert_eq!(letter.headers.len() == 8, letter.value.unwrap().len() < length || !letter.keeps_key_and_headers);
        }
    }
}
