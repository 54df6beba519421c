//! Fields of which every record has a value that was never there. Where there is one no threshold holds a budget of alerts, so nothing
//! is learned.

use std::collections::{BTreeMap, BTreeSet};

use vedette_contract::model::{Column, ColumnKind, FeatureSpecification};
use vedette_forest::Matrix;

use crate::collect::Rows;
use crate::error::TrainerError;
use crate::held_out::{NEWEST_OF, by_time, categories_of, is_seen};

/// So many of the records are nearly all of them.
const EVERY: f64 = 0.9;
/// The same of texts that stay for a while: that of the time by which rows are parted is in both parts, and of the last eighth of the
/// rows it is twice the share.
const EVERY_TEXT: f64 = 0.75;
const EVERY_TEXT_OF_EIGHTH: f64 = 0.5;
/// Rows that are looked at.
const ROWS: usize = 20_000;
/// A number is new where fewer of those before lie as far out on its side: some may stand apart.
const FAR_OUT: f64 = 0.005;

/// Numbers between which there are fewer that a model can tell apart do not show that the newest are beyond all before: it knows 24
/// bits of each, and of the seconds since 1970 every 128th.
const TOLD_APART: u32 = 256;

/// Refuses fields in which nearly every record is new: `once` says how many of the texts are the only ones of their kind, and of other
/// fields the newest rows have values that none of those before had, or it is one of `growing` and the model cannot tell. One that has
/// come to another level and stays there is none.
///
/// # Errors
/// With all such fields.
pub(crate) fn refuse_all_new(
    features: &FeatureSpecification,
    training: &Rows,
    once: &[(String, f64)],
    growing: &BTreeSet<String>,
) -> Result<(), TrainerError> {
    let once = once.iter().filter(|(_, share)| *share >= EVERY);
    let mut fields: BTreeMap<&str, String> = once
        .map(|(name, share)| (name.as_str(), format!("{name} (the only one of its kind in {})", of_all(*share, ""))))
        .collect();
    let (of_quarter, of_eighth) = (new_in(features, training, NEWEST_OF), new_in(features, training, 2 * NEWEST_OF));
    for ((column, quarter), eighth) in features.columns.iter().zip(of_quarter).zip(of_eighth) {
        let (every, every_of_eighth) = match column.kind {
            ColumnKind::Numeric { .. } => (EVERY, EVERY),
            ColumnKind::Categorical { .. } => (EVERY_TEXT, EVERY_TEXT_OF_EIGHTH),
        };
        if quarter >= every && eighth >= every_of_eighth {
            let told = || format!("{} (beyond all before in {})", column.name, of_all(quarter, "newest "));
            fields.entry(&column.name).or_insert_with(told);
        }
    }
    for (number, column) in features.columns.iter().enumerate().filter(|(_, column)| growing.contains(&column.name)) {
        if matches!(column.kind, ColumnKind::Numeric { .. }) && told_apart(number, &training.matrix) < TOLD_APART {
            let told = || format!("{} (only grows, and by less than a model can tell apart)", column.name);
            fields.entry(&column.name).or_insert_with(told);
        }
    }
    let fields: Vec<String> = fields.into_values().collect();
    if fields.is_empty() { Ok(()) } else { Err(TrainerError::EveryRecordIsNew { fields: fields.join(", ") }) }
}

/// Of each column the share of the newest rows, one in so many, whose value those before do not have; nothing where no times tell.
fn new_in(features: &FeatureSpecification, training: &Rows, newest_of: usize) -> Vec<f64> {
    let Some(split) = by_time(&training.made, ROWS, newest_of) else { return Vec::new() };
    let (older, newest) = (training.matrix.select(&split.older), training.matrix.select(&split.newest));
    let share = |(number, column): (usize, &Column)| {
        let values = newest.iter().map(|row| row[number]);
        let new = match categories_of((number, column), &older) {
            Some(seen) => values.filter(|code| !is_seen(&seen, *code)).count(),
            None => {
                let range = usual(number, &older);
                values.filter(|value| *value < range.0 || *value > range.1).count()
            }
        };
        new as f64 / newest.rows() as f64
    };
    features.columns.iter().enumerate().map(share).collect()
}

