//! What people write in small objects of the bucket has in common: fields by their names, ids that tell when, and lines that fit on a
//! terminal.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// A longer name is none.
pub const LONGEST_NAME: usize = 100;
/// A longer reason belongs elsewhere.
pub const LONGEST_REASON: usize = 1_000;

/// Why an object is none of its kind.
#[derive(Debug, Error)]
pub enum WrittenError {
    /// One of its fields.
    #[error("{field} {value}: {mend}")]
    Field {
        /// Which one.
        field: &'static str,
        /// What it is.
        value: String,
        /// What is wrong with it, and what to do.
        mend: String,
    },
    /// It has not the fields of one.
    #[error("is not a {of} as JSON")]
    Json {
        /// What it was to be.
        of: &'static str,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl WrittenError {
    /// A field whose value cannot be.
    pub fn of_field(field: &'static str, value: &str, mend: impl Into<String>) -> Self {
        Self::Field { field, value: format!("{value:?}"), mend: mend.into() }
    }

    pub(crate) fn missing(field: &'static str, mend: &str) -> Self {
        Self::Field { field, value: "is missing".to_owned(), mend: mend.to_owned() }
    }

    /// With its cause, in one line.
    pub fn whole(&self) -> String {
        match self {
            Self::Field { .. } => self.to_string(),
            Self::Json { source, .. } => format!("{self}: {source}"),
        }
    }
}

/// Reads the fields of a silence, or whatever it is to be.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8], of: &'static str) -> Result<T, WrittenError> {
    let ByName(fields) = serde_json::from_slice(bytes).map_err(|source| WrittenError::Json { of, source })?;
    Ok(fields)
}

/// What is written as an object, with its fields by their names. Serde would take a list of values, in the order of the fields, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByName<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByName<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

struct Fields<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
    type Value = ByName<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with its fields by their names, as {\"by\": \"ada\"}")
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<ByName<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(ByName)
    }
}

/// Such an object as a field that may be left out.
pub(crate) fn by_name<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(Option::<ByName<T>>::deserialize(deserializer)?.map(|ByName(fields)| fields))
}

/// What a text says without the blanks around it, where that is one line of no more bytes than this, with nothing to steer a terminal.
pub fn words(text: &str, longest: usize) -> Option<&str> {
    Some(text.trim()).filter(|words| is_line(words, longest))
}

/// The words of a field.
pub(crate) fn line(
    field: &'static str,
    text: Option<String>,
    longest: usize,
    mend: &str,
) -> Result<String, WrittenError> {
    let text = text.ok_or_else(|| WrittenError::missing(field, mend))?;
    words(&text, longest).map(str::to_owned).ok_or_else(|| WrittenError::of_field(field, &text, mend))
}

/// Reads who does something: a name that can stand in what is written in it.
///
/// # Errors
/// When it is none.
pub fn author(by: Option<String>) -> Result<String, WrittenError> {
    line("by", by, LONGEST_NAME, "say who you are, in a line of 1 to 100 bytes")
}

/// Whether a letter steers a terminal or a browser and is seen by nobody: control characters of both kinds, and those of Unicode that
/// join words or turn the direction. None is beyond U+FFFF.
pub fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether a text is such a line as it stands.
pub(crate) fn is_line(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && !text.contains(char::is_control)
}

/// Defines an id of a time, '-' and eight hex digits, and its error.
macro_rules! stamped_id {
    ($(#[$about:meta])* $type:ident, $error:ident, $of:literal) => {
        $(#[$about])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The id of what is added at this time, with a number by chance, as several may be added at once.
            pub fn new(added_at: ::jiff::Timestamp, chance: u32) -> Self {
                Self(format!("{}-{chance:08x}", $crate::names::stamp(added_at)))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        /// A text that is no such id.
        #[derive(Debug, Clone, PartialEq, Eq, ::thiserror::Error)]
        #[error("{text:?} is not the id of a {}: they look like 20261123T084210Z-1a2b3c4d (UTC time, then 8 hex digits)", $of)]
        pub struct $error {
            /// What was given.
            pub text: String,
        }

        impl ::std::str::FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                if $crate::names::is_stamped(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err($error { text: text.to_owned() })
                }
            }
        }

        impl TryFrom<String> for $type {
            type Error = $error;

            fn try_from(text: String) -> Result<Self, $error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(id: $type) -> String {
                id.0
            }
        }
    };
}
pub(crate) use stamped_id;
