//! Every label and annotation of what the operator builds.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use vedette_contract::ModelVersion;

/// Label of detector pods: the model version that they load.
pub const MODEL_VERSION: &str = "vedette.io/model-version";
/// Annotation of pods: a hash of the Secrets and ConfigMaps that they are given, so that a changed one rolls them.
pub const SECRETS_HASH: &str = "vedette.io/secrets-hash";
/// Annotation of pods: a hash of their template, but for the model, so that those of the newest spec are told from others.
pub const SPEC_HASH: &str = "vedette.io/spec-hash";
/// Annotation of a `ModelTraining`: another value asks for a run now.
pub const RUN_REQUEST: &str = "vedette.io/run";
/// Annotation of an `AnomalyPipeline`: another value has model versions tried again that were rolled back.
pub const RETRY_MODEL: &str = "vedette.io/retry-model";
/// Whoever applies our objects, as field manager and as label.
pub const MANAGER: &str = "vedette-operator";

const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";
/// Label of objects and pods: what they are for. The container of ours has its name, too.
pub(crate) const COMPONENT: &str = "app.kubernetes.io/component";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// What a workload is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// Creates topics.
    Topics,
    /// Generates records.
    Generator,
    /// Enriches, scores and alerts.
    Detector,
    /// Writes the archive.
    Archiver,
    /// Groups alerts into incidents and tells people.
    Notifier,
    /// Learns.
    Trainer,
}

impl Component {
    /// Its name in labels, container names and names of objects.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Topics => "topics",
            Self::Generator => "generator",
            Self::Detector => "detector",
            Self::Archiver => "archiver",
            Self::Notifier => "notifier",
            Self::Trainer => "trainer",
        }
    }
}

/// What selects the pods of a component; it never changes while the pipeline or training lives.
pub fn selector(instance: &str, component: Component) -> BTreeMap<String, String> {
    [(NAME, "vedette"), (INSTANCE, instance), (COMPONENT, component.as_str())].map(owned).into()
}

/// Selects everything that the operator made, as one word of a query.
pub fn managed() -> String {
    format!("{MANAGED_BY}={MANAGER}")
}

/// A selector as one word of a query, as scale subresources have it.
pub fn query(selector: &BTreeMap<String, String>) -> String {
    selector.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// Instance and component of an object of ours.
pub fn instance_and_component(labels: &BTreeMap<String, String>) -> Option<(&str, &str)> {
    let ours = labels.get(MANAGED_BY).is_some_and(|manager| manager == MANAGER);
    let (instance, component) = (labels.get(INSTANCE)?, labels.get(COMPONENT)?);
    ours.then_some((instance.as_str(), component.as_str()))
}

/// Whether it is the operator's alone to set this label or annotation.
pub(crate) fn is_ours(key: &str) -> bool {
    key.starts_with("vedette.io/") || [NAME, INSTANCE, COMPONENT, MANAGED_BY].contains(&key)
}

/// The hash of the spec that an object, or the pods of a template, are of.
pub fn spec_hash(metadata: &ObjectMeta) -> Option<&str> {
    Some(metadata.annotations.as_ref()?.get(SPEC_HASH)?.as_str())
}

/// The model version that a pod, or those of a template, load.
pub fn model_version(metadata: &ObjectMeta) -> Option<ModelVersion> {
    metadata.labels.as_ref()?.get(MODEL_VERSION)?.parse().ok()
}

/// The labels that tell whose an object is, where it is managed by us.
pub(crate) fn marks(labels: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let ours = labels.get(MANAGED_BY).is_some_and(|manager| manager == MANAGER);
    let marks = [NAME, INSTANCE, COMPONENT, MANAGED_BY].into_iter().filter(|_| ours);
    marks.filter_map(|mark| Some((mark, labels.get(mark)?.as_str()))).collect()
}

/// Labels of an object that no component owns, such as a service account.
pub fn owner_labels(instance: &str) -> BTreeMap<String, String> {
    [(NAME, "vedette"), (INSTANCE, instance), (MANAGED_BY, MANAGER)].map(owned).into()
}

/// Labels of an object and of its pods.
pub fn labels(instance: &str, component: Component) -> BTreeMap<String, String> {
    let mut labels = selector(instance, component);
    labels.extend([(MANAGED_BY, MANAGER)].map(owned));
    labels
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}
