//! What is counted of each receiver.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use vedette_contract::Name;
use vedette_contract::metrics::notifier;
use vedette_service::register;

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
        register(registry, &notifier::DELIVERIES, deliveries);
        register(registry, &notifier::DELIVERY_FAILURES, failures);
        register(registry, &notifier::REFUSED_DELIVERIES, refusals);
        register(registry, &notifier::FILTER_FAILURES, filter_failures);
        register(registry, &notifier::FOREIGN_INCIDENTS, foreign);
        register(registry, &notifier::WAITING_INCIDENTS, waiting);
        register(registry, &notifier::LONGEST_WAIT, longest_wait);
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
