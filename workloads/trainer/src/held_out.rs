//! Calibrates on rows that were not learned from: some at random, and the newest, of which a forest that learned from those before
//! gives the scores. Records to come are new as these are: they have values that were never seen, and time has gone on.

use vedette_contract::learner::Algorithm;
use vedette_contract::model::{Calibration, CalibrationRows, Column, ColumnKind};
use vedette_forest::artifact::ArtifactError;
use vedette_forest::calibration::{
    Calibrator, calibrate, calibrate_weighted, expected_budget_error, threshold_for_budget,
};
use vedette_forest::{FitError, Forest, Learner, Matrix, fit};

use crate::collect::Rows;
use crate::error::TrainerError;

/// Fewer rows held out, or fewer of which so many alert, are too coarse: then the training rows are scored, too, each by a forest that
/// did not learn from it.
const ROWS: usize = 1_000;
const ALERTS: f64 = 100.;
/// Such forests are learned from so many parts of the training rows without one.
const PARTS: usize = 4;
/// The newest are one in so many, and not fewer than so many.
pub(crate) const NEWEST_OF: usize = 4;
const NEWEST: usize = 25;
/// One of the newest counts as so many others at most, so that a single one is not a budget.
const HEAVIEST: f64 = 10.;
/// Forests that are learned for calibration see so many rows at most; that of smartcore, which is slow, fewer.
const LEARNED: usize = 200_000;
const LEARNED_BY_SMARTCORE: usize = 20_000;

/// What there is to calibrate with.
pub(crate) struct HeldOut<'a> {
    pub(crate) learner: &'a Learner,
    pub(crate) columns: &'a [Column],
    pub(crate) training: &'a Rows,
    /// Rows of the stream that are neither held out nor of the period that is learned from, where that is another one.
    pub(crate) rest: Option<&'a Rows>,
    /// Those of the training rows, where the learner learns from labels.
    pub(crate) labels: &'a [Option<bool>],
    pub(crate) seed: u64,
    /// Of the figures that are told.
    pub(crate) alert_budget_per_million: f64,
}

/// Numbers of rows, those before a time and those from it on.
pub(crate) struct ByTime {
    pub(crate) older: Vec<usize>,
    pub(crate) newest: Vec<usize>,
}

impl HeldOut<'_> {
    /// The calibration of a forest that gives these scores to rows which were set aside, and what it is of.
    ///
    /// # Errors
    /// When a score is not finite.
    pub(crate) fn calibrate(
        &self,
        forest: &Forest,
        scores: &[f64],
    ) -> Result<(Calibration, CalibrationRows), TrainerError> {
        let mut at_random = scores.to_vec();
        if let Some(rest) = self.rest.filter(|_| self.is_coarse(at_random.len())) {
            at_random.extend(scores_of(forest, &rest.matrix));
        }
        let is_of_stream = self.rest.is_none() || at_random.len() < ROWS;
        if is_of_stream && self.is_coarse(at_random.len()) && self.training.matrix.rows() <= LEARNED {
            at_random.extend(told(self.in_parts(), "rows at random").unwrap_or_default());
        }
        if at_random.is_empty() {
            // Too few to learn from without a part of them.
            at_random = scores_of(forest, &self.training.matrix);
        }
        let newest = self.newest(forest);
        let newest_alerts_per_million = self.alerts_per_million(&at_random, &newest)?;
        let weight = (at_random.len() as f64 / newest.len().max(1) as f64).min(HEAVIEST);
        let rows = CalibrationRows {
            at_random: at_random.len() as u64,
            newest: newest.len() as u64,
            newest_alerts_per_million,
            budget_error_per_million: expected_budget_error(
                self.alert_budget_per_million,
                equal_rows(at_random.len() as f64, newest.len() as f64, weight),
            ),
        };
        let weighted = at_random.into_iter().map(|score| (score, 1.));
        let weighted = weighted.chain(newest.into_iter().map(|score| (score, weight))).collect();
        Ok((calibrate_weighted(weighted).map_err(ArtifactError::from)?, rows))
    }

    fn is_coarse(&self, rows: usize) -> bool {
        rows < ROWS || rows as f64 * self.alert_budget_per_million / 1e6 < ALERTS
    }

    /// Scores of the newest rows by a forest that has not seen them: that of the training, where it learned from another period.
    fn newest(&self, forest: &Forest) -> Vec<f64> {
        if let Some(rest) = self.rest.filter(|rest| rest.matrix.rows() > 0) {
            return by_time(&rest.made, usize::MAX, NEWEST_OF)
                .map_or_else(Vec::new, |ByTime { older: _, newest }| scores_of(forest, &rest.matrix.select(&newest)));
        }
        by_time(&self.training.made, self.most(), NEWEST_OF)
            .and_then(|ByTime { older, newest }| told(self.without(&older, &newest), "the newest rows"))
            .unwrap_or_default()
    }

    /// Training rows that are looked at.
    fn most(&self) -> usize {
        let most = match self.learner.algorithm() {
            Algorithm::SeedForest => LEARNED_BY_SMARTCORE,
            Algorithm::Ensemble
            | Algorithm::IsolationForest
            | Algorithm::UnsupervisedRandomForest
            | Algorithm::RandomForestClassifier => LEARNED,
        };
        // They are in the order of a hash, so the first ones are a uniform sample.
        self.training.matrix.rows().min(most)
    }

    fn in_parts(&self) -> Result<Vec<f64>, FitError> {
        let mut scores = Vec::with_capacity(self.most());
        for part in 0..PARTS {
            let (of_part, others) = (0..self.most()).partition::<Vec<_>, _>(|row| row % PARTS == part);
            scores.extend(self.without(&others, &of_part)?);
        }
        Ok(scores)
    }

    /// Scores of some training rows by a forest that learned from others.
    fn without(&self, learned: &[usize], scored: &[usize]) -> Result<Vec<f64>, FitError> {
        let rows = self.training.matrix.select(learned);
        let labels: Vec<Option<bool>> = learned.iter().filter_map(|row| self.labels.get(*row).copied()).collect();
        let forest = fit(self.learner, &rows, self.columns, &labels, self.seed)?;
        Ok(scores_of(&forest, &as_unseen(self.columns, &rows, &self.training.matrix.select(scored))))
    }

    /// How many of the newest would alert where the calibration were that of the others.
    fn alerts_per_million(&self, at_random: &[f64], newest: &[f64]) -> Result<Option<f64>, TrainerError> {
        let calibrator = calibrate(at_random.to_vec()).and_then(|table| Calibrator::new(&table));
        let calibrator = calibrator.map_err(ArtifactError::from)?;
        let threshold = threshold_for_budget(self.alert_budget_per_million);
        let alerts = newest.iter().filter(|score| calibrator.score(**score) > threshold).count();
        Ok((!newest.is_empty()).then(|| alerts as f64 * 1e6 / newest.len() as f64))
    }
}

