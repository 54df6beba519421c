//! Counts what went in and what came out, by uuid: pure, bounded, fed record by record.

use std::collections::{BTreeMap, HashMap, VecDeque};

/// Records whose whole way is known and that are still remembered, so that a second appearance is noticed.
const REMEMBERED_COMPLETE: usize = 4_000_000;
/// Latencies and scores that are kept, newest last.
const SAMPLES: usize = 2_000_000;

/// What goes on while a record arrives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// The processes start.
    #[default]
    Starting,
    /// Nothing starts or rolls.
    Steady,
    /// Processes are replaced, as for a model.
    Rolling,
}

/// What is known of one uuid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    generated: u8,
    enriched: u8,
    dead: u8,
}

impl Seen {
    fn is_complete(self) -> bool {
        self.generated > 0 && self.enriched + self.dead >= self.generated
    }
}

/// A record of `enriched_data`, as far as statistics go.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EnrichedRecord {
    /// The record's uuid as a number; none if it is not a UUID.
    pub uuid: Option<u128>,
    /// Calibrated score, where there is a model.
    pub score: Option<f64>,
    /// Whether the label says anomaly, where there is a label.
    pub anomaly: Option<bool>,
    /// Model version, where there is a model.
    pub model_version: Option<String>,
}

/// An alert, as far as statistics go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlertRecord {
    /// Whether the label says anomaly, where there is a label.
    pub anomaly: Option<bool>,
    /// Arrival here minus `utc`, milliseconds.
    pub latency_ms: Option<f32>,
}

/// The newest values of a series, bounded.
#[derive(Debug, Clone, Default)]
pub struct Samples<T>(VecDeque<T>);

impl<T> Samples<T> {
    fn push(&mut self, value: T) {
        if self.0.len() == SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back(value);
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter()
    }
}

impl Samples<f32> {
    /// None of an empty series.
    pub fn percentiles(&self) -> Option<Percentiles> {
        percentiles(self.0.iter().copied().collect())
    }
}

/// Latency in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: f32,
    /// 99th percentile.
    pub p99: f32,
    /// The longest.
    pub max: f32,
}

/// Records that were under way, once a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct LagThirds {
    /// Median of the first third of the run.
    pub first_third: u64,
    /// Median of its last third.
    pub last_third: u64,
}

/// By nearest rank.
pub fn percentiles(mut values: Vec<f32>) -> Option<Percentiles> {
    values.sort_unstable_by(f32::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at =
        |hundredths: usize| values.get((values.len() * hundredths).div_ceil(100).saturating_sub(1).min(last)).copied();
    Some(Percentiles { p50: at(50)?, p99: at(99)?, max: at(100)? })
}

/// Everything that the observer counts.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    seen: HashMap<u128, Seen>,
    complete: VecDeque<u128>,
    /// Records in `sensor_messages`.
    pub generated: u64,
    /// Those of them that were there before the run.
    pub found: u64,
    /// Records in `enriched_data`, read committed.
    pub enriched: u64,
    /// Records in `dead_letters`, read committed.
    pub dead_letters: u64,
    /// Records in `alerts`, read committed.
    pub alerts: u64,
    /// Alerts whose label says anomaly.
    pub true_alerts: u64,
    /// Alerts with a label.
    pub labelled_alerts: u64,
    /// Enriched records with a score.
    pub scored: u64,
    /// Scored records whose label says anomaly.
    pub anomalies: u64,
    /// Scored records with a label.
    pub labelled: u64,
    /// Appearances of a uuid in `enriched_data` beyond those in `sensor_messages`.
    surplus: u64,
    /// Scored records by model version.
    pub by_version: BTreeMap<String, u64>,
    /// Score and label of the scored records with a label.
    pub scores: Samples<(f32, bool)>,
    /// Alert latencies while nothing started or rolled.
    pub alert_latencies: Samples<f32>,
    /// Enriched latencies while nothing started or rolled.
    pub enriched_latencies: Samples<f32>,
    /// Enriched latencies of the start.
    pub start_latencies: Samples<f32>,
    /// Enriched latencies of rolls.
    pub roll_latencies: Samples<f32>,
    /// [`Statistics::lag`], once a second.
    pub lags: Samples<u64>,
    unidentified: i64,
}

impl Statistics {
    /// A record in `sensor_messages`.
    pub fn sensor_message(&mut self, uuid: Option<u128>) {
        self.generated += 1;
        match uuid {
            Some(uuid) => self.update(uuid, |seen| seen.generated = seen.generated.saturating_add(1)),
            None => self.unidentified += 1,
        }
    }

