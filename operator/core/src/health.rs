//! What a pipeline's processes tell of the records, as conditions: whether all of them were read, whether they have the fields
//! that the model learned from, whether they are still like those, and whether no more of them alert than may; and whether receivers of
//! incidents can be told.

use std::collections::BTreeMap;

use jiff::Timestamp;
use vedette_contract::health::{
    BudgetHealth, DetectorHealth, FeatureHealth, GAPS_TOLD, Gap, Health, HealthComponent, Unready,
};
use vedette_contract::{Name, TopicName};

use crate::last_words::cut;
use crate::reason::{BudgetReason, FeaturesReason, StreamReason};
use crate::receivers::ReceiversSeen;
use crate::stability::StabilitySeen;
use crate::status::Finding;
use crate::validate::ValidatedReceiver;

/// Fewer records say nothing of a field.
const RECORDS: f64 = 20.;
/// A field of a model that does not say how often it is missing is expected in one record of ten, and is gone where no record has it.
const USUALLY_MISSING: f64 = 0.9;
/// A threshold that is of so many times the budget, or of that part of it, has moved; less is chance.
const MOVED: f64 = 1.5;

/// What the processes of a pipeline at its site tell, as far as conditions depend on it: it changes only where they may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthSeen {
    /// Whether any tells anything that reads the stream.
    is_told: bool,
    /// What was lost of late.
    gaps: Vec<Gap>,
    /// Records that were lost besides, of which nobody tells the offsets.
    untold: u64,
    features: FeaturesSeen,
    stability: Option<StabilitySeen>,
    /// By pod, why it is not ready.
    unready: BTreeMap<String, String>,
    budget: Option<BudgetSeen>,
    receivers: Option<ReceiversSeen>,
}

/// What the detectors tell of their budget: of several what is farthest from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum BudgetSeen {
    /// With the threshold of the calibration, or nearly.
    Held,
    /// With one that has moved.
    Moved,
    /// It is not.
    Exceeded,
}

/// What the detectors tell of the features.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum FeaturesSeen {
    /// No detector has a model and has seen enough records.
    #[default]
    NotTold,
    /// These are missing where they should not be.
    Told { missing: Vec<String> },
}

impl HealthSeen {
    /// By what they wrote. What a process that is gone found lost counts, and nothing else of it.
    pub fn new(all: &[Health], now: Timestamp) -> Self {
        let recent = |gap: &Gap| now.duration_since(gap.found_at) <= GAPS_TOLD;
        let mut gaps: Vec<Gap> =
            all.iter().flat_map(|health| &health.gaps).filter(|gap| recent(gap)).cloned().collect();
        gaps.sort_by(|one, other| range(one).cmp(&range(other)));
        // Another pod may have found it once more, where the first could not commit behind it.
        gaps.dedup_by(|one, other| range(one) == range(other));
        let losing = all.iter().filter(|health| health.gaps.iter().any(recent));
        let untold = losing.map(Health::untold_losses).sum();
        let fresh: Vec<&Health> = all.iter().filter(|health| health.is_fresh(now)).collect();
        let (features, unready) = (features(&fresh), unready(&fresh));
        let (stability, budget) = (StabilitySeen::new(scoring(&fresh)), budget(&fresh));
        let (is_told, receivers) = (fresh.iter().any(|health| reads_stream(health)), ReceiversSeen::new(&fresh));
        Self { is_told, gaps, untold, features, stability, unready, budget, receivers }
    }

    /// Why this pod is not ready, by its own words.
    pub(crate) fn unready(&self, pod: &str) -> Option<&str> {
        self.unready.get(pod).map(String::as_str)
    }

    /// Whether every record was read.
    pub(crate) fn stream_complete(&self) -> Finding {
        if !self.gaps.is_empty() {
            return Finding::fails(StreamReason::RecordsLost, lost(&self.gaps, self.untold));
        }
        if self.is_told {
            Finding::holds(StreamReason::Complete, "no record was lost in the last hour")
        } else {
            Finding::unknown(StreamReason::NotTold, "no detector and no archiver tells how it stands")
        }
    }

