//! When a receiver is told: at once while it takes what it is told, ever more seldom while it does not.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::runtime::Handle;
use tracing::{error, info, warn};
use vedette_contract::Name;
use vedette_contract::incident::IncidentId;
use vedette_service::{Backoff, Shutdown};

use super::ledger::Ledger;
use super::metrics::ReceiverMetrics;
use super::sender::{Delivery, Sender};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
/// Who wants to be left alone for longer is asked again nevertheless.
const LONGEST_REST: Duration = Duration::from_secs(600);
/// So many are told before the topic is looked at again.
const TOLD_AT_ONCE: usize = 100;
/// What cannot be told for so long is said, as often as that.
const DAY: Duration = Duration::from_secs(86_400);

/// How one receiver is doing.
pub(crate) struct Round {
    name: Name,
    sender: Sender,
    metrics: ReceiverMetrics,
    backoff: Backoff,
    not_before: Instant,
    repeat_at: Option<Instant>,
    said: Option<Instant>,
    has_failed: bool,
}

impl Round {
    pub(crate) fn new(name: Name, sender: Sender, metrics: ReceiverMetrics) -> Self {
        let repeat_at = sender.repeats().map(|_| Instant::now());
        let not_before = Instant::now();
        Self { name, sender, metrics, backoff: BACKOFF, not_before, repeat_at, said: None, has_failed: false }
    }

    /// Whether something is told as soon as it comes, or something that waits can be told now.
    pub(crate) fn is_due(&self, ledger: &Ledger) -> bool {
        ledger.waiting() > 0 && Instant::now() >= self.not_before
    }

    /// Tells what waits, as long as that is taken. Blocks.
    pub(crate) fn tell(&mut self, ledger: &mut Ledger, shutdown: &Shutdown) {
        for _ in 0..TOLD_AT_ONCE {
            if !self.is_due(ledger) || !self.tell_next(ledger, shutdown) {
                break;
            }
        }
        self.repeat(ledger, shutdown);
        self.say(ledger);
    }

    /// Whether the next may be told.
    fn tell_next(&mut self, ledger: &mut Ledger, shutdown: &Shutdown) -> bool {
        let Some(news) = ledger.next() else { return false };
        let id = news.incident.id;
        let telling = self.sender.tell(&news, Timestamp::now());
        let Some(delivery) = Handle::current().block_on(shutdown.run_until_cancelled(telling)) else { return false };
        self.took(id, delivery, ledger)
    }

    fn took(&mut self, id: IncidentId, delivery: Delivery, ledger: &mut Ledger) -> bool {
        match delivery {
            Delivery::Taken => {
                self.metrics.deliveries.inc();
                self.backoff.reset();
                if std::mem::take(&mut self.has_failed) {
                    info!(receiver = %self.name, "a receiver takes what it is told again");
                }
                ledger.settled(id);
                true
            }
            Delivery::Refused(cause) => {
                self.metrics.refusals.inc();
                error!(receiver = %self.name, incident = %id, cause, "a receiver does not want to be told of an incident");
                ledger.settled(id);
                true
            }
            Delivery::Failed { cause, retry_after } => {
                self.metrics.failures.inc();
                let rest = self.backoff.failed().max(retry_after.unwrap_or_default().min(LONGEST_REST));
                self.not_before = Instant::now() + rest;
                self.has_failed = true;
                warn!(receiver = %self.name, incident = %id, cause, wait_seconds = rest.as_secs_f64(), "a receiver was not told yet");
                false
            }
        }
    }

    fn repeat(&mut self, ledger: &Ledger, shutdown: &Shutdown) {
        let Some((every, _)) = self.sender.repeats().zip(self.repeat_at.filter(|at| *at <= Instant::now())) else {
            return;
        };
        self.repeat_at = Some(Instant::now() + every);
        let repeating = self.sender.repeat(ledger, Timestamp::now());
        match Handle::current().block_on(shutdown.run_until_cancelled(repeating)) {
            None | Some(Delivery::Taken) => {}
            Some(Delivery::Refused(cause) | Delivery::Failed { cause, retry_after: _ }) => {
                self.metrics.failures.inc();
                warn!(receiver = %self.name, cause, "a receiver was not told that incidents are still open");
            }
        }
    }

    fn say(&mut self, ledger: &Ledger) {
        let since = ledger.next().map(|news| news.since);
        let waited = since.map(|since| Timestamp::now().duration_since(since).unsigned_abs()).unwrap_or_default();
        self.metrics.waiting.set(i64::try_from(ledger.waiting()).unwrap_or(i64::MAX));
        self.metrics.longest_wait.set(i64::try_from(waited.as_secs()).unwrap_or(i64::MAX));
        if waited >= DAY && self.said.is_none_or(|said| said.elapsed() >= DAY) {
            self.said = Some(Instant::now());
            error!(
                receiver = %self.name,
                incidents = ledger.waiting(),
                hours = waited.as_secs() / 3_600,
                "a receiver could not be told of incidents for a day; they are kept and told as soon as it takes them"
            );
        }
    }
}
