//! A console with a day of alerts: how soon a browser has painted them, and what it takes to tell 50 browsers of 200 more a second.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use vedette_archive::COMPRESSION_LEVEL;
use vedette_contract::Name;
use vedette_contract::archive::{ArchiveObjectKey, FirstRecord, Format, Origin, Stream};
use vedette_contract::arguments::KafkaArguments;
use vedette_contract::keys::PipelineKeys;
use vedette_e2e::figure::figure;
use vedette_e2e::local::{binary, repository};
use vedette_e2e::{RunError, topic};
use vedette_embedded::broker::EmbeddedBroker;
use vedette_streams::bucket::Bucket;
use vedette_streams::kafka::KafkaSettings;

use crate::bed::failed;
use crate::browsers::{Browser, ask};
use crate::bucket::LocalBucket;
use crate::measure::{Running, percentile};

const OWN_SITE: &str = "east";
const OTHER_SITE: &str = "west";
const TOPIC: &str = "alerts";
const PARTITIONS: i32 = 4;
/// As in `vedette local`, and for its reason.
const KAFKA_PROPERTY: &str = "receive.message.max.bytes=2147483647";
const ARCHIVED: usize = 1_000;
/// From one archived alert to the one before: all of them are within 24 hours.
const EACH: SignedDuration = SignedDuration::from_secs(86);
/// Each view is opened so often.
const ROUNDS: usize = 10;
const BROWSERS: usize = 50;
const ALERTS: usize = 4_000;
/// 200 a second.
const EVERY: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// All of it, beside a Kafka and a bucket of this process.
pub(crate) fn with_fifty_browsers() -> Result<(), RunError> {
    let runtime = Runtime::new().map_err(RunError::Process)?;
    let broker = EmbeddedBroker::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).map_err(failed)?;
    let kafka = kafka(broker.address())?;
    runtime.block_on(topic::create(&kafka, TOPIC, PARTITIONS, &[])).map_err(failed)?;
    let bucket = LocalBucket::start()?;
    runtime.block_on(fill(&bucket.client(), Timestamp::now()))?;
    let address = free_address().map_err(RunError::Process)?;
    let mut console = Running::start(console(address, broker.address(), &bucket))?;
    wait_for_data(&mut console, address)?;
    first_paint(address)?;
    let (late, missed) = alerts_to_browsers(&kafka, address)?;
    console.check()?;
    let what = format!("200 alerts/s at {BROWSERS} browsers");
    figure(&format!("{what}, from detection, p50"), "s", percentile(late.clone(), 50), 1.);
    figure(&format!("{what}, from detection, p99"), "s", percentile(late, 99), 1.);
    figure(&format!("{what}, not told within {} s", PATIENCE.as_secs()), "alerts", missed as f64, 1.);
    let megabytes = console.peak_resident_bytes()? as f64 / 1e6;
    figure(&format!("console with {BROWSERS} browsers, peak resident"), "MB", megabytes, 100.);
    console.stop()
}

fn kafka(broker: SocketAddr) -> Result<KafkaSettings, RunError> {
    let property = KAFKA_PROPERTY.parse().map_err(failed)?;
    let arguments = KafkaArguments {
        bootstrap_servers: broker.to_string(),
        kafka_properties: vec![property],
        ..KafkaArguments::default()
    };
    Ok(KafkaSettings::new(&arguments, "bench"))
}

/// Nobody else has it a moment before the console does.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn console(page: SocketAddr, broker: SocketAddr, bucket: &LocalBucket) -> Command {
    let mut command = Command::new(binary("vedette-console"));
    command
        .args(["--site", OWN_SITE, "--pod-name=console", "--listen-address=127.0.0.1:0"])
        .args(["--kafka-property", KAFKA_PROPERTY])
        .arg(format!("--bootstrap-servers={broker}"))
        .arg(format!("--page-address={page}"))
        .args(bucket.arguments());
    command
}

/// What two sites tell, and what the other one has archived.
async fn fill(bucket: &Bucket, now: Timestamp) -> Result<(), RunError> {
    let name = |text: &str| text.parse::<Name>().map_err(failed);
    let (namespace, pipeline) = (name("e2e")?, name("flows")?);
    let keys = PipelineKeys::new(&namespace, &pipeline);
    for site in [OWN_SITE, OTHER_SITE] {
        let status = json!({
            "site": site, "training": "flows", "model_version": null, "ready": true, "updated_at": now,
            "topics": { "sensor_messages": "sensor_messages", "enriched_data": "enriched_data", "alerts": TOPIC,
                "dead_letters": "dead_letters" },
        });
        bucket.put(&keys.site(&name(site)?), status.to_string().into()).await.map_err(failed)?;
    }
    let topic = TOPIC.parse().map_err(failed)?;
    let origin = Origin { namespace, pipeline, stream: Stream::Alerts, site: name(OTHER_SITE)?, topic, partition: 0 };
    let (mut days, mut detected) = (BTreeMap::<Date, Vec<String>>::new(), now);
    for number in 0..ARCHIVED {
        detected -= EACH;
        let day = detected.to_zoned(TimeZone::UTC).date();
        days.entry(day).or_default().push(alert(&format!("archived-{number}"), OTHER_SITE, detected).to_string());
    }
    let mut start = 0;
    for (day, alerts) in days {
        let first_record = FirstRecord::from_sha256([0; 32]);
        let key = ArchiveObjectKey { origin: origin.clone(), day, start, first_record, format: Format::JsonLines };
        let lines: String = alerts.iter().flat_map(|alert| [alert.as_str(), "\n"]).collect();
        let object = zstd::encode_all(lines.as_bytes(), COMPRESSION_LEVEL).map_err(RunError::Process)?;
        bucket.put(&key.to_string(), object.into()).await.map_err(failed)?;
        start += i64::try_from(alerts.len()).map_err(failed)?;
    }
    Ok(())
}

