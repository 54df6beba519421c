//! Reads the whole archive of a pipeline and says what is wrong with it: objects that changed, records that are missing
//! or there twice, deltas that were left behind. It only reads.

mod chain;
mod content;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use vedette_contract::archive::{
    ArchiveKey, ArchiveObjectKey, METADATA_END, METADATA_RECORDS, METADATA_SHA256, Origin, Stream,
};
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::Progress;
use vedette_streams::bucket::{Bucket, BucketError};

use self::chain::{Link, broken_links};
use self::content::{Content, Summary};
use crate::metadata::FoundMetadata;

/// What is there and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Closed objects.
    pub objects: u64,
    /// Records in them.
    pub records: u64,
    /// Compressed bytes of them.
    pub bytes: u64,
    /// Deltas of objects that are still open: records that an archiver will close, or that were never closed because
    /// their topic went away.
    pub open_deltas: u64,
    /// What is wrong, by key; nothing when the archive is whole.
    pub findings: Vec<Finding>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Full key of the object.
    pub key: String,
    /// What kind of thing it is.
    pub fault: Fault,
    /// One sentence for a person.
    pub what: String,
}

/// The kinds of things that can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Fault {
    /// Not the key of an archive object.
    ForeignKey,
    /// It was listed, or the progress names it, and it is not there.
    Missing,
    /// Its metadata is not that of an archive object.
    Metadata,
    /// Its bytes are not those that were written.
    Hash,
    /// It does not decompress to lines.
    Unreadable,
    /// It does not hold as many records as its metadata says.
    Count,
    /// Its first record is not that of its key.
    FirstRecord,
    /// Records between it and the object before it are in no object.
    Gap,
    /// It begins before the object before it ends.
    Overlap,
    /// A delta of an object that is closed.
    DeltaLeftBehind,
    /// The progress cannot be read.
    Progress,
}

/// Reads every object of one stream, or of both, at all sites. `progress` is called after each object. Several requests
/// an object and one pass over its bytes, in constant memory but for the keys.
///
/// # Errors
/// When the bucket cannot be read; what is wrong with the archive is no error but a finding.
pub async fn verify(
    bucket: &Bucket,
    keys: &PipelineKeys,
    stream: Option<Stream>,
    mut progress: impl FnMut(&VerifyReport),
) -> Result<VerifyReport, BucketError> {
    let mut report = VerifyReport::default();
    // The objects of one origin form a chain.
    let mut chains: BTreeMap<Origin, Vec<Link>> = BTreeMap::new();
    for stream in stream.map_or(Stream::ALL.to_vec(), |stream| vec![stream]) {
        for day in bucket.list_directories(&keys.stream(stream)).await? {
            for site in bucket.list_directories(&day).await? {
                let Listed { closed, deltas } = list(bucket, &site, &mut report).await?;
                for key in &closed {
                    if let Some(link) = check_object(bucket, key, &mut report).await? {
                        chains.entry(key.origin.clone()).or_default().push(link);
                    }
                    progress(&report);
                }
                check_deltas(bucket, &closed, deltas, &mut report).await?;
            }
        }
    }
    report.findings.extend(chains.into_values().flat_map(broken_links));
    check_progress(bucket, keys, stream, &mut report).await?;
    report.findings.sort_unstable();
    Ok(report)
}

/// A day at a site.
#[derive(Default)]
struct Listed {
    closed: BTreeSet<ArchiveObjectKey>,
    /// Objects that have deltas, with how many.
    deltas: BTreeMap<ArchiveObjectKey, u64>,
}

async fn list(bucket: &Bucket, site_prefix: &str, report: &mut VerifyReport) -> Result<Listed, BucketError> {
    let mut listed = Listed::default();
    for found in bucket.list(site_prefix, None).await? {
        match found.key.parse() {
            Ok(ArchiveKey { object, delta: None }) => {
                listed.closed.insert(object);
            }
            Ok(ArchiveKey { object, delta: Some(_) }) => *listed.deltas.entry(object).or_default() += 1,
            Err(error) => report.add(found.key, Fault::ForeignKey, format!("{error}; nothing reads it")),
        }
    }
    Ok(listed)
}

/// Checks one object and returns its place in the chain, if it says where it ends.
async fn check_object(
    bucket: &Bucket,
    key: &ArchiveObjectKey,
    report: &mut VerifyReport,
) -> Result<Option<Link>, BucketError> {
    let full_key = key.to_string();
    let Some(mut object) = bucket.get_stream(&full_key).await? else {
        report.add(full_key, Fault::Missing, "it was listed, and then it was not there");
        return Ok(None);
    };
    let mut content = Content::new(key.format);
    while let Some(chunk) = object.next_chunk().await? {
        content.push(&chunk);
    }
    let (content, written) = (content.finish(), FoundMetadata::of(&object.head.metadata));
    report.objects += 1;
    report.bytes += content.bytes;
    report.records += content.records;
    let faults = faults_of(key, &content, &written);
    report.findings.extend(faults.into_iter().map(|(fault, what)| Finding { key: full_key.clone(), fault, what }));
    let end = written.end.filter(|end| *end > key.start);
    Ok(end.map(|end| Link { day: key.day, start: key.start, end, key: full_key }))
}