    /// Whether the records have the fields that the model learned from; none where no model scores.
    pub(crate) fn features_present(&self) -> Option<Finding> {
        let FeaturesSeen::Told { missing } = &self.features else { return None };
        if missing.is_empty() {
            let message = "the records have the fields that the model learned from";
            return Some(Finding::holds(FeaturesReason::Present, message));
        }
        let message = format!(
            "most of the last records lack what the model learned from: {}; see whether the fields were renamed, or a calculated field was taken out, and train again if that is to stay",
            missing.join(", ")
        );
        Some(Finding::fails(FeaturesReason::FieldsMissing, message))
    }

    /// Whether the scores of the records are as in the training, after it was said that they are not, or was not; none where no model
    /// says how they were.
    pub(crate) fn scores_stable(&self, was_shifted: bool) -> Option<Finding> {
        self.stability.as_ref().map(|seen| seen.finding(was_shifted))
    }

    /// Whether these receivers of incidents can use what they need of Secrets and `ConfigMaps`; none where they need nothing, or nobody tells.
    pub(crate) fn receivers_usable(&self, receivers: &[ValidatedReceiver], namespace: &Name) -> Option<Finding> {
        self.receivers.as_ref()?.finding(receivers, namespace)
    }

    /// Whether no more records alert than may; none where no threshold is moved for that.
    pub(crate) fn budget_held(&self) -> Option<Finding> {
        Some(match self.budget? {
            BudgetSeen::Held => {
                Finding::holds(BudgetReason::Held, "as many records alert as alertBudgetPerMillion says")
            }
            BudgetSeen::Moved => Finding::holds(
                BudgetReason::ThresholdMoved,
                "as many records alert as alertBudgetPerMillion says because thresholds moved: the records are not quite as the model \
                 learned them",
            ),
            BudgetSeen::Exceeded => Finding::fails(
                BudgetReason::Exceeded,
                "more records alert than alertBudgetPerMillion says, and thresholds move no farther: what the records are has changed; \
                 see the reasons of the alerts, and train again if that is to stay",
            ),
        })
    }
}

fn reads_stream(health: &Health) -> bool {
    match health.component {
        HealthComponent::Detector | HealthComponent::Archiver => true,
        HealthComponent::Notifier | HealthComponent::Other => false,
    }
}

fn unready(fresh: &[&Health]) -> BTreeMap<String, String> {
    let reasons = |health: &Health| {
        let reasons: Vec<String> = health.unready.iter().map(|Unready { condition: _, reason }| cut(reason)).collect();
        (!reasons.is_empty()).then(|| (health.pod.clone(), reasons.join("; ")))
    };
    fresh.iter().filter_map(|health| reasons(health)).collect()
}

fn range(Gap { topic, partition, start, end, found_at: _ }: &Gap) -> (&TopicName, i32, i64, i64) {
    (topic, *partition, *start, *end)
}

fn lost(gaps: &[Gap], untold: u64) -> String {
    let gap = |Gap { topic, partition, start, end, found_at: _ }: &Gap| {
        format!("{} of {topic} partition {partition} (offsets {start} to {end})", end.abs_diff(*start))
    };
    let others = (untold > 0).then(|| format!("{untold} others since the same processes started"));
    let gaps: Vec<String> = gaps.iter().map(gap).chain(others).collect();
    format!("retention deleted records before they were read: {}; keep them longer", gaps.join(", "))
}

/// What the detectors tell that have a model.
fn scoring<'a>(fresh: &'a [&Health]) -> impl Iterator<Item = &'a DetectorHealth> {
    let detectors = fresh.iter().filter(|health| health.component == HealthComponent::Detector);
    detectors.filter_map(|health| health.detector.as_ref()).filter(|detector| detector.model_version.is_some())
}

fn budget(fresh: &[&Health]) -> Option<BudgetSeen> {
    let of = |BudgetHealth { asked_for_per_million, in_force_per_million, is_exceeded }: BudgetHealth| {
        let moved = (in_force_per_million / asked_for_per_million).ln().abs();
        match () {
            () if is_exceeded => BudgetSeen::Exceeded,
            () if moved >= MOVED.ln() => BudgetSeen::Moved,
            () => BudgetSeen::Held,
        }
    };
    scoring(fresh).filter_map(|detector| detector.budget).map(of).max()
}

