//! Every label and annotation of what the operator builds.

use std::collections::BTreeMap;

/// Label of detector pods: the model version that they load.
pub const MODEL_VERSION: &str = "vedette.io/model-version";
/// Whoever applies our objects, as field manager and as label.
pub const MANAGER: &str = "vedette-operator";

const NAME: &str = "app.kubernetes.io/name";
const INSTANCE: &str = "app.kubernetes.io/instance";
const COMPONENT: &str = "app.kubernetes.io/component";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// What a workload is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// Creates topics.
    Topics,
    /// Generates records.
    Generator,
    /// Enriches, scores and alerts.
    Detector,
    /// Writes the archive.
    Archiver,
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
            Self::Trainer => "trainer",
        }
    }
}

/// What selects the pods of a component; it never changes while the pipeline or training lives.
pub fn selector(instance: &str, component: Component) -> BTreeMap<String, String> {
    [(NAME, "vedette"), (INSTANCE, instance), (COMPONENT, component.as_str())].map(owned).into()
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