    /// A record in `enriched_data`; the latency is its arrival here minus `utc`, milliseconds.
    pub fn enriched_record(&mut self, record: EnrichedRecord, latency_ms: Option<f32>, phase: Phase) {
        let EnrichedRecord { uuid, score, anomaly, model_version } = record;
        self.enriched += 1;
        if let Some(latency) = latency_ms {
            let latencies = match phase {
                Phase::Starting => &mut self.start_latencies,
                Phase::Steady => &mut self.enriched_latencies,
                Phase::Rolling => &mut self.roll_latencies,
            };
            latencies.push(latency);
        }
        if let Some(score) = score {
            self.scored += 1;
            if let Some(anomaly) = anomaly {
                self.labelled += 1;
                self.anomalies += u64::from(anomaly);
                #[allow(clippy::cast_possible_truncation)]
                self.scores.push((score as f32, anomaly));
            }
        }
        if let Some(version) = model_version {
            *self.by_version.entry(version).or_default() += 1;
        }
        match uuid {
            Some(uuid) => self.update(uuid, |seen| seen.enriched = seen.enriched.saturating_add(1)),
            None => self.unidentified -= 1,
        }
    }

    /// A record in `dead_letters`, with the uuid that its raw bytes carry if they can be read.
    pub fn dead_letter(&mut self, uuid: Option<u128>) {
        self.dead_letters += 1;
        match uuid {
            Some(uuid) => self.update(uuid, |seen| seen.dead = seen.dead.saturating_add(1)),
            None => self.unidentified -= 1,
        }
    }

    /// A record in `alerts`.
    pub fn alert(&mut self, alert: AlertRecord, phase: Phase) {
        let AlertRecord { anomaly, latency_ms } = alert;
        self.alerts += 1;
        if let Some(anomaly) = anomaly {
            self.labelled_alerts += 1;
            self.true_alerts += u64::from(anomaly);
        }
        if let Some(latency) = latency_ms.filter(|_| phase == Phase::Steady) {
            self.alert_latencies.push(latency);
        }
    }

    /// Records in `sensor_messages` that are neither enriched nor dead letters yet.
    pub fn lag(&self) -> u64 {
        self.generated.saturating_sub((self.enriched + self.dead_letters).saturating_sub(self.duplicates()))
    }

    /// Notes the lag of this moment.
    pub fn sample_lag(&mut self) {
        let lag = self.lag();
        self.lags.push(lag);
    }

    /// Median lag of the first and of the last third of the run: whether it grew.
    pub fn lag_thirds(&self) -> Option<LagThirds> {
        let lags: Vec<u64> = self.lags.iter().copied().collect();
        let third = lags.len() / 3;
        let median = |mut part: Vec<u64>| {
            part.sort_unstable();
            part.get(part.len() / 2).copied()
        };
        Some(LagThirds {
            first_third: median(lags.get(..third)?.to_vec())?,
            last_third: median(lags.get(lags.len() - third..)?.to_vec())?,
        })
    }

    /// Records that went in and did not come out; at the end of a run, the lost ones.
    pub fn missing(&self) -> u64 {
        let identified: u64 = self
            .seen
            .values()
            .map(|seen| u64::from(seen.generated.saturating_sub(seen.enriched.saturating_add(seen.dead))))
            .sum();
        identified + self.without_identity().saturating_sub(self.surplus)
    }

    /// Appearances in `enriched_data` beyond those in `sensor_messages`. The detector gives a uuid to a record that has none,
    /// so one that nobody sent stands for one that came without.
    pub fn duplicates(&self) -> u64 {
        self.surplus.saturating_sub(self.without_identity())
    }

    /// Records that came without a uuid, but for those that left without one.
    fn without_identity(&self) -> u64 {
        u64::try_from(self.unidentified).unwrap_or(0)
    }

