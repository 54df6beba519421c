//! An API server of a few hundred lines: objects in memory, lists, watches, apply, delete, and faults where a test wants
//! them. It plays no controller: tests set statuses themselves.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::store::{Key, State, merge};

/// A watch that broke again and again begins anew after 30 s and more, and a busy machine takes its time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// What goes wrong, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    /// Method of the request.
    pub method: Method,
    /// A part of its path and query.
    pub part: &'static str,
    /// HTTP status of the answer; none for no answer at all.
    pub status: Option<u16>,
    /// How many requests it meets.
    pub times: usize,
}

/// The server; clones are the same one.
#[derive(Clone)]
pub(crate) struct Api {
    state: Arc<Mutex<State>>,
    changed: Arc<watch::Sender<u64>>,
}

struct Target {
    plural: String,
    namespace: String,
    name: Option<String>,
    status: bool,
    query: BTreeMap<String, String>,
}

impl Api {
    pub(crate) fn new() -> Self {
        Self { state: Arc::default(), changed: Arc::new(watch::channel(0).0) }
    }

    pub(crate) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move { Ok::<_, Infallible>(api.answer(request).await) }
        });
        Client::new(service, "n")
    }

    /// Creates or replaces an object, as somebody else would.
    pub(crate) fn put(&self, plural: &str, object: Value) {
        self.put_in("n", plural, object);
    }

    /// The same in a namespace, or in none.
    pub(crate) fn put_in(&self, namespace: &str, plural: &str, object: Value) {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        self.change((plural, namespace, &name), |old| {
            let mut object = object;
            if object["status"].is_null() && !old["status"].is_null() {
                object["status"] = old["status"].clone();
            }
            object
        });
    }

    pub(crate) fn set_status(&self, plural: &str, name: &str, status: Value) {
        self.change((plural, "n", name), |mut object| {
            object["status"] = status;
            object
        });
    }

    pub(crate) fn remove(&self, plural: &str, name: &str) {
        self.remove_in("n", plural, name);
    }

    pub(crate) fn remove_in(&self, namespace: &str, plural: &str, name: &str) {
        let mut state = self.lock();
        state.delete(&(plural.to_owned(), namespace.to_owned(), name.to_owned()));
        self.tell(&state);
    }

    pub(crate) fn get(&self, plural: &str, name: &str) -> Option<Value> {
        self.get_in("n", plural, name)
    }

    pub(crate) fn get_in(&self, namespace: &str, plural: &str, name: &str) -> Option<Value> {
        self.lock().objects.get(&(plural.to_owned(), namespace.to_owned(), name.to_owned())).cloned()
    }

    /// Paths of the watches that are open.
    pub(crate) fn watching(&self) -> Vec<String> {
        self.lock().watching.clone()
    }

    pub(crate) fn names(&self, plural: &str) -> Vec<String> {
        self.lock().objects.keys().filter(|key| key.0 == plural).map(|key| key.2.clone()).collect()
    }

    pub(crate) fn all_in(&self, namespace: &str, plural: &str) -> Vec<Value> {
        let state = self.lock();
        let meant = state.objects.iter().filter(|(key, _)| key.0 == plural && key.1 == namespace);
        meant.map(|(_, object)| object.clone()).collect()
    }

    /// Writes so far, leases left out.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.lock().writes.iter().filter(|write| !write.contains("leases")).cloned().collect()
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Watches of this plural fall behind from now on.
    pub(crate) fn silence(&self, plural: &str) {
        self.lock().silent.insert(plural.to_owned());
    }

    pub(crate) fn faults_to_come(&self) -> usize {
        self.lock().faults.iter().map(|fault| fault.times).sum()
    }

    pub(crate) fn mend(&self) {
        self.lock().faults.clear();
    }

    /// Waits until this holds, and says what was there if it never does.
    pub(crate) async fn until<T>(&self, what: &str, mut holds: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(found) = holds(self) {
                return found;
            }
            if tokio::time::Instant::now() >= deadline {
                let state = self.lock();
                panic!("never saw {what}; there are {:#?}; writes {:#?}", state.objects, state.writes);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until nothing is written for so long, which never comes where the same is written again and again.
    pub(crate) async fn until_still(&self, quiet: Duration) {
        let (mut seen, mut since) = (self.writes().len(), tokio::time::Instant::now());
        let deadline = since + PATIENCE;
        while since.elapsed() < quiet {
            assert!(tokio::time::Instant::now() < deadline, "it writes on and on: {:#?}", self.writes());
            tokio::time::sleep(Duration::from_millis(20)).await;
            let written = self.writes().len();
            if written != seen {
                (seen, since) = (written, tokio::time::Instant::now());
            }
        }
    }

    fn change(&self, (plural, namespace, name): (&str, &str, &str), change: impl FnOnce(Value) -> Value) {
        let mut state = self.lock();
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let old = state.objects.get(&key).cloned().unwrap_or(Value::Null);
        state.store(key, change(old));
        self.tell(&state);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn tell(&self, state: &State) {
        self.changed.send_replace(state.version);
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let line = parts.uri.path_and_query().unwrap().to_string();
        if let Some(fault) = self.fault_of(&parts.method, &line) {
            match fault.status {
                Some(status) => return refusal(status),
                None => std::future::pending::<()>().await,
            }
        }
        let body = body.collect().await.unwrap().to_bytes();
        let target = target(&line);
        let content_type = parts.headers.get("content-type").map(|value| value.to_str().unwrap().to_owned());
        match (&parts.method, &target.name) {
            (&Method::GET, None) if target.query.get("watch").is_some_and(|watch| watch == "true") => {
                self.watch(target, parts.uri.path())
            }
            (&Method::GET, None) => self.list(&target),
            (&Method::GET, Some(name)) => match self.get_in(&target.namespace, &target.plural, name) {
                Some(object) => ok(&object),
                None => refusal(404),
            },
            (&Method::POST, None) => self.create(&target, serde_json::from_slice(&body).unwrap()),
            (&Method::PATCH, Some(name)) => {
                let apply = content_type.is_some_and(|kind| kind.contains("apply"));
                self.patch(&target, name, serde_json::from_slice(&body).unwrap(), apply)
            }
            (&Method::DELETE, Some(name)) => {
                let options: Value = serde_json::from_slice(&body).unwrap_or_default();
                self.delete(&target, name, &options["preconditions"]["uid"])
            }
            _ => refusal(405),
        }
    }

    fn fault_of(&self, method: &Method, line: &str) -> Option<Fault> {
        let mut state = self.lock();
        let fault = state
            .faults
            .iter_mut()
            .find(|fault| fault.times > 0 && fault.method == *method && line.contains(fault.part))?;
        fault.times -= 1;
        Some(fault.clone())
    }

    fn list(&self, target: &Target) -> Answer {
        let state = self.lock();
        let items: Vec<&Value> = state
            .objects
            .iter()
            .filter(|(key, object)| is_meant(target, key, object))
            .map(|(_, object)| object)
            .collect();
        ok(&json!({
            "apiVersion": "v1", "kind": "List", "metadata": { "resourceVersion": state.version.to_string() }, "items": items
        }))
    }

    fn watch(&self, target: Target, path: &str) -> Answer {
        let open = Open::new(self, path);
        let (api, changes) = (self.clone(), self.changed.subscribe());
        let since: u64 = target.query.get("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
        let stream = futures::stream::unfold((since, changes, open), move |(mut since, mut changes, open)| {
            let (api, target) = (api.clone(), clone(&target));
            async move {
                loop {
                    changes.borrow_and_update();
                    let lines = api.since(&target, &mut since);
                    if !lines.is_empty() {
                        return Some((Ok(Frame::data(Bytes::from(lines))), (since, changes, open)));
                    }
                    changes.changed().await.ok()?;
                }
            }
        });
        Response::new(StreamBody::new(Box::pin(stream)).boxed_unsync())
    }

    fn since(&self, target: &Target, since: &mut u64) -> String {
        let state = self.lock();
        if state.silent.contains(&target.plural) {
            return String::new();
        }
        let news = state.log.iter().enumerate().filter(|(_, (version, ..))| version > since);
        let lines = news.filter_map(|(at, (_, key, kind, object))| {
            let was_meant = || {
                let before = state.log[..at].iter().rev().find(|(_, earlier, ..)| earlier == key);
                before.is_some_and(|(_, _, kind, object)| *kind != "DELETED" && is_meant(target, key, object))
            };
            let kind = if is_meant(target, key, object) { Some(*kind) } else { was_meant().then_some("DELETED") };
            Some(json!({ "type": kind?, "object": object }).to_string() + "\n")
        });
        let lines: Vec<String> = lines.collect();
        *since = state.version;
        lines.concat()
    }

    /// Deletes the object, if it has this UID where one is asked for.
    fn delete(&self, target: &Target, name: &str, uid: &Value) -> Answer {
        let mut state = self.lock();
        state.writes.push(format!("DELETE {}/{name}", target.plural));
        let key = (target.plural.clone(), target.namespace.clone(), name.to_owned());
        match state.objects.get(&key) {
            None => return refusal(404),
            Some(object) if !uid.is_null() && object["metadata"]["uid"] != *uid => return refusal(409),
            Some(_) => state.delete(&key),
        };
        self.tell(&state);
        ok(&json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }))
    }

    fn create(&self, target: &Target, object: Value) -> Answer {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let mut state = self.lock();
        state.writes.push(format!("POST {}/{name}", target.plural));
        let key = (target.plural.clone(), target.namespace.clone(), name);
        state.store(key.clone(), object);
        self.tell(&state);
        ok(&state.objects[&key])
    }

    fn patch(&self, target: &Target, name: &str, patch: Value, apply: bool) -> Answer {
        let mut state = self.lock();
        let key = (target.plural.clone(), target.namespace.clone(), name.to_owned());
        let old = state.objects.get(&key).cloned();
        if old.is_none() && (target.status || !apply) {
            return refusal(404);
        }
        let part = if target.status { "/status" } else { "" };
        state.writes.push(format!("PATCH {}/{name}{part}", target.plural));
        let mut object = old.unwrap_or_else(|| json!({ "metadata": {} }));
        if target.status {
            object["status"] = patch["status"].clone();
        } else if apply && target.plural != "leases" {
            // One manager: what it applies is what is there.
            let mut metadata = patch["metadata"].clone();
            for field in ["uid", "resourceVersion", "creationTimestamp", "generation"] {
                metadata[field] = object["metadata"][field].clone();
            }
            let status = object["status"].clone();
            object = patch;
            object["metadata"] = metadata;
            object["status"] = status;
        } else {
            merge(&mut object, &patch);
        }
        state.store(key.clone(), object);
        self.tell(&state);
        ok(&state.objects[&key])
    }
}

/// A watch that is open.
struct Open {
    api: Api,
    path: String,
}

impl Open {
    fn new(api: &Api, path: &str) -> Self {
        api.lock().watching.push(path.to_owned());
        Self { api: api.clone(), path: path.to_owned() }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        // A test that fails leaves the lock poisoned, and says why by itself.
        if let Ok(mut state) = self.api.state.lock() {
            let at = state.watching.iter().position(|path| *path == self.path);
            at.map(|at| state.watching.swap_remove(at));
        }
    }
}

fn clone(target: &Target) -> Target {
    Target {
        plural: target.plural.clone(),
        namespace: target.namespace.clone(),
        name: target.name.clone(),
        status: target.status,
        query: target.query.clone(),
    }
}

fn target(line: &str) -> Target {
    let (path, query) = line.split_once('?').unwrap_or((line, ""));
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (namespace, rest) = match parts.iter().position(|part| *part == "namespaces") {
        Some(at) if at + 2 < parts.len() => (parts[at + 1], &parts[at + 2..]),
        // Of the whole cluster, where no test asks for one object.
        Some(_) | None => ("", &parts[parts.len() - 1..]),
    };
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let decoded = |text: &str| text.replace("%3D", "=").replace("%2C", ",").replace("%2F", "/");
    Target {
        namespace: namespace.to_owned(),
        plural: rest[0].to_owned(),
        name: rest.get(1).map(|name| (*name).to_owned()),
        status: rest.get(2) == Some(&"status"),
        query: query.map(|(key, value)| (key.to_owned(), decoded(value))).collect(),
    }
}

fn is_meant(target: &Target, key: &Key, object: &Value) -> bool {
    let labels = target.query.get("labelSelector").map(String::as_str).unwrap_or_default();
    let by_labels = labels.split(',').filter_map(|pair| pair.split_once('='));
    let field = |name: &str| target.query.get("fieldSelector").and_then(|text| text.strip_prefix(name));
    key.0 == target.plural
        && (target.namespace.is_empty() || key.1 == target.namespace)
        && by_labels.into_iter().all(|(label, value)| object["metadata"]["labels"][label] == value)
        && field("metadata.name=").is_none_or(|name| name == key.2)
        && field("regarding.uid=").is_none_or(|uid| object["regarding"]["uid"] == uid)
}

fn ok(object: &Value) -> Answer {
    Response::new(Full::new(Bytes::from(object.to_string())).boxed_unsync())
}

fn refusal(code: u16) -> Answer {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        _ => "InternalError",
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": format!("a test wants {code}"),
        "reason": reason, "code": code
    });
    let mut answer = ok(&body);
    *answer.status_mut() = http::StatusCode::from_u16(code).unwrap();
    answer
}
