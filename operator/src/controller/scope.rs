//! Where one set of watches looks: in a namespace that the site file names, or in the whole cluster. There the namespaces are
//! acted upon that a selector matches; watches for each of them would cost connections and memory, be there anything or not.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use k8s_openapi::NamespaceResourceScope;
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client, Resource};
use vedette_contract::Name;
use vedette_core::site::Watched;

/// What the whole cluster is called in metrics, as in the site file.
pub(super) const WHOLE_CLUSTER: &str = "*";

/// Where one set of watches looks.
#[derive(Debug, Clone)]
pub(super) enum Scope {
    /// In this namespace.
    Namespace(Name),
    /// In all of them, of which some are acted upon.
    Cluster(Selection),
}

/// The namespaces that are acted upon; clones share them. None is, before they were listed.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    /// Which labels they have.
    pub selector: String,
    names: Arc<RwLock<BTreeSet<String>>>,
}

impl Scope {
    /// All that the site file names.
    pub(super) fn of(watched: &Watched) -> Vec<Self> {
        match watched {
            Watched::These(names) => names.iter().cloned().map(Self::Namespace).collect(),
            Watched::Selected(selector) => vec![Self::Cluster(Selection::new(selector))],
        }
    }

    /// The requests about a kind.
    pub(super) fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match self {
            Self::Namespace(name) => Api::namespaced(client.clone(), name.as_str()),
            Self::Cluster(_) => Api::all(client.clone()),
        }
    }

    /// The same, of a kind that is known by name.
    pub(super) fn untyped_api(&self, client: &Client, resource: &ApiResource) -> Api<DynamicObject> {
        match self {
            Self::Namespace(name) => Api::namespaced_with(client.clone(), name.as_str(), resource),
            Self::Cluster(_) => Api::all_with(client.clone(), resource),
        }
    }

    /// A word for it, as a label has it.
    pub(super) fn label(&self) -> &str {
        match self {
            Self::Namespace(name) => name.as_str(),
            Self::Cluster(_) => WHOLE_CLUSTER,
        }
    }

    /// Whether what is in this namespace is acted upon.
    pub(super) fn holds(&self, namespace: &str) -> bool {
        match self {
            Self::Namespace(name) => name.as_str() == namespace,
            Self::Cluster(selection) => selection.holds(namespace),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(place(self.label()))
    }
}

/// A label as people say it.
pub(super) fn place(label: &str) -> &str {
    if label == WHOLE_CLUSTER { "all namespaces" } else { label }
}

impl Selection {
    /// Nothing was listed yet.
    pub(super) fn new(selector: &str) -> Self {
        Self { selector: selector.to_owned(), names: Arc::default() }
    }

    /// These are acted upon from now on; returns those that came or went.
    pub(super) fn becomes(&self, names: BTreeSet<String>) -> BTreeSet<String> {
        let mut known = self.names.write().unwrap_or_else(PoisonError::into_inner);
        let changed = known.symmetric_difference(&names).cloned().collect();
        *known = names;
        changed
    }

    fn holds(&self, namespace: &str) -> bool {
        let known = self.names.read().unwrap_or_else(PoisonError::into_inner);
        known.contains(namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn of_the_whole_cluster_only_what_is_selected_is_acted_upon() {
        let scopes = Scope::of(&Watched::Selected("team=payments".to_owned()));
        let [scope @ Scope::Cluster(selection)] = scopes.as_slice() else {
            panic!("one set of watches for all: {scopes:?}");
        };
        assert!(!scope.holds("a"), "nothing is known yet");
        assert_eq!(selection.becomes(names(&["a", "b"])), names(&["a", "b"]));
        assert!(scope.holds("a") && !scope.holds("c"));
        assert_eq!(selection.becomes(names(&["b", "c"])), names(&["a", "c"]));
        assert!(!scope.holds("a") && scope.holds("c"));
    }
}
