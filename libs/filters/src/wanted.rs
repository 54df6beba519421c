//! A silence as somebody asks for it now, whoever takes it down: the command line and the console understand it in one way.

use jiff::{SignedDuration, Timestamp};
use vedette_contract::WrittenError;
use vedette_contract::silence::{Silence, SilenceFields};

use crate::silence_filter;

/// The clock of a bucket goes by whole seconds, so another who looks at it may see an earlier time: what begins now has begun for all.
const CLOCK: SignedDuration = SignedDuration::from_secs(1);

/// When a silence ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilenceEnd {
    /// Before this time.
    At(Timestamp),
    /// So long after it begins.
    After(SignedDuration),
}

/// What somebody wants silenced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedSilence {
    /// Of what alerts, as a CEL expression.
    pub matches: String,
    /// From when on; from now where there is none.
    pub from: Option<Timestamp>,
    /// Until when.
    pub end: Option<SilenceEnd>,
    /// Who wants it.
    pub by: Option<String>,
    /// Why.
    pub why: String,
    /// Whether no model learns from the records.
    pub exclude_from_training: bool,
}

impl WantedSilence {
    /// The silence, all of whose rules hold, its match too.
    ///
    /// # Errors
    /// What is wrong, and what to do: also where it would silence nothing, as it is over.
    pub fn checked(self, now: Timestamp) -> Result<Silence, WrittenError> {
        let Self { matches, from, end, by, why, exclude_from_training } = self;
        let begin = from.unwrap_or(now);
        let from = if from.is_some() { begin } else { begin.saturating_sub(CLOCK).unwrap_or(begin) };
        let until = end.map(|end| match end {
            SilenceEnd::At(until) => until,
            // What would be beyond the end of time ends with it.
            SilenceEnd::After(lasting) => begin.saturating_add(lasting).unwrap_or(Timestamp::MAX),
        });
        let fields = SilenceFields {
            matches: Some(matches),
            from: Some(from),
            until,
            by,
            why: Some(why),
            exclude_from_training,
        };
        let silence = Silence::try_from(fields)?;
        silence_filter(&silence)?;
        if silence.until() <= now && !exclude_from_training {
            let mend = "is over, so nothing would be silenced; with excludeFromTraining (--exclude-from-training) no model learns \
                        from what was then";
            return Err(WrittenError::of_field("until", &silence.until().to_string(), mend));
        }
        Ok(silence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn said(wanted: WantedSilence) -> Result<(String, String), String> {
        let silence = wanted.checked(at("2026-11-23T08:00:00Z")).map_err(|error| error.to_string())?;
        Ok((silence.from().to_string(), silence.until().to_string()))
    }

    fn wanted() -> WantedSilence {
        WantedSilence {
            matches: "true".to_owned(),
            from: None,
            end: Some(SilenceEnd::After(SignedDuration::from_hours(2))),
            by: Some("ada".to_owned()),
            why: "a test".to_owned(),
            exclude_from_training: false,
        }
    }

    #[test]
    fn what_begins_now_has_begun_for_all_and_what_begins_later_lasts_from_then() {
        let times = |from: &str, until: &str| Ok((format!("2026-11-{from}Z"), format!("2026-11-{until}Z")));
        assert_eq!(said(wanted()), times("23T07:59:59", "23T10:00:00"));
        let later = WantedSilence { from: Some(at("2026-11-24T00:00:00Z")), ..wanted() };
        assert_eq!(said(later), times("24T00:00:00", "24T02:00:00"));
        let until = WantedSilence { end: Some(SilenceEnd::At(at("2026-11-23T09:00:00Z"))), ..wanted() };
        assert_eq!(said(until), times("23T07:59:59", "23T09:00:00"));
        let forever = WantedSilence { end: Some(SilenceEnd::After(SignedDuration::MAX)), ..wanted() };
        assert!(said(forever).is_ok());
    }

    #[test]
    fn what_would_silence_nothing_is_refused() {
        let past = WantedSilence { from: Some(at("2026-11-22T00:00:00Z")), ..wanted() };
        assert!(said(past.clone()).unwrap_err().contains("is over"));
        assert!(said(WantedSilence { exclude_from_training: true, ..past }).is_ok(), "it is for trainings then");
        for (wrong, complaint) in [
            (WantedSilence { matches: "alerts >".to_owned(), ..wanted() }, "is not a CEL expression"),
            (WantedSilence { end: None, ..wanted() }, "a silence has an end"),
            (WantedSilence { by: None, ..wanted() }, "say who wants it"),
            (WantedSilence { why: " ".to_owned(), ..wanted() }, "say why"),
        ] {
            let refused = said(wrong).unwrap_err();
            assert!(refused.contains(complaint), "{refused}");
        }
    }
}
