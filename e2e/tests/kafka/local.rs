//! `vedette local` on a Kafka that was there before, with records in it.

use std::ops::Range;
use std::time::Duration;

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use vedette_e2e::{LocalRun, topic};
use vedette_streams::kafka::Isolation;

use crate::broker::{ADMIN, admin, create_topic};

const INPUT: &str = "local-input";
const ENRICHED: &str = "local-enriched";
const PATIENCE: Duration = Duration::from_secs(300);
const PARTITIONS: i32 = 100;

/// As most producers have them: without a uuid.
fn produce(numbers: Range<i32>) {
    let producer: BaseProducer = admin().producer().create().unwrap();
    for number in numbers {
        let record = format!(r#"{{"src_bytes":{number},"dst_bytes":1}}"#);
        let record = BaseRecord::<(), _>::to(INPUT).partition(number % PARTITIONS).payload(&record);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

/// How many records came out; none while the topic is being made.
fn enriched() -> usize {
    topic::read_to_end(&admin(), ENRICHED, Isolation::ReadCommitted, |_| ()).map_or(0, |records| records.len())
}

fn manifest() -> String {
    let topic = |name: &str| format!("{{name: {name}, partitions: {PARTITIONS}}}");
    let (input, enriched) = (topic(INPUT), topic(ENRICHED));
    format!(
        "{{apiVersion: vedette.io/v1alpha1, kind: AnomalyPipeline, metadata: {{name: local}}, spec: {{topics: {{sensorMessages: {input}, \
         enrichedData: {enriched}, alerts: {{name: local-alerts}}, deadLetters: {{name: local-dead}}}}}}}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn records_without_a_uuid_and_of_before_pass_once_by_a_hundred_partitions() {
    create_topic(INPUT, PARTITIONS, &[("retention.ms", "-1")]).await;
    let run = || {
        produce(0..200);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipeline.yaml");
        std::fs::write(&path, manifest()).unwrap();
        let path = path.display().to_string();
        let arguments = ["local", "-f", &path, "--json", "--for", "10m", "--no-console", "--broker", ADMIN];
        let mut run = LocalRun::start(arguments).unwrap();
        run.wait_for("what was there before", PATIENCE, |_| enriched() == 200).unwrap();
        produce(200..300);
        run.wait_for("what came meanwhile", PATIENCE, |_| enriched() == 300).unwrap();
        run.signal("INT").unwrap();
        run.summary(PATIENCE).unwrap()
    };
    let summary = tokio::task::spawn_blocking(run).await.unwrap();
    let count = |field: &str| summary[field].as_u64().unwrap_or_else(|| panic!("{field} in {summary}"));
    assert_eq!(
        ["records_found", "records_generated", "records_enriched", "dead_letters", "lost", "duplicates"].map(count),
        [200, 300, 300, 0, 0, 0],
        "{summary}"
    );
    assert_eq!(summary["archive"]["records"].as_u64(), Some(300), "{summary}");
}
