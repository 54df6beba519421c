//! What is usual of the columns that were learned from. No score goes by it: the reasons of an alert say it.

use rayon::prelude::*;
use vedette_contract::model::{Column, ColumnKind, UsualNumbers};

use crate::Matrix;
use crate::learn::limits::limits;
use crate::learn::quantiles::{quantile, sorted};
use crate::learn::tails::MARGIN;

/// Nine of ten numbers are usual.
const LOW: f64 = 0.05;
const HIGH: f64 = 0.95;
/// Shares are known of so many values of a category.
const SHARES: usize = 10;

/// The columns, each with what is usual in these rows.
pub fn with_usual(columns: &[Column], rows: &Matrix) -> Vec<Column> {
    let of = |(position, column): (usize, &Column)| {
        let values = || rows.iter().map(|row| row[position]);
        let kind = match &column.kind {
            ColumnKind::Numeric { median, sentinels, usual: _ } => {
                let usual = numbers(values().filter(|value| !value.is_nan()));
                ColumnKind::Numeric { median: *median, sentinels: sentinels.clone(), usual }
            }
            ColumnKind::Categorical { values: seen, shares: _ } => {
                ColumnKind::Categorical { values: seen.clone(), shares: shares(values(), seen.len().min(SHARES)) }
            }
        };
        Column { name: column.name.clone(), kind }
    };
    columns.par_iter().enumerate().map(of).collect()
}

fn numbers(values: impl Iterator<Item = f32>) -> Option<UsualNumbers> {
    let sorted = sorted(values.map(f64::from).collect());
    let beyond = (!sorted.is_empty()).then(|| limits(&sorted, MARGIN))?;
    #[allow(clippy::cast_possible_truncation)] // between values that are f32
    let [low, high] = [LOW, HIGH].map(|share| quantile(&sorted, share) as f32);
    Some(UsualNumbers { low, high, beyond_low: beyond.start, beyond_high: beyond.end })
}

/// The shares of the first so many codes.
fn shares(codes: impl Iterator<Item = f32>, count: usize) -> Vec<f64> {
    let (mut counts, mut all) = (vec![0_u64; count], 0_u64);
    for code in codes {
        all += 1;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a position
        if let Some(counted) = counts.get_mut(code as usize) {
            *counted += 1;
        }
    }
    counts.into_iter().map(|counted| counted as f64 / all.max(1) as f64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual(rows: &[[f32; 2]]) -> (Option<UsualNumbers>, Vec<f64>) {
        let mut matrix = Matrix::new(2);
        rows.iter().for_each(|row| matrix.push_row(row));
        let values = ["http", "smtp", "dns"].map(str::to_owned).to_vec();
        let column = |kind| Column { name: String::new(), kind };
        let columns = [column(ColumnKind::numeric(0.)), column(ColumnKind::categorical(values))];
        let columns = with_usual(&columns, &matrix);
        let [ColumnKind::Numeric { usual, .. }, ColumnKind::Categorical { shares, .. }] =
            [&columns[0].kind, &columns[1].kind]
        else {
            panic!("{columns:?}")
        };
        (*usual, shares.clone())
    }

    #[test]
    fn nine_of_ten_numbers_are_usual_and_none_that_was_learned_is_beyond() {
        let rows: Vec<[f32; 2]> = (0..=100u8).map(|row| [row.into(), 0.]).collect();
        let UsualNumbers { low, high, beyond_low, beyond_high } = usual(&rows).0.unwrap();
        assert_eq!([low, high], [5., 95.]);
        assert!(beyond_low < 0. && (100. ..200.).contains(&beyond_high), "{beyond_low} {beyond_high}");
    }

    #[test]
    fn what_is_missing_is_not_counted_among_numbers_and_what_is_unseen_has_no_share() {
        let rows: Vec<[f32; 2]> = (0..8u8).map(|row| [f32::NAN, f32::from(row % 4)]).collect();
        assert_eq!(usual(&rows), (None, vec![0.25; 3]));
        assert_eq!(usual(&[]), (None, vec![0.; 3]));
    }
}
