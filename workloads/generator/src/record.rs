//! A record on its way to Kafka: the fields of its source, then those that every generator adds.

use std::io::Write;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use rand::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use uuid::fmt::Hyphenated;
use uuid::{Builder, Uuid};
use vedette_contract::fields;

/// Namespace of the uuids of mode Sequential: the `UUIDv5` of `https://vedette.io/generator` in the URL namespace.
pub(crate) const SEQUENTIAL_NAMESPACE: Uuid = Uuid::from_u128(0xa46a_6b50_d56a_581d_82d2_bcaa_0b30_d763);

/// RFC 3339 with microseconds.
const UTC: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// Where uuids come from.
#[derive(Debug)]
pub(crate) enum Identities {
    /// `UUIDv4` from the system's randomness, also where the records themselves repeat with the seed.
    Random(Xoshiro256PlusPlus),
    /// `UUIDv5` of `<seed>/<index>` in [`SEQUENTIAL_NAMESPACE`]: a run that starts anew gives the same.
    Sequential {
        /// The generator's seed.
        seed: u64,
    },
}

impl Identities {
    /// Random identities.
    pub(crate) fn random() -> Self {
        Self::Random(Xoshiro256PlusPlus::from_rng(&mut rand::rng()))
    }

    fn next(&mut self, index: u64) -> Uuid {
        match self {
            Self::Random(random) => {
                let mut bytes = [0; 16];
                random.fill_bytes(&mut bytes);
                Builder::from_random_bytes(bytes).into_uuid()
            }
            Self::Sequential { seed } => Uuid::new_v5(&SEQUENTIAL_NAMESPACE, format!("{seed}/{index}").as_bytes()),
        }
    }
}

/// A record; one is used again and again, so that none is allocated per record.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// One JSON object.
    pub(crate) object: Vec<u8>,
    /// Its uuid as text: the Kafka key.
    pub(crate) key: [u8; Hyphenated::LENGTH],
    /// Its `utc` as Kafka's timestamp, milliseconds.
    pub(crate) timestamp_milliseconds: i64,
}

impl Record {
    /// An empty one.
    pub(crate) fn empty() -> Self {
        Self { object: Vec::new(), key: [0; Hyphenated::LENGTH], timestamp_milliseconds: 0 }
    }

    /// Begins a new object; its source appends members to it, each with a comma before it.
    pub(crate) fn begin(&mut self) -> &mut Vec<u8> {
        self.object.clear();
        &mut self.object
    }
}

/// Adds the fields that every generator adds.
#[derive(Debug)]
pub(crate) struct Stamp {
    identities: Identities,
    sequence_id: i64,
}

impl Stamp {
    /// Of a run that started at this time: its Unix time in milliseconds is the `sequence_id`.
    pub(crate) fn new(identities: Identities, started: Timestamp) -> Self {
        Self { identities, sequence_id: started.as_millisecond() }
    }

    /// Completes a record that holds the members of row `index` and is made `now`.
    pub(crate) fn complete(&mut self, record: &mut Record, index: u64, now: Timestamp) {
        let uuid = self.identities.next(index);
        uuid.hyphenated().encode_lower(&mut record.key);
        record.timestamp_milliseconds = now.as_millisecond();
        let object = &mut record.object;
        append_name(object, fields::UUID);
        object.push(b'"');
        object.extend_from_slice(&record.key);
        object.push(b'"');
        append_name(object, fields::UTC);
        object.push(b'"');
        // Neither this nor the numbers below can fail: writing to a Vec does not.
        drop(UTC.print_timestamp(&now, &mut *object));
        object.push(b'"');
        append_name(object, fields::SEQUENCE_ID);
        drop(write!(object, "{}", self.sequence_id));
        append_name(object, fields::INDEX);
        drop(write!(object, "{index}"));
        object.push(b'}');
        // The comma before the first member is the place of the brace.
        object[0] = b'{';
    }
}

fn append_name(object: &mut Vec<u8>, name: &str) {
    object.extend_from_slice(b",\"");
    object.extend_from_slice(name.as_bytes());
    object.extend_from_slice(b"\":");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const STARTED: &str = "2026-11-23T08:00:00Z";

    fn complete(stamp: &mut Stamp, index: u64, now: &str) -> (Value, Record) {
        let mut record = Record::empty();
        record.begin().extend_from_slice(b",\"a\":1");
        stamp.complete(&mut record, index, now.parse().unwrap());
        (serde_json::from_slice(&record.object).unwrap(), record)
    }

    #[test]
    fn the_added_fields_follow_the_records_own() {
        let mut stamp = Stamp::new(Identities::Sequential { seed: 7 }, STARTED.parse().unwrap());
        let (value, record) = complete(&mut stamp, 3, "2026-11-23T08:42:10.123456789Z");
        let uuid = "60268652-2d68-5f5a-aaee-c8a660c1ffff";
        let expected = json!({
            "a": 1, "uuid": uuid, "utc": "2026-11-23T08:42:10.123456Z", "sequence_id": 1_795_420_800_000_i64, "index": 3
        });
        assert_eq!(value, expected);
        assert_eq!(record.key, uuid.as_bytes());
        assert_eq!(record.timestamp_milliseconds, 1_795_423_330_123);
        assert!(record.object.starts_with(b"{\"a\":1,\"uuid\":"));
    }

    #[test]
    fn a_whole_second_has_its_microseconds_too() {
        let mut stamp = Stamp::new(Identities::random(), STARTED.parse().unwrap());
        assert_eq!(complete(&mut stamp, 0, STARTED).0["utc"], "2026-11-23T08:00:00.000000Z");
    }

    #[test]
    fn sequential_uuids_depend_on_seed_and_index_only() {
        let uuid = |seed, index| Identities::Sequential { seed }.next(index);
        assert_eq!(uuid(7, 3), uuid(7, 3));
        assert_eq!(uuid(7, 3).get_version_num(), 5);
        assert_ne!(uuid(7, 3), uuid(7, 4));
        assert_ne!(uuid(7, 3), uuid(8, 3));
        assert_ne!(uuid(1, 23), uuid(12, 3));
        assert_eq!(SEQUENTIAL_NAMESPACE, Uuid::new_v5(&Uuid::NAMESPACE_URL, b"https://vedette.io/generator"));
    }

    #[test]
    fn random_uuids_differ_between_runs() {
        let (mut one, mut other) = (Identities::random(), Identities::random());
        let (first, second) = (one.next(0), other.next(0));
        assert_eq!(first.get_version_num(), 4);
        assert!(first != second && first != one.next(0));
    }
}
