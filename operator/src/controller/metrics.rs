//! What the operator counts.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use vedette_contract::metrics::operator;
use vedette_service::register;

use super::object_metrics::ObjectMetrics;

/// Upper bounds of the durations, seconds: from a step that only reads caches to one that waits for a server.
const DURATION_BUCKETS: [f64; 9] = [0.002, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 20.0, 60.0];

/// Which kind an object is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabel {
    kind: &'static str,
}

/// What went wrong, with which kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct FailureLabel {
    kind: &'static str,
    reason: &'static str,
}

/// Which namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct NamespaceLabel {
    namespace: String,
}

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ResultLabel {
    result: &'static str,
}

/// The metrics; clones count together.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    reconciles: Family<KindLabel, Counter>,
    reconcile_errors: Family<FailureLabel, Counter>,
    reconcile_seconds: Family<KindLabel, Histogram, fn() -> Histogram>,
    watch_errors: Family<KindLabel, Counter>,
    namespaces_reachable: Family<NamespaceLabel, Gauge>,
    namespaces: Gauge,
    applies: Family<KindLabel, Counter>,
    model_polls: Family<ResultLabel, Counter>,
    models_watched: Gauge,
    leader: Gauge,
    /// How objects stand.
    pub(super) objects: ObjectMetrics,
}

fn durations() -> Histogram {
    Histogram::new(DURATION_BUCKETS)
}

impl Metrics {
    /// Registers them.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            reconciles: Family::default(),
            reconcile_errors: Family::default(),
            reconcile_seconds: Family::new_with_constructor(durations),
            watch_errors: Family::default(),
            namespaces_reachable: Family::default(),
            namespaces: Gauge::default(),
            applies: Family::default(),
            model_polls: Family::default(),
            models_watched: Gauge::default(),
            leader: Gauge::default(),
            objects: ObjectMetrics::register(registry),
        };
        register(registry, &operator::RECONCILES, metrics.reconciles.clone());
        register(registry, &operator::RECONCILE_ERRORS, metrics.reconcile_errors.clone());
        register(registry, &operator::RECONCILE_DURATION, metrics.reconcile_seconds.clone());
        register(registry, &operator::WATCH_ERRORS, metrics.watch_errors.clone());
        register(registry, &operator::NAMESPACE_REACHABLE, metrics.namespaces_reachable.clone());
        register(registry, &operator::NAMESPACES, metrics.namespaces.clone());
        register(registry, &operator::APPLIES, metrics.applies.clone());
        register(registry, &operator::MODEL_POLLS, metrics.model_polls.clone());
        register(registry, &operator::MODELS_WATCHED, metrics.models_watched.clone());
        register(registry, &operator::LEADER, metrics.leader.clone());
        metrics
    }

    /// A reconcile ended; an error has a reason.
    pub(super) fn reconciled(&self, kind: &'static str, took: Duration, error: Option<&'static str>) {
        self.reconciles.get_or_create(&KindLabel { kind }).inc();
        self.reconcile_seconds.get_or_create(&KindLabel { kind }).observe(took.as_secs_f64());
        if let Some(reason) = error {
            self.reconcile_errors.get_or_create(&FailureLabel { kind, reason }).inc();
        }
    }

    /// A watch broke.
    pub(super) fn watch_failed(&self, kind: &'static str) {
        self.watch_errors.get_or_create(&KindLabel { kind }).inc();
    }

    /// Whether everything in a namespace can be watched.
    pub(super) fn reaches(&self, namespace: &str, reaches: bool) {
        let label = NamespaceLabel { namespace: namespace.to_owned() };
        self.namespaces_reachable.get_or_create(&label).set(i64::from(reaches));
    }

    /// A namespace is not watched any more.
    pub(super) fn forget_namespace(&self, namespace: &str) {
        self.namespaces_reachable.remove(&NamespaceLabel { namespace: namespace.to_owned() });
    }

    /// So many namespaces are acted upon.
    pub(super) fn acts_upon(&self, namespaces: usize) {
        self.namespaces.set(i64::try_from(namespaces).unwrap_or(i64::MAX));
    }

    /// An object was sent.
    pub(super) fn applied(&self, kind: &'static str) {
        self.applies.get_or_create(&KindLabel { kind }).inc();
    }

    /// A pointer was looked up, with this result.
    pub(super) fn polled(&self, result: &'static str) {
        self.model_polls.get_or_create(&ResultLabel { result }).inc();
    }

    /// The pointer of one more training is looked up.
    pub(super) fn watching_one_more(&self) {
        self.models_watched.inc();
    }

    /// The pointer of a training is not looked up any more.
    pub(super) fn watching_one_less(&self) {
        self.models_watched.dec();
    }

    /// Whether this process leads.
    pub(super) fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_testing::metrics::{assert_registered, assert_served};

    #[test]
    fn the_names_are_those_of_the_docs() {
        let mut registry = vedette_service::registry(&operator::BUILD);
        let metrics = Metrics::register(&mut registry);
        assert_registered(&registry, operator::ALL);
        metrics.reconciled("AnomalyPipeline", Duration::from_millis(3), Some("Forbidden"));
        metrics.polled("current");
        metrics.leads(true);
        metrics.reaches("payments", false);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert_served(&text, operator::ALL);
        for line in [
            "vedette_operator_reconciles_total{kind=\"AnomalyPipeline\"} 1",
            "vedette_operator_reconcile_errors_total{kind=\"AnomalyPipeline\",reason=\"Forbidden\"} 1",
            "vedette_operator_reconcile_duration_seconds_count{kind=\"AnomalyPipeline\"} 1",
            "vedette_operator_model_polls_total{result=\"current\"} 1",
            "vedette_operator_leader 1",
            "vedette_operator_namespace_reachable{namespace=\"payments\"} 0",
            "vedette_operator_build_info{version=\"",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
