//! The consumer's side of a group. Its rebalances are not served inside `poll`, where librdkafka reports them, but wait for
//! the loop that owns what was read: it finishes that first and gives partitions up after. So nothing is shared between a
//! callback and the loop but this queue.

use std::collections::{BTreeSet, VecDeque};
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::Statistics;
use rdkafka::client::OAuthToken;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::util::Timeout;
use tracing::{debug, info, warn};
use vedette_service::Backoff;

use crate::kafka::KafkaContext;
use crate::kafka::place::committed;
use crate::kafka::standing::Standings;

/// A member learns by a heartbeat that its group moves on, and a second later librdkafka joins anyway.
const MOVES_ON: Duration = Duration::from_secs(2);
/// Between looks at a group that moves.
const LOOKS: Backoff = Backoff::new(Duration::from_millis(100), MOVES_ON);

/// A consumer whose rebalances wait for the loop.
pub type GroupConsumer = BaseConsumer<GroupContext>;

/// What the group decided and the consumer has not yet done.
#[derive(Debug)]
pub enum Rebalance {
    /// These partitions are ours from now on.
    Assigned(TopicPartitionList),
    /// These are to be given up; others wait for them.
    Revoked(TopicPartitionList),
}

/// What the consumer's callbacks leave for the loop.
#[derive(Debug, Default)]
pub struct GroupContext {
    context: KafkaContext,
    rebalances: Mutex<VecDeque<Rebalance>>,
    leaving: AtomicBool,
    trouble: AtomicBool,
    standings: Mutex<Option<Standings>>,
    /// Topic and number of the partitions that the group gave, whether they are taken yet or not.
    owned: Mutex<BTreeSet<(String, i32)>>,
    moves: Mutex<Option<Moves>>,
}

/// When the group last did something, and when it is looked after next.
#[derive(Debug)]
struct Moves {
    began: Instant,
    next_look: Instant,
    looks: Backoff,
}

impl Moves {
    fn begin(now: Instant) -> Self {
        Self { began: now, next_look: now, looks: LOOKS }
    }

    fn is_to_look(&mut self, now: Instant) -> bool {
        let is_due = now - self.began < MOVES_ON && now >= self.next_look;
        if is_due {
            self.next_look += self.looks.failed();
        }
        is_due
    }
}

impl GroupContext {
    /// The oldest rebalance that was not taken yet.
    pub fn take_rebalance(&self) -> Option<Rebalance> {
        self.rebalances().pop_front()
    }

    /// Puts back a rebalance that cannot be followed yet; it comes before all others. Poll before it is taken again: a member
    /// that does not poll is put out of its group.
    pub fn put_back(&self, rebalance: Rebalance) {
        self.rebalances().push_front(rebalance);
    }

    /// Whether there was trouble since the last call: the client complained, or somebody noted it.
    pub fn take_trouble(&self) -> bool {
        self.trouble.swap(false, Ordering::AcqRel)
    }

    /// Notes trouble.
    pub fn note_trouble(&self) {
        self.trouble.store(true, Ordering::Release);
    }