    fn update(&mut self, uuid: u128, change: impl FnOnce(&mut Seen)) {
        let seen = self.seen.entry(uuid).or_default();
        let (before, surplus) = (*seen, |seen: &Seen| seen.enriched.saturating_sub(seen.generated));
        change(seen);
        // A record may be seen enriched before it is seen generated, as the topics are read side by side.
        let (was, now) = (u64::from(surplus(&before)), u64::from(surplus(seen)));
        let completed = !before.is_complete() && seen.is_complete();
        self.surplus = (self.surplus + now).saturating_sub(was);
        if completed {
            self.complete.push_back(uuid);
            if self.complete.len() > REMEMBERED_COMPLETE
                && let Some(oldest) = self.complete.pop_front()
            {
                self.seen.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn enriched(uuid: u128) -> EnrichedRecord {
        EnrichedRecord { uuid: Some(uuid), ..EnrichedRecord::default() }
    }

    #[test]
    fn what_went_in_and_never_came_out_is_missing() {
        let mut statistics = Statistics::default();
        for uuid in 0..10 {
            statistics.sensor_message(Some(uuid));
        }
        statistics.sensor_message(None);
        for uuid in 0..7 {
            statistics.enriched_record(enriched(uuid), None, Phase::Steady);
        }
        statistics.dead_letter(Some(7));
        statistics.dead_letter(None);
        assert_eq!((statistics.missing(), statistics.lag(), statistics.duplicates()), (2, 2, 0));
    }

    #[test]
    fn a_second_appearance_is_a_duplicate() {
        let mut statistics = Statistics::default();
        statistics.sensor_message(Some(1));
        statistics.enriched_record(enriched(1), None, Phase::Steady);
        statistics.enriched_record(enriched(1), None, Phase::Steady);
        assert_eq!((statistics.duplicates(), statistics.missing(), statistics.lag()), (1, 0, 0));
    }

    #[test]
    fn records_without_a_uuid_are_those_that_come_out_with_a_new_one() {
        let mut statistics = Statistics::default();
        (0..10).for_each(|_| statistics.sensor_message(None));
        (0..8).for_each(|uuid| statistics.enriched_record(enriched(uuid), None, Phase::Steady));
        assert_eq!((statistics.missing(), statistics.duplicates(), statistics.lag()), (2, 0, 2));
        (5..11).for_each(|uuid| statistics.enriched_record(enriched(uuid), None, Phase::Steady));
        assert_eq!((statistics.missing(), statistics.duplicates(), statistics.lag()), (0, 4, 0));
    }

    #[test]
    fn starts_and_rolls_are_reported_apart() {
        let mut statistics = Statistics::default();
        statistics.enriched_record(enriched(1), Some(900.0), Phase::Starting);
        statistics.enriched_record(enriched(2), Some(20.0), Phase::Steady);
        assert_eq!(statistics.enriched_latencies.percentiles().unwrap().p99, 20.0);
        assert_eq!(statistics.start_latencies.percentiles().unwrap().p50, 900.0);
        assert_eq!(statistics.roll_latencies.percentiles(), None);
        for latency in [30.0, 700.0] {
            statistics.enriched_record(enriched(3), Some(latency), Phase::Rolling);
        }
        assert_eq!(statistics.roll_latencies.percentiles().unwrap().max, 700.0);
    }

    #[test]
    fn a_lag_that_grows_shows_between_the_thirds() {
        let mut statistics = Statistics::default();
        assert_eq!(statistics.lag_thirds(), None);
        for uuid in 0..9 {
            statistics.sensor_message(Some(uuid));
            statistics.sample_lag();
        }
        assert_eq!(statistics.lag_thirds(), Some(LagThirds { first_third: 2, last_third: 8 }));
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let values: Vec<f32> = (1..=100_u8).map(f32::from).collect();
        assert_eq!(percentiles(values), Some(Percentiles { p50: 50.0, p99: 99.0, max: 100.0 }));
        assert_eq!(percentiles(vec![7.0]), Some(Percentiles { p50: 7.0, p99: 7.0, max: 7.0 }));
        assert_eq!(percentiles(Vec::new()), None);
    }

    proptest! {
        /// The topics are read side by side, so any interleaving must give the same counts.
        #[test]
        fn the_order_of_arrival_does_not_matter(mut events in proptest::collection::vec((0..20u128, 0..3u8), 0..200), seed in any::<u64>()) {
            let count = |events: &[(u128, u8)]| {
                let mut statistics = Statistics::default();
                for (uuid, kind) in events {
                    match kind {
                        0 => statistics.sensor_message(Some(*uuid)),
                        1 => statistics.enriched_record(enriched(*uuid), None, Phase::Steady),
                        _ => statistics.dead_letter(Some(*uuid)),
                    }
                }
                (statistics.missing(), statistics.duplicates(), statistics.lag())
            };
            let before = count(&events);
            let length = events.len();
            let pivot = usize::try_from(seed % u64::try_from(length.max(1)).unwrap()).unwrap();
            events.rotate_left(pivot.min(length));
            prop_assert_eq!(count(&events), before);
        }
    }
}
