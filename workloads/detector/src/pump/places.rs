//! From where the partitions are read, looked for one by one: one that Kafka does not tell of, as it has no leader, waits alone and is
//! looked for again. So does one of which what is made would go to a partition without a leader.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use tracing::warn;
use vedette_streams::kafka::group::{self, Rebalance};
use vedette_streams::kafka::leaderless;
use vedette_streams::kafka::place::{Beginning, at_offset, beginning, committed_each, move_to, report_overgrown};

use super::Pump;
use crate::interruption::Interruption;
use crate::readiness::GROUP;
use crate::resume::Resume;

/// So long what waits is left alone at least, and so many times longer than it was looked for: nothing else is done meanwhile.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const TIMES_A_SEARCH: u32 = 9;
/// How long one turn waits for the group's coordinator, which may be slow. Others wait for this member meanwhile.
const COORDINATOR_WAIT: Duration = Duration::from_secs(5);

/// Partitions of ours of which it is not known yet from where they are read.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    partitions: BTreeMap<i32, Search>,
    /// Where they were read on, of whose commit no answer came: it may be made, and it may be not.
    unanswered: BTreeMap<i32, Beginning>,
    /// Not before.
    again_at: Option<Instant>,
}

/// What a partition waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Search {
    /// It is not taken yet.
    Beginning,
    /// It was read, and its position may be gone.
    Position,
}

impl Waiting {
    /// Forgets those that are another's from now on.
    pub(super) fn give_up(&mut self, partitions: &TopicPartitionList) {
        for partition in partitions.elements().iter().map(TopicPartitionListElem::partition) {
            self.partitions.remove(&partition);
            self.unanswered.remove(&partition);
        }
    }

    /// What is to be counted of a partition that is read on from here, which was committed with or without an answer: what of it is
    /// gone, once it is known to be found no more, and what was before it.
    fn gone(&mut self, partition: i32, found: Beginning, is_answered: bool) -> impl Iterator<Item = Beginning> {
        let before = self.unanswered.remove(&partition).filter(|before| !is_found_again(*before, found));
        if !is_answered {
            self.unanswered.insert(partition, found);
        }
        before.into_iter().chain(is_answered.then_some(found))
    }

    fn is_due(&self) -> bool {
        !self.partitions.is_empty() && self.again_at.is_none_or(|at| Instant::now() >= at)
    }

    fn of(&self, search: Search) -> Vec<i32> {
        self.partitions.iter().filter(|(_, its)| **its == search).map(|(partition, _)| *partition).collect()
    }

    /// Of the partitions that were looked for, those that were not found wait on.
    fn searched(&mut self, search: Search, looked_for: &[i32], failed: &BTreeMap<i32, KafkaError>) {
        for partition in looked_for {
            match failed.get(partition) {
                None => _ = self.partitions.remove(partition),
                Some(cause) => {
                    if self.partitions.insert(*partition, search).is_none() {
                        warn!(partition, error = %cause, "a partition waits: where to read it is not told yet, or an output of it has no leader");
                    }
                }
            }
        }
    }

    fn pause_after(&mut self, search: Duration) {
        self.again_at = Some(Instant::now() + (TIMES_A_SEARCH * search).max(SHORTEST_PAUSE));
    }
}

/// Whether the commit behind what was gone before was not made, so that this is gone with it.
fn is_found_again(before: Beginning, found: Beginning) -> bool {
    matches!(
        (before, found),
        (Beginning::AfterLoss { committed: before, .. }, Beginning::AfterLoss { committed: now, .. })
            | (Beginning::Truncated { committed: before, .. }, Beginning::Truncated { committed: now, .. })
            if before == now
    )
}

/// Where a partition is read on, and what came of committing that.
type ReadOn = (Beginning, KafkaResult<()>);

