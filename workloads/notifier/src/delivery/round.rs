//! When a receiver is told: at once while it takes what it is told, ever more seldom while it does not.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::runtime::Handle;
use tracing::{error, info, warn};
use vedette_contract::Name;
use vedette_contract::incident::IncidentId;
use vedette_service::{Backoff, Shutdown};

use super::ledger::{Ledger, Refused};
use super::metrics::ReceiverMetrics;
use super::sender::{Delivery, Sender};

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
/// Who wants to be left alone for longer is asked again nevertheless.
const LONGEST_REST: Duration = Duration::from_secs(600);
/// So many are told before the topic is looked at again.
const TOLD_AT_ONCE: usize = 100;
/// So long after shutdown an answer is listened for that is on its way.
const LAST_WORD: Duration = Duration::from_secs(2);
/// What cannot be told for so long is said, as often as that.
const DAY: Duration = Duration::from_secs(86_400);

/// How one receiver is doing.
pub(crate) struct Round {
    name: Name,
    sender: Sender,
    metrics: ReceiverMetrics,
    rest: Rest,
    repeat_at: Option<Instant>,
    said: Option<Instant>,
    has_failed: bool,
}

impl Round {
    pub(crate) fn new(name: Name, sender: Sender, metrics: ReceiverMetrics) -> Self {
        let repeat_at = sender.repeats().map(|_| Instant::now());
        Self { name, sender, metrics, rest: Rest::default(), repeat_at, said: None, has_failed: false }
    }

    /// Whether something that waits can be told now.
    pub(crate) fn is_due(&self, ledger: &Ledger) -> bool {
        let now = Instant::now();
        self.rest.is_over(now) && ledger.next(now).is_some()
    }

    /// Tells what waits, as long as that is taken. Blocks.
    pub(crate) fn tell(&mut self, ledger: &mut Ledger, shutdown: &Shutdown) {
        // Whatever waits, and for however long a receiver takes for each: what is open is repeated in time.
        self.repeat(ledger, shutdown);
        for _ in 0..TOLD_AT_ONCE {
            if !self.rest.is_over(Instant::now()) || !self.tell_next(ledger, shutdown) {
                break;
            }
            self.repeat(ledger, shutdown);
        }
        self.say(ledger);
    }

    /// Whether there may be more to tell.
    fn tell_next(&mut self, ledger: &mut Ledger, shutdown: &Shutdown) -> bool {
        let Some(news) = ledger.next(Instant::now()) else { return false };
        let id = news.incident.id;
        let telling = self.sender.tell(&news, Timestamp::now());
        // What is on its way is still listened for: what was taken and not heard would be told once more.
        let answered = Handle::current().block_on(async {
            let mut telling = std::pin::pin!(telling);
            match shutdown.run_until_cancelled(telling.as_mut()).await {
                None => tokio::time::timeout(LAST_WORD, telling).await.ok(),
                delivery => delivery,
            }
        });
        let Some(delivery) = answered else { return false };
        self.took(id, delivery, ledger);
        true
    }

    fn took(&mut self, id: IncidentId, delivery: Delivery, ledger: &mut Ledger) {
        let now = Instant::now();
        match delivery {
            Delivery::Taken => {
                self.metrics.deliveries.inc();
                self.rest.taken();
                if std::mem::take(&mut self.has_failed) {
                    info!(receiver = %self.name, "a receiver takes what it is told again");
                }
                ledger.told(id);
            }
            Delivery::Refused(cause) => match ledger.refused(id, Timestamp::now(), now) {
                Refused::ForGood => {
                    self.metrics.refusals.inc();
                    error!(receiver = %self.name, incident = %id, cause, "a receiver does not want to be told of an incident");
                }
                Refused::Again => self.failed(id, &cause, None, now),
            },
            Delivery::Failed { cause, retry_after } => {
                ledger.failed(id, now);
                self.failed(id, &cause, retry_after, now);
            }
        }
    }

    fn failed(&mut self, id: IncidentId, cause: &str, retry_after: Option<Duration>, now: Instant) {
        self.metrics.failures.inc();
        self.has_failed = true;
        let rest = self.rest.failed(id, retry_after, now);
        warn!(receiver = %self.name, incident = %id, cause, rest_seconds = rest.as_secs_f64(), "a receiver was not told yet");
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
        let since = ledger.waiting_since();
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

/// When a receiver is left alone as a whole: not for one message that it does not take, but when it does not take the next either.
#[derive(Debug)]
struct Rest {
    backoff: Backoff,
    not_before: Option<Instant>,
    /// The last that it did not take, if it took none after.
    failed: Option<IncidentId>,
}

impl Default for Rest {
    fn default() -> Self {
        Self { backoff: BACKOFF, not_before: None, failed: None }
    }
}

impl Rest {
    fn is_over(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|at| at <= now)
    }

    fn taken(&mut self) {
        *self = Self::default();
    }

    /// How long it rests.
    fn failed(&mut self, id: IncidentId, retry_after: Option<Duration>, now: Instant) -> Duration {
        let is_another = self.failed.replace(id).is_some_and(|failed| failed != id);
        let own = if is_another { self.backoff.failed() } else { Duration::ZERO };
        let rest = own.max(retry_after.unwrap_or_default().min(LONGEST_REST));
        self.not_before = Some(now + rest);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::ledger::testing::incident;

    #[test]
    fn a_receiver_rests_when_it_takes_two_messages_not_and_not_for_one_that_fails_again_and_again() {
        let (mut rest, now) = (Rest::default(), Instant::now());
        let [one, other] = [1, 2].map(|number| incident(number).id);
        for _ in 0..5 {
            assert_eq!(rest.failed(one, None, now), Duration::ZERO);
        }
        assert!(rest.is_over(now));
        assert_eq!(rest.failed(other, None, now), Duration::from_millis(500));
        assert!(!rest.is_over(now) && rest.is_over(now + Duration::from_millis(500)));
        assert_eq!(rest.failed(one, None, now), Duration::from_secs(1));
        rest.taken();
        assert_eq!((rest.failed(other, None, now), rest.is_over(now)), (Duration::ZERO, true));
    }

    #[test]
    fn who_wants_to_be_left_alone_is_though_not_for_ever() {
        let (mut rest, now, id) = (Rest::default(), Instant::now(), incident(1).id);
        assert_eq!(rest.failed(id, Some(Duration::from_secs(7)), now), Duration::from_secs(7));
        assert_eq!(rest.failed(id, Some(Duration::MAX), now), LONGEST_REST);
    }
}
