//! Reads the sources: objects are fetched and checked whole, then decoded on as many threads as there are CPUs. What is
//! held in memory is bounded by [`FETCH_BYTES`] of stored objects, or the largest object if that is larger.
//! Damage is counted and passed over, never an error; a bucket that does not answer is one.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use vedette_archive::{Fetched, Line, Source, fetch};
use vedette_contract::model::LearnedWithout;
use vedette_contract::{Name, ReferenceWindow};
use vedette_service::Shutdown;
use vedette_streams::bucket::Bucket;

use crate::batch::{Batch, Of};
use crate::collect::Sampler;
use crate::error::TrainerError;
use crate::infer::{self, FieldSurvey};
use crate::line::{LineOutcome, LineReader};
use crate::schema::Schema;
use crate::silenced::{Silenced, SilencedReader};
use crate::tally::Tally;

/// Stored bytes that may be in memory at once.
const FETCH_BYTES: u32 = 256 << 20;
/// Objects that are fetched ahead of the threads that decode.
const FETCHED_AHEAD: usize = 2;
/// Rows that are offered to the sample under one lock.
const BATCH_ROWS: usize = 512;
/// Threads tell how far they are after so many lines.
const LINES_TOLD: u64 = 1_000;
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// What was read.
#[derive(Debug, Default, Clone)]
pub(crate) struct Reading {
    /// Full keys of the objects read, sorted.
    pub(crate) objects: BTreeSet<String>,
    /// Whose they are.
    pub(crate) sites: BTreeSet<Name>,
    /// Objects, or deltas, that are damaged: passed over from the damage on, or whole where a hash tells.
    pub(crate) damaged: u64,
    /// Records of theirs that were not read, as far as their writers said how many there are.
    pub(crate) lost: u64,
    /// By which silences records were left out.
    pub(crate) silences: Vec<LearnedWithout>,
    /// Sums over the lines.
    pub(crate) tally: Tally,
}

/// Looks at some records of some objects, to choose features; where there is a reference window, at records of it.
pub(crate) async fn survey(
    bucket: &Bucket,
    sources: &[Source],
    reference: Option<ReferenceWindow>,
    silenced: &Arc<Silenced>,
) -> Result<FieldSurvey, TrainerError> {
    let mut survey = FieldSurvey::of(reference);
    let share = infer::RECORDS / infer::OBJECTS.min(sources.len()).max(1) as u64;
    for (looked_at, position) in infer::spread_order(sources.len()).into_iter().enumerate() {
        if looked_at >= infer::OBJECTS && survey.records() >= infer::ENOUGH_RECORDS {
            break;
        }
        let Some(fetched) = fetch(bucket, sources[position].clone()).await? else {
            continue;
        };
        let mut silenced = SilencedReader::new(silenced, &fetched.source.object.origin.site);
        survey = tokio::task::spawn_blocking(move || {
            survey.interrupt();
            let stop_at = survey.records() + share;
            for part in fetched.parts.iter().filter(|part| !part.is_damaged()) {
                // The damage is counted and told when the object is read for good.
                let _whole = part.for_each_line(|line| {
                    if let Line::Whole(line) = line
                        && !silenced.holds(line)
                    {
                        survey.add(line);
                    }
                    if survey.records() < stop_at { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                });
            }
            survey
        })
        .await?;
    }
    Ok(survey)
}

/// Reads every record of the sources into the sample.
pub(crate) async fn read_all(
    bucket: &Bucket,
    sources: Vec<Source>,
    schema: &Arc<Schema>,
    sampler: &Arc<Mutex<Sampler>>,
    silenced: &Arc<Silenced>,
    shutdown: &Shutdown,
) -> Result<Reading, TrainerError> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let decoding = Arc::new(Semaphore::new(threads));
    let memory = Arc::new(Semaphore::new(FETCH_BYTES as usize));
    let lines = Arc::new(AtomicU64::new(0));
    let (objects_total, mut objects_done) = (sources.len(), 0);
    let mut sources = sources.into_iter().peekable();
    let mut tasks: JoinSet<Result<Option<Decoded>, TrainerError>> = JoinSet::new();
    let mut reading = Reading { silences: silenced.told(), ..Reading::default() };
    let mut progress = tokio::time::interval(PROGRESS_INTERVAL);
    progress.tick().await;
    while sources.peek().is_some() || !tasks.is_empty() {
        let wanted = sources
            .peek()
            .map_or(0, |source| u32::try_from(source.bytes).map_or(FETCH_BYTES, |bytes| bytes.min(FETCH_BYTES)));
        let has_room = sources.peek().is_some() && tasks.len() < threads + FETCHED_AHEAD;
        tokio::select! {
            _ = progress.tick() => {
                let (lines, unreadable) = (lines.load(Ordering::Relaxed), reading.tally.unreadable);
                tracing::info!(objects_done, objects_total, lines, unreadable, "reading the archive");
            }
            Some(done) = tasks.join_next() => {
                objects_done += 1;
                if let Some(decoded) = done?? {
                    reading.add(decoded);
                }
            }
            Ok(room) = memory.clone().acquire_many_owned(wanted), if has_room => {
                let Some(source) = sources.next() else { continue };
                let (schema, sampler, silenced) = (schema.clone(), sampler.clone(), silenced.clone());
                let work = Work { schema, sampler, silenced, lines: lines.clone(), shutdown: shutdown.clone() };
                tasks.spawn(read_source(bucket.clone(), source, work, decoding.clone(), room));
            }
        }
    }
    Ok(reading)
}

