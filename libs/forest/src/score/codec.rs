//! A forest as bytes, all numbers little endian: the magic, five `u32` (schema, columns, parts, trees, nodes); of each part
//! its trees (`u32`) and eight `f64` (center, scale, floor, cap, slope, far, far slope, weight); then the tables one after the other: roots
//! (`u32` a tree), thresholds (`f32` a node, infinite in a leaf), links (`u32` a node: the column in the upper 12 bits, in
//! the lower 20 the distance to the first child, 0 in a leaf), values (`f32` a node). The length follows from the header,
//! so hostile bytes cannot make a reader allocate more than they are long. Schema 2, which is read too, has no `far` and
//! `far slope`.

use crate::score::forest::Forest;
use crate::score::part::Part;
use crate::score::split::Split;
use crate::score::structure::ForestError;

const MAGIC: &[u8; 8] = b"VDTFRST\n";
const SCHEMA: u32 = 3;
/// The oldest that is read.
const OLDEST: u32 = 2;
const HEADER: usize = MAGIC.len() + 5 * 4;

/// Why bytes are not a forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForestFormatError {
    /// They do not begin as a forest does.
    #[error("the bytes are not those of a forest")]
    Magic,
    /// Written by another build.
    #[error("the forest has schema {schema}, and this build reads {OLDEST} to {SCHEMA}")]
    Schema { schema: u32 },
    /// Too short or too long for what the header says.
    #[error("the forest has {actual} bytes and its header says {expected}")]
    Length {
        /// Bytes that are there.
        actual: u64,
        /// Bytes that the header asks for.
        expected: u64,
    },
    /// The tables are no forest.
    #[error(transparent)]
    Forest(#[from] ForestError),
}

impl Forest {
    /// The forest as bytes; the same forest gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        // The depths follow from the tables.
        let Self { columns, parts, roots, depths: _, splits, values } = self;
        let mut bytes =
            Vec::with_capacity(HEADER + part_length(SCHEMA) * parts.len() + 4 * roots.len() + 12 * splits.len());
        bytes.extend_from_slice(MAGIC);
        // The counts fit: a forest is only made with positions that do.
        #[allow(clippy::cast_possible_truncation)]
        let header = [SCHEMA, *columns, parts.len() as u32, roots.len() as u32, splits.len() as u32];
        header.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        for Part { trees, center, scale, floor, cap, slope, far, far_slope, weight } in parts {
            bytes.extend(trees.to_le_bytes());
            let numbers = [center, scale, floor, cap, slope, far, far_slope, weight];
            numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
        }
        roots.iter().for_each(|root| bytes.extend(root.to_le_bytes()));
        splits.iter().for_each(|split| bytes.extend(split.threshold().to_le_bytes()));
        splits.iter().for_each(|split| bytes.extend(split.link.to_le_bytes()));
        values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        bytes
    }

    /// Reads and checks a forest.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ForestFormatError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(ForestFormatError::Magic)?;
        let wrong_length = |expected| ForestFormatError::Length { actual: bytes.len() as u64, expected };
        let (header, tables) = rest.split_at_checked(HEADER - MAGIC.len()).ok_or(wrong_length(HEADER as u64))?;
        let mut header = words(header);
        let mut next = || header.next().unwrap_or_default();
        let (schema, columns, parts, trees, nodes) = (next(), next(), next(), next(), next());
        if !(OLDEST..=SCHEMA).contains(&schema) {
            return Err(ForestFormatError::Schema { schema });
        }
        let part = part_length(schema);
        // At most 84 times 2^32: no overflow.
        let [of_parts, of_trees, of_nodes] =
            [(part, parts), (4, trees), (12, nodes)].map(|(size, count)| size as u64 * u64::from(count));
        let expected = HEADER as u64 + of_parts + of_trees + of_nodes;
        if bytes.len() as u64 != expected {
            return Err(wrong_length(expected));
        }
        let (parts, tables) = tables.split_at(part * parts as usize);
        let (roots, tables) = tables.split_at(4 * trees as usize);
        let (thresholds, tables) = tables.split_at(4 * nodes as usize);
        let (links, values) = tables.split_at(4 * nodes as usize);
        let split = |(threshold, link)| Split::from_parts(f32::from_bits(threshold), link);
        Ok(Self::new(
            columns,
            parts.chunks_exact(part).map(|bytes| read_part(bytes, schema)).collect(),
            words(roots).collect(),
            words(thresholds).zip(words(links)).map(split).collect(),
            words(values).map(f32::from_bits).collect(),
        )?)
    }
}

/// Bytes of a part.
fn part_length(schema: u32) -> usize {
    if schema == OLDEST { 4 + 6 * 8 } else { 4 + 8 * 8 }
}