impl Pump<'_> {
    /// Takes the partitions of which it is known from where they are read; the others later. `false` where the group's coordinator does
    /// not know of any.
    pub(super) fn take(&mut self, partitions: TopicPartitionList) -> Result<bool, Interruption> {
        // The coordinator may not answer for longer than an open unit lives.
        if let Err(interruption) = self.close_unit() {
            self.consumer.context().put_back(Rebalance::Assigned(partitions));
            return Err(interruption);
        }
        let numbers = numbers(&partitions);
        match self.take_those(&numbers) {
            Ok(taken) => taken.map(|()| true),
            Err(cause) => {
                self.readiness.fail(GROUP, format!("the group does not tell yet from where to read: {cause}"));
                self.consumer.context().put_back(Rebalance::Assigned(partitions));
                Ok(false)
            }
        }
    }

    /// # Errors
    /// When the group's coordinator does not tell what is committed of any.
    fn take_those(&mut self, partitions: &[i32]) -> KafkaResult<Result<(), Interruption>> {
        let started = Instant::now();
        let topic = self.outputs.topics.sensor_messages.to_string();
        let (mut places, mut looked_up) = (TopicPartitionList::with_capacity(partitions.len()), Vec::new());
        let (mut failed, mut forgotten, held_up) = (BTreeMap::new(), Vec::new(), self.held_up());
        for (_, partition, committed) in committed_each(&self.consumer, &self.list(partitions), COORDINATOR_WAIT)? {
            match committed {
                Ok(_) if held_up.contains(&partition) => _ = failed.insert(partition, no_leader()),
                Ok(Some(offset)) => places.add_partition_offset(&topic, partition, Offset::Offset(offset))?,
                Ok(None) => forgotten.push(partition),
                Err(cause) => _ = failed.insert(partition, cause),
            }
        }
        let leaderless = self.leaderless(&forgotten);
        let mut resume = Resume::begin(&self.kafka, &self.group, &self.consumer, &self.outputs);
        for partition in forgotten {
            let place = if leaderless.contains(&partition) { Err(no_leader()) } else { resume.place(partition) };
            match place {
                Ok(beginning) => {
                    places.add_partition_offset(&topic, partition, Offset::Offset(beginning.offset()))?;
                    looked_up.push((partition, beginning));
                }
                Err(cause) => _ = failed.insert(partition, cause),
            }
        }
        self.waiting.searched(Search::Beginning, partitions, &failed);
        self.waiting.pause_after(started.elapsed());
        Ok(self.follow(&Rebalance::Assigned(places)).map(|()| self.settle(looked_up)))
    }

    /// Looks again for those that wait, when it is time.
    pub(super) fn look_again(&mut self) -> Result<(), Interruption> {
        if !self.waiting.is_due() {
            return Ok(());
        }
        self.close_unit()?;
        let (started, new) = (Instant::now(), self.waiting.of(Search::Beginning));
        if !new.is_empty() {
            match self.take_those(&new) {
                Ok(taken) => taken?,
                Err(cause) => self.wait_on(&cause, started),
            }
        }
        let read = self.waiting.of(Search::Position);
        if !read.is_empty() {
            self.read_on(&read);
        }
        Ok(())
    }

    /// Reads on from what is left where retention passed what was read, or from the beginning of a topic made anew.
    pub(super) fn find_lost_positions(&mut self) -> Result<(), Interruption> {
        self.close_unit()?;
        match self.consumer.assignment() {
            Ok(assignment) => {
                self.position_lost = false;
                let partitions = numbers(&assignment);
                if self.read_on(&partitions) && !partitions.is_empty() {
                    report_overgrown();
                }
            }
            Err(cause) => self.wait_on(&cause, Instant::now()),
        }
        Ok(())
    }

    /// Takes each of these anew, from what is committed if that is there. Whether it is of each of them.
    fn read_on(&mut self, partitions: &[i32]) -> bool {
        let started = Instant::now();
        let known = match committed_each(&self.consumer, &self.list(partitions), COORDINATOR_WAIT) {
            Ok(known) => known,
            Err(cause) => {
                let failed = partitions.iter().map(|partition| (*partition, cause.clone())).collect();
                self.waiting.searched(Search::Position, partitions, &failed);
                self.wait_on(&cause, started);
                return false;
            }
        };
        let (leaderless, mut failed, mut found) = (self.leaderless(partitions), BTreeMap::new(), Vec::new());
        let mut resume = Resume::begin(&self.kafka, &self.group, &self.consumer, &self.outputs);
        for (topic, partition, committed) in known {
            let is_led = !leaderless.contains(&partition);
            let read_on = |committed| self.read_on_from(&mut resume, &topic, partition, committed);
            match if is_led { committed.and_then(read_on) } else { Err(no_leader()) } {
                Ok(read_on) => found.push((partition, read_on)),
                Err(cause) => _ = failed.insert(partition, cause),
            }
        }
        let is_there = |(_, (beginning, _)): &(i32, ReadOn)| matches!(beginning, Beginning::Committed(_));
        let all_are_there = failed.is_empty() && found.iter().all(is_there);
        for (partition, (beginning, answer)) in found {
            let gone: Vec<_> = self.waiting.gone(partition, beginning, answer.is_ok()).collect();
            gone.into_iter().for_each(|gone| self.count(partition, gone));
            answer.err().into_iter().for_each(|cause| _ = failed.insert(partition, cause));
        }
        self.waiting.searched(Search::Position, partitions, &failed);
        self.waiting.pause_after(started.elapsed());
        all_are_there
    }

    /// What is lost is committed, so that it is counted once, and said before: who is killed in between says it again, rather than
    /// nobody.
    fn read_on_from(
        &self,
        resume: &mut Resume<'_>,
        topic: &str,
        partition: i32,
        committed: Option<i64>,
    ) -> KafkaResult<ReadOn> {
        let beginning = resume.shortened(partition, beginning(&self.consumer, topic, partition, committed)?)?;
        move_to(&self.consumer, topic, partition, beginning.offset())?;
        if matches!(beginning, Beginning::Committed(_)) {
            return Ok((beginning, Ok(())));
        }
        beginning.report(topic, partition);
        let place = at_offset(topic, partition, beginning.offset())?;
        Ok((beginning, self.consumer.commit(&place, CommitMode::Sync)))
    }

    fn wait_on(&mut self, cause: &KafkaError, started: Instant) {
        warn!(error = %cause, "it is not known yet where to read on");
        self.consumer.context().note_trouble();
        self.waiting.pause_after(started.elapsed());
    }

    /// The numbers of partitions of which what is made would go to one without a leader. An output with another number of partitions
    /// than the input has its records by their keys, from whatever partition, and holds up all of them.
    fn held_up(&self) -> BTreeSet<i32> {
        let without = |topic| leaderless(self.consumer.client(), topic);
        self.outputs.in_step().flat_map(without).collect()
    }

    /// Those of these without a leader, of which to ask would be to wait. Where that is not known each is asked.
    fn leaderless(&self, partitions: &[i32]) -> BTreeSet<i32> {
        if partitions.is_empty() {
            return BTreeSet::new();
        }
        let without = leaderless(self.consumer.client(), &self.outputs.topics.sensor_messages);
        without.into_iter().filter(|partition| partitions.contains(partition)).collect()
    }

    fn list(&self, partitions: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(self.outputs.topics.sensor_messages.as_str(), *partition);
        }
        list
    }

    /// Tells what was looked up, and commits it where it is a place: a partition to which nobody writes would never be known again.
    fn settle(&self, looked_up: Vec<(i32, Beginning)>) {
        let topic = self.outputs.topics.sensor_messages.as_str();
        for (partition, beginning) in looked_up {
            beginning.report(topic, partition);
            self.count(partition, beginning);
            let is_place = !matches!(beginning, Beginning::First(_));
            let committed = is_place.then(|| {
                let place = at_offset(topic, partition, beginning.offset())?;
                self.consumer.commit(&place, CommitMode::Sync)
            });
            if let Some(Err(cause)) = committed {
                warn!(partition, error = %cause, "where a partition goes on is not committed yet; it is when a record comes");
            }
        }
    }

    /// Counts what is gone where a partition is read from here.
    fn count(&self, partition: i32, beginning: Beginning) {
        let input = &self.outputs.topics.sensor_messages;
        self.metrics.lost_records.inc_by(beginning.lost());
        self.metrics.truncated_records.inc_by(beginning.truncated());
        beginning.gap(input, partition, Timestamp::now()).into_iter().for_each(|gap| self.known.lost(gap));
    }

    pub(super) fn follow(&self, rebalance: &Rebalance) -> Result<(), Interruption> {
        group::follow(&self.consumer, rebalance)
            .map_err(|cause| Interruption::Fatal("cannot follow a rebalance of the group", cause))
    }
}

