//! Fields that separate a declared label by themselves: it is reported, as such a field may be the label under another name.

use vedette_contract::model::{Column, ColumnKind};
use vedette_forest::metrics::auroc;

use crate::collect::Rows;

/// Rows that are looked at, and how many of either side it takes.
const ROWS: usize = 20_000;
const OF_EACH: usize = 10;
/// A category has so many rows on average at least, or it would separate by chance.
const ROWS_A_CATEGORY: usize = 20;
/// An area under the curve from here on is a separation.
const SEPARATES: f64 = 0.999;

/// Names of the columns whose values alone rank nearly all anomalies above, or below, all others.
pub(crate) fn separating(columns: &[Column], rows: &Rows) -> Vec<String> {
    let labelled: Vec<(usize, bool)> =
        rows.labels.iter().take(ROWS).enumerate().filter_map(|(row, label)| Some((row, (*label)?))).collect();
    let anomalies = labelled.iter().filter(|(_, is_anomaly)| *is_anomaly).count();
    if anomalies < OF_EACH || labelled.len() - anomalies < OF_EACH {
        return Vec::new();
    }
    let separates = |(number, column): (usize, &Column)| {
        let values = labelled.iter().map(|(row, is_anomaly)| (rows.matrix.row(*row)[number], *is_anomaly));
        let values: Vec<(f32, bool)> = values.filter(|(value, _)| !value.is_nan()).collect();
        let ranks = match &column.kind {
            ColumnKind::Numeric { .. } => values.iter().map(|(value, _)| f64::from(*value)).collect(),
            ColumnKind::Categorical { values: seen, .. } if seen.len() * ROWS_A_CATEGORY <= values.len() => {
                shares(&values)
            }
            ColumnKind::Categorical { .. } => return false,
        };
        let anomalies: Vec<bool> = values.iter().map(|(_, is_anomaly)| *is_anomaly).collect();
        auroc(&ranks, &anomalies).is_some_and(|area| area.max(1. - area) >= SEPARATES)
    };
    columns.iter().enumerate().filter(|it| separates(*it)).map(|(_, column)| column.name.clone()).collect()
}

/// For each row the share of anomalies among those of its category.
fn shares(values: &[(f32, bool)]) -> Vec<f64> {
    let mut counts = std::collections::HashMap::<u32, (f64, f64)>::new();
    for (value, is_anomaly) in values {
        let (anomalies, all) = counts.entry(value.to_bits()).or_default();
        *anomalies += f64::from(u8::from(*is_anomaly));
        *all += 1.;
    }
    let share = |(value, _): &(f32, bool)| counts.get(&value.to_bits()).map_or(0., |(anomalies, all)| anomalies / all);
    values.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use vedette_forest::Matrix;

    use super::*;

    #[test]
    fn a_field_that_is_the_label_under_another_name_is_told() {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let categories = || ColumnKind::categorical(["a", "b", "c"].map(str::to_owned).to_vec());
        let columns = [
            column("copy", ColumnKind::numeric(0.)),
            column("inverse", ColumnKind::numeric(0.)),
            column("kind", categories()),
            column("other", categories()),
            column("size", ColumnKind::numeric(0.)),
        ];
        let rows = |count: u8, is_labelled: bool| {
            let mut matrix = Matrix::new(columns.len());
            let is_anomaly = |row: u8| row.is_multiple_of(5);
            for row in 0..count {
                let number = f32::from(row);
                let copy = if is_anomaly(row) { 1. } else { 0. };
                let kind = if is_anomaly(row) { 1. } else { f32::from(row % 2) * 2. };
                matrix.push_row(&[copy, -copy, kind, f32::from(row % 3), number]);
            }
            let labels = (0..count).map(|row| is_labelled.then(|| is_anomaly(row))).collect();
            Rows { matrix, labels, made: vec![None; count.into()] }
        };
        assert_eq!(separating(&columns, &rows(200, true)), ["copy", "inverse", "kind"]);
        assert!(separating(&columns, &rows(40, true)).is_empty() && separating(&columns, &rows(200, false)).is_empty());
    }
}
