//! One thread for each receiver, so that none waits for another.

use std::collections::BTreeSet;
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tracing::warn;
use vedette_contract::receiver::Receiver;
use vedette_contract::{Name, TopicName};
use vedette_service::{Backoff, Shutdown, error_chain};
use vedette_streams::kafka::{self, KafkaSettings, TopicReader};

use super::filter::{Filter, FilterError};
use super::ledger::{Interest, Ledger};
use super::metrics::{DeliveryMetrics, ReceiverMetrics};
use super::reader::IncidentReader;
use super::round::Round;
use super::sender::Sender;

const BROKER_TIMEOUT: Duration = Duration::from_secs(5);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
/// How long a receiver's thread waits when there is nothing to do; also how soon shutdown is noticed.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// An outage of so long is no reason not to tell of what was meanwhile.
const DAY: Duration = Duration::from_secs(86_400);

/// Why receivers were refused.
#[derive(Debug, Error)]
pub enum ReceiversError {
    /// One of its settings.
    #[error("receiver {name} cannot be told of incidents")]
    Filter {
        /// The receiver.
        name: Name,
        /// What is wrong.
        #[source]
        source: FilterError,
    },
    /// Two have one name.
    #[error("receiver {name} is there twice; give each a name of its own")]
    Duplicate {
        /// The name.
        name: Name,
    },
}

/// What receivers are told of.
#[derive(Debug, Clone)]
pub(crate) struct DeliverySettings {
    pub(crate) kafka: KafkaSettings,
    /// Consumer group of the notifier; a receiver's own is below it.
    pub(crate) group: String,
    pub(crate) topic: TopicName,
    pub(crate) window: Duration,
}

/// When receivers are told; each happens when it is cancelled.
#[derive(Debug, Clone)]
pub(crate) struct Telling {
    pub(crate) begins: Shutdown,
    pub(crate) ends: Shutdown,
}

/// Whether these can be told.
///
/// # Errors
/// When a filter is none, or a name is there twice.
pub(crate) fn check(receivers: &[Receiver]) -> Result<(), ReceiversError> {
    let mut names = BTreeSet::new();
    for Receiver { name, filter, .. } in receivers {
        if !names.insert(name) {
            return Err(ReceiversError::Duplicate { name: name.clone() });
        }
        compiled(name, filter.as_deref())?;
    }
    Ok(())
}

/// Tells receivers of incidents, all at once and each by itself.
pub(crate) async fn deliver(
    settings: DeliverySettings,
    receivers: Vec<Receiver>,
    metrics: DeliveryMetrics,
    telling: Telling,
) {
    let mut threads = JoinSet::new();
    for receiver in receivers {
        let metrics = metrics.of(&receiver.name);
        let (settings, Telling { begins, ends }) = (settings.clone(), telling.clone());
        threads.spawn_blocking(move || {
            if Handle::current().block_on(ends.run_until_cancelled(begins.cancelled())).is_some() {
                receive(&settings, &receiver, &metrics, &ends);
            }
        });
    }
    threads.join_all().await;
}

/// Why a receiver begins anew.
#[derive(Debug, Error)]
enum Trouble {
    #[error(transparent)]
    Receivers(#[from] ReceiversError),
    #[error(transparent)]
    Kafka(#[from] kafka::KafkaError),
    #[error("the topic of the incidents cannot be read")]
    Client(#[from] rdkafka::error::KafkaError),
}

fn receive(settings: &DeliverySettings, receiver: &Receiver, metrics: &ReceiverMetrics, shutdown: &Shutdown) {
    let mut backoff = BACKOFF;
    while !shutdown.is_cancelled() {
        let Err(trouble) = tell(settings, receiver, metrics, shutdown) else { return };
        let wait = backoff.failed();
        warn!(receiver = %receiver.name, error = error_chain(&trouble), "reading the incidents begins anew");
        let _ = Handle::current().block_on(tokio::time::timeout(wait, shutdown.cancelled()));
    }
}

fn tell(
    settings: &DeliverySettings,
    receiver: &Receiver,
    metrics: &ReceiverMetrics,
    shutdown: &Shutdown,
) -> Result<(), Trouble> {
    let mut session = Session::open(settings, receiver, metrics)?;
    while !shutdown.is_cancelled() {
        session.turn(shutdown)?;
    }
    Ok(())
}

/// What one receiver works with from one beginning to the next.
struct Session<'a> {
    receiver: &'a Receiver,
    metrics: &'a ReceiverMetrics,
    reader: IncidentReader,
    ledger: Ledger,
    round: Round,
    /// It was said that the filter fails.
    complained: bool,
}

impl<'a> Session<'a> {
    fn open(
        settings: &DeliverySettings,
        receiver: &'a Receiver,
        metrics: &'a ReceiverMetrics,
    ) -> Result<Self, Trouble> {
        let DeliverySettings { kafka, group, topic, window } = settings;
        let [partitions] = TopicReader::new(kafka)?.count_partitions([topic], BROKER_TIMEOUT)?;
        let reader = IncidentReader::open(kafka, &format!("{group}.{}", receiver.name), topic, partitions)?;
        let filter = compiled(&receiver.name, receiver.filter.as_deref())?;
        let history_after = *window + DAY;
        let ledger = Ledger::new(Interest { minimum_severity: receiver.minimum_severity, filter, history_after });
        let round = Round::new(receiver.name.clone(), Sender::new(receiver.clone()), metrics.clone());
        Ok(Self { receiver, metrics, reader, ledger, round, complained: false })
    }

    fn turn(&mut self, shutdown: &Shutdown) -> Result<(), Trouble> {
        self.read()?;
        if self.reader.is_caught_up() || self.ledger.is_full() {
            self.round.tell(&mut self.ledger, shutdown);
        }
        self.reader.commit(self.ledger.settled_positions())?;
        Ok(())
    }

    fn read(&mut self) -> Result<(), Trouble> {
        let Self { receiver, metrics, reader, ledger, round, complained } = self;
        if ledger.is_full() {
            std::thread::sleep(POLL_WAIT);
            return Ok(());
        }
        let wait = if round.is_due(ledger) { Duration::ZERO } else { POLL_WAIT };
        reader.read(ledger, wait, |place, cause| {
            metrics.filter_failures.inc();
            if !std::mem::replace(complained, true) {
                warn!(receiver = %receiver.name, offset = place.offset, cause, "a filter fails, and its receiver is told");
            }
        })?;
        Ok(())
    }
}

fn compiled(name: &Name, filter: Option<&str>) -> Result<Option<Filter>, ReceiversError> {
    let compiled = filter.map(Filter::compile).transpose();
    compiled.map_err(|source| ReceiversError::Filter { name: name.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_told_is_refused_at_the_start() {
        let receiver = |name: &str, filter: Option<&str>| -> Receiver {
            let text = format!(r#"{{"name":"{name}","to":{{"webhook":{{}}}},"url":"http://a"}}"#);
            Receiver { filter: filter.map(str::to_owned), ..text.parse().unwrap() }
        };
        assert!(check(&[receiver("a", None), receiver("b", Some("alerts > 1"))]).is_ok());
        let twice = check(&[receiver("a", None), receiver("a", None)]).unwrap_err();
        assert_eq!(twice.to_string(), "receiver a is there twice; give each a name of its own");
        let said = error_chain(&check(&[receiver("b", Some("alerts >"))]).unwrap_err());
        assert!(said.contains("receiver b") && said.contains("\"alerts >\""), "{said}");
    }
}
