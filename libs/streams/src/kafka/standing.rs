//! Where the partitions stand that a member of a group reads, as its client tells every few seconds by itself: no request is made
//! for it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rdkafka::statistics::{Partition, Statistics};
use vedette_contract::TopicName;
use vedette_contract::health::TopicHealth;

/// Where one partition stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// The first offset that it holds.
    pub low: i64,
    /// The offset after the last that may be read.
    pub end: i64,
    /// The offset that is read next.
    pub next: i64,
}

impl Standing {
    fn held(&self) -> u64 {
        u64::try_from(self.end - self.low).unwrap_or(0)
    }

    /// Offsets that were not come to yet, and are still there: retention may have passed where it is read.
    fn lag(&self) -> u64 {
        u64::try_from(self.end - self.next.max(self.low)).unwrap_or(0)
    }
}

/// How all partitions of a member stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standings {
    /// Those of which the client tells.
    pub told: Vec<Standing>,
    /// Topic and number of those of which nothing is known: they have no leader, or it is not known yet from where they are read.
    pub untold: Vec<(String, i32)>,
}

impl Standings {
    /// Of the partitions that the group gave this member, by what the client tells.
    pub(super) fn of(owned: &BTreeSet<(String, i32)>, statistics: Statistics) -> Self {
        let told = told(statistics);
        let is_told = |(topic, partition): &(String, i32)| {
            told.iter().any(|standing| standing.topic == *topic && standing.partition == *partition)
        };
        let untold = owned.iter().filter(|place| !is_told(place)).cloned().collect();
        Self { told, untold }
    }
}

/// How a topic stands by its partitions; `read_at` is the Kafka time of the last record that was read of each, in milliseconds.
/// What the reader alone knows, as how much it has read, is left at nothing.
pub fn topic_health(
    topic: &TopicName,
    standings: &Standings,
    read_at: impl Fn(i32) -> Option<i64>,
    now: Timestamp,
) -> TopicHealth {
    let (mut partitions, mut held, mut lag, mut behind) = (0, 0, 0, Some(0.));
    for standing in standings.told.iter().filter(|standing| standing.topic == topic.as_str()) {
        partitions += 1;
        held += standing.held();
        lag += standing.lag();
        if standing.lag() > 0 {
            let age = read_at(standing.partition).map(|millis| (now.as_millisecond() - millis).max(0) as f64 / 1_000.);
            behind = behind.zip(age).map(|(most, age)| f64::max(most, age));
        }
    }
    let (held_records, lag_records, lag_seconds) = (held, lag, behind);
    let untold = standings.untold.iter().filter(|(of, _)| of == topic.as_str()).count();
    TopicHealth {
        topic: topic.clone(),
        partitions,
        untold_partitions: u32::try_from(untold).unwrap_or(u32::MAX),
        records: 0,
        lost_records: 0,
        held_records,
        lag_records,
        lag_seconds,
    }
}

/// Those that are read now. What is known of one whose leader is gone is of before.
fn told(statistics: Statistics) -> Vec<Standing> {
    let is_read = |partition: &Partition| partition.fetch_state == "active" && partition.leader >= 0;
    let mut standings = Vec::new();
    for (topic, told) in statistics.topics {
        let read = told.partitions.into_values().filter(is_read);
        standings.extend(read.filter_map(|partition| standing(&topic, &partition)));
    }
    standings
}

