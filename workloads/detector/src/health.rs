//! What the stream knows and others need. The stream notes it when it commits, which takes no longer than that; who tells it asks
//! here.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use vedette_contract::health::{
    DetectorHealth, FeatureHealth, Gap, Health, HealthComponent, RecentFeatures, TopicHealth, Unready,
};
use vedette_contract::{ModelVersion, Name, TopicName};
use vedette_service::Readiness;
use vedette_streams::kafka::standing::{Standings, topic_health};

use crate::stability::{Bins, Stability, Window};
use crate::tally::{FeatureTally, Tally};
use crate::threshold::Threshold;

/// The last records are those of so long.
const RECENT: SignedDuration = SignedDuration::from_secs(30);
/// Fewer are not told of where there were more before.
const RECENT_RECORDS: u64 = 100;
/// What a slow stream takes longer for than so many looks is forgotten.
const LOOKS: usize = 60;

/// Who tells.
#[derive(Debug, Clone)]
pub(crate) struct Teller {
    pub(crate) site: Name,
    pub(crate) pod: String,
    pub(crate) topic: TopicName,
    pub(crate) threshold: Threshold,
    pub(crate) model_version: Option<ModelVersion>,
    pub(crate) started_at: Timestamp,
}

/// See the module; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    teller: Teller,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// All of it.
    total: Tally,
    lost: u64,
    gaps: Vec<Gap>,
    standings: Standings,
    usually_missing: BTreeMap<String, f64>,
    window: Option<Window>,
    /// As it was moved; none where it was not.
    threshold: Option<Threshold>,
    looks: VecDeque<Look>,
}

/// What had been counted of features at some time.
#[derive(Debug)]
struct Look {
    at: Timestamp,
    scored: u64,
    features: BTreeMap<String, FeatureTally>,
}

impl Known {
    pub(crate) fn new(teller: Teller) -> Self {
        Self { teller, state: Arc::default() }
    }

    /// How often each feature lacked a value in training, and how scores and features were distributed.
    pub(crate) fn learn(&self, usually_missing: BTreeMap<String, f64>, bins: Option<Bins>) {
        let mut state = self.state();
        (state.usually_missing, state.window) = (usually_missing, bins.map(Window::new));
    }

    /// The last records beside those of the training, as far as there is anything to compare.
    pub(crate) fn stability(&self) -> Option<Stability> {
        self.state().stability()
    }

    /// This is committed.
    pub(crate) fn committed(&self, tally: Tally) {
        self.state().total.add(tally);
    }

    /// Records alert by this threshold.
    pub(crate) fn alerts_above(&self, threshold: &Threshold) {
        self.state().threshold = Some(threshold.clone());
    }

    /// These records were deleted before they were read.
    pub(crate) fn lost(&self, gap: Gap) {
        let mut state = self.state();
        state.lost += gap.end.abs_diff(gap.start);
        gap.note(&mut state.gaps);
    }

    /// The partitions stand like this; how the input does by that.
    pub(crate) fn stands(&self, standings: Standings, now: Timestamp) -> TopicHealth {
        let mut state = self.state();
        state.standings = standings;
        state.topic(&self.teller.topic, now)
    }

    /// All of it, with why the process is not ready.
    pub(crate) fn told(&self, readiness: &Readiness, now: Timestamp) -> Health {
        Health { unready: Unready::all(readiness.troubles()), ..self.health(now) }
    }

