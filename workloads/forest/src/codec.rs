//! A forest as bytes, all numbers little endian: the magic, five `u32` (schema, link, columns, trees, nodes), then the
//! tables one after the other: roots (`u32` a tree), thresholds (`f32` a node), columns, first children (`u32` a node),
//! values (`f32` a node). The length follows from the header, so hostile bytes cannot make a reader allocate more than
//! they are long.

use crate::forest::{Forest, Link, Node};
use crate::structure::ForestError;

const MAGIC: &[u8; 8] = b"VDTFRST\n";
const SCHEMA: u32 = 1;
const HEADER: usize = MAGIC.len() + 5 * 4;
const LINK_POWER_OF_TWO: u32 = 0;
const LINK_MEAN: u32 = 1;

/// Why bytes are not a forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForestFormatError {
    /// They do not begin as a forest does.
    #[error("the bytes are not those of a forest")]
    Magic,
    /// Written by a newer build, or by none.
    #[error("the forest has schema {schema}, and this build reads {SCHEMA}")]
    Schema {
        /// What it says.
        schema: u32,
    },
    /// The way from leaves to score is not known.
    #[error("the forest has link {link}, which this build does not know")]
    Link {
        /// What it says.
        link: u32,
    },
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
        let Self { link, columns, roots, nodes } = self;
        let link = match link {
            Link::PowerOfTwo => LINK_POWER_OF_TWO,
            Link::Mean => LINK_MEAN,
        };
        let mut bytes = Vec::with_capacity(HEADER + 4 * roots.len() + 16 * nodes.len());
        bytes.extend_from_slice(MAGIC);
        let mut write = |word: u32| bytes.extend_from_slice(&word.to_le_bytes());
        // Both counts fit: a forest is only made with positions that do.
        #[allow(clippy::cast_possible_truncation)]
        [SCHEMA, link, *columns, roots.len() as u32, nodes.len() as u32].into_iter().for_each(&mut write);
        roots.iter().copied().for_each(&mut write);
        nodes.iter().map(|node| node.threshold.to_bits()).for_each(&mut write);
        nodes.iter().map(|node| node.column).for_each(&mut write);
        nodes.iter().map(|node| node.first_child).for_each(&mut write);
        nodes.iter().map(|node| node.value.to_bits()).for_each(&mut write);
        bytes
    }

    /// Reads and checks a forest.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ForestFormatError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(ForestFormatError::Magic)?;
        let (header, tables) = rest
            .split_at_checked(HEADER - MAGIC.len())
            .ok_or(ForestFormatError::Length { actual: bytes.len() as u64, expected: HEADER as u64 })?;
        let mut header = words(header);
        let mut next = || header.next().unwrap_or_default();
        let (schema, link, columns, trees, nodes) = (next(), next(), next(), next(), next());
        if schema != SCHEMA {
            return Err(ForestFormatError::Schema { schema });
        }
        let link = match link {
            LINK_POWER_OF_TWO => Link::PowerOfTwo,
            LINK_MEAN => Link::Mean,
            _ => return Err(ForestFormatError::Link { link }),
        };
        // At most 20 times 2^32: no overflow.
        let expected = HEADER as u64 + 4 * u64::from(trees) + 16 * u64::from(nodes);
        if bytes.len() as u64 != expected {
            return Err(ForestFormatError::Length { actual: bytes.len() as u64, expected });
        }
        let (roots, tables) = tables.split_at(4 * trees as usize);
        let table = |number: usize| {
            let length = 4 * nodes as usize;
            words(&tables[number * length..(number + 1) * length])
        };
        let nodes = table(0)
            .zip(table(1))
            .zip(table(2).zip(table(3)))
            .map(|((threshold, column), (first_child, value))| Node {
                threshold: f32::from_bits(threshold),
                column,
                first_child,
                value: f32::from_bits(value),
            })
            .collect();
        Ok(Self::new(link, columns, words(roots).collect(), nodes)?)
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forest::weigh;
    use proptest::prelude::*;

    fn forest() -> Forest {
        let mut tree = vec![Node::split(1, 0.5, 1), Node::leaf(), Node::split(0, 2., 3), Node::leaf(), Node::leaf()];
        weigh(&mut tree, &[8, 6, 2, 1, 1], vec![0., -1., 0., -0.5, -0.25]);
        Forest::from_trees(Link::PowerOfTwo, 2, vec![tree.clone(), vec![Node::leaf()], tree]).unwrap()
    }

    #[test]
    fn a_forest_reads_back() {
        let bytes = forest().to_bytes();
        assert_eq!(bytes.len(), HEADER + 3 * 4 + 11 * 16);
        let read = Forest::from_bytes(&bytes).unwrap();
        assert_eq!(read, forest());
        assert_eq!(read.to_bytes(), bytes);
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
        assert_eq!(with(0, 2), ForestFormatError::Schema { schema: 2 });
        assert_eq!(with(1, 7), ForestFormatError::Link { link: 7 });
        assert!(matches!(with(2, 1), ForestFormatError::Forest(ForestError::Column { column: 1, columns: 1, .. })));
        for word in [3, 4] {
            assert!(matches!(with(word, u32::MAX), ForestFormatError::Length { .. }));
            assert!(matches!(with(word, 0), ForestFormatError::Length { .. }));
        }
        assert_eq!(Forest::from_bytes(b"not a forest").unwrap_err(), ForestFormatError::Magic);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn flipped_bytes_are_an_error_or_a_forest_that_ends(
            flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..6),
            row in prop::array::uniform2(any::<f32>()),
        ) {
            let mut bytes = forest().to_bytes();
            for (position, flip) in flips {
                let position = position.index(bytes.len());
                bytes[position] ^= flip;
            }
            if let Ok(read) = Forest::from_bytes(&bytes) {
                // A flipped column count can only have grown: the columns that are read are below it.
                let row = [row.to_vec(), vec![0.; read.columns().min(1 << 20).saturating_sub(2)]].concat();
                if row.len() >= read.columns() {
                    prop_assert!(!read.score(&row).is_nan());
                }
                prop_assert_eq!(read.to_bytes(), bytes);
            }
        }

        #[test]
        fn any_bytes_are_an_error_or_a_forest(tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Forest::from_bytes(&tail);
            let _ = Forest::from_bytes(&[MAGIC.as_slice(), &SCHEMA.to_le_bytes(), &tail].concat());
        }
    }
}
