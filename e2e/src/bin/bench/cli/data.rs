//! What the command line is measured on, beside what a demo leaves: an archive of very many alerts of two sites over more than a day, one
//! of large objects, and dead letters.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value;
use tokio::runtime::Runtime;
use uuid::Uuid;
use vedette_archive::{FrameEncoder, Metadata, encoder, first_record, record_sha256};
use vedette_contract::archive::{ArchiveObjectKey, Format};
use vedette_contract::dead_letter::{
    DeadLetterReason, HEADER_MESSAGE, HEADER_OFFSET, HEADER_PARTITION, HEADER_REASON, HEADER_TIME, HEADER_TOPIC,
};
use vedette_contract::keys::PipelineKeys;
use vedette_e2e::RunError;
use vedette_e2e::archive::Copies;
use vedette_embedded::broker::EmbeddedBroker;
use vedette_embedded::bucket::EmbeddedBucket;
use vedette_streams::bucket::{Body, Bucket};

use crate::training::{client, failed, name};

pub(super) const NAMESPACE: &str = "shop";
/// The pipeline whose records are repeated, that of console.yaml.
pub(super) const DEMO: &str = "flows";
/// The pipeline that has them.
pub(super) const MANY: &str = "many";
pub(super) const ALERTS: i32 = 2 * PARTITIONS * OBJECTS * ALERTS_PER_OBJECT;
const SITES: [&str; 2] = ["east", "west"];
const PARTITIONS: i32 = 4;
/// Objects of each partition: those of 31 hours and a quarter, as one is closed after `max_age`, a manifest's default.
const OBJECTS: i32 = 125;
const MAX_AGE: SignedDuration = SignedDuration::from_mins(15);
const ALERTS_PER_OBJECT: i32 = 1_000;
/// What comes within half a minute or so is one.
const ALERTS_PER_FRAME: i32 = 33;
/// 2026-11-01T00:00:00Z.
const FIRST: Timestamp = Timestamp::constant(1_793_491_200, 0);
const UUID: &str = "@uuid";
const DETECTED: &str = "@detected";
const LETTERS: &str = "dead_letters";
const NUMBER_OF_LETTERS: usize = 100;
const PATIENCE: Duration = Duration::from_secs(30);

/// A time with as many alerts before it as after it.
pub(super) fn middle() -> Timestamp {
    begin(OBJECTS / 2)
}

fn begin(object: i32) -> Timestamp {
    FIRST + MAX_AGE * object
}

/// What is repeated.
pub(super) struct DemoRecords {
    /// An alert with marks in the place of its `uuid` and its time.
    alert: String,
    /// Bytes of an enriched record and of its line's end.
    mean: usize,
}

impl DemoRecords {
    /// Of lines that a demo archived.
    pub(super) fn of(alerts: &[u8], enriched: &[u8]) -> Result<Self, RunError> {
        let line = alerts.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let mut alert: Value = serde_json::from_slice(line).map_err(failed)?;
        (alert["uuid"], alert["detected_utc"]) = (UUID.into(), DETECTED.into());
        let records = enriched.split(|byte| *byte == b'\n').count().saturating_sub(1).max(1);
        Ok(Self { alert: alert.to_string(), mean: enriched.len().div_ceil(records) })
    }

    /// Writes alerts, and so many bytes of enriched records.
    pub(super) async fn fill(&self, bucket: &EmbeddedBucket, enriched_bytes: usize) -> Result<(), RunError> {
        let client = client(bucket);
        let copies = Copies::of(&client, &PipelineKeys::new(&name(NAMESPACE)?, &name(DEMO)?)).await.map_err(failed)?;
        copies.fill(&client, &name(MANY)?, enriched_bytes.div_ceil(self.mean)).await.map_err(failed)?;
        let mut encoder = encoder(Format::JsonLines).map_err(RunError::Process)?;
        for (site, partition) in
            SITES.into_iter().flat_map(|site| (0..PARTITIONS).map(move |partition| (site, partition)))
        {
            for object in 0..OBJECTS {
                self.write(&client, &mut encoder, (site, partition), object).await?;
            }
        }
        Ok(())
    }

