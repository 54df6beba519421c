//! Where partitions begin: by what their group has committed, and by what the bucket knows where that is gone. Each is looked for by
//! itself and beside the loop, so one that takes long, or cannot be told, holds up no other.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use rdkafka::Message;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, spawn_blocking};
use tokio_util::task::AbortOnDropHandle;
use vedette_archive::{FoundMetadata, Selection, Source, holds_records, last_record, list_sources, record_sha256};
use vedette_contract::archive::{ArchiveObjectKey, METADATA_END, Origin};
use vedette_contract::progress::{Progress, ProgressKey};
use vedette_records::one_line;
use vedette_registry::{RegistryError, progress};
use vedette_service::{Backoff, Readiness, error_chain};
use vedette_streams::bucket::{Bucket, BucketError};
use vedette_streams::kafka::group::GroupConsumer;
use vedette_streams::kafka::place::{Beginning, at_offset, forgotten, read_to_end, record_at};
use vedette_streams::kafka::{KafkaSettings, MissingAcl, REQUEST_TIMEOUT};

use crate::readiness::GROUP;
use crate::upload::Uploader;

/// So many partitions are asked about at once.
const REQUESTS: usize = 8;
/// So many of the last records that Kafka has left are compared with those of an object.
const COMPARED: usize = 8;
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(30));

/// Why it is not known yet.
#[derive(Debug, Error)]
pub(crate) enum ResumeError {
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Progress(#[from] RegistryError),
    #[error("Kafka does not tell which offsets the partition holds")]
    Watermarks(#[source] KafkaError),
    #[error("the last record that is archived cannot be looked for in Kafka")]
    Record(#[source] KafkaError),
    #[error(
        "{key} in the bucket does not say where it ends: its metadata {METADATA_END:?} is missing or no number; copy it there with its metadata, or set the group's offset with Kafka's tools"
    )]
    Metadata { key: String },
    #[error("the search ended by itself")]
    Ended(#[from] JoinError),
}

/// Finds out where partitions begin.
pub(crate) struct Resume {
    kafka: KafkaSettings,
    group: String,
    consumer: Arc<GroupConsumer>,
    uploader: Arc<Uploader>,
    readiness: Readiness,
    requests: Semaphore,
}

/// What is known of a partition whose beginning is looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sought {
    /// What its group has committed.
    Committed(Option<i64>),
    Shortened(Shortened),
}

/// A topic that ends before where it was read, when that was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shortened {
    /// Where it begins if it was made anew.
    pub(crate) beginning: Beginning,
    /// What it held then.
    pub(crate) watermarks: (i64, i64),
}

/// A partition that is ours, and whose beginning is looked for.
pub(crate) struct Search {
    pub(crate) origin: Origin,
    step: AbortOnDropHandle<Beginning>,
}

/// The last object of a partition.
struct LastObject {
    key: ArchiveObjectKey,
    end: i64,
    /// Hash of its last record, where its metadata have it.
    last_record: Option<String>,
}

impl Search {
    /// Of which so much is known.
    pub(crate) fn begin(resume: &Arc<Resume>, origin: Origin, sought: Sought, runtime: &Handle) -> Self {
        let (resume, of) = (Arc::clone(resume), origin.clone());
        let step = runtime.spawn(async move { resume.beginning(&of, sought).await });
        Self { origin, step: AbortOnDropHandle::new(step) }
    }

    pub(crate) fn is(&self, topic: &str, partition: i32) -> bool {
        self.origin.partition == partition && self.origin.topic.as_str() == topic
    }

    pub(crate) fn is_over(&self) -> bool {
        self.step.is_finished()
    }

    /// What it found.
    pub(crate) async fn found(self) -> Result<(Origin, Beginning), JoinError> {
        Ok((self.origin, self.step.await?))
    }
}

impl Resume {
    pub(crate) fn new(
        kafka: KafkaSettings,
        group: String,
        consumer: Arc<GroupConsumer>,
        uploader: Arc<Uploader>,
        readiness: Readiness,
    ) -> Self {
        Self { kafka, group, consumer, uploader, readiness, requests: Semaphore::new(REQUESTS) }
    }

    /// Looks until it is known.
    async fn beginning(&self, origin: &Origin, sought: Sought) -> Beginning {
        let mut backoff = BACKOFF;
        loop {
            let looked = match sought {
                Sought::Committed(committed) => self.look(origin, committed).await,
                Sought::Shortened(Shortened { beginning, watermarks }) => {
                    self.shortened(origin, beginning, watermarks).await
                }
            };
            match looked {
                Ok(beginning) => return beginning,
                Err(error) => self.readiness.fail(GROUP, self.told(origin, &error)),
            }
            tokio::time::sleep(backoff.failed()).await;
        }
    }