fn numbers(partitions: &TopicPartitionList) -> Vec<i32> {
    partitions.elements().iter().map(TopicPartitionListElem::partition).collect()
}

fn no_leader() -> KafkaError {
    KafkaError::MetadataFetch(RDKafkaErrorCode::LeaderNotAvailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_found_waits_alone_and_is_looked_for_again() {
        let mut waiting = Waiting::default();
        assert!(!waiting.is_due());
        let failed = BTreeMap::from([(1, no_leader())]);
        waiting.searched(Search::Beginning, &[0, 1, 2], &failed);
        assert_eq!((waiting.of(Search::Beginning), waiting.of(Search::Position)), (vec![1], vec![]));
        assert!(waiting.is_due());
        waiting.pause_after(Duration::ZERO);
        assert!(!waiting.is_due());
        waiting.searched(Search::Beginning, &[1], &BTreeMap::new());
        assert!(waiting.of(Search::Beginning).is_empty());
    }

    #[test]
    fn what_is_gone_is_counted_once_whether_its_commit_was_made_or_not() {
        let lost = |committed, first| Beginning::AfterLoss { committed, first };
        let counted = |looks: &[(Beginning, bool)]| {
            let mut waiting = Waiting::default();
            let gone =
                looks.iter().flat_map(|(found, is_answered)| waiting.gone(0, *found, *is_answered).collect::<Vec<_>>());
            gone.map(|gone| gone.lost() + gone.truncated()).sum::<u64>()
        };
        assert_eq!(counted(&[(lost(0, 5), true), (Beginning::Committed(5), true)]), 5);
        assert_eq!(counted(&[(lost(0, 5), false)]), 0, "nobody knows yet");
        assert_eq!(counted(&[(lost(0, 5), false), (Beginning::Committed(5), true)]), 5, "it was made");
        assert_eq!(
            counted(&[(lost(0, 5), false), (Beginning::Committed(9), true)]),
            5,
            "records were read on meanwhile"
        );
        assert_eq!(counted(&[(lost(0, 5), false), (lost(0, 8), false), (lost(0, 9), true)]), 9, "it was not made");
        assert_eq!(counted(&[(lost(0, 5), false), (lost(5, 8), true)]), 8, "it was, and more was deleted");
        let truncated = |committed, end| Beginning::Truncated { committed, end };
        assert_eq!(counted(&[(truncated(9, 5), false), (truncated(9, 5), true)]), 4);
        assert_eq!(counted(&[(truncated(9, 5), false), (Beginning::Committed(5), true)]), 4);
    }

    #[test]
    fn what_is_given_up_is_not_waited_for() {
        let mut waiting = Waiting::default();
        waiting.searched(Search::Position, &[3], &BTreeMap::from([(3, no_leader())]));
        let mut given_up = TopicPartitionList::new();
        given_up.add_partition("s", 3);
        waiting.give_up(&given_up);
        assert!(!waiting.is_due());
    }
}
