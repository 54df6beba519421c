//! The silences that an alert may meet, compiled. What is in force when an alert is detected counts, whenever that is read: so alerts
//! that piled up come to what they would have come to.

use std::collections::BTreeMap;
use std::sync::{Arc, Once};

use jiff::{SignedDuration, Timestamp};
use tracing::warn;
use vedette_contract::incident::{Incident, MOST_SILENCES};
use vedette_contract::silence::{SilenceId, SilenceKey};
use vedette_filters::{Filter, Subject, silence_filter};
use vedette_registry::PassedObject;
use vedette_registry::silences::{KeptSilence, Silences as Listed};

use crate::metrics::SilenceMetrics;

/// So long after its end a silence is remembered, for alerts that were detected before and are read later.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// All that are known; clones are cheap.
#[derive(Debug, Clone, Default)]
pub(crate) struct Silences {
    all: BTreeMap<SilenceKey, Arc<Compiled>>,
    metrics: SilenceMetrics,
}

#[derive(Debug)]
struct Compiled {
    kept: KeptSilence,
    filter: Filter,
    /// That its match fails is said once.
    complained: Once,
}

impl Silences {
    /// None.
    pub(crate) fn new(metrics: SilenceMetrics) -> Self {
        Self { all: BTreeMap::new(), metrics }
    }

    /// Those that are listed now, of which what is known is not compiled again; and those that are none, as their match is no CEL.
    pub(crate) fn next(&self, listed: &Listed, now: Timestamp) -> (Self, Vec<PassedObject>) {
        let (mut all, mut refused) = (BTreeMap::new(), Vec::new());
        let remembered = listed.all.iter().filter(|kept| now.duration_since(kept.silence.until()) < REMEMBERED);
        for kept in remembered {
            let known = self.all.get(&kept.key).filter(|known| known.kept == *kept);
            match known.map_or_else(|| compiled(kept), |known| Ok(Arc::clone(known))) {
                Ok(silence) => drop(all.insert(kept.key.clone(), silence)),
                Err(passed) => refused.push(passed),
            }
        }
        (Self { all, metrics: self.metrics.clone() }, refused)
    }

    /// How many are in force or to come.
    pub(crate) fn count(&self, now: Timestamp) -> usize {
        self.all.values().filter(|silence| now < silence.kept.silence.until()).count()
    }

    /// Whether one is in force at this time, whatever it matches.
    pub(crate) fn is_any_in_force(&self, at: Timestamp) -> bool {
        self.in_force(at).next().is_some()
    }

    /// Those that match an alert, which is asked of as an incident of its own; of many the first.
    pub(crate) fn matching(&self, alert: &Incident) -> Vec<SilenceId> {
        let subject = Subject::incident(alert);
        let matching = self.in_force(alert.first_utc).filter(|silence| self.is_true(silence, &subject));
        let ids: Vec<_> = matching.take(MOST_SILENCES).map(|silence| silence.kept.key.id.clone()).collect();
        if !ids.is_empty() {
            self.metrics.silenced_alerts.inc();
        }
        ids
    }

    fn in_force(&self, at: Timestamp) -> impl Iterator<Item = &Arc<Compiled>> {
        self.all.values().filter(move |silence| silence.kept.silence.is_in_force(at))
    }

    /// Rather one message too many than an alert that nobody hears of: what is neither true nor false is not.
    fn is_true(&self, silence: &Compiled, subject: &Subject) -> bool {
        silence.filter.matches(subject).unwrap_or_else(|cause| {
            self.metrics.failures.inc();
            silence.complained.call_once(|| {
                let SilenceKey { site, id } = &silence.kept.key;
                warn!(%id, %site, cause, "the match of a silence fails for an alert, which is not silenced by it");
            });
            false
        })
    }
}

