//! Who does something, and why, in words that can stand in an object that many read.

use vedette_contract::written::{LONGEST_NAME, LONGEST_REASON, words};

/// Who is asked for a name, in this order.
const NAMES: [&str; 2] = ["USER", "LOGNAME"];

/// Reads a name.
pub(super) fn person(text: &str) -> Result<String, String> {
    let name = words(text, LONGEST_NAME).map(str::to_owned);
    name.ok_or_else(|| format!("{text:?} is not a name of 1 to {LONGEST_NAME} bytes"))
}

/// Reads a reason.
pub(super) fn reason(text: &str) -> Result<String, String> {
    let reason = words(text, LONGEST_REASON).map(str::to_owned);
    reason.ok_or_else(|| format!("{text:?} is not a line of 1 to {LONGEST_REASON} bytes"))
}

/// Who runs this program, as the environment has it.
pub(super) fn user() -> Option<String> {
    user_of(|variable| std::env::var(variable).ok())
}

fn user_of(value_of: impl Fn(&str) -> Option<String>) -> Option<String> {
    NAMES.into_iter().filter_map(value_of).find_map(|name| person(&name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_it_is_said_by_the_environment_where_nobody_else_does() {
        let of = |user: Option<&str>, log_name: Option<&str>| {
            user_of(|variable| if variable == "USER" { user } else { log_name }.map(str::to_owned))
        };
        assert_eq!(of(Some("ada"), Some("root")).as_deref(), Some("ada"));
        assert_eq!(of(Some(" "), Some("root")).as_deref(), Some("root"));
        assert_eq!(of(None, Some("a\u{1b}[2J")), None);
    }

    #[test]
    fn a_name_is_short_and_says_nothing_to_a_terminal() {
        assert_eq!(person(" Ada Lovelace ").as_deref(), Ok("Ada Lovelace"));
        for wrong in ["", "  ", "a\nb", &"a".repeat(101)] {
            assert!(person(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(reason(&"a".repeat(1_000)).map(|reason| reason.len()), Ok(1_000));
        assert!(reason(" ").is_err() && reason("a\u{1b}[2J").is_err() && reason(&"a".repeat(1_001)).is_err());
    }
}
