//! Why work stops in the middle.

use std::collections::BTreeMap;

use rdkafka::error::KafkaError;
use vedette_streams::kafka::MissingAcl;

use crate::delivery::Undelivered;
use crate::refusals::Place;

/// See the module.
#[derive(Debug)]
pub(crate) enum Interruption {
    /// The unit of work is void: abort it, and read again from where it began.
    Rewind(KafkaError),
    /// As a rewind, for records that Kafka refuses for themselves.
    RefusedRecords(BTreeMap<Place, Undelivered>),
    /// As a rewind, and it goes on so until somebody grants this.
    Refused(MissingAcl),
    /// As a rewind, for which this producer is of no use any more, and a new one is: Kafka refused it something.
    StartAnew(KafkaError),
    /// Nothing more can be done in this process.
    Fatal(&'static str, KafkaError),
    /// Kafka does not take the unit; for want of what, as far as that is known.
    Stalled(String),
    /// Shutdown was asked for, and the broker does not answer.
    GivenUp,
}
