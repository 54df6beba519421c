//! The notifier on alerts that are there already: how many it takes a second and what CPU that is, and what it holds when more incidents
//! would be open than may be.

use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use rdkafka::Message as _;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::json;
use vedette_contract::incident::{Grouping, Incident};
use vedette_e2e::figure::figure;
use vedette_e2e::local::binary;
use vedette_e2e::{RunError, topic};
use vedette_streams::kafka::Isolation;

use crate::bed::{self, PARTITIONS, failed};
use crate::bucket::LocalBucket;
use crate::measure::{Measured, measure_of};

const ALERTS: &str = "notifier-alerts";
/// Unless `BENCH_RECORDS` says.
const RECORDS: i64 = 300_000;
/// More than may be open.
const GROUPS: i64 = 110_000;
const PAUSE: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(60);

/// Few incidents, as an attack is, and as many as there may be.
pub(crate) fn on_alerts_that_wait() -> Result<(), RunError> {
    let alerts = std::env::var("BENCH_RECORDS").ok().and_then(|text| text.parse().ok()).unwrap_or(RECORDS);
    bed::create_topic(ALERTS)?;
    fill(alerts).map_err(failed)?;
    let bucket = LocalBucket::start()?;
    let few = notify("notifier-few", &bucket, alerts, &[])?;
    figure("notifier, alerts", "records/s", few.records_per_second, 20_000.);
    figure("notifier, CPU of an alert", "us", few.cpu_microseconds, 50.);
    let many = notify("notifier-many", &bucket, alerts, &["--group-by=group"])?;
    // What a manifest's defaults let it have.
    let megabytes = many.peak_resident_bytes as f64 / 1e6;
    figure("notifier with 100,000 open incidents, peak resident", "MB", megabytes, 512.);
    figure("the same, alerts", "records/s", many.records_per_second, 20_000.);
    match overflowed("notifier-many")? {
        0 if alerts > GROUPS => Err(failed("no alert is in an incident of those for which there was no room")),
        overflowed => {
            eprintln!("{overflowed} of {alerts} alerts share the incident of those for which there was no room");
            Ok(())
        }
    }
}

/// Its name is that of its pipeline, its group and its topic of incidents.
fn notify(name: &str, bucket: &LocalBucket, alerts: i64, more: &[&str]) -> Result<Measured, RunError> {
    bed::create_topic(name)?;
    let mut command = Command::new(binary("vedette-notifier"));
    command
        .args(bed::service_with(name, bucket.arguments()))
        .args(["--namespace=e2e", "--site=local", "--window-seconds=86400", "--pipeline", name, "--group", name])
        .args(["--alerts-topic", ALERTS, "--incidents-topic", name])
        .args(more);
    measure_of(command, name, ALERTS, alerts)
}

fn fill(alerts: i64) -> KafkaResult<()> {
    let producer: BaseProducer = bed::kafka("bench").producer().create()?;
    let (detected, padding) = (Timestamp::now(), "x".repeat(600));
    for number in 0..alerts {
        let alert = json!({
            "uuid": format!("6f1c0f5e-{number:012}"), "service": "ssh", "src_bytes": number, "text": padding,
            "group": format!("group-{}", number % GROUPS), "score": 0.999, "alert_severity": "high", "site": "local",
            "detected_utc": detected,
            "reasons": [{ "field": "src_bytes", "share": 0.6 }, { "field": "service", "share": 0.3 }],
        });
        let (value, partition) = (alert.to_string(), i32::try_from(number % i64::from(PARTITIONS)).unwrap_or(0));
        let mut message = BaseRecord::<(), _>::to(ALERTS).payload(&value).partition(partition);
        while let Err((cause, refused)) = producer.send(message) {
            if cause != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(cause);
            }
            producer.poll(PAUSE);
            message = refused;
        }
    }
    producer.flush(PATIENCE)
}

/// Alerts of the incident that has those without one.
fn overflowed(incidents: &str) -> Result<u64, RunError> {
    let written = topic::read_to_end(&bed::kafka("bench"), incidents, Isolation::ReadCommitted, |message| {
        let incident = serde_json::from_slice::<Incident>(message.payload().unwrap_or_default()).ok()?;
        (incident.grouping == Grouping::Overflow).then_some(incident.alerts)
    });
    Ok(written.map_err(failed)?.into_iter().flatten().max().unwrap_or(0))
}
