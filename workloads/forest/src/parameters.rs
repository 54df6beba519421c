//! Hyper-parameters: what each algorithm has, its defaults and their ranges.

use std::collections::BTreeMap;

use vedette_contract::model::Algorithm;

use crate::fit::FitError;
use crate::structure::MAX_DEPTH;

/// Hyper-parameters; each algorithm reads those that it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForestParameters {
    /// Trees of the forest, 1 to 10,000.
    pub trees: u32,
    /// Rows per tree, at least 2 (`IsolationForest`).
    pub rows_per_tree: u32,
    /// Splits between root and leaf at most, 1 to 64.
    pub max_depth: u32,
    /// Synthetic rows as a share of the real ones, more than 0 and at most 10 (`SeedForest`).
    pub synthetic_fraction: f64,
}

impl ForestParameters {
    /// The algorithm's own.
    pub fn defaults(algorithm: Algorithm) -> Self {
        Self::chosen(algorithm, None, None, None, None)
    }

    /// The algorithm's own where none is given. Unless it is given, the depth of an isolation forest follows the rows
    /// per tree: half as much again as that of a balanced tree, at which Liu, Ting and Zhou (2008) stop; on the sets of
    /// `ADBench` the deeper trees were better.
    pub fn chosen(
        algorithm: Algorithm,
        trees: Option<u32>,
        rows_per_tree: Option<u32>,
        max_depth: Option<u32>,
        synthetic_fraction: Option<f64>,
    ) -> Self {
        let rows_per_tree = rows_per_tree.unwrap_or(256);
        let (default_trees, default_depth) = match algorithm {
            Algorithm::IsolationForest => (100, (balanced_depth(rows_per_tree) * 3 / 2).clamp(1, MAX_DEPTH)),
            Algorithm::SeedForest => (10, 15),
        };
        Self {
            trees: trees.unwrap_or(default_trees),
            rows_per_tree,
            max_depth: max_depth.unwrap_or(default_depth),
            synthetic_fraction: synthetic_fraction.unwrap_or(0.1),
        }
    }

    /// What the algorithm reads, by name, for the model's metadata.
    pub fn by_name(&self, algorithm: Algorithm) -> BTreeMap<String, f64> {
        let Self { trees, rows_per_tree, max_depth, synthetic_fraction } = *self;
        let own = match algorithm {
            Algorithm::IsolationForest => ("rows_per_tree", f64::from(rows_per_tree)),
            Algorithm::SeedForest => ("synthetic_fraction", synthetic_fraction),
        };
        [("trees", f64::from(trees)), ("max_depth", f64::from(max_depth)), own]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// Whether every parameter is in its range.
    pub(crate) fn check(&self) -> Result<(), FitError> {
        let Self { trees, rows_per_tree, max_depth, synthetic_fraction } = *self;
        let checks = [
            ("trees", f64::from(trees), "1 to 10000", (1..=10_000).contains(&trees)),
            ("rows_per_tree", f64::from(rows_per_tree), "at least 2", rows_per_tree >= 2),
            ("max_depth", f64::from(max_depth), "1 to 64", (1..=MAX_DEPTH).contains(&max_depth)),
            (
                "synthetic_fraction",
                synthetic_fraction,
                "more than 0 and at most 10",
                synthetic_fraction > 0. && synthetic_fraction <= 10.,
            ),
        ];
        match checks.into_iter().find(|(.., allowed)| !allowed) {
            None => Ok(()),
            Some((name, value, allowed, _)) => Err(FitError::Parameter { name, value, allowed }),
        }
    }
}

fn balanced_depth(rows: u32) -> u32 {
    u32::BITS - rows.saturating_sub(1).leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_follows_the_rows_unless_it_is_given() {
        let chosen =
            |rows, depth| ForestParameters::chosen(Algorithm::IsolationForest, None, rows, depth, None).max_depth;
        assert_eq!([chosen(None, None), chosen(Some(1_000), None), chosen(Some(2), None)], [12, 15, 1]);
        assert_eq!(chosen(Some(u32::MAX), None), 48);
        assert_eq!(chosen(None, Some(8)), 8);
        let defaults = ForestParameters::defaults(Algorithm::SeedForest);
        assert_eq!((defaults.trees, defaults.max_depth), (10, 15));
        let names: Vec<String> = defaults.by_name(Algorithm::SeedForest).into_keys().collect();
        assert_eq!(names, ["max_depth", "synthetic_fraction", "trees"]);
    }
}
