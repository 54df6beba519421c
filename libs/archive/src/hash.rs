//! SHA-256 as the archive spells it.

use sha2::{Digest, Sha256};
use vedette_contract::archive::FirstRecord;

/// The part of an object's key that tells a recreated topic from the old one, from the record as it is archived.
pub fn first_record(record: &[u8]) -> FirstRecord {
    first_record_of(Sha256::new_with_prefix(record))
}

pub(crate) fn first_record_of(record: Sha256) -> FirstRecord {
    FirstRecord::from_sha256(record.finalize().into())
}

/// Of a record as it is archived, lower-case hexadecimal.
pub fn record_sha256(record: &[u8]) -> String {
    sha256_hex(record)
}

/// Lower-case hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_record_is_the_start_of_the_hash() {
        // sha256sum of "abc", from FIPS 180-2.
        assert_eq!(first_record(b"abc").to_string(), "ba7816bf");
        assert_eq!(&sha256_hex(b"abc")[..8], "ba7816bf");
    }
}
