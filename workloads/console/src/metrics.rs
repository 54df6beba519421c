//! What the console counts.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use vedette_contract::metrics::console;
use vedette_service::register;

use crate::owner::Owner;

/// Which pipeline at which site. Prometheus has labels `namespace` and `site` of its own, those of the console's pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SiteLabel {
    object_namespace: String,
    pipeline: String,
    object_site: String,
}

impl From<&Owner> for SiteLabel {
    fn from(owner: &Owner) -> Self {
        let Owner { namespace, pipeline, site } = owner;
        Self { object_namespace: namespace.to_string(), pipeline: pipeline.to_string(), object_site: site.to_string() }
    }
}

/// How long nothing was heard of each site; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct SiteSilences {
    seconds: Family<SiteLabel, Gauge<f64, AtomicU64>>,
    told: Arc<Mutex<BTreeMap<Owner, f64>>>,
}

impl SiteSilences {
    /// These are all that there are, with the seconds of each.
    pub(crate) fn set(&self, silences: BTreeMap<Owner, f64>) {
        // What is told is whole, whatever a thread did that panicked.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in told.keys().filter(|owner| !silences.contains_key(owner)) {
            self.seconds.remove(&gone.into());
        }
        for (owner, seconds) in &silences {
            self.seconds.get_or_create_owned(&owner.into()).set(*seconds);
        }
        *told = silences;
    }
}

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
    /// Silences that were added or ended, verdicts that were given, and simulated records that were sent.
    pub(crate) actions: Counter,
    /// Those that were not.
    pub(crate) refused_actions: Counter,
    /// How long nothing was heard of each site.
    pub(crate) site_silences: SiteSilences,
    /// Tokens that were tried and are none of this console.
    pub(crate) wrong_tokens: Counter,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self {
            bucket_requests,
            bucket_failures,
            unreadable,
            kept_alerts,
            listeners,
            actions,
            refused_actions,
            wrong_tokens,
            site_silences,
        } = metrics.clone();
        register(registry, &console::BUCKET_REQUESTS, bucket_requests);
        register(registry, &console::BUCKET_FAILURES, bucket_failures);
        register(registry, &console::UNREADABLE_MESSAGES, unreadable);
        register(registry, &console::KEPT_ALERTS, kept_alerts);
        register(registry, &console::LISTENERS, listeners);
        register(registry, &console::ACTIONS, actions);
        register(registry, &console::REFUSED_ACTIONS, refused_actions);
        register(registry, &console::WRONG_TOKENS, wrong_tokens);
        register(registry, &console::SITE_SILENCE, site_silences.seconds);
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::owner;
    use vedette_testing::metrics::{assert_registered, assert_served};

    #[test]
    fn a_site_that_is_not_there_any_more_is_not_silent() {
        let mut registry = vedette_service::registry(&console::BUILD);
        let metrics = Metrics::register(&mut registry);
        assert_registered(&registry, console::ALL);
        let silences = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            assert_served(&text, console::ALL);
            let told = text.lines().filter_map(|line| line.strip_prefix(console::SITE_SILENCE.name)).map(str::to_owned);
            let mut told: Vec<String> = told.collect();
            told.sort();
            told
        };
        metrics.site_silences.set(BTreeMap::from([(owner("east"), 1.5), (owner("west"), 60.0)]));
        let of = |site: &str| format!("{{object_namespace=\"team\",pipeline=\"flows\",object_site=\"{site}\"}}");
        assert_eq!(silences(), [format!("{} 1.5", of("east")), format!("{} 60.0", of("west"))]);
        metrics.site_silences.set(BTreeMap::from([(owner("west"), 61.0)]));
        assert_eq!(silences(), [format!("{} 61.0", of("west"))]);
    }
}
