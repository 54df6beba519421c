//! Reads one record: the whole input is validated as one JSON object, but only the fields that somebody asked for are
//! looked at, as the raw JSON text of their values. Nothing is built and nothing is changed.

use std::ops::Range;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use vedette_contract::dead_letter::DeadLetterReason;

use crate::checked::{Checked, is_plain};
use crate::keys::KeySequence;
use crate::names::{Field, FieldNames, Role};
use crate::plain;
use crate::refusal::Refusal;
use crate::scalar::Scalar;

const BYTE_ORDER_MARK: char = '\u{feff}';

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
        let values = vec![None; names.wanted()];
        Self { names, keys: KeySequence::default(), values }
    }

    /// Reads one record.
    ///
    /// # Errors
    /// When it is not one JSON object with distinct keys, or brings a field that is refused.
    pub fn read<'a>(&'a mut self, record: &'a [u8]) -> Result<Record<'a>, Refusal> {
        if record.is_empty() {
            return Err(Refusal::new(DeadLetterReason::Empty, "the message has no value"));
        }
        let text = std::str::from_utf8(record)
            .map_err(|error| guessed(record, Refusal::new(DeadLetterReason::InvalidUtf8, error.to_string())))?;
        let object = trimmed(text);
        if !text[object.clone()].starts_with('{') {
            return Err(guessed(record, not_an_object(&text[object])));
        }
        let refused = self.read_fields(text, object.start)?;
        self.keys.finish().map_err(|key| {
            Refusal::new(DeadLetterReason::DuplicateKey, format!("the key {key:?} is there more than once"))
        })?;
        if let Some(key) = refused {
            let message = format!("the field {key:?} is added by the detector and must not be in its input");
            return Err(Refusal::new(DeadLetterReason::ReservedField, message));
        }
        Ok(Record { text, object, has_fields: self.keys.any(), values: &self.values })
    }

    /// Captures the values of the wanted fields. Gives the first refused key.
    fn read_fields(&mut self, text: &str, start: usize) -> Result<Option<String>, Refusal> {
        self.read_plain(text, start).map_or_else(|| self.parse(text, start), |Plain { refused }| Ok(refused))
    }

    fn start(&mut self) {
        self.values.fill(None);
        self.keys.start();
    }

    /// `None` where only a parser can tell.
    fn read_plain(&mut self, text: &str, start: usize) -> Option<Plain> {
        self.start();
        let Self { names, keys, values } = self;
        let mut refused = None;
        plain::members(&text[start..], |key, value| match keys.next(key, |key| names.role(key)) {
            Role::Wanted(field) => values[field.0] = Some(start + value.start..start + value.end),
            Role::Refused => _ = refused.get_or_insert_with(|| key.to_owned()),
            Role::Other => {}
        })?;
        Some(Plain { refused })
    }

    fn parse(&mut self, text: &str, start: usize) -> Result<Option<String>, Refusal> {
        self.start();
        let Self { names, keys, values } = self;
        let (mut refused, mut all_plain) = (None, true);
        let mut deserializer = serde_json::Deserializer::from_str(&text[start..]);
        let base = text.as_ptr().addr();
        let visitor = ObjectVisitor { names, keys, values, base, refused: &mut refused, all_plain: &mut all_plain };
        deserializer
            .deserialize_map(visitor)
            .and_then(|()| deserializer.end())
            .and_then(|()| if all_plain { Ok(Checked) } else { serde_json::from_str(&text[start..]) })
            .map_err(|error| invalid_json(&error))?;
        Ok(refused)
    }
}

/// A record that was read without the parser.
struct Plain {
    /// Its first refused key.
    refused: Option<String>,
}

impl<'a> Record<'a> {
    /// A field's value; `None` where the record does not have the field.
    pub fn get(&self, field: Field) -> Option<Scalar<'a>> {
        self.values[field.0].clone().map(|range| Scalar::of_json(&self.text[range]))
    }

    /// Where a field's value stands in the message; `None` where the record does not have the field.
    pub fn place(&self, field: Field) -> Option<Range<usize>> {
        self.values[field.0].clone()
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

/// Where the text stands without a byte order mark (RFC 8259, section 8.1: a parser may ignore it) and JSON's white space.
fn trimmed(text: &str) -> Range<usize> {
    let white = |character: char| matches!(character, ' ' | '\t' | '\n' | '\r');
    let unmarked = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let start = text.len() - unmarked.trim_start_matches(white).len();
    start..start.max(text.trim_end_matches(white).len())
}

fn invalid_json(error: &serde_json::Error) -> Refusal {
    Refusal::new(DeadLetterReason::InvalidJson, error.to_string())
}

/// What producers often send in place of JSON, by how it begins.
const OFTEN_SENT: [(&[u8], &str); 2] = [
    (&[0x00], "Confluent's framing (a zero byte and the id of a schema): have the producer write plain JSON"),
    (&[0x1f, 0x8b], "gzip: have the producer compress by Kafka's compression.type, and not the values"),
];

/// The refusal, with what the message may be where it begins like that.
fn guessed(message: &[u8], refusal: Refusal) -> Refusal {
    let Refusal { reason, message: said } = refusal;
    match OFTEN_SENT.iter().find(|(beginning, _)| message.starts_with(beginning)) {
        Some((_, guess)) => Refusal::new(reason, format!("{said}; it begins like {guess}")),
        None => Refusal::new(reason, said),
    }
}

fn not_an_object(text: &str) -> Refusal {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Refusal::new(DeadLetterReason::NotAnObject, "the message is JSON, but not an object"),
        Err(error) => invalid_json(&error),
    }
}

struct ObjectVisitor<'r> {
    names: &'r FieldNames,
    keys: &'r mut KeySequence,
    values: &'r mut [Option<Range<usize>>],
    /// Address of the text, to turn borrowed values into ranges.
    base: usize,
    refused: &'r mut Option<String>,
    /// Whether the captured values need no second look.
    all_plain: &'r mut bool,
}

impl<'de> Visitor<'de> for ObjectVisitor<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { names, keys, values, base, refused, all_plain } = self;
        while let Some(role) = map.next_key_seed(KeySeed { names, keys: &mut *keys, refused: &mut *refused })? {
            if let Role::Wanted(field) = role {
                let raw: &RawValue = map.next_value()?;
                *all_plain &= is_plain(raw.get());
                let start = raw.get().as_ptr().addr() - base;
                values[field.0] = Some(start..start + raw.get().len());
            } else {
                map.next_value::<Checked>()?;
            }
        }
        Ok(())
    }
}

struct KeySeed<'r> {
    names: &'r FieldNames,
    keys: &'r mut KeySequence,
    refused: &'r mut Option<String>,
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
        let role = self.keys.next(key, |key| self.names.role(key));
        if role == Role::Refused && self.refused.is_none() {
            *self.refused = Some(key.to_owned());
        }
        Ok(role)
    }
}

#[cfg(test)]
mod tests;
