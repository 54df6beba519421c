//! The console of the cluster of a kubectl's context: found by the labels that the chart gives its pods, and reached by a port that kubectl
//! forwards. Nothing here knows what it is asked.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod};
use serde::Deserialize;
use thiserror::Error;
use vedette_contract::Name;

use crate::kubectl::{Forwarded, Kubectl, KubectlError};

/// What the chart gives to each pod of a console, and to no other.
const SELECTOR: &str = "app.kubernetes.io/name=vedette-console";
/// The release that it belongs to.
const RELEASE: &str = "app.kubernetes.io/instance";
/// The name of the port of its page.
const PAGE: &str = "page";
/// What stands before its paths.
const PATH_PREFIX: &str = "--path-prefix=";

/// A cluster, and where in it a console is looked for.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// The current one where none is named.
    pub(crate) context: Option<String>,
    /// All where none is named.
    pub(crate) namespace: Option<Name>,
}

/// A console that is reached.
#[derive(Debug)]
pub(super) struct Reached {
    /// What stands before its API's paths, on this machine.
    pub(super) url: String,
    /// Which pod it is, for people.
    pub(super) pod: String,
    _forwarded: Forwarded,
}

/// Why none is reached.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// The cluster was not asked, or refuses.
    #[error(transparent)]
    Kubectl(#[from] KubectlError),
    /// Nobody says which cluster.
    #[error("kubectl has no current context: name one with --context, or choose one with `kubectl config use-context`")]
    NoContext,
    /// Consoles may be looked for in some namespaces only.
    #[error("pods of all namespaces may not be listed: name the namespace of the console with --console-namespace")]
    NotEverywhere(#[source] KubectlError),
    /// Its answer cannot be read.
    #[error("what kubectl says of the pods cannot be read: take another version of it")]
    Strange(#[source] serde_json::Error),
    /// There is none.
    #[error("{} has no console: install one with console.enabled of the chart, or name another cluster with --context", scope(.namespace.as_ref()))]
    NoConsole { namespace: Option<Name> },
    /// Which one is meant cannot be told.
    #[error(
        "there are several consoles, {}: say which with --console-namespace, or forward its port (`kubectl port-forward`) and name that with --console",
        .known.join(", ")
    )]
    Several { known: Vec<String> },
    /// It does not run now.
    #[error(
        "no pod of the console {console} is ready: `kubectl get pods --namespace {namespace} --selector {SELECTOR}` shows how they stand"
    )]
    NotReady { console: String, namespace: String },
}

impl ClusterError {
    /// Whether all may be well later.
    pub(super) fn is_away(&self) -> bool {
        match self {
            Self::Kubectl(KubectlError::Refused { .. } | KubectlError::Silent { .. })
            | Self::NoConsole { .. }
            | Self::NotReady { .. } => true,
            Self::Kubectl(KubectlError::Missing { .. } | KubectlError::Start { .. })
            | Self::NoContext
            | Self::NotEverywhere(_)
            | Self::Strange(_)
            | Self::Several { .. } => false,
        }
    }
}

fn scope(namespace: Option<&Name>) -> String {
    namespace.map_or_else(|| "the cluster".to_owned(), |namespace| format!("namespace {namespace}"))
}

/// Some pods, as kubectl lists them.
#[derive(Deserialize)]
struct Pods {
    items: Vec<Pod>,
}

/// Where a console listens.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    namespace: String,
    pod: String,
    port: u16,
    /// Empty, or `/tools/vedette`.
    prefix: String,
}

impl Cluster {
    /// Finds its console and reaches it.
    ///
    /// # Errors
    /// When there is none, or several, none is ready, or whoever asks may not.
    pub(super) async fn reach(&self) -> Result<Reached, ClusterError> {
        let Self { context, namespace } = self;
        let context = context.as_deref();
        if context.is_none() {
            // Without one kubectl would ask whatever listens at port 8080 of this machine.
            let kubectl = Kubectl { context, namespace: None };
            match kubectl.run("see which cluster is meant", &["config", "current-context"]).await {
                Ok(_) => {}
                Err(KubectlError::Refused { .. }) => return Err(ClusterError::NoContext),
                Err(error) => return Err(error.into()),
            }
        }
        let place = chosen(self.pods(context).await?, namespace.as_ref())?;
        let kubectl = Kubectl { context, namespace: Some(&place.namespace) };
        let forwarded = kubectl.forward("reach the console", &place.pod, place.port).await?;
        Ok(Reached {
            url: format!("http://127.0.0.1:{}{}", forwarded.port, place.prefix),
            pod: format!("pod {}/{}", place.namespace, place.pod),
            _forwarded: forwarded,
        })
    }

    async fn pods(&self, context: Option<&str>) -> Result<Vec<Pod>, ClusterError> {
        let namespace = self.namespace.as_ref().map(Name::as_str);
        let words = ["get", "pods", "--selector", SELECTOR, "--output=json"];
        let everywhere = namespace.is_none().then_some("--all-namespaces");
        let words: Vec<&str> = words.into_iter().chain(everywhere).collect();
        let listed = Kubectl { context, namespace }.run("look for a console", &words).await;
        let listed = listed.map_err(|error| {
            if namespace.is_none() && error.is_forbidden() { ClusterError::NotEverywhere(error) } else { error.into() }
        })?;
        Ok(serde_json::from_slice::<Pods>(&listed).map_err(ClusterError::Strange)?.items)
    }
}

