//! Objects that cannot be read, or of whose namespace nothing is known. What runs because of them is left as it was, and their
//! status says why.

use jiff::Timestamp;
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::core::object::HasSpec;
use kube::runtime::controller::Action;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, from_value, json};
use vedette_core::platform::Kind;
use vedette_core::reason::ReadyReason;
use vedette_core::refusal::Refusal;

use super::apply::ApiError;
use super::cluster::InCluster;
use super::context::Context;
use super::object_metrics::ShownStatus;
use super::per_object::Reference;

/// What is said in a status that cannot be read; everything else in it is left as it was found.
const SAID: [&str; 2] = ["conditions", "observedGeneration"];

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
    K: Kind<Status: Default + DeserializeOwned + Serialize + ShownStatus>,
    O: Resource<DynamicType = ()> + HasSpec<Spec: DeserializeOwned>,
{
    let Some(found) = context.applier.read_untyped(object).await? else {
        context.forget(&Reference::of(object));
        return Ok(Action::await_change());
    };
    let (before, unreadable) = readable::<K::Status>(&found["status"]);
    let is_due_to_the_status = refusal.reason == ReadyReason::Invalid
        && !unreadable.is_empty()
        && from_value::<O::Spec>(found["spec"].clone()).is_ok();
    let refusal = if is_due_to_the_status { Refusal::status_unreadable(&unreadable) } else { refusal };
    let cluster = InCluster { object, context };
    let conclusion = K::refuse(&cluster.refused(&before), refusal, now);
    let whole = json!(conclusion.status);
    let status = if unreadable.is_empty() { whole } else { said_in(&found["status"], &whole) };
    if status != found["status"] {
        context.applier.status(object, &status).await?;
        context.announcer.announce(&object.object_ref(&()), &conclusion.events).await;
    }
    context.metrics.objects.show(&Reference::of(object), &conclusion.status);
    Ok(Action::requeue(conclusion.again))
}

/// What of a status can be read, and why each of the other fields cannot. Every field may be absent, so each is read by itself.
fn readable<S: Default + DeserializeOwned>(status: &Value) -> (S, Vec<String>) {
    let (mut fields, mut unreadable) = (Map::new(), Vec::new());
    for (name, value) in status.as_object().into_iter().flatten() {
        match from_value::<S>(json!({ name: value })) {
            Ok(_) => _ = fields.insert(name.clone(), value.clone()),
            Err(error) => unreadable.push(format!("status.{name}: {error}")),
        }
    }
    (from_value(Value::Object(fields)).unwrap_or_default(), unreadable)
}

/// A status as it was found, but for what is said now. An apply takes away what it leaves out, and what another version
/// remembers there, such as versions that were rejected, is not ours to forget.
fn said_in(found: &Value, whole: &Value) -> Value {
    let mut status = found.clone();
    for field in SAID {
        if let Some(value) = whole.get(field) {
            status[field] = value.clone();
        }
    }
    status
}
