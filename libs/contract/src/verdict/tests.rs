use super::*;

const OF_ALERT: &str = r#"{"alert":{"uuid":"u-1","site":"east","detectedUtc":"2026-11-23T08:00:00Z",
    "modelVersion":"20261123T000000Z-1a2b3c4d"},"verdict":"anomaly","by":" ada ","why":"an intrusion",
    "at":"2026-11-23T09:00:00.25Z"}"#;
const OF_INCIDENT: &str = r#"{"incident":{"id":"e10ccd88-6b1b-5425-8e1e-5a86f19dd1c5","site":"west",
    "firstUtc":"2026-11-23T08:00:00Z","lastUtc":"2026-11-23T08:30:00Z","alerts":7,"example":"u-1"},
    "verdict":"expected","by":"ada","why":"the backup","at":"2026-11-23T09:00:00Z"}"#;

fn refusal(json: &str) -> String {
    Verdict::read(json.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_verdict_of_an_alert_and_of_an_incident_read_back() {
    let verdict = Verdict::read(OF_ALERT.as_bytes()).unwrap();
    assert_eq!(
        (verdict.by(), verdict.finding(), verdict.judged().key()),
        ("ada", Finding::Anomaly, JudgedKey::Alert { site: &"east".parse().unwrap(), uuid: "u-1" })
    );
    let json = serde_json::to_value(&verdict).unwrap();
    assert_eq!(json, serde_json::from_str::<serde_json::Value>(&OF_ALERT.replace(" ada ", "ada")).unwrap());
    assert_eq!(Verdict::read(json.to_string().as_bytes()).unwrap(), verdict);

    let verdict = Verdict::read(OF_INCIDENT.as_bytes()).unwrap();
    let Judged::Incident(incident) = verdict.judged() else { panic!("{verdict:?}") };
    assert_eq!((incident.alerts, &incident.model_version, verdict.finding()), (7, &None, Finding::Expected));
    assert_eq!(Verdict::read(&serde_json::to_vec(&verdict).unwrap()).unwrap(), verdict);
    let later = verdict.clone().given("2026-11-24T09:00:00Z".parse().unwrap());
    assert_eq!((later.judged(), later.at().to_string().as_str()), (verdict.judged(), "2026-11-24T09:00:00Z"));
}

#[test]
fn a_list_of_values_is_no_verdict_and_names_no_alert_and_no_incident() {
    let list = r#"[null,null,"anomaly","ada","why","2026-11-23T09:00:00Z"]"#;
    let alert = r#"["u-1","east","2026-11-23T08:00:00Z",null]"#;
    let incident =
        r#"["e10ccd88-6b1b-5425-8e1e-5a86f19dd1c5","west","2026-11-23T08:00:00Z","2026-11-23T08:30:00Z",7,"u-1",null]"#;
    for json in [list.to_owned(), format!("{{\"alert\":{alert}}}"), format!("{{\"incident\":{incident}}}")] {
        let refused = Verdict::read(json.as_bytes()).unwrap_err().whole();
        assert!(
            refused.contains("invalid type: sequence, expected an object with its fields by their names"),
            "{refused}"
        );
    }
}

#[test]
fn what_is_none_is_refused_with_the_field_its_value_and_what_to_do() {
    let long = format!("\"{}\"", "x".repeat(1_001));
    for (json, of, by, field, value) in [
        (OF_ALERT, "\"u-1\"", "\"\"", "alert", "\"\": a verdict names an alert by"),
        (OF_ALERT, "\"u-1\"", long.as_str(), "alert", "in a line of 1 to 1000 bytes"),
        (OF_ALERT, "u-1", "u\\n1", "alert", "\"u\\n1\""),
        (OF_ALERT, "\"an intrusion\"", long.as_str(), "why", "in a line of"),
        (OF_ALERT, "an intrusion", "\\u001b[2J", "why", "\"\\u{1b}[2J\""),
        (OF_ALERT, " ada ", "  ", "by", "say who gives it"),
        (OF_ALERT, "2026-11-23T09:00:00.25Z", "9999-12-30T22:00:00.999999999Z", "at", "no clock is there yet"),
        (OF_INCIDENT, "\"alerts\":7", "\"alerts\":0", "incident", "at least one alert"),
        (OF_INCIDENT, "08:30:00", "07:30:00", "incident", "before its first"),
        (OF_INCIDENT, "\"u-1\"", "\"\\t\"", "incident", "\"\\t\""),
    ] {
        let refused = refusal(&json.replace(of, by));
        assert!(refused.starts_with(field) && refused.contains(value), "{of} by {by}: {refused}");
    }
    for field in ["alert", "verdict", "by", "why", "at"] {
        let mut object: serde_json::Map<_, _> = serde_json::from_str(OF_ALERT).unwrap();
        object.remove(field);
        let refused = refusal(&serde_json::to_string(&object).unwrap());
        assert!(refused.starts_with(&format!("{field} is missing: ")), "{refused}");
    }
    let mut both: serde_json::Map<String, serde_json::Value> = serde_json::from_str(OF_ALERT).unwrap();
    both.extend(serde_json::from_str::<serde_json::Map<_, _>>(OF_INCIDENT).unwrap());
    assert!(refusal(&serde_json::to_string(&both).unwrap()).contains("leave one of them out"));
}

#[test]
fn what_has_other_fields_is_no_verdict() {
    for strange in [
        "{half".to_owned(),
        r#"{"alerts":7}"#.to_owned(),
        OF_ALERT.replace("\"by\"", "\"until\":1,\"by\""),
        OF_ALERT.replace("\"site\"", "\"place\":1,\"site\""),
        OF_ALERT.replace("anomaly", "Anomaly"),
        OF_ALERT.replace("20261123T000000Z-1a2b3c4d", "the last"),
        OF_ALERT.replace("\"east\"", "\"../x\""),
        OF_INCIDENT.replace("e10ccd88", "x"),
        OF_INCIDENT.replace("\"alerts\":7", "\"alerts\":-7"),
        OF_INCIDENT.replace("\"alerts\":7", "\"alerts\":18446744073709551616"),
    ] {
        assert!(matches!(Verdict::read(strange.as_bytes()), Err(WrittenError::Json { .. })), "{strange}");
    }
}

#[test]
fn an_id_is_its_time_and_a_number_and_tells_its_month() {
    let time = "2026-11-23T08:42:10.5Z".parse().unwrap();
    let id = VerdictId::new(time, 0x0a_2b_3c_4d);
    assert_eq!((id.as_str(), id.month().as_str()), ("20261123T084210Z-0a2b3c4d", "2026-11"));
    assert_eq!(id.as_str().parse(), Ok(id.clone()));
    assert!(id.is_of(time) && id.is_of("2026-11-23T08:42:10Z".parse().unwrap()));
    assert!(!id.is_of("2026-11-23T08:42:11Z".parse().unwrap()));
    let refused = "2026-11".parse::<VerdictId>().unwrap_err().to_string();
    assert!(refused.starts_with("\"2026-11\" is not the id of a verdict: they look like"), "{refused}");
    for finding in Finding::value_variants() {
        assert_eq!(serde_json::to_value(finding).unwrap(), finding.as_str());
    }
}
