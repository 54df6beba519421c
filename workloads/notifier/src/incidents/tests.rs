use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use vedette_contract::incident::{AlertOrigin, FieldValue, RawAlert, Severity};

use super::*;
use crate::silences::testing::{kept, silences};

const WINDOW: Duration = Duration::from_secs(600);

impl Incidents {
    /// Takes an alert that is not late.
    fn take_at_once(&mut self, alert: Alert) -> Taken {
        self.take(alert, None, &Silences::default())
    }

    /// Takes all changes, in as many transactions as that needs.
    fn take_all_changes(&mut self) -> Vec<Incident> {
        let parts = std::iter::from_fn(|| Some(self.take_changes()).filter(|changes| !changes.is_empty()));
        parts.flatten().collect()
    }
}

fn rules(max_open: usize) -> Rules {
    let name = |text: &str| text.parse().unwrap();
    let owner = IncidentOwner { namespace: name("team"), pipeline: name("flows"), site: name("east") };
    Rules { owner, window: WINDOW, max_open }
}

fn incidents() -> Incidents {
    Incidents::new(rules(100))
}

fn at(seconds: u64) -> Timestamp {
    later("2026-11-23T08:00:00Z".parse().unwrap(), Duration::from_secs(seconds))
}

/// An alert at a second, with reasons and their shares in hundredths.
fn alert(second: u64, reasons: &[(&str, u64)]) -> Alert {
    let reason = |(field, share): &(&str, u64)| IncidentReason {
        field: (*field).to_owned(),
        alerts: 1,
        weight: share * 10_000,
        value: Some(second.to_string()),
    };
    Alert {
        origin: AlertOrigin { topic: "alerts".parse().unwrap(), partition: 0, offset: i64::try_from(second).unwrap() },
        utc: at(second),
        severity: Severity::Low,
        is_severity_strange: false,
        is_simulated: false,
        score: Some(0.99),
        reasons: reasons.iter().map(reason).collect(),
        grouping: Grouping::Reasons,
        raw: RawAlert::new(&format!("{{\"second\":{second}}}")),
    }
}

fn of_group(second: u64, service: &str) -> Alert {
    let values = vec![FieldValue { field: "service".to_owned(), value: Some(service.to_owned()) }];
    Alert { grouping: Grouping::Fields { values }, ..alert(second, &[("a", 50)]) }
}

fn told(changes: &[Incident]) -> Vec<(u64, IncidentStatus, bool)> {
    changes.iter().map(|i| (i.alerts, i.status, i.revision == i.news_revision)).collect()
}

#[test]
fn alerts_that_share_one_of_three_largest_reasons_are_one_incident() {
    let mut incidents = incidents();
    assert_eq!(incidents.take_at_once(alert(0, &[("a", 50), ("b", 30), ("c", 10)])), Taken::Opened);
    assert_eq!(incidents.take_at_once(alert(1, &[("x", 60), ("c", 20)])), Taken::Joined);
    assert_eq!(incidents.take_at_once(alert(2, &[("y", 60), ("z", 20)])), Taken::Opened);
    let changes = incidents.take_changes();
    assert_eq!(changes.iter().map(|incident| incident.alerts).sum::<u64>(), 3);
    let first = changes.iter().find(|incident| incident.alerts == 2).unwrap();
    let reasons: Vec<_> = first.reasons.iter().map(|reason| reason.field.as_str()).collect();
    assert_eq!((reasons, first.first_utc, first.last_utc), (vec!["x", "a", "b", "c"], at(0), at(1)));
    assert_eq!(
        incidents.take_at_once(alert(3, &[("c", 60)])),
        Taken::Opened,
        "c is only the fourth of its reasons by now"
    );
}

