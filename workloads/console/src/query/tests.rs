use super::*;
use crate::testing::{alert, incident};

fn kept() -> Vec<Arc<Alert>> {
    let one = |site: &str, detected: &str, own: &str| Arc::new(alert(site, detected, own));
    vec![
        one("west", "2026-11-23T10:00:00Z", "3"),
        one("east", "2026-11-23T09:10:00Z", "\"<script>\""),
        one("east", "2026-11-23T09:00:00Z", "1"),
        one("east", "2026-11-23T07:00:00Z", "0"),
    ]
}

#[test]
fn counts_and_rows_come_from_one_pass() {
    let all = kept();
    let east = AlertFilter { site: Some("east".parse().unwrap()), ..AlertFilter::default() };
    let view = alerts(&all, &east, 2);
    assert_eq!((view.alerts.len(), view.matching, view.kept), (2, 3, 4));
    assert_eq!(view.oldest_utc, Some("2026-11-23T07:00:00Z".parse().unwrap()));
    assert_eq!(view.alerts[0].detected_utc, "2026-11-23T09:10:00Z".parse().unwrap());
}

#[test]
fn each_filter_leaves_out() {
    let all = kept();
    let count = |filter: AlertFilter| alerts(&all, &filter, 10).matching;
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(count(AlertFilter::default()), 4);
    assert_eq!(count(AlertFilter { severity: Some(Severity::High), ..AlertFilter::default() }), 4);
    assert_eq!(count(AlertFilter { severity: Some(Severity::Critical), ..AlertFilter::default() }), 0);
    assert_eq!(count(AlertFilter { reason: some("service"), ..AlertFilter::default() }), 4);
    assert_eq!(count(AlertFilter { reason: some("serv"), ..AlertFilter::default() }), 0);
    assert_eq!(count(AlertFilter { text: some("<script>"), ..AlertFilter::default() }), 1);
    let at = |text: &str| Some(text.parse().unwrap());
    assert_eq!(count(AlertFilter { from: at("2026-11-23T09:00:00Z"), ..AlertFilter::default() }), 3);
    assert_eq!(count(AlertFilter { to: at("2026-11-23T09:00:00Z"), ..AlertFilter::default() }), 2);
    assert_eq!(count(AlertFilter { namespace: Some("other".parse().unwrap()), ..AlertFilter::default() }), 0);
    assert_eq!(count(AlertFilter { pipeline: Some("other".parse().unwrap()), ..AlertFilter::default() }), 0);
}

#[test]
fn alerts_of_an_incident_are_of_its_site_time_and_cause() {
    let all = kept();
    let of = |incident: Incident| {
        alerts(&all, &AlertFilter { incident: Some(Arc::new(incident)), ..AlertFilter::default() }, 10).matching
    };
    let incident = incident(1, "2026-11-23T09:00:00Z", "2026-11-23T09:10:00Z");
    assert_eq!(of(incident.clone()), 2);
    let mut other = incident.clone();
    other.reasons[0].field = "bytes".to_owned();
    assert_eq!(of(other), 0);
    let by = |value: &str| {
        let values =
            vec![vedette_contract::incident::FieldValue { field: "service".to_owned(), value: Some(value.to_owned()) }];
        Incident { grouping: Grouping::Fields { values }, ..incident.clone() }
    };
    assert_eq!((of(by("http")), of(by("ssh"))), (2, 0));
}

