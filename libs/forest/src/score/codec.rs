//! A forest as bytes, all numbers little endian: the magic, the schema (`u32`), the trees, of each column what stands for a
//! missing value (`f32`; not a number where nothing is known), whether there is a dependence (`u32`, 0 or 1), and the dependence.
//! Schema 2, which is read too, ends with the trees. Counts are checked against what is there before anything is taken,
//! so hostile bytes cannot make a reader allocate more than they are long.

mod dependence;
mod reader;
mod trees;

pub use reader::ForestFormatError;
use reader::{OLDEST, Reader, SCHEMA, words, write_words};

use crate::score::forest::Forest;
use crate::score::order;

const MAGIC: &[u8; MAGIC_LENGTH as usize] = b"VDTFRST\n";
const MAGIC_LENGTH: u32 = 8;

impl Forest {
    /// The forest as bytes; the same forest gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { trees: of_parts, typical, dependence: known } = self;
        let mut bytes = MAGIC.to_vec();
        write_words([SCHEMA], &mut bytes);
        trees::write(of_parts, &mut bytes);
        write_words(typical.iter().map(|place| order::number(*place).to_bits()), &mut bytes);
        write_words([u32::from(known.is_some())], &mut bytes);
        if let Some(known) = known {
            dependence::write(known, &mut bytes);
        }
        bytes
    }

    /// Reads and checks a forest.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ForestFormatError> {
        let mut reader = Reader::new(bytes);
        if reader.take(MAGIC_LENGTH, 1).map_err(|_| ForestFormatError::Magic)? != MAGIC {
            return Err(ForestFormatError::Magic);
        }
        let schema = reader.word()?;
        if !(OLDEST..=SCHEMA).contains(&schema) {
            return Err(ForestFormatError::Schema { schema });
        }
        let trees = trees::read(&mut reader, schema)?;
        let columns = trees.columns;
        let (mut typical, mut known) = (vec![order::UNKNOWN; columns as usize], None);
        if schema > OLDEST {
            typical = words(reader.take(columns, 4)?).map(|bits| order::place(f32::from_bits(bits))).collect();
            known = match reader.word()? {
                0 => None,
                1 => Some(dependence::read(&mut reader, schema, columns as usize)?),
                number => return Err(ForestFormatError::Choice { number, allowed: "0 and 1" }),
            };
        }
        reader.end()?;
        Ok(Self { trees, typical, dependence: known })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::part::Part;
    use crate::score::structure::ForestError;
    use crate::score::tree::small_tree;
    use proptest::prelude::*;
    use vedette_contract::learner::Algorithm;
    use vedette_contract::model::{Column, ColumnKind};

    const HEADER: usize = MAGIC.len() + 5 * 4;
    const PART: usize = 4 + 8 * 8;

    fn forest() -> Forest {
        let trees = vec![small_tree(); 3];
        let scaled = Part { center: 0.5, scale: 0.1, floor: -1., cap: 2., slope: 0.2, weight: 0.3, ..Part::mean(1) };
        let scaled = Part { far: 4., far_slope: 9., ..scaled };
        Forest::from_trees(2, vec![Part::mean(2), scaled], &trees).unwrap()
    }

    /// The bytes of a default model.
    static LEARNED: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let mut rows = crate::Matrix::new(2);
        (0..300u16).for_each(|row| rows.push_row(&[row, 2 * row + row % 5].map(f32::from)));
        let column = |name: &str| Column { name: name.to_owned(), kind: ColumnKind::numeric(0.) };
        let learner = crate::Learner::defaults(Algorithm::Ensemble);
        let forest = crate::fit(&learner, &rows, &[column("a"), column("b")], &[], 1).unwrap();
        assert!(forest.dependence.is_some());
        forest.to_bytes()
    });

    #[test]
    fn a_forest_reads_back() {
        let bytes = forest().to_bytes();
        assert_eq!(bytes.len(), HEADER + 2 * PART + 3 * 4 + 15 * 12 + 2 * 4 + 4);
        let read = Forest::from_bytes(&bytes).unwrap();
        assert_eq!(read, forest());
        assert_eq!(read.to_bytes(), bytes);
        let with_dependence = Forest::from_bytes(&LEARNED).unwrap();
        assert!(with_dependence.dependence.is_some() && with_dependence.to_bytes() == *LEARNED);
    }

    /// As builds before wrote it.
    fn schema_2(forest: &Forest) -> Vec<u8> {
        let bytes = forest.to_bytes();
        let (header, rest) = bytes.split_at(HEADER);
        let (parts, tables) = rest.split_at(forest.trees.parts.len() * PART);
        let mut old = header.to_vec();
        old[MAGIC.len()] = 2;
        // Without `far` and `far slope`.
        parts.chunks(PART).for_each(|part| old.extend([&part[..44], &part[60..]].concat()));
        // Without what stands for missing values, and the dependence.
        old.extend(&tables[..tables.len() - 4 * forest.columns() - 4]);
        old
    }

    #[test]
    fn a_forest_of_the_schema_before_is_read() {
        let mut expected = forest();
        let read = Forest::from_bytes(&schema_2(&expected)).unwrap();
        assert_ne!(read, expected);
        expected.trees.parts.iter_mut().for_each(|part| (part.far, part.far_slope) = (f64::MAX, 1.));
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
            assert!(!with(word, 0).to_string().is_empty());
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
