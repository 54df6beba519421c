//! The dependence between columns as bytes: three `u32` (columns that have a say, targets, whether there are magnitudes) and
//! one `f64` (the limit); of each column its number (`u32`), median and scale (`f64`); the weights, row by row, and the
//! offsets of the plain space (`f64`), then those of the magnitudes; of each target three `u32` (position, space, trees) and
//! six `f64` (center, weight, scale and power of either likelihood); then, where targets have some, their trees.

use super::reader::{ForestFormatError, Reader, doubles, write_doubles, write_words};
use super::trees;
use crate::score::dependence::{Dependence, Likelihood, MAX_COLUMNS, Scale, Space, Target};
use crate::score::linear::Linear;
use crate::score::structure::ForestError;

pub(super) fn write(dependence: &Dependence, out: &mut Vec<u8>) {
    let Dependence { scales, plain, magnitudes, targets, trees: of_targets, limit, .. } = dependence;
    // At most `MAX_COLUMNS`.
    #[allow(clippy::cast_possible_truncation)]
    write_words([scales.len() as u32, targets.len() as u32, u32::from(magnitudes.is_some())], out);
    write_doubles([limit], out);
    for Scale { column, median, unit } in scales {
        write_words([*column], out);
        write_doubles([median, unit], out);
    }
    for Linear { weights, offsets } in std::iter::once(plain).chain(magnitudes) {
        write_doubles(weights.iter().chain(offsets), out);
    }
    for Target { position, space, trees, center, weight, likelihoods } in targets {
        write_words([*position, number_of(*space), *trees], out);
        write_doubles([center, weight], out);
        likelihoods.iter().for_each(|Likelihood { scale, power }| write_doubles([scale, power], out));
    }
    if let Some(of_targets) = of_targets {
        trees::write(of_targets, out);
    }
}

/// Of a forest of so many columns.
pub(super) fn read(reader: &mut Reader<'_>, schema: u32, columns: usize) -> Result<Dependence, ForestFormatError> {
    let (count, targets, magnitudes) = (reader.word()?, reader.word()?, reader.word()?);
    if count as usize > MAX_COLUMNS || targets > count {
        return Err(ForestError::Dependence("there are too many columns").into());
    }
    let [limit] = reader.numbers()?;
    let scales = (0..count).map(|_| read_scale(reader)).collect::<Result<_, _>>()?;
    let plain = read_linear(reader, count)?;
    let magnitudes = match magnitudes {
        0 => None,
        1 => Some(read_linear(reader, count)?),
        number => return Err(ForestFormatError::Choice { number, allowed: "0 and 1" }),
    };
    let targets: Vec<Target> = (0..targets).map(|_| read_target(reader)).collect::<Result<_, _>>()?;
    let has_trees = targets.iter().any(|target| target.trees > 0);
    let of_targets = has_trees.then(|| trees::read(reader, schema)).transpose()?;
    Ok(Dependence::new(columns, scales, (plain, magnitudes), targets, of_targets, limit)?)
}

fn read_scale(reader: &mut Reader<'_>) -> Result<Scale, ForestFormatError> {
    let column = reader.word()?;
    let [median, unit] = reader.numbers()?;
    Ok(Scale { column, median, unit })
}

fn read_linear(reader: &mut Reader<'_>, columns: u32) -> Result<Linear, ForestFormatError> {
    let weights = doubles(reader.take(columns * columns, 8)?).collect();
    Ok(Linear { weights, offsets: doubles(reader.take(columns, 8)?).collect() })
}

fn read_target(reader: &mut Reader<'_>) -> Result<Target, ForestFormatError> {
    let (position, space, trees) = (reader.word()?, reader.word()?, reader.word()?);
    let space = match space {
        0 => Space::Plain,
        1 => Space::Magnitudes,
        number => return Err(ForestFormatError::Choice { number, allowed: "0 and 1" }),
    };
    let [center, weight, scale, power, other_scale, other_power] = reader.numbers()?;
    let likelihoods = [Likelihood { scale, power }, Likelihood { scale: other_scale, power: other_power }];
    Ok(Target { position, space, trees, center, weight, likelihoods })
}

fn number_of(space: Space) -> u32 {
    match space {
        Space::Plain => 0,
        Space::Magnitudes => 1,
    }
}
