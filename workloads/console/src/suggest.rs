//! How a silence of an alert, or of the alerts of an incident, could begin: a match that is true of them, and of no whole site. It is a
//! person's to widen or to narrow. Names and values are other people's text, and stand in it as literals of CEL.

use vedette_contract::incident::{FieldValue, Grouping, Incident, RawAlert};
use vedette_contract::silence::LONGEST_MATCH;
use vedette_contract::steers;

use crate::alert::Alert;

/// A longer name or value is none for a person to read.
const LONGEST: usize = 120;
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

/// Of alerts of the same site with the same largest reason, and the same text in the first of its reasons that has one. Nothing where an
/// alert has neither: what is to be silenced is then for a person to say.
pub(crate) fn of_alert(alert: &Alert) -> String {
    let reason = alert.reasons.first().and_then(|reason| is_reason(&reason.field));
    let text = alert.reasons.iter().take(3).find_map(|reason| {
        let text = reason.value.as_ref()?.as_str()?;
        (is_short(text) && is_short(&reason.field)).then(|| has_text(&reason.field, text))
    });
    // Of an alert that is no example a match knows no field.
    let text = text.filter(|_| alert.is_whole() && RawAlert::is_example(&alert.json));
    // All that a match may have, its escapes included, is room for both.
    let text = text.filter(|text| text.len() <= LONGEST_MATCH / 2);
    let parts: Vec<_> = reason.into_iter().chain(text).collect();
    if parts.is_empty() { String::new() } else { all_of(alert.owner.site.as_str(), parts) }
}

/// Of alerts of the same site and group; of this incident alone where its group cannot be said, so that a value that somebody sent
/// silences no more than it is of.
pub(crate) fn of_incident(incident: &Incident) -> String {
    let parts = match &incident.grouping {
        Grouping::Fields { values } => values.iter().map(has_value).collect::<Option<Vec<_>>>().unwrap_or_default(),
        Grouping::Reasons => incident.reasons.first().and_then(|reason| is_reason(&reason.field)).into_iter().collect(),
        Grouping::Overflow => Vec::new(),
    };
    let is_known = !parts.is_empty();
    let matches = all_of(incident.site.as_str(), parts);
    if is_known && matches.len() <= LONGEST_MATCH { matches } else { equals("id", &incident.id.to_string()) }
}

fn all_of(site: &str, parts: Vec<String>) -> String {
    [vec![equals("site", site)], parts].concat().join(" && ")
}

/// That a group has this value; nothing where that is too long to be read.
fn has_value(of: &FieldValue) -> Option<String> {
    let is_known = is_short(&of.field) && of.value.as_deref().is_none_or(is_short);
    let member = member("fields", &of.field);
    is_known.then(|| of.value.as_deref().map_or_else(|| format!("{member} == null"), |value| equals(&member, value)))
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
            // None of these is beyond U+FFFF.
            letter if steers(letter) => format!("\\u{:04x}", u32::from(letter)),
            letter => letter.to_string(),
        })
        .collect();
    format!("'{escaped}'")
}

#[cfg(test)]
mod tests {
    use serde_json::json;
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
    }

    /// Whoever sends records must not make a person silence a whole site.
    #[test]
    fn where_a_group_cannot_be_said_the_incident_alone_is_silenced() {
        let by_reasons = incident(1, "2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z");
        let of_fields = |values: &[(&str, &str)]| {
            let value = |(field, value): &(&str, &str)| FieldValue {
                field: (*field).to_owned(),
                value: Some((*value).to_owned()),
            };
            let grouping = Grouping::Fields { values: values.iter().map(value).collect() };
            Incident { grouping, ..by_reasons.clone() }
        };
        let (long, unseen) = ("x".repeat(121), "\u{1}".repeat(120));
        let many = ["a", "b", "c"].map(|field| (field, unseen.as_str()));
        for narrow in [
            of_fields(&[("user_agent", &long)]),
            of_fields(&[("service", "ssh"), ("user_agent", &long)]),
            of_fields(&[(&long, "ssh")]),
            of_fields(&many),
            of_fields(&[]),
            Incident { grouping: Grouping::Overflow, ..by_reasons.clone() },
            Incident { reasons: Vec::new(), ..by_reasons.clone() },
        ] {
            let matches = of_incident(&narrow);
            assert_eq!(matches, "id == '00000000-0000-5000-8000-000000000001'");
            assert!(is_true(&matches, &narrow), "{matches}");
        }
        let nameless = Alert { reasons: Vec::new(), ..alert("east", "2026-11-23T09:00:00Z", "1") };
        assert_eq!(of_alert(&nameless), "", "it is for a person to say");
    }

    #[test]
    fn what_is_suggested_is_taken_however_it_is_escaped() {
        let unseen = "\u{1}".repeat(120);
        let (alert, _) = with_text(&unseen, &unseen);
        assert_eq!(of_alert(&alert), "site == 'east' && 'duration' in reasons");
    }

    /// A match of what an incident does not show is never true.
    #[test]
    fn of_an_alert_that_is_no_example_no_field_is_asked() {
        let deep = alert("east", "2026-11-23T09:00:00Z", &format!("{}1{}", "[".repeat(64), "]".repeat(64)));
        let mut reasons = deep.reasons.clone();
        reasons[0].value = Some("x".into());
        assert_eq!(of_alert(&Alert { reasons, ..deep }), "site == 'east' && 'duration' in reasons");
    }
}
