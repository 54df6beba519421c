//! What of a record is to be another: a filter of jq, which its users know.

use jaq_core::data::JustLut;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Native, Vars, compile, unwrap_valr};
use jaq_json::{Val, read};
use serde_json::value::RawValue;
use thiserror::Error;

/// Why a record cannot be edited.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EditError {
    /// It is no filter.
    #[error("--edit {:?} is no filter of jq: {why}", .text)]
    NoFilter { text: String, why: String },
    /// It is no JSON.
    #[error(
        "the record is no JSON, so that jq cannot edit it ({why}): give what is to stand instead with --value-file"
    )]
    NoJson { why: String },
    /// The filter fails on it.
    #[error("the edit fails: {0}")]
    Failed(String),
    /// The filter gives no record, or several.
    #[error("the edit gives {0} values, and not one record")]
    Count(usize),
    /// It gives something that is no record.
    #[error("the edit gives {0}, and no object of JSON")]
    NoRecord(String),
}

type Data = JustLut<Val>;

/// A filter.
pub(super) struct Edit(compile::Filter<Native<Data>>);

impl Edit {
    /// Compiles it.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn new(text: &str) -> Result<Self, EditError> {
        let no_filter = |why| EditError::NoFilter { text: text.to_owned(), why };
        let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
        let functions = jaq_core::funs::<Data>().chain(jaq_std::funs()).chain(jaq_json::funs());
        let arena = Arena::default();
        let modules = Loader::new(definitions).load(&arena, File { code: text, path: () }).map_err(|errors| {
            no_filter(errors.iter().map(|(_, error)| unread(error)).collect::<Vec<_>>().join("; "))
        })?;
        let compiled = Compiler::default().with_funs(functions).compile(modules).map_err(|errors| {
            let unknown = errors.iter().flat_map(|(_, unknown)| unknown);
            no_filter(
                unknown
                    .map(|(name, kind)| format!("there is no {} {name}", kind.as_str()))
                    .collect::<Vec<_>>()
                    .join("; "),
            )
        })?;
        Ok(Self(compiled))
    }

    /// The record as it makes it.
    ///
    /// # Errors
    /// When it makes none of it.
    pub(super) fn apply(&self, record: &[u8]) -> Result<Vec<u8>, EditError> {
        // What jaq reads is more than JSON.
        serde_json::from_slice::<&RawValue>(record).map_err(|error| EditError::NoJson { why: error.to_string() })?;
        let record = read::parse_single(record).map_err(|error| EditError::NoJson { why: error.to_string() })?;
        let context = Ctx::<Data>::new(&self.0.lut, Vars::new([]));
        // A filter may have no end.
        let made: Vec<_> = self.0.id.run((context, record)).map(unwrap_valr).take(2).collect();
        let [made] = <[_; 1]>::try_from(made).map_err(|made| EditError::Count(made.len()))?;
        let edited = made.map_err(|error| EditError::Failed(error.to_string()))?.to_string();
        match serde_json::from_str::<&RawValue>(&edited) {
            Ok(json) if json.get().starts_with('{') => Ok(edited.into_bytes()),
            Ok(_) | Err(_) => Err(EditError::NoRecord(shortened(&edited))),
        }
    }
}

fn unread(error: &load::Error<&str>) -> String {
    let before = |expected: &str, found: &str| format!("{expected} is expected before {found:?}");
    let said: Vec<String> = match error {
        load::Error::Io(files) => files.iter().map(|(_, why)| why.clone()).collect(),
        load::Error::Lex(unmet) => unmet.iter().map(|(expected, found)| before(expected.as_str(), found)).collect(),
        load::Error::Parse(unmet) => unmet.iter().map(|(expected, found)| before(expected.as_str(), found)).collect(),
    };
    said.join("; ")
}

fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    text.char_indices().nth(LONGEST).map_or_else(|| text.to_owned(), |(end, _)| format!("{}…", &text[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(filter: &str, record: &str) -> Result<String, EditError> {
        Edit::new(filter)?.apply(record.as_bytes()).map(|made| String::from_utf8(made).unwrap_or_default())
    }

    #[test]
    fn a_record_is_edited_as_jq_does() {
        assert_eq!(
            edited(".temperature = 21.5 | del(.x)", r#"{"temperature":"hot","x":1,"y":"é"}"#).as_deref(),
            Ok(r#"{"temperature":21.5,"y":"é"}"#)
        );
        assert_eq!(edited("with_entries(.key |= ascii_downcase)", r#"{"A":1}"#).as_deref(), Ok(r#"{"a":1}"#));
        assert_eq!(edited(".[0]", r#"[{"a":1}]"#).as_deref(), Ok(r#"{"a":1}"#));
        assert_eq!(
            edited(".id |= .", r#"{"id":12345678901234567890}"#).as_deref(),
            Ok(r#"{"id":12345678901234567890}"#)
        );
    }

    #[test]
    fn what_cannot_be_edited_says_why() {
        let said = |filter, record| edited(filter, record).map_err(|error| error.to_string()).unwrap_err();
        for (filter, word) in
            [(".a = ", "--edit"), ("nothing_of_that_name", "nothing_of_that_name"), ("(.a", "closing parenthesis")]
        {
            assert!(said(filter, "{}").contains(word), "{}", said(filter, "{}"));
        }
        assert!(said(".", "{").contains("--value-file"));
        assert!(said(".", "{a: 1}").contains("--value-file"), "what jaq reads is more than JSON");
        assert!(said(".a", r#"{"a":1}"#).contains("no object"));
        assert_eq!(edited("empty", "{}"), Err(EditError::Count(0)));
        assert_eq!(edited("., .", "{}"), Err(EditError::Count(2)));
        assert_eq!(edited("repeat(.)", "{}"), Err(EditError::Count(2)));
        assert!(said(".a | keys", r#"{"a":1}"#).contains("the edit fails"));
    }
}
