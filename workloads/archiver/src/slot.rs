//! A partition that this process owns, with its step that is under way, its retries and its pause.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;
use vedette_contract::archive::Origin;
use vedette_service::{Backoff, error_chain};
use vedette_streams::kafka::place::Beginning;
use vedette_streams::kafka::standing::Standing;

use crate::error::{ArchiverError, UploadError};
use crate::metrics::{Metrics, RecordCounters};
use crate::object::Closing;
use crate::partition::{Done, Partition, Work};
use crate::resume::{Shortened, passed};
use crate::spool::SpoolError;
use crate::upload::Uploader;

const BACKOFF: Backoff = Backoff::new(CLOSING_PAUSE, Duration::from_secs(30));
/// Who is about to end does not wait longer.
const CLOSING_PAUSE: Duration = Duration::from_millis(500);

type Step = AbortOnDropHandle<Result<Done, UploadError>>;

/// See the module.
pub(crate) struct Slot {
    pub(crate) partition: Partition,
    pub(crate) counters: RecordCounters,
    pub(crate) paused: bool,
    /// Where to read on from once Kafka agrees; until then what arrives is not ours to take.
    pub(crate) go_to: Option<i64>,
    /// Its topic ends before where it was read. Whether that was made anew is looked for once all that was read is closed.
    pub(crate) shortened: Option<Shortened>,
    /// Kafka's time of the last record, milliseconds since 1970.
    pub(crate) read_at: Option<i64>,
    /// Where the client stood when it told last, all that it had fetched having been taken.
    stood_at: Option<i64>,
    /// Up to here nothing but marks of transactions stands behind the last record.
    passed: Option<i64>,
    step: Option<Step>,
    backoff: Backoff,
    retry_at: Option<Instant>,
}

impl Slot {
    pub(crate) fn new(partition: Partition, metrics: &Metrics) -> Self {
        let counters = metrics.of_stream(partition.origin.stream);
        Self {
            partition,
            counters,
            paused: false,
            go_to: None,
            shortened: None,
            read_at: None,
            stood_at: None,
            passed: None,
            step: None,
            backoff: BACKOFF,
            retry_at: None,
        }
    }

    pub(crate) fn is(&self, topic: &str, partition: i32) -> bool {
        self.partition.origin.partition == partition && self.partition.origin.topic.as_str() == topic
    }

    /// Whether its records are to be taken where they come from now.
    pub(crate) fn is_read(&self) -> bool {
        self.go_to.is_none() && self.shortened.is_none()
    }

    /// Takes the result of a step that ended, and begins the next that is due.
    pub(crate) fn advance(
        &mut self,
        uploader: &Arc<Uploader>,
        closing: &Closing,
        runtime: &Handle,
        now: Instant,
    ) -> Result<(), SpoolError> {
        if let Some(step) = self.step.take_if(|step| step.is_finished()) {
            let outcome = runtime.block_on(step);
            self.settle(outcome.unwrap_or_else(|error| Err(error.into())), uploader, now)?;
        }
        if self.step.is_none() && self.go_to.is_none() && self.retry_at.is_none_or(|at| now >= at) {
            self.retry_at = None;
            if let Some(work) = self.partition.next_work(closing, now)?.or_else(|| self.pass()) {
                let uploader = Arc::clone(uploader);
                let origin = self.partition.origin.clone();
                let progress = self.partition.progress.clone();
                let step = runtime.spawn(async move { uploader.perform(&origin, progress, work).await });
                self.step = Some(AbortOnDropHandle::new(step));
            }
        }
        Ok(())
    }

    /// The client stands like this. What is told twice, some seconds apart, has nothing on its way any more.
    pub(crate) fn stands(&mut self, Standing { end, next, .. }: &Standing) {
        let is_past = *next == *end && *next > self.partition.position() && self.is_read() && !self.paused;
        let stands = is_past.then_some(*next);
        self.passed = stands.filter(|next| self.stood_at == Some(*next));
        self.stood_at = stands;
    }

    /// Where its position is gone, in the light of what stood behind it.
    pub(crate) fn knowing(&self, beginning: Beginning) -> Beginning {
        let noted = self.partition.progress.as_ref().and_then(|progress| passed(progress, self.partition.position()));
        beginning.knowing(self.passed.max(noted))
    }

    /// Notes what was passed, once all is archived that stands before.
    fn pass(&self) -> Option<Work> {
        let (passed, progress) = (self.passed?, self.partition.progress.as_ref()?);
        let is_due =
            !self.partition.is_open() && progress.end == self.partition.position() && progress.passed != Some(passed);
        is_due.then_some(Work::Pass(passed))
    }

