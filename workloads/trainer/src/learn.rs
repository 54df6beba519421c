//! Fits, calibrates and evaluates: no I/O, and the same rows give the same bytes. Labels come in after the fit.

use std::collections::BTreeMap;

use vedette_contract::arguments::TrainerArguments;
use vedette_contract::distribution::Distributions;
use vedette_contract::learner::Algorithm;
use vedette_contract::model::{Calibration, CalibrationRows, Column, ColumnKind, FeatureSpecification, Metrics};
use vedette_contract::search::SearchReport;
use vedette_forest::folds::{Folds, fold_metrics};
use vedette_forest::metrics::{at_budget, auprc, auroc};
use vedette_forest::{FitError, Forest, Learner, Matrix, fit};

use crate::collect::Rows;
use crate::error::TrainerError;
use crate::held_out::{HeldOut, scores_of};
use crate::picture::Picture;
use crate::separation::separating;

/// The baseline learns from so many of the training rows at most: smartcore's fit grows as n^1.36, on one thread.
const BASELINE_ROWS: usize = 20_000;

/// What to learn with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LearnSettings {
    /// The learner.
    pub learner: Learner,
    /// Seed of everything random.
    pub seed: u64,
    /// Alert budget of the metrics, records per million.
    pub alert_budget_per_million: f64,
    /// Folds of the training rows by which quality without labels is measured; none below 2.
    pub folds: u32,
}

/// A model and what is known of it.
pub(crate) struct Learned {
    /// The forest.
    pub forest: Forest,
    /// Its scores over the stream.
    pub calibration: Calibration,
    /// The rows that those are of.
    pub calibrated_on: CalibrationRows,
    /// Hyper-parameters as used.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Rows that the learner was given.
    #[allow(clippy::struct_field_names, reason = "the name in the metadata")]
    pub learned: u64,
    /// Quality on the holdout.
    pub metrics: Metrics,
    /// That of the `SeedForest`, where it is not the algorithm and could be learned.
    pub baseline: Option<Metrics>,
    /// Values that stand for none, by field.
    pub sentinels: BTreeMap<String, Vec<f32>>,
    /// Share of the rows without a value, by field.
    pub missing: BTreeMap<String, f64>,
    /// Fields that tell the label by themselves.
    pub separating: Vec<String>,
    /// The search that the hyper-parameters are from.
    pub search: Option<SearchReport>,
    /// What the report draws.
    pub picture: Picture,
    /// How the stream is distributed.
    pub distributions: Option<Distributions>,
}

impl LearnSettings {
    /// Those that the arguments ask for.
    ///
    /// # Errors
    /// When a hyper-parameter is out of range, or of another algorithm.
    pub(crate) fn new(arguments: &TrainerArguments) -> Result<Self, TrainerError> {
        Ok(Self {
            learner: Learner::new(arguments.algorithm, &arguments.learner)?,
            seed: arguments.seed,
            alert_budget_per_million: arguments.alert_budget_per_million,
            folds: arguments.folds,
        })
    }
}

/// Learns from the training rows and evaluates on the holdout. Where that is small, the rest of the stream calibrates, too.
///
/// # Errors
/// When the learner refuses the rows; [`FitError::TooFewRows`] is a matter of the data.
pub(crate) fn learn(
    features: &FeatureSpecification,
    training: &Rows,
    holdout: &Rows,
    rest: Option<&Rows>,
    settings: &LearnSettings,
) -> Result<Learned, TrainerError> {
    let LearnSettings { learner, seed, alert_budget_per_million, folds } = *settings;
    // Labels are for reports, unless the learner is one that learns from them.
    let labels = match learner {
        Learner::RandomForestClassifier(_) => training.labels.as_slice(),
        Learner::Ensemble
        | Learner::IsolationForest(_)
        | Learner::UnsupervisedRandomForest(_)
        | Learner::SeedForest(_) => &[],
    };
    let forest = fit(&learner, &training.matrix, &features.columns, labels, seed)?;
    let scores = scores_of(&forest, &holdout.matrix);
    let folds = Folds {
        count: folds,
        rows: &training.matrix,
        labels,
        held_out: &holdout.matrix,
        columns: &features.columns,
        alert_budget_per_million,
    };
    let folds = fold_metrics(&learner, &folds, seed).unwrap_or_else(|error| {
        tracing::info!(reason = error.reason(), %error, "a fold of the rows could not be learned from");
        None
    });
    let metrics = Metrics { folds, ..evaluate(&scores, &holdout.labels, alert_budget_per_million) };
    let picture = Picture::of(&scores, &holdout.labels, alert_budget_per_million);
    let held_out = HeldOut {
        learner: &learner,
        columns: &features.columns,
        training,
        rest,
        labels,
        seed,
        alert_budget_per_million,
    };
    let (calibration, calibrated_on) = held_out.calibrate(&forest, &scores)?;
    let baseline = match learner.algorithm() {
        Algorithm::SeedForest => None,
        Algorithm::Ensemble
        | Algorithm::IsolationForest
        | Algorithm::UnsupervisedRandomForest
        | Algorithm::RandomForestClassifier => baseline(features, training, holdout, settings),
    };
    let learned = training.matrix.rows() as u64;
    let (parameters, sentinels) = (learner.parameters(), sentinels_of(features));
    let missing = missing_in(&training.matrix, features);
    let separating = separating(&features.columns, if holdout.labels.is_empty() { training } else { holdout });
    let search = None;
    Ok(Learned {
        forest,
        calibration,
        calibrated_on,
        parameters,
        learned,
        metrics,
        baseline,
        sentinels,
        missing,
        separating,
        search,
        picture,
        distributions: None,
    })
}

