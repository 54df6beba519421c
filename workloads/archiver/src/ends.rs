//! Where the partitions end that are paused: their client asks for nothing of them, so it is not told, and would show them without
//! lag for as long as the bucket is away. They are asked for beside the loop.

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::consumer::Consumer;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use vedette_contract::TopicName;
use vedette_streams::kafka::REQUEST_TIMEOUT;
use vedette_streams::kafka::group::GroupConsumer;
use vedette_streams::kafka::standing::Standing;

/// A topic and a partition of it.
type Place = (TopicName, i32);
/// First offsets, and those after the last.
type Watermarks = BTreeMap<Place, (i64, i64)>;

/// See the module.
#[derive(Default)]
pub(crate) struct Ends {
    known: Watermarks,
    look: Option<AbortOnDropHandle<Watermarks>>,
}

impl Ends {
    /// Puts right how the partitions stand that are paused, of which the position is given, by what Kafka said last, and asks anew.
    pub(crate) fn put_right(
        &mut self,
        standings: &mut [Standing],
        paused: &BTreeMap<Place, i64>,
        consumer: &Arc<GroupConsumer>,
        runtime: &Handle,
    ) {
        if let Some(look) = self.look.take_if(|look| look.is_finished()) {
            self.known.extend(runtime.block_on(look).unwrap_or_default());
        }
        self.known.retain(|place, _| paused.contains_key(place));
        for (place, position) in paused {
            let of = standings.iter_mut().find(|standing| is(standing, place));
            of.into_iter().for_each(|standing| put_right(standing, *position, self.known.get(place)));
        }
        if self.look.is_none() && !paused.is_empty() {
            let (consumer, places) = (Arc::clone(consumer), paused.keys().cloned().collect());
            self.look = Some(AbortOnDropHandle::new(runtime.spawn_blocking(move || ask(&consumer, places))));
        }
    }
}

fn is(standing: &Standing, (topic, partition): &Place) -> bool {
    standing.partition == *partition && standing.topic == topic.as_str()
}

/// What the client had fetched and thrown away when it paused counts as read there.
fn put_right(standing: &mut Standing, position: i64, watermarks: Option<&(i64, i64)>) {
    standing.next = position;
    if let Some((low, high)) = watermarks {
        (standing.low, standing.end) = (*low, standing.end.max(*high));
    }
}

/// As far as Kafka answers: where it does not, the rest is for the next time.
fn ask(consumer: &GroupConsumer, places: Vec<Place>) -> Watermarks {
    let told = |(topic, partition): Place| {
        let watermarks = consumer.fetch_watermarks(topic.as_str(), partition, REQUEST_TIMEOUT).ok()?;
        Some(((topic, partition), watermarks))
    };
    places.into_iter().map_while(told).collect()
}
