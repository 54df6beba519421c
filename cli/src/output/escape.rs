//! Text from elsewhere on its way to a terminal.

use std::borrow::Cow;

pub(super) use vedette_contract::steers;

/// The text with what could move a cursor, change a colour or turn the direction of writing shown as `\u{…}`.
pub fn escaped(text: &str) -> Cow<'_, str> {
    replaced(text, |character| character.escape_unicode().to_string())
}

/// The same within JSON, which stays the same JSON: such a character can stand only in a string there, but for the ends of lines.
pub(crate) fn escaped_json(json: &str) -> Cow<'_, str> {
    let lines = |line| replaced(line, |character| format!("\\u{:04x}", u32::from(character)));
    if json.lines().all(|line| matches!(lines(line), Cow::Borrowed(_))) {
        return Cow::Borrowed(json);
    }
    Cow::Owned(json.split('\n').map(lines).collect::<Vec<_>>().join("\n"))
}

fn replaced(text: &str, replacement: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let shown = |character| if steers(character) { replacement(character) } else { String::from(character) };
    Cow::Owned(text.chars().map(shown).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_and_the_rest_stays() {
        assert!(matches!(escaped("Zürich, 東京 \\u{1b}"), Cow::Borrowed(_)));
        assert_eq!(escaped("\u{1b}[2J\r\n\t\u{7f}\u{9b}1m"), r"\u{1b}[2J\u{d}\u{a}\u{9}\u{7f}\u{9b}1m");
        assert_eq!(escaped("a\u{202e}b\u{2066}c\u{2028}"), r"a\u{202e}b\u{2066}c\u{2028}");
    }

    proptest! {
        #[test]
        fn json_says_the_same_with_nothing_that_steers(texts in prop::collection::vec(any::<String>(), 0..4), odd in "[\u{7f}-\u{9f}\u{202a}-\u{202e}\u{1b}]{0,4}") {
            let said = serde_json::json!({ "texts": texts, "odd": odd });
            let json = serde_json::to_string_pretty(&said).unwrap();
            let shown = escaped_json(&json);
            prop_assert!(!shown.chars().any(|character| steers(character) && character != '\n'), "{}", shown);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), said);
        }
    }
}
