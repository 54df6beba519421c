//! Records that are older when they come than their outputs keep records.

use rdkafka::consumer::{BaseConsumer, Consumer};
use vedette_core::manifest::{self, ValidatedManifest};
use vedette_core::site::SiteFile;
use vedette_testing::bucket::TestBucket;
use vedette_testing::eventually;

use crate::acl::{Operation, Resource, allow};
use crate::broker::{Login, admin, create_topic, now_millis, options, produce_at, uuids};
use crate::workload::Workload;
use crate::{HOUR, Topics, archiver, archives_each_record, detector, passes, records};

const USER: &str = "late";
const EIGHT_DAYS: i64 = 8 * 24 * HOUR;
/// Keeps records for seven days by the time that their producer gives.
const CANARY: &str = "late-canary";

/// The outputs as a pipeline states nothing of them.
fn outputs(topics: &Topics) -> [String; 3] {
    let Topics { input, enriched, alerts, dead_letters } = topics;
    let site = SiteFile::parse(
        "{site: {name: east}, kafka: {bootstrapServers: 'k:1'}, bucket: {name: b, credentialsSecret: s}, \
         images: {topics: t, generator: g, detector: d, archiver: a, trainer: t}}",
    )
    .unwrap();
    let names = format!(
        "{{sensorMessages: {{name: {input}}}, enrichedData: {{name: {enriched}}}, alerts: {{name: {alerts}}}, deadLetters: {{name: {dead_letters}}}}}"
    );
    let text = format!(
        "{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: flows}}, spec: {{topics: {names}}}}}"
    );
    let loaded = manifest::load(&text, &"team".parse().unwrap(), &site).unwrap();
    let [ValidatedManifest::Pipeline(pipeline)] = loaded.as_slice() else { panic!("{loaded:?}") };
    [&pipeline.topics.enriched_data, &pipeline.topics.alerts, &pipeline.topics.dead_letters].map(ToString::to_string)
}

/// Has the topic Job make them.
fn make(user: &str, topics: &Topics) {
    let Topics { input: _, enriched, alerts, dead_letters } = topics;
    for topic in [enriched, alerts, dead_letters] {
        allow(user, &[(Resource::Topic(topic), Operation::Describe), (Resource::Topic(topic), Operation::Create)]);
    }
    let mut arguments = options(user, Login::Scram);
    arguments.extend(outputs(topics).map(|topic| format!("--topic={topic}")));
    let mut job = Workload::start("vedette-topics", user, &arguments);
    let status = job.outcome();
    assert!(status.success(), "{status}: {}", job.log());
}

/// Returns when retention has been enforced from one end to the other since the call.
async fn retention_passes() {
    let onlooker: BaseConsumer = admin().base().create().unwrap();
    for deleted in 1..=2 {
        produce_at(CANARY, &["canary".to_owned()], |_| now_millis() - EIGHT_DAYS);
        eventually("the canary is deleted", async || {
            let ends = onlooker.fetch_watermarks(CANARY, 0, std::time::Duration::from_secs(10));
            ends.is_ok_and(|ends| ends == (deleted, deleted))
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_come_eight_days_late_are_all_archived() {
    let bucket = TestBucket::serve().await;
    let topics = Topics::named_after(USER);
    create_topic(&topics.input, 3, &[("retention.ms", "-1")]).await;
    create_topic(CANARY, 1, &[("retention.ms", "604800000")]).await;
    make(USER, &topics);
    allow(USER, &topics.grants(USER));
    allow(USER, &[(Resource::Topic(&topics.enriched), Operation::Read)]);
    produce_at(&topics.input, &records(), |_| now_millis() - EIGHT_DAYS);
    let mut detector = detector(USER, Login::Scram, &bucket, &topics, "ExactlyOnce");
    passes(&mut detector, &topics, &records()).await;
    detector.stop();
    // The archiver may be away for as long as the topic keeps records.
    retention_passes().await;
    assert_eq!(uuids(&topics.enriched), records());
    let (mut archiver, probes) = archiver(USER, &bucket, "enriched_data", &topics.enriched);
    archives_each_record(&mut archiver, probes).await;
    archiver.stop();
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let days = bucket.bucket.list_directories("team/flows/enriched_data/").await.unwrap();
    let is_near = |day: &String| {
        let date: jiff::civil::Date = day.trim_end_matches('/').rsplit('/').next().unwrap().parse().unwrap();
        date.until(today).unwrap().get_days() <= 1
    };
    assert!(!days.is_empty() && days.iter().all(is_near), "{days:?}");
}
