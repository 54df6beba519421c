//! One wrong field, and the list that every check adds to, so that a person sees all of them at once.

use std::fmt::Display;

use serde_json::Value;
use thiserror::Error;

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{object}: {path}: {hint} (is {value})")]
pub struct FieldError {
    /// Whose field, such as `AnomalyPipeline demo/kdd`.
    pub object: String,
    /// Which field, such as `spec.detector.alerting.scoreThreshold`.
    pub path: String,
    /// What it is, as JSON, cut where it is long.
    pub value: String,
    /// What is wrong with it and what to write instead.
    pub hint: String,
}

/// The errors of one object.
#[derive(Debug)]
pub(crate) struct FieldErrors {
    object: String,
    errors: Vec<FieldError>,
}

impl FieldErrors {
    pub(crate) fn of(object: impl Into<String>) -> Self {
        Self { object: object.into(), errors: Vec::new() }
    }

    pub(crate) fn push(&mut self, path: impl Into<String>, value: impl Display, hint: impl Into<String>) {
        let Self { object, errors } = self;
        // One line each, whatever a parser's message looks like.
        let hint = hint.into().split_whitespace().collect::<Vec<_>>().join(" ");
        errors.push(FieldError { object: object.clone(), path: path.into(), value: cut(value), hint });
    }

    /// The value of a check, or its error at this path; one error a field is enough.
    pub(crate) fn check<T, E: Display>(&mut self, path: &str, value: impl Display, result: Result<T, E>) -> Option<T> {
        result
            .map_err(|hint| {
                if !self.has(path) {
                    self.push(path, value, hint.to_string());
                }
            })
            .ok()
    }

    /// Whether this field has an error already.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.errors.iter().any(|error| error.path == path)
    }

    pub(crate) fn into_errors(self) -> Vec<FieldError> {
        self.errors
    }

    /// The object, if no error was found; an object that could not be put together has left one.
    pub(crate) fn finish<T>(self, object: Option<T>) -> Result<T, Vec<FieldError>> {
        match object {
            Some(object) if self.errors.is_empty() => Ok(object),
            _ => Err(self.errors),
        }
    }
}

/// Kind, namespace and name of an object, as errors show them.
pub(crate) fn title(kind: &str, namespace: Option<&str>, name: Option<&str>) -> String {
    format!("{kind} {}/{}", namespace.unwrap_or_default(), name.unwrap_or_default())
}

/// What an error shows of an absent field.
pub(crate) const MISSING: &str = "missing";

/// Text in quotes, as JSON has it.
pub(crate) fn quoted(text: &str) -> Value {
    Value::from(text)
}

fn cut(value: impl Display) -> String {
    const LIMIT: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
