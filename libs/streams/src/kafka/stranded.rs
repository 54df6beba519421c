//! Clients that have forgotten every broker. To a cluster that names none for a moment, as all of them are fenced or roll at once,
//! librdkafka answers by giving up those that it knows, and may then cancel its own return to the bootstrap servers
//! (confluentinc/librdkafka issue 5301). Such a client asks nobody for anything any more, and only another one helps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::statistics::Statistics;
use tokio::sync::watch;
use tracing::error;

/// What librdkafka calls a broker that has an address: one that was given, or one that another broker named.
const WITH_AN_ADDRESS: [&str; 2] = ["configured", "learned"];

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
    /// It had no broker when it was last looked at.
    without: Arc<AtomicBool>,
}

impl BrokerWatch {
    pub(super) fn new(stranding: Stranding) -> Self {
        Self { stranding, without: Arc::default() }
    }

    /// A client that begins again from its bootstrap servers is without a broker too, and not when it tells the next time.
    pub(super) fn look(&self, statistics: &Statistics) {
        let none = !statistics.brokers.values().any(|broker| WITH_AN_ADDRESS.contains(&broker.source.as_str()));
        if self.without.swap(none, Ordering::AcqRel) && none && !self.stranding.0.send_replace(true) {
            error!(client = statistics.name, "the Kafka client has forgotten all brokers and finds none by itself");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::statistics::Broker;

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
}
