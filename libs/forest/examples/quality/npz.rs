//! As much of NumPy's npz (a zip archive of npy files) as data sets need: numeric arrays, stored or deflated.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::DeflateDecoder;

use crate::failure::Failure;

/// A numeric array.
#[derive(Debug)]
pub(crate) struct Array {
    /// Lengths of its dimensions.
    pub shape: Vec<usize>,
    /// Its values as they lie in the file.
    pub values: Vec<f64>,
    by_column: bool,
}

impl Array {
    /// Where the value of a row and a column lies.
    pub(crate) fn position(&self, row: usize, column: usize) -> usize {
        let (rows, columns) = (self.shape[0], self.shape.get(1).copied().unwrap_or(1));
        if self.by_column { column * rows + row } else { row * columns + column }
    }
}

/// The arrays by name, found by the archive's central directory.
pub(crate) fn read(archive: &[u8]) -> Result<BTreeMap<String, Array>, Failure> {
    let end = archive.windows(4).rposition(|window| window == b"PK\x05\x06").ok_or("not a zip archive")?;
    let (entries, mut at) = (number(archive, end + 10, 2)?, number(archive, end + 16, 4)?);
    let mut arrays = BTreeMap::new();
    for _ in 0..entries {
        let field = |offset, bytes| number(archive, at + offset, bytes);
        let (method, length, start) = (field(10, 2)?, field(20, 4)?, field(42, 4)?);
        let name = String::from_utf8_lossy(part(archive, at + 46, field(28, 2)?)?).into_owned();
        let data = start + 30 + number(archive, start + 26, 2)? + number(archive, start + 28, 2)?;
        let packed = part(archive, data, length)?;
        let mut bytes = Vec::new();
        match method {
            0 => bytes.extend_from_slice(packed),
            8 => _ = DeflateDecoder::new(packed).read_to_end(&mut bytes)?,
            _ => return Err(format!("{name} is packed in a way that is not known").into()),
        }
        arrays.insert(name.trim_end_matches(".npy").to_owned(), array(&bytes)?);
        at += 46 + field(28, 2)? + field(30, 2)? + field(32, 2)?;
    }
    Ok(arrays)
}

fn part(bytes: &[u8], start: usize, length: usize) -> Result<&[u8], Failure> {
    Ok(bytes.get(start..start.saturating_add(length)).ok_or("the archive is cut off")?)
}

fn number(bytes: &[u8], start: usize, length: usize) -> Result<usize, Failure> {
    Ok(part(bytes, start, length)?.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte)))
}

fn array(npy: &[u8]) -> Result<Array, Failure> {
    let length = if npy.get(6) == Some(&1) { 2 } else { 4 };
    let header = part(npy, 8 + length, number(npy, 8, length)?)?;
    let data = &npy[8 + length + header.len()..];
    let header = String::from_utf8_lossy(header);
    let after = |key: &str| header.split_once(key).map(|(_, rest)| rest).ok_or("a npy header is not known");
    let kind = after("'descr': '")?.split('\'').next().unwrap_or_default().to_owned();
    let by_column = after("'fortran_order': ")?.starts_with("True");
    let shape = after("'shape': (")?.split(')').next().unwrap_or_default().to_owned();
    let shape = shape.split(',').filter_map(|text| text.trim().parse().ok()).collect();
    #[allow(clippy::cast_precision_loss)]
    let values = match kind.as_str() {
        "<f8" => data.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
        "<f4" => data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes).into()).collect(),
        "<i8" => data.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes) as f64).collect(),
        "<i4" => data.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes).into()).collect(),
        "|u1" | "|b1" => data.iter().map(|byte| f64::from(*byte)).collect(),
        _ => return Err(format!("arrays of {kind} are not known").into()),
    };
    Ok(Array { shape, values, by_column })
}
