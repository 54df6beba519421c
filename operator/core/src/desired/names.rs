//! Names of children, consumer groups and Jobs. They are a function of the owner, so that a second apply finds the first.

use sha2::{Digest, Sha256};
use vedette_contract::Name;

use super::labels::Component;

/// Name of a component's Deployment.
pub fn deployment(owner: &Name, component: Component) -> String {
    format!("{owner}-{}", component.as_str())
}

/// Name of the service account of a pipeline's pods.
pub fn pipeline_service_account(pipeline: &Name) -> String {
    format!("{pipeline}-pipeline")
}

/// Name of the service account of a training's pods.
pub fn training_service_account(training: &Name) -> String {
    format!("{training}-training")
}

/// Name of a component's Job, which carries a hash of what it does: a Job cannot be changed, so another task is another Job.
pub fn job<'a>(owner: &Name, component: Component, task: impl IntoIterator<Item = &'a String>) -> String {
    let mut hash = Sha256::new();
    for word in task {
        hash.update(word.as_bytes());
        hash.update([0]);
    }
    format!("{owner}-{}-{}", component.as_str(), &hex::encode(hash.finalize())[..8])
}

/// Consumer group and transactional id of a pipeline's notifier. It names the site, as several may share a Kafka: of two notifiers
/// with one id only the later is listened to.
pub fn notifier_group(namespace: &Name, owner: &Name, site: &Name) -> String {
    format!("{}.{site}", group(namespace, owner, Component::Notifier))
}

/// Kafka consumer group of a component; pipelines of other namespaces may share the Kafka.
pub fn group(namespace: &Name, owner: &Name, component: Component) -> String {
    format!("{namespace}.{owner}.{}", component.as_str())
}
