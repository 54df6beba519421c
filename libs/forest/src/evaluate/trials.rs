//! Trials: how good learners with other hyper-parameters are on the same rows. For each fold a forest learns from the other folds
//! and scores the fold, whose rows it has not seen; and rows of no fold, which none of a trial's forests has seen, so that
//! what these let alert can be compared.

use vedette_contract::model::Column;
use vedette_contract::search::TrialMetrics;

use crate::evaluate::folds::{dice, glass_delta};
use crate::evaluate::metrics::{alerts_at_budget, at_budget, auprc};
use crate::learn::Shared;
use crate::model::calibration::{Calibrator, calibrate, threshold_for_budget};
use crate::{FitError, Forest, Learner, Matrix};

/// One in so many rows is of no fold,
const OF_NO_FOLD: usize = 10;
/// or so many.
const MOST_OF_NO_FOLD: usize = 100_000;
/// Stands for no fold.
const NONE: u8 = u8::MAX;

/// What trials are made of.
#[derive(Debug, Clone, Copy)]
pub struct TrialRows<'a> {
    /// Rows to learn from and to judge by, in no particular order.
    pub rows: &'a Matrix,
    /// What of each row is known, where anything is.
    pub labels: &'a [Option<bool>],
    /// The columns of the rows.
    pub columns: &'a [Column],
    /// How many folds, 2 to 250.
    pub folds: u8,
    /// How many records alert, per million.
    pub alert_budget_per_million: f64,
}

/// Rows in folds, and what all trials share.
pub struct Trials<'a> {
    shared: Shared<'a>,
    budget: f64,
    /// The fold of each row.
    fold_of: Vec<u8>,
    folds: Vec<Judging>,
    /// The rows of no fold.
    common: Matrix,
}

/// Rows that judge the forests that have not learned from them.
struct Judging {
    rows: Matrix,
    /// The labels, and the numbers of the rows that have them.
    labelled: Vec<usize>,
    anomalies: Vec<bool>,
}

/// What became of a fold of a trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    auprc: Option<f64>,
    recall_at_budget: Option<f64>,
    separation: Option<f64>,
    budget_error: Option<f64>,
    /// Which of the rows of no fold alert.
    alerts: Vec<bool>,
}

impl<'a> Trials<'a> {
    /// Puts rows into folds, and finds out of them what the learners need. Labels reach a learner that learns from them only.
    ///
    /// # Errors
    /// When there are no two different rows.
    pub fn new(rows: &TrialRows<'a>, learners: &[Learner], seed: u64) -> Result<Self, FitError> {
        let TrialRows { rows, labels, columns, folds, alert_budget_per_million } = *rows;
        let learns_from_labels = learners.iter().any(|learner| matches!(learner, Learner::RandomForestClassifier(_)));
        let learned_labels = if learns_from_labels { labels } else { &[] };
        let shared = Shared::new(rows, learned_labels, columns, learners, seed)?;
        let fold_of = fold_of_each(rows.rows(), folds.max(2));
        let of = |wanted: u8| -> Vec<usize> { (0..fold_of.len()).filter(|row| fold_of[*row] == wanted).collect() };
        let judging = |fold| {
            let numbers = of(fold);
            let label = |row: &usize| labels.get(*row).copied().flatten();
            let known: Vec<(usize, bool)> =
                numbers.iter().enumerate().filter_map(|(place, row)| Some((place, label(row)?))).collect();
            let (labelled, anomalies) = known.into_iter().unzip();
            Judging { rows: shared.rows().select(&numbers), labelled, anomalies }
        };
        let folds = (0..folds.max(2)).map(judging).collect();
        let common = shared.rows().select(&of(NONE));
        Ok(Self { shared, budget: alert_budget_per_million, fold_of, folds, common })
    }

    /// How many folds there are.
    pub fn folds(&self) -> usize {
        self.folds.len()
    }

