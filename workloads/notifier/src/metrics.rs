//! What the notifier counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The notifier's metrics; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) alerts: Counter,
    pub(crate) lost_alerts: Counter,
    pub(crate) unreadable_alerts: Counter,
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
        registry.register("silences", "Silences that are in force or to come", silences);
        let help = "Objects among the silences that are none, or one too many";
        registry.register("passed_silences", help, passed);
        let help = "Looks at the silences that failed, after which those that are known stand";
        registry.register("silence_look_failures", help, look_failures);
        registry.register("silenced_alerts", "Alerts that a silence matched", silenced_alerts);
        let help = "Alerts of which the match of a silence is neither true nor false, and which it does not silence";
        registry.register("silence_failures", help, failures);
        metrics
    }
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
        let largest_lag = Gauge::default();
        let help = "How long after it was detected the latest of the late alerts was read";
        registry.register_with_unit("largest_lag", help, Unit::Seconds, largest_lag.clone());
        let write_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 14));
        registry.register_with_unit("write", "Time that one transaction took", Unit::Seconds, write_seconds.clone());
        Self {
            alerts: counted(registry, "alerts", "Alerts read"),
            lost_alerts: counted(
                registry,
                "lost_alerts",
                "Offsets whose alerts retention deleted before they were read",
            ),
            unreadable_alerts: counted(registry, "unreadable_alerts", "Messages among the alerts that are no record"),
            overflowed_alerts: counted(
                registry,
                "overflowed_alerts",
                "Alerts that would have opened an incident and had no room for one of their own",
            ),
            strange_severities: counted(
                registry,
                "strange_severities",
                "Alerts whose record has a severity that is none of low, medium, high and critical",
            ),
            late_alerts: counted(
                registry,
                "late_alerts",
                "Alerts that were read a window or more after they were detected",
            ),
            largest_lag,
            opened: counted(registry, "opened_incidents", "Incidents opened"),
            open,
            written: counted(registry, "written_incidents", "Messages written to the topic of the incidents"),
            write_seconds,
            restarts: counted(
                registry,
                "restarts",
                "Times that the incidents were read anew, as something was not written",
            ),
            silences: SilenceMetrics::register(registry),
        }
    }
}
