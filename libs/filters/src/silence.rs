//! The match of a silence.

use vedette_contract::WrittenError;
use vedette_contract::silence::{RECORD_VARIABLES, Silence};

use crate::{Filter, FilterError};

/// Compiles the match of a silence.
///
/// # Errors
/// When it can be true of no alert; and of no record, where no model is to learn from what it matches.
pub fn silence_filter(silence: &Silence) -> Result<Filter, WrittenError> {
    let matches = silence.matches();
    let refused = |mend: String| WrittenError::of_field("match", matches, mend);
    let filter = Filter::compile(matches).map_err(|error| match error {
        FilterError::Syntax { expression: _, message } => refused(format!("is not a CEL expression: {message}")),
        FilterError::Variable { expression: _, variable } => refused(format!(
            "speaks of {variable}, which no alert has; there are: {}; a field of the alert is example.{variable}",
            vedette_contract::receiver::FILTER_VARIABLES.join(", ")
        )),
    })?;
    // Whoever may write into the bucket is asked at every alert of all sites.
    if filter.has_loops() {
        return Err(refused(
            "goes through a list or a map; compare single values, or ask with `in` whether one is in a list".to_owned(),
        ));
    }
    match filter.speaks_of_other_than(&RECORD_VARIABLES).filter(|_| silence.excludes_from_training()) {
        None => Ok(filter),
        Some(variable) => Err(refused(format!(
            "speaks of {variable}, which only incidents and alerts have; with excludeFromTraining there are: {}",
            RECORD_VARIABLES.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use vedette_contract::incident::IncidentOwner;
    use vedette_contract::silence::SilenceFields;

    use super::*;
    use crate::Subject;
    use crate::tests::incident;

    fn silence(matches: &str, exclude_from_training: bool) -> Silence {
        let fields = SilenceFields {
            matches: Some(matches.to_owned()),
            from: Some("2026-11-23T08:00:00Z".parse().unwrap()),
            until: Some("2026-11-23T09:00:00Z".parse().unwrap()),
            by: Some("ada".to_owned()),
            why: Some("a test".to_owned()),
            exclude_from_training,
        };
        fields.try_into().unwrap()
    }

    #[test]
    fn a_match_is_asked_of_an_alert_and_of_a_record() {
        let filter = silence_filter(&silence("site == 'east' && example.src_bytes == 181", true)).unwrap();
        assert_eq!(filter.matches(&Subject::incident(&incident())), Ok(true));
        let name = |text: &str| text.parse().unwrap();
        let owner = |site: &str| IncidentOwner { namespace: name("team"), pipeline: name("flows"), site: name(site) };
        let says = |site: &str, record: &str| filter.matches(&Subject::record(&owner(site), record.as_bytes()));
        assert_eq!(says("east", r#"{"src_bytes":181}"#), Ok(true));
        assert_eq!(says("west", r#"{"src_bytes":181}"#), Ok(false));
        assert_eq!(says("east", r#"{"src_bytes":7}"#), Ok(false));
        assert!(says("east", r#"{"other":7}"#).is_err());
        assert_ne!(says("east", "no record"), Ok(true));
    }

    #[test]
    fn a_match_that_can_be_true_of_nothing_is_refused_with_what_to_do() {
        for (matches, excludes, complaint) in [
            ("site ==", false, "is not a CEL expression"),
            ("src_bytes > 1", false, "a field of the alert is example.src_bytes"),
            ("['a'].map(site, site + site).size() == 1", false, "goes through a list or a map"),
            ("!(size(example) > 1 && example.all(site, site == 'x'))", false, "goes through a list or a map"),
            (
                "severity == 'low'",
                true,
                "speaks of severity, which only incidents and alerts have; with excludeFromTraining",
            ),
        ] {
            let refused = silence_filter(&silence(matches, excludes)).unwrap_err().to_string();
            assert!(refused.starts_with("match \"") && refused.contains(complaint), "{matches}: {refused}");
        }
        assert!(silence_filter(&silence("severity == 'low'", false)).is_ok());
    }
}
