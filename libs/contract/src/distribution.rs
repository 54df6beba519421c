//! How the scores and the features of records are distributed where a model was learned, and how far other records are from that:
//! the population stability index (PSI), which is the sum over all bins of (a - e) ln(a / e), a being the share of the records
//! that a bin has and e the one that it had.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// From here on two distributions are a little apart.
pub const PSI_MODERATE: f64 = 0.1;
/// From here on they are not the same any more.
pub const PSI_SHIFTED: f64 = 0.25;
/// Ends of the bins of scores, the last of which has none: tenths, and more where alerts begin.
pub const SCORE_ENDS: [f64; 12] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 0.999, 0.9999];

/// A share below this counts as this: no bin decides by itself because it was empty.
const SMALLEST_SHARE: f64 = 1e-4;
/// Shares are rounded.
const ROUNDING: f64 = 1e-3;

/// The bin of a score.
pub fn score_bin(score: f64) -> usize {
    SCORE_ENDS.partition_point(|end| *end < score)
}

/// Distributions of the rows that a model was made of, as the stream had them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distributions {
    /// Ends of the bins of scores, as [`SCORE_ENDS`] had them.
    pub score_ends: Vec<f64>,
    /// Share of the rows in each bin, 0 to 1.
    pub scores: Vec<f64>,
    /// By feature, of the first 256.
    pub features: BTreeMap<String, Distribution>,
}

impl Distributions {
    /// Of so many features at most.
    pub const FEATURES: usize = 256;

    /// The shares of scores, where they are of bins that this build has, too.
    pub fn scores(&self) -> Option<&[f64]> {
        let is_known = self.score_ends == SCORE_ENDS && self.scores.len() == SCORE_ENDS.len() + 1;
        (is_known && are_shares(&self.scores)).then_some(self.scores.as_slice())
    }
}

/// How the numbers of a feature are distributed; of a category that is its position among the values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Ends of the bins, rising. A number is in the first bin whose end it does not exceed.
    pub ends: Vec<f32>,
    /// Share of the rows in each bin, in the one of numbers beyond the last end, and of those without a number.
    pub shares: Vec<f64>,
}

impl Distribution {
    /// How many bins there are.
    pub fn bins(&self) -> usize {
        self.ends.len() + 2
    }

    /// The bin of a number.
    pub fn bin(&self, number: f32) -> usize {
        if number.is_nan() {
            return self.ends.len() + 1;
        }
        self.ends.iter().filter(|end| number > **end).count()
    }

    /// Whether it can be compared with.
    pub fn is_whole(&self) -> bool {
        let rises = self.ends.windows(2).all(|pair| pair[0] < pair[1]);
        rises && self.shares.len() == self.bins() && are_shares(&self.shares)
    }
}

fn are_shares(shares: &[f64]) -> bool {
    let sum: f64 = shares.iter().sum();
    shares.iter().all(|share| (0. ..=1.).contains(share)) && (sum - 1.).abs() <= ROUNDING
}

/// Records by bin, beside what was to be expected of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Records in each bin.
    pub counts: Vec<u64>,
    /// Share of each, 0 to 1.
    pub expected: Vec<f64>,
}

impl Compared {
    /// Records of all bins.
    pub fn records(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The population stability index; none without records, and where the bins are not the same.
    pub fn psi(&self) -> Option<f64> {
        let Self { counts, expected } = self;
        let records = self.records() as f64;
        let term = |(count, expected): (&u64, &f64)| {
            let actual = (*count as f64 / records).max(SMALLEST_SHARE);
            let expected = expected.max(SMALLEST_SHARE);
            (actual - expected) * (actual / expected).ln()
        };
        (records > 0. && counts.len() == expected.len()).then(|| counts.iter().zip(expected).map(term).sum())
    }

    /// Takes in other records by the same bins.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn psi(counts: &[u64], expected: &[f64]) -> Option<f64> {
        Compared { counts: counts.to_vec(), expected: expected.to_vec() }.psi()
    }

    #[test]
    fn the_index_is_that_of_the_textbook() {
        // By hand: (.2 - .1) ln 2 + (.2 - .3) ln (2/3) + 0.
        let told = psi(&[20, 20, 60], &[0.1, 0.3, 0.6]).unwrap();
        assert!((told - (0.1 * 2f64.ln() - 0.1 * (2f64 / 3.).ln())).abs() < 1e-12, "{told}");
        assert_eq!(psi(&[10, 30, 60], &[0.1, 0.3, 0.6]), Some(0.));
        assert_eq!((psi(&[0, 0], &[0.5, 0.5]), psi(&[1], &[0.5, 0.5])), (None, None));
    }

    #[test]
    fn a_bin_that_was_empty_is_told_of_and_decides_only_where_many_records_are_in_it() {
        let few = psi(&[999, 1], &[1., 0.]).unwrap();
        let many = psi(&[800, 200], &[1., 0.]).unwrap();
        assert!(few < PSI_MODERATE && many > PSI_SHIFTED && many.is_finite(), "{few} {many}");
        assert!(psi(&[0, 1_000], &[1., 0.]).unwrap().is_finite());
    }

    #[test]
    fn every_number_has_one_bin() {
        let distribution = Distribution { ends: vec![0., 2.], shares: vec![0.25; 4] };
        let bins = [-1., 0., 0.5, 2., 2.5, f32::INFINITY, f32::NAN].map(|number| distribution.bin(number));
        assert_eq!(bins, [0, 0, 1, 1, 2, 2, 3]);
        assert_eq!([0.05, 0.1, 0.95, 0.9999, 1.].map(score_bin), [0, 0, 9, 11, 12]);
    }

    #[test]
    fn what_cannot_be_compared_with_is_known() {
        let of = |ends: &[f32], shares: &[f64]| Distribution { ends: ends.to_vec(), shares: shares.to_vec() };
        assert!(of(&[1., 2.], &[0.5, 0.25, 0.25, 0.]).is_whole() && of(&[], &[1., 0.]).is_whole());
        for (ends, shares) in [
            (vec![1., 1.], vec![0.25; 4]),
            (vec![f32::NAN, 1.], vec![0.25; 4]),
            (vec![1.], vec![0.5, 0.5]),
            (vec![1.], vec![0.5, 0.2, 0.2]),
            (vec![1.], vec![1.5, -0.5, 0.]),
            (vec![1.], vec![f64::NAN, 0.5, 0.5]),
        ] {
            assert!(!of(&ends, &shares).is_whole(), "{ends:?} {shares:?}");
        }
        let mut scores = vec![0.; 13];
        scores[3] = 1.;
        let known = Distributions { score_ends: SCORE_ENDS.to_vec(), scores, features: BTreeMap::new() };
        assert!(known.scores().is_some());
        let others = Distributions { score_ends: vec![0.5], scores: vec![0.5, 0.5], ..known };
        assert_eq!(others.scores(), None);
    }
}
