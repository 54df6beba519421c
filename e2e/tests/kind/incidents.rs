//! The steps of the story about what people are told: an attack at one site is one incident at both consoles and one alert of that site's
//! Alertmanager, a silence stops that, and whatever failed, each alert is in one incident.

use std::collections::BTreeMap;
use std::process::Command;

use jiff::{SignedDuration, Timestamp};
use rdkafka::Message as _;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use uuid::Uuid;
use vedette_contract::incident::{Incident, IncidentId};
use vedette_contract::silence::{SilenceId, SilenceKey};
use vedette_e2e::cluster::{Look, wait_for};
use vedette_e2e::local::repository;
use vedette_e2e::topic::{TopicError, read_to_end};
use vedette_streams::kafka::Isolation;

use crate::console::asked;
use crate::records::{alerts, in_topic};
use crate::site::{NAMESPACE, PATIENCE, Site, pipelines};
use crate::story::Story;

/// Records of an attack: by their service they are an incident of their own.
const ATTACK: usize = 20;
/// Nothing of the simulator is so long or so large.
const EXTREMES: [(&str, f64); 3] = [("duration", 1e6), ("src_bytes", 1e9), ("dst_bytes", 1e9)];
/// One who passes nothing on: what is asked is what it was told.
const CONFIGURATION: &str = "{route: {receiver: nobody, group_by: [dedup_key]}, receivers: [{name: nobody}]}";
/// What Debian's Alertmanager reads before it serves.
const TEMPLATES: [&str; 2] =
    ["/usr/share/prometheus/alertmanager/default.tmpl", "/usr/share/prometheus/alertmanager/email.tmpl"];

/// Starts an Alertmanager on the site's node, where the pods of the site reach it by a Service, in the place of one of an earlier run.
pub(crate) async fn start_alertmanager(site: &Site) {
    let program = Command::new(repository().join("e2e/scripts/alertmanager.sh")).output().unwrap();
    let program = String::from_utf8(program.stdout).unwrap();
    site.cluster.copy_to_node(program.trim(), "/usr/local/bin/alertmanager").unwrap();
    site.cluster.on_node(&["mkdir", "-p", "/usr/share/prometheus/alertmanager"]).unwrap();
    for template in TEMPLATES {
        site.cluster.copy_to_node(template, template).unwrap();
    }
    let start = format!(
        "pkill -f '^/usr/local/bin/alertmanager' || [ $? = 1 ]
         rm -rf /var/lib/alertmanager && mkdir -p /var/lib/alertmanager && echo '{CONFIGURATION}' >/var/lib/alertmanager/alertmanager.yml
         setsid /usr/local/bin/alertmanager --config.file=/var/lib/alertmanager/alertmanager.yml --storage.path=/var/lib/alertmanager \
             --web.listen-address=0.0.0.0:9093 --cluster.listen-address= >/var/lib/alertmanager/log 2>&1 </dev/null &"
    );
    site.cluster.on_node(&["sh", "-c", &start]).unwrap();
    let manifests = std::fs::read_to_string(repository().join("e2e/kind/alertmanager.yaml")).unwrap();
    site.cluster.apply(&manifests.replace("THIS_NODE", &site.node_address().await)).unwrap();
    wait_for(&format!("Alertmanager at {}", site.name()), PATIENCE, || async {
        match site.cluster.on_node(&["curl", "-sf", "http://127.0.0.1:9093/-/ready"]) {
            Ok(_) => Look::Holds(()),
            Err(error) => {
                let log = site.cluster.on_node(&["tail", "-n3", "/var/lib/alertmanager/log"]);
                Look::NotYet(format!("{error}; {}", log.unwrap_or_else(|error| error.to_string())))
            }
        }
    })
    .await
    .unwrap();
}

/// How many alerts of an incident Alertmanager shows.
fn shown(site: &Site, incident: IncidentId) -> usize {
    let answer = site.cluster.on_node(&["curl", "-sf", "http://127.0.0.1:9093/api/v2/alerts"]).unwrap();
    let all: Vec<Value> = serde_json::from_str(&answer).unwrap();
    all.iter().filter(|alert| alert["labels"]["dedup_key"] == incident.to_string()).count()
}

async fn until_shown(site: &Site, incident: IncidentId) {
    wait_for(&format!("{incident} at Alertmanager of {}", site.name()), PATIENCE, || async {
        match shown(site, incident) {
            0 => Look::NotYet("nothing of it".to_owned()),
            _ => Look::Holds(()),
        }
    })
    .await
    .unwrap();
}

