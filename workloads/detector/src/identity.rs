//! `uuid` and `utc` of a record: kept, filled where nothing is said, and written as text where they are not.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use vedette_contract::dead_letter::DeadLetterReason;
use vedette_contract::{Name, TopicName, fields};
use vedette_records::splice::{self, Replacement};
use vedette_records::{Field, Record, Refusal, Scalar, ScalarKind, UtcSpelling, read_utc};

use crate::input::Input;
use crate::tally::{FieldTally, MendedField, Mending};

/// Namespace of the `UUIDv5` of records that come without a `uuid`.
pub(crate) const UUID_NAMESPACE: Uuid = Uuid::from_u128(0x6f0b_3d2c_5a0e_4c57_9d1e_7e0c_8a5b_2f41);

/// The `UUIDv5` of `<site>/<topic>/<partition>/<offset>/<Kafka timestamp in ms>/<SHA-256 of the bytes>`: every site has its
/// own Kafka, all sites' records meet in the bucket, and a topic that is made anew counts its offsets from 0 again.
pub(crate) fn uuid_of(site: &Name, topic: &TopicName, input: &Input<'_>) -> Uuid {
    let Input { value, partition, offset, timestamp, overhead: _ } = input;
    let milliseconds = timestamp.map_or_else(String::new, |time| time.as_millisecond().to_string());
    let digest = Sha256::digest(value.unwrap_or_default());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Uuid::new_v5(&UUID_NAMESPACE, format!("{site}/{topic}/{partition}/{offset}/{milliseconds}/{hash}").as_bytes())
}

/// What `uuid` and `utc` of a record need.
pub(crate) struct Identity<'a> {
    pub(crate) record: &'a Record<'a>,
    pub(crate) additions: &'a mut Vec<u8>,
    pub(crate) replacements: &'a mut Vec<Replacement>,
    pub(crate) tally: &'a mut FieldTally,
}

impl Identity<'_> {
    /// Sees to it that the record has a `uuid` that is text.
    ///
    /// # Errors
    /// When it is a boolean, an array or an object.
    pub(crate) fn uuid(&mut self, field: Field, fill: impl FnOnce() -> Uuid) -> Result<(), Refusal> {
        let value = self.record.get(field);
        match needed(value, fields::UUID)? {
            Need::Nothing => {}
            Need::Filling(mending) => self.set(field, MendedField::Uuid, mending, &fill().to_string()),
            Need::Conversion(number) => self.set(field, MendedField::Uuid, Mending::Number, number.json()),
        }
        Ok(())
    }

    /// Sees to it that the record has a `utc` that is text, with a zone if it is a time.
    ///
    /// # Errors
    /// When it is a boolean, an array or an object, or a number that is no time.
    pub(crate) fn utc(&mut self, field: Field, otherwise: Timestamp) -> Result<(), Refusal> {
        let value = self.record.get(field);
        match needed(value, fields::UTC)? {
            Need::Nothing => self.add_zone(field),
            Need::Filling(mending) => self.set(field, MendedField::Utc, mending, &splice::time(otherwise)),
            Need::Conversion(number) => {
                let (time, _) = read_utc(number).ok_or_else(|| refusal(fields::UTC, "is a number that is no time"))?;
                self.set(field, MendedField::Utc, Mending::Number, &splice::time(time));
            }
        }
        Ok(())
    }

    /// Almost every time ends with `Z` and need not be read.
    fn add_zone(&mut self, field: Field) {
        let value = self.record.get(field).filter(|value| !value.json().ends_with("Z\""));
        if let Some((time, UtcSpelling::WithoutZone)) = value.and_then(read_utc) {
            self.set(field, MendedField::Utc, Mending::WithoutZone, &splice::time(time));
        }
    }

    /// Puts the text into the place of the value, or adds the field.
    fn set(&mut self, field: Field, mended: MendedField, mending: Mending, text: &str) {
        *self.tally.mended.entry((mended, mending)).or_default() += 1;
        match self.record.place(field) {
            Some(place) => {
                let json = serde_json::Value::from(text).to_string();
                self.replacements.push(Replacement { place, json });
                self.replacements.sort_by_key(|replacement| replacement.place.start);
            }
            None => splice::field(self.additions, mended.name(), text),
        }
    }
}

enum Need<'a> {
    Nothing,
    Filling(Mending),
    Conversion(Scalar<'a>),
}

fn needed<'a>(value: Option<Scalar<'a>>, name: &str) -> Result<Need<'a>, Refusal> {
    let Some(value) = value else { return Ok(Need::Filling(Mending::Missing)) };
    match value.kind() {
        ScalarKind::Null => Ok(Need::Filling(Mending::Null)),
        ScalarKind::Text if value.text().is_some_and(|text| text.trim().is_empty()) => {
            Ok(Need::Filling(Mending::Empty))
        }
        ScalarKind::Text => Ok(Need::Nothing),
        ScalarKind::Number => Ok(Need::Conversion(value)),
        ScalarKind::Boolean | ScalarKind::Nested => Err(refusal(name, "is neither text nor a number")),
    }
}

fn refusal(name: &str, what: &str) -> Refusal {
    Refusal::new(DeadLetterReason::ReservedField, format!("the field {name:?} {what}"))
}
