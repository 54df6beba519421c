//! What a pipeline's processes tell of the records, as conditions: whether all of them were read, and whether they have the fields
//! that the model learned from.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use vedette_contract::health::{FeatureHealth, Gap, Health, HealthComponent};

use crate::reason::{FeaturesReason, StreamReason};
use crate::status::Verdict;

/// So long after they were found, lost records keep the stream from being complete.
const LOSS: SignedDuration = SignedDuration::from_hours(1);
/// Fewer records say nothing of a field.
const RECORDS: f64 = 20.;
/// A field of a model that does not say how often it is missing is expected in one record of ten, and is gone where no record has it.
const USUALLY_MISSING: f64 = 0.9;

/// What the processes of a pipeline at its site tell, as far as conditions depend on it: it changes only where they may.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthSeen {
    /// Whether any tells anything.
    is_told: bool,
    /// What was lost of late.
    gaps: Vec<Gap>,
    features: FeaturesSeen,
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
        let recent = |gap: &&Gap| now.duration_since(gap.found_at) <= LOSS;
        let mut gaps: Vec<Gap> = all.iter().flat_map(|health| &health.gaps).filter(recent).cloned().collect();
        gaps.sort_by(|one, other| {
            (&one.topic, one.partition, one.start).cmp(&(&other.topic, other.partition, other.start))
        });
        let fresh: Vec<&Health> = all.iter().filter(|health| health.is_fresh(now)).collect();
        Self { is_told: !fresh.is_empty(), gaps, features: features(&fresh) }
    }

    /// Whether every record was read.
    pub(crate) fn stream_complete(&self) -> Verdict {
        if !self.gaps.is_empty() {
            return Verdict::fails(StreamReason::RecordsLost, lost(&self.gaps));
        }
        if self.is_told {
            Verdict::holds(StreamReason::Complete, "no record was lost in the last hour")
        } else {
            Verdict::unknown(StreamReason::NotTold, "no detector and no archiver tells how it stands")
        }
    }

    /// Whether the records have the fields that the model learned from; none where no model scores.
    pub(crate) fn features_present(&self) -> Option<Verdict> {
        let FeaturesSeen::Told { missing } = &self.features else { return None };
        if missing.is_empty() {
            let message = "the records have the fields that the model learned from";
            return Some(Verdict::holds(FeaturesReason::Present, message));
        }
        let message = format!(
            "most of the last records lack what the model learned from: {}; see whether the fields were renamed, or a calculated field was taken out, and train again if that is to stay",
            missing.join(", ")
        );
        Some(Verdict::fails(FeaturesReason::FieldsMissing, message))
    }
}

fn lost(gaps: &[Gap]) -> String {
    let gap = |Gap { topic, partition, start, end, found_at: _ }: &Gap| {
        format!("{} of {topic} partition {partition} (offsets {start} to {end})", end.abs_diff(*start))
    };
    let gaps: Vec<String> = gaps.iter().map(gap).collect();
    format!("retention deleted records before they were read: {}; keep them longer", gaps.join(", "))
}

fn features(fresh: &[&Health]) -> FeaturesSeen {
    let detectors = fresh.iter().filter(|health| health.component == HealthComponent::Detector);
    let scoring = detectors.filter_map(|health| health.detector.as_ref()).filter(|it| it.model_version.is_some());
    let (mut records, mut features) = (0, BTreeMap::<&str, FeatureHealth>::new());
    for recent in scoring.map(|detector| &detector.recent) {
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

    fn verdict(all: &[Health], second: i64) -> Option<(&'static str, String)> {
        HealthSeen::new(all, at(second)).features_present().map(|verdict| (verdict.reason, verdict.message))
    }

    #[test]
    fn a_field_that_most_records_lack_is_named_and_one_that_is_seldom_is_not() {
        let seldom = json!({ "a": { "missing": 30, "usually_missing": 0. }, "b": { "missing": 40, "usually_missing": 0.999 },
            "c": { "missing": 40 } });
        let (reason, message) = verdict(&[detector(40, &seldom)], 1_000).unwrap();
        assert!(reason == "FieldsMissing" && message.contains("learned from: a;"), "{message}");
        let half = json!({ "a": { "missing": 20, "usually_missing": 0. } });
        assert_eq!(verdict(&[detector(40, &half)], 1_000).unwrap().0, "Present");
        let sparse = json!({ "c": { "missing": 99_000 } });
        assert_eq!(
            verdict(&[detector(100_000, &sparse)], 1_000).unwrap().0,
            "Present",
            "a model of before says nothing"
        );
        let never = json!({ "b": { "missing": 100_000, "usually_missing": 0.999 }, "c": { "missing": 100_000 } });
        let (_, message) = verdict(&[detector(100_000, &never)], 1_000).unwrap();
        assert!(message.contains("learned from: b, c;"), "{message}");
    }

    #[test]
    fn detectors_are_summed_up_and_few_records_or_a_pod_that_is_gone_say_nothing() {
        let lacking = json!({ "a": { "missing": 15, "usually_missing": 0. } });
        let one = detector(15, &lacking);
        assert_eq!(verdict(std::slice::from_ref(&one), 1_000), None);
        assert_eq!(verdict(&[one.clone(), detector(15, &lacking)], 1_000).unwrap().0, "FieldsMissing");
        assert_eq!(verdict(&[one.clone(), detector(15, &json!({}))], 1_000).unwrap().0, "Present");
        assert_eq!(verdict(&[one.clone(), one], 1_181), None);
        let mut enriches = detector(100, &lacking);
        enriches.detector.as_mut().unwrap().model_version = None;
        assert_eq!(verdict(&[enriches], 1_000), None);
    }

    #[test]
    fn lost_records_are_told_for_an_hour_whatever_became_of_the_pod() {
        let complete = |all: &[Health], second| HealthSeen::new(all, at(second)).stream_complete();
        assert_eq!(complete(&[], 1_000).holds, None);
        let mut health = detector(0, &json!({}));
        assert_eq!(complete(std::slice::from_ref(&health), 1_000).holds, Some(true));
        let topic = "sensor_messages".parse().unwrap();
        health.gaps.push(Gap { topic, partition: 2, start: 100, end: 600, found_at: at(900) });
        let said = complete(std::slice::from_ref(&health), 4_500);
        assert_eq!((said.holds, said.reason), (Some(false), "RecordsLost"));
        assert!(said.message.contains("500 of sensor_messages partition 2 (offsets 100 to 600)"), "{}", said.message);
        assert_eq!(complete(&[health], 4_501).holds, None);
    }
}
