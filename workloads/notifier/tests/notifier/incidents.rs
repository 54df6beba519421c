//! The notifier against a broker: every alert is in one incident, whoever comes, goes and is in doubt.

use rdkafka::topic_partition_list::Offset;
use vedette_contract::incident::{Grouping, Incident, IncidentStatus, Severity};
use vedette_testing::eventually;
use vedette_testing::metrics::assert_served;

use crate::support::{Broker, notifier};

/// An alert that was detected so many seconds from now.
fn alert_at(seconds: i64, number: usize, field: &str, more: &str) -> String {
    let utc = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    format!(
        r#"{{"uuid":"u{number}","{field}":{number},"score":0.999,"detected_utc":"{utc:.6}",
        "reasons":[{{"field":"{field}","share":0.7}}]{more}}}"#
    )
}

fn alert(number: usize, field: &str) -> String {
    alert_at(0, number, field, "")
}

pub(crate) fn alerts(numbers: std::ops::Range<usize>, field: &str) -> impl Iterator<Item = String> {
    numbers.map(move |number| alert(number, field))
}

pub(crate) fn total(incidents: &[Incident]) -> u64 {
    incidents.iter().map(|incident| incident.alerts).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_one_cause_are_one_incident_and_a_cause_of_its_own_is_another() {
    let broker = Broker::start().await;
    let running = notifier(&broker, "a", &[]);
    broker.produce(alerts(0..500, "src_bytes").chain(alerts(0..20, "service")));
    broker.produce(["no record".to_owned(), alert_at(0, 7, "src_bytes", r#","severity":"high""#)]);
    let (written, standing) = broker.incidents(|incidents| total(incidents) >= 521).await;
    let mut counts: Vec<_> = standing.iter().map(|incident| (incident.alerts, incident.severity)).collect();
    counts.sort_unstable();
    assert_eq!(counts, [(20, Severity::Low), (501, Severity::High)]);
    assert!(written.len() < 100, "{} messages are more than what changed", written.len());
    assert!(
        standing.iter().all(|incident| incident.status == IncidentStatus::Open && incident.site.as_str() == "east")
    );
    eventually("all of them were read", async || {
        tokio::task::block_in_place(|| broker.committed()) == [Offset::Offset(261), Offset::Offset(261)]
    })
    .await;
    eventually("the unreadable one is counted", async || {
        running.metrics().await.contains("vedette_notifier_unreadable_alerts_total 1\n")
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_incident_is_made_of_an_alert_whose_record_somebody_made_up() {
    let broker = Broker::start().await;
    let running = notifier(&broker, "a", &[]);
    broker.produce((0..10).map(|number| alert_at(0, number, "made_up", r#","simulated":true"#)));
    broker.produce([alert_at(0, 10, "src_bytes", r#","simulated":"true""#)]);
    let (_, standing) = broker.incidents(|incidents| total(incidents) >= 1).await;
    assert_eq!((standing.len(), standing[0].alerts, standing[0].reasons[0].field.as_str()), (1, 1, "src_bytes"));
    eventually("all were read", async || {
        let metrics = running.metrics().await;
        ["alerts_total 11\n", "simulated_alerts_total 10\n", "opened_incidents_total 1\n"]
            .iter()
            .all(|line| metrics.contains(&format!("vedette_notifier_{line}")))
    })
    .await;
    running.stop().await;
}

/// A batch of many is one message to Kafka.
#[tokio::test(flavor = "multi_thread")]
async fn many_incidents_at_once_pass_a_topic_that_accepts_small_batches_only() {
    let broker = Broker::whose_incidents_take_messages_of(16_384).await;
    broker.produce((0..2_000).map(|number| alert(number, &format!("field-{number}"))));
    let running = notifier(&broker, "a", &[]);
    let (_, standing) = broker.incidents(|incidents| total(incidents) >= 2_000).await;
    assert_eq!(standing.len(), 2_000);
    let metrics = running.metrics().await;
    assert_served(&metrics, vedette_contract::metrics::notifier::ALL);
    assert!(metrics.contains("vedette_notifier_restarts_total 0\n"), "{metrics}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_quiet_for_a_window_is_closed_and_then_another_opens() {
    let broker = Broker::start().await;
    // They are there before anybody reads them, as between one partition and the other a busy machine may pause for a window.
    broker.produce(alerts(0..10, "src_bytes").collect::<Vec<_>>());
    let running = notifier(&broker, "a", &["--window-seconds=1"]);
    let closed = |incidents: &[Incident]| incidents.iter().any(|incident| incident.status == IncidentStatus::Closed);
    let (_, standing) = broker.incidents(closed).await;
    assert_eq!((standing.len(), standing[0].alerts), (1, 10));
    assert!(
        standing[0].closed_utc.unwrap() >= standing[0].last_utc && standing[0].news_revision == standing[0].revision
    );
    // This one is read as it comes.
    broker.produce(alerts(0..1, "src_bytes"));
    let all_closed = |incidents: &[Incident]| incidents.iter().all(|one| one.status == IncidentStatus::Closed);
    let (_, standing) = broker.incidents(|incidents| incidents.len() == 2 && all_closed(incidents)).await;
    assert!(standing[0].id != standing[1].id);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_from_the_topic() {
    let broker = Broker::start().await;
    let mut before = None;
    for round in 1..=3 {
        let running = notifier(&broker, &format!("pod-{round}"), &["--group-by=service"]);
        broker.produce((0..100).map(|number| alert_at(0, number, "src_bytes", r#","service":"http""#)));
        let (_, standing) = broker.incidents(|incidents| total(incidents) >= round * 100).await;
        assert_eq!((standing.len(), total(&standing)), (1, round * 100));
        assert!(before.is_none_or(|before| before == standing[0].id));
        assert!(matches!(standing[0].grouping, Grouping::Fields { .. }));
        before = Some(standing[0].id);
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_detected_while_nobody_read_is_one_incident_and_closes_when_all_was_read() {
    let broker = Broker::start().await;
    // An hour ago, as long as three minutes: the second partition has what the first has.
    broker
        .produce((0..400).map(|number| alert_at(-3_600 + i64::try_from(number).unwrap() / 2, number, "src_bytes", "")));
    let running = notifier(&broker, "late", &["--window-seconds=30"]);
    let (_, standing) =
        broker.incidents(|incidents| incidents.iter().any(|i| i.status == IncidentStatus::Closed)).await;
    assert_eq!((standing.len(), total(&standing)), (1, 400));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_aborted_is_no_alert() {
    let broker = Broker::start().await;
    let running = notifier(&broker, "a", &[]);
    broker.produce_in_vain(alerts(0..10, "src_bytes"));
    broker.produce(alerts(0..3, "src_bytes"));
    let (_, standing) = broker.incidents(|incidents| total(incidents) >= 3).await;
    assert_eq!((standing.len(), total(&standing)), (1, 3));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_notifiers_the_later_acts_and_the_earlier_ends_quietly() {
    let broker = Broker::start().await;
    let mut first = notifier(&broker, "first", &[]);
    broker.produce(alerts(0..50, "src_bytes"));
    broker.incidents(|incidents| total(incidents) >= 50).await;
    let second = notifier(&broker, "second", &[]);
    eventually("the second acts", async || second.is_ready().await).await;
    // No alert comes: it notices by itself.
    first.outcome().await.unwrap();
    broker.produce(alerts(50..80, "src_bytes"));
    let (_, standing) = broker.incidents(|incidents| total(incidents) >= 80).await;
    assert_eq!((standing.len(), total(&standing)), (1, 80));
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notifier_that_was_cut_off_in_the_middle_of_writing_counts_nothing_twice() {
    let broker = Broker::start().await;
    let mut first = notifier(&broker, "first", &[]);
    broker.produce(alerts(0..50, "src_bytes"));
    broker.incidents(|incidents| total(incidents) >= 50).await;
    let held = broker.embedded.hold_produces("first");
    broker.produce(alerts(50..100, "src_bytes"));
    let second = notifier(&broker, "second", &[]);
    let (_, standing) = broker.incidents(|incidents| total(incidents) >= 100).await;
    assert_eq!((standing.len(), total(&standing)), (1, 100));
    drop(held);
    first.outcome().await.unwrap();
    broker.produce(alerts(100..150, "src_bytes"));
    let (_, standing) = broker.incidents(|incidents| total(incidents) >= 150).await;
    assert_eq!((standing.len(), total(&standing)), (1, 150));
    second.stop().await;
}
