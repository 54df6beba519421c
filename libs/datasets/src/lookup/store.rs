//! The table in memory: one run of bytes, in which each row is its key and its values, each after its length, and an index by
//! the hash of the key that says where a row begins. A row takes its text, a byte or two for each length, and 4 to 16 bytes
//! of the index.

use std::hash::{BuildHasher, RandomState};

use super::error::TableError;
use crate::cell::CellKind;

/// Positions are 32 bits wide, and a detector has little memory.
const LARGEST: usize = 512 * 1024 * 1024;
/// The index has so many places at least.
const FEWEST_PLACES: usize = 16;
/// A length goes on in another byte.
const MORE: u8 = 0x80;

/// A table in memory.
#[derive(Debug)]
pub struct LookupTable {
    rows: Rows,
    count: usize,
    /// The columns in which a text among numbers, such as `N/A`, means that there is no value.
    has_words: Vec<bool>,
}

/// A row that was found.
#[derive(Debug, Clone, Copy)]
pub struct Row<'table> {
    /// The values, each after its length.
    bytes: &'table [u8],
    has_words: &'table [bool],
}

impl LookupTable {
    /// The row of a key.
    pub fn get(&self, key: &str) -> Option<Row<'_>> {
        let start = self.rows.find(key.as_bytes())?;
        let (_, bytes) = split(&self.rows.bytes[start..]);
        Some(Row { bytes, has_words: &self.has_words })
    }

    /// How many keys there are.
    pub fn rows(&self) -> usize {
        self.count
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.rows.bytes.capacity() + self.rows.places.capacity() * size_of::<u32>()
    }
}

impl<'table> Row<'table> {
    /// The JSON of the value of each column; `None` where there is none.
    pub fn values(self) -> impl Iterator<Item = Option<&'table [u8]>> {
        let mut rest = self.bytes;
        self.has_words.iter().map(move |has_words| {
            let (value, after) = split(rest);
            rest = after;
            let is_word = *has_words && value.starts_with(b"\"");
            (!value.is_empty() && !is_word).then_some(value)
        })
    }
}

/// A table in the making.
pub(super) struct Builder {
    rows: Rows,
    count: usize,
    kinds: Vec<Kinds>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, Default)]
struct Kinds {
    numbers: bool,
    no_numbers: bool,
    texts: bool,
}

impl Builder {
    pub(super) fn new(columns: usize) -> Self {
        Self { rows: Rows::default(), count: 0, kinds: vec![Kinds::default(); columns] }
    }

    /// Notes what a column holds in a row.
    pub(super) fn note(&mut self, column: usize, kind: CellKind) {
        let kinds = &mut self.kinds[column];
        match kind {
            CellKind::Empty => {}
            CellKind::Number => kinds.numbers = true,
            CellKind::NoNumber => kinds.no_numbers = true,
            CellKind::Text => kinds.texts = true,
        }
    }

    /// Adds a row: the JSON of its values, one after the other, and where each ends. An empty one is no value.
    ///
    /// # Errors
    /// When the key is there with other values, or the table has become too large.
    pub(super) fn add(&mut self, key: &str, values: &[u8], ends: &[usize], line: u64) -> Result<(), TableError> {
        let start = self.rows.bytes.len();
        append(&mut self.rows.bytes, key.as_bytes());
        let mut before = 0;
        for end in ends {
            append(&mut self.rows.bytes, &values[before..*end]);
            before = *end;
        }
        if self.rows.bytes.len() > LARGEST {
            return Err(TableError::TooLarge { line });
        }
        match self.rows.find(key.as_bytes()) {
            None => {
                self.count += 1;
                self.rows.index(start, self.count);
            }
            Some(other) if self.rows.bytes[other..start].starts_with(&self.rows.bytes[start..]) => {
                self.rows.bytes.truncate(start);
            }
            Some(_) => return Err(TableError::KeyRepeated { line, key: key.to_owned() }),
        }
        Ok(())
    }