fn read_part(bytes: &[u8], schema: u32) -> Part {
    let (trees, numbers) = bytes.split_at(4);
    let mut numbers = numbers.as_chunks::<8>().0.iter().map(|number| f64::from_le_bytes(*number));
    let mut next = || numbers.next().unwrap_or_default();
    let trees = words(trees).next().unwrap_or_default();
    let (center, scale, floor, cap, slope) = (next(), next(), next(), next(), next());
    let (far, far_slope) = if schema == OLDEST { (f64::MAX, 1.) } else { (next(), next()) };
    Part { trees, center, scale, floor, cap, slope, far, far_slope, weight: next() }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::tree::small_tree;
    use proptest::prelude::*;
    use vedette_contract::learner::Algorithm;
    use vedette_contract::model::{Column, ColumnKind};

    fn forest() -> Forest {
        let trees = vec![small_tree(); 3];
        let scaled = Part { center: 0.5, scale: 0.1, floor: -1., cap: 2., slope: 0.2, weight: 0.3, ..Part::mean(1) };
        let scaled = Part { far: 4., far_slope: 9., ..scaled };
        Forest::from_trees(2, vec![Part::mean(2), scaled], &trees).unwrap()
    }

    /// The bytes of a default model.
    static LEARNED: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let mut rows = crate::Matrix::new(2);
        (0..300u16).for_each(|row| rows.push_row(&[f32::from(row % 17), f32::from(row % 5)]));
        let column = |name: &str| Column { name: name.to_owned(), kind: ColumnKind::Numeric { median: 0. } };
        let learner = crate::Learner::defaults(Algorithm::Ensemble);
        crate::fit(&learner, &rows, &[column("a"), column("b")], &[], 1).unwrap().to_bytes()
    });

    #[test]
    fn a_forest_reads_back() {
        let bytes = forest().to_bytes();
        assert_eq!(bytes.len(), HEADER + 2 * (4 + 8 * 8) + 3 * 4 + 15 * 12);
        let read = Forest::from_bytes(&bytes).unwrap();
        assert_eq!(read, forest());
        assert_eq!(read.to_bytes(), bytes);
    }

    /// As builds before wrote it.
    fn schema_2(forest: &Forest) -> Vec<u8> {
        let bytes = forest.to_bytes();
        let (header, rest) = bytes.split_at(HEADER);
        let (parts, tables) = rest.split_at(forest.parts.len() * part_length(SCHEMA));
        let mut old = header.to_vec();
        old[MAGIC.len()] = 2;
        // Without `far` and `far slope`.
        parts.chunks(part_length(SCHEMA)).for_each(|part| old.extend([&part[..44], &part[60..]].concat()));
        old.extend(tables);
        old
    }

    #[test]
    fn a_forest_of_the_schema_before_is_read() {
        let mut expected = forest();
        let read = Forest::from_bytes(&schema_2(&expected)).unwrap();
        assert_ne!(read, expected);
        expected.parts.iter_mut().for_each(|part| (part.far, part.far_slope) = (f64::MAX, 1.));
        assert_eq!(read, expected);
    }

    #[test]
    fn every_truncation_and_every_extension_is_refused() {
        let bytes = forest().to_bytes();
        for length in 0..bytes.len() {
            assert!(Forest::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
        }
        assert!(Forest::from_bytes(&[bytes, vec![0]].concat()).is_err());
    }

    #[test]
    fn a_header_that_lies_is_refused_by_what_it_says() {
        let with = |word: usize, value: u32| {
            let mut bytes = forest().to_bytes();
            let at = MAGIC.len() + 4 * word;
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            Forest::from_bytes(&bytes).unwrap_err()
        };
        assert_eq!(with(0, 4), ForestFormatError::Schema { schema: 4 });
        assert_eq!(with(0, 1), ForestFormatError::Schema { schema: 1 });
        assert!(matches!(with(1, 1), ForestFormatError::Forest(ForestError::Column { column: 1, columns: 1, .. })));
        assert!(matches!(with(1, 4_097), ForestFormatError::Forest(ForestError::Columns { .. })));
        for word in [2, 3, 4] {
            assert!(matches!(with(word, u32::MAX), ForestFormatError::Length { .. }));
            assert!(matches!(with(word, 0), ForestFormatError::Length { .. }));
        }
        assert_eq!(Forest::from_bytes(b"not a forest").unwrap_err(), ForestFormatError::Magic);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn a_damaged_forest_is_an_error_or_a_forest_that_ends(
            learned in any::<bool>(),
            damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u32>(), 0u8..5), 1..6),
            row in prop::array::uniform2(any::<f32>()),
        ) {
            let mut bytes = if learned { LEARNED.clone() } else { forest().to_bytes() };
            for (position, word, kind) in damages {
                let at = position.index(bytes.len().max(8) - 4);
                match kind {
                    // A flipped bit, a word of any value, a small or a huge one, and a cut.
                    0 => bytes[at] ^= 1 << (word % 8),
                    1 => bytes[at..at + 4].copy_from_slice(&word.to_le_bytes()),
                    2 => bytes[at / 4 * 4..][..4].copy_from_slice(&(word % 4).to_le_bytes()),
                    3 => bytes[at / 4 * 4..][..4].copy_from_slice(&u32::MAX.to_le_bytes()),
                    _ => bytes.truncate(bytes.len().max(9) - 1),
                }
            }
            if let Ok(read) = Forest::from_bytes(&bytes) {
                // A damaged column count can only have grown: the columns that are read are below it.
                let row = [row.to_vec(), vec![0.; read.columns().saturating_sub(2)]].concat();
                prop_assert!(!read.score(&row).is_nan());
                prop_assert!(read.to_bytes() == bytes || bytes[MAGIC.len()] == 2);
            }
        }

        #[test]
        fn any_bytes_are_an_error_or_a_forest(tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Forest::from_bytes(&tail);
            let _ = Forest::from_bytes(&[MAGIC.as_slice(), &SCHEMA.to_le_bytes(), &tail].concat());
        }
    }
}
