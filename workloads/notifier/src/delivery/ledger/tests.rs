use proptest::prelude::*;
use vedette_contract::incident::Severity;
use vedette_filters::Filter;

use super::testing::{closed, grown, incident, raised};
use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn ledger(minimum_severity: Severity, filter: Option<&str>) -> Ledger {
    let filter = filter.map(|expression| Filter::compile(expression).unwrap());
    of(Interest { minimum_severity, filter, history_after: DAY }, Recollection::default())
}

fn of(interest: Interest, recollection: Recollection) -> Ledger {
    Ledger::new(interest, recollection, true)
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

    fn offsets(&self) -> BTreeMap<i32, i64> {
        self.positions().into_iter().map(|(partition, position)| (partition, position.offset)).collect()
    }

    /// Tells all that waits: the status, how many alerts, and whether it was told before.
    fn tell_all(&mut self) -> Vec<(IncidentStatus, u64, bool)> {
        let mut told = Vec::new();
        while let Some(News { incident, before }) = self.next(Instant::now()) {
            told.push((incident.status, incident.alerts, before.is_some()));
            let id = incident.id;
            self.told(id);
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
    assert_eq!(ledger.next(Instant::now()).unwrap().before.unwrap().severity, Severity::Low);
    assert_eq!(ledger.tell_all(), [(Open, 3, true)]);
    ledger.take_all(When::Now, 3, [closed(worse)]);
    assert_eq!(ledger.tell_all(), [(Closed, 3, true)]);
    assert_eq!((ledger.firing().count(), ledger.entries.len(), ledger.offsets()), (0, 0, [(0, 4)].into()));
}

#[test]
fn what_changes_while_it_waits_is_told_once_as_it_stands() {
    let mut ledger = all();
    ledger.take_all(When::Now, 0, [incident(1), incident(2), raised(incident(1)), closed(raised(incident(1)))]);
    assert_eq!(ledger.positions()[&0].exceptions.len(), 2, "nothing was told yet");
    assert_eq!(ledger.tell_all(), [(Closed, 2, false), (Open, 1, false)]);
    assert_eq!(ledger.positions(), [(0, Position { offset: 4, ..Position::default() })].into());
}

#[test]
fn what_waits_is_remembered_beside_the_position_and_where_that_is_too_much_the_position_stays_before_it() {
    let mut ledger = all();
    let most = i64::try_from(MOST_EXCEPTIONS).unwrap();
    ledger.take_all(When::Now, 0, (0..most).map(incident));
    ledger.take(incident(most), Place { partition: 7, offset: 100 }, When::Now, now()).unwrap();
    assert_eq!(ledger.offsets(), [(0, most), (7, 101)].into());
    ledger.take_all(When::Now, most, [incident(most + 1), incident(most + 2)]);
    assert_eq!(
        (ledger.offsets(), ledger.positions()[&0].exceptions.len()),
        ([(0, most), (7, 101)].into(), MOST_EXCEPTIONS)
    );
    ledger.told(incident(5).id);
    assert_eq!(ledger.offsets()[&0], most + 1);
}

#[test]
fn what_fails_again_and_again_is_in_nobodys_way_and_has_pauses_of_its_own() {
    let (mut ledger, start) = (all(), Instant::now());
    ledger.take_all(When::Now, 0, [incident(1), incident(2)]);
    let next = |ledger: &Ledger, at: u64| ledger.next(start + Duration::from_millis(at)).map(|news| news.incident.id);
    let [poison, other, fresh] = [1, 2, 3].map(|number| incident(number).id);
    assert_eq!(next(&ledger, 0), Some(poison));
    ledger.failed(poison, start);
    assert_eq!(next(&ledger, 0), Some(other));
    ledger.failed(other, start);
    assert_eq!((next(&ledger, 0), next(&ledger, 500)), (None, Some(poison)));
    ledger.failed(poison, start);
    assert_eq!((next(&ledger, 999), next(&ledger, 5_000)), (Some(other), Some(other)), "it failed less often");
    ledger.take_all(When::Now, 2, [incident(3)]);
    assert_eq!(next(&ledger, 5_000), Some(fresh), "what was never tried comes before what failed");
    ledger.told(other);
    ledger.told(fresh);
    assert_eq!((next(&ledger, 999), next(&ledger, 1_000)), (None, Some(poison)));
    assert_eq!(ledger.waiting_since(), Some(now()));
}

#[test]
fn what_is_refused_is_passed_only_when_another_was_taken_or_after_a_day_and_does_not_count_as_told() {
    let (mut ledger, start) = (all(), Instant::now());
    let [poison, other] = [1, 2].map(|number| incident(number).id);
    let after = |hours: i64| now() + jiff::SignedDuration::from_hours(hours);
    ledger.take_all(When::Now, 0, [incident(1), incident(2)]);
    for hour in 0..3 {
        assert_eq!(ledger.refused(poison, after(hour), start), Refused::Again, "maybe it refuses all");
    }
    assert_eq!(ledger.refused(other, after(0), start), Refused::Again);
    assert_eq!(ledger.refused(other, after(24), start), Refused::ForGood);
    ledger.take_all(When::Now, 2, [incident(3)]);
    ledger.told(incident(3).id);
    assert_eq!(ledger.refused(poison, after(3), start), Refused::ForGood);
    assert_eq!((ledger.waiting(), ledger.firing().count()), (0, 1));

    ledger.take_all(When::Now, 3, [grown(incident(1))]);
    assert_eq!(ledger.waiting(), 0, "growth is no news");
    let remembered = ledger.positions()[&0].exceptions.clone();
    assert_eq!(remembered[&poison], Heard { told: None, passed: Some(1) });
    ledger.take_all(When::Now, 4, [closed(grown(incident(1)))]);
    assert_eq!(ledger.tell_all(), [(Closed, 2, false)]);
    assert!(!ledger.positions()[&0].exceptions.contains_key(&poison));

    let recollection = Recollection { interest: None, exceptions: remembered };
    let interest = Interest { minimum_severity: Severity::Low, filter: None, history_after: DAY };
    let mut successor = of(interest, recollection);
    successor.take_all(When::Before, 0, [incident(1), incident(2), incident(3), grown(incident(1))]);
    assert_eq!(successor.tell_all(), []);
    successor.take_all(When::Now, 4, [closed(grown(incident(1)))]);
    assert_eq!(successor.tell_all(), [(Closed, 2, false)]);
}

#[test]
fn whoever_becomes_interested_in_more_or_less_is_told_what_it_was_not_and_what_becomes_of_what_it_was() {
    let interest = |minimum_severity| Interest { minimum_severity, filter: None, history_after: DAY };
    let changed =
        |from, to| of(interest(to), Recollection { interest: Some(interest(from)), ..Recollection::default() });
    let over = || [incident(1), incident(2), closed(incident(2))];
    let mut more = changed(Severity::High, Severity::Low);
    more.take_all(When::Before, 0, over());
    assert_eq!(more.tell_all(), [(Open, 1, false)]);
    let mut less = changed(Severity::Low, Severity::High);
    less.take_all(When::Before, 0, over());
    assert_eq!(less.tell_all(), []);
    less.take_all(When::Now, 3, [closed(incident(1)), closed(incident(3))]);
    assert_eq!(less.tell_all(), [(Closed, 1, true)]);
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
fn nobody_is_told_of_an_incident_all_of_whose_alerts_are_silenced_until_one_is_not() {
    let silenced = |incident: Incident| Incident { silenced_alerts: incident.alerts, ..incident };
    let (mut ledger, raised) = (all(), raised(incident(1)));
    ledger.take_all(When::Now, 0, [silenced(incident(1)), silenced(raised.clone())]);
    assert_eq!(ledger.next(Instant::now()), None);
    ledger.take_all(When::Now, 2, [Incident { silenced_alerts: 2, ..grown(raised) }]);
    assert_eq!(ledger.next(Instant::now()).map(|news| news.incident.alerts), Some(3));
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
fn what_is_written_long_after_its_last_alert_is_history_whether_it_is_open_or_closed() {
    let mut ledger = all();
    let at = |hours: i64| now() + jiff::SignedDuration::from_hours(hours);
    let place = |offset| Place { partition: 0, offset };
    // Its times are as they are: who read old alerts wrote it late.
    for (offset, incident) in (0..).zip([incident(1), closed(incident(1)), closed(incident(2))]) {
        ledger.take(incident, place(offset), When::Now, at(48)).unwrap();
    }
    assert_eq!(ledger.tell_all(), []);
    ledger.take(closed(incident(3)), place(3), When::Now, at(12)).unwrap();
    assert_eq!(ledger.tell_all(), [(Closed, 1, false)]);
}

#[test]
fn of_what_is_told_little_is_kept() {
    let kept = |repeats: bool| {
        let interest = Interest { minimum_severity: Severity::Low, filter: None, history_after: DAY };
        let mut ledger = Ledger::new(interest, Recollection::default(), repeats);
        ledger.take_all(When::Now, 0, [incident(1)]);
        ledger.tell_all();
        ledger.entries[&incident(1).id].incident.clone()
    };
    assert_eq!(kept(false), None);
    assert_eq!(kept(true).unwrap().example.alert, None);
}

#[test]
fn what_waits_is_bounded() {
    let mut ledger = all();
    let most = i64::try_from(MOST_WAITING).unwrap();
    ledger.take_all(When::Now, 0, (0..most).map(incident));
    assert!(ledger.is_full() && ledger.waiting() == MOST_WAITING);
    ledger.told(incident(0).id);
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
struct HasHeard(BTreeMap<IncidentId, u64>);

impl HasHeard {
    fn tell(&mut self, ledger: &mut Ledger, most: usize) -> usize {
        let mut repeated = 0;
        for _ in 0..most {
            let Some(News { incident, .. }) = ledger.next(Instant::now()) else { break };
            let (id, news) = (incident.id, incident.news_revision);
            repeated += usize::from(self.0.insert(id, news).is_some_and(|before| before >= news));
            ledger.told(id);
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
        is_compacted in prop::bool::ANY,
    ) {
        let restart = restart.min(topic.len());
        let (mut heard, mut before) = (HasHeard::default(), all());
        before.take_all(When::Now, 0, topic[..restart].iter().cloned());
        prop_assert_eq!(heard.tell(&mut before, told), 0);

        let Position { offset: settled, exceptions } = before.positions().remove(&0).unwrap_or_default();
        let settled_count = usize::try_from(settled).unwrap();
        let interest = Interest { minimum_severity: Severity::Low, filter: None, history_after: DAY };
        let mut after = of(interest, Recollection { interest: None, exceptions });
        let mut before_restart: Vec<_> = (0..).zip(topic[..settled_count].iter().cloned()).collect();
        if is_compacted {
            let last: BTreeMap<_, _> = before_restart.iter().map(|(_, incident)| (incident.id, incident.revision)).collect();
            before_restart.retain(|(_, incident)| last[&incident.id] == incident.revision);
        }
        for (offset, incident) in before_restart {
            after.take_all(When::Before, offset, [incident]);
        }
        after.take_all(When::Now, settled, topic[settled_count..].iter().cloned());
        prop_assert_eq!(heard.tell(&mut after, usize::MAX), 0);

        let last: BTreeMap<_, _> = topic.iter().map(|incident| (incident.id, incident.news_revision)).collect();
        prop_assert_eq!(heard.0, last);
        prop_assert_eq!(after.offsets().values().copied().sum::<i64>(), i64::try_from(topic.len()).unwrap());
    }
}
