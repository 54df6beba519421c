//! What was counted, of one archive object or of all.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;
use vedette_contract::{ModelVersion, Name};

/// Records and alerts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Enriched records.
    pub(super) records: u64,
    /// Archived alerts.
    pub(super) alerts_then: u64,
    /// Enriched records that alert now.
    pub(super) alerts_now: u64,
    /// Archived alerts that alert now, too.
    pub(super) alerts_both: u64,
}

/// Those of a day at a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct OfDay {
    pub(super) day: Date,
    pub(super) site: Name,
    #[serde(flatten)]
    pub(super) counts: Counts,
}

/// Everything that was counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Replayed {
    /// By day and site, in their order.
    pub(super) days: Vec<OfDay>,
    pub(super) total: Counts,
    /// Records by the version that scored them then.
    pub(super) models_then: BTreeMap<ModelVersion, u64>,
    /// Records that nothing had scored.
    pub(super) without_model_then: u64,
    /// The least and the greatest threshold of the alerts then.
    pub(super) thresholds_then: Option<(f64, f64)>,
    /// Records that have no time to go by, where a span is given: they are in no other count.
    pub(super) without_time: u64,
    /// Records that somebody made up: they are in no other count.
    pub(super) simulated: u64,
    /// Lines that are no record.
    pub(super) unreadable: u64,
    /// Objects that are damaged, and read as far as they could be.
    pub(super) damaged_objects: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        let Self { records, alerts_then, alerts_now, alerts_both } = other;
        self.records += records;
        self.alerts_then += alerts_then;
        self.alerts_now += alerts_now;
        self.alerts_both += alerts_both;
    }
}

impl Replayed {
    /// Counts of a day at a site.
    pub(super) fn of_day(day: Date, site: Name, counts: Counts) -> Self {
        let days = if counts == Counts::default() { Vec::new() } else { vec![OfDay { day, site, counts }] };
        Self { days, total: counts, ..Self::default() }
    }

    /// Takes in what was counted elsewhere.
    pub(super) fn add(&mut self, other: Self) {
        let Self {
            days,
            total,
            models_then,
            without_model_then,
            thresholds_then,
            without_time,
            simulated,
            unreadable,
            damaged_objects,
        } = other;
        for of_day in days {
            match self.days.binary_search_by(|found| (found.day, &found.site).cmp(&(of_day.day, &of_day.site))) {
                Ok(at) => self.days[at].counts.add(of_day.counts),
                Err(at) => self.days.insert(at, of_day),
            }
        }
        self.total.add(total);
        models_then.into_iter().for_each(|(version, records)| *self.models_then.entry(version).or_default() += records);
        self.without_model_then += without_model_then;
        self.thresholds_then = match (self.thresholds_then, thresholds_then) {
            (Some((low, high)), Some((other_low, other_high))) => Some((low.min(other_low), high.max(other_high))),
            (one, other) => one.or(other),
        };
        self.without_time += without_time;
        self.simulated += simulated;
        self.unreadable += unreadable;
        self.damaged_objects += damaged_objects;
    }

    /// What a person should know beside the counts.
    pub(super) fn notes(&self) -> Vec<String> {
        let Self {
            models_then,
            without_model_then,
            thresholds_then,
            without_time,
            simulated,
            unreadable,
            damaged_objects,
            ..
        } = self;
        let models = models_then.iter().map(|(version, records)| format!("{version} scored {records}"));
        let unscored = (*without_model_then > 0).then(|| format!("{without_model_then} had no score"));
        let models: Vec<String> = models.chain(unscored).collect();
        let thresholds = thresholds_then.map(|(low, high)| match low.total_cmp(&high) {
            std::cmp::Ordering::Equal => format!("; the threshold of the alerts was {low}"),
            _ => format!("; the thresholds of the alerts were {low} to {high}"),
        });
        let then = format!("then: {}{}", models.join(", "), thresholds.unwrap_or_default());
        let counted = [
            (*without_time, "records have no utc that can be read, and are left out"),
            (*simulated, "records are simulated, and are left out"),
            (*unreadable, "lines are no records"),
            (*damaged_objects, "archive objects are damaged; `vedette archive verify` names them"),
        ];
        let odd = counted.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        std::iter::once(then).chain(odd).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_in_any_order_make_the_same_days() {
        let of = |day: i8, site: &str, records| {
            let counts = Counts { records, alerts_then: 1, ..Counts::default() };
            let one = Replayed::of_day(Date::constant(2026, 11, day), site.parse().unwrap(), counts);
            Replayed { thresholds_then: Some((f64::from(day) / 100., 0.9)), ..one }
        };
        let parts = [of(21, "east", 1), of(20, "west", 2), of(20, "east", 4), of(21, "east", 8)];
        let (mut forth, mut back) = (Replayed::default(), Replayed::default());
        parts.iter().cloned().for_each(|part| forth.add(part));
        parts.iter().rev().cloned().for_each(|part| back.add(part));
        assert_eq!(forth, back);
        let days: Vec<_> = forth.days.iter().map(|of| (of.day.day(), of.site.as_str(), of.counts.records)).collect();
        assert_eq!(days, [(20, "east", 4), (20, "west", 2), (21, "east", 9)]);
        assert_eq!((forth.total.records, forth.total.alerts_then, forth.thresholds_then), (15, 4, Some((0.2, 0.9))));
        let nothing = Replayed::of_day(Date::constant(2026, 11, 20), "east".parse().unwrap(), Counts::default());
        assert_eq!(nothing, Replayed::default());
    }
}
