//! How the scores and the features of records are distributed, beside how they were where the model was learned. On the record path
//! only bins are counted; whoever tells compares them.

mod window;

use std::sync::Arc;

use vedette_contract::distribution::{Compared, Distribution, Distributions, SCORE_ENDS, score_bin};
use vedette_contract::health::StabilityHealth;
use vedette_contract::model::Column;

pub(crate) use self::window::Window;

/// The features of so many records of a batch are counted at most, evenly spaced: more would say no more.
const ROWS: usize = 256;
/// What differs by less is not told of a feature,
const TOLD_PSI: f64 = vedette_contract::distribution::PSI_MODERATE;
/// nor more than so many of them.
const TOLD_FEATURES: usize = 16;

/// Records by bin.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Spread {
    /// By score, of all of them.
    pub(crate) scores: [u64; SCORE_ENDS.len() + 1],
    pub(crate) sum_of_scores: f64,
    /// Those whose features were counted,
    pub(crate) rows: u64,
    /// by bin, those of one feature after those of the other.
    features: Vec<u64>,
}

impl Spread {
    /// Counts the scores of a batch.
    pub(crate) fn count_scores(&mut self, scores: impl Iterator<Item = f64>) {
        for score in scores.filter(|score| score.is_finite()) {
            self.scores[score_bin(score)] += 1;
            self.sum_of_scores += score;
        }
    }

    /// Takes in what another counted.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { scores, sum_of_scores, rows, features } = other;
        self.scores.iter_mut().zip(scores).for_each(|(count, more)| *count += more);
        self.sum_of_scores += sum_of_scores;
        self.rows += rows;
        if self.features.len() < features.len() {
            self.features.resize(features.len(), 0);
        }
        self.features.iter_mut().zip(features).for_each(|(count, more)| *count += more);
    }

    /// What was counted since.
    fn since(&self, before: &Self) -> Self {
        let earlier = before.features.iter().copied().chain(std::iter::repeat(0));
        Self {
            scores: std::array::from_fn(|bin| self.scores[bin] - before.scores[bin]),
            sum_of_scores: self.sum_of_scores - before.sum_of_scores,
            rows: self.rows - before.rows,
            features: self.features.iter().zip(earlier).map(|(count, before)| count - before).collect(),
        }
    }
}

/// The bins of a training's distributions, as far as a model's features have one; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Bins(Arc<Trained>);

#[derive(Debug)]
struct Trained {
    scores: Vec<f64>,
    features: Vec<Feature>,
    bins: usize,
}

#[derive(Debug)]
struct Feature {
    name: String,
    column: usize,
    distribution: Distribution,
    /// Where its bins begin.
    first: usize,
}

impl Bins {
    /// None where the scores cannot be compared.
    pub(crate) fn new(columns: &[Column], distributions: &Distributions) -> Option<Self> {
        let scores = distributions.scores()?.to_vec();
        let (mut features, mut bins) = (Vec::new(), 0);
        for (column, Column { name, kind: _ }) in columns.iter().enumerate().take(Distributions::FEATURES) {
            let whole = distributions.features.get(name).filter(|distribution| distribution.is_whole());
            let Some(distribution) = whole.cloned() else { continue };
            let first = bins;
            bins += distribution.bins();
            features.push(Feature { name: name.clone(), column, distribution, first });
        }
        Some(Self(Arc::new(Trained { scores, features, bins })))
    }

    /// Counts the features of a batch.
    pub(crate) fn count<'a>(&self, rows: impl Iterator<Item = &'a [f32]> + Clone, spread: &mut Spread) {
        let Trained { scores: _, features, bins } = &*self.0;
        spread.features.resize(*bins, 0);
        for row in rows.clone().step_by(rows.count().div_ceil(ROWS).max(1)) {
            for Feature { name: _, column, distribution, first } in features {
                spread.features[first + distribution.bin(row[*column])] += 1;
            }
            spread.rows += 1;
        }
    }

    fn compare(&self, spread: &Spread) -> Stability {
        let feature = |Feature { name, column: _, distribution, first }: &Feature| {
            let counts = spread.features.get(*first..first + distribution.bins()).unwrap_or_default().to_vec();
            (name.clone(), Compared { counts, expected: distribution.shares.clone() })
        };
        let scores = Compared { counts: spread.scores.to_vec(), expected: self.0.scores.clone() };
        Stability { records: spread.rows, scores, features: self.0.features.iter().map(feature).collect() }
    }
}

