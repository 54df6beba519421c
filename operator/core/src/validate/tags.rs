//! Labels and annotations that people set: on what is made for them, and on its pods.

use std::collections::BTreeMap;

use super::fields::is_dns_name;
use crate::desired::labels;
use crate::field_error::{FieldErrors, quoted};

/// What is written on the children of an object, beside what the operator writes there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tags {
    pub labels: BTreeMap<String, String>,
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Tags {
    /// As the spec has them, checked.
    pub(super) fn check(path: &str, labels: &Texts, annotations: &Texts, errors: &mut FieldErrors) -> Self {
        check(path, labels, annotations, errors);
        Self { labels: labels.clone(), annotations: annotations.clone() }
    }
}

type Texts = BTreeMap<String, String>;

/// Checks both; what is the operator's to set is refused.
pub(super) fn check(path: &str, labels: &Texts, annotations: &Texts, errors: &mut FieldErrors) {
    check_labels(&format!("{path}.labels"), labels, errors);
    check_keys(&format!("{path}.annotations"), annotations, errors);
    for (map, texts) in [("labels", labels), ("annotations", annotations)] {
        for key in texts.keys().filter(|key| labels::is_ours(key)) {
            errors.push(format!("{path}.{map}.{key}"), quoted(key), "is set by Vedette; choose another name");
        }
    }
}

/// Checks labels that anybody may set.
pub(super) fn check_labels(path: &str, labels: &Texts, errors: &mut FieldErrors) {
    check_keys(path, labels, errors);
    for (key, text) in labels.iter().filter(|(_, text)| !(text.is_empty() || is_label_word(text))) {
        errors.push(
            format!("{path}.{key}"),
            quoted(text),
            "use at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends",
        );
    }
}

fn check_keys(path: &str, texts: &Texts, errors: &mut FieldErrors) {
    for key in texts.keys().filter(|key| !is_qualified_name(key)) {
        errors.push(
            format!("{path}.{key}"),
            quoted(key),
            "use a name of 1 to 63 letters, digits, '-', '_' and '.', if need be after a DNS name and '/'",
        );
    }
}

fn is_qualified_name(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_dns_name(prefix) && is_label_word(name),
        None => is_label_word(key),
    }
}

fn is_label_word(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.ends_with(|c: char| c.is_ascii_alphanumeric())
    };
    text.len() <= 63 && text.bytes().all(inner) && ends(text)
}
