//! What the console counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The console's metrics; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    /// Requests to the bucket.
    pub(crate) bucket_requests: Counter,
    /// Looks at the bucket that failed.
    pub(crate) bucket_failures: Counter,
    /// Messages and archived lines that are no alert or no incident.
    pub(crate) unreadable: Counter,
    /// Alerts that are kept.
    pub(crate) kept_alerts: Gauge,
    /// Browsers that listen.
    pub(crate) listeners: Gauge,
    /// Silences that were added or ended, and verdicts that were given.
    pub(crate) actions: Counter,
    /// Those that were not.
    pub(crate) refused_actions: Counter,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { bucket_requests, bucket_failures, unreadable, kept_alerts, listeners, actions, refused_actions } =
            metrics.clone();
        registry.register("bucket_requests", "Requests to the bucket", bucket_requests);
        registry.register("bucket_failures", "Looks at the bucket that failed", bucket_failures);
        registry.register("unreadable_messages", "Messages that are no alert or no incident", unreadable);
        registry.register("kept_alerts", "Alerts that are kept in memory", kept_alerts);
        registry.register("listeners", "Browsers that are told what is new", listeners);
        registry.register("actions", "Silences that were added or ended here, and verdicts that were given", actions);
        registry.register("refused_actions", "Requests to write that were refused", refused_actions);
        metrics
    }
}
