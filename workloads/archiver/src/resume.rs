//! Where a partition goes on whose group has forgotten how far it was archived: behind its last object, if that is of this very topic.

use std::ops::ControlFlow;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::error::KafkaError;
use thiserror::Error;
use vedette_archive::{FoundMetadata, Line, Source, Stored, fetch};
use vedette_contract::archive::{METADATA_END, Origin};
use vedette_contract::keys::PipelineKeys;
use vedette_contract::progress::{Progress, ProgressKey};
use vedette_records::one_line;
use vedette_registry::{RegistryError, progress};
use vedette_streams::bucket::{Bucket, BucketError};
use vedette_streams::kafka::KafkaSettings;
use vedette_streams::kafka::place::{Beginning, forgotten, record_at};

/// Why it is not known yet.
#[derive(Debug, Error)]
pub(crate) enum ResumeError {
    #[error("the bucket does not tell within {} s", BUCKET_WAIT.as_secs())]
    Slow,
    #[error(transparent)]
    Bucket(#[from] BucketError),
    #[error(transparent)]
    Progress(#[from] RegistryError),
    #[error("the last record that is archived cannot be looked for in Kafka")]
    Kafka(#[source] KafkaError),
    #[error(
        "{key} in the bucket was not written by an archiver: its metadata {METADATA_END:?} is missing or no number"
    )]
    Metadata { key: String },
}

/// The last object of a partition.
pub(crate) struct LastObject {
    end: i64,
    last_line: Vec<u8>,
}

/// So long a group may wait for a member meanwhile.
const BUCKET_WAIT: Duration = Duration::from_secs(10);

/// What is archived of a partition; `None` where there is no object, or its last record cannot be told.
///
/// # Errors
/// When the bucket does not tell in time; it is asked again.
pub(crate) async fn last_object(
    bucket: &Bucket,
    keys: &PipelineKeys,
    origin: &Origin,
) -> Result<Option<LastObject>, ResumeError> {
    let looked_up = look_up(bucket, keys, origin);
    tokio::time::timeout(BUCKET_WAIT, looked_up).await.unwrap_or(Err(ResumeError::Slow))
}

/// Up to which offset nothing but marks of transactions stood behind the last record, where it is this one.
pub(crate) async fn passed_behind(
    bucket: &Bucket,
    keys: &PipelineKeys,
    origin: &Origin,
    end: i64,
) -> Result<Option<i64>, ResumeError> {
    let loaded = tokio::time::timeout(BUCKET_WAIT, load(bucket, keys, origin)).await;
    Ok(loaded.unwrap_or(Err(ResumeError::Slow))?.and_then(|progress| passed(&progress, end)))
}

/// The same, by a progress that is known.
pub(crate) fn passed(progress: &Progress, end: i64) -> Option<i64> {
    progress.passed.filter(|_| progress.end == end)
}

async fn load(bucket: &Bucket, keys: &PipelineKeys, origin: &Origin) -> Result<Option<Progress>, ResumeError> {
    let Origin { site, topic, partition, .. } = origin.clone();
    match progress::load(bucket, keys, &ProgressKey { site, topic, partition }).await {
        // Its archiver counts from zero again, which it says.
        Err(RegistryError::ObjectUnreadable { .. }) => Ok(None),
        loaded => Ok(loaded?),
    }
}

async fn look_up(bucket: &Bucket, keys: &PipelineKeys, origin: &Origin) -> Result<Option<LastObject>, ResumeError> {
    let progress = load(bucket, keys, origin).await?;
    let Some(object) = progress.and_then(|progress| progress.last_object?.parse().ok()) else { return Ok(None) };
    let source = Source { object, stored: Stored::Closed, bytes: 0 };
    let key = source.object.to_string();
    let Some(head) = bucket.head(&key).await? else { return Ok(None) };
    let end = FoundMetadata::of(&head.metadata).end.ok_or(ResumeError::Metadata { key })?;
    let Some(fetched) = fetch(bucket, source).await? else { return Ok(None) };
    let mut last_line = None;
    for part in fetched.parts {
        let whole = part.for_each_line(|line| {
            last_line = match line {
                Line::Whole(bytes) => Some(bytes.to_vec()),
                Line::TooLong => None,
            };
            ControlFlow::Continue(())
        });
        if whole.is_err() {
            return Ok(None);
        }
    }
    Ok(last_line.map(|last_line| LastObject { end, last_line }))
}

/// Where the partition goes on that holds these offsets.
pub(crate) fn beginning(
    kafka: &KafkaSettings,
    group: &str,
    origin: &Origin,
    LastObject { end, last_line }: &LastObject,
    watermarks: (i64, i64),
) -> Result<Beginning, ResumeError> {
    forgotten(*end, watermarks, || {
        let record = record_at(kafka, group, origin.topic.as_str(), origin.partition, end - 1);
        let record = record.map_err(ResumeError::Kafka)?;
        Ok(record.is_some_and(|record| one_line(record.payload().unwrap_or_default()).as_ref() == last_line))
    })
}