/// Where the numbers of a column lie, without the outermost; everywhere where there is none.
fn usual(number: usize, rows: &Matrix) -> (f32, f32) {
    let mut values: Vec<f32> = rows.iter().map(|row| row[number]).filter(|value| !value.is_nan()).collect();
    values.sort_unstable_by(f32::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a share of the rows
    let apart = (FAR_OUT * values.len() as f64) as usize;
    let end = |at: usize, without: f32| values.get(at).copied().unwrap_or(without);
    (end(apart, f32::MIN), end((values.len()).saturating_sub(apart + 1), f32::MAX))
}

/// How many different numbers a model could see where those of a column lie, less one.
fn told_apart(number: usize, rows: &Matrix) -> u32 {
    let (low, high) = usual(number, rows);
    // The bits of such numbers are in their order, those of the negative ones the other way round.
    let order = |value: f32| {
        let distance = i64::from(value.abs().to_bits());
        if value < 0. { -distance } else { distance }
    };
    u32::try_from(order(high) - order(low)).unwrap_or(u32::MAX)
}

fn of_all(share: f64, which: &str) -> String {
    format!("{:.0} % of the {which}records", share * 100.)
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)]
mod tests {
    use vedette_contract::model::SCHEMA;

    use super::*;

    /// Rows of a counter, a cycle, a level that was another once, a text that is there for a while, and one of ten; in no order of time.
    fn rows(count: u16) -> (FeatureSpecification, Rows) {
        let texts = |count: u16| ColumnKind::categorical((0..count).map(|text| text.to_string()).collect());
        let number = || ColumnKind::numeric(0.);
        let kinds = [number(), number(), number(), texts(count / 20 + 1), texts(10)];
        let names = ["counter", "cycle", "level", "minute", "machine"].map(str::to_owned);
        let columns = names.into_iter().zip(kinds).map(|(name, kind)| Column { name, kind }).collect();
        let mut matrix = Matrix::new(5);
        let order = (0..count).map(|row| u16::try_from(u32::from(row) * 7_919 % u32::from(count)).unwrap());
        let order: Vec<u16> = order.collect();
        for row in &order {
            // A value that stands apart hides nothing.
            let counter = if *row == 9 { 1e9 } else { f32::from(*row) };
            let level = f32::from(row % 50) + if *row >= count / 4 * 3 { 100. } else { 0. };
            matrix.push_row(&[counter, f32::from(row % 50), level, f32::from(row / 20), f32::from(row % 10)]);
        }
        let made = order.iter().map(|row| Some(i64::from(*row) * 1_000_000)).collect();
        (FeatureSpecification { schema: SCHEMA, columns }, Rows { matrix, labels: vec![None; count.into()], made })
    }

    fn refused((features, rows): &(FeatureSpecification, Rows), once: &[(String, f64)]) -> String {
        refuse_all_new(features, rows, once, &BTreeSet::new()).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_field_in_which_the_newest_are_beyond_all_before_is_named() {
        let told = refused(&rows(5_000), &[]);
        for field in ["counter", "minute"] {
            assert!(told.contains(&format!("{field} (beyond all before in")), "{told}");
        }
        assert!(!["cycle", "level", "machine"].iter().any(|field| told.contains(field)), "{told}");
        let told = refused(&rows(5_000), &[("minute".to_owned(), 0.9)]);
        assert!(told.contains("minute (the only one of its kind in 90 % of the records)"), "{told}");
        assert!(told.contains("counter (beyond"), "{told}");
    }

    #[test]
    fn a_field_that_grows_and_whose_numbers_a_model_cannot_tell_apart_is_named() {
        let (mut features, rows) = rows(5_000);
        let time = |row: u16| (1_772_355_600. + f64::from(row) * 0.1) as f32;
        let mut matrix = Matrix::new(2);
        (0..5_000).for_each(|row| matrix.push_row(&[time(row), f32::from(row % 50)]));
        for (column, name) in ["time", "cycle"].into_iter().enumerate() {
            features.columns[column] = Column { name: name.to_owned(), kind: ColumnKind::numeric(0.) };
        }
        features.columns.truncate(2);
        let rows = Rows { matrix, made: (0..5_000).map(Some).collect(), ..rows };
        let told = |growing: &[&str]| {
            let growing = growing.iter().map(|name| (*name).to_owned()).collect();
            refuse_all_new(&features, &rows, &[], &growing).err().map(|error| error.to_string()).unwrap_or_default()
        };
        let refused = told(&["time", "cycle", "other"]);
        assert!(refused.contains("time (only grows, and by less") && !refused.contains("cycle"), "{refused}");
        assert_eq!(told(&["cycle"]), "");
    }

    #[test]
    fn without_times_it_is_the_texts_that_are_there_once() {
        let (features, rows) = rows(5_000);
        for made in [vec![Some(1); 5_000], vec![None; 5_000]] {
            let rows = Rows { made, matrix: rows.matrix.clone(), labels: rows.labels.clone() };
            let rows = (features.clone(), rows);
            assert_eq!(refused(&rows, &[("minute".to_owned(), 0.89)]), "");
            assert!(refused(&rows, &[("minute".to_owned(), 0.95)]).contains("minute (the only one"));
        }
    }
}