    /// Learns from all folds but this, and judges by it.
    ///
    /// # Errors
    /// When the learner refuses the rows.
    ///
    /// # Panics
    /// When there is no such fold.
    pub fn judge(&self, learner: &Learner, fold: usize) -> Result<Judged, FitError> {
        let others = |of: &u8| *of != NONE && usize::from(*of) != fold;
        #[allow(clippy::cast_possible_truncation)] // fewer rows than fit into memory
        let among: Vec<u32> =
            self.fold_of.iter().enumerate().filter(|(_, of)| others(of)).map(|(row, _)| row as u32).collect();
        let forest = self.shared.fit(learner, &among)?;
        let Judging { rows, labelled, anomalies } = &self.folds[fold];
        let scores = scores_of(&forest, rows);
        let common = scores_of(&forest, &self.common);
        let known: Vec<f64> = labelled.iter().map(|row| scores[*row]).collect();
        Ok(Judged {
            auprc: auprc(&known, anomalies),
            recall_at_budget: at_budget(&known, anomalies, self.budget).recall,
            separation: glass_delta(&scores, &alerts_at_budget(&scores, self.budget)),
            alerts: alerts_at_budget(&common, self.budget),
            budget_error: self.budget_error(scores, &common),
        })
    }

    /// How far the alerts among other rows are off the budget for which these scores calibrate, as a share of it.
    fn budget_error(&self, scores: Vec<f64>, others: &[f64]) -> Option<f64> {
        let calibrator = Calibrator::new(&calibrate(scores).ok()?).ok()?;
        let threshold = threshold_for_budget(self.budget);
        let alerts = others.iter().filter(|score| calibrator.score(**score) > threshold).count();
        let budget = self.budget / 1e6 * others.len() as f64;
        (budget > 0.).then(|| (alerts as f64 - budget).abs() / budget)
    }
}

/// The figures of a trial: means over the folds of which they are known.
pub fn trial_metrics(judged: &[Judged]) -> TrialMetrics {
    let mean = |of: &dyn Fn(&Judged) -> Option<f64>| {
        let known: Vec<f64> = judged.iter().filter_map(of).collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    };
    let pairs =
        judged.iter().enumerate().flat_map(|(number, one)| judged[..number].iter().map(move |other| (one, other)));
    let shared: Vec<f64> =
        pairs.map(|(one, other)| dice(&one.alerts, &other.alerts)).filter(|share| share.is_finite()).collect();
    TrialMetrics {
        auprc: mean(&|judged| judged.auprc),
        recall_at_budget: mean(&|judged| judged.recall_at_budget),
        separation: mean(&|judged| judged.separation),
        stability: (!shared.is_empty()).then(|| shared.iter().sum::<f64>() / shared.len() as f64),
        budget_error: mean(&|judged| judged.budget_error),
    }
}

/// The fold of each of so many rows: some are of none, and the others of each fold in turn.
fn fold_of_each(rows: usize, folds: u8) -> Vec<u8> {
    let one_in = OF_NO_FOLD.max(rows.div_ceil(MOST_OF_NO_FOLD));
    let mut turn = 0;
    let mut fold = || {
        let fold = turn;
        turn = (turn + 1) % folds;
        fold
    };
    (0..rows).map(|row| if row % one_in == one_in - 1 { NONE } else { fold() }).collect()
}

fn scores_of(forest: &Forest, rows: &Matrix) -> Vec<f64> {
    let mut scores = Vec::with_capacity(rows.rows());
    forest.score_batch(rows, &mut scores);
    scores
}

#[cfg(test)]
mod tests {
    use vedette_contract::learner::Algorithm;
    use vedette_contract::model::ColumnKind;
    use vedette_contract::parameters::Parameters;

    use xxhash_rust::xxh3::xxh3_64;

    use super::*;

    /// Two columns that rise together; one row in fifty is far away.
    fn rows(count: u16) -> (Matrix, Vec<Option<bool>>) {
        let mut rows = Matrix::new(2);
        let is_far = |row: u16| xxh3_64(&row.to_le_bytes()) % 50 == 7;
        for row in 0..count {
            let value = f32::from(row % 97);
            rows.push_row(&[if is_far(row) { 500. + f32::from(row) } else { value }, value]);
        }
        (rows, (0..count).map(|row| Some(is_far(row))).collect())
    }

    fn columns() -> [Column; 2] {
        ["a", "b"].map(|name| Column { name: name.to_owned(), kind: ColumnKind::numeric(0.) })
    }