    /// All of it.
    pub(crate) fn health(&self, now: Timestamp) -> Health {
        let mut state = self.state();
        state.look(now);
        let Teller { site, pod, topic, threshold, model_version, started_at } = self.teller.clone();
        let threshold = state.threshold.as_ref().unwrap_or(&threshold);
        let Tally { alerts, refused, dead_letters, .. } = &state.total;
        let detector = DetectorHealth {
            alerts: *alerts,
            dead_letters: dead_letters.iter().map(|(reason, count)| (reason.as_str().to_owned(), *count)).collect(),
            refused_records: *refused,
            threshold: threshold.score(),
            budget: threshold.budget(),
            model_version,
            recent: state.recent(),
            stability: state.stability().map(Stability::health),
        };
        Health {
            site,
            pod,
            component: HealthComponent::Detector,
            started_at,
            updated_at: now,
            topics: vec![state.topic(&topic, now)],
            gaps: state.gaps.clone(),
            unready: Vec::new(),
            detector: Some(detector),
            notifier: None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change adds up counts, so what a thread left behind that panicked is near enough.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn topic(&self, topic: &TopicName, now: Timestamp) -> TopicHealth {
        let health = topic_health(topic, &self.standings, |partition| self.total.read_at.get(&partition).copied(), now);
        TopicHealth { records: self.total.records, lost_records: self.lost, ..health }
    }

    /// Remembers what is counted by now, and forgets what the last records do not need.
    fn look(&mut self, now: Timestamp) {
        let fields = &self.total.fields;
        self.window.iter_mut().for_each(|window| window.look(&fields.spread, now));
        if self.looks.back().is_none_or(|last| last.scored != fields.scored) {
            self.looks.push_back(Look { at: now, scored: fields.scored, features: fields.features.clone() });
        }
        while self.looks.get(1).is_some_and(|second| {
            let is_enough = fields.scored - second.scored >= RECENT_RECORDS;
            self.looks.len() > LOOKS || (is_enough && now.duration_since(second.at) >= RECENT)
        }) {
            self.looks.pop_front();
        }
    }

    fn stability(&self) -> Option<Stability> {
        self.window.as_ref()?.compared(&self.total.fields.spread)
    }

    fn recent(&self) -> RecentFeatures {
        let (Some(first), Some(last)) = (self.looks.front(), self.looks.back()) else {
            return RecentFeatures::default();
        };
        let feature = |(field, seen): (&String, &FeatureTally)| {
            let before = first.features.get(field).copied().unwrap_or_default();
            let (missing, unseen) = (seen.missing - before.missing, seen.unseen - before.unseen);
            let usually_missing = self.usually_missing.get(field).copied();
            let feature = FeatureHealth { missing, unseen, usually_missing };
            (missing + unseen > 0).then(|| (field.clone(), feature))
        };
        let features = last.features.iter().filter_map(feature).collect();
        RecentFeatures { records: last.scored - first.scored, features }
    }
}

#[cfg(test)]
mod tests {
    use vedette_contract::arguments::BudgetTracking;

    use super::*;
    use crate::stability::testing::{bins, spread};
    use crate::tally::FieldTally;

    fn known() -> Known {
        let known = Known::new(Teller {
            site: "east".parse().unwrap(),
            pod: "d-1".to_owned(),
            topic: "t".parse().unwrap(),
            threshold: Threshold::new(Some(5_000.), BudgetTracking::Enabled, None).unwrap(),
            model_version: None,
            started_at: at(0),
        });
        known.learn(BTreeMap::from([("a".to_owned(), 0.25)]), Some(bins()));
        known
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// So many records without the feature `a`, and others with it.
    fn scored(missing: u64, others: u64) -> Tally {
        let features = BTreeMap::from([("a".to_owned(), FeatureTally { missing, ..FeatureTally::default() })]);
        let fields = FieldTally { scored: missing + others, features, ..FieldTally::default() };
        Tally { records: missing + others, fields, ..Tally::default() }
    }

    fn recent(known: &Known, second: i64) -> (u64, u64) {
        let recent = known.health(at(second)).detector.unwrap().recent;
        (recent.records, recent.features.get("a").map_or(0, |feature| feature.missing))
    }

    #[test]
    fn the_last_records_are_those_of_half_a_minute() {
        let known = known();
        assert_eq!(recent(&known, 0), (0, 0));
        known.committed(scored(0, 1_000));
        assert_eq!(recent(&known, 10), (1_000, 0));
        for (second, missing) in [(20, 1_000), (30, 2_000), (40, 3_000)] {
            known.committed(scored(1_000, 0));
            let (records, seen) = recent(&known, second);
            assert_eq!(seen, missing, "{second}: {records}");
        }
        assert_eq!(recent(&known, 40), (3_000, 3_000), "those before are forgotten");
        assert_eq!(recent(&known, 500), (1_000, 1_000), "nothing came since, and the last of it stands");
        let health = known.health(at(501));
        let recent = health.detector.unwrap().recent;
        assert_eq!((health.topics[0].records, recent.features["a"].usually_missing), (4_000, Some(0.25)));
    }

    #[test]
    fn of_a_slow_stream_more_than_half_a_minute_is_told() {
        let known = known();
        recent(&known, 0);
        for look in 1..=50 {
            known.committed(scored(1, 1));
            recent(&known, 10 * look);
        }
        assert_eq!(recent(&known, 500), (100, 50));
        for look in 51..=500 {
            known.committed(scored(1, 0));
            recent(&known, 10 * look);
        }
        assert!(recent(&known, 5_000).0 < 100 && known.state().looks.len() <= LOOKS);
    }

    #[test]
    fn what_is_committed_is_compared_with_the_training_and_what_is_not_is_not() {
        let known = known();
        let commit_three_batches = || {
            for _ in 0..3 {
                let fields = FieldTally { spread: spread((0..200).map(|_| 0.5)), ..FieldTally::default() };
                known.committed(Tally { fields, ..Tally::default() });
            }
        };
        let told = |second| known.health(at(second)).detector.unwrap().stability;
        assert_eq!(told(0), None);
        commit_three_batches();
        let stability = told(10).unwrap();
        assert_eq!(
            (stability.features["a"].counts.as_slice(), stability.scores.records()),
            ([600, 0, 0].as_slice(), 600)
        );
        assert!(known.stability().unwrap().scores.psi() > Some(0.25));
        known.learn(BTreeMap::new(), None);
        commit_three_batches();
        assert_eq!(told(20), None, "an older model's");
    }

    #[test]
    fn the_threshold_is_told_that_is_in_force() {
        let known = known();
        let told = |known: &Known| {
            let detector = known.health(at(1)).detector.unwrap();
            (detector.threshold, detector.budget.unwrap().in_force_per_million)
        };
        assert_eq!(told(&known), (0.995, 5_000.));
        let moved = Threshold::new(Some(2_000.), BudgetTracking::Enabled, None).unwrap();
        known.alerts_above(&moved);
        assert_eq!(told(&known), (0.998, 2_000.));
    }

    #[test]
    fn what_was_lost_is_told_to_the_record_and_of_many_gaps_the_last() {
        let known = known();
        let gap = |start| Gap { topic: "t".parse().unwrap(), partition: 0, start, end: start + 5, found_at: at(1) };
        (0..20).for_each(|number| known.lost(gap(10 * number)));
        let Health { topics, gaps, .. } = known.health(at(2));
        assert_eq!((topics[0].lost_records, gaps.len(), gaps[15].clone()), (100, 16, gap(190)));
    }
}
