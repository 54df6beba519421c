//! Incidents as `CloudEvents` 1.0 in structured JSON, signed as Standard Webhooks has it (standardwebhooks.com): whoever has the
//! key knows by whom and when a message was sent, and can refuse old ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::Serialize;
use sha2::Sha256;
use vedette_contract::incident::{Incident, IncidentId, IncidentStatus};

use super::ledger::News;
use super::summary::summary;

pub(crate) const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";
/// How a key begins that is written in base64.
const ENCODED_KEY: &str = "whsec_";

/// The id of a message, the same whenever it is sent again.
fn id(incident: &Incident) -> String {
    format!("{}-{}", incident.id, incident.news_revision)
}

/// A message and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: Vec<u8>,
}

/// What tells news, in the order in which it is told: of what is over before anybody was told, first that it opened.
///
/// # Errors
/// When an incident is no JSON, which cannot be.
pub(crate) fn messages(News { incident, before }: &News<'_>) -> serde_json::Result<Vec<Message>> {
    match (incident.status, before) {
        (IncidentStatus::Closed, Some(_)) => Ok(vec![message(incident, id(incident), "closed")?]),
        (IncidentStatus::Closed, None) => {
            let open = Incident { status: IncidentStatus::Open, closed_utc: None, ..(*incident).clone() };
            let opened = message(&open, format!("{}-opened", open.id), "opened")?;
            Ok(vec![opened, message(incident, id(incident), "closed")?])
        }
        (IncidentStatus::Open, None) => Ok(vec![message(incident, id(incident), "opened")?]),
        (IncidentStatus::Open, Some(_)) => Ok(vec![message(incident, id(incident), "raised")?]),
    }
}

fn message(incident: &Incident, id: String, change: &str) -> serde_json::Result<Message> {
    let Incident { id: incident_id, namespace, pipeline, site, last_utc, closed_utc, .. } = incident;
    // Not by way of a value: an alert may have numbers that no type holds, and leaves as it came.
    let body = serde_json::to_vec(&Event {
        specversion: "1.0",
        id: id.clone(),
        source: format!("/namespaces/{namespace}/pipelines/{pipeline}/sites/{site}"),
        change: format!("io.vedette.incident.{change}"),
        subject: *incident_id,
        time: closed_utc.unwrap_or(*last_utc),
        datacontenttype: "application/json",
        data: EventData { dedup_key: *incident_id, summary: summary(incident), incident },
    })?;
    Ok(Message { id, body })
}

/// The attributes of `CloudEvents`.
#[derive(Serialize)]
struct Event<'a> {
    specversion: &'static str,
    id: String,
    source: String,
    #[serde(rename = "type")]
    change: String,
    subject: IncidentId,
    time: Timestamp,
    datacontenttype: &'static str,
    data: EventData<'a>,
}

#[derive(Serialize)]
struct EventData<'a> {
    dedup_key: IncidentId,
    summary: String,
    incident: &'a Incident,
}

/// The headers that sign a message, with the content of the key's file.
///
/// # Errors
/// When the key is empty, or is not what it says that it is.
pub(crate) fn signature(
    key: &str,
    id: &str,
    now: Timestamp,
    body: &[u8],
) -> Result<[(&'static str, String); 3], String> {
    let seconds = now.as_second().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key_bytes(key.trim())?).map_err(|error| error.to_string())?;
    [id.as_bytes(), b".", seconds.as_bytes(), b".", body].iter().for_each(|part| mac.update(part));
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    Ok([("webhook-id", id.to_owned()), ("webhook-timestamp", seconds), ("webhook-signature", signature)])
}

/// The key itself, of how it is written. What is wrong is said without a letter of it.
///
/// # Errors
/// When it is empty, or not written as it says.
pub(crate) fn key_bytes(key: &str) -> Result<Vec<u8>, String> {
    let bytes = match key.strip_prefix(ENCODED_KEY) {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| format!("the key is not base64 behind {ENCODED_KEY}"))?,
        None => key.as_bytes().to_vec(),
    };
    if bytes.is_empty() { Err("the key is empty".to_owned()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use vedette_contract::incident::RawAlert;

    use crate::delivery::heard::Told;
    use crate::delivery::ledger::testing::{closed, grown, incident, raised};

    fn text_of(incident: &Incident, before: Option<Told>) -> String {
        String::from_utf8(messages(&News { incident, before }).unwrap().remove(0).body).unwrap()
    }

    fn of(incident: &Incident, before: Option<Told>) -> Value {
        serde_json::from_str(&text_of(incident, before)).unwrap()
    }

    #[test]
    fn an_example_leaves_as_it_came_whatever_its_numbers() {
        let mut incident = incident(1);
        let hostile = r#"{"a":1e99,"b":12345678901234567890123,"c":"<script>\u0000"}"#;
        incident.example.alert = RawAlert::new(hostile);
        assert!(text_of(&incident, None).contains(hostile));
    }

    #[test]
    fn an_event_says_what_changed_and_keeps_its_id_while_the_incident_only_grows() {
        let opened = of(&incident(1), None);
        assert_eq!(opened["type"], "io.vedette.incident.opened");
        assert_eq!(opened["source"], "/namespaces/team/pipelines/flows/sites/east");
        assert_eq!(opened["data"]["dedup_key"], opened["subject"]);
        assert_eq!(opened["data"]["incident"]["example"]["alert"]["src_bytes"], 181);
        assert_eq!(of(&grown(incident(1)), None)["id"], opened["id"]);
        let told = Some(Told { news_revision: 1, severity: incident(1).severity });
        let (worse, over) = (of(&raised(incident(1)), told), of(&closed(incident(1)), told));
        assert_eq!(
            (&worse["type"], &over["type"]),
            (&json!("io.vedette.incident.raised"), &json!("io.vedette.incident.closed"))
        );
        assert!(worse["id"] != opened["id"] && worse["subject"] == opened["subject"]);
    }

    #[test]
    fn of_what_is_over_before_anybody_was_told_is_told_that_it_opened_and_that_it_closed() {
        let messages = messages(&News { incident: &closed(incident(1)), before: None }).unwrap();
        let [opened, over] = messages.as_slice() else { panic!("{messages:?}") };
        let [opened, over] = [opened, over].map(|Message { id, body }| {
            let event: Value = serde_json::from_slice(body).unwrap();
            assert_eq!(event["id"], *id);
            event
        });
        let said = |event: &Value| (event["type"].clone(), event["data"]["incident"]["status"].clone());
        assert_eq!(said(&opened), (json!("io.vedette.incident.opened"), json!("open")));
        assert_eq!(said(&over), (json!("io.vedette.incident.closed"), json!("closed")));
        assert_eq!(opened["subject"], over["subject"]);
        assert!(opened["id"] != over["id"] && over["data"]["incident"]["closed_utc"] != Value::Null);
    }

    /// The example of the specification of Standard Webhooks.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let now = Timestamp::from_second(1_614_265_330).unwrap();
        let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";
        let body = br#"{"test": 2432232314}"#;
        let [id, time, signature] = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", now, body).unwrap();
        assert_eq!((id.1.as_str(), time.1.as_str()), ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"));
        assert_eq!(signature.1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_that_is_none_is_said() {
        for (key, complaint) in [("", "empty"), (" \n", "empty"), ("whsec_", "empty"), ("whsec_?", "base64")] {
            let refusal = signature(key, "id", Timestamp::UNIX_EPOCH, b"").unwrap_err();
            assert!(refusal.contains(complaint), "{key:?}: {refusal}");
        }
        assert!(signature("plain text", "id", Timestamp::UNIX_EPOCH, b"").is_ok());
    }
}
