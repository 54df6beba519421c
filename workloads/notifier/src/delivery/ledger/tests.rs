use proptest::prelude::*;

use super::testing::{closed, grown, incident, raised};
use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn ledger(minimum_severity: Severity, filter: Option<&str>) -> Ledger {
    let filter = filter.map(|expression| Filter::compile(expression).unwrap());
    Ledger::new(Interest { minimum_severity, filter, history_after: DAY })
}

fn all() -> Ledger {
    ledger(Severity::Low, None)
}

fn now() -> Timestamp {
    "2026-11-23T09:00:00Z".parse().unwrap()
}

impl Ledger {
    /// Takes messages of one partition, from an offset.
    fn take_all(&mut self, when: When, offset: i64, incidents: impl IntoIterator<Item = Incident>) {
        for (offset, incident) in (offset..).zip(incidents) {
            self.take(incident, Place { partition: 0, offset }, when, now()).unwrap();
        }
    }

    /// Tells all that waits: the status, how many alerts, and whether it was told before.
    fn tell_all(&mut self) -> Vec<(IncidentStatus, u64, bool)> {
        let mut told = Vec::new();
        while let Some(News { incident, before, .. }) = self.next() {
            told.push((incident.status, incident.alerts, before.is_some()));
            let id = incident.id;
            self.settled(id);
        }
        told
    }
}

use IncidentStatus::{Closed, Open};

#[test]
fn a_receiver_is_told_that_an_incident_opens_gets_worse_and_closes_and_not_that_it_grows() {
    let mut ledger = all();
    let first = incident(1);
    ledger.take_all(When::Now, 0, [first.clone()]);
    assert_eq!(ledger.tell_all(), [(Open, 1, false)]);
    let larger = grown(first);
    ledger.take_all(When::Now, 1, [larger.clone()]);
    assert_eq!((ledger.tell_all(), ledger.firing().count()), (vec![], 1));
    let worse = raised(larger);
    ledger.take_all(When::Now, 2, [worse.clone()]);
    assert_eq!(ledger.next().unwrap().before.unwrap().severity, Severity::Low);
    assert_eq!(ledger.tell_all(), [(Open, 3, true)]);
    ledger.take_all(When::Now, 3, [closed(worse)]);
    assert_eq!(ledger.tell_all(), [(Closed, 3, true)]);
    assert_eq!((ledger.firing().count(), ledger.standing.len(), ledger.settled_positions()), (0, 0, [(0, 4)].into()));
}

#[test]
fn what_changes_while_it_waits_is_told_once_as_it_stands() {
    let mut ledger = all();
    ledger.take_all(When::Now, 0, [incident(1), incident(2), raised(incident(1)), closed(raised(incident(1)))]);
    assert_eq!(ledger.settled_positions(), [(0, 0)].into(), "nothing was told yet");
    assert_eq!(ledger.tell_all(), [(Closed, 2, false), (Open, 1, false)]);
    assert_eq!(ledger.settled_positions(), [(0, 4)].into());
}

#[test]
fn what_waits_keeps_the_position_before_it() {
    let mut ledger = all();
    ledger.take_all(When::Now, 0, [incident(1), incident(2)]);
    ledger.take(incident(3), Place { partition: 7, offset: 100 }, When::Now, now()).unwrap();
    ledger.settled(incident(1).id);
    assert_eq!(ledger.settled_positions(), [(0, 1), (7, 100)].into());
}

#[test]
fn a_minimum_severity_and_a_filter_hold_back_until_they_do_not() {
    let mut ledger = ledger(Severity::High, Some("alerts > 2"));
    let (first, larger) = (incident(1), grown(grown(incident(1))));
    ledger.take_all(When::Now, 0, [first, larger.clone()]);
    assert_eq!(ledger.tell_all(), []);
    ledger.take_all(When::Now, 2, [raised(larger)]);
    assert_eq!(ledger.tell_all(), [(Open, 4, false)]);
    let mut by_count = self::ledger(Severity::Low, Some("alerts > 2"));
    by_count.take_all(When::Now, 0, [incident(1), grown(grown(incident(1)))]);
    assert_eq!(by_count.tell_all(), [(Open, 3, false)], "growth is no news, and made it true");
}

