//! Fills an archive as archivers do, with records that are archived already: each again and again, with a uuid of its own.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use uuid::Builder;
use uuid::fmt::Hyphenated;
use vedette_archive::{Line, Metadata, Selection, encoder, fetch, first_record, list_sources, record_sha256};
use vedette_contract::Name;
use vedette_contract::archive::{ArchiveObjectKey, Format, Stream};
use vedette_contract::keys::PipelineKeys;
use vedette_streams::bucket::{Body, Bucket, BucketError};

/// Of an object, uncompressed: a manifest's default.
const OBJECT_BYTES: usize = 128 << 20;
/// Of a frame of an object, uncompressed, as an archiver makes them under load.
const FRAME_BYTES: usize = 8 << 20;
const PARTITIONS: [i32; 4] = [0, 1, 2, 3];
/// So many records are repeated at most.
const RECORDS: usize = 50_000;
const UUID: &[u8] = b"\"uuid\":\"";

/// Why an archive could not be filled.
#[derive(Debug, Error)]
pub enum FillError {
    /// The bucket does not do its part.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// There is no record with a uuid to repeat.
    #[error("no archived record has a uuid")]
    Nothing,
    /// What is there cannot be read, or what is new not be compressed.
    #[error("could not read or write an archive object")]
    Object(#[from] std::io::Error),
    /// A thread ended by itself.
    #[error("a step ended by itself")]
    Ended(#[from] JoinError),
}

/// Archived records, to be repeated.
#[derive(Debug)]
pub struct Copies {
    records: Vec<Record>,
    /// Of an object that some of them come from.
    key: ArchiveObjectKey,
}

/// A record without its uuid.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Record {
    fn of(line: &[u8]) -> Option<Self> {
        let begin = line.windows(UUID.len()).position(|name| name == UUID)? + UUID.len();
        let after = line.get(begin + Hyphenated::LENGTH..)?;
        Some(Self { before: line[..begin].to_vec(), after: after.to_vec() })
    }

    fn length(&self) -> usize {
        self.before.len() + Hyphenated::LENGTH + self.after.len()
    }

    fn write(&self, random: &mut impl RngCore, line: &mut Vec<u8>) {
        let mut bytes = [0; 16];
        random.fill_bytes(&mut bytes);
        let mut uuid = [0; Hyphenated::LENGTH];
        Builder::from_random_bytes(bytes).into_uuid().hyphenated().encode_lower(&mut uuid);
        line.clear();
        [&self.before, &uuid[..], &self.after].iter().for_each(|part| line.extend_from_slice(part));
    }
}

impl Copies {
    /// The first enriched records of a pipeline's archive.
    ///
    /// # Errors
    /// When there is none, or the bucket does not answer.
    pub async fn of(bucket: &Bucket, keys: &PipelineKeys) -> Result<Self, FillError> {
        let selection = Selection { stream: Stream::EnrichedData, sites: &[], not_before: None };
        let (mut records, mut key) = (Vec::new(), None);
        for source in list_sources(bucket, keys, selection).await? {
            key.get_or_insert_with(|| source.object.clone());
            for part in fetch(bucket, source).await?.into_iter().flat_map(|fetched| fetched.parts) {
                part.for_each_line(|line| {
                    if let Line::Whole(line) = line {
                        records.extend(Record::of(line));
                    }
                    if records.len() < RECORDS { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })?;
            }
        }
        let key = key.filter(|_| !records.is_empty()).ok_or(FillError::Nothing)?;
        Ok(Self { records, key })
    }

    /// Writes so many records as the archive of another pipeline; returns their bytes as they are stored.
    ///
    /// # Errors
    /// When the bucket does not take them.
    pub async fn fill(self, bucket: &Bucket, pipeline: &Name, records: usize) -> Result<u64, FillError> {
        let Self { records: copied, mut key } = self;
        key.origin.pipeline = pipeline.clone();
        let mean = copied.iter().map(Record::length).sum::<usize>() / copied.len();
        let filling =
            Arc::new(Filling { copied, key, records, per_object: OBJECT_BYTES / mean, next: AtomicUsize::new(0) });
        let mut workers = JoinSet::new();
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            workers.spawn(Arc::clone(&filling).work(bucket.clone()));
        }
        let mut bytes = 0;
        while let Some(worker) = workers.join_next().await {
            bytes += worker??;
        }
        Ok(bytes)
    }
}

/// An archive that is being filled.
struct Filling {
    copied: Vec<Record>,
    key: ArchiveObjectKey,
    records: usize,
    per_object: usize,
    /// The next object.
    next: AtomicUsize,
}

impl Filling {
    /// Writes objects until there are no more; returns their bytes.
    async fn work(self: Arc<Self>, bucket: Bucket) -> Result<u64, FillError> {
        let mut bytes = 0;
        while let Some(object) = self.take() {
            let filling = Arc::clone(&self);
            let (key, stored, metadata) = spawn_blocking(move || filling.object(object)).await??;
            bytes += stored.len() as u64;
            bucket.create(&key.to_string(), Body::Bytes(stored.into()), &metadata.into_fields()).await?;
        }
        Ok(bytes)
    }

    /// The number of an object that nobody has written, and its records as numbers of all.
    fn take(&self) -> Option<(usize, Range<usize>)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let first = number * self.per_object;
        (first < self.records).then(|| (number, first..self.records.min(first + self.per_object)))
    }

    /// Objects go round the partitions.
    fn object(
        &self,
        (number, records): (usize, Range<usize>),
    ) -> std::io::Result<(ArchiveObjectKey, Vec<u8>, Metadata)> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(number as u64);
        let mut encoder = encoder(Format::JsonLines)?;
        let (mut stored, mut line, mut frame, mut key) = (Vec::new(), Vec::new(), 0, self.key.clone());
        key.origin.partition = PARTITIONS[number % PARTITIONS.len()];
        key.start = ((number / PARTITIONS.len() * self.per_object) as u64).cast_signed();
        for record in records.clone() {
            self.copied[record % self.copied.len()].write(&mut random, &mut line);
            if record == records.start {
                key.first_record = first_record(&line);
            }
            stored.extend_from_slice(encoder.record(&line)?);
            frame += line.len();
            if frame >= FRAME_BYTES || record + 1 == records.end {
                stored.extend_from_slice(encoder.end_frame()?);
                frame = 0;
            }
        }
        let count = records.len() as u64;
        let sha256 = hex::encode(Sha256::digest(&stored));
        let last_record = record_sha256(&line);
        let metadata = Metadata { end: key.start + count.cast_signed(), records: count, sha256, last_record };
        Ok((key, stored, metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_repeated_with_another_uuid_and_nothing_else() {
        let line = br#"{"a":1,"uuid":"60268652-2d68-5f5a-aaee-c8a660c1ffff","utc":"t"}"#;
        let record = Record::of(line).unwrap();
        let (mut random, mut copy) = (Xoshiro256PlusPlus::seed_from_u64(1), Vec::new());
        record.write(&mut random, &mut copy);
        assert_eq!((copy.len(), record.length()), (line.len(), line.len()));
        assert_ne!(copy, line);
        assert_eq!(Record::of(&copy).unwrap(), record);
        assert_eq!(Record::of(br#"{"a":1}"#), None);
        assert_eq!(Record::of(br#"{"uuid":"short"}"#), None);
    }
}