    fn told(&self, Origin { topic, partition, .. }: &Origin, error: &ResumeError) -> String {
        let missing = match error {
            ResumeError::Watermarks(cause) | ResumeError::Record(cause) => {
                MissingAcl::of_consumer(cause, &self.group, topic.as_str())
            }
            ResumeError::Bucket(_)
            | ResumeError::Progress(_)
            | ResumeError::Metadata { .. }
            | ResumeError::Ended(_) => None,
        };
        let why = missing.map_or_else(|| error_chain(error), |missing| missing.to_grant());
        format!("from where {topic} partition {partition} is read is not known yet: {why}")
    }

    /// What the group does not tell the bucket knows: how far is archived, and what stood behind that.
    async fn look(&self, origin: &Origin, committed: Option<i64>) -> Result<Beginning, ResumeError> {
        let watermarks = self.watermarks(origin).await?;
        let beginning = Beginning::new(committed, watermarks);
        match beginning {
            Beginning::First(_) if watermarks.1 > 0 => {
                Ok(self.forgotten(origin, watermarks).await?.unwrap_or(beginning))
            }
            Beginning::AfterLoss { committed, .. } => self.after_loss(origin, beginning, committed).await,
            Beginning::Recreated { .. } => self.shortened(origin, beginning, watermarks).await,
            Beginning::First(_)
            | Beginning::Committed(_)
            | Beginning::Known(_)
            | Beginning::Passed { .. }
            | Beginning::Truncated { .. } => Ok(beginning),
        }
    }

    /// What was archived, or noted as marks, behind what the group has committed is not lost.
    async fn after_loss(
        &self,
        origin: &Origin,
        beginning: Beginning,
        committed: i64,
    ) -> Result<Beginning, ResumeError> {
        let progress = self.progress(origin).await?;
        let last = progress.as_ref().and_then(|progress| progress.last_object.as_ref()?.parse().ok());
        match self.uncommitted(origin, last, committed).await? {
            Some(end) => Ok(beginning.with_uncommitted(end)),
            None => Ok(beginning.knowing(progress.and_then(|progress| passed(&progress, committed)))),
        }
    }

    /// Up to where the object holds that begins where the group stands: its archiver ended before it came to commit it.
    async fn uncommitted(
        &self,
        origin: &Origin,
        last: Option<ArchiveObjectKey>,
        committed: i64,
    ) -> Result<Option<i64>, ResumeError> {
        let Uploader { bucket, keys, .. } = self.uploader.as_ref();
        let day = last.and_then(|last| last.day.to_zoned(TimeZone::UTC).ok());
        let (sites, not_before) = (slice::from_ref(&origin.site), day.map(|day| day.timestamp()));
        let listed = list_sources(bucket, keys, Selection { stream: origin.stream, sites, not_before }).await?;
        let is_it = |source: &Source| {
            let ArchiveObjectKey { origin: of, start, .. } = &source.object;
            of == origin && *start == committed && !source.is_open()
        };
        let Some(source) = listed.into_iter().find(is_it) else { return Ok(None) };
        let key = source.object.to_string();
        let Some(head) = bucket.head(&key).await? else { return Ok(None) };
        let end = FoundMetadata::of(&head.metadata).end;
        end.map_or(Err(ResumeError::Metadata { key }), |end| Ok(Some(end)))
    }

    /// A topic that ends before what was read of it was made anew, unless it still holds what is archived of before its end.
    async fn shortened(
        &self,
        origin: &Origin,
        beginning: Beginning,
        (low, high): (i64, i64),
    ) -> Result<Beginning, ResumeError> {
        let Beginning::Recreated { committed, .. } = beginning else { return Ok(beginning) };
        if high >= committed {
            return Ok(beginning);
        }
        let Some(key) = self.last_before(origin, high).await? else { return Ok(beginning) };
        let head = self.uploader.bucket.head(&key.to_string()).await?;
        // All that is left before the end has to be archived, else some of it would be in no object.
        if head.and_then(|head| FoundMetadata::of(&head.metadata).end).is_none_or(|end| end < high) {
            return Ok(beginning);
        }
        let (kafka, group) = (self.kafka.clone(), self.group.clone());
        let (bucket, runtime) = (self.uploader.bucket.clone(), Handle::current());
        let compared = spawn_blocking(move || {
            let archived = Archived { kafka: &kafka, group: &group, bucket: &bucket, runtime: &runtime };
            archived.holds_what_is_left(&key, low..high)
        });
        Ok(if compared.await?? == Some(true) { beginning.of_same_topic(high) } else { beginning })
    }

    /// The last object of a partition that begins before this offset.
    async fn last_before(&self, origin: &Origin, offset: i64) -> Result<Option<ArchiveObjectKey>, ResumeError> {
        let Uploader { bucket, keys, .. } = self.uploader.as_ref();
        let selection = Selection { stream: origin.stream, sites: slice::from_ref(&origin.site), not_before: None };
        let listed = list_sources(bucket, keys, selection).await?.into_iter().filter(|source| !source.is_open());
        let own = listed.map(|source| source.object).filter(|key| key.origin == *origin && key.start < offset);
        Ok(own.max_by_key(|key| (key.day, key.start)))
    }

