//! Which namespaces a selector matches, as they come and go.

use std::collections::BTreeSet;

use futures::stream::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use vedette_service::error_chain;

use super::per_object::kind_label;
use super::reach::Reach;
use super::scope::WHOLE_CLUSTER;

/// The namespaces that a selector matches, each time that they change.
pub(super) fn namespaces(
    client: &Client,
    selector: &str,
    reach: Reach,
) -> impl Stream<Item = BTreeSet<String>> + Send + use<> {
    let (store, writer) = reflector::store();
    let config = watcher::Config::default().labels(selector);
    let api = Api::<PartialObjectMeta<Namespace>>::all(client.clone());
    let events = watcher(api, config).default_backoff().reflect(writer);
    events.filter_map(move |event| std::future::ready(known_after(event, &store, &reach)))
}

/// All that are known after an event; none where it tells of no whole list yet.
fn known_after(
    event: Result<Event<PartialObjectMeta<Namespace>>, watcher::Error>,
    store: &Store<PartialObjectMeta<Namespace>>,
    reach: &Reach,
) -> Option<BTreeSet<String>> {
    let kind = kind_label::<Namespace>();
    match event {
        Ok(Event::Init | Event::InitApply(_)) => None,
        Ok(Event::InitDone | Event::Apply(_) | Event::Delete(_)) => {
            reach.works(WHOLE_CLUSTER, kind);
            let living = store.state_filter(|namespace| namespace.metadata.deletion_timestamp.is_none());
            Some(living.iter().map(|namespace| namespace.name_any()).collect())
        }
        Err(error) => {
            let message = error_chain(&error);
            reach.broke(WHOLE_CLUSTER, kind, &message);
            tracing::warn!(error = message, "the watch of the namespaces broke and begins again");
            None
        }
    }
}