#[test]
fn each_incident_is_written_once_and_growth_is_no_news() {
    let mut incidents = incidents();
    for second in 0..5 {
        incidents.take_at_once(alert(second, &[("a", 50)]));
    }
    assert_eq!(told(&incidents.take_changes()), [(5, IncidentStatus::Open, true)]);
    assert!(!incidents.is_due());
    incidents.take_at_once(alert(6, &[("a", 50)]));
    assert_eq!(told(&incidents.take_changes()), [(6, IncidentStatus::Open, false)]);
    incidents.take_at_once(Alert { severity: Severity::High, ..alert(7, &[("a", 50)]) });
    incidents.take_at_once(alert(8, &[("a", 50)]));
    let changes = incidents.take_changes();
    assert_eq!((told(&changes), changes[0].severity), (vec![(8, IncidentStatus::Open, true)], Severity::High));
}

#[test]
fn a_quiet_window_closes_an_incident_and_the_next_alert_opens_another() {
    let mut incidents = incidents();
    incidents.take_at_once(alert(0, &[("a", 50)]));
    incidents.close_quiet(at(599));
    assert_eq!(told(&incidents.take_changes()), [(1, IncidentStatus::Open, true)]);
    incidents.close_quiet(at(600));
    assert_eq!(incidents.take_at_once(alert(600, &[("a", 50)])), Taken::Opened);
    let mut changes = incidents.take_changes();
    changes.sort_by_key(|incident| incident.first_utc);
    assert_eq!(told(&changes), [(1, IncidentStatus::Closed, true), (1, IncidentStatus::Open, true)]);
    assert_eq!((changes[0].closed_utc, changes[0].revision, incidents.open_count()), (Some(at(600)), 2, 1));
    assert!(changes[0].id != changes[1].id);
}

#[test]
fn what_is_read_late_and_one_partition_after_the_other_joins_where_it_belongs() {
    let mut incidents = incidents();
    for _partition in 0..2 {
        for second in [0, 60, 7_200, 7_260] {
            incidents.take_at_once(alert(second, &[("a", 50)]));
        }
    }
    let mut changes = incidents.take_changes();
    changes.sort_by_key(|incident| incident.first_utc);
    assert_eq!(told(&changes), [(4, IncidentStatus::Open, true); 2]);
    assert_eq!((changes[0].last_utc, changes[1].first_utc), (at(60), at(7_200)));
}

#[test]
fn the_example_is_that_of_the_highest_score_and_examples_do_not_fill_memory() {
    let mut incidents = incidents();
    for (second, score) in [(0, Some(0.5)), (1, Some(0.9)), (2, Some(0.7)), (3, None)] {
        incidents.take_at_once(Alert { score, ..alert(second, &[("a", 50)]) });
    }
    let changes = incidents.take_changes();
    assert_eq!((changes[0].highest_score, changes[0].example.origin.offset), (Some(0.9), 1));

    let mut full = Incidents::new(rules(usize::MAX));
    let large = RawAlert::new(&format!("\"{}\"", "x".repeat(8_000)));
    for number in 0..10_000 {
        full.take_at_once(Alert { raw: large.clone(), ..of_group(number, &number.to_string()) });
    }
    assert!(full.examples_bytes <= EXAMPLES_BYTES && full.examples_bytes > EXAMPLES_BYTES / 2);
    let held: usize = full.open.values().map(example_bytes).sum();
    assert_eq!(held, full.examples_bytes);
    full.close_quiet(at(100_000));
    assert_eq!((full.take_all_changes().len(), full.examples_bytes, full.by_cause.len()), (10_000, 0, 0));
}

#[test]
fn growth_is_written_by_the_tenth_and_news_at_once() {
    let mut incidents = incidents();
    let mut written = 0;
    for second in 0..100_000 {
        incidents.take_at_once(alert(second / 200, &[("a", 50)]));
        if incidents.is_due() {
            assert_eq!(incidents.take_changes().len(), 1);
            written += 1;
        }
    }
    assert!((20..150).contains(&written), "{written} messages of one incident");
    incidents.take_at_once(Alert { severity: Severity::High, ..alert(500, &[("a", 50)]) });
    assert!(incidents.is_due());
}

