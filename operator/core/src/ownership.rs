//! Whether an object that stands where one of ours is wanted is ours. What is another's is never taken over.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::desired::labels;

/// Whose an object is that is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stranger {
    /// Another object controls it: its kind and its name.
    Controlled { kind: String, name: String },
    /// Somebody made it, and it does not say who.
    Unknown,
}

impl std::fmt::Display for Stranger {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Controlled { kind, name } => write!(formatter, "it belongs to {kind} {name}"),
            Self::Unknown => formatter.write_str("somebody else made it"),
        }
    }
}

/// Whether what was found may become what is wanted: it has the same controller, or that of a predecessor of the same kind
/// and name, or it has none and our labels, as what is left when its owner was deleted alone.
///
/// # Errors
/// Whose it is otherwise.
pub fn claim(found: &ObjectMeta, wanted: &ObjectMeta) -> Result<(), Stranger> {
    match (controller(found), controller(wanted)) {
        (Some(theirs), Some(ours)) if theirs.uid == ours.uid || is_predecessor(theirs, ours) => Ok(()),
        (Some(theirs), _) => Err(Stranger::Controlled { kind: theirs.kind.clone(), name: theirs.name.clone() }),
        (None, _) if has_our_labels(found, wanted) => Ok(()),
        (None, _) => Err(Stranger::Unknown),
    }
}

/// The owner that controls an object; others may own it, too.
pub(crate) fn controller(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))
}

fn is_predecessor(theirs: &OwnerReference, ours: &OwnerReference) -> bool {
    theirs.kind == ours.kind && theirs.name == ours.name && group(theirs) == group(ours)
}

fn group(owner: &OwnerReference) -> &str {
    owner.api_version.split_once('/').map_or("", |(group, _)| group)
}

fn has_our_labels(found: &ObjectMeta, wanted: &ObjectMeta) -> bool {
    match (&found.labels, &wanted.labels) {
        (Some(found), Some(wanted)) => {
            let marks = labels::marks(found);
            !marks.is_empty() && marks == labels::marks(wanted)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn owner(api_version: &str, kind: &str, name: &str, uid: &str, controller: bool) -> OwnerReference {
        OwnerReference {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: uid.to_owned(),
            controller: Some(controller),
            block_owner_deletion: None,
        }
    }

    fn object(owner: Option<OwnerReference>, labels: BTreeMap<String, String>) -> ObjectMeta {
        ObjectMeta { labels: Some(labels), owner_references: owner.map(|owner| vec![owner]), ..ObjectMeta::default() }
    }

    fn ours(uid: &str) -> OwnerReference {
        owner("vedette.io/v1alpha1", "AnomalyPipeline", "flows", uid, true)
    }

    fn wanted() -> ObjectMeta {
        object(Some(ours("now")), labels::owner_labels("flows"))
    }

    #[test]
    fn what_is_ours_or_was_a_predecessors_is_taken() {
        assert_eq!(claim(&wanted(), &wanted()), Ok(()));
        assert_eq!(claim(&object(Some(ours("before")), BTreeMap::new()), &wanted()), Ok(()));
        let newer_version = owner("vedette.io/v1", "AnomalyPipeline", "flows", "before", true);
        assert_eq!(claim(&object(Some(newer_version), BTreeMap::new()), &wanted()), Ok(()));
        assert_eq!(
            claim(&object(None, labels::owner_labels("flows")), &wanted()),
            Ok(()),
            "left by a deletion that orphans"
        );
    }

    #[test]
    fn what_is_anothers_is_not() {
        let controlled = |owner: OwnerReference| claim(&object(Some(owner), labels::owner_labels("flows")), &wanted());
        let of = |kind: &str, name: &str| Err(Stranger::Controlled { kind: kind.to_owned(), name: name.to_owned() });
        assert_eq!(
            controlled(owner("vedette.io/v1alpha1", "AnomalyPipeline", "other", "o", true)),
            of("AnomalyPipeline", "other")
        );
        assert_eq!(
            controlled(owner("vedette.io/v1alpha1", "ModelTraining", "flows", "o", true)),
            of("ModelTraining", "flows")
        );
        assert_eq!(
            controlled(owner("example.org/v1", "AnomalyPipeline", "flows", "o", true)),
            of("AnomalyPipeline", "flows")
        );
        assert_eq!(claim(&ObjectMeta::default(), &wanted()), Err(Stranger::Unknown));
        assert_eq!(claim(&object(None, labels::owner_labels("other")), &wanted()), Err(Stranger::Unknown));
        let by_helm = BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), "Helm".to_owned())]);
        assert_eq!(claim(&object(None, by_helm), &wanted()), Err(Stranger::Unknown));
    }

    #[test]
    fn an_owner_that_does_not_control_says_nothing() {
        let beside = owner("v1", "ConfigMap", "c", "c", false);
        assert_eq!(claim(&object(Some(beside.clone()), BTreeMap::new()), &wanted()), Err(Stranger::Unknown));
        assert_eq!(claim(&object(Some(beside), labels::owner_labels("flows")), &wanted()), Ok(()));
    }
}
