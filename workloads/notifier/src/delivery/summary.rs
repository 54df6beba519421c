//! An incident in one sentence for a person.

use vedette_contract::incident::{FieldValue, Grouping, Incident};

use crate::tally;

/// `501 alerts at site east since 2026-11-23T08:42:10Z, because of src_bytes, service.`
pub(crate) fn summary(incident: &Incident) -> String {
    let Incident { alerts, silenced_alerts, site, first_utc, grouping, reasons, .. } = incident;
    let noun = if *alerts == 1 { "alert" } else { "alerts" };
    let mut text = format!("{alerts} {noun} at site {site} since {first_utc:.0}");
    match grouping {
        Grouping::Reasons => {}
        Grouping::Fields { values } => {
            let shown: Vec<_> = values.iter().map(shown).collect();
            text.extend([" of ", &shown.join(", ")]);
        }
        Grouping::Overflow => text.push_str(" of many kinds, as too many incidents are open"),
    }
    let reasons: Vec<_> = tally::largest(reasons).collect();
    if !reasons.is_empty() {
        text.extend([", because of ", &reasons.join(", ")]);
    }
    if *silenced_alerts > 0 {
        text.extend(["; ", &silenced_alerts.to_string(), " of them silenced"]);
    }
    text.push('.');
    // Names and values are what others sent.
    text.replace(char::is_control, " ")
}

fn shown(FieldValue { field, value }: &FieldValue) -> String {
    format!("{field}={}", value.as_deref().unwrap_or("(none)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::ledger::testing::{grown, incident};

    #[test]
    fn a_summary_is_one_line_whatever_others_sent() {
        let mut hostile = incident(1);
        hostile.reasons[0].field = "a\n\u{1b}[31mb".to_owned();
        assert!(summary(&hostile).contains("because of a  [31mb, service."), "{}", summary(&hostile));
    }

    #[test]
    fn a_summary_is_one_sentence() {
        let incident = grown(incident(1));
        assert_eq!(
            summary(&incident),
            "2 alerts at site east since 2026-11-23T08:42:10Z, because of src_bytes, service."
        );
        let partly = Incident { alerts: 3, silenced_alerts: 2, ..incident.clone() };
        assert!(
            summary(&partly).ends_with("because of src_bytes, service; 2 of them silenced."),
            "{}",
            summary(&partly)
        );
        let values = vec![
            FieldValue { field: "service".to_owned(), value: Some("http".to_owned()) },
            FieldValue { field: "flag".to_owned(), value: None },
        ];
        let grouped = Incident { alerts: 1, grouping: Grouping::Fields { values }, reasons: Vec::new(), ..incident };
        assert_eq!(summary(&grouped), "1 alert at site east since 2026-11-23T08:42:10Z of service=http, flag=(none).");
    }
}
