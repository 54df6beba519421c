//! What makes tables a forest. It is checked for every forest, learned or read, so that a walk needs no limit.

use crate::score::part::Part;
use crate::score::split::{MAX_COLUMNS, Split};

/// No tree is deeper than this many splits.
pub(crate) const MAX_DEPTH: u8 = 64;

/// Why nodes are not a forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForestError {
    /// There is no tree, or one without a node.
    #[error("the forest has no trees, or an empty one")]
    Empty,
    /// More columns than a split can name.
    #[error("the forest has {columns} columns, more than {MAX_COLUMNS}")]
    Columns {
        /// How many there are.
        columns: u32,
    },
    /// The trees do not all belong to one part, or a part's numbers make no sense.
    #[error("part {part} of the forest is not usable, or the parts do not have as many trees as the forest")]
    Part {
        /// Its position.
        part: usize,
    },
    /// A number is not finite.
    #[error("node {node} of the forest holds a number that is not finite")]
    NotFinite {
        /// Its position.
        node: usize,
    },
    /// A split reads a column that rows do not have.
    #[error("node {node} of the forest reads column {column} of {columns}")]
    Column {
        /// Its position.
        node: usize,
        /// The column.
        column: usize,
        /// How many there are.
        columns: u32,
    },
    /// A child is outside the tree, shared or nobody's.
    #[error("node {node} of the forest is not part of a tree")]
    Structure {
        /// Its position.
        node: usize,
    },
    /// A path is too long.
    #[error("node {node} of the forest is deeper than {MAX_DEPTH}")]
    Depth {
        /// Its position.
        node: usize,
    },
    /// What is known of the dependence between columns makes no sense.
    #[error("the dependence between columns in the forest is not usable: {0}")]
    Dependence(&'static str),
}

/// Checks the tables of a forest: the parts share out the trees, the roots begin them, and every walk stays in its tree
/// and ends. Gives the depth of each tree.
pub(crate) fn check(
    columns: u32,
    parts: &[Part],
    roots: &[u32],
    splits: &[Split],
    values: &[f32],
) -> Result<Vec<u8>, ForestError> {
    if columns > MAX_COLUMNS {
        return Err(ForestError::Columns { columns });
    }
    if let Some(part) = parts.iter().position(|part| !part.is_valid()) {
        return Err(ForestError::Part { part });
    }
    if parts.iter().map(|part| u64::from(part.trees)).sum::<u64>() != roots.len() as u64 {
        return Err(ForestError::Part { part: parts.len() });
    }
    let end = splits.len();
    if roots.first() != Some(&0) || !roots.is_sorted_by(|left, right| left < right) || values.len() != end {
        return Err(ForestError::Empty);
    }
    // Depth of each node plus one; 0 as long as no parent was seen.
    let mut levels = vec![0; end];
    let ends = roots.iter().skip(1).map(|root| *root as usize).chain([end]);
    roots
        .iter()
        .zip(ends)
        .map(|(root, tree_end)| {
            let root = *root as usize;
            if root >= tree_end || tree_end > end {
                return Err(ForestError::Empty);
            }
            levels[root] = 1;
            for node in root..tree_end {
                if !values[node].is_finite() {
                    return Err(ForestError::NotFinite { node });
                }
                check_split(splits[node], columns, node, tree_end, &mut levels)?;
            }
            Ok(levels[root..tree_end].iter().copied().max().unwrap_or(1) - 1)
        })
        .collect()
}

