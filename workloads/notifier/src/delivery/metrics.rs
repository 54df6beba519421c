//! What is counted of each receiver.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use vedette_contract::Name;

/// Label of what concerns one receiver; their number is that of the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReceiverLabel {
    receiver: String,
}

/// Of all receivers; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeliveryMetrics {
    deliveries: Family<ReceiverLabel, Counter>,
    failures: Family<ReceiverLabel, Counter>,
    refusals: Family<ReceiverLabel, Counter>,
    filter_failures: Family<ReceiverLabel, Counter>,
    foreign: Family<ReceiverLabel, Counter>,
    waiting: Family<ReceiverLabel, Gauge>,
    longest_wait: Family<ReceiverLabel, Gauge>,
}

/// Of one receiver.
#[derive(Debug, Clone)]
pub(crate) struct ReceiverMetrics {
    pub(crate) deliveries: Counter,
    pub(crate) failures: Counter,
    pub(crate) refusals: Counter,
    pub(crate) filter_failures: Counter,
    pub(crate) foreign: Counter,
    pub(crate) waiting: Gauge,
    pub(crate) longest_wait: Gauge,
}

impl DeliveryMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { deliveries, failures, refusals, filter_failures, foreign, waiting, longest_wait } = metrics.clone();
        registry.register("deliveries", "Messages that a receiver took", deliveries);
        registry.register(
            "delivery_failures",
            "Messages that a receiver did not take and that are sent again",
            failures,
        );
        registry.register(
            "refused_deliveries",
            "Messages that a receiver refuses though it takes others, or for a day, and of which it is not told",
            refusals,
        );
        registry.register("filter_failures", "Incidents of which a filter is neither true nor false", filter_failures);
        let help = "Messages among the incidents that are of another pipeline or site";
        registry.register("foreign_incidents", help, foreign);
        registry.register("waiting_incidents", "Incidents of which a receiver is yet to be told", waiting);
        let help = "How long the oldest incident waits of which a receiver is yet to be told";
        registry.register_with_unit("longest_wait", help, Unit::Seconds, longest_wait);
        metrics
    }

    /// They are there from the start, at 0.
    pub(crate) fn of(&self, receiver: &Name) -> ReceiverMetrics {
        let label = ReceiverLabel { receiver: receiver.to_string() };
        ReceiverMetrics {
            deliveries: self.deliveries.get_or_create_owned(&label),
            failures: self.failures.get_or_create_owned(&label),
            refusals: self.refusals.get_or_create_owned(&label),
            filter_failures: self.filter_failures.get_or_create_owned(&label),
            foreign: self.foreign.get_or_create_owned(&label),
            waiting: self.waiting.get_or_create_owned(&label),
            longest_wait: self.longest_wait.get_or_create_owned(&label),
        }
    }
}
