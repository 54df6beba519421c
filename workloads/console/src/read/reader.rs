//! The bucket, with its requests counted.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use jiff::civil::Date;
use vedette_archive::{
    Beginning, Fetched, FoundMetadata, Selection, Source, fetch, fetch_beginning, list_after, list_sources,
};
use vedette_contract::archive::{ArchiveKey, ArchiveObjectKey, Origin};
use vedette_contract::keys::PipelineKeys;
use vedette_registry::silences::{SilenceReader, Silences};
use vedette_streams::bucket::{Bucket, BucketError, ObjectSummary};

use crate::metrics::Metrics;

/// Keys that one request lists.
const PAGE: usize = 1_000;

/// An object that is read as long as it is not too large.
#[derive(Debug)]
pub(crate) enum UpTo {
    Whole(Vec<u8>),
    /// It has more bytes.
    More,
}

/// See the module; clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    bucket: Bucket,
    metrics: Metrics,
    requests: Arc<AtomicU64>,
}

impl Reader {
    pub(crate) fn new(bucket: Bucket, metrics: Metrics) -> Self {
        Self { bucket, metrics, requests: Arc::default() }
    }

    /// What time it is by the clock of the bucket, as that of an object is.
    pub(crate) fn now(&self) -> Timestamp {
        self.bucket.now()
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<ObjectSummary>, BucketError> {
        let listed = self.bucket.list(prefix, None).await?;
        self.count(1 + listed.len() / PAGE);
        Ok(listed)
    }

    /// Hands over what is listed page by page, until told to stop.
    pub(crate) async fn list_pages(
        &self,
        prefix: &str,
        start_after: Option<&str>,
        mut take: impl FnMut(Vec<ObjectSummary>) -> ControlFlow<()> + Send,
    ) -> Result<(), BucketError> {
        let counted = |page| {
            self.count(1);
            take(page)
        };
        self.bucket.list_pages(prefix, start_after, counted).await
    }

    pub(crate) async fn directories(&self, prefix: &str) -> Result<Vec<String>, BucketError> {
        let listed = self.bucket.list_directories(prefix).await?;
        self.count(1 + listed.len() / PAGE);
        Ok(listed)
    }

    /// The bytes of a small object; nothing where there is none.
    pub(crate) async fn bytes(&self, key: &str) -> Result<Option<bytes::Bytes>, BucketError> {
        self.count(1);
        Ok(self.bucket.get(key).await?.map(|object| object.bytes))
    }

    /// How many records a closed object holds, where its writer says so.
    pub(crate) async fn records(&self, object: &ArchiveObjectKey) -> Result<Option<u64>, BucketError> {
        self.count(1);
        let head = self.bucket.head(&object.to_string()).await?;
        Ok(head.and_then(|head| FoundMetadata::of(&head.metadata).records))
    }

    /// Silences, by one who knows what was read before, and reads at most so many.
    pub(crate) async fn silences(
        &self,
        silences: &mut SilenceReader,
        keys: &PipelineKeys,
        most: usize,
    ) -> Result<Silences, BucketError> {
        let before = silences.requests();
        let read = silences.read_some(&self.bucket, keys, most).await;
        self.count(silences.requests() - before);
        read
    }

    pub(crate) async fn sources(
        &self,
        keys: &PipelineKeys,
        selection: Selection<'_>,
    ) -> Result<Vec<Source>, BucketError> {
        let listed = list_sources(&self.bucket, keys, selection).await?;
        self.count(3 + listed.len() / PAGE);
        Ok(listed)
    }

    pub(crate) async fn sources_after(
        &self,
        origin: &Origin,
        day: Date,
        after: Option<&ArchiveObjectKey>,
    ) -> Result<Vec<Source>, BucketError> {
        self.count(1);
        list_after(&self.bucket, origin, day, after).await
    }

    pub(crate) async fn fetch(&self, source: Source) -> Result<Option<Fetched>, BucketError> {
        self.count(source.keys().len());
        fetch(&self.bucket, source).await
    }

    /// The first bytes of an archive object or of a delta, so many stored ones at most.
    pub(crate) async fn beginning(&self, key: ArchiveKey, most: usize) -> Result<Option<Beginning>, BucketError> {
        self.count(1);
        fetch_beginning(&self.bucket, key, most).await
    }

    /// The bytes of an object; nothing where there is none.
    pub(crate) async fn bytes_up_to(&self, key: &str, most: usize) -> Result<Option<UpTo>, BucketError> {
        self.count(1);
        let Some(mut object) = self.bucket.get_stream(key).await? else { return Ok(None) };
        let mut bytes = Vec::new();
        while let Some(chunk) = object.next_chunk().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > most {
                return Ok(Some(UpTo::More));
            }
        }
        Ok(Some(UpTo::Whole(bytes)))
    }

    fn count(&self, requests: usize) {
        let requests = u64::try_from(requests).unwrap_or(u64::MAX);
        self.requests.fetch_add(requests, Ordering::Relaxed);
        self.metrics.bucket_requests.inc_by(requests);
    }
}
