//! How a silence of an alert, or of the alerts of an incident, could begin: a match that is true of them. It is a person's to widen or
//! to narrow. Names and values are other people's text, and stand in it as literals of CEL.

use vedette_contract::incident::{Grouping, Incident};

use crate::alert::Alert;

/// A longer name or value is none for a person to read.
const LONGEST: usize = 120;
/// An alert that is longer is null to a match.
const LARGEST_EXAMPLE: usize = 8 << 10;
/// What CEL keeps for itself.
const RESERVED: [&str; 21] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// Of alerts of the same site with the same largest reason, and the same text in the first of its reasons that has one.
pub(crate) fn of_alert(alert: &Alert) -> String {
    let mut parts = vec![equals("site", alert.owner.site.as_str())];
    parts.extend(alert.reasons.first().and_then(|reason| is_reason(&reason.field)));
    if alert.is_whole() && alert.bytes <= LARGEST_EXAMPLE {
        let texts = alert.reasons.iter().take(3).filter_map(|reason| {
            let text = reason.value.as_ref()?.as_str()?;
            (is_short(text) && is_short(&reason.field)).then(|| has_text(&reason.field, text))
        });
        parts.extend(texts.take(1));
    }
    parts.join(" && ")
}

/// Of alerts of the same site and group.
pub(crate) fn of_incident(incident: &Incident) -> String {
    let mut parts = vec![equals("site", incident.site.as_str())];
    match &incident.grouping {
        Grouping::Fields { values } => {
            let short = values.iter().filter(|of| is_short(&of.field) && of.value.as_deref().is_none_or(is_short));
            parts.extend(short.map(|of| {
                let member = member("fields", &of.field);
                of.value.as_deref().map_or_else(|| format!("{member} == null"), |value| equals(&member, value))
            }));
        }
        Grouping::Reasons => {
            parts.extend(incident.reasons.first().and_then(|reason| is_reason(&reason.field)));
        }
        Grouping::Overflow => {}
    }
    parts.join(" && ")
}

fn is_short(text: &str) -> bool {
    text.len() <= LONGEST
}

fn is_reason(field: &str) -> Option<String> {
    is_short(field).then(|| format!("{} in reasons", literal(field)))
}

fn has_text(field: &str, text: &str) -> String {
    let member = member("example", field);
    let is_there =
        if is_identifier(field) { format!("has({member})") } else { format!("{} in example", literal(field)) };
    format!("{is_there} && {}", equals(&member, text))
}

fn equals(name: &str, text: &str) -> String {
    format!("{name} == {}", literal(text))
}

fn member(of: &str, field: &str) -> String {
    if is_identifier(field) { format!("{of}.{field}") } else { format!("{of}[{}]", literal(field)) }
}

fn is_identifier(name: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    let is_word = |letter: char| is_letter(letter) || letter.is_ascii_digit();
    name.starts_with(is_letter) && name.chars().all(is_word) && !RESERVED.contains(&name)
}

/// A text of CEL. What nobody sees is spelled out.
fn literal(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|letter| match letter {
            '\\' => "\\\\".to_owned(),
            '\'' => "\\'".to_owned(),
            letter if is_unseen(letter) => spelled(letter),
            letter => letter.to_string(),
        })
        .collect();
    format!("'{escaped}'")
}

fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(letter, '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn spelled(letter: char) -> String {
    let code = u32::from(letter);
    if code > 0xffff { format!("\\U{code:08x}") } else { format!("\\u{code:04x}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vedette_contract::incident::{FieldValue, RawAlert};
    use vedette_filters::{Filter, Subject};

    use super::*;
    use crate::testing::{alert, incident, owner};

    fn is_true(matches: &str, incident: &Incident) -> bool {
        Filter::compile(matches).unwrap().matches(&Subject::incident(incident)).unwrap()
    }

    /// An alert with this text in this field, as the notifier asks of it.
    fn with_text(field: &str, text: &str) -> (Alert, Incident) {
        let json = json!({
            field: text, "detected_utc": "2026-11-23T09:00:00Z",
            "reasons": [{"field": "duration", "share": 0.7, "value": 12.5}, {"field": field, "share": 0.3, "value": text}],
        });
        let alert = Alert::read(owner("east"), json.to_string().as_bytes()).unwrap();
        let mut asked = incident(1, "2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z");
        asked.example.alert = RawAlert::new(&alert.json);
        (alert, asked)
    }

    #[test]
    fn what_is_suggested_is_true_of_what_it_is_suggested_for() {
        let hostile = "a'b\\c\u{1b}[2J\u{202e}\u{0} \" ${x} ä";
        for (field, text) in [("service", "ftp"), ("service", hostile), ("a b", "ftp"), (hostile, hostile), ("in", "x")]
        {
            let (alert, asked) = with_text(field, text);
            let matches = of_alert(&alert);
            assert!(is_true(&matches, &asked), "{matches}");
            assert!(!matches.contains(|letter: char| letter.is_control() || letter == '\u{202e}'), "{matches:?}");
            let (_, other) = with_text(field, "another");
            assert!(!is_true(&matches, &other), "{matches}");
        }
    }

    #[test]
    fn an_alert_is_known_by_its_reasons() {
        assert_eq!(of_alert(&alert("east", "2026-11-23T09:00:00Z", "1")), "site == 'east' && 'duration' in reasons");
        let (long, _) = with_text("service", &"x".repeat(200));
        assert_eq!(of_alert(&long), "site == 'east' && 'duration' in reasons");
        let (texts, _) = with_text("service", "ftp");
        let expected = "site == 'east' && 'duration' in reasons && has(example.service) && example.service == 'ftp'";
        assert_eq!(of_alert(&texts), expected);
    }

    #[test]
    fn an_incident_is_known_by_its_group() {
        let by_reasons = incident(1, "2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z");
        assert_eq!(of_incident(&by_reasons), "site == 'east' && 'duration' in reasons");
        assert!(is_true(&of_incident(&by_reasons), &by_reasons));
        let value =
            |field: &str, value: Option<&str>| FieldValue { field: field.to_owned(), value: value.map(str::to_owned) };
        let values = vec![value("service", Some("it's")), value("user name", None)];
        let by_fields = Incident { grouping: Grouping::Fields { values }, ..by_reasons.clone() };
        let matches = of_incident(&by_fields);
        assert_eq!(matches, r"site == 'east' && fields.service == 'it\'s' && fields['user name'] == null");
        assert!(is_true(&matches, &by_fields), "{matches}");
        assert_eq!(of_incident(&Incident { grouping: Grouping::Overflow, ..by_reasons }), "site == 'east'");
    }
}
