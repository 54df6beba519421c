//! Trees in parts as bytes: four `u32` (columns, parts, trees, nodes); of each part its trees (`u32`) and eight `f64` (center,
//! scale, floor, cap, slope, far, far slope, weight); then the tables one after the other: roots (`u32` a tree), thresholds
//! (`f32` a node, infinite in a leaf), links (`u32` a node: the column in the upper 12 bits, in the lower 20 the distance
//! to the first child, 0 in a leaf), values (`f32` a node). Schema 2 has no `far` and `far slope`.

use super::reader::{ForestFormatError, OLDEST, Reader, words, write_doubles, write_words};
use crate::score::part::Part;
use crate::score::split::Split;
use crate::score::trees::Trees;

pub(super) fn write(trees: &Trees, out: &mut Vec<u8>) {
    // The depths follow from the tables.
    let Trees { columns, parts, roots, depths: _, splits, values } = trees;
    // The counts fit: trees are only made with positions that do.
    #[allow(clippy::cast_possible_truncation)]
    let counts = [*columns, parts.len() as u32, roots.len() as u32, splits.len() as u32];
    write_words(counts, out);
    for Part { trees, center, scale, floor, cap, slope, far, far_slope, weight } in parts {
        write_words([*trees], out);
        write_doubles([center, scale, floor, cap, slope, far, far_slope, weight], out);
    }
    write_words(roots.iter().copied(), out);
    write_words(splits.iter().map(|split| split.threshold().to_bits()), out);
    write_words(splits.iter().map(|split| split.link), out);
    write_words(values.iter().map(|value| value.to_bits()), out);
}

pub(super) fn read(reader: &mut Reader<'_>, schema: u32) -> Result<Trees, ForestFormatError> {
    let (columns, parts, trees, nodes) = (reader.word()?, reader.word()?, reader.word()?, reader.word()?);
    let size = if schema == OLDEST { 4 + 6 * 8 } else { 4 + 8 * 8 };
    let mut of_parts = Reader::new(reader.take(parts, size)?);
    let parts = (0..parts).map(|_| read_part(&mut of_parts, schema)).collect::<Result<_, _>>()?;
    let roots = words(reader.take(trees, 4)?).collect();
    let thresholds = words(reader.take(nodes, 4)?);
    let links = words(reader.take(nodes, 4)?);
    let values = words(reader.take(nodes, 4)?).map(f32::from_bits).collect();
    let split = |(threshold, link)| Split::from_parts(f32::from_bits(threshold), link);
    Ok(Trees::new(columns, parts, roots, thresholds.zip(links).map(split).collect(), values)?)
}

fn read_part(reader: &mut Reader<'_>, schema: u32) -> Result<Part, ForestFormatError> {
    let trees = reader.word()?;
    let [center, scale, floor, cap, slope] = reader.numbers()?;
    let [far, far_slope] = if schema == OLDEST { [f64::MAX, 1.] } else { reader.numbers()? };
    let [weight] = reader.numbers()?;
    Ok(Part { trees, center, scale, floor, cap, slope, far, far_slope, weight })
}
