//! Objects that cannot be read. What runs because of them is left as it was, and their status says why.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use vedette_contract::Name;

use super::RESYNC;
use super::apply::ApiError;
use super::backoff::jittered;
use super::context::Context;
use super::events::transitions;

/// A status of which as much is known as is needed to say that its object cannot be read.
pub trait UnreadableStatus: Default + DeserializeOwned + Serialize {
    /// The status that says this, at this generation and site.
    fn refused(&self, generation: Option<i64>, message: String, site: &Name, now: Timestamp) -> Self;
    /// Its conditions.
    fn conditions(&self) -> &[Condition];
}

/// Says why an object cannot be read; `forget` is called if it is gone. Its status is taken as it stands there, as it may
/// not be readable either.
///
/// # Errors
/// When the API server refuses the status or cannot be reached.
pub async fn refuse<K: Resource<DynamicType = ()>, S: UnreadableStatus>(
    object: &DeserializeGuard<K>,
    error: &str,
    context: &Context,
    now: Timestamp,
    forget: impl FnOnce(),
) -> Result<Action, ApiError> {
    let Some(found) = context.applier.read_untyped(object).await? else {
        forget();
        return Ok(Action::await_change());
    };
    let before: S = serde_json::from_value(found["status"].clone()).unwrap_or_default();
    let message = format!("the object cannot be read: {error}; apply it again with the CRD of this version");
    let status = before.refused(object.meta().generation, message, &context.site.site.name, now);
    if json!(status) != found["status"] {
        context.applier.status(object, &status).await?;
        let notices = transitions(before.conditions(), status.conditions());
        context.announcer.announce(&object.object_ref(&()), &notices).await;
    }
    Ok(Action::requeue(jittered(RESYNC)))
}
