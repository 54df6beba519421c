//! What the writer of a closed object says of it, beside its bytes.

use std::collections::BTreeMap;

use vedette_contract::archive::{METADATA_END, METADATA_LAST_RECORD, METADATA_RECORDS, METADATA_SHA256};

/// As it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Offset after its last record.
    pub end: i64,
    /// Its records.
    pub records: u64,
    /// Lower-case hexadecimal SHA-256 of its bytes.
    pub sha256: String,
    /// That of its last record.
    pub last_record: String,
}

/// As it is found: an object may be of somebody else, who says less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundMetadata {
    /// See [`Metadata::end`].
    pub end: Option<i64>,
    /// See [`Metadata::records`].
    pub records: Option<u64>,
    /// See [`Metadata::sha256`].
    pub sha256: Option<String>,
    /// See [`Metadata::last_record`]; the builds before this one did not say it.
    pub last_record: Option<String>,
}

impl Metadata {
    /// The fields that the bucket keeps with the object.
    pub fn into_fields(self) -> BTreeMap<String, String> {
        let Self { end, records, sha256, last_record } = self;
        let numbers = [(METADATA_END, end.to_string()), (METADATA_RECORDS, records.to_string())];
        let hashes = [(METADATA_SHA256, sha256), (METADATA_LAST_RECORD, last_record)];
        numbers.into_iter().chain(hashes).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl FoundMetadata {
    /// From the fields that the bucket keeps with an object.
    pub fn of(fields: &BTreeMap<String, String>) -> Self {
        Self {
            end: fields.get(METADATA_END).and_then(|text| text.parse().ok()),
            records: fields.get(METADATA_RECORDS).and_then(|text| text.parse().ok()),
            sha256: fields.get(METADATA_SHA256).cloned(),
            last_record: fields.get(METADATA_LAST_RECORD).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_found_again() {
        let (sha256, last_record) = ("c0ffee".to_owned(), "1a57".to_owned());
        let fields =
            Metadata { end: 12, records: 3, sha256: sha256.clone(), last_record: last_record.clone() }.into_fields();
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["end", "last", "records", "sha256"]);
        let whole =
            FoundMetadata { end: Some(12), records: Some(3), sha256: Some(sha256), last_record: Some(last_record) };
        assert_eq!(FoundMetadata::of(&fields), whole);
    }

    #[test]
    fn what_is_no_number_is_not_said() {
        let fields = [("end", "soon"), ("records", "-1")].map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let nothing = FoundMetadata { end: None, records: None, sha256: None, last_record: None };
        assert_eq!(FoundMetadata::of(&fields), nothing);
    }
}
