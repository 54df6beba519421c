use rdkafka::consumer::{BaseConsumer, Consumer};
use vedette_contract::arguments::KafkaArguments;
use vedette_streams::kafka::Isolation;

use super::*;
use vedette_testing::{RefusedWrite, TestBroker, eventually};

/// As the Job of a walk has it, which is to say why it does not get on.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_patience_ends_with_the_acl_that_is_missing() {
    for write in [RefusedWrite::Records, RefusedWrite::Producer] {
        let broker = TestBroker::with_topics(&["sensor_messages:partitions=1"]).await;
        broker.refuse_writes("generator-0", write);
        let kafka = broker.settings("generator-0");
        let topic = "sensor_messages".parse().unwrap();
        let settings = SinkSettings { kafka, topic, max_message_bytes: 1_000_000, patience: Some(Duration::ZERO) };
        let readiness = Readiness::new(&[BROKER]);
        let refused = tokio::task::spawn_blocking(move || {
            let mut sink = Sink::new(settings, Metrics::default(), readiness, Shutdown::new())?;
            let mut record = Record::empty();
            record.begin().extend_from_slice(b"{}");
            sink.send(&record)?;
            sink.flush()
        });
        let error = refused.await.unwrap().unwrap_err();
        assert_eq!(error.reason(), "AclMissing", "{write:?}");
        assert!(error.to_string().contains("grant the ACL: Write on topic sensor_messages"), "{error}");
    }
}

/// The refusal of one comes while others are put into the queue, which then takes none of them.
#[tokio::test(flavor = "multi_thread")]
async fn no_record_is_lost_while_refusals_come_and_go() {
    const REFUSALS: usize = 10;
    let sending = Sending::start().await;
    for _ in 0..REFUSALS {
        sending.until_records_pass().await;
        sending.broker.refuse_writes(CLIENT, RefusedWrite::Records);
        eventually("they are refused", async || !sending.readiness.is_ready()).await;
        sending.broker.allow_writes(CLIENT);
        eventually("they are taken again", async || sending.readiness.is_ready()).await;
    }
    sending.assert_nothing_is_lost().await;
}

/// What follows in the same partition is taken by Kafka before anybody knows of the refusal.
#[tokio::test(flavor = "multi_thread")]
async fn no_record_is_lost_where_one_batch_is_refused() {
    const REFUSALS: usize = 20;
    let sending = Sending::start().await;
    for _ in 0..REFUSALS {
        sending.until_records_pass().await;
        // One refusal is over before a busy machine has looked. Only a sink that was refused says that it is ready again.
        sending.readiness.fail(BROKER, "nothing was refused yet");
        sending.broker.refuse_batches(CLIENT, 1);
        eventually("they are taken again", async || sending.readiness.is_ready()).await;
    }
    sending.assert_nothing_is_lost().await;
}

const CLIENT: &str = "generator-0";

/// A sink that is given records as fast as it takes them.
struct Sending {
    broker: TestBroker,
    metrics: Metrics,
    readiness: Readiness,
    shutdown: Shutdown,
    sent: tokio::task::JoinHandle<(u64, u64)>,
}

impl Sending {
    async fn start() -> Self {
        let broker = TestBroker::with_topics(&["sensor_messages:partitions=1"]).await;
        let (kafka, metrics, readiness) = (broker.settings(CLIENT), Metrics::default(), Readiness::new(&[BROKER]));
        let (topic, shutdown) = ("sensor_messages".parse().unwrap(), Shutdown::new());
        let settings = SinkSettings { kafka, topic, max_message_bytes: 1_000_000, patience: None };
        let mut sink = Sink::new(settings, metrics.clone(), readiness.clone(), shutdown.clone()).unwrap();
        let stop = shutdown.clone();
        readiness.hold(BROKER);
        let sent = tokio::task::spawn_blocking(move || {
            let mut record = Record::empty();
            record.begin().extend_from_slice(b"{}");
            let mut taken = 0;
            while !stop.is_cancelled() {
                taken += u64::from(sink.send(&record).unwrap() == Sent::Taken);
            }
            (taken, sink.flush().unwrap())
        });
        Self { broker, metrics, readiness, shutdown, sent }
    }

    async fn until_records_pass(&self) {
        let acknowledged = self.metrics.records.get();
        eventually("records pass", async || self.metrics.records.get() > acknowledged).await;
    }

    async fn assert_nothing_is_lost(self) {
        self.shutdown.cancel();
        let (taken, left) = self.sent.await.unwrap();
        let kafka = self.broker.settings("onlooker");
        let reader: BaseConsumer = kafka.consumer("onlookers", Isolation::ReadCommitted).create().unwrap();
        let (_, end) = reader.fetch_watermarks("sensor_messages", 0, Duration::from_secs(240)).unwrap();
        assert_eq!((self.metrics.records.get(), self.metrics.delivery_errors.get(), left), (taken, 0, 0));
        assert_eq!(u64::try_from(end).unwrap(), taken, "what Kafka has");
    }
}

#[test]
fn one_request_is_in_flight_and_no_record_is_given_up() {
    let config = KafkaSettings::new(&KafkaArguments::default(), "generator").producer_with(ONCE);
    assert_eq!(config.get("max.in.flight.requests.per.connection"), Some("1"));
    assert_eq!((config.get("message.timeout.ms"), config.get("enable.idempotence")), (Some("0"), Some("true")));
}
