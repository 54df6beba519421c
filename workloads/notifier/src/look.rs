//! Looks at the silences of all sites every few seconds. While the bucket is away what is known stands: nothing here holds up an
//! alert, or anybody who is told of one.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{info, warn};
use vedette_contract::keys::PipelineKeys;
use vedette_registry::PassedObject;
use vedette_registry::silences::SilenceReader;
use vedette_service::{Readiness, Shutdown, error_chain};
use vedette_streams::bucket::Bucket;

use crate::metrics::SilenceMetrics;
use crate::readiness::SILENCES;
use crate::silences::Silences;

const INTERVAL: Duration = Duration::from_secs(5);
/// A look that takes longer is one that failed; and so long the first look holds up the first alert.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many objects that are no silences are named in the log.
const NAMED: usize = 5;

/// Who looks.
pub(crate) struct Looking {
    bucket: Bucket,
    keys: PipelineKeys,
    reader: SilenceReader,
    known: watch::Sender<Arc<Silences>>,
    /// What is passed, as it was said last.
    passed: Vec<PassedObject>,
    /// Whether the bucket has been read since the start.
    has_read: bool,
    is_failing: bool,
    metrics: SilenceMetrics,
    readiness: Readiness,
}

impl Looking {
    pub(crate) fn new(bucket: Bucket, keys: PipelineKeys, metrics: SilenceMetrics, readiness: Readiness) -> Self {
        let known = watch::Sender::new(Arc::new(Silences::new(metrics.clone())));
        let reader = SilenceReader::default();
        Self { bucket, keys, reader, known, passed: Vec::new(), has_read: false, is_failing: false, metrics, readiness }
    }

    /// Where what is known can be seen.
    pub(crate) fn known(&self) -> watch::Receiver<Arc<Silences>> {
        self.known.subscribe()
    }

    /// Looks until shutdown.
    ///
    /// # Errors
    /// When the runtime ends before.
    pub(crate) async fn go_on(mut self, shutdown: Shutdown) -> Result<(), JoinError> {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first comes at once, and somebody has looked already.
        ticks.tick().await;
        loop {
            let Some(_) = shutdown.run_until_cancelled(ticks.tick()).await else { return Ok(()) };
            let Some(looked) = shutdown.run_until_cancelled(self.look()).await else { return Ok(()) };
            looked?;
        }
    }

    /// Looks once.
    ///
    /// # Errors
    /// When the runtime ends before. A bucket that cannot be read is said, and no error.
    pub(crate) async fn look(&mut self) -> Result<(), JoinError> {
        let reading = timeout(PATIENCE, self.reader.read(&self.bucket, &self.keys)).await;
        let listed = match reading.map(|read| read.map_err(|error| error_chain(&error))) {
            Ok(Ok(listed)) => listed,
            Ok(Err(cause)) => {
                self.failed(cause);
                return Ok(());
            }
            Err(_) => {
                self.failed(format!("the silences were not read within {} s", PATIENCE.as_secs()));
                return Ok(());
            }
        };
        let (before, now) = (Arc::clone(&self.known.borrow()), Timestamp::now());
        // Compiling many takes its time.
        let (silences, refused, mut passed) = spawn_blocking(move || {
            let (silences, refused) = before.next(&listed, now);
            (silences, refused, listed.passed)
        })
        .await?;
        passed.extend(refused);
        self.say(&silences, passed, now);
        self.known.send_replace(Arc::new(silences));
        self.readiness.hold(SILENCES);
        if self.is_failing {
            info!("silences are read again");
        }
        (self.has_read, self.is_failing) = (true, false);
        Ok(())
    }

    /// Who knows of silences goes on with them and is ready, as whoever archives is while the bucket is away.
    fn failed(&mut self, cause: String) {
        self.metrics.look_failures.inc();
        if !self.has_read {
            self.readiness.fail(SILENCES, cause);
        } else if !self.is_failing {
            warn!(error = cause, "the silences cannot be read; those that are known stand until they can");
        }
        self.is_failing = true;
    }

    fn say(&mut self, silences: &Silences, passed: Vec<PassedObject>, now: Timestamp) {
        let count = i64::try_from(silences.count(now)).unwrap_or(i64::MAX);
        if self.metrics.silences.set(count) != count {
            info!(silences = count, "silences that are in force or to come");
        }
        self.metrics.passed.set(i64::try_from(passed.len()).unwrap_or(i64::MAX));
        if passed != self.passed {
            for PassedObject { key, why } in passed.iter().take(NAMED) {
                warn!(key, why, objects = passed.len(), "what stands among the silences is none, and silences nothing");
            }
            self.passed = passed;
        }
    }
}
