//! Where the operator can watch: in each namespace that is named, or in the whole cluster. A named one that is gone, or where
//! the operator may not look, concerns itself alone: the operator is not ready only where it can act nowhere.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vedette_service::Readiness;

use super::metrics::Metrics;
use super::scope::place;

/// Readiness condition: the watches of a namespace run.
pub(super) const WATCHES: &str = "watches";

/// What is broken, by namespace and kind; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    readiness: Readiness,
    metrics: Metrics,
    broken: Arc<Mutex<Broken>>,
}

/// Why a kind cannot be watched, by namespace and kind.
type Broken = BTreeMap<String, BTreeMap<&'static str, String>>;

impl Reach {
    /// No namespace is watched yet.
    pub(super) fn new(readiness: Readiness, metrics: Metrics) -> Self {
        Self { readiness, metrics, broken: Arc::default() }
    }

    /// A namespace is watched from now on.
    pub(super) fn begin(&self, namespace: &str) {
        self.metrics.reaches(namespace, true);
        let mut all = self.lock();
        all.insert(namespace.to_owned(), BTreeMap::new());
        self.readiness_of(&all);
    }

    /// A namespace is not watched any more.
    pub(super) fn end(&self, namespace: &str) {
        self.metrics.forget_namespace(namespace);
        let mut all = self.lock();
        all.remove(namespace);
        self.readiness_of(&all);
    }

    /// The watch of a kind in a namespace runs.
    pub(super) fn works(&self, namespace: &str, kind: &'static str) {
        self.change(namespace, |broken| {
            broken.remove(kind);
        });
    }

    /// The watch of a kind in a namespace broke.
    pub(super) fn broke(&self, namespace: &str, kind: &'static str, message: &str) {
        self.metrics.watch_failed(kind);
        self.change(namespace, |broken| {
            broken.insert(kind, message.to_owned());
        });
    }

    /// Why not everything in a namespace can be watched, if it cannot.
    pub(super) fn trouble(&self, namespace: &str) -> Option<String> {
        let all = self.lock();
        let broken = all.get(namespace)?.iter().map(|(kind, message)| format!("{kind}: {message}"));
        Some(broken.collect::<Vec<_>>().join("; ")).filter(|trouble| !trouble.is_empty())
    }

    fn change(&self, namespace: &str, change: impl FnOnce(&mut BTreeMap<&'static str, String>)) {
        let mut all = self.lock();
        let Some(broken) = all.get_mut(namespace) else {
            return;
        };
        let was_whole = broken.is_empty();
        change(broken);
        if was_whole != broken.is_empty() {
            self.metrics.reaches(namespace, broken.is_empty());
            self.readiness_of(&all);
        }
    }

    fn readiness_of(&self, all: &Broken) {
        let trouble: Vec<String> = all
            .iter()
            .filter_map(|(namespace, broken)| Some((namespace, broken.first_key_value()?)))
            .map(|(scope, (kind, message))| format!("{kind} in {}: {message}", place(scope)))
            .collect();
        if all.is_empty() || trouble.len() < all.len() {
            self.readiness.hold(WATCHES);
        } else {
            self.readiness.fail(WATCHES, trouble.join("; "));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Broken> {
        // Every change is one assignment, so what a thread left behind that panicked is whole.
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(namespaces: &[&str]) -> (Reach, Readiness) {
        let metrics = Metrics::register(&mut prometheus_client::registry::Registry::default());
        let readiness = Readiness::new(&[]);
        let reach = Reach::new(readiness.clone(), metrics);
        namespaces.iter().for_each(|namespace| reach.begin(namespace));
        (reach, readiness)
    }

    #[test]
    fn one_namespace_of_two_that_is_forbidden_leaves_the_operator_ready() {
        let (reach, readiness) = reach(&["logins", "payments"]);
        reach.broke("logins", "Pod", "forbidden");
        assert!(readiness.is_ready());
        reach.broke("payments", "Job", "forbidden");
        let reason = "Pod in logins: forbidden; Job in payments: forbidden".to_owned();
        assert_eq!(readiness.reasons(), [(WATCHES, reason)]);
        reach.works("payments", "Job");
        assert!(readiness.is_ready());
        reach.broke("payments", "Job", "forbidden");
        reach.end("payments");
        assert!(!readiness.is_ready(), "the other is forbidden still");
        reach.end("logins");
        reach.broke("logins", "Job", "a late word");
        assert!(readiness.is_ready(), "nothing is to be watched");
    }

    #[test]
    fn a_namespace_works_again_when_each_of_its_kinds_does() {
        let (reach, readiness) = reach(&["n"]);
        reach.broke("n", "Job", "gone");
        reach.broke("n", "Pod", "gone");
        assert_eq!(reach.trouble("n").as_deref(), Some("Job: gone; Pod: gone"));
        reach.works("n", "Pod");
        assert!(!readiness.is_ready(), "an event of another kind is no answer");
        reach.works("n", "Job");
        assert_eq!(reach.trouble("n"), None);
        assert!(readiness.is_ready());
    }
}
