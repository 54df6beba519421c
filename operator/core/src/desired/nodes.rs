//! Which nodes may run a pod: those that its image is built for, and of them those that the manifest asks for.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};
use vedette_crds::PodSettings;

const OS: &str = "kubernetes.io/os";
const ARCHITECTURE: &str = "kubernetes.io/arch";

/// The images are Linux's; somebody who says otherwise has others.
pub(super) fn selector(settings: &PodSettings) -> BTreeMap<String, String> {
    let mut selector = BTreeMap::from([(OS.to_owned(), "linux".to_owned())]);
    selector.extend(settings.node_selector.clone());
    selector
}

/// The manifest's own, and beside it nodes of the images' architectures, but for what asks for an architecture itself.
pub(super) fn affinity(settings: &PodSettings, architectures: &[String]) -> Option<Affinity> {
    let given = settings.affinity.as_ref().map(|affinity| affinity.known.clone());
    if settings.node_selector.contains_key(ARCHITECTURE) {
        return given;
    }
    let Affinity { node_affinity, pod_affinity, pod_anti_affinity } = given.unwrap_or_default();
    let NodeAffinity {
        required_during_scheduling_ignored_during_execution: required,
        preferred_during_scheduling_ignored_during_execution: preferred,
    } = node_affinity.unwrap_or_default();
    // Any one of the terms is enough, so each has to ask for it.
    let terms = match required {
        Some(NodeSelector { node_selector_terms: terms }) => {
            terms.into_iter().map(|term| built_for(term, architectures)).collect()
        }
        None => vec![asking(NodeSelectorTerm::default(), architectures)],
    };
    Some(Affinity {
        node_affinity: Some(NodeAffinity {
            required_during_scheduling_ignored_during_execution: Some(NodeSelector { node_selector_terms: terms }),
            preferred_during_scheduling_ignored_during_execution: preferred,
        }),
        pod_affinity,
        pod_anti_affinity,
    })
}

/// A term that asks for an architecture has its way; an empty one matches no node, and does not begin to.
fn built_for(term: NodeSelectorTerm, architectures: &[String]) -> NodeSelectorTerm {
    let mut expressions = term.match_expressions.iter().flatten();
    let is_empty = term.match_expressions.as_ref().is_none_or(Vec::is_empty)
        && term.match_fields.as_ref().is_none_or(Vec::is_empty);
    if is_empty || expressions.any(|expression| expression.key == ARCHITECTURE) {
        return term;
    }
    asking(term, architectures)
}

fn asking(mut term: NodeSelectorTerm, architectures: &[String]) -> NodeSelectorTerm {
    term.match_expressions.get_or_insert_default().push(NodeSelectorRequirement {
        key: ARCHITECTURE.to_owned(),
        operator: "In".to_owned(),
        values: Some(architectures.to_vec()),
    });
    term
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn terms(settings: Value) -> Value {
        let settings: PodSettings = serde_json::from_value(settings).unwrap();
        let affinity = json!(affinity(&settings, &["amd64".to_owned(), "arm64".to_owned()]));
        affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"].clone()
    }

    fn asked(terms: &Value) -> Value {
        let required = json!({ "nodeSelectorTerms": terms });
        json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": required } } })
    }

    fn architecture(values: &[&str]) -> Value {
        json!({ "key": "kubernetes.io/arch", "operator": "In", "values": values })
    }

    #[test]
    fn pods_ask_for_nodes_that_their_images_are_built_for() {
        let both = architecture(&["amd64", "arm64"]);
        assert_eq!(terms(json!({})), json!([{ "matchExpressions": [both] }]));
        assert_eq!(terms(json!({ "nodeSelector": { "pool": "a" } })), json!([{ "matchExpressions": [both] }]));
        let pool = json!({ "key": "pool", "operator": "Exists" });
        let field = json!({ "key": "metadata.name", "operator": "In", "values": ["n"] });
        let given = json!([{ "matchExpressions": [pool] }, { "matchFields": [field] }]);
        let expected =
            json!([{ "matchExpressions": [pool, both] }, { "matchExpressions": [both], "matchFields": [field] }]);
        assert_eq!(terms(asked(&given)), expected, "each term is enough by itself");
    }

    #[test]
    fn who_asks_for_an_architecture_has_his_way() {
        assert_eq!(terms(json!({ "nodeSelector": { "kubernetes.io/arch": "s390x" } })), Value::Null);
        let own = json!([{ "matchExpressions": [architecture(&["s390x"])] }]);
        assert_eq!(terms(asked(&own)), own);
        assert_eq!(terms(asked(&json!([{}]))), json!([{}]), "a term that matches nothing goes on to match nothing");
    }

    #[test]
    fn what_else_an_affinity_says_stays() {
        let term = json!({ "topologyKey": "zone" });
        let apart = json!({ "requiredDuringSchedulingIgnoredDuringExecution": [term] });
        let near = json!([{ "weight": 1, "preference": { "matchExpressions": [architecture(&["arm64"])] } }]);
        let given = json!({ "podAntiAffinity": apart, "nodeAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": near } });
        let settings: PodSettings = serde_json::from_value(json!({ "affinity": given })).unwrap();
        let affinity = json!(affinity(&settings, &["amd64".to_owned()]));
        assert_eq!(affinity["podAntiAffinity"], apart);
        assert_eq!(affinity["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"], near);
    }
}
