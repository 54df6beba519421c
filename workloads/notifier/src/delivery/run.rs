//! One thread for each receiver, so that none waits for another.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tracing::warn;
use vedette_contract::incident::IncidentOwner;
use vedette_contract::receiver::Receiver;
use vedette_contract::{Name, TopicName};
use vedette_filters::{Filter, FilterError};
use vedette_service::{Backoff, Shutdown, error_chain};
use vedette_streams::kafka::group::is_position_lost;
use vedette_streams::kafka::{self, KafkaSettings, TopicReader};

use super::interest::InterestWords;
use super::ledger::{Ledger, Recollection};
use super::metrics::{DeliveryMetrics, ReceiverMetrics};
use super::reader::{IncidentReader, IncidentTopic, Read};
use super::round::Round;
use super::sender::Sender;

const BROKER_TIMEOUT: Duration = Duration::from_secs(5);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
/// How long a receiver's thread waits when there is nothing to do; also how soon shutdown is noticed.
const POLL_WAIT: Duration = Duration::from_millis(100);
/// How often is looked for new partitions.
const PARTITIONS_CHECK: Duration = Duration::from_secs(5);
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
    /// Whose incidents they are told of.
    pub(crate) owner: IncidentOwner,
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
    #[error("the topic of the incidents has {now} partitions, and had {before}")]
    FewerPartitions { before: i32, now: i32 },
}

impl Trouble {
    /// Whether what was read is not there any more: somebody made the topic anew.
    fn is_of_another_topic(&self) -> bool {
        match self {
            Self::Client(error) => is_position_lost(error),
            Self::FewerPartitions { .. } => true,
            Self::Receivers(_) | Self::Kafka(_) => false,
        }
    }
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

/// Tells until shutdown, or until only a new session can go on: what was read is not where it was.
fn tell(
    settings: &DeliverySettings,
    receiver: &Receiver,
    metrics: &ReceiverMetrics,
    shutdown: &Shutdown,
) -> Result<(), Trouble> {
    let mut session = Session::open(settings, receiver, metrics)?;
    let mut backoff = BACKOFF;
    while !shutdown.is_cancelled() {
        match session.turn(shutdown) {
            Ok(()) => backoff.reset(),
            Err(trouble) if trouble.is_of_another_topic() => return Err(trouble),
            Err(trouble) => {
                warn!(receiver = %receiver.name, error = error_chain(&trouble), "reading the incidents has trouble and goes on");
                session.go_on_without_kafka(backoff.failed(), shutdown);
            }
        }
    }
    Ok(())
}

/// What one receiver works with from one beginning to the next.
struct Session<'a> {
    receiver: &'a Receiver,
    metrics: &'a ReceiverMetrics,
    kafka: TopicReader,
    topic: TopicName,
    reader: IncidentReader,
    ledger: Ledger,
    round: Round,
    /// It was said that the filter fails.
    complained: bool,
    looked: Instant,
    is_in_doubt: bool,
}

impl<'a> Session<'a> {
    fn open(
        settings: &DeliverySettings,
        receiver: &'a Receiver,
        metrics: &'a ReceiverMetrics,
    ) -> Result<Self, Trouble> {
        let DeliverySettings { kafka, group, topic, owner, window } = settings;
        let Receiver { name, minimum_severity, filter, .. } = receiver;
        let words = InterestWords { minimum_severity: *minimum_severity, filter: filter.clone() };
        let history_after = *window + DAY;
        let refused = |source| ReceiversError::Filter { name: name.clone(), source };
        let interest = words.compile(history_after).map_err(refused)?;
        let own = IncidentTopic {
            kafka: kafka.clone(),
            group: format!("{group}.{name}"),
            topic: topic.clone(),
            owner: owner.clone(),
        };
        let kafka = TopicReader::new(kafka)?;
        let [partitions] = kafka.count_partitions([topic], BROKER_TIMEOUT)?;
        let (reader, found) = IncidentReader::open(own, partitions, words.clone())?;
        let before = found.interest.filter(|before| *before != words);
        let recollection = Recollection {
            // What is no filter any more decided of nothing that could be asked again.
            interest: before.and_then(|before| before.compile(history_after).ok()),
            exceptions: found.exceptions,
        };
        let sender = Sender::new(receiver.clone());
        let ledger = Ledger::new(interest, recollection, sender.repeats().is_some());
        let round = Round::new(name.clone(), sender, metrics.clone());
        let (topic, looked) = (topic.clone(), Instant::now());
        Ok(Self {
            receiver,
            metrics,
            kafka,
            topic,
            reader,
            ledger,
            round,
            complained: false,
            looked,
            is_in_doubt: false,
        })
    }

    fn turn(&mut self, shutdown: &Shutdown) -> Result<(), Trouble> {
        self.look_at_partitions()?;
        self.read()?;
        self.tell(shutdown);
        self.reader.commit(self.ledger.positions())?;
        Ok(())
    }

    fn tell(&mut self, shutdown: &Shutdown) {
        if self.reader.is_caught_up() || self.ledger.is_full() {
            self.round.tell(&mut self.ledger, shutdown);
        }
    }

    /// Kafka may be away for long: what is known is told and repeated meanwhile.
    fn go_on_without_kafka(&mut self, wait: Duration, shutdown: &Shutdown) {
        self.is_in_doubt = true;
        let until = Instant::now() + wait;
        while Instant::now() < until && !shutdown.is_cancelled() {
            self.tell(shutdown);
            std::thread::sleep(POLL_WAIT);
        }
    }

    /// Reads with a client of its own where there was trouble or where there are more partitions.
    fn look_at_partitions(&mut self) -> Result<(), Trouble> {
        if !self.is_in_doubt && self.looked.elapsed() < PARTITIONS_CHECK {
            return Ok(());
        }
        let [partitions] = self.kafka.count_partitions([&self.topic], BROKER_TIMEOUT)?;
        let before = self.reader.partitions();
        if partitions < before {
            return Err(Trouble::FewerPartitions { before, now: partitions });
        }
        if self.is_in_doubt || partitions > before {
            self.reader.reopen(partitions, self.ledger.read_positions())?;
        }
        (self.looked, self.is_in_doubt) = (Instant::now(), false);
        Ok(())
    }

    fn read(&mut self) -> Result<(), Trouble> {
        let Self { receiver, metrics, reader, ledger, round, complained, .. } = self;
        if ledger.is_full() {
            std::thread::sleep(POLL_WAIT);
            return Ok(());
        }
        let wait = if round.is_due(ledger) { Duration::ZERO } else { POLL_WAIT };
        reader.read(ledger, wait, |read| match read {
            Read::Foreign => drop(metrics.foreign.inc()),
            Read::FilterFails(place, cause) => {
                metrics.filter_failures.inc();
                if !std::mem::replace(complained, true) {
                    warn!(receiver = %receiver.name, offset = place.offset, cause, "a filter fails, and its receiver is told");
                }
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