    fn metrics(algorithm: Algorithm, parameters: &Parameters, labelled: bool) -> TrialMetrics {
        let (rows, labels) = rows(6_000);
        let labels = if labelled { labels } else { Vec::new() };
        let columns = columns();
        let rows =
            TrialRows { rows: &rows, labels: &labels, columns: &columns, folds: 3, alert_budget_per_million: 40_000. };
        let learner = Learner::new(algorithm, parameters).unwrap();
        let trials = Trials::new(&rows, &[learner], 1).unwrap();
        let judged: Vec<_> = (0..trials.folds()).map(|fold| trials.judge(&learner, fold).unwrap()).collect();
        trial_metrics(&judged)
    }

    #[test]
    fn every_learner_finds_again_what_is_far_away() {
        for algorithm in Algorithm::all() {
            let least = if *algorithm == Algorithm::SeedForest { 0.5 } else { 0.8 };
            let found = metrics(*algorithm, &Parameters::default(), true);
            assert!(
                found.auprc.unwrap() > least && found.recall_at_budget.unwrap() > least,
                "{algorithm:?}: {found:?}"
            );
            assert!(found.stability.unwrap() > 0.3 && found.budget_error.unwrap() < 1., "{algorithm:?}: {found:?}");
        }
    }

    #[test]
    fn without_labels_the_figures_that_need_none_are_there() {
        let few = Parameters { trees: Some(1), max_depth: Some(1), rows_per_tree: Some(8), ..Parameters::default() };
        let [good, poor] =
            [Parameters::default(), few].map(|parameters| metrics(Algorithm::IsolationForest, &parameters, false));
        assert_eq!((good.auprc, good.recall_at_budget), (None, None));
        assert!(good.separation.unwrap() > 2., "{good:?}");
        assert!(poor.stability.is_none_or(|poor| poor < good.stability.unwrap()), "{poor:?} and {good:?}");
    }

    #[test]
    fn rows_are_of_the_folds_in_equal_numbers_and_a_tenth_of_none() {
        for (rows, folds) in [(100, 2), (1_000, 5), (2_000_000, 20)] {
            let of_each = fold_of_each(rows, folds);
            let count = |wanted: u8| of_each.iter().filter(|fold| **fold == wanted).count();
            let none = count(NONE);
            assert_eq!(none, (rows / 10).min(MOST_OF_NO_FOLD));
            let per_fold = (rows - none) / usize::from(folds);
            assert!((0..folds).all(|fold| (per_fold..=per_fold + 1).contains(&count(fold))), "{rows} in {folds}");
        }
    }

    #[test]
    fn a_forest_is_judged_by_rows_it_has_not_seen() {
        // Each row has a label of its own kind of value: what is learned by heart says nothing of the rows left out.
        let mut rows = Matrix::new(1);
        (0..2_000u16).for_each(|row| rows.push_row(&[f32::from(row)]));
        let labels: Vec<Option<bool>> = (0..2_000u32).map(|row| Some(xxh3_64(&row.to_le_bytes()) % 2 == 1)).collect();
        let columns = [Column { name: "a".to_owned(), kind: ColumnKind::numeric(0.) }];
        let rows =
            TrialRows { rows: &rows, labels: &labels, columns: &columns, folds: 4, alert_budget_per_million: 1e5 };
        let learner = Learner::defaults(Algorithm::RandomForestClassifier);
        let trials = Trials::new(&rows, &[learner], 1).unwrap();
        let found = trial_metrics(&[trials.judge(&learner, 2).unwrap()]);
        assert!((0.4..0.65).contains(&found.auprc.unwrap()), "{found:?}");
        assert_eq!(found.stability, None);
    }

    #[test]
    fn neither_threads_nor_other_trials_show_in_a_trial() {
        let (rows, labels) = rows(3_000);
        let columns = columns();
        let rows =
            TrialRows { rows: &rows, labels: &labels, columns: &columns, folds: 2, alert_budget_per_million: 2e4 };
        let learner = Learner::defaults(Algorithm::UnsupervisedRandomForest);
        let given = Parameters { max_bins: Some(16), ..Parameters::default() };
        let other = Learner::new(Algorithm::UnsupervisedRandomForest, &given).unwrap();
        let on = |threads: usize, learners: &[Learner]| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Trials::new(&rows, learners, 1).unwrap().judge(&learner, 1).unwrap())
        };
        assert_eq!(on(1, &[learner]), on(4, &[other, learner]));
    }
}