fn sentinels_of(features: &FeatureSpecification) -> BTreeMap<String, Vec<f32>> {
    let sentinels = |column: &Column| match &column.kind {
        ColumnKind::Numeric { sentinels, .. } if !sentinels.is_empty() => {
            Some((column.name.clone(), sentinels.clone()))
        }
        ColumnKind::Numeric { .. } | ColumnKind::Categorical { .. } => None,
    };
    features.columns.iter().filter_map(sentinels).collect()
}

fn missing_in(rows: &Matrix, features: &FeatureSpecification) -> BTreeMap<String, f64> {
    let share = |(column, Column { name, kind }): (usize, &Column)| {
        let is_missing = |value: f32| match kind {
            ColumnKind::Numeric { .. } => value.is_nan(),
            ColumnKind::Categorical { values, shares: _ } => value >= values.len() as f32,
        };
        let missing = rows.iter().filter(|row| is_missing(row[column])).count();
        (name.clone(), missing as f64 / rows.rows().max(1) as f64)
    };
    features.columns.iter().enumerate().map(share).collect()
}

/// The recipe of 2016 with its own hyper-parameters, for comparison; that it cannot learn does not end a training.
fn baseline(
    features: &FeatureSpecification,
    training: &Rows,
    holdout: &Rows,
    settings: &LearnSettings,
) -> Option<Metrics> {
    // The rows are in the order of a hash, so the first ones are a uniform sample.
    let first: Vec<usize> = (0..training.matrix.rows().min(BASELINE_ROWS)).collect();
    let learner = Learner::defaults(Algorithm::SeedForest);
    match fit(&learner, &training.matrix.select(&first), &features.columns, &[], settings.seed) {
        Ok(forest) => {
            let scores = scores_of(&forest, &holdout.matrix);
            Some(evaluate(&scores, &holdout.labels, settings.alert_budget_per_million))
        }
        Err(error) => {
            tracing::info!(reason = error.reason(), %error, "there is no baseline to compare with");
            None
        }
    }
}

/// Metrics of raw scores. What needs labels is over the rows that have one, and absent where none has.
fn evaluate(scores: &[f64], labels: &[Option<bool>], alert_budget_per_million: f64) -> Metrics {
    let (labelled_scores, anomalies): (Vec<f64>, Vec<bool>) =
        scores.iter().zip(labels).filter_map(|(score, label)| Some((*score, (*label)?))).unzip();
    let all = at_budget(scores, &vec![false; scores.len()], alert_budget_per_million);
    let labelled = (!anomalies.is_empty()).then(|| at_budget(&labelled_scores, &anomalies, alert_budget_per_million));
    let counted = anomalies.iter().filter(|anomaly| **anomaly).count() as u64;
    Metrics {
        rows: scores.len() as u64,
        anomalies: labelled.map(|_| counted),
        auroc: auroc(&labelled_scores, &anomalies),
        auprc: auprc(&labelled_scores, &anomalies),
        recall_at_budget: labelled.and_then(|found| found.recall),
        precision_at_budget: labelled.and_then(|found| found.precision),
        alert_budget_per_million,
        alerts_per_million: all.alerts_per_million,
        folds: None,
    }
}

/// Whether an error is that the data does not have two different rows.
pub(crate) fn is_too_little_data(error: &TrainerError) -> bool {
    matches!(error, TrainerError::Fit(FitError::TooFewRows { .. }))
}

#[cfg(test)]
mod tests {
    use vedette_contract::model::SCHEMA;

    use super::*;

    const BUDGET: f64 = 100_000.0;

    #[test]
    fn without_labels_only_the_alerts_are_counted() {
        let scores: Vec<f64> = (0..100).map(f64::from).collect();
        let metrics = evaluate(&scores, &[None; 100], BUDGET);
        assert_eq!((metrics.rows, metrics.anomalies, metrics.auroc, metrics.auprc), (100, None, None, None));
        assert_eq!((metrics.recall_at_budget, metrics.precision_at_budget), (None, None));
        assert!((metrics.alerts_per_million - BUDGET).abs() < 1e-6);
    }