#[derive(Debug)]
struct Decoded {
    source: Source,
    damaged: u64,
    lost: u64,
    tally: Tally,
}

impl Reading {
    fn add(&mut self, decoded: Decoded) {
        let Decoded { source, damaged, lost, tally } = decoded;
        self.damaged += damaged;
        self.lost += lost;
        self.objects.extend(source.keys().iter().map(ToString::to_string));
        self.sites.insert(source.object.origin.site);
        self.tally.add(tally);
    }
}

async fn read_source(
    bucket: Bucket,
    source: Source,
    work: Work,
    decoding: Arc<Semaphore>,
    room: OwnedSemaphorePermit,
) -> Result<Option<Decoded>, TrainerError> {
    let key = source.object.clone();
    let Some(fetched) = fetch(&bucket, source).await? else {
        tracing::warn!(%key, "an archive object vanished while it was read; it is left out");
        return Ok(None);
    };
    let turn = decoding.acquire_owned().await;
    let decoded = tokio::task::spawn_blocking(move || {
        let decoded = work.decode(fetched);
        drop((turn, room));
        decoded
    });
    Ok(Some(decoded.await?))
}

/// What a decoding thread works with.
struct Work {
    schema: Arc<Schema>,
    sampler: Arc<Mutex<Sampler>>,
    silenced: Arc<Silenced>,
    lines: Arc<AtomicU64>,
    shutdown: Shutdown,
}

impl Work {
    fn decode(&self, fetched: Fetched) -> Decoded {
        let Fetched { source, parts } = fetched;
        let object = source.object.to_string();
        let (mut tally, mut damaged, mut lost, mut line_number) = (Tally::default(), 0, 0, 0_u64);
        let (mut reader, mut batch) = (LineReader::new(&self.schema), Batch::default());
        let mut silenced = SilencedReader::new(&self.silenced, &source.object.origin.site);
        for part in &parts {
            if part.is_damaged() {
                damaged += 1;
                lost += part.records.unwrap_or_default();
                tracing::warn!(
                    key = %part.key,
                    "an archive object does not have the hash it was stored with; it is left out"
                );
                continue;
            }
            let before = line_number;
            let end = part.for_each_line(|line| {
                line_number += 1;
                let place = || format!("{object}#{line_number}");
                match line {
                    Line::Whole(line) if silenced.holds(line) => tally.silenced += 1,
                    Line::Whole(line) => match reader.read(&self.schema, line, &mut batch, place) {
                        LineOutcome::Row(Of { stream, reference }) => {
                            tally.records += u64::from(stream);
                            tally.reference += u64::from(reference);
                        }
                        LineOutcome::OutsideLookback => tally.outside_lookback += 1,
                        LineOutcome::Simulated => tally.simulated += 1,
                        LineOutcome::Unreadable => tally.unreadable += 1,
                    },
                    Line::TooLong => tally.unreadable += 1,
                }
                if batch.len() >= BATCH_ROWS {
                    self.offer(&mut batch);
                }
                if line_number % LINES_TOLD == 0 {
                    self.lines.fetch_add(LINES_TOLD, Ordering::Relaxed);
                }
                if self.shutdown.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            if let Err(error) = end {
                damaged += 1;
                lost += part.records.unwrap_or_default().saturating_sub(line_number - before);
                tracing::warn!(key = %part.key, line = line_number, %error, "an archive object is damaged; the rest of it is left out");
            }
        }
        self.offer(&mut batch);
        self.lines.fetch_add(line_number % LINES_TOLD, Ordering::Relaxed);
        (tally.newest_utc, tally.labels, tally.texts) = (reader.newest_utc, reader.labels, reader.texts);
        Decoded { source, damaged, lost, tally }
    }

    fn offer(&self, batch: &mut Batch) {
        self.sampler.lock().unwrap_or_else(PoisonError::into_inner).offer(batch, &self.schema);
        batch.clear();
    }
}

#[cfg(test)]
mod tests;
