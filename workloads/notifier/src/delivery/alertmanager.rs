//! Incidents as alerts of Alertmanager's API v2. Alertmanager knows an alert by its labels, and takes one for over that nobody
//! repeats: what is open is posted again and again.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use vedette_contract::incident::{Incident, IncidentStatus, Severity};

use super::heard::Told;
use super::ledger::News;
use super::summary::summary;

/// How often what is open is posted again.
pub(crate) const REPEAT: Duration = Duration::from_secs(60);
/// What was posted and is not posted again is over after this long: several repeats may be late or lost, as while Kafka moves or
/// the notifier's pod does.
const LASTS: Duration = Duration::from_secs(900);
const PATH: &str = "/api/v2/alerts";
const ALERT_NAME: &str = "VedetteIncident";

/// Where alerts are posted of an Alertmanager at this address.
pub(crate) fn url(address: &str) -> String {
    format!("{}{PATH}", address.trim_end_matches('/'))
}

/// What tells news.
pub(crate) fn news(News { incident, before }: &News<'_>, now: Timestamp) -> Vec<Value> {
    let severity = incident.severity;
    // Of what began and ended before anybody was told, people are told for a while.
    let ends = if incident.status == IncidentStatus::Closed && before.is_some() { now } else { later(now) };
    let mut alerts = vec![alert(incident, severity, ends)];
    // The severity is a label, by which Alertmanager routes: another one makes another alert.
    alerts.extend(before.filter(|told| told.severity != severity).map(|told| alert(incident, told.severity, now)));
    alerts
}

/// What says that an incident is still open.
pub(crate) fn repeated((incident, told): (&Incident, Told), now: Timestamp) -> Value {
    alert(incident, told.severity, later(now))
}

fn later(now: Timestamp) -> Timestamp {
    now.saturating_add(LASTS).unwrap_or(Timestamp::MAX)
}

fn alert(incident: &Incident, severity: Severity, ends: Timestamp) -> Value {
    let Incident { id, namespace, pipeline, site, first_utc, last_utc, alerts, highest_score, .. } = incident;
    let mut annotations = json!({
        "summary": summary(incident),
        "alerts": alerts.to_string(),
        "last_utc": last_utc.to_string(),
    });
    if let Some(score) = highest_score {
        annotations["highest_score"] = json!(score.to_string());
    }
    json!({
        "labels": {
            "alertname": ALERT_NAME,
            "namespace": namespace,
            "pipeline": pipeline,
            "site": site,
            "severity": severity,
            "dedup_key": id,
        },
        "annotations": annotations,
        "startsAt": first_utc.min(&ends),
        "endsAt": ends,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::ledger::testing::{closed, incident, raised};

    fn now() -> Timestamp {
        "2026-11-23T09:00:00Z".parse().unwrap()
    }

    fn told(incident: &Incident, before: Option<Severity>) -> Vec<(String, String)> {
        let before = before.map(|severity| Told { news_revision: 1, severity });
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let alerts = news(&News { incident, before }, now());
        alerts.iter().map(|alert| (text(&alert["labels"]["severity"]), text(&alert["endsAt"]))).collect()
    }

    #[test]
    fn an_alert_is_known_by_what_does_not_change() {
        let shown = &news(&News { incident: &incident(1), before: None }, now())[0];
        let labels = json!({
            "alertname": "VedetteIncident", "namespace": "team", "pipeline": "flows", "site": "east", "severity": "low",
            "dedup_key": incident(1).id.to_string(),
        });
        assert_eq!((&shown["labels"], &shown["startsAt"]), (&labels, &json!("2026-11-23T08:42:10.123456Z")));
        assert_eq!(shown["annotations"]["alerts"], "1");
        let later = raised(incident(1));
        let repeated = repeated((&later, Told { news_revision: 1, severity: Severity::Low }), now());
        assert_eq!(repeated["labels"], labels, "as the receiver was told, not as it is by now");
    }

    #[test]
    fn another_severity_ends_the_alert_of_the_one_before() {
        let of = |severity: &str, ends: &str| (severity.to_owned(), ends.to_owned());
        let (now, later) = ("2026-11-23T09:00:00Z", "2026-11-23T09:15:00Z");
        assert_eq!(told(&incident(1), None), [of("low", later)]);
        let worse = raised(incident(1));
        assert_eq!(told(&worse, Some(Severity::Low)), [of("critical", later), of("low", now)]);
        assert_eq!(told(&closed(worse.clone()), Some(Severity::Critical)), [of("critical", now)]);
        assert_eq!(told(&closed(worse.clone()), Some(Severity::Low)), [of("critical", now), of("low", now)]);
        assert_eq!(told(&closed(worse), None), [of("critical", later)]);
    }

    #[test]
    fn the_address_may_end_in_a_slash_and_have_a_path() {
        assert_eq!(url("http://am:9093"), "http://am:9093/api/v2/alerts");
        assert_eq!(url("https://am/prefix/"), "https://am/prefix/api/v2/alerts");
    }
}
