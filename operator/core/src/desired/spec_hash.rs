//! What tells pods of one spec from those of another, whatever model they have: a new model rolls, and is no new spec.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::labels::MODEL_VERSION;

/// How the argument begins that names the training whose model a template carries.
const MODEL_TRAINING: &str = "--model-training=";
/// How the arguments begin that name the model.
const MODEL_ARGUMENTS: [&str; 2] = [MODEL_TRAINING, "--model-version="];

/// The training whose model a template carries.
pub(crate) fn model_training(template: &PodTemplateSpec) -> Option<&str> {
    let arguments =
        template.spec.iter().flat_map(|spec| &spec.containers).flat_map(|container| container.args.iter().flatten());
    arguments.into_iter().find_map(|argument| argument.strip_prefix(MODEL_TRAINING))
}

/// A hash of a template without its model: 16 hexadecimal digits.
pub(super) fn of(template: &PodTemplateSpec) -> String {
    let mut template = template.clone();
    if let Some(labels) = template.metadata.as_mut().and_then(|metadata| metadata.labels.as_mut()) {
        labels.remove(MODEL_VERSION);
    }
    for container in template.spec.iter_mut().flat_map(|spec| &mut spec.containers) {
        let arguments = container.args.get_or_insert_default();
        arguments.retain(|argument| !MODEL_ARGUMENTS.iter().any(|model| argument.starts_with(model)));
    }
    hex::encode(Sha256::digest(json!(template).to_string()))[..16].to_owned()
}