/// Sends the record that alerted most, made worse, again and again, of a service that nothing else has.
fn attack(site: &Site, service: &str) {
    let kafka = site.cluster.kafka();
    let worst = alerts(site).unwrap().into_iter().max_by(|one, other| {
        let score = |alert: &Value| alert["score"].as_f64().unwrap_or_default();
        score(one).total_cmp(&score(other))
    });
    let uuid = worst.unwrap()["uuid"].clone();
    let raw = read_to_end(&kafka, "sensor_messages", Isolation::ReadCommitted, |message| {
        let record = serde_json::from_slice::<Value>(message.payload().unwrap_or_default()).ok();
        record.filter(|record| record["uuid"] == uuid)
    });
    let mut record = raw.unwrap().into_iter().flatten().next().unwrap();
    record["service"] = service.into();
    for (field, value) in EXTREMES {
        record[field] = value.into();
    }
    let producer: BaseProducer = kafka.producer().create().unwrap();
    for _ in 0..ATTACK {
        record["uuid"] = Uuid::new_v4().to_string().into();
        record["utc"] = Timestamp::now().to_string().into();
        let value = record.to_string();
        producer.send(BaseRecord::<(), _>::to("sensor_messages").payload(&value)).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

/// The incident of a service at `of`, once the console of `at` shows it: there is one.
async fn until_incident(at: &Site, of: &Site, service: &str) -> IncidentId {
    wait_for(&format!("the incident of {service} at the console of {}", at.name()), PATIENCE, || async {
        let answer = match asked(at, &format!("api/v1/incidents?limit=200&site={}", of.name())) {
            Ok(answer) => answer,
            Err(error) => return Look::NotYet(error.to_string()),
        };
        let all = answer["incidents"].as_array().cloned().unwrap_or_default();
        let own: Vec<_> = all.iter().filter(|incident| incident["common"] == format!("service {service}")).collect();
        match own.as_slice() {
            [one] if one["alerts"].as_u64() > Some(0) => Look::Holds(one["id"].as_str().unwrap().parse().unwrap()),
            other => Look::NotYet(format!("{other:?}")),
        }
    })
    .await
    .unwrap()
}

/// A silence of a service, as `vedette silences add` writes it; once the notifier of the site knows it.
async fn silence(site: &Site, service: &str) {
    let now = Timestamp::now();
    let silence = json!({
        "match": format!("has(example.service) && example.service == '{service}'"), "from": now - SignedDuration::from_mins(1),
        "until": now + SignedDuration::from_hours(1), "by": "the story", "why": "it is expected"
    });
    let key = SilenceKey { site: site.name(), id: SilenceId::new(now, 1) };
    site.cluster.bucket().put(&pipelines(NAMESPACE).silence(&key), silence.to_string().into()).await.unwrap();
    wait_for(&format!("the notifier of {} to know a silence", site.name()), PATIENCE, || async {
        let pods = site.pods("notifier").await;
        let Some(pod) = pods.iter().find_map(|pod| pod.metadata.name.as_ref()) else {
            return Look::NotYet("no pod".to_owned());
        };
        let metrics = format!("/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/metrics");
        match site.cluster.kubectl(&["get", "--raw", &metrics]) {
            Ok(metrics) if metrics.contains("vedette_notifier_silences 1\n") => Look::Holds(()),
            Ok(_) => Look::NotYet("it does not".to_owned()),
            Err(error) => Look::NotYet(error.to_string()),
        }
    })
    .await
    .unwrap();
}

/// Each alert of the topic is in one incident, and counted once.
pub(crate) async fn until_all_alerts_are_in_incidents(site: &Site) {
    wait_for(&format!("every alert in one incident at {}", site.name()), PATIENCE, || async {
        match (in_topic(site, "alerts"), counted(site)) {
            (Ok(alerts), Ok(counted)) if counted == alerts.len() as u64 => Look::Holds(()),
            (alerts, counted) => Look::NotYet(format!("{counted:?} of {:?}", alerts.map(|alerts| alerts.len()))),
        }
    })
    .await
    .unwrap();
}

/// Alerts of all incidents, as each was written last.
fn counted(site: &Site) -> Result<u64, TopicError> {
    let written = read_to_end(&site.cluster.kafka(), "incidents", Isolation::ReadCommitted, |message| {
        serde_json::from_slice::<Incident>(message.payload().unwrap()).unwrap()
    })?;
    let standing: BTreeMap<IncidentId, Incident> =
        written.into_iter().map(|incident| (incident.id, incident)).collect();
    Ok(standing.values().map(|incident| incident.alerts).sum())
}

impl Story {
    pub(crate) async fn an_attack_is_one_incident_and_one_message_and_none_once_it_is_silenced(&self) {
        let [east, west] = self.sites();
        attack(east, "attack-told");
        let told = until_incident(east, east, "attack-told").await;
        assert_eq!(until_incident(west, east, "attack-told").await, told);
        until_shown(east, told).await;
        silence(east, "attack-silenced").await;
        attack(east, "attack-silenced");
        let silenced = until_incident(east, east, "attack-silenced").await;
        // What comes after it is told: so it was passed.
        attack(east, "attack-after");
        let after = until_incident(east, east, "attack-after").await;
        until_shown(east, after).await;
        let alerts = [told, silenced, after].map(|incident| (shown(east, incident), shown(west, incident)));
        assert_eq!(alerts, [(1, 0), (0, 0), (1, 0)], "each is told once, at its site, but what is silenced");
        let seen = asked(west, &format!("api/v1/incidents/{told}")).unwrap();
        assert_eq!(seen["silenced_alerts"], 0, "{seen}");
    }
}
