//! Where partitions are read on whose position is gone, and what is told of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;
use tracing::warn;
use vedette_contract::TopicName;
use vedette_contract::archive::Origin;
use vedette_contract::arguments::ArchivedTopic;
use vedette_streams::kafka::group::GroupConsumer;
use vedette_streams::kafka::place::{Beginning, at_offset, move_to, report_overgrown};
use vedette_streams::kafka::{REQUEST_TIMEOUT, leaderless};

use super::Pump;
use crate::error::ArchiverError;
use crate::partition::Partition;
use crate::resume::{Search, Shortened, Sought};
use crate::slot::Slot;
use crate::upload::Uploader;

impl Pump {
    /// Retention deleted records that were not archived, or a topic was created anew or lost its end, while it was being read.
    pub(super) fn find_lost_positions(&mut self) -> Result<(), ArchiverError> {
        let (leaderless, mut is_explained) = (self.leaderless(), !self.slots.iter().any(Slot::is_read));
        // The error does not say which partition it is about: each is read again from where it stands. One of which Kafka tells nothing
        // stays there: if its position is gone its leader says so again.
        for slot in self.slots.iter_mut().filter(|slot| slot.is_read()) {
            let origin = &slot.partition.origin;
            let (topic, partition, position) = (&origin.topic, origin.partition, slot.partition.position());
            let is_led = !leaderless.contains(&(topic.clone(), partition));
            let asked = is_led.then(|| self.consumer.fetch_watermarks(topic.as_str(), partition, REQUEST_TIMEOUT));
            if let Some(Err(error)) = &asked {
                warn!(%topic, partition, %error, "cannot read the offsets of a partition whose position may be gone");
            }
            let Some(Ok(watermarks)) = asked else {
                (slot.go_to, is_explained) = (Some(position), true);
                continue;
            };
            let beginning = slot.knowing(Beginning::new(Some(position), watermarks));
            is_explained |= beginning.offset() != position;
            if let Beginning::Recreated { .. } = beginning {
                slot.shortened = Some(Shortened { beginning, watermarks });
                slot.partition.seal()?;
                continue;
            }
            if beginning.offset() != position {
                tell(&self.uploader, origin, beginning);
                slot.partition.continue_at(beginning.read_to())?;
            }
            slot.go_to = Some(beginning.offset());
        }
        if !is_explained {
            report_overgrown();
        }
        Ok(())
    }

    /// Looks whether a topic that ends before where it was read was made anew. Only what is closed tells, so each waits for its own.
    pub(super) fn search_shortened(&mut self) {
        let is_due = |slot: &mut Slot| slot.shortened.is_some() && !slot.partition.is_open() && !slot.paused;
        for slot in self.slots.extract_if(.., is_due).collect::<Vec<_>>() {
            let origin = slot.partition.origin.clone();
            let given_up = at_offset(origin.topic.as_str(), origin.partition, slot.partition.position())
                .and_then(|place| self.consumer.incremental_unassign(&place));
            if let Err(error) = given_up {
                let Origin { topic, partition, .. } = &origin;
                warn!(%topic, partition, %error, "cannot give up a partition yet that ends before where it was read");
                self.slots.push(slot);
                continue;
            }
            let sought = slot.shortened.map(Sought::Shortened);
            self.searches.extend(sought.map(|sought| Search::begin(&self.resume, origin, sought, &self.runtime)));
        }
    }

    /// Partitions that have no leader: to ask of each would keep the loop from polling for longer than its group waits.
    fn leaderless(&self) -> BTreeSet<(TopicName, i32)> {
        let of = |ArchivedTopic { topic, .. }: &ArchivedTopic| {
            let partitions = leaderless(self.consumer.client(), topic).into_iter();
            partitions.map(|partition| (topic.clone(), partition)).collect::<Vec<_>>()
        };
        self.topics.iter().flat_map(of).collect()
    }

    /// Moves and resumes partitions. What Kafka refuses now is asked again at the next round.
    pub(super) fn steer(&mut self) {
        for slot in &mut self.slots {
            let (topic, partition) = (slot.partition.origin.topic.as_str(), slot.partition.origin.partition);
            if slot.paused && (slot.go_to.is_some() || !slot.partition.is_saturated()) {
                match resume(&self.consumer, &slot.partition) {
                    Ok(()) => slot.paused = false,
                    Err(error) => {
                        warn!(topic, partition, %error, "cannot resume a partition yet");
                        continue;
                    }
                }
            }
            if let Some(offset) = slot.go_to {
                match move_to(&self.consumer, topic, partition, offset) {
                    Ok(()) => slot.go_to = None,
                    Err(error) => warn!(topic, partition, offset, %error, "cannot move to an offset yet"),
                }
            }
        }
    }

    /// Resumes partitions that are given up: their client would leave them paused should they come back, and nobody would know.
    pub(super) fn resume_all(&self, slots: &mut [Slot]) {
        for slot in slots.iter_mut().filter(|slot| slot.paused) {
            let Origin { topic, partition, .. } = &slot.partition.origin;
            match resume(&self.consumer, &slot.partition) {
                Ok(()) => slot.paused = false,
                Err(error) => warn!(%topic, partition, %error, "cannot resume a partition that is given up"),
            }
        }
    }
}

/// A client that takes a partition anew has it paused as it was.
fn resume(consumer: &GroupConsumer, partition: &Partition) -> KafkaResult<()> {
    let Origin { topic, partition: number, .. } = &partition.origin;
    consumer.resume(&at_offset(topic.as_str(), *number, partition.position())?)
}

/// What is gone is committed, so that it is counted once; so is a place that was looked for, so that it is looked for once.
pub(super) fn report(uploader: &Uploader, origin: &Origin, beginning: Beginning) {
    tell(uploader, origin, beginning);
    let Origin { topic, partition, .. } = origin;
    let is_place = match beginning {
        Beginning::Known(_)
        | Beginning::AfterLoss { .. }
        | Beginning::Recreated { .. }
        | Beginning::Truncated { .. } => true,
        Beginning::Committed(_) | Beginning::First(_) | Beginning::Passed { .. } => false,
    };
    if is_place && let Err(error) = uploader.commits.commit(topic.as_str(), *partition, beginning.offset()) {
        warn!(%topic, partition, %error, "from where it is read is not committed yet; what is gone may be counted again");
    }
}

/// Says and counts what is gone.
fn tell(uploader: &Uploader, origin: &Origin, beginning: Beginning) {
    let Origin { topic, partition, stream, .. } = origin;
    beginning.report(topic.as_str(), *partition);
    uploader.metrics.truncated(*stream, beginning.truncated());
    if beginning.lost() > 0 {
        uploader.metrics.lost(*stream, beginning.lost());
        beginning.gap(topic, *partition, Timestamp::now()).into_iter().for_each(|gap| uploader.known.lost(gap));
    }
}
