//! Quality where no label tells it: what a learner lets alert, and whether it would do so again. Forests that each learned
//! without one fold of the rows score rows that none of them has seen.

use vedette_contract::model::{Column, FoldMetrics};

use crate::evaluate::metrics::alerts_at_budget;
use crate::{FitError, Learner, Matrix, fit};

/// What folds are made of, and by what the forests that learn from them are compared.
#[derive(Debug, Clone, Copy)]
pub struct Folds<'a> {
    /// How many.
    pub count: u32,
    /// Rows to learn from. Row i is in fold i modulo `count`, so they come in no particular order.
    pub rows: &'a Matrix,
    /// The labels of the rows, where the learner learns from labels.
    pub labels: &'a [Option<bool>],
    /// Rows that every forest scores.
    pub held_out: &'a Matrix,
    /// The columns of all rows.
    pub columns: &'a [Column],
    /// How many of the rows held out alert, per million.
    pub alert_budget_per_million: f64,
}

/// Learns one forest per fold, from the other folds, and compares what they let alert among the rows held out. `None` with
/// fewer than two folds, with nothing held out, or where a forest lets nothing alert, or all.
///
/// # Errors
/// When the learner refuses the rows of a fold.
pub fn fold_metrics(learner: &Learner, folds: &Folds, seed: u64) -> Result<Option<FoldMetrics>, FitError> {
    let Folds { count, rows, labels, held_out, columns, alert_budget_per_million } = *folds;
    if count < 2 || held_out.rows() == 0 {
        return Ok(None);
    }
    let mut alerts: Vec<Vec<bool>> = Vec::with_capacity(count as usize);
    let mut separation = 0.;
    for fold in 0..count as usize {
        let others: Vec<usize> = (0..rows.rows()).filter(|row| row % count as usize != fold).collect();
        let labels: Vec<Option<bool>> = others.iter().filter_map(|row| labels.get(*row).copied()).collect();
        let forest = fit(learner, &rows.select(&others), columns, &labels, seed)?;
        let mut scores = Vec::new();
        forest.score_batch(held_out, &mut scores);
        let alerting = alerts_at_budget(&scores, alert_budget_per_million);
        let Some(apart) = glass_delta(&scores, &alerting) else {
            return Ok(None);
        };
        separation += apart / f64::from(count);
        alerts.push(alerting);
    }
    let pairs =
        alerts.iter().enumerate().flat_map(|(number, one)| alerts[..number].iter().map(move |other| (one, other)));
    let shared: Vec<f64> = pairs.map(|(one, other)| dice(one, other)).collect();
    Ok(Some(FoldMetrics { folds: count, separation, stability: shared.iter().sum::<f64>() / shared.len() as f64 }))
}

/// How far the mean score of the alerts is from that of the other rows, in standard deviations of the latter (Glass 1976,
/// "Primary, secondary, and meta-analysis of research"). `None` where either are missing, or the others are all the same.
pub(super) fn glass_delta(scores: &[f64], alerting: &[bool]) -> Option<f64> {
    let of = |wanted: bool| {
        let chosen = scores.iter().zip(alerting).filter(move |(_, alert)| **alert == wanted).map(|(score, _)| *score);
        let count = chosen.clone().count() as f64;
        let mean = chosen.clone().sum::<f64>() / count;
        (mean, (chosen.map(|score| (score - mean).powi(2)).sum::<f64>() / count).sqrt())
    };
    let ((alerts, _), (others, deviation)) = (of(true), of(false));
    let delta = (alerts - others) / deviation;
    delta.is_finite().then_some(delta)
}

/// Twice the number of rows that alert in both, over the number of alerts of both (Dice 1945).
pub(super) fn dice(one: &[bool], other: &[bool]) -> f64 {
    let count = |alerts: &[bool]| alerts.iter().filter(|alert| **alert).count() as f64;
    let both = one.iter().zip(other).filter(|(one, other)| **one && **other).count() as f64;
    2. * both / (count(one) + count(other))
}

#[cfg(test)]
mod tests {
    use vedette_contract::learner::Algorithm;
    use vedette_contract::model::ColumnKind;

    use super::*;

    /// Two columns that rise together, and one row in a hundred far away where `far` says so.
    fn rows(count: u16, far: bool) -> Matrix {
        let mut rows = Matrix::new(2);
        for row in 0..count {
            let value = f32::from(row % 97);
            let outside = if far && row % 100 == 7 { 500. + f32::from(row) } else { 0. };
            rows.push_row(&[value + outside, value]);
        }
        rows
    }

    fn measured(far: bool, count: u32, alert_budget_per_million: f64) -> Option<FoldMetrics> {
        let column = |name: &str| Column { name: name.to_owned(), kind: ColumnKind::numeric(0.) };
        let learner = Learner::defaults(Algorithm::IsolationForest);
        let columns = [column("a"), column("b")];
        let (rows, held_out) = (&rows(3_000, far), &rows(1_000, far));
        let folds = Folds { count, rows, labels: &[], held_out, columns: &columns, alert_budget_per_million };
        fold_metrics(&learner, &folds, 1).unwrap()
    }

    #[test]
    fn anomalies_stand_out_and_are_found_again_by_every_fold() {
        let with = measured(true, 3, 10_000.).unwrap();
        let without = measured(false, 3, 10_000.).unwrap();
        assert_eq!(with.folds, 3);
        assert!(with.stability > 0.9 && with.separation > 5., "{with:?}");
        assert!(without.separation < with.separation / 2., "{without:?}");
    }

    #[test]
    fn without_folds_or_alerts_there_is_no_figure() {
        assert_eq!(measured(true, 0, 10_000.), None);
        assert_eq!(measured(true, 1, 10_000.), None);
        assert_eq!(measured(true, 2, 0.), None);
        assert_eq!(measured(true, 2, 1e6), None);
    }

    #[test]
    fn the_figures_are_those_of_their_formulas() {
        let alerting = [true, false, false, true];
        assert_eq!(glass_delta(&[5., 0., 2., 3.], &alerting), Some(3.));
        assert_eq!(glass_delta(&[5., 1., 1., 3.], &alerting), None);
        assert!((dice(&alerting, &[true, true, false, false]) - 0.5).abs() < 1e-12);
    }
}
