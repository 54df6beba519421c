//! From where alerts are read when those that come next are not there any more.

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::topic_partition_list::Offset;
use vedette_contract::incident::{Incident, IncidentStatus};
use vedette_testing::eventually;

use crate::incidents::{alerts, total};
use crate::support::{Broker, Running, notifier};

const SOON: &str = "--kafka-property=statistics.interval.ms=100";
const LEADERS_SOON: &str = "--kafka-property=topic.metadata.refresh.interval.ms=200";

async fn reads_up_to(broker: &Broker, offsets: [i64; 2]) {
    eventually("alerts are read", async || {
        tokio::task::block_in_place(|| broker.committed()) == offsets.map(Offset::Offset)
    })
    .await;
}

/// Incidents come to hold so many alerts, and no more.
async fn tells_of(broker: &Broker, alerts: u64) {
    let (_, standing) = broker.incidents(|incidents| total(incidents) >= alerts).await;
    assert_eq!(total(&standing), alerts);
}

async fn has_lost(running: &Running, alerts: u64) {
    let line = format!("vedette_notifier_lost_alerts_total {alerts}\n");
    eventually("what is lost is counted", async || running.metrics().await.contains(&line)).await;
}

fn all_closed(incidents: &[Incident]) -> bool {
    incidents.iter().all(|incident| incident.status == IncidentStatus::Closed)
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_that_retention_deleted_are_counted_and_those_that_are_left_become_incidents_that_close() {
    let broker = Broker::start().await;
    let first = notifier(&broker, "first", &[]);
    broker.produce(alerts(0..20, "src_bytes"));
    reads_up_to(&broker, [10, 10]).await;
    first.stop().await;
    broker.produce(alerts(20..40, "src_bytes"));
    broker.embedded.delete_records("alerts", 0, 15).await;
    let second = notifier(&broker, "second", &["--window-seconds=1"]);
    let (_, standing) = broker.incidents(|incidents| total(incidents) >= 35 && all_closed(incidents)).await;
    assert_eq!(total(&standing), 35);
    has_lost(&second, 5).await;
    reads_up_to(&broker, [20, 20]).await;
    second.stop().await;
    let third = notifier(&broker, "third", &[]);
    eventually("the third acts", async || third.is_ready().await).await;
    has_lost(&third, 0).await;
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_of_transactions_that_retention_deleted_are_no_lost_alerts() {
    let broker = Broker::start().await;
    let first = notifier(&broker, "first", &[SOON]);
    broker.produce_in_transaction(alerts(0..20, "src_bytes"));
    // Behind the last alert of each partition stands a mark.
    reads_up_to(&broker, [11, 11]).await;
    first.stop().await;
    broker.embedded.delete_records("alerts", 0, 11).await;
    let second = notifier(&broker, "second", &[SOON]);
    broker.produce_in_transaction(alerts(20..40, "src_bytes"));
    tells_of(&broker, 40).await;
    has_lost(&second, 0).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_is_gone_is_found_again_when_its_partition_has_a_leader() {
    let broker = Broker::start().await;
    let first = notifier(&broker, "first", &[]);
    broker.produce(alerts(0..20, "src_bytes"));
    reads_up_to(&broker, [10, 10]).await;
    first.stop().await;
    broker.produce(alerts(20..40, "src_bytes"));
    broker.embedded.delete_records("alerts", 0, 15).await;
    broker.embedded.take_leader("alerts", 0);
    let second = notifier(&broker, "second", &[LEADERS_SOON]);
    // What has a leader is read.
    tells_of(&broker, 30).await;
    broker.embedded.give_leader("alerts", 0);
    tells_of(&broker, 35).await;
    has_lost(&second, 5).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_alerts_that_is_made_anew_is_read_from_its_beginning() {
    let broker = Broker::start().await;
    let running = notifier(&broker, "a", &[LEADERS_SOON]);
    broker.produce(alerts(0..20, "src_bytes"));
    reads_up_to(&broker, [10, 10]).await;
    let admin: AdminClient<DefaultClientContext> = broker.embedded.settings("owner").base().create().unwrap();
    admin.delete_topics(&["alerts"], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    broker.embedded.create_topics(&["alerts:partitions=2,retention.ms=-1"]).await;
    broker.produce(alerts(20..26, "src_bytes"));
    tells_of(&broker, 26).await;
    reads_up_to(&broker, [3, 3]).await;
    has_lost(&running, 0).await;
    running.stop().await;
}
