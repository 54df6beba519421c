//! What the broker says of the messages that were produced: it remembers which were not taken, and of which record each is.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Mutex, PoisonError};

use rdkafka::Message as _;
use rdkafka::client::OAuthToken;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::{ClientContext, Statistics};
use vedette_streams::kafka::KafkaContext;

/// Number of an input record among all that its producer was given messages of.
pub(crate) type Serial = usize;

/// A message that the broker did not take.
#[derive(Debug, Clone)]
pub(crate) struct Undelivered {
    pub(crate) serial: Serial,
    pub(crate) topic: String,
    partition: i32,
    has_key: bool,
    pub(crate) cause: KafkaError,
}

impl Undelivered {
    fn code(&self) -> Option<RDKafkaErrorCode> {
        self.cause.rdkafka_error_code()
    }
}

/// Which of these were refused for themselves, not for what stands beside them in their batch. `is_alone` is whether their unit
/// holds one record only, `is_odd` whether a broker may mind the time of a record.
pub(crate) fn at_fault(
    undelivered: &[Undelivered],
    is_alone: bool,
    is_odd: impl Fn(Serial) -> bool,
) -> Vec<&Undelivered> {
    let mut batches = BTreeMap::<_, Vec<_>>::new();
    for undelivered in undelivered {
        batches.entry((undelivered.topic.as_str(), undelivered.partition)).or_default().push(undelivered);
    }
    batches.into_values().flat_map(|batch| at_fault_in(&batch, is_alone, &is_odd)).collect()
}

/// A broker names the records (KIP-467), which librdkafka passes on only where there are several and another that is well. Where
/// all have one answer, it is for one of them, or for all.
fn at_fault_in<'a>(batch: &[&'a Undelivered], is_alone: bool, is_odd: impl Fn(Serial) -> bool) -> Vec<&'a Undelivered> {
    let of = |code| batch.iter().copied().filter(|undelivered| undelivered.code() == Some(code)).collect::<Vec<_>>();
    let [well, invalid, early_or_late, too_large] = [
        RDKafkaErrorCode::InvalidDifferentRecord,
        RDKafkaErrorCode::InvalidRecord,
        RDKafkaErrorCode::InvalidTimestamp,
        RDKafkaErrorCode::MessageSizeTooLarge,
    ]
    .map(of);
    if !well.is_empty() || is_alone {
        let own = [invalid, early_or_late].concat();
        return if is_alone { [own, too_large].concat() } else { own };
    }
    let without_key: Vec<_> = invalid.iter().copied().filter(|undelivered| !undelivered.has_key).collect();
    if !without_key.is_empty() {
        return without_key;
    }
    let odd: Vec<_> = [invalid.clone(), early_or_late].concat();
    let odd: Vec<_> = odd.into_iter().filter(|undelivered| is_odd(undelivered.serial)).collect();
    if odd.len() == 1 || odd.len() == invalid.len() { odd } else { Vec::new() }
}

/// Whether one record may have made the whole batch be refused: in smaller units it is found.
pub(crate) fn may_be_of_one_record(cause: &KafkaError) -> bool {
    matches!(
        cause.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::InvalidRecord
                | RDKafkaErrorCode::InvalidTimestamp
                | RDKafkaErrorCode::MessageSizeTooLarge
        )
    )
}

/// Remembers the messages that a broker does not take: no more than are in the queue at once.
#[derive(Debug)]
pub(crate) struct DeliveryContext {
    context: KafkaContext,
    undelivered: Mutex<Vec<Undelivered>>,
}

impl DeliveryContext {
    pub(crate) fn new(context: KafkaContext) -> Self {
        Self { context, undelivered: Mutex::default() }
    }

    /// What was not taken since the last call, in the order in which that became known.
    pub(crate) fn take(&self) -> Vec<Undelivered> {
        std::mem::take(&mut *self.undelivered.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for DeliveryContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, configuration: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.context.generate_oauth_token(configuration)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.context.log(level, facility, text);
    }

    fn error(&self, cause: KafkaError, text: &str) {
        self.context.error(cause, text);
    }

    fn stats(&self, statistics: Statistics) {
        self.context.stats(statistics);
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = Serial;

    fn delivery(&self, result: &DeliveryResult<'_>, serial: Serial) {
        let Err((cause, message)) = result else { return };
        if matches!(cause.rdkafka_error_code(), Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)) {
            return; // We threw it away ourselves, with its transaction.
        }
        let undelivered = Undelivered {
            serial,
            topic: message.topic().to_owned(),
            partition: message.partition(),
            has_key: message.key().is_some(),
            cause: cause.clone(),
        };
        self.undelivered.lock().unwrap_or_else(PoisonError::into_inner).push(undelivered);
    }
}

#[cfg(test)]
impl Undelivered {
    /// A message of this input, with a key.
    pub(crate) fn of(serial: Serial, code: RDKafkaErrorCode) -> Self {
        let (topic, cause) = ("enriched".to_owned(), KafkaError::MessageProduction(code));
        Self { serial, topic, partition: 0, has_key: true, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode::{
        InvalidDifferentRecord, InvalidRecord, InvalidTimestamp, MessageSizeTooLarge, MessageTimedOut,
    };

    fn all(codes: &[RDKafkaErrorCode]) -> Vec<Undelivered> {
        codes.iter().enumerate().map(|(serial, code)| Undelivered::of(serial, *code)).collect()
    }

    fn blamed(undelivered: &[Undelivered], is_alone: bool, odd: &[Serial]) -> Vec<Serial> {
        let at_fault = at_fault(undelivered, is_alone, |serial| odd.contains(&serial));
        at_fault.iter().map(|undelivered| undelivered.serial).collect()
    }

    #[test]
    fn records_that_are_told_apart_are_known() {
        let mut undelivered = all(&[InvalidDifferentRecord, InvalidRecord, InvalidDifferentRecord, InvalidRecord]);
        assert_eq!(blamed(&undelivered, false, &[]), [1, 3]);
        let elsewhere = |serial| Undelivered { partition: 1, ..Undelivered::of(serial, InvalidTimestamp) };
        undelivered.extend([elsewhere(4), elsewhere(5)]);
        assert_eq!(blamed(&undelivered, false, &[]), [1, 3]);
    }

    #[test]
    fn one_record_that_is_odd_is_known_among_others_with_its_answer() {
        assert_eq!(blamed(&all(&[InvalidTimestamp; 9]), false, &[4]), [4]);
        assert_eq!(blamed(&all(&[InvalidRecord; 3]), false, &[0, 1, 2]), [0, 1, 2]);
        let mut undelivered = all(&[InvalidRecord; 9]);
        undelivered[7].has_key = false;
        assert_eq!(blamed(&undelivered, false, &[0, 1, 2]), [7]);
    }

    #[test]
    fn what_cannot_be_known_is_found_in_smaller_units() {
        for code in [InvalidRecord, InvalidTimestamp, MessageSizeTooLarge] {
            assert_eq!(blamed(&all(&[code; 9]), false, &[1, 2]), [0; 0], "{code}");
            assert_eq!(blamed(&all(&[code]), true, &[]), [0], "{code}");
            assert!(may_be_of_one_record(&KafkaError::MessageProduction(code)));
        }
        assert_eq!(blamed(&all(&[MessageTimedOut]), true, &[]), [0; 0]);
        assert!(!may_be_of_one_record(&KafkaError::MessageProduction(MessageTimedOut)));
    }
}
