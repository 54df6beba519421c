//! What the notifier counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use vedette_contract::metrics::{Metric, notifier};
use vedette_service::register;

/// The notifier's metrics; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) alerts: Counter,
    pub(crate) lost_alerts: Counter,
    pub(crate) unreadable_alerts: Counter,
    pub(crate) simulated_alerts: Counter,
    pub(crate) overflowed_alerts: Counter,
    pub(crate) strange_severities: Counter,
    pub(crate) late_alerts: Counter,
    pub(crate) largest_lag: Gauge,
    pub(crate) opened: Counter,
    pub(crate) open: Gauge,
    pub(crate) written: Counter,
    pub(crate) write_seconds: Histogram,
    pub(crate) restarts: Counter,
    pub(crate) silences: SilenceMetrics,
}

/// What is counted of silences.
#[derive(Debug, Clone, Default)]
pub(crate) struct SilenceMetrics {
    pub(crate) silences: Gauge,
    pub(crate) passed: Gauge,
    pub(crate) look_failures: Counter,
    pub(crate) silenced_alerts: Counter,
    pub(crate) failures: Counter,
}

impl SilenceMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { silences, passed, look_failures, silenced_alerts, failures } = metrics.clone();
        register(registry, &notifier::SILENCES, silences);
        register(registry, &notifier::PASSED_SILENCES, passed);
        register(registry, &notifier::SILENCE_LOOK_FAILURES, look_failures);
        register(registry, &notifier::SILENCED_ALERTS, silenced_alerts);
        register(registry, &notifier::SILENCE_FAILURES, failures);
        metrics
    }
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let counted = |registry: &mut Registry, of: &Metric| {
            let counter = Counter::default();
            register(registry, of, counter.clone());
            counter
        };
        let open = Gauge::default();
        register(registry, &notifier::OPEN_INCIDENTS, open.clone());
        let largest_lag = Gauge::default();
        register(registry, &notifier::LARGEST_LAG, largest_lag.clone());
        let write_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        register(registry, &notifier::WRITE, write_seconds.clone());
        Self {
            alerts: counted(registry, &notifier::ALERTS),
            lost_alerts: counted(registry, &notifier::LOST_ALERTS),
            unreadable_alerts: counted(registry, &notifier::UNREADABLE_ALERTS),
            simulated_alerts: counted(registry, &notifier::SIMULATED_ALERTS),
            overflowed_alerts: counted(registry, &notifier::OVERFLOWED_ALERTS),
            strange_severities: counted(registry, &notifier::STRANGE_SEVERITIES),
            late_alerts: counted(registry, &notifier::LATE_ALERTS),
            largest_lag,
            opened: counted(registry, &notifier::OPENED_INCIDENTS),
            open,
            written: counted(registry, &notifier::WRITTEN_INCIDENTS),
            write_seconds,
            restarts: counted(registry, &notifier::RESTARTS),
            silences: SilenceMetrics::register(registry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::DeliveryMetrics;
    use vedette_testing::metrics::assert_registered;

    #[test]
    fn all_metrics_are_served_and_no_others() {
        let mut registry = vedette_service::registry(&notifier::BUILD);
        Metrics::register(&mut registry);
        DeliveryMetrics::register(&mut registry);
        assert_registered(&registry, notifier::ALL);
    }
}
