//! What the notifier counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The notifier's metrics; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) alerts: Counter,
    pub(crate) unreadable_alerts: Counter,
    pub(crate) overflowed_alerts: Counter,
    pub(crate) opened: Counter,
    pub(crate) open: Gauge,
    pub(crate) written: Counter,
    pub(crate) write_seconds: Histogram,
    pub(crate) restarts: Counter,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let counted = |registry: &mut Registry, name, help| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let open = Gauge::default();
        registry.register("open_incidents", "Incidents that alerts may join", open.clone());
        let write_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        registry.register_with_unit("write", "Time that one transaction took", Unit::Seconds, write_seconds.clone());
        Self {
            alerts: counted(registry, "alerts", "Alerts read"),
            unreadable_alerts: counted(registry, "unreadable_alerts", "Messages among the alerts that are no record"),
            overflowed_alerts: counted(
                registry,
                "overflowed_alerts",
                "Alerts that would have opened an incident and had no room for one of their own",
            ),
            opened: counted(registry, "opened_incidents", "Incidents opened"),
            open,
            written: counted(registry, "written_incidents", "Messages written to the topic of the incidents"),
            write_seconds,
            restarts: counted(
                registry,
                "restarts",
                "Times that the incidents were read anew, as something was not written",
            ),
        }
    }
}