    async fn write(
        &self,
        bucket: &Bucket,
        encoder: &mut FrameEncoder,
        (site, partition): (&str, i32),
        object: i32,
    ) -> Result<(), RunError> {
        // Partitions have alerts of the same times, and sites do not.
        let begin = begin(object) + SignedDuration::from_millis(i64::from(site == SITES[0]));
        let start = object * ALERTS_PER_OBJECT;
        let (stored, first, last) = self.frames(encoder, begin).map_err(RunError::Process)?;
        let (day, first) = (begin.to_zoned(TimeZone::UTC).date(), first_record(first.as_bytes()));
        let key = format!("{NAMESPACE}/{MANY}/alerts/{day}/{site}/alerts-{partition}-{start:020}-{first}.jsonl.zst");
        let key: ArchiveObjectKey = key.parse().map_err(failed)?;
        let metadata = Metadata {
            end: i64::from(start + ALERTS_PER_OBJECT),
            records: u64::from(ALERTS_PER_OBJECT.unsigned_abs()),
            sha256: record_sha256(&stored),
            last_record: record_sha256(last.as_bytes()),
        };
        bucket
            .create(&key.to_string(), Body::Bytes(stored.into()), &metadata.into_fields())
            .await
            .map(drop)
            .map_err(failed)
    }

    /// Alerts of an object in their frames, and the first and the last of them.
    fn frames(&self, encoder: &mut FrameEncoder, begin: Timestamp) -> std::io::Result<(Vec<u8>, String, String)> {
        let (mut stored, mut first, mut last) = (Vec::new(), None, String::new());
        for number in 0..ALERTS_PER_OBJECT {
            let detected = begin + MAX_AGE * number / ALERTS_PER_OBJECT;
            last = self.alert.replace(UUID, &Uuid::new_v4().to_string()).replace(DETECTED, &detected.to_string());
            stored.extend_from_slice(encoder.record(last.as_bytes())?);
            first.get_or_insert_with(|| last.clone());
            if (number + 1) % ALERTS_PER_FRAME == 0 || number + 1 == ALERTS_PER_OBJECT {
                stored.extend_from_slice(encoder.end_frame()?);
            }
        }
        Ok((stored, first.unwrap_or_default(), last))
    }
}

/// A broker with dead letters, for as long as it lives.
pub(super) struct Letters {
    broker: EmbeddedBroker,
}

impl Letters {
    pub(super) fn start() -> Result<Self, RunError> {
        let broker = EmbeddedBroker::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).map_err(failed)?;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", broker.address().to_string());
        let admin: AdminClient<DefaultClientContext> = config.create().map_err(failed)?;
        let topic = NewTopic::new(LETTERS, 1, TopicReplication::Fixed(1));
        let runtime = Runtime::new().map_err(RunError::Process)?;
        for made in runtime.block_on(admin.create_topics(&[topic], &AdminOptions::new())).map_err(failed)? {
            made.map_err(|(topic, code)| failed(format!("topic {topic} could not be made: {code}")))?;
        }
        let producer: BaseProducer = config.create().map_err(failed)?;
        for offset in 0..NUMBER_OF_LETTERS {
            let headers = [
                (HEADER_TOPIC, "sensor_messages".to_owned()),
                (HEADER_PARTITION, "0".to_owned()),
                (HEADER_OFFSET, offset.to_string()),
                (HEADER_REASON, DeadLetterReason::InvalidJson.to_string()),
                (HEADER_MESSAGE, "it ends where a value is expected".to_owned()),
                (HEADER_TIME, begin(0).to_string()),
            ];
            let headers = headers
                .iter()
                .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
            let letter = BaseRecord::<(), _>::to(LETTERS).payload(r#"{"temperature":"#).headers(headers);
            producer.send(letter).map_err(|(error, _)| failed(error))?;
        }
        producer.flush(PATIENCE).map_err(failed)?;
        Ok(Self { broker })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> String {
        self.broker.address().to_string()
    }
}