#[test]
fn what_closes_at_once_is_written_in_parts_and_what_has_new_alerts_is_in_the_first() {
    let mut incidents = Incidents::new(rules(usize::MAX));
    let count = 3 * u64::try_from(MOST_WRITTEN).unwrap();
    for number in 0..count {
        incidents.take_at_once(of_group(0, &number.to_string()));
    }
    assert_eq!(incidents.take_changes().len(), 3 * MOST_WRITTEN, "all of them go with the positions of their alerts");
    incidents.take_at_once(of_group(1, "0"));
    incidents.close_quiet(at(100_000));
    let first = incidents.take_changes();
    assert_eq!((first.len(), first[0].alerts, incidents.is_due()), (MOST_WRITTEN, 2, true));
    assert_eq!((incidents.take_all_changes().len(), incidents.open_count()), (2 * MOST_WRITTEN, 0));
    assert!(!incidents.is_due());
}

#[test]
fn alerts_that_are_read_later_than_a_window_are_one_incident_as_long_as_they_come() {
    let mut incidents = incidents();
    for second in 0..100 {
        let read = at(second + 2 * WINDOW.as_secs());
        incidents.take(alert(second, &[("a", 50)]), Some(read), &Silences::default());
        incidents.close_quiet(read);
    }
    assert_eq!(told(&incidents.take_changes()), [(100, IncidentStatus::Open, true)]);
    incidents.close_quiet(at(99 + 3 * WINDOW.as_secs()));
    assert_eq!(told(&incidents.take_changes()), [(100, IncidentStatus::Closed, true)]);
}

#[test]
fn groups_are_told_apart_by_their_fields_whatever_the_reasons() {
    let mut incidents = incidents();
    let taken = ["http", "ssh", "http"].map(|service| incidents.take_at_once(of_group(0, service)));
    assert_eq!(taken, [Taken::Opened, Taken::Opened, Taken::Joined]);
}

#[test]
fn what_goes_beyond_the_bound_is_one_incident_and_is_counted() {
    let mut incidents = Incidents::new(rules(3));
    let overflowed =
        (0..1_000).filter(|number| incidents.take_at_once(of_group(*number, &number.to_string())) == Taken::Overflowed);
    assert_eq!(overflowed.count(), 997);
    let changes = incidents.take_changes();
    let overflow = changes.iter().find(|incident| incident.grouping == Grouping::Overflow).unwrap();
    assert_eq!((changes.len(), overflow.alerts, incidents.open_count()), (4, 997, 4));
}

/// What silences make of alerts at these seconds of these severities, the silence being in force from the 10th to before the 20th: how
/// many alerts, how many of them silenced, how severe, whose example, and whether people are told.
fn silenced(alerts: &[(u64, Severity)]) -> (u64, u64, Severity, i64, bool) {
    let silences = silences(vec![kept(1, "'a' in reasons && alerts < 100", at(10), at(20))]);
    let (mut incidents, mut is_news) = (incidents(), false);
    for (second, severity) in alerts {
        let score = Some(1. - f64::from(u32::try_from(*second).unwrap()) / 100.);
        incidents.take(Alert { severity: *severity, score, ..alert(*second, &[("a", 50)]) }, None, &silences);
        let changes = incidents.take_changes();
        assert_eq!(changes.len(), 1);
        is_news = changes[0].news_revision == changes[0].revision;
    }
    let Incident { alerts, silenced_alerts, silenced_by, severity, example, .. } =
        incidents.open.pop_first().unwrap().1;
    assert_eq!(silenced_by.len(), usize::from(silenced_alerts > 0));
    (alerts, silenced_alerts, severity, example.origin.offset, is_news)
}

