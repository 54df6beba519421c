//! The archiver's steps in the bucket. Each can be done again from its beginning after any failure, also by another
//! process, and then changes nothing that is already as it should be.

use std::io::SeekFrom;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tracing::{info, warn};
use vedette_archive::{FoundMetadata, Metadata};
use vedette_contract::archive::{ArchiveObjectKey, METADATA_END, METADATA_RECORDS, Origin};
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::{Progress, ProgressKey};
use vedette_registry::{RegistryError, progress};
use vedette_streams::bucket::{Body, Bucket, Creation, ObjectHead};
use vedette_streams::kafka::group::GroupConsumer;
use vedette_streams::kafka::place::at_offset;

use crate::error::UploadError;
use crate::health::Known;
use crate::metrics::Metrics;
use crate::object::{Frame, Upload};
use crate::partition::{Done, Work};
use crate::spool::SpoolError;

/// Commits to Kafka that everything before `end` of a partition is archived. It blocks.
pub(crate) trait CommitOffset: Send + Sync {
    fn commit(&self, topic: &str, partition: i32, end: i64) -> Result<(), KafkaError>;
}

impl CommitOffset for GroupConsumer {
    fn commit(&self, topic: &str, partition: i32, end: i64) -> Result<(), KafkaError> {
        Consumer::commit(self, &at_offset(topic, partition, end)?, CommitMode::Sync)
    }
}

/// Does the work of all partitions.
pub(crate) struct Uploader {
    pub(crate) bucket: Bucket,
    pub(crate) keys: PipelineKeys,
    pub(crate) commits: Arc<dyn CommitOffset>,
    pub(crate) metrics: Metrics,
    pub(crate) known: Known,
}

impl Uploader {
    /// Does one step. `progress` is what the bucket knows of the partition, as far as it was read.
    pub(crate) async fn perform(
        &self,
        origin: &Origin,
        progress: Option<Progress>,
        work: Work,
    ) -> Result<Done, UploadError> {
        let progress = progress.unwrap_or_else(|| nothing_archived(origin));
        match work {
            Work::Recover => self.recover(origin, progress).await,
            Work::Inspect(key) => self.inspect(origin, progress, key).await,
            Work::Tail { key, file, frames } => self.send_tail(origin, progress, key, &file, &frames).await,
            Work::Close(upload) => self.close(origin, progress, upload).await,
            Work::Commit(position) => {
                self.commit(origin, position).await?;
                Ok(Done::Committed(position))
            }
            Work::Pass(passed) => {
                let mut progress = Progress { passed: Some(passed), ..progress };
                self.put_progress(origin, &mut progress).await?;
                Ok(Done::Recovered(progress))
            }
        }
    }