    async fn watermarks(&self, origin: &Origin) -> Result<(i64, i64), ResumeError> {
        let (topic, partition, consumer) = (origin.topic.to_string(), origin.partition, Arc::clone(&self.consumer));
        let _turn = self.requests.acquire().await;
        let asked = spawn_blocking(move || consumer.fetch_watermarks(&topic, partition, REQUEST_TIMEOUT));
        asked.await?.map_err(ResumeError::Watermarks)
    }

    /// Behind the last object, if that is of this very topic.
    async fn forgotten(&self, origin: &Origin, watermarks: (i64, i64)) -> Result<Option<Beginning>, ResumeError> {
        let Some(progress) = self.progress(origin).await? else { return Ok(None) };
        let Some(last) = last_object(&self.uploader.bucket, &progress).await? else { return Ok(None) };
        let (end, runtime) = (last.end, Handle::current());
        let (kafka, group, bucket) = (self.kafka.clone(), self.group.clone(), self.uploader.bucket.clone());
        let compared = spawn_blocking(move || {
            let archived = Archived { kafka: &kafka, group: &group, bucket: &bucket, runtime: &runtime };
            forgotten(end, watermarks, || archived.is_same(&last, watermarks.0))
        });
        let beginning = compared.await??.knowing(passed(&progress, end));
        Ok(Some(self.shortened(origin, beginning, watermarks).await?))
    }

    async fn progress(&self, origin: &Origin) -> Result<Option<Progress>, ResumeError> {
        let Origin { site, topic, partition, .. } = origin.clone();
        let Uploader { bucket, keys, .. } = self.uploader.as_ref();
        match progress::load(bucket, keys, &ProgressKey { site, topic, partition }).await {
            // Its archiver counts from zero again, which it says.
            Err(RegistryError::ObjectUnreadable { .. }) => Ok(None),
            loaded => Ok(loaded?),
        }
    }
}

/// Up to which offset nothing but marks of transactions stood behind the last record, where it is this one.
pub(crate) fn passed(progress: &Progress, end: i64) -> Option<i64> {
    progress.passed.filter(|_| progress.end == end)
}

/// `None` where nothing is archived.
async fn last_object(bucket: &Bucket, progress: &Progress) -> Result<Option<LastObject>, ResumeError> {
    let Some(key) = progress.last_object.as_ref() else { return Ok(None) };
    let Ok(parsed) = key.parse::<ArchiveObjectKey>() else { return Ok(None) };
    let Some(head) = bucket.head(key).await? else { return Ok(None) };
    let FoundMetadata { end, last_record, records: _, sha256: _ } = FoundMetadata::of(&head.metadata);
    // Some copies of a bucket are without metadata.
    let end = end.or_else(|| (progress.records == progress.closed_records).then_some(progress.end));
    let end = end.ok_or_else(|| ResumeError::Metadata { key: key.clone() })?;
    Ok(Some(LastObject { key: parsed, end, last_record }))
}

/// Compares what is archived with what Kafka holds. It blocks.
struct Archived<'a> {
    kafka: &'a KafkaSettings,
    group: &'a str,
    bucket: &'a Bucket,
    runtime: &'a Handle,
}

impl Archived<'_> {
    /// Whether the last record of the object is still the one before its end. Its metadata have its hash, else all of it is read.
    fn is_same(&self, object: &LastObject, low: i64) -> Result<bool, ResumeError> {
        let LastObject { key, end, last_record: last } = object;
        let Origin { topic, partition, .. } = &key.origin;
        let record = record_at(self.kafka, self.group, topic.as_str(), *partition, end - 1);
        let Some(record) = record.map_err(ResumeError::Record)? else {
            return Ok(self.holds_what_is_left(key, low..*end)?.unwrap_or(true));
        };
        let read = || self.runtime.block_on(last_record(self.bucket, key));
        let archived = if last.is_some() { last.clone() } else { read()? };
        Ok(archived == Some(hash(&record)))
    }

    /// Whether the object holds the last that Kafka has of these offsets, as a compacted topic may not have its last record any more. `None`
    /// where nothing is left, or the object cannot be read: that tells nothing.
    fn holds_what_is_left(&self, key: &ArchiveObjectKey, held: Range<i64>) -> Result<Option<bool>, ResumeError> {
        let Origin { topic, partition, .. } = &key.origin;
        let from = at_offset(topic.as_str(), *partition, key.start.max(held.start)).map_err(ResumeError::Record)?;
        let mut last = VecDeque::new();
        let read = read_to_end(self.kafka, self.group, &from, |message| {
            if message.offset() >= held.end {
                return ControlFlow::Break(());
            }
            last.truncate(COMPARED - 1);
            last.push_front(hash(message));
            ControlFlow::Continue(())
        });
        read.map_err(ResumeError::Record)?;
        if last.is_empty() {
            return Ok(None);
        }
        Ok(self.runtime.block_on(holds_records(self.bucket, key, last.into_iter().collect()))?)
    }
}

/// As archived records have it.
fn hash(record: &impl Message) -> String {
    record_sha256(&one_line(record.payload().unwrap_or_default()))
}