fn compiled(kept: &KeptSilence) -> Result<Arc<Compiled>, PassedObject> {
    let KeptSilence { key: SilenceKey { site, id }, silence } = kept;
    match silence_filter(silence) {
        Ok(filter) => Ok(Arc::new(Compiled { kept: kept.clone(), filter, complained: Once::new() })),
        Err(error) => Err(PassedObject { key: format!("{site}/{id}"), why: error.to_string() }),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use vedette_contract::silence::{Silence, SilenceFields};

    use super::*;

    /// A silence of the site east, from a time on and before another.
    pub(crate) fn kept(number: u8, matches: &str, from: Timestamp, until: Timestamp) -> KeptSilence {
        let id = format!("20261123T0842{number:02}Z-1a2b3c4d").parse().unwrap();
        let fields = SilenceFields {
            matches: Some(matches.to_owned()),
            from: Some(from),
            until: Some(until),
            by: Some("ada".to_owned()),
            why: Some("a test".to_owned()),
            exclude_from_training: false,
        };
        let silence = Silence::try_from(fields).unwrap();
        KeptSilence { key: SilenceKey { site: "east".parse().unwrap(), id }, silence }
    }

    /// These, all of which compile.
    pub(crate) fn silences(all: Vec<KeptSilence>) -> Silences {
        let listed = Listed { all, passed: Vec::new() };
        let (silences, refused) = Silences::default().next(&listed, Timestamp::MIN);
        assert!(refused.is_empty(), "{refused:?}");
        silences
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{kept, silences};
    use super::*;
    use crate::delivery::incident;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-23T{text}Z").parse().unwrap()
    }

    fn matching(silences: &Silences) -> Vec<String> {
        // Detected at 08:42:10.
        silences.matching(&incident(1)).iter().map(|id| id.as_str()[13..15].to_owned()).collect()
    }

    #[test]
    fn those_match_that_are_in_force_when_an_alert_is_detected() {
        let (from, until) = (at("08:42:10"), at("08:42:11"));
        let silences = silences(vec![
            kept(1, "site == 'east'", from, until),
            kept(2, "site == 'west'", from, until),
            kept(3, "example.src_bytes == 181", from, until),
            kept(4, "true", at("08:00:00"), at("08:42:10")),
            kept(5, "true", at("08:43:00"), at("09:00:00")),
            kept(6, "example.missing == 1", from, until),
        ]);
        assert_eq!(matching(&silences), ["01", "03"]);
        assert_eq!((silences.metrics.silenced_alerts.get(), silences.metrics.failures.get()), (1, 1));
        assert!(silences.is_any_in_force(from) && !silences.is_any_in_force(at("10:00:00")));
        assert_eq!(silences.count(at("08:43:30")), 1);
    }

    #[test]
    fn what_is_listed_counts_and_what_is_known_is_not_compiled_again() {
        let (from, until) = (at("08:00:00"), at("09:00:00"));
        let listed = |all| Listed { all, passed: Vec::new() };
        let (one, other) = (kept(1, "true", from, until), kept(2, "alerts >", from, until));
        let (first, refused) = Silences::default().next(&listed(vec![one.clone(), other.clone()]), from);
        assert_eq!((refused.len(), refused[0].key.as_str()), (1, "east/20261123T084202Z-1a2b3c4d"));
        assert!(refused[0].why.starts_with("match \"alerts >\": is not a CEL"), "{refused:?}");
        let ended = KeptSilence { silence: one.silence.ended(at("08:10:00")).unwrap(), ..one.clone() };
        let more = kept(3, "true", from, until);
        let (second, _) = first.next(&listed(vec![one.clone(), more]), from);
        assert!(Arc::ptr_eq(&first.all[&one.key], &second.all[&one.key]));
        let (third, _) = second.next(&listed(vec![ended]), from);
        assert_eq!((matching(&second), matching(&third)), (vec!["01".to_owned(), "03".to_owned()], Vec::new()));
        let later = until + SignedDuration::from_hours(24 * 8);
        assert_eq!(second.next(&listed(vec![one]), later).0.all.len(), 0);
    }
}
