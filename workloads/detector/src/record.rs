//! Reads one record: the whole input is validated as one JSON object, but only the fields that somebody asked for are
//! looked at, as the raw JSON text of their values. Nothing is built and nothing is changed.

mod keys;
pub mod value;

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use vedette_contract::dead_letter::DeadLetterReason;
use vedette_contract::fields;

use keys::KeySequence;

/// Values nested deeper than this are refused: common parsers, serde_json's among them, give up there.
const MAXIMUM_DEPTH: usize = 127;

/// Why a record is a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind, for the header and the metric.
    pub reason: DeadLetterReason,
    /// What exactly was wrong, for a person.
    pub message: String,
}

impl Refusal {
    pub fn new(reason: DeadLetterReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// A field of the record that somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field(usize);

/// What a key of a record means to the detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Passed through without a look at its value.
    Other,
    /// The name of a field that the detector adds.
    Added,
    /// Its value is captured.
    Wanted(Field),
}

/// Which fields are looked at, and which the detector adds.
#[derive(Debug)]
pub struct FieldNames {
    roles: HashMap<String, Role>,
    wanted: usize,
}

const UUID: Field = Field(0);
const UTC: Field = Field(1);

impl FieldNames {
    /// `uuid` and `utc` are looked at in any case. The detector adds the contract's fields and these.
    pub fn new<'a>(calculated: impl IntoIterator<Item = &'a str>) -> Self {
        let added = fields::ADDED.into_iter().chain(calculated).map(|name| (name.to_owned(), Role::Added));
        let own = [(fields::UUID.to_owned(), Role::Wanted(UUID)), (fields::UTC.to_owned(), Role::Wanted(UTC))];
        Self { roles: added.chain(own).collect(), wanted: 2 }
    }

    /// Asks for a field of the record; `None` for one that the detector adds, which no record can have.
    pub fn want(&mut self, name: &str) -> Option<Field> {
        match self.roles.get(name) {
            Some(Role::Wanted(field)) => Some(*field),
            Some(Role::Added) => None,
            Some(Role::Other) | None => {
                let field = Field(self.wanted);
                self.wanted += 1;
                self.roles.insert(name.to_owned(), Role::Wanted(field));
                Some(field)
            }
        }
    }
}

/// Reads records one after the other; what it holds between them is capacity and the keys of the last one.
#[derive(Debug)]
pub struct RecordReader {
    names: FieldNames,
    keys: KeySequence,
    values: Vec<Option<Range<usize>>>,
}

/// A record that was read.
#[derive(Debug)]
pub struct Record<'a> {
    text: &'a str,
    object: Range<usize>,
    has_fields: bool,
    values: &'a [Option<Range<usize>>],
}

impl RecordReader {
    /// A reader that looks at these fields.
    pub fn new(names: FieldNames) -> Self {
        let values = vec![None; names.wanted];
        Self { names, keys: KeySequence::default(), values }
    }

    /// Reads one message.
    ///
    /// # Errors
    /// When it is not one JSON object with distinct keys, or brings a field that the detector adds, or a `uuid` or
    /// `utc` that is not text.
    pub fn read<'a>(&'a mut self, message: Option<&'a [u8]>) -> Result<Record<'a>, Refusal> {
        let bytes = message
            .filter(|bytes| !bytes.is_empty())
            .ok_or_else(|| Refusal::new(DeadLetterReason::Empty, "the message has no value"))?;
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Refusal::new(DeadLetterReason::InvalidUtf8, error.to_string()))?;
        let object = trimmed(text);
        if !text[object.clone()].starts_with('{') {
            return Err(not_an_object(text));
        }
        self.values.fill(None);
        self.keys.start();
        let mut added = None;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let visitor = ObjectVisitor {
            names: &self.names,
            keys: &mut self.keys,
            values: &mut self.values,
            base: text.as_ptr().addr(),
            added: &mut added,
        };
        deserializer
            .deserialize_map(visitor)
            .and_then(|()| deserializer.end())
            .map_err(|error| invalid_json(&error))?;
        check_what_is_nested_or_escaped(text)?;
        self.keys.finish().map_err(|key| {
            Refusal::new(DeadLetterReason::DuplicateKey, format!("the key {key:?} is there more than once"))
        })?;
        if let Some(key) = added {
            let message = format!("the field {key:?} is added by the detector and must not be in its input");
            return Err(Refusal::new(DeadLetterReason::ReservedField, message));
        }
        let has_fields = self.keys.any();
        let record = Record { text, object, has_fields, values: &self.values };
        for (field, name) in [(UUID, fields::UUID), (UTC, fields::UTC)] {
            if record.get(field).is_some_and(|raw| !raw.starts_with('"')) {
                let message = format!("the field {name:?} is not text");
                return Err(Refusal::new(DeadLetterReason::ReservedField, message));
            }
        }
        Ok(record)
    }
}

