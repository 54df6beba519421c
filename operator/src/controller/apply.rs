//! The only code that writes what pipelines and trainings own, and their statuses: server-side apply with one field manager, deletion of what is no longer
//! wanted, and statuses. What the server is known to have already is not sent again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde_json::{Value, json};
use thiserror::Error;

use super::child::Child;
use super::metrics::Metrics;
use super::per_object::{PerObject, Reference, kind_label};
use vedette_core::desired::labels::MANAGER;
use vedette_core::ownership::{Stranger, claim};
use vedette_core::pod_refusal::{lacks_a_pod, pod_refusal};

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(20);

/// What went wrong between us and the API server.
#[derive(Debug, Error)]
pub(super) enum ApiError {
    /// It refused, or could not be reached.
    #[error("cannot {verb} {kind} {name}")]
    Request {
        verb: &'static str,
        /// With what.
        kind: String,
        name: String,
        #[source]
        source: Box<kube::Error>,
    },
    /// It did not answer in time.
    #[error("cannot {verb} {kind} {name}: the API server does not answer in time")]
    Timeout {
        verb: &'static str,
        /// With what.
        kind: String,
        name: String,
    },
    /// Another's object has the name of one of ours.
    #[error("{kind} {name} exists and {stranger}: delete or rename it, or give this object another name")]
    NameTaken {
        kind: String,
        name: String,
        /// Whose it is.
        stranger: Stranger,
    },
}

/// What is wrong, as far as code and people go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    NameTaken,
    Timeout,
    Unreachable,
    BadRequest,
    Forbidden,
    NotFound,
    Conflict,
    Gone,
    Invalid,
    TooManyRequests,
    ServerError,
    Refused,
}

impl ApiError {
    /// Another's object has the name of this one.
    pub(super) fn name_taken<K: Child>(desired: &K, stranger: Stranger) -> Self {
        Self::NameTaken { kind: K::kind(&()).into_owned(), name: desired.name_any(), stranger }
    }

    /// A word for conditions, events and metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self.problem() {
            Problem::NameTaken => "NameTaken",
            Problem::Timeout => "ApiServerTimeout",
            Problem::Unreachable => "ApiServerUnreachable",
            Problem::BadRequest => "BadRequest",
            Problem::Forbidden => "Forbidden",
            Problem::NotFound => "NotFound",
            Problem::Conflict => "Conflict",
            Problem::Gone => "Gone",
            Problem::Invalid => "Invalid",
            Problem::TooManyRequests => "TooManyRequests",
            Problem::ServerError => "ApiServerError",
            Problem::Refused => "RequestRefused",
        }
    }

    /// Whether it stays so until somebody changes something.
    pub(super) fn is_permanent(&self) -> bool {
        match self.problem() {
            Problem::NameTaken | Problem::BadRequest | Problem::Forbidden | Problem::Invalid | Problem::Refused => true,
            Problem::Timeout
            | Problem::Unreachable
            | Problem::NotFound
            | Problem::Conflict
            | Problem::Gone
            | Problem::TooManyRequests
            | Problem::ServerError => false,
        }
    }

    /// Whether there is no such object.
    pub(super) fn is_not_found(&self) -> bool {
        self.problem() == Problem::NotFound
    }

    /// Whether somebody else came first, or owns what was to be changed.
    pub(super) fn is_conflict(&self) -> bool {
        self.problem() == Problem::Conflict
    }

    /// Whether another field manager owns this field.
    pub(super) fn is_conflict_about(&self, field: &str) -> bool {
        self.status().is_some_and(|status| status.code == 409 && status.message.contains(field))
    }

    fn problem(&self) -> Problem {
        match (self, self.status().map(|status| status.code)) {
            (Self::NameTaken { .. }, _) => Problem::NameTaken,
            (Self::Timeout { .. }, _) => Problem::Timeout,
            (Self::Request { .. }, None) => Problem::Unreachable,
            (Self::Request { .. }, Some(code)) => match code {
                400 => Problem::BadRequest,
                403 => Problem::Forbidden,
                404 => Problem::NotFound,
                409 => Problem::Conflict,
                410 => Problem::Gone,
                422 => Problem::Invalid,
                429 => Problem::TooManyRequests,
                500.. => Problem::ServerError,
                _ => Problem::Refused,
            },
        }
    }

    /// What the API server answered, if it did.
    fn status(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Request { source, .. } => match &**source {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            Self::Timeout { .. } | Self::NameTaken { .. } => None,
        }
    }
}

