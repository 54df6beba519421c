//! What was archived of a pipeline's alerts and incidents since the last look: of each partition only what comes after the last
//! closed object, and of an open one only the deltas that are new.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use vedette_archive::{Line, Selection, Source, Stored};
use vedette_contract::archive::{ArchiveKey, ArchiveObjectKey, Origin, Stream};
use vedette_contract::incident::Incident;
use vedette_contract::keys::PipelineKeys;
use vedette_streams::bucket::BucketError;

use super::Reader;
use crate::alert::Alert;
use crate::metrics::Metrics;
use crate::owner::Owner;
use crate::store::Store;

/// So far back is read at the start.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);
/// So many stored bytes of a stream are read at the start; the newest objects come first.
const FIRST_BYTES: u64 = 64 << 20;
/// An object with more stored bytes is not read: a message tells.
const LARGEST: u64 = 64 << 20;

/// Where reading of a pipeline's archive has come to.
#[derive(Debug, Default)]
pub(super) struct Feed {
    partitions: BTreeMap<Origin, Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    /// The last object that was read as a closed one.
    closed: Option<ArchiveObjectKey>,
    open: HashMap<ArchiveObjectKey, Open>,
}

/// An object that was open when it was read.
#[derive(Debug, Default)]
struct Open {
    last_delta: Option<i64>,
    records: u64,
}

/// Where what is read goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sink<'a> {
    pub(super) store: &'a Store,
    pub(super) metrics: &'a Metrics,
    pub(super) now: Timestamp,
}

impl Feed {
    /// Reads the newest objects of a stream; older ones count as read.
    pub(super) async fn begin(
        &mut self,
        reader: &Reader,
        keys: &PipelineKeys,
        stream: Stream,
        sink: Sink<'_>,
    ) -> Result<(), BucketError> {
        let not_before = sink.now.checked_sub(LOOK_BACK).ok();
        let mut sources = reader.sources(keys, Selection { stream, sites: &[], not_before }).await?;
        sources.sort_by_key(|source| (source.object.day, source.object.start));
        for source in sources.iter().filter(|source| !source.is_open()) {
            self.partition(&source.object.origin).closed = Some(source.object.clone());
        }
        let mut left = FIRST_BYTES;
        for source in sources.into_iter().rev() {
            let Some(rest) = left.checked_sub(source.bytes) else { break };
            left = rest;
            self.read(reader, source, sink).await?;
        }
        Ok(())
    }

    /// Reads what is new of a partition.
    pub(super) async fn advance(
        &mut self,
        reader: &Reader,
        origin: &Origin,
        sink: Sink<'_>,
    ) -> Result<(), BucketError> {
        let closed = self.partitions.get(origin).and_then(|partition| partition.closed.clone());
        for day in days(closed.as_ref().map(|closed| closed.day), sink.now) {
            for source in reader.sources_after(origin, day, closed.as_ref()).await? {
                self.read(reader, source, sink).await?;
            }
        }
        Ok(())
    }

    /// Forgets where it has come to in a partition: its topic was made anew, and its objects begin at the first again.
    pub(super) fn restart(&mut self, origin: &Origin) {
        self.partitions.remove(origin);
    }

    /// Offset at which the last closed object of a partition starts.
    pub(super) fn start(&self, origin: &Origin) -> Option<i64> {
        Some(self.partitions.get(origin)?.closed.as_ref()?.start)
    }

    fn partition(&mut self, origin: &Origin) -> &mut Partition {
        self.partitions.entry(origin.clone()).or_default()
    }

    async fn read(&mut self, reader: &Reader, mut source: Source, sink: Sink<'_>) -> Result<(), BucketError> {
        let object = source.object.clone();
        if source.bytes > LARGEST {
            tracing::warn!(key = %object, bytes = source.bytes, "an archive object is too large to be shown");
            self.is_closed(object);
            return Ok(());
        }
        let known = self.partition(&object.origin).open.remove(&object).unwrap_or_default();
        if let Stored::Open(deltas) = &mut source.stored {
            deltas.retain(|delta| known.last_delta.is_none_or(|last| *delta > last));
            if deltas.is_empty() {
                self.partition(&object.origin).open.insert(object, known);
                return Ok(());
            }
        } else if known.records > 0 && reader.records(&object).await? == Some(known.records) {
            self.is_closed(object);
            return Ok(());
        }
        match take(reader, source, sink).await? {
            Some(Read { last_delta: Some(delta), records }) => {
                let open = Open { last_delta: Some(delta), records: known.records + records };
                self.partition(&object.origin).open.insert(object, open);
            }
            Some(Read { last_delta: None, records: _ }) => self.is_closed(object),
            // It was deleted, or is being written anew: the next look tells.
            None => {}
        }
        Ok(())
    }

    fn is_closed(&mut self, object: ArchiveObjectKey) {
        let partition = self.partition(&object.origin);
        partition.open.remove(&object);
        if partition.closed.as_ref().is_none_or(|closed| (closed.day, closed.start) <= (object.day, object.start)) {
            partition.closed = Some(object);
        }
    }
}

/// What was read of a source.
struct Read {
    /// The last delta of one that is open.
    last_delta: Option<i64>,
    records: u64,
}

async fn take(reader: &Reader, source: Source, sink: Sink<'_>) -> Result<Option<Read>, BucketError> {
    let Some(fetched) = reader.fetch(source).await? else { return Ok(None) };
    let mut read = Read { last_delta: None, records: 0 };
    for part in &fetched.parts {
        let ArchiveKey { object, delta } = &part.key;
        read.last_delta = *delta;
        let taken = part.for_each_line(|line| {
            read.records += 1;
            take_line(&object.origin, line, sink);
            ControlFlow::Continue(())
        });
        if let Err(error) = taken {
            tracing::warn!(key = %part.key, %error, "an archive object is damaged; what could be read is shown");
        }
    }
    Ok(Some(read))
}

fn take_line(origin: &Origin, line: Line<'_>, sink: Sink<'_>) {
    let Sink { store, metrics, now } = sink;
    let is_taken = match line {
        Line::Whole(bytes) => take_record(origin, bytes, store, now),
        Line::TooLong => false,
    };
    if !is_taken {
        metrics.unreadable.inc();
    }
}

/// Takes in a record of one of the two streams. Returns whether it is one.
pub(crate) fn take_record(origin: &Origin, bytes: &[u8], store: &Store, now: Timestamp) -> bool {
    let owner = Owner::of(origin);
    match origin.stream {
        Stream::Alerts => Alert::read(owner, bytes).map(|alert| store.add_alert(alert, now)).is_some(),
        Stream::Incidents => match serde_json::from_slice::<Incident>(bytes) {
            // What a tenant writes is shown as that tenant's.
            Ok(incident) if is_of(&incident, &owner) => {
                store.add_incident(incident, bytes.len());
                true
            }
            Ok(_) | Err(_) => false,
        },
        Stream::EnrichedData => false,
    }
}

fn is_of(incident: &Incident, owner: &Owner) -> bool {
    let Owner { namespace, pipeline, site } = owner;
    incident.namespace == *namespace && incident.pipeline == *pipeline && incident.site == *site
}

/// The days on which what is new may lie: that of the last object, and today.
fn days(last: Option<Date>, now: Timestamp) -> Vec<Date> {
    let today = now.to_zoned(TimeZone::UTC).date();
    let mut days: Vec<Date> = last.into_iter().chain([today]).collect();
    days.dedup();
    days
}
