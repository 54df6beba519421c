//! The one place that reads YAML: its crate is no longer maintained, and can be replaced here.

use serde::Deserialize;
use serde_json::Value;

/// The parser itself stops at a depth of 128, but looks at all brackets that are open for each one that follows, before it does.
const OPEN_BRACKETS: usize = 1_000;

/// The documents of a YAML text as JSON, empty ones left out. After a document that cannot be read there are no more.
pub(crate) fn documents(text: &str) -> Vec<Result<Value, String>> {
    if has_endless_brackets(text) {
        return vec![Err(format!("more than {OPEN_BRACKETS} brackets are open at once; close them"))];
    }
    let mut documents = Vec::new();
    for deserializer in serde_yaml::Deserializer::from_str(text) {
        // By way of serde_yaml's own value, which refuses a key that stands twice.
        let document = serde_yaml::Value::deserialize(deserializer).map_err(|error| error.to_string());
        let document = document.and_then(|value| serde_json::to_value(value).map_err(|error| error.to_string()));
        let stop = document.is_err();
        if document != Ok(Value::Null) {
            documents.push(document);
        }
        if stop {
            break;
        }
    }
    documents
}

/// Whether so many brackets are open at once, those within texts included: nobody writes so many there either.
fn has_endless_brackets(text: &str) -> bool {
    let mut open = 0_usize;
    text.bytes().any(|byte| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > OPEN_BRACKETS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_that_are_closed_are_not_counted() {
        assert!(!has_endless_brackets(&"[]{}".repeat(OPEN_BRACKETS)));
        assert!(!has_endless_brackets(&"]".repeat(2 * OPEN_BRACKETS)));
        assert!(has_endless_brackets(&"{a: [".repeat(OPEN_BRACKETS)));
    }

    #[test]
    fn what_is_nested_too_deep_is_an_error_and_the_rest_is_not_read() {
        for deep in [200, 100_000] {
            let text = format!("a: 1\n---\n{}{}\n---\nb: 2\n", "[".repeat(deep), "]".repeat(deep));
            assert!(documents(&text).last().is_some_and(Result::is_err), "{deep}");
        }
    }
}
