//! Silences: what a person wants not to be told of, for a time. Each is one object in the bucket, which one site writes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Name;
use crate::written::{self, LONGEST_NAME, LONGEST_REASON, WrittenError, line, stamped_id};

/// A longer match is none, bytes.
pub const LONGEST_MATCH: usize = 2_000;
/// What the match of a silence may speak of by which no model learns from records, in this order of a record: namespace, pipeline
/// and site, and the record itself (a map). They mean the same in [`crate::receiver::FILTER_VARIABLES`].
pub const RECORD_VARIABLES: [&str; 4] = ["namespace", "pipeline", "site", "example"];
/// No silence is larger.
pub const LARGEST_SILENCE: u64 = 16 * 1024;

stamped_id! {
    /// Names a silence for ever: when it was added, and eight random hex digits. Text order is time order.
    SilenceId, SilenceIdError, "silence"
}

/// Where a silence stands: the site that alone writes it, and its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SilenceKey {
    /// The site.
    pub site: Name,
    /// The id.
    pub id: SilenceId,
}

/// A silence, all of whose rules hold but that its match is CEL: whoever asks the match says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// A CEL expression over an alert, in the words of a receiver's filter.
    #[serde(rename = "match")]
    matches: String,
    from: Timestamp,
    until: Timestamp,
    by: String,
    why: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    exclude_from_training: bool,
}

/// How a silence stands at a time.
// In the order of lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub enum SilenceState {
    /// It has begun and has not ended.
    #[serde(rename = "in force")]
    InForce,
    /// It has not begun.
    #[serde(rename = "to come")]
    ToCome,
    /// It has ended.
    #[serde(rename = "over")]
    Over,
}

impl SilenceState {
    /// Its name in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::ToCome => "to come",
            Self::Over => "over",
        }
    }
}

/// What somebody wrote for a silence; it becomes one where all of its rules hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SilenceFields {
    /// Of what alerts.
    #[serde(rename = "match")]
    pub matches: Option<String>,
    /// From when on.
    pub from: Option<Timestamp>,
    /// Before when.
    pub until: Option<Timestamp>,
    /// Who wants it.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
    /// Whether no model learns from the records.
    pub exclude_from_training: bool,
}

impl TryFrom<SilenceFields> for Silence {
    type Error = WrittenError;

    fn try_from(fields: SilenceFields) -> Result<Self, WrittenError> {
        let SilenceFields { matches, from, until, by, why, exclude_from_training } = fields;
        let mend = "write a CEL expression over an alert of 1 to 2000 bytes, such as site == 'east'";
        let matches = matches.ok_or_else(|| WrittenError::missing("match", mend))?;
        if matches.trim().is_empty() || matches.len() > LONGEST_MATCH {
            return Err(WrittenError::of_field("match", &matches, mend));
        }
        let from = from.ok_or_else(|| WrittenError::missing("from", "say from when on, as 2026-11-23T08:00:00Z"))?;
        let mend = "a silence has an end: say when, as 2026-11-23T20:00:00Z";
        let until = until.ok_or_else(|| WrittenError::missing("until", mend))?;
        if until <= from {
            let mend = format!("must be after from, which is {from}");
            return Err(WrittenError::of_field("until", &until.to_string(), mend));
        }
        let by = line("by", by, LONGEST_NAME, "say who wants it, in a line of 1 to 100 bytes")?;
        let why = line("why", why, LONGEST_REASON, "say why, in a line of 1 to 1000 bytes")?;
        Ok(Self { matches, from, until, by, why, exclude_from_training })
    }
}