fn check_split(split: Split, columns: u32, node: usize, tree_end: usize, levels: &mut [u8]) -> Result<(), ForestError> {
    if levels[node] == 0 {
        return Err(ForestError::Structure { node });
    }
    if levels[node] > MAX_DEPTH + 1 {
        return Err(ForestError::Depth { node });
    }
    if split.distance() == 0 {
        // Any other leaf would let a row leave it.
        return if split == Split::LEAF { Ok(()) } else { Err(ForestError::Structure { node }) };
    }
    if !split.threshold().is_finite() {
        return Err(ForestError::NotFinite { node });
    }
    if split.column() >= columns as usize {
        return Err(ForestError::Column { node, column: split.column(), columns });
    }
    let first_child = node + split.distance();
    if first_child + 1 >= tree_end {
        return Err(ForestError::Structure { node });
    }
    for child in [first_child, first_child + 1] {
        if levels[child] != 0 {
            return Err(ForestError::Structure { node: child });
        }
        levels[child] = levels[node] + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::trees::Trees;

    fn forest(roots: &[u32], splits: &[Split]) -> Result<Trees, ForestError> {
        let values = vec![0.; splits.len()];
        Trees::new(2, vec![Part::mean(roots.len())], roots.to_vec(), splits.to_vec(), values)
    }

    fn split(distance: usize) -> Split {
        Split::new(1., 0, distance).unwrap()
    }

    #[test]
    fn tables_that_are_not_trees_are_refused() {
        let leaf = Split::LEAF;
        let structure = |node| ForestError::Structure { node };
        for (case, result, expected) in [
            ("no tree", forest(&[], &[]), ForestError::Part { part: 0 }),
            ("a root beyond the end", forest(&[0, 1], &[leaf]), ForestError::Empty),
            ("two trees of one root", forest(&[0, 0], &[leaf]), ForestError::Empty),
            ("a first root that is not first", forest(&[1], &[leaf, leaf]), ForestError::Empty),
            ("one child only", forest(&[0], &[split(1), leaf]), structure(0)),
            ("children in the next tree", forest(&[0, 1], &[split(1), leaf, leaf]), structure(0)),
            ("a shared child", forest(&[0], &[split(1), split(2), split(1), leaf, leaf]), structure(3)),
            ("a node of nobody", forest(&[0], &[leaf, leaf]), structure(1)),
            ("a far child", forest(&[0], &[split((1 << 20) - 1), leaf, leaf]), structure(0)),
            (
                "an unknown column",
                forest(&[0], &[Split::new(0., 2, 1).unwrap(), leaf, leaf]),
                ForestError::Column { node: 0, column: 2, columns: 2 },
            ),
            (
                "a threshold that is not a number",
                forest(&[0], &[Split::new(f32::NAN, 0, 1).unwrap(), leaf, leaf]),
                ForestError::NotFinite { node: 0 },
            ),
            ("a leaf with a threshold", forest(&[0], &[Split::from_parts(1., 0)]), structure(0)),
        ] {
            assert_eq!(result.unwrap_err(), expected, "{case}");
        }
    }

    #[test]
    fn numbers_that_make_no_score_are_refused() {
        let with = |part: Part, value: f32| Trees::new(1, vec![part], vec![0], vec![Split::LEAF], vec![value]);
        let part = Part::mean(1);
        assert!(with(part, 1.).is_ok());
        assert_eq!(with(part, f32::INFINITY).unwrap_err(), ForestError::NotFinite { node: 0 });
        for broken in [
            Part { scale: 0., ..part },
            Part { center: f64::NAN, ..part },
            Part { slope: -1., ..part },
            Part { far_slope: -1., ..part },
            Part { cap: 2., far: 1., ..part },
            Part { trees: 0, ..part },
        ] {
            assert_eq!(with(broken, 1.).unwrap_err(), ForestError::Part { part: 0 });
        }
        assert_eq!(with(Part::mean(2), 1.).unwrap_err(), ForestError::Part { part: 1 });
        let wide = Trees::new(MAX_COLUMNS + 1, vec![part], vec![0], vec![Split::LEAF], vec![0.]);
        assert!(matches!(wide, Err(ForestError::Columns { .. })));
    }

    #[test]
    fn a_path_that_is_too_long_is_refused() {
        let chain = |splits: usize| {
            let pair = [Split::LEAF, split(1)];
            let mut tree = vec![split(1)];
            (1..splits).for_each(|_| tree.extend(pair));
            tree.extend([Split::LEAF; 2]);
            tree
        };
        assert_eq!(forest(&[0], &chain(64)).unwrap().depths, [64]);
        assert!(matches!(forest(&[0], &chain(65)), Err(ForestError::Depth { .. })));
    }
}
