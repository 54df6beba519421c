//! Whether the records are still as those that the model learned from: what the detectors counted is summed up, as each may read other
//! partitions, whose records differ by nature.

use std::collections::BTreeMap;

use vedette_contract::ModelVersion;
use vedette_contract::distribution::{Compared, PSI_MODERATE, PSI_SHIFTED};
use vedette_contract::health::{DetectorHealth, StabilityHealth};

use crate::reason::StabilityReason;
use crate::status::Finding;

/// So many fields are named at most.
const NAMED: usize = 5;

/// How far the last records are from those of the training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StabilitySeen {
    scores: Distance,
    /// The features that are far, of those that are farthest, by name.
    features: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Distance {
    Near,
    Moderate,
    Far,
}

/// What detectors of one model counted.
#[derive(Debug, Default)]
struct Sum<'a> {
    records: u64,
    scores: Compared,
    /// Those that tell of a field, and how many records they counted.
    features: BTreeMap<&'a str, (u64, Compared)>,
}

impl<'a> Sum<'a> {
    fn add(&mut self, told: &'a StabilityHealth) {
        let StabilityHealth { records, scores, features } = told;
        self.records += records;
        sum(&mut self.scores, scores);
        for (field, compared) in features {
            let (counted, all) = self.features.entry(field).or_default();
            *counted += records;
            sum(all, compared);
        }
    }

    /// How far a feature is, of whose other records nobody told: they are as expected.
    fn distance(&self, (counted, told): &(u64, Compared)) -> f64 {
        let others = self.records.saturating_sub(*counted) as f64;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and a part of a count"
        )]
        let counts =
            told.counts.iter().zip(&told.expected).map(|(count, share)| count + (others * share).round() as u64);
        let all = Compared { counts: counts.collect(), expected: told.expected.clone() };
        all.psi().unwrap_or_default()
    }
}

fn sum(all: &mut Compared, more: &Compared) {
    if all.counts.is_empty() {
        all.clone_from(more);
    } else {
        all.add(more);
    }
}

impl StabilitySeen {
    /// By what these detectors tell; none where no model says how the records were. While a model rolls that counts of which more
    /// records were seen.
    pub(crate) fn new<'a>(detectors: impl Iterator<Item = &'a DetectorHealth>) -> Option<Self> {
        let mut sums = BTreeMap::<&ModelVersion, Sum<'_>>::new();
        for (version, told) in detectors.filter_map(|it| it.model_version.as_ref().zip(it.stability.as_ref())) {
            sums.entry(version).or_default().add(told);
        }
        let sum = sums.into_values().max_by_key(|sum| sum.records)?;
        let scores = match sum.scores.psi()? {
            psi if psi >= PSI_SHIFTED => Distance::Far,
            psi if psi >= PSI_MODERATE => Distance::Moderate,
            _ => Distance::Near,
        };
        let mut far: Vec<(f64, &str)> = sum.features.iter().map(|(field, told)| (sum.distance(told), *field)).collect();
        far.retain(|(psi, _)| *psi >= PSI_SHIFTED);
        far.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let mut features: Vec<String> = far.into_iter().take(NAMED).map(|(_, field)| field.to_owned()).collect();
        features.sort_unstable();
        Some(Self { scores, features })
    }

    /// What that means, after it was said that they are not as in the training, or was not: that is taken back once they are near.
    pub(crate) fn finding(&self, was_shifted: bool) -> Finding {
        let Self { scores, features } = self;
        let fields = features.join(", ");
        match (scores, features.as_slice()) {
            (Distance::Far, _) => shifted(&fields),
            (Distance::Moderate, _) if was_shifted => shifted(&fields),
            (Distance::Moderate, _) => Finding::holds(
                StabilityReason::SlightlyShifted,
                "the scores of the last records are a little apart from those of the training",
            ),
            (Distance::Near, []) => {
                Finding::holds(StabilityReason::Stable, "the scores of the last records are as in the training")
            }
            (Distance::Near, _) => Finding::holds(
                StabilityReason::FeaturesShifted,
                format!("the scores of the last records are as in the training, and these fields are not: {fields}"),
            ),
        }
    }
}

