//! Why a process ended, by its log, as conditions, events and people are shown it.

use vedette_contract::exit::LastWords;

/// So many characters are shown.
const LIMIT: usize = 400;

/// The reason and the error that a process ended with. None where its log is silent about its end, as that of a process is
/// that was killed.
pub fn last_words(log: &str) -> Option<String> {
    LastWords::read(log).map(|words| cut(&words.to_string()))
}

/// A long text, cut.
pub(crate) fn cut(text: &str) -> String {
    match text.trim().char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}…", &text.trim()[..end]),
        None => text.trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_last_error_and_not_too_long() {
        let log = r#"{"level":"ERROR","message":"failed","reason":"NoSuchBucket","error":"there is no such bucket"}"#;
        assert_eq!(last_words(log).as_deref(), Some("NoSuchBucket: there is no such bucket"));
        assert_eq!(last_words("panicked\n\n").as_deref(), Some("panicked"));
        assert!(last_words(&"ä".repeat(1000)).is_some_and(|words| words.ends_with('…')));
        assert_eq!(last_words("{\"level\":\"INFO\",\"message\":\"started\"}\n"), None);
    }
}
