//! What a kind of traffic is made of: weighted services and flags, and a distribution for each numeric column.
//! The kinds themselves are tables in `normal` and `attack`.

use rand::Rng;
use rand_distr::{Exp1, StandardNormal};

use vedette_datasets::columns::Column;

/// Something with its weight; the weights of a list need not sum to one.
pub(crate) type Weighted<T> = (f64, T);

/// A kind of traffic.
#[derive(Debug)]
pub(crate) struct Profile {
    /// What the kind is called in the documentation.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test writes the documentation"))]
    pub(crate) name: &'static str,
    /// The value of `label`.
    pub(crate) label: &'static str,
    /// Share among the normal kinds, or among the attacks, in percent.
    pub(crate) percent: f64,
    /// `protocol_type` and `service`.
    pub(crate) services: &'static [Weighted<(&'static str, &'static str)>],
    /// `flag`: how the connection ended.
    pub(crate) flags: &'static [Weighted<&'static str>],
    /// Distributions shared with other kinds; `values` are drawn after them and replace them.
    pub(crate) window: &'static [(Column, Draw)],
    /// Distributions of this kind. A column that neither list names is 0.
    pub(crate) values: &'static [(Column, Draw)],
}

/// A distribution of one column. What is drawn is cut to [`Column::range`], then rounded to an integer, or to
/// hundredths where the column is a rate.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Draw {
    /// Always this value.
    Fixed(f64),
    /// Uniform between two values.
    Uniform(f64, f64),
    /// Log-normal: the median, and the standard deviation of the natural logarithm.
    LogNormal(f64, f64),
    /// Exponential with this mean.
    Exponential(f64),
    /// 1 with this probability, otherwise 0.
    Chance(f64),
    /// One of several distributions.
    Mix(&'static [Weighted<Draw>]),
    /// The value of a column drawn earlier, times a uniform factor between two values.
    Times(Column, f64, f64),
}

impl Draw {
    /// Draws one value; `drawn` holds the columns drawn so far.
    pub(crate) fn sample(&self, random: &mut impl Rng, drawn: &[f64; 41]) -> f64 {
        match *self {
            Self::Fixed(value) => value,
            Self::Uniform(low, high) => low + (high - low) * random.random::<f64>(),
            Self::LogNormal(median, sigma) => median * (sigma * random.sample::<f64, _>(StandardNormal)).exp(),
            Self::Exponential(mean) => mean * random.sample::<f64, _>(Exp1),
            Self::Chance(probability) => f64::from(u8::from(random.random::<f64>() < probability)),
            Self::Mix(alternatives) => match choose(random, alternatives) {
                Some(draw) => draw.sample(random, drawn),
                None => 0.0,
            },
            Self::Times(column, low, high) => drawn[column as usize] * (low + (high - low) * random.random::<f64>()),
        }
    }
}

/// Draws from a weighted list; `None` if it is empty.
pub(crate) fn choose<'list, T>(random: &mut impl Rng, list: &'list [Weighted<T>]) -> Option<&'list T> {
    if let [(_, only)] = list {
        return Some(only);
    }
    let total: f64 = list.iter().map(|(weight, _)| weight).sum();
    let mut left = total * random.random::<f64>();
    for (weight, item) in list {
        left -= weight;
        if left < 0.0 {
            return Some(item);
        }
    }
    list.last().map(|(_, item)| item)
}