#[test]
fn an_alert_of_a_simulated_record_is_listed_and_of_no_incident_and_in_no_distribution() {
    let all = ["1", r#"2,"simulated":true"#, r#"3,"simulated":"true""#];
    let all = all.map(|own| Arc::new(alert("east", "2026-11-23T09:05:00Z", own)));
    assert_eq!(all.each_ref().map(|alert| alert.simulated), [false, true, false]);
    let listed = alerts(&all, &AlertFilter::default(), 10);
    assert_eq!(listed.matching, 3);
    let of = Some(Arc::new(incident(1, "2026-11-23T09:00:00Z", "2026-11-23T09:10:00Z")));
    assert_eq!(alerts(&all, &AlertFilter { incident: of, ..AlertFilter::default() }, 10).matching, 2);
    assert_eq!((scores(&all).alerts, histogram(&all, "own", "service").alerts), (2, 2));
}

#[test]
fn similar_alerts_are_near_in_time_at_any_site() {
    let all = kept();
    let view = similar(&all, &all[1]);
    let found: Vec<_> = view.alerts.iter().map(|row| row.site.as_str()).collect();
    assert_eq!(found, ["west", "east"], "not itself, and not that of two hours before");
}

#[test]
fn pages_follow_each_other_without_a_gap_also_where_incidents_come_between() {
    let at = |number: u32| incident(number, "2026-11-23T09:00:00Z", &format!("2026-11-23T09:{:02}:00Z", number / 2));
    let mut all: Vec<_> = (0..9).map(|number| Arc::new(at(number))).collect();
    all.sort_by_key(|incident| std::cmp::Reverse((incident.last_utc, incident.id)));
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let view = incidents(&all, &IncidentFilter::default(), cursor, 4);
        assert_eq!((view.matching, view.open), (all.len(), all.len()));
        seen.extend(view.incidents.into_iter().map(|row| row.id));
        let Some(next) = view.next else { break };
        cursor = Some(Cursor::read(&next).unwrap());
        if seen.len() == 4 {
            all.insert(0, Arc::new(at(99)));
        }
    }
    assert_eq!(seen.len(), 9);
    let expected: Vec<_> = all[1..].iter().map(|incident| incident.id.to_string()).collect();
    assert_eq!(seen, expected);
    for wrong in ["", "1", "_", "x_y", "1_2"] {
        assert_eq!(Cursor::read(wrong), None, "{wrong}");
    }
}

#[test]
fn only_incidents_of_the_status_and_severity_are_told() {
    let all = [Arc::new(incident(1, "2026-11-23T09:00:00Z", "2026-11-23T09:00:00Z"))];
    let count = |filter: IncidentFilter| incidents(&all, &filter, None, 10).matching;
    assert_eq!(count(IncidentFilter { status: Some(IncidentStatus::Open), ..IncidentFilter::default() }), 1);
    assert_eq!(count(IncidentFilter { status: Some(IncidentStatus::Closed), ..IncidentFilter::default() }), 0);
    assert_eq!(count(IncidentFilter { severity: Some(Severity::Critical), ..IncidentFilter::default() }), 0);
    assert_eq!(count(IncidentFilter { site: Some("west".parse().unwrap()), ..IncidentFilter::default() }), 0);
}

#[test]
fn what_was_detected_at_one_time_is_told_together_and_as_it_was_written() {
    let one = |detected: &str, own: &str| Arc::new(alert("east", detected, own));
    let all = [
        one("2026-11-23T10:00:00Z", "1"),
        one("2026-11-23T09:00:00Z", "2"),
        one("2026-11-23T09:00:00Z", "3"),
        one("2026-11-23T08:00:00Z", "4"),
    ];
    let view = written_alerts(&all, &AlertFilter::default(), 2);
    let written: Vec<&str> = view.alerts.iter().map(|alert| alert.json.as_str()).collect();
    assert_eq!(written, [&*all[0].json, &*all[1].json, &*all[2].json]);
    assert_eq!((view.kept, view.oldest_utc), (4, Some(all[3].detected)));
    assert!(view.alerts.iter().all(|alert| alert.is_whole));
}

#[test]
fn written_incidents_come_in_the_pages_of_the_others() {
    let all: Vec<_> = (1..=3)
        .rev()
        .map(|id| Arc::new(incident(id, "2026-11-23T08:00:00Z", &format!("2026-11-23T09:0{id}:00Z"))))
        .collect();
    let filter = IncidentFilter::default();
    let first = written_incidents(&all, &filter, None, 2).unwrap();
    let read = |text: &String| serde_json::from_str::<Incident>(text).unwrap().id;
    assert_eq!(first.incidents.iter().map(read).collect::<Vec<_>>(), [all[0].id, all[1].id]);
    assert_eq!(first.next, incidents(&all, &filter, None, 2).next);
    let second = written_incidents(&all, &filter, Cursor::read(&first.next.unwrap()), 2).unwrap();
    assert_eq!((second.incidents.len(), second.next), (1, None));
}