/// The last records beside those of the training.
#[derive(Debug, Clone)]
pub(crate) struct Stability {
    records: u64,
    pub(crate) scores: Compared,
    pub(crate) features: Vec<(String, Compared)>,
}

impl Stability {
    /// What others need to know of it.
    pub(crate) fn health(self) -> StabilityHealth {
        let Self { records, scores, features } = self;
        let mut told: Vec<(f64, (String, Compared))> = features
            .into_iter()
            .filter_map(|feature| Some((feature.1.psi().filter(|psi| *psi >= TOLD_PSI)?, feature)))
            .collect();
        told.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        let features = told.into_iter().take(TOLD_FEATURES).map(|(_, feature)| feature).collect();
        StabilityHealth { records, scores, features }
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use vedette_contract::model::ColumnKind;
    use vedette_forest::Matrix;

    use super::*;

    /// Of one feature, whose numbers were half at most 1 and half above, and of scores as uniform as ranks are.
    pub(crate) fn bins() -> Bins {
        let columns = [Column { name: "a".to_owned(), kind: ColumnKind::numeric(0.) }];
        let ends = SCORE_ENDS.iter().copied().chain([1.]);
        let scores = ends.scan(0., |before, end| Some(end - std::mem::replace(before, end))).collect();
        let feature = Distribution { ends: vec![1.], shares: vec![0.5, 0.5, 0.] };
        let features = [("a".to_owned(), feature)].into();
        let distributions = Distributions { score_ends: SCORE_ENDS.to_vec(), scores, features };
        Bins::new(&columns, &distributions).unwrap()
    }

    /// Records with these numbers, whose scores are the numbers.
    pub(crate) fn spread(numbers: impl IntoIterator<Item = f32>) -> Spread {
        let (mut rows, mut spread) = (Matrix::new(1), Spread::default());
        numbers.into_iter().for_each(|number| rows.push_row(&[number]));
        spread.count_scores(rows.iter().map(|row| f64::from(row[0]).clamp(0., 1.)));
        bins().count((0..rows.rows()).map(|row| rows.row(row)), &mut spread);
        spread
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{bins, spread};
    use super::*;
    use vedette_contract::distribution::PSI_SHIFTED;
    use vedette_contract::model::ColumnKind;

    #[test]
    fn a_batch_is_counted_by_scores_and_of_its_features_evenly_spaced_ones() {
        let spread = spread((0..1_000u16).map(|number| f32::from(number) / 500.));
        assert_eq!(spread.scores.iter().sum::<u64>(), 1_000);
        assert_eq!((spread.scores[0], spread.scores[12]), (50, 500));
        assert_eq!((spread.rows, spread.features), (250, vec![126, 124, 0]));
        let few = testing::spread([0.5, 2., f32::NAN]);
        assert_eq!((few.rows, few.features), (3, vec![1, 1, 1]));
    }

    #[test]
    fn what_differs_is_told_and_of_many_features_those_that_differ_most() {
        let compared = |counts: [u64; 2]| Compared { counts: counts.to_vec(), expected: vec![0.5, 0.5] };
        let features = (0..20).map(|number| (format!("f{number:02}"), compared([1_000, 10 + 10 * number]))).collect();
        let scores = compared([500, 500]);
        let told = Stability { records: 1_000, scores: scores.clone(), features }.health();
        assert_eq!((told.scores, told.features.len()), (scores, TOLD_FEATURES));
        assert!(told.features.contains_key("f00") && !told.features.contains_key("f16"), "{:?}", told.features.keys());
        let spread = spread((0..500).map(|_| 2.));
        let told = bins().compare(&spread).health();
        assert!(told.features["a"].psi() > Some(PSI_SHIFTED) && told.scores.psi() > Some(PSI_SHIFTED), "{told:?}");
    }

    #[test]
    fn what_a_model_does_not_say_is_not_compared() {
        let columns = [Column { name: "a".to_owned(), kind: ColumnKind::numeric(0.) }];
        let broken = Distribution { ends: vec![1.], shares: vec![1.] };
        let mut scores = vec![0.; SCORE_ENDS.len() + 1];
        scores[0] = 1.;
        let distributions =
            Distributions { score_ends: SCORE_ENDS.to_vec(), scores, features: [("a".to_owned(), broken)].into() };
        let bins = Bins::new(&columns, &distributions).unwrap();
        assert_eq!(bins.compare(&Spread::default()).features, []);
        assert!(Bins::new(&columns, &Distributions { score_ends: vec![0.5], ..distributions }).is_none());
    }
}
