//! How soon people are told, and how soon not: from an alert to the message that a webhook gets, and from a silence to the first alert that
//! nobody is told of.

use std::process::Command;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rdkafka::producer::{BaseProducer, BaseRecord};
use serde_json::json;
use tokio::runtime::Runtime;
use vedette_contract::Name;
use vedette_contract::keys::PipelineKeys;
use vedette_contract::silence::{SilenceId, SilenceKey};
use vedette_e2e::RunError;
use vedette_e2e::figure::figure;
use vedette_e2e::local::binary;
use vedette_streams::bucket::Bucket;

use crate::bed::{self, failed};
use crate::bucket::LocalBucket;
use crate::measure::{Running, percentile};
use crate::webhook::Webhook;

const NAMESPACE: &str = "e2e";
const SITE: &str = "local";
/// Pipeline, group and topic of incidents.
const NAME: &str = "told";
const TOPIC: &str = "told-alerts";
/// Each is an incident of its own, of which the webhook is told.
const ALERTS: usize = 300;
const PAUSE: Duration = Duration::from_millis(100);
/// A notifier looks every five seconds: these begin at different times between two looks.
const SILENCES: usize = 4;
const APART: Duration = Duration::from_millis(1_250);
/// Alerts come for so long, also before the first silence.
const PROBED: Duration = Duration::from_secs(18);
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// From an alert to a person: who sends alerts, the notifier, and who is told.
struct Way {
    notifier: Running,
    producer: BaseProducer,
    webhook: Webhook,
}

/// An alert that was sent.
struct Sent {
    uuid: String,
    at: Instant,
}

/// Both figures, with one notifier.
pub(crate) fn in_time() -> Result<(), RunError> {
    bed::create_topic(TOPIC)?;
    bed::create_topic(NAME)?;
    let bucket = LocalBucket::start()?;
    let webhook = Webhook::start()?;
    let notifier = Running::start(notifier(&bucket, &webhook))?;
    let producer = bed::kafka("bench").producer().create().map_err(failed)?;
    let mut way = Way { notifier, producer, webhook };
    // Until the notifier has begun, no time counts.
    let first = way.send("first".to_owned(), "web")?;
    way.wait_for(&[first])?;
    way.alerts_are_told()?;
    way.silences_are_in_force(&bucket.client())
}

fn notifier(bucket: &LocalBucket, webhook: &Webhook) -> Command {
    let receiver = json!({ "name": "chat", "to": { "webhook": {} }, "url": webhook.url() });
    let mut command = Command::new(binary("vedette-notifier"));
    command
        .args(bed::service_with(NAME, bucket.arguments()))
        .args(["--namespace", NAMESPACE, "--site", SITE, "--pipeline", NAME, "--group", NAME])
        .args(["--alerts-topic", TOPIC, "--incidents-topic", NAME, "--group-by=uuid", "--window-seconds=3600"])
        .arg(format!("--receiver={receiver}"));
    command
}

impl Way {
    fn send(&self, uuid: String, host: &str) -> Result<Sent, RunError> {
        let alert = json!({
            "uuid": uuid, "host": host, "src_bytes": 1, "score": 0.999, "alert_severity": "high", "site": SITE,
            "detected_utc": Timestamp::now(), "reasons": [{ "field": "src_bytes", "share": 0.6 }],
        });
        let (value, at) = (alert.to_string(), Instant::now());
        let message = BaseRecord::<(), _>::to(TOPIC).payload(&value);
        self.producer.send(message).map_err(|(error, _)| failed(error))?;
        self.producer.poll(Duration::ZERO);
        Ok(Sent { uuid, at })
    }

    /// How long it took until the webhook was told of each, seconds.
    fn wait_for(&mut self, sent: &[Sent]) -> Result<Vec<f64>, RunError> {
        let deadline = Instant::now() + PATIENCE;
        let mut took = Vec::new();
        for Sent { uuid, at } in sent {
            let told = loop {
                if let Some(told) = self.webhook.told_at(uuid) {
                    break told;
                }
                self.notifier.check()?;
                if Instant::now() > deadline {
                    return Err(failed(format!("the webhook was not told of {uuid} within {} s", PATIENCE.as_secs())));
                }
                std::thread::sleep(LOOK_AGAIN);
            };
            took.push(told.saturating_duration_since(*at).as_secs_f64());
        }
        Ok(took)
    }

    fn alerts_are_told(&mut self) -> Result<(), RunError> {
        let mut sent = Vec::new();
        for number in 0..ALERTS {
            sent.push(self.send(format!("alert-{number}"), "web")?);
            std::thread::sleep(PAUSE);
        }
        let took = self.wait_for(&sent)?;
        figure("alert to notification, p50", "s", percentile(took.clone(), 50), 2.);
        figure("alert to notification, p99", "s", percentile(took, 99), 2.);
        Ok(())
    }

    /// Alerts of as many hosts as there are silences, until each has been in force for seconds: what counts is the first alert behind the last
    /// that was told.
    fn silences_are_in_force(&mut self, bucket: &Bucket) -> Result<(), RunError> {
        let runtime = Runtime::new().map_err(RunError::Process)?;
        let hosts: Vec<String> = (0..SILENCES).map(|number| format!("quiet-{number}")).collect();
        let mut probes: Vec<Vec<Sent>> = hosts.iter().map(|_| Vec::new()).collect();
        let (begun, mut written, mut next) = (Instant::now(), Vec::new(), APART);
        while begun.elapsed() < PROBED {
            if let Some(host) = hosts.get(written.len()).filter(|_| begun.elapsed() >= next) {
                written.push(Instant::now());
                next += APART;
                runtime.block_on(silence(bucket, host))?;
            }
            for (host, probes) in hosts.iter().zip(&mut probes) {
                probes.push(self.send(format!("{host}-{}", probes.len()), host)?);
            }
            self.notifier.check()?;
            std::thread::sleep(PAUSE);
        }
        let mut slowest = 0_f64;
        for ((host, written), probes) in hosts.iter().zip(written).zip(&probes) {
            let told = probes.iter().rposition(|probe| self.webhook.told_at(&probe.uuid).is_some());
            let told = told.ok_or_else(|| failed(format!("nobody was told of {host} before it was silenced")))?;
            let silenced = probes.get(told + 1);
            let silenced = silenced.ok_or_else(|| failed(format!("the silence of {host} did not come into force")))?;
            slowest = slowest.max(silenced.at.saturating_duration_since(written).as_secs_f64());
        }
        figure(&format!("a silence is in force, slowest of {SILENCES}"), "s", slowest, 10.);
        Ok(())
    }
}

/// Silences a host for an hour from a minute ago.
async fn silence(bucket: &Bucket, host: &str) -> Result<(), RunError> {
    let name = |text: &str| text.parse::<Name>().map_err(failed);
    let (keys, now) = (PipelineKeys::new(&name(NAMESPACE)?, &name(NAME)?), Timestamp::now());
    let object = json!({
        "match": format!("example.host == '{host}'"), "from": now - SignedDuration::from_mins(1),
        "until": now + SignedDuration::from_hours(1), "by": "ada", "why": "it is measured",
    });
    // By the last digit of the host they are several, whatever the second.
    let key = SilenceKey { site: name(SITE)?, id: SilenceId::new(now, host.bytes().last().unwrap_or(0).into()) };
    bucket.put(&keys.silence(&key), object.to_string().into()).await.map_err(failed)
}
