//! Clients that ask no broker for anything any more, so that only another one helps.
//!
//! To a cluster that names no broker for a moment, as all of them are fenced or roll at once, librdkafka answers by giving up those that
//! it knows, and may then cancel its own return to the bootstrap servers (confluentinc/librdkafka issue 5301). And it connects only where
//! something needs a connection, and to no other broker where it counts one as connected: after a broker was killed twice, a consumer was
//! seen that counted one that was gone, and left all it had to ask in the queue of a group coordinator that has no address.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::statistics::{Broker, Statistics};
use tokio::sync::watch;
use tracing::error;

/// What librdkafka calls a broker that has an address: one that was given, or one that another broker named.
const WITH_AN_ADDRESS: [&str; 2] = ["configured", "learned"];
/// What it calls the state of a broker to which there is no connection, and none is being made.
const UNCONNECTED: [&str; 3] = ["INIT", "DOWN", "TRY_CONNECT"];
/// So often in a row, every 5 s, a consumer of a group tells of no connection and of no attempt at one until it is stranded: where
/// brokers are away it makes one every 2 s, or waits 10 s for an answer to one.
const IDLE: u32 = 12;

/// Whether one of the clients that share it is stranded.
#[derive(Debug, Clone, Default)]
pub(super) struct Stranding(Arc<watch::Sender<bool>>);

impl Stranding {
    /// Returns once one of them is.
    pub(super) async fn happened(&self) {
        // Only fails without a sender, which is ours.
        let _ = self.0.subscribe().wait_for(|stranded| *stranded).await;
    }
}

/// Looks at what one client tells of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct BrokerWatch {
    stranding: Stranding,
    last: Arc<Mutex<Last>>,
}

/// What it was when it was last looked at.
#[derive(Debug, Default)]
struct Last {
    /// It had no broker.
    without: bool,
    /// How often it had tried to connect to any.
    attempts: i64,
    /// So often in a row it had no connection and had not tried to make one.
    idle: u32,
}

impl BrokerWatch {
    pub(super) fn new(stranding: Stranding) -> Self {
        Self { stranding, last: Arc::default() }
    }

    /// A client that begins again from its bootstrap servers is without a broker too, and not when it tells the next time.
    pub(super) fn look(&self, statistics: &Statistics) {
        let none = !statistics.brokers.values().any(|broker| WITH_AN_ADDRESS.contains(&broker.source.as_str()));
        let (attempts, is_idle) = (attempts(statistics), is_unconnected(statistics));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = if is_idle && attempts == last.attempts { last.idle + 1 } else { 0 };
        let why = if last.without && none {
            Some("it has forgotten all brokers")
        } else {
            (idle >= IDLE).then_some("it makes no connection to any broker")
        };
        *last = Last { without: none, attempts, idle };
        if let Some(why) = why.filter(|_| !self.stranding.0.send_replace(true)) {
            error!(client = statistics.name, why, "the Kafka client does not find back to a broker by itself");
        }
    }
}

/// How often it has tried to connect to any broker.
fn attempts(statistics: &Statistics) -> i64 {
    statistics.brokers.values().filter_map(|broker| broker.connects).sum()
}

/// Whether it needs a connection, as consumers of a group always do, and neither has one nor makes one.
fn is_unconnected(statistics: &Statistics) -> bool {
    let is_none = |broker: &Broker| broker.source == "internal" || UNCONNECTED.contains(&broker.state.as_str());
    statistics.cgrp.is_some() && statistics.brokers.values().all(is_none)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::statistics::ConsumerGroup;

    use super::*;

    fn told(sources: &[&str]) -> Statistics {
        let broker =
            |source: &&str| ((*source).to_owned(), Broker { source: (*source).to_owned(), ..Broker::default() });
        Statistics { brokers: sources.iter().map(broker).collect(), ..Statistics::default() }
    }

    async fn is_stranded(stranding: &Stranding) -> bool {
        tokio::time::timeout(Duration::ZERO, stranding.happened()).await.is_ok()
    }

    #[tokio::test]
    async fn a_client_is_stranded_that_twice_tells_of_no_broker_with_an_address() {
        let stranding = Stranding::default();
        let (one, other) = (BrokerWatch::new(stranding.clone()), BrokerWatch::new(stranding.clone()));
        one.look(&told(&["configured", "internal"]));
        one.look(&told(&["logical", "internal"]));
        one.look(&told(&["learned", "logical"]));
        one.look(&told(&["logical"]));
        other.look(&told(&["logical"]));
        assert!(!is_stranded(&stranding).await, "each came back, or was seen once");
        one.look(&told(&["logical", "internal"]));
        assert!(is_stranded(&stranding).await);
    }

    /// Of a broker that is known, the group's coordinator without an address, and the client itself.
    fn of_group(state: &str, connects: i64) -> Statistics {
        let broker = |source: &str, state: &str, connects| {
            let (source, state) = (source.to_owned(), state.to_owned());
            Broker { source, state, connects: Some(connects), ..Broker::default() }
        };
        let brokers = [broker("learned", state, connects), broker("logical", "INIT", 3), broker("internal", "UP", 0)];
        let brokers = brokers.into_iter().map(|broker| (broker.source.clone(), broker)).collect();
        Statistics { brokers, cgrp: Some(ConsumerGroup::default()), ..Statistics::default() }
    }

    #[tokio::test]
    async fn a_consumer_is_stranded_that_has_no_connection_and_tries_to_make_none() {
        let stranding = Stranding::default();
        let watched = |look: &dyn Fn(i64) -> Statistics| {
            let watch = BrokerWatch::new(stranding.clone());
            (0..100).for_each(|number| watch.look(&look(number)));
        };
        watched(&|_| of_group("UP", 1));
        // Its brokers are away, or do not answer.
        watched(&|number| of_group("TRY_CONNECT", number));
        watched(&|_| of_group("CONNECT", 1));
        // It comes back each time, and not as the last.
        watched(&|number| of_group(if number % 12 == 0 { "UP" } else { "INIT" }, 1));
        // A producer that has nothing to send.
        watched(&|_| Statistics { cgrp: None, ..of_group("INIT", 1) });
        assert!(!is_stranded(&stranding).await);
        let watch = BrokerWatch::new(stranding.clone());
        watch.look(&of_group("UP", 1));
        for _ in 1..IDLE {
            watch.look(&of_group("INIT", 1));
        }
        assert!(!is_stranded(&stranding).await);
        watch.look(&of_group("INIT", 1));
        assert!(is_stranded(&stranding).await);
    }
}
