//! Trees as flat tables of nodes, whoever learned them: scores and the columns behind them come from the same walk.
//! A walk goes to the second child where the value is greater than the threshold, else to the first. A leaf leads to itself,
//! so several walks go in step, as many steps as the deepest tree has levels: nothing is predicted wrongly, and the loads of
//! one walk do not wait for those of another.

use std::ops::Range;

use crate::score::part::Part;
use crate::score::split::Split;
use crate::score::structure::{self, ForestError};
use crate::score::tree::Tree;

/// Walks that go in step.
pub(crate) const LANES: usize = 8;
/// Rows that are walked through one tree before the next: their values stay in the first-level cache.
pub(crate) const BLOCK: usize = 64;

/// Trees in parts. Always checked, so that every walk ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trees {
    pub(crate) columns: u32,
    /// Consecutive trees that are summed up together; all trees belong to one.
    pub(crate) parts: Vec<Part>,
    /// Position of each tree's root, rising, the first of them 0.
    pub(crate) roots: Vec<u32>,
    /// Splits between the root of each tree and its deepest leaf.
    pub(crate) depths: Vec<u8>,
    pub(crate) splits: Vec<Split>,
    /// What a row that gets to a node is worth: of a leaf by itself, of an inner node the mean of the leaves below,
    /// weighted by the training rows that they hold. Higher is more anomalous.
    pub(crate) values: Vec<f32>,
}

impl Trees {
    /// Checks and takes the tables.
    pub(crate) fn new(
        columns: u32,
        parts: Vec<Part>,
        roots: Vec<u32>,
        splits: Vec<Split>,
        values: Vec<f32>,
    ) -> Result<Self, ForestError> {
        let depths = structure::check(columns, &parts, &roots, &splits, &values)?;
        Ok(Self { columns, parts, roots, depths, splits, values })
    }

    /// Joins the trees of the parts, in order.
    pub(crate) fn from_trees(columns: usize, parts: Vec<Part>, trees: &[Tree]) -> Result<Self, ForestError> {
        let nodes = trees.iter().map(|tree| tree.nodes().len()).sum();
        let mut roots = Vec::with_capacity(trees.len());
        let (mut splits, mut values) = (Vec::with_capacity(nodes), Vec::with_capacity(nodes));
        for tree in trees {
            let node = splits.len();
            roots.push(u32::try_from(node).map_err(|_| ForestError::Structure { node })?);
            for (position, made) in tree.nodes().iter().enumerate() {
                let split = match made.first_child {
                    0 => Some(Split::LEAF),
                    child => child.checked_sub(position).and_then(|far| Split::new(made.threshold, made.column, far)),
                };
                splits.push(split.ok_or(ForestError::Structure { node: node + position })?);
                #[allow(clippy::cast_possible_truncation)] // plenty for a mean of path lengths or of votes
                values.push(made.value as f32);
            }
        }
        let columns = u32::try_from(columns).unwrap_or(u32::MAX);
        Self::new(columns, parts, roots, splits, values)
    }

    /// The columns that these trees ask for, rising.
    pub(crate) fn columns_of(&self, trees: Range<usize>) -> Vec<usize> {
        let mut columns: Vec<usize> =
            self.splits_of(trees).filter(|split| split.distance() > 0).map(Split::column).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    }

    /// The splits of these trees, if there are any such trees.
    fn splits_of(&self, trees: Range<usize>) -> impl Iterator<Item = Split> {
        let at = |tree: usize| self.roots.get(tree).map_or(self.splits.len(), |root| *root as usize);
        self.splits[at(trees.start)..at(trees.end)].iter().copied()
    }

    pub(crate) fn parts_and_trees(&self) -> impl Iterator<Item = (&Part, Range<usize>)> {
        let mut end = 0;
        self.parts.iter().map(move |part| {
            let begin = end;
            end += part.trees as usize;
            (part, begin..end)
        })
    }

    /// Sum of the trees' leaves, in the order of the trees.
    pub(crate) fn sum(&self, trees: Range<usize>, row: &[u32]) -> f64 {
        self.groups(trees)
            .map(|(roots, depth)| {
                let mut nodes = walks(roots);
                for _ in 0..depth {
                    for node in &mut nodes {
                        let split = self.splits[*node as usize];
                        *node += split.step(row[split.column()]);
                    }
                }
                nodes.iter().take(roots.len()).map(|node| f64::from(self.values[*node as usize])).sum::<f64>()
            })
            .sum()
    }

    /// Sums of the trees' roots and of their leaves; what changes from node to node is added to the split's column, for each
    /// lane by itself: one sum would be waited for by all of them.
    pub(crate) fn changes(&self, trees: Range<usize>, row: &[u32], changes: &mut [[f32; LANES]]) -> (f64, f64) {
        let (mut from, mut to) = (0., 0.);
        for (roots, depth) in self.groups(trees) {
            let mut nodes = walks(roots);
            let mut values = nodes.map(|node| self.values[node as usize]);
            from += values.iter().take(roots.len()).copied().map(f64::from).sum::<f64>();
            for _ in 0..depth {
                for (lane, (node, value)) in nodes.iter_mut().zip(&mut values).enumerate().take(roots.len()) {
                    let split = self.splits[*node as usize];
                    *node += split.step(row[split.column()]);
                    let before = std::mem::replace(value, self.values[*node as usize]);
                    changes[split.column()][lane] += *value - before;
                }
            }
            to += values.iter().take(roots.len()).copied().map(f64::from).sum::<f64>();
        }
        (from, to)
    }

    /// Trees that go in step: their roots, and the splits of the deepest.
    fn groups(&self, trees: Range<usize>) -> impl Iterator<Item = (&[u32], u8)> {
        let (roots, depths) = (&self.roots[trees.clone()], &self.depths[trees]);
        let deepest = |depths: &[u8]| depths.iter().copied().max().unwrap_or_default();
        roots.chunks(LANES).zip(depths.chunks(LANES).map(deepest))
    }

    /// The block has, for each lane, the values of a row, column by column, and then those of the next rows; lanes beyond the
    /// last row hold what was there before.
    pub(crate) fn sum_block(&self, trees: Range<usize>, block: &[[u32; LANES]], columns: usize, sums: &mut [f64]) {
        // The order of additions is that of `sum`: groups of trees first.
        for group in trees.clone().step_by(LANES) {
            let mut of_group = [0.; BLOCK];
            for tree in group..trees.end.min(group + LANES) {
                let root = self.roots[tree] as usize;
                let end = self.roots.get(tree + 1).map_or(self.splits.len(), |root| *root as usize);
                let (splits, values) = (&self.splits[root..end], &self.values[root..end]);
                for (rows, sums) in block.chunks(columns).zip(of_group[..sums.len()].chunks_mut(LANES)) {
                    let mut nodes = [0u32; LANES];
                    for _ in 0..self.depths[tree] {
                        for (lane, node) in nodes.iter_mut().enumerate() {
                            let split = splits[*node as usize];
                            *node += split.step(rows[split.column()][lane]);
                        }
                    }
                    sums.iter_mut().zip(nodes).for_each(|(sum, node)| *sum += f64::from(values[node as usize]));
                }
            }
            sums.iter_mut().zip(of_group).for_each(|(sum, group)| *sum += group);
        }
    }
}

/// A walk at each root; lanes beyond the last root walk the first tree.
fn walks(roots: &[u32]) -> [u32; LANES] {
    std::array::from_fn(|lane| roots.get(lane).copied().unwrap_or_default())
}