    /// # Errors
    /// When there is no row.
    pub(super) fn finish(self) -> Result<LookupTable, TableError> {
        let Self { mut rows, count, kinds } = self;
        if count == 0 {
            return Err(TableError::NoRows);
        }
        rows.bytes.shrink_to_fit();
        let has_words = kinds.iter().map(|Kinds { numbers, no_numbers, texts }| *numbers && *no_numbers && !*texts);
        Ok(LookupTable { rows, count, has_words: has_words.collect() })
    }
}

/// The rows and their index.
#[derive(Debug, Default)]
struct Rows {
    bytes: Vec<u8>,
    /// Where a row begins, plus one; 0 where there is none. A row stands in the first free place from that of its hash on.
    places: Vec<u32>,
    hashing: RandomState,
}

impl Rows {
    fn find(&self, key: &[u8]) -> Option<usize> {
        if self.places.is_empty() {
            return None;
        }
        let mut place = self.place_of(key);
        while let Some(start) = self.places[place].checked_sub(1) {
            let start = start as usize;
            if split(&self.bytes[start..]).0 == key {
                return Some(start);
            }
            place = (place + 1) % self.places.len();
        }
        None
    }

    /// Indexes the row at `start`, the last of `count`.
    fn index(&mut self, start: usize, count: usize) {
        // At most three of four places are taken.
        if count * 4 > self.places.len() * 3 {
            self.widen();
        }
        self.put(start);
    }

    fn widen(&mut self) {
        let wider = (self.places.len() * 2).max(FEWEST_PLACES);
        let narrow = std::mem::replace(&mut self.places, vec![0; wider]);
        narrow.into_iter().filter_map(|place| place.checked_sub(1)).for_each(|start| self.put(start as usize));
    }

    fn put(&mut self, start: usize) {
        let mut place = self.place_of(split(&self.bytes[start..]).0);
        while self.places[place] != 0 {
            place = (place + 1) % self.places.len();
        }
        // The limit of the bytes keeps it within 32 bits.
        self.places[place] = u32::try_from(start + 1).unwrap_or_default();
    }

    fn place_of(&self, key: &[u8]) -> usize {
        let hash = self.hashing.hash_one(key);
        usize::try_from(hash % self.places.len() as u64).unwrap_or_default()
    }
}

/// Appends a text after its length: seven bits a byte, the lowest first.
fn append(bytes: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    while length >= usize::from(MORE) {
        bytes.push(length.to_le_bytes()[0] | MORE);
        length >>= 7;
    }
    bytes.push(length.to_le_bytes()[0]);
    bytes.extend_from_slice(text);
}

/// The first text, and what follows it.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (mut length, mut read) = (0, 0);
    for byte in bytes {
        length |= usize::from(byte & !MORE) << (7 * read);
        read += 1;
        if byte & MORE == 0 {
            break;
        }
    }
    bytes[read..].split_at(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_any_length_is_found_again() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 2_100_000] {
            let (text, mut bytes) = (vec![b'x'; length], Vec::new());
            append(&mut bytes, &text);
            bytes.push(7);
            assert_eq!(split(&bytes), (&text[..], &[7][..]), "{length}");
        }
    }

    #[test]
    fn every_key_is_found_while_the_index_grows_and_no_other() {
        let mut builder = Builder::new(1);
        for number in 0..5000_u32 {
            let value = number.to_string();
            builder.add(&format!("key-{number}"), value.as_bytes(), &[value.len()], 1).unwrap();
        }
        let table = builder.finish().unwrap();
        assert_eq!(table.rows(), 5000);
        for number in 0..5000_u32 {
            let row = table.get(&format!("key-{number}")).unwrap();
            assert_eq!(row.values().collect::<Vec<_>>(), [Some(number.to_string().as_bytes())]);
        }
        assert!(table.get("key-5000").is_none() && table.get("").is_none() && table.get("key-").is_none());
    }
}