    /// Reads the progress of the earlier owner, and deletes the deltas that it did not come to delete.
    async fn recover(&self, origin: &Origin, nothing: Progress) -> Result<Done, UploadError> {
        match progress::load(&self.bucket, &self.keys, &progress_key(origin)).await {
            Ok(None) => Ok(Done::Recovered(nothing)),
            Ok(Some(progress)) => {
                if let Some(last_object) = last_object(&progress) {
                    self.delete_tail(&last_object).await?;
                }
                Ok(Done::Recovered(progress))
            }
            Err(RegistryError::ObjectUnreadable { key, source }) => {
                warn!(key, error = %source, "progress cannot be read and counts from zero again; the archive itself is whole");
                Ok(Done::Recovered(nothing))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// An earlier owner may have created this very object and not come to commit it, or left deltas of it.
    async fn inspect(&self, origin: &Origin, progress: Progress, key: ArchiveObjectKey) -> Result<Done, UploadError> {
        if let Some(head) = self.bucket.head(&key.to_string()).await? {
            return self.adopt(origin, progress, &key, &head).await;
        }
        self.delete_tail(&key).await?;
        Ok(Done::Inspected(key))
    }

    async fn send_tail(
        &self,
        origin: &Origin,
        mut progress: Progress,
        key: ArchiveObjectKey,
        file: &Path,
        frames: &[Frame],
    ) -> Result<Done, UploadError> {
        for frame in frames {
            let bytes = read_range(file, frame).await?;
            self.bucket.put(&key.clone().delta(frame.first_offset).to_string(), bytes).await?;
            self.metrics.delta_sent(origin.stream);
        }
        if let Some(Frame { records, end, last_utc, .. }) = frames.last() {
            progress.records = progress.closed_records + records;
            progress.end = *end;
            keep_newer(&mut progress.last_utc, last_utc.clone());
            self.put_progress(origin, &mut progress).await?;
        }
        Ok(Done::TailStored { key, frames: frames.len(), progress })
    }

    /// The order is what makes a crash harmless: the object, the progress, the commit, and the deltas last.
    async fn close(&self, origin: &Origin, mut progress: Progress, upload: Upload) -> Result<Done, UploadError> {
        let Upload { key, file, sha256, length, records, end, last_utc, is_mixed, last_record } = upload;
        let full_key = key.to_string();
        let metadata = Metadata { end, records, sha256: sha256.clone(), last_record }.into_fields();
        let is_new = match self.bucket.create(&full_key, Body::File(file), &metadata).await? {
            Creation::Created => true,
            Creation::AlreadyExists => match self.bucket.head(&full_key).await? {
                // The very same: of an attempt whose answer was lost, or of an earlier owner.
                Some(head) if FoundMetadata::of(&head.metadata).sha256 == Some(sha256) => false,
                Some(head) => return self.adopt(origin, progress, &key, &head).await,
                None => return Err(UploadError::Vanished { key: full_key }),
            },
        };
        if is_new || !is_counted(&progress, &key) {
            count_closed(&mut progress, full_key.clone(), records, end);
            keep_newer(&mut progress.last_utc, last_utc);
            self.put_progress(origin, &mut progress).await?;
        }
        self.commit(origin, end).await?;
        self.delete_tail(&key).await?;
        self.metrics.closed(origin.stream, records, length);
        self.metrics.mixed(origin.stream, is_mixed);
        self.known.archived(&origin.topic, records);
        info!(key = full_key, records, bytes = length, "object closed");
        Ok(Done::Closed(progress))
    }

    /// Takes over an object that another owner of the partition created at the same start.
    async fn adopt(
        &self,
        origin: &Origin,
        mut progress: Progress,
        key: &ArchiveObjectKey,
        head: &ObjectHead,
    ) -> Result<Done, UploadError> {
        let full_key = key.to_string();
        let FoundMetadata { end, records, sha256: _, last_record: _ } = FoundMetadata::of(&head.metadata);
        let end = end.ok_or_else(|| UploadError::Metadata { key: full_key.clone(), field: METADATA_END })?;
        let records =
            records.ok_or_else(|| UploadError::Metadata { key: full_key.clone(), field: METADATA_RECORDS })?;
        if !is_counted(&progress, key) {
            count_closed(&mut progress, full_key.clone(), records, end);
            self.put_progress(origin, &mut progress).await?;
        }
        self.commit(origin, end).await?;
        self.delete_tail(key).await?;
        info!(key = full_key, records, end, "object is there already; reading goes on behind it");
        Ok(Done::Covered { end, progress })
    }

    async fn put_progress(&self, origin: &Origin, progress: &mut Progress) -> Result<(), UploadError> {
        progress.updated_at = Timestamp::now();
        Ok(progress::write(&self.bucket, &self.keys, &progress_key(origin), progress).await?)
    }

    async fn commit(&self, origin: &Origin, end: i64) -> Result<(), UploadError> {
        let commits = Arc::clone(&self.commits);
        let (topic, partition) = (origin.topic.to_string(), origin.partition);
        let (topic, outcome) = tokio::task::spawn_blocking(move || {
            let outcome = commits.commit(&topic, partition, end);
            (topic, outcome)
        })
        .await?;
        outcome.map_err(|source| UploadError::Commit { topic, partition, end, source })
    }

    /// Deletes all deltas of an object, whoever wrote them.
    async fn delete_tail(&self, key: &ArchiveObjectKey) -> Result<(), UploadError> {
        for delta in self.bucket.list(&key.tail(), None).await? {
            self.bucket.delete(&delta.key).await?;
        }
        Ok(())
    }
}

fn progress_key(origin: &Origin) -> ProgressKey {
    ProgressKey { site: origin.site.clone(), topic: origin.topic.clone(), partition: origin.partition }
}

fn nothing_archived(origin: &Origin) -> Progress {
    Progress {
        stream: origin.stream,
        records: 0,
        closed_records: 0,
        end: 0,
        passed: None,
        last_object: None,
        last_utc: None,
        updated_at: Timestamp::now(),
    }
}

/// Counts an object once, however often its close is begun anew.
fn count_closed(progress: &mut Progress, full_key: String, records: u64, end: i64) {
    if progress.last_object.as_ref() != Some(&full_key) {
        progress.closed_records += records;
        progress.last_object = Some(full_key);
    }
    progress.records = progress.closed_records;
    progress.end = end;
}

/// Whether the progress counts an object already: its last one is this, or lies behind it.
fn is_counted(progress: &Progress, key: &ArchiveObjectKey) -> bool {
    last_object(progress).is_some_and(|last| last.origin == key.origin && last.start >= key.start)
}

fn last_object(progress: &Progress) -> Option<ArchiveObjectKey> {
    progress.last_object.as_ref()?.parse().ok()
}

fn keep_newer(last_utc: &mut Option<String>, newer: Option<String>) {
    if newer.is_some() {
        *last_utc = newer;
    }
}

async fn read_range(path: &Path, frame: &Frame) -> Result<Bytes, SpoolError> {
    let failed = |error| SpoolError::new("read", path, error);
    let mut file = tokio::fs::File::open(path).await.map_err(failed)?;
    file.seek(SeekFrom::Start(frame.bytes.start)).await.map_err(failed)?;
    let length = frame.bytes.end - frame.bytes.start;
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
    file.take(length).read_to_end(&mut bytes).await.map_err(failed)?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests;