    /// Where the partitions stand, if the client told since the last call.
    pub fn take_standings(&self) -> Option<Standings> {
        self.standings.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn owned(&self) -> MutexGuard<'_, BTreeSet<(String, i32)>> {
        self.owned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin_to_move(&self, now: Instant) {
        *self.moves() = Some(Moves::begin(now));
    }

    fn is_to_look(&self, now: Instant) -> bool {
        self.moves().as_mut().is_some_and(|moves| moves.is_to_look(now))
    }

    fn moves(&self) -> MutexGuard<'_, Option<Moves>> {
        self.moves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rebalances(&self) -> MutexGuard<'_, VecDeque<Rebalance>> {
        // Every change is one call, so what a thread left behind that panicked is whole.
        self.rebalances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A consumer of these settings, subscribed to nothing yet. A position that is gone is an error that its loop sees
/// ([`is_position_lost`]), as records are lost with it: librdkafka would jump over them without a word.
///
/// # Errors
/// When the client refuses its settings.
pub fn create(config: &ClientConfig, context: KafkaContext) -> KafkaResult<GroupConsumer> {
    let mut config = config.clone();
    config.set("auto.offset.reset", "error");
    config.create_with_context(GroupContext { context, ..GroupContext::default() })
}

/// Whether this error of a poll says that the position of some partition is gone. It does not say of which.
pub fn is_position_lost(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset)
}

/// From where these partitions are read: from what the group has committed on, else from their beginning.
///
/// librdkafka would ask for it by itself, and forgets partitions whose coordinator did not know the answer, as it moved or
/// was not ready (its issue 5586): they are never read, and as it waits for the answer, it does not join again when the group
/// wants everybody to, who all wait for it then until `max.poll.interval.ms` is over.
///
/// # Errors
/// When the coordinator does not know; it may a little later.
pub fn beginnings(
    consumer: &GroupConsumer,
    partitions: &TopicPartitionList,
    wait: impl Into<Timeout>,
) -> KafkaResult<TopicPartitionList> {
    let mut beginnings = TopicPartitionList::with_capacity(partitions.count());
    for (topic, partition, committed) in committed(consumer, partitions, wait)? {
        beginnings.add_partition_offset(&topic, partition, committed.map_or(Offset::Beginning, Offset::Offset))?;
    }
    Ok(beginnings)
}

/// Does what the group decided, which tells it that the loop is done with the rebalance. Partitions that are taken come with
/// their [`beginnings`]; some may be taken later, by another call.
///
/// # Errors
/// When the client cannot.
pub fn follow(consumer: &GroupConsumer, rebalance: &Rebalance) -> KafkaResult<()> {
    let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
    consumer.context().begin_to_move(Instant::now());
    match rebalance {
        Rebalance::Assigned(partitions) => {
            if partitions.count() > 0 {
                info!(partitions = %named(partitions), "partitions assigned");
            }
            if cooperative { consumer.incremental_assign(partitions) } else { consumer.assign(partitions) }
        }
        Rebalance::Revoked(partitions) => {
            info!(partitions = %named(partitions), "partitions given up");
            if cooperative { consumer.incremental_unassign(&taken(consumer, partitions)?) } else { consumer.unassign() }
        }
    }
}

/// Keeps a group that is on the move from standing still for a second. librdkafka joins no sooner than that after it joined, unless
/// metadata came since (`rkcg_join_intvl`), and a cooperative group joins several times in a row: when one comes, when what others gave
/// up is given away, and when one leaves meanwhile. Whoever cannot wait for it calls this again and again; it asks for metadata, seldom,
/// and does not wait for them.
pub fn join_without_delay(consumer: &GroupConsumer) {
    if !consumer.context().is_to_look(Instant::now()) {
        return;
    }
    let Ok(subscription) = consumer.subscription() else { return };
    if let Some(topic) = subscription.elements().first() {
        let not_yet = consumer.fetch_metadata(Some(topic.topic()), Duration::ZERO);
        not_yet.err().into_iter().for_each(|error| debug!(%error, "metadata are asked for, as the group moves"));
    }
}

/// Those of them that were taken: the client gives up no other.
fn taken(consumer: &GroupConsumer, partitions: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
    let (all, mut taken) = (consumer.assignment()?, TopicPartitionList::with_capacity(partitions.count()));
    for element in partitions.elements() {
        if all.find_partition(element.topic(), element.partition()).is_some() {
            taken.add_partition(element.topic(), element.partition());
        }
    }
    Ok(taken)
}

/// Prepares the consumer's end: closing it waits until its partitions are given up, so from now on rebalances are followed at
/// once. Nothing may be held any more that they could take away.
pub fn prepare_to_leave(consumer: &GroupConsumer) {
    let context = consumer.context();
    context.leaving.store(true, Ordering::Release);
    while let Some(rebalance) = context.take_rebalance() {
        follow_while_leaving(consumer, &rebalance);
    }
}

fn follow_while_leaving(consumer: &GroupConsumer, rebalance: &Rebalance) {
    if let Err(error) = follow(consumer, rebalance) {
        warn!(%error, "a rebalance could not be followed while leaving the group");
    }
}

/// `alerts: [0, 3]`, topics and partitions in their order.
fn named(partitions: &TopicPartitionList) -> String {
    let mut topics = std::collections::BTreeMap::<String, Vec<i32>>::new();
    for element in partitions.elements() {
        topics.entry(element.topic().to_owned()).or_default().push(TopicPartitionListElem::partition(&element));
    }
    let named = topics.into_iter().map(|(topic, mut numbers)| {
        numbers.sort_unstable();
        format!("{topic}: {numbers:?}")
    });
    named.collect::<Vec<_>>().join(", ")
}

impl ClientContext for GroupContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, configuration: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.context.generate_oauth_token(configuration)
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.context.log(level, facility, text);
    }

    fn error(&self, cause: KafkaError, text: &str) {
        self.context.error(cause, text);
        self.note_trouble();
    }

    fn stats(&self, statistics: Statistics) {
        self.context.look(&statistics);
        let standings = Standings::of(&self.owned(), statistics);
        *self.standings.lock().unwrap_or_else(PoisonError::into_inner) = Some(standings);
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(&self, consumer: &GroupConsumer, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let named =
            partitions.elements().into_iter().map(|it| (it.topic().to_owned(), it.partition())).collect::<Vec<_>>();
        let rebalance = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                self.owned().extend(named);
                Rebalance::Assigned(partitions.clone())
            }
            // Any other code asks for the same: librdkafka reports no third kind, and giving up is always safe.
            _ => {
                self.owned().retain(|place| !named.contains(place));
                Rebalance::Revoked(partitions.clone())
            }
        };
        if self.leaving.load(Ordering::Acquire) {
            follow_while_leaving(consumer, &rebalance);
        } else {
            self.rebalances().push_back(rebalance);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_named_in_order() {
        let mut partitions = TopicPartitionList::new();
        for (topic, partition) in [("b", 1), ("a", 3), ("a", 0)] {
            partitions.add_partition(topic, partition);
        }
        assert_eq!(named(&partitions), "a: [0, 3], b: [1]");
    }

    #[test]
    fn trouble_is_told_once() {
        let context = GroupContext::default();
        assert!(!context.take_trouble());
        context.note_trouble();
        assert!(context.take_trouble());
        assert!(!context.take_trouble());
    }

    #[test]
    fn a_group_that_moves_is_looked_after_for_a_while_and_seldom() {
        let (context, start) = (GroupContext::default(), Instant::now());
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert!(!context.is_to_look(start), "nothing moves");
        context.begin_to_move(start);
        let looks = |from: u64, to: u64| (from..to).filter(|it| context.is_to_look(at(*it))).collect::<Vec<_>>();
        assert_eq!(looks(0, 9000), [0, 100, 300, 700, 1500]);
        context.begin_to_move(at(9000));
        assert_eq!(looks(9000, 9200), [9000, 9100]);
    }
}
