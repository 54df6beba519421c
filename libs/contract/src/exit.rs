//! How a process says why it ended: one ERROR event as the last thing in its log. The process frame writes it, and whoever
//! runs the process reads it from the end of the log: in a cluster out of the container's termination message.

use std::fmt;

use serde_json::Value;

/// The level of an event that tells an end.
const ERROR_LEVEL: &str = "ERROR";
/// How the last line of a panic begins; why it panicked stands above.
const PANIC_NOTE: &str = "note: run with `RUST_BACKTRACE=";

/// What stands in the field `blame` of the event where the model is to blame.
pub const MODEL: &str = "model";

/// Who is to blame for an end, as far as the process itself knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Its model alone.
    Model,
    /// What it was told, or whom it talks to.
    Surroundings,
    /// It did not say: it panicked, or was killed.
    Unknown,
}

/// Why a process ended, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWords {
    /// The static word of the error; none where the words are no event of ours, as those of a panic.
    pub reason: Option<String>,
    /// The error with its causes.
    pub error: String,
    /// Who is to blame.
    pub blame: Blame,
}

impl LastWords {
    /// The last ERROR event with a reason in the end of a log, or a last line after it that is no event. None where the
    /// process was silent about its end, as one that was killed is: an ERROR without a reason is of the middle of a life.
    pub fn read(tail: &str) -> Option<Self> {
        let lines: Vec<&str> = tail.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let (first, later) = lines.split_first()?;
        // Where the tail begins in the middle of an event, that says nothing unless it is all there is.
        let is_cut = !later.is_empty() && !first.starts_with('{') && first.ends_with('}');
        let whole = if is_cut { later } else { lines.as_slice() };
        whole.iter().rev().find_map(|line| Self::of_line(line))
    }

    fn of_line(line: &str) -> Option<Self> {
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            let of_a_panic = || Self { reason: None, error: line.to_owned(), blame: Blame::Unknown };
            return (!line.starts_with(PANIC_NOTE)).then(of_a_panic);
        };
        let field = |name: &str| event[name].as_str().map(str::to_owned);
        let (reason, error) = (field("reason")?, field("error")?);
        let blame = if event["blame"] == MODEL { Blame::Model } else { Blame::Surroundings };
        (event["level"] == ERROR_LEVEL).then_some(Self { reason: Some(reason), error, blame })
    }
}

/// `WrongHash: the files of the version are damaged`
impl fmt::Display for LastWords {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, error, blame: _ } = self;
        match reason {
            Some(reason) => write!(formatter, "{reason}: {error}"),
            None => formatter.write_str(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(tail: &str) -> Option<String> {
        LastWords::read(tail).map(|words| words.to_string())
    }

    #[test]
    fn the_last_error_is_what_counts() {
        let log = r#"
            {"level":"ERROR","message":"failed","reason":"AccessDenied","error":"first"}
            {"level":"ERROR","message":"failed","reason":"NoSuchBucket","error":"there is no such bucket"}
            {"level":"INFO","message":"goodbye","error":"none"}
        "#;
        let (reason, error) = (Some("NoSuchBucket".to_owned()), "there is no such bucket".to_owned());
        assert_eq!(LastWords::read(log), Some(LastWords { reason, error, blame: Blame::Surroundings }));
        assert_eq!(said(log).unwrap(), "NoSuchBucket: there is no such bucket");
    }

    #[test]
    fn an_error_without_a_reason_is_of_the_middle_of_a_life() {
        assert_eq!(said(r#"{"level":"ERROR","message":"m","error":"wrong hash"}"#), None);
        assert_eq!(said(r#"{"level":"ERROR","message":"records are lost","committed":3}"#), None);
        let failed = r#"{"level":"ERROR","message":"failed","reason":"NoSuchBucket","error":"there is none"}"#;
        let later = r#"{"level":"ERROR","message":"Kafka did not take a record","error":"timed out"}"#;
        assert_eq!(said(&format!("{failed}\n{later}\n")).unwrap(), "NoSuchBucket: there is none");
    }

    #[test]
    fn a_panic_is_told_by_its_own_words() {
        let panic = "\nthread 'main' (42) panicked at src/main.rs:2:5:\nthe slot is empty\n\
            note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        assert_eq!(said(panic).unwrap(), "the slot is empty");
        assert_eq!(LastWords::read(panic).unwrap().blame, Blame::Unknown);
    }

    #[test]
    fn what_is_no_event_is_shown_as_it_is() {
        assert_eq!(said("{\"level\":\"INFO\",\"message\":\"started\"}\npanicked\n\n").unwrap(), "panicked");
        assert_eq!(said("{}").as_deref(), None);
    }

    #[test]
    fn a_process_that_was_killed_said_nothing() {
        assert_eq!(said("\n"), None);
        assert_eq!(said("{\"level\":\"INFO\",\"message\":\"started\"}\n"), None);
        // A container's message is the last 2,048 bytes of its log.
        assert_eq!(said("group joined\",\"target\":\"vedette\"}\n{\"level\":\"INFO\",\"message\":\"m\"}\n"), None);
        assert_eq!(said("cause\",\"target\":\"vedette\"}\n").unwrap(), "cause\",\"target\":\"vedette\"}");
    }
}