impl Silence {
    /// Reads an object of the bucket.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, WrittenError> {
        written::read::<SilenceFields>(bytes, "silence")?.try_into()
    }

    /// A CEL expression that says of what alerts people are not told.
    pub fn matches(&self) -> &str {
        &self.matches
    }

    /// The first time at which it is in force.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// The first time after that at which it is not.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// Who wants it.
    pub fn by(&self) -> &str {
        &self.by
    }

    /// Why.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Whether no model learns from the records that it matches.
    pub fn excludes_from_training(&self) -> bool {
        self.exclude_from_training
    }

    /// Whether it is in force at a time.
    pub fn is_in_force(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    /// How it stands at a time.
    pub fn state(&self, at: Timestamp) -> SilenceState {
        if self.is_in_force(at) {
            SilenceState::InForce
        } else if at < self.from {
            SilenceState::ToCome
        } else {
            SilenceState::Over
        }
    }

    /// The same with an end at this time; none where it has not begun by then.
    pub fn ended(&self, at: Timestamp) -> Option<Self> {
        (self.from < at).then(|| Self { until: at.min(self.until), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"match":"site == 'east'","from":"2026-11-23T08:00:00Z","until":"2026-11-23T10:00:00Z",
        "by":" ada ","why":"the backup runs"}"#;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_silence_reads_back_and_is_in_force_before_its_end() {
        let silence = Silence::read(WHOLE.as_bytes()).unwrap();
        assert_eq!((silence.by(), silence.excludes_from_training()), ("ada", false));
        let json = serde_json::to_vec(&silence).unwrap();
        assert_eq!(Silence::read(&json).unwrap(), silence);
        let holds = ["2026-11-23T07:59:59Z", "2026-11-23T08:00:00Z", "2026-11-23T09:59:59Z", "2026-11-23T10:00:00Z"]
            .map(|time| silence.is_in_force(at(time)));
        assert_eq!(holds, [false, true, true, false]);
        let states = ["2026-11-23T07:59:59Z", "2026-11-23T08:00:00Z", "2026-11-23T10:00:00Z"]
            .map(|time| silence.state(at(time)).as_str());
        assert_eq!(states, ["to come", "in force", "over"]);
        for state in [SilenceState::ToCome, SilenceState::InForce, SilenceState::Over] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        let excluding = WHOLE.replace("\"by\"", "\"excludeFromTraining\":true,\"by\"");
        let excluding = Silence::read(excluding.as_bytes()).unwrap();
        assert!(excluding.excludes_from_training());
        assert_eq!(Silence::read(&serde_json::to_vec(&excluding).unwrap()).unwrap(), excluding);
    }

    #[test]
    fn an_end_comes_earlier_and_never_later_and_what_has_not_begun_has_none() {
        let silence = Silence::read(WHOLE.as_bytes()).unwrap();
        let until = |time: &str| silence.ended(at(time)).map(|ended| ended.until().to_string());
        assert_eq!(until("2026-11-23T09:00:00Z").as_deref(), Some("2026-11-23T09:00:00Z"));
        assert_eq!(until("2026-11-24T09:00:00Z").as_deref(), Some("2026-11-23T10:00:00Z"));
        assert_eq!((until("2026-11-23T08:00:00Z"), until("2026-11-22T08:00:00Z")), (None, None));
    }

    #[test]
    fn what_is_none_is_refused_with_the_field_its_value_and_what_to_do() {
        let long = "x".repeat(2_001);
        for (of, by, field, value) in [
            ("\"site == 'east'\"", "\"\"", "match", "\"\""),
            ("site == 'east'", long.as_str(), "match", long.as_str()),
            ("2026-11-23T10:00:00Z", "2026-11-23T08:00:00Z", "until", "2026-11-23T08:00:00Z"),
            ("2026-11-23T10:00:00Z", "2026-11-23T07:00:00Z", "until", "must be after from, which is 2026-11-23T08"),
            ("\"2026-11-23T10:00:00Z\"", "null", "until", "a silence has an end"),
            ("the backup runs", "\\u001b[2J", "why", "in a line of"),
            (" ada ", "  ", "by", "say who wants it"),
        ] {
            let refused = Silence::read(WHOLE.replace(of, by).as_bytes()).unwrap_err().to_string();
            assert!(refused.starts_with(field) && refused.contains(value), "{of} by {by}: {refused}");
        }
        for (without, field) in [("match", "match"), ("from", "from"), ("until", "until"), ("by", "by"), ("why", "why")]
        {
            let mut object: serde_json::Map<_, _> = serde_json::from_str(WHOLE).unwrap();
            object.remove(without);
            let refused = Silence::read(&serde_json::to_vec(&object).unwrap()).unwrap_err().to_string();
            assert!(refused.starts_with(&format!("{field} is missing: ")), "{refused}");
        }
        for strange in ["{half", r#"{"matches":"true"}"#, r#"{"until":"tomorrow"}"#] {
            assert!(matches!(Silence::read(strange.as_bytes()), Err(WrittenError::Json { .. })), "{strange}");
        }
        let list = r#"["true","2026-11-23T08:00:00Z","2026-11-23T10:00:00Z","ada","a test",false]"#;
        let refused = Silence::read(list.as_bytes()).unwrap_err().whole();
        assert!(
            refused.starts_with("is not a silence as JSON: invalid type: sequence, expected an object with"),
            "{refused}"
        );
    }

    #[test]
    fn an_id_is_its_time_and_a_number() {
        let time = at("2026-11-23T08:42:10.5Z");
        let id = SilenceId::new(time, 0x0a_2b_3c_4d);
        assert_eq!((id.as_str(), id.as_str().parse()), ("20261123T084210Z-0a2b3c4d", Ok(id.clone())));
        for bad in ["", "20261123T084210Z", "20261123T084210Z-1A2b3c4d", "../x", "20261123T084210Z-1a2b3c4d.json"] {
            assert!(bad.parse::<SilenceId>().is_err(), "{bad}");
        }
    }
}
