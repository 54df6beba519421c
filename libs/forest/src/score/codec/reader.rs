//! Takes numbers from bytes, little endian, and never more than there are.

use crate::score::structure::ForestError;

/// The schema that is written.
pub(crate) const SCHEMA: u32 = 3;
/// The oldest that is read.
pub(crate) const OLDEST: u32 = 2;

/// Why bytes are not a forest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForestFormatError {
    /// They do not begin as a forest does.
    #[error("the bytes are not those of a forest")]
    Magic,
    /// Written by another build.
    #[error("the forest has schema {schema}, and this build reads {OLDEST} to {SCHEMA}")]
    Schema { schema: u32 },
    /// Too short or too long for what its counts say.
    #[error("the forest has {actual} bytes and its counts say {expected}")]
    Length {
        /// Bytes that are there.
        actual: u64,
        /// Bytes that the counts ask for, at least.
        expected: u64,
    },
    /// A number that stands for one of few choices is none of them.
    #[error("the forest has the number {number} where {allowed} are allowed")]
    Choice {
        /// What is there.
        number: u32,
        /// What may be there.
        allowed: &'static str,
    },
    /// The tables are no forest.
    #[error(transparent)]
    Forest(#[from] ForestError),
}

/// What is left of some bytes.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    taken: u64,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, taken: 0 }
    }

    /// So many pieces of so many bytes.
    pub(crate) fn take(&mut self, count: u32, size: u32) -> Result<&'a [u8], ForestFormatError> {
        let wanted = u64::from(count) * u64::from(size);
        let here = usize::try_from(wanted).ok().and_then(|wanted| self.bytes.split_at_checked(wanted));
        let (here, rest) = here.ok_or_else(|| self.wrong_length(wanted))?;
        (self.bytes, self.taken) = (rest, self.taken + wanted);
        Ok(here)
    }

    pub(crate) fn word(&mut self) -> Result<u32, ForestFormatError> {
        Ok(words(self.take(1, 4)?).next().unwrap_or_default())
    }

    pub(crate) fn numbers<const COUNT: usize>(&mut self) -> Result<[f64; COUNT], ForestFormatError> {
        let mut numbers = [0.; COUNT];
        for number in &mut numbers {
            *number = doubles(self.take(1, 8)?).next().unwrap_or_default();
        }
        Ok(numbers)
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), ForestFormatError> {
        if self.bytes.is_empty() { Ok(()) } else { Err(self.wrong_length(0)) }
    }

    fn wrong_length(&self, wanted: u64) -> ForestFormatError {
        ForestFormatError::Length {
            actual: self.taken + self.bytes.len() as u64,
            expected: self.taken.saturating_add(wanted),
        }
    }
}

pub(crate) fn words(bytes: &[u8]) -> impl Iterator<Item = u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word))
}

pub(crate) fn doubles(bytes: &[u8]) -> impl Iterator<Item = f64> {
    bytes.as_chunks::<8>().0.iter().map(|number| f64::from_le_bytes(*number))
}

pub(crate) fn write_words(words: impl IntoIterator<Item = u32>, out: &mut Vec<u8>) {
    words.into_iter().for_each(|word| out.extend(word.to_le_bytes()));
}

pub(crate) fn write_doubles<'a>(numbers: impl IntoIterator<Item = &'a f64>, out: &mut Vec<u8>) {
    numbers.into_iter().for_each(|number| out.extend(number.to_le_bytes()));
}