/// `None` where the client does not know yet.
fn standing(topic: &str, told: &Partition) -> Option<Standing> {
    // Up to an open transaction, where the broker says so much.
    let end = if told.ls_offset >= 0 { told.ls_offset } else { told.hi_offset };
    // The marks of transactions are passed over without a record that says so.
    let next = match told.fetchq_cnt {
        0 => told.next_offset.max(told.app_offset),
        _ if told.app_offset >= 0 => told.app_offset,
        waiting => told.next_offset - waiting,
    };
    let is_known = end >= 0 && next >= 0;
    is_known.then(|| Standing {
        topic: topic.to_owned(),
        partition: told.partition,
        low: told.lo_offset.clamp(0, end),
        end,
        next,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn told(changes: &[(&str, i64)]) -> Partition {
        let mut told = Partition { app_offset: -1001, ls_offset: -1, ..Partition::default() };
        for (field, value) in changes {
            match *field {
                "low" => told.lo_offset = *value,
                "high" => told.hi_offset = *value,
                "stable" => told.ls_offset = *value,
                "next" => told.next_offset = *value,
                "app" => told.app_offset = *value,
                "waiting" => told.fetchq_cnt = *value,
                other => panic!("{other}"),
            }
        }
        told
    }

    #[test]
    fn what_waits_in_the_client_is_not_read_and_marks_of_transactions_are() {
        let lag = |changes: &[(&str, i64)]| standing("t", &told(changes)).map(|standing| standing.lag());
        assert_eq!(lag(&[("high", 10), ("next", 10), ("app", 4), ("waiting", 6)]), Some(6));
        assert_eq!(lag(&[("high", 10), ("next", 10), ("app", 9)]), Some(0));
        assert_eq!(lag(&[("high", 10), ("next", 8), ("waiting", 3)]), Some(5));
        assert_eq!(lag(&[("high", 10), ("stable", 7), ("next", 7)]), Some(0));
        assert_eq!(
            lag(&[("low", 8), ("high", 10), ("next", 3)]),
            Some(2),
            "what retention deleted is not read any more"
        );
        assert_eq!(lag(&[("high", -1001), ("next", 3)]), None);
    }

    #[test]
    fn what_is_ours_and_not_told_is_counted() {
        let partition = |number, fetch_state: &str, leader| {
            let known = told(&[("high", 9), ("next", 9)]);
            (number, Partition { partition: number, fetch_state: fetch_state.to_owned(), leader, ..known })
        };
        let partitions = [
            partition(0, "active", 1),
            partition(1, "offset-wait", 1),
            partition(2, "active", -1),
            partition(3, "none", 1),
        ];
        let topic = rdkafka::statistics::Topic { partitions: partitions.into(), ..Default::default() };
        let statistics = Statistics { topics: [("t".to_owned(), topic)].into(), ..Statistics::default() };
        let owned = [0, 1, 2].map(|number| ("t".to_owned(), number)).into();
        let standings = Standings::of(&owned, statistics);
        assert_eq!(standings.untold, [("t".to_owned(), 1), ("t".to_owned(), 2)]);
        let health = topic_health(&"t".parse().unwrap(), &standings, |_| None, Timestamp::UNIX_EPOCH);
        assert_eq!((health.partitions, health.untold_partitions, health.lag_records), (1, 2, 0));
    }

    #[test]
    fn a_topic_is_the_sum_of_its_partitions_and_as_late_as_the_latest() {
        let standing =
            |topic: &str, partition, next| Standing { topic: topic.to_owned(), partition, low: 2, end: 9, next };
        let told = vec![standing("t", 0, 9), standing("t", 1, 4), standing("t", 2, 8), standing("other", 0, 2)];
        let first = Standings { told: told[..1].to_vec(), untold: Vec::new() };
        let all = Standings { told, untold: Vec::new() };
        let now = Timestamp::from_second(100).unwrap();
        let topic = "t".parse().unwrap();
        let read_at = BTreeMap::from([(0, 1_000), (1, 70_000), (2, 90_000)]);
        let health = topic_health(&topic, &all, |partition| read_at.get(&partition).copied(), now);
        assert_eq!((health.partitions, health.held_records, health.lag_records), (3, 21, 6));
        assert_eq!(health.lag_seconds, Some(30.));
        assert_eq!(topic_health(&topic, &first, |_| None, now).lag_seconds, Some(0.));
        assert_eq!(topic_health(&topic, &all, |_| None, now).lag_seconds, None);
    }
}
