//! What unit tests share.

use clap::Parser;
use vedette_contract::arguments::ConsoleArguments;
use vedette_contract::incident::Incident;
use vedette_streams::kafka::KafkaSettings;

use crate::alert::Alert;
use crate::owner::Owner;

pub(crate) fn owner(site: &str) -> Owner {
    let name = |text: &str| text.parse().unwrap();
    Owner { namespace: name("team"), pipeline: name("flows"), site: name(site) }
}

/// Of a Kafka that is nowhere.
pub(crate) fn kafka() -> KafkaSettings {
    let words = ["vedette-console", "--bootstrap-servers=k:1", "--pod-name=c", "--bucket=b", "--site=east"];
    KafkaSettings::new(&ConsoleArguments::try_parse_from(words).unwrap().kafka, "c")
}

/// An alert that was detected then, with something of its own.
pub(crate) fn alert_json(detected: &str, own: &str) -> String {
    format!(
        r#"{{"uuid":"u","duration":12.5,"service":"http","own":{own},"site":"east","score":0.999,"model_version":"20261123T084210Z-1a2b3c4d","alert_text":"Unusual record","severity":"high","threshold":0.99,"detected_utc":"{detected}","reasons":[{{"field":"duration","share":0.7,"value":12.5,"direction":"above","usual":{{"low":0.0,"high":2.0}}}},{{"field":"service","share":0.3}}]}}"#
    )
}

pub(crate) fn alert(site: &str, detected: &str, own: &str) -> Alert {
    Alert::read(owner(site), alert_json(detected, own).as_bytes()).unwrap()
}

/// An open incident of `east` by the reason `duration`.
pub(crate) fn incident(number: u32, first: &str, last: &str) -> Incident {
    let incident = serde_json::json!({
        "id": format!("00000000-0000-5000-8000-{number:012}"), "namespace": "team", "pipeline": "flows", "site": "east",
        "status": "open", "grouping": {"by": "reasons"}, "first_utc": first, "last_utc": last, "alerts": 3,
        "severity": "high", "highest_score": 0.999,
        "reasons": [{"field": "duration", "alerts": 3, "weight": 2_100_000, "value": "12.5"}],
        "example": {"origin": {"topic": "alerts", "partition": 0, "offset": 7}, "alert": null},
        "revision": 1, "news_revision": 1
    });
    serde_json::from_value(incident).unwrap()
}