impl<'a> Record<'a> {
    /// The raw JSON text of a field's value.
    pub fn get(&self, field: Field) -> Option<&'a str> {
        self.values[field.0].clone().map(|range| &self.text[range])
    }

    pub fn has_uuid(&self) -> bool {
        self.get(UUID).is_some()
    }

    pub fn has_utc(&self) -> bool {
        self.get(UTC).is_some()
    }

    /// Whether the object has a field.
    pub fn has_fields(&self) -> bool {
        self.has_fields
    }

    /// Where in the message the object stands without its closing brace: what fields can be appended to.
    pub fn open_object(&self) -> Range<usize> {
        self.object.start..self.object.end - 1
    }
}

/// Where the text stands without JSON's white space around it.
fn trimmed(text: &str) -> Range<usize> {
    let white = |character: char| matches!(character, ' ' | '\t' | '\n' | '\r');
    let start = text.len() - text.trim_start_matches(white).len();
    start..start.max(text.trim_end_matches(white).len())
}

fn invalid_json(error: &serde_json::Error) -> Refusal {
    Refusal::new(DeadLetterReason::InvalidJson, error.to_string())
}

fn not_an_object(text: &str) -> Refusal {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Refusal::new(DeadLetterReason::NotAnObject, "the message is JSON, but not an object"),
        Err(error) => invalid_json(&error),
    }
}

/// Deep nesting and escaped surrogates get past a parser that skips values, and then stop whoever reads them for real.
/// The few records that could have either are parsed in full.
fn check_what_is_nested_or_escaped(text: &str) -> Result<(), Refusal> {
    let opened = text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    let surrogate = || text.contains('\\') && (text.contains(r"\ud") || text.contains(r"\uD"));
    if opened > MAXIMUM_DEPTH || surrogate() {
        serde_json::from_str::<serde_json::Value>(text).map_err(|error| invalid_json(&error))?;
    }
    Ok(())
}

struct ObjectVisitor<'r> {
    names: &'r FieldNames,
    keys: &'r mut KeySequence,
    values: &'r mut [Option<Range<usize>>],
    /// Address of the text, to turn borrowed values into ranges.
    base: usize,
    added: &'r mut Option<String>,
}

impl<'de> Visitor<'de> for ObjectVisitor<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { names, keys, values, base, added } = self;
        while let Some(role) = map.next_key_seed(KeySeed { names, keys: &mut *keys, added: &mut *added })? {
            if let Role::Wanted(field) = role {
                let raw: &RawValue = map.next_value()?;
                let start = raw.get().as_ptr().addr() - base;
                values[field.0] = Some(start..start + raw.get().len());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct KeySeed<'r> {
    names: &'r FieldNames,
    keys: &'r mut KeySequence,
    added: &'r mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Role;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Role, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Role;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Role, E> {
        let role = self.keys.next(key, |key| self.names.roles.get(key).copied().unwrap_or(Role::Other));
        if role == Role::Added && self.added.is_none() {
            *self.added = Some(key.to_owned());
        }
        Ok(role)
    }
}

#[cfg(test)]
mod tests;