#[test]
fn a_filter_that_fails_lets_pass_and_says_so() {
    let mut ledger = ledger(Severity::Low, Some("example.missing == 1"));
    assert!(ledger.take(incident(1), Place { partition: 0, offset: 0 }, When::Now, now()).is_err());
    assert_eq!(ledger.tell_all(), [(Open, 1, false)]);
}

#[test]
fn who_comes_new_is_told_of_what_is_open_and_not_of_what_is_over() {
    let mut ledger = all();
    ledger.take_all(When::AtFirst, 0, [incident(1), closed(incident(1)), closed(incident(2)), incident(3)]);
    let over: Vec<_> = ledger.tell_all();
    assert!(over.contains(&(Open, 1, false)) && !over.contains(&(Closed, 1, false)), "{over:?}");
}

#[test]
fn what_was_long_over_when_it_was_written_is_history() {
    let mut ledger = all();
    let old = closed(incident(1));
    let closed_utc = old.closed_utc.map(|utc| utc + jiff::SignedDuration::from_hours(48));
    ledger.take_all(When::Now, 0, [Incident { closed_utc, ..old }, closed(incident(2))]);
    assert_eq!(ledger.tell_all(), [(Closed, 1, false)]);
}

#[test]
fn what_waits_is_bounded() {
    let mut ledger = all();
    let most = i64::try_from(MOST_WAITING).unwrap();
    ledger.take_all(When::Now, 0, (0..most).map(incident));
    assert!(ledger.is_full() && ledger.waiting() == MOST_WAITING);
    ledger.settled(incident(0).id);
    assert!(!ledger.is_full());
}

/// Incidents of a topic as a notifier writes them.
fn topic() -> impl Strategy<Value = Vec<Incident>> {
    prop::collection::vec((0..5_i64, 0..4_u8), 0..40).prop_map(|steps| {
        let mut standing = BTreeMap::new();
        let mut written = Vec::new();
        for (number, change) in steps {
            let next = match (standing.get(&number).cloned(), change) {
                (None, _) => incident(number),
                (Some(incident), _) if Incident::eq(&incident, &closed(incident.clone())) => continue,
                (Some(Incident { status: Closed, .. }), _) => continue,
                (Some(incident), 0 | 1) => grown(incident),
                (Some(incident), 2) => raised(incident),
                (Some(incident), _) => closed(incident),
            };
            standing.insert(number, next.clone());
            written.push(next);
        }
        written
    })
}

/// What a receiver has heard of each incident: the last news, and how often it heard the same.
#[derive(Debug, Default, PartialEq)]
struct Heard(BTreeMap<IncidentId, u64>);

impl Heard {
    fn tell(&mut self, ledger: &mut Ledger, most: usize) -> usize {
        let mut repeated = 0;
        for _ in 0..most {
            let Some(News { incident, .. }) = ledger.next() else { break };
            let (id, news) = (incident.id, incident.news_revision);
            repeated += usize::from(self.0.insert(id, news).is_some_and(|before| before >= news));
            ledger.settled(id);
        }
        repeated
    }
}

proptest! {
    #[test]
    fn whoever_restarts_where_tells_all_news_and_repeats_none_that_was_settled(
        topic in topic(),
        restart in 0..40_usize,
        told in 0..10_usize,
    ) {
        let restart = restart.min(topic.len());
        let (mut heard, mut before) = (Heard::default(), all());
        before.take_all(When::Now, 0, topic[..restart].iter().cloned());
        prop_assert_eq!(heard.tell(&mut before, told), 0);
        let everything_was_told = before.waiting() == 0;

        let settled = before.settled_positions().get(&0).copied().unwrap_or(0);
        let settled_count = usize::try_from(settled).unwrap();
        let mut after = all();
        after.take_all(When::Before, 0, topic[..settled_count].iter().cloned());
        after.take_all(When::Now, settled, topic[settled_count..].iter().cloned());
        let repeated = heard.tell(&mut after, usize::MAX);
        prop_assert!(!everything_was_told || repeated == 0, "{repeated}");

        let last: BTreeMap<_, _> = topic.iter().map(|incident| (incident.id, incident.news_revision)).collect();
        prop_assert_eq!(heard.0, last);
        prop_assert_eq!(after.settled_positions().values().copied().sum::<i64>(), i64::try_from(topic.len()).unwrap());
    }
}