/// Raw scores, of each row.
pub(crate) fn scores_of(forest: &Forest, rows: &Matrix) -> Vec<f64> {
    let mut scores = Vec::with_capacity(rows.rows());
    forest.score_batch(rows, &mut scores);
    scores
}

/// Of the first so many rows the newest, one in so many, and the older ones; rows of one time stay together. `None` where times are not
/// known, or do not tell rows apart.
pub(crate) fn by_time(made: &[Option<i64>], most: usize, newest_of: usize) -> Option<ByTime> {
    let made: Vec<i64> = made.iter().take(most).copied().collect::<Option<_>>()?;
    let mut times = made.clone();
    times.sort_unstable();
    // Where there are fewer rows than that there are no newest.
    let from = *times.get(times.len() - times.len() / newest_of)?;
    let (older, newest) = (0..made.len()).partition::<Vec<_>, _>(|row| made[*row] < from);
    (newest.len() >= NEWEST && older.len() >= newest.len()).then_some(ByTime { older, newest })
}

/// Rows in which a category that none of the learned ones has is one that was never seen. What is missing stays missing.
pub(crate) fn as_unseen(columns: &[Column], learned: &Matrix, rows: &Matrix) -> Matrix {
    let seen: Vec<Option<Vec<bool>>> = columns.iter().enumerate().map(|it| categories_of(it, learned)).collect();
    let mut out = Matrix::with_capacity(rows.columns(), rows.rows());
    let mut row = Vec::with_capacity(rows.columns());
    for given in rows.iter() {
        row.clear();
        row.extend(given.iter().zip(&seen).map(|(value, seen)| match seen {
            Some(seen) if !is_seen(seen, *value) => seen.len() as f32,
            Some(_) | None => *value,
        }));
        out.push_row(&row);
    }
    out
}

/// Which of the categories of a column these rows have; `None` of numbers.
pub(crate) fn categories_of((number, column): (usize, &Column), rows: &Matrix) -> Option<Vec<bool>> {
    let ColumnKind::Categorical { values, shares: _ } = &column.kind else { return None };
    let mut seen = vec![false; values.len()];
    for row in rows.iter() {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a position
        if let Some(seen) = seen.get_mut(row[number] as usize) {
            *seen = true;
        }
    }
    Some(seen)
}

/// Whether a category is one of these, or what stands for one that is none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a position
pub(crate) fn is_seen(seen: &[bool], code: f32) -> bool {
    seen.get(code as usize).copied().unwrap_or(true)
}

/// As many rows that count alike tell a share as well as these, of which the newest have such a weight.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // not more than the rows
fn equal_rows(at_random: f64, newest: f64, weight: f64) -> u64 {
    ((at_random + weight * newest).powi(2) / (at_random + weight * weight * newest)) as u64
}

/// That one of these forests cannot be learned, for want of rows or labels, leaves its rows out.
fn told(scores: Result<Vec<f64>, FitError>, what: &'static str) -> Option<Vec<f64>> {
    scores
        .inspect_err(|error| tracing::info!(reason = error.reason(), %error, what, "the calibration does without"))
        .ok()
}

#[cfg(test)]
mod tests;