fn shifted(fields: &str) -> Finding {
    let because = if fields.is_empty() { String::new() } else { format!("; the fields that changed most: {fields}") };
    Finding::fails(
        StabilityReason::ScoresShifted,
        format!(
            "the scores of the last records are not as in the training{because}; see what became of the stream, and train again if that \
             is to stay"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const FIRST: &str = "20261123T084210Z-1a2b3c4d";
    const SECOND: &str = "20261124T084210Z-1a2b3c4d";

    fn detector(version: &str, scores: [u64; 2], features: &Value) -> DetectorHealth {
        let scores = json!({ "counts": scores, "expected": [0.5, 0.5] });
        serde_json::from_value(json!({
            "threshold": 0.5, "model_version": version,
            "stability": { "records": 1_000, "scores": scores, "features": features }
        }))
        .unwrap()
    }

    fn finding(all: &[DetectorHealth], was_shifted: bool) -> Option<(Option<bool>, &'static str, String)> {
        let finding = StabilitySeen::new(all.iter())?.finding(was_shifted);
        Some((finding.holds, finding.reason, finding.message))
    }

    #[test]
    fn scores_that_are_not_as_in_the_training_are_said_with_the_fields_that_changed() {
        let far = json!({ "a": { "counts": [900, 100], "expected": [0.5, 0.5] } });
        let said = |scores, features: &Value| finding(&[detector(FIRST, scores, features)], false).unwrap();
        let (holds, reason, message) = said([900, 100], &far);
        assert_eq!((holds, reason), (Some(false), "ScoresShifted"));
        assert!(message.contains("changed most: a;"), "{message}");
        assert!(!said([900, 100], &json!({})).2.contains("fields"));
        assert_eq!(said([500, 500], &json!({})).1, "Stable");
        assert_eq!(said([690, 310], &json!({})).1, "SlightlyShifted");
        let (holds, reason, message) = said([510, 490], &far);
        assert_eq!((holds, reason), (Some(true), "FeaturesShifted"));
        assert!(message.ends_with("not: a"), "{message}");
    }

    #[test]
    fn what_was_said_is_taken_back_once_they_are_near_again() {
        let of = |scores, was_shifted| finding(&[detector(FIRST, scores, &json!({}))], was_shifted).unwrap().1;
        assert_eq!((of([690, 310], true), of([550, 450], true)), ("ScoresShifted", "Stable"));
    }

    #[test]
    fn detectors_that_read_other_records_by_nature_are_summed_up() {
        let feature = |counts: [u64; 2]| json!({ "a": { "counts": counts, "expected": [0.5, 0.5] } });
        let low = detector(FIRST, [950, 50], &feature([1_000, 0]));
        let high = detector(FIRST, [50, 950], &feature([0, 1_000]));
        assert_eq!(finding(&[low.clone(), high], false).unwrap().1, "Stable");
        let as_learned = detector(FIRST, [500, 500], &json!({}));
        assert_eq!(finding(&[as_learned.clone(), low.clone()], false).unwrap().1, "SlightlyShifted");
        let among_many = [vec![as_learned; 9], vec![low]].concat();
        assert_eq!(finding(&among_many, false).unwrap().1, "Stable");
    }

    #[test]
    fn detectors_of_another_model_are_not_mixed_and_without_distributions_nothing_is_said() {
        let old = detector(FIRST, [900, 100], &json!({}));
        let new = detector(SECOND, [500, 500], &json!({}));
        assert_eq!(finding(&[old.clone(), new.clone(), new], false).unwrap().1, "Stable");
        let silent = DetectorHealth { stability: None, ..old };
        assert_eq!(finding(&[silent], false), None);
    }

    #[test]
    fn of_many_fields_those_that_changed_most_are_named_by_name() {
        let feature = |number: u64| {
            (format!("f{number}"), json!({ "counts": [1_000 - 10 * number, 10 * number], "expected": [0.5, 0.5] }))
        };
        let features = (0..9).rev().map(feature).collect();
        let message = finding(&[detector(FIRST, [900, 100], &Value::Object(features))], false).unwrap().2;
        assert!(message.contains("most: f0, f1, f2, f3, f4;"), "{message}");
    }
}