#[test]
fn an_alert_is_silenced_by_what_is_in_force_when_it_is_detected_and_the_others_speak_for_their_incident() {
    use Severity::{Critical, High, Low, Medium};
    assert_eq!(silenced(&[(10, Low), (19, High)]), (2, 2, High, 10, true), "all of them are silenced");
    let (alerts, silenced_alerts, severity, example, is_news) = silenced(&[(10, Critical), (20, Low)]);
    assert_eq!((alerts, silenced_alerts), (2, 1));
    assert_eq!((severity, example, is_news), (Low, 20, true), "the first that is not silenced begins anew");
    assert_eq!(silenced(&[(9, Low), (10, Critical)]), (2, 1, Low, 9, false), "one that is silenced raises nothing");
    assert_eq!(silenced(&[(10, Critical), (20, Low), (21, Medium)]), (3, 1, Medium, 20, true));
    // It was detected before, though it is read after: as if it had been read in time.
    assert_eq!(silenced(&[(25, Low), (12, High)]), (2, 1, Low, 25, false));
}

#[test]
fn a_match_may_speak_of_the_incident_that_an_alert_joins() {
    let mut incidents = incidents();
    incidents.take_at_once(alert(0, &[("a", 50)]));
    let id = incidents.take_changes()[0].id;
    let silences = silences(vec![kept(1, &format!("id == '{id}' && alerts <= 3"), at(0), at(100))]);
    for second in 1..4 {
        incidents.take(alert(second, &[("a", 50)]), None, &silences);
        incidents.take(of_group(second, "other"), None, &silences);
    }
    let mut counts: Vec<_> = incidents.take_changes().iter().map(|i| (i.alerts, i.silenced_alerts)).collect();
    counts.sort_unstable();
    assert_eq!(counts, [(3, 0), (4, 2)]);
}

/// In force at all times, for what one of the fields of the steps is behind.
static SILENCES: LazyLock<Silences> =
    LazyLock::new(|| silences(vec![kept(1, "'e' in reasons", Timestamp::MIN, Timestamp::MAX)]));

/// Alerts of an attack: one of two fields is behind each, and others come with it.
fn attack() -> impl Strategy<Value = Vec<Alert>> {
    let one = (prop::bool::ANY, 40..80_u64, 0..6_usize, 0..6_usize, 1..20_u64, 1..6_u64);
    prop::collection::vec(one, 10_000).prop_map(|drawn| {
        let mut second = 0;
        let alerts = drawn.into_iter().map(|(main, share, one, other, rest, pause)| {
            second += pause;
            let noise = ["n0", "n1", "n2", "n3", "n4", "n5"];
            let mut reasons = vec![(if main { "main" } else { "second" }, share), (noise[one], rest)];
            if one != other {
                reasons.push((noise[other], rest / 2));
            }
            alert(second, &reasons)
        });
        alerts.collect()
    })
}

/// What happens to open incidents: alerts of some fields, time that passes, and writes.
#[derive(Debug, Clone)]
enum Step {
    Alert { after: u64, reasons: Vec<(usize, u64)>, score: u32, severity: usize },
    Close { after: u64 },
    Write,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let reasons = prop::collection::vec((0..6_usize, 1..60_u64), 0..4);
    let alert = (1..900_u64, reasons, 0..1_000_u32, 0..4_usize)
        .prop_map(|(after, reasons, score, severity)| Step::Alert { after, reasons, score, severity });
    prop::collection::vec(
        prop_oneof![6 => alert, 1 => (1..900_u64).prop_map(|after| Step::Close { after }), 2 => Just(Step::Write)],
        0..80,
    )
}

/// What a compacted topic has: of each incident its last message.
#[derive(Default)]
struct Topic(BTreeMap<IncidentId, String>);

impl Topic {
    fn write(&mut self, incidents: &mut Incidents) {
        for incident in incidents.take_changes() {
            self.0.insert(incident.id, serde_json::to_string(&incident).unwrap());
        }
    }