/// Whether an apply takes fields from other managers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conflicts {
    /// It takes them.
    Force,
    /// It fails.
    Respect,
}

/// Applies; clones of the client are cheap, what was sent is shared by reference.
pub(super) struct Applier {
    client: Client,
    metrics: Metrics,
    sent: Arc<SentObjects>,
}

/// What was sent last of each object. The watches forget it when an object is gone.
pub(super) type SentObjects = PerObject<Sent>;

/// What was sent last of an object, and what the server had then.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    desired: u64,
    answer: u64,
}

impl Applier {
    /// Has sent nothing yet.
    pub(super) fn new(client: Client, metrics: Metrics, sent: Arc<SentObjects>) -> Self {
        Self { client, metrics, sent }
    }

    /// Applies an object; nothing is sent where the live one is what the server answered to the same before.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached, or another's object has its name.
    pub(super) async fn apply<K: Child>(
        &self,
        desired: &K,
        live: Option<&K>,
        conflicts: Conflicts,
    ) -> Result<(), ApiError> {
        let reference = Reference::of(desired);
        let wanted = hash(&json!(desired));
        if let Some(live) = live
            && self.sent.with_known(&reference, |sent| *sent) == Some(Sent { desired: wanted, answer: content(live) })
        {
            return Ok(());
        }
        self.claim(desired, live).await?;
        let mut parameters = PatchParams::apply(MANAGER);
        parameters.force = conflicts == Conflicts::Force;
        let api = self.api::<K>(desired);
        let name = desired.name_any();
        let answer = bounded::<K, _>("apply", &name, api.patch(&name, &parameters, &Patch::Apply(desired))).await?;
        self.metrics.applied(kind_label::<K>());
        self.sent.with(&reference, |sent| *sent = Sent { desired: wanted, answer: content(&answer) });
        Ok(())
    }

    /// What is there already must be ours. The watches see only what has our labels, so what they do not show is asked for.
    async fn claim<K: Child>(&self, desired: &K, live: Option<&K>) -> Result<(), ApiError> {
        let found = match live {
            Some(live) => Some(live.meta().clone()),
            None => {
                let namespace = desired.namespace().unwrap_or_default();
                self.read::<K>(&namespace, &desired.name_any()).await?.map(|found| found.meta().clone())
            }
        };
        let claimed = found.map_or(Ok(()), |found| claim(&found, desired.meta()));
        claimed.map_err(|stranger| ApiError::name_taken(desired, stranger))
    }

    /// Changes a few fields of an object whose others cannot be changed.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached.
    pub(super) async fn merge<K: Child>(&self, object: &K, change: &Value) -> Result<(), ApiError> {
        let parameters = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let name = object.name_any();
        let api = self.api::<K>(object);
        bounded::<K, _>("change", &name, api.patch(&name, &parameters, &Patch::Merge(change))).await.map(drop)
    }