    #[test]
    fn rows_without_a_label_do_not_count_as_normal() {
        let scores: Vec<f64> = (0..100).map(f64::from).collect();
        let labels: Vec<_> = (0..100).map(|row| (row % 2 == 0).then_some(row >= 90)).collect();
        let metrics = evaluate(&scores, &labels, BUDGET);
        assert_eq!((metrics.rows, metrics.anomalies, metrics.auroc), (100, Some(5), Some(1.0)));
        assert_eq!((metrics.recall_at_budget, metrics.precision_at_budget), (Some(1.0), Some(1.0)));
    }

    fn rows(count: usize) -> Rows {
        let mut matrix = Matrix::new(2);
        for row in 0..count {
            let far = if row % 50 == 0 { 100.0 } else { 0.0 };
            #[allow(clippy::cast_possible_truncation)]
            matrix.push_row(&[(row % 10) as f32 + far, (row % 7) as f32]);
        }
        Rows { matrix, labels: (0..count).map(|row| Some(row % 50 == 0)).collect(), made: vec![None; count] }
    }

    fn features() -> FeatureSpecification {
        let column = |name: &str| Column { name: name.to_owned(), kind: ColumnKind::numeric(0.0) };
        FeatureSpecification { schema: SCHEMA, columns: vec![column("a"), column("b")] }
    }

    fn settings(algorithm: Algorithm) -> LearnSettings {
        LearnSettings { learner: Learner::defaults(algorithm), seed: 1, alert_budget_per_million: BUDGET, folds: 2 }
    }

    #[test]
    fn a_small_holdout_is_evaluated_alone_and_calibrated_with_all_rows_none_of_them_learned_from() {
        let settings = settings(Algorithm::Ensemble);
        let learned = learn(&features(), &rows(500), &rows(300), None, &settings).unwrap();
        assert_eq!((learned.metrics.rows, learned.calibration.rows), (300, 800));
        assert!(learned.metrics.auroc.unwrap() > 0.9, "{:?}", learned.metrics);
        assert_eq!(learned.learned, 500);
        let folds = learned.metrics.folds.unwrap();
        assert!(folds.folds == 2 && folds.stability > BUDGET / 1e6 && folds.separation > 1., "{folds:?}");
        assert_eq!(learned.baseline.unwrap().rows, 300);
        let none_held_out = learn(&features(), &rows(500), &rows(0), None, &settings).unwrap();
        assert_eq!((none_held_out.metrics.rows, none_held_out.calibration.rows), (0, 500));
        // 100 of them alert.
        let large = learn(&features(), &rows(500), &rows(1_000), None, &settings).unwrap();
        assert_eq!(large.calibration.rows, 1_000);
    }

    #[test]
    fn how_many_rows_lack_a_value_is_known_of_every_feature() {
        let columns = vec![
            Column { name: "a".to_owned(), kind: ColumnKind::numeric(0.0) },
            Column { name: "b".to_owned(), kind: ColumnKind::categorical(vec!["x".to_owned()]) },
        ];
        let mut matrix = Matrix::new(2);
        [[1.0, 0.0], [f32::NAN, 0.0], [2.0, 1.0], [3.0, 1.0]].iter().for_each(|row| matrix.push_row(row));
        let missing = missing_in(&matrix, &FeatureSpecification { schema: SCHEMA, columns });
        assert_eq!(missing, BTreeMap::from([("a".to_owned(), 0.25), ("b".to_owned(), 0.5)]));
    }

    #[test]
    fn the_seed_forest_is_not_its_own_baseline() {
        let learned = learn(&features(), &rows(500), &rows(300), None, &settings(Algorithm::SeedForest)).unwrap();
        assert_eq!((learned.learned, learned.baseline), (500, None));
    }

    #[test]
    fn labels_reach_the_learner_that_learns_from_them_and_no_other() {
        let (training, mut turned) = (rows(500), rows(500));
        turned.labels.iter_mut().for_each(|label| *label = label.map(|label| !label));
        for algorithm in [Algorithm::Ensemble, Algorithm::RandomForestClassifier] {
            let forest =
                |training| learn(&features(), training, &rows(300), None, &settings(algorithm)).unwrap().forest;
            let same = forest(&training) == forest(&turned);
            assert_eq!(same, algorithm == Algorithm::Ensemble);
        }
    }

    #[test]
    fn rows_that_are_all_the_same_are_too_little_data() {
        let mut training = rows(0);
        (0..200).for_each(|_| training.matrix.push_row(&[1.0, 2.0]));
        let refused = learn(&features(), &training, &rows(10), None, &settings(Algorithm::Ensemble)).err().unwrap();
        assert!(is_too_little_data(&refused), "{refused:?}");
    }
}