    fn settle(
        &mut self,
        outcome: Result<Done, UploadError>,
        uploader: &Uploader,
        now: Instant,
    ) -> Result<(), SpoolError> {
        match outcome {
            Ok(done) => {
                self.backoff.reset();
                if let Some(position) = self.partition.complete(done)? {
                    self.go_to = Some(position);
                }
            }
            // Trouble with the spool does not pass by itself.
            Err(UploadError::Spool(error)) => return Err(error),
            Err(error) => {
                let wait = self.backoff.failed();
                self.retry_at = Some(now + wait);
                uploader.metrics.failed(error.reason());
                let Origin { topic, partition, .. } = &self.partition.origin;
                warn!(
                    %topic, partition, reason = error.reason(), error = error_chain(&error),
                    wait_seconds = wait.as_secs_f64(), "a step failed and is tried again; Kafka keeps the records"
                );
            }
        }
        Ok(())
    }

    /// Closes everything that is open, trying again what fails, until it is done or somebody loses patience.
    pub(crate) async fn close(mut self, uploader: Arc<Uploader>, closing: Closing) -> Result<(), SpoolError> {
        self.retry_at = None;
        self.partition.seal()?;
        loop {
            let outcome = match self.step.take() {
                Some(step) => step.await.unwrap_or_else(|error| Err(error.into())),
                None if !self.partition.is_open() && !self.partition.is_moved() => return Ok(()),
                None => match self.partition.next_work(&closing, Instant::now())? {
                    None => return Ok(()),
                    Some(work) => {
                        let progress = self.partition.progress.clone();
                        uploader.perform(&self.partition.origin, progress, work).await
                    }
                },
            };
            self.settle(outcome, &uploader, Instant::now())?;
            if self.retry_at.take().is_some() {
                tokio::time::sleep(CLOSING_PAUSE).await;
            }
        }
    }
}

/// Closes all objects of these partitions at the same time. What is not closed in time is dropped: it is not committed,
/// so the next owner archives it.
pub(crate) async fn close_within(
    patience: Duration,
    slots: Vec<Slot>,
    uploader: &Arc<Uploader>,
    closing: &Closing,
) -> Result<(), ArchiverError> {
    let mut slots_closing = JoinSet::new();
    for slot in slots {
        slots_closing.spawn(slot.close(Arc::clone(uploader), closing.clone()));
    }
    let deadline = tokio::time::Instant::now() + patience;
    while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, slots_closing.join_next()).await {
        ended.map_err(ArchiverError::Step)??;
    }
    if !slots_closing.is_empty() {
        warn!(objects = slots_closing.len(), "objects could not be closed in time; their records stay in Kafka");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bench, closing};

    #[tokio::test]
    async fn pauses_grow_while_steps_fail_and_a_success_begins_anew() {
        let bench = Bench::new().await;
        let mut slot = Slot::new(bench.partition(&[6]), &bench.uploader.metrics);
        let now = Instant::now();
        let pause = |slot: &mut Slot| {
            slot.settle(Err(UploadError::Vanished { key: "k".to_owned() }), &bench.uploader, now).unwrap();
            slot.retry_at.unwrap() - now
        };
        assert_eq!([pause(&mut slot), pause(&mut slot)], [CLOSING_PAUSE, 2 * CLOSING_PAUSE]);
        let recovered = bench.step(&mut slot.partition).await.unwrap().unwrap();
        slot.settle(Ok(recovered), &bench.uploader, now).unwrap();
        assert_eq!(pause(&mut slot), CLOSING_PAUSE);
    }

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn what_is_open_is_closed_while_there_is_patience_and_then_left() {
        let mut bench = Bench::new().await;
        let slots = |bench: &Bench| vec![Slot::new(bench.partition(&[6]), &bench.uploader.metrics)];
        close_within(LONG, slots(&bench), &bench.uploader, &closing()).await.unwrap();
        assert_eq!(*bench.commits.taken.lock().unwrap(), [7]);

        bench.store.go_away().await;
        let uploader = Arc::clone(&bench.uploader);
        let (slots, closing) = (slots(&bench), closing());
        let left = close_within(Duration::from_millis(100), slots, &uploader, &closing);
        tokio::time::timeout(LONG, left).await.unwrap().unwrap();
        assert_eq!(*bench.commits.taken.lock().unwrap(), [7]);
    }
}