    fn read(&self) -> impl Iterator<Item = Incident> {
        self.0.values().map(|json| serde_json::from_str(json).unwrap())
    }

    fn restored(&self, max_open: usize) -> Incidents {
        let mut restored = Incidents::new(rules(max_open));
        self.read().for_each(|incident| restored.restore(incident));
        restored
    }
}

fn apply(step: &Step, incidents: &mut Incidents, topic: &mut Topic, second: &mut u64) -> u64 {
    match step {
        Step::Alert { after, reasons, score, severity } => {
            *second += after;
            let fields = ["a", "b", "c", "d", "e", "f"];
            let mut distinct: Vec<(&str, u64)> =
                reasons.iter().map(|(field, share)| (fields[*field], *share)).collect();
            distinct.sort_unstable();
            distinct.dedup_by_key(|reason| reason.0);
            distinct.sort_by_key(|reason| std::cmp::Reverse(reason.1));
            let (severity, score) = (Severity::ALL[*severity], Some(f64::from(*score) / 1_000.));
            incidents.take(Alert { severity, score, ..alert(*second, &distinct) }, None, &SILENCES);
            return 1;
        }
        Step::Close { after } => {
            *second += after;
            incidents.close_quiet(at(*second));
        }
        Step::Write => topic.write(incidents),
    }
    0
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn an_attack_of_ten_thousand_alerts_is_at_most_two_incidents(attack in attack()) {
        let mut incidents = incidents();
        let opened = attack.into_iter().filter(|alert| incidents.take_at_once(alert.clone()) == Taken::Opened).count();
        prop_assert!(opened <= 2, "{opened}");
        let alerts: u64 = incidents.take_changes().iter().map(|incident| incident.alerts).sum();
        prop_assert_eq!(alerts, 10_000);
    }
}

proptest! {
    #[test]
    fn a_successor_reads_what_its_predecessor_wrote_and_goes_on_as_it_would_have(
        before in steps(),
        after in steps(),
        max_open in 1..5_usize,
    ) {
        let (mut incidents, mut topic, mut second) = (Incidents::new(rules(max_open)), Topic::default(), 0);
        before.iter().for_each(|step| { apply(step, &mut incidents, &mut topic, &mut second); });
        topic.write(&mut incidents);
        let mut successor = topic.restored(max_open);
        prop_assert_eq!(&successor.open, &incidents.open);
        prop_assert_eq!(&successor.by_cause, &incidents.by_cause);
        prop_assert_eq!(successor.examples_bytes, incidents.examples_bytes);

        let (mut other_topic, mut other_second) = (Topic(topic.0.clone()), second);
        for step in &after {
            apply(step, &mut incidents, &mut topic, &mut second);
            apply(step, &mut successor, &mut other_topic, &mut other_second);
        }
        prop_assert_eq!(incidents.take_changes(), successor.take_changes());
        prop_assert_eq!(topic.0, other_topic.0);
    }

    #[test]
    fn every_alert_is_in_one_incident_and_no_more_are_open_than_may_be(steps in steps(), max_open in 1..5_usize) {
        let (mut incidents, mut topic, mut second, mut alerts) = (Incidents::new(rules(max_open)), Topic::default(), 0, 0);
        for step in &steps {
            alerts += apply(step, &mut incidents, &mut topic, &mut second);
            let open = incidents.open.values().filter(|i| i.status == IncidentStatus::Open && i.grouping != Grouping::Overflow);
            prop_assert!(open.count() <= max_open);
        }
        topic.write(&mut incidents);
        prop_assert_eq!(topic.read().map(|incident| incident.alerts).sum::<u64>(), alerts);
        prop_assert_eq!(topic.restored(max_open).open.len(), incidents.open.len());
        for incident in topic.read() {
            prop_assert!(incident.first_utc <= incident.last_utc && incident.news_revision <= incident.revision);
            prop_assert!(incident.news_revision > 0 && incident.silenced_alerts <= incident.alerts);
        }
    }
}
