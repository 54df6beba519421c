//! Objects that cannot be read, or of whose namespace nothing is known. What runs because of them is left as it was, and their
//! status says why.

use jiff::Timestamp;
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::runtime::controller::Action;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use vedette_core::platform::Kind;
use vedette_core::refusal::Refusal;

use super::apply::ApiError;
use super::cluster::InCluster;
use super::context::Context;
use super::object_metrics::Standing;
use super::per_object::Reference;

/// Says why an object is not acted upon. Its status is taken as it stands there, as it may not be readable either.
///
/// # Errors
/// When the API server refuses the status or cannot be reached.
pub(super) async fn tell<K, O>(
    object: &DeserializeGuard<O>,
    refusal: Refusal,
    context: &Context,
    now: Timestamp,
) -> Result<Action, ApiError>
where
    K: Kind<Status: Default + DeserializeOwned + Serialize + Standing>,
    O: Resource<DynamicType = ()>,
{
    let Some(found) = context.applier.read_untyped(object).await? else {
        context.forget(&Reference::of(object));
        return Ok(Action::await_change());
    };
    let before: K::Status = serde_json::from_value(found["status"].clone()).unwrap_or_default();
    let cluster = InCluster { object, context };
    let conclusion = K::refuse(&cluster.refused(&before), refusal, now);
    if json!(conclusion.status) != found["status"] {
        context.applier.status(object, &conclusion.status).await?;
        context.announcer.announce(&object.object_ref(&()), &conclusion.events).await;
    }
    context.metrics.objects.show(&Reference::of(object), &conclusion.status);
    Ok(Action::requeue(conclusion.again))
}
