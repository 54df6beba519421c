//! How the scores and the features of the stream are distributed, for detectors to compare with. Rows are in the order of a hash,
//! so the first ones are a uniform sample.

use std::collections::BTreeMap;

use vedette_contract::distribution::{Distribution, Distributions, SCORE_ENDS, score_bin};
use vedette_contract::model::{Calibration, Column, ColumnKind};
use vedette_forest::artifact::ArtifactError;
use vedette_forest::calibration::Calibrator;
use vedette_forest::{Forest, Matrix};

use crate::error::TrainerError;

/// So many rows are counted at most.
const ROWS: usize = 50_000;
/// Fewer rows that were not learned from do not tell how scores are distributed.
const HELD_OUT: usize = 1_000;
/// Bins of numbers of about as many rows each, and the most frequent categories with a bin of their own.
const BINS: usize = 10;

/// Distributions of the rows of a stream. Scores are those of the rows that were not learned from, where there are enough of them.
///
/// # Errors
/// When the calibration cannot be used.
pub(crate) fn distributions(
    columns: &[Column],
    (forest, calibration): (&Forest, &Calibration),
    held_out: &Matrix,
    others: &Matrix,
) -> Result<Distributions, TrainerError> {
    let calibrator = Calibrator::new(calibration).map_err(ArtifactError::from)?;
    let scored = if held_out.rows() < HELD_OUT { vec![held_out, others] } else { vec![held_out] };
    let (mut counts, mut raw) = (vec![0; SCORE_ENDS.len() + 1], Vec::new());
    for rows in scored {
        forest.score_batch(&first(rows), &mut raw);
        raw.iter().for_each(|raw| counts[score_bin(calibrator.score(*raw))] += 1);
    }
    let sides = [held_out, others].map(first);
    let numbers = |column: usize| sides.iter().flat_map(move |rows| rows.iter().map(move |row| row[column]));
    let feature = |(column, Column { name, kind }): (usize, &Column)| {
        let ends = match kind {
            ColumnKind::Numeric { .. } => ends_of_numbers(numbers(column).collect()),
            ColumnKind::Categorical { values, shares: _ } => ends_of_categories(values.len()),
        };
        (name.clone(), distribution(ends, numbers(column)))
    };
    let features: BTreeMap<_, _> = columns.iter().enumerate().take(Distributions::FEATURES).map(feature).collect();
    Ok(Distributions { score_ends: SCORE_ENDS.to_vec(), scores: shares(&counts), features })
}

fn first(rows: &Matrix) -> Matrix {
    rows.select(&(0..rows.rows().min(ROWS)).collect::<Vec<_>>())
}

/// Every tenth number of the sorted ones, none twice.
fn ends_of_numbers(mut numbers: Vec<f32>) -> Vec<f32> {
    numbers.retain(|number| !number.is_nan());
    numbers.sort_unstable_by(f32::total_cmp);
    let last = numbers.len().saturating_sub(1);
    let mut ends: Vec<f32> = (1..BINS).filter_map(|tenth| numbers.get(last * tenth / BINS).copied()).collect();
    ends.dedup();
    ends
}

/// The most frequent categories stand for themselves; then come all others, and beyond them what is missing or was never seen.
fn ends_of_categories(values: usize) -> Vec<f32> {
    let mut ends: Vec<f32> = (0..values.min(BINS)).map(|position| position as f32).collect();
    ends.extend((values > BINS).then(|| (values - 1) as f32));
    ends
}

fn distribution(ends: Vec<f32>, numbers: impl Iterator<Item = f32>) -> Distribution {
    let mut distribution = Distribution { ends, shares: Vec::new() };
    let mut counts = vec![0; distribution.bins()];
    numbers.for_each(|number| counts[distribution.bin(number)] += 1);
    distribution.shares = shares(&counts);
    distribution
}

fn shares(counts: &[u64]) -> Vec<f64> {
    let rows = counts.iter().sum::<u64>().max(1) as f64;
    counts.iter().map(|count| *count as f64 / rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_contract::learner::Algorithm;
    use vedette_forest::calibration::calibrate;
    use vedette_forest::{Learner, fit};

    fn rows(count: u16, shift: f32) -> Matrix {
        let mut rows = Matrix::new(3);
        for row in 0..count {
            let number = if row % 10 == 0 { f32::NAN } else { f32::from(row % 100) + shift };
            rows.push_row(&[number, f32::from(row % 20), f32::from(row % 2)]);
        }
        rows
    }

    fn columns() -> Vec<Column> {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let values = (0..19).map(|value| value.to_string()).collect();
        vec![
            column("a", ColumnKind::numeric(0.)),
            column("b", ColumnKind::categorical(values)),
            column("c", ColumnKind::numeric(0.)),
        ]
    }

    #[test]
    fn numbers_have_buckets_of_about_as_many_rows_and_frequent_categories_one_of_their_own() {
        let (held_out, others) = (rows(2_000, 0.), rows(8_000, 0.));
        let forest = fit(&Learner::defaults(Algorithm::IsolationForest), &others, &columns(), &[], 1).unwrap();
        let mut scores = Vec::new();
        forest.score_batch(&held_out, &mut scores);
        let calibration = calibrate(scores).unwrap();
        let told = distributions(&columns(), (&forest, &calibration), &held_out, &others).unwrap();
        assert!(told.scores().is_some() && told.features.values().all(Distribution::is_whole), "{told:?}");
        let [a, b, c] = ["a", "b", "c"].map(|name| &told.features[name]);
        assert!(a.ends.len() == 9 && (a.shares[10] - 0.1).abs() < 1e-9, "a tenth is missing: {a:?}");
        assert!(a.shares[..10].iter().all(|share| (0.07..0.11).contains(share)), "{a:?}");
        assert_eq!(b.ends, [0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 18.]);
        assert!((b.shares[10] - 9. / 20.).abs() < 1e-9 && (b.shares[11] - 1. / 20.).abs() < 1e-9, "{b:?}");
        assert_eq!((c.ends.as_slice(), c.shares.as_slice()), ([0., 1.].as_slice(), [0.5, 0.5, 0., 0.].as_slice()));
    }

    #[test]
    fn a_column_of_one_number_or_of_none_has_a_distribution_too() {
        assert_eq!(ends_of_numbers(vec![7.; 40]), [7.]);
        assert_eq!(ends_of_numbers(vec![-0., 0., -0., 0.]), [0.]);
        assert_eq!(ends_of_numbers(vec![f32::NAN; 40]), [0.; 0]);
        let nothing = distribution(Vec::new(), [f32::NAN; 4].into_iter());
        assert!(nothing.is_whole() && nothing.shares == [0., 1.], "{nothing:?}");
    }
}
