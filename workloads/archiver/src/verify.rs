//! Reads the whole archive of a pipeline and says what is wrong with it: objects that changed, records that are missing
//! or there twice, deltas that were left behind. It only reads.

mod chain;
mod content;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use vedette_contract::archive::{
    ArchiveObjectKey, METADATA_END, METADATA_RECORDS, METADATA_SHA256, OBJECT_SUFFIX, Stream, TAIL_SUFFIX,
};
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::Progress;
use vedette_contract::{Name, TopicName};
use vedette_streams::bucket::{Bucket, BucketError, ObjectHead};

use self::chain::{Link, broken_links};
use self::content::Content;

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

/// The partition of one site: its objects form a chain.
type ChainKey = (Stream, Name, TopicName, i32);

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
    let streams = stream.map_or(vec![Stream::EnrichedData, Stream::Alerts], |stream| vec![stream]);
    for stream in streams {
        let prefix = keys.stream(stream);
        let mut chains: BTreeMap<ChainKey, Vec<Link>> = BTreeMap::new();
        for day in bucket.list_directories(&prefix).await? {
            for site in bucket.list_directories(&day).await? {
                let (closed, deltas) = list(bucket, &prefix, &site, &mut report).await?;
                for (full_key, key) in &closed {
                    if let Some(end) = check_object(bucket, full_key, key, &mut report).await? {
                        let chain = (stream, key.site.clone(), key.topic.clone(), key.partition);
                        let (day, start, key) = (key.day, key.start, full_key.clone());
                        chains.entry(chain).or_default().push(Link { day, start, end, key });
                    }
                    progress(&report);
                }
                check_deltas(bucket, &closed, deltas, &mut report).await?;
            }
        }
        report.findings.extend(chains.into_values().flat_map(broken_links));
    }
    check_progress(bucket, keys, stream, &mut report).await?;
    report.findings.sort_unstable();
    Ok(report)
}

type Closed = BTreeMap<String, ArchiveObjectKey>;

/// The closed objects of a day at a site, and the objects that have deltas, with how many.
async fn list(
    bucket: &Bucket,
    stream_prefix: &str,
    site_prefix: &str,
    report: &mut VerifyReport,
) -> Result<(Closed, BTreeMap<String, u64>), BucketError> {
    let (mut closed, mut deltas) = (Closed::new(), BTreeMap::<String, u64>::new());
    for object in bucket.list(site_prefix, None).await? {
        if let Some((of, _)) = object.key.split_once(&format!("{OBJECT_SUFFIX}{TAIL_SUFFIX}")) {
            *deltas.entry(format!("{of}{OBJECT_SUFFIX}")).or_default() += 1;
            continue;
        }
        match object.key.strip_prefix(stream_prefix).unwrap_or_default().parse() {
            Ok(key) => {
                closed.insert(object.key, key);
            }
            Err(error) => report.add(object.key, Fault::ForeignKey, format!("{error}; nothing reads it")),
        }
    }
    Ok((closed, deltas))
}

/// Checks one object and returns where it ends, if it says so.
async fn check_object(
    bucket: &Bucket,
    full_key: &str,
    key: &ArchiveObjectKey,
    report: &mut VerifyReport,
) -> Result<Option<i64>, BucketError> {
    let Some(mut object) = bucket.get_stream(full_key).await? else {
        report.add(full_key, Fault::Missing, "it was listed, and then it was not there".to_owned());
        return Ok(None);
    };
    report.objects += 1;
    let mut content = Content::default();
    while let Some(chunk) = object.next_chunk().await? {
        content.push(&chunk);
    }
    let summary = content.finish();
    report.bytes += summary.bytes;
    report.records += summary.records;
    let written = Written::of(&object.head);
    match &written.sha256 {
        Some(sha256) if *sha256 == summary.sha256 => {}
        Some(sha256) => {
            report.add(
                full_key,
                Fault::Hash,
                format!("its SHA-256 is {} and was {sha256} when it was written", summary.sha256),
            );
        }
        None => report.add(full_key, Fault::Metadata, format!("it has no {METADATA_SHA256:?}")),
    }
    if let Some(error) = summary.unreadable {
        report.add(full_key, Fault::Unreadable, format!("it does not decompress to lines: {error}"));
    } else if summary.first_record != key.first_record {
        let what = format!("its first record hashes to {} and not to {}", summary.first_record, key.first_record);
        report.add(full_key, Fault::FirstRecord, what);
    }
    match written.records {
        Some(records) if records == summary.records => {}
        Some(records) => {
            report.add(
                full_key,
                Fault::Count,
                format!("it holds {} records and was written with {records}", summary.records),
            );
        }
        None => report.add(full_key, Fault::Metadata, format!("it has no {METADATA_RECORDS:?}")),
    }
    if written.end.is_none_or(|end| end <= key.start) {
        report.add(full_key, Fault::Metadata, format!("its {METADATA_END:?} is not an offset after its start"));
    }
    Ok(written.end.filter(|end| *end > key.start))
}

/// What its writer said of an object.
struct Written {
    sha256: Option<String>,
    records: Option<u64>,
    end: Option<i64>,
}

impl Written {
    fn of(head: &ObjectHead) -> Self {
        let field = |name: &str| head.metadata.get(name);
        Self {
            sha256: field(METADATA_SHA256).cloned(),
            records: field(METADATA_RECORDS).and_then(|text| text.parse().ok()),
            end: field(METADATA_END).and_then(|text| text.parse().ok()),
        }
    }
}

/// Deltas of a closed object are on their way out, unless they are still there when everything else was checked.
async fn check_deltas(
    bucket: &Bucket,
    closed: &Closed,
    deltas: BTreeMap<String, u64>,
    report: &mut VerifyReport,
) -> Result<(), BucketError> {
    for (of, count) in deltas {
        if !closed.contains_key(&of) {
            report.open_deltas += count;
            continue;
        }
        for left in bucket.list(&format!("{of}{TAIL_SUFFIX}"), None).await? {
            report.add(left.key, Fault::DeltaLeftBehind, "its object is closed; it may be deleted".to_owned());
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
    fn add(&mut self, key: impl Into<String>, fault: Fault, what: String) {
        self.findings.push(Finding { key: key.into(), fault, what });
    }
}