/// A pod of the only console among these that is ready: pods of one release are one console.
fn chosen(pods: Vec<Pod>, namespace: Option<&Name>) -> Result<Place, ClusterError> {
    let mut consoles = BTreeMap::<(String, String), Vec<Pod>>::new();
    for pod in pods {
        let release = pod.metadata.labels.as_ref().and_then(|labels| labels.get(RELEASE)).cloned();
        let namespace = pod.metadata.namespace.clone().unwrap_or_default();
        consoles.entry((namespace, release.unwrap_or_default())).or_default().push(pod);
    }
    let Some(((in_namespace, release), pods)) = consoles.pop_first() else {
        return Err(ClusterError::NoConsole { namespace: namespace.cloned() });
    };
    let name = |namespace: &str, release: &str| format!("{namespace}/{release}");
    let console = name(&in_namespace, &release);
    if !consoles.is_empty() {
        let others = consoles.keys().map(|(namespace, release)| name(namespace, release));
        return Err(ClusterError::Several { known: std::iter::once(console).chain(others).collect() });
    }
    let mut ready: Vec<Place> = pods.iter().filter(|pod| is_ready(pod)).filter_map(place).collect();
    ready.sort_by(|one, other| one.pod.cmp(&other.pod));
    ready.into_iter().next().ok_or(ClusterError::NotReady { console, namespace: in_namespace })
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut ready = conditions.filter(|condition| condition.type_ == "Ready");
    pod.metadata.deletion_timestamp.is_none() && ready.any(|condition| condition.status == "True")
}

/// Where the page of a pod is; nowhere where it has no such port.
fn place(pod: &Pod) -> Option<Place> {
    let containers = &pod.spec.as_ref()?.containers;
    let (container, port) = containers.iter().find_map(|container| Some((container, page(container)?)))?;
    let prefix = container.args.iter().flatten().find_map(|argument| argument.strip_prefix(PATH_PREFIX));
    Some(Place {
        namespace: pod.metadata.namespace.clone()?,
        pod: pod.metadata.name.clone()?,
        port,
        prefix: prefix.unwrap_or_default().trim_end_matches('/').to_owned(),
    })
}

fn page(container: &Container) -> Option<u16> {
    let page = container.ports.iter().flatten().find(|port| port.name.as_deref() == Some(PAGE))?;
    page.container_port.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(namespace: &str, release: &str, name: &str, ready: &str) -> Value {
        json!({
            "metadata": { "name": name, "namespace": namespace, "labels": { RELEASE: release } },
            "spec": { "containers": [
                { "name": "mesh", "ports": [{ "name": "http", "containerPort": 15020 }] },
                { "name": "console", "args": ["--site=east", "--path-prefix=/tools/vedette"], "ports": [
                    { "name": "http", "containerPort": 8080 }, { "name": "page", "containerPort": 8081 },
                ] },
            ] },
            "status": { "conditions": [{ "type": "Ready", "status": ready }] },
        })
    }

    fn found(pods: &[Value], namespace: Option<&str>) -> Result<Place, String> {
        let Pods { items } = serde_json::from_value(json!({ "items": pods })).unwrap();
        let namespace: Option<Name> = namespace.map(|namespace| namespace.parse().unwrap());
        chosen(items, namespace.as_ref()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_console_is_the_ready_pods_of_one_release() {
        let mut leaving = pod("vedette", "v", "console-a", "True");
        leaving["metadata"]["deletionTimestamp"] = json!("2026-11-23T08:00:00Z");
        let other = pod("vedette", "v", "console-d", "True");
        let pods =
            [leaving, pod("vedette", "v", "console-b", "False"), other, pod("vedette", "v", "console-c", "True")];
        let (namespace, prefix) = ("vedette".to_owned(), "/tools/vedette".to_owned());
        assert_eq!(found(&pods, None), Ok(Place { namespace, pod: "console-c".to_owned(), port: 8081, prefix }));
    }

    #[test]
    fn what_is_none_or_several_is_said_with_the_mend() {
        let none = found(&[], None).unwrap_err();
        assert!(none.starts_with("the cluster has no console: ") && none.contains("--context"), "{none}");
        assert!(found(&[], Some("team")).unwrap_err().starts_with("namespace team has no console"));
        let mut portless = pod("vedette", "v", "a", "True");
        portless["spec"]["containers"] = json!([{ "name": "console" }]);
        for unready in [pod("vedette", "v", "a", "False"), portless] {
            let error = found(&[unready], None).unwrap_err();
            assert!(error.contains("vedette/v is ready: `kubectl get pods --namespace vedette"), "{error}");
        }
        let several = [pod("west", "v", "a", "True"), pod("east", "v", "a", "False"), pod("east", "w", "a", "True")];
        let error = found(&several, None).unwrap_err();
        assert!(error.contains("east/v, east/w, west/v: say which with --console-namespace"), "{error}");
    }
}
