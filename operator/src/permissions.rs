//! What the operator may do in a namespace: the rules of its Role, in one list. The manifests and the chart are compared to it by
//! tests, and a test against a real API server sees that nothing in it is missing or unused.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::Resource;
use vedette_contract::{Name, ObjectName};
use vedette_core::site::{Needs, Source};
use vedette_crds::{AnomalyPipeline, ModelTraining};

use crate::controller::child_resources;

/// What is done with every child; it is read past the caches before it is made, as another's may have its name.
const CHILD_VERBS: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];

/// The rules for the operator's own namespace where it acts upon that one, with this lease and what its site needs.
pub fn rules(lease: &Name, needs: &Needs) -> Vec<PolicyRule> {
    [acting(needs), leading(lease)].concat()
}

/// The rules for a namespace whose objects are acted upon, with what its site needs.
pub fn acting(needs: &Needs) -> Vec<PolicyRule> {
    let own = [resource::<AnomalyPipeline>(), resource::<ModelTraining>()];
    let statuses = own.clone().map(|(group, plural)| (group, Cow::from(format!("{plural}/status"))));
    let mut rules = vec![rule(own, &["get", "list", "watch"]), rule(statuses, &["patch"])];
    rules.extend(by_group(child_resources(), CHILD_VERBS));
    rules.push(rule([resource::<Pod>()], &["list", "watch"]));
    let (secrets, maps) = by_kind(needs);
    rules.extend(watched(resource::<Secret>(), &secrets));
    rules.extend(watched(resource::<ConfigMap>(), &maps));
    rules.push(rule([resource::<Event>()], &["list", "create", "patch"]));
    rules
}

/// The rules for the whole cluster, where namespaces are selected and not named, with what its site needs.
pub fn selecting(needs: &Needs) -> Vec<PolicyRule> {
    [acting(needs), vec![rule([resource::<Namespace>()], &["list", "watch"])]].concat()
}

/// The rules for the operator's own namespace, with this lease.
pub fn leading(lease: &Name) -> Vec<PolicyRule> {
    vec![
        rule([resource::<Lease>()], &["create"]),
        named(rule([resource::<Lease>()], &["get", "patch"]), std::slice::from_ref(lease)),
    ]
}

type GroupAndPlural = (Cow<'static, str>, Cow<'static, str>);

fn resource<K: Resource<DynamicType = ()>>() -> GroupAndPlural {
    (K::group(&()), K::plural(&()))
}

/// One rule; the resources are of one group.
fn rule(resources: impl IntoIterator<Item = GroupAndPlural>, verbs: &[&str]) -> PolicyRule {
    let resources: Vec<_> = resources.into_iter().collect();
    PolicyRule {
        api_groups: resources.first().map(|(group, _)| vec![group.to_string()]),
        resources: Some(resources.into_iter().map(|(_, plural)| plural.into_owned()).collect()),
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    }
}

fn by_group(resources: Vec<GroupAndPlural>, verbs: &[&str]) -> Vec<PolicyRule> {
    let mut groups: BTreeMap<Cow<'static, str>, Vec<GroupAndPlural>> = BTreeMap::new();
    for resource in resources {
        groups.entry(resource.0.clone()).or_default().push(resource);
    }
    groups.into_values().map(|resources| rule(resources, verbs)).collect()
}

/// Secrets and ConfigMaps.
fn by_kind(needs: &Needs) -> (Vec<ObjectName>, Vec<ObjectName>) {
    let (mut secrets, mut maps) = (Vec::new(), Vec::new());
    for source in needs.keys() {
        match source {
            Source::Secret(name) => secrets.push(name.clone()),
            Source::ConfigMap(name) => maps.push(name.clone()),
        }
    }
    (secrets, maps)
}

/// These objects alone; a rule that named none would allow all.
fn watched(resource: GroupAndPlural, names: &[ObjectName]) -> Option<PolicyRule> {
    (!names.is_empty()).then(|| named(rule([resource], &["list", "watch"]), names))
}

fn named(rule: PolicyRule, names: &[impl Display]) -> PolicyRule {
    PolicyRule { resource_names: Some(names.iter().map(ToString::to_string).collect()), ..rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_that_needs_no_secret_allows_none() {
        let rules = acting(&Needs::new());
        let resources: Vec<String> = rules.into_iter().flat_map(|rule| rule.resources.unwrap_or_default()).collect();
        assert!(!resources.iter().any(|resource| resource == "secrets" || resource == "configmaps"), "{resources:?}");
    }
}