/// Of about 900 bytes.
fn alert(uuid: &str, site: &str, detected: Timestamp) -> Value {
    json!({
        "uuid": uuid, "duration": 940.5, "service": "ssh", "src_bytes": 70_000, "note": "x".repeat(300), "site": site,
        "score": 0.9991, "threshold": 0.995, "severity": "high", "model_version": "20261128T084210Z-1a2b3c4d",
        "alert_text": "Unusual record: its score 0.999100 is above 0.995000, because of duration (64 %), service (21 %).",
        "detected_utc": detected,
        "reasons": [
            { "field": "duration", "share": 0.64, "value": 940.5, "direction": "above", "usual": { "low": 0.0, "high": 12.0 } },
            { "field": "service", "share": 0.21, "value": "ssh", "direction": "unseen", "usual": [{ "value": "http", "share": 0.71 }] },
        ],
    })
}

/// Until the console has read the bucket and reads Kafka.
fn wait_for_data(console: &mut Running, address: SocketAddr) -> Result<(), RunError> {
    let deadline = Instant::now() + PATIENCE;
    // Before it listens there is no answer, and after that one that says what is missing.
    while !has_data(address).unwrap_or(false) {
        console.check()?;
        if Instant::now() > deadline {
            let told = ask(address, "/api/v1/overview").map_err(RunError::Process)?;
            return Err(failed(format!("the console did not read all within {} s: {told}", PATIENCE.as_secs())));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

fn has_data(address: SocketAddr) -> io::Result<bool> {
    let (alerts, overview) = (ask(address, "/api/v1/alerts?limit=1")?, ask(address, "/api/v1/overview")?);
    let answers = |source: &str| overview[source]["trouble"].is_null();
    Ok(alerts["kept"] == ARCHIVED && answers("bucket") && answers("kafka"))
}

fn first_paint(address: SocketAddr) -> Result<(), RunError> {
    let mut command = Command::new(repository().join("e2e/scripts/paint.sh"));
    command.args([format!("http://{address}/"), ROUNDS.to_string()]).stderr(Stdio::inherit());
    let output = command.output().map_err(RunError::Process)?;
    if !output.status.success() {
        return Err(failed("e2e/scripts/paint.sh failed"));
    }
    let painted: BTreeMap<String, Vec<f64>> = serde_json::from_slice(&output.stdout).map_err(failed)?;
    for (view, milliseconds) in painted {
        let seconds: Vec<f64> = milliseconds.into_iter().map(|milliseconds| milliseconds / 1e3).collect();
        figure(&format!("first paint with data, {view}, median of {ROUNDS}"), "s", percentile(seconds.clone(), 50), 1.);
        figure(&format!("first paint with data, {view}, slowest of {ROUNDS}"), "s", percentile(seconds, 99), 1.);
    }
    Ok(())
}

/// How late the browsers are told of alerts, seconds, and of how many they are not, all together.
fn alerts_to_browsers(kafka: &KafkaSettings, address: SocketAddr) -> Result<(Vec<f64>, usize), RunError> {
    let browsers = (0..BROWSERS).map(|_| Browser::open(address)).collect::<io::Result<Vec<_>>>();
    let browsers = browsers.map_err(RunError::Process)?;
    let producer: BaseProducer = kafka.producer().create().map_err(failed)?;
    let begun = Instant::now();
    let sent = |number: u32| begun + EVERY * number;
    let until = begun + EVERY * u32::try_from(ALERTS).map_err(failed)? + PATIENCE;
    let listen = |browser: Browser| std::thread::spawn(move || browser.listen(ALERTS, until));
    let listening: Vec<_> = browsers.into_iter().map(listen).collect();
    for number in (0..).take(ALERTS) {
        std::thread::sleep(sent(number).saturating_duration_since(Instant::now()));
        let value = alert(&format!("new-{number}"), OWN_SITE, Timestamp::now()).to_string();
        producer.send(BaseRecord::<(), _>::to(TOPIC).payload(&value)).map_err(|(error, _)| failed(error))?;
        producer.poll(Duration::ZERO);
    }
    producer.flush(PATIENCE).map_err(failed)?;
    let (mut late, mut missed) = (Vec::new(), 0);
    for browser in listening {
        let heard = browser.join().map_err(|_| failed("a browser ended by itself"))?.map_err(RunError::Process)?;
        missed += ALERTS - heard.len().min(ALERTS);
        late.extend(heard);
    }
    Ok((late, missed))
}
