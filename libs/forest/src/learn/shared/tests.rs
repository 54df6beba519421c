use vedette_contract::learner::Algorithm;
use vedette_contract::model::ColumnKind;
use vedette_contract::parameters::Parameters;

use super::*;

/// Three columns that rise together, each pattern there several times; one row in a hundred is far away.
fn rows() -> Matrix {
    let mut rows = Matrix::new(3);
    for row in 0..6_000u16 {
        let (value, noise) = (f32::from(row % 211), f32::from(row % 7));
        rows.push_row(&[if row % 100 == 3 { 900. + noise } else { value }, value + noise, value * 2.]);
    }
    rows
}

fn columns() -> [Column; 3] {
    ["a", "b", "c"].map(|name| Column { name: name.to_owned(), kind: ColumnKind::numeric(0.) })
}

fn scores(forest: &Forest, rows: &Matrix) -> Vec<f64> {
    let mut scores = Vec::new();
    forest.score_batch(rows, &mut scores);
    scores
}

/// Pearson's correlation.
fn correlation(one: &[f64], other: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let sum = |of: &dyn Fn(usize) -> f64| (0..one.len()).map(of).sum::<f64>();
    let covariance = sum(&|row| (one[row] - mean_one) * (other[row] - mean_other));
    let spread = sum(&|row| (one[row] - mean_one).powi(2)) * sum(&|row| (other[row] - mean_other).powi(2));
    covariance / spread.sqrt()
}

#[test]
fn a_model_of_all_rows_scores_as_the_learner_by_itself_does() {
    let (rows, columns) = (rows(), columns());
    let labels: Vec<Option<bool>> = (0..rows.rows()).map(|row| Some(row % 100 == 3)).collect();
    let unsupervised = |parameters: Parameters| Learner::new(Algorithm::UnsupervisedRandomForest, &parameters).unwrap();
    let kinds = [SyntheticRows::Marginals, SyntheticRows::Swaps, SyntheticRows::Uniform];
    let mut learners: Vec<Learner> = Algorithm::all().iter().map(|algorithm| Learner::defaults(*algorithm)).collect();
    for kind in kinds {
        for deduplicate in [true, false] {
            learners.push(unsupervised(Parameters {
                synthetic_rows: Some(kind),
                deduplicate: Some(deduplicate),
                trim_fraction: Some(if deduplicate { 0.05 } else { 0. }),
                max_bins: Some(32),
                ..Parameters::default()
            }));
        }
    }
    let shared = Shared::new(&rows, &labels, &columns, &learners, 1).unwrap();
    // Rows of which some are usual, and others not at all.
    let mut probe = rows.clone();
    crate::learn::synthetic::with_swaps(&rows, 3_000, &mut random_for(1, "probe", 0), &mut probe);
    #[allow(clippy::cast_possible_truncation)]
    let all: Vec<u32> = (0..rows.rows() as u32).collect();
    for learner in &learners {
        let of_all = scores(&shared.fit(learner, &all).unwrap(), &probe);
        let alone = scores(&fit(learner, &rows, &columns, &labels, 1).unwrap(), &probe);
        let agreed = correlation(&of_all, &alone);
        assert!(agreed > 0.9, "{learner:?}: {agreed}");
    }
}

#[test]
fn patterns_are_those_of_equal_rows() {
    let mut rows = Matrix::new(2);
    for row in [[3., 1.], [1., 2.], [3., 1.], [0., 0.], [1., 2.]] {
        rows.push_row(&row);
    }
    assert_eq!(patterns_of(&rows), [0, 1, 0, 3, 1]);
}

#[test]
fn what_is_taken_for_real_is_trimmed_and_distinct() {
    let (rows, columns) = (rows(), columns());
    let learner = Learner::defaults(Algorithm::UnsupervisedRandomForest);
    let shared = Shared::new(&rows, &[], &columns, &[learner], 1).unwrap();
    let among: Vec<u32> = (0..3_000).collect();
    let trimmed = shared.real(&among, false, 0.1);
    assert!((2_600..=2_750).contains(&trimmed.len()), "{}", trimmed.len());
    assert!(trimmed.iter().all(|row| row % 100 != 3), "what is far away is trimmed");
    let distinct = shared.real(&among, true, 0.);
    let numbers: Vec<usize> = among.iter().map(|row| *row as usize).collect();
    assert_eq!(distinct.len(), rows.select(&numbers).distinct().rows());
}

#[test]
fn rows_that_do_not_do_are_refused_as_by_the_learner_itself() {
    let (rows, columns) = (rows(), columns());
    let learner = Learner::defaults(Algorithm::RandomForestClassifier);
    let labels = vec![Some(false); rows.rows()];
    let shared = Shared::new(&rows, &labels, &columns, &[learner], 1).unwrap();
    let refused = shared.fit(&learner, &[1, 2, 3]).unwrap_err();
    assert!(matches!(refused, FitError::OneClass { normal: 3, anomalies: 0 }), "{refused:?}");
    let refused = shared.fit(&learner, &[1]).unwrap_err();
    assert!(matches!(refused, FitError::TooFewRows { distinct: 1 }), "{refused:?}");
    let mut same = Matrix::new(3);
    (0..9).for_each(|_| same.push_row(&[1., 2., 3.]));
    assert!(matches!(Shared::new(&same, &[], &columns, &[], 1), Err(FitError::TooFewRows { distinct: 1 })));
}