    /// Deletes an object, if it is still the one that was seen; one that is gone is deleted already.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached.
    pub(super) async fn delete<K: Child>(&self, object: &K) -> Result<(), ApiError> {
        let mut parameters = DeleteParams::background();
        parameters.preconditions = Some(kube::api::Preconditions { uid: object.uid(), resource_version: None });
        let name = object.name_any();
        self.sent.forget(&Reference::of(object));
        match bounded::<K, _>("delete", &name, self.api::<K>(object).delete(&name, &parameters)).await {
            Ok(_) => {
                tracing::info!(kind = %K::kind(&()), name, namespace = object.namespace(), "deleted what is no longer wanted");
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What is in a namespace is not acted upon any more.
    pub(super) fn forget_namespace(&self, namespace: &str) {
        self.sent.keep(|object| object.namespace != namespace);
    }

    /// Reads an object past the caches.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached.
    pub(super) async fn read<K: Child>(&self, namespace: &str, name: &str) -> Result<Option<K>, ApiError> {
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        bounded::<K, _>("read", name, api.get_opt(name)).await
    }

    /// A Job with who manages what of it, where it is suspended; the caches leave that out.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached.
    pub(super) async fn with_holder(&self, job: Option<Arc<Job>>) -> Result<Option<Arc<Job>>, ApiError> {
        match job {
            Some(job) if job.spec.as_ref().is_some_and(|spec| spec.suspend == Some(true)) => {
                let namespace = job.namespace().unwrap_or_default();
                Ok(self.read::<Job>(&namespace, &job.name_any()).await?.map(Arc::new))
            }
            other => Ok(other),
        }
    }

    /// Reads the objects with these labels past the caches.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached.
    pub(super) async fn list<K: Child>(&self, namespace: &str, selector: &str) -> Result<Vec<K>, ApiError> {
        let api = Api::<K>::namespaced(self.client.clone(), namespace);
        let parameters = kube::api::ListParams::default().labels(selector);
        bounded::<K, _>("list", selector, api.list(&parameters)).await.map(|list| list.items)
    }

    /// Why the controller of a Job makes no pod for it, as far as it has told. That nobody may read it is no failure.
    pub(super) async fn pod_refusal(&self, job: Option<&Job>, pods: &[&Pod]) -> Option<String> {
        let job = job.filter(|job| lacks_a_pod(job, pods))?;
        let api = Api::<Event>::namespaced(self.client.clone(), &job.namespace()?);
        let parameters = kube::api::ListParams::default().fields(&format!("regarding.uid={}", job.uid()?));
        match bounded::<Event, _>("list", "of a Job", api.list(&parameters)).await {
            Ok(events) => pod_refusal(&events.items),
            Err(error) => {
                let (job, error) = (job.name_any(), vedette_service::error_chain(&error));
                tracing::warn!(job, error, "why a Job has no pod is not known");
                None
            }
        }
    }

    /// Writes the whole status of an object, and returns the object's version since. It is sent and answered without
    /// its type, as the object may not be readable.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached.
    pub(super) async fn status<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        status: &impl Serialize,
    ) -> Result<Option<String>, ApiError> {
        let name = object.name_any();
        let body = json!({
            "apiVersion": K::api_version(&()), "kind": K::kind(&()),
            "metadata": { "name": name, "uid": object.uid() },
            "status": status
        });
        let parameters = PatchParams::apply(MANAGER).force();
        let api = self.untyped::<K>(object);
        let answer =
            bounded::<K, _>("write the status of", &name, api.patch_status(&name, &parameters, &Patch::Apply(&body)))
                .await?;
        self.metrics.applied("status");
        Ok(answer.resource_version())
    }

    /// Reads the status of an object that is not readable as a whole.
    ///
    /// # Errors
    /// When the server refuses it or cannot be reached.
    pub(super) async fn read_untyped<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
    ) -> Result<Option<Value>, ApiError> {
        let name = object.name_any();
        let found = bounded::<K, _>("read", &name, self.untyped::<K>(object).get_opt(&name)).await?;
        Ok(found.map(|object| object.data))
    }

    fn api<K: Child>(&self, object: &K) -> Api<K> {
        Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default())
    }

    fn untyped<K: Resource<DynamicType = ()>>(&self, object: &K) -> Api<DynamicObject> {
        let namespace = object.meta().namespace.clone().unwrap_or_default();
        Api::namespaced_with(self.client.clone(), &namespace, &ApiResource::erase::<K>(&()))
    }
}

async fn bounded<K: Resource<DynamicType = ()>, T>(
    verb: &'static str,
    name: &str,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, ApiError> {
    let (kind, name) = (K::kind(&()).into_owned(), name.to_owned());
    match tokio::time::timeout(REQUEST, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(ApiError::Request { verb, kind, name, source: Box::new(source) }),
        Err(_) => Err(ApiError::Timeout { verb, kind, name }),
    }
}

/// What the server has of an object, without what it changes by itself at every write and without the status.
fn content<K: Child>(object: &K) -> u64 {
    let mut value = json!(object);
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = value["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        metadata.remove("resourceVersion");
    }
    hash(&value)
}

fn hash(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
}
