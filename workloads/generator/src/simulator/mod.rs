//! A simulator of network connections: records of KDD Cup 99's shape from tables of distributions, by seed.
//! First it is drawn whether the record is an attack, then its kind, then each column. A connection knows nothing of
//! those before it: the columns about the last two seconds and the last hundred connections are drawn like the others.

mod attack;
mod normal;
mod profile;

use std::io::Write;

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use attack::ATTACKS;
use normal::NORMAL_TRAFFIC;
use profile::Profile;

use vedette_datasets::columns::{Column, LABEL};

/// Draws connection records for ever; the same seed and fraction give the same records.
#[derive(Debug)]
pub(crate) struct Simulator {
    random: Xoshiro256PlusPlus,
    anomaly_fraction: f64,
}

impl Simulator {
    /// `anomaly_fraction` is the probability that a record is an attack.
    pub(crate) fn new(seed: u64, anomaly_fraction: f64) -> Self {
        Self { random: Xoshiro256PlusPlus::seed_from_u64(seed), anomaly_fraction }
    }

    /// Appends the next record's members to a JSON object that is open and not empty: `,"duration":0,…`.
    pub(crate) fn append_members(&mut self, object: &mut Vec<u8>) {
        let kinds = if self.random.random::<f64>() < self.anomaly_fraction { ATTACKS } else { NORMAL_TRAFFIC };
        let profile = choose_profile(&mut self.random, kinds);
        let (protocol, service) = profile::choose(&mut self.random, profile.services).copied().unwrap_or_default();
        let flag = profile::choose(&mut self.random, profile.flags).copied().unwrap_or_default();
        let mut values = [0.0; 41];
        for (column, draw) in profile.window.iter().chain(profile.values) {
            let (smallest, largest) = column.range();
            values[*column as usize] = draw.sample(&mut self.random, &values).clamp(smallest, largest);
        }
        for column in Column::ALL {
            append_name(object, column.name());
            match column {
                Column::ProtocolType => append_text(object, protocol),
                Column::Service => append_text(object, service),
                Column::Flag => append_text(object, flag),
                _ if column.is_rate() => append_rate(object, values[column as usize]),
                _ => append_integer(object, values[column as usize]),
            }
        }
        append_name(object, LABEL);
        append_text(object, profile.label);
    }
}

fn choose_profile(random: &mut impl Rng, kinds: &'static [Profile]) -> &'static Profile {
    let mut left = random.random::<f64>() * kinds.iter().map(|kind| kind.percent).sum::<f64>();
    for kind in kinds {
        left -= kind.percent;
        if left < 0.0 {
            return kind;
        }
    }
    &kinds[kinds.len() - 1]
}

fn append_name(object: &mut Vec<u8>, name: &str) {
    object.extend_from_slice(b",\"");
    object.extend_from_slice(name.as_bytes());
    object.extend_from_slice(b"\":");
}

/// The texts of the tables need no escape.
fn append_text(object: &mut Vec<u8>, text: &str) {
    object.push(b'"');
    object.extend_from_slice(text.as_bytes());
    object.push(b'"');
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // values are cut to Column::range
fn append_integer(object: &mut Vec<u8>, value: f64) {
    match value.round() as u32 {
        digit @ 0..=9 => object.push(b'0' + digit as u8),
        // Writing to a Vec cannot fail.
        number => drop(write!(object, "{number}")),
    }
}

/// A rate as the data set writes it: two decimals.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // rates are cut to 0..=1
fn append_rate(object: &mut Vec<u8>, value: f64) {
    let hundredths = (value * 100.0).round() as u8;
    object.extend_from_slice(&[b'0' + hundredths / 100, b'.', b'0' + hundredths / 10 % 10, b'0' + hundredths % 10]);
}

#[cfg(test)]
mod documentation;
#[cfg(test)]
mod tests;
