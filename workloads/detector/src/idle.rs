//! Commits the end of partitions that stand still. Behind the last record of a topic that is written by transactions stand their marks,
//! which nobody hands over: a group that stays before them would seem to lose records once retention has deleted them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use rdkafka::Message;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaResult;
use tracing::{info, warn};
use vedette_streams::kafka::KafkaSettings;
use vedette_streams::kafka::group::GroupConsumer;
use vedette_streams::kafka::place::{at_offset, committed, read_to_end};
use vedette_streams::kafka::standing::Standing;

/// A partition stands still that is at its end so often in a row, which is a minute.
const TELLS: u32 = 12;
const COORDINATOR_WAIT: Duration = Duration::from_secs(5);

/// The partitions at their end.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    /// Where, and how often that was told since it was looked at in vain; none where it is known what stands there.
    ends: BTreeMap<i32, (i64, Option<u32>)>,
}

impl Idle {
    /// One that has come to stand still and was not looked at, if any, by how all of them stand.
    pub(crate) fn stands<'a>(&mut self, standings: &'a [Standing]) -> Option<&'a Standing> {
        let before = std::mem::take(&mut self.ends);
        let mut found = None;
        for standing in standings.iter().filter(|standing| standing.next == standing.end) {
            let tells = match before.get(&standing.partition) {
                Some((end, tells)) if *end == standing.end => tells.map(|tells| tells + 1),
                Some(_) | None => Some(1),
            };
            // The others are looked at the next times.
            if found.is_none() && tells >= Some(TELLS) {
                found = Some(standing);
            }
            self.ends.insert(standing.partition, (standing.end, tells));
        }
        found
    }

    /// It was looked at: once, unless that failed; then again when it has stood still for as long once more.
    pub(crate) fn looked(&mut self, partition: i32, outcome: Looked) {
        if let Some((_, tells)) = self.ends.get_mut(&partition) {
            *tells = match outcome {
                Looked::Known => None,
                Looked::Failed => Some(0),
            };
        }
    }
}

/// What came of a look at the end of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looked {
    Known,
    /// Kafka did not tell, or did not take it.
    Failed,
}

/// Commits where it stands, if no record is between that and what is committed. It blocks.
pub(crate) fn commit_end(kafka: &KafkaSettings, group: &str, consumer: &GroupConsumer, standing: &Standing) -> Looked {
    let Standing { topic, partition, end, .. } = standing;
    match commit(kafka, group, consumer, standing) {
        Ok(true) => info!(topic, partition, offset = end, "nothing but marks of transactions stands before the end"),
        Ok(false) => {}
        Err(error) => {
            warn!(topic, partition, offset = end, %error, "the end of a partition is not committed yet");
            return Looked::Failed;
        }
    }
    Looked::Known
}

fn commit(kafka: &KafkaSettings, group: &str, consumer: &GroupConsumer, standing: &Standing) -> KafkaResult<bool> {
    let Standing { topic, partition, low, end, .. } = standing;
    let here = at_offset(topic, *partition, *end)?;
    let known = committed(consumer, &here, COORDINATOR_WAIT)?;
    let from = known.into_iter().find_map(|(_, _, committed)| committed).unwrap_or(*low);
    if from >= *end {
        return Ok(false);
    }
    let mut first = None;
    read_to_end(kafka, group, &at_offset(topic, *partition, from)?, |message| {
        first = Some(message.offset());
        ControlFlow::Break(())
    })?;
    let is_behind_all = first.is_none_or(|first| first >= *end);
    if is_behind_all {
        consumer.commit(&here, CommitMode::Sync)?;
    }
    Ok(is_behind_all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(partition: i32, next: i64) -> Standing {
        Standing { topic: "s".to_owned(), partition, low: 0, end: 9, next }
    }

    #[test]
    fn partitions_that_stand_still_are_looked_at_one_by_one_and_once() {
        let (mut idle, all) = (Idle::default(), [standing(0, 9), standing(1, 8), standing(2, 9)]);
        let mut told = || {
            let found = idle.stands(&all).map(|standing| standing.partition);
            found.into_iter().for_each(|partition| idle.looked(partition, Looked::Known));
            found
        };
        assert_eq!([(); 11].map(|()| told()), [None; 11]);
        assert_eq!([(); 4].map(|()| told()), [Some(0), Some(2), None, None]);
        let moved = [Standing { end: 10, next: 10, ..standing(0, 0) }];
        assert_eq!([(); 11].map(|()| idle.stands(&moved).is_some()), [false; 11]);
        assert!(idle.stands(&moved).is_some());
        let away = [standing(0, 8)];
        assert!(idle.stands(&away).is_none() && idle.stands(&moved).is_none());
    }

    #[test]
    fn a_look_that_failed_is_repeated_a_minute_later_and_one_that_was_not_made_the_next_time() {
        let (mut idle, all) = (Idle::default(), [standing(0, 9), standing(1, 9)]);
        let mut found = |outcome: Option<Looked>| {
            let found = idle.stands(&all).map(|standing| standing.partition);
            found.into_iter().zip(outcome).for_each(|(partition, outcome)| idle.looked(partition, outcome));
            found
        };
        assert_eq!([(); 11].map(|()| found(None)), [None; 11]);
        assert_eq!([None, Some(Looked::Failed), Some(Looked::Known)].map(&mut found), [Some(0), Some(0), Some(1)]);
        assert_eq!([(); 10].map(|()| found(None)), [None; 10]);
        assert_eq!([Some(Looked::Known), None].map(&mut found), [Some(0), None]);
    }
}