fn features(fresh: &[&Health]) -> FeaturesSeen {
    let (mut records, mut features) = (0, BTreeMap::<&str, FeatureHealth>::new());
    for recent in scoring(fresh).map(|detector| &detector.recent) {
        records += recent.records;
        for (field, FeatureHealth { missing, unseen: _, usually_missing }) in &recent.features {
            let sum = features.entry(field).or_default();
            sum.missing += missing;
            sum.usually_missing = sum.usually_missing.or(*usually_missing);
        }
    }
    let records = records as f64;
    if records < RECORDS {
        return FeaturesSeen::NotTold;
    }
    let missing = features.into_iter().filter(|(_, feature)| is_gone(*feature, records));
    FeaturesSeen::Told { missing: missing.map(|(field, _)| field.to_owned()).collect() }
}

/// Whether it is there in less than half of the records that should have it, and that is no accident: by four standard deviations
/// of a binomial distribution.
fn is_gone(FeatureHealth { missing, unseen: _, usually_missing }: FeatureHealth, records: f64) -> bool {
    let share = 1. - usually_missing.unwrap_or(USUALLY_MISSING);
    let (expected, deviation) = (records * share, (records * share * (1. - share)).sqrt());
    let there = records - (missing as f64);
    (usually_missing.is_some() || there <= 0.) && there + 4. * deviation < expected / 2.
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn detector(records: u64, features: &serde_json::Value) -> Health {
        serde_json::from_value(json!({
            "site": "east", "pod": "d-1", "component": "detector", "started_at": at(0), "updated_at": at(1_000),
            "detector": {
                "threshold": 0.5, "model_version": "20261123T084210Z-1a2b3c4d",
                "recent": { "records": records, "features": features }
            }
        }))
        .unwrap()
    }

    fn finding(all: &[Health], second: i64) -> Option<(&'static str, String)> {
        HealthSeen::new(all, at(second)).features_present().map(|finding| (finding.reason, finding.message))
    }

    #[test]
    fn a_field_that_most_records_lack_is_named_and_one_that_is_seldom_is_not() {
        let seldom = json!({ "a": { "missing": 30, "usually_missing": 0. }, "b": { "missing": 40, "usually_missing": 0.999 },
            "c": { "missing": 40 } });
        let (reason, message) = finding(&[detector(40, &seldom)], 1_000).unwrap();
        assert!(reason == "FieldsMissing" && message.contains("learned from: a;"), "{message}");
        let half = json!({ "a": { "missing": 20, "usually_missing": 0. } });
        assert_eq!(finding(&[detector(40, &half)], 1_000).unwrap().0, "Present");
        let sparse = json!({ "c": { "missing": 99_000 } });
        assert_eq!(
            finding(&[detector(100_000, &sparse)], 1_000).unwrap().0,
            "Present",
            "a model of before says nothing"
        );
        let never = json!({ "b": { "missing": 100_000, "usually_missing": 0.999 }, "c": { "missing": 100_000 } });
        let (_, message) = finding(&[detector(100_000, &never)], 1_000).unwrap();
        assert!(message.contains("learned from: b, c;"), "{message}");
    }

    #[test]
    fn detectors_are_summed_up_and_few_records_or_a_pod_that_is_gone_say_nothing() {
        let lacking = json!({ "a": { "missing": 15, "usually_missing": 0. } });
        let one = detector(15, &lacking);
        assert_eq!(finding(std::slice::from_ref(&one), 1_000), None);
        assert_eq!(finding(&[one.clone(), detector(15, &lacking)], 1_000).unwrap().0, "FieldsMissing");
        assert_eq!(finding(&[one.clone(), detector(15, &json!({}))], 1_000).unwrap().0, "Present");
        assert_eq!(finding(&[one.clone(), one], 1_181), None);
        let mut enriches = detector(100, &lacking);
        enriches.detector.as_mut().unwrap().model_version = None;
        assert_eq!(finding(&[enriches], 1_000), None);
    }

    #[test]
    fn a_budget_is_held_by_the_calibration_by_moved_thresholds_or_not_at_all() {
        let tracked = |in_force: f64, is_exceeded: bool| {
            let mut health = detector(100, &json!({}));
            health.detector.as_mut().unwrap().budget =
                Some(BudgetHealth { asked_for_per_million: 1_000., in_force_per_million: in_force, is_exceeded });
            health
        };
        let told = |all: &[Health]| {
            HealthSeen::new(all, at(1_000)).budget_held().map(|finding| (finding.holds.unwrap(), finding.reason))
        };
        assert_eq!(told(&[detector(100, &json!({}))]), None);
        assert_eq!(told(&[tracked(1_100., false)]), Some((true, "Held")));
        assert_eq!(told(&[tracked(1_100., false), tracked(600., false)]), Some((true, "ThresholdMoved")));
        assert_eq!(told(&[tracked(3_000., false)]), Some((true, "ThresholdMoved")));
        assert_eq!(told(&[tracked(334., true), tracked(1_100., false)]), Some((false, "Exceeded")));
        assert_eq!(HealthSeen::new(&[tracked(334., true)], at(1_181)).budget_held(), None, "it is gone");
        let mut enriches = tracked(334., true);
        enriches.detector.as_mut().unwrap().model_version = None;
        assert_eq!(told(&[enriches]), None);
    }

    #[test]
    fn lost_records_are_told_for_an_hour_whatever_became_of_the_pod() {
        let complete = |all: &[Health], second| HealthSeen::new(all, at(second)).stream_complete();
        assert_eq!(complete(&[], 1_000).holds, None);
        let mut health = detector(0, &json!({}));
        assert_eq!(complete(std::slice::from_ref(&health), 1_000).holds, Some(true));
        let notifier = Health { component: HealthComponent::Notifier, ..health.clone() };
        assert_eq!(complete(&[notifier], 1_000).holds, None, "it reads no records");
        let topic = "sensor_messages".parse().unwrap();
        health.gaps.push(Gap { topic, partition: 2, start: 100, end: 600, found_at: at(900) });
        let said = complete(std::slice::from_ref(&health), 4_500);
        assert_eq!((said.holds, said.reason), (Some(false), "RecordsLost"));
        assert!(said.message.contains("500 of sensor_messages partition 2 (offsets 100 to 600)"), "{}", said.message);
        assert_eq!(complete(&[health], 4_501).holds, None);
    }

    #[test]
    fn a_pod_that_is_not_ready_says_why_for_as_long_as_it_tells_anything() {
        let mut health = detector(0, &json!({}));
        health.unready = serde_json::from_value(json!([
            { "condition": "broker", "reason": "grant the ACL: Write on topic alerts" },
            { "condition": "lookups", "reason": "there is no table hosts.csv" }
        ]))
        .unwrap();
        let told =
            |second| HealthSeen::new(std::slice::from_ref(&health), at(second)).unready("d-1").map(str::to_owned);
        let said = "grant the ACL: Write on topic alerts; there is no table hosts.csv";
        assert_eq!((told(1_000).as_deref(), told(1_181)), (Some(said), None));
        assert_eq!(HealthSeen::new(&[health.clone()], at(1_000)).unready("d-2"), None);
    }

    #[test]
    fn a_loss_that_two_pods_found_is_told_once_and_those_beyond_the_list_are_told_of() {
        let gap = |start: i64| Gap {
            topic: "sensor_messages".parse().unwrap(),
            partition: 2,
            start,
            end: start + 10,
            found_at: at(900),
        };
        let mut one = detector(0, &json!({}));
        one.gaps = vec![gap(100)];
        let said = HealthSeen::new(&[one.clone(), one.clone()], at(1_000)).stream_complete().message;
        assert_eq!(said.matches("offsets 100 to 110").count(), 1, "{said}");
        assert!(!said.contains("others"), "{said}");
        one.gaps = (0..16).map(|number| gap(100 * number)).collect();
        one.topics = serde_json::from_value(json!([{ "topic": "sensor_messages", "lost_records": 1_000 }])).unwrap();
        let said = HealthSeen::new(&[one], at(1_000)).stream_complete().message;
        assert!(said.contains("840 others since"), "{said}");
    }
}
