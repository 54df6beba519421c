//! How many alerts there were, in steps of the last day. An alert that is read a second time is counted once, as long as there are
//! not too many to remember.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use crate::alert::AlertId;
use crate::owner::Owner;

/// Seconds of a step.
pub(crate) const STEP_SECONDS: i64 = 600;
/// Steps of a day.
pub(crate) const STEPS: usize = 144;
/// So many alerts are remembered.
const REMEMBERED: usize = 500_000;
/// So many pipelines at sites are counted.
const OWNERS: usize = 5_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct History {
    counts: BTreeMap<Owner, BTreeMap<i64, u64>>,
    seen: BTreeMap<i64, HashSet<AlertId>>,
    remembered: usize,
}

impl History {
    /// Counts an alert, unless it was counted before.
    pub(crate) fn count(&mut self, owner: &Owner, id: AlertId, detected: Timestamp, now: Timestamp) {
        let (step, first) = (step_of(detected), first_step(now));
        self.forget_before(first);
        if step < first || step > step_of(now) + 1 {
            return;
        }
        if self.remembered < REMEMBERED {
            if !self.seen.entry(step).or_default().insert(id) {
                return;
            }
            self.remembered += 1;
        }
        if self.counts.contains_key(owner) || self.counts.len() < OWNERS {
            *self.counts.entry(owner.clone()).or_default().entry(step).or_default() += 1;
        }
    }

    fn forget_before(&mut self, first: i64) {
        while self.seen.first_key_value().is_some_and(|(step, _)| *step < first) {
            self.remembered -= self.seen.pop_first().map_or(0, |(_, ids)| ids.len());
            self.counts.values_mut().for_each(|counts| counts.retain(|step, _| *step >= first));
        }
    }

    /// The counts of the last day by step, the oldest first.
    pub(crate) fn of(&self, owner: &Owner, now: Timestamp) -> Vec<u64> {
        let (first, counts) = (first_step(now), self.counts.get(owner));
        let count = |step| counts.and_then(|counts| counts.get(&step)).copied().unwrap_or_default();
        (0..STEPS).map(|step| count(first + i64::try_from(step).unwrap_or_default())).collect()
    }
}

/// When the first step of the last day begins.
pub(crate) fn beginning(now: Timestamp) -> Timestamp {
    Timestamp::from_second(first_step(now) * STEP_SECONDS).unwrap_or(now)
}

fn step_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(STEP_SECONDS)
}

fn first_step(now: Timestamp) -> i64 {
    step_of(now) + 1 - i64::try_from(STEPS).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{alert, owner};

    const NOW: &str = "2026-11-23T12:05:00Z";

    fn counted(detected: &[&str]) -> Vec<u64> {
        let (mut history, now) = (History::default(), NOW.parse().unwrap());
        for text in detected {
            let alert = alert("east", text, "{}");
            history.count(&alert.owner, alert.id, alert.detected, now);
        }
        history.of(&owner("east"), now)
    }

    #[test]
    fn alerts_are_counted_once_in_their_step() {
        let counts =
            counted(&["2026-11-23T12:00:00Z", "2026-11-23T12:04:59Z", "2026-11-23T12:04:59Z", "2026-11-23T11:59:59Z"]);
        assert_eq!((counts.len(), &counts[STEPS - 2..]), (STEPS, &[1, 2][..]));
    }

    #[test]
    fn a_day_is_a_day() {
        let counts = counted(&["2026-11-22T12:09:59Z", "2026-11-22T12:10:00Z", "2030-01-01T00:00:00Z"]);
        assert_eq!((counts[0], counts.iter().sum::<u64>()), (1, 1));
        assert_eq!(beginning(NOW.parse().unwrap()), "2026-11-22T12:10:00Z".parse().unwrap());
    }

    #[test]
    fn what_is_a_day_ago_is_forgotten() {
        let (mut history, first) = (History::default(), alert("east", "2026-11-22T12:10:00Z", "1"));
        history.count(&first.owner, first.id, first.detected, NOW.parse().unwrap());
        let next = alert("east", "2026-11-23T12:10:00Z", "2");
        history.count(&next.owner, next.id, next.detected, next.detected);
        assert_eq!((history.remembered, history.seen.len()), (1, 1));
        assert_eq!(history.of(&next.owner, next.detected).iter().sum::<u64>(), 1);
    }
}
