//! Files that are no table and no lines of JSON, told by their first bytes.

use super::error::DatasetError;

/// Bytes that tell them all: the mark of a tar archive stands at 257.
pub(super) const TELLING_BYTES: usize = 512;
const TAR_MARK_AT: usize = 257;

const UNPACK: &str = "unpack it, and give the file that is in it";
const EXPORT: &str = "export it as CSV or JSON lines";
const COMPRESS: &str = "decompress it, or compress it with gzip or zstd";

const MARKS: [(&[u8], &str, &str); 18] = [
    (b"PK\x03\x04", "a zip archive or an Excel workbook", UNPACK),
    (b"PK\x05\x06", "an empty zip archive", UNPACK),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive", UNPACK),
    (b"Rar!", "a rar archive", UNPACK),
    (b"\xFD7zXZ\x00", "compressed with xz", COMPRESS),
    (b"BZh", "compressed with bzip2", COMPRESS),
    (b"\x04\x22\x4D\x18", "compressed with lz4", COMPRESS),
    (b"\x1F\x8B", "compressed twice", COMPRESS),
    (b"\x28\xB5\x2F\xFD", "compressed twice", COMPRESS),
    (b"PAR1", "a Parquet file", EXPORT),
    (b"ARROW1", "an Arrow file", EXPORT),
    (b"Obj\x01", "an Avro file", EXPORT),
    (b"\xD0\xCF\x11\xE0", "an old Excel workbook", EXPORT),
    (b"\x89HDF", "an HDF5 file", EXPORT),
    (b"\x93NUMPY", "a NumPy file", EXPORT),
    (b"\xD4\xC3\xB2\xA1", "a packet capture", EXPORT),
    (b"\x0A\x0D\x0D\x0A", "a packet capture", EXPORT),
    (b"%PDF", "a PDF", EXPORT),
];

/// Refuses what is no text of ours, by its first bytes after decompression.
///
/// # Errors
/// With what it is.
pub(super) fn refuse(first: &[u8]) -> Result<(), DatasetError> {
    let foreign = |what, mend| Err(DatasetError::Foreign { what, mend });
    if first.get(TAR_MARK_AT..).is_some_and(|rest| rest.starts_with(b"ustar")) {
        return foreign("a tar archive", UNPACK);
    }
    if let Some((_, what, mend)) = MARKS.iter().find(|(mark, _, _)| first.starts_with(mark)) {
        return foreign(what, mend);
    }
    let start = String::from_utf8_lossy(first).trim_start().to_ascii_lowercase();
    if ["<!doctype html", "<html"].iter().any(|mark| start.starts_with(mark)) {
        return foreign("a web page", "download the file itself");
    }
    if start.starts_with("<?xml") {
        return foreign("XML", EXPORT);
    }
    Ok(())
}
