//! The part of a forest that sees what learned trees cannot: to a split, a value far beyond everything that was learned
//! counts like the outermost value that was. Here each column has one tree, which says whether a value is outside its limits.

use vedette_contract::model::{Column, ColumnKind};

use crate::Matrix;
use crate::part::Part;
use crate::synthetic::Bounds;
use crate::tree::{Node, Tree};

/// Share of the width of a numeric column, measured in magnitudes, by which its limits lie beyond what was learned.
const MARGIN: f64 = 0.1;

/// The part of these trees: each field that is outside its limits is worth so much.
pub(crate) fn part(columns: usize, weight: f64) -> Part {
    Part { scale: 1. / columns as f64, weight, ..Part::mean(columns) }
}

/// One tree for each column, worth 1 outside the column's limits and 0 within. A category is outside when it was not seen.
pub(crate) fn trees(rows: &Matrix, columns: &[Column]) -> Vec<Tree> {
    let bounds = Bounds::new(rows);
    let leaf = |value, rows| Node { threshold: 0., column: 0, first_child: 0, value, rows };
    let tree = |(column, Column { name: _, kind }): (usize, &Column)| {
        let margin = match kind {
            ColumnKind::Numeric { median: _ } => MARGIN,
            ColumnKind::Categorical { values: _ } => 0.,
        };
        let limits = bounds.limits(column, margin);
        let split = |threshold, first_child| Node { threshold, column, first_child, ..leaf(0., rows.rows()) };
        let [outside, within] = [leaf(1., 0), leaf(0., rows.rows())];
        Tree::from_nodes(vec![split(limits.end, 1), split(limits.start, 3), outside, outside, within])
    };
    columns.iter().enumerate().map(tree).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Forest;

    #[test]
    fn what_was_never_seen_counts_field_by_field() {
        let mut rows = Matrix::new(2);
        (0..100u8).for_each(|value| rows.push_row(&[f32::from(value), f32::from(value % 2)]));
        let column = |kind| Column { name: String::new(), kind };
        let values = ["tcp", "udp"].map(str::to_owned).to_vec();
        let columns = [column(ColumnKind::Numeric { median: 0. }), column(ColumnKind::Categorical { values })];
        let forest = Forest::from_trees(2, vec![part(2, 4.)], &trees(&rows, &columns)).unwrap();
        for (row, outside) in
            [([0., 0.], 0), ([99., 1.], 0), ([1e3, 1.], 1), ([-1e3, 0.], 1), ([50., 2.], 1), ([1e3, 2.], 2)]
        {
            assert!((forest.score(&row) - 4. * f64::from(outside)).abs() < 1e-12, "{row:?}");
        }
    }
}
