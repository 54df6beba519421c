//! Where partitions are read on whose position is gone, and what is told of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rdkafka::consumer::Consumer;
use tracing::warn;
use vedette_contract::TopicName;
use vedette_contract::archive::Origin;
use vedette_contract::arguments::ArchivedTopic;
use vedette_streams::kafka::leaderless;
use vedette_streams::kafka::place::{Beginning, at_offset, beginning, move_to};

use super::Pump;
use crate::error::ArchiverError;
use crate::upload::Uploader;

impl Pump {
    /// Retention deleted records that were not archived, or a topic was created anew, while it was being read.
    pub(super) fn find_lost_positions(&mut self) -> Result<(), ArchiverError> {
        let leaderless = self.leaderless();
        // The error does not say which partition it is about: each is read again from where it stands. One of which Kafka tells nothing
        // stays there: if its position is gone its leader says so again.
        for slot in self.slots.iter_mut().filter(|slot| slot.go_to.is_none()) {
            let origin = &slot.partition.origin;
            let (topic, partition, position) = (&origin.topic, origin.partition, slot.partition.position());
            let is_led = !leaderless.contains(&(topic.clone(), partition));
            let asked = is_led.then(|| beginning(&self.consumer, topic.as_str(), partition, Some(position)));
            let beginning = asked.unwrap_or(Ok(Beginning::Committed(position))).unwrap_or_else(|error| {
                warn!(%topic, partition, %error, "cannot read the offsets of a partition whose position may be gone");
                Beginning::Committed(position)
            });
            let beginning = slot.knowing(beginning);
            if beginning.offset() != position {
                report(&self.uploader, origin, beginning);
                slot.partition.continue_at(beginning.read_to())?;
            }
            slot.go_to = Some(beginning.offset());
        }
        Ok(())
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
            if let Some(offset) = slot.go_to {
                match move_to(&self.consumer, topic, partition, offset) {
                    // A partition that was taken anew is not paused.
                    Ok(()) => (slot.go_to, slot.paused) = (None, false),
                    Err(error) => warn!(topic, partition, offset, %error, "cannot move to an offset yet"),
                }
            }
            if slot.paused && !slot.partition.is_saturated() {
                let resumed = at_offset(topic, partition, slot.partition.position())
                    .and_then(|partitions| self.consumer.resume(&partitions));
                match resumed {
                    Ok(()) => slot.paused = false,
                    Err(error) => warn!(topic, partition, %error, "cannot resume a partition yet"),
                }
            }
        }
    }
}

/// What is gone is committed, so that it is counted once; so is a place that was looked for, so that it is looked for once.
pub(super) fn report(uploader: &Uploader, origin: &Origin, beginning: Beginning) {
    let Origin { topic, partition, stream, .. } = origin;
    beginning.report(topic.as_str(), *partition);
    uploader.metrics.truncated(*stream, beginning.truncated());
    if beginning.lost() > 0 {
        uploader.metrics.lost(*stream, beginning.lost());
        beginning.gap(topic, *partition, Timestamp::now()).into_iter().for_each(|gap| uploader.known.lost(gap));
    }
    if matches!(beginning, Beginning::Known(_) | Beginning::AfterLoss { .. } | Beginning::Truncated { .. })
        && let Err(error) = uploader.commits.commit(topic.as_str(), *partition, beginning.offset())
    {
        warn!(%topic, partition, %error, "from where it is read is not committed yet; what is gone may be counted again");
    }
}