/// Compares what an object holds with its key and with what its writer said.
fn faults_of(key: &ArchiveObjectKey, content: &Summary, written: &FoundMetadata) -> Vec<(Fault, String)> {
    let Summary { sha256, bytes: _, records, first_record, unreadable } = content;
    let mut faults = Vec::new();
    match &written.sha256 {
        Some(expected) if expected == sha256 => {}
        Some(expected) => {
            faults.push((Fault::Hash, format!("its SHA-256 is {sha256} and was {expected} when it was written")));
        }
        None => faults.push((Fault::Metadata, format!("it has no {METADATA_SHA256:?}"))),
    }
    if let Some(error) = unreadable {
        faults.push((Fault::Unreadable, format!("it does not decompress to lines: {error}")));
    } else if *first_record != key.first_record {
        let what = format!("its first record hashes to {first_record} and not to {}", key.first_record);
        faults.push((Fault::FirstRecord, what));
    }
    match written.records {
        Some(expected) if expected == *records => {}
        Some(expected) => {
            faults.push((Fault::Count, format!("it holds {records} records and was written with {expected}")));
        }
        None => faults.push((Fault::Metadata, format!("it has no {METADATA_RECORDS:?}"))),
    }
    if written.end.is_none_or(|end| end <= key.start) {
        faults.push((Fault::Metadata, format!("its {METADATA_END:?} is not an offset after its start")));
    }
    faults
}

/// Deltas of a closed object are on their way out, unless they are still there when everything else was checked.
async fn check_deltas(
    bucket: &Bucket,
    closed: &BTreeSet<ArchiveObjectKey>,
    deltas: BTreeMap<ArchiveObjectKey, u64>,
    report: &mut VerifyReport,
) -> Result<(), BucketError> {
    for (object, count) in deltas {
        if !closed.contains(&object) {
            report.open_deltas += count;
            continue;
        }
        for left in bucket.list(&object.tail(), None).await? {
            report.add(left.key, Fault::DeltaLeftBehind, "its object is closed; it may be deleted");
        }
    }
    Ok(())
}

/// The last closed object of a partition is followed by none that would miss it: the progress names it.
async fn check_progress(
    bucket: &Bucket,
    keys: &PipelineKeys,
    stream: Option<Stream>,
    report: &mut VerifyReport,
) -> Result<(), BucketError> {
    let mut missing = BTreeSet::new();
    for object in bucket.list(&keys.progress_prefix(), None).await? {
        let Some(content) = bucket.get(&object.key).await? else {
            continue;
        };
        match serde_json::from_slice::<Progress>(&content.bytes) {
            Err(error) => report.add(object.key, Fault::Progress, format!("it cannot be read: {error}")),
            Ok(progress) if stream.is_none_or(|stream| stream == progress.stream) => {
                if let Some(last_object) = progress.last_object
                    && bucket.head(&last_object).await?.is_none()
                {
                    missing.insert((last_object, object.key));
                }
            }
            Ok(_) => {}
        }
    }
    for (last_object, by) in missing {
        report.add(last_object, Fault::Missing, format!("{by} names it as closed, and it is not there"));
    }
    Ok(())
}

impl VerifyReport {
    fn add(&mut self, key: impl Into<String>, fault: Fault, what: impl Into<String>) {
        self.findings.push(Finding { key: key.into(), fault, what: what.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::first_record;

    fn faults(change: impl FnOnce(&mut Summary, &mut FoundMetadata)) -> Vec<Fault> {
        let key = "n/p/alerts/2026-11-23/s/a-0-00000000000000000005-ba7816bf.jsonl.zst".parse().unwrap();
        let first_record = first_record(b"abc");
        let mut content = Summary { sha256: "c0ffee".to_owned(), bytes: 9, records: 3, first_record, unreadable: None };
        let mut written =
            FoundMetadata { end: Some(6), records: Some(3), sha256: Some("c0ffee".to_owned()), last_record: None };
        change(&mut content, &mut written);
        faults_of(&key, &content, &written).into_iter().map(|(fault, _)| fault).collect()
    }

    #[test]
    fn an_object_is_held_against_its_key_and_its_writers_words() {
        assert_eq!(faults(|_, _| {}), []);
        assert_eq!(faults(|content, _| content.sha256 = "0".to_owned()), [Fault::Hash]);
        assert_eq!(faults(|content, _| content.records = 2), [Fault::Count]);
        assert_eq!(faults(|content, _| content.first_record = first_record(b"")), [Fault::FirstRecord]);
        assert_eq!(faults(|_, written| written.end = Some(5)), [Fault::Metadata]);
        let nothing = FoundMetadata { end: None, records: None, sha256: None, last_record: None };
        assert_eq!(faults(|_, written| *written = nothing), [Fault::Metadata; 3]);
    }

    #[test]
    fn what_cannot_be_read_is_not_held_against_its_first_record_too() {
        let faults = faults(|content, _| {
            content.unreadable = Some(std::io::ErrorKind::UnexpectedEof.into());
            content.first_record = first_record(b"");
        });
        assert_eq!(faults, [Fault::Unreadable]);
    }
}
