//! Incidents for tests.

use vedette_contract::incident::{
    AlertOrigin, Example, Grouping, Incident, IncidentId, IncidentOwner, IncidentReason, IncidentStatus, RawAlert,
    Severity,
};

/// An incident that just opened.
pub(crate) fn incident(number: i64) -> Incident {
    let name = |text: &str| text.parse::<vedette_contract::Name>().unwrap();
    let owner = IncidentOwner { namespace: name("team"), pipeline: name("flows"), site: name("east") };
    let origin = AlertOrigin { topic: "alerts".parse().unwrap(), partition: 0, offset: number };
    let utc = "2026-11-23T08:42:10.123456Z".parse().unwrap();
    let reason = |field: &str, value: &str| IncidentReason {
        field: field.to_owned(),
        alerts: 1,
        weight: 500_000,
        value: Some(value.to_owned()),
    };
    Incident {
        id: IncidentId::of_first(&owner, &Grouping::Reasons, &origin, utc),
        namespace: owner.namespace,
        pipeline: owner.pipeline,
        site: owner.site,
        status: IncidentStatus::Open,
        grouping: Grouping::Reasons,
        first_utc: utc,
        last_utc: utc,
        closed_utc: None,
        alerts: 1,
        silenced_alerts: 0,
        silenced_by: Vec::new(),
        severity: Severity::Low,
        highest_score: Some(0.999_95),
        reasons: vec![reason("src_bytes", "181"), reason("service", "http")],
        example: Example { origin, alert: RawAlert::new(r#"{"src_bytes":181,"nested":{"list":[1,"b"]}}"#) },
        revision: 1,
        news_revision: 1,
    }
}

/// The same, later: it grew.
pub(crate) fn grown(mut incident: Incident) -> Incident {
    incident.alerts += 1;
    incident.revision += 1;
    incident
}

/// The same, more severe.
pub(crate) fn raised(incident: Incident) -> Incident {
    let grown = grown(incident);
    Incident { severity: Severity::Critical, news_revision: grown.revision, ..grown }
}

/// The same, closed ten minutes after its last alert.
pub(crate) fn closed(incident: Incident) -> Incident {
    let closed_utc = Some(incident.last_utc + jiff::SignedDuration::from_secs(600));
    let revision = incident.revision + 1;
    Incident { status: IncidentStatus::Closed, closed_utc, revision, news_revision: revision, ..incident }
}
